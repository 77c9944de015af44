//! Makes a forecast: checks what is known, lets the models be examined, and puts bands around the better one's medians.

use super::backtest::{self, Block, Nights};
use super::bands::{Bands, Sorted, Tried, spread};
use super::grid::Grid;
use super::history::{Calendar, History, WEEK};
use super::mstl;
use super::outcome::{BackTest, Forecast, Growth, LEVELS, Model, Point, Shift, Unforecast};
use super::paths::{Futures, Surge, WANDERS};
use super::slots::Slots;
use super::stats;
use super::{DAILY_HOURS, DAYS_FOR_DAYS, DAYS_FOR_WEEKS};

/// What share of the other's loss the second model's must stay under: it must be better by three percent.
const BETTER: f64 = 0.97;
/// Nights after which the second model is given up if its loss is a tenth above.
const SCREENED: usize = 7;
const SCREEN: f64 = 1.1;
/// As far as dates are looked for, in hours: 90 days.
const FARTHEST: usize = 90 * 24;
/// The share of hours that must be known.
const KNOWN: f64 = 0.5;
/// Hours that may be missing from the days that it takes.
const NEARLY: usize = 6;
/// Hours without any demand after which there is nothing to forecast.
const SILENT: usize = 14 * 24;
/// Hours of history that a night of the examination needs: one week and a day of it.
const LEAST_WEEKLY: usize = 8 * 24;
/// The same where there are nights enough.
const GOOD_WEEKLY: usize = 14 * 24;
/// Nights that are enough.
const GOOD_NIGHTS: usize = 14;
/// The same of the daily model.
const LEAST_DAILY: usize = 2 * 24;

/// Hours after which a surge is a level.
const LONGEST_SURGE: usize = 18;

/// See [`forecast`](super::forecast).
pub(crate) fn make(
    history: &History,
    calendar: &Calendar<'_>,
    hours: usize,
    seed: u64,
) -> Result<Forecast, Unforecast> {
    let reach = hours.clamp(1, FARTHEST);
    let grid = Grid::new(history, calendar, FARTHEST);
    let weekly = enough(&grid, history, reach)?;
    let fit = Slots::fit(&grid, weekly);
    let medians = fit.medians(&grid, reach);
    let steps: Vec<i64> = fit.trend.steps.iter().map(|(day, _)| *day).collect();
    let least = least_known(&grid, weekly);
    let nights = backtest::nights(&grid, least, usize::MAX, &steps, |known, hours| {
        Slots::fit(known, weekly).medians(known, hours)
    });
    let mut model = if weekly { Model::SlotOfWeek } else { Model::Daily };
    let wander = wander(&nights, fit.trend.doubt);
    let doubt = fit.trend.doubt;
    let mut points = points(&grid, &medians, &nights, wander, doubt);
    let mut error = (nights.nights >= 3).then(|| backtest::judge(&nights, grid.offset, false));
    if let Some(other) = better(&grid, &nights, &steps, weekly) {
        model = Model::Mstl;
        error = Some(backtest::judge(&other, grid.offset, false));
        points = self::points(&grid, &continued(&grid, reach, fit.trend.slope), &other, wander, doubt);
    }
    let error = error.map(|judged| BackTest { naive: naive(&grid, &nights, weekly), ..judged });
    let futures = Futures { seed, ..futures(&grid, history, &fit, nights, wander, weekly) };
    let at_day = |day: i64| grid.slots.iter().position(|s| s.day >= day).map_or(grid.start, |hour| grid.at(hour));
    let shifts = fit.trend.steps.iter().map(|(day, log)| Shift { at: at_day(*day), factor: libm::exp(*log) }).collect();
    let growth =
        Growth { per_day: libm::exp(fit.trend.slope) - 1.0, uncertainty: fit.trend.doubt, evident: fit.trend.evident };
    Ok(Forecast { points, model, error, growth, shifts, days: grid.len() as f64 / 24.0, futures })
}

/// Hours of history that a night of the examination has at least: as much as the models need to be good, if that leaves nights enough.
fn least_known(grid: &Grid, weekly: bool) -> usize {
    let (few, good) = if weekly { (LEAST_WEEKLY, GOOD_WEEKLY) } else { (LEAST_DAILY, LEAST_DAILY) };
    if grid.len() >= good + GOOD_NIGHTS * 24 { good } else { few }
}

