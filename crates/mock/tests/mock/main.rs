//! The mock over real sockets: what it answers, and what it does wrong on order.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod answers;
mod client;
mod faults;
