//! What shares one set of limits: a provider's account, a model of it, a pool that several models share, or a client's key.
//!
//! Everything that a request needs is there or nothing is taken. What was held is corrected by what was used, and what is
//! believed of the limits by what the provider states and by its refusals.

use std::time::Duration;

use weir_units::{Dimension, Limits, Moment, WallTime};

use super::bucket::{Bucket, Flow, micro};
use super::charge::{Cost, DayStart};
use super::cubic::Cubic;
use super::day::{DayCount, Today};
use super::meter::{HighWater, Meter};
use crate::in_flight::InFlight;

const WHOLE: u64 = 1_000_000;
/// What of a limit is used where the provider's answers keep us right, and where nothing does.
const MARGIN_STATED: u64 = 980_000;
const MARGIN_BLIND: u64 = 970_000;
/// How much of a minute may be sent at once: a second's worth, and five once the provider was seen to grant more.
const BURST: Duration = Duration::from_secs(1);
const GENEROUS_BURST: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_secs(60);
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

/// One limit of a pool, as headers and pages show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gauge {
    /// What it limits.
    pub dimension: Dimension,
    /// The limit in force.
    pub limit: u64,
    /// What the config declares.
    pub declared: Option<u64>,
    /// What the provider states.
    pub stated: Option<u64>,
    /// Used in the last minute, today, or right now, by dimension.
    pub used: u64,
    /// The most that was used in any minute of the last hour; today's use for a daily limit.
    pub peak: u64,
    /// What may be sent at once.
    pub remaining: u64,
    /// How long until all of it is there again.
    pub reset: Duration,
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

#[derive(Clone, Debug)]
struct Minute {
    bucket: Bucket,
    /// What batch work may take of it.
    batch: Bucket,
    meter: Meter,
    /// Everything ever taken, to know what an answer's headers cannot have counted.
    sent: i64,
    /// How much had been sent when the newest answer that was heeded was asked for.
    heeded: i64,
    /// What was held lately, and what it came to: what is held for answers that may be long mostly comes back.
    held: u64,
    came: u64,
    generous: bool,
}

impl Minute {
    fn came_to(&mut self, held: u64, came: u64) {
        self.held = (self.held - self.held / 64).saturating_add(held);
        self.came = (self.came - self.came / 64).saturating_add(came);
    }

