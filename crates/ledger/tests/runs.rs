//! Sums of runs: those of the requests, however these were counted, and without looking at one of them.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[path = "common/both.rs"]
mod both;
#[path = "common/home.rs"]
mod home;
#[path = "common/varied.rs"]
mod varied;

use std::collections::BTreeMap;

use both::on_both;
use home::Home;
use varied::varied;
use weir_ledger::{Entry, Ledger, Reader, Spend, SpendBy, SpendQuery, WASTE, Wasted, WastedRequest};
use weir_units::WallTime;

on_both! {
    what_runs_cost_and_wasted_is_known_without_a_look_at_the_requests,
    minutes_that_are_counted_anew_count_each_run_once,
    hours_that_an_earlier_version_counted_are_added_up_from_their_requests,
    of_runs_that_cost_the_same_the_first_by_name_are_told,
    more_runs_than_a_roll_up_has_are_added_up_all_the_same,
}

/// 2026-11-18T00:00:00Z.
const START: i64 = 1_794_960_000_000_000;
const HOUR: i64 = 3_600_000_000;
const ALL_DIRTY: &str =
    "INSERT INTO dirty SELECT DISTINCT started_at / 60000000 FROM requests WHERE true ON CONFLICT DO NOTHING";

fn entries(count: u64) -> Vec<Entry> {
    let step = 30 * HOUR / i64::try_from(count).unwrap();
    (0..count).map(|n| varied(n, WallTime(START + i64::try_from(n).unwrap() * step))).collect()
}

async fn put(ledger: &Ledger, entries: &[Entry]) {
    entries.iter().for_each(|entry| ledger.settle(Box::new(entry.clone())));
    ledger.flush().await;
}

async fn spend(reader: &Reader, by: &[SpendBy], top: u32) -> Spend {
    // Both ends are within a minute that has requests.
    let (since, until) = (WallTime(START + HOUR / 7), WallTime(START + 29 * HOUR + 1_234_567));
    let query = SpendQuery { by: by.to_vec(), since, until, tenant: Some("tenant-2".into()), top };
    reader.spend(&query, None).await.unwrap()
}

async fn all_of_runs(reader: &Reader) -> Vec<Spend> {
    let mut all = Vec::new();
    for by in [vec![SpendBy::Run], vec![SpendBy::Run, SpendBy::Day], vec![SpendBy::Key, SpendBy::Run, SpendBy::Route]] {
        for top in [3, 10_000] {
            all.push(spend(reader, &by, top).await);
        }
    }
    all
}

type Lost = BTreeMap<Option<String>, [Wasted; WASTE.len()]>;

/// What runs lost, out of the requests.
async fn wasted(reader: &Reader) -> Lost {
    let mut lost = Lost::new();
    let take = |request: WastedRequest| {
        for part in &request.parts {
            let sums = lost.entry(request.run.as_deref().map(str::to_owned)).or_default();
            let sum = &mut sums[WASTE.iter().position(|why| *why == part.why).unwrap()];
            (sum.times, sum.tokens) = (sum.times + 1, sum.tokens + part.tokens);
            sum.cost += part.cost.unwrap_or_default();
            sum.unpriced += u64::from(part.cost.is_none());
        }
        true
    };
    reader.wasted(&weir_ledger::Filter::default(), take).await.unwrap();
    lost
}

async fn by_run(reader: &Reader, top: usize) -> Option<weir_ledger::WastedRuns> {
    reader.wasted_by_run(WallTime(0), WallTime(START + 48 * HOUR), top, None).await.unwrap()
}

async fn what_runs_cost_and_wasted_is_known_without_a_look_at_the_requests(home: Home) {
    let ledger = home.open().await;
    put(&ledger, &entries(900)).await;
    let reader = home.reader().await;
    let (before, lost) = (all_of_runs(&reader).await, wasted(&reader).await);
    assert!(before[0].rest.0 > 10 && before[1].rows.len() > 10 && lost.len() > 20);
    assert_eq!(by_run(&reader, 10_000).await.unwrap().0.into_iter().collect::<Lost>(), lost);
    ledger.roll().await;
    assert_eq!(all_of_runs(&reader).await, before);
    // What lies in whole minutes needs no request any more.
    let (since, until) = (WallTime(START), WallTime(START + 31 * HOUR));
    let query = SpendQuery { by: vec![SpendBy::Run], since, until, tenant: None, top: 10_000 };
    let whole = reader.spend(&query, None).await.unwrap();
    home.execute("ALTER TABLE requests RENAME TO away").await;
    home.execute("CREATE TABLE requests AS SELECT * FROM away ORDER BY id LIMIT 1").await;
    home.execute("UPDATE requests SET run = 'another'").await;
    assert_eq!(reader.spend(&query, None).await.unwrap(), whole);
    let (dearest, more, rest) = by_run(&reader, 5).await.unwrap();
    let (all, none, _) = by_run(&reader, 10_000).await.unwrap();
    assert_eq!(
        (all.iter().cloned().collect::<Lost>(), none, dearest.len(), more as usize),
        (lost, 0, 5, all.len() - 5)
    );
    assert_eq!(dearest, all[..5]);
    let tokens = |lost: &[Wasted]| lost.iter().map(|wasted| wasted.tokens).sum::<u64>();
    assert_eq!(tokens(&rest), all[5..].iter().map(|(_, lost)| tokens(lost)).sum::<u64>());
}

