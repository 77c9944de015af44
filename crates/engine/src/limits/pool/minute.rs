//! A pool's limits by the minute: how fast each flows, how much of it is there, and how long what is missing takes.

use std::time::Duration;

use weir_units::{Dimension, Moment};

use super::{PER_MINUTE, Pool, Side, WHOLE};
use crate::limits::bucket::{Bucket, Flow, micro};
use crate::limits::charge::Cost;
use crate::limits::meter::Meter;

/// What of a limit is used where the provider's answers keep us right, and where nothing does.
const MARGIN_STATED: u64 = 980_000;
const MARGIN_BLIND: u64 = 970_000;
/// How much of a minute may be sent at once: a second's worth, and five once the provider was seen to grant more.
const BURST: Duration = Duration::from_secs(1);
const GENEROUS_BURST: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(super) struct Minute {
    pub(super) bucket: Bucket,
    /// What batch work may take of it.
    pub(super) batch: Bucket,
    pub(super) meter: Meter,
    /// Everything ever taken, to know what an answer's headers cannot have counted.
    pub(super) sent: i64,
    /// How much had been sent when the newest answer that was heeded was asked for.
    pub(super) heeded: i64,
    /// What was held lately, and what it came to: what is held for answers that may be long mostly comes back.
    held: u64,
    came: u64,
    pub(super) generous: bool,
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

impl Pool {
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

    /// Replaces what was held by what was used.
    pub(super) fn settle_minutes(&mut self, now: Moment, batch: bool, cost: &Cost, used: &Cost) {
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

    /// The least time until a cost may be taken of a limit; none where there is no such limit.
    ///
    /// It is exact where the flow stays as it is. While it returns after a refusal, this may be a little early, and never late.
    pub(super) fn minute_wait(
        &mut self,
        now: Moment,
        place: usize,
        dimension: Dimension,
        cost: &Cost,
        batch: bool,
    ) -> Option<Duration> {
        self.limit(dimension)?;
        let minute = self.minute(now, place, dimension);
        let (bucket, of_batch, cost) = (minute.bucket, minute.batch, cost.get(dimension));
        let wait = |bucket: Bucket, share| {
            let wait = bucket.wait(self.flow_of(now, place, dimension, share), cost);
            if wait.is_zero() || !self.cubic.is_cut(now) {
                return wait;
            }
            // The flow grows meanwhile, and not beyond what it is when that wait ends.
            wait.min(bucket.wait(self.flow_of(now + wait, place, dimension, share), cost))
        };
        let all = wait(bucket, WHOLE);
        Some(if batch { all.max(wait(of_batch, self.batch_share)) } else { all })
    }

    /// How fast a dimension refills now.
    pub(super) fn flow(&self, now: Moment, place: usize, dimension: Dimension) -> Flow {
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
    pub(super) fn minute(&mut self, now: Moment, place: usize, dimension: Dimension) -> &mut Minute {
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
