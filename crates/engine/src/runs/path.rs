//! One conversation of a run: from its beginning, or from where it branched off, to its last answer.

use weir_units::{ACTIONS, Action, Addition, History, Mark, Moment, Tokens};

use super::account::Account;
use super::ask::Joined;
use super::evidence::Level;
use super::exchange::Exchange;

/// How many answers are remembered of a conversation: its first, and the last ones. What goes on from another one is not
/// recognised by its beginning.
const TIPS: usize = 8;

/// How many ids are remembered of a conversation, and how many texts of its last answer.
pub(super) const IDS: usize = 8;
pub(super) const TEXTS: usize = 4;

#[derive(Debug)]
pub(super) struct Path {
    pub(super) run: u32,
    pub(super) tenant: u32,
    /// The first conversation of a run has number 1.
    pub(super) number: u32,
    /// Tells it from others that had its place before.
    pub(super) serial: u64,
    /// The number of the conversation that it branched off; 0 if none.
    pub(super) branch_of: u32,
    pub(super) depth: u32,
    pub(super) joined: Joined,
    pub(super) account: Account,
    pub(super) tips: Vec<Tip>,
    /// The input tokens of its last answered request, as its provider counted them.
    pub(super) last_input: Tokens,
    pub(super) inputs: Inputs,
    /// How many of its requests are not settled yet.
    pub(super) open: u32,
    /// The last request that was counted.
    pub(super) last: Last,
    /// The key of its end in the index; 0 if none.
    pub(super) end: u64,
    pub(super) ids: Vec<u64>,
    /// The keys of what it said last.
    pub(super) produced: Vec<u64>,
    /// What it says with others.
    pub(super) exchange: Option<Box<Exchange>>,
    pub(super) tail: Option<Box<Tail>>,
    /// How many messages its last request had, and how many of them detectors leave alone since a release.
    pub(super) seen: u32,
    pub(super) forgiven: u32,
    /// What was told of it last.
    pub(super) told: Level,
    /// The neighbours in its tenant's order of use.
    pub(super) older: u32,
    pub(super) newer: u32,
    pub(super) used: Moment,
    /// What it was last reckoned to take beside its own size.
    pub(super) weight: u32,
}

/// How many of a conversation's last requests must have had something for it to be old.
const OLD: usize = 5;

/// The input tokens of a conversation's first answered request, and of its last ones.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Inputs {
    first: u32,
    last: [u32; OLD],
}

impl Inputs {
    /// Takes the input of an answered request.
    pub(super) fn add(&mut self, input: Tokens) {
        let input = u32::try_from(input.0).unwrap_or(u32::MAX);
        if self.first == 0 {
            self.first = input;
        }
        self.last.rotate_left(1);
        self.last[OLD - 1] = input;
    }

    /// What all of the last ones had beyond the first. A client that cleared its history has the less of it.
    pub(super) fn stale(&self) -> Tokens {
        let least = self.last.iter().copied().min().unwrap_or(0);
        Tokens(u64::from(least.saturating_sub(self.first)))
    }
}

/// The last request of a conversation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Last {
    /// Its key in the index; 0 if none.
    pub(super) key: u64,
    /// When it was sent, or ended without an answer.
    pub(super) at: Moment,
    pub(super) is_answered: bool,
    /// It was refused, or given up before it was sent: sent again it is no retry.
    pub(super) is_void: bool,
}

/// A history up to an answer, and what its path had come to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tip {
    pub(super) mark: Mark,
    /// The key of the answer's id; 0 if none.
    pub(super) response: u64,
    pub(super) messages: u32,
    pub(super) requests: u32,
    pub(super) cost: i64,
}

impl Path {
    pub(super) fn new(run: u32, tenant: u32, number: u32, depth: u32, joined: Joined, account: Account) -> Self {
        Self {
            run,
            tenant,
            number,
            serial: 0,
            branch_of: 0,
            depth,
            joined,
            account,
            tips: Vec::new(),
            last_input: Tokens(0),
            inputs: Inputs::default(),
            open: 0,
            last: Last::default(),
            end: 0,
            ids: Vec::new(),
            produced: Vec::new(),
            exchange: None,
            tail: None,
            seen: 0,
            forgiven: 0,
            told: Level::Go,
            older: u32::MAX,
            newer: u32::MAX,
            used: Moment::ZERO,
            weight: 0,
        }
    }

