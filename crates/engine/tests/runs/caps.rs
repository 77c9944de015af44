//! Stories of caps, of spending too fast, and of too many attempts.

use std::time::Duration;

use weir_engine::{Detector, Evidence, Loops, ReleaseCaps, ReleaseError, RunChange, Verdict};
use weir_units::{NanoUsd, Tokens};

use crate::world::{Chat, Desk, Dice, Went, With, cents, named, says};

/// Goes on with a conversation until it is halted, at most so often; how often it went, and why no more.
fn go_on(desk: &mut Desk, chat: &mut Chat, with: &With<'_>, most: usize) -> (usize, Option<Evidence>) {
    for n in 0..most {
        let went: Went = desk.turn(chat, with, &says(&format!("answer {}", chat.history.messages.len())));
        if went.halted.is_some() {
            return (n, went.halted);
        }
        chat.user(&format!("question {}", chat.history.messages.len()));
    }
    (most, None)
}

#[test]
fn no_cap_is_set_unless_somebody_sets_it() {
    let mut desk = Desk::new();
    desk.guards.velocity_floor = cents(100_000);
    desk.cost = Some(cents(900));
    assert_eq!(go_on(&mut desk, &mut Chat::with("helpful", "hello"), &With::default(), 400).0, 400);
}

#[test]
fn requests_are_capped_and_retries_are_not() {
    let mut desk = Desk::new();
    desk.guards.max_requests = Some(3);
    let mut chat = Chat::with("helpful", "hello");
    assert_eq!(go_on(&mut desk, &mut chat, &With::default(), 2).0, 2);
    let third = desk.admit(&chat, &With::default());
    desk.fail(third.ticket, 2);
    let (went, why) = go_on(&mut desk, &mut chat, &With { sdk_retry: 1, ..With::default() }, 5);
    assert_eq!((went, why.unwrap().in_words()), (1, "it has made 3 requests, and its cap is 3".to_owned()));
}

#[test]
fn caps_count_along_a_path_and_not_over_its_branches_unless_the_client_names_the_run() {
    let mut desk = Desk::new();
    desk.guards.max_requests = Some(4);
    for (with, goes) in [(With::default(), [true; 5]), (named("job"), [true, true, false, false, false])] {
        let mut chat = Chat::with("an agent", "do it");
        desk.turn(&mut chat, &with, &says("parts"));
        chat.user("go on");
        desk.turn(&mut chat, &with, &says("more parts"));
        let branch = |n: usize| {
            let mut branch = chat.clone();
            branch.user(&format!("part {n}"));
            branch
        };
        let went = [0, 1, 2, 3, 4].map(|n| desk.turn(&mut branch(n), &with, &says("done")).halted.is_none());
        assert_eq!(went, goes);
    }
}

#[test]
fn age_depth_and_growth_are_capped() {
    let mut desk = Desk::new();
    desk.guards.max_age = Some(Duration::from_secs(600));
    let mut chat = Chat::with("helpful", "hello");
    go_on(&mut desk, &mut chat, &With::default(), 2);
    desk.pass(598);
    assert_eq!(go_on(&mut desk, &mut chat, &With::default(), 1).1, None);
    desk.pass(10);
    let why = go_on(&mut desk, &mut chat, &With::default(), 1).1.unwrap();
    assert_eq!((why.detector, why.threshold), (Detector::MaxAge, 600));
    assert_eq!(why.in_words(), "it has lasted 10m11s, and its cap is 10m");

    let mut desk = Desk::new();
    desk.guards.max_depth = Some(2);
    let names = ["a", "b", "c", "d"];
    let depths = (0..4_usize).map(|n| {
        let parent = n.checked_sub(1).map(|parent| names[parent]);
        let with = With { run: Some(names[n]), parent, ..With::default() };
        desk.turn(&mut Chat::with("an agent", names[n]), &with, &says("over to you")).halted
    });
    let depths: Vec<_> = depths.map(|why| why.map(|why| why.in_words())).collect();
    assert_eq!(depths, [None, None, None, Some("it is 3 runs deep, and its cap is 2".to_owned())]);

    let mut desk = Desk::new();
    desk.guards.max_context_growth = Some(Tokens(500));
    let mut chat = Chat::with("helpful", "hello");
    go_on(&mut desk, &mut chat, &With::default(), 1);
    desk.input = Tokens(1_500);
    assert_eq!(go_on(&mut desk, &mut chat, &With::default(), 1).1, None);
    desk.input = Tokens(1_501);
    let why = go_on(&mut desk, &mut chat, &With::default(), 1).1.unwrap();
    assert_eq!(why.in_words(), "its input has grown by 501 tokens, and its cap is 500");
}

