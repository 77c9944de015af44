//! The capacity desk, live: figures of what is and will be asked for, made off the way of requests.

mod fleet;

pub use fleet::{InForce, fleet};
