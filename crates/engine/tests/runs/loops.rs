//! Loops of all periods, through words and tools, after any beginning: each is halted within two turns of the threshold.

use weir_engine::Verdict;

use crate::world::{Chat, Desk, Dice, Turn, With, named};

/// How long a loop of such a period may last: five times the same, else four times the period.
fn threshold(period: u64) -> u64 {
    if period == 1 { 5 } else { 4 * period }
}

fn halted_after(seed: u64, period: u64, words: u64, stateful: bool) -> Option<u64> {
    let mut dice = Dice(seed * 97 + period);
    let mut desk = Desk::new();
    let mut chat = Chat::with("an agent", &format!("task {seed}"));
    let beginning = dice.below(30);
    for turn in 0..beginning + threshold(period) + 3 {
        let place = turn.checked_sub(beginning).map(|turn| turn % period);
        let text = match place {
            Some(place) => format!("step {seed} {place}"),
            None => format!("beginning {seed} {turn}"),
        };
        // Words only, tools only, or both in turn.
        let speaks = words == 0 || (words == 2 && place.unwrap_or(turn) % 2 == 0);
        let act = if speaks { Turn::Says(text.clone()) } else { Turn::Calls(vec![("tool".to_owned(), text.clone())]) };
        let with = if stateful { With { stateful: true, ..named("loop") } } else { With::default() };
        let went = desk.turn(&mut chat, &with, &act);
        if went.halted.is_some() {
            return turn.checked_sub(beginning);
        }
        if stateful {
            chat = Chat::new("");
        }
        let result = format!("result of {text}");
        if speaks { chat.user(&result) } else { chat.result(&result) }
    }
    None
}

#[test]
fn every_loop_is_halted_within_two_turns_of_the_threshold() {
    for seed in 0..10 {
        for period in 1..=6 {
            for words in 0..3 {
                for stateful in [false, true] {
                    let turns = halted_after(seed, period, words, stateful);
                    let in_time = turns.is_some_and(|turns| turns <= threshold(period) + 2 && turns > period);
                    assert!(in_time, "seed {seed}, period {period}, words {words}, stateful {stateful}: {turns:?}");
                }
            }
        }
    }
}

#[test]
fn a_loop_that_is_halted_makes_no_more_requests_whatever_its_client_tries() {
    let mut desk = Desk::new();
    let mut chat = Chat::with("an agent", "task");
    for _ in 0..5 {
        desk.turn(&mut chat, &With::default(), &crate::world::calls("tool", "x"));
        chat.result("same");
    }
    let mut dice = Dice(1);
    for n in 0..200 {
        desk.pass(dice.below(100));
        let mut tried = chat.clone();
        if dice.below(2) == 0 {
            tried.user(&format!("try {n}"));
        }
        let with = With { sdk_retry: u32::try_from(dice.below(3)).unwrap(), ..With::default() };
        let admission = desk.admit(&tried, &with);
        assert!(matches!(admission.verdict, Verdict::Halt(_)), "{n}");
        desk.refuse(admission.ticket);
    }
}