    /// What `span` comes to if as much of what is held comes back as did lately.
    fn shorter(&self, span: Duration) -> Duration {
        if self.held == 0 {
            return span;
        }
        let nanos = span.as_nanos().saturating_mul(u128::from(self.came.min(self.held))) / u128::from(self.held);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// What follows a gate where no rate is known: one request first, then twice as many for each that is answered.
#[derive(Clone, Copy, Debug)]
struct Trial {
    allowed: u32,
    out: u32,
    /// When the last of them went: one that is never heard of again must not hold the others up for good.
    went: Moment,
}

/// A trial that has come this far is passed.
const PASSED: u32 = 64;
/// How long an answer in a trial is waited for.
const TRIAL: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Pool {
    side: Side,
    declared: Limits,
    /// What the provider states of itself.
    stated: Limits,
    batch_share: u64,
    day_start: DayStart,
    minutes: [Option<Box<Minute>>; 4],
    days: [DayCount; 2],
    under_way: InFlight,
    batch_under_way: InFlight,
    high_water: Option<Box<HighWater>>,
    /// How long a place is mostly taken, for predictions; nanoseconds.
    usual_stay: u64,
    gate: Option<(Moment, Dimension)>,
    trial: Option<Trial>,
    /// How many gates there were, to tell whose trial an answer belongs to.
    gates: u32,
    cubic: Cubic,
}

impl Pool {
    pub(crate) fn new(side: Side) -> Self {
        Self {
            side,
            declared: Limits::NONE,
            stated: Limits::NONE,
            batch_share: WHOLE,
            day_start: DayStart::Utc,
            minutes: [const { None }; 4],
            days: [DayCount::new(); 2],
            under_way: InFlight::default(),
            batch_under_way: InFlight::default(),
            high_water: None,
            usual_stay: 0,
            gate: None,
            trial: None,
            gates: 0,
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
        !self.declared.is_empty() || !self.stated.is_empty() || self.gate.is_some() || self.trial.is_some()
    }

    /// The limit in force: the lower of what is declared and what the provider states.
    pub(crate) fn limit(&self, dimension: Dimension) -> Option<u64> {
        match (self.declared.get(dimension), self.stated.get(dimension)) {
            (Some(declared), Some(stated)) => Some(declared.min(stated)),
            (declared, stated) => declared.or(stated),
        }
    }

    /// Whether a limit that a provider states may be this pool's own: it is what is declared, or this pool's was stated before.
    pub(crate) fn is_meant(&self, dimension: Dimension, limit: u64) -> bool {
        self.declared.get(dimension).is_some_and(|own| own == limit || self.stated.get(dimension).is_some())
    }

    /// Whether a request fits now.
    pub(crate) fn check(&mut self, now: Moment, wall: WallTime, cost: &Cost, batch: bool) -> Verdict {
        let mut worst = Verdict::Fits;
        let mut say = |at: Option<Moment>, binding| match (worst, at) {
            (Verdict::NotBefore { at: None, .. }, _) => {}
            (Verdict::NotBefore { at: Some(known), .. }, Some(at)) if known >= at => {}
            _ => worst = Verdict::NotBefore { at, binding },
        };
        if let Some((until, binding)) = self.gate.filter(|(until, _)| *until > now) {
            say(Some(until), binding);
        }
        if let Some(trial) = self.trial.filter(|trial| trial.out >= trial.allowed && now < trial.went + TRIAL) {
            say(Some(trial.went + TRIAL), Dimension::ConcurrentRequests);
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
        if let Some(trial) = &mut self.trial {
            trial.out += 1;
            trial.went = now;
        }
        Held { taken_at: now, age, trial: self.trial.map(|_| self.gates), sent }
    }

    fn count_day(&mut self, wall: WallTime, cost: &Cost, batch: bool) {
        for (place, dimension) in PER_DAY.into_iter().enumerate() {
            if self.limit(dimension).is_some() {
                self.days[place].turn(&Today::at(wall, self.day_start));
                self.days[place].take(i64::try_from(cost.get(dimension)).unwrap_or(i64::MAX / 4), batch);
            }
        }
    }

    /// More output came than was held for it: it is taken while it comes.
    pub(crate) fn take_more(&mut self, now: Moment, dimension: Dimension, amount: u64) {
        if let Some(place) = PER_MINUTE.iter().position(|d| *d == dimension)
            && self.limit(dimension).is_some()
        {
            let minute = self.minute(now, place, dimension);
            minute.bucket.take(micro(amount));
            minute.sent = minute.sent.wrapping_add(micro(amount));
            minute.meter.add(now, i64::try_from(amount).unwrap_or(i64::MAX / 4));
        }
    }

    /// Replaces what was held by what was used, and frees its place.
    pub(crate) fn settle(&mut self, now: Moment, wall: WallTime, held: &Held, batch: bool, cost: &Cost, used: &Cost) {
        for (place, dimension) in PER_MINUTE.into_iter().enumerate() {
            if self.limit(dimension).is_none() {
                continue;
            }
            let (before, after) = (micro(cost.get(dimension)), micro(used.get(dimension)));
            if used.get(Dimension::RequestsPerMinute) > 0
                && let Some(minute) = &mut self.minutes[place]
            {
                minute.came_to(cost.get(dimension), used.get(dimension));
            }
            if before == after {
                continue;
            }
            let flow = self.flow(now, place, dimension);
            let minute = self.minute(now, place, dimension);
            minute.meter.add(now, (after - before) / 1_000_000);
            if after > before {
                minute.bucket.take(after - before);
                minute.sent = minute.sent.wrapping_add(after - before);
            } else {
                minute.bucket.give_back(flow, before - after);
            }
            if batch {
                minute.batch.take(after - before);
            }
        }
        for (place, dimension) in PER_DAY.into_iter().enumerate() {
            if self.limit(dimension).is_some() {
                self.days[place].turn(&Today::at(wall, self.day_start));
                let (before, after) = (cost.get(dimension), used.get(dimension));
                self.days[place].take(i64::try_from(after).unwrap_or(0) - i64::try_from(before).unwrap_or(0), batch);
            }
        }
        if held.trial == Some(self.gates)
            && let Some(trial) = &mut self.trial
        {
            trial.out = trial.out.saturating_sub(1);
            // What used nothing was refused, or never sent.
            if used.get(Dimension::RequestsPerMinute) > 0 {
                trial.allowed = trial.allowed.saturating_mul(2);
            }
            self.trial = self.trial.filter(|trial| trial.allowed < PASSED);
        }
        self.under_way.end(now, held.age);
        if batch {
            self.batch_under_way.end(now, held.age);
        }
        let stay = u64::try_from(now.since(held.taken_at).as_nanos()).unwrap_or(u64::MAX);
        self.usual_stay = if self.usual_stay == 0 { stay } else { self.usual_stay - self.usual_stay / 16 + stay / 16 };
    }

    /// The provider refused for want of capacity: nobody of this pool asks it again before `until`.
    pub(crate) fn close_gate(&mut self, until: Moment, binding: Dimension) {
        if self.gate.is_none_or(|(before, _)| before < until) {
            self.gate = Some((until, binding));
        }
        self.gates = self.gates.wrapping_add(1);
        self.trial = (!self.has_rate()).then_some(Trial { allowed: 1, out: 0, went: Moment::ZERO });
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
        if let Some(remaining) = remaining {
            self.left(now, wall, held, dimension, limit, remaining);
        }
        let after = self.limit(dimension)?;
        (fresh && before != Some(after)).then_some((before, after))
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

    /// How long until `own` may be taken once `before` was, with what comes back meanwhile of what is held; zero where there is
    /// no such limit.
    pub(crate) fn flows_in(&mut self, now: Moment, dimension: Dimension, before: u64, own: u64) -> Duration {
        let Some(place) = PER_MINUTE.iter().position(|d| *d == dimension) else { return Duration::ZERO };
        if self.limit(dimension).is_none() {
            return Duration::ZERO;
        }
        let flow = self.flow(now, place, dimension);
        let minute = self.minute(now, place, dimension);
        let needed = micro(before).saturating_add(micro(own).min(flow.most()));
        minute.shorter(flow.time_for(needed.saturating_sub(minute.bucket.level())))
    }

    /// How long a cost takes of a limit, by its rate alone.
    pub(crate) fn time_of(&self, now: Moment, dimension: Dimension, cost: u64) -> Duration {
        match PER_MINUTE.iter().position(|d| *d == dimension) {
            Some(place) if self.limit(dimension).is_some() => self.flow(now, place, dimension).time_for_units(cost),
            _ => Duration::ZERO,
        }
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

    /// When the gate opens, if it is closed.
    pub(crate) fn gate(&self, now: Moment) -> Option<(Moment, Dimension)> {
        self.gate.filter(|(until, _)| *until > now)
    }

    /// How busy it is: the share of its tightest limit that the last minute used, in parts per million.
    pub(crate) fn use_ppm(&self, now: Moment) -> u64 {
        let of = |dimension| {
            let limit = self.limit(dimension)?.max(1);
            Some(
                u64::try_from(u128::from(self.used(now, dimension)) * 1_000_000 / u128::from(limit))
                    .unwrap_or(u64::MAX),
            )
        };
        Dimension::ALL.into_iter().filter_map(of).max().unwrap_or(0)
    }

    fn used(&self, now: Moment, dimension: Dimension) -> u64 {
        if let Some(place) = PER_MINUTE.iter().position(|d| *d == dimension) {
            return self.minutes[place].as_ref().map_or(0, |minute| minute.meter.last_minute(now));
        }
        match PER_DAY.iter().position(|d| *d == dimension) {
            Some(place) => self.days[place].used(),
            None => u64::from(self.under_way.count()),
        }
    }

    /// Every limit as pages show it. Looking changes nothing.
    pub(crate) fn gauges(&self, now: Moment, wall: WallTime) -> Vec<Gauge> {
        Dimension::ALL.into_iter().filter_map(|dimension| self.gauge(now, wall, dimension)).collect()
    }

    fn gauge(&self, now: Moment, wall: WallTime, dimension: Dimension) -> Option<Gauge> {
        let limit = self.limit(dimension)?;
        let used = self.used(now, dimension);
        let mut gauge = Gauge {
            dimension,
            limit,
            declared: self.declared.get(dimension),
            stated: self.stated.get(dimension),
            used,
            peak: used,
            remaining: limit.saturating_sub(used),
            reset: Duration::ZERO,
        };
        if let Some(place) = PER_MINUTE.iter().position(|d| *d == dimension) {
            let flow = self.flow(now, place, dimension);
            let minute = self.minutes[place].as_ref();
            let mut bucket = minute.map_or_else(|| Bucket::full(flow, now), |minute| minute.bucket);
            bucket.refill(flow, now);
            gauge.peak = minute.map_or(0, |minute| minute.meter.peak_of_hour(now));
            gauge.remaining = u64::try_from(bucket.level() / 1_000_000).unwrap_or(0);
            gauge.reset = flow.time_for(flow.most().saturating_sub(bucket.level()));
        } else if let Some(place) = PER_DAY.iter().position(|d| *d == dimension) {
            let today = Today::at(wall, self.day_start);
            let mut count = self.days[place];
            count.turn(&today);
            (gauge.used, gauge.peak, gauge.reset) = (count.used(), count.used(), today.left);
            gauge.remaining = limit.saturating_sub(gauge.used);
        } else {
            gauge.peak = self.high_water.as_ref().map_or(0, |high| u64::from(high.peak(now)));
        }
        Some(gauge)
    }

    fn minute_wait(
        &mut self,
        now: Moment,
        place: usize,
        dimension: Dimension,
        cost: &Cost,
        batch: bool,
    ) -> Option<Duration> {
        self.limit(dimension)?;
        let (flow, share) = (self.flow(now, place, dimension), self.batch_share);
        let batch_flow = self.flow_of(now, place, dimension, share);
        let minute = self.minute(now, place, dimension);
        let wait = minute.bucket.wait(flow, cost.get(dimension));
        Some(if batch { wait.max(minute.batch.wait(batch_flow, cost.get(dimension))) } else { wait })
    }

    /// How fast a dimension refills now.
    fn flow(&self, now: Moment, place: usize, dimension: Dimension) -> Flow {
        self.flow_of(now, place, dimension, WHOLE)
    }

    fn flow_of(&self, now: Moment, place: usize, dimension: Dimension, share: u64) -> Flow {
        let limit = self.limit(dimension).unwrap_or(0);
        let (margin, burst) = match self.side {
            Side::Client => (WHOLE, MINUTE),
            Side::Provider => {
                let generous = self.minutes[place].as_ref().is_some_and(|minute| minute.generous);
                let margin = if self.stated.get(dimension).is_some() { MARGIN_STATED } else { MARGIN_BLIND };
                (margin, if generous { GENEROUS_BURST } else { BURST })
            }
        };
        let used = margin * self.cubic.factor_ppm(now) / WHOLE * share / WHOLE;
        Flow::new(limit, used, burst)
    }

    /// The bucket of a dimension, refilled.
    fn minute(&mut self, now: Moment, place: usize, dimension: Dimension) -> &mut Minute {
        let flow = self.flow(now, place, dimension);
        let batch_flow = self.flow_of(now, place, dimension, self.batch_share);
        let minute = self.minutes[place].get_or_insert_with(|| {
            Box::new(Minute {
                bucket: Bucket::full(flow, now),
                batch: Bucket::full(batch_flow, now),
                meter: Meter::new(),
                sent: 0,
                heeded: 0,
                held: 0,
                came: 0,
                generous: false,
            })
        });
        minute.bucket.refill(flow, now);
        minute.batch.refill(batch_flow, now);
        minute
    }
}
