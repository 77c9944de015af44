//! How waits compare to what was reckoned for them.
//!
//! What is reckoned knows who stands in line, and nothing of who will come and go first: how much that makes is learned, in each
//! class of each queue, as quantiles of what came by what was reckoned.

use std::time::Duration;

use crate::ewma::Quantile;

/// One in parts per million.
const WHOLE: u64 = 1_000_000;
/// Waits of a moment say nothing of how well longer ones are reckoned; nanoseconds.
const SHORT: u64 = 50_000_000;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Calibration {
    usual: Quantile,
    careful: Quantile,
    sure: Quantile,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { usual: Quantile::new(500_000), careful: Quantile::new(900_000), sure: Quantile::new(995_000) }
    }
}

impl Calibration {
    /// Somebody waited `waited` nanoseconds for what `reckoned` were reckoned for.
    pub(crate) fn add(&mut self, waited: u64, reckoned: u64) {
        let Some(ratio) = ratio(waited, reckoned) else { return };
        for quantile in [&mut self.usual, &mut self.careful, &mut self.sure] {
            quantile.add(ratio);
        }
    }

    /// Somebody waited `waited` in vain: it would have been more.
    pub(crate) fn add_more_than(&mut self, waited: u64, reckoned: u64) {
        let Some(ratio) = ratio(waited, reckoned) else { return };
        for quantile in [&mut self.usual, &mut self.careful, &mut self.sure] {
            // Below what is usual it says nothing: who leaves after a moment might have been next.
            if quantile.estimate().is_none_or(|estimate| ratio >= estimate) {
                quantile.add(ratio);
            }
        }
    }

    /// What half of those for whom as much was reckoned did not exceed.
    pub(crate) fn usual(&self, reckoned: Duration) -> Duration {
        scaled(reckoned, self.usual.estimate().unwrap_or(WHOLE).clamp(WHOLE / 4, 3 * WHOLE))
    }

    /// What nine of ten did not exceed.
    pub(crate) fn careful(&self, reckoned: Duration) -> Duration {
        scaled(reckoned, self.careful.estimate().unwrap_or(WHOLE).clamp(WHOLE / 2, 4 * WHOLE))
    }

    /// What hardly any exceeded.
    pub(crate) fn sure(&self, reckoned: Duration) -> Duration {
        scaled(reckoned, self.sure.estimate().unwrap_or(WHOLE).clamp(4 * WHOLE / 5, 4 * WHOLE))
    }
}

fn ratio(waited: u64, reckoned: u64) -> Option<u64> {
    let ppm = u128::from(waited) * u128::from(WHOLE) / u128::from(reckoned.max(1));
    (reckoned > SHORT).then(|| u64::try_from(ppm).unwrap_or(u64::MAX).max(1))
}

fn scaled(span: Duration, ppm: u64) -> Duration {
    let nanos = span.as_nanos().saturating_mul(u128::from(ppm)) / u128::from(WHOLE);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_learns_how_far_off_waits_are_and_how_far_at_most() {
        let mut calibration = Calibration::default();
        let second = 1_000_000_000;
        assert_eq!(calibration.sure(Duration::from_secs(1)), Duration::from_secs(1));
        for number in 0..20_000_u64 {
            // Evenly spread from one to two times what was reckoned.
            calibration.add(second + number * 7_919 % 1_000 * (second / 1_000), second);
        }
        let of = |span: Duration| span.as_secs_f64();
        let one = Duration::from_secs(1);
        assert!((1.3..1.7).contains(&of(calibration.usual(one))), "{:?}", calibration.usual(one));
        assert!((1.8..2.0).contains(&of(calibration.careful(one))), "{:?}", calibration.careful(one));
        assert!((1.9..2.05).contains(&of(calibration.sure(one))), "{:?}", calibration.sure(one));
    }

    #[test]
    fn who_waited_in_vain_counts_as_one_who_waited_longer() {
        let mut calibration = Calibration::default();
        let second = 1_000_000_000;
        for _ in 0..200 {
            calibration.add(second, second);
        }
        for _ in 0..50 {
            calibration.add_more_than(second / 10, second);
        }
        assert_eq!(calibration.usual(Duration::from_secs(1)), Duration::from_secs(1), "a moment says nothing");
        for _ in 0..50 {
            calibration.add_more_than(3 * second / 2, second);
        }
        assert!(calibration.careful(Duration::from_secs(1)) > Duration::from_millis(1_200));
    }
}
