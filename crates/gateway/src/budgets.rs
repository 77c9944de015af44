//! Budgets, live: which of them pay for a request, and what each of its attempts holds back and costs.
//!
//! `weir_engine::Budgets` decides; here it is asked before an attempt is sent and told after. Its lock is held for a question,
//! never over an await, and a request that no budget pays for does not touch it. What is to be on disk before it may be spent
//! goes through a channel to a task of its own ([`record`]): a request waits for that, but does no I/O itself.

mod declare;
mod pay;
mod record;
mod tags;
mod view;
mod worst;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;
use weir_config::{Config, Tag};
use weir_engine::{
    BudgetHandle, BudgetId, BudgetMode, BudgetRefusal, BudgetRequest, BudgetScope, Budgets, Estimate, Reservation,
    Reserve,
};
use weir_ledger::{Event, SliceBalance, Slices, Stage};
use weir_units::{DeploymentId, NanoUsd};

use crate::accept::Accepted;
use crate::admit::Caller;
use crate::bill::Cost;
use crate::changes;
use crate::clock::wall;
use crate::reply::{Cause, Refusal};
use crate::route::{Routed, route_to};
use crate::state::{Live, Shared};

pub(crate) use declare::{Question, correct, prepare, start};
pub(crate) use pay::Payment;
pub(crate) use record::{Note, close, record};
pub(crate) use tags::tags;
pub(crate) use view::{gauges, json};
pub(crate) use worst::output_limit;

/// All budgets of the process, and what belongs to them.
pub(crate) struct Spending {
    budgets: Mutex<Budgets>,
    /// What is to be put on record, in this order.
    to_record: UnboundedSender<Note>,
    /// The record of slices; open once some budget needs one.
    slices: OnceLock<Slices>,
    /// What the record had of budgets that were not declared yet, by name.
    found: Mutex<BTreeMap<Arc<str>, SliceBalance>>,
    /// Every budget that was ever declared, by name.
    known: Mutex<BTreeMap<Arc<str>, Arc<Known>>>,
}

/// A budget of this process. It stays what it is over reloads.
pub(crate) struct Known {
    id: BudgetId,
    handle: BudgetHandle,
    /// Something of it was settled, lent or set anew: who waits for it may ask again.
    changed: Notify,
}

/// The budgets of one configuration: who pays for whom.
#[derive(Clone, Default)]
pub(crate) struct Payers {
    budgets: BTreeMap<Arc<str>, Payer>,
    tags: BTreeMap<Tag, Vec<Arc<str>>>,
}

#[derive(Clone)]
struct Payer {
    known: Arc<Known>,
    strict: bool,
    when_low: Option<Arc<str>>,
}

impl Payers {
    /// The budgets of a caller and of its tags, each once.
    fn of(&self, config: &Config, caller: &Caller, tags: &[Tag]) -> Vec<&Payer> {
        let tenant = config.tenants.get(&caller.tenant).map(|tenant| &*tenant.budgets).unwrap_or_default();
        let key = caller.key.as_ref().map(|key| &*key.budgets).unwrap_or_default();
        let tagged = tags.iter().filter_map(|tag| self.tags.get(tag)).flatten();
        let mut payers: Vec<&Payer> = Vec::new();
        for name in tenant.iter().chain(key).chain(tagged) {
            if let Some(payer) = self.budgets.get(name)
                && !payers.iter().any(|known| Arc::ptr_eq(&known.known, &payer.known))
            {
                payers.push(payer);
            }
        }
        payers
    }
}

impl Shared {
    /// Asks the budgets, or tells them something; what that changed is written down.
    fn spend<T>(&self, ask: impl FnOnce(&mut Budgets) -> T) -> T {
        let mut budgets = self.spending.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = ask(&mut budgets);
        while let Some(next) = budgets.poll_record() {
            // Under the lock, so that the order is kept. Nobody reads any more when the process ends.
            let _ = self.spending.to_record.send(Note::Record(next));
        }
        let changes = budgets.take_changes();
        drop(budgets);
        for change in changes {
            let fact = changes::of_budget(change);
            changes::log(&fact);
            self.tell(Event { at: wall(), stage: Stage::Settle, fact });
        }
        answer
    }
}

impl Spending {
    /// Wakes all who wait, to be told that nobody waits here any more.
    pub(crate) fn wake_all(&self) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().for_each(|budget| budget.changed.notify_waiters());
    }
}

/// What pays for one request.
pub(crate) struct Paying {
    shared: Arc<Shared>,
    request: Option<BudgetRequest>,
    budgets: Vec<Arc<Known>>,
    /// One of them is never to be passed.
    strict: bool,
    /// What was not spent of its strict budgets when it came.
    affordable: Option<NanoUsd>,
    held: Option<Holding>,
}

/// What is held back for an attempt.
struct Holding {
    candidate: usize,
    reservation: Reservation,
    estimate: Estimate,
    sent: bool,
}

/// A request that may go on, and who pays for it.
pub(crate) struct Opened {
    pub(crate) routed: Routed,
    pub(crate) paying: Option<Box<Paying>>,
    /// A cheaper route serves instead, since a budget is low.
    pub(crate) cheaper: bool,
}

