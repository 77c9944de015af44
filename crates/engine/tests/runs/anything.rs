//! Whatever is asked, in whatever order it ends: nothing is left under way, and the same questions get the same answers.

use weir_engine::{RunsFilter, RunsSettings, SessionKind, Verdict};
use weir_units::Moment;

use crate::world::{Chat, Desk, Dice, With, calls, cents, id, says};

/// A life of random requests, and all that was answered.
fn live(seed: u64) -> (Desk, Vec<String>) {
    let mut dice = Dice(seed);
    let mut desk = Desk::of(RunsSettings { max_runs: 3 + dice.below(30) as usize, ..RunsSettings::default() });
    let names = ["a", "b", "b~1", "b~9", "c~", "~", ""];
    let (mut chats, mut under_way) = (vec![Chat::with("an agent", "do it")], Vec::new());
    let mut heard = Vec::new();
    for n in 0..150 {
        desk.pass(dice.below(40));
        desk.cost = [None, Some(cents(0)), Some(cents(7))][dice.below(3) as usize];
        desk.guards.max_cost = [None, Some(cents(40))][dice.below(2) as usize];
        desk.guards.max_requests = [None, Some(9)][dice.below(2) as usize];
        match dice.below(6) {
            0 => chats.push(Chat::with("an agent", "do it")),
            1 | 2 if !under_way.is_empty() => {
                let (at, mut ticket): (usize, _) = under_way.swap_remove(dice.below(under_way.len() as u64) as usize);
                heard.push(format!("{:?}", desk.runs.resume(desk.now, &mut ticket)));
                let chat: &mut Chat = &mut chats[at];
                let turn = [says("so"), calls("search", "weir"), calls("read", &n.to_string())][dice.below(3) as usize]
                    .clone();
                match dice.below(4) {
                    0 => desk.fail(ticket, 3),
                    1 => desk.refuse(ticket),
                    _ => {
                        desk.answer_as(ticket, &chat.addition(&turn), Some(crate::world::mark(&format!("{}", n % 5))));
                        chat.answered(&turn);
                        chat.results(&["nothing"]);
                        chat.user("go on");
                    }
                }
            }
            _ => {
                let kinds = [
                    SessionKind::PreviousResponse,
                    SessionKind::Conversation,
                    SessionKind::Session,
                    SessionKind::PromptCacheKey,
                    SessionKind::Trace,
                ];
                let mut some = |most: u64| (dice.below(3) == 0).then(|| dice.below(most));
                let with = With {
                    run: some(7).map(|at| names[at as usize]),
                    parent: some(7).map(|at| names[at as usize]),
                    ids: kinds.iter().filter_map(|kind| Some(id(*kind, &some(5)?.to_string()))).collect(),
                    stateful: some(2) == Some(1),
                    sdk_retry: some(3).unwrap_or(0) as u32,
                };
                let at = dice.below(chats.len() as u64) as usize;
                let admission = desk.admit(&chats[at], &with);
                heard.push(format!("{} {:?} {:?}", admission.run, admission.joined, admission.verdict));
                if let Verdict::Halt(evidence) = &admission.verdict {
                    let caps = weir_engine::ReleaseCaps::default();
                    heard.push(format!(
                        "{} {:?}",
                        evidence.in_words(),
                        desk.runs.release(desk.now, "acme", &admission.run, caps)
                    ));
                }
                under_way.push((at, admission.ticket));
            }
        }
        heard.push(format!("{:?} {:?} {:?}", desk.runs.take_woken(), desk.runs.take_changes(), desk.runs.size()));
    }
    for (_, ticket) in under_way {
        desk.fail(ticket, 1);
    }
    (desk, heard)
}

#[test]
fn whatever_is_asked_nothing_is_left_under_way_and_the_same_is_answered_the_same() {
    for seed in 0..60 {
        let (mut desk, heard) = live(seed);
        assert_eq!(heard, live(seed).1, "seed {seed}");
        let page = desk.runs.list(desk.now, &RunsFilter::default(), 1_000);
        assert!(page.runs.iter().all(|run| run.in_flight == 0), "seed {seed}");
        for run in &page.runs {
            let tree = desk.runs.tree(desk.now, "acme", &run.run).unwrap();
            assert!(tree.conversations.iter().all(|view| view.in_flight == 0), "seed {seed}");
        }
        desk.runs.expire(Moment(u64::MAX));
        assert_eq!((desk.runs.size().conversations, desk.runs.size().bytes), (0, 0), "seed {seed}: all is given back");
    }
}
