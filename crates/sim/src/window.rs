//! The ways in which providers cut time for a limit, and the counter of one limit.
//!
//! Buckets refill all the time (Anthropic's page on rate limits); fixed windows start over (Azure's); sliding ones weigh the
//! window before by what of it still counts (Cloudflare, "How we built rate limiting capable of scaling to millions of domains",
//! 2017). Shorter windows than a minute are how a provider smooths: 600 a minute held as 10 a second.

use std::time::Duration;

use weir_units::Moment;

use crate::bucket::{Bucket, Gauge};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);
const MICRO: i128 = 1_000_000;

/// How a limit per minute is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// A bucket that refills continuously and holds what `burst` brings; at most a minute's worth.
    Bucket {
        /// What it holds, in time.
        burst: Duration,
    },
    /// A count that starts over every `span`.
    Fixed {
        /// Its length.
        span: Duration,
    },
    /// Two counts: this window's, and of the one before the share that still lies within `span`.
    Sliding {
        /// Its length.
        span: Duration,
    },
}

impl Default for Window {
    /// A bucket that holds a minute's worth.
    fn default() -> Self {
        Self::Bucket { burst: MINUTE }
    }
}

/// One limit and what was used of it.
///
/// A window of a shorter span than the limit's holds the limit's share of it. A request that costs more than such a window
/// holds, and no more than the whole limit, is taken by an untouched one; the windows after it then hold that much less.
#[derive(Clone, Debug)]
pub(crate) struct Counter {
    limit: u64,
    per: Duration,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Bucket(Bucket),
    Windowed { span: Duration, ahead: Duration, slides: bool, number: u64, used_micro: i128, before_micro: i128 },
}

impl Counter {
    /// A limit per minute, of which nothing is used.
    pub(crate) fn per_minute(limit: u64, window: Window, now: Moment) -> Self {
        let kind = match window {
            Window::Bucket { burst } => Kind::Bucket(Bucket::with_burst(limit, burst, now)),
            Window::Fixed { span } => Kind::windowed(span, Duration::ZERO, false),
            Window::Sliding { span } => Kind::windowed(span, Duration::ZERO, true),
        };
        let mut counter = Self { limit, per: MINUTE, kind };
        counter.roll(now);
        counter
    }

    /// A limit per day, which starts over `first_reset` after the run's beginning and every 24 hours from there.
    pub(crate) fn per_day(limit: u64, first_reset: Duration, now: Moment) -> Self {
        let ahead = DAY.saturating_sub(first_reset);
        let mut counter = Self { limit, per: DAY, kind: Kind::windowed(DAY, ahead, false) };
        counter.roll(now);
        counter
    }

    /// How long until `cost` could be taken; `None` if it never can.
    pub(crate) fn wait(&mut self, now: Moment, cost: u64) -> Option<Duration> {
        self.roll(now);
        let (capacity, limit) = (self.capacity_micro(), self.limit);
        if cost > limit || capacity == 0 {
            return None;
        }
        match &mut self.kind {
            Kind::Bucket(bucket) => bucket.wait(now, cost),
            Kind::Windowed { span, ahead, slides, used_micro, before_micro, .. } => {
                let cost = (i128::from(cost) * MICRO).min(capacity);
                let elapsed = elapsed(now, *ahead, *span);
                let left = span.saturating_sub(elapsed);
                if *slides {
                    return Some(sliding_wait(capacity - cost, *before_micro, *used_micro, elapsed, *span));
                }
                let over = *used_micro + cost - capacity;
                if over <= 0 {
                    return Some(Duration::ZERO);
                }
                let windows = u32::try_from((over + capacity - 1) / capacity).unwrap_or(u32::MAX);
                Some(left + span.saturating_mul(windows.saturating_sub(1)))
            }
        }
    }

    /// Counts `cost`, also when that is more than there is.
    pub(crate) fn take(&mut self, now: Moment, cost: u64) {
        self.roll(now);
        match &mut self.kind {
            Kind::Bucket(bucket) => bucket.take(now, cost),
            Kind::Windowed { used_micro, .. } => *used_micro += i128::from(cost) * MICRO,
        }
    }

