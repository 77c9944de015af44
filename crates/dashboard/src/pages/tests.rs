//! What holds of every page: what it says where there is nothing, and what it does with names that mean harm.

use serde_json::json;
use weir_capacity::waste::WasteReport;
use weir_engine::Zone;
use weir_units::WallTime;

use super::*;
use crate::figures::{Alerts, Budgets, Headroom, Keys, Live, Record, Run, Runs, Series};
use crate::frame::{Content, Context, Theme, Viewer, page};
use crate::params::Params;
use crate::range::Range;
use crate::words::Clock;

fn context(may_write: bool) -> Context {
    let clock = Clock { zone: Zone::UTC, zone_name: "UTC".into(), now: WallTime(1_795_013_223_114_000) };
    let params = Params::read("/dashboard", "range=6h");
    Context {
        range: Some(Range::read(&params, &clock, "6h")),
        params,
        viewer: Viewer { name: Some("ann".into()), role: "viewer", may_write },
        clock,
        theme: Theme::Dark,
        address: "http://127.0.0.1:4141".into(),
        asks_for_keys: true,
        model: "smart".into(),
        notice: None,
        alerts: Some((0, 0)),
    }
}

fn overview_of(series: Series, live: Live) -> OverviewFigures {
    OverviewFigures { live, series: Ok(series), before: None, halted: Vec::new(), alerts: Vec::new() }
}

fn empty_pages(context: &Context) -> Vec<Content> {
    let nothing = Series::default();
    let asked = RequestsFigures { rows: Vec::new(), total: Some((0, false)), series: None, more: false };
    let providing = ProvidersFigures {
        live: Live::default(),
        headroom: Headroom::default(),
        range: Ok(nothing.clone()),
        days: Ok(nothing.clone()),
        facts: Vec::new(),
    };
    vec![
        overview(context, &overview_of(nothing.clone(), Live::default())),
        requests(context, &asked),
        runs(context, &Runs::default()),
        limits(context, &Headroom::default()),
        providers(context, &providing),
        spend(context, &SpendFigures::default()),
        waste(context, &WasteReport::default()),
        keys(context, &Keys::default(), &Budgets::default()),
        alerts(context, &Alerts::default()),
    ]
}

#[test]
fn a_page_of_nothing_says_so_plainly_and_teaches() {
    let context = context(true);
    for content in empty_pages(&context) {
        let words = &content.headline.words;
        assert!(!words.is_empty() && words.chars().count() <= 140, "{words}");
        let html = page(&context, &content);
        for refused in ["please", "oops", "N/A", "$0.00", "success rate", "throttled by", "!</", "! "] {
            assert!(!html.replace("<!DOCTYPE", "").contains(refused), "{refused} on {}", content.page.title());
        }
        assert!(html.contains("data-theme=\"dark\"") && !html.contains(" style="), "{}", content.page.title());
    }
}

#[test]
fn the_gravest_thing_is_said_first_and_unknown_is_not_nothing() {
    let context = context(true);
    let series: Series = serde_json::from_value(json!({
        "edges": ["2026-11-18T14:00:00.000Z", "2026-11-18T14:47:00.000Z"],
        "all": { "buckets": [], "total": {
            "requests": 1_000, "answered": 990, "cancelled": 2, "unpriced": 38, "cost_usd": "0", "estimated_usd": "0",
            "calls": { "attempts": 1_100, "failed": 60, "status_429": 40 },
        } },
    }))
    .unwrap();
    let said = |series: &Series, live: Live| overview(&context, &overview_of(series.clone(), live)).headline.words;
    assert_eq!(said(&series, Live::default()), "Users saw 99.19\u{202f}% answered: 8 requests of 998 failed.");
    let behind = Live { ledger_queued: 41_000, ..Live::default() };
    assert_eq!(said(&series, behind), "The ledger is behind: 41,000 facts wait to be written. Serving goes on.");
    let mut calm = series.clone();
    calm.all.total.answered = 998;
    assert_eq!(
        said(&calm, Live::default()),
        "Users saw 100\u{202f}% answered. Providers throttle: 3.6\u{202f}% of attempts were 429s."
    );
    calm.all.total.calls.status_429 = 0;
    assert_eq!(said(&calm, Live::default()), "All calm: 100\u{202f}% of 998 requests answered.");
    let html = page(&context, &overview(&context, &overview_of(series, Live::default())));
    assert!(
        html.contains("<data value=\"0\" title=\"0\">—</data>") && html.contains("38 requests"),
        "a cost that nobody knows is no $0"
    );
}

#[test]
fn names_that_mean_harm_are_text() {
    let evil = "\"><script>alert(1)</script>\u{202e}";
    let record = Record {
        id: evil.into(),
        route: Some(evil.into()),
        key: Some(evil.into()),
        run: Some(evil.into()),
        tags: [(evil.into(), evil.into())].into(),
        outcome: "failed".into(),
        code: Some(evil.into()),
        refused_by: Some(evil.into()),
        ..Record::default()
    };
    let bad_run = Run { run: evil.into(), tenant: evil.into(), state: "halted".into(), ..Run::default() };
    let context = context(true);
    for content in [request(&context, &record), run(&context, &bad_run)] {
        let html = page(&context, &content);
        assert!(!html.contains("<script>alert") && !html.contains('\u{202e}') && html.contains("⟨U+202E⟩"));
    }
}

#[test]
fn who_may_not_change_things_sees_which_role_may() {
    let run_halted = Run { run: "run_42".into(), state: "halted".into(), ..Run::default() };
    let viewer = page(&context(false), &run(&context(false), &run_halted));
    assert!(viewer.contains("needs role operator") && viewer.contains("disabled"));
    let operator = page(&context(true), &run(&context(true), &run_halted));
    assert!(!operator.contains("needs role operator") && operator.contains("Release run_42"));
}
