//! Limits per day: counted in the provider's own days, which only ever move forward.

use std::time::Duration;

use weir_units::WallTime;

use super::charge::DayStart;
use crate::budgets::Span;

const DAY_MICROS: i64 = 86_400_000_000;
const HOUR_MICROS: i64 = 3_600_000_000;

/// The day of a moment in the provider's calendar, and how much of it is over and left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Today {
    pub(crate) day: i64,
    pub(crate) over: Duration,
    pub(crate) left: Duration,
}

impl Today {
    pub(crate) fn at(wall: WallTime, start: DayStart) -> Self {
        let local = wall.0.saturating_add(match start {
            DayStart::Utc => 0,
            DayStart::Pacific => -HOUR_MICROS * if is_pacific_summer(wall) { 7 } else { 8 },
        });
        let over = local.rem_euclid(DAY_MICROS);
        let micros = |n: i64| Duration::from_micros(u64::try_from(n).unwrap_or(0));
        Self { day: local.div_euclid(DAY_MICROS), over: micros(over), left: micros(DAY_MICROS - over) }
    }
}

impl DayStart {
    /// The provider's day that a moment lies in. Days have 24 hours here, also those on which clocks change.
    #[must_use]
    pub fn day(self, wall: WallTime) -> Span {
        let today = Today::at(wall, self);
        let micros = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(0);
        let start = WallTime(wall.0.saturating_sub(micros(today.over)));
        Span { start, end: Some(wall + today.left) }
    }
}

/// Whether California is on daylight saving time: from the second Sunday of March to the first of November, at two in the
/// morning of local time (15 U.S.C. § 260a).
fn is_pacific_summer(wall: WallTime) -> bool {
    let days = wall.0.div_euclid(DAY_MICROS);
    let mut year = 1970 + days * 400 / 146_097;
    while WallTime::day_of(year, 1, 1) > days {
        year -= 1;
    }
    while WallTime::day_of(year + 1, 1, 1) <= days {
        year += 1;
    }
    // 1970-01-01 was a Thursday; Sundays are the days that leave 3 when divided by 7.
    let sunday_from = |day: i64| day + (3 - day).rem_euclid(7);
    let begins = sunday_from(WallTime::day_of(year, 3, 8)) * DAY_MICROS + 10 * HOUR_MICROS;
    let ends = sunday_from(WallTime::day_of(year, 11, 1)) * DAY_MICROS + 9 * HOUR_MICROS;
    (begins..ends).contains(&wall.0)
}

/// What was used of a daily limit. A clock that jumps back finds the day as it was left, never a fresh one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DayCount {
    day: i64,
    used: i64,
    batch: i64,
}

impl DayCount {
    pub(crate) fn new() -> Self {
        Self { day: i64::MIN, used: 0, batch: 0 }
    }

    pub(crate) fn turn(&mut self, today: &Today) {
        if today.day > self.day {
            *self = Self { day: today.day, used: 0, batch: 0 };
        }
    }

    pub(crate) fn used(&self) -> u64 {
        u64::try_from(self.used).unwrap_or(0)
    }

    /// Whether `cost` still fits; a clock that was set back waits for its day to come again.
    pub(crate) fn fits(&self, limit: u64, cost: u64) -> bool {
        self.used().saturating_add(cost) <= limit
    }

    /// Whether `cost` of batch work still fits: within the share that interactive work leaves it, at the pace of the day, with
    /// an hour's worth in hand. So a nightly job leaves the day its share, and does not begin by spending all of it.
    pub(crate) fn fits_batch(&self, limit: u64, cost: u64, share_ppm: u64, today: &Today) -> bool {
        let share = i128::from(limit) * i128::from(share_ppm) / 1_000_000;
        let hour = Duration::from_secs(3_600);
        let paced = share * (today.over + hour).as_micros() as i128 / i128::from(DAY_MICROS);
        i128::from(self.batch) + i128::from(cost) <= paced.min(share)
    }

