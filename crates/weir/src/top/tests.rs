//! Frames of one story, at the sizes that matter, as text; `UPDATE=1 cargo test -p weir top` writes them anew.

use std::path::Path;

use super::frame::{Pane, Sort, View, lines};
use super::line::Look;
use super::plain;
use super::snapshot::Snapshot;

fn story() -> Snapshot {
    Snapshot::read(include_bytes!("story.json")).unwrap()
}

fn view(columns: usize, rows: usize) -> View {
    View {
        columns,
        rows,
        look: Look { colour: false, ascii: false },
        server: "127.0.0.1:4141".to_owned(),
        pane: Pane::All,
        sort: Sort::Peak,
        notice: None,
    }
}

fn drawn(snapshot: &Snapshot, view: &View) -> String {
    let drawn = lines(snapshot, view);
    assert!(drawn.len() <= view.rows, "{} rows of {}", drawn.len(), view.rows);
    let text: Vec<String> = drawn
        .iter()
        .map(|line| {
            let text: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
            assert!(
                text.chars().count() <= view.columns,
                "{} columns of {}: {text}",
                text.chars().count(),
                view.columns
            );
            text.trim_end().replace('\u{202f}', " ")
        })
        .collect();
    text.join("\n") + "\n"
}

fn frame_is(name: &str, view: &View) {
    is_as_written(name, &drawn(&story(), view));
}

fn is_as_written(name: &str, drawn: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/top/frames").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, drawn).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(drawn, written, "{name} differs from what is written: look, then UPDATE=1");
}

#[test]
fn eighty_columns_show_providers_and_limits() {
    frame_is("80x24.txt", &view(80, 24));
}

#[test]
fn a_hundred_and_twenty_columns_add_the_last_minute_and_the_facts() {
    frame_is("120x40.txt", &view(120, 40));
}

#[test]
fn a_small_terminal_shows_headline_and_limits_alone() {
    frame_is("50x14.txt", &view(50, 14));
}

#[test]
fn without_utf_8_the_columns_stay() {
    frame_is("80x24-ascii.txt", &View { look: Look { colour: false, ascii: true }, ..view(80, 24) });
}

#[test]
fn failures_come_with_who_refused_and_facts_below() {
    frame_is("failures.txt", &View { pane: Pane::Failures, ..view(80, 24) });
}

#[test]
fn help_tells_what_each_figure_is() {
    frame_is("help.txt", &View { pane: Pane::Help, ..view(80, 24) });
}

#[test]
fn what_is_paused_says_so_and_what_does_not_fit_is_counted() {
    let notice = Some("○ paused since 14:47:03: press . to go on".to_owned());
    frame_is("paused.txt", &View { notice, sort: Sort::Traffic, ..view(80, 16) });
}

#[test]
fn plain_lines_are_a_record_each() {
    is_as_written("once.txt", &(plain::lines(&story(), "127.0.0.1:4141").join("\n") + "\n"));
}

#[test]
fn a_gateway_that_knows_nothing_yet_shows_dashes_and_how_to_declare() {
    let empty = Snapshot {
        requests_per_second: 0.0,
        requests_by_second: vec![0; 60],
        throttled_by_second: vec![0; 60],
        requests: 0,
        answered: 0,
        attempts: 0,
        throttled: 0,
        first_token_ms: super::snapshot::FirstToken { p95: None },
        last_minute: super::snapshot::Spent::default(),
        deployments: Vec::new(),
        pools: Vec::new(),
        facts: Vec::new(),
        failures: Vec::new(),
        ..story()
    };
    let drawn = drawn(&empty, &view(80, 24));
    assert!(drawn.contains("answered —   429 — of attempts   first token p95 —"), "{drawn}");
    assert!(drawn.contains("limits = { requests-per-minute = 500 }"), "{drawn}");
}

#[test]
fn no_size_is_too_small_and_no_line_too_long() {
    for (columns, rows) in [(1, 1), (20, 3), (40, 10), (59, 30), (60, 16), (61, 17), (119, 24), (120, 16), (300, 100)] {
        for pane in [Pane::All, Pane::Providers, Pane::Limits, Pane::Failures, Pane::Help] {
            let view = View { pane, ..view(columns, rows) };
            let drawn = lines(&story(), &view);
            assert!(drawn.len() <= rows, "{columns}x{rows} {pane:?}");
        }
    }
}

#[test]
fn names_that_a_terminal_would_obey_are_shown_not_done() {
    let told =
        include_str!("story.json").replace("spare/llama", "spare/\\u001b[2J").replace("\"smart\"", "\"\\u202Esm\"");
    let snapshot = Snapshot::read(told.as_bytes()).unwrap();
    for pane in [Pane::All, Pane::Failures] {
        let drawn = drawn(&snapshot, &View { pane, ..view(120, 40) });
        assert!(!drawn.contains('\u{1b}') && !drawn.contains('\u{202e}'), "{drawn}");
    }
}
