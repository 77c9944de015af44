//! The limits as bars: the last minute filled, the peak of the hour marked, the whole width the limit.

use ratatui::text::Line;

use super::frame::{Sort, View};
use super::line::{Cells, Look, Tone};
use super::snapshot::{Limit, Pool, Snapshot};
use super::words::{bar, cut, percent, span};
use crate::terminal::numbers;

/// One line of the table.
enum Row<'a> {
    Limit {
        pool: &'a Pool,
        limit: &'a Limit,
        first: bool,
    },
    /// A pool that nothing is known of, but somebody waits for it.
    Bare(&'a Pool),
    /// A pool that refused lately.
    Slowed(&'a Pool),
}

/// Where columns are, by what there is room for.
struct Columns {
    name: usize,
    bar: usize,
    waiting: usize,
    reset: usize,
}

impl Columns {
    fn of(width: usize) -> Self {
        let (waiting, reset) = match width {
            60.. => (13, 11),
            44.. => (11, 0),
            _ => (0, 0),
        };
        let rest = width.saturating_sub(1 + 7 + waiting + reset);
        let name = (rest * 11 / 20).min(40);
        Self { name, bar: rest - name, waiting, reset }
    }
}

/// How many lines the whole table would take.
pub(super) fn height(snapshot: &Snapshot) -> usize {
    1 + rows(snapshot, Sort::Name).len().max(1)
}

/// How many of `count` rows are shown in `room` lines: all, or all but those that one line says are left out.
pub(super) fn shown(count: usize, room: usize) -> usize {
    if count <= room { count } else { room.saturating_sub(1) }
}

/// The line that says what is left out, if anything is.
pub(super) fn more(look: Look, left_out: usize, key: &str) -> Option<Line<'static>> {
    (left_out > 0).then(|| Cells::new(look).text(&format!("… {left_out} more: press {key}"), Tone::Faint).done())
}

/// The table, in at most `room` lines.
pub(super) fn table(snapshot: &Snapshot, view: &View, width: usize, room: usize) -> Vec<Line<'static>> {
    let (look, columns) = (view.look, Columns::of(width));
    let legend = if columns.bar >= 22 { "# last minute  | peak" } else { "# min | peak" };
    let mut lines = vec![
        Cells::new(look)
            .left("LIMITS", columns.name, Tone::Strong)
            .left(legend, columns.bar, Tone::Faint)
            .right("use", 7, Tone::Faint)
            .right(if columns.waiting > 0 { "waiting" } else { "" }, columns.waiting, Tone::Faint)
            .right(if columns.reset > 0 { "reset" } else { "" }, columns.reset, Tone::Faint)
            .done(),
    ];
    let rows = rows(snapshot, view.sort);
    if rows.is_empty() {
        lines.push(
            Cells::new(look)
                .left("Nothing declared, and no provider has stated a limit yet.", width.saturating_sub(1), Tone::Plain)
                .done(),
        );
        lines.push(
            Cells::new(look)
                .left("limits = { requests-per-minute = 500 }", width.saturating_sub(1), Tone::Faint)
                .done(),
        );
        return lines;
    }
    let shown = shown(rows.len(), room.saturating_sub(1));
    lines.extend(rows[..shown].iter().map(|row| line(row, snapshot, look, &columns, width)));
    lines.extend(more(look, rows.len() - shown, "l"));
    lines
}

fn rows(snapshot: &Snapshot, sort: Sort) -> Vec<Row<'_>> {
    let mut pools: Vec<&Pool> = snapshot.pools.iter().collect();
    match sort {
        Sort::Peak => pools.sort_by(|a, b| b.peak().total_cmp(&a.peak()).then_with(|| a.pool.cmp(&b.pool))),
        Sort::Traffic => pools.sort_by(|a, b| b.waiting().cmp(&a.waiting()).then_with(|| a.pool.cmp(&b.pool))),
        Sort::Name => pools.sort_by(|a, b| a.pool.cmp(&b.pool)),
    }
    let mut rows = Vec::new();
    for pool in pools {
        if pool.limits.is_empty() {
            rows.push(Row::Bare(pool));
        }
        let mut limits: Vec<&Limit> = pool.limits.iter().collect();
        if sort == Sort::Peak {
            limits.sort_by(|a, b| b.peak_share().total_cmp(&a.peak_share()));
        }
        rows.extend(limits.iter().enumerate().map(|(place, limit)| Row::Limit { pool, limit, first: place == 0 }));
        if pool.factor < 0.995 || pool.gated_for_s(&snapshot.at).is_some() {
            rows.push(Row::Slowed(pool));
        }
    }
    rows
}

fn line(row: &Row, snapshot: &Snapshot, look: Look, columns: &Columns, width: usize) -> Line<'static> {
    match row {
        Row::Limit { pool, limit, first } => {
            let name = format!(
                "{} {}",
                pool.pool,
                limit.words().replace("tokens", "tok").replace("concurrent requests", "concurrent")
            );
            let (used, peak) = (limit.use_share(), limit.peak_share());
            let tone = match peak {
                0.95.. => Tone::Bad,
                0.8.. => Tone::Warn,
                _ => Tone::Ok,
            };
            let waiting = if *first && pool.kind != "key" { waiting(pool) } else { String::new() };
            let reset = limit.reset_s.map_or_else(|| "—".to_owned(), span);
            Cells::new(look)
                .left(&cut(&name, columns.name.saturating_sub(1)), columns.name, Tone::Plain)
                .left(&bar(used, peak, columns.bar), columns.bar, tone)
                .right(&percent(used), 7, if used >= 0.8 { Tone::Warn } else { Tone::Plain })
                .right(&waiting, columns.waiting, if pool.waiting() > 0 { Tone::Warn } else { Tone::Plain })
                .right(if columns.reset > 0 { &reset } else { "" }, columns.reset, Tone::Plain)
                .done()
        }
        Row::Bare(pool) => Cells::new(look)
            .left(&cut(&pool.pool, columns.name.saturating_sub(1)), columns.name, Tone::Plain)
            .left("no limit known yet", columns.bar, Tone::Faint)
            .right("—", 7, Tone::Plain)
            .right(&waiting(pool), columns.waiting, if pool.waiting() > 0 { Tone::Warn } else { Tone::Plain })
            .done(),
        Row::Slowed(pool) => {
            let mut parts = Vec::new();
            if pool.factor < 0.995 {
                parts.push(format!("keeps to {} of its limits", percent(pool.factor)));
            }
            if let Some(left) = pool.gated_for_s(&snapshot.at) {
                parts.push(format!("nobody asks for {}", span(left)));
            }
            let text = format!("▲ {} was refused: {}", cut(&pool.pool, columns.name), parts.join(", "));
            Cells::new(look).text(" ", Tone::Plain).left(&text, width.saturating_sub(2), Tone::Warn).done()
        }
    }
}

/// `12, 2.1 s`, or 0.
fn waiting(pool: &Pool) -> String {
    match pool.waiting() {
        0 => "0".to_owned(),
        count => format!("{}, {}", numbers::count(count), span(pool.queue.oldest_wait_s)),
    }
}
