//! The default model: what the same hour of the week usually is, at today's level, with the trend.

use super::grid::Grid;
use super::history::{Slot, WEEK};
use super::stats;
use super::trend::{Day, Trend};

/// From how many of the last same hours the median is taken.
const SAME_HOURS: usize = 4;
/// The same where only the hour of the day counts.
const SAME_DAYS: usize = 7;
/// Hours in which the past level is forgotten to a third.
const MEMORY: f64 = 24.0;
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
            Trend { last: grid.slots[grid.len().saturating_sub(1)].day, doubt: 0.02, ..Trend::default() }
        };
        let mut fit = Self { pattern: pattern(grid, Some(&trend), weekly), level: 1.0, trend };
        fit.level = fit.level_of(grid);
        fit
    }

    /// What an hour of the grid, also one to come, is expected to be.
    pub(crate) fn expected(&self, grid: &Grid, hour: usize) -> f64 {
        let slot = grid.slots[hour];
        self.pattern[slot.of_week()] * libm::exp(self.trend.at(middle_of(slot)).clamp(-20.0, 20.0))
    }

    /// The medians of hours to come.
    pub(crate) fn medians(&self, grid: &Grid, hours: usize) -> Vec<f64> {
        (grid.len()..grid.len() + hours).map(|hour| self.expected(grid, hour) * self.level).collect()
    }

    /// Actual against expected, recent hours counting most. A single hour counts with at most three times what was expected of it.
    fn level_of(&self, grid: &Grid) -> f64 {
        let (mut actual, mut expected) = (0.0, 0.0);
        let keep = libm::exp(-1.0 / MEMORY);
        for hour in grid.len().saturating_sub(8 * MEMORY as usize)..grid.len() {
            (actual, expected) = (actual * keep, expected * keep);
            let Some(value) = grid.values[hour] else { continue };
            let usual = self.expected(grid, hour);
            let value = if grid.bound[hour] { value.max(usual) } else { value };
            let (low, high) = ((usual - grid.offset) / 3.0, (usual + grid.offset) * 3.0);
            actual += value.clamp(low.max(0.0), high);
            expected += usual;
        }
        if expected <= 0.0 {
            return 1.0;
        }
        (actual / expected).clamp(0.05, 20.0)
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
                sum += if grid.bound[hour] { value.max(usual[grid.slots[hour].of_week()]) } else { value };
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

/// The median of the last same hours, each at the last day's level. Where all of them are only bounds, the highest bound.
fn pattern(grid: &Grid, trend: Option<&Trend>, weekly: bool) -> Vec<f64> {
    let mut of_week: Vec<Vec<f64>> = vec![Vec::new(); WEEK];
    let mut of_day: Vec<Vec<f64>> = vec![Vec::new(); 24];
    let mut bounds = vec![0.0_f64; WEEK];
    for hour in (0..grid.len()).rev() {
        let Some(value) = grid.values[hour] else { continue };
        let slot = grid.slots[hour];
        let value = value * trend.map_or(1.0, |t| libm::exp(-t.at(middle_of(slot)).clamp(-20.0, 20.0)));
        if grid.bound[hour] {
            bounds[slot.of_week()] = bounds[slot.of_week()].max(value);
            continue;
        }
        for (same, most) in [(&mut of_week[slot.of_week()], SAME_HOURS), (&mut of_day[usize::from(slot.hour)], SAME_DAYS)] {
            if same.len() < most {
                same.push(value);
            }
        }
    }
    let all: Vec<f64> = of_day.iter().flatten().copied().collect();
    let middle = stats::median(&all).unwrap_or(0.0);
    let of_day: Vec<f64> = of_day.iter().map(|same| stats::median(same).unwrap_or(middle)).collect();
    let of_slot = |slot: usize| {
        let same = stats::median(&of_week[slot]).filter(|_| weekly);
        same.unwrap_or_else(|| of_day[slot % 24].max(bounds[slot]))
    };
    (0..WEEK).map(of_slot).collect()
}

/// The middle of an hour in local days.
fn middle_of(slot: Slot) -> f64 {
    slot.day as f64 + (f64::from(slot.hour) + 0.5) / 24.0
}
