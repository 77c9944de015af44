//! Alerts end to end: `weir serve` as somebody runs it, a provider that fails on order, and somebody who is told over HTTP.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

#[path = "../faults/client.rs"]
#[expect(dead_code, reason = "these tests need less of it than the fault matrix")]
mod client;
#[path = "../live/mod.rs"]
mod live;
mod report;
mod rules;
mod sink;
mod telling;
mod world;
