//! How full each ceiling is and will be, from what was asked for, and what can be done about it by when.

mod ceiling;
mod fleet;

pub use ceiling::{Ceiling, Members};
pub use fleet::{Account, BudgetCeiling, Fleet, RouteOrder};
