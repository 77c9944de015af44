//! Requests made up for tests.

use std::sync::Arc;

use weir_ledger::{Attempt, Entry, Event, Fact, Intent, Outcome, Stage};
use weir_units::{FaultClass, NanoUsd, RequestId, Tokens, Usage, WallTime};

/// When the made-up requests begin: 2026-11-18T14:47:03.114Z.
pub(crate) const START: i64 = 1_795_013_223_114_000;

/// What each of them costs.
pub(crate) const COST: NanoUsd = NanoUsd(4_050_001);

/// The intent of the `n`th request; requests arrive a millisecond apart.
pub(crate) fn intent(n: u64) -> Intent {
    let started_at = WallTime(START + i64::try_from(n).unwrap() * 1_000);
    Intent {
        id: RequestId::new(started_at.millis(), u128::from(n)),
        run: None,
        key: Some(if n.is_multiple_of(2) { "even" } else { "odd" }.into()),
        tenant: Some("team-a".into()),
        tags: Vec::new(),
        route: "smart".into(),
        model: "smart".into(),
        dialect: "openai",
        endpoint: "chat",
        stream: true,
        trace: None,
        sdk_retry: None,
        started_at,
    }
}

/// The entry of the `n`th request: one attempt that failed, one that answered.
pub(crate) fn entry(n: u64) -> Box<Entry> {
    let mut entry = Entry::of(intent(n), Outcome::Answered);
    let at = |ms: i64| WallTime(entry.started_at.0 + ms * 1_000);
    let usage = Usage { input: Tokens(900), output: Tokens(120), ..Usage::default() };
    let (openai, anthropic): (Arc<str>, Arc<str>) = ("openai/gpt-5.2".into(), "anthropic/claude-sonnet-5.5".into());
    let attempt = |deployment: &Arc<str>, from, to| Attempt {
        deployment: Arc::clone(deployment),
        status: Some(200),
        class: None,
        message: None,
        upstream_id: None,
        started_at: at(from),
        ended_at: at(to),
        usage: None,
        cost_usd: Some(NanoUsd(0)),
        cost_estimated: false,
    };
    entry.attempts = vec![
        Attempt {
            status: Some(529),
            class: Some(FaultClass::Overloaded),
            message: Some("Overloaded".into()),
            ..attempt(&openai, 1, 40)
        },
        Attempt { usage: Some(usage), cost_usd: Some(COST), ..attempt(&anthropic, 41, 900) },
    ];
    let (first, second) = (Arc::clone(&openai), Arc::clone(&anthropic));
    let facts = [
        (
            Stage::Admit,
            Fact::Admitted {
                key: entry.key.clone(),
                tenant: entry.tenant.clone(),
                route: "smart".into(),
                tools: false,
            },
        ),
        (Stage::Route, Fact::Routed { candidates: vec![first.to_string(), second.to_string()], skipped: vec![] }),
        (Stage::Call, Fact::AttemptStarted { attempt: 1, deployment: Arc::clone(&first), why: "first" }),
        (
            Stage::Call,
            Fact::AttemptFailed {
                attempt: 1,
                deployment: Arc::clone(&first),
                class: FaultClass::Overloaded,
                status: Some(529),
                message: "Overloaded".to_owned(),
                retry_after_ms: None,
            },
        ),
        (Stage::Call, Fact::FailedOver { from: first, to: second }),
        (Stage::Stream, Fact::FirstContent { attempt: 2, after_ms: 210 }),
        (Stage::Settle, Fact::Answered { status: 200 }),
    ];
    entry.events = (1..).zip(facts).map(|(ms, (stage, fact))| Event { at: at(ms), stage, fact }).collect();
    entry.status = Some(200);
    entry.ended_at = Some(at(901));
    entry.first_content_ms = Some(251);
    entry.overhead_us = Some(140);
    entry.usage = Some(usage);
    entry.sum_costs();
    Box::new(entry)
}
