//! What a provider states of a pool's limits in its answers' headers.

use weir_units::{Dimension, Moment, WallTime};

use super::{Held, PER_DAY, PER_MINUTE, Pool};
use crate::limits::bucket::micro;
use crate::limits::day::Today;

/// Answers in a row that must state the same limit before it is held against what is declared.
const BELIEVED: u8 = 3;

impl Pool {
    /// Whether a limit that a provider states may be this pool's own: it is what is declared, or this pool's was stated before.
    pub(crate) fn is_meant(&self, dimension: Dimension, limit: u64) -> bool {
        self.declared.get(dimension).is_some_and(|own| own == limit || self.stated.get(dimension).is_some())
    }

    /// The provider states a limit and what is left of it, in the answer to the request that `held` stands for.
    ///
    /// Returns the limit in force before and after, where that changed.
    pub(crate) fn stated(
        &mut self,
        now: Moment,
        wall: WallTime,
        held: Option<&Held>,
        dimension: Dimension,
        limit: u64,
        remaining: Option<u64>,
    ) -> Option<(Option<u64>, u64)> {
        let before = self.limit(dimension);
        let fresh = self.stated.get(dimension) != Some(limit);
        if fresh {
            self.stated.set(dimension, Some(limit));
        }
        if let Some(place) = Dimension::ALL.iter().position(|d| *d == dimension) {
            self.stated_times[place] = if fresh { 1 } else { self.stated_times[place].saturating_add(1) };
        }
        if let Some(remaining) = remaining {
            self.left(now, wall, held, dimension, limit, remaining);
        }
        let after = self.limit(dimension)?;
        (fresh && before != Some(after)).then_some((before, after))
    }

    /// What is declared and what the provider has stated often enough to be believed, of one dimension.
    pub(crate) fn said(&self, dimension: Dimension) -> (Option<u64>, Option<u64>) {
        let times = Dimension::ALL.iter().position(|d| *d == dimension).map_or(0, |place| self.stated_times[place]);
        (self.declared.get(dimension), self.stated.get(dimension).filter(|_| times >= BELIEVED))
    }

    fn left(
        &mut self,
        now: Moment,
        wall: WallTime,
        held: Option<&Held>,
        dimension: Dimension,
        limit: u64,
        remaining: u64,
    ) {
        if let Some(place) = PER_DAY.iter().position(|d| *d == dimension) {
            self.days[place].turn(&Today::at(wall, self.day_start));
            self.days[place].at_least(limit.saturating_sub(remaining));
        }
        let Some(place) = PER_MINUTE.iter().position(|d| *d == dimension) else { return };
        let flow = self.flow(now, place, dimension);
        let minute = self.minute(now, place, dimension);
        let asked = held.map_or(minute.sent, |held| held.sent[place]);
        // An answer to what was sent earlier is older news than what was heeded already.
        if asked.wrapping_sub(minute.heeded) < 0 {
            return;
        }
        minute.heeded = asked;
        let left = micro(remaining).saturating_sub(minute.sent.wrapping_sub(asked));
        if left > flow.most().saturating_mul(2) {
            minute.generous = true;
        }
        let flow = self.flow(now, place, dimension);
        self.minute(now, place, dimension).bucket.agree(flow, left);
    }
}
