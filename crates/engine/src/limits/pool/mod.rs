//! What shares one set of limits: a provider's account, a model of it, a pool that several models share, or a client's key.
//!
//! Everything that a request needs is there or nothing is taken. What was held is corrected by what was used, and what is
//! believed of the limits by what the provider states and by its refusals.

mod gate;
mod gauge;
mod minute;
mod stated;

use std::time::Duration;

use weir_units::{Dimension, Limits, Moment, WallTime};

use self::gate::Gate;
pub use self::gauge::Gauge;
use self::minute::Minute;
use super::bucket::micro;
use super::charge::{Cost, DayStart};
use super::cubic::Cubic;
use super::day::{DayCount, Today};
use super::meter::HighWater;
use crate::in_flight::InFlight;

const WHOLE: u64 = 1_000_000;
/// The dimensions that are counted by the minute.
const PER_MINUTE: [Dimension; 4] = [
    Dimension::RequestsPerMinute,
    Dimension::InputTokensPerMinute,
    Dimension::OutputTokensPerMinute,
    Dimension::TokensPerMinute,
];
const PER_DAY: [Dimension; 2] = [Dimension::RequestsPerDay, Dimension::TokensPerDay];

/// Whose limits a pool keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// A provider's: below the limit, in small bursts, because a refusal costs more than a wait.
    Provider,
    /// A client's own: the whole limit, a minute of it at once.
    Client,
}

/// What a pool says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Fits,
    /// Not before then, and because of this; with no time it depends on who ends.
    NotBefore {
        at: Option<Moment>,
        binding: Dimension,
    },
}

/// What is held of a pool for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    taken_at: Moment,
    age: u64,
    /// Of which gate's trial it is a part, if of any.
    trial: Option<u32>,
    /// How much had been sent, in each dimension of a minute, when this one was.
    sent: [i64; 4],
}

#[derive(Debug)]
pub(crate) struct Pool {
    side: Side,
    declared: Limits,
    /// What the provider states of itself.
    stated: Limits,
    /// How many answers in a row stated just that, in the order of the dimensions.
    stated_times: [u8; Dimension::ALL.len()],
    batch_share: u64,
    day_start: DayStart,
    minutes: [Option<Box<Minute>>; 4],
    days: [DayCount; 2],
    under_way: InFlight,
    batch_under_way: InFlight,
    high_water: Option<Box<HighWater>>,
    /// How long a place is mostly taken, for predictions; nanoseconds.
    usual_stay: u64,
    gate: Gate,
    cubic: Cubic,
}

impl Pool {
    pub(crate) fn new(side: Side) -> Self {
        Self {
            side,
            declared: Limits::NONE,
            stated: Limits::NONE,
            stated_times: [0; Dimension::ALL.len()],
            batch_share: WHOLE,
            day_start: DayStart::Utc,
            minutes: [const { None }; 4],
            days: [DayCount::new(); 2],
            under_way: InFlight::default(),
            batch_under_way: InFlight::default(),
            high_water: None,
            usual_stay: 0,
            gate: Gate::default(),
            cubic: Cubic::new(),
        }
    }

    /// Takes new settings; what was counted stays.
    pub(crate) fn declare(&mut self, limits: Limits, reserve_ppm: u32, day_start: DayStart) {
        self.declared = limits;
        self.batch_share = WHOLE.saturating_sub(u64::from(reserve_ppm));
        self.day_start = day_start;
    }

    /// Whether there is anything to keep to.
    pub(crate) fn binds(&self) -> bool {
        !self.declared.is_empty() || !self.stated.is_empty() || self.gate.is_known()
    }

    /// The limit in force: the lower of what is declared and what the provider states.
    pub(crate) fn limit(&self, dimension: Dimension) -> Option<u64> {
        match (self.declared.get(dimension), self.stated.get(dimension)) {
            (Some(declared), Some(stated)) => Some(declared.min(stated)),
            (declared, stated) => declared.or(stated),
        }
    }

    /// Whether a request fits now.
    pub(crate) fn check(&mut self, now: Moment, wall: WallTime, cost: &Cost, batch: bool) -> Verdict {
        let mut worst = Verdict::Fits;
        let mut say = |at: Option<Moment>, binding| match (worst, at) {
            (Verdict::NotBefore { at: None, .. }, _) => {}
            (Verdict::NotBefore { at: Some(known), .. }, Some(at)) if known >= at => {}
            _ => worst = Verdict::NotBefore { at, binding },
        };
        if let Some((until, binding)) = self.gate.closed(now) {
            say(Some(until), binding);
        }
        if let Some(over) = self.gate.trial_is_full(now) {
            say(Some(over), Dimension::ConcurrentRequests);
        }
        for (place, dimension) in PER_MINUTE.into_iter().enumerate() {
            let Some(wait) = self.minute_wait(now, place, dimension, cost, batch) else { continue };
            if !wait.is_zero() {
                say(Some(now + wait), dimension);
            }
        }
        for (place, dimension) in PER_DAY.into_iter().enumerate() {
            let Some(limit) = self.limit(dimension) else { continue };
            let today = Today::at(wall, self.day_start);
            let count = &mut self.days[place];
            count.turn(&today);
            let amount = cost.get(dimension);
            if !count.fits(limit, amount) {
                say(Some(now + today.left), dimension);
            } else if batch && !count.fits_batch(limit, amount, self.batch_share, &today) {
                let wait = count.batch_fits_in(limit, amount, self.batch_share, &today).unwrap_or(today.left);
                say(Some(now + wait.max(Duration::from_millis(1))), dimension);
            }
        }
        if let Some(limit) = self.limit(Dimension::ConcurrentRequests) {
            let batch_limit = (limit * self.batch_share).div_ceil(WHOLE).max(1);
            self.under_way.roll(now);
            let full = u64::from(self.under_way.count()) >= limit;
            if full || (batch && u64::from(self.batch_under_way.count()) >= batch_limit) {
                say(None, Dimension::ConcurrentRequests);
            }
        }
        worst
    }

