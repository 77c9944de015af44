//! The level from day to day: its growth, and where it stepped up or down for good, such as at a launch.
//!
//! The logarithm of each day's demand is explained by its weekday, and by what of this is worth its place: a slope, steps, one bend.
//! Each is taken only if it explains far more than chance does, so that flat traffic stays flat.

use super::stats;

/// What one day was like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Day {
    /// The local day.
    pub(crate) day: i64,
    /// 0 is Monday.
    pub(crate) weekday: u8,
    /// The logarithm of its demand.
    pub(crate) log: f64,
}

/// The growth of levels, and their steps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trend {
    /// The logarithm of growth a day at the end, shrunk towards none by how doubtful it is.
    pub(crate) slope: f64,
    /// The standard error of the slope.
    pub(crate) doubt: f64,
    /// Whether growth or decline is beyond doubt.
    pub(crate) evident: bool,
    /// Growth a day as a share of the last day's level, if levels grow by an amount and not by a share.
    pub(crate) linear: f64,
    /// How likely it is that they grow by an amount, 0 to 1.
    pub(crate) by_amount: f64,
    /// Steps: the first day of the new level, and the logarithm of the factor.
    pub(crate) steps: Vec<(i64, f64)>,
    /// Where the slope bent, and what it was before.
    pub(crate) bend: Option<(i64, f64)>,
    /// How much of a day's deviation is left on the next day, 0 to 1.
    pub(crate) memory: f64,
    /// The last day that was looked at.
    pub(crate) last: i64,
}

/// How many steps are believed at most.
const STEPS: usize = 3;
/// What a step must explain, in variances of a day's noise.
const STEP_WORTH: f64 = 30.0;
/// What a bend must explain.
const BEND_WORTH: f64 = 30.0;
/// The least step that is told: 12 %.
const LEAST_STEP: f64 = 0.113;
/// From how many standard errors on a slope is beyond doubt, and how many more for each step or bend that was chosen along with it.
const EVIDENT: f64 = 4.0;
const EVIDENT_MORE: f64 = 1.5;
/// The least growth a day that is beyond doubt, whatever the standard error says: a seventh of a percent.
const LEAST_GROWTH: f64 = 0.0015;
/// Days on either side of a step.
const SIDE: usize = 2;

impl Trend {
    /// Finds the trend of days in their order. Fewer than eight days have none.
    pub(crate) fn of(days: &[Day]) -> Self {
        let last = days.last().map_or(0, |d| d.day);
        if days.len() < 8 {
            return Self { last, doubt: 0.02, memory: 1.0, ..Self::default() };
        }
        let weights = weights(days);
        let plain = Fit::new(days, &weights).grow(false);
        let sloped = Fit::new(days, &weights).grow(true);
        if sloped.cost() < plain.cost() { sloped.trend(days) } else { plain.trend(days) }
    }

    /// The logarithm of all steps after a day.
    pub(crate) fn steps_after(&self, day: i64) -> f64 {
        self.steps.iter().filter(|(from, _)| day < *from).map(|(_, step)| step).sum()
    }

    /// The logarithm of a day's level against that of the last day; `day` may have a fraction.
    pub(crate) fn at(&self, day: f64) -> f64 {
        let last = self.last as f64 + 1.0;
        let steps = self.steps_after(libm::floor(day) as i64);
        let sloped = match self.bend {
            Some((bend, before)) if day < bend as f64 => {
                self.slope * (bend as f64 - last) + before * (day - bend as f64)
            }
            _ => self.slope * (day - last),
        };
        sloped - steps
    }
}

/// Single days that stand out, such as holidays, count little. Two or more at the very end may be a new level, and count.
fn weights(days: &[Day]) -> Vec<f64> {
    let plain: Vec<f64> = without_weekdays(days);
    let noise = noise(&plain).max(0.01);
    let out: Vec<bool> = (0..plain.len())
        .map(|i| {
            let near = &plain[i.saturating_sub(3)..(i + 4).min(plain.len())];
            stats::median(near).is_some_and(|m| (plain[i] - m).abs() > 4.0 * noise)
        })
        .collect();
    let at_end = out.iter().rev().take_while(|o| **o).count();
    let kept = if at_end >= SIDE { plain.len() - at_end } else { plain.len() };
    (0..plain.len()).map(|i| if out[i] && i < kept { 0.01 } else { 1.0 }).collect()
}

