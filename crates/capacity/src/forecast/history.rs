//! What a forecast is made from: offered demand by the hour, gaps apart from zeros, and the calendar that people live by.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use weir_units::WallTime;

/// Microseconds in an hour.
pub(crate) const HOUR: i64 = 3_600_000_000;
/// Hours of a week, each a slot of its own.
pub(crate) const WEEK: usize = 168;

/// The demand of one hour, in any unit: requests, tokens, calls in flight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sample {
    /// Nobody knows: the ledger was off, or a roll-up is missing. Not zero.
    Unknown,
    /// What was asked for.
    Known(f64),
    /// At least this was asked for: clients were turned away in that hour and did not come back.
    AtLeast(f64),
}

impl Sample {
    /// The figure, if it is one: finite and not negative.
    #[must_use]
    pub fn value(self) -> Option<f64> {
        match self {
            Self::Known(value) | Self::AtLeast(value) if value.is_finite() && value >= 0.0 => Some(value),
            _ => None,
        }
    }

    /// Whether it is only a lower bound.
    #[must_use]
    pub fn is_bound(self) -> bool {
        matches!(self, Self::AtLeast(_))
    }
}

/// The hour that is not over yet: what was asked for of it so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Running {
    /// How much of the hour has passed.
    pub passed: Duration,
    /// What was asked for in that time.
    pub sum: f64,
}

/// Offered demand by the hour, oldest first, evenly spaced.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// When the first hour begins.
    pub start: WallTime,
    /// The hours that are over.
    pub hours: Vec<Sample>,
    /// The hour after them, if some of it has passed.
    pub running: Option<Running>,
}

impl History {
    /// Hours that are over, none running.
    #[must_use]
    pub fn new(start: WallTime, hours: Vec<Sample>) -> Self {
        Self { start, hours, running: None }
    }

    /// When an hour begins; the first is 0.
    #[must_use]
    pub fn at(&self, hour: usize) -> WallTime {
        hours_after(self.start, hour)
    }

    /// When the last whole hour ended: where forecasts begin.
    #[must_use]
    pub fn end(&self) -> WallTime {
        self.at(self.hours.len())
    }

    /// The same history as it was when only its first hours were over.
    #[must_use]
    pub fn until(&self, hours: usize) -> Self {
        Self::new(self.start, self.hours[..hours.min(self.hours.len())].to_vec())
    }
}

/// `hours` after a time, never past what can be told.
pub(crate) fn hours_after(at: WallTime, hours: usize) -> WallTime {
    let hours = i64::try_from(hours).unwrap_or(i64::MAX);
    WallTime(at.0.saturating_add(hours.saturating_mul(HOUR)))
}

/// An hour as people see it: which day, which day of the week, which hour of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// Days since 1970-01-01, by the local calendar.
    pub day: i64,
    /// 0 is Monday, 6 is Sunday. A holiday is a Sunday.
    pub weekday: u8,
    /// The local hour, 0 to 23.
    pub hour: u8,
}

impl Slot {
    /// The slot of the week, 0 to 167.
    #[must_use]
    pub fn of_week(self) -> usize {
        usize::from(self.weekday) * 24 + usize::from(self.hour)
    }

    /// Whether it is Saturday, Sunday or a holiday.
    #[must_use]
    pub fn is_weekend(self) -> bool {
        self.weekday >= 5
    }
}

/// The calendar that demand follows: local time, and holidays.
pub struct Calendar<'a> {
    /// How many seconds local time is ahead of UTC at a time.
    offset: Box<dyn Fn(WallTime) -> i32 + 'a>,
    /// Days since 1970-01-01 on which people behave as on a Sunday.
    holidays: BTreeSet<i64>,
}

impl<'a> Calendar<'a> {
    /// UTC without holidays.
    #[must_use]
    pub fn utc() -> Self {
        Self { offset: Box::new(|_| 0), holidays: BTreeSet::new() }
    }

    /// A local time that is so many seconds ahead of UTC at each time, which summer time changes.
    pub fn local(offset: impl Fn(WallTime) -> i32 + 'a) -> Self {
        Self { offset: Box::new(offset), holidays: BTreeSet::new() }
    }

    /// With these local days, counted from 1970-01-01, as holidays.
    #[must_use]
    pub fn with_holidays(mut self, days: impl IntoIterator<Item = i64>) -> Self {
        self.holidays.extend(days);
        self
    }

    /// The slot of the hour that begins then.
    #[must_use]
    pub fn slot(&self, at: WallTime) -> Slot {
        let local = at.0.saturating_add(i64::from((self.offset)(at)).saturating_mul(1_000_000));
        let day = local.div_euclid(24 * HOUR);
        let hour = local.rem_euclid(24 * HOUR) / HOUR;
        // 1970-01-01 was a Thursday.
        let weekday = if self.holidays.contains(&day) { 6 } else { (day + 3).rem_euclid(7) };
        Slot { day, weekday: weekday as u8, hour: hour as u8 }
    }
}

impl fmt::Debug for Calendar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calendar").field("holidays", &self.holidays).finish_non_exhaustive()
    }
}
