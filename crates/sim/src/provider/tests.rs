//! The provider model's rules, one story each.

use proptest::prelude::*;

use super::*;
use crate::profile::{Event, Latency, LimitRules};
use crate::window::Window;

const ASK: Arrival = Arrival {
    input: Tokens(100),
    cached: Tokens(0),
    max_output: None,
    output: Tokens(20),
    charge: Charge::Reserve,
    order: None,
};

fn at(millis: u64) -> Moment {
    Moment::ZERO + Duration::from_millis(millis)
}

fn profile(requests: Option<u64>, tokens: Option<u64>) -> Profile {
    let mut limits = Limits::NONE;
    limits.set(Dimension::RequestsPerMinute, requests);
    limits.set(Dimension::TokensPerMinute, tokens);
    Profile { limits, ..Profile::default() }
}

fn left(provider: &mut Provider, now: Moment, dimension: Dimension) -> u64 {
    provider.told(now, dimension).unwrap().remaining
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
    assert_eq!((no.status, no.kind), (429, RejectionKind::Limit(Dimension::RequestsPerMinute)));
    let wait = no.retry_after.unwrap();
    assert_eq!(wait, Duration::from_secs(30));
    serving(provider.arrive(at(0) + wait, &ASK));
}

#[test]
fn each_dialect_is_charged_by_its_own_rule() {
    for (charge, left_at_start, left_at_end) in [
        (Charge::Reserve, 500, 500),
        (Charge::ReserveSum, 400, 400),
        (Charge::Settle { burndown: 5 }, 400, 800),
        (Charge::Metered, 900, 880),
        (Charge::Input, 900, 900),
    ] {
        let mut provider = Provider::new(profile(None, Some(1_000)), 1, Moment::ZERO);
        let mut plan = serving(provider.arrive(at(0), &Arrival { charge, max_output: Some(Tokens(500)), ..ASK }));
        assert_eq!(left(&mut provider, at(0), Dimension::TokensPerMinute), left_at_start, "{charge:?}");
        provider.meter(at(0), &mut plan.hold, Tokens(5));
        provider.settle(at(0), &mut plan.hold, Tokens(20));
        provider.settle(at(0), &mut plan.hold, Tokens(20));
        assert_eq!(left(&mut provider, at(0), Dimension::TokensPerMinute), left_at_end, "{charge:?}");
    }
}

#[test]
fn a_request_over_the_whole_limit_is_refused_without_a_wait() {
    let mut provider = Provider::new(profile(None, Some(50)), 1, Moment::ZERO);
    let Plan::Reject(no) = provider.arrive(at(0), &ASK) else { panic!("admitted") };
    assert_eq!((no.kind, no.retry_after), (RejectionKind::Limit(Dimension::TokensPerMinute), None));
}

