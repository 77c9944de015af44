//! A new configuration at run time: on SIGHUP, or when its file changes. It is taken whole or refused whole.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use weir_config::{Config, Report, Source};
use weir_ledger::{Event, Fact, Stage};

use crate::clock::wall;
use crate::state::Shared;
use crate::{budgets, limits};

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Puts new configurations in force.
#[derive(Clone)]
pub struct Reloading {
    shared: Arc<Shared>,
}

impl Reloading {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Adopts what was read, or refuses it and keeps what is in force; either way it is said in the log, as a fact, and in
    /// `/health/ready`.
    pub fn reload(&self, report: Report) {
        for warning in &report.warnings {
            tracing::warn!("{}", warning.as_warning());
        }
        let adopted = match report.config {
            Some(config) if report.faults.is_empty() => {
                self.warn_of_what_needs_a_restart(&config);
                self.shared.adopt(config)
            }
            _ => Err(report.faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
        };
        let source = match &self.shared.live.load().config.source {
            Source::File(path) => path.display().to_string(),
            Source::Environment => "the environment".to_owned(),
        };
        let mut refused = self.shared.reload_refused.lock().unwrap_or_else(PoisonError::into_inner);
        match adopted {
            Ok(questions) => {
                *refused = None;
                self.shared.audit.of_system("reload", &source, "done");
                let shared = Arc::clone(&self.shared);
                tokio::spawn(async move {
                    budgets::correct(&shared, &shared.ledger, questions).await;
                    limits::declare(&shared).await;
                });
                tracing::info!("the configuration was reloaded");
            }
            Err(reason) => {
                tracing::error!("the new configuration is refused, the old one stays in force:\n{reason}");
                *refused = Some(reason.clone());
                self.shared.audit.of_system("reload", &source, &format!("refused: {reason}"));
                self.shared.tell(Event { at: wall(), stage: Stage::Accept, fact: Fact::ConfigRefused { reason } });
            }
        }
    }

    fn warn_of_what_needs_a_restart(&self, new: &Config) {
        let live = self.shared.live.load();
        let old = &live.config;
        for (setting, changed) in [
            ("[server] listen", old.server.listen != new.server.listen),
            ("[server] admin-listen", old.server.admin_listen != new.server.admin_listen),
            ("[server] max-connections", old.server.max_connections != new.server.max_connections),
            ("[ledger] url", (&old.ledger.path, &old.ledger.postgres) != (&new.ledger.path, &new.ledger.postgres)),
            ("[server] timezone", old.zone != new.zone),
            ("[ledger] retention", old.ledger.retention != new.ledger.retention),
        ] {
            if changed {
                tracing::warn!("`{setting}` changed: it takes effect at the next start");
            }
        }
    }
}

/// Reloads on `hangup`, and whenever the file that the configuration came from changes; never returns.
pub async fn watch_config(
    reloading: Reloading,
    source: Source,
    read: impl Fn() -> Report,
    mut hangup: tokio::sync::mpsc::Receiver<()>,
) {
    let path = match source {
        Source::File(path) => Some(path),
        Source::Environment => None,
    };
    let mut seen = stamp(path.clone()).await;
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            asked = hangup.recv() => if asked.is_none() { return },
            _ = ticks.tick() => {
                let now = stamp(path.clone()).await;
                // A file that is away is being replaced.
                if now == seen || now.is_none() {
                    continue;
                }
                seen = now;
            }
        }
        reloading.reload(read());
    }
}

/// What tells one state of the file from another.
async fn stamp(path: Option<PathBuf>) -> Option<(SystemTime, u64)> {
    let metadata = tokio::fs::metadata(path?).await.ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
