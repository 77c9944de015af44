//! Records as they are stored, and made whole again for whoever reads them.
//!
//! More than a quarter of a record says nothing: no error, no tokens of that kind, the same time as the fact before. What is
//! stored leaves that out. It is less to write for each request, twice to a disk, and less to keep for 35 days; and it is the
//! same JSON otherwise, which a database can look into. Records that an earlier version wrote whole are read by the same way.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Members in their order, each with what it means that it is missing; with nothing, if that means nothing.
type Order = [(&'static str, &'static str)];

const RECORD: &Order = &[
    ("id", ""),
    ("run", "null"),
    ("key", "null"),
    ("tenant", "null"),
    ("tags", "{}"),
    ("route", "null"),
    ("model", "null"),
    ("dialect", ""),
    ("endpoint", ""),
    ("stream", "false"),
    ("trace", "null"),
    ("sdk_retry", "null"),
    ("content", "null"),
    ("outcome", ""),
    ("status", "null"),
    ("code", "null"),
    ("refused_by", "null"),
    ("started_at", ""),
    ("ended_at", "null"),
    ("first_content_ms", "null"),
    ("queued_ms", "0"),
    ("overhead_us", "null"),
    ("cost_usd", "null"),
    ("cost_estimated", "false"),
    ("usage", "null"),
    ("degraded", "[]"),
    ("attempts", "[]"),
    ("events", "[]"),
];

const ATTEMPT: &Order = &[
    ("deployment", ""),
    ("status", "null"),
    ("class", "null"),
    ("message", "null"),
    ("upstream_id", "null"),
    ("started_at", ""),
    ("ended_at", ""),
    ("usage", "null"),
    ("cost_usd", "null"),
    ("cost_estimated", "false"),
];

const USAGE: &Order = &[
    ("input", "0"),
    ("cached_input", "0"),
    ("cache_write", "0"),
    ("cache_write_long", "0"),
    ("output", "0"),
    ("reasoning", "0"),
];

/// The whole of a record that is stored. One that is damaged stays as it is.
pub(crate) fn whole(stored: String) -> String {
    let mut text = String::with_capacity(stored.len() * 3 / 2);
    match record(&stored, &mut text) {
        Some(()) => text,
        None => stored,
    }
}

fn record(stored: &str, text: &mut String) -> Option<()> {
    let record: Members<'_> = serde_json::from_str(stored).ok()?;
    let arrived = record.get("started_at").unwrap_or_default();
    members(RECORD, &record, text, |name, value, text| match name {
        "usage" => usage(value, text),
        "attempts" => array(value, text, |attempt, text| {
            members(ATTEMPT, &serde_json::from_str(attempt).ok()?, text, |name, value, text| match name {
                "usage" => usage(value, text),
                _ => as_it_is(value, text),
            })
        }),
        "events" => events(value, arrived, text),
        _ => as_it_is(value, text),
    })
}

fn usage(value: &str, text: &mut String) -> Option<()> {
    if value == "null" {
        return as_it_is(value, text);
    }
    members(USAGE, &serde_json::from_str(value).ok()?, text, |_, value, text| as_it_is(value, text))
}

/// A fact without a time is of the time of the one before, and the first one of when the request arrived.
fn events(value: &str, arrived: &str, text: &mut String) -> Option<()> {
    let mut last = arrived.to_owned();
    array(value, text, |event, text| {
        if let Some(at) = serde_json::from_str::<Members<'_>>(event).ok()?.get("at") {
            last.clear();
            last.push_str(at);
            return as_it_is(event, text);
        }
        text.push_str("{\"at\":");
        text.push_str(&last);
        text.push(',');
        as_it_is(event.strip_prefix('{')?, text)
    })
}

/// Writes members in their order, and after them those that have no place in it.
fn members(
    order: &Order,
    found: &Members<'_>,
    text: &mut String,
    mut write: impl FnMut(&str, &str, &mut String) -> Option<()>,
) -> Option<()> {
    let mut next = '{';
    let mut begin = |name: &str, text: &mut String| {
        text.push(next);
        next = ',';
        text.push_str(&serde_json::to_string(name).ok()?);
        text.push(':');
        Some(())
    };
    for (name, missing) in order {
        match found.get(name) {
            Some(value) => {
                begin(name, text)?;
                write(name, value, text)?;
            }
            None if missing.is_empty() => {}
            None => {
                begin(name, text)?;
                text.push_str(missing);
            }
        }
    }
    for (name, value) in found.0.iter().filter(|(name, _)| order.iter().all(|(known, _)| known != name)) {
        begin(name, text)?;
        text.push_str(value.get());
    }
    text.push_str(if next == '{' { "{}" } else { "}" });
    Some(())
}

fn array(value: &str, text: &mut String, mut write: impl FnMut(&str, &mut String) -> Option<()>) -> Option<()> {
    let items: Vec<&RawValue> = serde_json::from_str(value).ok()?;
    text.push('[');
    for (place, item) in items.iter().enumerate() {
        text.push_str(if place > 0 { "," } else { "" });
        write(item.get(), text)?;
    }
    text.push(']');
    Some(())
}

fn as_it_is(value: &str, text: &mut String) -> Option<()> {
    text.push_str(value);
    Some(())
}

/// A member's name.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The members of an object as they stand in it.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl Members<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.get())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::with_capacity(RECORD.len());
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests;
