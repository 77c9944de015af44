//! What is left out of a record is put back to the letter, whatever the record says.

use proptest::prelude::*;
use weir_units::{FaultClass, NanoUsd, RequestId, Tokens, TraceContext, Usage, WallTime};

use super::*;
use crate::{Attempt, Entry, Event, Fact, Intent, Outcome, Stage};

fn usages() -> impl Strategy<Value = Option<Usage>> {
    let some = any::<[u8; 6]>().prop_map(|counts| {
        // Every other one is nothing, which is what is left out.
        let [input, cached_input, cache_write, cache_write_long, output, reasoning] =
            counts.map(|count| Tokens(if count % 2 == 0 { 0 } else { u64::from(count) }));
        Usage { input, cached_input, cache_write, cache_write_long, output, reasoning }
    });
    proptest::option::of(some)
}

/// Mostly of the same few milliseconds, as those of a quick request are, and some of odd years.
fn times() -> impl Strategy<Value = WallTime> {
    prop_oneof![
        8 => (0..3_000_i64).prop_map(|micros| WallTime(1_795_010_400_000_000 + micros)),
        1 => (-2_000..2_000_i64).prop_map(WallTime),
        1 => Just(WallTime(i64::MAX)),
        1 => Just(WallTime(253_402_300_800_000_000)),
    ]
}

fn facts() -> impl Strategy<Value = Fact> {
    prop_oneof![
        any::<(bool, bool)>().prop_map(|(key, tools)| Fact::Admitted {
            key: key.then(|| "k".into()),
            tenant: None,
            route: "smart".into(),
            tools,
        }),
        any::<u8>().prop_map(|after| Fact::AttemptSucceeded {
            attempt: 0,
            deployment: "o/m".into(),
            status: 0,
            after_ms: u64::from(after),
        }),
        any::<bool>().prop_map(|estimated| Fact::Wasted {
            why: "duplicate",
            input: 0,
            output: 0,
            cost_usd: None,
            estimated
        }),
        Just(Fact::ClientLeft),
        "\\PC{0,4}".prop_map(|why| Fact::SpliceFailed { from: why.clone().into(), to: None, why }),
    ]
}

fn intent(started_at: WallTime) -> Intent {
    Intent {
        id: RequestId(77),
        run: None,
        key: None,
        tenant: None,
        tags: Vec::new(),
        route: "smart".into(),
        model: "gpt".into(),
        dialect: "openai",
        endpoint: "/v1/chat/completions",
        stream: false,
        trace: None,
        sdk_retry: None,
        started_at,
    }
}

fn entries() -> impl Strategy<Value = Entry> {
    let said = || proptest::option::of("\\PC{0,6}");
    let attempt = (times(), times(), usages(), said(), any::<[bool; 3]>(), proptest::option::of(0..3_i64)).prop_map(
        |(started_at, ended_at, usage, message, [status, class, cost_estimated], cost)| Attempt {
            deployment: "o/m".into(),
            status: status.then_some(0),
            class: class.then_some(FaultClass::Overloaded),
            message: message.map(Into::into),
            upstream_id: None,
            started_at,
            ended_at,
            usage,
            cost_usd: cost.map(NanoUsd),
            cost_estimated,
        },
    );
    let event = (times(), facts()).prop_map(|(at, fact)| Event { at, stage: Stage::Settle, fact });
    (
        (times(), proptest::option::of(times()), usages(), said(), any::<[bool; 6]>()),
        proptest::collection::vec(attempt, 0..3),
        proptest::collection::vec(event, 0..6),
    )
        .prop_map(
            |(
                (started_at, ended_at, usage, said, [stream, traced, retried, tagged, none, estimated]),
                attempts,
                events,
            )| {
                let tags =
                    if tagged { vec![("events".into(), "usage".into()), ("".into(), "".into())] } else { Vec::new() };
                let intent = Intent {
                    run: said.clone().map(Into::into),
                    tags,
                    stream,
                    trace: traced.then_some(TraceContext { trace_id: 5, parent: 0, flags: 0 }),
                    sdk_retry: retried.then_some(0),
                    ..intent(started_at)
                };
                let mut entry = Entry::of(intent, Outcome::Answered);
                (entry.ended_at, entry.usage, entry.cost_estimated) = (ended_at, usage, estimated);
                entry.content = retried.then_some(0);
                entry.status = (!none).then_some(0);
                entry.code = said.map(Into::into);
                entry.queued_ms = u64::from(tagged);
                entry.overhead_us = (!none).then_some(0);
                entry.first_content_ms = (!none).then_some(0);
                entry.degraded = if none { Vec::new() } else { vec!["".into()] };
                (entry.attempts, entry.events) = (attempts, events);
                entry
            },
        )
}

proptest! {
    #[test]
    fn what_is_stored_is_made_whole_to_the_letter(entry in entries()) {
        let record = entry.to_json();
        let stored = entry.to_stored();
        prop_assert!(stored.len() <= record.len());
        prop_assert_eq!(whole(stored.to_string()), &*record);
        prop_assert_eq!(whole(record.to_string()), &*record, "a record that was stored whole");
    }
}

#[test]
fn what_is_not_of_this_version_stays_and_what_is_damaged_too() {
    let record = r#"{"later":{"a":0},"id":"r","usage":{"input":1,"audio":2},"attempts":[{"deployment":"d","cost":0}],"events":[{"fact":"New"}]}"#;
    let read = whole(record.to_owned());
    assert!(read.starts_with(r#"{"id":"r","run":null,"#), "{read}");
    assert!(read.ends_with(r#""later":{"a":0}}"#), "{read}");
    assert!(
        read.contains(r#""reasoning":0,"audio":2}"#) && read.contains(r#""cost_estimated":false,"cost":0}"#),
        "{read}"
    );
    for damaged in ["", "{", "[]", "no", r#"{"attempts":1}"#, r#"{"usage":7}"#] {
        assert_eq!(whole(damaged.to_owned()), damaged);
    }
}

#[test]
fn a_quick_answer_is_stored_in_three_quarters() {
    let at = WallTime(1_795_010_400_114_000);
    let later = WallTime(at.0 + 2_000);
    let (run, key) = (Some("run_y2tpreu2ih5wmqo7".into()), Some("bench".into()));
    let intent = Intent { run, tenant: key.clone(), key, ..intent(at) };
    let usage = Some(Usage { input: Tokens(256), output: Tokens(100), ..Usage::default() });
    let mut entry = Entry::of(intent, Outcome::Answered);
    (entry.usage, entry.ended_at, entry.status) = (usage, Some(later), Some(200));
    entry.attempts.push(Attempt {
        deployment: "upstream/gpt".into(),
        status: Some(200),
        class: None,
        message: None,
        upstream_id: None,
        started_at: at,
        ended_at: later,
        usage,
        cost_usd: None,
        cost_estimated: false,
    });
    let event = |at, fact| Event { at, stage: Stage::Call, fact };
    let deployment = || "upstream/gpt".into();
    entry.events = vec![
        event(at, Fact::Admitted { key: None, tenant: None, route: "gpt".into(), tools: false }),
        event(at, Fact::AttemptStarted { attempt: 1, deployment: deployment(), why: "first" }),
        event(later, Fact::AttemptSucceeded { attempt: 1, deployment: deployment(), status: 200, after_ms: 2 }),
        event(later, Fact::Answered { status: 200 }),
    ];
    let (stored, record) = (entry.to_stored(), entry.to_json());
    assert!(stored.len() * 4 <= record.len() * 3, "{} of {}: {stored}", stored.len(), record.len());
}
