//! The ledger from outside: what was taken down is there exactly once, whatever became of the database or the process.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[path = "common/both.rs"]
mod both;
mod common;
#[expect(dead_code, reason = "these tests need not all of it")]
#[path = "common/home.rs"]
mod home;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use both::on_both;
use common::{COST, START, entry, intent};
use home::Home;
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection};
use weir_ledger::{Event, Fact, Filter, Ledger, OpenError, Options, Payer, Query, Reader, Stage, StatusFilter, open};
use weir_units::{FaultClass, WallTime};

on_both! {
    an_entry_reads_back_as_the_contract_has_it,
    an_entry_replaces_its_intent_and_never_the_other_way_round,
    without_a_flush_an_entry_is_readable_within_a_second,
    pages_and_filters_choose_what_they_say,
    twenty_thousand_entries_are_there_exactly_once,
    what_the_queue_has_no_room_for_is_spilled_and_comes_back,
    what_is_older_than_the_retention_is_deleted,
    facts_about_weir_itself_are_kept_in_order_and_once,
    what_was_spent_is_summed_by_whoever_pays_and_each_request_once,
}

/// The made-up requests lie in a fixed past, which must not fall out of the retention.
fn options(path: &Path) -> Options {
    Options { retention: Duration::from_secs(100 * 365 * 86_400), ..Options::new(path) }
}

async fn opened(path: &Path) -> Ledger {
    open(options(path)).await.unwrap().0
}

async fn record(ledger: &Ledger, n: u64) -> Value {
    let record = ledger.request(intent(n).id).await.unwrap().unwrap_or_else(|| panic!("request {n} is not on record"));
    serde_json::from_str(&record).unwrap()
}

/// The requests on record, oldest first, by what their start says.
async fn on_record(ledger: &Ledger) -> Vec<u64> {
    let all = ledger.requests(&Query { limit: u32::MAX, ..Query::default() }).await.unwrap();
    let number = |record: &String| {
        let record: Value = serde_json::from_str(record).unwrap();
        let id: weir_units::RequestId = record["id"].as_str().unwrap().parse().unwrap();
        u64::try_from(id.0 & 0xFFFF_FFFF).unwrap()
    };
    all.iter().rev().map(number).collect()
}

async fn plain(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap()
}

async fn an_entry_reads_back_as_the_contract_has_it(home: Home) {
    let ledger = home.open().await;
    ledger.intent(intent(7));
    ledger.settle(entry(7));
    ledger.flush().await;
    let record = record(&ledger, 7).await;
    for (pointer, expected) in [
        ("/id", Value::from(intent(7).id.to_string())),
        ("/started_at", "2026-11-18T14:47:03.121Z".into()),
        ("/ended_at", "2026-11-18T14:47:04.022Z".into()),
        ("/outcome", "answered".into()),
        ("/status", 200.into()),
        ("/code", Value::Null),
        ("/cost_usd", "0.004050001".into()),
        ("/cost_estimated", false.into()),
        ("/attempts/0/cost_usd", "0".into()),
        ("/attempts/1/cost_usd", "0.004050001".into()),
        ("/key", "odd".into()),
        ("/usage/input", 900.into()),
        ("/attempts/0/class", "overloaded".into()),
        ("/attempts/1/usage/output", 120.into()),
        ("/events/3/fact", "AttemptFailed".into()),
        ("/events/3/stage", "call".into()),
        ("/events/3/at", "2026-11-18T14:47:03.125Z".into()),
        ("/events/3/message", "Overloaded".into()),
        ("/events/6/fact", "Answered".into()),
    ] {
        assert_eq!(record.pointer(pointer), Some(&expected), "{pointer} of {record:#}");
    }
    assert_eq!(ledger.request(intent(8).id).await.unwrap(), None);
}

#[tokio::test]
async fn costs_sum_exactly_in_the_database_and_what_is_unknown_is_not_zero_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weir.db");
    let ledger = opened(&path).await;
    for n in 0..1_000 {
        ledger.settle(entry(n));
    }
    let mut unknown = entry(1_000);
    unknown.attempts[1].cost_usd = None;
    unknown.sum_costs();
    ledger.settle(unknown);
    ledger.intent(intent(1_001));
    ledger.flush().await;
    assert_eq!(record(&ledger, 1_000).await["cost_usd"], Value::Null);
    let mut connection = plain(&path).await;
    let (sum, unknown): (i64, i64) = sqlx::query_as("SELECT sum(cost_nano), sum(cost_nano IS NULL) FROM requests")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!((sum, unknown), (1_000 * COST.0, 2));
}

