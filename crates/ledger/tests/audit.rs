//! The audit log in its database: chained, kept, and found out when somebody changes it; and contents that go when their time
//! is over.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[path = "common/both.rs"]
mod both;
#[expect(dead_code, reason = "these tests make up no requests")]
mod common;
#[expect(dead_code, reason = "these tests need not all of it")]
#[path = "common/home.rs"]
mod home;

use std::path::Path;
use std::time::Duration;

use both::on_both;
use common::START;
use home::Home;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Executor};
use weir_ledger::{
    AuditBreak, AuditChain, AuditEntry, AuditHead, AuditQuery, AuditRecord, Content, Ledger, Options, Reader, open,
};
use weir_units::{RequestId, WallTime};

async fn opened(path: &Path) -> Ledger {
    open(Options::new(path)).await.unwrap().0
}

async fn database(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}

fn entry(n: i64, who: &str, action: &str) -> AuditEntry {
    AuditEntry {
        at: WallTime(START + n * 1_000),
        who: who.into(),
        role: "operator".into(),
        from: "192.0.2.7".into(),
        action: action.into(),
        what: format!("key-{n}").into(),
        outcome: "done".into(),
    }
}

async fn rows(reader: &Reader) -> Vec<AuditRecord> {
    let query = AuditQuery { oldest_first: true, limit: 1_000, ..AuditQuery::default() };
    reader.audit(&query).await.unwrap()
}

on_both!(
    the_chain_goes_on_after_a_restart_and_its_head_is_what_is_on_disk,
    rows_are_found_by_who_did_what_to_what_and_when_and_by_pages,
    a_content_is_kept_until_its_time_is_over,
);

/// The head of a log that is right, or where it is broken.
async fn verified(reader: &Reader) -> Result<AuditHead, AuditBreak> {
    let mut chain = AuditChain::default();
    rows(reader).await.iter().try_for_each(|record| chain.check(record))?;
    Ok(chain.head().clone())
}

/// A log of five rows, closed; its head.
async fn five(path: &Path) -> AuditHead {
    let ledger = opened(path).await;
    for n in 0..5 {
        ledger.audit(entry(n, "alice", "key.make")).await.unwrap();
    }
    let head = ledger.audit_head();
    ledger.close().await;
    head
}

async fn the_chain_goes_on_after_a_restart_and_its_head_is_what_is_on_disk(home: Home) {
    let ledger = home.open().await;
    assert_eq!(ledger.audit_head(), AuditHead::default());
    // Many at once are one commit, and each has its place.
    let together: Vec<_> = (0..20).map(|n| ledger.audit(entry(n, "alice", "key.make"))).collect();
    for asked in together {
        asked.await.unwrap();
    }
    ledger.audit_later(entry(20, "system", "reload"));
    ledger.flush().await;
    let head = ledger.audit_head();
    assert_eq!(head.sequence, 21);
    assert_eq!(verified(&home.reader().await).await.unwrap(), head);
    ledger.close().await;
    let ledger = home.open().await;
    assert_eq!(ledger.audit_head(), head);
    ledger.audit(entry(21, "bob", "key.revoke")).await.unwrap();
    assert_eq!(verified(&home.reader().await).await.unwrap(), ledger.audit_head());
    ledger.close().await;
}

async fn rows_are_found_by_who_did_what_to_what_and_when_and_by_pages(home: Home) {
    let ledger = home.open().await;
    let done = [
        ("alice", "key.make"),
        ("bob", "key.revoke"),
        ("alice", "content.read"),
        ("%", "key_make"),
        ("alice", "key.make"),
    ];
    for (n, (who, action)) in (0..).zip(done) {
        ledger.audit(entry(n, who, action)).await.unwrap();
    }
    let at = |n: i64| Some(WallTime(START + n * 1_000));
    let all = AuditQuery::default();
    for (query, expected) in [
        (all.clone(), &[5, 4, 3, 2, 1][..]),
        (AuditQuery { oldest_first: true, after: Some(3), ..all.clone() }, &[4, 5]),
        (AuditQuery { before: Some(4), limit: 2, ..all.clone() }, &[3, 2]),
        (AuditQuery { who: Some("alice".into()), ..all.clone() }, &[5, 3, 1]),
        (AuditQuery { who: Some("%".into()), ..all.clone() }, &[4]),
        (AuditQuery { action: Some("key.make".into()), ..all.clone() }, &[5, 1]),
        (AuditQuery { action: Some("key.".into()), ..all.clone() }, &[5, 2, 1]),
        (AuditQuery { what: Some("key-2".into()), ..all.clone() }, &[3]),
        (AuditQuery { since: at(1), until: at(3), ..all.clone() }, &[3, 2]),
    ] {
        let found: Vec<u64> = ledger.audited(&query).await.unwrap().iter().map(|row| row.sequence).collect();
        assert_eq!(found, expected, "{query:?}");
    }
}

