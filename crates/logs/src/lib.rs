//! What other tools wrote down of model calls, read line by line as records of ours.

mod call;
mod formats;
mod json;
mod read;
mod source;
pub mod values;

pub use call::{Call, Endpoint, Format, Limit, Text};
pub use read::{Damage, MapError, Names, Options, Progress, Report, read};
pub use source::{Packing, Unpacked, unpack};
