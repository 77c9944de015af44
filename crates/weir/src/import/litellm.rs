//! `weir import litellm`: a LiteLLM proxy's config.yaml as weir.toml.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
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

/// A file's text.
fn open(path: &Path) -> Result<String, String> {
    whole(fs::File::open(path).map_err(|error| error.to_string())?)
}

fn whole(input: impl Read) -> Result<String, String> {
    let mut bytes = Vec::new();
    input.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LONGEST {
        return Err("it is longer than 4 MiB, which no configuration is".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line} is no UTF-8: save it as UTF-8")
    })
}

/// Writes the configuration.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let shown = weir_wire::shown(&arguments.file.display().to_string());
    let read = if arguments.file.as_os_str() == "-" { whole(std::io::stdin()) } else { open(&arguments.file) };
    let text = match read {
        Ok(text) => text,
        Err(why) => return fail(USAGE, format_args!("`{shown}` cannot be read: {why}")),
    };
    let folder = arguments.file.parent().unwrap_or(Path::new(""));
    let imported = match imports::litellm(&text, &|name| open(&folder.join(name))) {
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
            "{}:{}  {}: {}",
            left.file.as_deref().map_or_else(|| shown.clone(), weir_wire::shown),
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
