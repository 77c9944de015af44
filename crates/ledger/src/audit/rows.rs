//! The table of the audit log: adding rows, and reading them.

use std::sync::Arc;

use weir_units::WallTime;

use super::{AuditEntry, AuditHead, AuditRecord};
use crate::db::{Connection, DbRow, Dialect, Statement};
use crate::query::{Reader, StoreError};

/// What stands in for a text that cannot be read; whatever it was, the row's hash is another one then.
const UNREADABLE: &str = "\u{fffd}";

/// The columns, in the order in which they are bound and read.
const COLUMNS: &str = "sequence, at, who, role, peer, action, what, outcome, previous, hash";

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
    pub(crate) fn insert(&self, dialect: Dialect) -> Statement {
        let AuditEntry { at, who, role, from, action, what, outcome } = &self.entry;
        let mut sql = Statement::new(dialect, &format!("INSERT INTO audit ({COLUMNS}) VALUES ("));
        sql.bind(signed(self.sequence)).push(", ").bind(at.millis());
        for text in [who, role, from, action, what, outcome] {
            sql.push(", ").bind(Arc::clone(text));
        }
        sql.push(", ").bind(self.previous.as_str()).push(", ").bind(self.hash.as_str()).push(")");
        sql
    }

    /// Reads a row, whatever somebody has made of it.
    fn read(row: &DbRow) -> Self {
        let text = |column: usize| row.text(column).unwrap_or_else(|_| UNREADABLE.to_owned());
        let shared = |column: usize| Arc::from(text(column));
        let number = |column: usize| row.int(column).unwrap_or(i64::MIN);
        Self {
            sequence: u64::try_from(number(0)).unwrap_or(0),
            entry: AuditEntry {
                at: WallTime(number(1).saturating_mul(1_000)),
                who: shared(2),
                role: shared(3),
                from: shared(4),
                action: shared(5),
                what: shared(6),
                outcome: shared(7),
            },
            previous: text(8),
            hash: text(9),
        }
    }
}

/// The newest row of a database.
pub(crate) async fn head(on: &mut Connection) -> Result<AuditHead, sqlx::Error> {
    let sql = on.statement("SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1");
    let rows = on.rows(sql).await?;
    rows.first().map_or_else(
        || Ok(AuditHead::default()),
        |row| Ok(AuditHead { sequence: u64::try_from(row.int(0)?).unwrap_or(0), hash: row.text(1)? }),
    )
}

impl Reader {
    /// The rows of the audit log that `query` asks for.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditRecord>, StoreError> {
        let mut sql = self.pool.statement(&format!("SELECT {COLUMNS} FROM audit WHERE true"));
        if let Some(after) = query.after {
            sql.push(" AND sequence > ").bind(signed(after));
        }
        if let Some(before) = query.before {
            sql.push(" AND sequence < ").bind(signed(before));
        }
        for (column, value) in [("who", &query.who), ("what", &query.what)] {
            if let Some(value) = value {
                sql.push(&format!(" AND {column} = ")).bind(value.as_str());
            }
        }
        match query.action.as_deref() {
            Some(group) if group.ends_with('.') => {
                let length = group.chars().count();
                sql.push(&format!(" AND substr(action, 1, {length}) = ")).bind(group);
            }
            Some(action) => {
                sql.push(" AND action = ").bind(action);
            }
            None => {}
        }
        if let Some(since) = query.since {
            sql.push(" AND at >= ").bind(since.millis());
        }
        if let Some(until) = query.until {
            sql.push(" AND at < ").bind(until.millis());
        }
        sql.push(if query.oldest_first { " ORDER BY sequence" } else { " ORDER BY sequence DESC" });
        sql.push(" LIMIT ").bind(i64::from(query.limit));
        let rows = self.pool.rows(sql).await?;
        Ok(rows.iter().map(AuditRecord::read).collect())
    }
}

fn signed(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}