    /// Remembers an answer; gives back one that is forgotten for it.
    pub(super) fn add_tip(&mut self, tip: Tip) -> Option<Tip> {
        let out = (self.tips.len() >= TIPS).then(|| self.tips.remove(1));
        if self.tips.len() == self.tips.capacity() {
            self.tips.reserve_exact(if self.tips.is_empty() { 2 } else { TIPS - self.tips.len() });
        }
        self.tips.push(tip);
        out
    }

    /// Whether the answer with this mark is the last one, and nothing goes on from it yet.
    pub(super) fn is_at_tip(&self, tip: usize) -> bool {
        // A request that was sent twice may be answered twice, and either answer is the last one.
        let is_last = self.tips.last().zip(self.tips.get(tip)).is_some_and(|(last, tip)| last.messages == tip.messages);
        is_last && self.open == 0
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let vec = |capacity: usize, each: usize| if capacity == 0 { 0 } else { capacity * each + 16 };
        vec(self.tips.capacity(), size_of::<Tip>())
            + vec(self.ids.capacity(), 8)
            + vec(self.produced.capacity(), 8)
            + self.exchange.as_ref().map_or(0, |exchange| exchange.heap_bytes())
            + self.tail.as_ref().map_or(0, |tail| tail.heap_bytes())
            + self.account.heap_bytes()
    }
}

/// The last actions of a conversation whose history is with the provider, from its answers and the results that come.
#[derive(Debug, Default)]
pub(super) struct Tail {
    actions: Vec<Action>,
    tools: Vec<Box<str>>,
    turns: u32,
}

impl Tail {
    /// Adds what an answer does.
    pub(super) fn add(&mut self, addition: &Addition) {
        self.turns += 1;
        for action in &addition.actions {
            let name = action.tool.and_then(|tool| addition.tools.get(usize::from(tool)));
            let tool = name.and_then(|name| self.tool(name));
            if self.actions.len() >= ACTIONS {
                self.actions.remove(0);
            }
            self.actions.push(Action { message: self.turns, tool, result: None, error: None, ..*action });
        }
    }

    /// Takes what came of the last answer: where the request says it of each call, that; else all that it brings.
    pub(super) fn answer(&mut self, history: &History) {
        let all = history.received.iter().copied().reduce(Mark::then);
        for action in self.actions.iter_mut().rev().take_while(|action| action.message == self.turns) {
            if action.result.is_some() {
                continue;
            }
            let same = history.actions.iter().rev().find(|known| known.what == action.what);
            action.result = same.and_then(|known| known.result).or(all);
            action.error = same.and_then(|known| known.error);
        }
    }

    pub(super) fn actions(&self) -> &[Action] {
        &self.actions
    }

    pub(super) fn tools(&self) -> &[Box<str>] {
        &self.tools
    }

    /// The number of a tool. A conversation that uses more than a few dozen has the rest without a name.
    fn tool(&mut self, name: &str) -> Option<u16> {
        const MOST: usize = 64;
        let at = self.tools.iter().position(|known| **known == *name).or_else(|| {
            (self.tools.len() < MOST).then(|| {
                self.tools.push(name.chars().take(64).collect());
                self.tools.len() - 1
            })
        });
        at.and_then(|at| u16::try_from(at).ok()).or(Some(u16::MAX))
    }

    fn heap_bytes(&self) -> usize {
        let names: usize = self.tools.iter().map(|name| name.len() + 16).sum();
        size_of::<Self>() + self.actions.capacity() * size_of::<Action>() + self.tools.capacity() * 16 + names + 48
    }
}

impl Tip {
    pub(super) fn key(&self, tenant: u32) -> u64 {
        super::index::key(super::index::Kind::Tip, tenant, self.mark)
    }
}
