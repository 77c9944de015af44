//! What one look has found: which rule, about what, how bad, and the figures that show it.

use std::sync::Arc;
use std::time::Duration;

use weir_units::{DeploymentId, Dimension, FaultClass, NanoUsd, WallTime};

use super::observed::{AttemptCounts, BudgetAhead, CeilingAhead, LimitDeclared};
use super::rule::{AlertRule, Severity};

/// One thing that was found.
#[derive(Clone, Debug)]
pub(super) struct Symptom {
    pub(super) rule: AlertRule,
    /// What it is about; with the rule, what tells one alert from another.
    pub(super) about: Arc<str>,
    pub(super) severity: Severity,
    /// Bad enough to open an alert; else it only keeps one from ending.
    pub(super) opens: bool,
    /// How bad, for the peak.
    pub(super) size: u64,
    /// How many thresholds are passed: one more is told again.
    pub(super) step: u32,
    pub(super) evidence: Evidence,
}

/// The figures.
#[derive(Clone, Debug)]
pub(super) enum Evidence {
    Throttled {
        provider: Arc<str>,
        counts: AttemptCounts,
        window: Duration,
        /// The fullest of its limits.
        fullest: Option<(Dimension, Arc<str>)>,
    },
    Headroom {
        pool: Arc<str>,
        dimension: Dimension,
        limit: u64,
        used: u64,
        waiting: usize,
        /// When it is used up if it goes on like this.
        full_at: Option<WallTime>,
        /// When a daily limit begins anew.
        resets_at: Option<WallTime>,
    },
    BreakerOpen {
        deployment: DeploymentId,
        counts: AttemptCounts,
        window: Duration,
        instead: Option<(Arc<str>, Option<Arc<str>>)>,
    },
    ProviderDown {
        provider: Arc<str>,
        failed: u64,
        for_long: Duration,
        instead: Option<(Arc<str>, Option<Arc<str>>)>,
    },
    Budget {
        name: Arc<str>,
        passed_ppm: u32,
        spent: NanoUsd,
        limit: NanoUsd,
        used_up_at: Option<WallTime>,
        resets_at: Option<WallTime>,
    },
    Burn {
        name: Arc<str>,
        /// How many times its even pace, in hundredths.
        times: u64,
        in_window: NanoUsd,
        window: Duration,
        spent: NanoUsd,
        limit: NanoUsd,
        used_up_at: Option<WallTime>,
        resets_at: Option<WallTime>,
    },
    CeilingAhead(Box<CeilingAhead>),
    BudgetAhead(Box<BudgetAhead>),
    RunHalted {
        tenant: Arc<str>,
        run: Arc<str>,
        why: Arc<str>,
        cost: Option<NanoUsd>,
    },
    CredentialRefused {
        provider: Arc<str>,
        class: FaultClass,
        instead: Option<(Arc<str>, Option<Arc<str>>)>,
    },
    LimitChanged {
        pool: Arc<str>,
        dimension: Dimension,
        old: u64,
        new: u64,
        how: Arc<str>,
    },
    LimitDrift(LimitDeclared),
    LedgerBehind {
        waiting: u64,
        lost: u64,
        failing_since: Option<WallTime>,
        why: Option<Arc<str>>,
    },
    DeliveryFailing {
        notifier: Arc<str>,
        failing_since: WallTime,
        waiting: usize,
        why: Arc<str>,
    },
}
