//! Budgets hold, end to end: `weir serve` as somebody runs it, before a mock that keeps a bill of its own.
//!
//! The mock shares no code with what reads its answers, and its bill counts whatever became of the gateway. Prices are whole
//! nano-dollars a token, so that the bill is exact however it is added up.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod answers;
#[path = "../../../engine/tests/budgets/dice.rs"]
mod dice;
mod limits;
mod restarts;
mod world;
