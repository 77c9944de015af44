//! What an operator may set about retries, breakers, limits and the queue, with the defaults that the configuration reference shows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use weir_units::{DeploymentId, Limits};

use crate::limits::DayStart;

/// The engine's settings, already checked by whoever read them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// When the same deployment is asked again.
    pub retry: RetrySettings,
    /// When a deployment is no longer asked at all.
    pub breaker: BreakerSettings,
    /// What may be sent to whom.
    pub limits: LimitSettings,
    /// How much may wait.
    pub queue: QueueSettings,
}

/// When, how often and at what price the same deployment is asked again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetrySettings {
    /// Attempts on the last deployment left; 3 by default. While another is eligible there are at most two.
    pub attempts: u32,
    /// The backoff's base: the wait before repeat `n` (from 0) is drawn from `[0, base · 2ⁿ]`; 250 ms by default.
    pub base: Duration,
    /// What `base · 2ⁿ` never exceeds; 20 s by default.
    pub cap: Duration,
    /// What repeats may cost, in parts per million of what first attempts cost; 100,000 (a tenth) by default.
    pub budget_ppm: u32,
    /// The longest retry-after that is waited out in place; 3 s by default.
    pub patience: Duration,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            attempts: 3,
            base: Duration::from_millis(250),
            cap: Duration::from_secs(20),
            budget_ppm: 100_000,
            patience: Duration::from_secs(3),
        }
    }
}

/// When a breaker opens, and for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BreakerSettings {
    /// Faults in a row that open it, or as many as three seconds bring if those are more; 5 by default.
    pub consecutive_failures: u32,
    /// The share of faults within the window that opens it, in parts per million; 500,000 by default. Above 1,000,000
    /// no share ever opens it.
    pub failure_rate_ppm: u32,
    /// How far back the share is taken; 30 s by default, at most five minutes.
    pub window: Duration,
    /// How long it stays open, give or take a fifth; 15 s by default. Traffic then returns in steps of 10 s, or of this
    /// where it is shorter.
    pub cooldown: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            failure_rate_ppm: 500_000,
            window: Duration::from_secs(30),
            cooldown: Duration::from_secs(15),
        }
    }
}

/// What is declared of limits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LimitSettings {
    /// Of each provider's account, by its name.
    pub providers: BTreeMap<Arc<str>, ProviderLimits>,
    /// Of a provider's models.
    pub models: BTreeMap<DeploymentId, ModelLimits>,
    /// Of pools that models share, by name.
    pub pools: BTreeMap<Arc<str>, PoolLimits>,
    /// Of clients' keys, by name.
    pub keys: BTreeMap<Arc<str>, Limits>,
    /// Each tenant's share under contention; 1 for one that is not here.
    pub weights: BTreeMap<Arc<str>, u32>,
}

/// A provider's account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderLimits {
    /// Its ceilings.
    pub limits: Limits,
    /// When its days begin.
    pub day: DayStart,
}

/// A model's own ceilings, and the pool it shares others with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelLimits {
    /// Its ceilings.
    pub limits: Limits,
    /// The pool's name.
    pub pool: Option<Arc<str>>,
}

/// A pool that models share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolLimits {
    /// Its ceilings.
    pub limits: Limits,
    /// The share of each that batch work may not use, in parts per million; 200,000 by default.
    pub reserve_for_interactive_ppm: u32,
}

/// The share of each limit that batch work may not use, where no pool says otherwise: 200,000 parts per million.
pub const RESERVE_FOR_INTERACTIVE_PPM: u32 = 200_000;

/// How much may wait for capacity, all queues together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueSettings {
    /// Requests; 10,000 by default.
    pub max_requests: usize,
    /// Bytes of their bodies; 256 MiB by default.
    pub max_bytes: u64,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self { max_requests: 10_000, max_bytes: 256 << 20 }
    }
}
