//! Stories of agents that ask each other over and over, each in a conversation of its own, and of those that only seem to.

use weir_engine::{Detector, Evidence, ReleaseCaps, SessionKind};

use crate::world::{Chat, Desk, With, calls, named, says, with_id};

const ASKS: [&str; 3] =
    ["could you clarify what you mean?", "what is it that you need to know?", "let me ask the planner"];

/// Agents that hand a text to the next one in a fresh conversation each time, until one is halted.
fn go_round<'a>(
    desk: &mut Desk,
    agents: usize,
    with: impl Fn(usize) -> With<'a>,
    most: usize,
) -> (usize, Option<Evidence>) {
    let mut text = "plan a journey".to_owned();
    for n in 0..most {
        let mut chat = Chat::with(&format!("agent {}", n % agents), &text);
        let says_now = ASKS[n % agents % ASKS.len()].to_owned() + &" please".repeat(n % agents / ASKS.len());
        let went = desk.turn(&mut chat, &with(n), &says(&says_now));
        if went.halted.is_some() {
            return (n, went.halted);
        }
        text = says_now;
    }
    (most, None)
}

#[test]
fn agents_that_ask_each_other_in_fresh_conversations_are_halted_the_fourth_time_round() {
    for agents in 2..=6 {
        let mut desk = Desk::new();
        let (went, why) = go_round(&mut desk, agents, |_| With::default(), 60);
        let why = why.unwrap();
        assert_eq!((why.detector, why.count, why.period as usize, went), (Detector::PingPong, 4, agents, 4 * agents));
        let words = format!("the same {agents} texts went back and forth between conversations 4 times");
        assert_eq!(why.in_words(), words);
        assert!(go_round(&mut desk, agents, |_| With::default(), 3).1.is_none(), "those who begin anew go on");
    }
}

#[test]
fn it_is_slowed_before_and_goes_on_when_it_is_released() {
    let mut desk = Desk::new();
    go_round(&mut desk, 2, |_| With::default(), 60);
    let slowed = desk.changes().iter().filter(|change| matches!(change, weir_engine::RunChange::Slowed { .. })).count();
    assert_eq!(slowed, 2, "each is a run of its own: the sixth and the seventh that are told");
    let last = Chat::with("agent 0", ASKS[1]);
    desk.pass(90);
    let refused = desk.admit(&last, &With::default());
    assert!(matches!(refused.verdict, weir_engine::Verdict::Halt(_)), "a new attempt at the same");
    desk.runs.release(desk.now, "acme", &refused.run, ReleaseCaps::default()).unwrap();
    desk.refuse(refused.ticket);
    desk.pass(90);
    let again = desk.admit(&last, &With::default());
    assert_eq!(again.verdict, weir_engine::Verdict::Go);
}

#[test]
fn agents_that_keep_their_conversations_are_halted_as_well() {
    let mut desk = Desk::new();
    let mut chats = [Chat::with("agent 0", "plan a journey"), Chat::new("agent 1")];
    for n in 0..40 {
        let went = desk.turn(&mut chats[n % 2], &With::default(), &says(ASKS[n % 2]));
        if let Some(why) = went.halted {
            assert_eq!((why.detector, n), (Detector::PingPong, 8));
            return;
        }
        chats[1 - n % 2].user(ASKS[n % 2]);
    }
    panic!("nobody was halted");
}

#[test]
fn an_agent_that_asks_another_by_a_tool_is_halted_as_well() {
    let mut desk = Desk::new();
    let mut main = Chat::with("main", "plan a journey");
    for n in 0..40 {
        let went = desk.turn(&mut main, &With::default(), &calls("ask", ASKS[0]));
        if let Some(why) = went.halted {
            assert!((4..=5).contains(&n) && [Detector::PingPong, Detector::IdenticalActions].contains(&why.detector));
            return;
        }
        let went = desk.turn(&mut Chat::with("other", ASKS[0]), &With::default(), &says(ASKS[1]));
        if went.halted.is_some() {
            assert_eq!(n, 3);
            return;
        }
        main.result(ASKS[1]);
    }
    panic!("nobody was halted");
}

