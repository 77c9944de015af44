//! What a run leaves behind: a line for each request, and how full everything was from time to time.

use std::time::Duration;

use weir_units::{Dimension, Limits, Moment, Tokens};

use crate::gateway::RefusedBy;
use crate::workload::Priority;

/// One request's story, as short as a report needs it: a day has millions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its workload, by its place in the scenario.
    pub workload: u32,
    /// How often its client had sent it before.
    pub retry: u32,
    /// Whether its client did not send it again.
    pub is_last: bool,
    /// When it came.
    pub at: Moment,
    /// When its client sent it first.
    pub first_at: Moment,
    /// How long it waited for capacity, in all.
    pub queued: Duration,
    /// How long the gateway said that it would, when it queued it first.
    pub predicted: Option<Duration>,
    /// How long it said then that it would not be in nine of ten cases.
    pub within: Option<Duration>,
    /// When its first token reached it.
    pub first_token_at: Option<Moment>,
    /// When it was over.
    pub ended_at: Moment,
    /// How.
    pub end: RecordEnd,
    /// The deployment it was sent to last, by its place in the world.
    pub deployment: Option<u32>,
    /// How often it was sent upstream.
    pub attempts: u32,
    /// How many of those were refused with a 429.
    pub refused_429: u32,
    /// Its input.
    pub input: Tokens,
    /// The output that reached it.
    pub output: Tokens,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordEnd {
    /// With a whole answer.
    Answered,
    /// With a refusal of the gateway's.
    RefusedByWeir(u16),
    /// With a refusal of a provider's.
    RefusedByProvider(u16),
    /// In the middle of its answer.
    Broken,
    /// Its client went away first.
    Left,
    /// The run was over first.
    Unfinished,
}

impl RecordEnd {
    pub(crate) fn refused(by: RefusedBy, status: u16) -> Self {
        match by {
            RefusedBy::Weir => Self::RefusedByWeir(status),
            RefusedBy::Provider => Self::RefusedByProvider(status),
        }
    }
}

/// How full everything was at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When.
    pub at: Moment,
    /// Each provider, in the scenario's order.
    pub providers: Vec<ProviderSample>,
    /// Requests that wait for capacity, by priority.
    pub queued: [u64; Priority::ALL.len()],
    /// Attempts so far that were refused with a 429.
    pub refused_429: u64,
    /// Attempts so far.
    pub attempts: u64,
}

/// How full one provider was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderSample {
    /// All that was charged so far, in the order of [`Dimension::ALL`]; of concurrent requests, those in flight.
    pub charged: [i64; Dimension::ALL.len()],
    /// The limits in force.
    pub limits: Limits,
}

/// All that a run leaves behind.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Each request, in the order in which they ended.
    pub records: Vec<Record>,
    /// From the beginning to the end, at even distances.
    pub samples: Vec<Sample>,
    /// The hash of all events.
    pub hash: u64,
    /// How many there were.
    pub events: u64,
    /// When the last was.
    pub ended_at: Moment,
}
