//! Times, amounts and counts as logs have them: in any of the ways in which tools write these.

use weir_units::{NanoUsd, WallTime};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 1_440 * MINUTE;

/// 2000-01-01 and 2100-01-01: a time outside is a fault of whoever wrote it down.
const EARLIEST: i64 = 946_684_800 * SECOND;
const LATEST: i64 = 4_102_444_800 * SECOND;

/// A time that is in no wrong century.
fn plausible(micros: i64) -> Option<WallTime> {
    (EARLIEST..LATEST).contains(&micros).then_some(WallTime(micros))
}

/// Reads a time: RFC 3339 and its like (`2026-11-18 14:47:03.114+01:00`; without a zone it is UTC), that of access logs
/// (`18/Nov/2026:14:47:03 +0000`), that of HTTP (`Wed, 18 Nov 2026 14:47:03 GMT`), those of spreadsheets (`11/18/2026 2:47:03 PM`,
/// `18.11.2026 14:47:03`), or a number of seconds, milliseconds,
/// microseconds or nanoseconds since 1970.
#[must_use]
pub fn time(text: &str) -> Option<WallTime> {
    let text = text.trim().trim_start_matches('[').trim_end_matches(']');
    let bytes = text.as_bytes();
    match bytes {
        [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'-' | b'/', ..] => iso(text).map(|(at, _)| at),
        [b'0'..=b'9', b'0'..=b'9', b'/', b'A'..=b'Z', ..] => of_access_log(text),
        [b'0'..=b'9', b'/' | b'.', ..] | [b'0'..=b'9', b'0'..=b'9', b'/' | b'.', ..]
            if text.contains([' ', ',', 'T']) || bytes.contains(&b'/') =>
        {
            of_spreadsheet(text)
        }
        [b'A'..=b'Z', ..] => of_http(text),
        [b'0'..=b'9', ..] => epoch(text),
        _ => None,
    }
}

/// Reads the time that a text begins with, and says where it ends.
pub(crate) fn leading_time(text: &str) -> Option<(WallTime, usize)> {
    iso(text)
}

/// The first time with a date in the begin of a text, after whatever a logger or a container puts before it.
pub(crate) fn time_within(text: &str) -> Option<WallTime> {
    let window = &text[..text.floor_char_boundary(120)];
    window.match_indices("20").find_map(|(at, _)| iso(&text[at..])).map(|(at, _)| at)
}

