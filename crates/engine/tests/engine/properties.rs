//! What holds whatever happens.

use proptest::prelude::{Just, Strategy as _, any, prop_oneof};
use proptest::{collection::vec, prop_assert, proptest};

use weir_engine::{Ask, BreakerState, Engine, MOST_ATTEMPTS, Outcome, Settings, Step, Strategy};
use weir_units::{FaultClass, Tokens};

use crate::world::{ask, at, fault, ms};

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn outcome() -> impl proptest::strategy::Strategy<Value = Outcome> {
    let class = prop_oneof![
        Just(FaultClass::Connect),
        Just(FaultClass::Reset),
        Just(FaultClass::ServerError),
        Just(FaultClass::Overloaded),
        Just(FaultClass::RateLimited),
        Just(FaultClass::Unauthorized),
        Just(FaultClass::Forbidden),
        Just(FaultClass::ModelNotFound),
        Just(FaultClass::ContextLength),
        Just(FaultClass::Rejected),
        Just(FaultClass::FirstByteTimeout),
        Just(FaultClass::Cut),
    ];
    let fault = (class, proptest::option::of(0_u64..9_000), any::<bool>()).prop_map(|(class, wait, after_content)| {
        Outcome::Fault { class, retry_after: wait.map(ms), limit: None, after_content }
    });
    prop_oneof![2 => Just(Outcome::Success), 1 => Just(Outcome::Abandoned), 7 => fault]
}

proptest! {
    /// However attempts end, a call has at most five of them, none after its deadline or on a breaker that is open, no
    /// wait beyond the deadline, and it comes to an end.
    #[test]
    fn every_call_is_bounded(
        outcomes in vec((outcome(), 0_u64..20_000, any::<bool>()), 1..200),
        seed in any::<u64>(),
        count in 1_usize..5,
        balance in any::<bool>(),
        repeatable in any::<bool>(),
        patience in 0_u64..60_000,
    ) {
        let mut engine = Engine::new(Settings::default(), seed);
        let mut now = at(0);
        let mut outcomes = outcomes.into_iter();
        while let Some((_, pause, _)) = outcomes.next() {
            now = now + ms(pause);
            let deadline = now + ms(patience);
            let strategy = if balance { Strategy::Balance } else { Strategy::Failover };
            let mut ask = Ask { deadline: Some(deadline), strategy, repeatable, ..ask(&NAMES[..count]) };
            for (i, candidate) in ask.candidates.iter_mut().enumerate() {
                candidate.window = (i > 0).then_some(Tokens(1_000 * i as u64));
            }
            let mut call = engine.begin(now, ask);
            let (mut sends, mut steps) = (0, 0);
            loop {
                steps += 1;
                prop_assert!(steps <= 3 * MOST_ATTEMPTS + 3, "it ends");
                match engine.next(now, &mut call) {
                    Step::Send(send) => {
                        sends += 1;
                        prop_assert!(sends <= MOST_ATTEMPTS && send.attempt == sends && now < deadline);
                        let name = call.ask().candidates[send.candidate].deployment.clone();
                        let view = engine.view(now).into_iter().find(|view| view.deployment == name).unwrap();
                        prop_assert!(view.breaker != BreakerState::Open && view.in_flight == 1);
                        let Some((outcome, took, content)) = outcomes.next() else { break };
                        now = now + ms(took);
                        if content {
                            engine.content(now, &mut call, ms(took));
                            engine.content(now, &mut call, ms(took));
                        }
                        engine.report(now, &mut call, outcome);
                        if !matches!(outcome, Outcome::Fault { .. }) {
                            break;
                        }
                        if let Some(splice) = engine.splice(now, &mut call) {
                            sends += 1;
                            prop_assert!(repeatable && sends <= MOST_ATTEMPTS && splice.attempt == sends);
                        }
                    }
                    Step::Wait { until, .. } => {
                        prop_assert!(until < deadline);
                        now = until;
                    }
                    Step::Queue(queued) => {
                        prop_assert!(queued.until <= deadline);
                        now = engine.next_deadline().unwrap_or(queued.until).min(queued.until);
                        engine.pump(now);
                    }
                    Step::GiveUp(_) => break,
                }
            }
            engine.end(now, call);
            prop_assert!(engine.view(now).iter().all(|view| view.in_flight == 0));
        }
    }

    /// Whatever was done to it, an engine left alone long enough asks the deployment again, and successes close its
    /// breaker: calls that were dropped without an end wedge nothing.
    #[test]
    fn nothing_is_wedged_for_ever(outcomes in vec((outcome(), any::<bool>()), 1..100), seed in any::<u64>()) {
        let mut engine = Engine::new(Settings::default(), seed);
        let mut now = at(0);
        for (outcome, dropped) in outcomes {
            let mut call = engine.begin(now, ask(&["a"]));
            if let Step::Send(_) = engine.next(now, &mut call)
                && !dropped
            {
                engine.report(now, &mut call, outcome);
            }
            now = now + ms(500);
        }
        now = now + ms(3_600_000);
        for _ in 0..10 {
            let mut call = engine.begin(now, ask(&["a"]));
            prop_assert!(matches!(engine.next(now, &mut call), Step::Send(_)), "wedged");
            engine.content(now, &mut call, ms(100));
            engine.report(now, &mut call, Outcome::Success);
            engine.end(now, call);
            now = now + ms(15_000);
        }
        prop_assert!(engine.view(now)[0].breaker == BreakerState::Closed);
    }

    /// The same seed and the same questions give the same answers.
    #[test]
    fn a_seed_repeats_itself(seed in any::<u64>()) {
        let story = || {
            let mut engine = Engine::new(Settings::default(), seed);
            let mut steps = Vec::new();
            for i in 0..20 {
                let mut call = engine.begin(at(i), Ask { strategy: Strategy::Balance, ..ask(&NAMES) });
                for _ in 0..6 {
                    steps.push(engine.next(at(i), &mut call));
                    engine.report(at(i), &mut call, fault(FaultClass::Reset));
                }
                engine.end(at(i), call);
            }
            steps
        };
        prop_assert!(story() == story());
    }

    /// Names that only a client knows do not fill the memory.
    #[test]
    fn unknown_models_share_a_bounded_memory(seed in any::<u64>()) {
        let mut engine = Engine::new(Settings::default(), seed);
        for i in 0..3_000_u64 {
            let name = format!("m{i}");
            let mut call = engine.begin(at(i), ask(&[&name]));
            engine.next(at(i), &mut call);
            engine.report(at(i), &mut call, fault(FaultClass::ModelNotFound));
            engine.end(at(i), call);
        }
        prop_assert!(engine.view(at(3_000)).len() == 1_024);
    }
}
