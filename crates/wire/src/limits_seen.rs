//! The limits that a provider states in the headers of its answers.
//!
//! They tell a person what the account really has (`weir check --live`). A reset is the time until the limit is full
//! again: OpenAI writes a duration (`6m0s`), its imitators a bare number, Anthropic a time of day, which is measured from
//! the response's own `date`. Sources: the providers' pages on rate limits, and captures (2026-11).

use std::time::Duration;

use weir_units::parse_duration;

/// One limit as its provider states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitSeen {
    /// The dimension, named as in the config: `requests-per-minute`.
    pub dimension: String,
    /// The ceiling.
    pub limit: u64,
    /// What is left of it.
    pub remaining: Option<u64>,
    /// How long until it is full again.
    pub reset: Option<Duration>,
}

/// A header's name for a dimension, and Weir's.
const OPENAI: [(&str, &str); 2] = [("requests", "requests-per-minute"), ("tokens", "tokens-per-minute")];
const ANTHROPIC: [(&str, &str); 4] = [
    ("requests", "requests-per-minute"),
    ("tokens", "tokens-per-minute"),
    ("input-tokens", "input-tokens-per-minute"),
    ("output-tokens", "output-tokens-per-minute"),
];

/// Reads the limits out of a response's headers, by either dialect's names; `headers` looks one up by its lower-case name.
pub fn limits_seen<'h>(headers: impl Fn(&str) -> Option<&'h str>) -> Vec<LimitSeen> {
    let date = headers("date").and_then(|text| httpdate::parse_http_date(text).ok());
    let now = date.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let seen = |dimension: &str, name: &dyn Fn(&str) -> String| {
        let count = |part| headers(&name(part)).and_then(|text| text.trim().parse::<u64>().ok());
        Some(LimitSeen {
            dimension: dimension.to_owned(),
            limit: count("limit")?,
            remaining: count("remaining"),
            reset: headers(&name("reset")).and_then(|text| reset(text.trim(), now)),
        })
    };
    let openai =
        OPENAI.iter().filter_map(|(what, dimension)| seen(dimension, &|part| format!("x-ratelimit-{part}-{what}")));
    let anthropic = ANTHROPIC
        .iter()
        .filter_map(|(what, dimension)| seen(dimension, &|part| format!("anthropic-ratelimit-{what}-{part}")));
    openai.chain(anthropic).collect()
}

fn reset(text: &str, now: Option<Duration>) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    if let Some(at) = rfc3339(text) {
        return Some(Duration::from_secs(at).saturating_sub(now?));
    }
    parse_duration(text).ok()
}

/// Whole seconds since 1970 of a time like `2026-05-04T12:34:56Z`; a fraction is dropped, another offset is not read.
fn rfc3339(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut time = time.split('.').next()?.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let sane = (1970..10_000).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    // Days from a civil date (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    let year = if month <= 2 { year - 1 } else { year };
    let (era, yoe) = (year.div_euclid(400), year.rem_euclid(400));
    let doy = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
    u64::try_from(seconds).ok().filter(|_| sane)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&str, &'static str)]) -> Vec<(String, u64, Option<u64>, Option<u128>)> {
        limits_seen(|name| headers.iter().find(|(n, _)| *n == name).map(|(_, value)| *value))
            .into_iter()
            .map(|l| (l.dimension, l.limit, l.remaining, l.reset.map(|d| d.as_millis())))
            .collect()
    }

    #[test]
    fn openai_states_requests_and_tokens() {
        let seen = read(&[
            ("x-ratelimit-limit-requests", "500"),
            ("x-ratelimit-remaining-requests", "499"),
            ("x-ratelimit-reset-requests", "120ms"),
            ("x-ratelimit-limit-tokens", "30000"),
            ("x-ratelimit-remaining-tokens", "29000"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ]);
        assert_eq!(
            seen,
            [
                ("requests-per-minute".to_owned(), 500, Some(499), Some(120)),
                ("tokens-per-minute".to_owned(), 30_000, Some(29_000), Some(360_000)),
            ]
        );
    }

    #[test]
    fn anthropic_states_times_that_are_measured_from_the_date() {
        let seen = read(&[
            ("date", "Mon, 04 May 2026 12:34:26 GMT"),
            ("anthropic-ratelimit-input-tokens-limit", "2000000"),
            ("anthropic-ratelimit-input-tokens-remaining", "1999000"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-05-04T12:34:56Z"),
            ("anthropic-ratelimit-requests-limit", "1000"),
            ("anthropic-ratelimit-requests-reset", "2026-05-04T12:34:20.5Z"),
        ]);
        assert_eq!(
            seen,
            [
                ("requests-per-minute".to_owned(), 1_000, None, Some(0)),
                ("input-tokens-per-minute".to_owned(), 2_000_000, Some(1_999_000), Some(30_000)),
            ]
        );
    }

    #[test]
    fn odd_values_are_left_out() {
        assert_eq!(read(&[("x-ratelimit-limit-requests", "many")]), []);
        let seen = read(&[("x-ratelimit-limit-tokens", "7"), ("x-ratelimit-reset-tokens", "12")]);
        assert_eq!(seen, [("tokens-per-minute".to_owned(), 7, None, Some(12_000))]);
        for text in ["2026-13-04T12:34:56Z", "2026-05-04", "x", "-3", "9999999999999999999-01-01T00:00:00Z", "ÄT1:2:3Z"]
        {
            assert_eq!(reset(text, Some(Duration::ZERO)), None, "{text}");
        }
    }
}