    /// Takes what a request needs, whether or not it fits.
    pub(crate) fn take(&mut self, now: Moment, wall: WallTime, cost: &Cost, batch: bool) -> Held {
        let mut sent = [0; 4];
        for (place, dimension) in PER_MINUTE.into_iter().enumerate() {
            if self.limit(dimension).is_none() {
                continue;
            }
            let amount = micro(cost.get(dimension));
            let minute = self.minute(now, place, dimension);
            minute.bucket.take(amount);
            if batch {
                minute.batch.take(amount);
            }
            minute.sent = minute.sent.wrapping_add(amount);
            minute.meter.add(now, cost.get(dimension).try_into().unwrap_or(i64::MAX / 4));
            sent[place] = minute.sent;
        }
        self.count_day(wall, cost, batch);
        let age = self.under_way.begin(now);
        if batch {
            self.batch_under_way.begin(now);
        }
        if self.limit(Dimension::ConcurrentRequests).is_some() {
            self.high_water.get_or_insert_with(|| Box::new(HighWater::new())).note(now, self.under_way.count());
        }
        Held { taken_at: now, age, trial: self.gate.went(now), sent }
    }

    fn count_day(&mut self, wall: WallTime, cost: &Cost, batch: bool) {
        for (place, dimension) in PER_DAY.into_iter().enumerate() {
            if self.limit(dimension).is_some() {
                self.days[place].turn(&Today::at(wall, self.day_start));
                self.days[place].take(i64::try_from(cost.get(dimension)).unwrap_or(i64::MAX / 4), batch);
            }
        }
    }

    /// Replaces what was held by what was used, and frees its place.
    pub(crate) fn settle(&mut self, now: Moment, wall: WallTime, held: &Held, batch: bool, cost: &Cost, used: &Cost) {
        self.settle_minutes(now, batch, cost, used);
        for (place, dimension) in PER_DAY.into_iter().enumerate() {
            if self.limit(dimension).is_some() {
                self.days[place].turn(&Today::at(wall, self.day_start));
                let (before, after) = (cost.get(dimension), used.get(dimension));
                self.days[place].take(i64::try_from(after).unwrap_or(0) - i64::try_from(before).unwrap_or(0), batch);
            }
        }
        self.gate.ended(held.trial, used.get(Dimension::RequestsPerMinute) > 0);
        self.under_way.end(now, held.age);
        if batch {
            self.batch_under_way.end(now, held.age);
        }
        let stay = u64::try_from(now.since(held.taken_at).as_nanos()).unwrap_or(u64::MAX);
        self.usual_stay = if self.usual_stay == 0 { stay } else { self.usual_stay - self.usual_stay / 16 + stay / 16 };
    }

    /// The provider refused for want of capacity: nobody of this pool asks it again before `until`.
    pub(crate) fn close_gate(&mut self, until: Moment, binding: Dimension) {
        let with_trial = !self.has_rate();
        self.gate.close(until, binding, with_trial);
    }

    /// When the gate opens, if it is closed.
    pub(crate) fn gate(&self, now: Moment) -> Option<(Moment, Dimension)> {
        self.gate.closed(now)
    }

    /// Whether a limit per minute is known.
    fn has_rate(&self) -> bool {
        PER_MINUTE.into_iter().any(|dimension| self.limit(dimension).is_some())
    }

    /// The provider refused what the limits allowed. True if less of them is used from now on.
    pub(crate) fn surprised(&mut self, now: Moment, held: &Held) -> bool {
        self.has_rate() && self.cubic.refused(now, held.taken_at)
    }

    /// The share of its limits that is used, in parts per million.
    pub(crate) fn factor_ppm(&self, now: Moment) -> u64 {
        self.cubic.factor_ppm(now)
    }

    /// How long until so many more than are under way had a place, by how long one mostly stays.
    pub(crate) fn places_in(&self, waiting: u64) -> Duration {
        let Some(limit) = self.limit(Dimension::ConcurrentRequests) else { return Duration::ZERO };
        let taken = u64::from(self.under_way.count()).saturating_add(waiting);
        let beyond = u128::from(taken.saturating_sub(limit));
        Duration::from_nanos(
            u64::try_from(beyond * u128::from(self.usual_stay) / u128::from(limit.max(1))).unwrap_or(u64::MAX),
        )
    }
}
