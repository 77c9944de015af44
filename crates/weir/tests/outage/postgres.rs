//! A Postgres of a test's own, which the test may take away.

use std::collections::BTreeMap;
use std::process::Command;

use sqlx::ConnectOptions;

/// A server, with the database `postgres`.
pub(crate) struct Postgres {
    variables: BTreeMap<String, String>,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        Self::started(&script(&["start"], &BTreeMap::new()))
    }

    /// One that takes TLS alone.
    pub(crate) fn start_with_tls() -> Self {
        Self::started(&script(&["start", "tls"], &BTreeMap::new()))
    }

    fn started(told: &str) -> Self {
        let variables = told.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        Self { variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect() }
    }

    pub(crate) fn url(&self) -> &str {
        &self.variables["WEIR_TEST_POSTGRES"]
    }

    pub(crate) fn folder(&self) -> &str {
        &self.variables["WEIR_TEST_POSTGRES_FOLDER"]
    }

    /// The number that a statement answers with.
    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        let options: sqlx::postgres::PgConnectOptions = self.url().parse().unwrap();
        let mut connection = options.application_name("test").connect().await.unwrap();
        sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
    }

    /// Does to it what `scripts/postgres` has a command for.
    pub(crate) async fn is(&self, command: &'static str) {
        let variables = self.variables.clone();
        tokio::task::spawn_blocking(move || script(&[command], &variables)).await.unwrap();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        script(&["stop"], &self.variables);
    }
}

fn script(command: &[&str], variables: &BTreeMap<String, String>) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/postgres");
    let done = Command::new(path).args(command).envs(variables).output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}
