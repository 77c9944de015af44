//! The ledger that a command reads by itself: the one that is named, or the configuration's.

use weir_config::ProcessEnvironment;
use weir_ledger::{Postgres, Reader};

use crate::Common;
use crate::serve::read_config;

/// Where a ledger is: its file, or a url of Postgres's.
pub(crate) enum Place {
    File(std::path::PathBuf),
    Postgres(Postgres),
}

impl Place {
    /// What `--ledger` names.
    ///
    /// # Errors
    /// A sentence, if it is a url and not a right one.
    pub(crate) fn named(text: &str) -> Result<Self, String> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Postgres::parse(text).map(Self::Postgres).map_err(|why| format!("--ledger: {why}"));
        }
        Ok(Self::File(text.strip_prefix("sqlite:").unwrap_or(text).into()))
    }

    /// The one that is named, or else the configuration's.
    ///
    /// # Errors
    /// A sentence, if there is neither.
    pub(crate) fn of(common: &Common, named: Option<&str>) -> Result<Self, String> {
        if let Some(named) = named {
            return Self::named(named);
        }
        let config = read_config(common.config.as_deref(), &ProcessEnvironment).config;
        let ledger = config.ok_or("the configuration cannot be read: `weir check` says why")?.ledger;
        match ledger.postgres {
            Some(url) => {
                Postgres::parse(url.expose()).map(Self::Postgres).map_err(|why| format!("`ledger.url`: {why}"))
            }
            None => Ok(Self::File(ledger.path)),
        }
    }

    /// Opens it for reading.
    ///
    /// # Errors
    /// A sentence, if it cannot be.
    pub(crate) async fn open(&self) -> Result<Reader, String> {
        let reader = match self {
            Self::File(path) => Reader::open(path).await,
            Self::Postgres(postgres) => Reader::open_postgres(postgres).await,
        };
        reader.map_err(|error| error.to_string())
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Postgres(postgres) => postgres.fmt(f),
        }
    }
}
