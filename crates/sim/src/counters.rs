//! All limits of one provider: a request is let in by all of them or counted by none.

use std::time::Duration;

use weir_units::{Dimension, Limits, Moment, Tokens};

use crate::bucket::Gauge;
use crate::charge::{Charge, Sizes};
use crate::profile::LimitRules;
use crate::window::{Counter, Window};

/// What a request that was let in holds, until it is settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hold {
    charge: Charge,
    sizes: Sizes,
    metered: Tokens,
    is_open: bool,
}

impl Hold {
    /// Whether there is anything to settle.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_open
    }
}

#[derive(Debug)]
pub(crate) struct Counters {
    limits: Limits,
    rules: LimitRules,
    entries: Vec<Entry>,
    in_flight: u64,
    charged: [i64; Dimension::ALL.len()],
}

/// One limit; it may be held over a minute and over a slice of it as well.
#[derive(Debug)]
struct Entry {
    dimension: Dimension,
    whole: Counter,
    slice: Option<Counter>,
}

impl Counters {
    pub(crate) fn new(limits: Limits, rules: LimitRules, now: Moment) -> Self {
        let entries = limits
            .iter()
            .filter(|(dimension, _)| *dimension != Dimension::ConcurrentRequests)
            .map(|(dimension, limit)| {
                if dimension.is_daily() {
                    return Entry { dimension, whole: Counter::per_day(limit, rules.day_ends, now), slice: None };
                }
                let slice = rules.slice.map(|span| Counter::per_minute(limit, Window::Fixed { span }, now));
                Entry { dimension, whole: Counter::per_minute(limit, rules.window, now), slice }
            })
            .collect();
        Self { limits, rules, entries, in_flight: 0, charged: [0; Dimension::ALL.len()] }
    }

    /// The same, when limits or rules have changed: everything starts full but what is in flight.
    pub(crate) fn restart(&mut self, limits: Limits, rules: LimitRules, now: Moment) {
        let (in_flight, charged) = (self.in_flight, self.charged);
        *self = Self { in_flight, charged, ..Self::new(limits, rules, now) };
    }

    /// The ceilings in force.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Other ceilings in the same dimensions; what was used stays used.
    pub(crate) fn set_limits(&mut self, now: Moment, limits: Limits) {
        if limits == self.limits {
            return;
        }
        self.limits = limits;
        for entry in &mut self.entries {
            let limit = limits.get(entry.dimension).unwrap_or(u64::MAX);
            entry.whole.set_limit(now, limit);
            if let Some(slice) = &mut entry.slice {
                slice.set_limit(now, limit);
            }
        }
    }

    /// Lets a request in, or says which limit refuses it and when that would not; the first in the order of
    /// [`Dimension::ALL`].
    pub(crate) fn admit(
        &mut self,
        now: Moment,
        charge: Charge,
        sizes: Sizes,
    ) -> Result<Hold, (Dimension, Option<Duration>)> {
        for entry in &mut self.entries {
            // Where output is charged as it comes, there must be room for a token.
            let cost = charge.at_arrival(entry.dimension, sizes).max(1);
            let dimension = entry.dimension;
            for counter in entry.counters() {
                let wait = counter.wait(now, cost);
                if wait != Some(Duration::ZERO) {
                    return Err((dimension, wait));
                }
            }
        }
        if self.limits.get(Dimension::ConcurrentRequests).is_some_and(|most| self.in_flight >= most) {
            return Err((Dimension::ConcurrentRequests, None));
        }
        self.in_flight += 1;
        for dimension in Dimension::ALL {
            self.count(now, dimension, signed(charge.at_arrival(dimension, sizes)));
        }
        Ok(Hold { charge, sizes, metered: Tokens(0), is_open: true })
    }

    /// Charges output while it is produced, where the charge says so.
    pub(crate) fn meter(&mut self, now: Moment, hold: &mut Hold, produced: Tokens) {
        if !hold.is_open || produced <= hold.metered {
            return;
        }
        for dimension in Dimension::ALL {
            let more = hold.charge.live(dimension, produced) - hold.charge.live(dimension, hold.metered);
            self.count(now, dimension, signed(more));
        }
        hold.metered = produced;
    }

    /// Books what was used in the place of what was held. Settling twice counts once.
    pub(crate) fn settle(&mut self, now: Moment, hold: &mut Hold, produced: Tokens) {
        if !hold.is_open {
            return;
        }
        let Hold { charge, sizes, metered, .. } = *hold;
        hold.is_open = false;
        self.in_flight = self.in_flight.saturating_sub(1);
        let produced = produced.max(metered);
        for dimension in Dimension::ALL {
            let so_far = signed(charge.at_arrival(dimension, sizes)) + signed(charge.live(dimension, metered));
            self.count(now, dimension, signed(charge.in_all(dimension, sizes, produced)) - so_far);
        }
    }

    /// What the limit in `dimension` looks like, if there is one.
    pub(crate) fn gauge(&mut self, now: Moment, dimension: Dimension) -> Option<Gauge> {
        let limit = self.limits.get(dimension)?;
        if dimension == Dimension::ConcurrentRequests {
            return Some(Gauge { limit, remaining: limit.saturating_sub(self.in_flight), full_in: Duration::ZERO });
        }
        self.entries.iter_mut().find(|entry| entry.dimension == dimension).map(|entry| entry.whole.gauge(now))
    }

    /// All that was ever charged in each dimension, in their order; of concurrent requests, those in flight now.
    pub(crate) fn charged(&self) -> [i64; Dimension::ALL.len()] {
        let mut charged = self.charged;
        charged[Dimension::ConcurrentRequests.index()] = signed(self.in_flight);
        charged
    }

    pub(crate) fn rules(&self) -> LimitRules {
        self.rules
    }

    fn count(&mut self, now: Moment, dimension: Dimension, more: i64) {
        if more == 0 {
            return;
        }
        self.charged[dimension.index()] += more;
        for counter in self.entries.iter_mut().filter(|entry| entry.dimension == dimension).flat_map(Entry::counters) {
            if more > 0 {
                counter.take(now, more.unsigned_abs());
            } else {
                counter.refund(now, more.unsigned_abs());
            }
        }
    }
}

impl Entry {
    fn counters(&mut self) -> impl Iterator<Item = &mut Counter> {
        std::iter::once(&mut self.whole).chain(&mut self.slice)
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
