//! How many attempts are under way: a count that heals itself.
//!
//! What begins is told to end by whoever began it. Should one ever not be told, its place must not be taken for good.

use weir_units::Moment;

/// An attempt whose end was never told is forgotten after one or two of these; no call is allowed to last as long.
const FLIGHT_AGE: u64 = 900_000_000_000;

/// A count of what is under way that heals itself: what began two ages ago no longer counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct InFlight {
    age: u64,
    recent: u32,
    older: u32,
}

impl InFlight {
    pub(crate) fn roll(&mut self, now: Moment) {
        let age = now.0 / FLIGHT_AGE;
        if age > self.age {
            self.older = if age == self.age + 1 { self.recent } else { 0 };
            self.recent = 0;
            self.age = age;
        }
    }

    /// How many are under way.
    pub(crate) fn count(&self) -> u32 {
        self.recent + self.older
    }

    /// One begins; what is returned is owed to [`end`](Self::end).
    pub(crate) fn begin(&mut self, now: Moment) -> u64 {
        self.roll(now);
        self.recent += 1;
        self.age
    }

    pub(crate) fn end(&mut self, now: Moment, began: u64) {
        self.roll(now);
        if began == self.age {
            self.recent = self.recent.saturating_sub(1);
        } else if began + 1 == self.age {
            self.older = self.older.saturating_sub(1);
        }
    }
}
