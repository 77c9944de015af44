//! `weir import`: what other tools have, as ours: their logs as records of the ledger, a LiteLLM proxy's configuration as `weir.toml`.

pub(crate) mod input;
mod litellm;
mod logs;
mod progress;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::Common;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Read what other tools logged into the ledger; importing it again changes nothing
    Logs(logs::Arguments),
    /// Turn a LiteLLM proxy's config.yaml into weir.toml, and list what has no equivalent
    Litellm(litellm::Arguments),
}

/// Imports it.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    match &arguments.what {
        What::Logs(arguments) => logs::run(common, arguments),
        What::Litellm(arguments) => litellm::run(arguments),
    }
}
