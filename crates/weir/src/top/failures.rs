//! The requests that failed last, and below them what happened to the system.

use ratatui::text::Line;

use super::line::{Cells, Look, Tone};
use super::snapshot::Snapshot;
use super::words::{clock, cut};
use super::{aside, limits};

/// The table, in at most `room` lines.
pub(super) fn table(snapshot: &Snapshot, look: Look, width: usize, room: usize) -> Vec<Line<'static>> {
    let rest = width.saturating_sub(1 + 9 + 5 + 12 + 24 + 14);
    let mut lines = vec![
        Cells::new(look)
            .left("FAILURES", 9, Tone::Strong)
            .left("", 5, Tone::Faint)
            .left("refused by", 12, Tone::Faint)
            .left("code", 24, Tone::Faint)
            .left("request", 14, Tone::Faint)
            .left("route", rest, Tone::Faint)
            .done(),
    ];
    if snapshot.failures.is_empty() {
        lines.push(Cells::new(look).text("None of the last requests failed.", Tone::Plain).done());
    }
    let shown = limits::shown(snapshot.failures.len(), room.saturating_sub(2));
    for failure in &snapshot.failures[..shown] {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "—".to_owned());
        let whose =
            [failure.route.as_deref(), failure.key.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" · ");
        let status = failure.status.map_or_else(|| "—".to_owned(), |status| status.to_string());
        let line = Cells::new(look)
            .left(clock(&failure.at), 9, Tone::Faint)
            .left(&status, 5, if failure.status.is_some_and(|s| s >= 500) { Tone::Bad } else { Tone::Warn })
            .left(&cut(&text(&failure.refused_by), 11), 12, Tone::Plain)
            .left(&cut(&text(&failure.code), 23), 24, Tone::Plain)
            .left(&cut(&failure.id, 13), 14, Tone::Plain)
            .left(&cut(&whose, rest.saturating_sub(1)), rest, Tone::Plain);
        lines.push(line.done());
    }
    lines.push(Cells::new(look).text("FACTS", Tone::Strong).text(" (newest first)", Tone::Faint).done());
    lines.extend(aside::facts(snapshot, look, width));
    lines.truncate(room);
    lines
}
