//! The task that puts slices on record, so that no request waits for a disk of its own accord, and what else comes with time.

use std::sync::Arc;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use weir_engine::{BudgetId, BudgetMode, BudgetView, Lease, Period, ToRecord};
use weir_ledger::{BudgetName, Slice, SliceError, SliceRecord};
use weir_units::NanoUsd;

use super::Known;
use crate::clock::wall;
use crate::state::Shared;

/// What budgets of the config are called by in the record, whose they are now or were before. Their names are their own.
pub(super) const SCOPE: &str = "config";
/// How many notes are put down at once.
const BATCH: usize = 1_024;
/// How long nothing is tried after the record could not be written.
const REST: Duration = Duration::from_secs(1);
/// How often what comes with time is looked at.
const TICK: Duration = Duration::from_secs(30);

/// What the task is told.
pub(crate) enum Note {
    /// Put this down.
    Record(ToRecord),
    /// All that was told before is to be down.
    Flush(oneshot::Sender<()>),
}

/// Puts down what budgets lend and take back, for as long as the process serves.
pub(crate) async fn record(shared: Arc<Shared>, mut notes: UnboundedReceiver<Note>) {
    let mut ticks = tokio::time::interval(TICK);
    let mut batch = Vec::new();
    let mut totals = Vec::new();
    loop {
        tokio::select! {
            came = notes.recv_many(&mut batch, BATCH) => if came == 0 { return },
            _ = ticks.tick() => {
                let now = shared.clock.now();
                shared.spend(|budgets| budgets.expire(now));
                put_totals(&shared, &mut totals).await;
                continue;
            }
        }
        let (mut leases, mut flushed) = (Vec::new(), Vec::new());
        for note in batch.drain(..) {
            match note {
                Note::Record(next) => leases.push(next),
                Note::Flush(done) => flushed.push(done),
            }
        }
        if !leases.is_empty() {
            put_leases(&shared, leases).await;
        }
        if !flushed.is_empty() {
            put_totals(&shared, &mut totals).await;
        }
        for done in flushed {
            let _ = done.send(());
        }
    }
}

async fn put_leases(shared: &Shared, leases: Vec<ToRecord>) {
    let records = leases.iter().map(|next| match next {
        ToRecord::Lend(lease) => SliceRecord::Lend(slice(lease)),
        ToRecord::TakeBack(lease) => SliceRecord::TakeBack(slice(lease)),
    });
    let put = put(shared, records.collect()).await;
    if put.is_err() {
        // Whoever waits asks again at once, and the disk is no better by then.
        tokio::time::sleep(REST).await;
    }
    for lease in leases.iter().filter_map(|next| if let ToRecord::Lend(lease) = next { Some(lease) } else { None }) {
        shared.spend(|budgets| match &put {
            Ok(()) => budgets.lent(lease),
            Err(_) => budgets.not_lent(lease),
        });
        let known =
            shared.spending.known.lock().unwrap_or_else(PoisonError::into_inner).get(&lease.budget.name).cloned();
        if let Some(known) = known {
            known.changed.notify_waiters();
        }
    }
}

async fn put(shared: &Shared, records: Vec<SliceRecord>) -> Result<(), SliceError> {
    match shared.spending.slices.get() {
        Some(slices) => slices.put(records).await,
        None => Ok(()),
    }
}

fn slice(lease: &Lease) -> Slice {
    Slice { budget: name(&lease.budget), period: lease.period, amount: lease.amount, spent: lease.spent }
}

fn name(id: &BudgetId) -> BudgetName {
    BudgetName { scope: SCOPE.into(), name: Arc::clone(&id.name) }
}

/// Puts down what is spent of soft budgets that never begin anew: the ledger keeps its detail for a while only.
async fn put_totals(shared: &Shared, known: &mut Vec<(Arc<Known>, NanoUsd)>) {
    let at = wall();
    let budgets: Vec<Arc<Known>> =
        shared.spending.known.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
    let mut records = Vec::new();
    for budget in budgets {
        let Some(view) = shared.spend(|budgets| budgets.view(at, budget.handle)).filter(is_kept) else { continue };
        let spent = view.books.counted();
        let before = known.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &budget));
        let more = spent.saturating_sub(before.as_ref().map_or(view.books.lent, |(_, before)| *before));
        if more <= NanoUsd::ZERO {
            continue;
        }
        records.push(SliceRecord::Lend(Slice {
            budget: name(&budget.id),
            period: view.span.start,
            amount: more,
            spent,
        }));
        match before {
            Some((_, before)) => *before = spent,
            None => known.push((budget, spent)),
        }
    }
    if !records.is_empty() {
        // Its own thread says what is wrong, and what is missing now is put down the next time that something is spent.
        let _ = put(shared, records).await;
    }
}

fn is_kept(view: &BudgetView) -> bool {
    view.mode == BudgetMode::Soft && view.period == Period::Total
}

/// Hands back what is lent and not needed, and closes the record: a clean end strands nothing.
pub(crate) async fn close(shared: &Shared) {
    shared.spend(weir_engine::Budgets::hand_back);
    let (done, flushed) = oneshot::channel();
    if shared.spending.to_record.send(Note::Flush(done)).is_ok() {
        let _ = flushed.await;
    }
    if let Some(slices) = shared.spending.slices.get().cloned() {
        let _ = tokio::task::spawn_blocking(move || slices.close()).await;
    }
}
