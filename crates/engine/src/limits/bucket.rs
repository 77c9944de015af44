//! One limit per minute, as it is kept here: a bucket of whole units, refilled continuously.
//!
//! The level is kept in millionths, so that slow rates refill exactly, and may fall below zero: what was used beyond what was
//! held is a debt that later requests wait for. A level is chosen over GCRA's single timestamp because what providers report
//! as remaining, what comes back and what is owed are additions to it, and a rate that changes leaves it as it is.

use std::time::Duration;

use weir_units::Moment;

const MICRO: i64 = 1_000_000;
const MINUTE: i128 = 60_000_000_000;
const MINUTE_MS: u64 = 60_000;
/// Everything, in parts per million.
const WHOLE: u64 = 1_000_000;
/// The most units that a limit may have; more is no limit. It keeps all products within 128 bits.
const MOST: u64 = 1 << 40;

/// How fast a bucket refills and how much it holds, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    per_minute: i64,
    most: i64,
}

impl Flow {
    /// `limit` units a minute, of which `share_ppm` are used, and room for `burst` of it, in whole milliseconds.
    pub(crate) fn new(limit: u64, share_ppm: u64, burst: Duration) -> Self {
        // Below 2^40 · 2^20; and `per_minute · burst / minute` in two parts that stay within 64 bits, as this is asked often.
        let per_minute = limit.min(MOST) * share_ppm.min(WHOLE);
        let burst = u64::try_from(burst.as_millis()).unwrap_or(MINUTE_MS).min(MINUTE_MS);
        let most = per_minute / MINUTE_MS * burst + per_minute % MINUTE_MS * burst / MINUTE_MS;
        Self { per_minute: per_minute.max(1).cast_signed(), most: most.max(1).cast_signed() }
    }

    /// How long `micro` millionths take to flow.
    pub(crate) fn time_for(self, micro: i64) -> Duration {
        if micro <= 0 {
            return Duration::ZERO;
        }
        let nanos = (i128::from(micro) * MINUTE + i128::from(self.per_minute) - 1) / i128::from(self.per_minute);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// How long `units` take to flow.
    pub(crate) fn time_for_units(self, units: u64) -> Duration {
        self.time_for(micro(units))
    }

    pub(crate) fn most(self) -> i64 {
        self.most
    }
}

/// Whole units in millionths.
pub(crate) fn micro(units: u64) -> i64 {
    i64::try_from(units.min(MOST)).unwrap_or(i64::MAX / MICRO).saturating_mul(MICRO)
}

/// A level that refills.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    level: i64,
    last: Moment,
    /// How far it sank by what the provider said, and has not risen again.
    sank: i64,
}

impl Bucket {
    /// A full one.
    pub(crate) fn full(flow: Flow, now: Moment) -> Self {
        Self { level: flow.most, last: now, sank: 0 }
    }

    /// Lets in what has flowed since the last time.
    pub(crate) fn refill(&mut self, flow: Flow, now: Moment) {
        let elapsed = now.since(self.last).as_nanos() as i128;
        if elapsed == 0 {
            return;
        }
        let gained = i128::from(flow.per_minute) * elapsed / MINUTE;
        // Time that brought less than a millionth is kept, else frequent looks would refill nothing.
        if gained > 0 {
            let level = (i128::from(self.level) + gained).min(i128::from(flow.most.max(self.level)));
            self.level = i64::try_from(level).unwrap_or(flow.most);
            self.last = now;
        }
    }

    /// How long until `cost` may be taken: until it is there, or the bucket is full.
    pub(crate) fn wait(&self, flow: Flow, cost: u64) -> Duration {
        flow.time_for(micro(cost).min(flow.most) - self.level)
    }

    /// Takes `cost`, also when that leaves a debt.
    pub(crate) fn take(&mut self, cost: i64) {
        self.level = self.level.saturating_sub(cost);
    }

    /// Gives back what was not used, as far as there is room.
    pub(crate) fn give_back(&mut self, flow: Flow, amount: i64) {
        self.level = self.level.saturating_add(amount).min(flow.most.max(self.level));
    }

    /// Takes over what the provider says is left: at once where it is less, a tenth of the way where it is more, since
    /// answers are older than what was sent after them.
    ///
    /// It rises by no more than it sank before, and by no more than a burst: else each of many answers would give a bit more,
    /// and the rate would be whatever the provider has in store, until that is used up.
    pub(crate) fn agree(&mut self, flow: Flow, left: i64) {
        let target = left.min(flow.most);
        if target <= self.level {
            self.sank = self.sank.saturating_add(self.level - target).min(flow.most);
            self.level = target;
        } else {
            let back = ((target - self.level) / 10).min(self.sank);
            self.level += back;
            self.sank -= back;
        }
    }

    pub(crate) fn level(&self) -> i64 {
        self.level
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: u64 = 1_000_000;

    #[test]
    fn it_waits_for_what_is_missing_and_pays_debts_first() {
        let flow = Flow::new(600, ALL, Duration::from_secs(1));
        let mut bucket = Bucket::full(flow, Moment::ZERO);
        assert_eq!(bucket.wait(flow, 10), Duration::ZERO);
        assert_eq!(bucket.wait(flow, 500), Duration::ZERO, "a large request goes when the bucket is full");
        bucket.take(micro(500));
        assert_eq!(bucket.wait(flow, 1), Duration::from_millis(49_100));
        bucket.give_back(flow, micro(400));
        assert_eq!(bucket.wait(flow, 1), Duration::from_millis(9_100));
        bucket.refill(flow, Moment::ZERO + Duration::from_secs(60));
        assert_eq!(bucket.level(), micro(10));
    }

    #[test]
    fn what_the_provider_says_counts_at_once_only_downwards() {
        let flow = Flow::new(600, ALL, Duration::from_secs(1));
        let mut bucket = Bucket::full(flow, Moment::ZERO);
        bucket.agree(flow, micro(4));
        assert_eq!(bucket.level(), micro(4));
        bucket.agree(flow, micro(600));
        assert_eq!(bucket.level(), micro(4) + 600_000);
        bucket.take(micro(4));
        for _ in 0..1_000 {
            bucket.agree(flow, micro(600));
        }
        assert!((micro(5)..=micro(6)).contains(&bucket.level()), "what it sank by comes back, and no more");
    }

    proptest! {
        /// Whatever arrives when, no minute brings more than a minute's worth, what was held back, and one request.
        #[test]
        fn no_minute_exceeds_the_limit_and_the_burst(
            limit in 1_u64..10_000,
            burst in 1_u64..5,
            arrivals in prop::collection::vec((0_u64..2_000_000_000, 1_u64..500), 1..300),
        ) {
            let flow = Flow::new(limit, ALL, Duration::from_secs(burst));
            let mut bucket = Bucket::full(flow, Moment::ZERO);
            let mut now = Moment::ZERO;
            let mut admitted: Vec<(Moment, u64)> = Vec::new();
            for (gap, cost) in arrivals {
                now = now + Duration::from_nanos(gap);
                bucket.refill(flow, now);
                if bucket.wait(flow, cost).is_zero() {
                    bucket.take(micro(cost));
                    admitted.push((now, cost));
                }
            }
            for (at, first) in &admitted {
                let sum: u64 = admitted
                    .iter()
                    .filter(|(other, _)| other >= at && other.since(*at) < Duration::from_secs(60))
                    .map(|(_, cost)| cost)
                    .sum();
                let most = limit + limit * burst / 60 + 500 + first;
                prop_assert!(sum <= most, "{sum} of {most}");
            }
        }
    }
}
