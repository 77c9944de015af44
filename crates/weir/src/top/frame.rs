//! One frame of `weir top`: a pure function from a snapshot and how it is looked at to lines.
//!
//! What users got comes first, then who serves it, then what will run out. Below 60 columns or 16 rows only the first and the
//! last are shown; from 120 columns on, the last minute and the last facts stand at the right.

use ratatui::text::Line;

use super::line::{Cells, Look, Tone};
use super::snapshot::{Deployment, Snapshot, Spent};
use super::words::{clock, cut, millis, part, rate};
use super::{aside, failures, help, limits};
use crate::terminal::numbers;

/// How a snapshot is looked at.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    pub(crate) look: Look,
    /// Where the gateway is: `host:port`.
    pub(crate) server: String,
    pub(crate) pane: Pane,
    pub(crate) sort: Sort,
    /// Why what is shown is not the newest, in words.
    pub(crate) notice: Option<String>,
}

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pane {
    All,
    Providers,
    Limits,
    Failures,
    Help,
}

/// What comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// The fullest limits; the deployments that fail most.
    Peak,
    /// Those that most wait for; the deployments that serve most.
    Traffic,
    Name,
}

impl Sort {
    /// What `s` chooses next.
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Peak => Self::Traffic,
            Self::Traffic => Self::Name,
            Self::Name => Self::Peak,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Peak => "peak",
            Self::Traffic => "traffic",
            Self::Name => "name",
        }
    }
}

/// Columns and rows below which only headline and limits are shown.
const NARROW: usize = 60;
const LOW: usize = 16;
/// Columns from which on the right side is shown, and what is left of it then.
const WIDE: usize = 120;
const LEFT: usize = 80;

/// The lines of a frame, at most `view.rows`, none wider than `view.columns`.
pub(crate) fn lines(snapshot: &Snapshot, view: &View) -> Vec<Line<'static>> {
    let small = view.columns < NARROW || view.rows < LOW;
    let wide = view.columns >= WIDE && !small;
    let width = if wide { LEFT.max(view.columns * 2 / 3) } else { view.columns };
    let look = view.look;
    let mut left = headline(snapshot, view, width, small);
    let room = view.rows.saturating_sub(left.len() + usize::from(!small));
    left.extend(match view.pane {
        Pane::Help => help::lines(look),
        _ if small => limits::table(snapshot, view, width, room),
        Pane::Providers => providers(snapshot, view, width, room),
        Pane::Limits => limits::table(snapshot, view, width, room),
        Pane::Failures => failures::table(snapshot, look, width, room),
        Pane::All => {
            let most = (room / 2).max(room.saturating_sub(1 + limits::height(snapshot)));
            let mut both = providers(snapshot, view, width, most);
            both.extend(limits::table(snapshot, view, width, room.saturating_sub(both.len())));
            both
        }
    });
    let body = view.rows.saturating_sub(usize::from(!small));
    left.truncate(body);
    left.iter_mut().for_each(|line| narrow(line, width));
    if wide {
        left.resize(body, Line::default());
        left = aside::beside(left, snapshot, look, width, view.columns);
    }
    if !small {
        left.resize(body, Line::default());
        left.push(footer(view, width));
    }
    left
}

/// Cuts a line off at `width`, where the right side begins.
fn narrow(line: &mut Line<'static>, width: usize) {
    let mut room = width;
    for span in &mut line.spans {
        let count = span.content.chars().count();
        if count > room {
            span.content = span.content.chars().take(room).collect::<String>().into();
        }
        room -= count.min(room);
    }
}

/// Who, when and how much; what users got of it.
fn headline(snapshot: &Snapshot, view: &View, width: usize, small: bool) -> Vec<Line<'static>> {
    let numbers_of = |text: String| text.replace('\u{202f}', " ");
    let speed = format!("{} req/s", rate(snapshot.requests_per_second));
    let up = numbers_of(numbers::micros(snapshot.uptime_s.saturating_mul(1_000_000)));
    let parts = [
        format!("weir {}", snapshot.version),
        view.server.clone(),
        format!("{} UTC", clock(&snapshot.at)),
        format!("up {up}"),
    ];
    let who = fitting(&parts, " · ", width.saturating_sub(speed.len() + 3));
    let column = width.saturating_sub(speed.chars().count() + 1);
    let first = Cells::new(view.look).text(&who, Tone::Plain).until(column).text(&speed, Tone::Strong);
    if let Some(notice) = view.notice.as_ref().filter(|_| small) {
        let notice = Cells::new(view.look).left(notice, width.saturating_sub(1), Tone::Warn);
        return vec![first.done(), notice.done()];
    }
    let parts = [
        format!("answered {}", numbers::availability(snapshot.answered, snapshot.requests)),
        format!("429 {} of attempts", part(snapshot.throttled, snapshot.attempts)),
        format!("first token p95 {}", millis(snapshot.first_token_ms.p95)),
        spent(&snapshot.last_minute),
    ];
    let users = fitting(&parts, "   ", width.saturating_sub(1));
    vec![first.done(), Cells::new(view.look).text(&users, Tone::Strong).done()]
}

