//! What was paid for and served nobody, and the cheapest remedies first.
//!
//! A report is a pure function of [`WasteFigures`], whoever has them: the ledger's roll-ups, or logs of another program. A token
//! is in one kind only: whoever counts gives it to the first of [`Kind::ALL`] that fits.

mod figures;
mod kind;
mod report;
mod words;

pub use figures::{By, Lost, MOST_NAMES, OTHER, WasteFigures, Who};
pub use kind::{Effort, Kind};
pub use report::{KindReport, Leader, NameReport, Rest, WasteReport};

#[cfg(test)]
mod tests;
