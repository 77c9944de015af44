//! What a quota or a budget comes to: use adds up until it is reset, and the question is whether, and when, it is gone before.

use weir_units::WallTime;

use super::exhaustion::nth;
use super::history::HOUR;
use super::outcome::Forecast;
use super::paths::DRAWN;
use super::stats;

/// An amount that must last for a period, then is there anew: a day's tokens, a month's budget.
#[derive(Clone, Debug, PartialEq)]
pub struct Quota {
    /// What there is for each period, in the unit of the demand.
    pub limit: f64,
    /// What is used of the present period, up to the end of the history, its running hour included.
    pub used: f64,
    /// When the present period ends and those after it, ascending, by whose clock it is: a provider's midnight, a month's end.
    pub resets: Vec<WallTime>,
}

/// What becomes of one period of a quota.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Period {
    /// When it ends.
    pub resets: WallTime,
    /// The share of futures in which the quota is gone before.
    pub probability: f64,
    /// By when it is gone in one future of ten. `None`: in fewer, it lasts.
    pub p10: Option<WallTime>,
    /// By when in half of them.
    pub p50: Option<WallTime>,
    /// By when in nine of ten.
    pub p90: Option<WallTime>,
    /// Use at the end of the period, had it no limit: the 10th, 50th and 90th percentile.
    pub used: [f64; 3],
}

/// What becomes of each period that `quota` names, as far as the forecast reaches: 90 days with two weeks of history, two days with less.
///
/// A surge that has just begun, such as a batch job, counts along: it is expected to last about as long again as it has.
#[must_use]
pub fn quota(forecast: &Forecast, quota: &Quota, seed: u64) -> Vec<Period> {
    let futures = &forecast.futures;
    let reach = futures.at(futures.logs.len());
    let now = futures.at(0).0.saturating_add((futures.passed() * HOUR as f64) as i64);
    let mut resets: Vec<WallTime> = quota.resets.iter().copied().filter(|r| r.0 > now && *r <= reach).collect();
    resets.sort_unstable();
    resets.dedup();
    let Some(last) = resets.last() else { return Vec::new() };
    let hours = usize::try_from((last.0 - futures.at(0).0 + HOUR - 1) / HOUR).unwrap_or(0);
    let mut gone: Vec<Vec<WallTime>> = vec![Vec::new(); resets.len()];
    let mut ends: Vec<Vec<f64>> = vec![Vec::new(); resets.len()];
    let limit = if quota.limit.is_nan() { f64::INFINITY } else { quota.limit.max(0.0) };
    let sane = |value: f64| if value.is_finite() { value.max(0.0) } else { 0.0 };
    futures.demand(hours, seed, |demand| {
        let (mut period, mut used, mut is_gone) = (0, sane(quota.used), false);
        let mut at = now;
        if used >= limit {
            gone[0].push(WallTime(now));
            is_gone = true;
        }
        for (hour, amount) in demand.iter().enumerate() {
            let end = futures.at(hour + 1).0;
            // An hour in which a period ends is split there.
            let rate = amount / (end - at).max(1) as f64;
            while at < end && period < resets.len() {
                let until = end.min(resets[period].0);
                let part = rate * (until - at) as f64;
                if !is_gone && used + part >= limit {
                    let after = if rate > 0.0 { ((limit - used) / rate) as i64 } else { 0 };
                    gone[period].push(WallTime(at.saturating_add(after).min(until)));
                    is_gone = true;
                }
                used += part;
                at = until;
                if until == resets[period].0 {
                    ends[period].push(used);
                    (period, used, is_gone) = (period + 1, 0.0, limit <= 0.0);
                }
            }
        }
    });
    let told = |period: usize| {
        let (gone, ends) = (&gone[period], &ends[period]);
        let mut gone = gone.clone();
        gone.sort_unstable();
        Period {
            resets: resets[period],
            probability: gone.len() as f64 / DRAWN as f64,
            p10: nth(&gone, 0.10),
            p50: nth(&gone, 0.50),
            p90: nth(&gone, 0.90),
            used: [0.1, 0.5, 0.9].map(|q| stats::quantile(ends, q).unwrap_or(0.0)),
        }
    };
    (0..resets.len()).map(told).collect()
}
