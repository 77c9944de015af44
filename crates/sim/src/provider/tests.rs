//! The provider model's rules, one story each.

use super::*;
use crate::profile::Latency;

const ASK: Arrival =
    Arrival { input: Tokens(100), max_output: None, output: Tokens(20), charge: Charge::Reserve, order: None };

fn at(millis: u64) -> Moment {
    Moment::ZERO + Duration::from_millis(millis)
}

fn profile(requests: Option<u64>, tokens: Option<u64>) -> Profile {
    Profile { limits: Limits { requests_per_minute: requests, tokens_per_minute: tokens }, ..Profile::default() }
}

fn serving(plan: Plan) -> Serving {
    match plan {
        Plan::Serve(serving) => serving,
        other => panic!("not served: {other:?}"),
    }
}

#[test]
fn a_serving_is_timed_by_the_profile() {
    let latency =
        Latency { base: Duration::from_millis(50), per_input_token: Duration::from_millis(1), ..Latency::default() };
    let profile = Profile { latency, tokens_per_second: 100, ..Profile::default() };
    let mut provider = Provider::new(profile, 1, Moment::ZERO);
    let plan = serving(provider.arrive(at(1_000), &Arrival { max_output: Some(Tokens(5)), ..ASK }));
    assert_eq!(plan.first_token_at, at(1_150));
    assert_eq!(plan.per_token, Duration::from_millis(10));
    assert_eq!(plan.tokens, Tokens(5), "bounded by what was asked for");
}

#[test]
fn slow_sends_headers_at_once_and_late_does_not() {
    let mut provider = Provider::new(Profile::default(), 1, Moment::ZERO);
    let slow = serving(provider.arrive(at(0), &Arrival { order: Some("slow:500".parse().unwrap()), ..ASK }));
    assert_eq!((slow.headers_at, slow.first_token_at), (at(0), at(500)));
    let late = serving(provider.arrive(at(0), &Arrival { order: Some("late:500".parse().unwrap()), ..ASK }));
    assert_eq!((late.headers_at, late.first_token_at), (at(500), at(500)));
}

#[test]
fn a_request_limit_refuses_with_the_wait_that_is_true() {
    let mut provider = Provider::new(profile(Some(2), None), 1, Moment::ZERO);
    serving(provider.arrive(at(0), &ASK));
    serving(provider.arrive(at(0), &ASK));
    let Plan::Reject(no) = provider.arrive(at(0), &ASK) else { panic!("admitted a third") };
    assert_eq!((no.status, no.kind), (429, RejectionKind::RequestLimit));
    let wait = no.retry_after.unwrap();
    assert_eq!(wait, Duration::from_secs(30));
    serving(provider.arrive(at(0) + wait, &ASK));
}

#[test]
fn each_dialect_is_charged_by_its_own_rule() {
    for (charge, left_at_start, left_at_end) in [(Charge::Reserve, 500, 500), (Charge::Metered, 900, 880)] {
        let mut provider = Provider::new(profile(None, Some(1_000)), 1, Moment::ZERO);
        serving(provider.arrive(at(0), &Arrival { charge, max_output: Some(Tokens(500)), ..ASK }));
        assert_eq!(provider.gauges(at(0)).1.unwrap().remaining, left_at_start, "{charge:?}");
        provider.settle(at(0), charge, Tokens(20));
        assert_eq!(provider.gauges(at(0)).1.unwrap().remaining, left_at_end, "{charge:?}");
    }
}

#[test]
fn a_request_over_the_whole_limit_is_refused_without_a_wait() {
    let mut provider = Provider::new(profile(None, Some(50)), 1, Moment::ZERO);
    let Plan::Reject(no) = provider.arrive(at(0), &ASK) else { panic!("admitted") };
    assert_eq!((no.kind, no.retry_after), (RejectionKind::TokenLimit, None));
}

#[test]
fn a_refused_request_takes_nothing_from_any_bucket() {
    let mut provider = Provider::new(profile(Some(10), Some(50)), 1, Moment::ZERO);
    assert!(matches!(provider.arrive(at(0), &ASK), Plan::Reject(_)));
    let (requests, tokens) = provider.gauges(at(0));
    assert_eq!((requests.unwrap().remaining, tokens.unwrap().remaining), (10, 50));
}

#[test]
fn standing_orders_end_when_they_are_used_up_or_cleared() {
    let mut provider = Provider::new(Profile::default(), 1, Moment::ZERO);
    provider.order(Standing::next(FaultOrder::ServerError, 2));
    provider.order(Standing::all(FaultOrder::Overloaded));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let Plan::Reject(no) = provider.arrive(at(0), &ASK) else { panic!("served") };
        statuses.push(no.status);
    }
    assert_eq!(statuses, [500, 500, 529, 529]);
    assert_eq!(
        provider.arrive(at(0), &Arrival { order: Some(FaultOrder::Silence), ..ASK }),
        Plan::Silence,
        "its own first"
    );
    provider.clear();
    serving(provider.arrive(at(0), &ASK));
}

#[test]
fn a_share_befalls_about_that_share_and_replays_by_seed() {
    let run = |seed| {
        let mut provider = Provider::new(Profile::default(), seed, Moment::ZERO);
        provider.order(Standing::share(FaultOrder::ServerError, 300_000));
        (0..2_000).map(|_| matches!(provider.arrive(at(0), &ASK), Plan::Reject(_))).collect::<Vec<_>>()
    };
    let failed = run(7).iter().filter(|failed| **failed).count();
    assert!((500..700).contains(&failed), "{failed} of 2000");
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn a_prompt_over_the_window_is_refused() {
    let mut provider = Provider::new(Profile { context_window: Some(99), ..Profile::default() }, 1, Moment::ZERO);
    let Plan::Reject(no) = provider.arrive(at(0), &ASK) else { panic!("served") };
    assert_eq!((no.status, no.kind), (400, RejectionKind::Context));
}
