//! Which budgets there are: declared at a start and again at each reload, with what is known to be spent of them.
//!
//! What the record of slices shows as lent is taken as spent, also what was lent to attempts that a kill cut short: their
//! providers may bill them. Of that the ledger tells what is known. A budget without slices begins with what the ledger knows.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use weir_config::{Budget, Config};
use weir_engine::{BudgetHandle, BudgetId, BudgetMode, Budgets, BudgetsSettings, Period, Recovered};
use weir_ledger::{KeyRecord, Ledger, SliceBalance, SliceError, Slices};
use weir_units::{NanoUsd, WallTime};

use super::record::{Note, SCOPE};
use super::{Known, Payer, Payers, Spending};
use crate::clock::wall;
use crate::keys;
use crate::state::Shared;

/// After so long what was held back for an attempt is taken as spent. Each is settled when its request ends, which is sooner.
const EXPIRES: Duration = Duration::from_secs(86_400);

impl Spending {
    /// No budgets yet, and what is to be put on record of them.
    pub(crate) fn new(config: &Config) -> (Self, UnboundedReceiver<Note>) {
        let settings = BudgetsSettings {
            zone: config.zone.clone(),
            unknown_price: config.unknown_price,
            expire_after: EXPIRES,
            ..BudgetsSettings::default()
        };
        let (to_record, records) = tokio::sync::mpsc::unbounded_channel();
        let spending = Self {
            budgets: Mutex::new(Budgets::new(settings)),
            to_record,
            slices: OnceLock::new(),
            found: Mutex::default(),
            known: Mutex::default(),
        };
        (spending, records)
    }

    /// Opens the record, if a budget of this configuration needs one and it is not open yet. It blocks: it is for starts and
    /// reloads.
    pub(crate) fn open_record(&self, config: &Config) -> Result<(), SliceError> {
        if self.slices.get().is_some() || !config.budgets.values().any(needs_record) {
            return Ok(());
        }
        let (slices, balances) = Slices::open(&beside(config))?;
        let known = balances.into_iter().filter(|balance| *balance.budget.scope == *SCOPE);
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.extend(known.map(|balance| (Arc::clone(&balance.budget.name), balance)));
        // Reloads come one after the other, so nobody else has opened it.
        let _ = self.slices.set(slices);
        Ok(())
    }

