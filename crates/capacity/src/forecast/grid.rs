//! A history made ready: figures beside their slots of the week, and nothing from before demand began.

use super::history::{Calendar, HOUR, History, Sample, Slot, hours_after};
use super::stats;
use weir_units::WallTime;

/// As much of a history as models look at, in hours: eight weeks. What is older says little of next week.
const REMEMBERED: usize = 8 * 168;
/// What is added to demand before its logarithm is taken, as a share of the mean: small hours then count little.
pub(crate) const OFFSET: f64 = 0.02;

/// Hours with their slots, and the slots of the hours to come.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    /// When the first hour begins.
    pub(crate) start: WallTime,
    /// The figures; `None` where nobody knows.
    pub(crate) values: Vec<Option<f64>>,
    /// Which of them are only lower bounds.
    pub(crate) bound: Vec<bool>,
    /// The slots of the hours that were, then of those to come.
    pub(crate) slots: Vec<Slot>,
    /// What is added before logarithms are taken.
    pub(crate) offset: f64,
}

impl Grid {
    /// A history, and the slots of `ahead` hours after it.
    pub(crate) fn new(history: &History, calendar: &Calendar<'_>, ahead: usize) -> Self {
        let begun =
            history.hours.iter().position(|s| s.value().is_some_and(|v| v > 0.0)).unwrap_or(history.hours.len());
        // Whole days: a quiet first night is one.
        let first = (begun - begun % 24).max(history.hours.len().saturating_sub(REMEMBERED));
        let kept = &history.hours[first..];
        let start = history.at(first);
        let slots = (0..kept.len() + ahead).map(|hour| calendar.slot(hours_after(start, hour))).collect();
        let values: Vec<Option<f64>> = kept.iter().map(|s| s.value().map(|v| v.min(1e18))).collect();
        let offset = offset(&values);
        Self { start, values, bound: kept.iter().map(|s: &Sample| s.is_bound()).collect(), slots, offset }
    }

    /// The same as it was when only the first `hours` were over.
    pub(crate) fn until(&self, hours: usize) -> Self {
        let hours = hours.min(self.values.len());
        let values = self.values[..hours].to_vec();
        let offset = offset(&values);
        Self { start: self.start, values, bound: self.bound[..hours].to_vec(), slots: self.slots.clone(), offset }
    }

    /// How many hours there are.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// When an hour begins.
    pub(crate) fn at(&self, hour: usize) -> WallTime {
        WallTime(self.start.0.saturating_add((hour as i64).saturating_mul(HOUR)))
    }

    /// A figure that is neither unknown nor only a bound.
    pub(crate) fn exact(&self, hour: usize) -> Option<f64> {
        if self.bound[hour] { None } else { self.values[hour] }
    }

    /// The logarithm that models work with.
    pub(crate) fn log(&self, value: f64) -> f64 {
        libm::log(value.max(0.0) + self.offset)
    }
}

/// A share of the mean of the last two weeks, spikes left out.
fn offset(values: &[Option<f64>]) -> f64 {
    let mut known: Vec<f64> = values[values.len().saturating_sub(336)..].iter().flatten().copied().collect();
    known.sort_unstable_by(f64::total_cmp);
    known.truncate(known.len() - known.len() / 100);
    let mean = stats::mean(&known).unwrap_or(0.0);
    if mean > 0.0 { OFFSET * mean } else { 1.0 }
}
