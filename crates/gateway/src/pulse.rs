//! The last minutes in numbers, for whoever watches: requests by the second, and by deployment how it fares.
//!
//! Bounded whatever comes: rings of fixed length for the whole and for each deployment that has a label of its own. It is
//! counted where the metrics are, under the lock that those take anyway, so a request costs a few additions more.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use weir_ledger::{Attempt, Entry, Outcome};
use weir_units::{Moment, NanoUsd, RequestId, WallTime};

/// How many seconds back requests are told one by one.
pub(crate) const SECONDS: usize = 60;
/// How many seconds a rate is taken over.
const RATE: usize = 10;
/// How far back shares and latencies go, in steps of so many seconds.
pub(crate) const WINDOW: Duration = Duration::from_secs(300);
const STEP: Duration = Duration::from_secs(30);
const STEPS: usize = 11;
/// How many of the requests that failed are remembered.
const FAILURES: usize = 20;

/// What was counted lately.
#[derive(Default)]
pub(crate) struct Pulse {
    whole: Beat,
    deployments: BTreeMap<Arc<str>, Box<Beat>>,
    failures: VecDeque<Failure>,
    spent: Ring<Spent, { SECONDS + 1 }, 1>,
}

/// What calls cost, as far as that is known.
#[derive(Clone, Copy, Default)]
pub(crate) struct Spent {
    pub(crate) known: NanoUsd,
    /// Calls whose cost is unknown.
    pub(crate) unknown: u64,
}

/// A request that ended badly, as far as the user who sent it is concerned.
#[derive(Clone)]
pub(crate) struct Failure {
    pub(crate) at: WallTime,
    pub(crate) id: RequestId,
    pub(crate) route: Option<Arc<str>>,
    pub(crate) key: Option<Arc<str>>,
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<Arc<str>>,
    pub(crate) refused_by: Option<Arc<str>>,
}

/// Counts over the window.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    /// Requests that ended and whose client stayed, and how many of them were answered.
    pub(crate) ended: u64,
    pub(crate) answered: u64,
    /// Calls upstream whose end was awaited; those that a 429 answered, and those that failed otherwise.
    pub(crate) attempts: u64,
    pub(crate) throttled: u64,
    pub(crate) failed: u64,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.ended += other.ended;
        self.answered += other.answered;
        self.attempts += other.attempts;
        self.throttled += other.throttled;
        self.failed += other.failed;
    }
}

/// One thing that is counted over time.
#[derive(Clone, Default)]
pub(crate) struct Beat {
    /// Requests, or attempts at a deployment, and how many a 429 answered.
    seconds: Ring<(u32, u32), { SECONDS + 1 }, 1>,
    steps: Ring<Tally, STEPS, { STEP.as_secs() }>,
    first: Ring<Spread, STEPS, { STEP.as_secs() }>,
}

impl Pulse {
    /// Counts a request that has ended.
    pub(crate) fn request(&mut self, now: Moment, entry: &Entry) {
        self.whole.seconds.slot(now).0 += 1;
        let spent = self.spent.slot(now);
        for attempt in &entry.attempts {
            spent.known += attempt.cost_usd.unwrap_or_default();
            spent.unknown += u64::from(attempt.cost_usd.is_none());
        }
        if entry.outcome != Outcome::Cancelled {
            let step = self.whole.steps.slot(now);
            step.ended += 1;
            step.answered += u64::from(entry.outcome == Outcome::Answered);
        }
        if let Some(after) = entry.first_content_ms.filter(|_| entry.stream) {
            self.whole.first.slot(now).add(after);
        }
        if matches!(entry.outcome, Outcome::Failed | Outcome::Refused) {
            if self.failures.len() == FAILURES {
                self.failures.pop_front();
            }
            self.failures.push_back(Failure {
                at: entry.ended_at.unwrap_or(entry.started_at),
                id: entry.id,
                route: entry.route.clone(),
                key: entry.key.clone(),
                status: entry.status,
                code: entry.code.clone(),
                refused_by: entry.refused_by.clone(),
            });
        }
    }

    /// Counts one of its calls; `first` is when its first content came, in milliseconds, if it was a stream.
    pub(crate) fn attempt(&mut self, now: Moment, deployment: &Arc<str>, attempt: &Attempt, first: Option<u64>) {
        let throttled = attempt.status == Some(429);
        let tally = Tally {
            attempts: 1,
            throttled: u64::from(throttled),
            failed: u64::from(attempt.class.is_some() && !throttled),
            ..Tally::default()
        };
        self.whole.seconds.slot(now).1 += u32::from(throttled);
        self.whole.steps.slot(now).add(&tally);
        let beat = match self.deployments.get_mut(deployment) {
            Some(beat) => beat,
            None => self.deployments.entry(Arc::clone(deployment)).or_default(),
        };
        let second = beat.seconds.slot(now);
        second.0 += 1;
        second.1 += u32::from(throttled);
        beat.steps.slot(now).add(&tally);
        if let Some(after) = first {
            beat.first.slot(now).add(after);
        }
    }

