//! What a run costs per request: joining, judging and settling one with a history of 100 messages, among 200,000 runs.
//!
//! `cargo bench -p weir-engine --bench runs`. A few microseconds are expected; reading the history is not among them.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use weir_engine::{Guards, RunAsk, RunOutcome, RunSettled, Runs, RunsSettings, Verdict};
use weir_units::{ACTIONS, Action, Addition, History, Mark, Moment, NanoUsd, Tokens, Usage};

const RUNS: u64 = 200_000;

fn mark(run: u64, at: u64) -> Mark {
    Mark(run).then(Mark(at))
}

/// A history of so many messages, every second of them a call of a tool, the last one its result.
fn history(run: u64, messages: u32) -> History {
    let calls = (1..messages.saturating_sub(1)).step_by(2);
    let action = |message: u32| {
        let (what, result) = (mark(run, 1_000 + u64::from(message)), Some(mark(run, 2_000 + u64::from(message))));
        Action { message, tool: Some(0), what, result, error: None }
    };
    let all: Vec<Action> = calls.map(action).collect();
    let from = all.len().saturating_sub(ACTIONS);
    History {
        root: Mark(7),
        messages: (0..messages).map(|at| mark(run, at.into())).collect(),
        turns: all.len() as u32,
        tool_calls: all.len() as u32,
        actions: all[from..].to_vec(),
        earlier_actions: from as u32,
        tools: vec!["read_file".into()],
        sketches: Vec::new(),
        received: vec![mark(run, 5_000 + u64::from(messages))],
    }
}

fn addition(run: u64, messages: u32) -> Addition {
    let what = mark(run, 1_000 + u64::from(messages));
    let actions = vec![Action { message: messages, tool: Some(0), what, result: None, error: None }];
    let (message, produced) = (mark(run, messages.into()), vec![what]);
    Addition { message, actions, tools: vec!["read_file".into()], produced, useful: true }
}

struct Desk {
    runs: Runs,
    guards: Guards,
    tenant: Arc<str>,
    now: Moment,
}

impl Desk {
    /// One request, answered at once.
    fn request(&mut self, run: u64, history: &History, addition: &Addition) {
        self.now = self.now + Duration::from_millis(1);
        let ask = RunAsk {
            tenant: &self.tenant,
            run: None,
            parent: None,
            ids: &[],
            history: Some(history),
            stateful: false,
            guards: &self.guards,
            sdk_retry: 0,
            input: Tokens(10_000),
            draw: u128::from(mark(run, 9_000).0),
        };
        let admission = self.runs.admit(self.now, black_box(&ask));
        assert_eq!(admission.verdict, Verdict::Go);
        let settled = RunSettled {
            outcome: RunOutcome::Answered,
            addition: Some(addition),
            attempts: 1,
            usage: Usage { input: Tokens(10_000), output: Tokens(100), ..Usage::default() },
            cost: Some(NanoUsd(1_000)),
            response_id: None,
        };
        self.runs.settle(self.now, admission.ticket, &settled);
    }
}

fn among_many(c: &mut Criterion) {
    let (runs, now) = (Runs::new(RunsSettings::default()), Moment(1));
    let mut desk = Desk { runs, guards: Guards::default(), tenant: "acme".into(), now };
    for run in 0..RUNS {
        desk.request(run, &history(run, 1), &addition(run, 1));
    }
    let mut next = 0;
    let mut a_run = move || {
        next = (next + 7_919) % RUNS;
        next
    };
    for messages in [3, 101] {
        c.bench_function(&format!("admit and settle with {messages} messages, beginning not known"), |b| {
            let made = || {
                let run = RUNS + a_run();
                (run, history(run, messages), addition(run, messages))
            };
            b.iter_batched(
                made,
                |(run, history, addition)| desk.request(run, &history, &addition),
                BatchSize::SmallInput,
            );
        });
    }
    // What most services send: a first request that nobody named, and that nothing follows.
    c.bench_function("admit and settle a first request", |b| {
        let mut run = 2 * RUNS;
        let made = || {
            run += 1;
            (run, history(run, 1), addition(run, 1))
        };
        b.iter_batched(made, |(run, history, addition)| desk.request(run, &history, &addition), BatchSize::SmallInput);
    });
    // One conversation that goes on by two messages each time, from 100 of them, over and over.
    let long: Vec<(History, Addition)> =
        (0..200).map(|n| (history(3, 101 + 2 * n), addition(3, 101 + 2 * n))).collect();
    let mut at = 0;
    c.bench_function("admit and settle with a hundred messages and more, going on", |b| {
        b.iter(|| {
            at = (at + 1) % long.len();
            let (history, addition) = &long[at];
            desk.request(3, history, addition);
        });
    });
}

criterion_group!(benches, among_many);
criterion_main!(benches);