async fn an_entry_replaces_its_intent_and_never_the_other_way_round(home: Home) {
    let ledger = home.open().await;
    ledger.intent(intent(1));
    ledger.flush().await;
    assert_eq!(record(&ledger, 1).await["outcome"], "open");
    ledger.settle(entry(1));
    ledger.flush().await;
    ledger.intent(intent(1));
    ledger.flush().await;
    assert_eq!(record(&ledger, 1).await["outcome"], "answered");
    assert_eq!(on_record(&ledger).await, [1]);
}

async fn without_a_flush_an_entry_is_readable_within_a_second(home: Home) {
    let ledger = home.open().await;
    ledger.settle(entry(1));
    let seen = async {
        while ledger.request(intent(1).id).await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(1), seen).await.unwrap();
}

async fn pages_and_filters_choose_what_they_say(home: Home) {
    let ledger = home.open().await;
    for n in 0..10 {
        ledger.settle(entry(n));
    }
    ledger.flush().await;
    let at = |ms: i64| Some(WallTime(START + ms * 1_000));
    let of = |limit: u32, filter: Filter| Query { filter, limit, before: None };
    let any = Filter::default();
    for (query, expected) in [
        (of(3, any.clone()), vec![9, 8, 7]),
        (Query { before: Some(intent(7).id), ..of(2, any.clone()) }, vec![6, 5]),
        (of(2, Filter { key: Some("odd".into()), ..any.clone() }), vec![9, 7]),
        (of(100, Filter { since: at(4), until: at(6), ..any.clone() }), vec![5, 4]),
        (of(1, Filter { status: StatusFilter::parse("200"), tenant: Some("team-a".into()), ..any.clone() }), vec![9]),
        (of(9, Filter { status: StatusFilter::parse("500"), ..any.clone() }), vec![]),
        (of(9, Filter { route: Some("' OR 1=1 --".into()), ..any }), vec![]),
    ] {
        let found = ledger.requests(&query).await.unwrap();
        let ids: Vec<Value> =
            found.iter().map(|text| serde_json::from_str::<Value>(text).unwrap()["id"].clone()).collect();
        let expected: Vec<Value> = expected.into_iter().map(|n| intent(n).id.to_string().into()).collect();
        assert_eq!(ids, expected, "{query:?}");
    }
}

async fn twenty_thousand_entries_are_there_exactly_once(home: Home) {
    let ledger = home.open().await;
    for n in 0..20_000 {
        ledger.intent(intent(n));
        ledger.settle(entry(n));
        if n % 500 == 0 {
            tokio::task::yield_now().await;
        }
    }
    ledger.flush().await;
    assert_eq!(on_record(&ledger).await, (0..20_000).collect::<Vec<_>>());
    assert_eq!(ledger.behind(), weir_ledger::Behind::default());
}

async fn what_the_queue_has_no_room_for_is_spilled_and_comes_back(home: Home) {
    let path = home.path();
    let (ledger, _) = open(Options { queue: 4, ..home.options() }).await.unwrap();
    // The runtime has one thread and nothing here awaits, so the writer cannot make room.
    for n in 0..1_000 {
        ledger.intent(intent(n));
        ledger.settle(entry(n));
    }
    assert_eq!(ledger.behind().queued, 4);
    ledger.flush().await;
    assert_eq!(on_record(&ledger).await, (0..1_000).collect::<Vec<_>>());
    assert_eq!(record(&ledger, 999).await["outcome"], "answered");
    assert_eq!(ledger.behind(), weir_ledger::Behind::default());
    assert!(!path.with_extension("db.spill").exists() && !path.with_extension("db.spill.reading").exists());
}

#[tokio::test]
async fn a_locked_database_makes_records_spill_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weir.db");
    let ledger = opened(&path).await;
    let mut other = plain(&path).await;
    other.execute("BEGIN EXCLUSIVE").await.unwrap();
    for n in 0..100 {
        ledger.settle(entry(n));
    }
    ledger.flush().await;
    let behind = ledger.behind();
    assert_eq!((behind.spilled, behind.lost), (100, 0));
    assert!(behind.since.is_some() && behind.error.unwrap().contains("locked"));
    other.execute("ROLLBACK").await.unwrap();
    ledger.settle(entry(100));
    ledger.flush().await;
    assert_eq!(on_record(&ledger).await, (0..=100).collect::<Vec<_>>());
    assert_eq!(ledger.behind(), weir_ledger::Behind::default());
}

