//! From TOML to values in their types: unknown keys, wrong types, defaults, and what this version does not act on.
//!
//! Serde's derive stops at the first error and knows no place for a key that is unknown; here the table of settings
//! drives one walk over a parse with places, which notes everything and goes on.

mod scalar;
mod secret;

use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::Environment;
use crate::log::{At, Log, shown};
use crate::nearest::nearest;
use crate::reference::{Effect, ROOT, Setting, Shape};
use crate::written::{Table, Value, Written};

/// Reads the whole of `text`; what is wrong is noted in `log`.
///
/// `None` if it is TOML so little that what it refers to cannot be told from what it lacks.
pub(crate) fn read(text: &str, folder: &Path, environment: &dyn Environment, log: &mut Log<'_>) -> Option<Table> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut broken_lines = Vec::new();
    for error in &errors {
        let at = error.span().map_or(text.len(), |span| span.start);
        // One slip of the pen is several errors to the parser; the first on its line says it.
        let line = log.line(at);
        if !broken_lines.contains(&line) {
            broken_lines.push(line);
            log.fault(Some(at), format!("not TOML: {}", error.message()), None);
        }
    }
    // A key that is there twice loses nothing; any other error may have lost a table.
    let is_whole = errors.iter().all(|error| error.message().contains("duplicate key"));
    let mut reader = Reader { folder, environment, log, broken_lines };
    let table = reader.table("", ROOT, Some(document.get_ref()), Mode { fill: true, quiet: false });
    is_whole.then_some(table)
}

/// How a table is read.
#[derive(Clone, Copy)]
struct Mode {
    /// Whether defaults are filled in.
    fill: bool,
    /// Whether it was already said that nothing in here is acted on.
    quiet: bool,
}

/// What is wrong with a value: a sentence that follows its path, and a hint.
struct Wrong {
    message: String,
    hint: Option<String>,
}

struct Reader<'r, 'l> {
    folder: &'r Path,
    environment: &'r dyn Environment,
    log: &'r mut Log<'l>,
    /// Lines that are not TOML: what was salvaged from them is not worth a complaint of its own.
    broken_lines: Vec<usize>,
}

impl Reader<'_, '_> {
    /// Reads a table of `settings`; `written` is `None` where there is no such table, and only defaults are to be had.
    fn table(&mut self, path: &str, settings: &'static [Setting], written: Option<&DeTable<'_>>, mode: Mode) -> Table {
        let mut table = Table::default();
        for (key, value) in written.into_iter().flatten() {
            match settings.iter().find(|setting| setting.key == key.get_ref().as_ref()) {
                Some(setting) => {
                    let written = self.entry(&join(path, setting.key), setting, key, value, mode);
                    table.0.insert(setting.key.to_owned(), written);
                }
                None => self.unknown(path, settings, key),
            }
        }
        for setting in settings.iter().filter(|_| mode.fill) {
            if !table.0.contains_key(setting.key)
                && let Some(value) = self.default(&join(path, setting.key), setting, mode)
            {
                table.0.insert(setting.key.to_owned(), Written { key_at: None, at: None, value });
            }
        }
        table
    }

    /// Reads what is written for one setting.
    fn entry(
        &mut self,
        path: &str,
        setting: &'static Setting,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        mode: Mode,
    ) -> Written {
        let key_at = Some(key.span().start);
        let mut quiet = mode.quiet;
        match setting.effect {
            Effect::Acted => {}
            Effect::Later(fixed) => {
                let is_what_happens = !fixed.is_empty() && self.log.written(value.span()) == fixed;
                if !quiet && !is_what_happens {
                    self.log.warn(key_at, format!("`{path}` is parsed, not enforced in this version"), None);
                    quiet = true;
                }
            }
        }
        let value_read = self.value(path, setting, value, Mode { quiet, ..mode });
        Written { key_at, at: Some(value.span().start), value: value_read }
    }

    fn value(&mut self, path: &str, setting: &'static Setting, value: &Spanned<DeValue<'_>>, mode: Mode) -> Value {
        let at = Some(value.span().start);
        match (&setting.shape, value.get_ref()) {
            (Shape::Table(inside), DeValue::Table(table)) => {
                Value::Table(self.table(path, inside, Some(table), Mode { fill: true, ..mode }))
            }
            (Shape::Partial(inside), DeValue::Table(table)) => {
                Value::Table(self.table(path, inside, Some(table), Mode { fill: false, ..mode }))
            }
            (Shape::Named(inside), DeValue::Table(table)) => Value::Table(self.named(path, inside, table, mode)),
            (Shape::List(inside), DeValue::Array(items)) => {
                let each = |(index, item): (usize, &Spanned<DeValue<'_>>)| {
                    let path = format!("{path}[{index}]");
                    let at = Some(item.span().start);
                    let value = match item.get_ref() {
                        DeValue::Table(table) => {
                            Value::Table(self.table(&path, inside, Some(table), Mode { fill: false, ..mode }))
                        }
                        other => self.wrong_type(at, &path, other, "a table"),
                    };
                    Written { key_at: at, at, value }
                };
                Value::List(items.iter().enumerate().map(each).collect())
            }
            (Shape::Headers, DeValue::Table(table)) => Value::Table(self.headers(path, table)),
            (Shape::Names | Shape::Shares, DeValue::Array(items)) => {
                let shape = if matches!(setting.shape, Shape::Names) { Shape::Text } else { Shape::Share };
                let each = |(index, item): (usize, &Spanned<DeValue<'_>>)| {
                    let at = Some(item.span().start);
                    let value = self.scalar(&format!("{path}[{index}]"), at, &shape, item.get_ref());
                    Written { key_at: at, at, value }
                };
                Value::List(items.iter().enumerate().map(each).collect())
            }
            (shape, written) => self.scalar(path, at, shape, written),
        }
    }

