//! A limit per minute as a provider enforces it: a bucket that holds one minute's worth and refills continuously.
//!
//! The level is kept in millionths so that slow rates refill exactly, and it may fall below zero: a provider that meters
//! output while it is produced (Anthropic) finds out afterwards that too much was used, and what follows has to wait.

use std::time::Duration;

use weir_units::Moment;

const MICRO: i128 = 1_000_000;
const MINUTE_NANOS: i128 = 60_000_000_000;

/// One limit's bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    per_minute: u64,
    level_micro: i128,
    last: Moment,
}

/// What a bucket would say of itself in rate-limit headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gauge {
    /// The limit, per minute.
    pub limit: u64,
    /// What is left of it; never below zero.
    pub remaining: u64,
    /// How long until it is full again, if nothing more is used.
    pub full_in: Duration,
}

impl Bucket {
    /// A full bucket for `per_minute` units a minute; zero admits nothing.
    #[must_use]
    pub fn new(per_minute: u64, now: Moment) -> Self {
        Self { per_minute, level_micro: i128::from(per_minute) * MICRO, last: now }
    }

    /// How long until `cost` could be taken; `None` if it never can, because it is more than the bucket holds.
    pub fn wait(&mut self, now: Moment, cost: u64) -> Option<Duration> {
        self.refill(now);
        if cost > self.per_minute {
            return None;
        }
        Some(self.time_to(i128::from(cost) * MICRO))
    }

    /// Takes `cost`, also when that leaves a debt.
    pub fn take(&mut self, now: Moment, cost: u64) {
        self.refill(now);
        self.level_micro -= i128::from(cost) * MICRO;
    }

    /// What the headers say.
    pub fn gauge(&mut self, now: Moment) -> Gauge {
        self.refill(now);
        Gauge {
            limit: self.per_minute,
            remaining: u64::try_from(self.level_micro.max(0) / MICRO).unwrap_or(u64::MAX),
            full_in: self.time_to(self.capacity_micro()),
        }
    }

    fn capacity_micro(&self) -> i128 {
        i128::from(self.per_minute) * MICRO
    }

    fn refill(&mut self, now: Moment) {
        let nanos = i128::try_from(now.since(self.last).as_nanos()).unwrap_or(MINUTE_NANOS * 1_000_000);
        let gained = self.capacity_micro() * nanos / MINUTE_NANOS;
        // Time that bought less than a millionth is kept for the next call, else frequent calls would refill nothing.
        if gained > 0 {
            self.level_micro = (self.level_micro + gained).min(self.capacity_micro());
            self.last = now;
        }
    }

    fn time_to(&self, level_micro: i128) -> Duration {
        let missing = level_micro - self.level_micro;
        if missing <= 0 || self.per_minute == 0 {
            return Duration::ZERO;
        }
        let nanos = (missing * MINUTE_NANOS + self.capacity_micro() - 1) / self.capacity_micro();
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bucket_empties_waits_and_refills() {
        let mut bucket = Bucket::new(60, Moment::ZERO);
        assert_eq!(bucket.wait(Moment::ZERO, 60), Some(Duration::ZERO));
        bucket.take(Moment::ZERO, 60);
        assert_eq!(bucket.wait(Moment::ZERO, 2), Some(Duration::from_secs(2)));
        assert_eq!(bucket.wait(Moment::ZERO, 61), None, "more than it ever holds");
        let later = Moment::ZERO + Duration::from_secs(5);
        assert_eq!(bucket.gauge(later), Gauge { limit: 60, remaining: 5, full_in: Duration::from_secs(55) });
    }

    #[test]
    fn a_debt_is_paid_before_anything_is_admitted() {
        let mut bucket = Bucket::new(60, Moment::ZERO);
        bucket.take(Moment::ZERO, 90);
        assert_eq!(bucket.gauge(Moment::ZERO).remaining, 0);
        assert_eq!(bucket.wait(Moment::ZERO, 1), Some(Duration::from_secs(31)));
    }

    proptest! {
        /// Whatever the arrivals, a bucket admits at most what it held and what was refilled since.
        #[test]
        fn never_admits_more_than_it_was_given(
            limit in 1_u64..10_000,
            arrivals in proptest::collection::vec((0_u64..5_000_000_000, 1_u64..500), 1..200),
        ) {
            let mut bucket = Bucket::new(limit, Moment::ZERO);
            let (mut now, mut admitted) = (Moment::ZERO, 0_u64);
            for (gap, cost) in arrivals {
                now = now + Duration::from_nanos(gap);
                if bucket.wait(now, cost) == Some(Duration::ZERO) {
                    bucket.take(now, cost);
                    admitted += cost;
                }
            }
            let given = f64::from(u32::try_from(limit).unwrap()) * (1.0 + now.since(Moment::ZERO).as_secs_f64() / 60.0);
            prop_assert!(admitted as f64 <= given + 1e-3, "{admitted} of {given}");
        }
    }
}