#[tokio::test]
async fn what_is_spilled_at_the_end_is_read_back_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weir.db");
    let (ledger, task) = open(options(&path)).await.unwrap();
    let late = ledger.clone();
    let mut other = plain(&path).await;
    other.execute("BEGIN EXCLUSIVE").await.unwrap();
    ledger.settle(entry(1));
    ledger.intent(intent(2));
    ledger.close().await;
    task.join().await;
    late.settle(entry(3));
    late.clone().close().await;
    drop(late);
    other.close().await.unwrap();
    // A crash can leave half a line.
    let mut spill = std::fs::File::options().append(true).open(folder.path().join("weir.db.spill")).unwrap();
    std::io::Write::write_all(&mut spill, b"{\"Request\":{\"id\":\"req_").unwrap();
    let ledger = opened(&path).await;
    assert_eq!(on_record(&ledger).await, [1, 2, 3]);
    assert_eq!(record(&ledger, 2).await["outcome"], "lost");
    assert_eq!(record(&ledger, 3).await["outcome"], "answered");
}

/// A request that ends when nobody serves it any more.
struct Ends(Ledger, u64);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.settle(entry(self.1));
    }
}

#[test]
fn what_ends_as_its_runtime_shuts_down_is_on_record_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weir.db");
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let (ledger, task) = first.block_on(open(options(&path))).unwrap();
    let late = ledger.clone();
    for n in 0..3 {
        let ends = Ends(ledger.clone(), n);
        first.spawn(async move {
            let _ends = ends;
            std::future::pending::<()>().await;
        });
    }
    first.block_on(async {
        ledger.close().await;
        task.join().await;
    });
    drop(first);
    runtime().block_on(async {
        late.close().await;
        assert_eq!(on_record(&opened(&path).await).await, [0, 1, 2]);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_ended_before_a_flush_is_on_record_after_it_whoever_was_at_it() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = opened(&folder.path().join("weir.db")).await;
    for n in 0..300 {
        let (ending, other) = (ledger.clone(), ledger.clone());
        ledger.intent(intent(n));
        // Another worker makes the record while this one already asks for it.
        tokio::spawn(async move { ending.settle(entry(n)) }).await.unwrap();
        let asked = tokio::spawn(async move { other.flush().await });
        ledger.flush().await;
        assert_eq!(record(&ledger, n).await["outcome"], "answered", "request {n}");
        asked.await.unwrap();
    }
}

/// Not a test by itself: the process that the next test kills.
#[tokio::test]
#[ignore = "is run, and killed, by `a_killed_process_leaves_its_open_requests_as_lost`"]
async fn the_process_that_is_killed() {
    let ledger = opened(Path::new(&std::env::var_os("WEIR_TEST_LEDGER").unwrap())).await;
    for n in 0..50 {
        ledger.intent(intent(n));
    }
    ledger.flush().await;
    ledger.settle(entry(0));
    ledger.flush().await;
    println!("\nready");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_process_leaves_its_open_requests_as_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weir.db");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_process_that_is_killed", "--ignored", "--nocapture"])
        .env("WEIR_TEST_LEDGER", &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "ready"));
    assert!(matches!(open(options(&path)).await, Err(OpenError::Served { holder: Some(_), .. })), "it still runs");
    child.kill().unwrap();
    child.wait().unwrap();
    let ledger = opened(&path).await;
    assert_eq!(on_record(&ledger).await, (0..50).collect::<Vec<_>>());
    assert_eq!(record(&ledger, 0).await["outcome"], "answered");
    for n in 1..50 {
        let record = record(&ledger, n).await;
        assert_eq!((&record["outcome"], &record["status"]), (&"lost".into(), &Value::Null));
        assert_eq!(record["events"][0]["fact"], "Lost");
    }
    // A late entry, from a spill say, is still the truth.
    ledger.settle(entry(1));
    ledger.flush().await;
    assert_eq!(record(&ledger, 1).await["outcome"], "answered");
}

#[tokio::test]
async fn a_second_writer_is_refused_and_a_reader_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weir.db");
    assert!(matches!(Reader::open(&path).await, Err(OpenError::Missing { .. })));
    let (ledger, _) = open(options(&path)).await.unwrap();
    let refused = open(options(&path)).await.unwrap_err();
    assert!(refused.to_string().contains("another weir process"), "{refused}");
    ledger.settle(entry(1));
    ledger.flush().await;
    let reader = Reader::open(&path).await.unwrap();
    assert!(reader.request(intent(1).id).await.unwrap().is_some());
    reader.close().await;
    ledger.close().await;
    let reader = Reader::open(&path).await.unwrap();
    assert!(reader.request(intent(1).id).await.unwrap().is_some(), "with nobody serving it as well");
    let ledger = opened(&path).await;
    assert_eq!(on_record(&ledger).await, [1], "the lock went with its holder");
}

