//! Stories of breakers: how they open, what they let through, how traffic returns.

use std::sync::Arc;

use weir_engine::{Ask, BreakerState, Call, Change, Engine, GiveUp, Outcome, Scope, Send, Settings, Step};
use weir_units::{DeploymentId, FaultClass, Moment};

use crate::world::{ask, at, candidate, engine, fault, first_send, ms, path, run};

fn once(engine: &mut Engine, now: Moment, names: &[&str], outcome: Outcome) -> Option<Send> {
    let mut call = engine.begin(now, ask(names));
    let Step::Send(send) = engine.next(now, &mut call) else { return None };
    if outcome == Outcome::Success {
        engine.content(now, &mut call, ms(100));
    }
    engine.report(now, &mut call, outcome);
    engine.end(now, call);
    Some(send)
}

/// Opens the breaker of `a` at `now` by five faults in a row.
fn open(engine: &mut Engine, now: Moment) {
    for _ in 0..5 {
        assert!(once(engine, now, &["a"], fault(FaultClass::ServerError)).is_some());
    }
    assert_eq!(state(engine, now), BreakerState::Open);
}

fn state(engine: &Engine, now: Moment) -> BreakerState {
    engine.view(now)[0].breaker
}

fn opens_at(engine: &Engine, now: Moment) -> Moment {
    engine.view(now)[0].open_until.unwrap()
}

#[test]
fn five_in_a_row_open_a_quiet_one_and_all_open_is_told_truthfully() {
    let mut engine = engine();
    open(&mut engine, at(0));
    let until = opens_at(&engine, at(0));
    assert!(until >= at(12_000) && until <= at(18_000), "15 s give or take a fifth: {until:?}");
    let mut call = engine.begin(at(0), ask(&["a"]));
    let step = engine.next(at(0), &mut call);
    let Step::GiveUp(GiveUp::NoDeployment { retry_after }) = step else { panic!("{step:?}") };
    engine.end(at(0), call);
    assert!(once(&mut engine, at(0) + retry_after, &["a"], Outcome::Success).unwrap().probe);
    assert!(retry_after - until.since(at(0)) < ms(1_000));
}

#[test]
fn what_is_not_the_deployments_fault_never_opens_it() {
    for class in [
        FaultClass::RateLimited,
        FaultClass::Rejected,
        FaultClass::ContentFilter,
        FaultClass::ContextLength,
        FaultClass::Unauthorized,
        FaultClass::Forbidden,
        FaultClass::ModelNotFound,
    ] {
        let mut engine = engine();
        for now in 0..50 {
            once(&mut engine, at(now), &["a"], fault(class));
        }
        assert_eq!(state(&engine, at(50)), BreakerState::Closed, "{class}");
    }
    let mut engine = engine();
    for now in 0..50 {
        once(&mut engine, at(now), &["a"], Outcome::Abandoned);
    }
    assert_eq!(state(&engine, at(50)), BreakerState::Closed);
}

#[test]
fn a_busy_one_needs_a_row_of_three_seconds_and_a_share_opens_it_before() {
    let mut engine = engine();
    for i in 0..1_500 {
        once(&mut engine, at(i * 20), &["a"], Outcome::Success);
    }
    for i in 0..100 {
        once(&mut engine, at(30_000 + i * 5), &["a"], fault(FaultClass::ServerError));
    }
    assert_eq!(state(&engine, at(30_500)), BreakerState::Closed, "100 in a row are two seconds here");
    for i in 0..100 {
        once(&mut engine, at(30_500 + i * 5), &["a"], fault(FaultClass::ServerError));
    }
    assert_eq!(state(&engine, at(31_000)), BreakerState::Open);
    let mut half = Engine::new(Settings::default(), 2);
    for i in 0..20 {
        let outcome = if i % 2 == 0 { Outcome::Success } else { fault(FaultClass::ServerError) };
        once(&mut half, at(i * 20_000), &["a"], outcome);
    }
    assert_eq!(state(&half, at(400_000)), BreakerState::Open, "a quiet one is judged over five minutes");
}

