//! What holds of every page: what it says where there is nothing, and what it does with names that mean harm.

use serde_json::json;
use weir_capacity::desk::{Band, BudgetView, CeilingView, ChoiceView, Desk, ExhaustionView, Failover, HourUse};
use weir_capacity::waste::WasteReport;
use weir_engine::Zone;
use weir_units::WallTime;

use super::*;
use crate::figures::{Alerts, Budgets, Headroom, Keys, Live, Record, Run, Runs, Series, Uptime};
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
        uptime: Ok(Uptime::default()),
        facts: Vec::new(),
    };
    vec![
        overview(context, &overview_of(nothing.clone(), Live::default())),
        requests(context, &asked),
        runs(context, &Runs::default()),
        limits(context, &Headroom::default()),
        capacity(context, &Desk::default()),
        plan(context, &PlanFigures::default()),
        readiness(context, &crate::figures::Readiness::default()),
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
        for refused in ["please", " oops", "Oops", "N/A", "$0.00", "success rate", "throttled by", "!</", "! "] {
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
        content: Some(evil.into()),
        code: Some(evil.into()),
        refused_by: Some(evil.into()),
        ..Record::default()
    };
    let bad_run = Run { run: evil.into(), tenant: evil.into(), state: "halted".into(), ..Run::default() };
    let context = context(true);
    let view = CeilingView {
        name: evil.into(),
        pool: evil.into(),
        tier: Some(evil.into()),
        contact: Some(evil.into()),
        upgrade_url: Some(evil.into()),
        no_forecast: Some(evil.into()),
        options: vec![ChoiceView { what: evil.into(), note: Some(evil.into()), ..ChoiceView::default() }],
        unknown_options: vec![evil.into()],
        ..CeilingView::default()
    };
    let desk = Desk {
        owner: Some(evil.into()),
        ceilings: vec![view.clone(), view],
        failover: vec![Failover { words: evil.into(), ..Failover::default() }],
        budgets: vec![BudgetView { name: evil.into(), ..BudgetView::default() }],
        ..Desk::default()
    };
    for content in [request(&context, &record, Some(2)), run(&context, &bad_run), capacity(&context, &desk)] {
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

#[test]
fn the_page_of_capacity_says_when_by_which_day_and_what_each_option_brings() {
    let context = context(true);
    let days = |days: i64| WallTime(context.clock.now.0 + days * 86_400_000_000);
    let found =
        ExhaustionView { p10: Some(days(6)), p50: Some(days(8)), p90: Some(days(12)), ..ExhaustionView::default() };
    let option = |what: &str, gain, cost: Option<i64>| ChoiceView {
        what: what.into(),
        gain,
        cost_per_month_usd: cost.map(weir_units::NanoUsd),
        by: Some(days(-4)),
        ..ChoiceView::default()
    };
    let gpt5 = CeilingView {
        name: "gpt-5 input tokens/min".into(),
        per: "minute".into(),
        limit: 300_000,
        peak: Some(HourUse { at: days(-1), amount: 282_000.0, share: 0.94 }),
        busiest: Some(Band { at: days(7), p50: 312_000.0, share: 1.04, ..Band::default() }),
        past: vec![HourUse { at: days(-1), amount: 282_000.0, share: 0.94 }],
        ahead: vec![Band { at: days(1), p05: 1.0, p25: 2.0, p50: 3.0, p75: 4.0, p95: 5.0, share: 0.0 }],
        exhaustion: Some(found),
        decide_by: Some(days(-4)),
        alarms: true,
        options: vec![
            option("tier upgrade", 0.38, Some(0)),
            option("spill", 0.24, None),
            option("batch", 0.11, Some(-420_000_000_000)),
        ],
        ..CeilingView::default()
    };
    let short = CeilingView {
        name: "anthropic requests/min".into(),
        no_forecast: Some("6 of 14 days of history; dates start Thu 26 Nov".into()),
        ..CeilingView::default()
    };
    let words = "without openai: anthropic would run at 131 %: failover does not hold";
    let failover = Failover { holds: Some(false), words: words.into(), ..Failover::default() };
    let desk = Desk {
        at: context.clock.now,
        owner: Some("Platform on-call".into()),
        ceilings: vec![gpt5, short],
        failover: vec![failover],
        ..Desk::default()
    };
    let content = capacity(&context, &desk);
    assert!(content.headline.words.starts_with("gpt-5 input tokens/min reach 300k/min on Thu 26 Nov (10–90 %: "));
    let html = page(&context, &content);
    for said in [
        "+38\u{202f}pp",
        "<td class=\"n\" data-l=\"cost a month\">$0</td>",
        "a price that it takes is unknown",
        "−$420",
        "now</td>",
        "4 days overdue",
        words,
        "owner: ",
    ] {
        assert!(html.contains(said), "{said} in {html}");
    }
    let other = Context { params: context.params.with("limit", "anthropic requests/min"), ..context.clone() };
    let html = page(&other, &capacity(&other, &desk));
    assert!(html.contains("6 of 14 days of history; dates start Thu 26 Nov"), "{html}");
}
