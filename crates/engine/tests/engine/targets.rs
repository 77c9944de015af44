//! The targets of docs/policy.md, each as a small run with a fixed seed.

use std::time::Duration;

use weir_engine::{Ask, BreakerSettings, Change, Engine, Outcome, Settings, Strategy};
use weir_units::FaultClass;

use crate::town::{Dice, live};
use crate::world::{ask, at, engine, fault, ms};

const MINUTE: Duration = Duration::from_secs(60);

fn no_breaker() -> Settings {
    let breaker =
        BreakerSettings { consecutive_failures: u32::MAX, failure_rate_ppm: 2_000_000, ..BreakerSettings::default() };
    Settings { breaker, ..Settings::default() }
}

/// The breaker off: in any 60 s window at most 1.15 attempts per first attempt.
#[test]
fn a_dead_deployment_sees_hardly_more_than_the_first_attempts() {
    let mut engine = Engine::new(no_breaker(), 1);
    let story = live(&mut engine, &ask(&["a"]), ms(10), MINUTE * 3, |_, _| (ms(50), fault(FaultClass::ServerError)));
    for second in 0..120 {
        let (from, to) = (at(second * 1_000), at(second * 1_000 + 60_000));
        let firsts = story.within(from, to).filter(|sent| sent.send.attempt == 1).count();
        let all = story.within(from, to).count();
        assert!(all * 100 <= firsts * 115, "{all} of {firsts} from second {second}");
        assert!(all > firsts, "and repeats do happen");
    }
}

/// The breaker on: after ten seconds no more than the requests that came.
#[test]
fn a_dead_deployment_behind_its_breaker_sees_less_than_arrives() {
    let story = live(&mut engine(), &ask(&["a"]), ms(10), MINUTE, |_, _| (ms(50), fault(FaultClass::ServerError)));
    let after = story.within(at(10_000), at(60_000)).count();
    assert!(after < 50, "{after}: only probes");
}

/// All upstreams failing, the breakers off: at most 1.5 in sum.
#[test]
fn when_all_fail_the_sum_is_bounded_too() {
    let mut engine = Engine::new(no_breaker(), 1);
    let names = ask(&["a", "b", "c"]);
    let story = live(&mut engine, &names, ms(10), MINUTE * 2, |_, _| (ms(50), fault(FaultClass::ServerError)));
    let all = story.within(at(0), at(120_000)).count();
    let arrived = story.ended.len();
    assert!(all * 10 <= arrived * 15, "{all} of {arrived}");
}

/// An hour at 50 requests a second.
#[test]
fn one_percent_of_transient_faults_is_not_seen() {
    let mut dice = Dice(5);
    let story = live(&mut engine(), &ask(&["a"]), ms(20), MINUTE * 60, |_, _| {
        (ms(100), if dice.ppm() < 10_000 { fault(FaultClass::Reset) } else { Outcome::Success })
    });
    let requests = story.ended.len();
    assert!(story.failures() * 10_000 <= requests * 2, "{} of {requests}", story.failures());
    let mut took: Vec<_> = story.ended.iter().map(|ended| ended.took).collect();
    took.sort_unstable();
    assert!(took[requests * 99 / 100] <= ms(100) + ms(300), "{:?}", took[requests * 99 / 100]);
}

/// Whatever the deadline, and whatever fails on the way.
#[test]
fn no_attempt_starts_after_its_deadline() {
    let mut engine = engine();
    for seed in 0..50 {
        let mut dice = Dice(seed);
        let deadline = at(seed * 10_000) + ms(dice.ppm() / 200);
        let mut now = at(seed * 10_000);
        let mut call = engine.begin(now, Ask { deadline: Some(deadline), ..ask(&["a", "b", "c"]) });
        loop {
            match engine.next(now, &mut call) {
                weir_engine::Step::Send(_) => {
                    assert!(now < deadline);
                    now = now + ms(dice.ppm() / 500);
                    engine.report(now, &mut call, fault(FaultClass::Overloaded));
                }
                weir_engine::Step::Wait { until, .. } => {
                    assert!(until < deadline);
                    now = until;
                }
                weir_engine::Step::Queue(queued) => {
                    now = engine.next_deadline().unwrap_or(queued.until).min(queued.until);
                    engine.pump(now);
                }
                weir_engine::Step::GiveUp(_) => break,
            }
        }
        engine.end(now, call);
    }
}

