//! Seeded random numbers, one stream per purpose, so that a draw added in one policy does not shift the others.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// All of the engine's chance, from one seed.
#[derive(Debug)]
pub(crate) struct Random {
    /// How long to wait.
    pub(crate) jitter: Stream,
    /// Who goes to a breaker that is still ramping up.
    pub(crate) share: Stream,
    /// When a closed gate opens.
    pub(crate) gate: Stream,
    /// Which of equals is chosen.
    pub(crate) tie: Stream,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            jitter: Stream::new(seed, 1),
            share: Stream::new(seed, 2),
            tie: Stream::new(seed, 3),
            gate: Stream::new(seed, 4),
        }
    }
}

/// One purpose's numbers.
#[derive(Debug)]
pub(crate) struct Stream(ChaCha8Rng);

impl Stream {
    fn new(seed: u64, purpose: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(purpose);
        Self(generator)
    }

    /// A number in `[0, bound)`; 0 if `bound` is 0. Multiply and shift (Lemire 2019); its bias of 2⁻⁶⁴ is no matter here.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A duration in `[0, most]`.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.below(nanos.saturating_add(1)))
    }

    /// `span`, longer or shorter by at most a fifth.
    pub(crate) fn about(&mut self, span: Duration) -> Duration {
        span - span / 5 + self.up_to(span / 5 * 2)
    }
}
