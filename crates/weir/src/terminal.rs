//! Talking to the terminal: data to stdout, talk to stderr, and the exit codes.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

pub(crate) use weir_units::numbers;

/// The answer is no.
pub(crate) const NO: u8 = 1;
/// Wrong usage, or a configuration that cannot be read.
pub(crate) const USAGE: u8 = 2;
/// Not enough is known to answer.
pub(crate) const UNKNOWN: u8 = 3;
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

/// Draws on stderr without ending the line, for what is drawn again.
pub(crate) fn draw(text: impl std::fmt::Display) {
    let mut terminal = std::io::stderr().lock();
    let _ = write!(terminal, "{text}").and_then(|()| terminal.flush());
}

/// Says what is wrong, and leaves with `code`.
pub(crate) fn fail(code: u8, text: impl std::fmt::Display) -> ExitCode {
    say(format_args!("error: {text}"));
    ExitCode::from(code)
}

/// Whether stdout takes colours.
pub(crate) fn is_rich() -> bool {
    let off = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    !off && moves()
}

/// Whether a person watches stdout on a terminal whose lines can be drawn anew.
pub(crate) fn moves() -> bool {
    let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
    !dumb && std::io::stdout().is_terminal()
}

/// Columns of the terminal behind stderr, where progress is drawn; 100 where that is unknown.
pub(crate) fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    size.ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(100)
}

/// Whether the locale can show more than ASCII (POSIX: the first of these that is set decides).
pub(crate) fn is_utf8() -> bool {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// `text` as the locale can show it.
pub(crate) fn shown(text: &str) -> String {
    if is_utf8() { text.to_owned() } else { ascii(text) }
}

/// `text` in ASCII, its shapes as the words that stand for them.
pub(crate) fn ascii(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '●' => plain.push_str("ok"),
            '▲' => plain.push('!'),
            '■' => plain.push('X'),
            '◐' => plain.push('~'),
            '█' => plain.push('#'),
            '░' => plain.push('.'),
            '○' => plain.push('o'),
            '·' | '│' | '├' => plain.push('|'),
            '└' => plain.push('`'),
            '─' => plain.push('-'),
            '…' => plain.push('~'),
            '—' => plain.push('-'),
            '→' => plain.push_str("->"),
            'µ' => plain.push('u'),
            '\u{202f}' => plain.push(' '),
            c if c.is_ascii() => plain.push(c),
            _ => plain.push('?'),
        }
    }
    plain
}

/// `text` in one of the sixteen colours that the user's theme decides, where that can be shown.
pub(crate) fn painted(colour: u8, text: &str) -> String {
    if is_rich() { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
}

/// `text` in bold, where that can be shown.
pub(crate) fn bold(text: &str) -> String {
    if is_rich() { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}

/// Rows in columns as wide as what is in them; the first `texts` are texts, on the left, and the others figures, on the right.
pub(crate) fn aligned(rows: &[Vec<String>], texts: usize) -> Vec<String> {
    let mut widths = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let padded = |(place, (cell, width)): (usize, (&String, &usize))| {
        if place < texts { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
    };
    let line = |row: &Vec<String>| row.iter().zip(&widths).enumerate().map(padded).collect::<Vec<_>>().join("  ");
    rows.iter().map(|row| line(row).trim_end().to_owned()).collect()
}

/// A span of milliseconds as people say it: 340 ms, 1.20 s, 4 min 10 s.
pub(crate) fn span(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{:02} s", millis / 1_000, millis % 1_000 / 10),
        _ => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_utf_8_everything_is_ascii() {
        let text = "● ▲ ■ ◐ ██░ 340\u{202f}µs · → — é";
        assert_eq!(ascii(text), "ok ! X ~ ##. 340 us | -> - ?");
    }
}