/// Days less the median of how their weekday differs from the days around.
fn without_weekdays(days: &[Day]) -> Vec<f64> {
    let logs: Vec<f64> = days.iter().map(|d| d.log).collect();
    let around: Vec<f64> = (0..logs.len())
        .map(|i| {
            let from = i.saturating_sub(3).min(logs.len().saturating_sub(7));
            stats::mean(&logs[from..(from + 7).min(logs.len())]).unwrap_or(0.0)
        })
        .collect();
    let usual: Vec<f64> = (0..7u8)
        .map(|w| {
            let of: Vec<f64> = (0..logs.len()).filter(|i| days[*i].weekday == w).map(|i| logs[i] - around[i]).collect();
            stats::median(&of).unwrap_or(0.0)
        })
        .collect();
    days.iter().map(|d| d.log - usual[usize::from(d.weekday.min(6))]).collect()
}

/// The noise of single days: how far they are from the mean of their neighbours, which neither slopes nor steps move.
fn noise(plain: &[f64]) -> f64 {
    let off: Vec<f64> = plain.windows(3).map(|w| (w[1] - (w[0] + w[2]) / 2.0).abs()).collect();
    stats::median(&off).unwrap_or(0.0) * 1.4826 / 1.2247
}

/// What explains the days so far: columns made orthogonal, and what is left.
#[derive(Clone)]
struct Fit {
    weights: Vec<f64>,
    times: Vec<f64>,
    basis: Vec<Vec<f64>>,
    left: Vec<f64>,
    columns: Vec<Column>,
}

#[derive(Clone, Copy, PartialEq)]
enum Column {
    Weekday(u8),
    Slope,
    Step(usize),
    Bend(usize),
}

impl Fit {
    fn new(days: &[Day], weights: &[f64]) -> Self {
        let first = days.first().map_or(0, |d| d.day);
        let times = days.iter().map(|d| (d.day - first) as f64).collect();
        let left = days.iter().zip(weights).map(|(d, w)| d.log * w.sqrt()).collect();
        let weights = weights.to_vec();
        let mut fit = Self { weights, times, basis: Vec::new(), left, columns: Vec::new() };
        for weekday in 0..7 {
            let column = days.iter().map(|d| f64::from(u8::from(d.weekday == weekday))).collect();
            fit.take(Column::Weekday(weekday), column);
        }
        fit
    }

    fn values(&self, column: Column) -> Vec<f64> {
        let end = self.times.last().copied().unwrap_or(0.0);
        match column {
            Column::Slope => self.times.iter().map(|t| t - end).collect(),
            Column::Step(at) => (0..self.times.len()).map(|i| f64::from(u8::from(i >= at))).collect(),
            Column::Bend(at) => self.times.iter().map(|t| (t - self.times[at]).min(0.0)).collect(),
            Column::Weekday(_) => vec![0.0; self.times.len()],
        }
    }

    /// A column weighted and made orthogonal to those that were taken; `None` if they explain it already.
    fn orthogonal(&self, mut column: Vec<f64>) -> Option<Vec<f64>> {
        for (value, weight) in column.iter_mut().zip(&self.weights) {
            *value *= weight.sqrt();
        }
        let before = dot(&column, &column);
        for base in &self.basis {
            let along = dot(&column, base);
            for (value, b) in column.iter_mut().zip(base) {
                *value -= along * b;
            }
        }
        let size = dot(&column, &column);
        if size <= 1e-9 * before.max(1e-12) || size <= 1e-12 {
            return None;
        }
        let scale = size.sqrt();
        for value in &mut column {
            *value /= scale;
        }
        Some(column)
    }

    /// What a column would explain.
    fn gain(&self, column: Column) -> f64 {
        self.orthogonal(self.values(column)).map_or(0.0, |c| {
            let along = dot(&c, &self.left);
            along * along
        })
    }

    fn take(&mut self, column: Column, values: Vec<f64>) {
        let Some(base) = self.orthogonal(values) else { return };
        let along = dot(&base, &self.left);
        for (value, b) in self.left.iter_mut().zip(&base) {
            *value -= along * b;
        }
        self.basis.push(base);
        self.columns.push(column);
    }

    /// The variance of a day's noise: what is left, without outliers, and never below half a percent.
    fn variance(&self) -> f64 {
        let count = self.left.len();
        let free = count.saturating_sub(self.columns.len()).max(1);
        let sum: f64 = dot(&self.left, &self.left);
        let robust = stats::spread(&self.left).unwrap_or(0.0).powi(2) * count as f64 / free as f64;
        (sum / free as f64).min(robust * 2.0).max(robust).max(0.005 * 0.005)
    }

