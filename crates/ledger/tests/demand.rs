//! Offered demand: what is asked of a deployment counts whether or not it was served, and is counted once whatever happens.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[path = "common/both.rs"]
mod both;
#[expect(dead_code, reason = "these tests need not all of it")]
#[path = "common/home.rs"]
mod home;
#[path = "common/offers.rs"]
mod offers;
#[path = "common/varied.rs"]
mod varied;

use both::on_both;
use home::Home;
use offers::{answered, at, failed, naive, offer, put, refused};
use varied::varied;
use weir_ledger::{Demand, DemandQuery, DemandRow, DemandStep, Entry, Event, Fact, Ledger, Outcome, Stage};
use weir_units::WallTime;

/// 2026-11-18T00:00:00Z.
const START: i64 = 1_794_960_000_000_000;
const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;

on_both! {
    what_a_limit_kept_away_is_demand_of_the_deployment_that_was_to_serve_it,
    minutes_and_hours_are_those_of_the_requests_before_and_after_they_are_counted,
    what_comes_late_is_added_to_its_minute_and_its_hour,
}

async fn told(ledger: &Ledger, step: DemandStep) -> Vec<DemandRow> {
    let query = DemandQuery { from: WallTime(START - HOUR), until: WallTime(START + 48 * HOUR), step };
    ledger.demand(&query).await.unwrap()
}

async fn what_a_limit_kept_away_is_demand_of_the_deployment_that_was_to_serve_it(home: Home) {
    let ledger = home.open().await;
    let (a, b) = ("openai/a", "anthropic/b");
    let passed_over = |name: &str| Fact::PassedOver {
        deployment: name.into(),
        pool: "p".into(),
        limit: "requests-per-minute",
        wait_ms: 9,
    };
    let queued = Fact::Queued {
        deployment: a.into(),
        pool: "p".into(),
        limit: "requests-per-minute",
        ahead: 1,
        predicted_ms: 5,
    };
    let estimated = |name: &str, input, output| Fact::Estimated { deployment: name.into(), input, output };
    let started = |name: &str| Fact::AttemptStarted { attempt: 1, deployment: name.into(), why: "first" };
    let entries = [
        // Served at once.
        offer(1, START, &[started(a)], vec![answered(a, START, 1_500, [100, 10, 5])]),
        // Kept waiting, then served.
        offer(2, START, &[queued, started(a)], vec![answered(a, START, 1_000, [100, 0, 5])]),
        // Sent elsewhere: a's tokens are those that it used at b.
        offer(3, START, &[passed_over(a), started(b)], vec![answered(b, START, 1_000, [70, 7, 9])]),
        // A 429 at a, then served by b.
        offer(4, START, &[started(a), started(b)], vec![failed(a, START, 429), answered(b, START, 2_000, [30, 0, 3])]),
        // Tried twice at a: one request.
        offer(5, START, &[started(a)], vec![failed(a, START, 500), answered(a, START, 500, [40, 0, 4])]),
        // Refused: an estimate is all there is.
        refused(6, START, &[passed_over(a), passed_over(b), estimated(a, 900, 90)]),
        // A breaker was open, so that nothing is told of a: b was to serve it.
        refused(7, START, &[passed_over(b), estimated(a, 1, 2)]),
        // Its deadline passed before any could be asked.
        refused(8, START, &[Fact::Routed { candidates: vec![a.into(), b.into()], skipped: vec![] }]),
    ];
    put(&ledger, &entries).await;
    let row = |deployment: &str, sum: Demand| DemandRow {
        deployment: deployment.into(),
        at: WallTime(START),
        sum,
        p95: sum,
        peak: sum,
    };
    let of_a = Demand {
        requests: 7,
        input: 100 + 100 + 70 + 30 + 40 + 900,
        cached_input: 10 + 7,
        output: 5 + 5 + 9 + 3 + 4 + 90,
        busy_ms: 1_500 + 1_000 + 500,
        throttled: 5,
    };
    let of_b =
        Demand { requests: 3, input: 70 + 30 + 1, cached_input: 7, output: 9 + 3 + 2, busy_ms: 3_000, throttled: 1 };
    let expected = [row(b, of_b), row(a, of_a)];
    assert_eq!(told(&ledger, DemandStep::Minute).await, expected, "from the requests");
    ledger.roll().await;
    assert_eq!(told(&ledger, DemandStep::Minute).await, expected, "from what was counted");
    let hours = told(&ledger, DemandStep::Hour).await;
    assert_eq!((hours.len(), hours[1].sum, hours[1].peak, hours[1].p95), (2, of_a, of_a, Demand::default()));
}

