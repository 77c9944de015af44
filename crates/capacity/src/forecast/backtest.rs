//! The nightly examination: each model is asked on each of the last nights with what was known then, and judged by what came.

use super::bands::{Bands, KINDS, Sorted, Tried, pinball, spread};
use super::grid::Grid;
use super::outcome::{BackTest, LEVELS};
use super::stats;

/// Nights that are tried at most.
const NIGHTS: usize = 28;
/// Hours that are forecast on each.
const HOURS: usize = 168;

/// What came of the nights.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nights {
    /// Every hour that was tried.
    pub(crate) tried: Vec<Tried>,
    /// The errors of each night's first day, the latest night first, and whether that day was a weekend's. Stepped days are left out.
    pub(crate) blocks: Vec<Block>,
    /// How many nights there were.
    pub(crate) nights: u32,
}

impl Nights {
    /// The last of them only.
    pub(crate) fn first(&self, most: usize) -> Self {
        let tried = self.tried.iter().filter(|t| t.night <= most).copied().collect();
        Self { tried, blocks: Vec::new(), nights: self.nights.min(most as u32) }
    }
}

/// How one day went otherwise than expected, hour by hour.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) weekend: bool,
    pub(crate) errors: [f64; 24],
}

/// Asks a model on each night: `medians(grid, hours)` forecasts so many hours after the end of what it is given.
pub(crate) fn nights(
    grid: &Grid,
    least: usize,
    most: usize,
    steps: &[i64],
    medians: impl Fn(&Grid, usize) -> Vec<f64>,
) -> Nights {
    let mut out = Nights::default();
    for night in 1..=NIGHTS.min(most) {
        let Some(origin) = grid.len().checked_sub(24 * night).filter(|o| *o >= least) else { break };
        let known = grid.until(origin);
        let medians = medians(&known, HOURS.min(24 * night));
        let limits = limits(&medians);
        let begun = grid.slots[origin].day;
        let mut block = Block { weekend: grid.slots[origin + 12].is_weekend(), errors: [0.0; 24] };
        let mut whole = 0;
        for (index, median) in medians.iter().enumerate() {
            let Some(came) = grid.exact(origin + index) else { continue };
            let day = grid.slots[origin + index].day;
            // A step is unknown before it, and learned in the two days after it.
            let stepped = steps.iter().any(|step| *step <= day && *step >= begun - 1);
            let error = grid.log(came) - grid.log(*median);
            if index < 24 && !stepped {
                block.errors[index] = error;
                whole += 1;
            }
            let kind = kind(&limits, *median);
            out.tried.push(Tried { kind, night, ahead: index / 24, day, median: *median, came, error, stepped });
        }
        if whole >= 20 {
            out.blocks.push(block);
        }
        out.nights += 1;
    }
    out
}

/// What separates quiet hours from usual ones, and those from busy ones.
pub(crate) fn limits(medians: &[f64]) -> [f64; KINDS - 1] {
    let mut sorted = medians.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    [1.0 / 3.0, 2.0 / 3.0].map(|q| stats::quantile_sorted(&sorted, q).unwrap_or(0.0))
}

/// How busy an hour is expected to be.
pub(crate) fn kind(limits: &[f64; KINDS - 1], median: f64) -> usize {
    limits.iter().filter(|limit| median > **limit).count()
}

/// The loss, the coverage and the error of the nights, each day judged by bands made from the other days. `ordinary` leaves out hours
/// before which there was a step that nobody could know.
pub(crate) fn judge(nights: &Nights, offset: f64, ordinary: bool) -> BackTest {
    let sorted = Sorted::new(&nights.tried, offset);
    let mut by_day: Vec<&Tried> = nights.tried.iter().filter(|t| !(ordinary && t.stepped)).collect();
    by_day.sort_by_key(|t| t.day);
    let (mut loss, mut inside, mut off, mut sum) = (0.0, 0_u32, 0.0, 0.0);
    for day in by_day.chunk_by(|a, b| a.day == b.day) {
        let bands = Bands::of(&sorted, day.first().map(|t| t.day));
        for t in day {
            let levels = spread(t.median, &bands.at(t.kind, t.ahead, t.median), offset, 1.0);
            loss += LEVELS.iter().zip(levels).map(|(level, v)| pinball(v, t.came, *level)).sum::<f64>();
            inside += u32::from(levels[0] <= t.came && t.came <= levels[LEVELS.len() - 1]);
            off += (levels[LEVELS.len() / 2] - t.came).abs();
            sum += t.came;
        }
    }
    let hours = by_day.len();
    let count = (hours.max(1)) as f64;
    BackTest {
        nights: nights.nights,
        hours: u32::try_from(hours).unwrap_or(u32::MAX),
        pinball: loss / count / LEVELS.len() as f64,
        naive: 0.0,
        coverage90: f64::from(inside) / count,
        error: if sum > 0.0 { off / sum } else { 0.0 },
    }
}
