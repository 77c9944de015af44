//! A conversation as a client keeps it, and a desk to which it is sent.

use std::sync::Arc;
use std::time::Duration;

use weir_engine::{
    Admission, Evidence, Guards, RunAsk, RunChange, RunOutcome, RunSettled, RunTicket, Runs, RunsSettings, SessionId,
    SessionKind, Verdict,
};
use weir_units::{ACTIONS, Action, Addition, History, Mark, Moment, NanoUsd, SKETCHES, Sketch, Tokens, Usage};

pub(crate) fn mark(text: &str) -> Mark {
    text.bytes().fold(Mark(text.len() as u64), |mark, byte| mark.then(Mark(byte.into())))
}

pub(crate) fn cents(cents: i64) -> NanoUsd {
    NanoUsd(cents * 10_000_000)
}

pub(crate) fn id(kind: SessionKind, text: &str) -> SessionId {
    SessionId { kind, mark: mark(text) }
}

/// What an assistant does in a turn.
#[derive(Clone, Debug)]
pub(crate) enum Turn {
    Says(String),
    /// A long text, with its sketch.
    SaysAtLength(String, u64),
    /// A tool and its arguments.
    Calls(Vec<(String, String)>),
}

pub(crate) fn says(text: &str) -> Turn {
    Turn::Says(text.to_owned())
}

pub(crate) fn calls(tool: &str, arguments: &str) -> Turn {
    Turn::Calls(vec![(tool.to_owned(), arguments.to_owned())])
}

/// A conversation, as its client sends it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chat {
    pub(crate) history: History,
}

impl Chat {
    pub(crate) fn new(system: &str) -> Self {
        Self { history: History { root: mark(system), ..History::default() } }
    }

    pub(crate) fn with(system: &str, user: &str) -> Self {
        let mut chat = Self::new(system);
        chat.user(user);
        chat
    }

    pub(crate) fn user(&mut self, text: &str) {
        self.history.messages.push(mark(&format!("user {text}")));
        if let Some(action) = self.history.actions.last_mut().filter(|action| action.tool.is_none()) {
            action.result.get_or_insert(mark(text));
        }
        self.history.received.push(mark(text));
    }

    /// The results of the last calls, in order.
    pub(crate) fn results(&mut self, results: &[&str]) {
        let open = self.history.actions.iter_mut().filter(|action| action.tool.is_some() && action.result.is_none());
        for (action, result) in open.zip(results) {
            action.result = Some(mark(result));
            if result.starts_with("error") {
                let letters: String = result.chars().filter(|c| !c.is_ascii_digit()).collect();
                action.error = Some(mark(&letters));
            }
        }
        for result in results {
            self.history.messages.push(mark(&format!("tool {result}")));
            self.history.received.push(mark(result));
        }
    }

    pub(crate) fn result(&mut self, result: &str) {
        self.results(&[result]);
    }

    /// What an answer adds.
    pub(crate) fn addition(&self, turn: &Turn) -> Addition {
        let message = mark(&format!("assistant {turn:?}"));
        let at = self.history.messages.len() as u32;
        let action = |tool, what| Action { message: at, tool, what, result: None, error: None };
        let (actions, tools, produced) = match turn {
            Turn::Says(text) | Turn::SaysAtLength(text, _) => {
                (vec![action(None, mark(text))], vec![], vec![mark(text)])
            }
            Turn::Calls(calls) => {
                let tools: Vec<Box<str>> = calls.iter().map(|(tool, _)| tool.as_str().into()).collect();
                let what = |(place, (tool, arguments)): (usize, &(String, String))| {
                    action(Some(place as u16), mark(&format!("{tool}({arguments})")))
                };
                let actions = calls.iter().enumerate().map(what).collect();
                (actions, tools, calls.iter().map(|(_, arguments)| mark(arguments)).collect())
            }
        };
        Addition { message, actions, tools, produced, useful: true }
    }

    pub(crate) fn answered(&mut self, turn: &Turn) {
        let addition = self.addition(turn);
        let history = &mut self.history;
        if let Turn::SaysAtLength(_, bits) = turn {
            history.sketches.push(Sketch { message: addition.actions[0].message, bits: *bits });
            let from = history.sketches.len().saturating_sub(SKETCHES);
            history.sketches.drain(..from);
        }
        history.messages.push(addition.message);
        history.turns += 1;
        history.received.clear();
        for action in addition.actions {
            let tool = action.tool.map(|tool| {
                let name = &addition.tools[usize::from(tool)];
                let known = history.tools.iter().position(|known| known == name).unwrap_or_else(|| {
                    history.tools.push(name.clone());
                    history.tools.len() - 1
                });
                history.tool_calls += 1;
                known as u16
            });
            history.actions.push(Action { tool, ..action });
        }
        let from = history.actions.len().saturating_sub(ACTIONS);
        history.earlier_actions += from as u32;
        history.actions.drain(..from);
    }

