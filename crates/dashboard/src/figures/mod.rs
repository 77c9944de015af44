//! What the pages show, as the admin API tells it. Pages are made from the same answers as programs get, so that no two
//! screens can disagree; a page's test is that its figures are those of the answer.

mod live;
mod money;
mod record;
mod runs;
mod series;

pub use live::{Deployment, Failure, FirstToken, Happened, Headroom, Limit, Live, Pool, Queue, Spent, Waiting};
pub use money::{Budget, Budgets, Key, Keys, Usage};
pub use record::{Attempt, Event, Record};
pub use runs::{Evidence, Run, Runs};
pub use series::{Apart, Counts, Quantiles, Series};

use weir_units::NanoUsd;

/// Reads dollars as the API writes them: a decimal in text; none is unknown.
fn nano(text: Option<&str>) -> Option<NanoUsd> {
    text.and_then(|text| text.parse().ok())
}
