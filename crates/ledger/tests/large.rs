//! A ledger of a month: lists, counts, series and sums are right, and read no request but those that are shown. That no other is read is
//! seen by taking all others away.
//!
//! It has 50,000 requests; `cargo run --release -p weir-ledger --example large` takes the time of ten million.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[expect(dead_code, reason = "these tests need not all of it")]
#[path = "common/home.rs"]
mod home;
#[expect(dead_code, reason = "here nothing still runs")]
#[path = "common/meant.rs"]
mod meant;
#[path = "common/varied.rs"]
mod varied;

use std::collections::{BTreeMap, BTreeSet};

use home::Home;
use meant::{check, filters, names};
use sqlx::{ConnectOptions, Executor, SqliteConnection};
use varied::varied;
use weir_ledger::{Count, Entry, Filter, Query, Reader, SeriesBy, SeriesQuery, SpendBy, SpendQuery, Step, edges};
use weir_units::{NanoUsd, RequestId, WallTime};

/// 2026-11-18T00:00:00Z, and how long the requests before it go back.
const END: i64 = 1_794_960_000_000_000;
const DAYS: i64 = 34;
const DAY: i64 = 86_400_000_000;
const COUNT: u64 = 50_000;

fn at(days: i64) -> WallTime {
    WallTime(END - days * DAY)
}

/// When the `n`th request arrives: a minute has 50, half a second apart, and a third of all minutes are of the last day.
fn time(n: u64) -> WallTime {
    let (minute, minutes) = ((n / 50).cast_signed(), (COUNT / 50).cast_signed());
    let late = minutes * 2 / 3;
    let begin = match minute < late {
        true => at(DAYS).0 + minute * ((DAYS - 1) * DAY / late),
        false => at(1).0 + (minute - late) * (DAY / (minutes - late)),
    };
    WallTime(begin / 60_000_000 * 60_000_000 + (n % 50).cast_signed() * 500_000)
}

/// A ledger, counted and closed, as another process reads it.
struct Large {
    entries: Vec<Entry>,
    reader: Reader,
    database: SqliteConnection,
    _home: Home,
}

impl Large {
    async fn new() -> Self {
        let entries: Vec<Entry> = (0..COUNT).map(|n| varied(n, time(n))).collect();
        let home = Home::sqlite().await;
        let ledger = home.open().await;
        for some in entries.chunks(2_000) {
            some.iter().for_each(|entry| ledger.settle(Box::new(entry.clone())));
            ledger.flush().await;
        }
        ledger.roll().await;
        ledger.close().await;
        let reader = home.reader().await;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(home.path());
        Self { entries, reader, database: options.connect().await.unwrap(), _home: home }
    }

    /// Leaves these requests alone in the database; postings and roll-ups stay what they are.
    async fn keep_only(&mut self, ids: &[RequestId]) {
        self.database.execute("BEGIN").await.unwrap();
        self.database.execute("ALTER TABLE requests RENAME TO away").await.unwrap();
        self.database.execute("CREATE TABLE requests AS SELECT * FROM away LIMIT 0").await.unwrap();
        for id in ids {
            let copy =
                sqlx::query("INSERT INTO requests SELECT * FROM away WHERE id = ?").bind(id.0.to_be_bytes().to_vec());
            assert_eq!(copy.execute(&mut self.database).await.unwrap().rows_affected(), 1);
        }
        self.database.execute("COMMIT").await.unwrap();
    }

    /// By the oldest request the database tells since when it has them all: names that a day's roll-up has no room for are then those of
    /// its hours and minutes. It is in no sum of these tests.
    async fn keep_only_the_oldest(&mut self) {
        self.keep_only(&[self.entries[0].id]).await;
    }

    async fn bring_back(&mut self) {
        self.database.execute("DROP TABLE requests").await.unwrap();
        self.database.execute("ALTER TABLE away RENAME TO requests").await.unwrap();
    }
}

fn ids(records: &[String]) -> Vec<RequestId> {
    let id = |text: &String| {
        let record: serde_json::Value = serde_json::from_str(text).unwrap();
        record["id"].as_str().unwrap().parse().unwrap()
    };
    records.iter().map(id).collect()
}

/// How many requests count for each name.
fn tally(held: &[&Entry], names: &dyn Fn(&Entry) -> Vec<String>) -> BTreeMap<Option<String>, u64> {
    let mut tally = BTreeMap::new();
    for entry in held {
        let mut of: BTreeSet<_> = names(entry).into_iter().map(|name| Some(name).filter(|n| !n.is_empty())).collect();
        if of.is_empty() {
            of.insert(None);
        }
        of.into_iter().for_each(|name| *tally.entry(name).or_default() += 1);
    }
    tally
}

