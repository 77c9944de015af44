//! What an attempt may cost before it is made: at worst, and as such attempts have turned out.
//!
//! Clients set `max_tokens` far above what they get, so a worst case held back for each would lock out who spent nothing.
//! What 99 of 100 attempts cost of their worst case is learned for each deployment, and apart for worst cases of
//! different size, since short answers come near their maximum and long ones do not.

use weir_units::{DeploymentId, NanoUsd, Tokens};

use crate::limits::Histogram;
use crate::memory::{Handle, Memory};

/// A ratio of one, in parts per million.
const WHOLE: u64 = 1_000_000;
const NINETY_NINE_OF_100: u32 = 990_000;
/// How many attempts make a quantile worth something.
const ENOUGH: u32 = 50;
/// Deployments that are remembered; clients choose model names freely.
const DEPLOYMENTS: usize = 4_096;
/// Classes of worst cases, each four times the one before it.
const CLASSES: usize = 32;
/// Estimates of input are off by less than a twentieth.
const INPUT_MARGIN_PERCENT: u128 = 105;

/// A price tier: what tokens cost, in trillionths of a dollar each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tier {
    /// An input token; where writing to a cache may cost more, that.
    pub input_pico: u64,
    /// An output token.
    pub output_pico: u64,
}

/// What an attempt asks for, as far as it costs money.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    /// What the input is estimated at.
    pub input: Tokens,
    /// What it cannot exceed, by its bytes, where that is known.
    pub input_at_most: Option<Tokens>,
    /// The most output that an answer may have, reasoning included; a request that sets none is given one.
    pub max_output: Tokens,
    /// Answers asked for; at least one.
    pub n: u64,
    /// Candidates that each is chosen from; at least one.
    pub best_of: u64,
}

impl Demand {
    /// The most that it can cost, by the dearest of the tiers that could apply; `None` if none is known or it overflows.
    ///
    /// Input is the estimate and a twentieth, and never less than what its bytes bound it by. Candidates are counted for
    /// each answer: providers differ in whether `best_of` includes `n`, and more is safe.
    #[must_use]
    pub fn worst(&self, tiers: &[Tier]) -> Option<NanoUsd> {
        let margin = (u128::from(self.input.0) * INPUT_MARGIN_PERCENT).div_ceil(100);
        let input = margin.max(self.input_at_most.map_or(0, |tokens| u128::from(tokens.0)));
        let answers = u128::from(self.n.max(1)) * u128::from(self.best_of.max(1));
        let output = answers.checked_mul(u128::from(self.max_output.0))?;
        let cost = |tier: &Tier| {
            let input = input.checked_mul(u128::from(tier.input_pico))?;
            let pico = input.checked_add(output.checked_mul(u128::from(tier.output_pico))?)?;
            i64::try_from(pico.div_ceil(1_000)).ok()
        };
        let costs: Option<Vec<i64>> = tiers.iter().map(cost).collect();
        costs?.into_iter().max().map(NanoUsd)
    }
}

/// What an attempt is reckoned to cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Estimate {
    /// Its price is known.
    Known {
        /// The most that it can cost.
        worst: NanoUsd,
        /// What an answer of usual length would cost: it counts for soft budgets while nothing is learned.
        likely: NanoUsd,
    },
    /// Its price is not known.
    Unknown,
}

/// What an attempt has cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bill {
    /// Nothing: it failed, and the provider bills no such failure.
    Unbilled,
    /// So much.
    Cost(NanoUsd),
    /// What was held back for it: an unknown price is charged with what was stated for it.
    AsHeld,
    /// Nobody can tell: what was held back is taken as spent.
    Unknown,
}

/// What attempts cost of their worst case.
#[derive(Debug)]
pub(crate) struct Ratios(Memory<DeploymentId, [Option<Box<Histogram>>; CLASSES]>);

impl Ratios {
    pub(crate) fn new() -> Self {
        Self(Memory::new(DEPLOYMENTS))
    }

    /// Where a deployment's ratios are.
    pub(crate) fn of(&mut self, deployment: &DeploymentId) -> Handle {
        self.0.touch(deployment, || [const { None }; CLASSES])
    }

