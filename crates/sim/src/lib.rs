//! Models of what lies around the engine, without clock or socket: for now a provider's latency, limits and faults.
//!
//! They are pure because the same model is played twice: over HTTP by `mock`, where a test waits for it, and in invented
//! time, where a day passes in minutes and a seed replays it to the bit.

mod bucket;
mod fault;
mod profile;
mod provider;

pub use bucket::{Bucket, Gauge};
pub use fault::{Extent, FaultError, FaultOrder, Standing};
pub use profile::{Latency, Limits, Profile};
pub use provider::{Arrival, Charge, Flaw, Plan, Provider, Rejection, RejectionKind, Serving};