#[test]
fn runs_that_start_each_other_and_traces_are_links_as_well() {
    // The texts are wrapped, so that no text that is received is one that was produced.
    let round = |desk: &mut Desk, with: &dyn Fn(usize) -> With<'static>| {
        for n in 0..40 {
            let mut chat = Chat::with(&format!("agent {}", n % 2), &format!("the other says: {}", ASKS[(n + 1) % 2]));
            if let Some(why) = desk.turn(&mut chat, &with(n), &says(ASKS[n % 2])).halted {
                return Some((n, why.detector));
            }
        }
        None
    };
    let names: &'static [String] = Box::leak((0..41).map(|n| format!("step {n}")).collect());
    let child = |n: usize| With { run: Some(&names[n + 1]), parent: Some(&names[n]), ..With::default() };
    let (n, detector) = round(&mut Desk::new(), &child).unwrap();
    assert_eq!((n, detector), (7, Detector::PingPong));
    let (n, detector) = round(&mut Desk::new(), &|_| with_id(SessionKind::Trace, "t")).unwrap();
    assert_eq!((n, detector), (7, Detector::PingPong));
    assert_eq!(round(&mut Desk::new(), &|_| With::default()), None, "nothing links them");
}

#[test]
fn workers_with_the_same_prompt_are_no_loop() {
    let prompt = "summarise the part that you are given";
    for answers_differ in [true, false] {
        let answer = |n: usize| if answers_differ { format!("summary {n}") } else { "nothing of note".to_owned() };
        for with in [
            With::default(),
            With { parent: Some("main"), ..With::default() },
            named("job"),
            with_id(SessionKind::Trace, "t"),
            with_id(SessionKind::PromptCacheKey, "k"),
            with_id(SessionKind::Session, "s"),
        ] {
            let mut desk = Desk::new();
            for n in 0..30 {
                let went = desk.turn(&mut Chat::with("a worker", prompt), &with, &says(&answer(n)));
                assert_eq!((went.halted, went.warned), (None, None), "{with:?}");
            }
            let chat = Chat::with("a worker", prompt);
            let at_once: Vec<_> = (0..30).map(|_| desk.admit(&chat, &with)).collect();
            for (n, admission) in at_once.into_iter().enumerate() {
                assert_eq!(admission.verdict, weir_engine::Verdict::Go);
                desk.answer(admission.ticket, &chat.addition(&says(&answer(n))));
            }
        }
    }
}

#[test]
fn a_child_that_is_called_again_with_the_same_text_and_answers_otherwise_is_progress() {
    let mut desk = Desk::new();
    let mut main = Chat::with("main", "plan a journey");
    for n in 0..20 {
        let went = desk.turn(&mut main, &With::default(), &calls("ask", ASKS[0]));
        assert_eq!((went.halted, went.warned), (None, None));
        let answer = format!("this is what I have found by now: {n}");
        let went = desk.turn(&mut Chat::with("other", ASKS[0]), &With::default(), &says(&answer));
        assert_eq!((went.halted, went.warned), (None, None));
        main.result(&answer);
    }
}

#[test]
fn a_pipeline_and_two_who_get_on_are_no_loop() {
    let mut desk = Desk::new();
    for item in 0..12 {
        let mut text = format!("the text of document number {item}");
        for stage in ["extract", "translate", "check", "summarise"] {
            let mut chat = Chat::with(stage, &text);
            text = format!("{stage} of document number {item}");
            let went = desk.turn(&mut chat, &with_id(SessionKind::Trace, "batch"), &says(&text));
            assert_eq!((went.halted, went.warned), (None, None));
        }
    }
    let mut text = "let us find a name".to_owned();
    for n in 0..60 {
        let mut chat = Chat::with(["writer", "critic"][n % 2], &text);
        text = format!("draft {} is better than the one before", n / 2 * 2 + n % 2);
        let went = desk.turn(&mut chat, &With::default(), &says(&text));
        assert_eq!((went.halted, went.warned), (None, None));
    }
}
