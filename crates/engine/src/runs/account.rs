//! What a run, or one conversation of it, has come to: its sums, what is under way, and whether it is slowed or halted.

use std::collections::VecDeque;
use std::time::Duration;

use weir_units::{Moment, Tokens};

use super::ask::{RunOutcome, RunSettled};
use super::evidence::Evidence;
use super::settings::{Loops, ReleaseCaps};
use super::velocity::Pace;

/// The first gap that a slowed run keeps between its requests, and the longest.
const FIRST_GAP: Duration = Duration::from_secs(5);
const LONGEST_GAP: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) started: Moment,
    pub(super) requests: u32,
    pub(super) sdk_retries: u32,
    pub(super) weir_retries: u32,
    pub(super) tool_calls: u32,
    pub(super) input: Tokens,
    pub(super) output: Tokens,
    /// In nano-dollars.
    pub(super) cost: i64,
    pub(super) some_cost_unknown: bool,
    /// The dearest request so far, and the dearest per input token.
    dearest: i64,
    dearest_per_token: i64,
    pub(super) in_flight: u32,
    /// What the requests under way will cost if each is as dear as the dearest so far.
    pub(super) held: i64,
    /// When the last request ended.
    ended: Moment,
    pub(super) first_input: Option<Tokens>,
    pub(super) halted: Option<Box<Halted>>,
    pub(super) lane: Option<Box<Lane>>,
    pub(super) base: Option<Box<Base>>,
    pub(super) pace: Option<Box<Pace>>,
}

/// Why nothing goes any more.
#[derive(Clone, Debug)]
pub(super) struct Halted {
    pub(super) evidence: Evidence,
    /// The message in which the loop began: what branches off before it is another matter.
    pub(super) since: u32,
}

/// Those who wait to go one by one.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) gap: Duration,
    pub(super) waiting: VecDeque<u64>,
}

/// What was there at the last release, and what was allowed then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Base {
    pub(super) requests: u32,
    pub(super) cost: i64,
    pub(super) at: Moment,
    pub(super) caps: ReleaseCaps,
}

impl Halted {
    /// Whether it holds under guards that go so far.
    pub(super) fn binds(&self, loops: Loops) -> bool {
        loops == Loops::Halt || (loops > Loops::Off && self.evidence.detector.is_cap())
    }
}

impl Account {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            started: now,
            requests: 0,
            sdk_retries: 0,
            weir_retries: 0,
            tool_calls: 0,
            input: Tokens(0),
            output: Tokens(0),
            cost: 0,
            some_cost_unknown: false,
            dearest: 0,
            dearest_per_token: 0,
            in_flight: 0,
            held: 0,
            ended: Moment::ZERO,
            first_input: None,
            halted: None,
            lane: None,
            base: None,
            pace: None,
        }
    }

    /// A branch begins with what its path had come to where it branches off.
    pub(super) fn branch(&self, requests: u32, cost: i64) -> Self {
        Self {
            requests,
            cost,
            some_cost_unknown: self.some_cost_unknown,
            dearest: self.dearest,
            dearest_per_token: self.dearest_per_token,
            first_input: self.first_input,
            base: self.base.clone(),
            ..Self::new(self.started)
        }
    }

    /// What a request with so much input may cost, by the dearest so far.
    pub(super) fn likely(&self, input: Tokens) -> i64 {
        self.dearest.max(self.dearest_per_token.saturating_mul(i64::try_from(input.0).unwrap_or(i64::MAX)))
    }

    /// Whether any request's cost is known yet, or will not be known.
    pub(super) fn is_priced(&self) -> bool {
        self.dearest > 0 || self.some_cost_unknown
    }

    pub(super) fn begin(&mut self, held: i64) {
        self.in_flight += 1;
        self.held = self.held.saturating_add(held);
    }

    pub(super) fn end(&mut self, now: Moment, held: i64) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.held = self.held.saturating_sub(held).max(0);
        self.ended = now;
    }

    pub(super) fn book(&mut self, settled: &RunSettled<'_>, input: Tokens) {
        self.weir_retries = self.weir_retries.saturating_add(settled.attempts.saturating_sub(1));
        self.input += settled.usage.input;
        self.output += settled.usage.output;
        if let Some(addition) = settled.addition {
            let calls = addition.actions.iter().filter(|action| action.tool.is_some()).count();
            self.tool_calls = self.tool_calls.saturating_add(u32::try_from(calls).unwrap_or(u32::MAX));
        }
        match settled.cost {
            Some(cost) => {
                let cost = cost.0.max(0);
                self.cost = self.cost.saturating_add(cost);
                self.dearest = self.dearest.max(cost);
                if settled.outcome == RunOutcome::Answered && input.0 > 0 {
                    let tokens = i64::try_from(input.0).unwrap_or(i64::MAX);
                    self.dearest_per_token = self.dearest_per_token.max(cost / tokens);
                }
            }
            None => self.some_cost_unknown |= settled.attempts > 0,
        }
    }

    /// When its last request ended.
    pub(super) fn ended(&self) -> Moment {
        self.ended
    }

    /// When the next slowed request may go by the clock.
    pub(super) fn next_at(&self) -> Moment {
        let gap = self.lane.as_ref().map_or(FIRST_GAP, |lane| lane.gap);
        if self.ended == Moment::ZERO { Moment::ZERO } else { self.ended + gap }
    }

    pub(super) fn lane(&mut self) -> &mut Lane {
        self.lane.get_or_insert_with(|| Box::new(Lane { gap: FIRST_GAP, waiting: VecDeque::new() }))
    }

    /// A slowed request went: the next one waits for twice as long.
    pub(super) fn widen(&mut self) {
        let lane = self.lane();
        lane.gap = (lane.gap * 2).min(LONGEST_GAP);
    }

    /// A request went that nothing slows.
    pub(super) fn speed_up(&mut self) {
        if let Some(lane) = &mut self.lane {
            lane.gap = FIRST_GAP;
            if lane.waiting.is_empty() {
                self.lane = None;
            }
        }
    }

    /// Whoever waits for its turn first.
    pub(super) fn next_waiting(&self) -> Option<u64> {
        self.lane.as_ref()?.waiting.front().copied()
    }

    pub(super) fn leave_lane(&mut self, id: u64) {
        if let Some(lane) = &mut self.lane {
            lane.waiting.retain(|other| *other != id);
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let lane = self.lane.as_ref().map_or(0, |lane| 56 + lane.waiting.capacity() * 8);
        let halted = self.halted.as_ref().map_or(0, |_| size_of::<Halted>() + 192);
        let pace = self.pace.as_ref().map_or(0, |_| size_of::<Pace>() + 16);
        lane + halted + pace + self.base.as_ref().map_or(0, |_| size_of::<Base>() + 16)
    }
}
