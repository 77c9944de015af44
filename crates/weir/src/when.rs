//! Times as people write them on the command line, in the zone of the configuration.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use weir_engine::Zone;
use weir_units::{WallTime, parse_duration};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 1_440 * MINUTE;

/// The calendar's time.
pub(crate) fn now() -> WallTime {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}

/// A stretch of time that somebody means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Around {
    pub(crate) since: WallTime,
    pub(crate) until: WallTime,
}

impl Around {
    /// The same, with as much before and after it.
    pub(crate) fn wider(self, by: i64) -> Self {
        Self { since: WallTime(self.since.0.saturating_sub(by)), until: WallTime(self.until.0.saturating_add(by)) }
    }
}

/// Reads a minute, or a second, on the clocks of a zone: `2026-11-18 14:47`, `14:47:03` of today; with `Z`, `UTC` or an offset like
/// `+01:00` behind it, on those; or a second as a count of seconds or milliseconds since 1970.
///
/// A minute that clocks show twice is both of them.
pub(crate) fn around(text: &str, zone: &Zone, now: WallTime) -> Result<Around, String> {
    let wrong = || {
        let text = weir_wire::shown(text);
        format!("`{text}` is no time: write \"2026-11-18 14:47\", 14:47, 14:47:03 or seconds since 1970")
    };
    let trimmed = text.trim();
    if let Ok(count) = trimmed.parse::<i64>() {
        let at = WallTime::from_epoch(count).ok_or_else(wrong)?;
        return Ok(Around { since: at, until: WallTime(at.0 + SECOND) });
    }
    let utc = trimmed.strip_suffix('Z').or_else(|| trimmed.strip_suffix("UTC"));
    let (plain, zone) = match (utc, offset_behind(trimmed)) {
        (Some(plain), _) => (plain.trim_end(), &Zone::UTC),
        (None, Some((plain, seconds))) => (plain, &Zone::new(seconds, [])),
        (None, None) => (trimmed, zone),
    };
    let local_now = now.0.saturating_add(zone.seconds_ahead(now) * SECOND);
    let (day, clock) = match plain.split_once([' ', 'T']) {
        Some((day, clock)) => (date(day).ok_or_else(wrong)?, clock.trim_start()),
        None => (local_now.div_euclid(DAY), plain),
    };
    let (of_day, length) = time_of_day(clock).ok_or_else(wrong)?;
    let local = day * DAY + of_day;
    // What the clocks are ahead of UTC a day before and a day after: one of the two, or both, is right.
    let offsets = [-DAY, DAY].map(|by| zone.seconds_ahead(WallTime(local + by)) * SECOND);
    let right = offsets.map(|offset| {
        let at = WallTime(local - offset);
        (zone.seconds_ahead(at) * SECOND == offset).then_some(at)
    });
    match (right[0], right[1]) {
        (None, None) => Err(format!("`{}` did not exist: clocks were put forward over it", weir_wire::shown(text))),
        (first, second) => {
            let all = || first.into_iter().chain(second).map(|at| at.0);
            let (since, last) = (all().min().unwrap_or(local), all().max().unwrap_or(local));
            Ok(Around { since: WallTime(since), until: WallTime(last + length) })
        }
    }
}

/// Reads a moment: as records write it, `2026-11-18T14:47:03Z`; a count of seconds or milliseconds since 1970; a span before now; or a minute
/// or a day on the clocks of a zone, which is its beginning.
pub(crate) fn moment(text: &str, zone: &Zone, now: WallTime) -> Result<WallTime, String> {
    let trimmed = text.trim();
    if let Ok(at) = trimmed.parse::<WallTime>() {
        return Ok(at);
    }
    if let Ok(span) = parse_duration(trimmed) {
        return Ok(before(now, span));
    }
    let whole = if date(trimmed).is_some() { format!("{trimmed} 00:00") } else { trimmed.to_owned() };
    around(&whole, zone, now).map(|around| around.since)
}

