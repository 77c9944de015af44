//! From bytes to records, one after the other: decompressed, cut into lines, elements of an array or rows, each of bounded size.

mod records;
mod unpack;

pub(crate) use records::{Record, Records};
pub use unpack::{Packing, Unpacked, unpack};
