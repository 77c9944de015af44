//! A world around budgets: short ways to say things, and the record that slices are put on.

use std::collections::BTreeMap;

use weir_engine::{
    Bill, BudgetHandle, BudgetId, BudgetMode, BudgetRefusal, BudgetRequest, BudgetScope, BudgetSettings, BudgetWait,
    Budgets, BudgetsSettings, Estimate, Lending, Period, Recovered, Reservation, Reserve, ToRecord,
};
use weir_units::{DeploymentId, Moment, NanoUsd, WallTime};

/// 2026-11-25T12:00:00Z.
pub(crate) const NOON: WallTime = WallTime(1_795_608_000_000_000);
pub(crate) const HOUR: i64 = 3_600_000_000;

pub(crate) fn cents(cents: i64) -> NanoUsd {
    NanoUsd(cents * 10_000_000)
}

pub(crate) fn costs(worst: NanoUsd) -> Estimate {
    Estimate::Known { worst, likely: worst }
}

pub(crate) fn id(scope: BudgetScope, name: &str) -> BudgetId {
    BudgetId::new(scope, name)
}

pub(crate) fn journaled() -> Budgets {
    Budgets::new(BudgetsSettings { journal: true, ..BudgetsSettings::default() })
}

pub(crate) fn strict(limit: NanoUsd, period: Period) -> BudgetSettings {
    BudgetSettings::new(limit, period, BudgetMode::Strict)
}

pub(crate) fn soft(limit: NanoUsd, period: Period) -> BudgetSettings {
    BudgetSettings::new(limit, period, BudgetMode::Soft)
}

pub(crate) fn durable(limit: NanoUsd, period: Period) -> BudgetSettings {
    BudgetSettings { lending: Lending::Durable, ..strict(limit, period) }
}

pub(crate) fn ask(budgets: &mut Budgets, request: &BudgetRequest, worst: NanoUsd) -> Reserve {
    ask_at(budgets, NOON, request, costs(worst))
}

pub(crate) fn ask_at(budgets: &mut Budgets, wall: WallTime, request: &BudgetRequest, estimate: Estimate) -> Reserve {
    budgets.reserve(Moment(0), wall, request, &DeploymentId::new("p", "m"), estimate)
}

pub(crate) fn held(answer: Reserve) -> Reservation {
    if let Reserve::Held(reservation) = answer { reservation } else { panic!("{answer:?}") }
}

/// A whole attempt.
pub(crate) fn pay(budgets: &mut Budgets, request: &BudgetRequest, worst: NanoUsd, actual: NanoUsd) {
    let attempt = held(ask(budgets, request, worst));
    budgets.settle(attempt, Bill::Cost(actual));
}

pub(crate) fn refused(answer: Reserve) -> BudgetRefusal {
    if let Reserve::Refused(refusal) = answer { refusal } else { panic!("{answer:?}") }
}

pub(crate) fn waits(answer: Reserve) -> BudgetWait {
    if let Reserve::Wait(wait) = answer { wait } else { panic!("{answer:?}") }
}

pub(crate) fn spent(budgets: &mut Budgets, handle: BudgetHandle) -> NanoUsd {
    budgets.view(NOON, handle).unwrap().books.spent
}

/// What a disk would hold: it outlives the process.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) lent: BTreeMap<BudgetId, Recovered>,
    /// How often something was written.
    pub(crate) writes: u64,
}

impl Disk {
    /// Writes the next thing, and says so or not, as when the process dies between.
    pub(crate) fn write(&mut self, budgets: &mut Budgets, answered: bool) -> bool {
        let Some(next) = budgets.poll_record() else { return false };
        self.writes += 1;
        let (ToRecord::Lend(lease) | ToRecord::TakeBack(lease)) = &next;
        let new = Recovered { period: lease.period, lent: NanoUsd::ZERO, spent: NanoUsd::ZERO };
        let known = self.lent.entry(lease.budget.clone()).or_insert(new);
        if lease.period > known.period {
            *known = new;
        }
        if lease.period == known.period {
            known.spent = lease.spent;
            known.lent = match next {
                ToRecord::Lend(_) => known.lent + lease.amount,
                ToRecord::TakeBack(_) => known.lent.saturating_sub(lease.amount),
            };
        }
        if let (ToRecord::Lend(lease), true) = (&next, answered) {
            budgets.lent(lease);
        }
        true
    }

    pub(crate) fn write_all(&mut self, budgets: &mut Budgets) {
        while self.write(budgets, true) {}
    }
}
