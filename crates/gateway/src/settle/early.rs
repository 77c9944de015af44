//! The record of a request that was turned away before it was admitted.

use std::sync::Arc;
use std::time::Duration;

use weir_ledger::{Entry, Event, Fact, Intent, Outcome, Stage};

use crate::clock::wall;
use crate::reply::{Refusal, WEIR};
use crate::state::Shared;

/// A refusal of a request that was never admitted. It has a record too, written at once.
pub(crate) fn never_admitted(shared: &Shared, intent: Intent, read: bool, refusal: &Refusal, why: Option<Fact>) {
    let began = intent.started_at;
    let mut entry = Box::new(Entry::of(intent, Outcome::Refused));
    entry.route = None;
    if !read {
        entry.model = None;
    }
    entry.status = Some(refusal.status.as_u16());
    entry.code = Some(refusal.code.as_ref().into());
    entry.refused_by = Some(Arc::from(WEIR));
    let at = wall();
    entry.ended_at = Some(at);
    entry.sum_costs();
    let (status, code, by) = (refusal.status.as_u16(), refusal.code.to_string(), WEIR.to_owned());
    entry.events.extend(why.map(|fact| Event { at, stage: Stage::Admit, fact }));
    entry.events.push(Event { at, stage: Stage::Admit, fact: Fact::Refused { status, code, by } });
    let took = Duration::from_micros(u64::try_from(at.0 - began.0).unwrap_or(0));
    shared.metrics.count(&entry, took, shared.clock.now());
    shared.followers.request(&entry);
    shared.ledger.settle(entry);
}
