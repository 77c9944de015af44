//! What a load asks of each limit in a minute: on average, and how much that swings.

use weir_engine::{ChargeModel, Size};
use weir_units::{Dimension, Tokens, Usage};

use super::load::{Arrivals, Load, Recorded, recorded_seconds};

/// The share of a normal distribution's deviations below which 19 of 20 minutes lie.
pub(super) const P95: f64 = 1.645;

/// One request, as limits look at it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Request {
    /// Input tokens.
    pub input: f64,
    /// Of those, what a prompt cache has.
    pub cached: f64,
    /// Output tokens.
    pub output: f64,
    /// The bound on output that it sets.
    pub max_output: Option<u64>,
}

/// What is asked of one limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Demand {
    /// In a minute on average; of concurrent requests, at a time; of a day, in a day of the hours in which it is asked.
    pub mean: f64,
    /// The variance of a minute's.
    pub variance: f64,
}

impl Demand {
    /// What 19 of 20 minutes stay below.
    #[must_use]
    pub fn peak(&self) -> f64 {
        self.mean + P95 * self.variance.max(0.0).sqrt()
    }

    /// Both together, which know nothing of each other.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { mean: self.mean + other.mean, variance: self.variance + other.variance }
    }
}

impl Request {
    /// The mean request of a load.
    #[must_use]
    pub fn mean_of(load: &Load) -> Self {
        let input = load.mean_input();
        let (cached, max_output) = (input * load.sizes.cached.clamp(0.0, 1.0), load.sizes.max_output);
        Self { input, cached, output: load.mean_output(), max_output }
    }

    /// What it counts for in a dimension, as the engine settles it.
    #[must_use]
    pub fn cost(&self, charge: ChargeModel, dimension: Dimension) -> f64 {
        let usage = self.usage();
        let size = Size { input: usage.input.0, max_output: self.max_output, likely_output: usage.output.0 };
        charge.settle(&charge.reserve(&size), &usage).get(dimension) as f64
    }

    /// Its tokens, whole.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let whole = |count: f64| Tokens(whole(count));
        let (input, output) = (whole(self.input), whole(self.output));
        Usage { input, cached_input: whole(self.cached).min(input), output, ..Usage::default() }
    }
}

/// What `share` of a load asks of a dimension; `hours` is how long in a day it goes on.
#[must_use]
pub fn demand_of(load: &Load, share: f64, charge: ChargeModel, dimension: Dimension, hours: f64) -> Demand {
    let rate = load.rate() * share;
    if dimension == Dimension::ConcurrentRequests {
        return concurrent(load, rate);
    }
    if let Arrivals::Recorded { requests, times } = &load.arrivals {
        return recorded(load, requests, times * share, charge, dimension, hours);
    }
    let request = Request::mean_of(load);
    let mean = request.cost(charge, dimension);
    if dimension.is_daily() {
        let per_day = rate * hours * 3_600.0;
        return Demand { mean: per_day * mean, variance: 0.0 };
    }
    // Input and output swing apart from each other.
    let of_output = mean - Request { output: 0.0, ..request }.cost(charge, dimension);
    let of_output = if dimension.is_of_tokens() { of_output } else { 0.0 };
    let of_input = if dimension.is_of_tokens() { mean - of_output } else { 0.0 };
    let swing = load.sizes.sigma.powi(2).exp_m1();
    let variance = swing * (of_output.powi(2) + of_input.powi(2));
    let per_minute = rate * 60.0;
    Demand { mean: per_minute * mean, variance: per_minute * (dispersion(load, 60.0, share) * mean.powi(2) + variance) }
}

/// The variance of how many requests come in `seconds`, over its mean: 1 for independent ones, less of users who wait for their
/// answers before they think (Cox, "Renewal Theory", 1962: the count of an equilibrium renewal process). Where only a `share` of
/// them comes here, they are as good as independent the smaller that is.
#[must_use]
pub(super) fn dispersion(load: &Load, seconds: f64, share: f64) -> f64 {
    let Arrivals::Users { think, .. } = load.arrivals else { return 1.0 };
    let (think, service) = (think.as_secs_f64(), load.mean_service());
    let cycle = (think + service).max(1e-6);
    let spread = load.service.per_output * load.mean_output();
    let of_service = load.sizes.sigma.powi(2).exp_m1() * spread.powi(2);
    let squared = (think.powi(2) + of_service) / cycle.powi(2);
    let skew = 2.0 * think.powi(3) / cycle.powi(3);
    let begin = 1.0 / 6.0 + squared.powi(2) / 2.0 - skew / 3.0;
    let whole = (squared + begin * cycle / seconds).clamp(0.0, 1.0);
    1.0 - share * (1.0 - whole)
}

fn concurrent(load: &Load, rate: f64) -> Demand {
    let mean = rate * load.mean_service();
    let variance = match load.arrivals {
        // Each user is either in here or not.
        Arrivals::Users { users, .. } if users > 0 => mean * (1.0 - mean / f64::from(users)),
        _ => mean,
    };
    Demand { mean, variance }
}

