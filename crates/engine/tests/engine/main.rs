//! The engine from outside: its table, its stories, what always holds, and the targets, in invented time.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod breakers;
mod clients;
mod limits;
mod properties;
mod queue;
mod refusals;
mod table;
mod targets;
mod town;
mod world;
