//! The database as the writer sees it: migrated, and written in groups.
//!
//! A statement through the driver costs far more than a row, so a group is written by statements of 64, 8 and 1 rows, each
//! prepared once. Writing a row twice is harmless: an ended request replaces a running one and never the other way round.

use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, SqlSafeStr};
use weir_units::WallTime;

use crate::audit::{self, AuditHead};
use crate::change::Change;
use crate::content::{self, Content};
use crate::db::{Connection, Dialect, Value, places};
use crate::ledger::State;
use crate::place::Place;
use crate::row::{FactRow, RequestRow, Row};

/// `application_id` of a ledger's file: `weir`.
pub(crate) const APPLICATION: i64 = 0x7765_6972;

/// The newest schemas that this version knows.
pub(crate) const SCHEMA: i64 = 8;
pub(crate) const SCHEMA_POSTGRES: i64 = 8;

/// Open requests that are closed at once.
const CLOSED: i64 = 256;

/// The writer's own connection.
pub(crate) struct Store {
    place: Place,
    connection: Option<Connection>,
    requests: Vec<(usize, String)>,
    facts: Vec<(usize, String)>,
}

/// How a database at `path` is opened for writing.
pub(crate) fn writable(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A row has over 1 KB, so with pages of 4 KB every third row would cost writes of its own.
        .page_size(16_384)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(Duration::from_secs(1))
        .disable_statement_logging()
}

/// Migrations that are the same for both.
const AUDIT: (i64, &str, &str) = (5, "audit", include_str!("../migrations/0005_audit.sql"));
const WASTE: (i64, &str, &str) = (8, "waste", include_str!("../migrations/0008_waste.sql"));
const CONTENT: (i64, &str, &str) = (6, "content", include_str!("../migrations/0006_content.sql"));

const DEMAND: (i64, &str, &str) = (7, "demand", include_str!("../migrations/0007_demand.sql"));