    /// Takes back what was counted and not used, within this window.
    pub(crate) fn refund(&mut self, now: Moment, cost: u64) {
        self.roll(now);
        match &mut self.kind {
            Kind::Bucket(bucket) => bucket.refund(now, cost),
            Kind::Windowed { used_micro, .. } => *used_micro = (*used_micro - i128::from(cost) * MICRO).max(0),
        }
    }

    /// Another limit from now on; what was used stays used.
    pub(crate) fn set_limit(&mut self, now: Moment, limit: u64) {
        self.roll(now);
        self.limit = limit;
        if let Kind::Bucket(bucket) = &mut self.kind {
            bucket.set_limit(now, limit);
        }
    }

    /// What headers would say of it; a window shorter than the limit's span is told as the share it is.
    pub(crate) fn gauge(&mut self, now: Moment) -> Gauge {
        self.roll(now);
        let capacity = self.capacity_micro();
        match &mut self.kind {
            Kind::Bucket(bucket) => bucket.gauge(now),
            Kind::Windowed { span, ahead, slides, used_micro, before_micro, .. } => {
                let elapsed = elapsed(now, *ahead, *span);
                let used = *used_micro + if *slides { weighed(*before_micro, elapsed, *span) } else { 0 };
                let remaining = u64::try_from((capacity - used).max(0) / MICRO).unwrap_or(u64::MAX);
                Gauge { limit: self.limit, remaining, full_in: span.saturating_sub(elapsed) }
            }
        }
    }

    fn capacity_micro(&self) -> i128 {
        match &self.kind {
            Kind::Bucket(_) => i128::from(self.limit) * MICRO,
            Kind::Windowed { span, .. } => i128::from(self.limit) * MICRO * nanos(*span) / nanos(self.per),
        }
    }

    /// Starts over as often as windows have ended since it was last looked at.
    fn roll(&mut self, now: Moment) {
        let capacity = self.capacity_micro();
        let Kind::Windowed { span, ahead, slides, number, used_micro, before_micro } = &mut self.kind else { return };
        let current = u64::try_from((now + *ahead).since(Moment::ZERO).as_nanos() / span.as_nanos()).unwrap_or(0);
        let ended = current.saturating_sub(*number);
        if ended == 0 {
            return;
        }
        *number = current;
        if *slides {
            *before_micro = if ended == 1 { *used_micro } else { 0 };
            *used_micro = 0;
        } else {
            *used_micro = (*used_micro - capacity.saturating_mul(i128::from(ended))).max(0);
        }
    }
}

impl Kind {
    fn windowed(span: Duration, ahead: Duration, slides: bool) -> Self {
        let span = span.max(Duration::from_millis(1));
        Self::Windowed { span, ahead, slides, number: 0, used_micro: 0, before_micro: 0 }
    }
}

fn nanos(span: Duration) -> i128 {
    i128::try_from(span.as_nanos()).unwrap_or(i128::MAX)
}

