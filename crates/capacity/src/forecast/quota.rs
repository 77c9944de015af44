//! What a quota or a budget comes to: use adds up until it is reset, and the question is whether, and when, it is gone before.

use weir_units::WallTime;

use super::outcome::Forecast;

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
#[must_use]
pub fn quota(forecast: &Forecast, quota: &Quota, seed: u64) -> Vec<Period> {
    let _ = (forecast, quota, seed);
    Vec::new()
}
