//! How fast a run spends beside the tenant's other runs, and how many attempts it makes for what it gets.
//!
//! Both slow a run and are told of; neither halts one, since a dear run may be a good one, and a failing provider is not the
//! run's fault.

use std::time::Duration;

use weir_units::{Moment, NanoUsd};

use super::evidence::{Detector, Evidence};
use super::settings::Guards;
use crate::ewma::decay_ppm;

/// The time constant of a run's spending per minute.
const TAU: Duration = Duration::from_secs(120);
/// How many runs of a tenant are compared, how many it takes, and for how long they count.
const MOST: usize = 64;
const LEAST: usize = 8;
const FRESH: Duration = Duration::from_secs(1_800);
/// A run that has made fewer paid requests has no pace yet.
const LEAST_PAID: u8 = 5;
/// Attempts are counted in so many spans of two minutes.
const SPANS: usize = 5;
const SPAN: u64 = 120_000_000_000;

/// How a run spends and retries.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    /// Nano-dollars per minute, as at `at`.
    rate: u64,
    at: Moment,
    paid: u8,
    /// The sum of what its rate was above the usual (CUSUM: Page, "Continuous inspection schemes", 1954).
    above: u64,
    above_at: Moment,
    alarmed: bool,
    /// The number of the last span, and attempts and useful answers of the last ones.
    span: u64,
    tries: [(u8, u8); SPANS],
}

impl Pace {
    fn rate_at(&self, now: Moment) -> u64 {
        u64::try_from(u128::from(self.rate) * u128::from(decay_ppm(now.since(self.at), TAU)) / 1_000_000)
            .unwrap_or(u64::MAX)
    }

    /// A request of the run `run` was settled.
    pub(super) fn add(&mut self, now: Moment, run: u64, cost: NanoUsd, tries: (u32, bool), others: &mut Neighbours) {
        self.turn(now);
        let (attempts, useful) = &mut self.tries[SPANS - 1];
        *attempts = attempts.saturating_add(u8::try_from(tries.0).unwrap_or(u8::MAX));
        *useful = useful.saturating_add(u8::from(tries.1));
        let cost = u64::try_from(cost.0).unwrap_or(0);
        if cost == 0 {
            return;
        }
        // What is spent at once is spent over the time constant, which is two minutes.
        self.rate = self.rate_at(now).saturating_add(cost / 2);
        self.at = now;
        self.paid = self.paid.saturating_add(1);
        if now.since(self.above_at) >= Duration::from_secs(60) {
            self.above_at = now;
            if let Some(usual) = others.usual(now, run) {
                let step = usual.middle.saturating_add(usual.sigma() / 2);
                self.above = self.above.saturating_add(self.rate).saturating_sub(step);
                self.alarmed = self.above > usual.sigma().saturating_mul(5);
            }
        }
        others.note(now, run, self.rate);
    }

    /// Whether it spends too fast.
    pub(super) fn too_fast(&self, now: Moment, run: u64, guards: &Guards, others: &Neighbours) -> Option<Evidence> {
        let rate = self.rate_at(now);
        let floor = u64::try_from(guards.velocity_floor.0).unwrap_or(0);
        if guards.velocity_deviations == 0 || rate <= floor || self.paid < LEAST_PAID {
            return None;
        }
        let usual = others.usual(now, run)?;
        let far = u128::from(rate.saturating_sub(usual.middle)) * 6_745
            > u128::from(usual.deviation) * u128::from(guards.velocity_deviations) * 10_000;
        let threshold = usual.middle.saturating_add(
            usual.deviation.saturating_mul(guards.velocity_deviations.into()).saturating_mul(10_000) / 6_745,
        );
        (far || self.alarmed)
            .then(|| Evidence { of: usual.middle, ..Evidence::new(Detector::Velocity, rate, threshold.max(floor)) })
    }

    /// Whether it makes too many attempts for what it gets.
    pub(super) fn too_many_tries(&mut self, now: Moment, guards: &Guards) -> Option<Evidence> {
        self.turn(now);
        let attempts: u32 = self.tries.iter().map(|(attempts, _)| u32::from(*attempts)).sum();
        let useful: u32 = self.tries.iter().map(|(_, useful)| u32::from(*useful)).sum();
        let allowed = useful.saturating_mul(guards.attempts_per_answer);
        let too_many = guards.attempts_per_answer > 0 && attempts >= guards.attempts_least && attempts > allowed;
        too_many.then(|| Evidence {
            of: useful.into(),
            ..Evidence::new(Detector::Retries, attempts.into(), guards.attempts_least.max(allowed).into())
        })
    }

    fn turn(&mut self, now: Moment) {
        let span = now.0 / SPAN;
        let by = usize::try_from(span.saturating_sub(self.span)).unwrap_or(SPANS).min(SPANS);
        self.tries.rotate_left(by % SPANS);
        self.tries[SPANS - by..].fill((0, 0));
        self.span = self.span.max(span);
    }
}

/// The spending of a tenant's runs, each as it was when it was last paid for.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    rates: Vec<(u64, u64, Moment)>,
}

/// What is usual among them.
#[derive(Clone, Copy, Debug)]
struct Usual {
    middle: u64,
    /// The median of the deviations from the median, at least a twentieth of that.
    deviation: u64,
}

impl Usual {
    /// The standard deviation of a normal distribution with such a median deviation.
    fn sigma(self) -> u64 {
        self.deviation.saturating_mul(14_826) / 10_000
    }
}

/// Serials of first requests are told from those of conversations by this bit.
const FIRST: u64 = 1 << 62;

impl Neighbours {
    /// A first request was paid for.
    pub(super) fn paid_first(&mut self, now: Moment, serial: u64, cost: NanoUsd) {
        if let Some(cost) = u64::try_from(cost.0).ok().filter(|cost| *cost > 0) {
            self.note(now, serial | FIRST, cost / 2);
        }
    }

    /// A first request is a run by now, which goes by another number.
    pub(super) fn forget_first(&mut self, serial: u64) {
        self.rates.retain(|(other, ..)| *other != serial | FIRST);
    }

    fn note(&mut self, now: Moment, run: u64, rate: u64) {
        let own = self.rates.iter().position(|(other, ..)| *other == run);
        let place = own.or_else(|| {
            let oldest = self.rates.iter().enumerate().min_by_key(|(_, (.., at))| *at);
            oldest.filter(|_| self.rates.len() >= MOST).map(|(place, _)| place)
        });
        match place {
            Some(place) => self.rates[place] = (run, rate, now),
            None => self.rates.push((run, rate, now)),
        }
    }

    fn usual(&self, now: Moment, run: u64) -> Option<Usual> {
        let others = self.rates.iter().filter(|(other, _, at)| *other != run && now.since(*at) <= FRESH);
        let mut rates: Vec<u64> = others.map(|(_, rate, _)| *rate).collect();
        if rates.len() < LEAST {
            return None;
        }
        let middle = median(&mut rates);
        let mut deviations: Vec<u64> = rates.iter().map(|rate| rate.abs_diff(middle)).collect();
        Some(Usual { middle, deviation: median(&mut deviations).max(middle / 20).max(1) })
    }
}

fn median(values: &mut [u64]) -> u64 {
    let half = values.len() / 2;
    *values.select_nth_unstable(half).1
}
