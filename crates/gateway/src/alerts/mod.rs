//! Alerts, live: what is the case is looked up now and then, `weir_engine::alerts` says what of it is worth telling and to
//! whom, and it is put on record and sent.
//!
//! One task looks, once in `[alerts] check-every`; each notifier has a task of its own that sends. No request waits for
//! either. What is open, and whom nobody has told yet, is known from the ledger after a restart.

mod deliver;
mod facts;
mod message;
mod observe;
mod pagerduty;
mod report;
mod slack;
mod told;
mod webhook;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use weir_engine::RunState;
use weir_engine::alerts::{AlertId, AlertRule, Alerts, HaltedRun, LimitMoved, NoSuchAlert, Severity, Told};
use weir_ledger::{Event, Fact, FactQuery, Stage};
use weir_units::{Dimension, WallTime};

use crate::clock::wall;
use crate::limits::STATED;
use crate::state::Shared;
use deliver::Deliveries;

pub(crate) use deliver::Tried;
pub(crate) use report::send_report;
pub(crate) use told::{Filter, list, one};

/// Limits that may change between two looks.
const MOVED: usize = 1_000;
/// Halted runs that are looked at.
const RUNS: usize = 1_000;
/// Facts that are read at the start.
const PAST: u32 = 20_000;

/// All alerts, and what has been heard for them since the last look.
#[derive(Default)]
pub(crate) struct Alarms {
    alerts: Mutex<Alerts>,
    heard: Mutex<Heard>,
    deliveries: Deliveries,
}

/// What happened between two looks.
#[derive(Default)]
struct Heard {
    moved: Vec<LimitMoved>,
    halted: BTreeMap<Run, Arc<str>>,
}

/// A tenant and the name of its run.
type Run = (Arc<str>, Arc<str>);

impl Alarms {
    /// Hears of what no later look could find.
    pub(crate) fn hear(&self, fact: &Fact) {
        match fact {
            // What Weir gives itself less of for a while, since it was refused, is no change of the limit.
            Fact::LimitChanged { pool, limit, old: Some(old), new, how } if how == STATED => {
                let Some(dimension) = Dimension::from_name(limit) else { return };
                let (pool, how) = (pool.as_str().into(), how.as_str().into());
                let mut heard = self.heard();
                if heard.moved.len() < MOVED {
                    heard.moved.push(LimitMoved { pool, dimension, old: *old, new: *new, how });
                }
            }
            Fact::RunHalted(evidence) => {
                let run = (evidence.tenant.as_str().into(), evidence.run.as_str().into());
                let mut heard = self.heard();
                if heard.halted.len() < RUNS {
                    heard.halted.insert(run, evidence.words.as_str().into());
                }
            }
            _ => {}
        }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn alerts(&self) -> MutexGuard<'_, Alerts> {
        self.alerts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Figures for metrics: open alerts by rule and severity, and deliveries by notifier and result.
    pub(crate) fn figures(&self) -> Figures {
        let mut open = BTreeMap::new();
        for alert in self.alerts().open() {
            *open.entry((alert.rule, alert.severity)).or_default() += 1;
        }
        Figures { open, deliveries: self.deliveries.counts() }
    }
}

/// Figures for metrics.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) open: BTreeMap<(AlertRule, Severity), u64>,
    pub(crate) deliveries: BTreeMap<(Arc<str>, &'static str), u64>,
}

/// Takes up what the ledger has of alerts.
pub(crate) async fn restore(shared: &Arc<Shared>) {
    let kinds = facts::KINDS.map(str::to_owned).to_vec();
    let query = FactQuery { kinds, limit: PAST, ..FactQuery::default() };
    match shared.ledger.facts_of(&query).await {
        Ok(records) => {
            let past = records.iter().rev().filter_map(|record| facts::past(&record.json));
            shared.alarms.alerts().restore(wall(), past);
        }
        Err(error) => tracing::warn!(%error, "what was open of alerts cannot be read: they begin anew"),
    }
}

/// Looks at everything now and then, for as long as the gateway runs.
pub(crate) async fn watch(shared: Arc<Shared>) {
    loop {
        look(&shared);
        let every = shared.live.load().config.alerts.check_every;
        tokio::time::sleep(every).await;
    }
}

fn look(shared: &Arc<Shared>) {
    let seen = observe::everything(shared);
    let live = shared.live.load();
    let told = shared.alarms.alerts().tick(wall(), &live.config.alerts, &seen);
    drop(live);
    act(shared, told);
}

/// Puts on record what happened, and sends what is due.
fn act(shared: &Arc<Shared>, told: Told) {
    for change in told.changes {
        let fact = facts::of(change);
        match &fact {
            Fact::AlertOpened(_) | Fact::AlertWorsened(_) => tracing::warn!("{}", fact.in_words()),
            _ => tracing::info!("{}", fact.in_words()),
        }
        shared.tell(Event { at: wall(), stage: Stage::Settle, fact });
    }
    for notice in told.notices {
        shared.alarms.deliveries.send(shared, notice);
    }
}

/// Somebody takes an alert on.
pub(crate) fn acknowledge(shared: &Arc<Shared>, id: AlertId, by: &str) -> Result<(), NoSuchAlert> {
    let told = shared.alarms.alerts().acknowledge(wall(), id, by)?;
    act(shared, told);
    Ok(())
}

/// Somebody silences what an alert is about.
pub(crate) fn silence(
    shared: &Arc<Shared>,
    id: AlertId,
    by: &str,
    why: &str,
    span: Duration,
) -> Result<WallTime, NoSuchAlert> {
    let until = wall() + span;
    let told = shared.alarms.alerts().silence(wall(), id, by, why, until)?;
    act(shared, told);
    Ok(until)
}

/// Somebody ends a silence.
pub(crate) fn end_silence(shared: &Arc<Shared>, id: AlertId, by: &str) -> Result<(), NoSuchAlert> {
    let told = shared.alarms.alerts().end_silence(id, by)?;
    act(shared, told);
    Ok(())
}

/// Sends a trial message to a notifier, once; none if there is no such notifier.
pub(crate) async fn try_out(shared: &Arc<Shared>, name: &str) -> Option<Tried> {
    deliver::try_out(shared, name).await
}

/// The runs that are halted now; those that are not any more are forgotten.
fn halted(shared: &Shared) -> Vec<HaltedRun> {
    let now = shared.clock.now();
    let known = shared.alarms.heard().halted.clone();
    if known.is_empty() {
        return Vec::new();
    }
    let mut gone = BTreeMap::new();
    let halted = shared.runs.look(|runs| {
        let mut halted = Vec::new();
        for ((tenant, run), why) in known {
            match runs.find(now, &tenant, &run).filter(|view| view.state == RunState::Halted) {
                Some(view) => {
                    let cost = (!view.some_cost_unknown).then_some(view.cost);
                    halted.push(HaltedRun { tenant, run, why, cost });
                }
                None => {
                    gone.insert((tenant, run), why);
                }
            }
        }
        halted
    });
    // One that was halted again meanwhile has another reason.
    shared.alarms.heard().halted.retain(|run, why| gone.get(run).is_none_or(|before| !Arc::ptr_eq(before, why)));
    halted
}
