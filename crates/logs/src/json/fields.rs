//! The fields of one record, read on demand in whatever form their values have.

use std::borrow::Cow;

use weir_units::{NanoUsd, WallTime};

use super::paths::{Mark, SLOTS, Slot};
use crate::call::Text;
use crate::values;

/// A value as it is in the record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Raw<'a> {
    /// JSON.
    Json(Cow<'a, str>),
    /// A text without quotes: a cell.
    Text(Cow<'a, str>),
}

impl Raw<'_> {
    fn bytes(&self) -> &str {
        match self {
            Self::Json(text) | Self::Text(text) => text,
        }
    }

    fn is_nothing(&self) -> bool {
        match self {
            Self::Json(text) => matches!(&**text, "null" | "\"\"" | "[]" | "{}"),
            Self::Text(text) => matches!(text.trim(), "" | "-" | "null" | "NULL" | "None" | "\\N"),
        }
    }
}

/// The fields of one record.
#[derive(Debug, PartialEq)]
pub(crate) struct Fields<'a> {
    values: [Option<(Raw<'a>, u8)>; SLOTS],
    marks: u32,
}

impl Default for Fields<'_> {
    fn default() -> Self {
        Self { values: [const { None }; SLOTS], marks: 0 }
    }
}

impl<'a> Fields<'a> {
    /// Puts a value in its slot, unless one of a better rank is there. What is nothing is left out.
    pub(crate) fn put(&mut self, slot: Slot, rank: u8, value: Raw<'a>) {
        if value.is_nothing() {
            return;
        }
        let place = &mut self.values[slot as usize];
        if place.as_ref().is_none_or(|(_, known)| *known >= rank) {
            *place = Some((value, rank));
        }
    }

    /// Takes over what was found in a text of its own.
    pub(crate) fn take(&mut self, found: Fields<'_>) {
        self.marks |= found.marks;
        for (place, value) in self.values.iter_mut().zip(found.values) {
            let Some((value, rank)) = value else { continue };
            if place.as_ref().is_none_or(|(_, known)| *known > rank) {
                let value = match value {
                    Raw::Json(text) => Raw::Json(Cow::Owned(text.into_owned())),
                    Raw::Text(text) => Raw::Text(Cow::Owned(text.into_owned())),
                };
                *place = Some((value, rank));
            }
        }
    }

    /// Takes down whose marks were seen.
    pub(crate) fn mark(&mut self, marks: u32) {
        self.marks |= marks;
    }

    /// Whether the record has a name that is a mark of this.
    pub(crate) fn has(&self, mark: Mark) -> bool {
        self.marks & mark as u32 != 0
    }

    /// The slots that have values at places which the user named, a bit each.
    pub(crate) fn mapped(&self) -> u64 {
        let mapped = |value: &Option<(Raw<'a>, u8)>| value.as_ref().is_some_and(|(_, rank)| *rank == 0);
        self.values.iter().enumerate().filter(|(_, value)| mapped(value)).fold(0, |bits, (slot, _)| bits | 1 << slot)
    }

    /// The value as it is.
    pub(crate) fn raw(&self, slot: Slot) -> Option<&str> {
        self.values[slot as usize].as_ref().map(|(raw, _)| raw.bytes())
    }

    /// The value as JSON, if it is that.
    pub(crate) fn json(&self, slot: Slot) -> Option<&str> {
        match self.values[slot as usize].as_ref()? {
            (Raw::Json(text), _) => Some(text),
            (Raw::Text(_), _) => None,
        }
    }

    /// The value as a text: a string's content, a number's digits.
    pub(crate) fn text(&self, slot: Slot) -> Option<Text<'a>> {
        let (raw, _) = self.values[slot as usize].as_ref()?;
        let text: Text<'a> = match raw {
            Raw::Text(text) => text.clone(),
            Raw::Json(json) => match json.as_bytes().first()? {
                b'"' => match json {
                    Cow::Borrowed(json) => unescaped(json)?,
                    Cow::Owned(json) => Cow::Owned(unescaped(json)?.into_owned()),
                },
                b'{' | b'[' => return None,
                _ => json.clone(),
            },
        };
        (!text.trim().is_empty()).then_some(text)
    }

    /// The value as a count.
    pub(crate) fn count(&self, slot: Slot) -> Option<u64> {
        values::count(self.plain(slot)?)
    }

    /// The value as a time.
    pub(crate) fn time(&self, slot: Slot) -> Option<WallTime> {
        values::time(self.plain(slot)?)
    }

    /// The value as dollars.
    pub(crate) fn dollars(&self, slot: Slot) -> Option<NanoUsd> {
        values::dollars(self.plain(slot)?)
    }

    /// The value as a span in micros, of so many micros a unit.
    pub(crate) fn span(&self, slot: Slot, unit: f64) -> Option<i64> {
        values::span(self.plain(slot)?, unit)
    }

    /// The value as yes or no.
    pub(crate) fn flag(&self, slot: Slot) -> Option<bool> {
        match self.plain(slot)?.trim() {
            "true" | "True" | "TRUE" | "1" | "t" | "yes" => Some(true),
            "false" | "False" | "FALSE" | "0" | "f" | "no" => Some(false),
            _ => None,
        }
    }

    /// The value without quotes, if it has no escapes.
    pub(crate) fn plain(&self, slot: Slot) -> Option<&str> {
        let raw = self.raw(slot)?;
        Some(raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).unwrap_or(raw))
    }
}

/// The content of a string in JSON.
fn unescaped(json: &str) -> Option<Text<'_>> {
    let inside = json.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inside));
    }
    serde_json::from_str::<String>(json).ok().map(Cow::Owned)
}
