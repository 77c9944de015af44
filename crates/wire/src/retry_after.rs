//! How long a response asks to wait.
//!
//! Milliseconds win over seconds, being the finer word for the same wait, unless they say 0 beside a real number: that was
//! seen where the window renews in a minute. An HTTP-date is measured from the response's own `date`, so that neither
//! clock's error counts.

use std::time::Duration;

/// No wait is longer than this, whatever was sent.
const LONGEST: f64 = 365.0 * 86_400.0;

/// The wait that `retry-after-ms`, `retry-after` and `date` of a response state: integers, decimals or an HTTP-date.
#[must_use]
pub fn retry_after(millis: Option<&str>, header: Option<&str>, date: Option<&str>) -> Option<Duration> {
    let fine = millis.and_then(number).map(|ms| ms / 1_000.0);
    let coarse = header.and_then(|text| number(text).or_else(|| until(text, date?)));
    let seconds = fine.filter(|s| *s > 0.0).or(coarse).or(fine)?;
    Duration::try_from_secs_f64(seconds.min(LONGEST)).ok()
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0)
}

fn until(text: &str, date: &str) -> Option<f64> {
    let at = httpdate::parse_http_date(text.trim()).ok()?;
    let sent = httpdate::parse_http_date(date.trim()).ok()?;
    Some(at.duration_since(sent).unwrap_or_default().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_wait_is_read() {
        let date = Some("Mon, 23 Nov 2026 01:00:00 GMT");
        for (millis, header, expected) in [
            (None, None, None),
            (None, Some("2"), Some(2_000)),
            (None, Some(" 0.25 "), Some(250)),
            (None, Some("0"), Some(0)),
            (Some("1500"), Some("2"), Some(1_500)),
            (Some("0"), Some("1"), Some(1_000)),
            (Some("0"), None, Some(0)),
            (None, Some("Mon, 23 Nov 2026 01:01:30 GMT"), Some(90_000)),
            (None, Some("Mon, 23 Nov 2026 00:00:00 GMT"), Some(0)),
            (None, Some("-5"), None),
            (None, Some("soon"), None),
            (None, Some("NaN"), None),
            (None, Some("inf"), None),
            (Some("x"), Some("3"), Some(3_000)),
            (None, Some("1e300"), Some(31_536_000_000)),
        ] {
            let wait = retry_after(millis, header, date).map(|d| d.as_millis());
            assert_eq!(wait, expected, "{millis:?} {header:?}");
        }
        assert_eq!(retry_after(None, Some("Mon, 23 Nov 2026 01:01:30 GMT"), None), None, "no date to measure from");
    }
}
