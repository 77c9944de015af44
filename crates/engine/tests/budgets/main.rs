//! Budgets from outside: their stories, what always holds against a naive model, and a thousand requests with kills.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod dice;
mod kills;
mod model;
mod stories;
mod world;
