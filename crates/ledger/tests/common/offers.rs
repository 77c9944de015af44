//! Requests and what they ask of deployments, and a plain way to add that up.

use std::collections::BTreeMap;

use weir_ledger::{Attempt, Demand, DemandRow, DemandStep, Entry, Event, Fact, Intent, Ledger, Outcome, Stage};
use weir_units::{FaultClass, NanoUsd, RequestId, Tokens, Usage, WallTime};

pub(crate) fn at(micros: i64) -> WallTime {
    WallTime(micros)
}

pub(crate) async fn put(ledger: &Ledger, entries: &[Entry]) {
    for some in entries.chunks(2_000) {
        some.iter().for_each(|entry| ledger.settle(Box::new(entry.clone())));
        ledger.flush().await;
    }
}

/// The `n`th request, which arrives at `started`.
pub(crate) fn offer(n: u64, started: i64, facts: &[Fact], attempts: Vec<Attempt>) -> Entry {
    let intent = Intent {
        id: RequestId::new(at(started).millis(), u128::from(n)),
        run: None,
        key: None,
        tenant: None,
        tags: Vec::new(),
        route: "smart".into(),
        model: "smart".into(),
        dialect: "openai",
        endpoint: "/v1/chat/completions",
        stream: false,
        trace: None,
        sdk_retry: None,
        started_at: at(started),
    };
    let mut entry = Entry::of(intent, Outcome::Answered);
    let event = |fact: &Fact| Event { at: at(started), stage: Stage::Call, fact: fact.clone() };
    entry.events = facts.iter().map(event).collect();
    entry.status = Some(200);
    entry.attempts = attempts;
    entry.sum_costs();
    entry
}

/// A request that found no capacity.
pub(crate) fn refused(n: u64, started: i64, facts: &[Fact]) -> Entry {
    let mut entry = offer(n, started, facts, Vec::new());
    (entry.outcome, entry.status) = (Outcome::Refused, Some(503));
    (entry.code, entry.refused_by) = (Some("capacity_exhausted".into()), Some("weir".into()));
    entry
}

/// A call that was answered; it used so many tokens of input, of a cache and of output.
pub(crate) fn answered(deployment: &str, started: i64, took_ms: i64, [input, cached, output]: [u64; 3]) -> Attempt {
    let usage =
        Usage { input: Tokens(input), cached_input: Tokens(cached), output: Tokens(output), ..Usage::default() };
    Attempt {
        deployment: deployment.into(),
        status: Some(200),
        class: None,
        message: None,
        upstream_id: None,
        started_at: at(started),
        ended_at: at(started + took_ms * 1_000),
        usage: Some(usage),
        cost_usd: Some(NanoUsd(1_000)),
        cost_estimated: false,
    }
}

/// A call that failed at once.
pub(crate) fn failed(deployment: &str, started: i64, status: u16) -> Attempt {
    let class = if status == 429 { FaultClass::RateLimited } else { FaultClass::ServerError };
    let answered = answered(deployment, started, 0, [0; 3]);
    Attempt { status: Some(status), class: Some(class), usage: None, cost_usd: Some(NanoUsd(0)), ..answered }
}

const MINUTE: i64 = 60_000;

/// The demand of requests whose limits were never in the way but by 429s, added up one by one.
pub(crate) fn naive(entries: &[Entry], step: DemandStep) -> Vec<DemandRow> {
    let mut minutes: BTreeMap<(i64, String), Demand> = BTreeMap::new();
    for entry in entries {
        let arrived = entry.started_at.millis() / MINUTE;
        let mut names: Vec<&str> = entry.attempts.iter().map(|attempt| &*attempt.deployment).collect();
        names.sort_unstable();
        names.dedup();
        let elsewhere = entry.attempts.iter().rev().find_map(|attempt| attempt.usage);
        for name in names {
            let own: Vec<&Attempt> = entry.attempts.iter().filter(|attempt| *attempt.deployment == *name).collect();
            let mut used: Vec<Usage> = own.iter().filter_map(|attempt| attempt.usage).collect();
            if used.is_empty() {
                used.extend(elsewhere);
            }
            let demand = minutes.entry((arrived, name.to_owned())).or_default();
            demand.requests += 1;
            demand.throttled += u64::from(own.iter().any(|attempt| attempt.status == Some(429)));
            for usage in used {
                demand.input += usage.input.0;
                demand.cached_input += usage.cached_input.0;
                demand.output += usage.output.0;
            }
            for attempt in own {
                let (from, to) = (attempt.started_at.millis(), attempt.ended_at.millis());
                for minute in (from / MINUTE..=to / MINUTE).filter(|_| to > from) {
                    let ms = to.min((minute + 1) * MINUTE) - from.max(minute * MINUTE);
                    if ms > 0 {
                        minutes.entry((minute, name.to_owned())).or_default().busy_ms += ms.cast_unsigned();
                    }
                }
            }
        }
    }
    match step {
        DemandStep::Minute => {
            let row = |((minute, name), sum): ((i64, String), Demand)| DemandRow {
                deployment: name.into(),
                at: at(minute * MINUTE * 1_000),
                sum,
                p95: sum,
                peak: sum,
            };
            minutes.into_iter().map(row).collect()
        }
        DemandStep::Hour => hours(minutes),
    }
}

fn hours(minutes: BTreeMap<(i64, String), Demand>) -> Vec<DemandRow> {
    let mut hours: BTreeMap<(i64, String), Vec<Demand>> = BTreeMap::new();
    for ((minute, name), demand) in minutes {
        hours.entry((minute / 60, name)).or_default().push(demand);
    }
    let row = |((hour, name), mut minutes): ((i64, String), Vec<Demand>)| {
        minutes.resize(60, Demand::default());
        let column = |of: fn(&Demand) -> u64| {
            let mut column: Vec<u64> = minutes.iter().map(of).collect();
            column.sort_unstable();
            column
        };
        let every = |pick: fn(&[u64]) -> u64| Demand {
            requests: pick(&column(|demand| demand.requests)),
            input: pick(&column(|demand| demand.input)),
            cached_input: pick(&column(|demand| demand.cached_input)),
            output: pick(&column(|demand| demand.output)),
            busy_ms: pick(&column(|demand| demand.busy_ms)),
            throttled: pick(&column(|demand| demand.throttled)),
        };
        DemandRow {
            deployment: name.into(),
            at: at(hour * 60 * MINUTE * 1_000),
            sum: every(|column| column.iter().sum()),
            p95: every(|column| column[56]),
            peak: every(|column| column[59]),
        }
    };
    hours.into_iter().map(row).collect()
}
