//! First requests that nobody named: most of them are followed by nothing, so they are kept small, and only the last ones.
//!
//! Each has a slot in a ring, with what a run would have to know of it if another request came after all. The ring's index
//! costs no search: a slot brings the places of its own marks, which are chained by the low bits of the mark.

use weir_units::{Addition, Mark, Moment, NanoUsd, Tokens, Usage};

use super::ask::{RunOutcome, RunSettled, RunTicket};
use super::path::TEXTS;

const NONE: u32 = u32::MAX;

/// The marks of a slot: of the request, of its answer, of the answer's id, of both as an end, and of the answer's texts.
const MARKS: usize = 4 + TEXTS;
const FULL: usize = 0;
pub(super) const TIP: usize = 1;
pub(super) const RESPONSE: usize = 2;
pub(super) const END: usize = 3;
pub(super) const PRODUCED: usize = 4;

/// What a slot takes, with its share of the index.
pub(super) const SLOT_BYTES: u64 = (size_of::<Option<First>>() + MARKS * size_of::<Node>() + 24) as u64;

/// A first request, and what became of it.
#[derive(Clone, Debug)]
pub(super) struct First {
    /// Tells it from those that had its slot before.
    pub(super) serial: u64,
    pub(super) tenant: u32,
    pub(super) at: Moment,
    /// What its name is made of.
    pub(super) draw: u128,
    pub(super) ticket: u64,
    pub(super) input: Tokens,
    pub(super) full: Mark,
    pub(super) last: [Mark; 2],
    pub(super) messages: u32,
    /// None while it is under way.
    pub(super) end: Option<End>,
}

/// How a first request ended.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) at: Moment,
    pub(super) outcome: RunOutcome,
    pub(super) attempts: u32,
    pub(super) input: Tokens,
    pub(super) output: Tokens,
    pub(super) cost: Option<NanoUsd>,
    pub(super) response_id: Option<Mark>,
    pub(super) said: Option<Said>,
}

/// What of an answer is needed if the conversation goes on.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) message: Mark,
    produced: [Mark; TEXTS],
    texts: u8,
    pub(super) calls: u32,
    pub(super) useful: bool,
}

impl Said {
    pub(super) fn of(addition: &Addition) -> Self {
        let mut produced = [Mark::default(); TEXTS];
        let texts = addition.produced.len().min(TEXTS);
        produced[..texts].copy_from_slice(&addition.produced[..texts]);
        let calls = addition.actions.iter().filter(|action| action.tool.is_some()).count();
        let calls = u32::try_from(calls).unwrap_or(u32::MAX);
        Self { message: addition.message, produced, texts: texts as u8, calls, useful: addition.useful }
    }

    pub(super) fn produced(&self) -> &[Mark] {
        &self.produced[..usize::from(self.texts)]
    }
}

impl End {
    pub(super) fn of(now: Moment, settled: &RunSettled<'_>) -> Self {
        Self {
            at: now,
            outcome: settled.outcome,
            attempts: settled.attempts,
            input: settled.usage.input,
            output: settled.usage.output,
            cost: settled.cost,
            response_id: settled.response_id,
            said: settled.addition.map(Said::of),
        }
    }

    pub(super) fn usage(&self) -> Usage {
        Usage { input: self.input, output: self.output, ..Usage::default() }
    }

    pub(super) fn was_sent(&self) -> bool {
        self.attempts > 0 || self.outcome == RunOutcome::Answered
    }
}

impl First {
    /// The ticket that it was admitted with, as one of the conversation at `path`.
    pub(super) fn ticket(&self, path: u32, serial: u64) -> RunTicket {
        RunTicket {
            id: self.ticket,
            path,
            serial,
            counted: true,
            input: self.input,
            full: Some(self.full),
            last: self.last,
            messages: self.messages,
            ..RunTicket::of_nothing()
        }
    }
}

/// The last first requests.
#[derive(Debug, Default)]
pub(super) struct Firsts {
    /// At most so many are kept.
    most: usize,
    slots: Vec<Option<First>>,
    /// How many slots hold something.
    held: usize,
    /// The serial of the next one, and of the oldest that may still be there.
    next: u64,
    oldest: u64,
    nodes: Vec<Node>,
    heads: Vec<u32>,
}

/// A mark of a slot, and its neighbours in the chain of those whose low bits are equal.
#[derive(Clone, Copy, Debug)]
struct Node {
    key: u64,
    before: u32,
    behind: u32,
}

impl Firsts {
    /// Keeps at most `most` from now on. What was there is given back where that changes.
    pub(super) fn keep(&mut self, most: usize) -> Vec<First> {
        if most == self.most {
            return Vec::new();
        }
        let all = std::mem::take(self);
        let heads = if most == 0 { 0 } else { (4 * most).next_power_of_two() };
        *self = Self { most, next: all.next, oldest: all.next, heads: vec![NONE; heads], ..Self::default() };
        let mut firsts: Vec<First> = all.slots.into_iter().flatten().collect();
        firsts.sort_unstable_by_key(|first| first.serial);
        firsts
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }

