//! One table of a scenario: its keys are taken out by name, and what nobody asked for is a fault at the end.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use weir_config::{At, nearest, shown};
use weir_units::parse_duration;

use super::day::Start;

/// A table, or the lack of one.
pub(super) struct Section<'t> {
    path: String,
    at: At,
    table: Option<&'t DeTable<'t>>,
    text: &'t str,
    notes: &'t Notes,
    known: RefCell<Vec<&'static str>>,
}

/// What is wrong so far: where, what, and a hint.
pub(super) type Notes = RefCell<Vec<(At, String, Option<String>)>>;

type Entry<'t> = &'t Spanned<DeValue<'t>>;

impl<'t> Section<'t> {
    pub(super) fn root(table: &'t DeTable<'t>, text: &'t str, notes: &'t Notes) -> Self {
        Self { path: String::new(), at: None, table: Some(table), text, notes, known: RefCell::default() }
    }

    /// Where it is written.
    pub(super) fn at(&self) -> At {
        self.at
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.get(key).is_some())
    }

    pub(super) fn is_text(&self, key: &str) -> bool {
        matches!(self.table.and_then(|table| table.get(key)).map(Spanned::get_ref), Some(DeValue::String(_)))
    }

    /// Where a key is written, by any name.
    pub(super) fn key_at(&self, key: &str) -> At {
        self.table?.iter().find(|(name, _)| name.get_ref() == key).map(|(name, _)| name.span().start)
    }

    pub(super) fn fault_at(&self, at: At, message: &str, hint: Option<String>) {
        self.notes.borrow_mut().push((at, message.to_owned(), hint));
    }

    /// A fault about what is under a key.
    pub(super) fn fault(&self, key: &str, message: &str, hint: Option<String>) {
        let at = self.table.and_then(|table| table.get(key)).map(|value| value.span().start).or(self.at);
        self.fault_at(at, &format!("`{}` {message}", self.path_of(key)), hint);
    }

    /// Says which keys mean nothing, now that all that mean something were asked for.
    pub(super) fn finish(&self) {
        let known = self.known.borrow();
        for (key, _) in self.table.into_iter().flatten() {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                continue;
            }
            let place = if self.path.is_empty() { "the file".to_owned() } else { format!("`{}`", self.path) };
            let hint = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("its keys are {}", known.join(", ")),
            };
            self.fault_at(Some(key.span().start), &format!("{place} has no key `{}`", shown(name)), Some(hint));
        }
    }

    pub(super) fn text(&self, key: &'static str) -> Option<&'t str> {
        match self.value(key)?.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => Some(text.as_ref()),
            _ => self.wrong(key, "text in quotes"),
        }
    }

    /// One of `words`.
    pub(super) fn choice(&self, key: &'static str, words: &[&'static str]) -> Option<&'t str> {
        let text = self.text(key)?;
        if words.contains(&text) {
            return Some(text);
        }
        let hint = nearest(text, words.iter().copied())
            .map_or_else(|| format!("write one of {}", words.join(", ")), |near| format!("did you mean `{near}`?"));
        self.fault(key, &format!("has no choice `{}`", shown(text)), Some(hint));
        None
    }

    pub(super) fn flag(&self, key: &'static str) -> Option<bool> {
        match self.value(key)?.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            _ => self.wrong(key, "`true` or `false`"),
        }
    }

    /// A duration.
    pub(super) fn span(&self, key: &'static str) -> Option<Duration> {
        let DeValue::String(text) = self.value(key)?.get_ref() else {
            return self.wrong(key, "a duration like `\"250ms\"` or `\"30s\"`");
        };
        match parse_duration(text) {
            Ok(span) => Some(span),
            Err(_) => self.wrong(key, "a duration like `\"250ms\"` or `\"30s\"`"),
        }
    }

    /// A duration of at least `least`.
    pub(super) fn span_from(&self, key: &'static str, least: Duration) -> Option<Duration> {
        let span = self.span(key)?;
        if span < least {
            let least = weir_units::format_duration(least);
            self.fault(key, &format!("is shorter than `{least}`"), None);
            return None;
        }
        Some(span)
    }

    /// A whole number of at least `least`.
    pub(super) fn whole(&self, key: &'static str, least: u64) -> Option<u64> {
        match number(self.value(key)?.get_ref()).and_then(|text| text.parse::<u64>().ok()) {
            // No sum of such numbers overflows, and TOML's own integers end there.
            Some(count) if count >= least && i64::try_from(count).is_ok() => Some(count),
            _ => self.wrong(key, &format!("a whole number of at least {least}")),
        }
    }

    /// A number from `least` to `most`.
    pub(super) fn number(&self, key: &'static str, least: f64, most: f64) -> Option<f64> {
        match number(self.value(key)?.get_ref()).and_then(|text| text.parse::<f64>().ok()) {
            Some(number) if (least..=most).contains(&number) => Some(number),
            _ => self.wrong(key, &format!("a number from {least} to {most}")),
        }
    }

    /// A share, in parts per million; `most` is in whole parts.
    pub(super) fn ppm(&self, key: &'static str, most: f64) -> Option<u32> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded, and a cast saturates")]
        self.number(key, 0.0, most).map(|share| (share * 1e6).round() as u32)
    }

    pub(super) fn texts(&self, key: &'static str) -> Vec<&'t str> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            return self.wrong(key, "a list like `[\"a\", \"b\"]`").unwrap_or_default();
        };
        let texts = items.iter().map(|item| match item.get_ref() {
            DeValue::String(text) => Some(text.as_ref()),
            _ => None,
        });
        texts
            .collect::<Option<Vec<_>>>()
            .or_else(|| self.wrong(key, "a list like `[\"a\", \"b\"]`"))
            .unwrap_or_default()
    }

    /// When the run begins; midnight of a Wednesday where nothing is said.
    pub(super) fn start(&self, key: &'static str) -> Start {
        let expected = "a time in UTC like `2026-11-18T14:47:00Z`";
        let Some(value) = self.value(key) else { return Start::default() };
        let DeValue::Datetime(written) = value.get_ref() else {
            return self.wrong(key, expected).unwrap_or_default();
        };
        let local = written.offset.is_some_and(|offset| offset != toml::value::Offset::Z);
        match written.date {
            Some(date) if !local => Start::new(date, written.time),
            _ => self.wrong(key, expected).unwrap_or_default(),
        }
    }

    /// A table inside; one without keys where there is none.
    pub(super) fn section(&self, key: &'static str) -> Self {
        let (at, table) = match self.value(key).map(|value| (value.span().start, value.get_ref())) {
            None => (self.at, None),
            Some((at, DeValue::Table(table))) => (Some(at), Some(table)),
            Some((at, _)) => {
                let _: Option<()> = self.wrong(key, "a table");
                (Some(at), None)
            }
        };
        self.inside(self.path_of(key), at, table)
    }

    /// What is a table of keys or something else: the table, if it is one.
    pub(super) fn table(&self, key: &'static str) -> Option<Self> {
        match self.value(key)?.get_ref() {
            DeValue::Table(_) => Some(self.section(key)),
            _ => None,
        }
    }

    /// The tables under names of the writer's.
    pub(super) fn named(&self, key: &'static str) -> Vec<(Arc<str>, Self)> {
        let section = self.section(key);
        let mut found = Vec::new();
        for (name, value) in section.table.into_iter().flatten() {
            let name: &str = name.get_ref();
            let path = section.path_of(name);
            match value.get_ref() {
                DeValue::Table(table) => {
                    found.push((name.into(), self.inside(path, Some(value.span().start), Some(table))));
                }
                _ => self.fault_at(Some(value.span().start), &format!("`{path}` is not a table"), None),
            }
        }
        found
    }

    /// The tables of a list.
    pub(super) fn list(&self, key: &'static str) -> Vec<Self> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            return self
                .wrong(key, &format!("a list of tables: write `[[{}]]`", self.path_of(key)))
                .unwrap_or_default();
        };
        let each = |(number, item): (usize, &'t Spanned<DeValue<'t>>)| match item.get_ref() {
            DeValue::Table(table) => {
                Some(self.inside(format!("{}[{number}]", self.path_of(key)), Some(item.span().start), Some(table)))
            }
            _ => self.wrong(key, "a list of tables"),
        };
        items.iter().enumerate().filter_map(each).collect()
    }

    fn inside(&self, path: String, at: At, table: Option<&'t DeTable<'t>>) -> Self {
        Section { path, at, table, text: self.text, notes: self.notes, known: RefCell::default() }
    }

    fn value(&self, key: &'static str) -> Option<Entry<'t>> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
        self.table?.get(key)
    }

    fn wrong<T>(&self, key: &'static str, expected: &str) -> Option<T> {
        let written = self.table.and_then(|table| table.get(key)).map(|value| value.span());
        let text = written.and_then(|span| self.text.get(span)).unwrap_or_default();
        self.fault(key, &format!("is `{}`", shown(text)), Some(format!("write {expected}")));
        None
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

/// A number as it is written, without its underscores.
fn number(written: &DeValue<'_>) -> Option<String> {
    match written {
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix()).ok().map(|n| n.to_string()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        _ => None,
    }
}
