//! Where in the calendar a run begins, and when its first day ends.

use std::time::Duration;

use toml::value::{Date, Time};
use weir_units::WallTime;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// Whose midnight ends a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zone {
    /// Greenwich's.
    #[default]
    Utc,
    /// California's, with its summer time.
    Pacific,
}

/// When a run begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    year: i64,
    pub(super) wall: WallTime,
}

impl Default for Start {
    fn default() -> Self {
        Self::at(2026, 11, 18, 0)
    }
}

impl Start {
    pub(super) fn new(date: Date, time: Option<Time>) -> Self {
        let seconds = time.map_or(0, |time| {
            i64::from(time.hour) * HOUR + i64::from(time.minute) * 60 + i64::from(time.second.unwrap_or(0))
        });
        Self::at(i64::from(date.year), i64::from(date.month), i64::from(date.day), seconds)
    }

    fn at(year: i64, month: i64, day: i64, seconds: i64) -> Self {
        Self { year, wall: WallTime((WallTime::day_of(year, month, day) * DAY + seconds) * 1_000_000) }
    }

    /// How long until the first midnight of `zone`. The days after it are 24 hours long, whatever the clocks do.
    pub(super) fn day_ends(&self, zone: Zone) -> Duration {
        let now = self.wall.millis().div_euclid(1_000);
        let offset = match zone {
            Zone::Utc => 0,
            // Summer time is from the second Sunday in March, 10:00 UTC, to the first in November, 9:00 UTC (Energy Policy
            // Act of 2005).
            Zone::Pacific => {
                let begins = sunday(self.year, 3, 8) * DAY + 10 * HOUR;
                let ends = sunday(self.year, 11, 1) * DAY + 9 * HOUR;
                if (begins..ends).contains(&now) { -7 * HOUR } else { -8 * HOUR }
            }
        };
        Duration::from_secs((DAY - (now + offset).rem_euclid(DAY)).unsigned_abs())
    }
}

/// The first Sunday of a month from `day` on, counted from 1970-01-01, a Thursday.
fn sunday(year: i64, month: i64, day: i64) -> i64 {
    let from = WallTime::day_of(year, month, day);
    from + (7 - (from + 4).rem_euclid(7)) % 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn midnights_come_when_the_zone_says_so() {
        for (start, zone, hours) in [
            (Start::at(2026, 11, 18, 0), Zone::Utc, 24),
            (Start::at(2026, 11, 18, 15 * HOUR), Zone::Utc, 9),
            (Start::at(2026, 11, 18, 0), Zone::Pacific, 8),
            (Start::at(2026, 7, 1, 0), Zone::Pacific, 7),
            (Start::at(2026, 3, 8, 9 * HOUR), Zone::Pacific, 23),
            (Start::at(2026, 3, 8, 10 * HOUR), Zone::Pacific, 21),
            (Start::at(2026, 11, 1, 9 * HOUR), Zone::Pacific, 23),
        ] {
            assert_eq!(start.day_ends(zone), Duration::from_secs(hours * 3_600), "{start:?} {zone:?}");
        }
    }
}
