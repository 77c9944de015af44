//! Lists, counts and series: each number is that of the requests that the same filter lists.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[path = "common/both.rs"]
mod both;
#[expect(dead_code, reason = "these tests need not all of it")]
#[path = "common/home.rs"]
mod home;
#[path = "common/varied.rs"]
mod varied;

use std::collections::BTreeSet;

use both::on_both;
use home::Home;
use serde_json::Value;
use varied::varied;
use weir_ledger::{
    Count, Entry, Event, Fact, FactQuery, Filter, Ledger, Outcome, Query, SeriesBy, SeriesQuery, Stage, StatusFilter,
    Step, edges,
};
use weir_units::{NanoUsd, RequestId, WallTime};

on_both! {
    what_still_runs_is_listed_and_in_no_series,
    the_same_call_is_what_was_asked_alike_in_the_minute_before,
    facts_are_told_by_kind_and_time_page_by_page,
}

/// 2026-11-18T00:00:00Z.
const START: i64 = 1_794_960_000_000_000;
const HOUR: i64 = 3_600_000_000;

/// Requests of two days and a half, some of them at the same time.
fn entries(count: u64) -> Vec<Entry> {
    let span = 60 * HOUR / count.cast_signed();
    (0..count).map(|n| varied(n, WallTime(START + (n / 2 * 2).cast_signed() * span + 123))).collect()
}

async fn filled(home: &Home, entries: &[Entry]) -> Ledger {
    let ledger = home.open().await;
    for entry in entries {
        ledger.settle(Box::new(entry.clone()));
    }
    ledger.flush().await;
    ledger
}

/// A ledger in each of its states: nothing is counted yet; some is, of some minutes only a part; all is; all is counted anew, since
/// the process that had written it died.
async fn states(kind: fn() -> Making, entries: &[Entry]) -> Vec<(Home, Ledger)> {
    let put = async |ledger: &Ledger, entries: &[Entry]| {
        entries.iter().for_each(|entry| ledger.settle(Box::new(entry.clone())));
        ledger.flush().await;
    };
    let mut states = Vec::new();
    for state in 0..4 {
        let home = kind().await;
        let mut ledger = home.open().await;
        if state == 1 {
            let third = entries.len() / 3;
            let (even, odd): (Vec<_>, Vec<_>) =
                entries[..third].iter().cloned().enumerate().partition(|(n, _)| n % 2 == 0);
            for half in [even, odd] {
                put(&ledger, &half.into_iter().map(|(_, entry)| entry).collect::<Vec<_>>()).await;
                ledger.roll().await;
            }
            put(&ledger, &entries[third..]).await;
        } else {
            put(&ledger, entries).await;
        }
        if state == 3 {
            ledger.close().await;
            ledger = home.open().await;
        }
        if state >= 2 {
            ledger.roll().await;
        }
        states.push((home, ledger));
    }
    states
}

type Making = std::pin::Pin<Box<dyn Future<Output = Home>>>;

/// A filter, and what it means.
type Meant = (Filter, Box<dyn Fn(&Entry) -> bool>);