/// Finds out who pays for a request, and whether there is anything left to pay with.
///
/// # Errors
/// A budget is spent: nothing need be done for the request any more.
pub(crate) fn open(
    shared: &Arc<Shared>,
    live: &Live,
    accepted: &Accepted,
    caller: &Caller,
    routed: Routed,
) -> Result<Opened, Refusal> {
    let nobody = |routed| Ok(Opened { routed, paying: None, cheaper: false });
    if live.payers.budgets.is_empty() {
        return nobody(routed);
    }
    let payers = live.payers.of(&live.config, caller, &accepted.tags);
    if payers.is_empty() {
        return nobody(routed);
    }
    let handles: Vec<BudgetHandle> = payers.iter().map(|payer| payer.known.handle).collect();
    let at = wall();
    let (request, low) = shared.spend(|budgets| {
        let request = budgets.open(&handles);
        let low = budgets.low(at, &request);
        (request, low)
    });
    let mut paying = Box::new(Paying {
        shared: Arc::clone(shared),
        request: Some(request),
        budgets: payers.iter().map(|payer| Arc::clone(&payer.known)).collect(),
        strict: payers.iter().any(|payer| payer.strict),
        affordable: None,
        held: None,
    });
    let route = low.and_then(|low| payers.iter().find(|payer| payer.known.id == low)?.when_low.clone());
    let (routed, cheaper) = match route.and_then(|route| serve_by(shared, live, accepted, caller, &routed, &route)) {
        Some(cheaper) => (cheaper, true),
        None => (routed, false),
    };
    if !routed.targets.iter().any(|target| worst::is_free(target, accepted)) {
        paying.look(&handles)?;
    }
    Ok(Opened { routed, paying: Some(paying), cheaper })
}

/// The route that serves instead while a budget is low, unless it cannot serve this.
fn serve_by(
    shared: &Shared,
    live: &Live,
    accepted: &Accepted,
    caller: &Caller,
    routed: &Routed,
    route: &str,
) -> Option<Routed> {
    // What goes on from a stored response can only be answered where that is.
    if routed.pinned || *routed.route == *route {
        return None;
    }
    route_to(shared, live, accepted, caller, route).ok()
}

impl Paying {
    /// Looks at what is left.
    ///
    /// # Errors
    /// One of the budgets is spent.
    fn look(&mut self, handles: &[BudgetHandle]) -> Result<(), Refusal> {
        let at = wall();
        let Some(request) = &self.request else { return Ok(()) };
        let (exhausted, affordable) = self.shared.spend(|budgets| {
            let exhausted = budgets.exhausted(at, request);
            let views = handles.iter().filter_map(|handle| budgets.view(at, *handle));
            let strict = views.filter(|view| view.mode == BudgetMode::Strict);
            let affordable = strict.map(|view| view.limit.saturating_sub(view.books.counted())).min();
            (exhausted, affordable)
        });
        self.affordable = affordable;
        exhausted.map_or(Ok(()), |refusal| Err(refuse(&refusal)))
    }

    /// What was not spent of its strict budgets when it came; none without such a budget.
    pub(crate) fn affordable(&self) -> Option<NanoUsd> {
        self.affordable.filter(|_| self.strict)
    }

    /// Holds back what an attempt may cost.
    fn reserve(&mut self, candidate: usize, deployment: &DeploymentId, estimate: Estimate) -> Reserve {
        if let Some(held) = &self.held
            && (held.candidate, held.estimate) == (candidate, estimate)
        {
            return Reserve::Held(held.reservation);
        }
        if let Some(held) = &self.held {
            let bill = if held.sent { weir_engine::Bill::Unknown } else { weir_engine::Bill::Unbilled };
            self.book(bill);
        }
        let request = self.request.as_ref().expect("it is closed when this is dropped");
        let now = self.shared.clock.now();
        let answer = self.shared.spend(|budgets| budgets.reserve(now, wall(), request, deployment, estimate));
        if let Reserve::Held(reservation) = answer {
            self.held = Some(Holding { candidate, reservation, estimate, sent: false });
        }
        answer
    }

    /// Gives back what is held for an attempt that was not sent.
    pub(crate) fn give_back(&mut self) {
        if self.held.as_ref().is_some_and(|held| !held.sent) {
            self.book(weir_engine::Bill::Unbilled);
        }
    }

    /// The attempt goes out: from here on it may cost something.
    pub(crate) fn sent(&mut self) {
        if let Some(held) = &mut self.held {
            held.sent = true;
        }
    }

    /// The attempt in hand has cost this.
    pub(crate) fn settle(&mut self, cost: Cost) {
        let priced = self.held.as_ref().is_some_and(|held| held.estimate != Estimate::Unknown);
        self.book(cost.for_budgets(self.strict, priced));
    }

    fn book(&mut self, bill: weir_engine::Bill) {
        if let Some(held) = self.held.take() {
            self.shared.spend(|budgets| budgets.settle(held.reservation, bill));
            self.budgets.iter().for_each(|budget| budget.changed.notify_waiters());
        }
    }

    fn named(&self, id: &BudgetId) -> Option<Arc<Known>> {
        self.budgets.iter().find(|budget| budget.id == *id).cloned()
    }
}

impl Drop for Paying {
    fn drop(&mut self) {
        // What was sent and never settled may cost anything up to what is held.
        self.give_back();
        self.book(weir_engine::Bill::Unknown);
        if let Some(request) = self.request.take() {
            self.shared.spend(|budgets| budgets.close(request));
        }
    }
}

/// What a client is told that no budget pays for.
fn refuse(refusal: &BudgetRefusal) -> Refusal {
    let name = &refusal.budget.name;
    let advice = match refusal.budget.scope {
        BudgetScope::Run => "; give the run a new cap".to_owned(),
        _ => format!("; the owner of this gateway can raise `limit` in [budgets.{name}]"),
    };
    Refusal::weir(Cause::BudgetExhausted, format!("{refusal}{advice}"))
}
