//! What will be asked for, with bands, and when it reaches a ceiling.

mod alarm;
mod backtest;
mod bands;
mod exhaustion;
mod grid;
mod history;
mod loess;
mod make;
mod mstl;
mod outcome;
mod paths;
mod pattern;
mod quota;
mod slots;
mod stats;
mod trend;

pub use alarm::{Alarm, Change, Rule};
pub use exhaustion::{Exhaustion, Peaks, exhaustion};
pub use history::{Calendar, History, Running, Sample, Slot};
pub use outcome::{BackTest, Forecast, Growth, LEVELS, Model, Point, Shift, Unforecast};
pub use quota::{Period, Quota, quota};

/// Days of history from which weeks are forecast.
pub const DAYS_FOR_WEEKS: u32 = 14;
/// Days of history from which the next two days are forecast.
pub const DAYS_FOR_DAYS: u32 = 3;
/// As far ahead as a daily model reaches, in hours.
pub const DAILY_HOURS: usize = 48;

/// Forecasts the `hours` after the history's end.
///
/// With two weeks of history it looks weeks ahead. With three days it answers only if no more than [`DAILY_HOURS`] are asked for, by the
/// model [`Model::Daily`]. `seed` decides what is drawn, so that equal histories have equal forecasts.
///
/// # Errors
/// Why there is none, as figures that the caller puts into words.
pub fn forecast(history: &History, calendar: &Calendar<'_>, hours: usize, seed: u64) -> Result<Forecast, Unforecast> {
    make::make(history, calendar, hours, seed)
}
