//! Stories of what is done about a loop: waiting, refusing, releasing; and who goes on meanwhile.

use std::time::Duration;

use weir_engine::{Detector, Loops, ReleaseCaps, ReleaseError, RunChange, RunState, RunsFilter, SessionKind, Verdict};

use crate::world::{Chat, Desk, With, calls, cents, mark, named, says, with_id};

/// A conversation that has made the same call so often, to the same end.
fn looping(desk: &mut Desk, with: &With<'_>, times: usize) -> Chat {
    let mut chat = Chat::with("an agent", "do it");
    for _ in 0..times {
        let went = desk.turn(&mut chat, with, &calls("search", "weir"));
        assert_eq!(went.halted, None);
        chat.result("nothing");
    }
    chat
}

fn is_halted(desk: &mut Desk, chat: &Chat, with: &With<'_>) -> bool {
    desk.pass(1);
    let admission = desk.admit(chat, with);
    let halted = matches!(admission.verdict, Verdict::Halt(_));
    desk.refuse(admission.ticket);
    halted
}

#[test]
fn each_rung_is_told_once() {
    let mut desk = Desk::new();
    let chat = looping(&mut desk, &With::default(), 5);
    for _ in 0..3 {
        assert!(is_halted(&mut desk, &chat, &With::default()));
    }
    let told = desk.changes().into_iter().map(|change| match change {
        RunChange::Warned { evidence, .. } => ("warned", evidence.count),
        RunChange::Slowed { evidence, .. } => ("slowed", evidence.count),
        RunChange::Halted { evidence, .. } => ("halted", evidence.count),
        RunChange::Released { .. } => ("released", 0),
    });
    assert_eq!(told.collect::<Vec<_>>(), [("warned", 3), ("slowed", 4), ("halted", 5)]);
}

#[test]
fn a_halted_run_refuses_what_goes_on_from_it_and_others_go_on() {
    let mut desk = Desk::new();
    let mut before = Chat::with("an agent", "do it");
    desk.turn(&mut before, &With::default(), &says("first, some words"));
    before.user("fine");
    let mut chat = before.clone();
    for _ in 0..5 {
        desk.turn(&mut chat, &With::default(), &calls("search", "weir"));
        chat.result("nothing");
    }
    assert!(is_halted(&mut desk, &chat, &With::default()));
    let mut shorter = chat.clone();
    shorter.history.messages.truncate(9);
    shorter.history.actions.truncate(4);
    shorter.user("try something else");
    assert!(is_halted(&mut desk, &shorter, &With::default()), "what branches off within the loop");
    chat.user("try something else");
    assert!(is_halted(&mut desk, &chat, &With::default()), "another last message");
    assert!(is_halted(&mut desk, &chat.compacted(5, "summary"), &With::default()), "a compacted history");
    desk.pass(90);
    before.user("another way");
    assert!(!is_halted(&mut desk, &before, &With::default()), "what branches off before the loop");
    assert!(!is_halted(&mut desk, &Chat::with("an agent", "do it"), &With::default()), "a new run");
}

#[test]
fn a_named_run_is_halted_as_a_whole_and_not_what_it_started() {
    let mut desk = Desk::new();
    let child = With { run: Some("child"), parent: Some("job"), ..With::default() };
    let chat = looping(&mut desk, &named("job"), 5);
    desk.turn(&mut Chat::with("a worker", "part"), &child, &says("done"));
    assert!(is_halted(&mut desk, &chat, &named("job")));
    assert!(is_halted(&mut desk, &Chat::with("a critic", "new"), &named("job")), "also with a new history");
    let before = desk.runs.size();
    for n in 0..50 {
        assert!(is_halted(&mut desk, &Chat::with("a critic", &format!("new {n}")), &named("job")));
    }
    assert_eq!(desk.runs.size(), before, "and what is refused takes no memory");
    for _ in 0..9 {
        desk.pass(3_600);
        assert!(is_halted(&mut desk, &Chat::with("a critic", "new"), &named("job")), "nor is it forgotten meanwhile");
    }
    assert!(is_halted(&mut desk, &chat, &With::default()), "also without its name");
    assert!(!is_halted(&mut desk, &Chat::with("a worker", "part 2"), &child));
    assert!(!is_halted(&mut desk, &Chat::with("a critic", "new"), &named("job 2")));
    let halted = RunsFilter { state: Some(RunState::Halted), ..RunsFilter::default() };
    let page = desk.runs.list(desk.now, &halted, 10);
    assert_eq!(page.runs.iter().map(|run| &*run.run).collect::<Vec<_>>(), ["job"]);
    assert_eq!(page.runs[0].evidence.as_ref().unwrap().detector, Detector::IdenticalActions);
}

