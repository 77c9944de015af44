//! What waits to become spans: requests that have ended, and facts of the system.
//!
//! A request hands its record over with one push under a lock that is held for nothing else, and never waits. What finds the queue
//! full is dropped and counted.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use tokio::sync::{Notify, watch};
use weir_config::{Config, Telemetry as Settings};
use weir_ledger::{Entry, Event, Fact, Outcome};
use weir_units::WallTime;

use crate::metrics::Exported;
use crate::retried::Retried;

/// The most that waits; a record is about 4 kB.
const ROOM: usize = 8_192;
/// So many are sent without further delay: few enough to be still in the processor's cache.
const PLENTY: usize = 256;
/// The most that are sent together.
const TOGETHER: usize = 1_024;

/// What the spans of a request say and its record does not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aside {
    /// When its body was here and read; none if that did not come about.
    pub(crate) accepted_at: Option<WallTime>,
    pub(crate) state: Option<HeaderValue>,
    pub(crate) priority: Option<&'static str>,
    pub(crate) step: Option<Box<str>>,
    /// The model that answered, the provider's id of the answer, and why it ended.
    pub(crate) model: Option<Box<str>>,
    pub(crate) response: Option<Box<str>>,
    pub(crate) finish: Option<Box<str>>,
    /// What it is a further try of.
    pub(crate) retried: Option<Retried>,
}

/// A request that has ended.
pub(crate) struct Finished {
    pub(crate) entry: Box<Entry>,
    pub(crate) aside: Box<Aside>,
}

/// One thing to tell.
pub(crate) enum Job {
    Request(Finished),
    Fact(Box<Event>),
}

/// What waits to be exported, and what became of what did not wait any more.
pub(crate) struct Telemetry {
    jobs: Mutex<VecDeque<Job>>,
    /// There is something to send.
    pub(super) some: Notify,
    /// There is much to send.
    pub(super) much: Notify,
    /// The settings have changed.
    pub(crate) changed: Notify,
    pub(super) closing: watch::Sender<bool>,
    pub(super) since: WallTime,
    /// Tells this process from others.
    pub(super) instance: u128,
    pub(crate) counts: Counts,
    trouble: Mutex<Trouble>,
}

/// What was counted since the start.
#[derive(Default)]
pub(crate) struct Counts {
    /// Spans that a receiver has taken.
    pub(crate) spans: AtomicU64,
    /// Requests whose spans are in those.
    pub(crate) requests: AtomicU64,
    /// Requests that are not traced, by choice.
    pub(crate) unsampled: AtomicU64,
    /// Requests and facts whose spans nobody has: the queue was full, or the receiver refused them.
    pub(crate) dropped: AtomicU64,
    /// Spans that a receiver took the request of and refused itself.
    pub(crate) rejected: AtomicU64,
}

/// Why nothing is delivered at the moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trouble {
    pub(crate) traces: Option<String>,
    pub(crate) metrics: Option<String>,
}

impl Telemetry {
    pub(crate) fn new(since: WallTime, instance: u128) -> Self {
        Self {
            jobs: Mutex::default(),
            some: Notify::new(),
            much: Notify::new(),
            changed: Notify::new(),
            closing: watch::Sender::new(false),
            since,
            instance,
            counts: Counts::default(),
            trouble: Mutex::default(),
        }
    }

