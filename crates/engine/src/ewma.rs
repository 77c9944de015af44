//! Running estimates in whole numbers: decay by time, and quantiles.
//!
//! `exp` differs between platforms' maths libraries, so the same seed would decide differently elsewhere: a fixed table
//! stands in for it.

use std::time::Duration;

/// `e^(−k/8)` for k from 0 to 64, in parts per million.
const DECAY: [u32; 65] = [
    1_000_000, 882_497, 778_801, 687_289, 606_531, 535_261, 472_367, 416_862, 367_879, 324_652, 286_505, 252_840,
    223_130, 196_912, 173_774, 153_355, 135_335, 119_433, 105_399, 93_014, 82_085, 72_440, 63_928, 56_416, 49_787,
    43_937, 38_774, 34_218, 30_197, 26_649, 23_518, 20_754, 18_316, 16_163, 14_264, 12_588, 11_109, 9_804, 8_652,
    7_635, 6_738, 5_946, 5_248, 4_631, 4_087, 3_607, 3_183, 2_809, 2_479, 2_187, 1_930, 1_704, 1_503, 1_327, 1_171,
    1_033, 912, 805, 710, 627, 553, 488, 431, 380, 335,
];

/// `e^(−elapsed/tau)` in parts per million, by straight lines between the table's points (at most 0.2 % off).
pub(crate) fn decay_ppm(elapsed: Duration, tau: Duration) -> u64 {
    let tau = tau.as_nanos().max(1);
    let eighths_milli = elapsed.as_nanos().saturating_mul(8_000) / tau;
    let Ok(place) = usize::try_from(eighths_milli / 1_000) else { return 0 };
    if place + 1 >= DECAY.len() {
        return 0;
    }
    let (high, low) = (u64::from(DECAY[place]), u64::from(DECAY[place + 1]));
    high - (high - low) * (eighths_milli % 1_000) as u64 / 1_000
}

/// `from` moved towards `to` so that `weight` parts per million of the distance are left.
pub(crate) fn blend(from: u64, to: u64, weight: u64) -> u64 {
    let sum = u128::from(from) * u128::from(weight) + u128::from(to) * u128::from(1_000_000_u64.saturating_sub(weight));
    u64::try_from(sum / 1_000_000).unwrap_or(u64::MAX)
}

/// A quantile of a stream of numbers, followed in constant memory.
///
/// The estimate climbs by a share of itself for each sample above it and sinks for each below, in the ratio that
/// balances at the quantile: stochastic approximation (Robbins and Monro 1951) with a step that is relative, so that it
/// needs no unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quantile {
    estimate: Option<u64>,
    ppm: u64,
    seen: u64,
}

impl Quantile {
    /// Follows the quantile `ppm`, in parts per million.
    pub(crate) fn new(ppm: u64) -> Self {
        Self { estimate: None, ppm, seen: 0 }
    }

    pub(crate) fn estimate(&self) -> Option<u64> {
        self.estimate
    }

    /// Takes in one sample. The full step is an eighth of the estimate at first, and a thirty-second once it has settled.
    pub(crate) fn add(&mut self, sample: u64) {
        self.seen = (self.seen + 1).min(96);
        self.step(sample, 8 + self.seen / 4);
    }

    /// Takes in a sample that may be an outlier, with a hundredth of the full step.
    pub(crate) fn add_doubtful(&mut self, sample: u64) {
        self.step(sample, 800);
    }

    fn step(&mut self, sample: u64, divisor: u64) {
        let Some(estimate) = self.estimate else {
            self.estimate = Some(sample.max(1));
            return;
        };
        let whole = u128::from((estimate / divisor).max(1));
        let part = |ppm: u64| u64::try_from(whole * u128::from(ppm) / 1_000_000).unwrap_or(u64::MAX).max(1);
        let moved = if sample > estimate {
            estimate.saturating_add(part(self.ppm)).min(sample)
        } else {
            estimate.saturating_sub(part(1_000_000 - self.ppm)).max(sample)
        };
        self.estimate = Some(moved.max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decay_follows_the_exponential() {
        for (millis, ppm) in [(0, 1_000_000), (10_000, 367_879), (20_000, 135_335), (5_000, 606_531)] {
            assert_eq!(decay_ppm(Duration::from_millis(millis), Duration::from_secs(10)), ppm);
        }
        for millis in 0..100_000 {
            let exact = (-(millis as f64) / 10_000.0).exp() * 1e6;
            let got = decay_ppm(Duration::from_millis(millis), Duration::from_secs(10)) as f64;
            assert!((got - exact).abs() < 2_000.0, "{millis}: {got} {exact}");
        }
        assert_eq!(decay_ppm(Duration::MAX, Duration::from_nanos(1)), 0);
    }

    #[test]
    fn quantiles_are_found() {
        for ppm in [500_000, 840_000, 950_000] {
            let mut quantile = Quantile::new(ppm);
            for i in 0..20_000_u64 {
                let spread = (u128::from(i.wrapping_mul(0x9E37_79B9_7F4A_7C15)) * 1_000_000) >> 64;
                quantile.add(1_000_000 + spread as u64);
            }
            let (got, wanted) = (quantile.estimate().unwrap(), 1_000_000 + ppm);
            assert!(got.abs_diff(wanted) < wanted / 8, "{ppm}: {got}");
        }
    }
}
