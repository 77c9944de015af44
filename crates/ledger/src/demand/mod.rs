//! What was asked of each deployment, minute by minute, whether or not it was served: offered demand, which limits are planned
//! from. Counting only what was served would hide just the minutes in which a limit was reached.

mod cells;
mod offered;
mod read;
mod write;

use std::sync::Arc;

use weir_units::WallTime;

pub(crate) use cells::MinuteCells;
pub(crate) use offered::{Offer, Sign};
pub(crate) use write::{add, count_anew};

/// The numbers, in the database, of roll-ups of minutes and of hours.
pub(crate) const MINUTES: i64 = 6;
pub(crate) const HOURS: i64 = 7;

/// A call that takes longer than so many minutes is under way for these only.
const LONGEST: i64 = 60;

/// What was asked of a deployment in a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Requests.
    pub requests: u64,
    /// Input tokens, cached ones too.
    pub input: u64,
    /// Of those, what a cache had.
    pub cached_input: u64,
    /// Output tokens.
    pub output: u64,
    /// Milliseconds that calls were under way; divided by the span it is how many were in flight.
    pub busy_ms: u64,
    /// Of the requests, those that a limit kept waiting, sent elsewhere or refused.
    pub throttled: u64,
}

/// How finely demand is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DemandStep {
    /// By the minute, as far back as detail is kept.
    Minute,
    /// By the hour of UTC, as far back as there is anything.
    Hour,
}

/// Which demand is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemandQuery {
    /// From then on.
    pub from: WallTime,
    /// Before then.
    pub until: WallTime,
    /// How finely.
    pub step: DemandStep,
}

/// The demand of one deployment in one minute or hour. Spans in which nothing was asked have no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemandRow {
    /// What was meant to serve, `provider/model`.
    pub deployment: Arc<str>,
    /// When the span begins.
    pub at: WallTime,
    /// The whole span's.
    pub sum: Demand,
    /// The 95th percentile of its minutes, each count for itself; empty minutes are minutes.
    pub p95: Demand,
    /// The fullest of its minutes, each count for itself.
    pub peak: Demand,
}
