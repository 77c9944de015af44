//! Rows of CSV (RFC 4180), also with semicolons or tabs between cells: the first row names the columns.

use std::borrow::Cow;

use crate::json::{Fields, Paths, Raw};

/// The columns of a file.
#[derive(Debug)]
pub(super) struct Columns {
    separator: u8,
    /// The path of each column, if it is one of those that count.
    nodes: Vec<Option<usize>>,
    /// A row that goes on in the next line.
    open: String,
}

/// What a line is.
pub(super) enum Row<'a> {
    /// A row's fields.
    Fields(Box<Fields<'a>>),
    /// A row goes on.
    More,
    /// It has not as many cells as there are columns.
    Damaged(String),
    /// What was open did not end where it should have; the line is a row by itself.
    After(String, Box<Fields<'a>>),
}

impl Columns {
    /// The columns that a first line names; none if that is no such line: two names must be known at least, of which one is mapped
    /// or a time, a status, a model or tokens.
    pub(super) fn of(line: &str, paths: &Paths) -> Option<Self> {
        let separator = [b',', b';', b'\t', b'|']
            .into_iter()
            .max_by_key(|separator| line.bytes().filter(|byte| byte == separator).count())?;
        let mut names = Vec::new();
        if !cells(line, separator, |cell| names.push(cell.into_owned())) || names.len() < 2 {
            return None;
        }
        let nodes: Vec<Option<usize>> = names.iter().map(|name| paths.column(name)).collect();
        let known = nodes.iter().flatten().filter(|node| paths.at(**node).slot.is_some()).count();
        let mapped = nodes.iter().flatten().any(|node| paths.at(*node).slot.is_some_and(|(_, rank)| rank == 0));
        // Names are short words; a row of values is not.
        let like_names =
            names.iter().all(|name| name.len() <= 120 && !name.trim().starts_with(|c: char| c.is_ascii_digit()));
        ((known >= 2 || mapped) && like_names).then_some(Self { separator, nodes, open: String::new() })
    }

    /// Reads a line.
    pub(super) fn row<'a>(&mut self, line: &'a str, paths: &Paths, longest: usize) -> Row<'a> {
        if self.open.is_empty() {
            return match self.fields(line, paths) {
                Ok(Some(fields)) => Row::Fields(Box::new(fields)),
                Ok(None) => {
                    self.open.push_str(line);
                    self.open.push('\n');
                    Row::More
                }
                Err(why) => Row::Damaged(why),
            };
        }
        let begun = std::mem::take(&mut self.open);
        let whole = format!("{begun}{line}");
        let joined = self.fields(&whole, paths).map(|fields| fields.map(owned));
        if let Ok(Some(fields)) = joined {
            return Row::Fields(Box::new(fields));
        }
        // A quote that was opened and never closed would take all that follows with it.
        if let Ok(Some(fields)) = self.fields(line, paths)
            && fields.time(crate::json::Slot::At).is_some()
        {
            return Row::After("a quote is never closed".to_owned(), Box::new(fields));
        }
        match joined {
            Ok(_) if whole.len() < longest => {
                self.open = whole;
                self.open.push('\n');
                Row::More
            }
            Ok(_) => Row::Damaged("a quote is never closed".to_owned()),
            Err(why) => Row::Damaged(why),
        }
    }

    /// Whether a row is open at the end.
    pub(super) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// The fields of a row; none if it goes on.
    fn fields<'a>(&self, line: &'a str, paths: &Paths) -> Result<Option<Fields<'a>>, String> {
        let mut fields = Fields::default();
        let mut count = 0;
        let whole = cells(line, self.separator, |cell| {
            if let Some(Some(node)) = self.nodes.get(count) {
                crate::json::put(&mut fields, paths, *node, Raw::Text(plain(cell)));
            }
            count += 1;
        });
        if !whole {
            return Ok(None);
        }
        if count == self.nodes.len() {
            return Ok(Some(fields));
        }
        Err(format!("{count} cells where {} were expected", self.nodes.len()))
    }
}

