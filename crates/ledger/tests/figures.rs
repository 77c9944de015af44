//! Figures of deployments and measured availability: what counts, for whom, and over which time.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[path = "common/both.rs"]
mod both;
#[expect(dead_code, reason = "these tests need not all of it")]
#[path = "common/home.rs"]
mod home;
#[expect(dead_code, reason = "these tests need not all of it")]
#[path = "common/offers.rs"]
mod offers;

use both::on_both;
use home::Home;
use offers::{answered, failed, offer, put};
use weir_ledger::{Attempt, Entry, Fact, Measured, Outcome, UserFigures};
use weir_units::{FaultClass, NanoUsd, WallTime};

/// 2026-11-18T00:00:00Z.
const NOW: i64 = 1_794_960_000_000_000;
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

on_both! {
    a_deployment_answers_for_its_own_faults_and_for_no_others,
    availability_is_measured_over_one_seven_thirty_and_ninety_days,
}

fn of(n: u64, at: i64, attempts: Vec<Attempt>) -> Entry {
    offer(n, at, &[], attempts)
}

fn unserved(mut entry: Entry, outcome: Outcome, status: u16) -> Entry {
    (entry.outcome, entry.status) = (outcome, Some(status));
    entry
}

async fn a_deployment_answers_for_its_own_faults_and_for_no_others(home: Home) {
    let ledger = home.open().await;
    let (a, b, at) = ("openai/a", "anthropic/b", NOW - 2 * HOUR);
    let fault = |class: FaultClass, status: u16| Attempt { class: Some(class), ..failed(a, at, status) };
    let left = Attempt { status: None, ..answered(a, at, 100, [1, 0, 1]) };
    let mut stream = offer(
        9,
        at,
        &[
            Fact::AttemptStarted { attempt: 1, deployment: a.into(), why: "first" },
            Fact::FirstContent { attempt: 1, after_ms: 500 },
        ],
        vec![answered(a, at, 2_500, [100, 0, 80])],
    );
    stream.stream = true;
    let mut cut_short = offer(
        10,
        at,
        &[
            Fact::AttemptStarted { attempt: 1, deployment: a.into(), why: "first" },
            Fact::Wasted { why: "truncated", input: 1, output: 1, cost_usd: None, estimated: false },
        ],
        vec![answered(a, at, 10, [1, 0, 1])],
    );
    cut_short.route = Some("other".into());
    let entries = [
        of(1, at, vec![answered(a, at, 1_000, [10, 0, 5])]),
        of(2, at, vec![failed(a, at, 500), answered(a, at + 7_000_000, 1_000, [10, 0, 5])]),
        of(3, at, vec![failed(a, at, 429), answered(b, at, 1_000, [10, 0, 5])]),
        unserved(of(4, at, vec![fault(FaultClass::Rejected, 400)]), Outcome::Failed, 400),
        unserved(of(5, at, vec![fault(FaultClass::Unauthorized, 401)]), Outcome::Failed, 502),
        unserved(of(6, at, vec![fault(FaultClass::Stalled, 200)]), Outcome::Failed, 200),
        unserved(of(7, at, vec![left]), Outcome::Cancelled, 499),
        unserved(of(8, at, Vec::new()), Outcome::Refused, 429),
        stream,
        cut_short,
    ];
    put(&ledger, &entries).await;
    for counted in [false, true] {
        let figures = ledger.figures(WallTime(NOW - DAY), WallTime(NOW)).await.unwrap();
        assert_eq!(figures.calls.len(), 3, "b for smart, a for smart and for other");
        let all = figures.by_deployment();
        let told = |name: &str| all.iter().find(|(known, _)| **known == *name).map(|(_, figures)| figures).unwrap();
        let of_a = told(a);
        let counts = (of_a.attempts, of_a.answered, of_a.failed, of_a.limited, of_a.refused, of_a.retries);
        assert_eq!(counts, (10, 4, 2, 1, 2, 1), "counted: {counted}");
        assert_eq!((of_a.complete, of_a.asked(), of_a.uptime()), (3, 6, Some(4.0 / 6.0)));
        assert_eq!((of_a.first_content.count(), of_a.first_content.quantile(0.5)), (1, Some(504)));
        assert_eq!(of_a.tokens_per_second(0.5), Some(40.8), "80 tokens in 2 s, to the width of a bucket");
        assert_eq!(of_a.cost_per_complete(), Some(NanoUsd(5_000 / 3)));
        assert_eq!(of_a.last_answer, Some(WallTime(at + 7_000_000)));
        assert_eq!(told(b).limited_share(), Some(0.0));
        let users = UserFigures { requests: 10, answered: 5, cancelled: 1, errors: 3, status_429: 1 };
        assert_eq!(figures.all_users(), users);
        ledger.roll().await;
    }
    home.execute("DELETE FROM requests").await;
    let figures = ledger.figures(WallTime(NOW - DAY), WallTime(NOW)).await.unwrap();
    assert_eq!(figures.by_provider()[1].1.attempts, 10, "figures outlive the requests");
}

async fn availability_is_measured_over_one_seven_thirty_and_ninety_days(home: Home) {
    let ledger = home.open().await;
    let a = "openai/a";
    let mut entries = Vec::new();
    for (n, days) in (0..100).zip(0..100) {
        let at = NOW - days * DAY - 6 * HOUR;
        let fails = days % 10 == 5;
        let attempts = vec![if fails { failed(a, at, 503) } else { answered(a, at, 10, [1, 0, 1]) }];
        let entry = of(n, at, attempts);
        entries.push(if fails { unserved(entry, Outcome::Failed, 503) } else { entry });
    }
    put(&ledger, &entries).await;
    ledger.roll().await;
    let uptime = ledger.uptime(WallTime(NOW)).await.unwrap();
    let expected = [(1, 1), (6, 7), (27, 30), (81, 90)].map(|(answered, asked)| Measured { answered, asked });
    assert_eq!(uptime.providers, [("openai".into(), expected)]);
    assert_eq!(uptime.deployments, [(a.into(), expected)]);
    assert_eq!((uptime.users, uptime.routes), (expected, vec![("smart".into(), expected)]));
}
