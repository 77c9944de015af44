//! Opening a ledger: whose file it is, what schema it has, and what a former process left behind.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{ConnectOptions, Connection as _};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::audit::{AuditEntry, AuditHead};
use crate::change::Change;
use crate::db::{Connection, Dialect};
use crate::fact::{Event, Fact, Stage};
use crate::keys::KeysCopy;
use crate::ledger::{Ledger, Options, State, wall_now};
use crate::lock::{Lock, LockError, beside};
use crate::place::{Place, Postgres};
use crate::query::{Reader, readable};
use crate::row::minutes;
use crate::spill::{self, Spill};
use crate::store::{APPLICATION, SCHEMA, SCHEMA_POSTGRES, Store, migrations, writable};
use crate::writer::Writer;

/// How long a connection to Postgres may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a ledger could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Nothing is there, and it was to be read.
    #[error("open the ledger: there is no file `{}`", path.display())]
    Missing {
        /// The ledger's file.
        path: PathBuf,
    },
    /// Another process serves it.
    #[error(
        "open the ledger `{}`: another weir process{} writes to it; stop that one or set another `url` in [ledger]",
        path.display(), holder.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    Served {
        /// The ledger's file.
        path: PathBuf,
        /// The process id of the other, if it could be read.
        holder: Option<u32>,
    },
    /// A newer version of Weir has written it.
    #[error(
        "open the ledger `{}`: its schema is version {found}, and this weir knows no later one than {known}; \
         run the weir that wrote it, or a newer one",
        path.display()
    )]
    Newer {
        /// The ledger's file.
        path: PathBuf,
        /// The schema's version.
        found: i64,
        /// The newest that this version knows.
        known: i64,
    },
    /// The file is something else.
    #[error("open the ledger `{}`: the file is no SQLite database", path.display())]
    NoDatabase {
        /// The file.
        path: PathBuf,
    },
    /// It is a database, of another program.
    #[error("open the ledger `{}`: the file is a SQLite database, but not a ledger of weir", path.display())]
    NoLedger {
        /// The file.
        path: PathBuf,
    },
    /// The folder or a file in it cannot be used.
    #[error("open the ledger `{}`: {source}", path.display())]
    Io {
        /// The ledger's file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The schema could not be brought up to date.
    #[error("open the ledger `{}`: bring its schema up to date: {source}", path.display())]
    Migrate {
        /// The ledger's file.
        path: PathBuf,
        /// What went wrong.
        source: sqlx::migrate::MigrateError,
    },
    /// The database said no.
    #[error("open the ledger `{}`: {source}", path.display())]
    Database {
        /// The ledger's file.
        path: PathBuf,
        /// What it said.
        source: sqlx::Error,
    },
}

/// The writer, at work until the ledger is closed or its last handle is gone.
#[derive(Debug)]
pub struct WriterTask(JoinHandle<()>);

impl WriterTask {
    /// Waits for the writer's end.
    pub async fn join(self) {
        if let Err(error) = self.0.await {
            tracing::error!(%error, "the ledger's writer did not end by itself");
        }
    }
}

/// Opens the ledger for writing, on the current tokio runtime: makes or migrates the database, writes what waits in the
/// spill, and closes the requests that a former process left open as lost.
///
/// # Errors
/// When the file is not ours to write, or not a ledger that this version understands.
pub async fn open(options: Options) -> Result<(Ledger, WriterTask), OpenError> {
    let path = options.path.clone();
    let place = Place::of(&path, options.postgres.as_ref());
    let lock = Arc::new(take_lock(&path)?);
    let state = Arc::new(State::default());
    let mut store = Store::new(place.clone(), None);
    match connect(&place).await {
        Ok(connection) => {
            store.connects(Some(connection));
            read_back(&path, &mut store).await?;
            close_open(&mut store, &state).await.map_err(|source| not_opened(&path, source))?;
        }
        // It may come back by itself, and what happens meanwhile waits in the spill.
        Err(OpenError::Database { source, .. }) if options.postgres.is_some() && is_away(&source) => {
            tracing::error!(%place, error = %source, "the ledger's database cannot be reached; records go to the spill until it can");
            state.fails(&source);
        }
        Err(error) => return Err(error),
    }
    let spill =
        Spill::start(&path, Arc::clone(&state)).map_err(|source| OpenError::Io { path: path.clone(), source })?;
    let (sender, messages) = mpsc::channel(options.queue.max(2));
    let writer = Writer::new(options, store, messages, spill.clone(), Arc::clone(&state), Arc::clone(&lock));
    let task = tokio::spawn(writer.run());
    let copy = matches!(place, Place::Postgres(_)).then(|| KeysCopy::new(&path));
    Ok((Ledger::new(sender, spill, state, Reader::lazy(&place), copy, lock), WriterTask(task)))
}

