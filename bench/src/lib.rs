//! What measures Weir: an upstream that answers at once, and clients that ask for a while and count.
//!
//! Both share a core while the proxy under test has another, so whatever they spend is load that the proxy does not see. That
//! is why neither uses an HTTP library: a message is read by [`message`] from the bytes as they come, and written as bytes that
//! were made once.

pub mod load;
pub mod message;
pub mod open;
pub mod samples;
pub mod upstream;
