//! Readiness: what the configuration says and the ledger has, as the evidence that the seven questions are answered from.

mod agents;
mod drill;
mod gather;
mod live;
mod sending;
mod setup;
mod weekly;

pub(crate) use live::{Figures, serve, watch};
pub(crate) use sending::watch as send_weekly;

pub use drill::prove;
pub use gather::{Gathered, gather, without_ledger};
pub use setup::setup;
pub use weekly::{ladder, weekly};