    /// Reads the tables under the operator's names.
    fn named(&mut self, path: &str, inside: &'static [Setting], written: &DeTable<'_>, mode: Mode) -> Table {
        let mut table = Table::default();
        for (name, value) in written {
            let path = join(path, name.get_ref());
            let at = Some(value.span().start);
            let value = match value.get_ref() {
                DeValue::Table(entries) => {
                    Value::Table(self.table(&path, inside, Some(entries), Mode { fill: true, ..mode }))
                }
                other => self.wrong_type(at, &path, other, "a table"),
            };
            table.0.insert(name.get_ref().to_string(), Written { key_at: Some(name.span().start), at, value });
        }
        table
    }

    fn headers(&mut self, path: &str, written: &DeTable<'_>) -> Table {
        let mut table = Table::default();
        for (name, value) in written {
            let at = Some(value.span().start);
            let value = self.scalar(&join(path, name.get_ref()), at, &Shape::TextOrSecret, value.get_ref());
            table.0.insert(name.get_ref().to_string(), Written { key_at: Some(name.span().start), at, value });
        }
        table
    }

    fn scalar(&mut self, path: &str, at: At, shape: &Shape, written: &DeValue<'_>) -> Value {
        let read = match (shape, written) {
            (Shape::Secret | Shape::TextOrSecret, DeValue::Table(reference)) => {
                secret::look_up(reference, self.folder, self.environment)
            }
            (Shape::Secret, DeValue::String(_)) => Err(secret::written_out(path)),
            _ => scalar::read(shape, written, self.folder),
        };
        match read {
            Ok(Some(value)) => value,
            Ok(None) => self.wrong_type(at, path, written, &shape.expected()),
            Err(Wrong { message, hint }) => {
                self.fault(at, format!("`{path}` {message}"), hint);
                Value::Broken
            }
        }
    }

    /// What holds where nothing is written.
    fn default(&mut self, path: &str, setting: &'static Setting, mode: Mode) -> Option<Value> {
        if let Shape::Table(inside) = setting.shape {
            return Some(Value::Table(self.table(path, inside, None, mode)));
        }
        if setting.default.is_empty() {
            return None;
        }
        let default = DeValue::parse(setting.default).ok()?;
        // Defaults stand in for what was not written, so nothing is said about them.
        let quiet = Mode { quiet: true, ..mode };
        Some(self.value(path, setting, &default, quiet))
    }

    fn unknown(&mut self, path: &str, settings: &'static [Setting], key: &Spanned<DeString<'_>>) {
        let name = key.get_ref().as_ref();
        let place = if path.is_empty() { "at the top".to_owned() } else { format!("in `[{path}]`") };
        let known = || settings.iter().map(|setting| setting.key);
        let hint = match nearest(name, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", known().collect::<Vec<_>>().join(", ")),
        };
        self.fault(Some(key.span().start), format!("unknown key `{}` {place}", shown(name)), Some(hint));
    }

    fn wrong_type(&mut self, at: At, path: &str, written: &DeValue<'_>, expected: &str) -> Value {
        let found = match written {
            DeValue::String(text) => format!("the text `{}`", shown(text)),
            DeValue::Integer(number) => format!("the number `{}`", shown(&number.to_string())),
            DeValue::Float(number) => format!("the number `{}`", shown(&number.to_string())),
            DeValue::Boolean(flag) => format!("`{flag}`"),
            DeValue::Datetime(date) => format!("the date `{date}`"),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        self.fault(at, format!("`{path}` is {found}"), Some(format!("write {expected}")));
        Value::Broken
    }

    fn fault(&mut self, at: At, message: String, hint: Option<String>) {
        let salvaged = at.is_some_and(|at| self.broken_lines.contains(&self.log.line(at)));
        if !salvaged {
            self.log.fault(at, message, hint);
        }
    }
}

/// A path with one more key, quoted where TOML wants it.
fn join(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let key = if bare { key.to_owned() } else { format!("\"{}\"", shown(key)) };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}
