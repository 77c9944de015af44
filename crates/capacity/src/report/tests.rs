//! The report and the runbook, held against what is written out here.

use std::time::Duration;

use weir_engine::Zone;
use weir_ledger::Measured;
use weir_units::{NanoUsd, WallTime};

use super::*;
use crate::desk::{CeilingView, ChoiceView, Desk, ExhaustionView, Failover, HourUse, ModelView, Survivor, Use};
use crate::readiness::{Evidence, Gap, grade};

fn at(text: &str) -> WallTime {
    text.parse().unwrap()
}

fn report() -> Weekly {
    let (since, until) = (at("2026-11-11T14:47:00Z"), at("2026-11-18T14:47:00Z"));
    let ceiling = CeilingView {
        name: "gpt-5 input tokens/min".into(),
        limit: 300_000,
        now: Use { amount: 183_000.0, share: 0.61 },
        peak: Some(HourUse { at: at("2026-11-17T14:00:00Z"), amount: 282_000.0, share: 0.94 }),
        exhaustion: Some(ExhaustionView {
            until: at("2027-02-16T00:00:00Z"),
            probability: 0.97,
            p10: Some(at("2026-11-24T00:00:00Z")),
            p50: Some(at("2026-11-26T00:00:00Z")),
            p90: Some(at("2026-11-30T00:00:00Z")),
        }),
        decide_by: Some(at("2026-11-14T00:00:00Z")),
        options: vec![ChoiceView {
            what: "tier upgrade 3 to 4".into(),
            gain: 0.38,
            cost_per_month_usd: Some(NanoUsd(0)),
            ..ChoiceView::default()
        }],
        model: Some(ModelView {
            words: "slot of week".into(),
            nights: Some(14),
            error: Some(0.043),
            coverage90: Some(0.89),
            ..ModelView::default()
        }),
        ..CeilingView::default()
    };
    let failover = Failover {
        without: "openai".into(),
        holds: Some(false),
        // The busiest hour to come is fuller than any that was.
        binds: Some(Survivor {
            name: "anthropic requests/min".into(),
            share: 1.12,
            share_ahead: Some(1.31),
            ..Survivor::default()
        }),
        words: "without openai: anthropic would run at 131 %: failover does not hold".into(),
        ..Failover::default()
    };
    let nothing = Evidence::none(since, until, &Gap::new("no traffic", "ask again later"));
    Weekly {
        since,
        until,
        zone: Some(Zone::UTC),
        zone_name: "UTC".into(),
        owner: Some("Platform on-call".into()),
        desk: Some(Desk { ceilings: vec![ceiling], failover: vec![failover], ..Desk::default() }),
        users: vec![Seen {
            name: "all routes".into(),
            week: Measured { answered: 999_412, asked: 1_000_000 },
            month: Measured { answered: 3_998_000, asked: 4_000_000 },
        }],
        providers: vec![Seen {
            name: "openai".into(),
            week: Measured { answered: 996_300, asked: 1_000_000 },
            month: Measured::default(),
        }],
        moves: vec![LimitMove {
            at: at("2026-11-12T09:14:00Z"),
            words: "tokens-per-minute of gpt-5 went from 500000 to 300000".into(),
        }],
        spend: vec![SpendLine {
            name: "openai/gpt-5.2".into(),
            requests: 41_200,
            cost: NanoUsd(188_400_000_000),
            unpriced: 38,
            before: NanoUsd(168_214_285_714),
        }],
        total: SpendLine { requests: 41_200, cost: NanoUsd(188_400_000_000), unpriced: 38, ..SpendLine::default() },
        readiness: Some((grade(&nothing, &Zone::UTC), None)),
        chain: Some((812, "9f2c".into())),
        ..Weekly::default()
    }
}

#[test]
fn the_headline_is_what_has_to_be_decided_and_when() {
    assert_eq!(
        report().headline().replace('\u{202f}', " "),
        "gpt-5 input tokens/min is full by Thu 26 Nov 2026: decide by Sat 14 Nov 2026, which is past. \
         Users saw 99.94 % of 1,000,000 requests answered."
    );
    let calm = Weekly { desk: None, readiness: None, ..report() };
    assert_eq!(
        calm.headline().replace('\u{202f}', " "),
        "Nothing is to be decided. Users saw 99.94 % of 1,000,000 requests answered."
    );
}

