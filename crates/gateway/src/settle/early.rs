//! The record of a request that was turned away before it was admitted.

use std::sync::Arc;
use std::time::Duration;

use weir_ledger::{Entry, Event, Fact, Intent, Outcome, Stage};

use super::told::{aside, first};
use crate::accept::Accepted;
use crate::clock::wall;
use crate::reply::{Refusal, WEIR};
use crate::state::Shared;
use crate::telemetry;
use crate::waste::Content;

/// A refusal of a request that was never admitted. It has a record too, written at once.
pub(crate) fn never_admitted(
    shared: &Shared,
    intent: Intent,
    accepted: Option<&Accepted>,
    refusal: &Refusal,
    why: Option<Fact>,
) {
    let began = intent.started_at;
    let mut entry = Box::new(Entry::of(intent, Outcome::Refused));
    entry.route = None;
    match accepted {
        Some(accepted) => entry.content = accepted.content.map(Content::hash),
        None => entry.model = None,
    }
    entry.status = Some(refusal.status.as_u16());
    entry.code = Some(refusal.code.as_ref().into());
    entry.refused_by = Some(Arc::from(WEIR));
    let at = wall();
    entry.ended_at = Some(at);
    entry.sum_costs();
    let (status, code, by) = (refusal.status.as_u16(), refusal.code.to_string(), WEIR.to_owned());
    let retried = accepted.and_then(|accepted| accepted.retried);
    let facts = retried.map(|retried| retried.fact()).into_iter().chain(why);
    entry.events.extend(facts.map(|fact| Event { at, stage: Stage::Admit, fact }));
    entry.events.push(Event { at, stage: Stage::Admit, fact: Fact::Refused { status, code, by } });
    let took = Duration::from_micros(u64::try_from(at.0 - began.0).unwrap_or(0));
    let now = shared.clock.now();
    shared.metrics.count(&entry, took, now);
    shared.followers.request(&entry);
    if let Some(content) = accepted.and_then(|accepted| accepted.content) {
        shared.tries.end(now, content, first(&entry), retried.as_ref(), false);
    }
    let live = shared.live.load();
    if telemetry::is_on(&live.config) {
        let aside = accepted.map(aside).unwrap_or_default();
        shared.telemetry.finished(live.config.telemetry.as_ref(), &entry, took, aside);
    }
    shared.ledger.settle(entry);
}
