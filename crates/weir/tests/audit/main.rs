//! Who may do what at the admin interface, what of it is on record, what is captured, and how requests
//! are found: against the real binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

#[path = "../faults/client.rs"]
#[expect(dead_code, reason = "not every part of the client is used here")]
mod client;
mod content;
#[path = "../live/mod.rs"]
#[expect(dead_code, reason = "not every part of the harness is used here")]
mod live;
mod log;
mod roles;
mod trace;
mod world;
