//! A progress bar: one line on stderr, drawn anew in its place, and gone when it is dropped.
//!
//! The cursor is never hidden and nothing else of the terminal is changed, so there is nothing to restore, however the
//! process ends.

use std::io::Write;
use std::time::Duration;

use super::act::Act;
use crate::terminal::{moves, numbers, painted, shown, width};

/// Cells of a bar.
const CELLS: u128 = 10;
/// Back to the first column, and clear to the end of the line.
const AGAIN: &str = "\r\x1b[K";

/// The bar of one act, if there is a terminal to draw it on.
pub(super) struct Bar {
    act: Act,
    on: bool,
}

impl Bar {
    pub(super) fn new(act: Act, wanted: bool) -> Self {
        let watched = std::io::IsTerminal::is_terminal(&std::io::stderr());
        Self { act, on: wanted && moves() && watched }
    }

    /// Draws it at `part` of `whole`.
    pub(super) fn draw(&self, part: Duration, whole: Duration, requests: u64, answered: u64) {
        if self.on {
            let mut text = numbers::counted(requests, "request");
            if requests > 0 {
                text.push_str(&format!(", {} answered", numbers::availability(answered, requests)));
            }
            let (name, happens) = (self.act.name(), self.act.announcement());
            let line = shown(&format!("{name:<9} {} {text} · {happens}", cells(part, whole)));
            let room = width().saturating_sub(4);
            let line: String = line.chars().take(room).collect();
            let (shape, colour) = self.act.shape();
            let _ = write!(std::io::stderr().lock(), "{AGAIN}{} {line}", painted(colour, &shown(shape)));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.on {
            let _ = write!(std::io::stderr().lock(), "{AGAIN}");
        }
    }
}

/// `███████░░░`: full only when all is done.
pub(super) fn cells(part: Duration, whole: Duration) -> String {
    let full = (part.min(whole).as_millis() * CELLS).checked_div(whole.as_millis()).unwrap_or(CELLS);
    (0..CELLS).map(|cell| if cell < full { '█' } else { '░' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_only_at_the_end() {
        let at = |part, whole| cells(Duration::from_millis(part), Duration::from_millis(whole));
        assert_eq!(at(0, 9), "░░░░░░░░░░");
        assert_eq!(at(999, 1_000), "█████████░");
        assert_eq!(at(1_000, 1_000), "██████████");
        assert_eq!(at(2_000, 1_000), "██████████");
        assert_eq!(at(0, 0), "██████████");
    }
}
