//! The table "what an answer leads to" of ARCHITECTURE.md, row by row, alone and with a second deployment.

use std::sync::Arc;
use std::time::Duration;

use crate::world::{advised, all, ask, at, deployment, engine, fault, first_send, ms, path, run};
use weir_engine::{Ask, Engine, GiveUp, Outcome, RetrySettings, SendReason, Settings, Step, Strategy, WaitReason};
use weir_units::{FaultClass, Moment, Tokens};

const ALL: [FaultClass; 17] = [
    FaultClass::Connect,
    FaultClass::Reset,
    FaultClass::ServerError,
    FaultClass::Overloaded,
    FaultClass::RateLimited,
    FaultClass::Unauthorized,
    FaultClass::Billing,
    FaultClass::Forbidden,
    FaultClass::ForbiddenCredential,
    FaultClass::ModelNotFound,
    FaultClass::ContextLength,
    FaultClass::ContentFilter,
    FaultClass::Rejected,
    FaultClass::FirstByteTimeout,
    FaultClass::FirstContentTimeout,
    FaultClass::Stalled,
    FaultClass::Cut,
];

/// Each row: how often the only deployment is asked, and who is asked when the first of two fails and the second answers.
#[test]
fn each_row_of_the_table() {
    for (class, alone, with_second) in [
        (FaultClass::Connect, "aaa", "aab"),
        (FaultClass::Reset, "aaa", "aab"),
        (FaultClass::ServerError, "aaa", "aab"),
        (FaultClass::Overloaded, "aaa", "aab"),
        (FaultClass::RateLimited, "aaa", "aab"),
        (FaultClass::FirstByteTimeout, "a", "ab"),
        (FaultClass::FirstContentTimeout, "a", "ab"),
        (FaultClass::Unauthorized, "a", "ab"),
        (FaultClass::Billing, "a", "ab"),
        (FaultClass::Forbidden, "a", "ab"),
        (FaultClass::ForbiddenCredential, "a", "ab"),
        (FaultClass::ModelNotFound, "a", "ab"),
        (FaultClass::ContextLength, "a", "a"),
        (FaultClass::ContentFilter, "a", "a"),
        (FaultClass::Rejected, "a", "a"),
    ] {
        let gave_up = Some(Step::GiveUp(GiveUp::Fault { class, retry_after: None }));
        assert_eq!(
            all(&mut engine(), at(0), &["a"], fault(class)),
            (alone.to_owned(), gave_up.clone()),
            "{class} alone"
        );
        let (sent, last) = run(&mut engine(), at(0), ask(&["a", "b"]), |_, send| match send.candidate {
            0 => fault(class),
            _ => Outcome::Success,
        });
        assert_eq!(path(&sent), with_second, "{class} with a second");
        assert_eq!(last.is_none(), with_second.ends_with('b'), "{class}");
        if last.is_some() {
            assert_eq!(last, gave_up);
        }
        let whys: Vec<_> = sent.iter().map(|(_, send)| send.why).collect();
        let expected = [SendReason::First, SendReason::Retry, SendReason::Failover];
        let skip_retry = with_second == "ab";
        let expected: Vec<_> =
            expected.into_iter().filter(|why| !(skip_retry && *why == SendReason::Retry)).take(sent.len()).collect();
        assert_eq!(whys, expected, "{class}");
    }
}

#[test]
fn a_retry_after_within_patience_is_waited_out_in_place_and_a_longer_one_is_not() {
    for class in [FaultClass::RateLimited, FaultClass::Overloaded] {
        let short = |_: Moment, _: &weir_engine::Send| advised(class, ms(2_500));
        let (sent, _) = run(&mut engine(), at(0), ask(&["a"]), short);
        assert_eq!(path(&sent), "aaa");
        assert!(sent.windows(2).all(|pair| pair[1].0.since(pair[0].0) >= ms(2_500)), "{class}: {sent:?}");
        let long = advised(class, ms(3_001));
        let hasty = Ask { wait_until: Some(at(3_000)), ..ask(&["a"]) };
        let (sent, last) = run(&mut engine(), at(0), hasty, |_, _| long);
        assert_eq!(path(&sent), "a", "{class}");
        assert_eq!(last, Some(Step::GiveUp(GiveUp::Fault { class, retry_after: Some(ms(3_001)) })));
        let hasty = Ask { wait_until: Some(at(3_000)), ..ask(&["a", "b"]) };
        assert_eq!(path(&run(&mut engine(), at(0), hasty, |_, _| long).0), "ab", "{class}");
    }
}