#[test]
fn three_probes_one_at_a_time_then_a_ramp_then_closed() {
    let mut engine = engine();
    open(&mut engine, at(0));
    let mut now = opens_at(&engine, at(0));
    for _ in 0..3 {
        let mut probe = engine.begin(now, ask(&["a", "b"]));
        assert!(first_send(&mut engine, now, &mut probe).probe);
        let other = once(&mut engine, now, &["a", "b"], Outcome::Success).unwrap();
        assert_eq!((other.candidate, other.probe), (1, false), "one probe at a time");
        now = now + ms(100);
        engine.content(now, &mut probe, ms(100));
        engine.report(now, &mut probe, Outcome::Success);
        engine.end(now, probe);
    }
    let mut shares = Vec::new();
    for _ in 0..4 {
        let hits = (0..1_000).filter(|i| {
            let at = now + ms(i * 10);
            once(&mut engine, at, &["a", "b"], Outcome::Success).unwrap().candidate == 0
        });
        shares.push(hits.count());
        now = now + ms(10_000);
    }
    for (share, wanted) in shares.iter().zip([100, 250, 500, 1_000]) {
        assert!(share.abs_diff(wanted) <= 50, "{shares:?}");
    }
    assert_eq!(state(&engine, now), BreakerState::Closed);
    once(&mut engine, now, &["a"], Outcome::Success);
    let moves = engine.take_changes().into_iter().filter_map(|change| match change {
        Change::Breaker { to, .. } => Some(to),
        _ => None,
    });
    assert_eq!(moves.collect::<Vec<_>>(), [BreakerState::Open, BreakerState::HalfOpen, BreakerState::Closed]);
}

#[test]
fn alone_it_takes_all_traffic_once_the_probes_passed() {
    let mut engine = engine();
    open(&mut engine, at(0));
    let now = opens_at(&engine, at(0));
    for i in 0..100 {
        assert!(once(&mut engine, now + ms(i), &["a"], Outcome::Success).is_some());
    }
}

#[test]
fn a_failed_probe_is_answered_by_the_next_and_reopens() {
    let mut engine = engine();
    open(&mut engine, at(0));
    let now = opens_at(&engine, at(0));
    let (sent, last) = run(&mut engine, now, ask(&["a", "b"]), |_, send| match send.candidate {
        0 => fault(FaultClass::ServerError),
        _ => Outcome::Success,
    });
    assert_eq!((path(&sent).as_str(), last), ("ab", None), "and is not repeated");
    assert_eq!(state(&engine, now), BreakerState::Open);
}

#[test]
fn a_fault_during_the_ramp_reopens() {
    let mut engine = engine();
    open(&mut engine, at(0));
    let now = opens_at(&engine, at(0));
    for _ in 0..3 {
        once(&mut engine, now, &["a"], Outcome::Success);
    }
    assert_eq!(state(&engine, now), BreakerState::HalfOpen);
    once(&mut engine, now, &["a"], fault(FaultClass::ServerError));
    assert_eq!(state(&engine, now), BreakerState::Open);
}

#[test]
fn a_late_answer_does_not_close_a_newer_breaker() {
    let mut engine = engine();
    let mut late: Vec<Call> = (0..3).map(|_| engine.begin(at(0), ask(&["a"]))).collect();
    for call in &mut late {
        first_send(&mut engine, at(0), call);
    }
    open(&mut engine, at(1));
    let now = opens_at(&engine, at(1));
    let mut probe = engine.begin(now, ask(&["a"]));
    assert!(first_send(&mut engine, now, &mut probe).probe);
    for mut call in late {
        engine.content(now, &mut call, ms(100));
        engine.report(now, &mut call, Outcome::Success);
        engine.end(now, call);
    }
    assert!(once(&mut engine, now, &["a"], Outcome::Success).is_none(), "the probe is still out");
    engine.report(now, &mut probe, fault(FaultClass::ServerError));
    assert_eq!(state(&engine, now), BreakerState::Open);
}

#[test]
fn a_probe_that_never_reports_back_expires_and_one_whose_client_left_is_free_at_once() {
    let mut engine = engine();
    open(&mut engine, at(0));
    let now = opens_at(&engine, at(0));
    let mut lost = engine.begin(now, ask(&["a"]));
    assert!(first_send(&mut engine, now, &mut lost).probe);
    drop(lost);
    assert!(once(&mut engine, now + ms(29_000), &["a"], Outcome::Success).is_none());
    let later = now + ms(30_000);
    assert!(once(&mut engine, later, &["a"], Outcome::Abandoned).unwrap().probe);
    assert!(once(&mut engine, later, &["a"], fault(FaultClass::RateLimited)).unwrap().probe, "a 429 neither");
    let later = later + ms(1_000);
    let mut ended = engine.begin(later, ask(&["a"]));
    assert!(first_send(&mut engine, later, &mut ended).probe);
    engine.end(later, ended);
    assert!(once(&mut engine, later, &["a"], Outcome::Success).unwrap().probe);
}

