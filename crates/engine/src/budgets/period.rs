//! Which hour, day, week or month a moment belongs to, where the budget's owner lives.
//!
//! A time zone is handed over as the offsets it has had and will have, since the engine knows no zones. A day is from
//! midnight to midnight by the clock on the wall, so it may have 23 or 25 hours.

use serde::{Deserialize, Serialize};
use weir_units::WallTime;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;
const DAY: i64 = 24 * HOUR;

/// How long a budget's limit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Period {
    /// By the clock's hours.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From Monday to Sunday.
    Week,
    /// By the calendar's months.
    Month,
    /// For good.
    Total,
}

impl Period {
    /// The name in the config and on screens.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Total => "total",
        }
    }

    /// The period that `wall` lies in.
    #[must_use]
    pub fn at(self, wall: WallTime, zone: &Zone) -> Span {
        let local = wall.0.saturating_add(zone.offset(wall));
        let day = local.div_euclid(DAY);
        let days = |from: i64, to: i64| Span { start: zone.midnight(from), end: Some(zone.midnight(to)) };
        match self {
            Self::Hour => {
                let start = wall.0.saturating_sub(local.rem_euclid(HOUR));
                Span { start: WallTime(start), end: Some(WallTime(start.saturating_add(HOUR))) }
            }
            Self::Day => days(day, day + 1),
            Self::Week => {
                // 1970-01-01 was a Thursday, so Mondays leave 4 when divided by 7.
                let monday = day - (day - 4).rem_euclid(7);
                days(monday, monday + 7)
            }
            Self::Month => {
                let (year, month, _) = WallTime::date_of(day);
                let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                days(WallTime::day_of(year, month, 1), WallTime::day_of(next.0, next.1, 1))
            }
            Self::Total => Span { start: WallTime(0), end: None },
        }
    }
}

/// From when, and until just before when; without an end for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first moment, which also names it.
    pub start: WallTime,
    /// The first moment that is not of it.
    pub end: Option<WallTime>,
}

/// A time zone: what its clocks are ahead of UTC, and since when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zone {
    first: i64,
    changes: Vec<(WallTime, i64)>,
}

impl Zone {
    /// UTC itself.
    pub const UTC: Self = Self { first: 0, changes: Vec::new() };

    /// A zone whose clocks are `first` seconds ahead of UTC, and from each of `changes` on so many seconds instead.
    #[must_use]
    pub fn new(first: i32, changes: impl IntoIterator<Item = (WallTime, i32)>) -> Self {
        let mut changes: Vec<_> = changes.into_iter().map(|(at, ahead)| (at, i64::from(ahead) * SECOND)).collect();
        changes.sort_unstable();
        Self { first: i64::from(first) * SECOND, changes }
    }

    /// How many seconds its clocks are ahead of UTC at a time.
    #[must_use]
    pub fn seconds_ahead(&self, at: WallTime) -> i64 {
        self.offset(at) / SECOND
    }

    /// Microseconds ahead of UTC.
    pub(crate) fn offset(&self, at: WallTime) -> i64 {
        let past = self.changes.partition_point(|(since, _)| *since <= at);
        past.checked_sub(1).map_or(self.first, |last| self.changes[last].1)
    }

    /// The moment at which a local day begins: where clocks repeat midnight, the first; where they skip it, the change.
    fn midnight(&self, day: i64) -> WallTime {
        let local = day.saturating_mul(DAY);
        let mut before = self.first;
        for (since, ahead) in &self.changes {
            if since.0.saturating_add(before) > local {
                break;
            }
            if since.0.saturating_add(*ahead) > local {
                return *since;
            }
            before = *ahead;
        }
        WallTime(local.saturating_sub(before))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn utc(year: i64, month: i64, day: i64, hour: i64, minute: i64) -> WallTime {
        WallTime(WallTime::day_of(year, month, day) * DAY + hour * HOUR + minute * 60 * SECOND)
    }

    fn berlin() -> Zone {
        Zone::new(3_600, [(utc(2026, 3, 29, 1, 0), 7_200), (utc(2026, 10, 25, 1, 0), 3_600)])
    }

    fn span(period: Period, at: WallTime, zone: &Zone) -> String {
        let span = period.at(at, zone);
        let short = |at: WallTime| at.to_string()[..16].to_owned();
        format!("{} {}", short(span.start), span.end.map_or("-".to_owned(), short))
    }

    #[test]
    fn periods_begin_and_end_where_the_owner_lives() {
        let noon = utc(2026, 11, 25, 12, 34);
        for (period, said) in [
            (Period::Hour, "2026-11-25T12:00 2026-11-25T13:00"),
            (Period::Day, "2026-11-24T23:00 2026-11-25T23:00"),
            (Period::Week, "2026-11-22T23:00 2026-11-29T23:00"),
            (Period::Month, "2026-10-31T23:00 2026-11-30T23:00"),
            (Period::Total, "1970-01-01T00:00 -"),
        ] {
            assert_eq!(span(period, noon, &berlin()), said);
        }
        assert_eq!(span(Period::Day, utc(2026, 3, 29, 12, 0), &berlin()), "2026-03-28T23:00 2026-03-29T22:00");
        assert_eq!(span(Period::Day, utc(2026, 10, 25, 12, 0), &berlin()), "2026-10-24T22:00 2026-10-25T23:00");
        assert_eq!(span(Period::Month, utc(2026, 12, 31, 23, 59), &Zone::UTC), "2026-12-01T00:00 2027-01-01T00:00");
        assert_eq!(span(Period::Hour, noon, &Zone::new(19_800, [])), "2026-11-25T12:30 2026-11-25T13:30");
    }

    #[test]
    fn a_midnight_that_clocks_skip_or_repeat_begins_one_day() {
        let skips = Zone::new(0, [(utc(2026, 4, 1, 0, 0), 3_600)]);
        assert_eq!(span(Period::Day, utc(2026, 4, 1, 5, 0), &skips), "2026-04-01T00:00 2026-04-01T23:00");
        let early = Zone::new(0, [(utc(2026, 3, 31, 23, 30), 3_600)]);
        assert_eq!(span(Period::Day, utc(2026, 3, 31, 23, 40), &early), "2026-03-31T23:30 2026-04-01T23:00");
        let repeats = Zone::new(3_600, [(utc(2026, 4, 1, 0, 0), 0)]);
        assert_eq!(span(Period::Day, utc(2026, 3, 31, 23, 0), &repeats), "2026-03-31T23:00 2026-04-02T00:00");
    }

    proptest! {
        #[test]
        fn a_moment_lies_in_its_period_and_the_next_begins_where_that_ends(hours in 490_000_i64..500_000, minutes in 0_i64..60) {
            let at = WallTime(hours * HOUR + minutes * 60 * SECOND);
            for zone in [Zone::UTC, berlin(), Zone::new(-12_600, [])] {
                for period in [Period::Hour, Period::Day, Period::Week, Period::Month] {
                    let span = period.at(at, &zone);
                    let end = span.end.unwrap();
                    prop_assert!(span.start <= at && at < end, "{:?} of {}", span, at);
                    prop_assert_eq!(period.at(end, &zone).start, end);
                    prop_assert_eq!(period.at(span.start, &zone), span);
                }
            }
        }
    }
}