#[test]
fn a_cap_on_dollars_is_passed_by_one_request_at_most() {
    for seed in 0..40 {
        let mut dice = Dice(seed);
        let mut desk = Desk::new();
        let cap = 100 + dice.below(400) as i64;
        let dearest = 1 + dice.below(40) as i64;
        desk.guards.max_cost = Some(cents(cap));
        let (mut under_way, mut spent, mut admitted) = (Vec::new(), 0, 0);
        for n in 0..3_000 {
            let chat = Chat::with("a worker", &format!("part {n}"));
            if dice.below(3) > 0 {
                let mut admission = desk.admit(&chat, &named("job"));
                if let Verdict::Wait { .. } = admission.verdict {
                    admission.verdict = desk.runs.resume(desk.now, &mut admission.ticket);
                }
                match admission.verdict {
                    Verdict::Go => {
                        under_way.push((admission.ticket, chat));
                        admitted += 1;
                    }
                    Verdict::Wait { .. } | Verdict::Halt(_) => desk.refuse(admission.ticket),
                    Verdict::Warn(evidence) => panic!("{evidence:?}"),
                }
            } else if !under_way.is_empty() {
                let (ticket, chat) = under_way.swap_remove(dice.below(under_way.len() as u64) as usize);
                spent += dearest;
                desk.cost = Some(cents(dearest));
                desk.answer(ticket, &chat.addition(&says("done")));
            }
        }
        for (ticket, chat) in under_way {
            spent += dearest;
            desk.answer(ticket, &chat.addition(&says("done")));
        }
        assert!(spent <= cap + dearest && spent >= cap, "seed {seed}: {spent} of {cap}, {admitted} admitted");
        assert_eq!(desk.runs.find(desk.now, "acme", "job").unwrap().cost, cents(spent));
    }
}

#[test]
fn with_a_cap_on_dollars_what_is_under_way_counts_at_the_price_of_the_dearest() {
    let mut desk = Desk::new();
    desk.guards.max_cost = Some(cents(10));
    desk.cost = Some(cents(3));
    let part = |n: u32| Chat::with("a worker", &format!("part {n}"));
    let first = desk.admit(&part(0), &named("job"));
    let mut second = desk.admit(&part(1), &named("job"));
    assert!(matches!(second.verdict, Verdict::Wait { until: None, .. }), "nobody knows yet what one costs");
    desk.answer(first.ticket, &part(0).addition(&says("done")));
    assert_eq!(desk.runs.take_woken(), [second.ticket.id()]);
    assert_eq!(desk.runs.resume(desk.now, &mut second.ticket), Verdict::Go);
    let third = desk.admit(&part(2), &named("job"));
    let fourth = desk.admit(&part(3), &named("job"));
    assert_eq!(
        (&third.verdict, &fourth.verdict),
        (&Verdict::Go, &Verdict::Go),
        "3 spent and twice 3 under way are less than 10"
    );
    let fifth = desk.admit(&part(4), &named("job"));
    let Verdict::Wait { until: None, evidence } = fifth.verdict else { panic!("{:?}", fifth.verdict) };
    assert_eq!((evidence.detector, &*evidence.run), (Detector::MaxCost, "job~5"));
    desk.refuse(fifth.ticket);
}

#[test]
fn a_price_that_nobody_knows_is_shown_and_stops_nobody_from_working_side_by_side() {
    let mut desk = Desk::new();
    desk.guards.max_cost = Some(cents(10));
    desk.cost = None;
    desk.turn(&mut Chat::with("a worker", "part"), &named("job"), &says("done"));
    let both = [0, 1].map(|n| desk.admit(&Chat::with("a worker", &format!("{n}")), &named("job")).verdict);
    assert_eq!(both, [Verdict::Go, Verdict::Go]);
    let view = desk.runs.find(desk.now, "acme", "job").unwrap();
    assert_eq!((view.cost, view.some_cost_unknown), (NanoUsd::ZERO, true));
}

