//! Bands around medians, from how wrong medians have been: split conformal, by how busy the hour is and how far ahead it lies.

use super::outcome::LEVELS;
use super::stats;

/// Kinds of hours: quiet, usual, busy.
pub(crate) const KINDS: usize = 3;
/// Distances: the next day, the two after it, the rest of the week.
pub(crate) const DISTANCES: usize = 3;
/// Errors of one kind and distance that stand for themselves; fewer are told by those of all kinds, or all distances.
const ENOUGH: usize = 24;
/// How much further out tails lie for each day less: a third of a day.s worth, tried on public series.
const WIDE: f64 = 0.3;

/// One hour that was forecast and then came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tried {
    /// How busy it was expected to be.
    pub(crate) kind: usize,
    /// How far ahead it was, in whole days: 0 is the next day.
    pub(crate) ahead: usize,
    /// From which night it was forecast; 1 is the last.
    pub(crate) night: usize,
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
pub(crate) struct Bands([[Offsets; DISTANCES]; KINDS], Scale);

impl Bands {
    /// Bands from what was tried, without a day: a day must not be judged by bands that know it.
    pub(crate) fn of(tried: &Sorted, without: Option<i64>) -> Self {
        let mut bands = Self([[[0.0; LEVELS.len()]; DISTANCES]; KINDS], tried.scale);
        for kind in 0..KINDS {
            for distance in 0..DISTANCES {
                bands.0[kind][distance] = tried.offsets(kind, distance, without);
            }
        }
        bands
    }

    /// The offsets for an hour.
    pub(crate) fn at(&self, kind: usize, ahead: usize, median: f64) -> Offsets {
        let size = self.1.at(median);
        self.0[kind.min(KINDS - 1)][distance(ahead)].map(|offset| offset * size)
    }
}

/// How large errors of logarithms usually are: counts of few vary more than counts of many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    always: f64,
    by_count: f64,
    offset: f64,
}

impl Scale {
    /// Explains squared errors by a constant and by one over the median (least squares, neither part negative).
    fn of(tried: &[Tried], offset: f64) -> Self {
        let (mut n, mut x1, mut x2, mut y1, mut xy) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for t in tried.iter().filter(|t| !t.stepped) {
            let (x, y) = (1.0 / (t.median + offset), (t.error * t.error).min(4.0));
            (n, x1, x2, y1, xy) = (n + 1.0, x1 + x, x2 + x * x, y1 + y, xy + x * y);
        }
        if n < 1.0 {
            return Self { always: 1.0, by_count: 0.0, offset };
        }
        let free = n * x2 - x1 * x1;
        let by_count = if free > 1e-9 * n * x2 { ((n * xy - x1 * y1) / free).max(0.0) } else { 0.0 };
        let always = (y1 - by_count * x1) / n;
        if always <= 0.0 && x2 > 0.0 {
            return Self { always: 1e-8, by_count: xy / x2, offset };
        }
        Self { always: always.max(1e-8), by_count, offset }
    }

    /// The usual size of an error where this is the median.
    pub(crate) fn at(self, median: f64) -> f64 {
        (self.always + self.by_count / (median.max(0.0) + self.offset)).sqrt()
    }
}

/// Errors in ascending order, by kind and distance, each as a multiple of its usual size.
#[derive(Clone, Debug)]
pub(crate) struct Sorted {
    /// The usual sizes.
    pub(crate) scale: Scale,
    /// Over how many days an error lasts: days that are wrong alike count as one.
    lasts: f64,
    cells: Vec<Vec<(f64, i64)>>,
    all: Vec<(f64, i64)>,
}

impl Sorted {
    /// Sorts the errors of ordinary days.
    pub(crate) fn new(tried: &[Tried], offset: f64) -> Self {
        let scale = Scale::of(tried, offset);
        let mut cells = vec![Vec::new(); KINDS * DISTANCES];
        let mut all = Vec::new();
        for t in tried.iter().filter(|t| !t.stepped) {
            let error = t.error / scale.at(t.median);
            cells[t.kind.min(KINDS - 1) * DISTANCES + distance(t.ahead)].push((error, t.day));
            all.push((error, t.day));
        }
        for cell in cells.iter_mut().chain([&mut all]) {
            cell.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        }
        Self { scale, lasts: lasts(tried), cells, all }
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
        let days = (days.max(1) as f64 / self.lasts).max(1.0);
        let mut offsets = [0.0; LEVELS.len()];
        for (offset, level) in offsets.iter_mut().zip(LEVELS) {
            // Hours of one day go wrong together, so that days are what is counted: with few of them, the tails lie further out.
            let wide = (0.5 + (level - 0.5) * (days + WIDE) / days).clamp(0.0, 1.0);
            *offset = stats::quantile_sorted(&errors, wide).unwrap_or(0.0);
        }
        offsets
    }
}

/// Over how many days errors last, by how much a day's mean error follows that of the day before.
fn lasts(tried: &[Tried]) -> f64 {
    let mut far: Vec<(i64, f64)> =
        tried.iter().filter(|t| distance(t.ahead) == DISTANCES - 1 && !t.stepped).map(|t| (t.day, t.error)).collect();
    far.sort_by_key(|(day, _)| *day);
    let mean = |day: &[(i64, f64)]| day.iter().map(|(_, error)| error).sum::<f64>() / day.len() as f64;
    let days: Vec<f64> = far.chunk_by(|a, b| a.0 == b.0).map(mean).collect();
    let follow = if days.len() < 7 { 0.0 } else { stats::autocorrelation(&days).clamp(0.0, 0.8) };
    (1.0 + follow) / (1.0 - follow)
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