#[test]
fn cooldowns_double_only_after_five_minutes_of_outage() {
    let mut engine = engine();
    open(&mut engine, at(0));
    let mut now = at(0);
    let mut last = ms(0);
    while now < at(1_500_000) {
        let until = opens_at(&engine, now);
        last = until.since(now);
        assert!(now >= at(300_000) || last <= ms(18_000), "{last:?} at {now:?}");
        now = until;
        once(&mut engine, now, &["a"], fault(FaultClass::ServerError));
    }
    assert!(last >= ms(96_000) && last <= ms(144_000), "{last:?}");
}

#[test]
fn a_longer_retry_after_wins_over_the_cooldown() {
    let mut engine = engine();
    let outcome = Outcome::Fault {
        class: FaultClass::Overloaded,
        retry_after: Some(ms(60_000)),
        limit: None,
        after_content: false,
    };
    for _ in 0..5 {
        once(&mut engine, at(0), &["a"], outcome);
    }
    assert_eq!(opens_at(&engine, at(0)), at(60_000));
}

#[test]
fn a_connect_fault_is_the_hosts_and_a_models_fault_is_its_own() {
    let at_host = |model: &str| {
        let mut candidate = candidate("h");
        candidate.deployment = DeploymentId::new("p", model);
        Ask { candidates: vec![candidate], ..ask(&[]) }
    };
    let passes = |engine: &mut Engine, model: &str| {
        let mut call = engine.begin(at(1), at_host(model));
        matches!(engine.next(at(1), &mut call), Step::Send(_))
    };
    for (class, other_passes) in [(FaultClass::Connect, false), (FaultClass::ServerError, true)] {
        let mut engine = engine();
        for _ in 0..5 {
            let mut call = engine.begin(at(0), at_host("x"));
            first_send(&mut engine, at(0), &mut call);
            engine.report(at(0), &mut call, fault(class));
            engine.end(at(0), call);
        }
        assert!(!passes(&mut engine, "x"), "{class}");
        assert_eq!(passes(&mut engine, "y"), other_passes, "{class}");
        let opened = engine.take_changes();
        let host = Scope::Host(Arc::from("h"));
        let expected = if other_passes { Scope::Deployment(DeploymentId::new("p", "x")) } else { host };
        assert!(matches!(&opened[..], [Change::Breaker { scope, to: BreakerState::Open, .. }] if *scope == expected));
    }
}

#[test]
fn answers_that_are_nearly_all_slow_open_it() {
    let mut engine = engine();
    for i in 0..20 {
        let mut call = engine.begin(at(i * 1_000), ask(&["a"]));
        if let Step::Send(_) = engine.next(at(i * 1_000), &mut call) {
            engine.content(at(i * 1_000), &mut call, ms(if i < 2 { 1_000 } else { 25_000 }));
            engine.report(at(i * 1_000), &mut call, Outcome::Success);
        }
        engine.end(at(i * 1_000), call);
    }
    assert_eq!(state(&engine, at(20_000)), BreakerState::Open);
}

#[test]
fn an_open_breaker_is_skipped_also_in_mid_call() {
    let mut engine = engine();
    let mut call = engine.begin(at(0), ask(&["a", "b"]));
    first_send(&mut engine, at(0), &mut call);
    engine.report(at(0), &mut call, fault(FaultClass::ServerError));
    let Step::Wait { until, .. } = engine.next(at(0), &mut call) else { panic!("no wait") };
    for _ in 0..4 {
        once(&mut engine, at(0), &["a"], fault(FaultClass::ServerError));
    }
    assert_eq!(state(&engine, at(0)), BreakerState::Open);
    assert_eq!(first_send(&mut engine, until, &mut call).candidate, 1);
}

#[test]
fn a_reload_keeps_what_is_known() {
    let mut engine = engine();
    let declared = vec![crate::world::deployment("a")];
    open(&mut engine, at(0));
    engine.configure(Settings::default(), declared, [(Arc::from("a"), 1)].into_iter().collect());
    assert_eq!(state(&engine, at(0)), BreakerState::Open);
}