/// All migrations, oldest first. A file once released is never edited: the database remembers its checksum.
pub(crate) fn migrations(dialect: Dialect) -> Migrator {
    let migration = |(version, name, sql): (i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    let sqlite = [
        (1, "requests", include_str!("../migrations/0001_requests.sql")),
        (2, "cost", include_str!("../migrations/0002_cost.sql")),
        (3, "keys and spend", include_str!("../migrations/0003_keys_and_spend.sql")),
        (4, "rollups", include_str!("../migrations/0004_rollups.sql")),
        AUDIT,
        CONTENT,
        DEMAND,
        WASTE,
    ];
    let postgres =
        [(1, "ledger", include_str!("../migrations/postgres/0001_ledger.sql")), AUDIT, CONTENT, DEMAND, WASTE];
    Migrator::with_migrations(match dialect {
        Dialect::Sqlite => sqlite.into_iter().map(migration).collect(),
        Dialect::Postgres => postgres.into_iter().map(migration).collect(),
    })
}

impl Store {
    /// Writes to the database at `place`, through a connection whose database has the current schema, once there is one.
    pub(crate) fn new(place: Place, connection: Option<Connection>) -> Self {
        let sizes = [64, 8, 1];
        let dialect = if matches!(place, Place::File(_)) { Dialect::Sqlite } else { Dialect::Postgres };
        Self {
            place,
            connection,
            requests: sizes.map(|rows| (rows, insert_requests(dialect, rows))).into(),
            facts: sizes.map(|rows| (rows, insert_facts(dialect, rows))).into(),
        }
    }

    /// Where it writes to.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Whether there is a connection.
    pub(crate) fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Takes another connection from now on, or none.
    pub(crate) fn connects(&mut self, connection: Option<Connection>) {
        self.connection = connection;
    }

    /// The connection.
    pub(crate) fn on(&mut self) -> Result<&mut Connection, sqlx::Error> {
        let gone =
            || sqlx::Error::Io(io::Error::new(io::ErrorKind::NotConnected, "there is no connection to the database"));
        self.connection.as_mut().ok_or_else(gone)
    }

    /// Writes all rows in one transaction, or none; minutes in `dirty` are marked with them.
    pub(crate) async fn write(&mut self, rows: &[Row], dirty: &[i64]) -> Result<(), sqlx::Error> {
        self.on()?.begin().await?;
        let written = self.write_all(rows, dirty).await;
        self.on()?.end(written).await
    }

    /// Writes all rows within a transaction.
    pub(crate) async fn write_all(&mut self, rows: &[Row], dirty: &[i64]) -> Result<(), sqlx::Error> {
        let mut requests: Vec<&RequestRow> = rows.iter().filter_map(Row::request).collect();
        // As they lie in the table: neighbours share a page, and the page of the newest is filled before the next is begun.
        requests.sort_by_key(|row| row.id);
        // Of a request that is there twice, what came last, unless only what came first has ended.
        requests.dedup_by(|later, earlier| {
            let same = later.id == earlier.id;
            if same && !later.is_open() {
                std::mem::swap(later, earlier);
            }
            same
        });
        let facts: Vec<&FactRow> = rows.iter().filter_map(Row::fact).collect();
        let connection = self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        let mut rest = requests.as_slice();
        for (size, sql) in &self.requests {
            while let Some((now, later)) = rest.split_at_checked(*size) {
                let mut values = Vec::with_capacity(size * COLUMNS.len());
                now.iter().for_each(|row| bind_request(&mut values, row));
                connection.insert(sql, values).await?;
                rest = later;
            }
        }
        let mut rest = facts.as_slice();
        for (size, sql) in &self.facts {
            while let Some((now, later)) = rest.split_at_checked(*size) {
                let mut values = Vec::with_capacity(size * 4);
                now.iter().for_each(|row| bind_fact(&mut values, row));
                connection.insert(sql, values).await?;
                rest = later;
            }
        }
        for minute in dirty {
            let mut sql = connection.statement("INSERT INTO dirty (minute) VALUES (");
            sql.bind(*minute).push(") ON CONFLICT (minute) DO NOTHING");
            connection.execute(sql).await?;
        }
        Ok(())
    }

    /// Closes every running request as lost, with `event` as its last; returns how many there were.
    pub(crate) async fn close_open(&mut self, event: &str) -> Result<u64, sqlx::Error> {
        let mut closed = 0;
        loop {
            let on = self.on()?;
            on.begin().await?;
            let some = close_some(on, event).await;
            match on.end(some).await? {
                0 => return Ok(closed),
                some => closed += some,
            }
        }
    }

    /// The highest id of a fact, zero if there is none.
    pub(crate) async fn last_fact(&mut self) -> Result<i64, sqlx::Error> {
        let on = self.on()?;
        let rows = on.rows(on.statement("SELECT coalesce(max(id), 0) FROM facts")).await?;
        rows.first().map_or(Ok(0), |row| row.int(0))
    }

    /// The newest row of the audit log.
    pub(crate) async fn audit_head(&mut self) -> Result<AuditHead, sqlx::Error> {
        audit::head(self.on()?).await
    }

    /// Writes contents that were captured.
    pub(crate) async fn keep_contents(&mut self, contents: &[Content]) -> Result<(), sqlx::Error> {
        content::write(self.on()?, contents).await
    }

    /// Deletes some of the contents that are over at `now`; returns whether there may be more.
    pub(crate) async fn sweep_contents(&mut self, now: WallTime) -> Result<bool, sqlx::Error> {
        content::sweep(self.on()?, now).await
    }

    /// Writes changes, all or none; they survive a loss of power, too.
    pub(crate) async fn keep(&mut self, changes: &[Change], state: &State) -> Result<(), sqlx::Error> {
        let on = self.on()?;
        // Postgres syncs each commit unless it is told not to.
        let sqlite = on.dialect() == Dialect::Sqlite;
        if sqlite {
            on.execute(on.statement("PRAGMA synchronous = FULL")).await?;
        }
        on.begin().await?;
        let known = state.audit_head.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let kept = keep_all(on, changes, known.unwrap_or_default()).await;
        let kept = on.end(kept).await;
        if sqlite {
            // What is written is written, even if later writes take longer.
            let _ = on.execute(on.statement("PRAGMA synchronous = NORMAL")).await;
        }
        *state.audit_head.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept?);
        Ok(())
    }

    /// Closes the database, which moves what is in its log into the file.
    pub(crate) async fn close(self) -> Result<(), sqlx::Error> {
        match self.connection {
            Some(connection) => connection.close().await,
            None => Ok(()),
        }
    }
}

