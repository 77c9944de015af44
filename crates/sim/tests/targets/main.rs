//! The targets of docs/policy.md for limits and queues, each as a run in invented time that is long enough to show it.
//!
//! The long runs are in `soak.rs`.

mod limits;
mod queues;
mod runs;
mod town;