    /// How much of a day's noise is left on the next day. Short histories show less of it than there is.
    fn follow(&self) -> f64 {
        (stats::autocorrelation(&self.left) + 4.0 / self.left.len() as f64).clamp(0.0, 0.9)
    }

    /// Takes what is worth it: with or without a slope, then steps and a bend while one explains enough.
    fn grow(mut self, sloped: bool) -> Self {
        if sloped {
            self.take(Column::Slope, self.values(Column::Slope));
        }
        let count = self.times.len();
        for _ in 0..=STEPS {
            let steps = self.columns.iter().filter(|c| matches!(c, Column::Step(_))).count();
            let bent = self.columns.iter().any(|c| matches!(c, Column::Bend(_)));
            let mut best: Option<(f64, Column)> = None;
            let mut consider = |column: Column, worth: f64| {
                let over = self.gain(column) - worth;
                if best.is_none_or(|(b, _)| over > b) {
                    best = Some((over, column));
                }
            };
            let noise = self.variance_if_stepped();
            if steps < STEPS {
                for at in SIDE..=count.saturating_sub(SIDE) {
                    consider(Column::Step(at), STEP_WORTH * noise);
                }
            }
            if sloped && !bent {
                for at in 7..count.saturating_sub(6) {
                    consider(Column::Bend(at), BEND_WORTH * noise);
                }
            }
            match best {
                Some((over, column)) if over > 0.0 => {
                    self.take(column, self.values(column));
                }
                _ => break,
            }
        }
        self
    }

    /// The noise against which a step is judged: that of single days, which the step itself does not enlarge, and longer where it lasts.
    fn variance_if_stepped(&self) -> f64 {
        let single = noise(&self.left).powi(2).max(0.01 * 0.01);
        single.max(self.variance() / 4.0)
    }

    /// What is left unexplained, and what was paid for columns (Schwarz's criterion, steps dearer).
    fn cost(&self) -> f64 {
        let count = self.left.len() as f64;
        let paid = self.columns.iter().map(|c| match c {
            Column::Weekday(_) => 0.0,
            Column::Slope => 5.0,
            Column::Step(_) | Column::Bend(_) => 10.0,
        });
        count * libm::log(dot(&self.left, &self.left) / count + 1e-6) + paid.sum::<f64>()
    }

    /// The coefficients of the columns that were taken, by elimination.
    fn trend(&self, days: &[Day]) -> Trend {
        let columns: Vec<Vec<f64>> = self
            .columns
            .iter()
            .map(|c| {
                let plain = match c {
                    Column::Weekday(w) => days.iter().map(|d| f64::from(u8::from(d.weekday == *w))).collect(),
                    other => self.values(*other),
                };
                plain.iter().zip(&self.weights).map(|(v, w)| v * w.sqrt()).collect()
            })
            .collect();
        let target: Vec<f64> = days.iter().zip(&self.weights).map(|(d, w)| d.log * w.sqrt()).collect();
        let last = days.last().map_or(0, |d| d.day);
        let Some((coefficients, inverse)) = least_squares(&columns, &target) else {
            return Trend { last, doubt: 0.02, memory: 1.0, ..Trend::default() };
        };
        let follow = self.follow();
        let variance = self.variance() * (1.0 + follow) / (1.0 - follow);
        let mut trend = Trend { last, memory: follow, ..Trend::default() };
        let span = self.times.last().copied().unwrap_or(1.0).max(1.0);
        trend.doubt = (variance * 12.0 / (span * span * span)).sqrt();
        for (index, column) in self.columns.iter().enumerate() {
            let value = coefficients[index];
            match column {
                Column::Slope => {
                    trend.doubt = (inverse[index][index] * variance).sqrt();
                    let t = value / trend.doubt.max(1e-9);
                    let along = self.columns.iter().filter(|c| matches!(c, Column::Step(_) | Column::Bend(_))).count();
                    trend.evident = t.abs() >= EVIDENT + EVIDENT_MORE * along as f64 && value.abs() >= LEAST_GROWTH;
                    // How likely there is a slope at all, against none (Schwarz's criterion).
                    let odds = (t * t - (self.times.len() as f64).ln() - 2.0) / 2.0;
                    trend.slope = value / (1.0 + libm::exp(-odds));
                }
                Column::Step(at) if value.abs() >= LEAST_STEP => trend.steps.push((days[*at].day, value)),
                Column::Bend(at) => trend.bend = Some((days[*at].day, value)),
                _ => {}
            }
        }
        if let Some((_, before)) = &mut trend.bend {
            *before += trend.slope;
        }
        self.by_amount(days, &coefficients, variance, &mut trend);
        trend.steps.sort_unstable_by_key(|(day, _)| *day);
        trend
    }