fn digits(bytes: &[u8]) -> Option<i64> {
    let all = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    all.then(|| bytes.iter().fold(0_i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0'))))
}

fn of_day(year: i64, month: i64, day: i64) -> Option<i64> {
    let days = WallTime::day_of(year, month, day);
    ((1..=12).contains(&month) && WallTime::date_of(days) == (year, month, day)).then(|| days * DAY)
}

fn of_clock(hour: i64, minute: i64, second: i64) -> Option<i64> {
    let fits = hour < 24 && minute < 60 && second <= 60;
    fits.then(|| hour * 60 * MINUTE + minute * MINUTE + second * SECOND)
}

/// Micros of the digits after a point or a comma, and how many digits there are.
fn fraction(bytes: &[u8]) -> (i64, usize) {
    let count = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut micros = 0;
    for place in 0..6 {
        micros = micros * 10 + bytes.get(place).filter(|_| place < count).map_or(0, |digit| i64::from(digit - b'0'));
    }
    (micros, count)
}

fn iso(text: &str) -> Option<(WallTime, usize)> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| digits(bytes.get(from..to)?);
    let mark = |at: usize, marks: &[u8]| bytes.get(at).is_some_and(|byte| marks.contains(byte));
    if !(mark(4, b"-/") && mark(7, b"-/")) {
        return None;
    }
    let day = of_day(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
    if !mark(10, b"T tU_") {
        // A day alone is its beginning.
        return if bytes.len() == 10 { Some((plausible(day)?, 10)) } else { None };
    }
    if !mark(13, b":") {
        return None;
    }
    // Minutes may do without seconds.
    let seconds = mark(16, b":");
    let second = if seconds { number(17, 19)? } else { 0 };
    let mut micros = day + of_clock(number(11, 13)?, number(14, 16)?, second)?;
    let mut at = if seconds { 19 } else { 16 };
    if mark(at, b".,") {
        let (part, count) = fraction(&bytes[at + 1..]);
        micros += part;
        at += 1 + count;
    }
    let rest = &bytes[at..];
    let (ahead, length) = zone(rest).or_else(|| {
        let (ahead, length) = zone(rest.strip_prefix(b" ")?)?;
        Some((ahead, length + 1))
    })?;
    Some((plausible(micros - ahead)?, at + length))
}

/// What a zone is ahead of UTC in micros, and how long its text is; nothing is UTC.
fn zone(rest: &[u8]) -> Option<(i64, usize)> {
    match rest {
        [b'Z' | b'z', ..] => Some((0, 1)),
        [b'U', b'T', b'C', ..] => Some((0, 3)),
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let hours = digits(rest.get(0..2)?)?;
            let (minutes, length) = match rest.get(2) {
                Some(b':') => (digits(rest.get(3..5)?)?, 6),
                _ => match rest.get(2..4).and_then(digits) {
                    Some(minutes) => (minutes, 5),
                    None => (0, 3),
                },
            };
            let ahead = (hours * 60 + minutes) * MINUTE;
            Some((if *sign == b'-' { -ahead } else { ahead }, length))
        }
        _ => Some((0, 0)),
    }
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn month(name: &str) -> Option<i64> {
    let at = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))?;
    i64::try_from(at + 1).ok()
}

/// `18/Nov/2026:14:47:03 +0000`
fn of_access_log(text: &str) -> Option<WallTime> {
    let number = |from: usize, to: usize| digits(text.as_bytes().get(from..to)?);
    let day = of_day(number(7, 11)?, month(text.get(3..6)?)?, number(0, 2)?)?;
    let clock = of_clock(number(12, 14)?, number(15, 17)?, number(18, 20)?)?;
    let (ahead, _) = zone(text.get(20..)?.trim_start().as_bytes())?;
    plausible(day + clock - ahead)
}

/// `Wed, 18 Nov 2026 14:47:03 GMT`
fn of_http(text: &str) -> Option<WallTime> {
    let mut words = text.split([' ', ',']).filter(|word| !word.is_empty()).skip(1);
    let of_month = digits(words.next()?.as_bytes())?;
    let month = month(words.next()?)?;
    let day = of_day(digits(words.next()?.as_bytes())?, month, of_month)?;
    let mut clock = words.next()?.split(':').map(|part| digits(part.as_bytes()));
    plausible(day + of_clock(clock.next()??, clock.next()??, clock.next()??)?)
}

/// `11/18/2026 2:47:03 PM` and `18.11.2026 14:47:03`: with slashes the month comes first, unless it is no month.
fn of_spreadsheet(text: &str) -> Option<WallTime> {
    let (day, clock) = text.split_once([' ', 'T']).unwrap_or((text, "0:00"));
    let mark = if day.contains('/') { '/' } else { '.' };
    let mut parts = day.trim_end_matches(',').split(mark).map(|part| digits(part.as_bytes()));
    let (first, second, year) = (parts.next()??, parts.next()??, parts.next()??);
    let (month, of_month) = if mark == '/' && first <= 12 { (first, second) } else { (second, first) };
    let day = of_day(year, month, of_month)?;
    let mut words = clock.split_whitespace();
    let mut parts = words.next()?.split(':');
    let mut hour = digits(parts.next()?.as_bytes())?;
    let minute = digits(parts.next()?.as_bytes())?;
    let second = parts.next().unwrap_or("0");
    let (second, part) = second.split_once(['.', ',']).unwrap_or((second, ""));
    let afternoon = words.next();
    if let Some(half @ ("AM" | "PM" | "am" | "pm")) = afternoon {
        hour = hour % 12 + if half.eq_ignore_ascii_case("pm") { 12 } else { 0 };
    }
    let (micros, _) = fraction(part.as_bytes());
    plausible(day + of_clock(hour, minute, digits(second.as_bytes())?)? + micros)
}

