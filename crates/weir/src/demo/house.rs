//! What the demo runs: two providers and the gateway before them, all in this process and on loopback alone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use weir_config::ProcessEnvironment;
use weir_gateway::Gateway;
use weir_mock::{Latency, Mock, Options, Profile};

/// The route that clients ask for.
pub(super) const ROUTE: &str = "smart";

/// Two providers and a gateway.
pub(super) struct House {
    pub(super) openai: Mock,
    pub(super) anthropic: Mock,
    pub(super) gateway: Gateway,
    /// The ledger's file.
    pub(super) ledger: PathBuf,
}

impl House {
    /// Starts all of it. The configuration is written to `folder` and read from there, as anyone's would be.
    ///
    /// # Errors
    /// What does not start, in words.
    pub(super) async fn start(folder: &Path, ledger: Option<&Path>) -> Result<Self, String> {
        let openai = provider("openai", 120, 100).await?;
        let anthropic = provider("anthropic", 180, 80).await?;
        let file = folder.join("weir.toml");
        std::fs::write(&file, config_text(&openai, &anthropic))
            .map_err(|error| format!("`{}` cannot be written: {error}", file.display()))?;
        let report = weir_config::load(&file, &ProcessEnvironment);
        let faults = || report.faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let mut config = report.config.clone().ok_or_else(faults)?;
        if let Some(ledger) = ledger {
            config.ledger.path = std::path::absolute(ledger).map_err(|error| error.to_string())?;
        }
        let ledger = config.ledger.path.clone();
        let gateway = Gateway::start(config).await.map_err(|error| error.to_string())?;
        Ok(Self { openai, anthropic, gateway, ledger })
    }

    /// Ends all of it; the ledger is whole then.
    pub(super) async fn stop(self) {
        self.gateway.drain().await;
        self.openai.stop().await;
        self.anthropic.stop().await;
    }
}

async fn provider(name: &str, latency_ms: u64, tokens_per_second: u64) -> Result<Mock, String> {
    let latency = Latency {
        base: Duration::from_millis(latency_ms),
        per_input_token: Duration::from_micros(20),
        jitter: Duration::from_millis(latency_ms / 2),
    };
    let profile = Profile { latency, tokens_per_second, ..Profile::default() };
    let options = Options { name: name.to_owned(), profile, ..Options::default() };
    Mock::start(options).await.map_err(|error| format!("the provider `{name}` cannot start: {error}"))
}

/// The gateway's configuration. Its times are shorter than the defaults, as the whole story is: an outage of nine seconds
/// stands for one of hours.
fn config_text(openai: &Mock, anthropic: &Mock) -> String {
    format!(
        r#"[server]
listen = "127.0.0.1:0"
grace = "2s"

[ledger]
url = "sqlite:demo.db"

[providers.openai]
base-url = "{}"

[providers.anthropic]
base-url = "{}"

[routes.{ROUTE}]
deployments = ["openai/gpt-4.1", "anthropic/claude-haiku-4-5"]
strategy = "failover"

[timeouts]
first-byte = "1s"
first-content = "1s"

[breaker]
window = "10s"
cooldown = "1500ms"
"#,
        openai.base_url(),
        anthropic.base_url().trim_end_matches("/v1"),
    )
}
