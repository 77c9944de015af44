//! Histograms of calls upstream, with the buckets that OpenTelemetry's conventions for generative AI ask for.

use std::collections::BTreeMap;
use std::sync::Arc;

/// How many bounds a histogram has.
pub(crate) const BOUNDS: usize = 14;
/// Upper bounds of durations, in microseconds: 10 ms, doubled until 81.92 s.
pub(crate) const DURATIONS: [u64; BOUNDS] = {
    let mut bounds = [10_000; BOUNDS];
    let mut place = 1;
    while place < BOUNDS {
        bounds[place] = bounds[place - 1] * 2;
        place += 1;
    }
    bounds
};
/// Upper bounds of tokens: 1, times four until 67,108,864.
pub(crate) const TOKENS: [u64; BOUNDS] = {
    let mut bounds = [1; BOUNDS];
    let mut place = 1;
    while place < BOUNDS {
        bounds[place] = bounds[place - 1] * 4;
        place += 1;
    }
    bounds
};

/// Values by size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) counts: [u64; BOUNDS + 1],
    pub(crate) sum: u64,
}

impl Sizes {
    fn add(&mut self, value: u64, bounds: &[u64; BOUNDS]) {
        self.counts[bounds.partition_point(|bound| *bound < value)] += 1;
        self.sum = self.sum.saturating_add(value);
    }

    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Calls of one kind to one deployment.
#[derive(Debug, Default)]
pub(crate) struct Operation {
    /// How long they took in microseconds, by what came of them.
    pub(crate) durations: Vec<(&'static str, Sizes)>,
    /// When the first piece of a stream came, in microseconds.
    pub(crate) first_chunk: Sizes,
    pub(crate) input: Sizes,
    pub(crate) output: Sizes,
}

/// What is known of one call.
pub(crate) struct Call {
    pub(crate) operation: &'static str,
    pub(crate) class: &'static str,
    pub(crate) took_us: u64,
    pub(crate) first_chunk_us: Option<u64>,
    /// Input and output tokens, where its provider reported them.
    pub(crate) tokens: Option<(u64, u64)>,
}

/// All calls, by deployment and kind.
#[derive(Debug, Default)]
pub(crate) struct Operations(pub(crate) BTreeMap<(Arc<str>, &'static str), Operation>);

impl Operations {
    pub(crate) fn add(&mut self, deployment: Arc<str>, call: &Call) {
        let operation = self.0.entry((deployment, call.operation)).or_default();
        let durations = &mut operation.durations;
        let place = durations.iter().position(|(class, _)| *class == call.class).unwrap_or_else(|| {
            durations.push((call.class, Sizes::default()));
            durations.len() - 1
        });
        durations[place].1.add(call.took_us, &DURATIONS);
        if let Some(first) = call.first_chunk_us {
            operation.first_chunk.add(first, &DURATIONS);
        }
        if let Some((input, output)) = call.tokens {
            operation.input.add(input, &TOKENS);
            operation.output.add(output, &TOKENS);
        }
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
}