    /// What the last sixty seconds that are over cost.
    pub(crate) fn spent(&self, now: Moment) -> Spent {
        self.spent.oldest_first(now).take(SECONDS).fold(Spent::default(), |sum, second| Spent {
            known: sum.known + second.known,
            unknown: sum.unknown + second.unknown,
        })
    }

    /// Of all requests together.
    pub(crate) fn whole(&self) -> &Beat {
        &self.whole
    }

    /// Of one deployment, if it was called.
    pub(crate) fn deployment(&self, deployment: &str) -> Option<&Beat> {
        self.deployments.get(deployment).map(|beat| &**beat)
    }

    /// Requests that failed last, the newest first.
    pub(crate) fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.failures.iter().rev()
    }
}

impl Beat {
    /// How many a second, over the last ten that are over.
    pub(crate) fn rate(&self, now: Moment) -> f64 {
        let counts: u32 = self.seconds.oldest_first(now).map(|second| second.0).skip(SECONDS - RATE).take(RATE).sum();
        f64::from(counts) / RATE as f64
    }

    /// The last sixty seconds that are over, the oldest first: how many, and how many 429s.
    pub(crate) fn seconds(&self, now: Moment) -> Vec<(u32, u32)> {
        self.seconds.oldest_first(now).take(SECONDS).collect()
    }

    /// Counts over the window.
    pub(crate) fn tally(&self, now: Moment) -> Tally {
        let mut sum = Tally::default();
        self.steps.oldest_first(now).for_each(|step| sum.add(&step));
        sum
    }

    /// The time to the first content of streams that `percent` of them do not exceed, in milliseconds.
    pub(crate) fn first_content_ms(&self, now: Moment, percent: u64) -> Option<u64> {
        let mut sum = Spread::default();
        self.first.oldest_first(now).for_each(|spread| sum.merge(&spread));
        sum.quantile(percent)
    }
}

/// `N` slots of `EVERY` seconds each; the newest is the one that still runs.
#[derive(Clone)]
struct Ring<T, const N: usize, const EVERY: u64> {
    slots: [T; N],
    at: u64,
}

impl<T: Copy + Default, const N: usize, const EVERY: u64> Default for Ring<T, N, EVERY> {
    fn default() -> Self {
        Self { slots: [T::default(); N], at: 0 }
    }
}

impl<T: Copy + Default, const N: usize, const EVERY: u64> Ring<T, N, EVERY> {
    fn slot(&mut self, now: Moment) -> &mut T {
        // Two that end together may bring their times in either order: time here never goes back.
        let at = place::<EVERY>(now).max(self.at);
        for passed in (self.at + 1..=at).take(N) {
            self.slots[passed as usize % N] = T::default();
        }
        if at - self.at >= N as u64 {
            self.slots = [T::default(); N];
        }
        self.at = at;
        &mut self.slots[at as usize % N]
    }

    fn oldest_first(&self, now: Moment) -> impl Iterator<Item = T> {
        let (known, newest) = (self.at, place::<EVERY>(now).max(self.at));
        (0..N as u64).rev().map(move |back| match newest.checked_sub(back) {
            Some(at) if at <= known && at + N as u64 > known => self.slots[at as usize % N],
            _ => T::default(),
        })
    }
}

fn place<const EVERY: u64>(now: Moment) -> u64 {
    now.0 / (EVERY * 1_000_000_000)
}

/// Eight buckets to each doubling of milliseconds, up to 2¹⁷ (two minutes).
const PER_DOUBLING: u32 = 8;
const BUCKETS: usize = 17 * PER_DOUBLING as usize;

/// How long things took.
#[derive(Clone, Copy)]
struct Spread([u32; BUCKETS]);

impl Default for Spread {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Spread {
    fn add(&mut self, ms: u64) {
        let count = &mut self.0[bucket(ms)];
        *count = count.saturating_add(1);
    }

    fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, count)| *sum = sum.saturating_add(count));
    }

    /// The upper end of the bucket that holds it: up to an eighth too high, never too low.
    fn quantile(&self, percent: u64) -> Option<u64> {
        let total: u64 = self.0.iter().map(|count| u64::from(*count)).sum();
        let wanted = (total * percent).div_ceil(100);
        let mut seen = 0;
        let found = self.0.iter().position(|count| {
            seen += u64::from(*count);
            seen >= wanted
        });
        found.filter(|_| total > 0).map(end)
    }
}

