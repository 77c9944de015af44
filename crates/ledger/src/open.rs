//! Opening a ledger: whose file it is, what schema it has, and what a former process left behind.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use sqlx::sqlite::SqliteConnection;
use sqlx::{ConnectOptions, Connection};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::fact::{Event, Fact, Stage};
use crate::ledger::{Ledger, Options, State, wall_now};
use crate::lock::{Lock, LockError, beside};
use crate::query::{Reader, readable};
use crate::spill::{self, Spill};
use crate::store::{APPLICATION, SCHEMA, Store, migrations, writable};
use crate::writer::Writer;

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
    let lock = Arc::new(take_lock(&path)?);
    let mut store = open_store(&path).await?;
    let failed = |source| OpenError::Database { path: path.clone(), source };
    read_back(&path, &mut store).await?;
    let event = Event { at: wall_now(), stage: Stage::Settle, fact: Fact::Lost };
    let lost = store.close_open(&event.to_json()).await.map_err(failed)?;
    if lost > 0 {
        tracing::warn!(lost, "requests were open when the process before this one died; they are on record as lost");
    }
    let state = Arc::new(State::default());
    *state.audit_head.lock().unwrap_or_else(PoisonError::into_inner) = store.audit_head().await.map_err(failed)?;
    state.last_fact.store(store.last_fact().await.map_err(failed)?, Ordering::Relaxed);
    let spill =
        Spill::start(&path, Arc::clone(&state)).map_err(|source| OpenError::Io { path: path.clone(), source })?;
    let (sender, messages) = mpsc::channel(options.queue.max(2));
    let writer = Writer::new(options, store, messages, spill.clone(), Arc::clone(&state), Arc::clone(&lock));
    let task = tokio::spawn(writer.run());
    Ok((Ledger::new(sender, spill, state, Reader::lazy(&path), lock), WriterTask(task)))
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

async fn open_store(path: &Path) -> Result<Store, OpenError> {
    // A file that is not ours must stay as it is, so it is looked at before it is opened for writing.
    if fs::metadata(path).is_ok_and(|file| file.len() > 0) {
        let mut connection = readable(path).connect().await.map_err(|error| not_opened(path, error))?;
        check(path, &mut connection).await?;
        connection.close().await.map_err(|error| not_opened(path, error))?;
    }
    let mut connection = writable(path).connect().await.map_err(|error| not_opened(path, error))?;
    migrations().run(&mut connection).await.map_err(|source| OpenError::Migrate { path: path.to_owned(), source })?;
    Ok(Store::new(connection))
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
            store.write(&rows).await.map_err(|error| not_opened(path, error))?;
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
