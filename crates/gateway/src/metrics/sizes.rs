//! A histogram, and the bounds that ours have.

/// How many bounds a histogram has.
pub(crate) const BOUNDS: usize = 14;
/// Upper bounds of the buckets, in the unit of what is counted; a value that equals a bound belongs to its bucket.
pub(crate) type Bounds = [u64; BOUNDS];

/// Of calls upstream, in microseconds, as OpenTelemetry's conventions ask for: 10 ms, doubled until 81.92 s.
pub(crate) const DURATIONS: Bounds = powers(10_000, 2);
/// Of tokens, as they ask for: 1, times four until 67,108,864.
pub(crate) const TOKENS: Bounds = powers(1, 4);
/// Of whole requests, in microseconds: 5 ms to 5 min.
pub(crate) const REQUESTS: Bounds = [
    5_000,
    20_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
    300_000_000,
];
/// Of the gaps between tokens, in microseconds: 1 ms to 2.5 s.
pub(crate) const GAPS: Bounds = [
    1_000, 2_500, 5_000, 10_000, 20_000, 30_000, 50_000, 75_000, 100_000, 150_000, 250_000, 500_000, 1_000_000,
    2_500_000,
];
/// Of what Weir itself adds, in microseconds: 25 µs to 1 s.
pub(crate) const OVERHEADS: Bounds =
    [25, 50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_500, 25_000, 100_000, 500_000, 1_000_000];

const fn powers(first: u64, factor: u64) -> Bounds {
    let mut bounds = [first; BOUNDS];
    let mut place = 1;
    while place < BOUNDS {
        bounds[place] = bounds[place - 1] * factor;
        place += 1;
    }
    bounds
}

/// Values by size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// How many are in each bucket; the last one has those above all bounds.
    pub(crate) counts: [u64; BOUNDS + 1],
    pub(crate) sum: u64,
}

impl Sizes {
    pub(crate) fn add(&mut self, value: u64, bounds: &Bounds) {
        self.counts[bounds.partition_point(|bound| *bound < value)] += 1;
        self.sum = self.sum.saturating_add(value);
    }

    /// Takes in what another one with the same bounds has.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(count, more)| *count += more);
        self.sum = self.sum.saturating_add(other.sum);
    }

    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_those_of_the_convention_and_belong_to_their_bucket() {
        assert_eq!((DURATIONS[0], DURATIONS[1], DURATIONS[BOUNDS - 1]), (10_000, 20_000, 81_920_000));
        assert_eq!((TOKENS[0], TOKENS[1], TOKENS[BOUNDS - 1]), (1, 4, 67_108_864));
        let mut sizes = Sizes::default();
        for value in [0, 1, 2, 4, 5, 67_108_864, 67_108_865] {
            sizes.add(value, &TOKENS);
        }
        assert_eq!((sizes.counts[0], sizes.counts[1], sizes.counts[2]), (2, 2, 1));
        assert_eq!((sizes.counts[BOUNDS - 1], sizes.counts[BOUNDS]), (1, 1));
        assert_eq!((sizes.count(), sizes.sum), (7, 12 + 2 * 67_108_864 + 1));
    }

    #[test]
    fn all_bounds_rise() {
        for bounds in [DURATIONS, TOKENS, REQUESTS, GAPS, OVERHEADS] {
            assert!(bounds.is_sorted_by(|a, b| a < b), "{bounds:?}");
        }
    }
}
