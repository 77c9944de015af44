//! The two tasks that export: one sends what waits as spans, and keeps at it while the receiver is away; one sends the counters at an
//! interval. They wait for receivers and no request waits for them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use weir_ledger::Event;

use super::deliver::{Delivery, post};
use super::proto::Proto;
use super::queue::{Job, Telemetry};
use super::spans::{self, Provider, nanos};
use super::{events, is_on};
use crate::admin;
use crate::clock::wall;
use crate::state::{Live, Shared};

/// How long spans wait for more of them.
const COLLECT: Duration = Duration::from_secs(1);
/// An export is about so large; receivers take 4 MB and more.
const LARGE: usize = 1 << 20;
/// What the spans of one request take, about.
const USUAL: usize = 2_560;
/// The waits between tries grow from the first to the last.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LAST_WAIT: Duration = Duration::from_secs(30);
/// How long the last exports may take when the process ends.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// The tasks that export.
pub(crate) struct Exporting {
    tasks: [JoinHandle<()>; 2],
}

impl Exporting {
    /// Exports from now on, to wherever the configuration in force says.
    pub(crate) fn start(shared: &Arc<Shared>) -> Self {
        let closing = || shared.telemetry.closing.subscribe();
        let traces = tokio::spawn(send_spans(Arc::clone(shared), closing()));
        let metrics = tokio::spawn(send_metrics(Arc::clone(shared), closing()));
        Self { tasks: [traces, metrics] }
    }

    /// Sends what is left, once, and ends.
    pub(crate) async fn close(self, shared: &Shared) {
        shared.telemetry.closing.send_replace(true);
        let end = tokio::time::Instant::now() + LAST_WORDS;
        for mut task in self.tasks {
            if tokio::time::timeout_at(end, &mut task).await.is_err() {
                task.abort();
            }
        }
        let waiting = shared.telemetry.waiting();
        if waiting > 0 {
            tracing::warn!("the spans of {waiting} requests were not delivered before the end");
        }
    }
}

/// Spans on their way.
struct Batch {
    spans: Proto,
    count: u64,
    jobs: u64,
    requests: u64,
}

impl Batch {
    fn take(&mut self, shared: &Shared, live: &Live, job: &Job) {
        self.jobs += 1;
        match job {
            Job::Request(finished) => {
                self.count += spans::write(&mut self.spans, finished, &|name| provider(live, name));
                self.requests += 1;
            }
            Job::Fact(event) => {
                fact(&mut self.spans, shared, event);
                self.count += 1;
            }
        }
    }

    /// The `ExportTraceServiceRequest`: what goes before the spans, and the spans as they are.
    fn body(&self, shared: &Shared, live: &Live, spans: &Bytes) -> Vec<Bytes> {
        let (mut resource, mut scope) = (Proto::default(), Proto::default());
        resource.message(1, |resource| super::resource(resource, shared, live));
        scope.message(1, super::scope);
        let mut of_scope = Proto::default();
        of_scope.opened(2, scope.0.len() + spans.len());
        let mut request = Proto::default();
        request.opened(1, resource.0.len() + of_scope.0.len() + scope.0.len() + spans.len());
        for part in [resource, of_scope, scope] {
            request.0.extend_from_slice(&part.0);
        }
        vec![Bytes::from(request.0), spans.clone()]
    }
}

fn provider(live: &Live, name: &str) -> Option<Provider> {
    let upstream = live.upstreams.get(name)?;
    Some(Provider { kind: upstream.kind, host: Arc::clone(&upstream.host) })
}

/// A fact of the system is a span of its own, without length, in a trace of its own.
fn fact(proto: &mut Proto, shared: &Shared, event: &Event) {
    let trace_id = u128::from(shared.clock.draw()) << 64 | u128::from(shared.clock.draw() | 1);
    proto.message(2, |span| {
        span.bytes(1, &trace_id.to_be_bytes());
        span.bytes(2, &(shared.clock.draw() | 1).to_be_bytes());
        span.text(5, event.fact.name());
        span.number(6, 1);
        span.fixed64(7, nanos(event.at));
        span.fixed64(8, nanos(event.at));
        events::attributes(span, 9, &event.fact);
    });
}