/// Writes changes one after the other; the head of the audit log after them.
async fn keep_all(on: &mut Connection, changes: &[Change], mut head: AuditHead) -> Result<AuditHead, sqlx::Error> {
    for change in changes {
        if let Some((key, fact)) = &change.key {
            on.execute(key.insert(on.dialect())).await?;
            let (sql, mut values) = (insert_facts(on.dialect(), 1), Vec::new());
            bind_fact(&mut values, fact);
            on.insert(&sql, values).await?;
        }
        if let Some(entry) = &change.audit {
            let record = head.link(entry.clone());
            on.execute(record.insert(on.dialect())).await?;
            head = AuditHead { sequence: record.sequence, hash: record.hash };
        }
    }
    Ok(head)
}

async fn close_some(on: &mut Connection, event: &str) -> Result<u64, sqlx::Error> {
    let mut sql = on.statement("SELECT id, record FROM requests WHERE outcome = 'open' LIMIT ");
    sql.bind(CLOSED);
    let rows = on.rows(sql).await?;
    for row in &rows {
        let (id, record) = (row.blob(0)?, row.text(1)?);
        let mut sql = on.statement("UPDATE requests SET outcome = 'lost', record = ");
        sql.bind(&*lost(&record, event)).push(" WHERE id = ").bind(id.clone());
        on.execute(sql).await?;
        let millis = i64::try_from(id.try_into().map_or(0, u128::from_be_bytes) >> 80).unwrap_or(0);
        let mut sql = on.statement("INSERT INTO dirty (minute) VALUES (");
        sql.bind(millis / 60_000).push(") ON CONFLICT (minute) DO NOTHING");
        on.execute(sql).await?;
    }
    Ok(rows.len() as u64)
}