#[test]
fn the_report_has_its_parts_in_order_and_says_who_by_when_and_to_what_effect() {
    let page = report().document().to_markdown().replace('\u{202f}', " ");
    let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(
        headings,
        [
            "Decisions wanted",
            "Availability: what users saw, and what providers did",
            "Headroom",
            "Limits that changed",
            "Spend",
            "The largest wastes",
            "Readiness",
            "Drills",
            "How far the forecast was off",
            "How it was counted",
        ]
    );
    for line in [
        "# Capacity report, week to Wed 18 Nov 2026",
        "| gpt-5 input tokens/min: tier upgrade 3 to 4 | Platform on-call | Sat 14 Nov 2026 (overdue) | + 38 pp headroom, $0 a month |",
        "| without openai: add room or another provider | Platform on-call | now | else anthropic requests/min would run at 131 % |",
        "| users of | all routes | 99.94 % | 1,000,000 | 99.95 % |",
        "| provider | openai | 99.63 % | 1,000,000 | — |",
        "| gpt-5 input tokens/min | 300,000 | 61 % | 94 % | — | Tue 24 Nov 2026 – Mon 30 Nov 2026 | Sat 14 Nov 2026 |",
        "- Thu 12 Nov 09:14: tokens-per-minute of gpt-5 went from 500000 to 300000",
        "| openai/gpt-5.2 | 41,200 | $188.40 + 38 unpriced | $168.21 | +12 % |",
        "| 1 | not enough data | no traffic | — |",
        "| gpt-5 input tokens/min | slot of week | 14 | 4.3 % | 89 % |",
        "Audit log: entry 812, 9f2c.",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
    // Two pages of text.
    assert!(page.lines().count() < 120, "{page}");
}

#[test]
fn the_page_holds_its_own_style_and_nothing_is_fetched() {
    let page = report().document().to_html("body{color:red}");
    assert!(page.contains("<style>body{color:red}") && page.contains("<th scope=\"col\">what</th>"), "{page}");
    assert!(!page.contains("http") && !page.contains("<script") && !page.contains("src="), "{page}");
}

#[test]
fn an_empty_week_says_so_and_is_a_report_all_the_same() {
    let page = Weekly { zone_name: "UTC".into(), ..Weekly::default() }.document().to_markdown();
    for line in
        ["**Nothing is to be decided. Nothing was asked.**", "None this week.", "Nothing was spent.", "Not asked."]
    {
        assert!(page.contains(line), "{line}\n{page}");
    }
}

fn ladder() -> Ladder {
    let route = |name: &str, deployments: &[&str]| LadderRoute {
        name: name.into(),
        deployments: deployments.iter().map(|one| (*one).into()).collect(),
        balanced: false,
        critical: name == "smart",
        splices: true,
        connect: Duration::from_secs(5),
        first_byte: Duration::from_secs(20),
    };
    Ladder {
        routes: vec![route("alone", &["openai/embed"]), route("smart", &["openai/gpt-5.2", "anthropic/sonnet-5.5"])],
        consecutive_failures: 5,
        failure_rate: 0.5,
        window: Duration::from_secs(30),
        cooldown: Duration::from_secs(15),
        breaker_off: None,
        owner: Some("Platform on-call".into()),
        attempts: 3,
        contacts: vec![("openai".into(), "account team, https://example/upgrade".into())],
    }
}

#[test]
fn the_runbook_says_for_each_route_and_provider_who_serves_and_what_users_see() {
    let page = runbook(&ladder(), report().desk.as_ref()).to_markdown().replace('\u{202f}', " ");
    for line in [
        "**1 of 2 routes has one provider only, and goes down with it.**",
        "A breaker opens after 5 faults in a row, or once 50 % of the calls within 30 s failed; it stays open for 15 s",
        "## Route smart (critical)",
        "| openai | anthropic/sonnet-5.5 | 200 from anthropic/sonnet-5.5; streams that are cut are carried on where that is exact, \
         else they end in an error | 5 faults in a row: those requests wait up to 5 s to connect, or 20 s without headers, before they move on \
         | no: anthropic requests/min would run at 131 %; the rest gets 503 `capacity_exhausted` |",
        "| anthropic | openai/gpt-5.2 | nothing: openai/gpt-5.2 serves as before; there is one fewer to fall back to | nobody waits: it is called \
         only when those before it fail or are full | yes: nothing moves |",
        "## Route alone",
        "| openai | nobody | 502 or 503 `upstream_error`, 504 `upstream_timeout` where it is silent; once its breaker is open, 503 \
         `no_deployment_available` with retry-after | 5 faults in a row; a request is tried 3 times, each for up to 5 s to connect or 20 s without \
         headers | no: there is nobody else |",
        "- openai: account team, https://example/upgrade",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
    assert!(page.contains("Owner: Platform on-call."), "{page}");
    let off = Some("[breaker] consecutive-failures = 100000 and failure-rate = 1 hardly ever open it".to_owned());
    let page = runbook(&Ladder { breaker_off: off, owner: None, attempts: 1, ..ladder() }, None).to_markdown();
    let page = page.replace('\u{202f}', " ");
    for line in [
        "Owner: nobody; name one in `[owner]`.",
        "There is no breaker to speak of: \\[breaker\\] consecutive-failures = 100000 and failure-rate = 1 hardly ever open it.",
        "| it never opens: all requests wait up to 5 s to connect, or 20 s without headers, before they move on |",
        "where it is silent | it never opens; a request is tried once for up to 5 s to connect or 20 s without headers |",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
    let page = runbook(&Ladder { routes: Vec::new(), ..ladder() }, None).to_markdown();
    assert!(page.contains("every model stands and falls with its provider"), "{page}");
}
