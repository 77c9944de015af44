//! The database as the writer sees it: migrated, and written in groups.
//!
//! A statement through the driver costs far more than a row, so a group is written by statements of 64, 8 and 1 rows, each
//! prepared once. Writing a row twice is harmless: an ended request replaces a running one and never the other way round.

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor, SqlSafeStr};
use weir_units::{RequestId, WallTime};

use crate::audit::{self, AuditHead};
use crate::change::Change;
use crate::content::{self, Content};
use crate::ledger::State;
use crate::row::{FactRow, RequestRow, Row};

/// `application_id` of a ledger's file: `weir`.
pub(crate) const APPLICATION: i64 = 0x7765_6972;

/// The newest schema that this version knows.
pub(crate) const SCHEMA: i64 = 6;

/// Rows that one step of the retention deletes, so that no group waits long behind it.
const SWEEP: i64 = 500;

/// The writer's own connection.
pub(crate) struct Store {
    connection: SqliteConnection,
    requests: Vec<(usize, String)>,
    facts: Vec<(usize, String)>,
}

/// How a database at `path` is opened for writing.
pub(crate) fn writable(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A row has some 2 KB, so with pages of 4 KB nearly each row would cost writes of its own.
        .page_size(16_384)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(Duration::from_secs(1))
        .disable_statement_logging()
}

/// All migrations, oldest first. A file once released is never edited: the database remembers its checksum.
pub(crate) fn migrations() -> Migrator {
    let requests = include_str!("../migrations/0001_requests.sql").into_sql_str();
    let cost = include_str!("../migrations/0002_cost.sql").into_sql_str();
    let keys_and_spend = include_str!("../migrations/0003_keys_and_spend.sql").into_sql_str();
    let audit = include_str!("../migrations/0005_audit.sql").into_sql_str();
    let content = include_str!("../migrations/0006_content.sql").into_sql_str();
    Migrator::with_migrations(vec![
        Migration::new(1, "requests".into(), MigrationType::Simple, requests, false),
        Migration::new(2, "cost".into(), MigrationType::Simple, cost, false),
        Migration::new(3, "keys and spend".into(), MigrationType::Simple, keys_and_spend, false),
        Migration::new(5, "audit".into(), MigrationType::Simple, audit, false),
        Migration::new(6, "content".into(), MigrationType::Simple, content, false),
    ])
}

impl Store {
    /// Takes over a connection whose database has the current schema.
    pub(crate) fn new(connection: SqliteConnection) -> Self {
        let sizes = [64, 8, 1];
        Self {
            connection,
            requests: sizes.map(|rows| (rows, insert_requests(rows))).into(),
            facts: sizes.map(|rows| (rows, insert_facts(rows))).into(),
        }
    }

    /// Writes all rows in one transaction, or none.
    pub(crate) async fn write(&mut self, rows: &[Row]) -> Result<(), sqlx::Error> {
        let mut requests: Vec<&RequestRow> = rows.iter().filter_map(Row::request).collect();
        // As they lie in the table: neighbours share a page, and the page of the newest is filled before the next is begun.
        requests.sort_by_key(|row| row.id);
        let facts: Vec<&FactRow> = rows.iter().filter_map(Row::fact).collect();
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let mut rest = requests.as_slice();
        for (size, sql) in &self.requests {
            while let Some((now, later)) = rest.split_at_checked(*size) {
                let mut query = sqlx::query(sqlx::AssertSqlSafe(sql.as_str()));
                for row in now {
                    query = bind_request(query, row);
                }
                transaction.execute(query).await?;
                rest = later;
            }
        }
        let mut rest = facts.as_slice();
        for (size, sql) in &self.facts {
            while let Some((now, later)) = rest.split_at_checked(*size) {
                let mut query = sqlx::query(sqlx::AssertSqlSafe(sql.as_str()));
                for row in now {
                    query = bind_fact(query, row);
                }
                transaction.execute(query).await?;
                rest = later;
            }
        }
        transaction.commit().await
    }

