//! Chance with a shape, equal to the bit on every machine.
//!
//! What the standard library computes of `ln`, `exp` and `sin` is the platform's and differs in the last bit; `libm` is the
//! same code everywhere, and addition, multiplication, division and square root are exact by IEEE 754. So a seed replays.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// One stream of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    /// The stream number `stream` of a seed; streams do not depend on each other.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(stream);
        Self(random)
    }

    /// Between 0 and 1, neither of them.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// A whole number from `least` to `most`, both among them.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        let range = u128::from(most.saturating_sub(least)) + 1;
        least + u64::try_from((u128::from(self.0.next_u64()) * range) >> 64).unwrap_or(0)
    }

    /// The time to the next of independent events, in their mean distance (the exponential distribution).
    pub(crate) fn gap(&mut self) -> f64 {
        -libm::log(self.unit())
    }

    /// The normal distribution with mean 0 and deviation 1.
    pub(crate) fn normal(&mut self) -> f64 {
        normal_quantile(self.unit())
    }
}

/// Below which value the share `p` of the standard normal distribution lies (Wichura 1988, "Algorithm AS 241", PPND7: right
/// to about one part in 10⁷).
pub(crate) fn normal_quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * (((59.109_374_720 * r + 159.291_132_02) * r + 50.434_271_938) * r + 3.387_132_717_9)
            / (((67.187_563_600 * r + 78.757_757_664) * r + 17.895_169_469) * r + 1.0);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    let r = libm::sqrt(-libm::log(tail));
    let value = if r <= 5.0 {
        let r = r - 1.6;
        (((0.170_238_211_03 * r + 1.306_728_481_6) * r + 2.756_815_390_0) * r + 1.423_437_277_7)
            / ((0.120_211_329_75 * r + 0.737_001_642_50) * r + 1.0)
    } else {
        let r = r - 5.0;
        (((0.017_337_203_997 * r + 0.428_682_948_37) * r + 3.081_226_386_0) * r + 6.657_905_115_0)
            / ((0.012_258_202_635 * r + 0.241_978_942_25) * r + 1.0)
    };
    if q < 0.0 { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_quantile_is_as_tabulated() {
        for (p, z) in [(0.5, 0.0), (0.841_344_746, 1.0), (0.975, 1.959_964), (0.001, -3.090_232), (1e-12, -7.034_484)] {
            assert!((normal_quantile(p) - z).abs() < 2e-6, "{p}: {}", normal_quantile(p));
        }
    }

    #[test]
    fn streams_replay_by_seed_and_do_not_depend_on_each_other() {
        let first = |seed, stream| Draw::new(seed, stream).unit().to_bits();
        assert_eq!(first(7, 1), first(7, 1));
        assert_ne!(first(7, 1), first(7, 2));
        assert_ne!(first(7, 1), first(8, 1));
        // The same on every platform, or a seed would not replay.
        let mut draw = Draw::new(7, 1);
        let bits = [draw.normal(), draw.normal(), draw.gap()].map(f64::to_bits);
        assert_eq!(bits, PINNED);
    }

    const PINNED: [u64; 3] = [4_612_618_056_423_742_975, 13_835_876_603_512_434_070, 4_599_549_142_688_816_154];
}
