//! The ways in which a header says when.

use std::time::Duration;

/// No wait is longer than this many seconds, whatever was sent.
pub(crate) const LONGEST: f64 = 365.0 * 86_400.0;

/// The time until a limit is full again. By form, since providers differ within a dialect as well: a time (RFC 3339), which is
/// measured from the answer's own date so that no clock's error counts; a number, which by its size is milliseconds or seconds since 1970, or
/// seconds from now; or a duration as Go writes it.
pub(super) fn reset(text: &str, now: Option<Duration>) -> Option<Duration> {
    let until = |at: Duration| Some(at.saturating_sub(now?));
    let wait = match number(text) {
        Some(millis) if millis >= 1e12 => until(Duration::try_from_secs_f64(millis / 1_000.0).ok()?)?,
        Some(seconds) if seconds >= 1e9 => until(Duration::try_from_secs_f64(seconds).ok()?)?,
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
        None => match rfc3339(text) {
            Some(at) => until(at)?,
            None => duration(text)?,
        },
    };
    Some(wait.min(Duration::from_secs_f64(LONGEST)))
}

/// A count or an amount: finite and not negative.
pub(crate) fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0)
}

/// The time since 1970 of an HTTP-date.
pub(super) fn http_date(text: &str) -> Option<Duration> {
    httpdate::parse_http_date(text).ok()?.duration_since(std::time::UNIX_EPOCH).ok()
}

/// A duration as Go writes it: `1h2m3.5s`, `120ms`, `15µs`; days are known too.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let unit = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let count = number(&rest[..unit])?;
        let tail = &rest[unit..];
        let next = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let scale = match &tail[..next] {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        seconds += count * scale;
        rest = &tail[next..];
    }
    let known = !text.is_empty();
    Duration::try_from_secs_f64(seconds.min(LONGEST)).ok().filter(|_| known)
}

/// The time since 1970 of one like `2026-05-04T12:34:56.5Z`, with any offset.
fn rfc3339(text: &str) -> Option<Duration> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut date = date.splitn(3, '-').map(digits);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let zone = time.find(['Z', 'z', '+', '-'])?;
    let offset = offset(&time[zone..])?;
    let (time, fraction) = time[..zone].split_once('.').unwrap_or((&time[..zone], "0"));
    let nanos = format!("0.{}", digits(fraction).map(|_| fraction)?).parse::<f64>().ok()? * 1e9;
    let mut time = time.splitn(3, ':').map(digits);
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let sane = (1970..10_000).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !sane {
        return None;
    }
    // Days from a civil date (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    let year = if month <= 2 { year - 1 } else { year };
    let (era, yoe) = (year.div_euclid(400), year.rem_euclid(400));
    let doy = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    // Nanoseconds of a fraction below 1 are below 1e9, and rounded down.
    Some(Duration::new(u64::try_from(seconds).ok()?, nanos as u32 % 1_000_000_000))
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let seconds = digits(hours).filter(|h| *h < 24)? * 3_600 + digits(minutes).filter(|m| *m < 60)? * 60;
    Some(if zone.starts_with('-') { -seconds } else { seconds })
}

/// A short number of digits alone.
fn digits(text: &str) -> Option<i64> {
    let plain = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_read_by_its_form() {
        let now = Some(Duration::from_secs(1_777_898_066)); // 2026-05-04T12:34:26Z
        for (text, expected) in [
            ("12", Some(12_000)),
            ("0", Some(0)),
            ("0.5", Some(500)),
            ("7.66s", Some(7_660)),
            ("2m59.56s", Some(179_560)),
            ("6m0s", Some(360_000)),
            ("120ms", Some(120)),
            ("1h2m3.5s", Some(3_723_500)),
            ("1d", Some(86_400_000)),
            ("1500µs", Some(1)),
            ("2026-05-04T12:34:56Z", Some(30_000)),
            ("2026-05-04T12:34:56.25Z", Some(30_250)),
            ("2026-05-04T14:34:56+02:00", Some(30_000)),
            ("2026-05-04T05:34:56-07:00", Some(30_000)),
            ("2026-05-04T12:34:20.5Z", Some(0)),
            ("1777898096", Some(30_000)),
            ("1777898096000", Some(30_000)),
            ("1777898000000", Some(0)),
            ("", None),
            ("x", None),
            ("-3", None),
            ("NaN", None),
            ("1h2", None),
            ("s", None),
            ("5 s", None),
            ("2026-13-04T12:34:56Z", None),
            ("2026-05-04T12:34:56.Z", None),
            ("2026-05-04T12:34:56", None),
            ("2026-05-04", None),
            ("1970-01-01T00:00:00+23:00", None),
            ("9999999999999999999-01-01T00:00:00Z", None),
            ("ÄT1:2:3Z", None),
            ("2026-05-04T12:34:56+é:00", None),
        ] {
            assert_eq!(reset(text, now).map(|wait| wait.as_millis()), expected, "{text}");
        }
        assert_eq!(reset("9999d", now), Some(Duration::from_secs(31_536_000)), "no wait is endless");
        assert_eq!(reset("1e300", now), None);
        for text in ["2026-05-04T12:34:56Z", "1777898096", "1777898096000"] {
            assert_eq!(reset(text, None), None, "no date to measure {text} from");
        }
    }
}
