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
    /// The counts of both together; how long requests took is not known of sums.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            answered: self.answered + other.answered,
            refused: self.refused + other.refused,
            failed: self.failed + other.failed,
            cancelled: self.cancelled + other.cancelled,
            lost: self.lost + other.lost,
            refused_by_weir: self.refused_by_weir + other.refused_by_weir,
            refused_by_provider: self.refused_by_provider + other.refused_by_provider,
            status_429_by_weir: self.status_429_by_weir + other.status_429_by_weir,
            status_429_by_provider: self.status_429_by_provider + other.status_429_by_provider,
            status_4xx: self.status_4xx + other.status_4xx,
            status_5xx: self.status_5xx + other.status_5xx,
            broken: self.broken + other.broken,
            ..Self::default()
        }
    }

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

    /// All requests in at most `most` buckets: neighbours are put together until there are no more.
    #[must_use]
    pub fn coarse(&self, most: usize) -> Self {
        let each = self.all.buckets.len().div_ceil(most.max(1)).max(1);
        if each == 1 {
            return Self { edges: self.edges.clone(), all: self.all.clone(), ..Self::default() };
        }
        let merged =
            self.all.buckets.chunks(each).map(|part| part.iter().fold(Counts::default(), |sum, one| sum.and(one)));
        let mut edges: Vec<String> = self.edges.iter().take(self.all.buckets.len()).step_by(each).cloned().collect();
        edges.extend(self.edges.last().cloned());
        let all = Part { name: None, buckets: merged.collect(), total: self.all.total.clone() };
        Self { edges, all, ..Self::default() }
    }

    /// The part of this name.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&Part> {
        self.rows.iter().find(|part| part.name.as_deref() == Some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_buckets_count_the_same() {
        let counts = |requests| Counts { requests, answered: requests / 2, ..Counts::default() };
        let buckets: Vec<Counts> = (0..7).map(counts).collect();
        let edges = (0..8).map(|n| format!("2026-11-18T14:0{n}:00.000Z")).collect();
        let series = Series { edges, all: Part { buckets, ..Part::default() }, ..Series::default() };
        let coarse = series.coarse(4);
        let told: Vec<u64> = coarse.all.buckets.iter().map(|counts| counts.requests).collect();
        assert_eq!((told, coarse.edges().len()), (vec![1, 5, 9, 6], 5));
        assert_eq!(coarse.edges.last(), series.edges.last());
        assert_eq!(series.coarse(7).all, series.all);
    }
}
