//! Roll-ups and postings: they alone answer where they can, count everything once whatever happens, and outlive the requests.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[path = "common/both.rs"]
mod both;
#[expect(dead_code, reason = "these tests need not all of it")]
#[path = "common/home.rs"]
mod home;
#[path = "common/varied.rs"]
mod varied;

use std::time::Duration;

use both::on_both;
use home::Home;
use sqlx::{ConnectOptions, Connection, Executor};
use varied::varied;
use weir_ledger::{
    Entry, Fact, Filter, Ledger, OTHER, Options, Query, Series, SeriesBy, SeriesQuery, Step, WastedRequest, edges, open,
};
use weir_units::WallTime;

/// 2026-11-18T00:00:00Z.
const START: i64 = 1_794_960_000_000_000;
const HOUR: i64 = 3_600_000_000;

on_both! {
    counts_outlive_the_requests,
    a_list_asks_postings_and_reads_no_other_request,
    names_past_the_bound_are_others_once_the_requests_are_gone,
    what_was_wasted_is_told_by_request_and_found_in_a_ledger_of_before,
}

fn entries(count: u64) -> Vec<Entry> {
    let step = 30 * HOUR / i64::try_from(count).unwrap();
    (0..count).map(|n| varied(n, WallTime(START + i64::try_from(n).unwrap() * step))).collect()
}

async fn put(ledger: &Ledger, entries: &[Entry]) {
    entries.iter().for_each(|entry| ledger.settle(Box::new(entry.clone())));
    ledger.flush().await;
}

async fn counted(ledger: &Ledger, step: Step, by: SeriesBy) -> Series {
    let edges = edges(WallTime(START), WallTime(START + 48 * HOUR), step, |_| 0);
    let query = SeriesQuery { filter: Filter::default(), edges, by: Some(by), top: 5_000 };
    ledger.series(&query).await.unwrap()
}

async fn counts_outlive_the_requests(home: Home) {
    let ledger = home.open().await;
    put(&ledger, &entries(600)).await;
    ledger.roll().await;
    let all = [SeriesBy::Deployment, SeriesBy::Key, SeriesBy::Status, SeriesBy::Tag("team".into())];
    for step in [Step::Minute, Step::Hour, Step::Day] {
        for by in &all {
            let before = counted(&ledger, step, by.clone()).await;
            assert!(before.all.total.requests.requests > 100);
            home.execute("ALTER TABLE requests RENAME TO away").await;
            home.execute("CREATE TABLE requests AS SELECT * FROM away LIMIT 0").await;
            let after = counted(&ledger, step, by.clone()).await;
            home.execute("DROP TABLE requests").await;
            home.execute("ALTER TABLE away RENAME TO requests").await;
            assert_eq!(before, after, "{by:?} by {step:?}");
        }
    }
}

async fn a_list_asks_postings_and_reads_no_other_request(home: Home) {
    let ledger = home.open().await;
    let entries = entries(600);
    put(&ledger, &entries).await;
    ledger.roll().await;
    let filter = Filter { key: Some("key-3".into()), ..Filter::default() };
    let query = Query { filter: filter.clone(), limit: 1_000, before: None };
    let with = ledger.requests(&query).await.unwrap().len();
    assert_eq!(with, entries.iter().filter(|entry| entry.key.as_deref() == Some("key-3")).count());
    home.execute("DELETE FROM postings WHERE kind = 10").await;
    assert_eq!(ledger.requests(&query).await.unwrap().len(), 0, "no request was looked at by itself");
    assert_eq!(ledger.count(&filter, 1_000).await.unwrap().found, 0);
}

async fn what_was_wasted_is_told_by_request_and_found_in_a_ledger_of_before(home: Home) {
    let ledger = home.open().await;
    let entries = entries(600);
    put(&ledger, &entries).await;
    ledger.roll().await;
    let facts = |entry: &Entry| -> Vec<(Option<String>, &'static str, u64)> {
        let run = entry.run.as_deref().map(str::to_owned);
        let told = |fact: &Fact| match fact {
            Fact::Wasted { why, input, output, .. } => {
                Some((run.clone(), if *why == "a new reason" { "other" } else { why }, input + output))
            }
            _ => None,
        };
        entry.events.iter().filter_map(|event| told(&event.fact)).collect()
    };
    let meant: Vec<_> = entries.iter().rev().flat_map(facts).collect();
    let mut told = Vec::new();
    let parts = |request: WastedRequest| {
        let run = request.run.as_deref().map(str::to_owned);
        told.extend(request.parts.iter().map(|part| (run.clone(), part.why, part.tokens)));
        true
    };
    ledger.reader().wasted(&Filter::default(), parts).await.unwrap();
    assert!(told == meant && told.len() > 20, "{} for {}", told.len(), meant.len());
    let first = ledger.reader().first_request(WallTime(0), WallTime(START + HOUR)).await.unwrap();
    assert_eq!(first, Some(WallTime(START)));
    assert_eq!(ledger.reader().first_request(WallTime(0), WallTime(START)).await.unwrap(), None);

    let any = Filter { waste: Some("any".into()), ..Filter::default() };
    let found = ledger.count(&any, 1_000).await.unwrap().found;
    home.execute("DELETE FROM postings WHERE kind = 24").await;
    assert_eq!(ledger.count(&any, 1_000).await.unwrap().found, 0, "it is found by postings alone");
    home.execute("DELETE FROM _sqlx_migrations WHERE version = 8").await;
    ledger.close().await;
    let ledger = home.open().await;
    ledger.roll().await;
    assert_eq!(ledger.count(&any, 1_000).await.unwrap().found, found);
}