#[test]
fn caps_begin_anew_with_a_release_or_are_what_it_says() {
    let mut desk = Desk::new();
    desk.guards.max_cost = Some(cents(10));
    let mut chat = Chat::with("helpful", "hello");
    assert_eq!(go_on(&mut desk, &mut chat, &named("job"), 50).0, 10);
    let release = |desk: &mut Desk, max_cost| {
        desk.runs.release(desk.now, "acme", "job", ReleaseCaps { max_cost, ..ReleaseCaps::default() })
    };
    let refused = release(&mut desk, Some(cents(10))).unwrap_err();
    assert_eq!(refused, ReleaseError::CostTooLow { cap: cents(10), cost: cents(10) });
    assert_eq!(
        refused.to_string(),
        "the run has cost $0.1 already; a cap of $0.1 would halt it at once: set a higher one"
    );
    release(&mut desk, Some(cents(14))).unwrap();
    assert_eq!(go_on(&mut desk, &mut chat, &named("job"), 50).0, 4);
    release(&mut desk, None).unwrap();
    assert_eq!(go_on(&mut desk, &mut chat, &named("job"), 50).0, 10);
    desk.guards.max_requests = Some(5);
    desk.guards.max_cost = None;
    let caps = ReleaseCaps { max_requests: Some(24), ..ReleaseCaps::default() };
    assert_eq!(
        desk.runs.release(desk.now, "acme", "job", caps),
        Err(ReleaseError::RequestsTooLow { cap: 24, made: 24 })
    );
    desk.runs.release(desk.now, "acme", "job", ReleaseCaps { max_requests: Some(26), ..caps }).unwrap();
    assert_eq!(go_on(&mut desk, &mut chat, &named("job"), 50).0, 2);
}

#[test]
fn caps_halt_also_where_loops_are_only_warned_of_and_not_where_they_are_off() {
    let mut desk = Desk::new();
    desk.guards.max_requests = Some(2);
    for (loops, goes) in [(Loops::Warn, 2), (Loops::Slow, 2), (Loops::Off, 9)] {
        desk.guards.loops = loops;
        assert_eq!(go_on(&mut desk, &mut Chat::with("helpful", loops.name()), &With::default(), 9).0, goes);
    }
}

#[test]
fn a_run_that_spends_far_faster_than_the_others_is_slowed_and_never_halted() {
    let mut desk = Desk::new();
    let spend = |desk: &mut Desk, name: &str, dollars: i64, times: usize| {
        desk.cost = Some(cents(dollars * 100));
        let mut chat = Chat::with("an agent", name);
        (0..times)
            .map(|n| {
                let went = desk.turn(&mut chat, &named(name), &says(&format!("{n}")));
                chat.user(&format!("{n}"));
                assert_eq!(went.halted, None);
                went.warned.map(|evidence| evidence.detector)
            })
            .collect::<Vec<_>>()
    };
    assert!(spend(&mut desk, "alone", 5, 20).iter().all(Option::is_none), "there is nothing to compare with");
    for n in 0..9 {
        desk.cost = Some(cents(2));
        let name = format!("usual {n}");
        assert_eq!(go_on(&mut desk, &mut Chat::with("an agent", &name), &named(&name), 6).1, None);
    }
    let told = spend(&mut desk, "fast", 3, 12);
    assert_eq!(told[..5], [None; 5], "a few dear requests are no pace");
    assert!(told[5..].iter().all(|told| *told == Some(Detector::Velocity)), "{told:?}");
    let slowed = desk.changes().into_iter().filter(|change| matches!(change, RunChange::Slowed { .. })).count();
    assert_eq!(slowed, 1);
    assert!(spend(&mut desk, "below the floor", 0, 12).iter().all(Option::is_none));
}

#[test]
fn many_attempts_for_few_answers_slow_a_run_and_never_halt_it() {
    let mut desk = Desk::new();
    let chat = Chat::with("helpful", "hello");
    let mut told = Vec::new();
    for retry in 0..6 {
        desk.pass(20);
        let mut admission = desk.admit(&chat, &With { sdk_retry: retry, ..With::default() });
        if let Verdict::Wait { until, .. } = admission.verdict {
            desk.now = until.unwrap();
            admission.verdict = desk.runs.resume(desk.now, &mut admission.ticket);
        }
        told.push(match &admission.verdict {
            Verdict::Go => None,
            Verdict::Warn(evidence) => Some(evidence.in_words()),
            other => panic!("{other:?}"),
        });
        desk.fail(admission.ticket, 4);
    }
    assert_eq!(told[..3], [None, None, None]);
    assert_eq!(told[3].as_deref(), Some("12 attempts were made for 0 useful answers within ten minutes"));
    let view = desk.runs.list(desk.now, &weir_engine::RunsFilter::default(), 9).runs.remove(0);
    assert_eq!((view.requests, view.sdk_retries, view.weir_retries), (1, 5, 18));
    desk.pass(700);
    let late = desk.admit(&chat, &With { sdk_retry: 6, ..With::default() });
    assert_eq!(late.verdict, Verdict::Go, "ten minutes later nothing is left of it");
}
