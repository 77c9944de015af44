//! What is the case now, as alerts are handed it.

use std::sync::Arc;
use std::time::Duration;

use weir_units::{DeploymentId, Dimension, FaultClass, NanoUsd, WallTime};

use crate::budgets::Span;
use crate::change::BreakerState;
use crate::limits::PoolId;

/// Everything that alerts look at.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Deployments that have names of their own.
    pub deployments: Vec<DeploymentSeen>,
    /// Limits of providers, pools and models.
    pub limits: Vec<LimitSeen>,
    /// Budgets of the config.
    pub budgets: Vec<BudgetSeen>,
    /// Ceilings that forecasts say are reached too soon.
    pub ceilings: Vec<CeilingAhead>,
    /// Budgets that forecasts say do not last.
    pub budgets_ahead: Vec<BudgetAhead>,
    /// Runs that are halted.
    pub runs: Vec<HaltedRun>,
    /// Limits that changed since the last look.
    pub moved: Vec<LimitMoved>,
    /// Limits that are declared and that providers state, the same or not.
    pub compared: Vec<LimitDeclared>,
    /// How far the ledger is behind.
    pub ledger: LedgerSeen,
    /// How notifiers fare.
    pub notifiers: Vec<NotifierSeen>,
}

/// Attempts since the process began that have ended, those that a client broke off left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttemptCounts {
    /// All of them.
    pub all: u64,
    /// Those that a 429 answered.
    pub throttled: u64,
    /// Those that the provider failed: no connection, a broken or empty answer, a 5xx, silence.
    pub failed: u64,
}

impl AttemptCounts {
    /// How many more than at an earlier time.
    #[must_use]
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            all: self.all.saturating_sub(earlier.all),
            throttled: self.throttled.saturating_sub(earlier.throttled),
            failed: self.failed.saturating_sub(earlier.failed),
        }
    }

    pub(super) fn add(&mut self, more: Self) {
        self.all += more.all;
        self.throttled += more.throttled;
        self.failed += more.failed;
    }

    /// Those that led to an answer, if only to a refusal.
    #[must_use]
    pub(super) fn answered(self) -> u64 {
        self.all.saturating_sub(self.throttled).saturating_sub(self.failed)
    }
}

/// A deployment.
#[derive(Clone, Debug)]
pub struct DeploymentSeen {
    /// Which one.
    pub deployment: DeploymentId,
    /// Its breaker.
    pub breaker: BreakerState,
    /// The fault for which its provider's credential is benched.
    pub refused: Option<FaultClass>,
    /// Attempts at it.
    pub attempts: AttemptCounts,
    /// A route that it is on, and the provider that serves that one now; the provider is none where none is left.
    pub instead: Option<(Arc<str>, Option<Arc<str>>)>,
}

/// A limit.
#[derive(Clone, Debug)]
pub struct LimitSeen {
    /// Whose it is.
    pub pool: PoolId,
    /// What it limits.
    pub dimension: Dimension,
    /// The limit in force.
    pub limit: u64,
    /// Used in the last minute, today, or right now, by dimension.
    pub used: u64,
    /// How long until a daily limit begins anew.
    pub reset: Duration,
    /// How many wait for it.
    pub waiting: usize,
}

/// A budget.
#[derive(Clone, Debug)]
pub struct BudgetSeen {
    /// Its name.
    pub name: Arc<str>,
    /// Its limit.
    pub limit: NanoUsd,
    /// What counts as spent of it.
    pub spent: NanoUsd,
    /// The current period.
    pub span: Span,
    /// The shares at which to warn, in parts per million.
    pub warn_at_ppm: Vec<u32>,
}

/// A ceiling that a forecast says is reached sooner than more could be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CeilingAhead {
    /// Whose it is.
    pub pool: Arc<str>,
    /// What it limits.
    pub dimension: Dimension,
    /// The limit in force.
    pub limit: u64,
    /// What the fullest hour, or day, asks for of it, in parts per million; it may be more than all.
    pub share_ppm: u64,
    /// What the busiest hour, or day, of the last seven days asked for.
    pub peak: Option<u64>,
    /// What that of the next will ask for, as likely more as less.
    pub ahead: Option<u64>,
    /// By when it is reached in one future of ten, in five, in nine.
    pub dates: [Option<WallTime>; 3],
    /// By when somebody should have decided.
    pub decide_by: Option<WallTime>,
    /// What can be done, each with what it brings, the best first.
    pub options: Vec<Arc<str>>,
    /// What happens without the provider, in one sentence.
    pub failover: Option<Arc<str>>,
}

/// A budget that a forecast says does not last its period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetAhead {
    /// Its name.
    pub name: Arc<str>,
    /// Its limit.
    pub limit: NanoUsd,
    /// What is known to be spent.
    pub spent: NanoUsd,
    /// What will be spent at the end of the period, as likely more as less.
    pub expected: NanoUsd,
    /// How likely it does not last, in parts per million.
    pub probability_ppm: u32,
    /// By when it is gone in one future of ten, in five, in nine.
    pub dates: [Option<WallTime>; 3],
    /// Requests whose price nobody knows: they are not in it.
    pub unpriced: u64,
}

/// A run that is halted.
#[derive(Clone, Debug)]
pub struct HaltedRun {
    /// Whose it is.
    pub tenant: Arc<str>,
    /// The run.
    pub run: Arc<str>,
    /// Why, in one sentence of figures.
    pub why: Arc<str>,
    /// What it has cost, as far as that is known.
    pub cost: Option<NanoUsd>,
}

/// A limit that is declared, beside what its provider states of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitDeclared {
    /// Whose it is.
    pub pool: Arc<str>,
    /// Who states it.
    pub by: Arc<str>,
    /// What it limits.
    pub dimension: Dimension,
    /// What the config declares.
    pub declared: u64,
    /// What the provider states.
    pub stated: u64,
}

/// A limit that changed.
#[derive(Clone, Debug)]
pub struct LimitMoved {
    /// Whose it is.
    pub pool: Arc<str>,
    /// What it limits.
    pub dimension: Dimension,
    /// What was kept to before.
    pub old: u64,
    /// What is kept to now.
    pub new: u64,
    /// How that was learned.
    pub how: Arc<str>,
}

/// How far the ledger is behind.
#[derive(Clone, Debug, Default)]
pub struct LedgerSeen {
    /// Rows that wait, in memory and in the spill.
    pub waiting: u64,
    /// Rows that are on no record at all, since the process began.
    pub lost: u64,
    /// Since when the database fails.
    pub failing_since: Option<WallTime>,
    /// Why.
    pub why: Option<Arc<str>>,
}

/// A notifier.
#[derive(Clone, Debug)]
pub struct NotifierSeen {
    /// Its name.
    pub name: Arc<str>,
    /// Since when it takes no message.
    pub failing_since: Option<WallTime>,
    /// Why not.
    pub why: Arc<str>,
    /// Messages that wait for it.
    pub waiting: usize,
}