async fn names_past_the_bound_are_others_once_the_requests_are_gone(home: Home) {
    let ledger = home.open().await;
    let mut entries = entries(1);
    entries[0].attempts.clear();
    let entries: Vec<Entry> = (0..4_500_u64)
        .map(|n| {
            let mut entry = entries[0].clone();
            entry.id = weir_units::RequestId::new(START / 1_000, u128::from(n));
            entry.key = Some(format!("key-{n}").into());
            entry
        })
        .collect();
    // The first minute of a ledger may be half deleted, so this one must not be it.
    put(&ledger, &[varied(9_999, WallTime(START - 24 * HOUR))]).await;
    put(&ledger, &entries[..2_500]).await;
    ledger.roll().await;
    let told = counted(&ledger, Step::Day, SeriesBy::Key).await;
    assert_eq!(told.rows.len(), 2_500, "so many are told by their names, whatever else is told apart");
    put(&ledger, &entries[2_500..]).await;
    ledger.roll().await;
    let told = counted(&ledger, Step::Day, SeriesBy::Key).await;
    assert_eq!(told.rows.len(), 4_500, "while the requests are there, each is told by its name");
    home.execute("DELETE FROM requests").await;
    let told = counted(&ledger, Step::Day, SeriesBy::Key).await;
    assert_eq!((told.rows.len(), told.all.total.requests.requests), (2_001, 4_500));
    assert_eq!((told.rows[0].name.as_deref(), told.rows[0].total.requests.requests), (Some(OTHER), 2_500));
}

#[tokio::test]
async fn what_is_written_twice_is_counted_once() {
    let home = Home::sqlite().await;
    let spill = home.folder.path().join("weir.db.spill");
    let entries = entries(300);
    let ledger = home.open().await;
    put(&ledger, &entries[..100]).await;
    ledger.roll().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(home.path());
    let mut other = options.connect().await.unwrap();
    other.execute("BEGIN EXCLUSIVE").await.unwrap();
    put(&ledger, &entries[100..]).await;
    let spilled = std::fs::read(&spill).unwrap();
    other.execute("ROLLBACK").await.unwrap();
    other.close().await.unwrap();
    ledger.flush().await;
    ledger.roll().await;
    let once = counted(&ledger, Step::Hour, SeriesBy::Deployment).await;
    assert_eq!(once.all.total.requests.requests, 300);
    ledger.close().await;
    // As a crash leaves it that came between the commit and the end of the spill file.
    std::fs::write(&spill, spilled).unwrap();
    let ledger = home.open().await;
    ledger.roll().await;
    assert_eq!(counted(&ledger, Step::Hour, SeriesBy::Deployment).await, once);
    assert_eq!(ledger.count(&Filter { errors: true, ..Filter::default() }, 10_000).await.unwrap().found, {
        let total = &once.all.total.requests;
        total.refused + total.failed + total.lost
    });
}

#[tokio::test]
async fn roll_ups_of_minutes_go_with_the_requests_and_those_of_hours_and_days_stay() {
    let home = Home::sqlite().await;
    let ledger = home.open().await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros();
    let long_ago = i64::try_from(now).unwrap() - 20 * 24 * HOUR;
    let old: Vec<Entry> = (0..50).map(|n| varied(n, WallTime(long_ago + i64::try_from(n).unwrap()))).collect();
    put(&ledger, &old).await;
    ledger.roll().await;
    ledger.close().await;
    let options = Options { retention: Duration::from_secs(10 * 86_400), ..home.options() };
    let (ledger, _task) = open(options).await.unwrap();
    let gone = async {
        while !ledger.requests(&Query::default()).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.unwrap();
    ledger.flush().await;
    let day = 24 * HOUR;
    let from = WallTime(long_ago / day * day);
    let of = |step| edges(from, WallTime(from.0 + 2 * day), step, |_| 0);
    for step in [Step::Hour, Step::Day] {
        let query = SeriesQuery { filter: Filter::default(), edges: of(step), by: None, top: 0 };
        assert_eq!(ledger.series(&query).await.unwrap().all.total.requests.requests, 50, "{step:?}");
    }
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(home.path());
    let mut other = options.connect().await.unwrap();
    let left: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM spans) + (SELECT count(*) FROM postings) + (SELECT count(*) FROM rollups WHERE grain IN (0, 3))",
    )
    .fetch_one(&mut other)
    .await
    .unwrap();
    assert_eq!(left, 0);
}
