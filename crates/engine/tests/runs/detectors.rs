//! Stories of detectors that look at one history: when they halt, and what they take for progress.

use weir_engine::{Detector, Loops};

use crate::world::{Chat, Desk, Turn, Went, With, calls, says};

/// Sends requests whose answers are `act` and whose results are `results`, and tells what became of each.
fn play(desk: &mut Desk, steps: impl IntoIterator<Item = (Turn, &'static str)>) -> Vec<Went> {
    let mut chat = Chat::with("an agent", "do it");
    let mut went = Vec::new();
    for (turn, result) in steps {
        let one = desk.turn(&mut chat, &With::default(), &turn);
        let halted = one.halted.is_some();
        went.push(one);
        if halted {
            break;
        }
        match turn {
            Turn::Calls(all) => chat.results(&vec![result; all.len()]),
            Turn::Says(_) | Turn::SaysAtLength(..) => chat.user(result),
        }
    }
    went
}

fn nobody_minds(went: &[Went]) {
    for one in went {
        assert_eq!((&one.halted, &one.warned), (&None, &None));
    }
}

#[test]
fn the_same_call_with_the_same_result_is_warned_of_slowed_and_halted() {
    let went = play(&mut Desk::new(), std::iter::repeat_n((calls("search", "weir"), "nothing"), 9));
    let told: Vec<_> = went.iter().map(|went| went.warned.as_ref().map(|evidence| evidence.count)).collect();
    assert_eq!(told, [None, None, None, Some(3), Some(4), None], "the request after the third, fourth and fifth call");
    assert_eq!(went[4].waited.as_secs(), 4, "five seconds after the answer before it, one of which had passed");
    let evidence = went[5].halted.as_ref().unwrap();
    assert_eq!(
        evidence.in_words(),
        "the tool `search` was called 5 times in a row with the same arguments and the same result"
    );
    assert_eq!((evidence.detector, evidence.count, evidence.threshold), (Detector::IdenticalActions, 5, 5));
    assert_eq!((evidence.message, evidence.marks.len(), evidence.run == went[0].run), (Some(9), 1, true));
}

#[test]
fn the_same_words_answered_the_same_are_a_loop_too() {
    let went = play(&mut Desk::new(), std::iter::repeat_n((says("what do you mean?"), "go on"), 9));
    assert_eq!(went.len(), 6);
    assert_eq!(
        went[5].halted.as_ref().unwrap().in_words(),
        "the assistant said the same 5 times in a row and was answered the same each time"
    );
}

#[test]
fn the_same_words_to_other_questions_and_other_words_to_the_same_are_no_loop() {
    let questions = ["a", "b", "c", "d", "e", "f", "g", "h"];
    nobody_minds(&play(&mut Desk::new(), questions.map(|question| (says("I cannot say"), question))));
    let answers = questions.map(|answer| (says(answer), "next"));
    nobody_minds(&play(&mut Desk::new(), answers));
}

#[test]
fn polling_whose_result_changes_is_progress_with_sleeps_between_as_well() {
    let states = ["1 of 30", "2 of 30", "3 of 30", "4 of 30", "5 of 30", "6 of 30", "7 of 30", "8 of 30", "9 of 30"];
    nobody_minds(&play(&mut Desk::new(), states.map(|state| (calls("status", "job 1"), state))));
    let slept =
        states.into_iter().flat_map(|state| [(calls("sleep", "10"), "slept"), (calls("status", "job 1"), state)]);
    let slept: Vec<_> = slept.cycle().take(18).collect();
    nobody_minds(&play(&mut Desk::new(), slept));
}

#[test]
fn an_exempt_tool_neither_counts_nor_breaks_a_row() {
    let mut desk = Desk::new();
    desk.guards.exempt_tools.insert("status".into());
    nobody_minds(&play(&mut desk, std::iter::repeat_n((calls("status", "job 1"), "pending"), 30)));
    let both = [(calls("search", "weir"), "nothing"), (calls("status", "job 1"), "pending")];
    let went = play(&mut desk, both.into_iter().cycle().take(30));
    let evidence = went.last().unwrap().halted.as_ref().unwrap();
    assert_eq!(
        (evidence.detector, evidence.count, evidence.tool.as_deref()),
        (Detector::IdenticalActions, 5, Some("search"))
    );
    assert_eq!(went.len(), 10, "the request after the fifth search");
}

#[test]
fn steps_that_repeat_are_slowed_at_three_times_and_halted_at_four() {
    for period in 2..=6_usize {
        let step = |n: usize| (calls("read", &format!("file {}", n % period)), "same");
        let went = play(&mut Desk::new(), (0..40).map(step));
        let evidence = went.last().unwrap().halted.as_ref().unwrap();
        let waits = went.iter().filter(|went| went.waited.as_secs() > 0).count();
        if period < 6 {
            assert_eq!((evidence.detector, evidence.count, evidence.period as usize), (Detector::Cycles, 4, period));
            assert_eq!((went.len(), waits), (4 * period + 1, period), "{evidence:?}");
        } else {
            // Twenty steps of few different ones that bring nothing new are enough.
            assert_eq!((evidence.detector, went.len()), (Detector::NoProgress, 21));
        }
    }
}

#[test]
fn a_cycle_whose_results_get_on_is_none() {
    let results: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let steps = (0..24).map(|n| (calls("read", &format!("file {}", n % 3)), results[n / 3]));
    let went = play(&mut Desk::new(), steps.collect::<Vec<_>>());
    nobody_minds(&went);
}

#[test]
fn the_same_error_to_other_arguments_is_warned_of_slowed_and_halted() {
    let steps = (0..9).map(|n| (calls("fetch", &format!("page {n}")), "error 503 at 14:47"));
    let went = play(&mut Desk::new(), steps);
    let told: Vec<_> = went.iter().map(|went| went.warned.as_ref().map(|evidence| evidence.count)).collect();
    assert_eq!(told, [None, None, None, None, Some(4), Some(5), None]);
    let evidence = went[6].halted.as_ref().unwrap();
    assert_eq!(evidence.in_words(), "6 calls in a row, the last one of the tool `fetch`, failed with the same error");
}

#[test]
fn a_flaky_tool_and_many_failures_at_once_are_no_error_loop() {
    let errors = ["error: reset", "error: timeout", "error: reset", "fine", "error: reset", "error: busy"];
    let steps = errors.into_iter().cycle().take(18).enumerate();
    nobody_minds(&play(&mut Desk::new(), steps.map(|(n, error)| (calls("fetch", &format!("page {n}")), error))));
    let at_once = |turn: usize| Turn::Calls((0..8).map(|n| ("fetch".to_owned(), format!("page {turn} {n}"))).collect());
    nobody_minds(&play(&mut Desk::new(), (0..3).map(|turn| (at_once(turn), "error: refused"))));
}

#[test]
fn few_different_steps_without_a_new_result_are_no_progress() {
    let mut dice = crate::world::Dice(3);
    let steps = (0..60).map(|_| (calls("look", &format!("room {}", dice.below(5))), "nothing here"));
    let went = play(&mut Desk::new(), steps.collect::<Vec<_>>());
    let evidence = went.last().unwrap().halted.as_ref().unwrap();
    assert_eq!((evidence.detector, evidence.of), (Detector::NoProgress, 20));
    assert_eq!(went.len(), 21);
    assert_eq!(
        evidence.in_words(),
        "the last 20 steps were 5 different ones over and over, and nothing new came of them"
    );
}

#[test]
fn texts_that_are_nearly_the_same_are_halted_at_four_of_six() {
    let text = |n: u64| {
        (Turn::SaysAtLength(format!("a long text {n}"), 0xABCD ^ (1 << n)), ["a", "b", "c", "d", "e"][n as usize])
    };
    let went = play(&mut Desk::new(), (0..5).map(text));
    assert_eq!(went.len(), 5);
    assert_eq!(went[3].warned.as_ref().unwrap().detector, Detector::SimilarTexts);
    let evidence = went[4].halted.as_ref().unwrap();
    assert_eq!(evidence.in_words(), "4 of the assistant's last 4 texts were nearly the same");
}

#[test]
fn long_texts_that_are_alike_are_no_loop_where_the_agent_gets_on() {
    let refusal = |question| (Turn::SaysAtLength("I cannot help with that".to_owned(), 0xABCD), question);
    nobody_minds(&play(&mut Desk::new(), ["a", "b", "c", "d", "e", "f", "g"].map(refusal)));
    // The same remark before each call of a tool that brings something new.
    let mut desk = Desk::new();
    let mut chat = Chat::with("an agent", "read all");
    for file in 0..12 {
        let went = desk.turn(&mut chat, &With::default(), &calls("read", &format!("file {file}")));
        assert_eq!((went.halted, went.warned), (None, None));
        let message = chat.history.actions.last().unwrap().message;
        chat.history.sketches.push(weir_units::Sketch { message, bits: 0xABCD });
        let from = chat.history.sketches.len().saturating_sub(6);
        chat.history.sketches.drain(..from);
        chat.result(&format!("text {file}"));
    }
}

#[test]
fn calls_made_at_once_have_no_order_and_the_same_call_made_twice_at_once_is_one() {
    let at_once = |turn: usize| {
        let names = if turn.is_multiple_of(2) { ["a", "b", "a"] } else { ["b", "a", "a"] };
        Turn::Calls(names.map(|name| (name.to_owned(), "x".to_owned())).to_vec())
    };
    let went = play(&mut Desk::new(), (0..9).map(|turn| (at_once(turn), "same")));
    let evidence = went.last().unwrap().halted.as_ref().unwrap();
    assert_eq!((evidence.detector, went.len()), (Detector::IdenticalActions, 6));
    let many = Turn::Calls(vec![("a".to_owned(), "x".to_owned()); 9]);
    nobody_minds(&play(&mut Desk::new(), [(many, "same"), (says("done"), "thanks")]));
}

#[test]
fn guards_bound_the_ladder_and_a_threshold_of_nothing_switches_a_detector_off() {
    let the_same = || std::iter::repeat_n((calls("search", "weir"), "nothing"), 12);
    let mut desk = Desk::new();
    desk.guards.loops = Loops::Off;
    nobody_minds(&play(&mut desk, the_same()));
    desk.guards.loops = Loops::Warn;
    let went = play(&mut desk, the_same());
    assert!(went.iter().all(|went| went.halted.is_none() && went.waited.is_zero()));
    assert!(went[3..].iter().all(|went| went.warned.is_some()));
    desk.guards.loops = Loops::Slow;
    let went = play(&mut desk, the_same());
    assert!(went.iter().all(|went| went.halted.is_none()));
    let waits: Vec<u64> = went.iter().map(|went| went.waited.as_secs()).filter(|waited| *waited > 0).collect();
    assert_eq!(waits, [4, 9, 19, 39, 59, 59, 59, 59], "the gap doubles up to a minute");
    desk.guards.loops = Loops::Halt;
    desk.guards.identical_actions = 0;
    nobody_minds(&play(&mut desk, the_same()));
}

#[test]
fn a_tools_name_is_shown_in_safe_characters() {
    let went = play(&mut Desk::new(), std::iter::repeat_n((calls("<b>\u{202e}x\n", "y"), "same"), 9));
    assert_eq!(went.last().unwrap().halted.as_ref().unwrap().tool.as_deref(), Some("_b__x_"));
}
