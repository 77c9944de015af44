//! Records of the past: any number, of any age, in any order, and none is counted twice.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[path = "common/both.rs"]
mod both;
#[expect(dead_code, reason = "these tests need not all of it")]
#[path = "common/home.rs"]
mod home;
#[expect(dead_code, reason = "these tests need not all of it")]
#[path = "common/offers.rs"]
mod offers;
#[path = "common/varied.rs"]
mod varied;

use std::time::Duration;

use both::on_both;
use home::Home;
use offers::{naive, put};
use varied::varied;
use weir_ledger::{
    Count, DemandQuery, DemandStep, Entry, Filter, Imported, Importer, Ledger, Options, SeriesQuery, SpendQuery, Step,
    edges, open,
};
use weir_units::{NanoUsd, WallTime};

/// 2026-11-18T00:00:00Z.
const END: i64 = 1_794_960_000_000_000;
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
const DAYS: i64 = 60;

on_both! {
    sums_series_demand_and_lists_are_those_of_all_records_however_they_come,
    records_come_beside_a_process_that_serves_and_counts,
}

fn entries(count: u64) -> Vec<Entry> {
    let step = DAYS * DAY / i64::try_from(count).unwrap();
    (0..count).map(|n| varied(n, WallTime(END - DAYS * DAY + i64::try_from(n).unwrap() * step))).collect()
}

/// That everything told of the ledger is what a plain sum over the requests says.
async fn check(ledger: &Ledger, entries: &[Entry]) {
    let (since, until) = (WallTime(END - DAYS * DAY), WallTime(END));
    let attempts = || entries.iter().flat_map(|entry| &entry.attempts);
    let cost: NanoUsd = attempts().filter_map(|attempt| attempt.cost_usd).sum();
    let requests = entries.len() as u64;
    let query = SpendQuery { by: Vec::new(), since, until, tenant: None, top: 10 };
    let spend = ledger.spend(&query, None).await.unwrap().total;
    assert_eq!((spend.requests, spend.attempts, spend.cost), (requests, attempts().count() as u64, cost));
    for step in [Step::Hour, Step::Day] {
        let edges = edges(since, until, step, |_| 0);
        let query = SeriesQuery { filter: Filter::default(), edges, by: None, top: 0 };
        let series = ledger.series(&query).await.unwrap().all;
        assert_eq!(series.total.requests.requests, requests, "{step:?}");
        for (place, bucket) in series.buckets.iter().enumerate() {
            let within =
                |entry: &&Entry| entry.started_at >= query.edges[place] && entry.started_at < query.edges[place + 1];
            assert_eq!(bucket.requests.requests, entries.iter().filter(within).count() as u64, "{step:?} {place}");
        }
    }
    for step in [DemandStep::Minute, DemandStep::Hour] {
        let query = DemandQuery { from: since, until, step };
        assert_eq!(ledger.demand(&query).await.unwrap(), naive(entries, step), "{step:?}");
    }
    let filter = Filter { key: Some("key-3".into()), ..Filter::default() };
    let found = entries.iter().filter(|entry| entry.key.as_deref() == Some("key-3")).count() as u64;
    assert_eq!(ledger.count(&filter, u64::MAX).await.unwrap(), Count { found, more: false });
    let figures = ledger.figures(since, until).await.unwrap();
    let calls = figures.calls.iter().map(|calls| calls.figures.attempts).sum::<u64>();
    assert_eq!((figures.all_users().requests, calls), (requests, attempts().count() as u64));
}

async fn sums_series_demand_and_lists_are_those_of_all_records_however_they_come(home: Home) {
    let entries = entries(1_500);
    // Older than detail is kept: the sums of hours and days must not care.
    let options = Options { retention: Duration::from_secs(20 * 86_400), ..home.options() };
    let mut importer = Importer::open(&options).await.unwrap();
    let mut shuffled = entries.clone();
    shuffled.sort_by_key(|entry| entry.id.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40);
    let told = importer.add(shuffled[..700].to_vec()).await.unwrap();
    assert_eq!(told, Imported { added: 700, ..Imported::default() });
    let told = importer.add(shuffled.clone()).await.unwrap();
    assert_eq!(told, Imported { added: 800, known: 700, gone: 0 });
    let twice: Vec<Entry> = entries[..10].iter().chain(&entries[..10]).cloned().collect();
    assert_eq!(importer.add(twice).await.unwrap(), Imported { known: 20, ..Imported::default() });
    importer.close().await.unwrap();
    let (ledger, _task) = open(options).await.unwrap();
    check(&ledger, &entries).await;
    // A sweep leaves them, since they came of late.
    ledger.roll().await;
    check(&ledger, &entries).await;
}

async fn records_come_beside_a_process_that_serves_and_counts(home: Home) {
    let entries = entries(900);
    let ledger = home.open().await;
    let mut importer = Importer::open(&home.options()).await.unwrap();
    // Each minute gets some from both, before and after it is counted.
    let of = |third: usize| entries.iter().skip(third).step_by(3).cloned().collect::<Vec<Entry>>();
    put(&ledger, &of(0)).await;
    importer.add(of(1)).await.unwrap();
    ledger.roll().await;
    importer.add(of(2)).await.unwrap();
    check(&ledger, &entries).await;
    ledger.close().await;
    let ledger = home.open().await;
    ledger.roll().await;
    check(&ledger, &entries).await;
    assert_eq!(importer.add(entries.clone()).await.unwrap().known, 900);
    check(&ledger, &entries).await;
}

#[tokio::test]
async fn two_hundred_thousand_records_of_sixty_days_are_what_a_plain_sum_says() {
    let home = Home::sqlite().await;
    let entries = entries(200_000);
    let mut importer = Importer::open(&home.options()).await.unwrap();
    for some in entries.chunks(20_000) {
        importer.add(some.to_vec()).await.unwrap();
    }
    importer.close().await.unwrap();
    let ledger = home.open().await;
    check(&ledger, &entries).await;
}

#[tokio::test]
async fn detail_of_imported_days_is_kept_from_the_import_on_and_cannot_come_again_once_it_is_gone() {
    let home = Home::sqlite().await;
    let entries = entries(300);
    let short = Options { retention: Duration::from_millis(1), ..home.options() };
    let mut importer = Importer::open(&short).await.unwrap();
    importer.add(entries.clone()).await.unwrap();
    let (ledger, _task) = open(short).await.unwrap();
    // The sweep takes some at a time, and goes on with each group.
    let gone = async {
        while ledger.count(&Filter::default(), 1).await.unwrap().found > 0 {
            ledger.flush().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.unwrap();
    let told = importer.add(entries.clone()).await.unwrap();
    assert_eq!(told, Imported { gone: 300, ..Imported::default() });
    let query = DemandQuery { from: WallTime(0), until: WallTime(END), step: DemandStep::Hour };
    assert_eq!(ledger.demand(&query).await.unwrap(), naive(&entries, DemandStep::Hour), "hours stay");
}
