//! One request as rows of stages: where its time went, and what happened there.

use maud::{Markup, html};

use super::axis::Scale;
use super::percent;

/// What a stretch of time was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Work, or a call that was answered.
    Work,
    /// A call that failed.
    Fault,
    /// Waiting on purpose.
    Wait,
    /// Content on its way.
    Stream,
    /// A moment.
    Point,
}

/// A row: a stage, from when to when in microseconds since arrival, what it was, and what is said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The stage.
    pub stage: String,
    /// From when.
    pub from: u64,
    /// To when.
    pub to: u64,
    /// What it was.
    pub kind: Kind,
    /// What happened, in words.
    pub says: String,
}

/// The rows over the time from `0` to `whole` microseconds.
#[must_use]
pub fn waterfall(rows: &[Row], whole: u64) -> Markup {
    let whole = whole.max(1);
    let place = |at: u64| at as f64 / whole as f64;
    let scale = Scale::linear(whole as f64 * 0.98, 1.0);
    let ticks = scale.ticks.iter().map(|at| *at as u64).filter(|at| *at as f64 <= whole as f64 * 0.96);
    let ticks: Vec<(String, u64)> = ticks.map(|at| (percent(place(at)), at)).collect();
    html! {
        div class="fall" role="table" aria-label="Stages of the request" {
            div class="fall-row head" role="row" {
                span role="columnheader" { "Stage" }
                span role="columnheader" class="scale" { span class="hide" { "When" } svg width="100%" height="14" aria-hidden="true" { @for (x, at) in &ticks { text x=(x) y="11" { (said(*at)) } } } }
                span role="columnheader" class="n" { "Took" }
                span role="columnheader" { "What happened" }
            }
            @for row in rows {
                div class="fall-row" role="row" {
                    span role="rowheader" { (row.stage) }
                    span role="cell" class="when" { span class="hide" { "from " (said(row.from)) " to " (said(row.to)) }
                        svg width="100%" height="18" aria-hidden="true" {
                            @for (x, _) in &ticks { line x1=(x) x2=(x) y1="0" y2="18" stroke="var(--line)" {} }
                            (bar(row, place(row.from), place(row.to)))
                        }
                    }
                    span role="cell" class="n" { @if row.kind == Kind::Point { span class="none" { "·" } } @else { (said(row.to.saturating_sub(row.from))) } }
                    span role="cell" class="says" { (crate::words::plain(&row.says)) }
                }
            }
        }
    }
}

/// A bar is at least three pixels wide, whatever the scale.
fn bar(row: &Row, from: f64, to: f64) -> Markup {
    let from = from.min(0.992);
    let (x, wide) = (percent(from), percent((to - from).max(0.0)));
    let paint = match row.kind {
        Kind::Work => "var(--s1)",
        Kind::Stream => "var(--s4)",
        Kind::Wait => "var(--warn-mark)",
        Kind::Fault => "var(--bad-mark)",
        Kind::Point => "var(--ink-3)",
    };
    html! {
        @match row.kind {
            Kind::Point => { rect x=(x) y="4" width="3" height="10" fill=(paint) {} }
            Kind::Wait => {
                rect x=(x) y="5" width="3" height="8" fill=(paint) fill-opacity="0.4" {}
                rect x=(x) y="5" width=(wide) height="8" fill=(paint) fill-opacity="0.4" {}
                line x1=(x) x2=(percent(to.max(from))) y1="9" y2="9" stroke=(paint) stroke-width="2" stroke-dasharray="2 4" {}
            }
            Kind::Work | Kind::Stream | Kind::Fault => {
                rect x=(x) y="3" width="3" height="12" rx="1" fill=(paint) {}
                rect x=(x) y="3" width=(wide) height="12" rx="2" fill=(paint) {}
            }
        }
    }
}

fn said(us: u64) -> String {
    if us == 0 { "0".to_owned() } else { weir_units::numbers::micros(us) }
}