/// How far into its window `now` is.
fn elapsed(now: Moment, ahead: Duration, span: Duration) -> Duration {
    let nanos = (now + ahead).since(Moment::ZERO).as_nanos() % span.as_nanos();
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// What of the window before still counts, rounded up.
fn weighed(before: i128, elapsed: Duration, span: Duration) -> i128 {
    let left = nanos(span.saturating_sub(elapsed));
    (before * left + nanos(span) - 1) / nanos(span)
}

/// How long until what counts is at most `room`.
fn sliding_wait(room: i128, before: i128, used: i128, elapsed: Duration, span: Duration) -> Duration {
    // The time into a window at which `count` of the one before has shrunk to `allowed`.
    let shrunk = |count: i128, allowed: i128| {
        let gone = ((count - allowed).max(0) * nanos(span) + count - 1) / count.max(1);
        Duration::from_nanos(u64::try_from(gone).unwrap_or(u64::MAX))
    };
    if weighed(before, elapsed, span) + used <= room {
        Duration::ZERO
    } else if used <= room {
        shrunk(before, room - used).saturating_sub(elapsed)
    } else {
        span.saturating_sub(elapsed) + shrunk(used, room)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(millis: u64) -> Moment {
        Moment::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn a_fixed_window_starts_over_at_once() {
        let mut counter = Counter::per_minute(10, Window::Fixed { span: MINUTE }, at(0));
        counter.take(at(50_000), 10);
        assert_eq!(counter.wait(at(50_000), 1), Some(10 * SECOND));
        assert_eq!(counter.wait(at(60_000), 10), Some(Duration::ZERO));
        assert_eq!(counter.gauge(at(59_000)).full_in, SECOND);
        assert_eq!(counter.wait(at(0), 11), None);
    }

    #[test]
    fn a_slice_holds_its_share_and_a_large_request_borrows_from_those_after() {
        let mut counter = Counter::per_minute(600, Window::Fixed { span: SECOND }, at(0));
        counter.take(at(0), 10);
        assert_eq!(counter.wait(at(100), 1), Some(Duration::from_millis(900)));
        let mut counter = Counter::per_minute(600, Window::Fixed { span: SECOND }, at(0));
        assert_eq!(counter.wait(at(0), 35), Some(Duration::ZERO));
        counter.take(at(0), 35);
        assert_eq!(counter.wait(at(0), 1), Some(3 * SECOND), "25 are owed: two whole slices and half of the third");
    }

    #[test]
    fn a_sliding_window_weighs_the_one_before() {
        let mut counter = Counter::per_minute(60, Window::Sliding { span: MINUTE }, at(0));
        counter.take(at(30_000), 60);
        assert_eq!(counter.wait(at(30_000), 1), Some(31 * SECOND), "a second into the next, one of sixty is gone");
        assert_eq!(counter.gauge(at(90_000)).remaining, 30);
        assert_eq!(counter.wait(at(90_000), 30), Some(Duration::ZERO));
        assert_eq!(counter.wait(at(90_000), 40), Some(10 * SECOND));
        assert_eq!(counter.gauge(at(240_000)).remaining, 60, "two windows later all is forgotten");
    }

    #[test]
    fn a_day_starts_over_at_its_midnight() {
        let mut counter = Counter::per_day(5, Duration::from_secs(3_600), at(0));
        counter.take(at(0), 5);
        assert_eq!(counter.wait(at(0), 1), Some(3_600 * SECOND));
        assert_eq!(counter.wait(at(3_600_000), 5), Some(Duration::ZERO));
        counter.take(at(3_600_000), 5);
        assert_eq!(counter.wait(at(3_600_000), 1), Some(DAY));
    }

    proptest! {
        /// In no window may more be admitted than it holds; and a wait that was told is long enough.
        #[test]
        fn a_window_never_admits_more_than_it_holds_and_its_wait_is_true(
            limit in 60_u64..5_000,
            fixed: bool,
            arrivals in proptest::collection::vec((0_u64..20_000, 1_u64..60), 1..200),
        ) {
            let window = if fixed { Window::Fixed { span: MINUTE } } else { Window::Sliding { span: MINUTE } };
            let mut counter = Counter::per_minute(limit, window, at(0));
            let mut admitted = std::collections::BTreeMap::<u64, u64>::new();
            let mut now = 0;
            for (gap, cost) in arrivals {
                now += gap;
                match counter.wait(at(now), cost) {
                    Some(Duration::ZERO) => {
                        counter.take(at(now), cost);
                        *admitted.entry(now / 60_000).or_default() += cost;
                    }
                    Some(wait) => prop_assert_eq!(counter.clone().wait(at(now) + wait, cost), Some(Duration::ZERO)),
                    None => prop_assert!(cost > limit),
                }
            }
            prop_assert!(admitted.values().all(|sum| *sum <= limit), "{:?} of {}", admitted, limit);
        }

        #[test]
        fn slices_admit_no_more_than_their_share_and_one_request(
            limit in 60_u64..5_000,
            arrivals in proptest::collection::vec((0_u64..500, 1_u64..60), 1..300),
        ) {
            let mut counter = Counter::per_minute(limit, Window::Fixed { span: SECOND }, at(0));
            let (mut now, mut sum) = (0, 0);
            for (gap, cost) in arrivals {
                now += gap;
                if counter.wait(at(now), cost) == Some(Duration::ZERO) {
                    counter.take(at(now), cost);
                    sum += cost;
                }
            }
            prop_assert!(sum * 60 <= limit * (now / 1_000 + 1) + 60 * 60, "{} in {} ms of {}", sum, now, limit);
        }
    }
}
