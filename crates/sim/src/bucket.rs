//! A limit per minute as a provider enforces it: a bucket that refills continuously and holds a minute's worth, or less.
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
    burst_nanos: i128,
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
        Self::with_burst(per_minute, Duration::from_secs(60), now)
    }

    /// A full bucket that holds what `burst` brings, for providers which hand out less than a minute's worth at once.
    #[must_use]
    pub fn with_burst(per_minute: u64, burst: Duration, now: Moment) -> Self {
        let burst_nanos = i128::try_from(burst.as_nanos()).unwrap_or(MINUTE_NANOS).clamp(1, MINUTE_NANOS);
        let mut bucket = Self { per_minute, burst_nanos, level_micro: 0, last: now };
        bucket.level_micro = bucket.capacity_micro();
        bucket
    }

    /// How long until `cost` could be taken; `None` if it never can, because it is more than a minute's worth.
    ///
    /// What costs more than the bucket holds is taken from a full one, and what follows waits for the debt.
    pub fn wait(&mut self, now: Moment, cost: u64) -> Option<Duration> {
        self.refill(now);
        if cost > self.per_minute {
            return None;
        }
        Some(self.time_to((i128::from(cost) * MICRO).min(self.capacity_micro())))
    }

    /// Another limit from now on; what is left stays, as far as the bucket still holds it.
    pub fn set_limit(&mut self, now: Moment, per_minute: u64) {
        self.refill(now);
        self.per_minute = per_minute;
        self.level_micro = self.level_micro.min(self.capacity_micro());
    }

    /// Gives back what was taken and not used.
    pub fn refund(&mut self, now: Moment, cost: u64) {
        self.refill(now);
        self.level_micro = (self.level_micro + i128::from(cost) * MICRO).min(self.capacity_micro());
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

    fn rate_micro(&self) -> i128 {
        i128::from(self.per_minute) * MICRO
    }

    fn capacity_micro(&self) -> i128 {
        self.rate_micro() * self.burst_nanos / MINUTE_NANOS
    }

    fn refill(&mut self, now: Moment) {
        let nanos = i128::try_from(now.since(self.last).as_nanos()).unwrap_or(MINUTE_NANOS * 1_000_000);
        let gained = self.rate_micro() * nanos / MINUTE_NANOS;
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
        let nanos = (missing * MINUTE_NANOS + self.rate_micro() - 1) / self.rate_micro();
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
    fn a_bucket_of_ten_seconds_gives_ten_seconds_at_once_and_a_large_request_its_debt() {
        let mut bucket = Bucket::with_burst(60, Duration::from_secs(10), Moment::ZERO);
        assert_eq!(bucket.gauge(Moment::ZERO).remaining, 10);
        assert_eq!(bucket.wait(Moment::ZERO, 30), Some(Duration::ZERO), "more than it holds, from a full one");
        bucket.take(Moment::ZERO, 30);
        assert_eq!(bucket.wait(Moment::ZERO, 1), Some(Duration::from_secs(21)));
        bucket.refund(Moment::ZERO, 15);
        assert_eq!(bucket.wait(Moment::ZERO, 1), Some(Duration::from_secs(6)));
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
