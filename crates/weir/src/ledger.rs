//! The ledger that a command reads by itself: the one that is named, or the configuration's.

use std::process::ExitCode;

use weir_config::Config;
use weir_ledger::{Postgres, Reader};

use crate::terminal::{USAGE, fail};
use crate::{Common, reading};

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

    /// The one that is named, or else the configuration's; what is wrong with them is said.
    pub(crate) fn of(common: &Common, named: Option<&str>) -> Result<Self, ExitCode> {
        let place = match named {
            Some(named) => Self::named(named),
            None => Self::configured(&reading::sound_config(common)?),
        };
        place.map_err(|why| fail(USAGE, why))
    }

    /// The configuration's.
    ///
    /// # Errors
    /// A sentence, if its url is not a right one, or is a secret that is not set here.
    pub(crate) fn configured(config: &Config) -> Result<Self, String> {
        match &config.ledger.postgres {
            Some(url) if !url.is_set() => {
                Err("`ledger.url` refers to a secret that is not set here: set it, or name a ledger with --ledger"
                    .to_owned())
            }
            Some(url) => {
                Postgres::parse(url.expose()).map(Self::Postgres).map_err(|why| format!("`ledger.url`: {why}"))
            }
            None => Ok(Self::File(config.ledger.path.clone())),
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
