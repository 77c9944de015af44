//! Slices of a strict budget, and what a start finds of them.
//!
//! The engine asks for a slice, somebody else puts it on record, and only then is it spent. What the record shows as lent
//! is therefore never less than what was spent, and a start takes all of it as spent until it knows better.

use weir_units::{NanoUsd, WallTime};

use super::settings::BudgetId;

/// What is to be put on record next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToRecord {
    /// A slice to be lent. It is spent only after [`super::Budgets::lent`].
    Lend(Lease),
    /// What was left of slices and will not be spent any more. It needs no answer.
    TakeBack(Lease),
}

/// A slice: to be put on record as lent, or as not lent any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Of which budget.
    pub budget: BudgetId,
    /// The start of the period that it belongs to.
    pub period: WallTime,
    /// Its number; no two slices of a process have the same.
    pub id: u64,
    /// How much.
    pub amount: NanoUsd,
    /// What of the budget is known to be spent so far.
    pub spent: NanoUsd,
}

/// What is on record of a budget's latest period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The start of the period.
    pub period: WallTime,
    /// What was lent in all, less what was handed back.
    pub lent: NanoUsd,
    /// What of it is known to be spent.
    pub spent: NanoUsd,
}
