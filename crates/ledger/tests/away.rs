//! A database that is away, or has no room: requests are taken down all the same, and all of them are there afterwards.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod common;
#[expect(dead_code, reason = "these tests need not all of it")]
#[path = "common/home.rs"]
mod home;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{entry, intent};
use home::Home;
use sqlx::{Connection, Executor};
use weir_ledger::{Behind, KeyRecord, KnownKeys, Ledger, OpenError, Options, Query, open};
use weir_units::WallTime;

/// The numbers of the requests on record, oldest first.
async fn on_record(ledger: &Ledger) -> Vec<u64> {
    let all = ledger.requests(&Query { limit: u32::MAX, ..Query::default() }).await.unwrap();
    let number = |record: &String| {
        let record: serde_json::Value = serde_json::from_str(record).unwrap();
        let id: weir_units::RequestId = record["id"].as_str().unwrap().parse().unwrap();
        u64::try_from(id.0 & 0xFFFF_FFFF).unwrap()
    };
    all.iter().rev().map(number).collect()
}

/// Nobody gets into the database, and who is in is thrown out; or all is well again.
async fn shut(home: &Home, shut: bool) {
    let name = home.postgres.as_ref().unwrap().to_string();
    let name = name.rsplit_once('/').unwrap().1.to_owned();
    let server: sqlx::postgres::PgConnectOptions = std::env::var("WEIR_TEST_POSTGRES").unwrap().parse().unwrap();
    let mut server = sqlx::postgres::PgConnection::connect_with(&server).await.unwrap();
    let allow = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {}", !shut);
    server.execute(sqlx::AssertSqlSafe(allow)).await.unwrap();
    if shut {
        let out = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
        server.execute(sqlx::AssertSqlSafe(out)).await.unwrap();
    }
    server.close().await.unwrap();
}

#[tokio::test]
async fn while_postgres_is_away_nothing_is_lost_and_the_order_is_kept() {
    let home = Home::postgres().await;
    let ledger = home.open().await;
    for n in 0..100 {
        ledger.intent(intent(n));
        ledger.settle(entry(n));
    }
    ledger.flush().await;
    ledger.intent(intent(100));
    ledger.flush().await;
    shut(&home, true).await;
    ledger.settle(entry(100));
    for n in 101..1_000 {
        ledger.intent(intent(n));
        ledger.settle(entry(n));
    }
    ledger.flush().await;
    let behind = ledger.behind();
    assert!(behind.spilled >= 900 && behind.lost == 0 && behind.error.is_some(), "{behind:?}");
    shut(&home, false).await;
    ledger.settle(entry(1_000));
    ledger.flush().await;
    assert_eq!(on_record(&ledger).await, (0..=1_000).collect::<Vec<_>>());
    assert_eq!(ledger.behind(), Behind::default());
    let record = ledger.request(intent(100).id).await.unwrap().unwrap();
    assert!(record.contains(r#""outcome":"answered""#), "what ran meanwhile is not taken for lost");
}

#[tokio::test]
async fn a_start_while_postgres_is_away_serves_and_catches_up_and_knows_its_keys() {
    let home = Home::postgres().await;
    let ledger = home.open().await;
    let key = KeyRecord {
        name: "made".into(),
        tenant: "team-a".into(),
        hash: [7; 32],
        settings: "{}".into(),
        created_at: WallTime(1),
        expires_at: None,
        revoked_at: None,
        former: Vec::new(),
    };
    let fact = weir_ledger::Fact::KeyMade { name: "made".into(), tenant: "team-a".into(), who: "root".into() };
    let event = weir_ledger::Event { at: WallTime(1), stage: weir_ledger::Stage::Accept, fact };
    ledger.keep_key(key.clone(), event, None).await.unwrap();
    ledger.intent(intent(1));
    ledger.flush().await;
    ledger.close().await;
    shut(&home, true).await;
    let (ledger, _task) = open(home.options()).await.unwrap();
    assert!(ledger.behind().error.is_some());
    assert!(ledger.keys().await.is_err());
    assert_eq!(ledger.known_keys().await.unwrap(), KnownKeys::Remembered(Some(vec![key.clone()])));
    ledger.settle(entry(2));
    ledger.flush().await;
    assert!(ledger.request(intent(2).id).await.is_err());
    shut(&home, false).await;
    ledger.settle(entry(3));
    ledger.flush().await;
    assert_eq!(on_record(&ledger).await, [1, 2, 3]);
    let record = ledger.request(intent(1).id).await.unwrap().unwrap();
    assert!(record.contains(r#""outcome":"lost""#), "{record}");
    assert_eq!(ledger.known_keys().await.unwrap(), KnownKeys::Read(vec![key]));
}

#[tokio::test]
async fn of_a_database_that_was_never_reached_no_keys_are_known() {
    let home = Home::postgres().await;
    shut(&home, true).await;
    let (ledger, _task) = open(home.options()).await.unwrap();
    assert_eq!(ledger.known_keys().await.unwrap(), KnownKeys::Remembered(None));
    shut(&home, false).await;
    ledger.settle(entry(1));
    ledger.flush().await;
    assert_eq!(ledger.known_keys().await.unwrap(), KnownKeys::Read(Vec::new()));
}

#[tokio::test]
async fn a_database_has_one_writer() {
    let home = Home::postgres().await;
    let ledger = home.open().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let options = Options { path: elsewhere.path().join("weir.db"), ..home.options() };
    assert!(matches!(open(options.clone()).await, Err(OpenError::Served { .. })));
    ledger.close().await;
    assert!(open(options).await.is_ok());
}

/// Not a test by itself: the process whose files may not grow.
#[tokio::test]
#[ignore = "is run by `without_room_requests_are_taken_down_and_written_when_there_is`"]
async fn the_process_without_room() {
    let path = std::env::var_os("WEIR_TEST_LEDGER").unwrap();
    let retention = Duration::from_secs(100 * 365 * 86_400);
    let (ledger, _) = open(Options { retention, ..Options::new(Path::new(&path)) }).await.unwrap();
    let mut count = 0;
    while ledger.behind().error.is_none() {
        (0..50).for_each(|n| ledger.settle(entry(count + n)));
        count += 50;
        ledger.flush().await;
    }
    let behind = ledger.behind();
    assert!(behind.spilled > 0 && behind.lost == 0 && behind.since.is_some(), "{behind:?}");
    println!("\nfull");
    std::io::stdin().lock().lines().next().unwrap().unwrap();
    ledger.settle(entry(count));
    ledger.flush().await;
    assert_eq!(ledger.behind(), Behind::default());
    assert_eq!(on_record(&ledger).await, (0..=count).collect::<Vec<_>>());
    println!("\nwritten");
}

#[test]
fn without_room_requests_are_taken_down_and_written_when_there_is() {
    let folder = tempfile::tempdir().unwrap();
    // What is ignored stays ignored in the program that takes the shell's place.
    let mut child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -S -f 4096; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "the_process_without_room", "--ignored", "--nocapture"])
        .env("WEIR_TEST_LEDGER", folder.path().join("weir.db"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "full"));
    let room = Command::new("prlimit").args(["--fsize=unlimited", "--pid", &child.id().to_string()]).status().unwrap();
    assert!(room.success());
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(lines.any(|line| line.unwrap() == "written"));
    child.wait().unwrap();
}