#[tokio::test]
async fn whatever_somebody_does_to_the_table_is_found_at_the_row() {
    let changed = |sequence| Err(AuditBreak::Changed { sequence });
    let missing = |expected, found| Err(AuditBreak::Missing { expected, found });
    let mut cases: Vec<(String, Result<u64, AuditBreak>)> = Vec::new();
    for column in ["who", "role", "peer", "action", "what", "outcome", "hash", "previous"] {
        cases.push((format!("UPDATE audit SET {column} = {column} || ' ' WHERE sequence = 3"), changed(3)));
        // Bytes that are no text at all.
        cases.push((format!("UPDATE audit SET {column} = CAST(x'ff' AS TEXT) WHERE sequence = 3"), changed(3)));
    }
    cases.push(("UPDATE audit SET at = at + 1 WHERE sequence = 5".into(), changed(5)));
    cases.push(("UPDATE audit SET at = 'soon' WHERE sequence = 1".into(), changed(1)));
    cases.push(("DELETE FROM audit WHERE sequence = 1".into(), missing(1, 2)));
    cases.push(("DELETE FROM audit WHERE sequence = 4".into(), missing(4, 5)));
    cases.push(("UPDATE audit SET sequence = 9 WHERE sequence = 2".into(), missing(2, 3)));
    let swap = "UPDATE audit SET sequence = -sequence WHERE sequence IN (2, 3);
                UPDATE audit SET sequence = 5 + sequence WHERE sequence < 0";
    cases.push((swap.into(), changed(2)));
    let insert = "UPDATE audit SET sequence = -sequence - 1 WHERE sequence > 2; UPDATE audit SET sequence = -sequence WHERE sequence < 0;
                  INSERT INTO audit SELECT 3, at, who, role, peer, action, what, outcome, previous, hash FROM audit WHERE sequence = 2";
    cases.push((insert.into(), changed(3)));
    // What only the head that was told to others shows.
    cases.push(("DELETE FROM audit WHERE sequence = 5".into(), Ok(4)));
    for (sql, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weir.db");
        let told = five(&path).await;
        database(&path).await.execute(sqlx::AssertSqlSafe(sql.as_str())).await.unwrap();
        let found = verified(&Reader::open(&path).await.unwrap()).await;
        assert_eq!(found.as_ref().map(|head| head.sequence).map_err(Clone::clone), expected, "{sql}");
        assert_ne!(found, Ok(told), "{sql}");
    }
}

#[tokio::test]
async fn a_tail_that_is_cut_while_the_ledger_is_served_leaves_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weir.db");
    let ledger = opened(&path).await;
    for n in 0..3 {
        ledger.audit(entry(n, "alice", "key.make")).await.unwrap();
    }
    database(&path).await.execute("DELETE FROM audit WHERE sequence = 3").await.unwrap();
    ledger.audit(entry(3, "alice", "key.make")).await.unwrap();
    assert_eq!(verified(&Reader::open(&path).await.unwrap()).await, Err(AuditBreak::Missing { expected: 3, found: 4 }));
    ledger.close().await;
}

#[tokio::test]
async fn whoever_waits_is_told_that_nothing_was_written_and_what_nobody_waits_for_comes_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weir.db");
    let ledger = opened(&path).await;
    ledger.audit(entry(0, "alice", "key.make")).await.unwrap();
    let mut holder = database(&path).await;
    holder.execute("BEGIN IMMEDIATE").await.unwrap();
    ledger.audit_later(entry(1, "", "log-in"));
    let refused = ledger.audit(entry(2, "alice", "content.read")).await;
    assert!(refused.unwrap_err().to_string().contains("locked"));
    assert_eq!(ledger.audit_head().sequence, 1);
    holder.execute("ROLLBACK").await.unwrap();
    ledger.audit(entry(3, "alice", "content.read")).await.unwrap();
    let what: Vec<_> =
        rows(&Reader::open(&path).await.unwrap()).await.iter().map(|row| row.entry.what.to_string()).collect();
    assert_eq!(what, ["key-0", "key-1", "key-3"]);
    assert_eq!(verified(&Reader::open(&path).await.unwrap()).await.unwrap(), ledger.audit_head());
    ledger.close().await;
}

fn now() -> i64 {
    i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros()).unwrap()
}

fn content(id: u128, expires_at: i64) -> Content {
    let content = format!("{}{id}", "the words of somebody ".repeat(2_000));
    Content { id: RequestId(id), expires_at: WallTime(expires_at), content }
}

async fn a_content_is_kept_until_its_time_is_over(home: Home) {
    let ledger = home.open().await;
    let now = now();
    assert!(ledger.keep_content(content(1, now - 1)));
    assert!(ledger.keep_content(content(2, now + 3_600_000_000)));
    assert!(ledger.keep_content(Content { content: "another".into(), ..content(2, now + 3_600_000_000) }));
    ledger.flush().await;
    assert_eq!(ledger.content(RequestId(1)).await.unwrap(), None, "it is over, whether it was swept or not");
    assert_eq!(ledger.content(RequestId(2)).await.unwrap(), Some(content(2, 0).content), "the first one stays");
    assert_eq!(ledger.content(RequestId(3)).await.unwrap(), None);
    ledger.close().await;
}

#[tokio::test]
async fn a_content_whose_time_is_over_is_nowhere_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weir.db");
    let ledger = opened(&path).await;
    ledger.flush().await;
    assert!(ledger.keep_content(content(1, now() - 1)));
    ledger.close().await;
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.windows(22).any(|window| window == b"the words of somebody "), "it was there");
    // Sweeping is the first thing that a writer does.
    let ledger = opened(&path).await;
    ledger.flush().await;
    ledger.close().await;
    let bytes = std::fs::read(&path).unwrap();
    assert!(!bytes.windows(22).any(|window| window == b"the words of somebody "), "not even in free pages");
}

#[tokio::test]
async fn contents_that_wait_are_bounded_and_the_bound_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weir.db");
    let options = Options { commit_every: Duration::from_secs(3_600), ..Options::new(&path) };
    let (ledger, _) = open(options).await.unwrap();
    let content = |id: u128| Content { id: RequestId(id), expires_at: WallTime(0), content: "x".repeat(10 << 20) };
    let taken: Vec<bool> = (0..4).map(|id| ledger.keep_content(content(id))).collect();
    assert_eq!(taken, [true, true, true, false], "32 MiB");
    ledger.flush().await;
    assert!(ledger.keep_content(content(5)));
    ledger.close().await;
}
