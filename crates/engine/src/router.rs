//! Which of several deployments is likely to answer soonest.
//!
//! Only what real calls show is used: active probes cost money at paid APIs. The score is divided by the share of
//! successes, because a deployment that fails fast would otherwise look quickest and attract everything. With no limits
//! known, load is what is under way, and multiplies the latency as in Finagle's peak EWMA.

use weir_units::Moment;

use crate::deployment::Deployment;
use crate::random::Stream;

/// The most deployments that are scored; a route has 2 to 20.
const MOST: usize = 32;
/// What a first content is taken to need where nothing was measured yet (as tower's `PeakEwma` does).
const UNKNOWN_TTFT: u64 = 1_000_000_000;
/// A share of successes below this weighs no more.
const LEAST_SUCCESS_PPM: u64 = 50_000;
const HALF_PPM: u64 = 500_000;

/// A deployment's numbers, taken once per choice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    ttft: u64,
    /// How long its limits make a call wait, nanoseconds.
    wait: u64,
    /// How much of its tightest limit is used, ppm.
    use_ppm: u64,
    load: u32,
    success_ppm: u64,
}

/// What is scored for one choice: the index of each candidate and how it stands.
#[derive(Debug)]
pub(crate) struct Field {
    runners: [(usize, Standing); MOST],
    len: usize,
    usual_ttft: u64,
    usual_load: u64,
}

impl Field {
    pub(crate) fn new(usual_ttft: Option<u64>) -> Self {
        let nobody = Standing { ttft: 0, wait: 0, use_ppm: 0, load: 0, success_ppm: 0 };
        Self { runners: [(0, nobody); MOST], len: 0, usual_ttft: usual_ttft.unwrap_or(UNKNOWN_TTFT), usual_load: 0 }
    }

    pub(crate) fn add(&mut self, candidate: usize, deployment: &mut Deployment, now: Moment, wait: u64, use_ppm: u64) {
        if self.len == MOST {
            return;
        }
        self.usual_load = self.usual_load.max(deployment.observe_load());
        let standing = Standing {
            ttft: deployment.ttft(now, self.usual_ttft),
            wait,
            use_ppm,
            load: deployment.in_flight(),
            success_ppm: deployment.success_ppm(now),
        };
        self.runners[self.len] = (candidate, standing);
        self.len += 1;
    }

    /// The candidate to ask.
    ///
    /// Who is busier than the 0.84-quantile of what is usual here is hot, and only asked when all are (Prequal, NSDI
    /// 2024). Who mostly fails counts as hot too: it is idle for a reason. Scores within 5 % are equal,
    /// so that not all flock to the same one.
    pub(crate) fn choose(&self, tie: &mut Stream) -> Option<usize> {
        let runners = &self.runners[..self.len];
        let hot = |s: &Standing| u64::from(s.load) * 1_000 >= self.usual_load + 1_000 || s.success_ppm < HALF_PPM;
        let all_hot = runners.iter().all(|(_, s)| hot(s));
        let score = |s: &Standing| {
            (all_hot || !hot(s)).then(|| {
                let busy = u128::from(s.ttft.max(1)) * (u128::from(s.load) + 1) * pressed(s.use_ppm) / 1_000_000;
                let cost = (busy + u128::from(s.wait)) * 1_000_000_000_000;
                // Squared: who fails fast is also never busy, so one factor would only make up for that.
                cost / u128::from(s.success_ppm.max(LEAST_SUCCESS_PPM)).pow(2)
            })
        };
        let best = runners.iter().filter_map(|(_, s)| score(s)).min()?;
        let mut equals = runners.iter().filter(|(_, s)| score(s).is_some_and(|score| score <= best + best / 20));
        let count = equals.clone().count();
        let chosen = if count > 1 { tie.below(count as u64) as usize } else { 0 };
        equals.nth(chosen).map(|(candidate, _)| *candidate)
    }
}

/// How much dearer a deployment is whose tightest limit is nearly used up: from four fifths of it on it rises to twice as much.
fn pressed(use_ppm: u64) -> u128 {
    1_000_000 + u128::from(use_ppm.clamp(800_000, 1_000_000) - 800_000) * 5
}

/// The median of what was measured, which stands in for what was not.
pub(crate) fn usual_ttft<'a>(deployments: impl Iterator<Item = &'a Deployment>) -> Option<u64> {
    let mut known = [0_u64; MOST];
    let mut len = 0;
    for ttft in deployments.filter_map(Deployment::measured_ttft).take(MOST) {
        known[len] = ttft;
        len += 1;
    }
    known[..len].sort_unstable();
    known[..len].get(len / 2).copied()
}