/// The nights of the other model, if it is better. A week of nights decides whether all of them are worth the time.
fn better(grid: &Grid, nights: &Nights, steps: &[i64], weekly: bool) -> Option<Nights> {
    let all = nights.nights as usize;
    if !weekly || grid.len() < mstl::WEEKS * WEEK || all < SCREENED {
        return None;
    }
    let loss = |nights: &Nights| backtest::judge(nights, grid.offset, true).pinball;
    let first = backtest::nights(grid, 2 * WEEK, SCREENED, steps, mstl::medians);
    if loss(&first) > loss(&nights.first(SCREENED)) * SCREEN {
        return None;
    }
    let other = backtest::nights(grid, 2 * WEEK, all, steps, mstl::medians);
    (other.nights == nights.nights && loss(&other) < loss(nights) * BETTER).then_some(other)
}

/// The other model's medians: a week of its own, then that week again with the trend.
fn continued(grid: &Grid, hours: usize, slope: f64) -> Vec<f64> {
    let mut medians = mstl::medians(grid, hours.min(WEEK));
    for hour in medians.len()..hours {
        medians.push(medians[hour - WEEK] * libm::exp(7.0 * slope));
    }
    medians
}

/// Whether there is enough for weeks (`true`) or for days, or why there is not.
fn enough(grid: &Grid, history: &History, reach: usize) -> Result<bool, Unforecast> {
    let silent = grid.values.iter().rev().take_while(|v| v.is_none_or(|v| v <= 0.0)).count();
    if grid.len() == 0 || silent >= SILENT {
        let days = history.hours.iter().rev().take_while(|s| s.value().is_none_or(|v| v <= 0.0)).count() / 24;
        return Err(Unforecast::Silent { days: u32::try_from(days).unwrap_or(u32::MAX) });
    }
    let whole = |days: u32| days as usize * 24 - NEARLY;
    let weekly = grid.len() >= whole(DAYS_FOR_WEEKS);
    let need = if reach > DAILY_HOURS { DAYS_FOR_WEEKS } else { DAYS_FOR_DAYS };
    if grid.len() < whole(need) {
        let days = grid.len() as f64 / 24.0;
        return Err(Unforecast::TooShort { days, need, from: grid.at(need as usize * 24) });
    }
    let recent = &grid.values[grid.len().saturating_sub(28 * 24)..];
    let known = recent.iter().flatten().count() as f64 / recent.len() as f64;
    if known < KNOWN {
        return Err(Unforecast::Gaps { known });
    }
    Ok(weekly)
}

/// The loss of repeating last week (or yesterday), with bands of its own errors, over the hours that the model was judged by.
fn naive(grid: &Grid, nights: &Nights, weekly: bool) -> f64 {
    let back = if weekly { WEEK } else { 24 };
    let mut tried: Vec<Tried> = Vec::new();
    for night in 1..=nights.nights as usize {
        let Some(origin) = grid.len().checked_sub(24 * night) else { break };
        for hour in origin..(origin + back.min(24 * night)).min(grid.len()) {
            let Some(came) = grid.exact(hour) else { continue };
            let before = (1..=3).find_map(|weeks| hour.checked_sub(back * weeks).and_then(|h| grid.values[h]));
            let Some(before) = before else { continue };
            let error = grid.log(came) - grid.log(before);
            let (ahead, day) = ((hour - origin) / 24, grid.slots[hour].day);
            tried.push(Tried { kind: 0, night, ahead, day, median: before, came, error, stepped: false });
        }
    }
    let before: Vec<f64> = tried.iter().map(|t| t.median).collect();
    let limits = backtest::limits(&before);
    for t in &mut tried {
        t.kind = backtest::kind(&limits, t.median);
    }
    backtest::judge(&Nights { tried, blocks: Vec::new(), nights: nights.nights }, grid.offset, false).pinball
}

/// How far the level wanders from day to day: what the errors of a week ahead have beyond those of a day ahead and the slope's doubt.
fn wander(nights: &Nights, doubt: f64) -> f64 {
    let of = |ahead: usize| -> Option<f64> {
        let mut by_day: Vec<(i64, f64)> = nights
            .tried
            .iter()
            .filter(|t| t.ahead == ahead && !t.stepped && t.kind > 0)
            .map(|t| (t.day, t.error))
            .collect();
        by_day.sort_by_key(|(day, _)| *day);
        let means: Vec<f64> = by_day
            .chunk_by(|a, b| a.0 == b.0)
            .filter_map(|day| stats::mean(&day.iter().map(|(_, error)| *error).collect::<Vec<_>>()))
            .collect();
        if means.len() < 5 { None } else { stats::spread(&means).map(|s| s * s) }
    };
    let (Some(near), Some(far)) = (of(0), of(6)) else { return 0.01 };
    ((far - near - 36.0 * doubt * doubt).max(0.0) / 6.0).sqrt()
}

