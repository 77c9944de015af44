//! Counts over time, as `/admin/v1/series` tells them.

use std::time::Duration;

use weir_units::{NanoUsd, WallTime};

/// What was counted of requests and their attempts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Counts {
    pub requests: u64,
    pub answered: u64,
    pub refused_by_weir: u64,
    pub throttled_by_provider: u64,
    pub server_errors: u64,
    pub client_errors: u64,
    pub left: u64,
    pub attempts: u64,
    pub attempts_failed: u64,
    pub attempts_throttled: u64,
    pub input: u64,
    pub cached_input: u64,
    pub output: u64,
    pub cost: NanoUsd,
    pub estimated: NanoUsd,
    pub cost_unknown: u64,
    pub duration: Quantiles,
    pub first_content: Quantiles,
    pub queued: Quantiles,
}

impl Counts {
    /// Requests whose client waited for the end.
    #[must_use]
    pub fn stayed(&self) -> u64 {
        self.requests.saturating_sub(self.left)
    }

    /// Those of them that were not answered.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.stayed().saturating_sub(self.answered)
    }

    /// Tokens in and out.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.input + self.output
    }
}

/// Times that half, nineteen of twenty, and all but one of a hundred do not exceed, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the members are percentiles")]
pub struct Quantiles {
    pub p50: Option<u64>,
    pub p95: Option<u64>,
    pub p99: Option<u64>,
}

/// Counts by bucket, and of all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// How long a bucket is.
    pub every: Duration,
    /// Where the last one ends.
    pub until: WallTime,
    /// When each begins, and what it counted.
    pub buckets: Vec<(WallTime, Counts)>,
    /// All of them together.
    pub total: Counts,
}

/// The same, apart by one dimension; the largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Apart {
    /// Each value of the dimension with its series; none is "without".
    pub parts: Vec<(Option<String>, Series)>,
    /// All of them together.
    pub whole: Series,
}
