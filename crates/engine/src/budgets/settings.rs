//! Whose money it is, and how hard it is held.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use weir_units::NanoUsd;

use super::period::{Period, Zone};

/// What a budget is for. The order is the one in which budgets are asked, and in which the first refusal counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BudgetScope {
    /// Several tenants.
    Org,
    /// A tenant.
    Tenant,
    /// A client's key.
    Key,
    /// One run.
    Run,
    /// Requests with a tag.
    Tag,
}

impl BudgetScope {
    /// The name in facts and on screens.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Org => "org",
            Self::Tenant => "tenant",
            Self::Key => "key",
            Self::Run => "run",
            Self::Tag => "tag",
        }
    }

    /// The scope of such a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Org, Self::Tenant, Self::Key, Self::Run, Self::Tag].into_iter().find(|scope| scope.name() == name)
    }
}

/// One pot of money. Who names the same budget shares it, so its name is unique within its scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BudgetId {
    /// What it is for; of several, the widest.
    pub scope: BudgetScope,
    /// Its name in the config, or the run's id.
    pub name: Arc<str>,
}

impl BudgetId {
    /// The budget `name` of such a scope.
    pub fn new(scope: BudgetScope, name: impl Into<Arc<str>>) -> Self {
        Self { scope, name: name.into() }
    }
}

impl fmt::Display for BudgetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.scope.name(), self.name)
    }
}

/// How hard a limit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BudgetMode {
    /// The worst case is held back for each attempt, so the limit is never passed.
    Strict,
    /// What 99 of 100 attempts do not exceed is held back; the limit may be passed by what is under way.
    Soft,
}

/// Where a strict budget's money must be on record before it is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lending {
    /// In memory: a restart forgets it. For what does not outlive the process either, and for simulations.
    Memory,
    /// In durable slices: see [`super::Lease`].
    Durable,
}

/// What a budget is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetSettings {
    /// The most that may be spent in a period.
    pub limit: NanoUsd,
    /// How long that is for.
    pub period: Period,
    /// How hard it is held.
    pub mode: BudgetMode,
    /// Where its slices must be on record; a soft budget has none.
    pub lending: Lending,
    /// Shares of the limit, in parts per million, that are reported when they are spent.
    pub warn_at_ppm: Vec<u32>,
    /// The share of the limit, in parts per million, past which it says that it is low.
    pub low_at_ppm: Option<u32>,
}

impl BudgetSettings {
    /// A budget of `limit` in each `period`, without warnings, kept in memory.
    #[must_use]
    pub fn new(limit: NanoUsd, period: Period, mode: BudgetMode) -> Self {
        Self { limit, period, mode, lending: Lending::Memory, warn_at_ppm: Vec::new(), low_at_ppm: None }
    }
}

/// What is done under a budget with a model whose price nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownPrice {
    /// It is refused.
    Refuse,
    /// Each attempt is charged with so much.
    WorstCase(NanoUsd),
}

/// What all budgets have in common.
#[derive(Clone, Debug)]
pub struct BudgetsSettings {
    /// Whose midnight counts.
    pub zone: Zone,
    /// What an unknown price leads to.
    pub unknown_price: UnknownPrice,
    /// After so long a reservation that nobody settled is taken as spent. More than any attempt lasts.
    pub expire_after: Duration,
    /// Whether every booking is kept for [`super::Budgets::take_postings`].
    pub journal: bool,
    /// The number of the first posting: one more than the last on record.
    pub first_posting: u64,
}

impl Default for BudgetsSettings {
    fn default() -> Self {
        Self {
            zone: Zone::UTC,
            unknown_price: UnknownPrice::Refuse,
            expire_after: Duration::from_secs(3_600),
            journal: false,
            first_posting: 1,
        }
    }
}
