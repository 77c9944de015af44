//! The answers of `/admin/v1/runs` and `/admin/v1/runs/{run}`.

use serde::Deserialize;
use weir_units::NanoUsd;

/// A page of runs.
#[derive(Clone, Debug, Default, Deserialize)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Runs {
    pub runs: Vec<Run>,
    pub next: Option<String>,
}

/// A run, or one conversation of it, with all that belongs to it where that was asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Run {
    pub run: String,
    pub tenant: String,
    pub parent: Option<String>,
    pub joined: String,
    pub state: String,
    pub evidence: Option<Evidence>,
    pub conversations: u64,
    pub requests: u64,
    pub in_flight: u64,
    pub depth: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cost_usd: String,
    pub cost_unknown: bool,
    pub age_s: u64,
    pub idle_s: u64,
    pub tool_calls: u64,
    pub sdk_retries: u64,
    pub weir_retries: u64,
    pub conversations_of_it: Vec<Run>,
    pub children: Vec<Run>,
}

impl Run {
    /// What it cost, as far as that is known.
    #[must_use]
    pub fn cost(&self) -> NanoUsd {
        super::nano(Some(&self.cost_usd)).unwrap_or_default()
    }
}

/// Why a run was slowed or halted.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Evidence {
    pub detector: String,
    pub tool: Option<String>,
    pub count: u64,
    pub of: u64,
    pub threshold: u64,
    pub period: u64,
    pub hashes: Vec<String>,
    pub words: String,
}
