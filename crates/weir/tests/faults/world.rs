//! A gateway and its providers, in this process, over real sockets.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use weir_config::{Config, Environment};
use weir_gateway::Gateway;
use weir_mock::{Mock, Options};

use crate::client::{Got, send};
use crate::dialect::Dialect;

/// Short enough that the whole matrix takes less than a minute, long enough for a machine that does other things as well.
const SETTINGS: &str = r#"
[server]
listen = "127.0.0.1:0"

[timeouts]
connect = "5s"
first-byte = "2s"
first-content = "1500ms"
stall = "3s"
total = "30s"

[queue]
max-wait = "20s"

[retry]
base = "5ms"
patience = "2s"
"#;

/// What the mock called `name` takes for a credential.
pub(crate) fn credential(name: &str) -> String {
    format!("sk-of-the-{name}-provider")
}

/// A mock on a free port that takes no other credential.
pub(crate) async fn mock(name: &str) -> Mock {
    mock_at(name, SocketAddr::from(([127, 0, 0, 1], 0))).await
}

/// A mock at this address.
pub(crate) async fn mock_at(name: &str, listen: SocketAddr) -> Mock {
    let api_key = Some(credential(name));
    Mock::start(Options { listen, name: name.to_owned(), api_key, ..Options::default() }).await.expect("a free port")
}

/// The section of a provider of this dialect at `address`.
pub(crate) fn provider(name: &str, dialect: Dialect, address: SocketAddr) -> String {
    let (kind, path) = match dialect {
        Dialect::OpenAi => ("openai", "/v1"),
        Dialect::Anthropic => ("anthropic", ""),
    };
    let url = format!("http://{address}{path}");
    format!("[providers.{name}]\nkind = \"{kind}\"\nbase-url = \"{url}\"\napi-key = {{ env = \"{name}\" }}\n")
}

/// A file's text where a file is asked for, and a credential for every variable.
struct Text<'a>(&'a str);

impl Environment for Text<'_> {
    fn var(&self, name: &str) -> Option<String> {
        Some(credential(name))
    }

    fn read(&self, _: &Path) -> io::Result<String> {
        Ok(self.0.to_owned())
    }
}

/// A gateway of its own, with a ledger of its own.
pub(crate) struct World {
    pub(crate) gateway: Gateway,
    folder: tempfile::TempDir,
}

impl World {
    /// Starts a gateway with the short settings above and what `more` says.
    pub(crate) async fn start(more: &str) -> Self {
        Self::with(&format!("{SETTINGS}\n{more}")).await
    }

    /// Starts a gateway with exactly these settings.
    pub(crate) async fn with(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let gateway = Gateway::start(config(folder.path(), text)).await.expect("a gateway");
        Self { gateway, folder }
    }

    /// Puts other settings in force, as a reload does.
    pub(crate) fn reload(&self, more: &str) {
        let text = format!("{SETTINGS}\n{more}");
        self.gateway.reloading().reload(report(self.folder.path(), &text));
    }

    /// Asks, in a dialect.
    pub(crate) async fn ask(&self, client: Dialect, body: &str) -> Result<Got, String> {
        send(self.gateway.address(), client.path(), client.headers(), body).await
    }

    /// The record of a request that was answered.
    pub(crate) async fn record(&self, got: &Got) -> Result<Value, String> {
        let id = got.header("x-weir-request").ok_or("an answer without x-weir-request")?;
        self.gateway.ledger().flush().await;
        self.admin(&format!("/admin/v1/requests/{id}")).await
    }

    /// All records, the newest first.
    pub(crate) async fn records(&self) -> Result<Vec<Value>, String> {
        self.gateway.ledger().flush().await;
        let page = self.admin("/admin/v1/requests?limit=1000").await?;
        page["requests"].as_array().cloned().ok_or_else(|| format!("no list of requests: {page}"))
    }

    /// Ends the gateway as a signal does; nothing runs any more, so it must not take its grace period.
    pub(crate) async fn end(self) -> Result<(), String> {
        let ended = tokio::time::timeout(Duration::from_secs(20), self.gateway.drain()).await;
        ended.map_err(|_| "the gateway does not end".to_owned())
    }

    /// What the operator is told at `path`.
    pub(crate) async fn admin(&self, path: &str) -> Result<Value, String> {
        let got = send(self.gateway.address(), path, "", "").await?;
        if got.status == 200 { got.json() } else { Err(format!("{} from {path}: {}", got.status, got.body)) }
    }
}

fn config(folder: &Path, text: &str) -> Config {
    let report = report(folder, text);
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    report.config.expect("a config without faults")
}

fn report(folder: &Path, text: &str) -> weir_config::Report {
    weir_config::load(&folder.join("weir.toml"), &Text(text))
}
