//! How things read: names that may be hostile, times of day, spans, and the first sentence of a page.
//!
//! Numbers are those of `weir_units::numbers`, which the terminal uses as well; what only a page needs is added here.

mod dates;
mod figures;
pub mod headline;
mod names;

pub use dates::Clock;
pub use figures::{Figure, change, counted, dollars_known, per_minute, permille, seconds, share_of};
pub use names::{cut, id, name, plain, sheet_cell};
pub use weir_units::numbers::{availability, count, dollars, micros, millis, share, short};
