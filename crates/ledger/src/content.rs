//! Captured prompts and answers, each under its request's id and only until its time is over.
//!
//! They are written when there is room and time, and never spilled: a copy of a prompt in a file that no retention knows
//! would be worse than none.

use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Connection, Executor, Sqlite};
use weir_units::{RequestId, WallTime};

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
    fn insert(&self) -> sqlx::query::Query<'_, Sqlite, SqliteArguments> {
        let sql = "INSERT INTO content (id, expires_at, content) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING";
        sqlx::query(sql).bind(self.id.to_string()).bind(self.expires_at.0).bind(&self.content)
    }
}

/// Writes contents in one transaction.
pub(crate) async fn write(connection: &mut SqliteConnection, contents: &[Content]) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for content in contents {
        transaction.execute(content.insert()).await?;
    }
    transaction.commit().await
}

/// Deletes some of what is over at `now`, and overwrites where it lay; returns whether there may be more.
pub(crate) async fn sweep(connection: &mut SqliteConnection, now: WallTime) -> Result<bool, sqlx::Error> {
    connection.execute("PRAGMA secure_delete = ON").await?;
    let sql = "DELETE FROM content WHERE id IN (SELECT id FROM content WHERE expires_at <= ? LIMIT ?)";
    let deleted = sqlx::query(sql).bind(now.0).bind(SWEEP).execute(&mut *connection).await;
    // What else is deleted is nobody's words.
    connection.execute("PRAGMA secure_delete = OFF").await?;
    Ok(deleted?.rows_affected() >= SWEEP.unsigned_abs())
}

impl Reader {
    /// What was captured of a request, as JSON; none if nothing was, or its time is over at `now`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn content(&self, id: RequestId, now: WallTime) -> Result<Option<String>, StoreError> {
        let sql = "SELECT content FROM content WHERE id = ? AND expires_at > ?";
        Ok(sqlx::query_scalar(sql).bind(id.to_string()).bind(now.0).fetch_optional(&self.pool).await?)
    }
}
