//! The table of the audit log: adding rows, and reading them.

use std::sync::Arc;

use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row, Sqlite};
use weir_units::WallTime;

use super::{AuditEntry, AuditHead, AuditRecord};
use crate::query::{Reader, StoreError};

/// What stands in for a text that cannot be read; whatever it was, the row's hash is another one then.
const UNREADABLE: &str = "\u{fffd}";

/// Which rows are asked for. What is left out does not restrict.
#[derive(Clone, Debug)]
pub struct AuditQuery {
    /// At most so many.
    pub limit: u32,
    /// The oldest first, rather than the newest.
    pub oldest_first: bool,
    /// Only those after this one.
    pub after: Option<u64>,
    /// Only those before this one.
    pub before: Option<u64>,
    /// Only those of this person.
    pub who: Option<String>,
    /// Only this action; one that ends in a dot is all that begin with it.
    pub action: Option<String>,
    /// Only what was done to this.
    pub what: Option<String>,
    /// Only those of this time or later.
    pub since: Option<WallTime>,
    /// Only those before this time.
    pub until: Option<WallTime>,
}

impl Default for AuditQuery {
    /// The newest hundred.
    fn default() -> Self {
        Self {
            limit: 100,
            oldest_first: false,
            after: None,
            before: None,
            who: None,
            action: None,
            what: None,
            since: None,
            until: None,
        }
    }
}

impl AuditRecord {
    /// The statement that adds it.
    pub(crate) fn insert(&self) -> sqlx::query::Query<'_, Sqlite, SqliteArguments> {
        let AuditEntry { at, who, role, from, action, what, outcome } = &self.entry;
        let sql = "INSERT INTO audit (sequence, at, who, role, peer, action, what, outcome, previous, hash) \
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let mut query = sqlx::query(sql).bind(signed(self.sequence)).bind(at.millis());
        for text in [who, role, from, action, what, outcome] {
            query = query.bind(&**text);
        }
        query.bind(&self.previous).bind(&self.hash)
    }

    /// Reads a row, whatever somebody has made of it.
    fn read(row: &SqliteRow) -> Self {
        let text = |column: &str| row.try_get::<String, _>(column).unwrap_or_else(|_| UNREADABLE.to_owned());
        let shared = |column: &str| Arc::from(text(column));
        let number = |column: &str| row.try_get::<i64, _>(column).unwrap_or(i64::MIN);
        Self {
            sequence: u64::try_from(number("sequence")).unwrap_or(0),
            entry: AuditEntry {
                at: WallTime(number("at").saturating_mul(1_000)),
                who: shared("who"),
                role: shared("role"),
                from: shared("peer"),
                action: shared("action"),
                what: shared("what"),
                outcome: shared("outcome"),
            },
            previous: text("previous"),
            hash: text("hash"),
        }
    }
}

/// The newest row of a database.
pub(crate) async fn head(connection: &mut SqliteConnection) -> Result<AuditHead, sqlx::Error> {
    let sql = "SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1";
    let row = sqlx::query(sql).fetch_optional(connection).await?;
    row.map_or_else(
        || Ok(AuditHead::default()),
        |row| Ok(AuditHead { sequence: u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or(0), hash: row.try_get(1)? }),
    )
}

impl Reader {
    /// The rows of the audit log that `query` asks for.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditRecord>, StoreError> {
        let mut sql: QueryBuilder<Sqlite> = QueryBuilder::new("SELECT * FROM audit WHERE true");
        if let Some(after) = query.after {
            sql.push(" AND sequence > ").push_bind(signed(after));
        }
        if let Some(before) = query.before {
            sql.push(" AND sequence < ").push_bind(signed(before));
        }
        for (column, value) in [("who", &query.who), ("what", &query.what)] {
            if let Some(value) = value {
                sql.push(format!(" AND {column} = ")).push_bind(value.as_str());
            }
        }
        match query.action.as_deref() {
            Some(group) if group.ends_with('.') => {
                let length = i64::try_from(group.chars().count()).unwrap_or(i64::MAX);
                sql.push(" AND substr(action, 1, ").push_bind(length).push(") = ").push_bind(group);
            }
            Some(action) => {
                sql.push(" AND action = ").push_bind(action);
            }
            None => {}
        }
        if let Some(since) = query.since {
            sql.push(" AND at >= ").push_bind(since.millis());
        }
        if let Some(until) = query.until {
            sql.push(" AND at < ").push_bind(until.millis());
        }
        sql.push(if query.oldest_first { " ORDER BY sequence" } else { " ORDER BY sequence DESC" });
        sql.push(" LIMIT ").push_bind(i64::from(query.limit));
        let rows = sql.build().fetch_all(&self.pool).await?;
        Ok(rows.iter().map(AuditRecord::read).collect())
    }
}

fn signed(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}
