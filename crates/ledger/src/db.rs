//! The database, whichever it is: one way to write a statement and to read a row, for SQLite and Postgres.
//!
//! Statements are written with `?`, and are such as both understand; the few that differ ask for the [`Dialect`].

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Executor, Postgres, Row as _, Sqlite, Transaction};

use crate::query::readable;

/// The lock of whoever adds to roll-ups in Postgres.
const ROLLING: i64 = 0x7765_6972_726F_6C6C;

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// What a statement is given. Each knows its type also where it is null, as Postgres wants it.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Int(Option<i64>),
    Text(Option<Arc<str>>),
    Blob(Option<Vec<u8>>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.into()))
    }
}

impl From<Arc<str>> for Value {
    fn from(value: Arc<str>) -> Self {
        Self::Text(Some(value))
    }
}

impl From<Option<Arc<str>>> for Value {
    fn from(value: Option<Arc<str>>) -> Self {
        Self::Text(value)
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Blob(Some(value))
    }
}

/// A statement and what it is given.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    dialect: Dialect,
    text: String,
    values: Vec<Value>,
}

impl Statement {
    pub(crate) fn new(dialect: Dialect, text: &str) -> Self {
        let mut statement = Self { dialect, text: String::with_capacity(text.len()), values: Vec::new() };
        statement.push(text);
        statement
    }

    /// Goes on with the text, which is given nothing.
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Goes on with a place, and what stands there.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        match self.dialect {
            Dialect::Sqlite => self.text.push('?'),
            Dialect::Postgres => self.text.push_str(&format!("${}", self.values.len())),
        }
        self
    }
}

/// `rows` times a row of `columns` places, as `VALUES` wants them.
pub(crate) fn places(dialect: Dialect, columns: usize, rows: usize) -> String {
    let place = |n: usize| match dialect {
        Dialect::Sqlite => "?".to_owned(),
        Dialect::Postgres => format!("${}", n + 1),
    };
    let row = |row: usize| (0..columns).map(|column| place(row * columns + column)).collect::<Vec<_>>().join(",");
    (0..rows).map(|n| format!("({})", row(n))).collect::<Vec<_>>().join(",")
}

/// A row of an answer.
pub(crate) enum DbRow {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

macro_rules! column {
    ($name:ident, $type:ty) => {
        pub(crate) fn $name(&self, column: usize) -> Result<$type, sqlx::Error> {
            match self {
                Self::Sqlite(row) => row.try_get(column),
                Self::Postgres(row) => row.try_get(column),
            }
        }
    };
}

impl DbRow {
    column!(int, i64);
    column!(some_int, Option<i64>);
    column!(text, String);
    column!(some_text, Option<String>);
    column!(blob, Vec<u8>);
}

/// An answer that is on its way. In a box: the compiler cannot tell that a driver's own futures may go to another thread.
type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, sqlx::Error>> + Send + 'a>>;

/// Gives a statement its values, and runs it on one of the two.
macro_rules! run {
    ($statement:expr, $on:expr, $run:ident, $database:ty) => {{
        let Statement { text, values, .. } = $statement;
        let mut query = sqlx::query::<$database>(AssertSqlSafe(text.as_str()));
        for value in values {
            query = match value {
                Value::Int(value) => query.bind(value),
                Value::Text(value) => query.bind(value),
                Value::Blob(value) => query.bind(value),
            };
        }
        $on.$run(query).await
    }};
}

/// The writer's connection.
pub(crate) enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Connection {
    /// Runs a statement; returns how many rows it changed.
    pub(crate) fn execute(&mut self, statement: Statement) -> Answer<'_, u64> {
        Box::pin(async move {
            match self {
                Self::Sqlite(on) => run!(statement, on, execute, Sqlite).map(|done| done.rows_affected()),
                Self::Postgres(on) => run!(clean(statement), on, execute, Postgres).map(|done| done.rows_affected()),
            }
        })
    }

    /// Runs a statement that many rows fill, whose text is kept.
    pub(crate) fn insert<'a>(&'a mut self, text: &'a str, values: Vec<Value>) -> Answer<'a, ()> {
        Box::pin(async move {
            match self {
                Self::Sqlite(on) => {
                    let mut query = sqlx::query::<Sqlite>(AssertSqlSafe(text));
                    for value in values {
                        query = match value {
                            Value::Int(value) => query.bind(value),
                            Value::Text(value) => query.bind(value),
                            Value::Blob(value) => query.bind(value),
                        };
                    }
                    on.execute(query).await?;
                }
                Self::Postgres(on) => {
                    let statement = Statement { dialect: Dialect::Postgres, text: text.to_owned(), values };
                    run!(clean(statement), on, execute, Postgres)?;
                }
            }
            Ok(())
        })
    }

