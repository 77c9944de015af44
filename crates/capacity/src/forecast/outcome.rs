//! What a forecast says: bands by the hour, which model made them, how wrong it has been; or why there is none.

use serde::Serialize;
use weir_units::WallTime;

use super::paths::Futures;

/// The levels that are told of each hour.
pub const LEVELS: [f64; 7] = [0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95];

/// One hour to come. Half of what happens lies between `p25` and `p75`, nine tenths between `p05` and `p95`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When the hour begins.
    pub at: WallTime,
    /// Each of [`LEVELS`], rising.
    pub levels: [f64; 7],
}

impl Point {
    /// As likely more as less.
    #[must_use]
    pub fn p50(&self) -> f64 {
        self.levels[3]
    }

    /// What one hour in twenty is below.
    #[must_use]
    pub fn p05(&self) -> f64 {
        self.levels[0]
    }

    /// What one hour in four is below.
    #[must_use]
    pub fn p25(&self) -> f64 {
        self.levels[2]
    }

    /// What three hours in four are below.
    #[must_use]
    pub fn p75(&self) -> f64 {
        self.levels[4]
    }

    /// What nineteen hours in twenty are below.
    #[must_use]
    pub fn p95(&self) -> f64 {
        self.levels[6]
    }
}

/// How the forecast was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Model {
    /// The same hour of the last days: less than two weeks are known, so it says nothing of weeks, and no dates.
    Daily,
    /// The median of the last four same hours of the week, at today's level, with its trend.
    SlotOfWeek,
    /// The series taken apart into day, week and the rest (MSTL), and the rest continued by exponential smoothing.
    Mstl,
}

impl Model {
    /// What people call it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Daily => "same hour of the last days",
            Self::SlotOfWeek => "same hour of the last four weeks",
            Self::Mstl => "day, week and trend taken apart (MSTL)",
        }
    }
}

/// How wrong the model would have been, had it been asked on each of the last nights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BackTest {
    /// From how many nights it was made.
    pub nights: u32,
    /// Hours that were forecast and then came.
    pub hours: u32,
    /// The mean pinball loss over [`LEVELS`], in the unit of the demand.
    pub pinball: f64,
    /// The same of repeating last week ("seasonal naive") with bands of its own; under three weeks, of repeating yesterday.
    pub naive: f64,
    /// The share of hours inside the 90 % band.
    pub coverage90: f64,
    /// The mean absolute error of the median, as a share of the mean demand.
    pub error: f64,
}

impl BackTest {
    /// How the loss compares with that of repeating last week: 0.8 is a fifth better.
    #[must_use]
    pub fn against_naive(&self) -> Option<f64> {
        (self.naive > 0.0).then(|| self.pinball / self.naive)
    }
}

/// A change of level from one day to the next that stayed, such as a launch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Shift {
    /// When the first day of it begins, in local time's days, as an instant.
    pub at: WallTime,
    /// What demand was multiplied by.
    pub factor: f64,
}

/// How demand grows from day to day, apart from the hours and days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Growth {
    /// Growth a day at the end of the history: 0.01 is one percent a day. Zero where it cannot be told from none.
    pub per_day: f64,
    /// How far that may be off, as a standard error.
    pub uncertainty: f64,
    /// Whether there is growth (or decline) beyond doubt.
    pub evident: bool,
}

/// What will be asked for.
#[derive(Clone, Debug)]
pub struct Forecast {
    /// The hours to come, from the end of the history.
    pub points: Vec<Point>,
    /// How they were made.
    pub model: Model,
    /// How wrong it has been; `None` if there were too few nights to tell.
    pub error: Option<BackTest>,
    /// The trend.
    pub growth: Growth,
    /// Changes of level that were found in the history, oldest first.
    pub shifts: Vec<Shift>,
    /// Days of history that it rests on.
    pub days: f64,
    /// What paths are drawn from.
    pub(crate) futures: Futures,
}

impl Forecast {
    /// The hour with the highest median.
    #[must_use]
    pub fn busiest(&self) -> Option<&Point> {
        self.points.iter().max_by(|a, b| a.p50().total_cmp(&b.p50()).then(b.at.cmp(&a.at)))
    }
}

/// Why there is no forecast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unforecast {
    /// The history is too short: one starts when there are `need` days.
    TooShort {
        /// Days that are known.
        days: f64,
        /// Days that it takes.
        need: u32,
        /// When there will be that many, if demand goes on being recorded.
        from: WallTime,
    },
    /// Too many hours of it are unknown.
    Gaps {
        /// The share of its hours that are known.
        known: f64,
    },
    /// Nothing was asked for lately.
    Silent {
        /// Days without any demand.
        days: u32,
    },
}