/// A hard outage at 5 requests a second, with a healthy alternative.
#[test]
fn a_hard_outage_opens_the_breaker_within_four_seconds() {
    for seed in 1..20 {
        let mut engine = Engine::new(Settings::default(), seed);
        let story = live(&mut engine, &ask(&["a", "b"]), ms(200), MINUTE * 2, |now, candidate| {
            let down = candidate == 0 && now >= at(60_000);
            (ms(150), if down { fault(FaultClass::ServerError) } else { Outcome::Success })
        });
        assert!(story.failures() <= 2, "{}", story.failures());
        assert!(story.sends(0, at(60_000), at(64_000)) > 5);
        assert_eq!(story.sends(0, at(64_000), at(70_000)), 0, "open within four seconds");
    }
}

/// One call in five fails for an hour at 50 requests a second.
#[test]
fn a_bad_hour_does_not_make_the_breaker_flap() {
    let mut dice = Dice(11);
    let mut engine = engine();
    live(&mut engine, &ask(&["a", "b"]), ms(20), MINUTE * 60, |_, candidate| {
        let bad = candidate == 0 && dice.ppm() < 200_000;
        (ms(100), if bad { fault(FaultClass::ServerError) } else { Outcome::Success })
    });
    let moves = engine.take_changes().iter().filter(|change| matches!(change, Change::Breaker { .. })).count();
    assert!(moves <= 2, "{moves}");
}

fn balanced() -> Ask {
    Ask { strategy: Strategy::Balance, ..ask(&["a", "b", "c", "d"]) }
}

/// One of four turns five times slower for a minute, then recovers; at a lively rate and at a quiet one.
#[test]
fn a_slow_one_loses_its_share_and_gets_it_back() {
    for gap in [10, 100] {
        let mut dice = Dice(3);
        let story = live(&mut engine(), &balanced(), ms(gap), MINUTE * 4, |now, candidate| {
            let slow = candidate == 0 && now >= at(60_000) && now < at(120_000);
            let usual = ms(250) + Duration::from_micros(dice.ppm() / 10);
            (if slow { usual * 5 } else { usual }, Outcome::Success)
        });
        let share = |from, to| {
            let (from, to) = (at(from), at(to));
            story.sends(0, from, to) as f64 / story.within(from, to).count() as f64
        };
        assert!((0.20..=0.30).contains(&share(20_000, 60_000)), "every {gap} ms, before: {}", share(20_000, 60_000));
        assert!(share(70_000, 120_000) < 0.05, "every {gap} ms, slow: {}", share(70_000, 120_000));
        assert!((0.19..=0.30).contains(&share(180_000, 240_000)), "every {gap} ms, after: {}", share(180_000, 240_000));
    }
}

/// One of four fails at once, always; what it gets of the traffic of the ten seconds in which its breaker opens.
#[test]
fn a_fast_failing_one_does_not_attract_traffic() {
    let story = live(&mut engine(), &balanced(), ms(5), Duration::from_secs(40), |now, candidate| {
        if candidate == 0 && now >= at(20_000) {
            (ms(5), fault(FaultClass::ServerError))
        } else {
            (ms(300), Outcome::Success)
        }
    });
    let (from, to) = (at(20_000), at(30_000));
    let (bad, all) = (story.sends(0, from, to), story.within(from, to).count());
    assert!(bad * 100 <= all * 3, "{bad} of {all}");
    assert_eq!(story.failures(), 0);
}
