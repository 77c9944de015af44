//! A Postgres of a test's own, which the test may take away.

use std::collections::BTreeMap;
use std::process::Command;

/// A server, with the database `postgres`.
pub(crate) struct Postgres {
    variables: BTreeMap<String, String>,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        let told = script("start", &BTreeMap::new());
        let variables = told.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        Self { variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect() }
    }

    pub(crate) fn url(&self) -> &str {
        &self.variables["WEIR_TEST_POSTGRES"]
    }

    /// Does to it what `scripts/postgres` has a command for.
    pub(crate) async fn is(&self, command: &'static str) {
        let variables = self.variables.clone();
        tokio::task::spawn_blocking(move || script(command, &variables)).await.unwrap();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        script("stop", &self.variables);
    }
}

fn script(command: &str, variables: &BTreeMap<String, String>) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/postgres");
    let done = Command::new(path).arg(command).envs(variables).output().unwrap();
    assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}