/// Reads how far back from `until` is looked: a span, or the moment at which that begins.
pub(crate) fn since(text: &str, zone: &Zone, until: WallTime) -> Result<WallTime, String> {
    if parse_duration(text).is_ok() {
        return span(text).map(|span| before(until, span));
    }
    let said = weir_wire::shown(text);
    let wrong = |_| format!("`{said}` is neither a span nor a time: write 7d, 2026-11-18 or \"2026-11-18 14:47\"");
    let begins = moment(text, zone, until).map_err(wrong)?;
    if begins < until { Ok(begins) } else { Err(format!("`{said}` is not before {until}, where it would end")) }
}

/// Reads a span of time that is not nothing.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(span) if span.is_zero() => Err("a span of nothing holds nothing: write 7d".to_owned()),
        Ok(span) => Ok(span),
        Err(error) => Err(weir_wire::shown(&error.to_string())),
    }
}

fn before(at: WallTime, span: Duration) -> WallTime {
    WallTime(at.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
}

fn date(text: &str) -> Option<i64> {
    let mut parts = text.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let days = WallTime::day_of(year, month, day);
    let real = (1970..10_000).contains(&year) && WallTime::date_of(days) == (year, month, day);
    (real && parts.next().is_none()).then_some(days)
}

/// What is before an offset like `+01:00` at the end of a day and time, and its seconds.
fn offset_behind(text: &str) -> Option<(&str, i32)> {
    let (plain, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let sign = match offset.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (ahead, _) = offset.get(1..).and_then(time_of_day)?;
    let seconds = i32::try_from(ahead / SECOND).ok()?;
    plain.contains(':').then_some((plain.trim_end(), sign * seconds))
}

/// Microseconds since midnight, and the length of what is meant.
fn time_of_day(text: &str) -> Option<(i64, i64)> {
    let parts: Vec<i64> = text.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let (hour, minute, second, length) = match parts[..] {
        [hour, minute] => (hour, minute, 0, MINUTE),
        [hour, minute, second] => (hour, minute, second, SECOND),
        _ => return None,
    };
    let fits = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
    fits.then_some(((hour * 60 + minute) * MINUTE + second * SECOND, length))
}

/// A time as the clocks of a zone show it: `Wed 18 Nov 2026 14:47:03.114 UTC`.
pub(crate) fn shown(at: WallTime, zone: &Zone) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let day = at.0.saturating_add(zone.seconds_ahead(at) * SECOND).div_euclid(DAY);
    let (year, month, of_month) = WallTime::date_of(day);
    let place = |index: i64| usize::try_from(index).unwrap_or(0);
    let (week, month) = (DAYS[place(day.rem_euclid(7))], MONTHS[place((month - 1).rem_euclid(12))]);
    format!("{week} {of_month} {month} {year} {} {}", clock(at, zone), offset(at, zone))
}

/// The time of day in a zone: `14:47:03.114`.
pub(crate) fn clock(at: WallTime, zone: &Zone) -> String {
    let millis = at.0.saturating_add(zone.seconds_ahead(at) * SECOND).rem_euclid(DAY) / 1_000;
    let (hour, minute, second) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1_000 % 60);
    format!("{hour:02}:{minute:02}:{second:02}.{:03}", millis % 1_000)
}

