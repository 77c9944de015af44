//! How much of each limit was used.

use std::time::Duration;

use serde::Serialize;
use weir_units::{Dimension, Moment};

use crate::record::Sample;
use crate::scenario::Scenario;

const MINUTE: Duration = Duration::from_secs(60);

/// The use of one limit over a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LimitUse {
    /// Whose.
    pub provider: String,
    /// What it limits, as the config spells it.
    #[serde(serialize_with = "name")]
    pub dimension: Dimension,
    /// The limit at the beginning.
    pub limit: u64,
    /// What was charged in all; of concurrent requests, their mean.
    pub used: u64,
    /// What its rate came to in all, with the cuts that befell it. A bucket that is full at the beginning gives its burst on
    /// top, so that short runs can use more than all.
    pub available: u64,
    /// The most that was charged in any minute; of concurrent requests, their peak; of a day's limit, all.
    pub worst_minute: u64,
    /// Whether its provider has no limit that was used more.
    pub binds: bool,
}

impl LimitUse {
    /// The share that was used, in parts per million.
    #[must_use]
    pub fn used_ppm(&self) -> u64 {
        let ppm = u128::from(self.used) * 1_000_000 / u128::from(self.available.max(1));
        u64::try_from(ppm).unwrap_or(u64::MAX)
    }
}

fn name<S: serde::Serializer>(dimension: &Dimension, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(dimension.name())
}

pub(super) fn uses(scenario: &Scenario, samples: &[Sample]) -> Vec<LimitUse> {
    let mut uses = Vec::new();
    for (number, (provider, real)) in scenario.providers.iter().enumerate() {
        let first = uses.len();
        for (dimension, limit) in real.profile.limits.iter() {
            let (used, available, worst_minute) = of_one(samples, number, dimension);
            let provider = provider.to_string();
            uses.push(LimitUse { provider, dimension, limit, used, available, worst_minute, binds: false });
        }
        if let Some(most) = uses[first..].iter_mut().max_by_key(|of| of.used_ppm()).filter(|of| of.used > 0) {
            most.binds = true;
        }
    }
    uses
}

/// What was used, what there was, and the worst minute.
fn of_one(samples: &[Sample], provider: usize, dimension: Dimension) -> (u64, u64, u64) {
    let charged = |sample: &Sample| sample.providers[provider].charged[dimension.index()];
    let limit = |sample: &Sample| sample.providers[provider].limits.get(dimension).unwrap_or(0);
    let positive = |n: i64| u64::try_from(n).unwrap_or(0);
    let (Some(start), Some(end)) = (samples.first(), samples.last()) else { return (0, 0, 0) };
    // What is limited at each moment is averaged over the run; what is limited per span is summed over it.
    let limit_nanos: u128 =
        samples.windows(2).map(|pair| u128::from(limit(&pair[0])) * pair[1].at.since(pair[0].at).as_nanos()).sum();
    let length = end.at.since(start.at).as_nanos().max(1);
    let small = |n: u128| u64::try_from(n).unwrap_or(u64::MAX);
    if dimension == Dimension::ConcurrentRequests {
        let held: u128 = samples
            .windows(2)
            .map(|pair| u128::from(positive(charged(&pair[0]))) * pair[1].at.since(pair[0].at).as_nanos())
            .sum();
        let peak = samples.iter().map(charged).max().unwrap_or(0);
        return (small(held / length), small(limit_nanos / length), positive(peak));
    }
    let used = positive(charged(end) - charged(start));
    if dimension.is_daily() {
        // A run of less than a day could have used a whole day's.
        let days = end.at.since(Moment::ZERO).as_secs().div_ceil(86_400).max(1);
        return (used, limit(start).saturating_mul(days), used);
    }
    let mut worst = 0;
    let mut from = 0;
    for to in 0..samples.len() {
        while samples[to].at.since(samples[from].at) > MINUTE && from + 1 < to {
            from += 1;
        }
        worst = worst.max(charged(&samples[to]) - charged(&samples[from]));
    }
    (used, small(limit_nanos / MINUTE.as_nanos()), positive(worst))
}
