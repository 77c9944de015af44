//! When things happen: a clock that only goes forward, and the calendar's.
//!
//! `std::time::Instant` has no zero, so it can be neither written to a trace nor compared in a snapshot; `Moment` can.

use std::fmt;
use std::ops::{Add, Range, Sub};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Nanoseconds since the process (or the simulation) began. It never goes back, whatever the calendar does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Moment(pub u64);

impl Moment {
    /// The instant at which a run began.
    pub const ZERO: Self = Self(0);

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Microseconds since 1970-01-01T00:00:00Z by the calendar. It may jump; nothing that must not is decided by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WallTime(pub i64);

impl WallTime {
    /// The whole milliseconds since the epoch.
    #[must_use]
    pub fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// The time that a count since 1970 is, as programs write it: of seconds, or, where that would be past the year 5138, of milliseconds
    /// or microseconds. A count that would be before March 1973 is none, but for nought: it is a year, or a typing error.
    #[must_use]
    pub fn from_epoch(count: i64) -> Option<Self> {
        match count {
            0 => Some(Self(0)),
            100_000_000..100_000_000_000 => Some(Self(count * 1_000_000)),
            100_000_000_000..100_000_000_000_000 => Some(Self(count * 1_000)),
            100_000_000_000_000..100_000_000_000_000_000 => Some(Self(count)),
            _ => None,
        }
    }

    /// The days from 1970-01-01 to a Gregorian date (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    #[must_use]
    pub fn day_of(year: i64, month: i64, day: i64) -> i64 {
        let y = if month <= 2 { year - 1 } else { year };
        let yoe = y.rem_euclid(400);
        let doy = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
        y.div_euclid(400) * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
    }

    /// The Gregorian year, month and day of a day counted from 1970-01-01: the inverse of [`WallTime::day_of`].
    #[must_use]
    pub fn date_of(day: i64) -> (i64, i64, i64) {
        civil(day)
    }
}

impl Add<Duration> for WallTime {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// RFC 3339 in UTC with milliseconds: `2026-11-18T14:47:03.114Z`.
impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.millis();
        let (days, ms) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1_000)
    }
}

/// Reads what `Display` writes: RFC 3339 in UTC, with or without a fraction of a second; finer than a microsecond is cut off.
impl FromStr for WallTime {
    type Err = NoTime;
    fn from_str(text: &str) -> Result<Self, NoTime> {
        let number = |range: Range<usize>, least: i64, most: i64| {
            let digits = text.get(range).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
            digits.and_then(|digits| digits.parse::<i64>().ok()).filter(|n| (least..=most).contains(n)).ok_or(NoTime)
        };
        let marks = [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")];
        if marks.into_iter().any(|(at, mark)| text.get(at..at + 1) != Some(mark)) {
            return Err(NoTime);
        }
        let fraction = text.get(19..).and_then(|rest| rest.strip_suffix('Z')).ok_or(NoTime)?;
        let micros = match fraction.strip_prefix('.') {
            Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                format!("{digits:0<6.6}").parse::<i64>().map_err(|_| NoTime)?
            }
            None if fraction.is_empty() => 0,
            _ => return Err(NoTime),
        };
        let date = (number(0..4, 0, 9_999)?, number(5..7, 1, 12)?, number(8..10, 1, 31)?);
        let day = Self::day_of(date.0, date.1, date.2);
        if Self::date_of(day) != date {
            return Err(NoTime);
        }
        let seconds = (number(11..13, 0, 23)? * 60 + number(14..16, 0, 59)?) * 60 + number(17..19, 0, 59)?;
        Ok(Self((day * 86_400 + seconds) * 1_000_000 + micros))
    }
}

/// A text that is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoTime;

impl fmt::Display for NoTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no time in UTC like `2026-11-18T14:47:03.114Z`")
    }
}

impl std::error::Error for NoTime {}

/// The Gregorian date of a day counted from 1970-01-01 (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_prints_as_rfc_3339() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_795_013_223_114_000, "2026-11-18T14:47:03.114Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000Z"),
            (-1_000, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(WallTime(micros).to_string(), text);
            assert_eq!(text.parse(), Ok(WallTime(micros)));
        }
        assert_eq!("2026-11-18T14:47:03.1234567Z".parse(), Ok(WallTime(1_795_013_223_123_456)));
        assert_eq!("2026-11-18T14:47:03Z".parse(), Ok(WallTime(1_795_013_223_000_000)));
        for text in [
            "",
            "2026-11-18",
            "2026-02-30T00:00:00Z",
            "2026-11-18T24:00:00Z",
            "2026-11-18T14:47:03.Z",
            "２026-11-18T14:47:03Z",
        ] {
            assert_eq!(text.parse::<WallTime>(), Err(NoTime), "{text}");
        }
    }

    #[test]
    fn days_and_dates_are_inverse() {
        for day in (-800_000..800_000).step_by(97) {
            let (year, month, of_month) = civil(day);
            assert_eq!(WallTime::day_of(year, month, of_month), day);
        }
    }

    #[test]
    fn a_moment_never_underflows() {
        assert_eq!(Moment(5).since(Moment(9)), Duration::ZERO);
        assert_eq!(Moment(5) - Duration::from_secs(1), Moment::ZERO);
        assert_eq!(Moment(u64::MAX) + Duration::from_secs(1), Moment(u64::MAX));
    }
}
