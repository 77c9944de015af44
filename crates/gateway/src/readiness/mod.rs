//! Readiness: what the configuration says and the ledger has, as the evidence that the seven questions are answered from.

mod agents;
mod drill;
mod gather;
mod limits;
mod setup;

pub use drill::prove;
pub use gather::{Gathered, gather, without_ledger};
pub use limits::stated;
pub use setup::setup;
