//! Reading the ledger itself, with no gateway in between: the one that is named, or the configuration's.

use std::path::Path;

use weir_config::{Config, ProcessEnvironment};
use weir_ledger::{Postgres, Reader};

use crate::Common;
use crate::serve::read_config;

/// The configuration, if it can be read.
pub(crate) fn config(common: &Common) -> Option<Config> {
    read_config(common.config.as_deref(), &ProcessEnvironment).config
}

/// The ledger in a file, and what it is called.
pub(crate) async fn file(path: &Path) -> Result<(Reader, String), String> {
    let reader = Reader::open(path).await.map_err(|error| error.to_string())?;
    Ok((reader, weir_wire::shown(&path.display().to_string())))
}

/// The ledger of a configuration, and what it is called.
pub(crate) async fn ledger(config: &Config) -> Result<(Reader, String), String> {
    let Some(url) = &config.ledger.postgres else { return file(&config.ledger.path).await };
    let postgres = Postgres::parse(url.expose())?;
    let reader = Reader::open_postgres(&postgres).await.map_err(|error| error.to_string())?;
    Ok((reader, postgres.to_string()))
}

/// Whether there is a ledger where a configuration says.
pub(crate) fn is_there(config: &Config) -> bool {
    config.ledger.postgres.is_some() || config.ledger.path.exists()
}