#[test]
fn a_refused_request_takes_nothing_from_any_bucket() {
    let mut provider = Provider::new(profile(Some(10), Some(50)), 1, Moment::ZERO);
    assert!(matches!(provider.arrive(at(0), &ASK), Plan::Reject(_)));
    assert_eq!(left(&mut provider, at(0), Dimension::RequestsPerMinute), 10);
    assert_eq!(left(&mut provider, at(0), Dimension::TokensPerMinute), 50);
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

#[test]
fn concurrent_requests_are_let_go_when_they_end() {
    let limits = Limits::NONE.with(Dimension::ConcurrentRequests, 1);
    let mut provider = Provider::new(Profile { limits, ..Profile::default() }, 1, Moment::ZERO);
    let mut plan = serving(provider.arrive(at(0), &ASK));
    let Plan::Reject(no) = provider.arrive(at(0), &ASK) else { panic!("admitted a second") };
    assert_eq!((no.kind, no.retry_after), (RejectionKind::Limit(Dimension::ConcurrentRequests), None));
    provider.settle(at(9), &mut plan.hold, Tokens(20));
    serving(provider.arrive(at(9), &ASK));
}

#[test]
fn metered_output_is_charged_as_it_comes_and_a_debt_refuses() {
    let limits = Limits::NONE.with(Dimension::OutputTokensPerMinute, 60);
    let mut provider = Provider::new(Profile { limits, ..Profile::default() }, 1, Moment::ZERO);
    let ask = Arrival { charge: Charge::Metered, max_output: Some(Tokens(9_999)), output: Tokens(80), ..ASK };
    let mut plan = serving(provider.arrive(at(0), &ask));
    assert_eq!(left(&mut provider, at(0), Dimension::OutputTokensPerMinute), 60, "max_tokens does not matter");
    provider.meter(at(0), &mut plan.hold, Tokens(70));
    let Plan::Reject(no) = provider.arrive(at(0), &ask) else { panic!("admitted into a debt") };
    assert_eq!(no.retry_after, Some(Duration::from_secs(11)));
}

#[test]
fn cached_input_is_free_where_the_provider_says_so() {
    let limits = Limits::NONE.with(Dimension::InputTokensPerMinute, 1_000);
    for (charge, remaining) in [(Charge::Metered, 960), (Charge::Reserve, 900)] {
        let mut provider = Provider::new(Profile { limits, ..Profile::default() }, 1, Moment::ZERO);
        serving(provider.arrive(at(0), &Arrival { charge, cached: Tokens(60), ..ASK }));
        assert_eq!(left(&mut provider, at(0), Dimension::InputTokensPerMinute), remaining, "{charge:?}");
    }
}

#[test]
fn a_silent_cut_holds_and_the_headers_do_not_say_so() {
    let cut = |told| Event { from: at(1_000), until: at(9_000), kind: EventKind::Limits { share_ppm: 600_000, told } };
    for (told, stated) in [(false, 100), (true, 60)] {
        let events = vec![cut(told)];
        let mut provider = Provider::new(Profile { events, ..profile(Some(100), None) }, 1, Moment::ZERO);
        assert_eq!(provider.limits(at(1_000)).get(Dimension::RequestsPerMinute), Some(60));
        assert_eq!(provider.told(at(1_000), Dimension::RequestsPerMinute).unwrap().limit, stated);
        assert_eq!(left(&mut provider, at(1_000), Dimension::RequestsPerMinute), stated, "nothing of it is used");
        assert_eq!(provider.limits(at(9_000)).get(Dimension::RequestsPerMinute), Some(100), "it is over");
    }
}

#[test]
fn what_is_stated_may_differ_from_what_is_held_and_may_be_nothing() {
    let stated = Some(Limits::NONE.with(Dimension::RequestsPerMinute, 500));
    let rules = LimitRules { stated, ..LimitRules::default() };
    let mut provider = Provider::new(Profile { rules, ..profile(Some(2), Some(1_000)) }, 1, Moment::ZERO);
    serving(provider.arrive(at(0), &ASK));
    let told = provider.told(at(0), Dimension::RequestsPerMinute).unwrap();
    assert_eq!((told.limit, told.remaining), (500, 499));
    assert_eq!(provider.told(at(0), Dimension::TokensPerMinute), None, "not stated");
    let rules = LimitRules { headers: false, ..LimitRules::default() };
    let mut silent = Provider::new(Profile { rules, ..profile(Some(2), None) }, 1, Moment::ZERO);
    assert_eq!(silent.told(at(0), Dimension::RequestsPerMinute), None);
}

#[test]
fn a_hidden_slice_refuses_while_the_minute_has_room() {
    let rules = LimitRules { slice: Some(Duration::from_secs(1)), ..LimitRules::default() };
    let mut provider = Provider::new(Profile { rules, ..profile(Some(120), None) }, 1, Moment::ZERO);
    serving(provider.arrive(at(0), &ASK));
    serving(provider.arrive(at(0), &ASK));
    let Plan::Reject(no) = provider.arrive(at(0), &ASK) else { panic!("admitted a third in a second") };
    assert_eq!(no.retry_after, Some(Duration::from_secs(1)));
    assert_eq!(left(&mut provider, at(0), Dimension::RequestsPerMinute), 118);
}

#[test]
fn outages_and_slow_downs_keep_to_their_schedule() {
    let outage = Event {
        from: at(100),
        until: at(200),
        kind: EventKind::Fault { fault: FaultOrder::Unavailable, share_ppm: 1_000_000 },
    };
    let slow = Event { from: at(200), until: at(300), kind: EventKind::Latency { percent: 300 } };
    let latency = Latency { base: Duration::from_millis(10), ..Latency::default() };
    let profile = Profile { latency, tokens_per_second: 100, events: vec![outage, slow], ..Profile::default() };
    let mut provider = Provider::new(profile, 1, Moment::ZERO);
    serving(provider.arrive(at(99), &ASK));
    assert!(matches!(provider.arrive(at(100), &ASK), Plan::Reject(no) if no.status == 503));
    let plan = serving(provider.arrive(at(200), &ASK));
    assert_eq!((plan.first_token_at, plan.per_token), (at(230), Duration::from_millis(30)));
    assert_eq!(plan.ends_at(), at(230 + 19 * 30));
    assert_eq!(
        (plan.produced(at(229)), plan.produced(at(230)), plan.produced(at(5_000))),
        (Tokens(0), Tokens(1), Tokens(20))
    );
    assert_eq!(serving(provider.arrive(at(300), &ASK)).first_token_at, at(310));
}

proptest! {
    /// Whatever the window and the charge, what is let in was there: a minute's worth at once, and what time brings.
    #[test]
    fn no_provider_lets_in_more_than_its_windows_hold(
        window in prop_oneof![
            (1_u64..=60).prop_map(|s| Window::Bucket { burst: Duration::from_secs(s) }),
            (1_u64..=60).prop_map(|s| Window::Fixed { span: Duration::from_secs(s) }),
            Just(Window::Sliding { span: Duration::from_secs(60) }),
        ],
        charge in prop_oneof![
            Just(Charge::Reserve), Just(Charge::ReserveSum), Just(Charge::Settle { burndown: 5 }), Just(Charge::Metered),
            Just(Charge::Input),
        ],
        slice in proptest::option::of(Just(Duration::from_secs(1))),
        arrivals in proptest::collection::vec((0_u64..3_000, 1_u64..400, 0_u64..400), 1..150),
    ) {
        let limits = Limits::NONE
            .with(Dimension::RequestsPerMinute, 60)
            .with(Dimension::TokensPerMinute, 5_000)
            .with(Dimension::ConcurrentRequests, 7);
        let rules = LimitRules { window, slice, ..LimitRules::default() };
        let mut provider = Provider::new(Profile { limits, rules, ..Profile::default() }, 1, Moment::ZERO);
        let (mut now, mut admitted, mut reserved) = (0, 0, 0);
        let mut open = Vec::new();
        for (gap, input, most) in arrivals {
            now += gap;
            let ask = Arrival { input: Tokens(input), max_output: Some(Tokens(most)), charge, ..ASK };
            if let Plan::Serve(plan) = provider.arrive(at(now), &ask) {
                admitted += 1;
                let sizes = Sizes { input: Tokens(input), cached: Tokens(0), most: Tokens(most) };
                reserved += charge.at_arrival(Dimension::TokensPerMinute, sizes);
                open.push(plan);
            }
            prop_assert!(open.len() <= 7);
            if open.len() > 5 {
                let mut done = open.remove(0);
                // All that was reserved is used, or more: nothing comes back that could be used again.
                provider.settle(at(now), &mut done.hold, Tokens(10_000));
            }
        }
        // Two counts let in a minute's worth on either side of a boundary, and a slice's last request what it borrows.
        let minutes = |limit: u64| limit + limit * (now + 60_000) / 60_000;
        prop_assert!(admitted <= minutes(60) + 1, "{} requests in {} ms", admitted, now);
        prop_assert!(reserved <= minutes(5_000) + 800, "{} tokens in {} ms", reserved, now);
    }
}