    fn known(&self, name: &str) -> Option<Arc<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

/// Whether a budget is on record beside the ledger: one that lends, or one whose beginning the ledger forgets in time.
pub(super) fn needs_record(budget: &Budget) -> bool {
    budget.settings.mode == BudgetMode::Strict || budget.settings.period == Period::Total
}

/// The record is beside the database.
fn beside(config: &Config) -> PathBuf {
    let mut path = config.ledger.path.clone().into_os_string();
    path.push(".budgets");
    path.into()
}

/// Declares the budgets of a configuration; returns who pays by it, and what the ledger is to be asked about budgets that are
/// new.
pub(crate) fn prepare(shared: &Shared, config: &Config) -> (Payers, Vec<Question>) {
    let at = wall();
    shared.spend(|budgets| budgets.set_unknown_price(config.unknown_price));
    let made = shared.live.load().made.list();
    let mut payers = Payers::default();
    let mut questions = Vec::new();
    for budget in config.budgets.values() {
        let known = match shared.spending.known(&budget.name) {
            Some(known) => {
                shared.spend(|budgets| budgets.declare(at, &known.id, budget.settings.clone()));
                known.changed.notify_waiters();
                known
            }
            None => {
                let known = declare(shared, at, budget);
                questions.push(Question::of(config, &made, budget, &known, at));
                known
            }
        };
        let strict = budget.settings.mode == BudgetMode::Strict;
        let payer = Payer { known, strict, when_low: budget.when_low.clone() };
        payers.budgets.insert(Arc::clone(&budget.name), payer);
        if let Some(tag) = &budget.tag {
            payers.tags.entry(tag.clone()).or_default().push(Arc::clone(&budget.name));
        }
    }
    (payers, questions)
}

fn declare(shared: &Shared, at: WallTime, budget: &Budget) -> Arc<Known> {
    let id = BudgetId::new(budget.scope, Arc::clone(&budget.name));
    let found = shared.spending.found.lock().unwrap_or_else(PoisonError::into_inner).remove(&budget.name);
    let handle = shared.spend(|budgets| {
        let handle = budgets.declare(at, &id, budget.settings.clone());
        if let Some(SliceBalance { period, lent, spent, .. }) = found {
            budgets.recover(at, handle, &Recovered { period, lent, spent });
        }
        handle
    });
    let known = Arc::new(Known { id, handle, changed: Notify::new() });
    let mut all = shared.spending.known.lock().unwrap_or_else(PoisonError::into_inner);
    all.insert(Arc::clone(&budget.name), Arc::clone(&known));
    known
}

/// What the ledger is asked about a budget that is new to this process.
pub(crate) struct Question {
    name: Arc<str>,
    handle: BudgetHandle,
    from: WallTime,
    until: WallTime,
    payer: weir_ledger::Payer,
}

impl Question {
    fn of(config: &Config, made: &[KeyRecord], budget: &Budget, known: &Known, at: WallTime) -> Self {
        let names = |list: &[Arc<str>]| list.contains(&budget.name);
        let tenants = config.tenants.iter().filter(|(_, tenant)| names(&tenant.budgets));
        let keys = config.keys.iter().filter(|(_, key)| names(&key.budgets));
        let named = |record: &&KeyRecord| keys::settings(record).is_some_and(|key| names(&key.budgets));
        let made = made.iter().filter(named).map(|record| Arc::clone(&record.name));
        Self {
            name: Arc::clone(&budget.name),
            handle: known.handle,
            from: budget.settings.period.at(at, &config.zone).start,
            until: at,
            payer: weir_ledger::Payer {
                tenants: tenants.map(|(name, _)| Arc::clone(name)).collect(),
                keys: keys.map(|(name, _)| Arc::clone(name)).chain(made).collect(),
                tag: budget.tag.as_ref().map(|tag| (Arc::clone(&tag.name), Arc::clone(&tag.value))),
            },
        }
    }
}

/// Asks the ledger what is spent of budgets that are new to this process, and books it.
pub(crate) async fn correct(shared: &Shared, ledger: &Ledger, questions: Vec<Question>) {
    if !questions.is_empty() {
        // What ended a moment ago counts as well.
        ledger.flush().await;
    }
    for Question { name, handle, from, until, payer } in questions {
        match ledger.spent(from, until, &payer).await {
            Ok(spent) => shared.spend(|budgets| book(budgets, handle, from, spent)),
            Err(error) => tracing::error!(
                %error,
                "what was spent of budget `{name}` before this start cannot be read: it begins with what its own record has"
            ),
        }
    }
}

/// Books what the ledger knows as spent, as far as it is not booked yet: first in the place of what is only presumed.
fn book(budgets: &mut Budgets, handle: BudgetHandle, from: WallTime, known: NanoUsd) {
    let at = wall();
    let Some(view) = budgets.view(at, handle).filter(|view| view.span.start == from) else { return };
    let more = known.saturating_sub(view.books.spent);
    if more <= NanoUsd::ZERO {
        return;
    }
    // Nothing else is known of it yet, and what it has warned of before need not be said again.
    if view.books == weir_engine::Books::default() && view.mode == BudgetMode::Soft && view.period != Period::Total {
        return budgets.recover(at, handle, &Recovered { period: from, lent: known, spent: known });
    }
    budgets.adjust(handle, from, view.books.presumed.min(more), more);
}

/// Declares the budgets at a start, before anybody is served.
pub(crate) async fn start(shared: &Shared) -> Payers {
    let live = shared.live.load_full();
    let (payers, questions) = prepare(shared, &live.config);
    correct(shared, &shared.ledger, questions).await;
    payers
}