    /// When the pace of the day will have room for `cost` of batch work; none if this day will not.
    pub(crate) fn batch_fits_in(&self, limit: u64, cost: u64, share_ppm: u64, today: &Today) -> Option<Duration> {
        let share = i128::from(limit) * i128::from(share_ppm) / 1_000_000;
        let wanted = i128::from(self.batch) + i128::from(cost);
        if wanted > share || share == 0 {
            return None;
        }
        let at = (wanted * i128::from(DAY_MICROS) + share - 1) / share - i128::from(HOUR_MICROS);
        let wait = at - today.over.as_micros() as i128;
        Some(Duration::from_micros(u64::try_from(wait.max(0)).unwrap_or(u64::MAX)))
    }

    pub(crate) fn take(&mut self, cost: i64, batch: bool) {
        self.used = self.used.saturating_add(cost);
        if batch {
            self.batch = self.batch.saturating_add(cost);
        }
    }

    /// Takes over what the provider says was used, where that is more.
    pub(crate) fn at_least(&mut self, used: u64) {
        self.used = self.used.max(i64::try_from(used).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(year: i64, month: i64, day: i64, hour: i64) -> WallTime {
        WallTime(WallTime::day_of(year, month, day) * DAY_MICROS + hour * HOUR_MICROS)
    }

    #[test]
    fn days_begin_where_the_provider_lives() {
        for (at, start, hours_over) in [
            (wall(2026, 11, 25, 7), DayStart::Utc, 7),
            (wall(2026, 11, 25, 7), DayStart::Pacific, 23),
            (wall(2026, 11, 25, 8), DayStart::Pacific, 0),
            (wall(2026, 7, 1, 7), DayStart::Pacific, 0),
            // 2026: summer time from 8 March to 1 November.
            (wall(2026, 3, 8, 9), DayStart::Pacific, 1),
            (wall(2026, 3, 8, 10), DayStart::Pacific, 3),
            (wall(2026, 11, 1, 8), DayStart::Pacific, 1),
            (wall(2026, 11, 1, 9), DayStart::Pacific, 1),
            (wall(1970, 1, 1, 0), DayStart::Pacific, 16),
            (wall(2400, 2, 29, 8), DayStart::Pacific, 0),
        ] {
            let today = Today::at(at, start);
            assert_eq!(
                (today.over.as_secs() / 3_600, today.over + today.left),
                (hours_over, Duration::from_secs(86_400))
            );
        }
    }

    #[test]
    fn a_clock_that_jumps_back_opens_no_day_again() {
        let mut count = DayCount::new();
        count.turn(&Today::at(wall(2026, 11, 25, 23), DayStart::Utc));
        count.take(90, false);
        assert!(count.fits(100, 10) && !count.fits(100, 11));
        count.turn(&Today::at(wall(2026, 11, 24, 1), DayStart::Utc));
        assert!(!count.fits(100, 11));
        count.turn(&Today::at(wall(2026, 11, 26, 0), DayStart::Utc));
        assert!(count.fits(100, 100));
    }

    #[test]
    fn batch_is_paced_over_the_day_and_leaves_a_share() {
        let mut count = DayCount::new();
        let today = |hour| Today::at(wall(2026, 11, 25, hour), DayStart::Utc);
        count.turn(&today(0));
        assert!(count.fits_batch(2_400, 80, 800_000, &today(0)), "an hour's worth is in hand");
        assert!(!count.fits_batch(2_400, 81, 800_000, &today(0)));
        count.take(80, true);
        assert_eq!(count.batch_fits_in(2_400, 80, 800_000, &today(0)), Some(Duration::from_secs(3_600)));
        assert!(count.fits_batch(2_400, 1_840, 800_000, &today(23)));
        assert!(!count.fits_batch(2_400, 1_841, 800_000, &today(23)));
        assert_eq!(count.batch_fits_in(2_400, 1_841, 800_000, &today(0)), None);
    }
}
