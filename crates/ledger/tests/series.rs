//! Lists, counts and series: each number is that of the requests that the same filter lists.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[path = "common/both.rs"]
mod both;
#[expect(dead_code, reason = "these tests need not all of it")]
#[path = "common/home.rs"]
mod home;
#[path = "common/meant.rs"]
mod meant;
#[path = "common/varied.rs"]
mod varied;

use std::collections::BTreeSet;

use both::on_both;
use home::Home;
use meant::{check, filters, intent_of, names};
use serde_json::Value;
use varied::varied;
use weir_ledger::{
    Count, Entry, Event, Fact, FactQuery, Filter, Ledger, Outcome, Query, SeriesBy, SeriesQuery, Stage, Step, edges,
};
use weir_units::{RequestId, WallTime};

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

/// What is no whole second.
fn at(hours: i64) -> WallTime {
    WallTime(START + hours * HOUR + 123)
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
    for (filter, holds) in filters(entries, at(7), at(31)) {
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
    for (filter, holds) in filters(entries, at(7), at(31)) {
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
    for (by, names) in names() {
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
