//! From bytes to records, one after the other: decompressed, cut into lines, elements of an array or rows, each of bounded size.

mod members;
mod records;
mod unpack;
mod utf16;

pub(crate) use records::{Record, Records};
pub use unpack::{Packing, Unpacked, unpack};
