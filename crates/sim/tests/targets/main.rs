//! The targets of docs/policy.md for limits and queues, each as a run in invented time that is long enough to show it.
//!
//! The long runs are in `soak.rs`.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]
#![expect(clippy::print_stdout, reason = "figures that miss a target are wanted with it")]

mod limits;
mod queues;
mod runs;
mod slots;
mod town;