    /// Whether the days since the bend grow by an amount rather than by a share: both are fitted, and the odds are told.
    fn by_amount(&self, days: &[Day], coefficients: &[f64], variance: f64, trend: &mut Trend) {
        (trend.linear, trend.by_amount) = (trend.slope, 0.5);
        if !trend.evident || trend.slope <= 0.0 {
            return;
        }
        let end = self.times.last().copied().unwrap_or(0.0);
        let begin = trend.bend.map_or(i64::MIN, |(day, _)| day);
        // What is left when weekdays and steps are taken out, with the time before the end and the weight.
        let level: Vec<(f64, f64, f64)> = (0..days.len())
            .filter(|i| days[*i].day >= begin)
            .map(|i| {
                let known = self.columns.iter().zip(coefficients).map(|(column, c)| match column {
                    Column::Weekday(w) if days[i].weekday == *w => *c,
                    Column::Step(at) if i >= *at => *c,
                    _ => 0.0,
                });
                (self.times[i] - end, days[i].log - known.sum::<f64>(), self.weights[i])
            })
            .collect();
        let left = |grown: &dyn Fn(f64) -> f64| -> f64 {
            let weight: f64 = level.iter().map(|(_, _, w)| w).sum();
            let mean = level.iter().map(|(t, log, w)| (log - grown(*t)) * w).sum::<f64>() / weight.max(1e-9);
            level.iter().map(|(t, log, w)| w * (log - grown(*t) - mean) * (log - grown(*t) - mean)).sum()
        };
        let span = level.first().map_or(1.0, |(t, _, _)| -t).max(1.0);
        let by_amount = |s: f64| left(&|t| libm::log(1.0 + s * t));
        let (share, _) = least(0.0, 0.5, |s| left(&|t| s * t));
        let (amount, by_amount) = least(0.0, 0.98 / span, by_amount);
        let by_share = left(&|t| share * t);
        trend.linear = amount;
        trend.by_amount = 1.0 / (1.0 + libm::exp(((by_amount - by_share) / (2.0 * variance)).clamp(-30.0, 30.0)));
    }
}

/// Where a function with one valley is least between two places, and what it is there (ternary search).
fn least(mut low: f64, mut high: f64, of: impl Fn(f64) -> f64) -> (f64, f64) {
    for _ in 0..40 {
        let (a, b) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        if of(a) < of(b) { high = b } else { low = a }
    }
    let middle = f64::midpoint(low, high);
    (middle, of(middle))
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// The coefficients that explain `target` best, and the inverse of the normal matrix (Gauss–Jordan with pivots).
fn least_squares(columns: &[Vec<f64>], target: &[f64]) -> Option<(Vec<f64>, Vec<Vec<f64>>)> {
    let size = columns.len();
    let mut rows: Vec<Vec<f64>> = (0..size)
        .map(|i| {
            let mut row: Vec<f64> = columns.iter().map(|c| dot(&columns[i], c)).collect();
            row.extend((0..size).map(|j| f64::from(u8::from(i == j))));
            row
        })
        .collect();
    for i in 0..size {
        let pivot = (i..size).max_by(|a, b| rows[*a][i].abs().total_cmp(&rows[*b][i].abs()))?;
        rows.swap(i, pivot);
        let lead = rows[i][i];
        if lead.abs() < 1e-12 {
            return None;
        }
        for value in &mut rows[i] {
            *value /= lead;
        }
        let taken = rows[i].clone();
        for (j, row) in rows.iter_mut().enumerate() {
            if j != i {
                let factor = row[i];
                for (value, t) in row.iter_mut().zip(&taken) {
                    *value -= factor * t;
                }
            }
        }
    }
    let inverse: Vec<Vec<f64>> = rows.into_iter().map(|row| row[size..].to_vec()).collect();
    let sums: Vec<f64> = columns.iter().map(|c| dot(c, target)).collect();
    Some((inverse.iter().map(|row| dot(row, &sums)).collect(), inverse))
}
