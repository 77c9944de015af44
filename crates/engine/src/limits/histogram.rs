//! Quantiles of heavy-tailed counts, in whole numbers.
//!
//! Answers' lengths are heavy-tailed even for one prompt, so means mislead, and a quantile that is followed step by step
//! is thrown about by the tail. Buckets grow by about a tenth; old samples fade, by halving all counts now and then.

/// Eight buckets to each doubling, up to 2²⁴.
const PER_DOUBLING: u32 = 8;
const BUCKETS: usize = 24 * PER_DOUBLING as usize;
/// After so many samples all counts are halved.
const FADE_AT: u32 = 4_096;

#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Vec<u16>,
    total: u32,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { counts: Vec::new(), total: 0 }
    }

    pub(crate) fn add(&mut self, sample: u64) {
        if self.counts.is_empty() {
            self.counts = vec![0; BUCKETS];
        }
        self.counts[place(sample)] += 1;
        self.total += 1;
        if self.total >= FADE_AT {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.total = self.counts.iter().map(|count| u32::from(*count)).sum();
        }
    }

    /// The value that `ppm` millionths of the samples do not exceed, rounded up to its bucket's end; none below
    /// `fewest` samples.
    pub(crate) fn quantile(&self, ppm: u32, fewest: u32) -> Option<u64> {
        if self.total < fewest.max(1) {
            return None;
        }
        let wanted = (u64::from(self.total) * u64::from(ppm)).div_ceil(1_000_000);
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += u64::from(*count);
            seen >= wanted
        });
        found.map(end)
    }
}

/// The bucket of a sample: its highest bit and the three bits below it.
fn place(sample: u64) -> usize {
    let sample = sample.max(1);
    let doubling = sample.ilog2();
    let below = if doubling >= 3 { sample >> (doubling - 3) & 7 } else { sample << (3 - doubling) & 7 };
    ((doubling * PER_DOUBLING) as usize + below as usize).min(BUCKETS - 1)
}

/// The largest sample of a bucket.
fn end(place: usize) -> u64 {
    let (doubling, below) = (place as u32 / PER_DOUBLING, place as u64 % u64::from(PER_DOUBLING));
    let next = (u64::from(PER_DOUBLING) + below + 1) << doubling;
    (next.div_ceil(8)).saturating_sub(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_lies_in_its_bucket() {
        for sample in (1..10_000).chain([65_535, 65_536, 1 << 20, (1 << 24) - 1]) {
            let end = end(place(sample));
            assert!(end >= sample && end <= sample + sample / 8 + 1, "{sample}: {end}");
        }
        assert_eq!(place(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_found_and_need_samples() {
        let mut histogram = Histogram::new();
        for sample in 1..=49 {
            histogram.add(sample);
        }
        assert_eq!(histogram.quantile(900_000, 50), None);
        for sample in 50..=20_000 {
            histogram.add(sample);
        }
        let p90 = histogram.quantile(900_000, 50).unwrap();
        assert!((17_000..21_000).contains(&p90), "{p90}");
    }
}