/// A cell without the quote that keeps a spreadsheet from taking it for a formula.
fn plain(cell: Cow<'_, str>) -> Cow<'_, str> {
    let guarded = |text: &str| {
        text.starts_with("'=") || text.starts_with("'+") || text.starts_with("'-") || text.starts_with("'@")
    };
    match cell {
        Cow::Borrowed(text) if guarded(text) => Cow::Borrowed(&text[1..]),
        Cow::Owned(text) if guarded(&text) => Cow::Owned(text[1..].to_owned()),
        other => other,
    }
}

fn owned<'a>(fields: Fields<'_>) -> Fields<'a> {
    let mut kept = Fields::default();
    kept.take(fields);
    kept
}

/// Gives each cell of a row to `sink`; false if the row ends within quotes.
fn cells<'a>(row: &'a str, separator: u8, mut sink: impl FnMut(Cow<'a, str>)) -> bool {
    let bytes = row.as_bytes();
    let mut at = 0;
    loop {
        if bytes.get(at) == Some(&b'"') {
            let Some((cell, end)) = quoted(row, at + 1) else { return false };
            sink(cell);
            at = end;
            // What is between the quote and the separator belongs to nobody.
            at += memchr::memchr(separator, &bytes[at..]).unwrap_or(bytes.len() - at);
        } else {
            let end = at + memchr::memchr(separator, &bytes[at..]).unwrap_or(bytes.len() - at);
            sink(Cow::Borrowed(&row[at..end]));
            at = end;
        }
        if at >= bytes.len() {
            return true;
        }
        at += 1;
    }
}

/// The cell whose quotes opened before `from`, and where it ends.
fn quoted(row: &str, from: usize) -> Option<(Cow<'_, str>, usize)> {
    let bytes = row.as_bytes();
    let mut at = from;
    let mut doubled = false;
    loop {
        at += memchr::memchr(b'"', bytes.get(at..)?)?;
        if bytes.get(at + 1) != Some(&b'"') {
            break;
        }
        doubled = true;
        at += 2;
    }
    let inside = &row[from..at];
    Some((if doubled { Cow::Owned(inside.replace("\"\"", "\"")) } else { Cow::Borrowed(inside) }, at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Slot;

    #[test]
    fn cells_are_cut_as_rfc_4180_says() {
        let told = |row| {
            let mut told = Vec::new();
            let whole = cells(row, b',', |cell| told.push(cell.into_owned()));
            (told, whole)
        };
        assert_eq!(told(r#"a,"b,""c""",,d"#), (vec!["a".into(), "b,\"c\"".into(), String::new(), "d".into()], true));
        assert_eq!(told("a,"), (vec!["a".into(), String::new()], true));
        assert_eq!(told("\"open"), (Vec::new(), false));
    }

    #[test]
    fn a_row_may_go_over_lines_and_a_quote_that_stays_open_costs_one_row() {
        let paths = Paths::default();
        let mut columns = Columns::of("timestamp,model,prompt,status", &paths).unwrap();
        assert!(matches!(columns.row("2026-11-18T14:47:03Z,gpt-5,\"two", &paths, 1_000), Row::More));
        let Row::Fields(fields) = columns.row("lines\",200", &paths, 1_000) else { panic!("no row") };
        assert_eq!(fields.count(Slot::Status), Some(200));
        assert!(matches!(columns.row("2026-11-18T14:47:03Z,gpt-5,\"never,200", &paths, 1_000), Row::More));
        let Row::After(_, fields) = columns.row("2026-11-18T14:47:04Z,gpt-5,x,429", &paths, 1_000) else {
            panic!("no row")
        };
        assert_eq!(fields.count(Slot::Status), Some(429));
        assert!(matches!(columns.row("a,b", &paths, 1_000), Row::Damaged(_)));
        assert!(Columns::of("hello, world", &paths).is_none());
        assert!(Columns::of("time;model;status", &paths).is_some());
    }
}