#[test]
fn a_long_429_is_waited_for_once_nobody_else_is_left_and_there_is_time() {
    let long = advised(FaultClass::RateLimited, ms(9_000));
    let (sent, last) = run(&mut engine(), at(0), ask(&["a"]), |_, _| long);
    assert_eq!(path(&sent), "aaa");
    assert!(sent.windows(2).all(|pair| pair[1].0.since(pair[0].0) >= ms(9_000)), "{sent:?}");
    assert!(matches!(last, Some(Step::GiveUp(GiveUp::Fault { class: FaultClass::RateLimited, .. }))));
    let (sent, last) = run(&mut engine(), at(0), ask(&["a", "b"]), |now, send| match send.candidate {
        0 if now == at(0) => long,
        0 => Outcome::Success,
        _ => fault(FaultClass::FirstByteTimeout),
    });
    assert_eq!((path(&sent).as_str(), last), ("aba", None));
}

/// The wait before each repeat of one deployment, over many seeds: its least and its most.
fn waits(class: FaultClass, repeat: usize) -> (Duration, Duration) {
    let seen = (0..400).map(|seed| {
        let mut engine = Engine::new(Settings::default(), seed);
        let (sent, _) = run(&mut engine, at(0), ask(&["a"]), |_, _| fault(class));
        sent[repeat].0.since(sent[repeat - 1].0)
    });
    let seen: Vec<_> = seen.collect();
    (*seen.iter().min().unwrap(), *seen.iter().max().unwrap())
}

#[test]
fn backoff_is_full_jitter_over_the_base_of_the_row() {
    for (class, repeat, least, most) in [
        (FaultClass::ServerError, 1, 0, 250),
        (FaultClass::ServerError, 2, 0, 500),
        (FaultClass::Overloaded, 1, 0, 1_000),
        (FaultClass::Overloaded, 2, 0, 2_000),
        (FaultClass::RateLimited, 1, 50, 1_000),
        (FaultClass::RateLimited, 2, 50, 2_000),
    ] {
        let (shortest, longest) = waits(class, repeat);
        assert!(shortest >= ms(least) && shortest <= ms(least + most / 20), "{class} {repeat}: {shortest:?}");
        assert!(longest <= ms(most) && longest >= ms(most - most / 20), "{class} {repeat}: {longest:?}");
    }
}

#[test]
fn the_cap_holds_before_the_jitter() {
    let retry = RetrySettings { attempts: 5, base: ms(1_000), cap: ms(1_500), ..RetrySettings::default() };
    let mut engine = Engine::new(Settings { retry, ..Settings::default() }, 1);
    let (sent, _) = run(&mut engine, at(0), ask(&["a"]), |_, _| fault(FaultClass::ServerError));
    assert!(sent.windows(2).all(|pair| pair[1].0.since(pair[0].0) <= ms(1_500)));
    assert!(sent.len() >= 4);
}

#[test]
fn the_last_one_left_gets_its_attempts_and_five_are_the_most() {
    let failing = fault(FaultClass::ServerError);
    assert_eq!(all(&mut engine(), at(0), &["a", "b"], failing).0, "aabbb");
    assert_eq!(all(&mut engine(), at(0), &["a", "b", "c"], failing).0, "aabbc");
    assert_eq!(
        all(&mut engine(), at(0), &["a", "b", "c", "d", "e", "f"], fault(FaultClass::FirstByteTimeout)).0,
        "abcde"
    );
}

#[test]
fn context_length_goes_on_only_to_a_window_known_to_be_larger() {
    let path_of = |windows: &[Option<u64>]| {
        let mut ask = ask(&["a", "b", "c"][..windows.len()]);
        for (candidate, window) in ask.candidates.iter_mut().zip(windows) {
            candidate.window = window.map(Tokens);
        }
        path(&run(&mut engine(), at(0), ask, |_, _| fault(FaultClass::ContextLength)).0)
    };
    assert_eq!(path_of(&[Some(1_000), Some(1_000), Some(2_000)]), "ac");
    assert_eq!(path_of(&[Some(1_000), None, Some(999)]), "a");
    assert_eq!(path_of(&[Some(1_000), Some(4_000), Some(2_000)]), "ab", "the largest that failed decides");
    assert_eq!(path_of(&[None, Some(500), Some(4_000)]), "ac", "an unknown one is smaller than the input");
}

