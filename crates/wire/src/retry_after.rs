//! How long a response asks to wait.
//!
//! Milliseconds win over seconds, being the finer word for the same wait, unless they say 0 beside a real number: that was
//! seen where the window renews in a minute. An HTTP-date is measured from the response's own `date`, so that neither
//! clock's error counts. Where no header says, the words of an error may.

use std::time::Duration;

use crate::limits_seen::{LONGEST, duration, number};

/// Words after which a wait is written, lower-case: OpenAI's and Groq's, Gemini's, Azure's.
const WORDS: [&str; 3] = ["try again in ", "retry in ", "retry after "];

/// The wait that `retry-after-ms`, `retry-after` and `date` of a response state: integers, decimals or an HTTP-date.
#[must_use]
pub fn retry_after(millis: Option<&str>, header: Option<&str>, date: Option<&str>) -> Option<Duration> {
    let fine = millis.and_then(number).map(|ms| ms / 1_000.0);
    let coarse = header.and_then(|text| number(text).or_else(|| until(text, date?)));
    let seconds = fine.filter(|s| *s > 0.0).or(coarse).or(fine)?;
    Duration::try_from_secs_f64(seconds.min(LONGEST)).ok()
}

/// The wait that a lower-case message asks for in words: "please try again in 1m2.5s", "please retry after 12 seconds".
pub(crate) fn wait_in_words(message: &str) -> Option<Duration> {
    WORDS.iter().find_map(|words| {
        let rest = message.split_once(words)?.1;
        let end = rest.find(|c: char| c.is_whitespace() || c == ',').unwrap_or(rest.len());
        let amount = rest[..end].trim_end_matches('.');
        let Some(count) = number(amount) else { return duration(amount) };
        let unit = rest[end..].trim_start();
        let scale = [
            ("milli", 0.001),
            ("ms", 0.001),
            ("sec", 1.0),
            ("s ", 1.0),
            ("min", 60.0),
            ("hour", 3_600.0),
            ("day", 86_400.0),
        ];
        let scale = scale.into_iter().find(|(word, _)| unit.starts_with(word))?.1;
        Duration::try_from_secs_f64((count * scale).min(LONGEST)).ok()
    })
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

    #[test]
    fn a_wait_is_read_out_of_words() {
        for (message, expected) in [
            ("rate limit reached … limit 30000, used 29000, requested 2000. please try again in 2s.", Some(2_000)),
            ("please try again in 6m0s. visit https://platform.openai.com", Some(360_000)),
            ("please try again in 1h2m3.5s", Some(3_723_500)),
            ("please try again in 120ms. need more?", Some(120)),
            ("please retry in 36.429760048s.", Some(36_429)),
            ("please retry after 12 seconds.", Some(12_000)),
            ("please retry after 1 minute", Some(60_000)),
            ("please try again in 20s, or less", Some(20_000)),
            ("please try again in a while", None),
            ("please try again in 5", None),
            ("please try again in 5 parts", None),
            ("please try again in ", None),
            ("please try again in é", None),
            ("try later", None),
        ] {
            assert_eq!(wait_in_words(message).map(|d| d.as_millis()), expected, "{message}");
        }
    }
}
