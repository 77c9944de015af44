//! The config as written: every value in its type, with its place, defaults filled in.
//!
//! What is at fault stays in its table as [`Value::Broken`], so that the steps after this one neither miss it nor
//! complain again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::Secret;
use crate::log::At;

/// A value and where it is.
#[derive(Debug)]
pub(crate) struct Written {
    /// Where its key is; `None` for a default.
    pub(crate) key_at: At,
    /// Where it is; `None` for a default.
    pub(crate) at: At,
    /// What it is.
    pub(crate) value: Value,
}

/// A value in its type.
#[derive(Debug)]
pub(crate) enum Value {
    /// Was at fault, and said so.
    Broken,
    /// Text; also choices and amounts.
    Text(String),
    /// A duration.
    Span(Duration),
    /// A whole number; also sizes in bytes.
    Count(u64),
    /// A number from 0 to 1.
    Share(f64),
    /// Yes or no.
    Flag(bool),
    /// An address.
    Address(SocketAddr),
    /// A path, no longer relative to the config's folder.
    Path(PathBuf),
    /// A secret, looked up.
    Secret(Secret),
    /// A list.
    List(Vec<Written>),
    /// A table.
    Table(Table),
}

/// A table.
#[derive(Debug, Default)]
pub(crate) struct Table(pub(crate) BTreeMap<String, Written>);

impl Table {
    /// What is under `key`, whether it is written, a default or broken.
    pub(crate) fn get(&self, key: &str) -> Option<&Written> {
        self.0.get(key)
    }

    /// Where the value under `key` is written.
    pub(crate) fn at(&self, key: &str) -> At {
        self.get(key).and_then(|written| written.at)
    }

    /// A text.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }

    /// A duration; zero where it is broken, which no one sees.
    pub(crate) fn span(&self, key: &str) -> Duration {
        self.optional_span(key).unwrap_or_default()
    }

    /// A duration, if there is one.
    pub(crate) fn optional_span(&self, key: &str) -> Option<Duration> {
        match self.get(key)?.value {
            Value::Span(span) => Some(span),
            _ => None,
        }
    }

    /// A whole number.
    pub(crate) fn count(&self, key: &str) -> Option<u64> {
        match self.get(key)?.value {
            Value::Count(count) => Some(count),
            _ => None,
        }
    }

    /// A share in parts per million; zero where it is broken, which no one sees.
    pub(crate) fn parts_per_million(&self, key: &str) -> u32 {
        match self.get(key).map(|written| &written.value) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share is from 0 to 1")]
            Some(Value::Share(share)) => (share * 1e6).round() as u32,
            _ => 0,
        }
    }

    /// Whether a flag is up.
    pub(crate) fn flag(&self, key: &str) -> bool {
        matches!(self.get(key), Some(Written { value: Value::Flag(true), .. }))
    }

    /// An address.
    pub(crate) fn address(&self, key: &str) -> Option<SocketAddr> {
        match self.get(key)?.value {
            Value::Address(address) => Some(address),
            _ => None,
        }
    }

    /// A path.
    pub(crate) fn path(&self, key: &str) -> Option<&PathBuf> {
        match &self.get(key)?.value {
            Value::Path(path) => Some(path),
            _ => None,
        }
    }

    /// A secret.
    pub(crate) fn secret(&self, key: &str) -> Option<&Secret> {
        match &self.get(key)?.value {
            Value::Secret(secret) => Some(secret),
            _ => None,
        }
    }

    /// A table inside; an empty one where there is none.
    pub(crate) fn table(&self, key: &str) -> &Self {
        const NOTHING: &Table = &Table(BTreeMap::new());
        self.get(key).and_then(Written::table).unwrap_or(NOTHING)
    }

    /// The tables under names inside the table `key`, each with where its name is written.
    pub(crate) fn named(&self, key: &str) -> impl Iterator<Item = (&str, &Self, At)> {
        self.table(key).0.iter().filter_map(|(name, written)| Some((name.as_str(), written.table()?, written.key_at)))
    }

    /// The texts of a list, each with its place.
    pub(crate) fn names(&self, key: &str) -> impl Iterator<Item = (&str, At)> {
        self.items(key).iter().filter_map(|item| Some((item.text()?, item.at)))
    }

    /// The values of a list.
    pub(crate) fn items(&self, key: &str) -> &[Written] {
        match self.get(key) {
            Some(Written { value: Value::List(items), .. }) => items,
            _ => &[],
        }
    }
}

impl Written {
    /// The text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The table, if it is one.
    pub(crate) fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }
}