fn filters(entries: &[Entry]) -> Vec<Meant> {
    let any = Filter::default;
    let some = entries.iter().find(|e| e.trace.is_some() && !e.attempts.is_empty()).unwrap();
    let (trace, run) = (some.trace.unwrap().trace_id, entries.iter().find_map(|e| e.run.clone()).unwrap());
    let upstream = entries.iter().flat_map(|e| &e.attempts).find_map(|a| a.upstream_id.clone()).unwrap();
    let content = entries.iter().find_map(|e| e.content).unwrap();
    let own = |text: &str| Some(text.to_owned());
    let at = |hours: i64| WallTime(START + hours * HOUR + 123);
    let calls = |of: fn(&str) -> bool| move |e: &Entry| e.attempts.iter().any(|a| of(&a.deployment));
    let (run_name, upstream_id) = (run.to_string(), upstream.to_string());
    vec![
        (any(), Box::new(|_| true)),
        (Filter { key: own("key-3"), ..any() }, Box::new(|e| e.key.as_deref() == Some("key-3"))),
        (
            Filter { tenant: own("tenant-1"), route: own("fast"), ..any() },
            Box::new(|e| e.tenant.as_deref() == Some("tenant-1") && e.route.as_deref() == Some("fast")),
        ),
        (Filter { deployment: own("azure/gpt-5.2"), ..any() }, Box::new(calls(|d| d == "azure/gpt-5.2"))),
        (Filter { provider: own("together"), ..any() }, Box::new(calls(|d| d.starts_with("together/")))),
        (
            Filter { model: own("gpt-5.2"), errors: true, ..any() },
            Box::new(move |e| {
                calls(|d| d.ends_with("/gpt-5.2"))(e)
                    && matches!(e.outcome, Outcome::Failed | Outcome::Lost | Outcome::Refused)
            }),
        ),
        (Filter { status: Some(StatusFilter::Exact(429)), ..any() }, Box::new(|e| e.status == Some(429))),
        (Filter { status: Some(StatusFilter::Class(5)), ..any() }, Box::new(|e| e.status.is_some_and(|s| s >= 500))),
        (
            Filter { errors: true, ..any() },
            Box::new(|e| matches!(e.outcome, Outcome::Failed | Outcome::Lost | Outcome::Refused)),
        ),
        (Filter { refused_by: own("weir"), ..any() }, Box::new(|e| e.refused_by.as_deref() == Some("weir"))),
        (
            Filter { refused_by: own("provider"), ..any() },
            Box::new(|e| e.refused_by.as_deref().is_some_and(|by| by != "weir")),
        ),
        (Filter { refused_by: own("openai"), ..any() }, Box::new(|e| e.refused_by.as_deref() == Some("openai"))),
        (Filter { outcome: Some(Outcome::Cancelled), ..any() }, Box::new(|e| e.outcome == Outcome::Cancelled)),
        (Filter { run: Some(run_name), ..any() }, Box::new(move |e| e.run.as_ref() == Some(&run))),
        (
            Filter { tag: Some(("team".into(), "ads".into())), ..any() },
            Box::new(|e| e.tags.iter().any(|(n, v)| (&**n, &**v) == ("team", "ads"))),
        ),
        (
            Filter { tag: Some(("team".into(), "ads".into())), tenant: own("tenant-2"), ..any() },
            Box::new(|e| {
                e.tenant.as_deref() == Some("tenant-2") && e.tags.iter().any(|(n, v)| (&**n, &**v) == ("team", "ads"))
            }),
        ),
        (
            Filter { min_cost: Some(NanoUsd(60_000_000)), ..any() },
            Box::new(|e| e.cost_usd.is_some_and(|c| c.0 >= 60_000_000)),
        ),
        (Filter { trace: Some(trace), ..any() }, Box::new(move |e| e.trace.is_some_and(|t| t.trace_id == trace))),
        (
            Filter { upstream: Some(upstream_id), ..any() },
            Box::new(move |e| e.attempts.iter().any(|a| a.upstream_id.as_ref() == Some(&upstream))),
        ),
        (Filter { content: Some(content), ..any() }, Box::new(move |e| e.content == Some(content))),
        (
            Filter { since: Some(at(7)), until: Some(at(31)), key: own("key-1"), ..any() },
            Box::new(move |e| e.started_at >= at(7) && e.started_at < at(31) && e.key.as_deref() == Some("key-1")),
        ),
        (Filter { key: own("nobody's"), ..any() }, Box::new(|_| false)),
    ]
}

fn ids(records: &[String]) -> Vec<RequestId> {
    records
        .iter()
        .map(|text| serde_json::from_str::<Value>(text).unwrap()["id"].as_str().unwrap().parse().unwrap())
        .collect()
}

/// All pages of a list.
async fn listed(ledger: &Ledger, filter: &Filter, limit: u32) -> Vec<RequestId> {
    let mut query = Query { filter: filter.clone(), limit, before: None };
    let mut all = Vec::new();
    loop {
        let page = ids(&ledger.requests(&query).await.unwrap());
        all.extend(&page);
        query.before = page.last().copied();
        if page.len() < limit as usize {
            return all;
        }
    }
}

