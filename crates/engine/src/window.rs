//! What happened lately, counted by second: the evidence that a breaker decides on.
//!
//! Only seconds in which something happened are kept. At low volume the counts reach back up to five minutes until ten
//! calls are seen, since a rule that needs ten calls in thirty seconds would never judge a model that is asked twice a minute.

use std::collections::VecDeque;
use std::time::Duration;

use weir_units::Moment;

/// The fewest calls that a share is taken of (docs/policy.md, Breakers).
pub(crate) const ENOUGH: u32 = 10;
const LONGEST: u64 = 300;
const SECOND: u64 = 1_000_000_000;

/// How many calls did what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) ok: u32,
    pub(crate) failed: u32,
    /// Of the good ones, those that were slow.
    pub(crate) slow: u32,
}

impl Counts {
    pub(crate) fn total(self) -> u32 {
        self.ok.saturating_add(self.failed)
    }

    fn add(&mut self, more: Self) {
        self.ok = self.ok.saturating_add(more.ok);
        self.failed = self.failed.saturating_add(more.failed);
        self.slow = self.slow.saturating_add(more.slow);
    }
}

/// Counts by second, newest last.
#[derive(Debug, Default)]
pub(crate) struct Window {
    seconds: VecDeque<(u64, Counts)>,
}

impl Window {
    pub(crate) fn record(&mut self, now: Moment, what: Counts) {
        let second = now.0 / SECOND;
        match self.seconds.back_mut() {
            Some((newest, counts)) if *newest >= second => counts.add(what),
            _ => {
                self.seconds.push_back((second, what));
                while self.seconds.front().is_some_and(|(oldest, _)| oldest + LONGEST <= second) {
                    self.seconds.pop_front();
                }
            }
        }
    }

    /// What the last `span` saw, the current second included.
    pub(crate) fn last(&self, now: Moment, span: Duration) -> Counts {
        self.sum(now, span, 0)
    }

    /// What the last `span` saw, reaching further back, up to five minutes, until there are [`ENOUGH`] calls.
    pub(crate) fn last_enough(&self, now: Moment, span: Duration) -> Counts {
        self.sum(now, span, ENOUGH)
    }

    fn sum(&self, now: Moment, span: Duration, enough: u32) -> Counts {
        let second = now.0 / SECOND;
        let mut sum = Counts::default();
        for (at, counts) in self.seconds.iter().rev() {
            let age = second.saturating_sub(*at);
            if age >= LONGEST || (age >= span.as_secs().max(1) && sum.total() >= enough) {
                break;
            }
            sum.add(*counts);
        }
        sum
    }

    pub(crate) fn clear(&mut self) {
        self.seconds.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Moment {
        Moment(second * SECOND)
    }

    #[test]
    fn old_seconds_count_only_while_there_are_too_few_calls() {
        let mut window = Window::default();
        let failed = Counts { failed: 1, ..Counts::default() };
        for second in [0, 100, 200, 205, 210] {
            window.record(at(second), failed);
        }
        let half_minute = Duration::from_secs(30);
        assert_eq!(window.last(at(210), half_minute).failed, 3);
        assert_eq!(window.last_enough(at(210), half_minute).failed, 5);
        assert_eq!(window.last_enough(at(450), half_minute).failed, 3, "five minutes are the most");
        for _ in 0..ENOUGH {
            window.record(at(451), Counts { ok: 1, ..Counts::default() });
        }
        assert_eq!(window.last_enough(at(451), half_minute), Counts { ok: ENOUGH, failed: 0, slow: 0 });
    }
}
