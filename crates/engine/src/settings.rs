//! What an operator may set about retries and breakers, with the defaults that the configuration reference shows.

use std::time::Duration;

/// The engine's settings, already checked by whoever read them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// When the same deployment is asked again.
    pub retry: RetrySettings,
    /// When a deployment is no longer asked at all.
    pub breaker: BreakerSettings,
}

/// When, how often and at what price the same deployment is asked again.
#[derive(Clone, Debug, PartialEq)]
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
#[derive(Clone, Debug, PartialEq)]
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