async fn minutes_that_are_counted_anew_count_each_run_once(home: Home) {
    let ledger = home.open().await;
    let entries = entries(90);
    put(&ledger, &entries[..60]).await;
    ledger.roll().await;
    put(&ledger, &entries[60..]).await;
    let before = all_of_runs(ledger.reader()).await;
    ledger.close().await;
    home.execute(ALL_DIRTY).await;
    let ledger = home.open().await;
    ledger.roll().await;
    assert_eq!(all_of_runs(ledger.reader()).await, before);
}

async fn hours_that_an_earlier_version_counted_are_added_up_from_their_requests(home: Home) {
    let ledger = home.open().await;
    let entries = entries(90);
    put(&ledger, &entries[..60]).await;
    ledger.roll().await;
    home.execute("DELETE FROM rollups WHERE grain IN (13, 14)").await;
    // The hour in which it was replaced has requests that both have counted.
    put(&ledger, &entries[60..]).await;
    ledger.roll().await;
    let before = all_of_runs(ledger.reader()).await;
    assert!(by_run(ledger.reader(), 10).await.is_none());
    home.execute("DELETE FROM rollups WHERE grain IN (0, 1, 2, 13, 14)").await;
    home.execute(ALL_DIRTY).await;
    ledger.close().await;
    let ledger = home.open().await;
    ledger.roll().await;
    assert_eq!(all_of_runs(ledger.reader()).await, before);
    assert!(by_run(ledger.reader(), 10).await.is_some());
}

async fn of_runs_that_cost_the_same_the_first_by_name_are_told(home: Home) {
    let ledger = home.open().await;
    let free: Vec<Entry> = (0..40)
        .map(|n| {
            let mut entry = varied(n, WallTime(START + i64::try_from(n).unwrap() * HOUR / 4));
            entry.attempts.clear();
            entry.sum_costs();
            // Each has two requests, hours apart.
            entry.run = Some(format!("run {:02}", n * 7 % 20).into());
            entry
        })
        .collect();
    put(&ledger, &free).await;
    ledger.roll().await;
    let query =
        SpendQuery { by: vec![SpendBy::Run], since: WallTime(0), until: WallTime(i64::MAX), tenant: None, top: 3 };
    let spend = ledger.spend(&query, None).await.unwrap();
    let told: Vec<(Option<&str>, u64)> =
        spend.rows.iter().map(|row| (row.names[0].as_deref(), row.sums.requests)).collect();
    assert_eq!(told, [(Some("run 00"), 2), (Some("run 01"), 2), (Some("run 02"), 2)]);
    assert_eq!((spend.rest.0, spend.rest.1.requests, spend.total.requests), (17, 34, 40));
}

async fn more_runs_than_a_roll_up_has_are_added_up_all_the_same(home: Home) {
    let ledger = home.open().await;
    let entry = varied(1, WallTime(START));
    let many: Vec<Entry> = (0..31_000_u64)
        .map(|n| {
            let at = WallTime(START + i64::try_from(n % 2).unwrap() * HOUR / 60);
            let mut entry = entry.clone();
            entry.id = weir_units::RequestId::new(at.millis(), u128::from(n));
            entry.started_at = at;
            entry.run = Some(format!("run {n}").into());
            entry
        })
        .collect();
    put(&ledger, &many).await;
    ledger.roll().await;
    let query =
        SpendQuery { by: vec![SpendBy::Run], since: WallTime(0), until: WallTime(i64::MAX), tenant: None, top: 2 };
    let spend = ledger.spend(&query, None).await.unwrap();
    assert_eq!((spend.rows.len(), spend.rest.0, spend.total.requests), (2, 30_998, 31_000));
}