/// Closes the requests that a former process left open as lost.
pub(crate) async fn close_open(store: &mut Store, state: &State) -> Result<(), sqlx::Error> {
    let event = Event { at: wall_now(), stage: Stage::Settle, fact: Fact::Lost };
    let lost = store.close_open(&event.to_json()).await?;
    if lost > 0 {
        tracing::warn!(lost, "requests were open when the process before this one died; they are on record as lost");
    }
    state.last_fact.fetch_max(store.last_fact().await?, Ordering::Relaxed);
    let head = store.audit_head().await?;
    // What this process knows already is not taken from a database that somebody may have changed.
    state.audit_head.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(head);
    Ok(())
}

/// Adds an entry to the audit log of a ledger that no process serves: its newest row is read and followed while nobody else may write.
///
/// # Errors
/// When a process serves it, which alone knows its newest row, or it cannot be written.
pub async fn append_audit(path: &Path, postgres: Option<&Postgres>, entry: AuditEntry) -> Result<AuditHead, OpenError> {
    let place = Place::of(path, postgres);
    let _lock = match &place {
        Place::File(path) => Some(take_lock(path)?),
        // Its connection holds the lock.
        Place::Postgres(_) => None,
    };
    let mut store = Store::new(place.clone(), Some(connect(&place).await?));
    let failed = |source| not_opened(path, source);
    let state = State::default();
    let head = store.audit_head().await.map_err(failed)?;
    *state.audit_head.lock().unwrap_or_else(PoisonError::into_inner) = Some(head);
    store.keep(&[Change { key: None, audit: Some(entry) }], &state).await.map_err(failed)?;
    store.close().await.map_err(failed)?;
    let head = state.audit_head.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(head.unwrap_or_default())
}

/// A connection to write through, to a database with the current schema.
pub(crate) fn connect(
    place: &Place,
) -> std::pin::Pin<Box<dyn Future<Output = Result<Connection, OpenError>> + Send + '_>> {
    match place {
        Place::File(path) => Box::pin(connect_file(path)),
        Place::Postgres(postgres) => Box::pin(connect_postgres(postgres, true)),
    }
}

/// The same, also beside another process that serves it.
pub(crate) async fn connect_beside(place: &Place) -> Result<Connection, OpenError> {
    match place {
        Place::File(path) => {
            let mut connection = connect_file(path).await?;
            let wait = connection.statement("PRAGMA busy_timeout = 10000");
            connection.rows(wait).await.map_err(|error| not_opened(path, error))?;
            Ok(connection)
        }
        Place::Postgres(postgres) => connect_postgres(postgres, false).await,
    }
}

/// `serves`: no other process may.
async fn connect_postgres(postgres: &Postgres, serves: bool) -> Result<Connection, OpenError> {
    let shown = || PathBuf::from(postgres.to_string());
    let failed = |source| OpenError::Database { path: shown(), source };
    let connecting = tokio::time::timeout(PATIENCE, postgres.options.connect());
    let late = |_| sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "no connection within 5 s"));
    let mut connection = connecting.await.map_err(late).and_then(|connected| connected).map_err(failed)?;
    if serves {
        // It is held as long as the connection is.
        let alone: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(APPLICATION)
            .fetch_one(&mut connection)
            .await
            .map_err(failed)?;
        if !alone {
            return Err(OpenError::Served { path: shown(), holder: None });
        }
    }
    check_postgres(postgres, &mut connection).await?;
    let migrated = migrations(Dialect::Postgres).run_direct(None, &mut connection, false).await;
    migrated.map_err(|source| OpenError::Migrate { path: shown(), source })?;
    Ok(Connection::Postgres(connection))
}

