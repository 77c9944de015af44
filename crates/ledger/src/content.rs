//! Captured prompts and answers, each under its request's id and only until its time is over.
//!
//! They are written when there is room and time, and never spilled: a copy of a prompt in a file that no retention knows
//! would be worse than none.

use weir_units::{RequestId, WallTime};

use crate::db::{Connection, Dialect, Statement};
use crate::query::{Reader, StoreError};

/// Contents that one step of the retention deletes.
const SWEEP: i64 = 100;

/// What was captured of one request.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// The request.
    pub id: RequestId,
    /// Until when it is kept.
    pub expires_at: WallTime,
    /// What was captured, as JSON that the gateway writes.
    pub content: String,
}

/// Shows no content.
impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content").field("id", &self.id).field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl Content {
    fn insert(&self, dialect: Dialect) -> Statement {
        let mut sql = Statement::new(dialect, "INSERT INTO content (id, expires_at, content) VALUES (");
        sql.bind(&*self.id.to_string()).push(", ").bind(self.expires_at.0).push(", ").bind(self.content.as_str());
        sql.push(") ON CONFLICT (id) DO NOTHING");
        sql
    }
}

/// Writes contents in one transaction.
pub(crate) async fn write(on: &mut Connection, contents: &[Content]) -> Result<(), sqlx::Error> {
    on.begin().await?;
    let mut written = Ok(());
    for content in contents {
        if written.is_ok() {
            written = on.execute(content.insert(on.dialect())).await.map(|_| ());
        }
    }
    on.end(written).await
}

/// Deletes some of what is over at `now`; returns whether there may be more. SQLite is told to overwrite where it lay; in
/// Postgres that is what `VACUUM` is for.
pub(crate) async fn sweep(on: &mut Connection, now: WallTime) -> Result<bool, sqlx::Error> {
    let sqlite = on.dialect() == Dialect::Sqlite;
    if sqlite {
        on.execute(on.statement("PRAGMA secure_delete = ON")).await?;
    }
    let mut sql = on.statement("DELETE FROM content WHERE id IN (SELECT id FROM content WHERE expires_at <= ");
    sql.bind(now.0).push(" LIMIT ").bind(SWEEP).push(")");
    let deleted = on.execute(sql).await;
    if sqlite {
        // What else is deleted is nobody's words.
        on.execute(on.statement("PRAGMA secure_delete = OFF")).await?;
    }
    Ok(deleted? >= SWEEP.unsigned_abs())
}

impl Reader {
    /// What was captured of a request, as JSON; none if nothing was, or its time is over at `now`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn content(&self, id: RequestId, now: WallTime) -> Result<Option<String>, StoreError> {
        let mut sql = self.pool.statement("SELECT content FROM content WHERE id = ");
        sql.bind(&*id.to_string()).push(" AND expires_at > ").bind(now.0);
        let rows = self.pool.rows(sql).await?;
        Ok(rows.first().map(|row| row.text(0)).transpose()?)
    }
}
