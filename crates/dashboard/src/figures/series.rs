//! Counts over time, as `/admin/v1/series` tells them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use weir_units::{NanoUsd, WallTime};

/// What was counted of requests and their attempts.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Counts {
    pub requests: u64,
    pub answered: u64,
    pub refused: u64,
    pub failed: u64,
    pub cancelled: u64,
    pub lost: u64,
    pub refused_by_weir: u64,
    pub refused_by_provider: u64,
    pub status_429_by_weir: u64,
    pub status_429_by_provider: u64,
    pub status_4xx: u64,
    pub status_5xx: u64,
    pub broken: u64,
    pub unpriced: u64,
    pub retries: u64,
    pub failovers: u64,
    pub calls: Calls,
    pub cost_usd: String,
    pub estimated_usd: String,
    pub wasted: BTreeMap<String, Wasted>,
    pub duration_ms: Option<Quantiles>,
    pub first_content_ms: Option<Quantiles>,
    pub queue_wait_ms: Option<Quantiles>,
}

/// What was counted of calls upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Calls {
    pub attempts: u64,
    pub failed: u64,
    pub status_429: u64,
    pub input: u64,
    pub cached_input: u64,
    pub output: u64,
    pub unpriced: u64,
}

impl Calls {
    /// Those that led to an answer.
    #[must_use]
    pub fn good(&self) -> u64 {
        self.attempts.saturating_sub(self.failed)
    }

    /// Those that failed, but for those that a 429 answered.
    #[must_use]
    pub fn other_faults(&self) -> u64 {
        self.failed.saturating_sub(self.status_429)
    }

    /// Tokens in and out.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.input + self.output
    }
}

/// What was paid for and served nobody, for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Wasted {
    pub times: u64,
    pub tokens: u64,
    pub cost_usd: String,
    pub cost_unknown: u64,
}

impl Wasted {
    /// What is known of its cost.
    #[must_use]
    pub fn cost(&self) -> NanoUsd {
        super::nano(Some(&self.cost_usd)).unwrap_or_default()
    }
}

impl Counts {
    /// What is known of the cost.
    #[must_use]
    pub fn cost(&self) -> NanoUsd {
        super::nano(Some(&self.cost_usd)).unwrap_or_default()
    }

    /// The part of it that is estimated.
    #[must_use]
    pub fn estimated(&self) -> NanoUsd {
        super::nano(Some(&self.estimated_usd)).unwrap_or_default()
    }

    /// Requests whose client waited for the end.
    #[must_use]
    pub fn stayed(&self) -> u64 {
        self.requests.saturating_sub(self.cancelled)
    }

    /// Those of them that were not answered.
    #[must_use]
    pub fn unanswered(&self) -> u64 {
        self.stayed().saturating_sub(self.answered)
    }

    /// What of the cost served nobody.
    #[must_use]
    pub fn wasted_cost(&self) -> NanoUsd {
        self.wasted.values().map(Wasted::cost).sum()
    }
}

/// Times that half, nineteen of twenty, and all but one of a hundred do not exceed, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are percentiles")]
pub struct Quantiles {
    pub p50: Option<u64>,
    pub p95: Option<u64>,
    pub p99: Option<u64>,
}

/// Counts by bucket, and of all of them: one row of the answer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Part {
    pub name: Option<String>,
    pub buckets: Vec<Counts>,
    pub total: Counts,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Series {
    pub edges: Vec<String>,
    pub all: Part,
    pub rows: Vec<Part>,
    pub rest: Option<Rest>,
}

/// What is not told one by one.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Rest {
    pub names: u64,
    pub buckets: Vec<Counts>,
    pub total: Counts,
}

impl Series {
    /// Where buckets begin, and where the last ends.
    #[must_use]
    pub fn edges(&self) -> Vec<WallTime> {
        self.edges.iter().filter_map(|edge| super::wall(edge)).collect()
    }

    /// How long a bucket is that is not cut short at an end of the range.
    #[must_use]
    pub fn every(&self) -> Duration {
        let edges = self.edges();
        let longest = edges.windows(2).take(4).map(|pair| pair[1].0 - pair[0].0).max().unwrap_or(0);
        Duration::from_micros(u64::try_from(longest).unwrap_or(0))
    }

    /// The part of this name.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&Part> {
        self.rows.iter().find(|part| part.name.as_deref() == Some(name))
    }
}
