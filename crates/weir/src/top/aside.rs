//! The right side of a wide terminal: the last sixty seconds, the queue by class, and the facts of the system.

use ratatui::text::Line;

use super::line::{Cells, Look, Tone};
use super::snapshot::{Snapshot, Waiting};
use super::words::{clock, spark, wrap};

/// Puts the right side beside `left`, whose lines are `width` wide at most.
pub(super) fn beside(
    left: Vec<Line<'static>>,
    snapshot: &Snapshot,
    look: Look,
    width: usize,
    columns: usize,
) -> Vec<Line<'static>> {
    let mut right = lines(snapshot, look, columns.saturating_sub(width + 1)).into_iter();
    left.into_iter()
        .map(|mut line| {
            let space = width.saturating_sub(line.width());
            line.spans
                .extend(Cells::bare(look).text(&" ".repeat(space), Tone::Plain).text("│", Tone::Faint).done().spans);
            line.spans.extend(right.next().map(|line| line.spans).unwrap_or_default());
            line
        })
        .collect()
}

fn lines(snapshot: &Snapshot, look: Look, width: usize) -> Vec<Line<'static>> {
    let chart = |label: &str, name: &str, seconds: &[u64]| {
        let cells = width.saturating_sub(20);
        Cells::new(look)
            .left(label, 11, Tone::Faint)
            .left(name, 7, Tone::Faint)
            .text(&spark(seconds, cells.min(60), look.ascii), Tone::Info)
            .done()
    };
    let mut lines = vec![
        chart("last 60 s", "req/s", &snapshot.requests_by_second),
        chart("", "429", &snapshot.throttled_by_second),
    ];
    lines.extend(queue(snapshot, look));
    lines.push(Cells::new(look).text("FACTS", Tone::Strong).text(" (newest first)", Tone::Faint).done());
    lines.extend(facts(snapshot, look, width));
    lines
}

/// How many lines a fact may take.
const LINES: usize = 3;

/// What happened to the system lately, in a few lines each.
pub(super) fn facts(snapshot: &Snapshot, look: Look, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for fact in &snapshot.facts {
        for (place, part) in wrap(&fact.words, width.saturating_sub(11), LINES).into_iter().enumerate() {
            let at = if place == 0 { clock(&fact.at) } else { "" };
            lines.push(Cells::new(look).left(at, 9, Tone::Faint).text(&part, Tone::Plain).done());
        }
    }
    lines
}

/// Who waits, by class, in all queues together.
fn queue(snapshot: &Snapshot, look: Look) -> [Line<'static>; 2] {
    let sum = |of: fn(&Waiting) -> u64| -> u64 { snapshot.pools.iter().map(|pool| of(&pool.queue.waiting)).sum() };
    let class = |cells: Cells, name: &str, count: u64| {
        cells.text(&format!("{name} {count}  "), if count > 0 { Tone::Warn } else { Tone::Plain })
    };
    let first = class(Cells::new(look).left("queue", 11, Tone::Faint), "interactive", sum(|w| w.interactive));
    let second = class(Cells::new(look).left("", 11, Tone::Faint), "batch", sum(|w| w.batch));
    [class(first, "standard", sum(|w| w.standard)).done(), second.done()]
}