/// What a zone's clocks are ahead of UTC: `UTC`, `+05:30`.
pub(crate) fn offset(at: WallTime, zone: &Zone) -> String {
    let seconds = zone.seconds_ahead(at);
    if seconds == 0 {
        return "UTC".to_owned();
    }
    let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-18T14:47:03.114Z
    const NOW: WallTime = WallTime(1_795_013_223_114_000);

    /// Berlin's clocks in autumn 2026 and spring 2027.
    fn berlin() -> Zone {
        Zone::new(7_200, [(WallTime(1_792_890_000_000_000), 3_600), (WallTime(1_806_195_600_000_000), 7_200)])
    }

    fn span(text: &str, zone: &Zone) -> (i64, i64) {
        let around = around(text, zone, NOW).unwrap();
        (around.since.0 / SECOND, around.until.0 / SECOND)
    }

    #[test]
    fn a_minute_is_read_on_the_clocks_of_its_zone() {
        let minute = 1_795_013_220;
        for (text, zone) in [
            ("2026-11-18 14:47", Zone::UTC),
            ("14:47", Zone::UTC),
            ("2026-11-18T14:47Z", berlin()),
            ("2026-11-18 14:47 UTC", berlin()),
            ("2026-11-18 15:47", berlin()),
            ("15:47", berlin()),
            ("2026-11-18T15:47+01:00", Zone::UTC),
            ("2026-11-18 10:17 -04:30", berlin()),
        ] {
            assert_eq!(span(text, &zone), (minute, minute + 60), "{text}");
        }
        for second in ["14:47:03", "1795013223", "1795013223114", "2026-11-18T14:47:03+00:00"] {
            assert_eq!(span(second, &Zone::UTC), (minute + 3, minute + 4), "{second}");
        }
        for wrong in [
            "",
            "soon",
            "14",
            "2026",
            "-1795013223",
            "25:00",
            "14:60",
            "2026-02-30 14:47",
            "2026-11-18",
            "14:47:03:01",
            "\u{1b}[2J",
        ] {
            let why = around(wrong, &Zone::UTC, NOW).unwrap_err();
            assert!(why.contains("is no time") && !why.contains('\u{1b}'), "{why}");
        }
    }

    #[test]
    fn a_moment_is_a_time_a_day_a_count_since_1970_or_a_span_before_now() {
        for (text, expected) in [
            ("2026-11-18T14:47:03.114Z", NOW.0),
            ("1795013223", NOW.0 - 114_000),
            ("1795013223114", NOW.0),
            ("1795013223114000", NOW.0),
            ("2h", NOW.0 - 7_200 * SECOND),
            ("2026-11-18 15:47", NOW.0 - 3_114_000),
            ("2026-11-18", 1_794_956_400 * SECOND),
        ] {
            assert_eq!(moment(text, &berlin(), NOW), Ok(WallTime(expected)), "{text}");
        }
        assert!(moment("2026", &Zone::UTC, NOW).unwrap_err().contains("is no time"));
    }

    #[test]
    fn how_far_back_is_a_span_or_a_time_before_the_end() {
        let read = |text: &str| since(text, &Zone::UTC, NOW);
        assert_eq!(read("7d"), Ok(WallTime(NOW.0 - 7 * DAY)));
        assert_eq!(read("2026-11-18"), Ok(WallTime(1_794_960_000 * SECOND)));
        assert_eq!(read("1794960000"), read("2026-11-18"));
        for (wrong, why) in [
            ("0d", "a span of nothing"),
            ("0ms", "a span of nothing"),
            ("2026-11-19", "is not before 2026-11-18T14:47:03.114Z"),
            ("soon", "`soon` is neither a span nor a time"),
            ("", "`` is neither"),
        ] {
            assert!(read(wrong).unwrap_err().contains(why), "{wrong}");
        }
    }

    #[test]
    fn an_hour_that_clocks_show_twice_is_both_and_one_that_they_skip_is_none() {
        // 2026-10-25: 03:00 summer time became 02:00; the change itself is at 01:00 UTC.
        let zone =
            Zone::new(7_200, [(WallTime(1_792_890_000_000_000), 3_600), (WallTime(1_806_195_600_000_000), 7_200)]);
        assert_eq!(span("2026-10-25 02:30", &zone), (1_792_888_200, 1_792_891_860));
        assert_eq!(span("2026-10-25 01:30", &zone), (1_792_884_600, 1_792_884_660));
        let skipped = around("2027-03-28 02:30", &zone, NOW).unwrap_err();
        assert!(skipped.contains("put forward"), "{skipped}");
    }

    #[test]
    fn a_time_is_shown_with_its_day_and_zone() {
        assert_eq!(shown(NOW, &Zone::UTC), "Wed 18 Nov 2026 14:47:03.114 UTC");
        assert_eq!(shown(NOW, &berlin()), "Wed 18 Nov 2026 15:47:03.114 +01:00");
        assert_eq!(
            shown(WallTime(NOW.0 + 11 * 3_600 * SECOND), &Zone::new(-12_600, [])),
            "Wed 18 Nov 2026 22:17:03.114 -03:30"
        );
    }
}