#[tokio::test]
async fn a_list_has_what_its_filter_means_page_by_page_and_a_count_is_of_the_list() {
    let entries = entries(1_000);
    for kind in [|| Box::pin(Home::sqlite()) as Making, || Box::pin(Home::postgres()) as Making] {
        for (_home, ledger) in states(kind, &entries).await {
            lists(&ledger, &entries).await;
        }
    }
}

async fn lists(ledger: &Ledger, entries: &[Entry]) {
    for (filter, holds) in filters(entries) {
        let mut expected: Vec<RequestId> = entries.iter().filter(|e| holds(e)).map(|e| e.id).collect();
        expected.sort_unstable_by(|a, b| b.cmp(a));
        let known: BTreeSet<_> = expected.iter().collect();
        assert!(known.len() < 1_000 || filter == Filter::default());
        assert_eq!(listed(ledger, &filter, 70).await, expected, "{filter:?}");
        assert_eq!(listed(ledger, &filter, 1_000).await, expected, "{filter:?}");
        let found = expected.len() as u64;
        assert_eq!(ledger.count(&filter, 10_000).await.unwrap(), Count { found, more: false }, "{filter:?}");
        if found > 5 {
            assert_eq!(ledger.count(&filter, 5).await.unwrap(), Count { found: 5, more: true }, "{filter:?}");
        }
    }
}

async fn what_still_runs_is_listed_and_in_no_series(home: Home) {
    let ledger = filled(&home, &entries(10)).await;
    let running = varied(77, WallTime(START + HOUR));
    ledger.intent(intent_of(&running));
    ledger.flush().await;
    let of = Filter { outcome: Some(Outcome::Open), ..Filter::default() };
    assert_eq!(listed(&ledger, &of, 5).await, [running.id]);
    assert_eq!(listed(&ledger, &Filter::default(), 100).await.len(), 11);
    let query = SeriesQuery { filter: Filter::default(), edges: day(0), by: None, top: 0 };
    assert_eq!(ledger.series(&query).await.unwrap().all.total.requests.requests, 10);
}

fn intent_of(entry: &Entry) -> weir_ledger::Intent {
    weir_ledger::Intent {
        id: entry.id,
        run: entry.run.clone(),
        key: entry.key.clone(),
        tenant: entry.tenant.clone(),
        tags: entry.tags.clone(),
        route: "smart".into(),
        model: "smart".into(),
        dialect: "openai",
        endpoint: "/v1/chat/completions",
        stream: false,
        trace: entry.trace,
        sdk_retry: None,
        started_at: entry.started_at,
    }
}

/// Hours of the whole time, by clocks that are so many seconds ahead of UTC.
fn day(ahead: i64) -> Vec<WallTime> {
    edges(WallTime(START - HOUR), WallTime(START + 61 * HOUR), Step::Hour, |_| ahead)
}

#[tokio::test]
async fn totals_are_the_sums_of_their_buckets_and_of_the_rows_that_the_same_filter_lists() {
    let entries = entries(1_000);
    for kind in [|| Box::pin(Home::sqlite()) as Making, || Box::pin(Home::postgres()) as Making] {
        for (_home, ledger) in states(kind, &entries).await {
            totals(&ledger, &entries).await;
        }
    }
}

async fn totals(ledger: &Ledger, entries: &[Entry]) {
    for (filter, holds) in filters(entries) {
        let edges = match (filter.since, filter.until) {
            (Some(since), Some(until)) => edges(since, until, Step::Hour, |_| 19_800),
            _ => day(0),
        };
        let query = SeriesQuery { filter: filter.clone(), edges, by: Some(SeriesBy::Deployment), top: 2 };
        let series = ledger.series(&query).await.unwrap();
        let rows: Vec<&Entry> = entries.iter().filter(|e| holds(e)).collect();
        check(&series.all.total, &rows, &filter);
        for (place, bucket) in series.all.buckets.iter().enumerate() {
            let (from, until) = (series.edges[place], series.edges[place + 1]);
            let rows: Vec<&Entry> =
                rows.iter().filter(|e| e.started_at >= from && e.started_at < until).copied().collect();
            check(bucket, &rows, &filter);
        }
        let mut calls = series.rest.1.total.calls.attempts;
        calls += series.rows.iter().map(|row| row.total.calls.attempts).sum::<u64>();
        assert_eq!(calls, series.all.total.calls.attempts, "each call is of one deployment");
    }
}

