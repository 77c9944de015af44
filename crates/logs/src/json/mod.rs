//! What counts of a record in JSON or CSV: fields by their names, whichever tool wrote it, in one pass.
//!
//! A table says at which path each tool has which field; a record is gone through once, and of all that is at none of these paths
//! nothing is kept. Prompts and answers are at such a path only to be hashed.

mod extract;
mod fields;
mod paths;
mod table;

pub(crate) use extract::{extract, put};
pub(crate) use fields::{Fields, Raw};
pub(crate) use paths::{Mark, Paths, Slot};
