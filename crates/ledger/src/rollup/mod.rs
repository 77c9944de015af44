//! Roll-ups: what was counted in a minute, an hour or a day, kept when the requests themselves are long deleted.
//!
//! A roll-up has a cell for each combination of what requests are filtered and told apart by, so that any filter over
//! these finds its counts; combinations that occur are few. Tags would make them many, and have roll-ups of their own.

mod cells;
mod code;
mod cover;
mod margins;
mod part;
mod read;
mod tags;

pub(crate) use cells::{Cell, CellKey, Cells, Counting};
pub(crate) use cover::{Piece, Pieces, cover};
pub(crate) use margins::{Margin, Margins};
pub(crate) use part::{Part, Written, add_to, part, read_many, write_many};
pub(crate) use read::{Rolled, Sink, oldest, rollups};
pub(crate) use tags::TagCells;

/// What is kept of names past the bound of a roll-up.
pub const OTHER: &str = "(other)";

/// How long the time of a roll-up is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grain {
    Minute,
    Hour,
    Day,
}

impl Grain {
    pub(crate) const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// Its number in the database.
    pub(crate) fn number(self) -> i64 {
        self as i64
    }

    /// Its number in the database, for roll-ups by tag.
    pub(crate) fn of_tags(self) -> i64 {
        3 + self as i64
    }

    /// Its number in the database, for roll-ups by one thing at a time; minutes have none.
    pub(crate) fn of_margins(self) -> Option<i64> {
        (self != Self::Minute).then_some(10 + self as i64)
    }

    /// How many microseconds it has.
    pub(crate) fn length(self) -> i64 {
        match self {
            Self::Minute => 60_000_000,
            Self::Hour => 3_600_000_000,
            Self::Day => 86_400_000_000,
        }
    }

    /// When the roll-up that a time falls into begins.
    pub(crate) fn begin(self, micros: i64) -> i64 {
        micros.div_euclid(self.length()) * self.length()
    }
}