#[tokio::test]
async fn a_newer_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weir.db");
    opened(&path).await.close().await;
    let mut other = plain(&path).await;
    other.execute("INSERT INTO _sqlx_migrations VALUES (99, 'later', 0, true, x'00', 0)").await.unwrap();
    other.close().await.unwrap();
    let before = std::fs::read(&path).unwrap();
    for error in [open(options(&path)).await.unwrap_err(), Reader::open(&path).await.unwrap_err()] {
        assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn what_is_no_ledger_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "not a database at all, but long enough to look at its first hundred bytes".repeat(20))
        .unwrap();
    let other = folder.path().join("other.db");
    let mut connection = plain(&other).await;
    connection.execute("CREATE TABLE requests (id)").await.unwrap();
    connection.close().await.unwrap();
    for (path, says) in [(text, "no SQLite database"), (other, "not a ledger")] {
        let before = std::fs::read(&path).unwrap();
        for error in [open(options(&path)).await.unwrap_err(), Reader::open(&path).await.unwrap_err()] {
            assert!(error.to_string().contains(says), "{error}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

async fn what_is_older_than_the_retention_is_deleted(home: Home) {
    let ledger = home.open().await;
    for n in 0..1_200 {
        ledger.settle(entry(n));
    }
    ledger.note(Event { at: WallTime(START), stage: Stage::Accept, fact: Fact::Started { version: "0".into() } });
    ledger.close().await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let age = now.as_micros().saturating_sub(START.unsigned_abs().into());
    // Everything of the past is older than this, by a minute or more.
    let cut = Duration::from_micros(u64::try_from(age).unwrap()).saturating_sub(Duration::from_secs(60));
    let (ledger, _) = open(Options { retention: cut, ..home.options() }).await.unwrap();
    let gone = async {
        while !on_record(&ledger).await.is_empty() || !ledger.facts(10).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.unwrap();
}

async fn facts_about_weir_itself_are_kept_in_order_and_once(home: Home) {
    let ledger = home.open().await;
    // One instant, and then a clock that was set back: neither may cost a fact.
    for (n, at) in [(0, START), (1, START), (2, START - 5_000_000)] {
        let fact = Fact::CredentialBenched { provider: format!("p{n}"), class: FaultClass::Billing, until: None };
        ledger.note(Event { at: WallTime(at), stage: Stage::Call, fact });
    }
    ledger.close().await;
    let ledger = home.open().await;
    ledger.note(Event {
        at: WallTime(1),
        stage: Stage::Call,
        fact: Fact::CredentialRestored { provider: "p3".into() },
    });
    ledger.flush().await;
    let facts = ledger.facts(10).await.unwrap();
    let providers: Vec<Value> =
        facts.iter().map(|fact| serde_json::from_str::<Value>(fact).unwrap()["provider"].clone()).collect();
    assert_eq!(providers, ["p3", "p2", "p1", "p0"]);
}

async fn what_was_spent_is_summed_by_whoever_pays_and_each_request_once(home: Home) {
    let ledger = home.open().await;
    for n in 0..10 {
        let mut entry = entry(n);
        if n < 3 {
            entry.tags = vec![("team".into(), "ml".into()), ("a.b".into(), "c".into())];
        }
        if n == 9 {
            entry.cost_usd = None;
        }
        ledger.settle(entry);
    }
    ledger.flush().await;
    let at = |n: i64| WallTime(START + n * 1_000);
    let (team, even) = (vec!["team-a".into()], vec!["even".into()]);
    let tagged = |name: &str, value: &str| Payer { tag: Some((name.into(), value.into())), ..Payer::default() };
    let both = Payer { tenants: team.clone(), keys: even.clone(), tag: None };
    for (payer, from, until, requests) in [
        (Payer { tenants: team, ..Payer::default() }, 0, 100, 9),
        (Payer { keys: even.clone(), ..Payer::default() }, 0, 100, 5),
        (Payer { keys: even, ..Payer::default() }, 2, 6, 2),
        (both, 0, 100, 9),
        (tagged("team", "ml"), 0, 100, 3),
        (tagged("a.b", "c"), 1, 100, 2),
        (tagged("team", "other"), 0, 100, 0),
        (Payer::default(), 0, 100, 0),
    ] {
        let spent = ledger.spent(at(from), at(until), &payer).await.unwrap();
        assert_eq!(spent.0, COST.0 * requests, "{payer:?}");
    }
    ledger.close().await;
}
