//! Sums of each agent run, kept by the minute and the hour: what a run cost, and what of that served nobody.
//!
//! Other roll-ups do not know runs, of which there are too many. A time with more of them than one roll-up has is added up from
//! shorter ones, and at last from its requests.

mod cells;
mod read;
mod told;
mod write;

pub(crate) use cells::{RunCells, RunSums};
pub(crate) use told::Rolled;
pub use told::WastedRuns;
pub(crate) use write::{add, count_anew, unknown_hours};

use crate::rollup::Grain;

/// The numbers of these roll-ups in the database.
pub(crate) const MINUTES: i64 = 13;
pub(crate) const HOURS: i64 = 14;

/// The number of a grain's; days have none, since they would have as many runs as their hours.
fn number(grain: Grain) -> i64 {
    if grain == Grain::Minute { MINUTES } else { HOURS }
}