/// Sends what waits, whenever something does.
async fn send_spans(shared: Arc<Shared>, mut closing: watch::Receiver<bool>) {
    let telemetry = &shared.telemetry;
    loop {
        tokio::select! {
            () = telemetry.some.notified() => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
        tokio::select! {
            () = tokio::time::sleep(COLLECT) => {}
            () = telemetry.much.notified() => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
        let mut jobs = telemetry.take();
        while !jobs.is_empty() {
            let batch = next_batch(&shared, &mut jobs);
            deliver(&shared, batch, &mut closing).await;
            if jobs.is_empty() {
                jobs = telemetry.take();
            }
        }
        if *closing.borrow() {
            return;
        }
    }
}

fn next_batch(shared: &Shared, jobs: &mut VecDeque<Job>) -> Batch {
    let live = shared.live.load();
    let spans = Proto(Vec::with_capacity((jobs.len() * USUAL).min(LARGE + LARGE / 8)));
    let mut batch = Batch { spans, count: 0, jobs: 0, requests: 0 };
    while batch.spans.0.len() < LARGE
        && let Some(job) = jobs.pop_front()
    {
        batch.take(shared, &live, &job);
    }
    batch
}

/// Sends a batch until somebody takes it or refuses it for good; once only when the process ends.
async fn deliver(shared: &Shared, mut batch: Batch, closing: &mut watch::Receiver<bool>) {
    let (telemetry, mut wait) = (&shared.telemetry, FIRST_WAIT);
    let spans = Bytes::from(std::mem::take(&mut batch.spans.0));
    loop {
        let live = shared.live.load_full();
        let Some((settings, address)) =
            live.config.telemetry.as_ref().and_then(|settings| Some((settings, settings.traces.as_deref()?)))
        else {
            telemetry.counts.dropped.fetch_add(batch.jobs, Relaxed);
            return;
        };
        let last = *closing.borrow();
        let (why, after) = match post(&live, settings, address, batch.body(shared, &live, &spans)).await {
            Delivery::Taken { rejected, said } => {
                let rejected = rejected.min(batch.count);
                telemetry.counts.spans.fetch_add(batch.count - rejected, Relaxed);
                telemetry.counts.rejected.fetch_add(rejected, Relaxed);
                telemetry.counts.requests.fetch_add(batch.requests, Relaxed);
                tell_of_traces(shared, address, said.filter(|_| rejected > 0));
                return;
            }
            Delivery::Refused(why) => {
                telemetry.counts.dropped.fetch_add(batch.jobs, Relaxed);
                tell_of_traces(shared, address, Some(why));
                return;
            }
            Delivery::Later(why, after) => (why, after),
        };
        tell_of_traces(shared, address, Some(why));
        if last {
            telemetry.counts.dropped.fetch_add(batch.jobs, Relaxed);
            return;
        }
        // Between a half and the whole of it, so that not all senders come back at once.
        let drawn = wait.mul_f64(0.5 + f64::from((shared.clock.draw() >> 33) as u32) / f64::from(u32::MAX >> 1) / 2.0);
        tokio::select! {
            () = tokio::time::sleep(after.unwrap_or(drawn)) => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
        wait = (wait * 2).min(LAST_WAIT);
    }
}

/// Says once that traces are not delivered, and once that they are again.
fn tell_of_traces(shared: &Shared, address: &str, trouble: Option<String>) {
    let before = shared.telemetry.trouble().traces;
    tell("traces", shared, address, before.as_ref(), trouble.as_ref());
    shared.telemetry.set_trouble(|known| known.traces = trouble);
}

fn tell(what: &str, shared: &Shared, address: &str, before: Option<&String>, trouble: Option<&String>) {
    let dropped = shared.telemetry.counts.dropped.load(Relaxed);
    match (before, trouble) {
        (None, Some(why)) => tracing::warn!("{what} are not delivered to {address}: {why}"),
        (Some(_), None) => {
            tracing::info!("{what} are delivered to {address} again; requests dropped so far: {dropped}")
        }
        _ => {}
    }
}

/// Sends the counters at an interval, and once more at the end. They add up since the start, so one that is not delivered is made up
/// for by the next.
async fn send_metrics(shared: Arc<Shared>, mut closing: watch::Receiver<bool>) {
    let telemetry = &shared.telemetry;
    loop {
        let changed = telemetry.changed.notified();
        let live = shared.live.load_full();
        let interval = live.config.telemetry.as_ref().filter(|settings| settings.metrics.is_some());
        let due = async {
            match interval {
                Some(settings) => tokio::time::sleep(settings.interval).await,
                None => std::future::pending().await,
            }
        };
        let due = tokio::select! {
            () = due => true,
            () = changed => false,
            _ = closing.wait_for(|closing| *closing) => true,
        };
        if due && let Some((settings, address)) = interval.and_then(|s| Some((s, s.metrics.as_deref()?))) {
            let body = vec![Bytes::from(metrics(&shared, &live))];
            let trouble = match post(&live, settings, address, body).await {
                Delivery::Taken { rejected: 0, .. } => None,
                Delivery::Taken { said, .. } => Some(said.unwrap_or_else(|| "some were rejected".to_owned())),
                Delivery::Refused(why) | Delivery::Later(why, _) => Some(why),
            };
            let before = telemetry.trouble().metrics;
            tell("metrics", &shared, address, before.as_ref(), trouble.as_ref());
            telemetry.set_trouble(|known| known.metrics = trouble);
        }
        if *closing.borrow() {
            return;
        }
    }
}

/// The `ExportMetricsServiceRequest`.
fn metrics(shared: &Shared, live: &Live) -> Vec<u8> {
    let mut request = Proto::default();
    request.message(1, |all| {
        all.message(1, |resource| super::resource(resource, shared, live));
        all.message(2, |scope| {
            scope.message(1, super::scope);
            let times = (nanos(shared.telemetry.since), nanos(wall()));
            admin::seen(shared, |seen| shared.metrics.otlp(scope, times, seen, &|name| provider(live, name)));
        });
    });
    request.0
}

/// Facts of the system are told where spans go.
pub(crate) fn tell_fact(telemetry: &Telemetry, live: &Live, event: &Event) {
    if is_on(&live.config) {
        telemetry.fact(event);
    }
}
