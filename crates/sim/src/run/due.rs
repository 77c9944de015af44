//! What is due when.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use weir_units::Moment;

use crate::gateway::CallId;
use crate::workload::Request;

/// One thing that is due. An attempt is named by its number within its call, so that what comes too late is known as such.
#[derive(Clone, Debug)]
pub(super) enum Due {
    /// A request arrives at its gateway.
    Arrive(Box<Request>),
    /// A client has thought enough.
    Think { workload: usize, client: u32 },
    /// A wait is over, that of the call's step of this number.
    Wake(CallId, u32),
    /// A client's patience is at its end.
    Leave(CallId),
    /// A gateway wants to be asked.
    Timer(usize),
    /// It is noted how full everything is.
    Sample,
    /// An attempt reaches its provider.
    Reach(CallId, u32),
    /// The provider has its first token.
    First(CallId, u32),
    /// What came out so far is charged.
    Meter(CallId, u32),
    /// The provider is done.
    Produced(CallId, u32),
    /// The first token reaches the gateway.
    Content(CallId, u32),
    /// The end of an attempt reaches the gateway.
    End(CallId, u32),
}

impl Due {
    /// What it is and whom it is about, for the hash.
    pub(super) fn figures(&self) -> (u8, u64) {
        match self {
            Self::Arrive(request) => (0, request.input.0 ^ request.output.0.rotate_left(32)),
            Self::Think { workload, client } => (1, (*workload as u64).rotate_left(32) ^ u64::from(*client)),
            Self::Wake(call, _) => (2, call.0),
            Self::Leave(call) => (3, call.0),
            Self::Timer(gateway) => (4, *gateway as u64),
            Self::Sample => (5, 0),
            Self::Reach(call, _) => (6, call.0),
            Self::First(call, _) => (7, call.0),
            Self::Meter(call, _) => (8, call.0),
            Self::Produced(call, _) => (9, call.0),
            Self::Content(call, _) => (10, call.0),
            Self::End(call, _) => (11, call.0),
        }
    }
}

/// All that is due, the earliest first; of one moment, what was put in first.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    heap: BinaryHeap<Entry>,
    number: u64,
}

#[derive(Debug)]
struct Entry {
    at: Moment,
    number: u64,
    due: Due,
}

impl Agenda {
    pub(super) fn put(&mut self, at: Moment, due: Due) {
        self.heap.push(Entry { at, number: self.number, due });
        self.number += 1;
    }

    pub(super) fn pop(&mut self) -> Option<(Moment, Due)> {
        self.heap.pop().map(|entry| (entry.at, entry.due))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}
