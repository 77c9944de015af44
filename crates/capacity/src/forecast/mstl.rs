//! The second model: the series is taken apart into a day's, a week's and the remaining part (MSTL, Bandara et al. 2021), and the remainder is
//! continued by exponential smoothing with a damped trend. It is written out here: the crates that have it bring a library of linear algebra along.

use super::grid::Grid;
use super::history::WEEK;
use super::loess;
use super::slots::Slots;

/// Weeks of history from which it is tried.
pub(crate) const WEEKS: usize = 4;
/// How many figures of a slot are smoothed together, for the day and the week.
const WINDOWS: [(usize, usize); 2] = [(24, 11), (WEEK, 15)];
/// How far ahead the smoothing is judged, in hours.
const JUDGED: usize = 24;

/// The medians of hours to come; gaps and bounds are filled with what the other model says of them.
pub(crate) fn medians(grid: &Grid, hours: usize) -> Vec<f64> {
    let count = grid.len();
    if count < 2 * WEEK {
        return Slots::fit(grid, true).medians(grid, hours);
    }
    // Steps are taken out first: a season would take them for its own.
    let other = Slots::fit(grid, true);
    let logs: Vec<f64> = (0..count)
        .map(|hour| {
            let value = match grid.exact(hour) {
                Some(value) => value,
                None => other.usual(grid, hour).max(grid.values[hour].unwrap_or(0.0)),
            };
            grid.log(value) + other.trend.steps_after(grid.slots[hour].day)
        })
        .collect();
    let mut seasons = [vec![0.0; count], vec![0.0; count]];
    for _ in 0..2 {
        for (own, (period, window)) in WINDOWS.iter().enumerate() {
            let rest: Vec<f64> = (0..count).map(|i| logs[i] - seasons[1 - own][i]).collect();
            seasons[own] = loess::seasonal(&rest, *period, *window);
        }
    }
    let rest: Vec<f64> = (0..count).map(|i| logs[i] - seasons[0][i] - seasons[1][i]).collect();
    let continued = continued(&rest, hours);
    (0..hours)
        .map(|ahead| {
            let seasonal: f64 = (0..2)
                .map(|own| {
                    let period = WINDOWS[own].0;
                    seasons[own][count - period + ahead % period]
                })
                .sum();
            (libm::exp((continued[ahead] + seasonal).min(60.0)) - grid.offset).max(0.0)
        })
        .collect()
}

/// Figures continued by exponential smoothing with a damped trend (Holt; Gardner and McKenzie 1985). Which smoothing is decided by how well
/// it would have told a day ahead.
fn continued(rest: &[f64], hours: usize) -> Vec<f64> {
    let mut best = (f64::INFINITY, 0.0, 0.0, 0.98);
    for alpha in [0.01, 0.02, 0.05, 0.1, 0.2] {
        for beta in [0.0, 0.02, 0.1] {
            for damped in [0.98, 0.995] {
                let loss = smoothed(rest, alpha, alpha * beta, damped).2;
                if loss < best.0 {
                    best = (loss, alpha, alpha * beta, damped);
                }
                if beta == 0.0 {
                    break;
                }
            }
        }
    }
    let (level, slope, _) = smoothed(rest, best.1, best.2, best.3);
    let mut add = 0.0;
    let mut power = 1.0;
    (0..hours)
        .map(|_| {
            power *= best.3;
            add += power;
            level + slope * add
        })
        .collect()
}

/// The last level and slope, and the squared error of what was told a day before.
fn smoothed(rest: &[f64], alpha: f64, beta: f64, damped: f64) -> (f64, f64, f64) {
    let begin = rest.len().min(WEEK);
    let mut level = rest[..begin].iter().sum::<f64>() / begin.max(1) as f64;
    let (mut slope, mut loss) = (0.0, 0.0);
    let ahead: f64 = (1..=JUDGED as i32).map(|i| damped.powi(i)).sum();
    for (index, value) in rest.iter().enumerate() {
        if index >= begin
            && let Some(later) = rest.get(index + JUDGED - 1)
        {
            let off = later - level - slope * ahead;
            loss += off * off;
        }
        let before = level;
        level += slope * damped + alpha * (value - level - slope * damped);
        slope = slope * damped + beta * (level - before - slope * damped);
    }
    (level, slope, loss)
}