#[test]
fn of_conversations_that_share_a_key_only_the_one_that_loops_is_halted() {
    let mut desk = Desk::new();
    let shared = with_id(SessionKind::PromptCacheKey, "k");
    let mut other = Chat::with("a service", "hello");
    let run = desk.turn(&mut other, &shared, &says("hi")).run;
    let chat = looping(&mut desk, &shared, 5);
    assert!(is_halted(&mut desk, &chat, &shared));
    other.user("more");
    assert!(!is_halted(&mut desk, &other, &shared));
    assert!(!is_halted(&mut desk, &Chat::with("a service", "hello"), &shared));
    assert_eq!(desk.runs.find(desk.now, "acme", &run).unwrap().state, RunState::Halted, "a run shows its worst");
    let conversation = format!("{run}~2");
    assert_eq!(desk.runs.find(desk.now, "acme", &conversation).unwrap().state, RunState::Halted);
    desk.runs.release(desk.now, "acme", &conversation, ReleaseCaps::default()).unwrap();
    assert!(!is_halted(&mut desk, &chat, &shared));
}

#[test]
fn after_a_release_only_what_is_done_since_counts() {
    let mut desk = Desk::new();
    let mut chat = looping(&mut desk, &named("job"), 5);
    assert!(is_halted(&mut desk, &chat, &named("job")));
    assert_eq!(desk.runs.release(desk.now, "globex", "job", ReleaseCaps::default()), Err(ReleaseError::Unknown));
    assert_eq!(desk.runs.release(desk.now, "acme", "job 2", ReleaseCaps::default()), Err(ReleaseError::Unknown));
    let view = desk.runs.release(desk.now, "acme", "job", ReleaseCaps::default()).unwrap();
    assert_eq!((view.state, view.evidence), (RunState::Released, None));
    assert!(matches!(desk.changes().last(), Some(RunChange::Released { run, .. }) if **run == *"job"));
    assert_eq!(desk.runs.release(desk.now, "acme", "job", ReleaseCaps::default()), Err(ReleaseError::NotHalted));
    let mut went = Vec::new();
    for _ in 0..6 {
        went.push(desk.turn(&mut chat, &named("job"), &calls("search", "weir")).halted.is_some());
        chat.result("nothing");
    }
    assert_eq!(went, [false, false, false, false, false, true], "five more are a loop again");
    desk.runs.release(desk.now, "acme", "job", ReleaseCaps::default()).unwrap();
    assert!(!is_halted(&mut desk, &chat.compacted(13, "the loop, compacted"), &named("job")));
}

#[test]
fn a_slowed_run_has_one_request_under_way_and_the_next_is_woken() {
    let mut desk = Desk::new();
    let chat = looping(&mut desk, &named("job"), 4);
    let mut first = desk.admit(&chat, &named("job"));
    let Verdict::Wait { until: Some(until), evidence } = first.verdict else { panic!("{:?}", first.verdict) };
    assert_eq!((until, evidence.count), (desk.now + Duration::from_secs(5), 4));
    let mut other = chat.clone();
    other.user("hurry");
    let mut second = desk.admit(&other, &named("job"));
    assert!(matches!(second.verdict, Verdict::Wait { until: None, .. }), "one stands before it");
    assert_eq!(desk.runs.find(desk.now, "acme", "job").unwrap().state, RunState::Slow);
    desk.pass(5);
    assert!(matches!(desk.runs.resume(desk.now, &mut first.ticket), Verdict::Warn(_)));
    assert_eq!(desk.runs.take_woken(), [second.ticket.id()], "it is the next");
    assert!(matches!(desk.runs.resume(desk.now, &mut second.ticket), Verdict::Wait { until: None, .. }));
    desk.pass(3);
    desk.answer(first.ticket, &chat.addition(&says("found")));
    assert_eq!(desk.runs.take_woken(), [second.ticket.id()]);
    let at = desk.now + Duration::from_secs(10);
    assert!(
        matches!(desk.runs.resume(desk.now, &mut second.ticket), Verdict::Wait { until: Some(until), .. } if until == at)
    );
    desk.refuse(second.ticket);
    let view = desk.runs.find(desk.now, "acme", "job").unwrap();
    assert_eq!((view.requests, view.in_flight), (5, 0), "who gave up waiting was no request");
}

