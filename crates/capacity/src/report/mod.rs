//! Reports for whoever owns the capacity: the weekly one, and the runbook of what users see when a provider is down.

mod document;
mod runbook;
mod weekly;

#[cfg(test)]
mod tests;

pub use document::{Block, Document};
pub use runbook::{Ladder, LadderRoute, runbook};
pub use weekly::{Decision, LimitMove, Seen, SpendLine, Weekly};
