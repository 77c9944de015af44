//! Durations as they were measured, and their quantiles.
//!
//! All of them are kept and sorted in the end: some 100,000 in a run are less than a megabyte, and nothing is rounded into a
//! bucket.

use std::time::Duration;

use serde_json::{Value, json};

/// Measured durations.
#[derive(Debug, Default)]
pub struct Samples {
    nanos: Vec<u64>,
}

impl Samples {
    /// Adds one; past 584 years it counts as that.
    pub fn push(&mut self, took: Duration) {
        self.nanos.push(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds all of another's.
    pub fn append(&mut self, other: &mut Self) {
        self.nanos.append(&mut other.nanos);
    }

    /// The quantiles that a run reports, in microseconds; null without any sample.
    pub fn report(&mut self) -> Value {
        self.nanos.sort_unstable();
        let micros = |q| quantile(&self.nanos, q).map(|nanos| nanos as f64 / 1_000.0);
        match micros(1.0) {
            None => Value::Null,
            max => json!({ "p50": micros(0.5), "p90": micros(0.9), "p99": micros(0.99), "max": max }),
        }
    }
}

/// The smallest value that at least the share `q` of `sorted` does not exceed (nearest rank).
fn quantile(sorted: &[u64], q: f64) -> Option<u64> {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_nearest_rank() {
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|q| quantile(&hundred, q)), [1, 50, 99, 100].map(Some));
        assert_eq!([0.5, 0.99].map(|q| quantile(&[7], q)), [Some(7), Some(7)]);
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn a_report_is_in_microseconds_and_null_without_samples() {
        assert_eq!(Samples::default().report(), Value::Null);
        let mut samples = Samples::default();
        samples.push(Duration::from_micros(3));
        let mut more = Samples::default();
        more.push(Duration::from_nanos(1_500));
        samples.append(&mut more);
        assert_eq!(samples.report(), json!({ "p50": 1.5, "p90": 3.0, "p99": 3.0, "max": 3.0 }));
    }
}
