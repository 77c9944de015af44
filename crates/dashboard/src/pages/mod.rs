//! The pages, a file each: from figures to what is shown. Each is a pure function, so a page can be tested without a server.

mod alerts;
mod capacity;
mod keys;
mod limits;
mod login;
mod overview;
mod parts;
mod plan;
mod providers;
mod readiness;
mod request;
mod requests;
mod runs;
mod spend;
#[cfg(test)]
mod tests;
mod waste;

pub use alerts::{alert, alerts};
pub use capacity::capacity;
pub use keys::{keys, new_key};
pub use limits::limits;
pub use login::{Refused, login};
pub use overview::{OverviewFigures, overview};
pub use parts::{fault, not_found};
pub use plan::{PlanFigures, plan};
pub use providers::{ProvidersFigures, providers};
pub use readiness::readiness;
pub use request::{around, request};
pub use requests::{FIELDS, RequestsFigures, newer, requests};
pub use runs::{run, runs};
pub use spend::{SpendFigures, apart, spend};
pub use waste::waste;
