//! Simulated years: each provider is up for an exponential time and out for a lognormal one, again and again.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::form::{Outages, Provider};

const YEAR: f64 = 365.0 * 1_440.0;
/// No provider is out more often in a year than this is worth simulating.
const MOST_OUTAGES: usize = 100_000;

/// What simulated years came to, as shares that were answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Years {
    /// On average.
    pub mean: f64,
    /// One in twenty years is worse.
    pub p5: f64,
    /// One in twenty years is better.
    pub p95: f64,
}

/// Simulates so many years, all chance drawn from `seed`.
#[must_use]
pub fn simulate(outages: &Outages, years: usize, seed: u64) -> Years {
    let mut answered: Vec<f64> = (0..years.max(1)).map(|year| one_year(outages, seed, year)).collect();
    answered.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "a count of years")]
    let count = answered.len() as f64;
    let at = |share: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in the list")]
        let place = (share * (count - 1.0)).round() as usize;
        answered.get(place).copied().unwrap_or_default()
    };
    Years { mean: answered.iter().sum::<f64>() / count, p5: at(0.05), p95: at(0.95) }
}

/// Who is out, from when to when: a provider by its place, or all of them.
struct Out {
    from: f64,
    to: f64,
}

fn one_year(outages: &Outages, seed: u64, year: usize) -> f64 {
    let Some(first) = outages.providers.first() else { return 0.0 };
    let stream = |source: usize| {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(((year as u64) << 8) | source as u64);
        generator
    };
    let common = timeline(first, outages.common(), &mut stream(0));
    let own: Vec<Vec<Out>> = outages
        .providers
        .iter()
        .zip(outages.own())
        .enumerate()
        .map(|(place, (provider, share))| timeline(provider, share, &mut stream(place + 1)))
        .collect();
    let alone = own.len() < 2;
    let coverage = if alone { 0.0 } else { outages.coverage.clamp(0.0, 1.0) };
    let detected = if alone { 0.0 } else { outages.detection_minutes.max(0.0) };
    // All moments at which somebody goes or comes back; between two of them nothing changes.
    let mut edges: Vec<f64> = vec![0.0, YEAR];
    for out in common.iter().chain(own.iter().flatten()) {
        edges.extend([out.from.min(YEAR), out.to.min(YEAR)]);
    }
    edges.sort_by(f64::total_cmp);
    let mut lost = 0.0;
    for pair in edges.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        if to <= from {
            continue;
        }
        let middle = f64::midpoint(from, to);
        let is_out = |timeline: &[Out]| {
            let after = timeline.partition_point(|out| out.from <= middle);
            after.checked_sub(1).is_some_and(|last| timeline[last].to > middle)
        };
        let share = if is_out(&common) {
            1.0
        } else if !own.first().is_some_and(|first| is_out(first)) {
            0.0
        } else if own.iter().all(|one| is_out(one)) {
            1.0
        } else {
            1.0 - coverage
        };
        lost += share * (to - from);
    }
    let unseen = own.first().map_or(0.0, |first| first.iter().map(|out| detected.min(out.to - out.from)).sum());
    (1.0 - (lost + unseen) / YEAR).clamp(0.0, 1.0)
}

/// When a provider is out in a year, if it is for `share` of the time on average.
fn timeline(provider: &Provider, share: f64, generator: &mut ChaCha8Rng) -> Vec<Out> {
    let mut timeline = Vec::new();
    if share <= 0.0 {
        return timeline;
    }
    if share >= 1.0 {
        timeline.push(Out { from: 0.0, to: YEAR });
        return timeline;
    }
    let up = provider.mean_minutes() * (1.0 - share) / share;
    let mut at = 0.0;
    while timeline.len() < MOST_OUTAGES {
        let from = at - up * libm::log(uniform(generator));
        if from >= YEAR {
            break;
        }
        let to = from + provider.median_minutes * libm::exp(provider.sigma * normal(generator));
        timeline.push(Out { from, to });
        at = to;
    }
    timeline
}

/// A number above 0 and at most 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
fn uniform(generator: &mut ChaCha8Rng) -> f64 {
    ((generator.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
}

/// A number of the standard normal distribution (Box and Muller).
fn normal(generator: &mut ChaCha8Rng) -> f64 {
    let radius = libm::sqrt(-2.0 * libm::log(uniform(generator)));
    radius * libm::cos(std::f64::consts::TAU * uniform(generator))
}
