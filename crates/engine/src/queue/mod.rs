//! The queue in front of the limits: who waits, in which order they go, and what is said to who cannot go in time.
//!
//! Deployments whose limits hang together share a queue. In it, three classes share capacity by weight, so none starves;
//! within a class, tenants share by the tokens that they were served (virtual token counter: Sheng et al., "Fairness in
//! Serving Large Language Models", OSDI 2024), corrected when the real count is known; within a tenant, the earliest deadline
//! goes first. A request that does not fit lets smaller ones pass for a while, then the limit is saved up for it.

mod calibration;
mod dispatch;
mod line;
mod place;
mod predict;

use std::collections::{BTreeMap, BTreeSet};

use weir_units::{Dimension, Moment};

use crate::ask::Priority;
use crate::limits::{ChargeModel, Cost, Hold, PoolId};
use crate::memory::Handle;
pub(crate) use line::Line;
pub use line::QueueView;
pub(crate) use place::{Full, Place};

/// All queues, and all who wait in them.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// In boxes, as the tickets: a tree moves what it holds, and a line is taken out while it is worked on.
    pub(crate) lines: BTreeMap<PoolId, Box<Line>>,
    pub(crate) tickets: BTreeMap<u64, Box<Ticket>>,
    next_ticket: u64,
    waiting: usize,
    bytes: u64,
    /// Who was let go and has not come for it yet, and when.
    granted: BTreeSet<(Moment, u64)>,
    /// Tickets of those who have something to hear.
    woken: Vec<u64>,
}

/// One request that waits.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) line: PoolId,
    pub(crate) deployment: Handle,
    pub(crate) pools: [Option<Handle>; 3],
    pub(crate) tenant: Handle,
    pub(crate) weight: u32,
    /// What it was asked as, which limits keep to.
    pub(crate) priority: Priority,
    /// What it counts as; age raises it.
    pub(crate) class: Priority,
    pub(crate) cost: Cost,
    pub(crate) charge: ChargeModel,
    pub(crate) bytes: u64,
    /// What comes first within a tenant.
    pub(crate) order: Moment,
    pub(crate) since: Moment,
    pub(crate) until: Moment,
    /// Another deployment could take over: then a provider's refusal is not waited out for long.
    pub(crate) alternative: bool,
    pub(crate) ages_at: Moment,
    /// How long it will take by who stands in line, how long by experience, and how long at most in nine of ten cases.
    pub(crate) reckoned: u64,
    pub(crate) predicted: u64,
    pub(crate) within: u64,
    /// Whose limit is in its way, and which.
    pub(crate) waits_for: (Option<Handle>, Dimension),
    /// How many went before it although it was their turn's end, and since when it does not fit.
    pub(crate) bypassed: u32,
    pub(crate) blocked_since: Option<Moment>,
    pub(crate) state: State,
}

/// What became of a request that waits.
#[derive(Clone, Debug)]
pub(crate) enum State {
    Waiting,
    /// It has what it needs, and goes as soon as it asks.
    Granted(Box<Hold>),
    /// Its time is over.
    Expired,
    /// Others needed its place more.
    Shed,
}

/// A service that tenants share, in tokens: four for one of output, as prices mostly are.
pub(crate) fn work(cost: &Cost) -> u64 {
    let output = cost.get(Dimension::OutputTokensPerMinute);
    cost.get(Dimension::InputTokensPerMinute).saturating_add(output.saturating_mul(4)).max(1)
}

/// What a served class is charged for the same work: capacity is shared by 16 : 4 : 1.
pub(crate) fn class_weight(class: Priority) -> u64 {
    match class {
        Priority::Interactive => 16,
        Priority::Standard => 4,
        Priority::Batch => 1,
    }
}
