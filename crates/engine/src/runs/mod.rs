//! Runs: which requests belong together, whether what they do is a loop, and what is done about it.
//!
//! A request joins its run by what its client says, else by its history: an API without state is sent the whole conversation
//! each time, so the longest known beginning tells which one it goes on from. The same history shows what the agent did and
//! what came of it. A run that repeats itself is told of, then slowed, then halted: only the run, never its key or its tenant.

mod account;
mod admit;
mod ask;
mod begin;
mod caps;
mod detectors;
mod evidence;
mod exchange;
mod firsts;
mod index;
mod joining;
mod ladder;
mod lookup;
mod path;
mod release;
mod run;
mod settings;
mod settle;
mod store;
mod velocity;
mod view;

pub use admit::{RunChange, Runs};
pub use ask::{Admission, Joined, RunAsk, RunOutcome, RunSettled, RunTicket, SessionId, SessionKind, Verdict};
pub use evidence::{Detector, Evidence};
pub use release::ReleaseError;
pub use settings::{Guards, Loops, ReleaseCaps, RunsSettings};
pub use view::{RunState, RunTree, RunView, RunsFilter, RunsPage, RunsSize};
