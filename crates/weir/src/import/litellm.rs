//! `weir import litellm`: a LiteLLM proxy's config.yaml as weir.toml.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use weir_config::imports;

use crate::terminal::{NO, USAGE, fail, say};

/// No configuration is longer.
const LONGEST: u64 = 4 << 20;

#[derive(Args)]
#[command(
    after_help = "What has no equivalent is listed on stderr, each with its line and what to do in its place. Secrets are not carried over: they are\n\
read from the environment.\n\n\
Exit codes: 0 written, and nothing is left over · 1 written, and something is · 2 not readable, and nothing is written"
)]
pub(crate) struct Arguments {
    /// LiteLLM's configuration; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The file to write; without it, standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Writes the configuration.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let shown = weir_wire::shown(&arguments.file.display().to_string());
    let mut text = String::new();
    let read = if arguments.file.as_os_str() == "-" {
        std::io::stdin().lock().take(LONGEST).read_to_string(&mut text)
    } else {
        fs::File::open(&arguments.file).and_then(|file| file.take(LONGEST).read_to_string(&mut text))
    };
    if let Err(error) = read {
        return fail(USAGE, format_args!("`{shown}` cannot be read: {error}"));
    }
    let imported = match imports::litellm(&text) {
        Ok(imported) => imported,
        Err(error) => {
            let code = fail(USAGE, format_args!("`{shown}` is no configuration of LiteLLM: {}", error.why));
            say(format_args!("  where  {shown}:{}", error.line));
            return code;
        }
    };
    let written = match &arguments.out {
        Some(path) => fs::write(path, &imported.toml).map_err(|error| format!("write `{}`: {error}", path.display())),
        None => {
            use std::io::Write;
            let _ = std::io::stdout().lock().write_all(imported.toml.as_bytes());
            Ok(())
        }
    };
    if let Err(why) = written {
        return fail(USAGE, why);
    }
    for left in &imported.leftovers {
        say(format_args!(
            "{shown}:{}  {}: {}",
            left.line,
            weir_wire::shown(&left.setting),
            weir_wire::shown(&left.why)
        ));
    }
    match imported.leftovers.len() {
        0 => ExitCode::SUCCESS,
        1 => {
            say("1 setting has no equivalent");
            ExitCode::from(NO)
        }
        count => {
            say(format_args!("{count} settings have no equivalent, or not the same one"));
            ExitCode::from(NO)
        }
    }
}