/// Whether the counts are those of the entries.
fn check(tally: &weir_ledger::Tally, rows: &[&Entry], filter: &Filter) {
    let count = |of: &dyn Fn(&Entry) -> bool| rows.iter().filter(|e| of(e)).count() as u64;
    let outcome = |outcome| count(&|e| e.outcome == outcome);
    let of = &tally.requests;
    let weir = |e: &Entry| e.refused_by.as_deref() == Some("weir");
    for (what, told, real) in [
        ("requests", of.requests, rows.len() as u64),
        ("answered", of.answered, outcome(Outcome::Answered)),
        ("refused", of.refused, outcome(Outcome::Refused)),
        ("failed", of.failed, outcome(Outcome::Failed)),
        ("cancelled", of.cancelled, outcome(Outcome::Cancelled)),
        ("lost", of.lost, outcome(Outcome::Lost)),
        ("by weir", of.refused_by_weir, count(&weir)),
        ("by provider", of.refused_by_provider, count(&|e| e.refused_by.is_some() && !weir(e))),
        ("429 by weir", of.status_429_by_weir, count(&|e| e.status == Some(429) && weir(e))),
        ("429 by provider", of.status_429_by_provider, count(&|e| e.status == Some(429) && !weir(e))),
        ("4xx", of.status_4xx, count(&|e| e.status.is_some_and(|s| (400..499).contains(&s) && s != 429))),
        ("5xx", of.status_5xx, count(&|e| e.status.is_some_and(|s| s >= 500))),
        ("broken", of.broken, count(&|e| e.outcome == Outcome::Failed && e.status == Some(200))),
        ("unpriced", of.unpriced, count(&|e| e.cost_usd.is_none())),
        ("queued", of.queued, count(&|e| e.queued_ms > 0)),
        ("queued_ms", of.queued_ms, rows.iter().map(|e| e.queued_ms).sum()),
        ("durations", tally.duration.count(), outcome(Outcome::Answered)),
        ("first contents", tally.first_content.count(), count(&|e| e.stream && e.first_content_ms.is_some())),
        ("repeats", of.retries + of.failovers, rows.iter().map(|e| e.attempts.len().saturating_sub(1) as u64).sum()),
    ] {
        assert_eq!(told, real, "{what} of {filter:?}");
    }
    let calls = || rows.iter().flat_map(|e| &e.attempts);
    let usages = || calls().filter_map(|a| a.usage);
    assert_eq!(tally.calls.attempts, calls().count() as u64);
    assert_eq!(tally.calls.failed, calls().filter(|a| a.class.is_some()).count() as u64);
    assert_eq!(tally.calls.status_429, calls().filter(|a| a.status == Some(429)).count() as u64);
    assert_eq!(tally.calls.input, usages().map(|u| u.input.0).sum::<u64>());
    assert_eq!(tally.calls.output, usages().map(|u| u.output.0).sum::<u64>());
    assert_eq!(tally.cost, calls().filter_map(|a| a.cost_usd).sum::<NanoUsd>());
    let estimated = calls().filter(|a| a.cost_estimated).filter_map(|a| a.cost_usd).sum::<NanoUsd>();
    assert_eq!(tally.estimated, estimated);
    let wasted = rows.iter().flat_map(|e| &e.events).filter(|e| matches!(e.fact, Fact::Wasted { .. })).count() as u64;
    assert_eq!(tally.wasted.iter().map(|w| w.times).sum::<u64>(), wasted);
}

#[tokio::test]
async fn a_series_tells_apart_what_it_is_asked_to() {
    let entries = entries(1_000);
    for kind in [|| Box::pin(Home::sqlite()) as Making, || Box::pin(Home::postgres()) as Making] {
        for (_home, ledger) in states(kind, &entries).await {
            told_apart(&ledger, &entries).await;
        }
    }
}