/// What a recording asks, from its own minutes.
fn recorded(
    load: &Load,
    requests: &[Recorded],
    times: f64,
    charge: ChargeModel,
    dimension: Dimension,
    hours: f64,
) -> Demand {
    let seconds = recorded_seconds(requests);
    let cost = |one: &Recorded| {
        let cached = one.input as f64 * load.sizes.cached.clamp(0.0, 1.0);
        let (input, output, max_output) = (one.input as f64, one.output as f64, load.sizes.max_output);
        Request { input, cached, output, max_output }.cost(charge, dimension)
    };
    let minutes = (seconds / 60.0).floor().max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a recording's minutes, from 1")]
    let mut sums = vec![0.0; (minutes as usize).min(1 << 20)];
    let (mut all, mut squares) = (0.0, 0.0);
    for one in requests {
        let cost = cost(one);
        let minute = usize::try_from(one.at.as_secs() / 60).unwrap_or(usize::MAX);
        if let Some(sum) = sums.get_mut(minute) {
            *sum += cost;
        }
        (all, squares) = (all + cost, squares + cost * cost);
    }
    if dimension.is_daily() {
        return Demand { mean: all / seconds * hours * 3_600.0 * times, variance: 0.0 };
    }
    let mean = all / seconds * 60.0;
    // Its own minutes swing with the time of day as well; of very few minutes their chance alone is known.
    let chance = squares / seconds * 60.0;
    let own = sums.iter().map(|sum| (sum - mean).powi(2)).sum::<f64>() / (sums.len() as f64 - 1.0).max(1.0);
    let beyond = if sums.len() < 5 { 0.0 } else { (own - chance).max(0.0) };
    // As many again of what chance brings, and the swing of the whole scaled.
    Demand { mean: mean * times, variance: chance * times + beyond * times * times }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates")]
pub(super) fn whole(count: f64) -> u64 {
    count.round().max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::{Service, Sizes};

    fn five_hundred_users() -> Load {
        Load {
            route: "smart".into(),
            arrivals: Arrivals::Users { users: 500, think: Duration::from_secs(30) },
            sizes: Sizes { input: 3_000.0, cached: 0.0, output: 500.0, max_output: None, sigma: 0.0 },
            service: Service::of(8.0, 500.0),
            deadline: Duration::from_secs(20),
        }
    }

    #[test]
    fn five_hundred_users_on_a_tuesday_afternoon() {
        let load = five_hundred_users();
        let mean = |dimension| demand_of(&load, 1.0, ChargeModel::METERED, dimension, 4.0).mean;
        assert!((load.rate() - 13.16).abs() < 0.01);
        for (dimension, expected) in [
            (Dimension::RequestsPerMinute, 789.5),
            (Dimension::ConcurrentRequests, 105.3),
            (Dimension::InputTokensPerMinute, 2_368_421.0),
            (Dimension::OutputTokensPerMinute, 394_737.0),
            (Dimension::TokensPerMinute, 2_763_158.0),
            (Dimension::RequestsPerDay, 189_474.0),
        ] {
            let mean = mean(dimension);
            assert!((mean - expected).abs() <= expected * 0.001, "{dimension}: {mean}");
        }
    }

    #[test]
    fn each_provider_counts_in_its_own_way() {
        let mut load = five_hundred_users();
        (load.sizes.cached, load.sizes.max_output) = (0.5, Some(4_096));
        let per_request = |charge, dimension| demand_of(&load, 1.0, charge, dimension, 4.0).mean / load.rate() / 60.0;
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");
        near(per_request(ChargeModel::ANTHROPIC, Dimension::InputTokensPerMinute), 1_500.0);
        near(per_request(ChargeModel::OPENAI, Dimension::TokensPerMinute), 4_096.0);
        near(per_request(ChargeModel::AZURE, Dimension::TokensPerMinute), 7_096.0);
        near(per_request(ChargeModel::BEDROCK, Dimension::TokensPerMinute), 1_500.0 + 2_500.0);
        near(per_request(ChargeModel::GEMINI, Dimension::TokensPerMinute), 3_000.0);
    }

    #[test]
    fn users_swing_less_than_independent_requests_and_sizes_swing_more() {
        let mut load = five_hundred_users();
        let peak = |load: &Load| {
            let of = demand_of(load, 1.0, ChargeModel::METERED, Dimension::InputTokensPerMinute, 4.0);
            of.peak() / of.mean
        };
        let of_users = peak(&load);
        load.arrivals = Arrivals::Rate { per_minute: 789.47 };
        let independent = peak(&load);
        load.sizes.sigma = 1.0;
        let of_sizes = peak(&load);
        assert!(1.03 < of_users && of_users < independent && independent < 1.06, "{of_users} {independent}");
        assert!(of_sizes > independent + 0.03, "{of_sizes}");
    }

    #[test]
    fn a_recording_is_counted_as_it_was_and_as_often_as_asked() {
        let one = |second: u64| Recorded { at: Duration::from_secs(second), input: 1_000, output: 100 };
        let requests: Vec<Recorded> = (0..600).map(one).collect();
        let mut load = five_hundred_users();
        load.arrivals = Arrivals::Recorded { requests: requests.into(), times: 3.0 };
        let of = demand_of(&load, 1.0, ChargeModel::METERED, Dimension::InputTokensPerMinute, 4.0);
        assert!((of.mean - 180_000.0).abs() < 1.0, "{of:?}");
        assert!((load.rate() - 3.0).abs() < 0.01 && (load.mean_output() - 100.0).abs() < 1e-9);
    }
}