    /// Closes every running request as lost, with `event` as its last; returns how many there were.
    pub(crate) async fn close_open(&mut self, event: &str) -> Result<u64, sqlx::Error> {
        let sql = "UPDATE requests SET outcome = 'lost', \
                   record = json_insert(json_set(record, '$.outcome', 'lost'), '$.events[#]', json(?)) \
                   WHERE outcome = 'open'";
        let done = sqlx::query(sql).bind(event).execute(&mut self.connection).await?;
        Ok(done.rows_affected())
    }

    /// The highest id of a fact, zero if there is none.
    pub(crate) async fn last_fact(&mut self) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM facts").fetch_one(&mut self.connection).await
    }

    /// Deletes some of what is older than `before`; returns whether there may be more.
    pub(crate) async fn sweep(&mut self, before: WallTime) -> Result<bool, sqlx::Error> {
        let bound = RequestId::new(before.millis().max(0), 0).0.to_be_bytes().to_vec();
        let sql = "DELETE FROM requests WHERE id IN (SELECT id FROM requests WHERE id < ? ORDER BY id LIMIT ?)";
        let requests = sqlx::query(sql).bind(bound).bind(SWEEP).execute(&mut self.connection).await?;
        // The id of a fact is never below its time, so the facts to delete are the first ones.
        let sql = "DELETE FROM facts WHERE id IN (SELECT id FROM facts ORDER BY id LIMIT ?) AND at < ?";
        let facts = sqlx::query(sql).bind(SWEEP).bind(before.0).execute(&mut self.connection).await?;
        // The last key stays: that one was ever made means that keys are asked for.
        let sql = "DELETE FROM keys WHERE coalesce(revoked_at, expires_at) < ? \
                   AND name <> (SELECT name FROM keys ORDER BY created_at DESC, name LIMIT 1)";
        sqlx::query(sql).bind(before.0).execute(&mut self.connection).await?;
        Ok(requests.rows_affected() + facts.rows_affected() >= SWEEP.unsigned_abs())
    }

    /// The newest row of the audit log.
    pub(crate) async fn audit_head(&mut self) -> Result<AuditHead, sqlx::Error> {
        audit::head(&mut self.connection).await
    }

    /// Writes contents that were captured.
    pub(crate) async fn keep_contents(&mut self, contents: &[Content]) -> Result<(), sqlx::Error> {
        content::write(&mut self.connection, contents).await
    }

    /// Deletes some of the contents that are over at `now`; returns whether there may be more.
    pub(crate) async fn sweep_contents(&mut self, now: WallTime) -> Result<bool, sqlx::Error> {
        content::sweep(&mut self.connection, now).await
    }

    /// Writes changes, all or none; they survive a loss of power, too.
    pub(crate) async fn keep(&mut self, changes: &[Change], state: &State) -> Result<(), sqlx::Error> {
        self.connection.execute("PRAGMA synchronous = FULL").await?;
        let kept = self.keep_now(changes, state).await;
        // What is written is written, even if later writes take longer.
        let _ = self.connection.execute("PRAGMA synchronous = NORMAL").await;
        kept
    }

    async fn keep_now(&mut self, changes: &[Change], state: &State) -> Result<(), sqlx::Error> {
        let mut head = state.audit_head.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        for change in changes {
            if let Some((key, fact)) = &change.key {
                transaction.execute(key.insert()).await?;
                transaction.execute(bind_fact(sqlx::query(sqlx::AssertSqlSafe(insert_facts(1))), fact)).await?;
            }
            if let Some(entry) = &change.audit {
                let record = head.link(entry.clone());
                transaction.execute(record.insert()).await?;
                head = AuditHead { sequence: record.sequence, hash: record.hash };
            }
        }
        transaction.commit().await?;
        *state.audit_head.lock().unwrap_or_else(PoisonError::into_inner) = head;
        Ok(())
    }

    /// Closes the database, which moves what is in its log into the file.
    pub(crate) async fn close(self) -> Result<(), sqlx::Error> {
        self.connection.close().await
    }
}

