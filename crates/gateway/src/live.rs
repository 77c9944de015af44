//! `/admin/v1/live`: all that a live view needs, in one answer: what users get, deployments, limits, what happened last.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use weir_engine::DeploymentView;
use weir_ledger::Event;
use weir_units::{Moment, WallTime};

use crate::clock::wall;
use crate::headroom;
use crate::pulse::{Beat, Failure, Pulse, WINDOW};
use crate::state::Shared;

/// How many facts of the system are remembered.
const FACTS: usize = 20;

/// What happened to the system as a whole lately: breakers, limits, credentials, the configuration.
#[derive(Default)]
pub(crate) struct Recent(Mutex<VecDeque<Event>>);

impl Recent {
    /// Remembers a fact instead of the oldest.
    pub(crate) fn push(&self, event: Event) {
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() == FACTS {
            events.pop_front();
        }
        events.push_back(event);
    }

    /// The newest first.
    fn facts(&self) -> Vec<Value> {
        let events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told = |e: &Event| json!({ "at": e.at.to_string(), "fact": e.fact.name(), "words": e.fact.in_words() });
        events.iter().rev().map(told).collect()
    }
}

/// The answer.
pub(crate) fn view(shared: &Shared) -> Value {
    let now = shared.clock.now();
    let views = shared.engine().view(now);
    let mut told = shared.metrics.read_pulse(|pulse, knows| numbers(pulse, &views, now, knows));
    let rest = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "at": wall().to_string(),
        "uptime_s": now.since(Moment::ZERO).as_secs(),
        "draining": shared.is_draining(),
        "in_flight": shared.in_flight.load(std::sync::atomic::Ordering::Relaxed),
        "ledger_queued": shared.ledger.behind().queued,
        "pools": headroom::pools(shared),
        "facts": shared.recent.facts(),
    });
    if let (Some(told), Value::Object(rest)) = (told.as_object_mut(), rest) {
        told.extend(rest);
    }
    told
}

/// What the pulse tells.
fn numbers(pulse: &Pulse, views: &[DeploymentView], now: Moment, knows: &dyn Fn(&str) -> bool) -> Value {
    let whole = pulse.whole();
    let (tally, seconds, spent) = (whole.tally(now), whole.seconds(now), pulse.spent(now));
    json!({
        "window_s": WINDOW.as_secs(),
        "requests_per_second": whole.rate(now),
        "requests_by_second": seconds.iter().map(|second| second.0).collect::<Vec<_>>(),
        "throttled_by_second": seconds.iter().map(|second| second.1).collect::<Vec<_>>(),
        "requests": tally.ended,
        "answered": tally.answered,
        "attempts": tally.attempts,
        "throttled": tally.throttled,
        "last_minute": { "cost_usd": spent.known.to_string(), "cost_unknown": spent.unknown },
        "first_token_ms": { "p50": whole.first_content_ms(now, 50), "p95": whole.first_content_ms(now, 95) },
        "deployments": views
            .iter()
            .map(|view| (view, view.deployment.to_string()))
            .filter(|(_, name)| knows(name))
            .map(|(view, name)| deployment(view, &name, pulse.deployment(&name), now))
            .collect::<Vec<_>>(),
        "failures": pulse.failures().map(failure).collect::<Vec<_>>(),
    })
}

fn deployment(view: &DeploymentView, name: &str, beat: Option<&Beat>, now: Moment) -> Value {
    let calendar = |until: Moment| -> WallTime { wall() + until.since(now) };
    let tally = beat.map(|beat| beat.tally(now)).unwrap_or_default();
    json!({
        "deployment": name,
        "breaker": view.breaker.name(),
        "open_until": view.open_until.map(|until| calendar(until).to_string()),
        "benched": view.benched.map(|bench| bench.class.name()),
        "in_flight": view.in_flight,
        "attempts_per_second": beat.map_or(0.0, |beat| beat.rate(now)),
        "attempts": tally.attempts,
        "failed": tally.failed,
        "throttled": tally.throttled,
        "first_token_p95_ms": beat.and_then(|beat| beat.first_content_ms(now, 95)),
        // Of whole answers as well, and known when the window holds none.
        "first_content_ms": view.ttft.map(|ttft: Duration| u64::try_from(ttft.as_millis()).unwrap_or(u64::MAX)),
    })
}

fn failure(failure: &Failure) -> Value {
    json!({
        "at": failure.at.to_string(),
        "id": failure.id.to_string(),
        "route": failure.route,
        "key": failure.key,
        "status": failure.status,
        "code": failure.code,
        "refused_by": failure.refused_by,
    })
}
