//! Where a test's ledger lives: in a file, and once more in Postgres, so that the same stories hold on both.
//!
//! Each test in Postgres has a database of its own, on the server that `WEIR_TEST_POSTGRES` names.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Executor};
use tempfile::TempDir;
use weir_ledger::{Ledger, Options, Postgres, Reader, open};

/// A folder, and a database of Postgres's or none.
pub(crate) struct Home {
    pub(crate) folder: TempDir,
    pub(crate) postgres: Option<Postgres>,
}

impl Home {
    /// The ledger is a file.
    pub(crate) async fn sqlite() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), postgres: None }
    }

    /// The ledger is a new database.
    pub(crate) async fn postgres() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = std::env::var("WEIR_TEST_POSTGRES").unwrap_or_else(|_| {
            panic!("these tests need a Postgres: start one with `eval \"$(./scripts/postgres start)\"`")
        });
        let name = format!("weir_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let options: PgConnectOptions = server.parse().unwrap();
        let mut connection: PgConnection = options.connect().await.unwrap();
        connection.execute(sqlx::AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name}"))).await.unwrap();
        connection.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        connection.close().await.unwrap();
        let (server, _) = server.rsplit_once('/').unwrap();
        let postgres = Postgres::parse(&format!("{server}/{name}")).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), postgres: Some(postgres) }
    }

    /// The ledger's file, or what it would be: other files lie beside it.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("weir.db")
    }

    /// How it is opened. The made-up requests lie in a fixed past, which must not fall out of the retention.
    pub(crate) fn options(&self) -> Options {
        let retention = Duration::from_secs(100 * 365 * 86_400);
        Options { retention, postgres: self.postgres.clone(), ..Options::new(self.path()) }
    }

    /// The ledger, open.
    pub(crate) async fn open(&self) -> Ledger {
        open(self.options()).await.unwrap().0
    }

    /// Changes the database behind the ledger's back.
    pub(crate) async fn execute(&self, sql: &'static str) {
        match &self.postgres {
            Some(_) => {
                let mut connection = self.server().await;
                connection.execute(sql).await.unwrap();
            }
            None => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.path());
                let mut connection = options.connect().await.unwrap();
                connection.execute(sql).await.unwrap();
                connection.close().await.unwrap();
            }
        }
    }

    /// A connection to its database in Postgres.
    pub(crate) async fn server(&self) -> PgConnection {
        let url: PgConnectOptions = std::env::var("WEIR_TEST_POSTGRES").unwrap().parse().unwrap();
        let shown = self.postgres.as_ref().unwrap().to_string();
        url.database(shown.rsplit_once('/').unwrap().1).connect().await.unwrap()
    }

    /// As another process reads it.
    pub(crate) async fn reader(&self) -> Reader {
        match &self.postgres {
            Some(postgres) => Reader::open_postgres(postgres).await.unwrap(),
            None => Reader::open(&self.path()).await.unwrap(),
        }
    }
}