    /// Replaces all messages before the last `keep` by a summary, as agents do to save tokens.
    pub(crate) fn compacted(&self, keep: usize, summary: &str) -> Self {
        let from = self.history.messages.len() - keep;
        let mut chat = Self::with(&format!("{:?}", self.history.root), summary);
        chat.history.root = self.history.root;
        chat.history.messages.extend(&self.history.messages[from..]);
        let moved = |message: u32| (message as usize).checked_sub(from).map(|at| (at + 1) as u32);
        let actions = self.history.actions.iter();
        let actions = actions.filter_map(|action| Some(Action { message: moved(action.message)?, ..*action }));
        chat.history.actions = actions.collect();
        chat.history.tools.clone_from(&self.history.tools);
        chat.history.turns = chat.history.actions.len() as u32;
        chat.history.received.clone_from(&self.history.received);
        chat
    }
}

/// What comes with a request besides its history.
#[derive(Clone, Debug, Default)]
pub(crate) struct With<'a> {
    pub(crate) run: Option<&'a str>,
    pub(crate) parent: Option<&'a str>,
    pub(crate) ids: Vec<SessionId>,
    pub(crate) stateful: bool,
    pub(crate) sdk_retry: u32,
}

pub(crate) fn named(run: &str) -> With<'_> {
    With { run: Some(run), ..With::default() }
}

pub(crate) fn with_id(kind: SessionKind, text: &str) -> With<'static> {
    With { ids: vec![id(kind, text)], ..With::default() }
}

/// Runs, what their requests are held to, and the time.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) runs: Runs,
    pub(crate) guards: Guards,
    pub(crate) tenant: Arc<str>,
    pub(crate) now: Moment,
    pub(crate) cost: Option<NanoUsd>,
    pub(crate) input: Tokens,
    draw: u128,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self::of(RunsSettings::default())
    }

    pub(crate) fn of(settings: RunsSettings) -> Self {
        Self {
            runs: Runs::new(settings),
            guards: Guards::default(),
            tenant: "acme".into(),
            now: Moment(1_000_000_000),
            cost: Some(cents(1)),
            input: Tokens(1_000),
            draw: 0,
        }
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
    }

    pub(crate) fn admit(&mut self, chat: &Chat, with: &With<'_>) -> Admission {
        self.draw = self.draw.wrapping_mul(0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645).wrapping_add(0x9E37_79B9);
        let ask = RunAsk {
            tenant: &self.tenant,
            run: with.run,
            parent: with.parent,
            ids: &with.ids,
            history: Some(&chat.history),
            stateful: with.stateful,
            guards: &self.guards,
            sdk_retry: with.sdk_retry,
            input: self.input,
            draw: self.draw >> 40,
        };
        self.runs.admit(self.now, &ask)
    }

    pub(crate) fn answer(&mut self, ticket: RunTicket, addition: &Addition) {
        self.answer_as(ticket, addition, None);
    }

    pub(crate) fn answer_as(&mut self, ticket: RunTicket, addition: &Addition, response_id: Option<Mark>) {
        let usage = Usage { input: self.input, output: Tokens(100), ..Usage::default() };
        let (outcome, addition, cost) = (RunOutcome::Answered, Some(addition), self.cost);
        let settled = RunSettled { outcome, addition, attempts: 1, usage, cost, response_id };
        self.runs.settle(self.now, ticket, &settled);
    }

    pub(crate) fn fail(&mut self, ticket: RunTicket, attempts: u32) {
        let failed = RunSettled { outcome: RunOutcome::Failed, attempts, ..RunSettled::refused() };
        self.runs.settle(self.now, ticket, &failed);
    }

    pub(crate) fn refuse(&mut self, ticket: RunTicket) {
        self.runs.settle(self.now, ticket, &RunSettled::refused());
    }

    /// Sends a request and takes its answer into the conversation, after the wait that it is told; or is refused.
    pub(crate) fn turn(&mut self, chat: &mut Chat, with: &With<'_>, turn: &Turn) -> Went {
        self.pass(1);
        let mut admission = self.admit(chat, with);
        let mut waited = Duration::ZERO;
        let mut verdict = admission.verdict;
        let mut warned = None;
        while let Verdict::Wait { until, evidence } = verdict {
            let until = until.expect("nothing else is under way");
            waited += until.since(self.now);
            self.now = until;
            warned = Some(evidence);
            verdict = self.runs.resume(self.now, &mut admission.ticket);
        }
        let run = admission.run.clone();
        if let Verdict::Halt(evidence) = verdict {
            self.refuse(admission.ticket);
            return Went { run, joined: admission.joined, halted: Some(evidence), warned: None, waited };
        }
        if let Verdict::Warn(evidence) = verdict {
            warned = Some(evidence);
        }
        self.answer(admission.ticket, &chat.addition(turn));
        chat.answered(turn);
        Went { run, joined: admission.joined, halted: None, warned, waited }
    }

    pub(crate) fn changes(&mut self) -> Vec<RunChange> {
        self.runs.take_changes()
    }
}

/// What became of a request.
#[derive(Debug)]
pub(crate) struct Went {
    pub(crate) run: Arc<str>,
    pub(crate) joined: weir_engine::Joined,
    pub(crate) halted: Option<Evidence>,
    pub(crate) warned: Option<Evidence>,
    pub(crate) waited: Duration,
}

/// Numbers from a seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        Mark(self.0).then(Mark(7)).0 % bound
    }
}
