//! What budgets say: refusals, waits, changes, and what they look like from outside.

use std::fmt;

use weir_units::{NanoUsd, WallTime};

use super::books::Books;
use super::period::{Period, Span};
use super::pot::Pot;
use super::settings::{BudgetId, BudgetMode, BudgetScope};

/// Why a budget refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedFor {
    /// Its limit is spent.
    Spent,
    /// Something is left, but less than the request may cost.
    TooLittleLeft,
    /// Nobody knows what the model costs.
    UnknownPrice,
}

/// A budget's no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetRefusal {
    /// Which budget.
    pub budget: BudgetId,
    /// Why.
    pub why: RefusedFor,
    /// Its limit.
    pub limit: NanoUsd,
    /// What that is for.
    pub period: Period,
    /// What is spent of it.
    pub spent: NanoUsd,
    /// What is held back for attempts under way.
    pub reserved: NanoUsd,
    /// What the request would have needed.
    pub needed: NanoUsd,
    /// When it begins anew; a total never does.
    pub resets_at: Option<WallTime>,
}

impl BudgetRefusal {
    pub(crate) fn of(pot: &Pot, why: RefusedFor, needed: NanoUsd) -> Self {
        Self {
            budget: pot.id.clone(),
            why,
            limit: pot.settings.limit,
            period: pot.settings.period,
            spent: pot.books.counted(),
            reserved: pot.books.reserved,
            needed,
            resets_at: pot.span.end,
        }
    }
}

impl BudgetRefusal {
    /// What is neither spent nor held back.
    #[must_use]
    pub fn left(&self) -> NanoUsd {
        self.limit.saturating_sub(self.spent).saturating_sub(self.reserved).max(NanoUsd::ZERO)
    }
}

/// `budget "team-a" is spent: $500.12 of $500 for this month; it begins anew at 2026-12-01T00:00:00.000Z`.
impl fmt::Display for BudgetRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { budget, limit, spent, reserved, needed, .. } = self;
        let name = &budget.name;
        let whose = if budget.scope == BudgetScope::Run { "the budget of run" } else { "budget" };
        let lasts = match self.period {
            Period::Total => "in total".to_owned(),
            period => format!("for this {}", period.name()),
        };
        match self.why {
            RefusedFor::Spent => write!(f, "{whose} \"{name}\" is spent: ${spent} of ${limit} {lasts}")?,
            RefusedFor::TooLittleLeft => write!(
                f,
                "{whose} \"{name}\" has too little left: of ${limit} {lasts} ${spent} are spent, ${reserved} are held back \
                 for calls under way and ${} are left, and this request may cost up to ${needed}; a smaller max_tokens \
                 needs less",
                self.left()
            )?,
            RefusedFor::UnknownPrice => write!(
                f,
                "the price of this model is not known, and {whose} \"{name}\" (${limit} {lasts}, ${spent} spent) pays for \
                 no unknown price; set a price for the model or [prices] on-unknown"
            )?,
        }
        match self.resets_at {
            Some(at) => write!(f, "; it begins anew at {at}"),
            None => f.write_str("; it never begins anew"),
        }
    }
}

/// What a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitFor {
    /// The next slice of the budget to be on record: milliseconds. Ask again after [`super::Budgets::lent`], and after a
    /// [`super::Budgets::settle`] as well: what one gives back another may take.
    Lending,
    /// What is left is held back for attempts under way. Ask again after a [`super::Budgets::settle`].
    Settling,
}

/// A budget's not yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetWait {
    /// What for.
    pub what: WaitFor,
    /// What a refusal says if the request cannot wait.
    pub or: BudgetRefusal,
}

/// One thing about a budget that its owner will want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BudgetChange {
    /// A share of the limit is spent, for the first time in this period.
    Warned {
        /// Which budget.
        budget: BudgetId,
        /// The start of the period.
        period: WallTime,
        /// The share, in parts per million.
        at_ppm: u32,
        /// What is spent.
        spent: NanoUsd,
        /// The limit.
        limit: NanoUsd,
        /// When it begins anew.
        resets_at: Option<WallTime>,
    },
    /// A request was refused for want of money, for the first time in this period.
    Refused(BudgetRefusal),
}

/// A budget as seen from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetView {
    /// Which budget.
    pub budget: BudgetId,
    /// How hard it is held.
    pub mode: BudgetMode,
    /// What its limit is for.
    pub period: Period,
    /// The current period; its end is when the budget resets.
    pub span: Span,
    /// Its limit.
    pub limit: NanoUsd,
    /// The books of the current period.
    pub books: Books,
    /// What is neither spent nor held back: below zero when more was billed than the limit.
    pub left: NanoUsd,
    /// What of `left` is on record as lent and would be taken as spent after a kill.
    pub at_hand: NanoUsd,
    /// Whether so much is spent that cheaper deployments are wanted.
    pub is_low: bool,
}

impl BudgetView {
    pub(crate) fn of(pot: &Pot) -> Self {
        let held = pot.books.held();
        Self {
            budget: pot.id.clone(),
            mode: pot.settings.mode,
            period: pot.settings.period,
            span: pot.span,
            limit: pot.settings.limit,
            books: pot.books,
            left: pot.settings.limit.saturating_sub(held),
            at_hand: pot.books.lent.saturating_sub(held).max(NanoUsd::ZERO),
            is_low: pot.is_low(),
        }
    }
}
