//! The default model: what the same hour of the week usually is, at today's level, with the trend.

use super::grid::Grid;
use super::pattern::{middle_of, pattern};
use super::trend::{Day, Trend};

/// Hours in which the past level is forgotten to a third.
const MEMORY: f64 = 24.0;
/// How much longer the level lasts that today's returns to.
const LONG: f64 = 5.0;
/// How much more than the hours beside it an hour counts at most.
const BESIDE: f64 = 1.3;
/// Known hours that make a day whole.
const WHOLE_DAY: usize = 20;
/// Days from which weekdays and trends are told.
const DAYS_FOR_WEEKDAYS: usize = 7;

/// A fitted model.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    /// What each slot of the week is at the last day's level.
    pattern: Vec<f64>,
    /// How today's level compares with that.
    pub(crate) level: f64,
    /// How the last days' level compares with it, to which today's returns.
    week: f64,
    /// The trend that was taken out.
    pub(crate) trend: Trend,
}

impl Slots {
    /// Fits the hours of a grid; `weekly` is whether hours of the week count, or only those of the day.
    pub(crate) fn fit(grid: &Grid, weekly: bool) -> Self {
        let days = days(grid);
        let trend = if days.len() > DAYS_FOR_WEEKDAYS && weekly {
            Trend::of(&days)
        } else {
            Trend { last: grid.slots[grid.len().saturating_sub(1)].day, doubt: 0.02, memory: 1.0, ..Trend::default() }
        };
        let mut fit = Self { pattern: pattern(grid, Some(&trend), weekly), level: 1.0, week: 1.0, trend };
        fit.level = fit.level_of(grid, MEMORY);
        fit.week = fit.level_of(grid, MEMORY * LONG);
        fit
    }

    /// What an hour of the grid, also one to come, is expected to be.
    pub(crate) fn expected(&self, grid: &Grid, hour: usize) -> f64 {
        let slot = grid.slots[hour];
        self.pattern[slot.of_week()] * libm::exp(self.trend.at(middle_of(slot)).clamp(-20.0, 20.0))
    }

    /// What an hour usually is, whatever the last day was like.
    pub(crate) fn usual(&self, grid: &Grid, hour: usize) -> f64 {
        self.expected(grid, hour) * self.week
    }

    /// The same with the level as it was so many hours ago.
    pub(crate) fn before(&self, grid: &Grid, hours: usize) -> Self {
        let mut fit = self.clone();
        if hours > 0 {
            let known = grid.until(grid.len() - hours);
            (fit.level, fit.week) = (fit.level_of(&known, MEMORY), fit.level_of(&known, MEMORY * LONG));
        }
        fit
    }

    /// The medians of hours to come.
    pub(crate) fn medians(&self, grid: &Grid, hours: usize) -> Vec<f64> {
        let (week, log) = (self.week, libm::log(self.level / self.week));
        (0..hours)
            .map(|ahead| {
                let kept = libm::pow(self.trend.memory.max(0.05), ahead as f64 / 24.0);
                self.expected(grid, grid.len() + ahead) * week * libm::exp(log * kept)
            })
            .collect()
    }

    /// Actual against expected, recent hours counting most. An hour counts with at most three times what was expected of it, and with little
    /// more than the hours beside it: a spike is no level.
    fn level_of(&self, grid: &Grid, memory: f64) -> f64 {
        let (mut actual, mut expected) = (0.0, 0.0);
        let keep = libm::exp(-1.0 / memory);
        let first = grid.len().saturating_sub(8 * memory as usize);
        let usual: Vec<f64> = (first..grid.len()).map(|hour| self.expected(grid, hour)).collect();
        let ratio = |index: usize| -> Option<f64> {
            let value = grid.values.get(first + index).copied().flatten()?;
            let value = if grid.bound[first + index] { value.max(usual[index]) } else { value };
            Some((value + grid.offset) / (usual[index] + grid.offset))
        };
        for (index, usual) in usual.iter().enumerate() {
            (actual, expected) = (actual * keep, expected * keep);
            let Some(own) = ratio(index) else { continue };
            let beside = [index.checked_sub(1).and_then(ratio), ratio(index + 1)];
            let most = beside.into_iter().flatten().fold(f64::NAN, f64::max);
            let own = own.min(if most.is_nan() { 3.0 } else { most * BESIDE }).clamp(1.0 / 3.0, 3.0);
            actual += ((usual + grid.offset) * own - grid.offset).max(0.0);
            expected += usual;
        }
        if expected <= 0.0 { 1.0 } else { (actual / expected).clamp(0.05, 20.0) }
    }
}

/// The whole days of a grid, each as its logarithm. Hours that are only bounded count at least as their slot usually does.
pub(crate) fn days(grid: &Grid) -> Vec<Day> {
    let usual = pattern(grid, None, true);
    let mut days: Vec<Day> = Vec::new();
    let mut hour = 0;
    while hour < grid.len() {
        let day = grid.slots[hour].day;
        let weekday = grid.slots[hour].weekday;
        let (mut sum, mut known, mut bounded) = (0.0, 0, 0);
        while hour < grid.len() && grid.slots[hour].day == day {
            if let Some(value) = grid.values[hour] {
                known += 1;
                bounded += usize::from(grid.bound[hour]);
                let usual = usual[grid.slots[hour].of_week()];
                let beside = [hour.checked_sub(1), Some(hour + 1)].into_iter().flatten();
                let beside = beside.filter_map(|h| grid.values.get(h).copied().flatten()).fold(usual, f64::max);
                // A spike of an hour is not the day's.
                sum += if grid.bound[hour] { value.max(usual) } else { value.min(3.0 * (beside + grid.offset)) };
            }
            hour += 1;
        }
        if known >= WHOLE_DAY && bounded * 2 <= known {
            let log = libm::log(sum * 24.0 / known as f64 + grid.offset * 24.0);
            days.push(Day { day, weekday, log });
        }
    }
    days
}
