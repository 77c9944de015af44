//! What `?` shows: the keys, and what each figure is.

use ratatui::text::Line;

use super::line::{Cells, Look, Tone};

const TEXT: [(&str, &str); 17] = [
    ("q", "quit (Ctrl-C as well; Ctrl-Z sleeps until `fg`)"),
    ("p l f", "only providers, limits, failures; again: all"),
    ("s", "sort by peak and trouble, by traffic, by name"),
    (".", "pause what is shown, and go on"),
    ("?", "this page, and back"),
    ("", ""),
    ("answered", "requests of 5 min that were answered; who left is not counted"),
    ("429", "attempts at providers in 5 min that a 429 answered"),
    ("errors", "attempts that failed otherwise; `1 of 3` below twenty"),
    ("first token", "p95 of streams of 5 min: since arrival; below, since sent"),
    ("req/s", "over the last ten seconds; below: attempts"),
    ("# last minute", "used in the last minute, today, or right now, by the limit"),
    ("| peak", "the fullest minute of the hour; the bar's end is the limit"),
    ("waiting", "requests in the pool's queue, and how long the oldest waits"),
    ("reset", "until the limit is whole again; — where it depends on who ends"),
    ("— (elsewhere)", "unknown: nothing to count yet"),
    ("$/min", "what calls of the last minute cost; > where some have no price"),
];

/// The page.
pub(super) fn lines(look: Look) -> Vec<Line<'static>> {
    let line = |(what, is): &(&str, &str)| Cells::new(look).left(what, 15, Tone::Strong).text(is, Tone::Plain).done();
    TEXT.iter().map(line).collect()
}