    /// The rows that a statement answers with.
    pub(crate) fn rows(&mut self, statement: Statement) -> Answer<'_, Vec<DbRow>> {
        Box::pin(async move {
            Ok(match self {
                Self::Sqlite(on) => run!(statement, on, fetch_all, Sqlite)?.into_iter().map(DbRow::Sqlite).collect(),
                Self::Postgres(on) => {
                    run!(clean(statement), on, fetch_all, Postgres)?.into_iter().map(DbRow::Postgres).collect()
                }
            })
        })
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// A statement in its dialect.
    pub(crate) fn statement(&self, text: &str) -> Statement {
        Statement::new(self.dialect(), text)
    }

    /// Begins a transaction, which ends with [`Connection::end`].
    pub(crate) async fn begin(&mut self) -> Result<(), sqlx::Error> {
        let begin = if self.dialect() == Dialect::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
        self.execute(self.statement(begin)).await.map(|_| ())
    }

    /// Waits within a transaction until no other adds to roll-ups. In SQLite there is only one that writes.
    pub(crate) async fn alone(&mut self) -> Result<(), sqlx::Error> {
        if self.dialect() == Dialect::Postgres {
            let mut sql = self.statement("SELECT pg_advisory_xact_lock(");
            sql.bind(ROLLING).push(")");
            self.execute(sql).await?;
        }
        Ok(())
    }

    /// Commits if all went well, else takes everything back.
    pub(crate) async fn end<T>(&mut self, result: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        let committed = match &result {
            Ok(_) => self.execute(self.statement("COMMIT")).await,
            Err(_) => Ok(0),
        };
        match (result, committed) {
            (Ok(value), Ok(_)) => Ok(value),
            (Ok(_), Err(error)) | (Err(error), _) => {
                // A failed commit, of a full disk say, may have taken everything back already.
                let _ = self.execute(self.statement("ROLLBACK")).await;
                Err(error)
            }
        }
    }

    pub(crate) async fn close(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(on) => on.close().await,
            Self::Postgres(on) => on.close().await,
        }
    }
}

/// Postgres has no NUL in a text.
fn clean(mut statement: Statement) -> Statement {
    for value in &mut statement.values {
        if let Value::Text(Some(text)) = value
            && text.contains('\0')
        {
            *text = text.replace('\0', "\u{FFFD}").into();
        }
    }
    statement
}

/// Connections that only read.
#[derive(Clone, Debug)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Pool {
    /// It connects when first asked.
    pub(crate) fn sqlite(path: &std::path::Path) -> Self {
        let options = SqlitePoolOptions::new()
            .max_connections(3)
            .min_connections(0)
            .idle_timeout(Duration::from_secs(60))
            .test_before_acquire(false);
        Self::Sqlite(options.connect_lazy_with(readable(path)))
    }

    /// It connects when first asked.
    pub(crate) fn postgres(options: PgConnectOptions) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(3)
            .min_connections(0)
            .acquire_timeout(Duration::from_secs(3))
            .idle_timeout(Duration::from_secs(60));
        Self::Postgres(pool.connect_lazy_with(options.disable_statement_logging()))
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// A statement in its dialect.
    pub(crate) fn statement(&self, text: &str) -> Statement {
        Statement::new(self.dialect(), text)
    }

    /// The rows that a statement answers with.
    pub(crate) fn rows(&self, statement: Statement) -> Answer<'_, Vec<DbRow>> {
        Box::pin(async move {
            Ok(match self {
                Self::Sqlite(on) => run!(statement, on, fetch_all, Sqlite)?.into_iter().map(DbRow::Sqlite).collect(),
                Self::Postgres(on) => {
                    run!(clean(statement), on, fetch_all, Postgres)?.into_iter().map(DbRow::Postgres).collect()
                }
            })
        })
    }

    /// Begins to read what is there now, whatever is written meanwhile.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(pool) => Snapshot::Sqlite(pool.begin().await?),
            Self::Postgres(pool) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                Snapshot::Postgres(pool.begin_with(begin).await?)
            }
        })
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// A state of the database that stays while it is read; it ends when it is dropped.
pub(crate) enum Snapshot {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Snapshot {
    /// The rows that a statement answers with.
    pub(crate) fn rows(&mut self, statement: Statement) -> Answer<'_, Vec<DbRow>> {
        Box::pin(async move {
            Ok(match self {
                Self::Sqlite(on) => {
                    run!(statement, (&mut **on), fetch_all, Sqlite)?.into_iter().map(DbRow::Sqlite).collect()
                }
                Self::Postgres(on) => {
                    run!(clean(statement), (&mut **on), fetch_all, Postgres)?.into_iter().map(DbRow::Postgres).collect()
                }
            })
        })
    }

    /// A statement in its dialect.
    pub(crate) fn statement(&self, text: &str) -> Statement {
        let dialect = match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        };
        Statement::new(dialect, text)
    }
}