/// A number since 1970, whose size tells its unit.
fn epoch(text: &str) -> Option<WallTime> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let (mantissa, power) = match part.split_once(['e', 'E']) {
        Some((_, power)) => (text.parse::<f64>().ok()?, power),
        None => (0.0, ""),
    };
    if !power.is_empty() {
        #[expect(clippy::cast_possible_truncation, reason = "checked to be in this century afterwards")]
        return epoch(&(mantissa as i64).to_string());
    }
    let number = digits(whole.as_bytes())?;
    let (micros, _) = fraction(part.as_bytes());
    match number {
        0..100_000_000_000 => plausible(number * SECOND + micros),
        100_000_000_000..100_000_000_000_000 => plausible(number * 1_000 + micros / 1_000),
        100_000_000_000_000..100_000_000_000_000_000 => plausible(number),
        _ => plausible(number / 1_000),
    }
}

/// Reads an amount of dollars: a decimal, also with an exponent or a dollar sign. It is rounded to the nearest nano-dollar, since
/// other tools compute with floats. What is below zero is none.
#[must_use]
pub fn dollars(text: &str) -> Option<NanoUsd> {
    let text = text.trim().trim_start_matches('$');
    let (mantissa, power) = match text.split_once(['e', 'E']) {
        Some((mantissa, power)) => (mantissa, power.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && part.is_empty() {
        return None;
    }
    // As many digits as matter: a nano-dollar is the ninth after the point.
    let point = i32::try_from(whole.len()).ok()?.checked_add(power)?;
    let (mut nanos, mut place) = (0_i64, 0_i32);
    for digit in whole.bytes().chain(part.bytes()) {
        if !digit.is_ascii_digit() {
            return None;
        }
        let after = place - point;
        if after < 9 {
            nanos = nanos.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
        } else if after == 9 && digit >= b'5' {
            nanos = nanos.checked_add(1)?;
        }
        place += 1;
    }
    for _ in place..point.checked_add(9)? {
        if nanos == 0 {
            break;
        }
        nanos = nanos.checked_mul(10)?;
    }
    Some(NanoUsd(nanos))
}

/// Reads a count: a whole number, also one written `1200.0`.
#[must_use]
pub fn count(text: &str) -> Option<u64> {
    let text = text.trim();
    if let Ok(whole) = text.parse() {
        return Some(whole);
    }
    // `1,200`: thousands are parted for people.
    let mut groups = text.split(',');
    let first = groups.next().is_some_and(|group| (1..=3).contains(&group.len()));
    if first && text.contains(',') && groups.all(|group| group.len() == 3) {
        return text.replace(',', "").parse().ok();
    }
    let float: f64 = text.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
    (float.is_finite() && (0.0..1e15).contains(&float)).then_some(float as u64)
}

/// Reads a span as micros: a number of `unit` micros each, or a time of the clock as databases write spans (`00:00:01.5`).
#[must_use]
pub fn span(text: &str, unit: f64) -> Option<i64> {
    let text = text.trim();
    if let Some((hours, rest)) = text.split_once(':') {
        let (minutes, seconds) = rest.split_once(':')?;
        let seconds: f64 = seconds.parse().ok()?;
        let whole = digits(hours.as_bytes())?.checked_mul(60)?.checked_add(digits(minutes.as_bytes())?)?;
        #[expect(clippy::cast_possible_truncation, reason = "a minute's micros")]
        return Some(whole.checked_mul(MINUTE)? + (seconds.clamp(0.0, 60.0) * 1e6) as i64);
    }
    let number: f64 = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).parse().ok()?;
    let micros = number * unit;
    // No call takes a week.
    #[expect(clippy::cast_possible_truncation, reason = "checked to be in range")]
    (micros.is_finite() && (0.0..=6e11).contains(&micros)).then_some(micros.round() as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn a_time_is_read_in_each_of_its_forms() {
        let at = Some(WallTime(1_795_013_223_114_000));
        for text in [
            "2026-11-18T14:47:03.114Z",
            "2026-11-18T14:47:03.114000+00:00",
            "2026-11-18 14:47:03.114",
            "2026-11-18 14:47:03,114",
            "2026-11-18 14:47:03.114 UTC",
            "2026-11-18T15:47:03.114+01:00",
            "2026-11-18T10:17:03.114-0430",
            "2026/11/18 14:47:03.114",
            "[2026-11-18T14:47:03.114Z]",
            "1795013223.114",
            "1795013223114",
            "1795013223114000",
            "1795013223114000000",
        ] {
            assert_eq!(time(text), at, "{text}");
        }
        let second = Some(WallTime(1_795_013_223_000_000));
        for text in [
            "18/Nov/2026:14:47:03 +0000",
            "18/Nov/2026:15:47:03 +0100",
            "Wed, 18 Nov 2026 14:47:03 GMT",
            "2026-11-18 14:47:03+00",
            "1795013223",
            "1.795013223e9",
            "11/18/2026 14:47:03",
            "11/18/2026, 2:47:03 PM",
            "18/11/2026 14:47:03",
            "18.11.2026 14:47:03",
        ] {
            assert_eq!(time(text), second, "{text}");
        }
        assert_eq!(time("2026-11-18T14:47Z"), Some(WallTime(1_795_013_220_000_000)));
        assert_eq!(time("2026-11-18 15:47+01:00"), Some(WallTime(1_795_013_220_000_000)));
        for wrong in [
            "",
            "soon",
            "2026-13-01T00:00:00Z",
            "2026-02-30 00:00:00",
            "12",
            "1970-01-01T00:00:00Z",
            "NaN",
            "2026-11-18T1",
        ] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_amount_is_read_to_the_nearest_nano_dollar() {
        for (text, nanos) in [
            ("0.00034500000000000003", 345_000),
            ("3.45e-05", 34_500),
            ("1.2E-9", 1),
            ("5e-10", 1),
            ("4.9e-10", 0),
            ("$1.50", 1_500_000_000),
            ("12", 12_000_000_000),
            ("1.5e2", 150_000_000_000),
            ("0", 0),
            (".5", 500_000_000),
        ] {
            assert_eq!(dollars(text), Some(NanoUsd(nanos)), "{text}");
        }
        for wrong in ["", "-0.1", "free", "1.2.3", "1e400", "1e", "99999999999999999999"] {
            assert_eq!(dollars(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn spans_and_counts_are_read() {
        assert_eq!(span("1.5", 1e6), Some(1_500_000));
        assert_eq!(span("250", 1e3), Some(250_000));
        assert_eq!(span("0:00:01.500000", 1e6), Some(1_500_000));
        assert_eq!(span("-1", 1e6), None);
        assert_eq!(span("-", 1e6), None);
        assert_eq!(
            [count("1200"), count("1200.0"), count("1,200"), count("1,2"), count("-1"), count("x")],
            [Some(1_200), Some(1_200), Some(1_200), None, None, None]
        );
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(millis in EARLIEST / 1_000..LATEST / 1_000) {
            let at = WallTime(millis * 1_000);
            prop_assert_eq!(time(&at.to_string()), Some(at));
            prop_assert_eq!(time(&millis.to_string()), Some(at));
        }

        #[test]
        fn an_amount_is_read_as_it_was_shown(nanos in 0_i64..) {
            let amount = NanoUsd(nanos);
            prop_assert_eq!(dollars(&amount.to_string()), Some(amount));
        }

        #[test]
        fn nothing_panics(text: String) {
            let _ = (time(&text), dollars(&text), count(&text), span(&text, 1e6), leading_time(&text));
            prop_assert!(true);
        }
    }
}
