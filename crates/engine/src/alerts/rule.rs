//! What is watched for, and how urgent it is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that is watched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertRule {
    /// A provider answers none of the attempts at it.
    ProviderDown,
    /// A provider refused a credential.
    CredentialRefused,
    /// A breaker is not closed.
    BreakerOpen,
    /// Facts wait to be written, or are lost.
    LedgerBehind,
    /// A provider answers too many attempts with a 429.
    Throttled,
    /// A limit is nearly used up, or will be soon.
    Headroom,
    /// A limit will be reached sooner than more of it could be there.
    CeilingAhead,
    /// A budget will not last its period.
    BudgetAhead,
    /// A budget is spent faster than it can last.
    BurnRate,
    /// A share of a budget is spent.
    BudgetWarn,
    /// A run was halted.
    RunHalted,
    /// A limit that is kept to changed.
    LimitChanged,
    /// A notifier does not take messages.
    DeliveryFailing,
}

impl AlertRule {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::ProviderDown,
        Self::CredentialRefused,
        Self::BreakerOpen,
        Self::LedgerBehind,
        Self::Throttled,
        Self::Headroom,
        Self::CeilingAhead,
        Self::BudgetAhead,
        Self::BurnRate,
        Self::BudgetWarn,
        Self::RunHalted,
        Self::LimitChanged,
        Self::DeliveryFailing,
    ];

    /// The name in the config, facts, metrics and pages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ProviderDown => "provider-down",
            Self::CredentialRefused => "credential-refused",
            Self::BreakerOpen => "breaker-open",
            Self::LedgerBehind => "ledger-behind",
            Self::Throttled => "throttled",
            Self::Headroom => "headroom",
            Self::CeilingAhead => "ceiling-ahead",
            Self::BudgetAhead => "budget-ahead",
            Self::BurnRate => "burn-rate",
            Self::BudgetWarn => "budget-warn",
            Self::RunHalted => "run-halted",
            Self::LimitChanged => "limit-changed",
            Self::DeliveryFailing => "delivery-failing",
        }
    }

    /// What [`name`](Self::name) writes.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// Whether it is about capacity, so that the owner has to decide something in time.
    #[must_use]
    pub fn is_of_capacity(self) -> bool {
        matches!(self, Self::Throttled | Self::Headroom | Self::CeilingAhead | Self::LimitChanged)
    }

    /// Whether what it watches comes and goes by itself, so that a moment without it is no end yet.
    pub(super) fn flickers(self) -> bool {
        matches!(
            self,
            Self::ProviderDown
                | Self::BreakerOpen
                | Self::LedgerBehind
                | Self::Throttled
                | Self::Headroom
                | Self::BurnRate
        )
    }
}

impl fmt::Display for AlertRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How urgent an alert is, in PagerDuty's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know; never escalated.
    Info,
    /// Somebody should look today.
    Warning,
    /// Somebody should look now.
    Error,
    /// Users are hurt, or records are lost.
    Critical,
}

impl Severity {
    /// All of them, the least first.
    pub const ALL: [Self; 4] = [Self::Info, Self::Warning, Self::Error, Self::Critical];

    /// The name in facts, metrics, messages and pages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    /// What [`name`](Self::name) writes.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name() == name)
    }
}
