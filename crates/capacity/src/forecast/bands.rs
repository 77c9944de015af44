//! Bands around medians, from how wrong medians have been: split conformal, by how busy the hour is and how far ahead it lies.

use super::outcome::LEVELS;
use super::stats;

/// Kinds of hours: quiet, usual, busy.
pub(crate) const KINDS: usize = 3;
/// Distances: the next day, the two after it, the rest of the week.
pub(crate) const DISTANCES: usize = 3;
/// Errors of one kind and distance that stand for themselves; fewer are told by those of all kinds, or all distances.
const ENOUGH: usize = 24;

/// One hour that was forecast and then came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tried {
    /// How busy it was expected to be.
    pub(crate) kind: usize,
    /// How far ahead it was, in whole days: 0 is the next day.
    pub(crate) ahead: usize,
    /// Its local day.
    pub(crate) day: i64,
    /// The median that was forecast.
    pub(crate) median: f64,
    /// What came.
    pub(crate) came: f64,
    /// The logarithm of what came, less that of the median.
    pub(crate) error: f64,
    /// A step lies between: the error says nothing of ordinary days.
    pub(crate) stepped: bool,
}

/// The place of a whole-day distance among the distances.
pub(crate) fn distance(ahead: usize) -> usize {
    match ahead {
        0 => 0,
        1 | 2 => 1,
        _ => 2,
    }
}

/// What is added to the logarithm of a median, for each level.
pub(crate) type Offsets = [f64; LEVELS.len()];

/// The offsets of every kind and distance.
#[derive(Clone, Debug)]
pub(crate) struct Bands([[Offsets; DISTANCES]; KINDS]);

impl Bands {
    /// Bands from what was tried, without a day: a day must not be judged by bands that know it.
    pub(crate) fn of(tried: &Sorted, without: Option<i64>) -> Self {
        let mut bands = Self([[[0.0; LEVELS.len()]; DISTANCES]; KINDS]);
        for kind in 0..KINDS {
            for distance in 0..DISTANCES {
                bands.0[kind][distance] = tried.offsets(kind, distance, without);
            }
        }
        bands
    }

    /// The offsets for an hour.
    pub(crate) fn at(&self, kind: usize, ahead: usize) -> &Offsets {
        &self.0[kind.min(KINDS - 1)][distance(ahead)]
    }
}

/// Errors in ascending order, by kind and distance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sorted {
    cells: Vec<Vec<(f64, i64)>>,
    all: Vec<(f64, i64)>,
}

impl Sorted {
    /// Sorts the errors of ordinary days.
    pub(crate) fn new(tried: &[Tried]) -> Self {
        let mut cells = vec![Vec::new(); KINDS * DISTANCES];
        let mut all = Vec::new();
        for t in tried.iter().filter(|t| !t.stepped) {
            cells[t.kind.min(KINDS - 1) * DISTANCES + distance(t.ahead)].push((t.error, t.day));
            all.push((t.error, t.day));
        }
        for cell in cells.iter_mut().chain([&mut all]) {
            cell.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        }
        Self { cells, all }
    }

    fn offsets(&self, kind: usize, distance: usize, without: Option<i64>) -> Offsets {
        let pick = |from: &[(f64, i64)]| -> (Vec<f64>, usize) {
            let kept = from.iter().filter(|(_, day)| Some(*day) != without);
            let mut days: Vec<i64> = kept.clone().map(|(_, day)| *day).collect();
            days.sort_unstable();
            days.dedup();
            (kept.map(|(error, _)| *error).collect(), days.len())
        };
        let (mut errors, mut days) = pick(&self.cells[kind * DISTANCES + distance]);
        if errors.len() < ENOUGH {
            (errors, days) = pick(&self.all);
        }
        let days = days.max(1) as f64;
        let mut offsets = [0.0; LEVELS.len()];
        for (offset, level) in offsets.iter_mut().zip(LEVELS) {
            // Hours of one day go wrong together, so that days are what is counted: with few of them, the tails lie further out.
            let wide = (0.5 + (level - 0.5) * (days + 1.0) / days).clamp(0.0, 1.0);
            *offset = stats::quantile_sorted(&errors, wide).unwrap_or(0.0);
        }
        offsets
    }
}

/// Each level's value, from a median and its offsets. Never below zero, never falling from level to level.
pub(crate) fn spread(median: f64, offsets: &Offsets, add: f64, widen: f64) -> [f64; LEVELS.len()] {
    let log = libm::log(median.max(0.0) + add);
    let mut least = 0.0_f64;
    let middle = offsets[LEVELS.len() / 2];
    offsets.map(|offset| {
        let value = libm::exp((log + middle + (offset - middle) * widen).clamp(-60.0, 60.0)) - add;
        least = least.max(value);
        least
    })
}

/// The pinball loss of one level: what is too low costs its level, what is too high the rest.
pub(crate) fn pinball(forecast: f64, came: f64, level: f64) -> f64 {
    if came >= forecast { level * (came - forecast) } else { (1.0 - level) * (forecast - came) }
}
