//! Where faults and warnings are collected while a config is read.

use std::path::Path;
use std::sync::Arc;

use crate::{Fault, Place};

/// Where something was written, in bytes from the file's beginning; `None` for what was not written.
pub type At = Option<usize>;

/// Faults and warnings, each with its place in one text.
#[derive(Debug)]
pub struct Log<'a> {
    file: Arc<str>,
    text: &'a str,
    faults: Vec<(At, Fault)>,
    warnings: Vec<(At, Fault)>,
}

impl<'a> Log<'a> {
    /// An empty log about `text`, which was read from `file`.
    pub fn new(file: &Path, text: &'a str) -> Self {
        Self { file: file.to_string_lossy().into(), text, faults: Vec::new(), warnings: Vec::new() }
    }

    /// Notes that something is wrong.
    pub fn fault(&mut self, at: At, message: impl Into<String>, hint: impl Into<Option<String>>) {
        let fault = self.entry(at, message.into(), hint.into());
        self.faults.push((at, fault));
    }

    /// Notes that a person should know something.
    pub fn warn(&mut self, at: At, message: impl Into<String>, hint: impl Into<Option<String>>) {
        let warning = self.entry(at, message.into(), hint.into());
        self.warnings.push((at, warning));
    }

    /// Whether nothing is wrong so far.
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    /// What is written from `start` to `end`.
    pub fn written(&self, span: std::ops::Range<usize>) -> &'a str {
        self.text.get(span).unwrap_or_default()
    }

    /// The line of a place, from 1.
    pub fn line(&self, at: usize) -> usize {
        self.text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
    }

    /// Faults and warnings, each in the order of the file; those without a place come first.
    pub fn finish(mut self) -> (Vec<Fault>, Vec<Fault>) {
        self.faults.sort_by_key(|(at, _)| *at);
        self.warnings.sort_by_key(|(at, _)| *at);
        let plain = |entries: Vec<(At, Fault)>| entries.into_iter().map(|(_, entry)| entry).collect();
        (plain(self.faults), plain(self.warnings))
    }

    fn entry(&self, at: At, message: String, hint: Option<String>) -> Fault {
        Fault { message, place: at.map(|at| self.place(at)), hint }
    }

    fn place(&self, at: usize) -> Place {
        let at = (0..=at.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0);
        let before = &self.text[..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place { file: Arc::clone(&self.file), line: self.line(at), column: before[line_start..].chars().count() + 1 }
    }
}

/// A value as it may be shown: control and bidirectional marks replaced, and no longer than a name should be.
#[must_use]
pub fn shown(text: &str) -> String {
    shown_within(text, 64)
}

/// A text as it may be shown: control and bidirectional marks replaced, and cut after so many characters.
#[must_use]
pub fn shown_within(text: &str, most: usize) -> String {
    let hostile = |c: char| {
        c.is_control() || matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown: String = text.chars().take(most).map(|c| if hostile(c) { '\u{FFFD}' } else { c }).collect();
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let text = "a = 1\nü = 2\n";
        let mut log = Log::new(Path::new("weir.toml"), text);
        for at in [0, 6, 8, 9, 1_000] {
            log.fault(Some(at), "x", None);
        }
        let (faults, _) = log.finish();
        let places: Vec<_> = faults.into_iter().filter_map(|fault| fault.place).map(|p| (p.line, p.column)).collect();
        assert_eq!(places, [(1, 1), (2, 1), (2, 2), (2, 3), (3, 1)]);
    }

    #[test]
    fn what_is_shown_cannot_steer_a_terminal() {
        assert_eq!(shown("a\u{1b}[2Jb\u{202E}"), "a\u{FFFD}[2Jb\u{FFFD}");
        assert_eq!(shown(&"x".repeat(70)).chars().count(), 65);
    }
}
