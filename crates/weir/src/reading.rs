//! The configuration of a command that serves nothing, and the ledger itself, with no gateway in between.
//!
//! No secret need be set here: CI asks what a configuration means, and has none of production's.

use std::path::Path;
use std::process::ExitCode;

use weir_config::{Config, ProcessEnvironment, Report, WithoutSecrets};
use weir_engine::Zone;
use weir_ledger::Reader;

use crate::Common;
use crate::ledger::Place;
use crate::serve::read_config;
use crate::terminal::{USAGE, say};

/// The configuration in a file, or of the environment, and what is wrong with it.
pub(crate) fn report(path: Option<&Path>) -> Report {
    read_config(path, &WithoutSecrets(&ProcessEnvironment))
}

/// The configuration, if it can be read.
pub(crate) fn config(common: &Common) -> Option<Config> {
    report(common.config.as_deref()).config
}

/// The configuration; if it has faults, they are said.
pub(crate) fn sound_config(common: &Common) -> Result<Config, ExitCode> {
    let report = report(common.config.as_deref());
    report.faults.iter().for_each(say);
    report.config.filter(|_| report.faults.is_empty()).ok_or_else(|| ExitCode::from(USAGE))
}

/// The configuration of the file that is named, if one is; its faults are said.
pub(crate) fn named_config(common: &Common) -> Result<Option<Config>, ExitCode> {
    common.config.as_ref().map(|_| sound_config(common)).transpose()
}

/// The zone of the file that is named; UTC where none is.
pub(crate) fn zone(common: &Common) -> Result<Zone, ExitCode> {
    Ok(named_config(common)?.map_or(Zone::UTC, |config| config.zone))
}

/// The ledger in a file, and what it is called.
pub(crate) async fn file(path: &Path) -> Result<(Reader, String), String> {
    let reader = Reader::open(path).await.map_err(|error| error.to_string())?;
    Ok((reader, weir_wire::shown(&path.display().to_string())))
}

/// The ledger of a configuration, and what it is called.
pub(crate) async fn ledger(config: &Config) -> Result<(Reader, String), String> {
    let place = Place::configured(config)?;
    Ok((place.open().await?, weir_wire::shown(&place.to_string())))
}

/// Whether there is a ledger where a configuration says.
pub(crate) fn is_there(config: &Config) -> bool {
    match &config.ledger.postgres {
        Some(url) => url.is_set(),
        None => config.ledger.path.exists(),
    }
}
