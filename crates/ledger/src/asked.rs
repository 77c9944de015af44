//! Filters as people and programs write them: a name and a text each, alike in the admin API and on the command line.

use std::time::Duration;

use weir_units::{WallTime, parse_duration};

use crate::entry::Outcome;
use crate::filter::{ANY_WASTE, Filter, StatusFilter};
use crate::series::WASTE;

/// What a reason of waste is written as.
const WASTES: &str = "any, failed_attempt, abandoned, client_retry, duplicate, truncated, cache_miss, loop, stale_context, \
                      oversized_model, oversized_max_tokens or other";

impl Filter {
    /// The names that [`Filter::set`] knows.
    pub const NAMES: [&str; 19] = [
        "since",
        "until",
        "key",
        "tenant",
        "route",
        "deployment",
        "provider",
        "model",
        "status",
        "errors",
        "refused-by",
        "outcome",
        "run",
        "tag",
        "cost",
        "trace",
        "upstream",
        "content",
        "waste",
    ];

    /// Restricts it by what `name` says; false if that is no filter's name.
    ///
    /// # Errors
    /// What `name` takes, as the end of a sentence, if `text` is not that.
    pub fn set(&mut self, name: &str, text: &str, now: WallTime) -> Result<bool, &'static str> {
        let own = || Some(text.to_owned());
        match name {
            "since" => self.since = Some(time(text, now)?),
            "until" => self.until = Some(time(text, now)?),
            "key" => self.key = own(),
            "tenant" => self.tenant = own(),
            "route" => self.route = own(),
            "deployment" => self.deployment = own(),
            "provider" => self.provider = own(),
            "model" => self.model = own(),
            "status" => self.status = Some(StatusFilter::parse(text).ok_or("a status such as 503, or 4xx or 5xx")?),
            "errors" => {
                self.errors = match text {
                    "" | "true" | "1" => true,
                    "false" | "0" => false,
                    _ => return Err("true or false"),
                }
            }
            "refused-by" => self.refused_by = own(),
            "outcome" => {
                let wrong = "answered, refused, failed, cancelled, lost or open";
                self.outcome = Some(Outcome::from_name(text).ok_or(wrong)?);
            }
            "run" => self.run = own(),
            "tag" => {
                let (name, value) = text.split_once('=').ok_or("a tag's name and value, as in team=search")?;
                self.tag = Some((name.to_owned(), value.to_owned()));
            }
            "cost" => self.min_cost = Some(text.parse().map_err(|_| "dollars such as 0.25: the least it has cost")?),
            "trace" => {
                let wrong = "a trace's id, 32 hexadecimal digits";
                self.trace = Some(hex(text, 32).ok_or(wrong)?);
            }
            "upstream" => self.upstream = own(),
            "content" => {
                let hash = hex(text, 16).and_then(|hash| u64::try_from(hash).ok());
                self.content = Some(hash.ok_or("the `content` of a record, 16 hexadecimal digits")?);
            }
            "waste" => {
                let known = text == ANY_WASTE || WASTE.contains(&text);
                self.waste = Some(own().filter(|_| known).ok_or(WASTES)?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Reads a time: a duration before `now` (`7d`), seconds or milliseconds since 1970, or RFC 3339 in UTC (`2026-11-18`, `2026-11-18T14:47:03Z`).
///
/// # Errors
/// What a time is written as, as the end of a sentence.
pub fn time(text: &str, now: WallTime) -> Result<WallTime, &'static str> {
    let ago = |span: Duration| WallTime(now.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)));
    let wrong = "a time: a duration before now (7d), seconds or milliseconds since 1970, or 2026-11-18T14:47:03Z";
    if let Ok(count) = text.parse::<i64>() {
        // What is too little for seconds of our days is milliseconds, as it always was.
        return Ok(WallTime::from_epoch(count).unwrap_or(WallTime(count.saturating_mul(1_000))));
    }
    parse_duration(text).ok().map(ago).or_else(|| date(text)).ok_or(wrong)
}

fn date(text: &str) -> Option<WallTime> {
    let (day, clock) = text.split_once('T').unwrap_or((text, "00:00:00Z"));
    let mut numbers = day.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, of_month) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let day = WallTime::day_of(year, month, of_month);
    let real = (1970..10_000).contains(&year) && WallTime::date_of(day) == (year, month, of_month);
    let (whole, parts) = clock.strip_suffix('Z')?.split_once('.').unwrap_or((clock.strip_suffix('Z')?, "0"));
    let mut numbers = whole.split(':').map(|part| part.parse::<i64>().ok().filter(|n| (0..60).contains(n)));
    let (hour, minute, second) = (numbers.next()??, numbers.next()??, numbers.next().unwrap_or(Some(0))?);
    let digits = !parts.is_empty() && parts.len() <= 6 && parts.bytes().all(|b| b.is_ascii_digit());
    let micros: i64 = format!("{parts:0<6}").parse().ok().filter(|_| digits)?;
    let seconds = day * 86_400 + hour * 3_600 + minute * 60 + second;
    (real && hour < 24).then_some(WallTime(seconds * 1_000_000 + micros))
}

