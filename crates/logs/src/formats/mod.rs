//! What tools write down, each form in a file of its own, read into calls.

mod access;
mod csv;
mod decoder;
mod errors;
mod litellm;
mod node;
mod object;
mod otlp;
mod pairs;
mod providers;
mod python;

pub(crate) use decoder::{Decoder, Verdict};
pub(crate) use object::Mapping;