/// Dollars in the last minute; more than that, where calls have no known cost.
fn spent(spent: &Spent) -> String {
    match spent.known() {
        None => "$ —/min".to_owned(),
        Some(known) if spent.cost_unknown == 0 => format!("{}/min", numbers::dollars(known)),
        Some(known) => format!("> {}/min", numbers::dollars(known)),
    }
}

/// As many of the parts, from the first on, as fit.
fn fitting(parts: &[String], between: &str, width: usize) -> String {
    let fits = |count: &usize| parts[..*count].join(between).chars().count() <= width;
    let count = (1..=parts.len()).rev().find(fits).unwrap_or(0);
    parts[..count].join(between)
}

fn footer(view: &View, width: usize) -> Line<'static> {
    let cells = Cells::new(view.look);
    match &view.notice {
        Some(notice) => cells.left(notice, width.saturating_sub(1), Tone::Warn).done(),
        None => {
            let keys =
                ["q quit", "p providers", "l limits", "f failures", "s sort", ". pause", "? help"].map(str::to_owned);
            let keys = fitting(&keys, "  ", width.saturating_sub(1));
            let sorted = keys.replace("s sort", &format!("s sort: {}", view.sort.name()));
            let keys = if sorted.len() < width { sorted } else { keys };
            cells.text(&keys, Tone::Faint).done()
        }
    }
}

/// The table of deployments, in at most `room` lines.
fn providers(snapshot: &Snapshot, view: &View, width: usize, room: usize) -> Vec<Line<'static>> {
    let look = view.look;
    let with_latency = width >= 72;
    let name = width.saturating_sub(if with_latency { 53 } else { 40 });
    let mut head = Cells::new(look)
        .left("PROVIDERS", name, Tone::Strong)
        .left("breaker", 14, Tone::Faint)
        .right("req/s", 7, Tone::Faint)
        .right("errors", 9, Tone::Faint)
        .right("429", 9, Tone::Faint);
    if with_latency {
        head = head.right("first token", 12, Tone::Faint);
    }
    let mut lines = vec![head.done()];
    let mut rows: Vec<&Deployment> = snapshot.deployments.iter().collect();
    match view.sort {
        Sort::Peak => rows.sort_by(|a, b| trouble(b).cmp(&trouble(a)).then_with(|| a.deployment.cmp(&b.deployment))),
        Sort::Traffic => rows.sort_by(|a, b| b.attempts.cmp(&a.attempts).then_with(|| a.deployment.cmp(&b.deployment))),
        Sort::Name => rows.sort_by(|a, b| a.deployment.cmp(&b.deployment)),
    }
    let shown = limits::shown(rows.len(), room.saturating_sub(1));
    for row in &rows[..shown] {
        let (shape, tone) = breaker(row);
        let mut cells = Cells::new(look)
            .left(&cut(&row.deployment, name.saturating_sub(1)), name, Tone::Plain)
            .left(&shape, 14, tone)
            .right(&rate(row.attempts_per_second), 7, Tone::Plain)
            .right(&part(row.failed, row.attempts), 9, tone_of(row.failed, row.attempts))
            .right(&part(row.throttled, row.attempts), 9, tone_of(row.throttled, row.attempts));
        if with_latency {
            cells = cells.right(&millis(row.first_token_p95_ms), 12, Tone::Plain);
        }
        lines.push(cells.done());
    }
    lines.extend(limits::more(look, rows.len() - shown, "p"));
    lines
}

/// How much something is wrong with it: its breaker first, then the share of calls that failed, in ppm.
fn trouble(row: &Deployment) -> (bool, u64) {
    let failed = (row.failed + row.throttled) * 1_000_000;
    (row.breaker != "closed" || row.benched.is_some(), failed.checked_div(row.attempts).unwrap_or(0))
}

fn breaker(row: &Deployment) -> (String, Tone) {
    match (row.breaker.as_str(), &row.benched) {
        ("closed", Some(_)) => ("■ benched".to_owned(), Tone::Bad),
        ("closed", None) if row.attempts == 0 => ("○ no traffic".to_owned(), Tone::Faint),
        ("closed", None) => ("● closed".to_owned(), Tone::Ok),
        ("half-open", _) => ("◐ half-open".to_owned(), Tone::Info),
        (other, _) => (format!("■ {other}"), Tone::Bad),
    }
}

/// Amber from one in a hundred on: what Weir absorbed is nobody's emergency.
fn tone_of(part: u64, of: u64) -> Tone {
    if part * 100 >= of.max(1) { Tone::Warn } else { Tone::Plain }
}