/// Refuses a newer ledger.
pub(crate) async fn check_postgres(postgres: &Postgres, connection: &mut PgConnection) -> Result<(), OpenError> {
    let failed = |source| OpenError::Database { path: postgres.to_string().into(), source };
    let known: Option<String> = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations')::text")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if known.is_none() {
        return Ok(());
    }
    let found: i64 = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if found > SCHEMA_POSTGRES {
        return Err(OpenError::Newer { path: postgres.to_string().into(), found, known: SCHEMA_POSTGRES });
    }
    Ok(())
}

/// Whether the database is not there at the moment, rather than there and not ours.
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => {
            // Too many connections, not accepting any, starting up, shutting down: classes 53, 55 and 57.
            error.code().is_some_and(|code| ["53", "55", "57"].iter().any(|class| code.starts_with(class)))
        }
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut => true,
        _ => false,
    }
}

fn take_lock(path: &Path) -> Result<Lock, OpenError> {
    let failed = |source| OpenError::Io { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    Lock::take(path).map_err(|error| match error {
        LockError::Taken(holder) => OpenError::Served { path: path.to_owned(), holder },
        LockError::Io(source) => failed(source),
    })
}

async fn connect_file(path: &Path) -> Result<Connection, OpenError> {
    // A file that is not ours must stay as it is, so it is looked at before it is opened for writing.
    if fs::metadata(path).is_ok_and(|file| file.len() > 0) {
        let mut connection = readable(path).connect().await.map_err(|error| not_opened(path, error))?;
        check(path, &mut connection).await?;
        connection.close().await.map_err(|error| not_opened(path, error))?;
    }
    let mut connection = writable(path).connect().await.map_err(|error| not_opened(path, error))?;
    migrations(Dialect::Sqlite)
        .run_direct(None, &mut connection, false)
        .await
        .map_err(|source| OpenError::Migrate { path: path.to_owned(), source })?;
    // What a statement changes is kept aside while it runs: a group's would go to a file of its own, made and removed each time.
    // A migration changes all rows, and its file is as large as they are, so this comes after it.
    sqlx::query("PRAGMA temp_store = MEMORY")
        .execute(&mut connection)
        .await
        .map_err(|error| not_opened(path, error))?;
    Ok(Connection::Sqlite(connection))
}

/// Writes what former processes spilled.
async fn read_back(path: &Path, store: &mut Store) -> Result<(), OpenError> {
    let failed = |source| OpenError::Io { path: path.to_owned(), source };
    while let Some(mut taken) = spill::take(&beside(path, ".spill"), &beside(path, ".spill.reading")).map_err(failed)? {
        loop {
            let (rows, lines) = taken.rows(1_024).map_err(failed)?;
            if lines == 0 {
                break;
            }
            store.write(&rows, &minutes(&rows)).await.map_err(|error| not_opened(path, error))?;
        }
        taken.done().map_err(failed)?;
    }
    Ok(())
}

/// Refuses a database that is not a ledger, or a newer one.
pub(crate) async fn check(path: &Path, connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let failed = |error| not_opened(path, error);
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE '\\_sqlx%' ESCAPE '\\'")
            .fetch_one(&mut *connection)
            .await
            .map_err(failed)?;
    if tables == 0 {
        // Made, but not migrated: the process died in between.
        return Ok(());
    }
    let application: i64 =
        sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await.map_err(failed)?;
    if application != APPLICATION {
        return Err(OpenError::NoLedger { path: path.to_owned() });
    }
    let found: i64 = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if found > SCHEMA {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: SCHEMA });
    }
    Ok(())
}

/// What an error of the database means for the file at `path`.
pub(crate) fn not_opened(path: &Path, source: sqlx::Error) -> OpenError {
    // SQLITE_NOTADB.
    let no_database = source.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "26");
    match source {
        _ if no_database => OpenError::NoDatabase { path: path.to_owned() },
        source => OpenError::Database { path: path.to_owned(), source },
    }
}
