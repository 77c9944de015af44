//! What other tools wrote down of model calls, read line by line as records of ours.
//!
//! [`read`] takes an input of any kind and any size and gives out each [`Call`] that it tells. [`Tally`] adds calls up for the
//! questions of readiness and the report on waste, and [`InOrder`] makes records for the ledger of them.

mod call;
mod entry;
mod formats;
mod json;
mod order;
mod price;
mod read;
mod source;
mod tally;
pub mod values;

pub use call::{Call, Endpoint, Format, Limit, Text};
pub use order::InOrder;
pub use price::cost;
pub use read::{Damage, MapError, Names, Options, Progress, Report, read};
pub use source::{Packing, Unpacked, unpack};
pub use tally::Tally;
