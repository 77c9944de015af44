//! A budget's books for one period, and the postings that are all that ever changes them.
//!
//! Balances are sums of postings and nothing else, so whoever has the postings has the balances, to the nano-dollar. A
//! posting carries its number: one that is read twice counts once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use weir_units::{NanoUsd, WallTime};

use super::settings::BudgetId;

/// What became of a budget's money in one period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    /// What is known to be spent.
    pub spent: NanoUsd,
    /// What is taken as spent since nobody knows: slices open at a kill, attempts that were never settled.
    pub presumed: NanoUsd,
    /// What is held back for attempts under way.
    pub reserved: NanoUsd,
    /// What was lent in durable slices, all that is above included.
    pub lent: NanoUsd,
}

impl Books {
    /// What counts as spent.
    #[must_use]
    pub fn counted(&self) -> NanoUsd {
        self.spent + self.presumed
    }

    /// What is spent or held back.
    #[must_use]
    pub fn held(&self) -> NanoUsd {
        self.counted() + self.reserved
    }

    /// Books one change.
    pub fn book(&mut self, booking: Booking) {
        let Self { spent, presumed, reserved, lent } = self;
        let more = |account: &mut NanoUsd, amount: NanoUsd| *account += amount;
        let less =
            |account: &mut NanoUsd, amount: NanoUsd| *account = account.saturating_sub(amount).max(NanoUsd::ZERO);
        match booking {
            Booking::Reserve(amount) => more(reserved, amount),
            Booking::Settle { held, actual } => {
                less(reserved, held);
                more(spent, actual);
            }
            Booking::Expire(held) => {
                less(reserved, held);
                more(presumed, held);
            }
            Booking::Adjust { presumed: was, actual } => {
                less(presumed, was);
                *spent = (*spent + actual).max(NanoUsd::ZERO);
            }
            Booking::Lend(amount) => more(lent, amount),
            Booking::TakeBack(amount) => less(lent, amount),
            Booking::Recover { spent: known, presumed } => {
                let lent = known + presumed;
                *self = Self { spent: known, presumed, reserved: NanoUsd::ZERO, lent };
            }
        }
    }
}

/// One change of a budget's books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Booking {
    /// So much is held back for an attempt.
    Reserve(NanoUsd),
    /// An attempt ended.
    Settle {
        /// What was held back for it.
        held: NanoUsd,
        /// What it cost.
        actual: NanoUsd,
    },
    /// An attempt was never settled: what was held back is taken as spent.
    Expire(NanoUsd),
    /// What had been taken as spent turned out.
    Adjust {
        /// What had been taken as spent.
        presumed: NanoUsd,
        /// What is to be booked as spent in its place; below zero where too much was.
        actual: NanoUsd,
    },
    /// A slice is on record and may be spent.
    Lend(NanoUsd),
    /// What was left of slices is not lent any more.
    TakeBack(NanoUsd),
    /// The books as a start finds them, whatever they were before: slices that were open are taken as spent.
    Recover {
        /// What is known to be spent.
        spent: NanoUsd,
        /// What else was lent.
        presumed: NanoUsd,
    },
}

/// A booking, and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// Its number; each is one more than the last.
    pub number: u64,
    /// Whose books.
    pub budget: BudgetId,
    /// The start of the period that it belongs to.
    pub period: WallTime,
    /// What is booked.
    pub booking: Booking,
}

/// All balances, as postings make them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balances {
    books: BTreeMap<(BudgetId, WallTime), Books>,
    last: u64,
}

impl Balances {
    /// Takes in the next posting; one that was taken in before changes nothing.
    pub fn add(&mut self, posting: &Posting) {
        if posting.number <= self.last {
            return;
        }
        self.last = posting.number;
        self.books.entry((posting.budget.clone(), posting.period)).or_default().book(posting.booking);
    }

    /// A budget's books for the period that begins at `period`.
    #[must_use]
    pub fn books(&self, budget: &BudgetId, period: WallTime) -> Books {
        self.books.get(&(budget.clone(), period)).copied().unwrap_or_default()
    }
}
