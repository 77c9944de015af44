//! What a run came to: figures from its records and samples, for people and for programs.
//!
//! A request is what a client asked once: when it sent it again, the last try says how it ended, and its time counts from
//! the first.

mod limits;
mod text;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

pub use limits::LimitUse;

use crate::record::{Outcome, Record, RecordEnd};
use crate::scenario::Scenario;
use crate::workload::Priority;

/// A run in figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What the run's chance was drawn from.
    pub seed: u64,
    /// How long clients sent, in seconds.
    pub seconds: u64,
    /// How many gateways shared the load.
    pub gateways: u32,
    /// How many events were simulated.
    pub events: u64,
    /// Their hash; equal for equal runs.
    pub hash: String,
    /// All requests together.
    pub all: Group,
    /// The requests of each priority that there were any of, the most urgent first.
    pub by_priority: Vec<Group>,
    /// The requests of each tenant, by name.
    pub by_tenant: Vec<Group>,
    /// How requests ended; what most of them did first.
    pub ends: Vec<End>,
    /// What was sent upstream.
    pub attempts: Attempts,
    /// How much of each limit was used, in the order of the scenario.
    pub limits: Vec<LimitUse>,
    /// How true the waits were that were predicted, if any were.
    pub predictions: Option<Predictions>,
}

/// Some of the requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Group {
    /// What they have in common.
    pub name: String,
    /// How many.
    pub requests: u64,
    /// Those with a whole answer.
    pub answered: u64,
    /// Input tokens of those.
    pub input_tokens: u64,
    /// Output tokens of those.
    pub output_tokens: u64,
    /// How long they waited for capacity.
    pub queued: Spread,
    /// From the client's first try to the first token, of those that had one.
    pub first_token: Spread,
    /// From the client's first try to the end, of those with a whole answer.
    pub whole: Spread,
}

/// How a time is spread, in microseconds; nearest ranks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// Of how many.
    pub count: u64,
    /// Half took no longer.
    pub p50_us: u64,
    /// 19 of 20 took no longer.
    pub p95_us: u64,
    /// 99 of 100 took no longer.
    pub p99_us: u64,
    /// The longest.
    pub max_us: u64,
}

/// How many requests ended in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct End {
    /// The way.
    pub end: String,
    /// How many.
    pub requests: u64,
}

/// What was sent upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Attempts {
    /// How often.
    pub sent: u64,
    /// How often a 429 came back.
    pub refused_429: u64,
}

/// How true predicted waits were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Predictions {
    /// How many requests were told a wait when they were queued.
    pub count: u64,
    /// How many of them waited no longer than nine of ten were told to.
    pub kept: u64,
    /// Half were off by no more than this, in microseconds.
    pub median_error_us: u64,
}

impl Report {
    /// The figures of a run.
    #[must_use]
    pub fn of(scenario: &Scenario, outcome: &Outcome) -> Self {
        let last: Vec<&Record> = outcome.records.iter().filter(|record| record.is_last).collect();
        let of_workload = |record: &Record| &scenario.workloads[record.workload as usize];
        let by_priority = Priority::ALL
            .into_iter()
            .map(|priority| {
                let own = last.iter().copied().filter(|record| of_workload(record).priority == priority);
                group(priority.name(), own)
            })
            .filter(|group| group.requests > 0)
            .collect();
        let mut tenants: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
        for record in &last {
            tenants.entry(&of_workload(record).tenant).or_default().push(record);
        }
        let sum = |of: &dyn Fn(&Record) -> u32| outcome.records.iter().map(|record| u64::from(of(record))).sum();
        Self {
            seed: scenario.seed,
            seconds: scenario.duration.as_secs(),
            gateways: scenario.gateways,
            events: outcome.events,
            hash: format!("{:016x}", outcome.hash),
            all: group("all", last.iter().copied()),
            by_priority,
            by_tenant: tenants.into_iter().map(|(name, own)| group(name, own.into_iter())).collect(),
            ends: ends(&last),
            attempts: Attempts { sent: sum(&|record| record.attempts), refused_429: sum(&|record| record.refused_429) },
            limits: limits::uses(scenario, &outcome.samples),
            predictions: predictions(&outcome.records),
        }
    }
}

impl Spread {
    fn of(spans: impl Iterator<Item = Duration>) -> Self {
        let mut us: Vec<u64> = spans.map(|span| u64::try_from(span.as_micros()).unwrap_or(u64::MAX)).collect();
        us.sort_unstable();
        let rank = |percent: usize| {
            let place = (us.len() * percent).div_ceil(100).max(1) - 1;
            us.get(place).copied().unwrap_or(0)
        };
        Self { count: us.len() as u64, p50_us: rank(50), p95_us: rank(95), p99_us: rank(99), max_us: rank(100) }
    }
}

fn group<'r>(name: &str, records: impl Iterator<Item = &'r Record>) -> Group {
    let records: Vec<&Record> = records.collect();
    let answered: Vec<&Record> = records.iter().copied().filter(|record| record.end == RecordEnd::Answered).collect();
    let first = |record: &&Record| record.first_token_at.map(|at| at.since(record.first_at));
    Group {
        name: name.to_owned(),
        requests: records.len() as u64,
        answered: answered.len() as u64,
        input_tokens: answered.iter().map(|record| record.input.0).sum(),
        output_tokens: answered.iter().map(|record| record.output.0).sum(),
        queued: Spread::of(records.iter().map(|record| record.queued)),
        first_token: Spread::of(records.iter().filter_map(first)),
        whole: Spread::of(answered.iter().map(|record| record.ended_at.since(record.first_at))),
    }
}

fn ends(records: &[&Record]) -> Vec<End> {
    let mut counts: BTreeMap<RecordEnd, u64> = BTreeMap::new();
    for record in records {
        *counts.entry(record.end).or_default() += 1;
    }
    let mut ends: Vec<End> = counts.into_iter().map(|(end, requests)| End { end: words(end), requests }).collect();
    ends.sort_by_key(|end| std::cmp::Reverse(end.requests));
    ends
}

fn words(end: RecordEnd) -> String {
    match end {
        RecordEnd::Answered => "answered".to_owned(),
        RecordEnd::RefusedByWeir(status) => format!("refused with {status} by Weir"),
        RecordEnd::RefusedByProvider(status) => format!("refused with {status} by the provider"),
        RecordEnd::Broken => "broke off".to_owned(),
        RecordEnd::Left => "client left".to_owned(),
        RecordEnd::Unfinished => "unfinished at the end".to_owned(),
    }
}

fn predictions(records: &[Record]) -> Option<Predictions> {
    // Whoever left before its turn did not wait to the end.
    let told: Vec<(Duration, Duration, Duration)> = records
        .iter()
        .filter(|record| record.attempts > 0)
        .filter_map(|record| Some((record.predicted?, record.within.or(record.predicted)?, record.queued)))
        .collect();
    if told.is_empty() {
        return None;
    }
    let kept = told.iter().filter(|(_, within, queued)| queued <= within).count() as u64;
    let errors = told.iter().map(|(predicted, _, queued)| predicted.abs_diff(*queued));
    Some(Predictions { count: told.len() as u64, kept, median_error_us: Spread::of(errors).p50_us })
}

#[cfg(test)]
mod tests;
