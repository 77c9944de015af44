//! Stories of alerts, with literal times.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod ahead;
mod anything;
mod life;
mod restarts;
mod rules;
mod world;
