//! One number that stands for a whole run: equal runs have equal numbers, and two that differ anywhere do not.
//!
//! XXH64 with the seed 0 over the events in their order. It is fast and specified to the bit (Collet, "xxHash fast digest
//! algorithm"), which std's hasher is not; nobody is to be kept from forging it.

use std::fmt;
use std::hash::Hasher;

use twox_hash::XxHash64;
use weir_units::Moment;

/// Most figures of one event.
const FIGURES: usize = 2;

/// The hash of all that happened so far.
#[derive(Clone)]
pub struct TraceHash {
    hasher: XxHash64,
    events: u64,
}

impl TraceHash {
    /// Of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { hasher: XxHash64::with_seed(0), events: 0 }
    }

    /// Takes in one event: when, what kind, and its figures. Events of one kind always have equally many figures, at most two.
    pub fn event(&mut self, at: Moment, kind: u8, figures: &[u64]) {
        self.events += 1;
        // In one piece, which is most of its cost.
        let mut bytes = [0; 8 + 1 + 8 * FIGURES];
        bytes[..8].copy_from_slice(&at.0.to_le_bytes());
        bytes[8] = kind;
        let figures = &figures[..figures.len().min(FIGURES)];
        for (place, figure) in bytes[9..].chunks_exact_mut(8).zip(figures) {
            place.copy_from_slice(&figure.to_le_bytes());
        }
        self.hasher.write(&bytes[..9 + 8 * figures.len()]);
    }

    /// How many events were taken in.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The hash.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.hasher.finish()
    }
}

impl Default for TraceHash {
    fn default() -> Self {
        Self::new()
    }
}

/// Sixteen digits.
impl fmt::Display for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.value())
    }
}

impl fmt::Debug for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceHash({self} of {} events)", self.events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(events: &[(u64, u8, &[u64])]) -> String {
        let mut hash = TraceHash::new();
        events.iter().for_each(|(at, kind, figures)| hash.event(Moment(*at), *kind, figures));
        hash.to_string()
    }

    #[test]
    fn the_hash_is_the_published_one_and_sees_order_time_kind_and_figures() {
        assert_eq!(hash(&[]), "ef46db3751d8e999", "XXH64 of nothing with the seed 0");
        let run: [(u64, u8, &[u64]); 2] = [(1, 2, &[3, 4]), (2, 1, &[])];
        assert_eq!(hash(&run), hash(&run));
        for other in [
            [(2, 1, &[][..]), (1, 2, &[3, 4])],
            [(1, 2, &[4, 3]), (2, 1, &[])],
            [(1, 3, &[3, 4]), (2, 1, &[])],
            [(0, 2, &[3, 4]), (2, 1, &[])],
        ] {
            assert_ne!(hash(&run), hash(&other));
        }
    }
}