async fn told_apart(ledger: &Ledger, entries: &[Entry]) {
    let calls = |e: &Entry, of: fn(&str) -> String| e.attempts.iter().map(|a| of(&a.deployment)).collect::<Vec<_>>();
    let own = |name: &Option<std::sync::Arc<str>>| vec![name.as_deref().unwrap_or_default().to_owned()];
    type Names<'n> = Box<dyn Fn(&Entry) -> Vec<String> + 'n>;
    let all: [(SeriesBy, Names<'_>); 9] = [
        (SeriesBy::Deployment, Box::new(|e| calls(e, str::to_owned))),
        (SeriesBy::Provider, Box::new(|e| calls(e, |d| d.split_once('/').unwrap().0.to_owned()))),
        (SeriesBy::Model, Box::new(|e| calls(e, |d| d.split_once('/').unwrap().1.to_owned()))),
        (SeriesBy::Route, Box::new(|e| own(&e.route))),
        (SeriesBy::Key, Box::new(|e| own(&e.key))),
        (SeriesBy::Tenant, Box::new(|e| own(&e.tenant))),
        (SeriesBy::Status, Box::new(|e| vec![e.status.map(|s| format!("{}xx", s / 100)).unwrap_or_default()])),
        (SeriesBy::Outcome, Box::new(|e| vec![e.outcome.name().to_owned()])),
        (
            SeriesBy::Tag("team".into()),
            Box::new(|e| own(&e.tags.iter().find(|(n, _)| &**n == "team").map(|(_, v)| v.clone()))),
        ),
    ];
    for (by, names) in all {
        let query = SeriesQuery { filter: Filter::default(), edges: day(0), by: Some(by.clone()), top: 100 };
        let series = ledger.series(&query).await.unwrap();
        let mut known = BTreeSet::new();
        for row in &series.rows {
            let name = row.name.clone().unwrap_or_default();
            assert!(known.insert(name.clone()));
            let of = |e: &&Entry| {
                let names = names(e);
                names.contains(&name) || (names.is_empty() && row.name.is_none())
            };
            let real = entries.iter().filter(of).count() as u64;
            assert_eq!(row.total.requests.requests, real, "{by:?} {name}");
        }
        assert!(series.rows.is_sorted_by(|a, b| a.total.requests.requests >= b.total.requests.requests));
        assert_eq!(series.rest.0, 0);
        let some: BTreeSet<String> = entries.iter().flat_map(&names).collect();
        assert!(some.is_subset(&known), "{by:?}");
    }
}

async fn the_same_call_is_what_was_asked_alike_in_the_minute_before(home: Home) {
    let ledger = home.open().await;
    let asked = |n: u64, seconds: i64, content| {
        let mut entry = varied(n, WallTime(START + seconds * 1_000_000));
        entry.content = Some(content);
        entry
    };
    let tries = [asked(1, 0, 7), asked(2, 30, 7), asked(3, 31, 8), asked(4, 61, 7)];
    for entry in &tries {
        ledger.settle(Box::new(entry.clone()));
    }
    ledger.flush().await;
    assert_eq!(ids(&ledger.same_call(tries[3].id).await.unwrap()), [tries[1].id]);
    assert_eq!(ids(&ledger.same_call(tries[0].id).await.unwrap()), []);
}

async fn facts_are_told_by_kind_and_time_page_by_page(home: Home) {
    let ledger = home.open().await;
    for n in 0..20 {
        let fact = match n % 2 {
            0 => Fact::ConfigReloaded { path: format!("{n}") },
            _ => Fact::Started { version: format!("{n}") },
        };
        ledger.note(Event { at: WallTime(START + n * HOUR), stage: Stage::Accept, fact });
    }
    ledger.flush().await;
    let mut query = FactQuery { kinds: vec!["ConfigReloaded".into()], limit: 3, ..FactQuery::default() };
    let mut told = Vec::new();
    loop {
        let page = ledger.facts_of(&query).await.unwrap();
        told.extend(page.iter().map(|fact| serde_json::from_str::<Value>(&fact.json).unwrap()["path"].clone()));
        query.before = page.last().map(|fact| fact.id);
        if page.len() < 3 {
            break;
        }
    }
    assert_eq!(told, [18, 16, 14, 12, 10, 8, 6, 4, 2, 0].map(|n| Value::from(n.to_string())));
    let at = |hours: i64| Some(WallTime(START + hours * HOUR));
    let within = FactQuery { since: at(3), until: at(6), ..FactQuery::default() };
    assert_eq!(ledger.facts_of(&within).await.unwrap().len(), 3);
}
