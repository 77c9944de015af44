//! What each hour of the week usually is: the median of its last four, drawn towards what the hour and the day have in common.
//!
//! Four figures say little of one slot, and the busiest of 168 slots would be the luckiest. So each slot's median is shrunk towards the product of its
//! hour's and its day's usual size, the more, the less slots differ from that beyond their noise (James and Stein 1961).

use super::grid::Grid;
use super::history::{Slot, WEEK};
use super::stats;
use super::trend::Trend;

/// From how many of the last same hours the median is taken.
const SAME_HOURS: usize = 4;
/// The same where only the hour of the day counts.
const SAME_DAYS: usize = 7;

/// The usual size of each slot of the week at the last day's level. Where all that is known of a slot are bounds, the highest of them.
pub(crate) fn pattern(grid: &Grid, trend: Option<&Trend>, weekly: bool) -> Vec<f64> {
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
        for (same, most) in
            [(&mut of_week[slot.of_week()], SAME_HOURS), (&mut of_day[usize::from(slot.hour)], SAME_DAYS)]
        {
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
    let mut usual: Vec<f64> = (0..WEEK).map(of_slot).collect();
    if weekly {
        shrink(&mut usual[..5 * 24], &of_week[..5 * 24], grid.offset);
        shrink(&mut usual[5 * 24..], &of_week[5 * 24..], grid.offset);
    }
    usual
}

/// Draws the slots of days that are alike towards what their hours and days have in common.
fn shrink(usual: &mut [f64], same: &[Vec<f64>], offset: f64) {
    let days = usual.len() / 24;
    let log = |value: f64| libm::log(value.max(0.0) + offset);
    let logs: Vec<f64> = usual.iter().map(|v| log(*v)).collect();
    let by_hour: Vec<f64> = (0..24).map(|h| (0..days).map(|d| logs[d * 24 + h]).sum::<f64>() / days as f64).collect();
    let by_day: Vec<f64> =
        (0..days).map(|d| (0..24).map(|h| logs[d * 24 + h] - by_hour[h]).sum::<f64>() / 24.0).collect();
    let common = |slot: usize| by_hour[slot % 24] + by_day[slot / 24];
    let apart: Vec<f64> =
        (0..24).map(|h| (0..days).map(|d| (logs[d * 24 + h] - common(d * 24 + h)).powi(2)).sum::<f64>()).collect();
    // The noise of one figure in its slot, and what the median of so many keeps of it.
    let noise: Vec<f64> =
        (0..24).map(|h| (0..days).map(|d| noise_of(&same[d * 24 + h], &log)).sum::<f64>() / days as f64).collect();
    for (slot, value) in usual.iter_mut().enumerate() {
        // Hours nearby tell along how far slots differ.
        let near = (0..5).map(|i| (slot % 24 + 22 + i) % 24);
        let apart: f64 = near.clone().map(|h| apart[h]).sum::<f64>() / (days.max(2) - 1) as f64;
        let noise: f64 = near.map(|h| noise[h]).sum::<f64>();
        let keep = if apart > 0.0 { (1.0 - noise / apart).clamp(0.0, 1.0) } else { 1.0 };
        let shrunk = common(slot) + keep * (logs[slot] - common(slot));
        *value = (libm::exp(shrunk) - offset).max(0.0);
    }
}

/// The noise that is left in the median of a slot's figures. Of a single figure nothing is known.
fn noise_of(same: &[f64], log: &impl Fn(f64) -> f64) -> f64 {
    let logs: Vec<f64> = same.iter().map(|v| log(*v)).collect();
    let count = logs.len() as f64;
    if count < 2.0 { 0.0 } else { stats::variance(&logs).unwrap_or(0.0) / (count - 1.0) * 1.2 }
}

/// The middle of an hour in local days.
pub(crate) fn middle_of(slot: Slot) -> f64 {
    slot.day as f64 + (f64::from(slot.hour) + 0.5) / 24.0
}