/// The columns of a request, in the order in which they are bound.
const COLUMNS: [&str; 18] = [
    "id",
    "started_at",
    "outcome",
    "status",
    "tenant",
    "key",
    "route",
    "cost_nano",
    "record",
    "run",
    "deployment",
    "attempts",
    "estimated_nano",
    "input",
    "cached_input",
    "output",
    "reasoning",
    "unreported",
];

fn insert_requests(rows: usize) -> String {
    let places = format!("({})", vec!["?"; COLUMNS.len()].join(","));
    let values = vec![places.as_str(); rows].join(",");
    let renewed: Vec<String> = COLUMNS[1..].iter().map(|column| format!("{column} = excluded.{column}")).collect();
    format!(
        "INSERT INTO requests ({}) VALUES {values} ON CONFLICT (id) DO UPDATE SET {} WHERE excluded.outcome <> 'open'",
        COLUMNS.join(", "),
        renewed.join(", ")
    )
}

fn insert_facts(rows: usize) -> String {
    let values = vec!["(?,?,?,?)"; rows].join(",");
    format!("INSERT INTO facts (id, at, fact, record) VALUES {values} ON CONFLICT (id) DO NOTHING")
}

type Insert<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

fn bind_fact<'q>(query: Insert<'q>, row: &'q FactRow) -> Insert<'q> {
    query.bind(row.id).bind(row.at).bind(&*row.fact).bind(Arc::clone(&row.record))
}

fn bind_request<'q>(query: Insert<'q>, row: &'q RequestRow) -> Insert<'q> {
    query
        .bind(row.id.0.to_be_bytes().to_vec())
        .bind(row.started_at)
        // Shared, so that no text is copied on its way to SQLite's thread.
        .bind(Arc::clone(&row.outcome))
        .bind(row.status)
        .bind(row.tenant.clone())
        .bind(row.key.clone())
        .bind(row.route.clone())
        .bind(row.cost_nano)
        .bind(Arc::clone(&row.record))
        .bind(row.run.clone())
        .bind(row.spent.deployment.clone())
        .bind(row.spent.attempts)
        .bind(row.spent.estimated_nano)
        .bind(row.spent.input)
        .bind(row.spent.cached_input)
        .bind(row.spent.output)
        .bind(row.spent.reasoning)
        .bind(row.spent.unreported)
}

#[cfg(test)]
mod tests {
    use weir_units::{NanoUsd, Tokens, Usage};

    use super::*;
    use crate::entry::{Attempt, Entry, Intent, Outcome};
    use crate::fact::{Event, Fact, Stage};

