//! Drawings in SVG that take their colours from the style sheet and carry no style of their own.
//!
//! A chart over time has texts and grid in an outer drawing without a scale of its own, so that they keep their size, and the
//! curves in an inner one that stretches. Beside each is its data as a table, which the script reads out: no chart, table
//! and read-out can disagree.

mod axis;
mod bars;
mod cells;
mod full;
mod spark;
mod time;
mod waterfall;

pub use bars::{headroom, part, share};
pub use cells::{Block, Day, days, strip};
pub use full::{Coming, FullChart};
pub use spark::spark;
pub use time::{Line, Shape, TimeChart};
pub use waterfall::{Kind, Row, waterfall};

/// The colour of the series with this number; from the eighth on they share one.
#[must_use]
pub fn paint(series: usize) -> &'static str {
    const PAINTS: [&str; 8] =
        ["var(--s1)", "var(--s2)", "var(--s3)", "var(--s4)", "var(--s5)", "var(--s6)", "var(--s7)", "var(--s8)"];
    PAINTS[series.min(7)]
}

/// A place between 0 and 1 as a percentage, in the hundredths that a drawing needs.
fn percent(place: f64) -> String {
    let text = format!("{:.2}", place.clamp(0.0, 1.0) * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}