#[tokio::test]
async fn pages_counts_and_sums_of_a_month_need_no_request_but_those_that_are_shown() {
    let mut large = Large::new().await;
    a_page_needs_what_it_shows_and_a_count_nothing(&mut large).await;
    an_hour_a_day_and_a_month_told_apart_by_anything_need_no_request(&mut large).await;
    what_a_week_cost_needs_no_request(&mut large).await;
}

async fn a_page_needs_what_it_shows_and_a_count_nothing(large: &mut Large) {
    for (filter, holds) in filters(&large.entries, at(20), at(3)) {
        let mut all: Vec<RequestId> = large.entries.iter().filter(|e| holds(e)).map(|e| e.id).collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        // The first page, and one from the middle.
        for from in [0, all.len() / 2] {
            let before = from.checked_sub(1).map(|last| all[last]);
            let page: Vec<RequestId> = all[from..].iter().take(100).copied().collect();
            let query = Query { filter: filter.clone(), limit: 100, before };
            large.keep_only(&page).await;
            let listed = ids(&large.reader.requests(&query).await.unwrap());
            large.bring_back().await;
            assert_eq!(listed, page, "{filter:?} from {from}");
        }
        large.keep_only(&[]).await;
        let found = all.len() as u64;
        let count = large.reader.count(&filter, 100_000).await.unwrap();
        let some = large.reader.count(&filter, 50).await.unwrap();
        large.bring_back().await;
        assert_eq!(count, Count { found, more: false }, "{filter:?}");
        assert_eq!(some, Count { found: found.min(50), more: found > 50 }, "{filter:?}");
    }
}

async fn an_hour_a_day_and_a_month_told_apart_by_anything_need_no_request(large: &mut Large) {
    large.keep_only_the_oldest().await;
    for (since, step) in [(END - DAY / 24, Step::Minute), (at(1).0, Step::Hour), (at(30).0, Step::Day)] {
        let held: Vec<&Entry> = large.entries.iter().filter(|e| (since..END).contains(&e.started_at.0)).collect();
        for (by, names) in names() {
            let edges = edges(WallTime(since), WallTime(END), step, |_| 0);
            let query = SeriesQuery { filter: Filter::default(), edges, by: Some(by.clone()), top: 100 };
            let series = large.reader.series(&query).await.unwrap();
            check(&series.all.total, &held, &query.filter);
            for (bucket, edges) in series.all.buckets.iter().zip(series.edges.windows(2)) {
                let within = held.iter().filter(|e| e.started_at >= edges[0] && e.started_at < edges[1]);
                check(bucket, &within.copied().collect::<Vec<_>>(), &query.filter);
            }
            let told = series.rows.iter().map(|row| (row.name.clone(), row.total.requests.requests)).collect();
            assert_eq!(tally(&held, &names), told, "{by:?} by {step:?}");
        }
    }
    large.bring_back().await;
}

async fn what_a_week_cost_needs_no_request(large: &mut Large) {
    large.keep_only_the_oldest().await;
    let held: Vec<&Entry> = large.entries.iter().filter(|e| e.started_at >= at(7)).collect();
    let attempts = || held.iter().flat_map(|entry| &entry.attempts);
    let cost: NanoUsd = attempts().filter_map(|attempt| attempt.cost_usd).sum();
    for (by, names) in names() {
        let Some(by) = SpendBy::ALL.into_iter().find(|known| SeriesBy::parse(known.name()) == Some(by.clone())) else {
            continue;
        };
        let query = SpendQuery { by: vec![by], since: at(7), until: at(0), tenant: None, top: 100 };
        let spend = large.reader.spend(&query, None).await.unwrap();
        let told = spend.rows.iter().map(|row| (row.names[0].clone(), row.sums.requests)).collect();
        assert_eq!(tally(&held, &names), told, "{by:?}");
        let total = (spend.total.requests, spend.total.attempts, spend.total.cost);
        assert_eq!(total, (held.len() as u64, attempts().count() as u64, cost), "{by:?}");
        assert_eq!(spend.rows.iter().map(|row| row.sums.cost).sum::<NanoUsd>(), cost, "{by:?}");
        for row in spend.rows.iter().filter(|_| by == SpendBy::Deployment) {
            let own = attempts().filter(|attempt| row.names[0].as_deref() == Some(&*attempt.deployment));
            assert_eq!(row.sums.cost, own.filter_map(|attempt| attempt.cost_usd).sum());
        }
    }
    large.bring_back().await;
}