    #[tokio::test]
    async fn a_ledger_that_knew_no_prices_is_brought_up_to_date_and_keeps_its_records() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weir.db");
        let mut old = writable(&path).connect().await.unwrap();
        let first = migrations().iter().take(1).cloned().collect();
        Migrator::with_migrations(first).run(&mut old).await.unwrap();
        let sql = "INSERT INTO requests (id, started_at, outcome, record) VALUES (x'00000000000000000000000000000007', 0, 'answered', '{}')";
        old.execute(sql).await.unwrap();
        old.close().await.unwrap();
        let options =
            crate::Options { retention: Duration::from_secs(u64::from(u32::MAX)), ..crate::Options::new(&path) };
        let (ledger, _) = crate::open(options).await.unwrap();
        assert_eq!(ledger.request(RequestId(7)).await.unwrap().as_deref(), Some("{}"));
        let mut connection = writable(&path).connect().await.unwrap();
        let unknown: i64 = sqlx::query_scalar("SELECT count(*) FROM requests WHERE cost_nano IS NULL")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(unknown, 1, "what it cost is unknown, not zero");
    }

    #[tokio::test]
    async fn what_an_older_version_wrote_is_added_up_as_what_this_one_writes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weir.db");
        let mut old = writable(&path).connect().await.unwrap();
        let first = migrations().iter().take(2).cloned().collect();
        Migrator::with_migrations(first).run(&mut old).await.unwrap();
        let rows: Vec<RequestRow> = (1..5).map(request).collect();
        for row in &rows {
            let sql =
                "INSERT INTO requests (id, started_at, outcome, tenant, cost_nano, record) VALUES (?, ?, ?, ?, ?, ?)";
            let query = sqlx::query(sql).bind(row.id.0.to_be_bytes().to_vec()).bind(row.started_at).bind(&*row.outcome);
            let query = query.bind(row.tenant.clone()).bind(row.cost_nano).bind(Arc::clone(&row.record));
            old.execute(query).await.unwrap();
        }
        migrations().run(&mut old).await.unwrap();
        let columns = "SELECT run, deployment, attempts, estimated_nano, input, cached_input, output, reasoning, unreported \
                       FROM requests ORDER BY id";
        type Columns = (Option<String>, Option<String>, i64, i64, i64, i64, i64, i64, i64);
        let migrated: Vec<Columns> = sqlx::query_as(columns).fetch_all(&mut old).await.unwrap();
        assert_eq!(
            migrated[1],
            (Some("r".into()), Some("a/m".into()), 2, 1_020_000_001, 1_000_000_000_000, 3, 5, 2, 1)
        );
        let path = folder.path().join("new.db");
        let mut new = writable(&path).connect().await.unwrap();
        migrations().run(&mut new).await.unwrap();
        let mut store = Store::new(new);
        store.write(&rows.into_iter().map(Row::Request).collect::<Vec<_>>()).await.unwrap();
        let written: Vec<Columns> = sqlx::query_as(columns).fetch_all(&mut store.connection).await.unwrap();
        assert_eq!(migrated, written);
    }

    /// A request with `n` attempts, at most two of them at `a/m`.
    fn request(n: u32) -> RequestRow {
        let intent = Intent {
            id: RequestId(u128::from(n)),
            run: Some("r".into()),
            key: None,
            tenant: Some("t".into()),
            tags: Vec::new(),
            route: "s".into(),
            model: "m".into(),
            dialect: "openai",
            endpoint: "chat",
            stream: false,
            trace: None,
            sdk_retry: None,
            started_at: WallTime(0),
        };
        let mut entry = Entry::of(intent, Outcome::Answered);
        for k in 0..n {
            let usage = Usage {
                input: Tokens(if k == 0 { u64::MAX } else { 7 }),
                cached_input: Tokens(3),
                output: Tokens(5),
                reasoning: Tokens(2),
                ..Usage::default()
            };
            entry.attempts.push(Attempt {
                deployment: if k < 2 { "a/m" } else { "b/m" }.into(),
                status: None,
                class: None,
                message: None,
                upstream_id: None,
                started_at: WallTime(0),
                ended_at: WallTime(0),
                usage: (k % 2 == 0).then_some(usage),
                cost_usd: (k < 3).then_some(NanoUsd(i64::from(k) * 1_020_000_001)),
                cost_estimated: k % 2 == 1,
            });
        }
        entry.sum_costs();
        RequestRow::settled(entry)
    }

    #[tokio::test]
    async fn a_full_disk_fails_the_group_and_leaves_the_connection_usable() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = writable(&folder.path().join("weir.db")).connect().await.unwrap();
        migrations().run(&mut connection).await.unwrap();
        let mut store = Store::new(connection);
        let rows: Vec<Row> = (1..200)
            .map(|id| {
                let fact = Fact::ConfigRefused { reason: "x".repeat(4_096) };
                let event = Event { at: WallTime(id), stage: Stage::Accept, fact };
                Row::Fact(FactRow::of(id, &event))
            })
            .collect();
        store.connection.execute("PRAGMA max_page_count = 8").await.unwrap();
        assert!(store.write(&rows).await.unwrap_err().to_string().contains("full"));
        assert_eq!(store.last_fact().await.unwrap(), 0, "all of a group, or none of it");
        store.connection.execute("PRAGMA max_page_count = 100000").await.unwrap();
        store.write(&rows).await.unwrap();
        assert_eq!(store.last_fact().await.unwrap(), 199);
    }
}
