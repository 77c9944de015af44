//! Requests that come faster than the database takes them: none is lost, and each is counted once.
//!
//! `cargo run --release -p weir-ledger --example rate` is the long version, at a rate that is asked for.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[path = "common/both.rs"]
mod both;
mod common;
#[expect(dead_code, reason = "these tests need not all of it")]
#[path = "common/home.rs"]
mod home;

use both::on_both;
use common::{COST, START, entry, intent};
use home::Home;
use weir_ledger::{Behind, Filter, Ledger, Query, SeriesQuery, Step, edges};
use weir_units::{NanoUsd, RequestId, WallTime};

const COUNT: u64 = 5_000;

on_both! {
    five_thousand_requests_at_once_spill_and_catch_up,
    five_thousand_requests_that_come_while_others_end_are_each_on_record_once,
}

/// As many messages as the queue has no room for, before the writer can take the first.
async fn five_thousand_requests_at_once_spill_and_catch_up(home: Home) {
    let ledger = home.open().await;
    for n in 0..COUNT {
        ledger.intent(intent(n));
        ledger.settle(entry(n));
    }
    assert_eq!(ledger.behind().queued, 8_192);
    ledger.flush().await;
    all_are_there(&ledger).await;
}

/// A thousand are under way at any time, so that intents are committed before their entries come.
async fn five_thousand_requests_that_come_while_others_end_are_each_on_record_once(home: Home) {
    let ledger = home.open().await;
    for n in 0..COUNT + 1_000 {
        if n < COUNT {
            ledger.intent(intent(n));
        }
        if let Some(ended) = n.checked_sub(1_000) {
            ledger.settle(entry(ended));
        }
        if n % 500 == 0 {
            ledger.flush().await;
        }
    }
    ledger.flush().await;
    all_are_there(&ledger).await;
}

async fn all_are_there(ledger: &Ledger) {
    let listed = ledger.requests(&Query { limit: u32::MAX, ..Query::default() }).await.unwrap();
    let ids = listed.iter().rev().map(|record| {
        let record: serde_json::Value = serde_json::from_str(record).unwrap();
        assert_eq!(record["outcome"], "answered");
        record["id"].as_str().unwrap().parse::<RequestId>().unwrap()
    });
    assert!(ids.eq((0..COUNT).map(|n| intent(n).id)), "{} are listed", listed.len());
    assert_eq!(ledger.behind(), Behind::default());
    ledger.roll().await;
    assert_eq!(ledger.count(&Filter::default(), u64::MAX).await.unwrap().found, COUNT);
    let edges = edges(WallTime(START), WallTime(START + 60_000_000), Step::Minute, |_| 0);
    let query = SeriesQuery { filter: Filter::default(), edges, by: None, top: 0 };
    let total = ledger.series(&query).await.unwrap().all.total;
    assert_eq!((total.requests.answered, total.cost), (COUNT, NanoUsd(COST.0 * COUNT.cast_signed())));
}