    /// What 99 of 100 such attempts do not exceed: at most their worst case.
    pub(crate) fn careful(&self, of: Handle, worst: NanoUsd, likely: NanoUsd) -> NanoUsd {
        let known = self.0.get(of).and_then(|classes| classes[class(worst)].as_ref());
        match known.and_then(|ratios| ratios.quantile(NINETY_NINE_OF_100, ENOUGH)) {
            Some(ppm) => {
                let nanos = (i128::from(worst.0) * i128::from(ppm)).div_euclid(i128::from(WHOLE)) + 1;
                NanoUsd(i64::try_from(nanos).unwrap_or(i64::MAX)).min(worst)
            }
            None => likely.min(worst),
        }
    }

    /// Such an attempt has cost `actual`.
    pub(crate) fn learn(&mut self, of: Handle, worst: NanoUsd, actual: NanoUsd) {
        if worst.0 <= 0 {
            return;
        }
        if let Some(classes) = self.0.get_mut(of) {
            let ppm = i128::from(actual.0.max(0)) * i128::from(WHOLE) / i128::from(worst.0);
            let ppm = u64::try_from(ppm).unwrap_or(u64::MAX);
            classes[class(worst)].get_or_insert_with(|| Box::new(Histogram::new())).add(ppm);
        }
    }
}

fn class(worst: NanoUsd) -> usize {
    (worst.0.max(1).ilog2() / 2) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_case_takes_the_dearest_tier_all_answers_and_the_larger_bound() {
        let demand = Demand { input: Tokens(1_000), input_at_most: None, max_output: Tokens(500), n: 2, best_of: 3 };
        let cheap = Tier { input_pico: 1_000_000, output_pico: 2_000_000 };
        let dear = Tier { input_pico: 2_000_000, output_pico: 3_000_000 };
        assert_eq!(demand.worst(&[dear, cheap]), Some(NanoUsd(1_050 * 2_000 + 3_000 * 3_000)));
        let bounded = Demand { input_at_most: Some(Tokens(4_000)), ..demand };
        assert_eq!(bounded.worst(&[cheap]), Some(NanoUsd(4_000 * 1_000 + 3_000 * 2_000)));
        let below = Demand { input_at_most: Some(Tokens(900)), ..demand };
        assert_eq!(below.worst(&[cheap]), demand.worst(&[cheap]));
        let one = Demand { input: Tokens(1), max_output: Tokens(0), ..demand };
        assert_eq!(one.worst(&[Tier { input_pico: 1, output_pico: 1 }]), Some(NanoUsd(1)), "rounded up");
    }

    #[test]
    fn a_cost_that_is_unknown_or_overflows_is_never_free() {
        let demand = Demand { input: Tokens(1), input_at_most: None, max_output: Tokens(u64::MAX), n: 9, best_of: 9 };
        assert_eq!(demand.worst(&[]), None);
        assert_eq!(demand.worst(&[Tier { input_pico: 1, output_pico: 1 << 60 }]), None);
        assert_eq!(Demand { n: u64::MAX, best_of: u64::MAX, ..demand }.worst(&[Tier::default()]), None);
    }

    #[test]
    fn ratios_are_learned_for_each_size_and_never_exceed_the_worst_case() {
        let mut ratios = Ratios::new();
        let of = ratios.of(&DeploymentId::new("p", "m"));
        let (large, small) = (NanoUsd(2_000_000_000), NanoUsd(2_000_000));
        assert_eq!(ratios.careful(of, large, NanoUsd(60_000_000)), NanoUsd(60_000_000), "nothing is learned");
        for n in 0..100 {
            ratios.learn(of, large, NanoUsd(10_000_000 + n));
            ratios.learn(of, small, NanoUsd(3_000_000));
        }
        let careful = ratios.careful(of, large, NanoUsd(60_000_000)).0;
        assert!((10_000_000..12_000_000).contains(&careful), "{careful}");
        assert_eq!(ratios.careful(of, small, NanoUsd(1)), small);
    }
}