    pub(super) fn len(&self) -> usize {
        self.held
    }

    pub(super) fn bytes(&self) -> u64 {
        self.held as u64 * SLOT_BYTES
    }

    fn slot(&self, serial: u64) -> usize {
        (serial % self.most.max(1) as u64) as usize
    }

    /// The one whose slot is next, if it is to make room.
    pub(super) fn outgoing(&self) -> Option<u64> {
        self.slots.get(self.slot(self.next))?.as_ref().map(|first| first.serial)
    }

    /// Adds one under the mark of its request, in the place of what its slot held; its serial.
    pub(super) fn add(&mut self, mut first: First, full: u64) -> u64 {
        let serial = self.next;
        self.next += 1;
        first.serial = serial;
        let slot = self.slot(serial);
        if slot >= self.slots.len() {
            self.slots.push(None);
            self.nodes.extend([Node { key: 0, before: NONE, behind: NONE }; MARKS]);
        }
        self.clear(slot);
        self.slots[slot] = Some(first);
        self.held += 1;
        self.link(slot, FULL, full);
        serial
    }

    pub(super) fn get(&self, serial: u64) -> Option<&First> {
        self.slots.get(self.slot(serial))?.as_ref().filter(|first| first.serial == serial)
    }

    pub(super) fn get_mut(&mut self, serial: u64) -> Option<&mut First> {
        let slot = self.slot(serial);
        self.slots.get_mut(slot)?.as_mut().filter(|first| first.serial == serial)
    }

    /// Takes one out.
    pub(super) fn take(&mut self, serial: u64) -> Option<First> {
        self.get(serial)?;
        self.clear(self.slot(serial))
    }

    /// The oldest one.
    pub(super) fn oldest(&mut self) -> Option<&First> {
        self.oldest = self.oldest.max(self.next.saturating_sub(self.most as u64));
        while self.oldest < self.next && self.get(self.oldest).is_none() {
            self.oldest += 1;
        }
        self.get(self.oldest)
    }

    /// All of them, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &First> {
        let from = self.next.saturating_sub(self.most as u64);
        (from..self.next).filter_map(|serial| self.get(serial))
    }

    /// Those that have this mark.
    pub(super) fn with(&self, key: u64) -> impl Iterator<Item = &First> {
        self.chain(key).filter_map(|node| self.slots.get(node as usize / MARKS)?.as_ref())
    }

    /// Lets one be found by a further mark.
    pub(super) fn mark(&mut self, serial: u64, kind: usize, key: u64) {
        if self.get(serial).is_some() {
            self.link(self.slot(serial), kind, key);
        }
    }

    /// Lets nobody be found by this mark any more.
    pub(super) fn unmark(&mut self, key: u64) {
        loop {
            let Some(node) = self.chain(key).next() else { return };
            self.unlink(node as usize);
        }
    }

    fn clear(&mut self, slot: usize) -> Option<First> {
        let first = self.slots.get_mut(slot)?.take()?;
        self.held -= 1;
        for node in slot * MARKS..(slot + 1) * MARKS {
            self.unlink(node);
        }
        Some(first)
    }

    fn head(&self, key: u64) -> usize {
        key as usize & (self.heads.len().max(1) - 1)
    }

    fn chain(&self, key: u64) -> impl Iterator<Item = u32> {
        let mut at = self.heads.get(self.head(key)).copied().unwrap_or(NONE);
        std::iter::from_fn(move || {
            while let Some(node) = self.nodes.get(at as usize) {
                let here = std::mem::replace(&mut at, node.behind);
                if node.key == key {
                    return Some(here);
                }
            }
            None
        })
    }

    fn link(&mut self, slot: usize, kind: usize, key: u64) {
        let node = slot * MARKS + kind;
        self.unlink(node);
        let head = self.head(key);
        let behind = std::mem::replace(&mut self.heads[head], node as u32);
        self.nodes[node] = Node { key, before: NONE, behind };
        if let Some(behind) = self.nodes.get_mut(behind as usize) {
            behind.before = node as u32;
        }
    }

    fn unlink(&mut self, node: usize) {
        let Node { key, before, behind } =
            std::mem::replace(&mut self.nodes[node], Node { key: 0, before: NONE, behind: NONE });
        if key == 0 {
            return;
        }
        match self.nodes.get_mut(before as usize) {
            Some(before) => before.behind = behind,
            None => {
                let head = self.head(key);
                self.heads[head] = behind;
            }
        }
        if let Some(behind) = self.nodes.get_mut(behind as usize) {
            behind.before = before;
        }
    }
}