#[test]
fn the_last_fault_decides_what_the_client_is_told_unless_it_is_ours() {
    let told = |first: FaultClass, second: FaultClass| {
        let hasty = Ask { wait_until: Some(at(5_000)), ..ask(&["a", "b"]) };
        let (_, last) = run(&mut engine(), at(0), hasty, |_, send| {
            if send.candidate == 0 { advised(first, ms(9_000)) } else { fault(second) }
        });
        match last {
            Some(Step::GiveUp(GiveUp::Fault { class, .. })) => class,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(told(FaultClass::RateLimited, FaultClass::ServerError), FaultClass::ServerError);
    assert_eq!(told(FaultClass::Unauthorized, FaultClass::Overloaded), FaultClass::Overloaded);
    assert_eq!(told(FaultClass::RateLimited, FaultClass::Unauthorized), FaultClass::RateLimited);
    assert_eq!(told(FaultClass::ServerError, FaultClass::ModelNotFound), FaultClass::ServerError);
}

#[test]
fn a_stateful_call_goes_on_only_where_it_was_not_started() {
    for class in ALL {
        let (sent, _) = run(&mut engine(), at(0), Ask { repeatable: false, ..ask(&["a", "b"]) }, |_, send| {
            assert!(!send.another_eligible, "no first-content timeout: nothing could follow it");
            fault(class)
        });
        let goes_on = matches!(
            class,
            FaultClass::Connect
                | FaultClass::Overloaded
                | FaultClass::RateLimited
                | FaultClass::Unauthorized
                | FaultClass::Billing
                | FaultClass::Forbidden
                | FaultClass::ForbiddenCredential
                | FaultClass::ModelNotFound
        );
        assert_eq!(sent.len() > 1, goes_on, "{class}: {}", path(&sent));
    }
}

#[test]
fn a_pinned_call_stays_where_it_is() {
    let pinned = Ask { pinned: true, ..ask(&["a", "b"]) };
    let (sent, _) = run(&mut engine(), at(0), pinned, |_, _| fault(FaultClass::ServerError));
    assert_eq!(path(&sent), "aaa");
}

#[test]
fn the_wait_says_what_it_is_for() {
    for (outcome, why) in [
        (fault(FaultClass::Reset), WaitReason::Backoff),
        (fault(FaultClass::RateLimited), WaitReason::Backoff),
        (advised(FaultClass::RateLimited, ms(500)), WaitReason::RetryAfter),
    ] {
        let mut engine = engine();
        let mut call = engine.begin(at(0), ask(&["a"]));
        first_send(&mut engine, at(0), &mut call);
        engine.report(at(0), &mut call, outcome);
        let first = engine.next(at(0), &mut call);
        let Step::Wait { why: said, until, .. } = first else { panic!("{first:?}") };
        assert_eq!(said, why);
        if until > at(0) {
            assert_eq!(engine.next(at(0), &mut call), first, "asking early changes nothing");
        }
        assert!(matches!(engine.next(until, &mut call), Step::Send(send) if send.why == SendReason::Retry));
    }
}

#[test]
fn a_cut_is_spliced_once_by_a_deployment_that_was_not_asked() {
    let mut engine = engine();
    let cut = Outcome::Fault { class: FaultClass::Cut, retry_after: None, limit: None, after_content: true };
    let mut call = engine.begin(at(0), ask(&["a", "b", "c"]));
    first_send(&mut engine, at(0), &mut call);
    assert_eq!(engine.splice(at(0), &mut call), None, "nothing was cut");
    first_send(&mut engine, at(0), &mut call);
    engine.content(at(1), &mut call, ms(1));
    engine.report(at(2), &mut call, cut);
    let splice = engine.splice(at(2), &mut call).unwrap();
    assert_eq!((splice.candidate, splice.why, splice.attempt), (1, SendReason::Splice, 3));
    engine.report(at(3), &mut call, fault(FaultClass::ServerError));
    assert_eq!(engine.splice(at(3), &mut call), None);
    let told = Step::GiveUp(GiveUp::Fault { class: FaultClass::Cut, retry_after: None });
    assert_eq!(engine.next(at(3), &mut call), told, "the real fault, not the splice's");
    engine.end(at(3), call);
    let mut alone = engine.begin(at(4), ask(&["a"]));
    first_send(&mut engine, at(4), &mut alone);
    engine.report(at(5), &mut alone, cut);
    assert_eq!(engine.splice(at(5), &mut alone), None);
}

#[test]
fn a_benched_credential_goes_last_and_still_answers_when_nothing_else_does() {
    let mut engine = engine();
    assert_eq!(all(&mut engine, at(0), &["a"], fault(FaultClass::Unauthorized)).0, "a");
    let (sent, last) = run(&mut engine, at(10), ask(&["a"]), |_, _| Outcome::Success);
    assert_eq!((path(&sent).as_str(), last), ("a", None), "a fault of one request costs the next one nothing");
    all(&mut engine, at(20), &["a"], fault(FaultClass::Unauthorized));
    let ok = |engine: &mut Engine, now| path(&run(engine, now, ask(&["a", "b"]), |_, _| Outcome::Success).0);
    assert_eq!(ok(&mut engine, at(30)), "b");
    assert_eq!(ok(&mut engine, at(60_019)), "b");
    assert_eq!(ok(&mut engine, at(60_020)), "a", "one call tries it when the bench is over");
    let benched: Vec<_> = engine.take_changes().iter().map(|change| format!("{change:?}")).collect();
    let names = ["CredentialBenched", "CredentialRestored", "CredentialBenched", "CredentialRestored"];
    assert_eq!(benched.len(), names.len(), "{benched:?}");
    assert!(benched.iter().zip(names).all(|(change, name)| change.starts_with(name)), "{benched:?}");
}

#[test]
fn a_benched_deployment_is_no_alternative_that_cuts_the_attempts_of_the_other() {
    let mut engine = engine();
    all(&mut engine, at(0), &["b"], fault(FaultClass::Unauthorized));
    let (sent, _) = run(&mut engine, at(1), ask(&["a", "b"]), |_, send| {
        assert!(!send.another_eligible || send.candidate == 1);
        fault(if send.candidate == 0 { FaultClass::ServerError } else { FaultClass::Unauthorized })
    });
    assert_eq!(path(&sent), "aaab");
}

#[test]
fn a_403_benches_the_model_after_three_in_a_row_from_two_tenants() {
    let refuse = |engine: &mut Engine, now, tenant: &str| {
        let ask = Ask { tenant: Arc::from(tenant), ..ask(&["a", "b"]) };
        path(
            &run(engine, now, ask, |_, send| match send.candidate {
                0 => fault(FaultClass::Forbidden),
                _ => Outcome::Success,
            })
            .0,
        )
    };
    let mut one = engine();
    for now in 0..10 {
        assert_eq!(refuse(&mut one, at(now), "x"), "ab", "one tenant alone may be at fault itself");
    }
    assert_eq!(refuse(&mut one, at(10), "y"), "ab");
    assert_eq!(refuse(&mut one, at(11), "x"), "b");
    let mut coded = engine();
    all(&mut coded, at(0), &["a"], fault(FaultClass::ForbiddenCredential));
    assert_eq!(refuse(&mut coded, at(1), "x"), "b");
}

#[test]
fn a_new_credential_leaves_the_bench_and_the_same_one_does_not() {
    let mut engine = engine();
    let declared = vec![deployment("a"), deployment("b")];
    let credentials = |a: u64| [(Arc::from("a"), a), (Arc::from("b"), 1)].into_iter().collect();
    engine.configure(Settings::default(), declared.clone(), credentials(1));
    all(&mut engine, at(0), &["a"], fault(FaultClass::Billing));
    let first = |engine: &mut Engine| path(&run(engine, at(5), ask(&["a", "b"]), |_, _| Outcome::Success).0);
    engine.configure(Settings::default(), declared.clone(), credentials(1));
    assert_eq!(first(&mut engine), "b");
    assert!(engine.view(at(5))[0].benched.is_some());
    engine.configure(Settings::default(), declared, credentials(2));
    assert_eq!(first(&mut engine), "a");
}

#[test]
fn a_deadline_ends_waits_and_attempts_before_it_is_over() {
    let with = |engine: &mut Engine, now, deadline| {
        run(engine, now, Ask { deadline: Some(deadline), ..ask(&["a"]) }, |_, _| {
            advised(FaultClass::RateLimited, ms(2_000))
        })
    };
    let gave_up = GiveUp::Fault { class: FaultClass::RateLimited, retry_after: Some(ms(2_000)) };
    let (sent, last) = with(&mut engine(), at(0), at(1_500));
    assert_eq!((path(&sent).as_str(), last), ("a", Some(Step::GiveUp(gave_up))));
    let (sent, last) = with(&mut engine(), at(0), at(0));
    assert_eq!((sent.len(), last), (0, Some(Step::GiveUp(GiveUp::Deadline))));
    let mut slow = engine();
    for now in 0..20 {
        let mut call = slow.begin(at(now), ask(&["a"]));
        first_send(&mut slow, at(now), &mut call);
        slow.content(at(now), &mut call, ms(4_000));
        slow.report(at(now), &mut call, Outcome::Success);
        slow.end(at(now), call);
    }
    let (sent, last) = with(&mut slow, at(100), at(3_000));
    assert_eq!((sent.len(), last), (0, Some(Step::GiveUp(GiveUp::Deadline))), "its median is four seconds");
}

#[test]
fn balance_also_climbs_down_the_ladder() {
    let balance = Ask { strategy: Strategy::Balance, ..ask(&["a", "b", "c"]) };
    let (sent, last) = run(&mut engine(), at(0), balance, |_, _| fault(FaultClass::FirstByteTimeout));
    let mut asked: Vec<_> = path(&sent).chars().collect();
    asked.sort_unstable();
    assert_eq!(asked, ['a', 'b', 'c']);
    assert!(last.is_some());
}