fn hex(text: &str, digits: usize) -> Option<u128> {
    let right = text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
    u128::from_str_radix(text, 16).ok().filter(|_| right)
}

#[cfg(test)]
mod tests {
    use weir_units::NanoUsd;

    use super::*;

    const NOW: WallTime = WallTime(1_795_013_223_114_000);

    #[test]
    fn a_time_is_a_duration_before_now_or_a_count_since_1970_or_a_date() {
        for (text, expected) in [
            ("1h", NOW.0 - 3_600_000_000),
            ("1795013223114", NOW.0),
            ("1795013223", NOW.0 - 114_000),
            ("0", 0),
            ("5", 5_000),
            ("2026-11-18T14:47:03.114Z", NOW.0),
            ("2026-11-18T14:47:03Z", NOW.0 - 114_000),
            ("2026-11-18T14:47Z", NOW.0 - 3_114_000),
            ("1970-01-02", 86_400_000_000),
        ] {
            assert_eq!(time(text, NOW), Ok(WallTime(expected)), "{text}");
        }
        for wrong in
            ["", "yesterday", "2026-02-30", "2026-11-18T25:00:00Z", "2026-11-18T14:47:03", "2026-11-18T14:47:03.Z"]
        {
            assert!(time(wrong, NOW).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_name_is_known_and_what_it_takes_is_said() {
        let mut filter = Filter::default();
        for (name, text) in [
            ("since", "7d"),
            ("until", "1h"),
            ("key", "k"),
            ("tenant", "t"),
            ("route", "r"),
            ("deployment", "p/m"),
            ("provider", "p"),
            ("model", "m"),
            ("status", "5xx"),
            ("errors", "true"),
            ("refused-by", "weir"),
            ("outcome", "failed"),
            ("run", "run"),
            ("tag", "team=a=b"),
            ("cost", "0.5"),
            ("trace", "4bf92f3577b34da6a3ce929d0e0e4736"),
            ("upstream", "req-1"),
            ("content", "00000000000000ab"),
            ("waste", "stale_context"),
        ] {
            assert!(Filter::NAMES.contains(&name));
            assert_eq!(filter.set(name, text, NOW), Ok(true), "{name}");
        }
        assert_eq!((filter.content, filter.min_cost), (Some(0xAB), Some(NanoUsd(500_000_000))));
        assert_eq!(filter.tag, Some(("team".to_owned(), "a=b".to_owned())));
        assert_eq!(filter.status, Some(StatusFilter::Class(5)));
        assert_eq!(Filter::default().set("colour", "red", NOW), Ok(false));
        for (name, text) in [
            ("status", "9xx"),
            ("status", "4"),
            ("errors", "maybe"),
            ("waste", "time"),
            ("outcome", "good"),
            ("tag", "team"),
            ("cost", "-1"),
            ("trace", "12"),
            ("content", "+0000000000000ab"),
        ] {
            assert!(Filter::default().set(name, text, NOW).is_err(), "{name}={text}");
        }
    }
}