/// The bucket of a time: its highest bit and the three bits below it.
fn bucket(ms: u64) -> usize {
    let ms = ms.max(1);
    let doubling = ms.ilog2();
    let below = if doubling >= 3 { ms >> (doubling - 3) & 7 } else { ms << (3 - doubling) & 7 };
    ((doubling * PER_DOUBLING) as usize + below as usize).min(BUCKETS - 1)
}

/// The longest time of a bucket.
fn end(place: usize) -> u64 {
    let (doubling, below) = (place as u32 / PER_DOUBLING, place as u64 % u64::from(PER_DOUBLING));
    (((u64::from(PER_DOUBLING) + below + 1) << doubling).div_ceil(8) - 1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment(seconds * 1_000_000_000)
    }

    fn asked(beat: &mut Beat, seconds: u64, ms: u64) {
        beat.seconds.slot(at(seconds)).0 += 1;
        beat.steps.slot(at(seconds)).attempts += 1;
        beat.first.slot(at(seconds)).add(ms);
    }

    #[test]
    fn rates_are_of_whole_seconds_and_counts_of_five_minutes() {
        let mut beat = Beat::default();
        for second in 100..110 {
            for _ in 0..5 {
                asked(&mut beat, second, 100);
            }
        }
        assert_eq!((beat.rate(at(110)), beat.rate(at(115)), beat.rate(at(120))), (5.0, 2.5, 0.0));
        let seconds = beat.seconds(at(110));
        assert_eq!((seconds.len(), seconds[50], seconds[59], seconds[49]), (60, (5, 0), (5, 0), (0, 0)));
        assert_eq!(beat.tally(at(110)).attempts, 50);
        assert_eq!(beat.tally(at(110) + WINDOW).attempts, 50);
        assert_eq!(beat.tally(at(150) + WINDOW).attempts, 0);
        assert_eq!(beat.first_content_ms(at(150) + WINDOW, 95), None);
    }

    #[test]
    fn dollars_are_those_of_the_last_minute_and_calls_without_a_price_are_counted_beside_them() {
        let (at_time, name) = (WallTime(0), || Arc::<str>::from("a/m"));
        let attempt = |cost_usd| Attempt {
            deployment: name(),
            status: Some(200),
            class: None,
            message: None,
            upstream_id: None,
            started_at: at_time,
            ended_at: at_time,
            usage: None,
            cost_usd,
            cost_estimated: false,
        };
        let intent = weir_ledger::Intent {
            id: RequestId(1),
            run: None,
            key: None,
            tenant: None,
            tags: Vec::new(),
            route: name(),
            model: name(),
            dialect: "openai",
            endpoint: "chat",
            stream: false,
            trace: None,
            sdk_retry: None,
            started_at: at_time,
        };
        let mut entry = Entry::of(intent, Outcome::Answered);
        entry.attempts = vec![attempt(Some(NanoUsd(7))), attempt(None)];
        let mut pulse = Pulse::default();
        pulse.request(at(100), &entry);
        pulse.request(at(130), &entry);
        for (now, known, unknown) in [(131, 14, 2), (160, 14, 2), (161, 7, 1), (191, 0, 0)] {
            let spent = pulse.spent(at(now));
            assert_eq!((spent.known.0, spent.unknown), (known, unknown), "at {now}");
        }
    }

    #[test]
    fn a_ring_forgets_what_a_long_silence_left_behind_and_knows_no_time_before_its_own() {
        let mut beat = Beat::default();
        asked(&mut beat, 0, 7);
        assert_eq!(beat.tally(at(0)).attempts, 1);
        asked(&mut beat, 100_000, 7);
        asked(&mut beat, 99_999, 7);
        assert_eq!((beat.tally(at(100_001)).attempts, beat.seconds(at(100_001))[59].0), (2, 2));
    }

    #[test]
    fn quantiles_are_an_eighth_too_high_at_most() {
        let mut beat = Beat::default();
        for ms in 1..=1_000 {
            asked(&mut beat, 5, ms);
        }
        let (p50, p95) = (beat.first_content_ms(at(6), 50).unwrap(), beat.first_content_ms(at(6), 95).unwrap());
        assert!((500..=563).contains(&p50) && (950..=1_069).contains(&p95), "{p50} {p95}");
        for ms in (1..5_000).chain([65_536, 131_071]) {
            let end = end(bucket(ms));
            assert!(end >= ms && end <= ms + ms / 8 + 1, "{ms}: {end}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }
}