/// How unsure the present level is: whole days that went otherwise did so half by chance of that day, half because the level was not known.
fn unsure(blocks: &[Block]) -> f64 {
    let means: Vec<f64> = blocks.iter().filter_map(|b| stats::mean(&b.errors)).collect();
    stats::spread(&means).unwrap_or(0.0) * std::f64::consts::FRAC_1_SQRT_2
}

/// Bands around the medians.
fn points(grid: &Grid, medians: &[f64], nights: &Nights, wander: f64, doubt: f64) -> Vec<Point> {
    let bands = Bands::of(&Sorted::new(&nights.tried, grid.offset), None);
    let limits = backtest::limits(&medians[..medians.len().min(WEEK)]);
    let mut points = Vec::with_capacity(medians.len());
    for (index, median) in medians.iter().enumerate() {
        let days = index / 24;
        let offsets = bands.at(backtest::kind(&limits, *median), days, *median);
        let own = ((offsets[LEVELS.len() - 1] - offsets[0]) / 3.29).max(1e-6);
        let farther = days.min(WANDERS).saturating_sub(6) as f64 * wander * wander
            + ((days * days) as f64 - 36.0).max(0.0) * doubt * doubt;
        let widen = (1.0 + farther / (own * own)).sqrt();
        points.push(Point { at: grid.at(grid.len() + index), levels: spread(*median, &offsets, grid.offset, widen) });
    }
    points
}

fn futures(grid: &Grid, history: &History, fit: &Slots, nights: Nights, wander: f64, weekly: bool) -> Futures {
    let slope = fit.trend.slope;
    let (surge, before) = surge(grid, history, fit, &nights);
    let medians = fit.before(grid, before).medians(grid, if weekly { FARTHEST } else { DAILY_HOURS });
    let logs = medians.iter().enumerate().map(|(i, m)| grid.log(*m) - slope * i as f64 / 24.0).collect();
    let last = grid.slots[grid.len() - 1].day;
    let stepped = fit.trend.steps.iter().any(|(day, log)| *log > 0.0 && last - day < 14);
    Futures {
        seed: 0,
        start: grid.at(grid.len()),
        slots: grid.slots[grid.len()..grid.len() + medians.len()].to_vec(),
        logs,
        offset: grid.offset,
        slope,
        doubt: fit.trend.doubt,
        linear: fit.trend.linear,
        by_amount: fit.trend.by_amount,
        wander,
        unsure: unsure(&nights.blocks),
        blocks: nights.blocks,
        running: history.running,
        surge,
        growing: stepped || (fit.trend.evident && slope > 0.0),
        weekly,
    }
}

/// Demand that has been far above its usual band in each of the last hours, and how many whole hours that are. What lasts longer than
/// [`LONGEST_SURGE`] is no surge but a level.
fn surge(grid: &Grid, history: &History, fit: &Slots, nights: &Nights) -> (Option<Surge>, usize) {
    let scale = Sorted::new(&nights.tried, grid.offset).scale;
    let mean = grid.offset / super::grid::OFFSET;
    let extra = |hour: usize, value: f64| {
        let usual = fit.usual(grid, hour);
        let high = (usual + grid.offset) * libm::exp((3.0 * scale.at(usual)).min(3.0)) - grid.offset;
        (value > high && value > usual + mean / 4.0).then_some(value - usual)
    };
    let (mut hours, mut sum) = (0.0, 0.0);
    let passed = history.running.map_or(0.0, |r| (r.passed.as_secs_f64() / 3600.0).clamp(0.0, 1.0));
    if let Some(running) = history.running.filter(|r| passed >= 0.25 && r.sum.is_finite()) {
        match extra(grid.len(), running.sum / passed) {
            Some(more) => (hours, sum) = (passed, more * passed),
            None => return (None, 0),
        }
    }
    let mut whole = 0;
    while whole < grid.len() {
        let hour = grid.len() - 1 - whole;
        let Some(more) = grid.values[hour].and_then(|value| extra(hour, value)) else { break };
        (hours, sum, whole) = (hours + 1.0, sum + more, whole + 1);
    }
    if hours < 1.0 || whole > LONGEST_SURGE { (None, 0) } else { (Some(Surge { hours, extra: sum / hours }), whole) }
}