    /// Takes a copy of a record, if it is one that is traced.
    pub(crate) fn finished(&self, settings: Option<&Settings>, entry: &Entry, took: Duration, aside: Box<Aside>) {
        let Some(settings) = settings.filter(|settings| settings.traces.is_some()) else { return };
        if is_traced(settings, entry, took) {
            self.push(Job::Request(Finished { entry: Box::new(entry.clone()), aside }));
        } else {
            self.counts.unsampled.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes a fact of the system.
    pub(crate) fn fact(&self, event: &Event) {
        self.push(Job::Fact(Box::new(event.clone())));
    }

    fn push(&self, job: Job) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = jobs.len();
        if waiting < ROOM {
            jobs.push_back(job);
        }
        drop(jobs);
        match waiting {
            0 => self.some.notify_one(),
            PLENTY => self.much.notify_one(),
            ROOM.. => {
                self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }

    /// What waits, the oldest first, and not more than are sent at a time: the rest goes on waiting where it is counted.
    pub(super) fn take(&self) -> VecDeque<Job> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let count = jobs.len().min(TOGETHER);
        jobs.drain(..count).collect()
    }

    /// How much waits.
    pub(super) fn waiting(&self) -> usize {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// What became of it all so far.
    pub(crate) fn exported(&self) -> Exported {
        let (counts, trouble) = (&self.counts, self.trouble());
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Exported {
            spans: read(&counts.spans),
            requests: read(&counts.requests),
            unsampled: read(&counts.unsampled),
            dropped: read(&counts.dropped),
            rejected: read(&counts.rejected),
            waiting: self.waiting(),
            failing: trouble.traces.is_some() || trouble.metrics.is_some(),
        }
    }

    /// For `/health/ready`: null where nothing is exported.
    pub(crate) fn health(&self, config: &Config) -> serde_json::Value {
        if config.telemetry.is_none() {
            return serde_json::Value::Null;
        }
        let (seen, trouble) = (self.exported(), self.trouble());
        serde_json::json!({
            "queued": seen.waiting, "dropped": seen.dropped, "traces_error": trouble.traces, "metrics_error": trouble.metrics,
        })
    }

    pub(crate) fn trouble(&self) -> Trouble {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_trouble(&self, set: impl FnOnce(&mut Trouble)) {
        set(&mut self.trouble.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Whether a request is traced: what went wrong, was slow or unusual always is, the rest by its trace's flag.
fn is_traced(settings: &Settings, entry: &Entry, took: Duration) -> bool {
    let sampled = entry.trace.is_some_and(weir_units::TraceContext::sampled);
    let unusual = |event: &Event| {
        matches!(
            event.fact,
            Fact::RunWarned(_)
                | Fact::RunSlowed(_)
                | Fact::RunHalted(_)
                | Fact::ClientRetried { .. }
                | Fact::FailedOver { .. }
                | Fact::PassedOver { .. }
                | Fact::BreakerChanged { .. }
                | Fact::CredentialBenched { .. }
                | Fact::ModelBenched { .. }
                | Fact::BudgetRefused { .. }
                | Fact::TooDear { .. }
        )
    };
    sampled
        || entry.outcome != Outcome::Answered
        || entry.status.is_none_or(|status| status >= 400)
        || entry.attempts.len() > 1
        || took >= settings.slow
        || entry.events.iter().any(unusual)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weir_ledger::{Attempt, Intent, RunEvidence, Stage};
    use weir_units::{FaultClass, RequestId, TraceContext};

    use super::*;

    fn settings() -> Settings {
        Settings {
            traces: Some("http://127.0.0.1:9/v1/traces".to_owned()),
            metrics: None,
            headers: Vec::new(),
            resource: Vec::new(),
            sample_ppm: 0,
            slow: Duration::from_secs(30),
            timeout: Duration::from_secs(1),
            interval: Duration::from_secs(1),
            gzip: false,
        }
    }

    /// A request that was answered at once and is in no sample.
    fn entry() -> Entry {
        let intent = Intent {
            id: RequestId(1),
            run: None,
            key: None,
            tenant: None,
            tags: Vec::new(),
            route: Arc::from("smart"),
            model: Arc::from("smart"),
            dialect: "openai",
            endpoint: "/v1/chat/completions",
            stream: false,
            trace: Some(TraceContext { trace_id: 1, parent: 0, flags: 0 }),
            sdk_retry: None,
            started_at: WallTime(0),
        };
        let mut entry = Entry::of(intent, Outcome::Answered);
        entry.status = Some(200);
        entry.attempts.push(attempt());
        entry
    }

    fn attempt() -> Attempt {
        Attempt {
            deployment: Arc::from("a/m"),
            status: Some(200),
            class: None::<FaultClass>,
            message: None,
            upstream_id: None,
            started_at: WallTime(0),
            ended_at: WallTime(1),
            usage: None,
            cost_usd: None,
            cost_estimated: false,
        }
    }

    fn halted() -> Fact {
        Fact::RunHalted(RunEvidence {
            run: "r".to_owned(),
            tenant: "t".to_owned(),
            detector: "cycles",
            tool: None,
            count: 1,
            of: 1,
            threshold: 1,
            period: 1,
            hashes: Vec::new(),
            words: String::new(),
        })
    }

    #[test]
    fn what_is_unusual_is_always_traced_and_the_rest_by_its_flag() {
        let (settings, quick) = (settings(), Duration::from_millis(5));
        assert!(!is_traced(&settings, &entry(), quick));
        assert!(is_traced(&settings, &entry(), settings.slow), "a slow one");
        type Change = fn(&mut Entry);
        let changes: [(&str, Change); 6] = [
            ("sampled", |entry| entry.trace = Some(TraceContext { trace_id: 1, parent: 0, flags: 1 })),
            ("refused", |entry| entry.outcome = Outcome::Refused),
            ("cancelled", |entry| entry.outcome = Outcome::Cancelled),
            ("an error", |entry| entry.status = Some(429)),
            ("tried twice", |entry| entry.attempts.push(attempt())),
            ("of a halted run", |entry| {
                entry.events.push(Event { at: WallTime(0), stage: Stage::Admit, fact: halted() });
            }),
        ];
        for (what, change) in changes {
            let mut entry = entry();
            change(&mut entry);
            assert!(is_traced(&settings, &entry, quick), "{what}");
        }
    }

    #[test]
    fn what_finds_the_queue_full_is_dropped_and_counted() {
        let (telemetry, mut settings) = (Telemetry::new(WallTime(0), 1), settings());
        let mut sampled = entry();
        sampled.trace = Some(TraceContext { trace_id: 1, parent: 0, flags: 1 });
        for _ in 0..ROOM + 7 {
            telemetry.finished(Some(&settings), &sampled, Duration::ZERO, Box::default());
        }
        telemetry.finished(Some(&settings), &entry(), Duration::ZERO, Box::default());
        let seen = telemetry.exported();
        assert_eq!((seen.waiting, seen.dropped, seen.unsampled), (ROOM, 7, 1));
        let taken: usize = std::iter::from_fn(|| Some(telemetry.take().len()).filter(|count| *count > 0)).sum();
        assert_eq!(taken, ROOM);
        settings.traces = None;
        telemetry.finished(Some(&settings), &sampled, Duration::ZERO, Box::default());
        telemetry.finished(None, &sampled, Duration::ZERO, Box::default());
        assert_eq!(
            (telemetry.exported().waiting, telemetry.exported().dropped),
            (0, 7),
            "where nothing is asked for nothing waits"
        );
    }
}
