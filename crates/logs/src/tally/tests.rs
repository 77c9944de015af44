//! What a few calls add up to.

use weir_units::{Tokens, Usage};

use super::*;

const MINUTE: i64 = 60_000_000;
/// 2026-11-18T14:00:00Z.
const AT: i64 = 1_795_010_400_000_000;
const DAYS: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);

fn call(at: i64, status: u16, tokens: u64) -> Call<'static> {
    let usage = (tokens > 0).then(|| Usage { input: Tokens(tokens), ..Usage::default() });
    let (provider, model) = (Some("openai".into()), Some("gpt-5-mini".into()));
    Call {
        at: Some(WallTime(at)),
        user: Some("alice".into()),
        provider,
        model,
        usage,
        ..Call::new(Format::LiteLlmSpend).with_status(status)
    }
}

fn tally(calls: &[Call<'_>]) -> Tally {
    let mut tally = Tally::new(DAYS, None);
    calls.iter().for_each(|call| tally.add(call));
    tally
}

#[test]
fn errors_and_429s_are_counted() {
    let none = Call { status: None, failed: true, ..call(AT, 200, 0) };
    let errors = tally(&[call(AT, 200, 5), call(AT, 429, 0), call(AT, 500, 0), none]).errors().unwrap();
    assert_eq!((errors.requests, errors.errors, errors.throttled), (4, 3, 1));
    assert!(tally(&[]).errors().is_err());
}

#[test]
fn what_follows_a_failure_is_its_retry_in_whatever_order_it_is_read() {
    let calls = [
        call(AT, 200, 100),
        call(AT + MINUTE, 429, 0),
        call(AT + MINUTE + 2, 200, 300),
        call(AT + 5 * MINUTE, 200, 100),
    ];
    let spend = tally(&calls).spend().unwrap();
    assert_eq!((spend.tokens, spend.retry_tokens), (500, 300));
    let mut reversed = calls.clone();
    reversed.reverse();
    let spend = tally(&reversed).spend().unwrap();
    assert_eq!((spend.tokens, spend.retry_tokens), (500, 300));
    // Another user's call, and one that comes later, are none.
    let other = Call { user: Some("bob".into()), ..calls[2].clone() };
    let late = call(AT + 3 * MINUTE, 200, 300);
    for second in [other, late] {
        assert_eq!(tally(&[calls[1].clone(), second]).spend().unwrap().retry_tokens, 0);
    }
}

#[test]
fn a_failed_call_that_was_billed_and_a_marked_retry_count() {
    let marked = Call { retry: Some(1), user: None, ..call(AT, 200, 50) };
    let spend = tally(&[call(AT, 500, 30), marked]).spend().unwrap();
    assert_eq!((spend.tokens, spend.retry_tokens), (80, 80));
    assert!(spend.cost.is_some(), "the catalogue has a price");
}

#[test]
fn only_the_window_before_the_newest_call_counts() {
    let old = call(AT - 31 * 86_400_000_000, 500, 9);
    for calls in [[old.clone(), call(AT, 200, 1)], [call(AT, 200, 1), old]] {
        let tally = tally(&calls);
        assert_eq!(tally.errors().unwrap().requests, 1);
        assert_eq!(tally.span(), (WallTime(AT), WallTime(AT + 1)));
    }
    let mut until = Tally::new(DAYS, Some(WallTime(AT)));
    until.add(&call(AT, 200, 1));
    until.add(&call(AT - 1, 200, 1));
    assert_eq!((until.calls(), until.aside()), (1, (1, 0)));
}

#[test]
fn a_session_for_each_request_hides_no_retry_and_a_damaged_time_hides_no_call() {
    let failed = Call { run: Some("s-1".into()), ..call(AT, 429, 0) };
    let retry = Call { run: Some("s-2".into()), ..call(AT + 2, 200, 10) };
    assert_eq!(tally(&[failed, retry]).spend().unwrap().retry_tokens, 10);
    let damaged = call(AT + 20 * 366 * 86_400_000_000, 200, 1);
    let tally = tally(&[call(AT, 200, 1), damaged, call(AT + MINUTE, 200, 1)]);
    assert_eq!((tally.calls(), tally.aside().0), (2, 1));
}

#[test]
fn minutes_are_those_in_which_calls_came() {
    let long = Call { ended: Some(WallTime(AT + 90_000_000)), ..call(AT, 200, 10) };
    let (minutes, hours) = tally(&[long, call(AT, 429, 0), call(AT + MINUTE, 200, 20)]).demand();
    let told: Vec<_> =
        minutes.iter().map(|row| (row.sum.requests, row.sum.input, row.sum.busy_ms, row.sum.throttled)).collect();
    assert_eq!(told, [(2, 10, 60_000, 1), (1, 20, 30_000, 0)]);
    assert_eq!((hours.len(), hours[0].sum.requests, hours[0].peak.requests, hours[0].p95.requests), (1, 3, 2, 0));
}

#[test]
fn waste_is_told_by_the_first_reason_and_whose_it_was() {
    let truncated = Call { truncated: true, run: Some("r".into()), ..call(AT, 200, 7) };
    let duplicate = Call { content: Some(1), ..call(AT + MINUTE, 200, 11) };
    let figures =
        tally(&[truncated, Call { at: Some(WallTime(AT)), ..duplicate.clone() }, duplicate, call(AT, 500, 13)]).waste();
    let report = weir_capacity::waste::WasteReport::of(&figures, weir_capacity::waste::By::Key, 10);
    let json = serde_json::to_value(&report).unwrap().to_string();
    for kind in ["truncated", "duplicate", "failed_attempt"] {
        assert!(json.contains(kind), "{kind}: {json}");
    }
}

#[test]
fn limits_are_those_that_headers_stated() {
    let stated =
        Call { limits: vec![Limit { dimension: Dimension::RequestsPerMinute, limit: 500 }], ..call(AT, 200, 1) };
    let tally = tally(&[stated]);
    let told: Vec<_> =
        tally.stated().into_iter().map(|(deployment, limit)| (deployment.to_string(), limit.limit)).collect();
    assert_eq!(told, [("openai/gpt-5-mini".to_owned(), 500)]);
}
