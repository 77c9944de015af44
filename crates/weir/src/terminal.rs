//! Talking to the terminal: data to stdout, talk to stderr, and the exit codes.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// The answer is no.
pub(crate) const NO: u8 = 1;
/// Wrong usage, or a configuration that cannot be read.
pub(crate) const USAGE: u8 = 2;
/// Server or ledger cannot be reached.
pub(crate) const UNREACHABLE: u8 = 4;

/// Writes data to stdout. A reader that went away (`| head`) is no fault.
pub(crate) fn print(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Writes talk to stderr.
pub(crate) fn say(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Says what is wrong, and leaves with `code`.
pub(crate) fn fail(code: u8, text: impl std::fmt::Display) -> ExitCode {
    say(format_args!("error: {text}"));
    ExitCode::from(code)
}

/// Whether stdout takes colours and moves.
pub(crate) fn is_rich() -> bool {
    let off = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
    !off && !dumb && std::io::stdout().is_terminal()
}

/// `text` in bold, where that can be shown.
pub(crate) fn bold(text: &str) -> String {
    if is_rich() { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}

/// A span of milliseconds as people say it: 340 ms, 1.20 s, 4 min 10 s.
pub(crate) fn span(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{:02} s", millis / 1_000, millis % 1_000 / 10),
        _ => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1_000),
    }
}