/// The record of a running request as that of a lost one. Both members are of fixed form, and no text that the record holds
/// comes after them.
fn lost(record: &str, event: &str) -> String {
    let mut record = record.to_owned();
    for (from, to) in [
        (r#""outcome":"open""#, r#""outcome":"lost""#.to_owned()),
        (r#""events":[]"#, format!(r#""events":[{event}]"#)),
    ] {
        if let Some(place) = record.rfind(from) {
            record.replace_range(place..place + from.len(), &to);
        }
    }
    record
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

fn insert_requests(dialect: Dialect, rows: usize) -> String {
    let values = places(dialect, COLUMNS.len(), rows);
    let renewed: Vec<String> = COLUMNS[1..].iter().map(|column| format!("{column} = excluded.{column}")).collect();
    format!(
        "INSERT INTO requests ({}) VALUES {values} ON CONFLICT (id) DO UPDATE SET {} WHERE excluded.outcome <> 'open'",
        COLUMNS.join(", "),
        renewed.join(", ")
    )
}

fn insert_facts(dialect: Dialect, rows: usize) -> String {
    let values = places(dialect, 4, rows);
    format!("INSERT INTO facts (id, at, fact, record) VALUES {values} ON CONFLICT (id) DO NOTHING")
}

fn bind_fact(values: &mut Vec<Value>, row: &FactRow) {
    values.extend([row.id.into(), row.at.into(), (&*row.fact).into(), Arc::clone(&row.record).into()]);
}

/// Texts are shared, so that none is copied on its way to SQLite's thread.
fn bind_request(values: &mut Vec<Value>, row: &RequestRow) {
    values.extend([
        Value::from(row.id.0.to_be_bytes().to_vec()),
        row.started_at.into(),
        Arc::clone(&row.outcome).into(),
        row.status.map(i64::from).into(),
        row.tenant.clone().into(),
        row.key.clone().into(),
        row.route.clone().into(),
        row.cost_nano.into(),
        Arc::clone(&row.record).into(),
        row.run.clone().into(),
        row.spent.deployment.clone().into(),
        i64::from(row.spent.attempts).into(),
        row.spent.estimated_nano.into(),
        row.spent.input.into(),
        row.spent.cached_input.into(),
        row.spent.output.into(),
        row.spent.reasoning.into(),
        i64::from(row.spent.unreported).into(),
    ]);
}

#[cfg(test)]
mod tests {
    use weir_units::{NanoUsd, RequestId, Tokens, Usage, WallTime};

    use sqlx::{Connection as _, Executor};

    use super::*;
    use crate::entry::{Attempt, Entry, Intent, Outcome};
    use crate::fact::{Event, Fact, Stage};

    impl Store {
        async fn pragma(&mut self, text: &str) {
            let on = self.on().unwrap();
            on.rows(on.statement(text)).await.unwrap();
        }
    }

    #[test]
    fn a_lost_request_says_so_whatever_its_tags_say() {
        let record = r#"{"tags":{"outcome":"open","events":"[]"},"outcome":"open","status":null,"events":[]}"#;
        assert_eq!(
            lost(record, "{}"),
            r#"{"tags":{"outcome":"open","events":"[]"},"outcome":"lost","status":null,"events":[{}]}"#
        );
    }

    #[tokio::test]
    async fn a_ledger_that_knew_no_prices_is_brought_up_to_date_and_keeps_its_records() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weir.db");
        let mut old = writable(&path).connect().await.unwrap();
        let first = migrations(Dialect::Sqlite).iter().take(1).cloned().collect();
        Migrator::with_migrations(first).run(&mut old).await.unwrap();
        let sql = "INSERT INTO requests (id, started_at, outcome, record) VALUES (x'00000000000000000000000000000007', 0, 'answered', '{\"id\":\"req_old\"}')";
        old.execute(sql).await.unwrap();
        old.close().await.unwrap();
        let options =
            crate::Options { retention: Duration::from_secs(u64::from(u32::MAX)), ..crate::Options::new(&path) };
        let (ledger, _) = crate::open(options).await.unwrap();
        let record = ledger.request(RequestId(7)).await.unwrap().unwrap();
        assert!(record.starts_with(r#"{"id":"req_old","#), "{record}");
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
        let first = migrations(Dialect::Sqlite).iter().take(2).cloned().collect();
        Migrator::with_migrations(first).run(&mut old).await.unwrap();
        let rows: Vec<RequestRow> = (1..5).map(request).collect();
        for row in &rows {
            let sql =
                "INSERT INTO requests (id, started_at, outcome, tenant, cost_nano, record) VALUES (?, ?, ?, ?, ?, ?)";
            let query = sqlx::query(sql).bind(row.id.0.to_be_bytes().to_vec()).bind(row.started_at).bind(&*row.outcome);
            let query = query.bind(row.tenant.clone()).bind(row.cost_nano).bind(Arc::clone(&row.record));
            old.execute(query).await.unwrap();
        }
        migrations(Dialect::Sqlite).run(&mut old).await.unwrap();
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
        migrations(Dialect::Sqlite).run(&mut new).await.unwrap();
        let mut store = Store::new(Place::File(path.clone()), Some(Connection::Sqlite(new)));
        store.write(&rows.into_iter().map(Row::Request).collect::<Vec<_>>(), &[]).await.unwrap();
        store.close().await.unwrap();
        let mut new = writable(&path).connect().await.unwrap();
        let written: Vec<Columns> = sqlx::query_as(columns).fetch_all(&mut new).await.unwrap();
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
        let path = folder.path().join("weir.db");
        let mut connection = writable(&path).connect().await.unwrap();
        migrations(Dialect::Sqlite).run(&mut connection).await.unwrap();
        let mut store = Store::new(Place::File(path), Some(Connection::Sqlite(connection)));
        let rows: Vec<Row> = (1..200)
            .map(|id| {
                let fact = Fact::ConfigRefused { reason: "x".repeat(4_096) };
                let event = Event { at: WallTime(id), stage: Stage::Accept, fact };
                Row::Fact(FactRow::of(id, &event))
            })
            .collect();
        store.pragma("PRAGMA max_page_count = 8").await;
        assert!(store.write(&rows, &[]).await.unwrap_err().to_string().contains("full"));
        assert_eq!(store.last_fact().await.unwrap(), 0, "all of a group, or none of it");
        store.pragma("PRAGMA max_page_count = 100000").await;
        store.write(&rows, &[]).await.unwrap();
        assert_eq!(store.last_fact().await.unwrap(), 199);
    }
}