/// Requests of some days, with calls that take up to ten minutes.
fn entries(count: u64) -> Vec<Entry> {
    let step = 30 * HOUR / i64::try_from(count).unwrap();
    let long = |n: u64| {
        let mut entry = varied(n, WallTime(START + i64::try_from(n).unwrap() * step));
        for (place, attempt) in entry.attempts.iter_mut().enumerate() {
            let from = attempt.started_at.0 + i64::try_from(place).unwrap() * 1_234_000;
            let took = i64::try_from(n * 7_919 % 600_000).unwrap() * 1_000;
            (attempt.started_at, attempt.ended_at) = (WallTime(from), WallTime(from + took));
        }
        entry
    };
    (0..count).map(long).collect()
}

async fn minutes_and_hours_are_those_of_the_requests_before_and_after_they_are_counted(home: Home) {
    let ledger = home.open().await;
    let entries = entries(300);
    put(&ledger, &entries).await;
    for counted in [false, true] {
        for step in [DemandStep::Minute, DemandStep::Hour] {
            let told = told(&ledger, step).await;
            assert!(told.len() > 50);
            assert_eq!(told, naive(&entries, step), "{step:?}, counted: {counted}");
        }
        ledger.roll().await;
    }
    home.execute("DELETE FROM requests").await;
    assert_eq!(told(&ledger, DemandStep::Hour).await, naive(&entries, DemandStep::Hour), "they outlive the requests");
    // A part of the time.
    let query = DemandQuery {
        from: WallTime(START + 7 * HOUR + 1),
        until: WallTime(START + 9 * HOUR + 1),
        step: DemandStep::Minute,
    };
    let part: Vec<DemandRow> = naive(&entries, DemandStep::Minute)
        .into_iter()
        .filter(|row| row.at >= query.from && row.at < query.until)
        .collect();
    assert_eq!(ledger.demand(&query).await.unwrap(), part);
}

async fn what_comes_late_is_added_to_its_minute_and_its_hour(home: Home) {
    let ledger = home.open().await;
    let mut entries = entries(300);
    // Out of order, in three parts, and the second part is counted anew after a kill.
    entries.sort_by_key(|entry| entry.id.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40);
    put(&ledger, &entries[..100]).await;
    ledger.roll().await;
    put(&ledger, &entries[100..200]).await;
    ledger.close().await;
    let ledger = home.open().await;
    ledger.roll().await;
    put(&ledger, &entries[200..]).await;
    ledger.roll().await;
    for step in [DemandStep::Minute, DemandStep::Hour] {
        assert_eq!(told(&ledger, step).await, naive(&entries, step), "{step:?}");
    }
}

#[tokio::test]
async fn a_request_that_still_runs_or_was_lost_asks_nothing_yet() {
    let home = Home::sqlite().await;
    let ledger = home.open().await;
    let mut lost = offer(1, START, &[], Vec::new());
    lost.outcome = Outcome::Lost;
    lost.events = vec![Event { at: at(START), stage: Stage::Settle, fact: Fact::Lost }];
    put(&ledger, &[lost]).await;
    assert_eq!(told(&ledger, DemandStep::Minute).await, []);
}