#[test]
fn a_run_stays_slowed_whatever_its_other_conversations_do() {
    let mut desk = Desk::new();
    desk.guards.loops = Loops::Slow;
    let mut chat = looping(&mut desk, &named("job"), 4);
    let mut waits = Vec::new();
    for n in 0..4 {
        waits.push(desk.turn(&mut chat, &named("job"), &calls("search", "weir")).waited.as_secs());
        chat.result("nothing");
        desk.pass(60);
        assert_eq!(
            desk.turn(&mut Chat::with("a critic", &format!("{n}")), &named("job"), &says("so")).waited.as_secs(),
            0
        );
    }
    assert_eq!(waits, [4, 9, 19, 39]);
}

#[test]
fn who_waits_in_a_run_that_is_halted_meanwhile_is_refused() {
    let mut desk = Desk::new();
    desk.guards.max_cost = Some(cents(10));
    let mut chat = looping(&mut desk, &named("job"), 4);
    let mut waits = desk.admit(&chat, &named("job"));
    let mut also = desk.admit(&Chat::with("a critic", "judge"), &named("job"));
    assert!(matches!((&waits.verdict, &also.verdict), (Verdict::Wait { .. }, Verdict::Go)));
    assert_eq!(desk.runs.resume(desk.now, &mut also.ticket), Verdict::Go, "who may go may go");
    desk.cost = Some(cents(50));
    chat.answered(&says("x"));
    desk.answer(also.ticket, &chat.addition(&says("dear")));
    assert_eq!(desk.runs.take_woken(), [waits.ticket.id()]);
    let Verdict::Halt(evidence) = desk.runs.resume(desk.now, &mut waits.ticket) else { panic!() };
    assert_eq!(evidence.in_words(), "it has cost $0.54, and its cap is $0.1");
    desk.refuse(waits.ticket);
    assert!(is_halted(&mut desk, &Chat::with("a critic", "again"), &named("job")));
}

#[test]
fn a_run_that_gets_on_is_not_slowed_any_more() {
    let mut desk = Desk::new();
    let mut chat = looping(&mut desk, &With::default(), 4);
    assert!(desk.turn(&mut chat, &With::default(), &calls("search", "dam")).waited > Duration::ZERO);
    chat.result("a river");
    let went = desk.turn(&mut chat, &With::default(), &says("found"));
    assert_eq!((went.warned, went.waited, went.halted), (None, Duration::ZERO, None));
}

#[test]
fn where_guards_only_warn_a_run_that_was_halted_goes_on() {
    let mut desk = Desk::new();
    let chat = looping(&mut desk, &named("job"), 5);
    assert!(is_halted(&mut desk, &chat, &named("job")));
    desk.guards.loops = Loops::Warn;
    assert!(!is_halted(&mut desk, &chat, &named("job")));
    desk.guards.loops = Loops::Halt;
    assert!(is_halted(&mut desk, &chat, &named("job")));
}

#[test]
fn loops_behind_a_provider_that_keeps_the_history_are_seen_as_well() {
    let mut desk = Desk::new();
    let mut chat = Chat::with("an agent", "do it");
    let mut with = With { stateful: true, ..with_id(SessionKind::Conversation, "conv_1") };
    let mut verdicts = Vec::new();
    for n in 0..8 {
        desk.pass(70);
        let admission = desk.admit(&chat, &with);
        let halted = matches!(admission.verdict, Verdict::Halt(_));
        verdicts.push((halted, matches!(admission.verdict, Verdict::Warn(_))));
        if halted {
            desk.refuse(admission.ticket);
            break;
        }
        let response = format!("resp_{n}");
        desk.answer_as(admission.ticket, &chat.addition(&calls("search", "weir")), Some(mark(&response)));
        with = With { stateful: true, ..with_id(SessionKind::PreviousResponse, &response) };
        chat = Chat::new("");
        chat.result("nothing");
    }
    let (halt, warn, go) = ((true, false), (false, true), (false, false));
    assert_eq!(verdicts, [go, go, go, warn, warn, halt]);
}
