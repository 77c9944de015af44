//! Agents that behave are never halted, and hardly ever warned of; and agents alike that run side by side are told apart.

use std::sync::Arc;

use weir_engine::Joined;

use crate::world::{Chat, Desk, Dice, Turn, With, calls, says};

/// What became of a lineage of requests.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    halted: usize,
    warned: usize,
}

/// An agent that behaves, as a source of turns.
struct Agent {
    seed: u64,
    kind: u64,
    dice: Dice,
    chat: Chat,
    step: u64,
    steps: u64,
    went_on: Option<Arc<str>>,
}

impl Agent {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let kind = seed % 9;
        let steps = 12 + dice.below(40);
        // Of templated agents many begin alike.
        let task = format!("task {}", dice.below(4));
        Self {
            seed,
            kind,
            dice,
            chat: Chat::with(&format!("agent of kind {kind}"), &task),
            step: 0,
            steps,
            went_on: None,
        }
    }

    /// What it does next, and what comes of it.
    fn turn(&mut self) -> (Turn, String) {
        let n = self.step;
        self.step += 1;
        let id = self.seed;
        match self.kind {
            // Polls a job, whose progress is now and then what it was.
            0 => {
                let progress = n * 100 / self.steps / 3 * 3;
                (calls("status", &format!("job {id}")), format!("progress {progress} of 100, {} rows", n / 2))
            }
            // Polls with pauses.
            1 if n.is_multiple_of(2) => (calls("sleep", &format!("{}", 10 + id)), "slept".to_owned()),
            1 => (calls("status", &format!("job {id}")), format!("step {n} of {}", self.steps)),
            // Pages through files, with the same remark each time.
            2 => (
                calls("read", &format!("page {n} of {id}")),
                if n % 5 == 4 { String::new() } else { format!("text {id} {n}") },
            ),
            // Has a tool that fails in several ways, and a result now and then.
            3 => match (n + self.dice.below(2)) % 4 {
                0 => (calls("fetch", &format!("page {} of {id}", n / 3)), format!("text {n}")),
                1 => (calls("fetch", &format!("page {} of {id}", n / 3)), "error: timeout".to_owned()),
                2 => (calls("fetch", &format!("page {} of {id}", n / 3)), "error 503: busy".to_owned()),
                _ => (calls("fetch", &format!("page {} of {id}", n / 3)), format!("error: reset by peer {n}")),
            },
            // A long chat, with short words on both sides.
            4 => {
                let user = ["ok", "next", "yes", "go on"][self.dice.below(4) as usize];
                (says(&format!("paragraph {n} of {id}")), user.to_owned())
            }
            // A user who asks this and that, and an assistant that may not say.
            5 if n.is_multiple_of(3) => (says("I am sorry, I cannot help with that."), format!("question {n} {id}")),
            5 => (says(&format!("answer {n} {id}")), format!("question {n} {id}")),
            // Edits and tests, tests with the same result for a while.
            6 if n.is_multiple_of(2) => (calls("edit", &format!("file {n} {id}")), "saved".to_owned()),
            6 => (calls("test", "all"), format!("{} failed", 9 - (n / 4).min(9))),
            // Several searches at once, some without a result.
            7 => {
                let at_once = (0..3).map(|k| ("search".to_owned(), format!("query {n} {k} {id}"))).collect();
                (
                    Turn::Calls(at_once),
                    if n.is_multiple_of(2) { "no results".to_owned() } else { format!("results {n} {id}") },
                )
            }
            // Long reports.
            _ => {
                let bits = self.dice.below(u64::MAX);
                (Turn::SaysAtLength(format!("a report on {n} {id}"), bits), format!("and {n}?"))
            }
        }
    }

    fn take(&mut self, turn: &Turn, result: &str) {
        self.chat.answered(turn);
        match turn {
            Turn::Calls(all) => self.chat.results(&vec![result; all.len()]),
            Turn::Says(_) | Turn::SaysAtLength(..) => self.chat.user(result),
        }
    }
}

#[test]
fn agents_that_behave_are_never_halted_and_hardly_ever_warned_of() {
    let mut desk = Desk::new();
    let mut told = Told::default();
    for seed in 0..540 {
        let mut agent = Agent::new(seed);
        let mut lineage = Told::default();
        while agent.step < agent.steps {
            let (turn, result) = agent.turn();
            desk.pass(1 + agent.dice.below(4));
            let mut sent = agent.chat.clone();
            // Now and then an attempt fails and is made again, a branch is tried, or the history is compacted.
            match agent.dice.below(25) {
                0 => {
                    let failed = desk.admit(&sent, &With::default());
                    desk.fail(failed.ticket, 2);
                    desk.pass(1);
                    let again = desk.admit(&sent, &With { sdk_retry: 1, ..With::default() });
                    assert_eq!(again.joined, Joined::Retried);
                    desk.fail(again.ticket, 1);
                }
                1 => {
                    let mut branch = sent.clone();
                    branch.user(&format!("aside {seed} {}", agent.step));
                    let aside = desk.admit(&branch, &With::default());
                    desk.answer(aside.ticket, &branch.addition(&says("an aside")));
                }
                2 if agent.step > 6 => agent.chat = sent.compacted(5, "what was done so far"),
                _ => {}
            }
            sent.clone_from(&agent.chat);
            let went = desk.turn(&mut sent, &With::default(), &turn);
            lineage.halted += usize::from(went.halted.is_some());
            lineage.warned += usize::from(went.warned.is_some());
            agent.take(&turn, &result);
        }
        told.halted += usize::from(lineage.halted > 0);
        told.warned += usize::from(lineage.warned > 0);
    }
    assert_eq!(told.halted, 0);
    assert!(told.warned <= 5, "{} of 540 are more than one in a hundred", told.warned);
}

#[test]
fn of_agents_alike_that_run_side_by_side_each_request_joins_its_own_run() {
    let mut desk = Desk::new();
    let mut dice = Dice(11);
    let mut agents: Vec<Agent> = (0..300).map(Agent::new).collect();
    let (mut joined, mut astray) = (0, 0);
    for _ in 0..6_000 {
        let at = dice.below(agents.len() as u64) as usize;
        let agent = &mut agents[at];
        if agent.step >= agent.steps {
            continue;
        }
        let (turn, result) = agent.turn();
        let mut sent = agent.chat.clone();
        let went = desk.turn(&mut sent, &With::default(), &turn);
        if let Some(before) = agent.went_on.replace(went.run.clone()) {
            joined += 1;
            astray += usize::from(before != went.run);
        }
        agent.take(&turn, &result);
    }
    assert!(joined > 3_000 && astray * 100 <= joined, "{astray} of {joined} requests joined another run");
}
