//! `cargo xtask`: what the project needs and cargo cannot do, in Rust, so that it needs nothing else installed.
//!
//! It keeps the house rules that clippy cannot say, and makes histories to try forecasts with. The tool depends on none of the crates it judges, so that a
//! tree that does not build can still be told why its layout is wrong.

mod arrows;
mod deny;
mod history;
mod links;
mod source;
mod tidy;
mod tree;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

const COMMANDS: &str = "\
cargo xtask COMMAND

  tidy    check the house rules: dependency arrows, purpose lines, file sizes, links, words
  deny    check licences, bans and sources of all dependencies against deny.toml
  history write months of requests that never were, to fill a ledger with; `history --help` says what they can be like";

fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    match asked[..] {
        ["tidy"] => tidy::run(root()),
        ["deny"] => deny::run(root()),
        ["history", "--help" | "-h"] => {
            say(std::io::stdout(), history::USAGE);
            ExitCode::SUCCESS
        }
        ["history", ref rest @ ..] => history::run(rest),
        [] | ["help" | "--help" | "-h"] => {
            say(std::io::stdout(), COMMANDS);
            ExitCode::SUCCESS
        }
        _ => {
            say(std::io::stderr(), format_args!("error: there is no command `{}`\n\n{COMMANDS}", asked.join(" ")));
            ExitCode::from(2)
        }
    }
}

/// The workspace's folder: the parent of this crate's.
fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// Writes a line; a reader that went away is no fault.
fn say(mut to: impl Write, text: impl std::fmt::Display) {
    let _ = writeln!(to, "{text}");
}
