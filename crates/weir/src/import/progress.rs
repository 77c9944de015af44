//! How far reading is: a bar where a person looks, a line now and then where none does.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use crate::terminal::{draw, say, width};

/// When the first word is said, and how often from then on.
const FIRST_WORD: Duration = Duration::from_millis(300);
const NEXT_WORD: Duration = Duration::from_millis(200);
/// How often without a terminal.
const NEXT_LINE: Duration = Duration::from_secs(10);

/// What is told of the reading of inputs that have so many bytes together.
pub(crate) struct Bar {
    began: Instant,
    next: Instant,
    total: Option<u64>,
    terminal: bool,
    shown: bool,
}

impl Bar {
    /// Begins; the total is none where it is not known.
    pub(crate) fn new(total: Option<u64>) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let first = if terminal { FIRST_WORD } else { NEXT_LINE };
        Self { began: Instant::now(), next: Instant::now() + first, total, terminal, shown: false }
    }

    /// Tells that so many bytes were read.
    pub(crate) fn at(&mut self, taken: u64) {
        let now = Instant::now();
        if now < self.next {
            return;
        }
        let text = line(taken, self.total, now - self.began, width().saturating_sub(60));
        if self.terminal {
            draw(format_args!("\r\x1b[K{text}"));
            (self.shown, self.next) = (true, now + NEXT_WORD);
        } else {
            say(text);
            self.next = now + NEXT_LINE;
        }
    }

    /// Removes the bar.
    pub(crate) fn end(&self) {
        if self.shown {
            draw("\r\x1b[K");
        }
    }
}

/// `reading 6.1 of 10.0 GB  [############--------] 61 %  48 s left`
fn line(taken: u64, total: Option<u64>, took: Duration, room: usize) -> String {
    let Some(total) = total.filter(|total| *total > 0) else { return format!("reading {}", size(taken)) };
    let taken = taken.min(total);
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    let share = taken as f64 / total as f64;
    let cells = room.clamp(10, 20);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a bar")]
    let full = ((share * cells as f64) as usize).min(cells);
    let left = if share > 0.0 { took.as_secs_f64() * (1.0 - share) / share } else { 0.0 };
    format!(
        "reading {} of {}  [{}{}] {:.0} %  {:.0} s left",
        size(taken),
        size(total),
        "#".repeat(full),
        "-".repeat(cells - full),
        share * 100.0,
        left
    )
}

/// Bytes as people say them.
pub(super) fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a size for people")]
    let of = |unit: u64| bytes as f64 / unit as f64;
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", of(1_000)),
        1_000_000..1_000_000_000 => format!("{:.1} MB", of(1_000_000)),
        _ => format!("{:.1} GB", of(1_000_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_says_how_far_it_is_and_how_long_it_takes() {
        let told = line(6_100_000_000, Some(10_000_000_000), Duration::from_secs(75), 40);
        assert_eq!(told, "reading 6.1 GB of 10.0 GB  [############--------] 61 %  48 s left");
        assert_eq!(line(1_500, None, Duration::ZERO, 40), "reading 1.5 kB");
    }
}
