//! Lists while some requests are counted, some are not yet and some still run: each is in its place once.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[path = "common/both.rs"]
mod both;
#[expect(dead_code, reason = "these tests need not all of it")]
#[path = "common/home.rs"]
mod home;
#[expect(dead_code, reason = "these tests make no series")]
#[path = "common/meant.rs"]
mod meant;
#[path = "common/varied.rs"]
mod varied;

use both::on_both;
use home::Home;
use meant::{filters, intent_of};
use varied::varied;
use weir_ledger::{Entry, Filter, Ledger, Query, Reader};
use weir_units::{RequestId, WallTime};

on_both! {
    whatever_is_asked_for_each_request_is_in_its_place_once,
}

/// 2026-11-18T00:00:00Z.
const START: i64 = 1_794_960_000_000_000;
const HOUR: i64 = 3_600_000_000;

fn entries(count: u64) -> Vec<Entry> {
    let step = 5 * HOUR / i64::try_from(count).unwrap();
    (0..count).map(|n| varied(n, WallTime(START + i64::try_from(n).unwrap() * step))).collect()
}

async fn put(ledger: &Ledger, entries: impl Iterator<Item = &Entry>) {
    entries.for_each(|entry| ledger.settle(Box::new(entry.clone())));
    ledger.flush().await;
}

/// A page of a filter, and the ids of what it shows.
async fn page(reader: &Reader, filter: &Filter, limit: u32, before: Option<RequestId>) -> Vec<String> {
    let records = reader.requests(&Query { filter: filter.clone(), limit, before }).await.unwrap();
    records.iter().map(|record| record.split('"').nth(3).unwrap().to_owned()).collect()
}

fn id(text: &str) -> RequestId {
    text.parse().unwrap()
}

async fn whatever_is_asked_for_each_request_is_in_its_place_once(home: Home) {
    let ledger = home.open().await;
    let entries = entries(400);
    // Of every five, one comes late; of some time none was counted, and of some all.
    let late = |n: usize| n % 5 == 3 || (120..180).contains(&n);
    let of = |wanted: bool| entries.iter().enumerate().filter(move |(n, _)| late(*n) == wanted).map(|(_, entry)| entry);
    put(&ledger, of(false)).await;
    ledger.roll().await;
    put(&ledger, of(true)).await;
    // These run since long ago and since just now, and are of one key.
    let running: Vec<Entry> = (1_000..1_006_u64)
        .map(|n| {
            let mut entry = varied(n, WallTime(START + i64::try_from(n % 6).unwrap() * HOUR + 1));
            entry.key = Some("key-3".into());
            entry
        })
        .collect();
    running.iter().for_each(|entry| ledger.intent(intent_of(entry)));
    ledger.flush().await;
    let reader = home.reader().await;
    for (filter, holds) in filters(&entries, WallTime(START + HOUR), WallTime(START + 3 * HOUR)) {
        let mut meant: Vec<RequestId> = entries.iter().filter(|entry| holds(entry)).map(|entry| entry.id).collect();
        let of_a_key = filter == Filter { key: Some("key-3".into()), ..Filter::default() };
        if of_a_key || filter == Filter::default() {
            meant.extend(running.iter().map(|entry| entry.id));
        }
        meant.sort_unstable_by(|a, b| b.cmp(a));
        // What still runs has a tenant, a run and tags, too.
        let ran = |listed: Vec<String>| -> Vec<RequestId> {
            let ids = listed.iter().map(|text| id(text));
            ids.filter(|id| meant.contains(id) || !running.iter().any(|entry| entry.id == *id)).collect()
        };
        assert_eq!(ran(page(&reader, &filter, 1_000, None).await), meant, "{filter:?}");
        let (mut paged, mut before) = (Vec::new(), None);
        loop {
            let some = page(&reader, &filter, 7, before).await;
            before = some.last().map(|last| id(last));
            paged.extend(some);
            if before.is_none() {
                break;
            }
        }
        assert_eq!(ran(paged), meant, "{filter:?} in pages");
    }
}
