//! The answers of `/admin/v1/live` and `/admin/v1/headroom`: the last minutes.

use serde::Deserialize;
use weir_units::NanoUsd;

/// One moment of the gateway.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Live {
    pub version: String,
    pub at: String,
    pub uptime_s: u64,
    pub in_flight: u64,
    pub ledger_queued: u64,
    pub draining: bool,
    pub window_s: u64,
    pub requests_per_second: f64,
    pub requests_by_second: Vec<u64>,
    pub throttled_by_second: Vec<u64>,
    pub requests: u64,
    pub answered: u64,
    pub attempts: u64,
    pub throttled: u64,
    pub first_token_ms: FirstToken,
    pub last_minute: Spent,
    pub deployments: Vec<Deployment>,
    pub pools: Vec<Pool>,
    pub facts: Vec<Happened>,
    pub failures: Vec<Failure>,
}

/// Times to the first content of streams, in milliseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[expect(missing_docs, reason = "the members are percentiles")]
pub struct FirstToken {
    pub p50: Option<u64>,
    pub p95: Option<u64>,
}

/// What calls cost.
#[derive(Clone, Debug, Default, Deserialize)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Spent {
    pub cost_usd: String,
    pub cost_unknown: u64,
}

impl Spent {
    /// What is known of it.
    #[must_use]
    pub fn known(&self) -> NanoUsd {
        super::nano(Some(&self.cost_usd)).unwrap_or_default()
    }
}

/// What calls are sent to.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Deployment {
    pub deployment: String,
    pub breaker: String,
    pub open_until: Option<String>,
    pub benched: Option<String>,
    pub in_flight: u64,
    pub attempts_per_second: f64,
    pub attempts: u64,
    pub failed: u64,
    pub throttled: u64,
    pub first_token_p95_ms: Option<u64>,
    pub first_content_ms: Option<u64>,
}

impl Deployment {
    /// The part before the slash.
    #[must_use]
    pub fn provider(&self) -> &str {
        self.deployment.split('/').next().unwrap_or_default()
    }
}

/// What shares one set of limits.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Pool {
    pub pool: String,
    pub kind: String,
    pub factor: f64,
    pub gate_until: Option<String>,
    pub assumed: Option<String>,
    pub limits: Vec<Limit>,
    pub queue: Queue,
}

/// A ceiling, and what of it is used.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Limit {
    pub dimension: String,
    pub per: String,
    pub limit: u64,
    pub declared: Option<u64>,
    pub stated: Option<u64>,
    pub used: u64,
    pub peak: u64,
    pub remaining: u64,
    pub reset_s: Option<f64>,
    pub ahead: Option<Ahead>,
}

/// What will be asked for of a limit.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Ahead {
    pub peak_percent: Option<f64>,
    pub forecast_percent: Option<f64>,
}

impl Limit {
    /// Of what it is a ceiling: `input tokens/min`.
    #[must_use]
    pub fn words(&self) -> String {
        let what = self.dimension.trim_end_matches("-per-minute").trim_end_matches("-per-day").replace('-', " ");
        match self.per.as_str() {
            "minute" => format!("{what}/min"),
            "day" => format!("{what}/day"),
            _ => what,
        }
    }

    /// The same as a rate: `300k/min`.
    #[must_use]
    pub fn rate(&self) -> String {
        let number = weir_units::numbers::short(self.limit);
        match self.per.as_str() {
            "minute" => format!("{number}/min"),
            "day" => format!("{number}/day"),
            _ => format!("{number} at once"),
        }
    }

    /// What its busiest hour to come asks for, as a share of it.
    #[must_use]
    pub fn forecast(&self) -> Option<f64> {
        self.ahead.and_then(|ahead| ahead.forecast_percent).map(|percent| percent / 100.0)
    }

    /// The fullest it was, in thousandths.
    #[must_use]
    pub fn peak_permille(&self) -> u64 {
        crate::words::permille(self.peak.max(self.used), self.limit).unwrap_or(0)
    }
}

/// Who waits.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Queue {
    pub waiting: Waiting,
    pub oldest_wait_s: f64,
}

/// How many wait, by class.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[expect(missing_docs, reason = "the members are the classes")]
pub struct Waiting {
    pub interactive: u64,
    pub standard: u64,
    pub batch: u64,
}

impl Waiting {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.interactive + self.standard + self.batch
    }
}

/// A fact of the system, in words.
#[derive(Clone, Debug, Default, Deserialize)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Happened {
    pub at: String,
    pub fact: String,
    pub words: String,
}

/// A request that failed.
#[derive(Clone, Debug, Default, Deserialize)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Failure {
    pub at: String,
    pub id: String,
    pub route: Option<String>,
    pub key: Option<String>,
    pub status: Option<u16>,
    pub code: Option<String>,
    pub refused_by: Option<String>,
}

/// The answer of `/admin/v1/headroom`.
#[derive(Clone, Debug, Default, Deserialize)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Headroom {
    pub at: String,
    pub pools: Vec<Pool>,
}
