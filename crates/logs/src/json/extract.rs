//! Goes through a record once and keeps what is at one of the paths.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::fields::{Fields, Raw};
use super::paths::Paths;

/// Texts that hold JSON are looked into this deep.
const NESTED: u8 = 3;

/// The fields of a JSON object.
///
/// # Errors
/// If it is none.
pub(crate) fn extract<'a>(json: &'a str, paths: &Paths) -> Result<Fields<'a>, serde_json::Error> {
    let mut fields = Fields::default();
    let mut reader = serde_json::Deserializer::from_str(json);
    Object { paths, node: 0, fields: &mut fields, depth: 0 }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(fields)
}

/// Puts the value at `node` where it belongs: itself, or what is in it.
pub(crate) fn put<'a>(fields: &mut Fields<'a>, paths: &Paths, node: usize, value: Raw<'a>) {
    put_nested(fields, paths, node, value, 0);
}

fn put_nested<'a>(fields: &mut Fields<'a>, paths: &Paths, node: usize, value: Raw<'a>, depth: u8) {
    let here = paths.at(node);
    if let Raw::Json(text) = &value
        && text == "null"
    {
        return;
    }
    fields.mark(here.mark);
    if paths.has_children(node) && depth < NESTED {
        inside(fields, paths, node, &value, depth);
    }
    if let Some((slot, rank)) = here.slot {
        fields.put(slot, rank, value);
    }
}

/// Looks into a value that is an object, or a text that holds one.
fn inside<'a>(fields: &mut Fields<'a>, paths: &Paths, node: usize, value: &Raw<'a>, depth: u8) {
    let looked = match value {
        Raw::Json(Cow::Borrowed(json)) if json.starts_with(['{', '[']) => {
            let mut reader = serde_json::Deserializer::from_str(json);
            // It was read as JSON before.
            let _ = Object { paths, node, fields, depth }.deserialize(&mut reader);
            return;
        }
        Raw::Json(json) if json.starts_with(['{', '[']) => json.clone().into_owned(),
        Raw::Json(json) if json.starts_with("\"{") || json.starts_with("\"[") => {
            serde_json::from_str::<String>(json).unwrap_or_default()
        }
        Raw::Text(text) if text.starts_with(['{', '[']) => text.clone().into_owned(),
        _ => return,
    };
    let mut found = Fields::default();
    let mut reader = serde_json::Deserializer::from_str(&looked);
    if (Object { paths, node, fields: &mut found, depth: depth + 1 }).deserialize(&mut reader).is_ok() {
        fields.take(found);
    }
}

/// Reads an object, or the objects in an array, whose names come after `node`.
struct Object<'f, 'a, 'p> {
    paths: &'p Paths,
    node: usize,
    fields: &'f mut Fields<'a>,
    depth: u8,
}

impl<'a> DeserializeSeed<'a> for Object<'_, 'a, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// A name, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Visitor<'a> for Object<'_, 'a, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(name) = map.next_key::<Name<'a>>()? {
            match self.paths.child(self.node, &name.0).or_else(|| self.paths.flattened(self.node, &name.0)) {
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
                Some(node) if self.paths.at(node).slot.is_none() && self.paths.has_children(node) => {
                    self.fields.mark(self.paths.at(node).mark);
                    map.next_value_seed(Within { paths: self.paths, node, fields: self.fields, depth: self.depth })?;
                }
                Some(node) => {
                    let value: &'a RawValue = map.next_value()?;
                    let value = Raw::Json(Cow::Borrowed(value.get()));
                    put_nested(self.fields, self.paths, node, value, self.depth);
                }
            }
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut seq: S) -> Result<(), S::Error> {
        if self.node == 0 {
            return Err(S::Error::custom("an array where an object was expected"));
        }
        // Of several, the first that has a field counts.
        while seq
            .next_element_seed(Within { paths: self.paths, node: self.node, fields: self.fields, depth: self.depth })?
            .is_some()
        {}
        Ok(())
    }
}

/// Reads a value that may be an object, and is passed over if it is not.
struct Within<'f, 'a, 'p> {
    paths: &'p Paths,
    node: usize,
    fields: &'f mut Fields<'a>,
    depth: u8,
}

impl<'a> DeserializeSeed<'a> for Within<'_, 'a, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Within<'_, 'a, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<M: MapAccess<'a>>(self, map: M) -> Result<(), M::Error> {
        Object { paths: self.paths, node: self.node, fields: self.fields, depth: self.depth }.visit_map(map)
    }

    fn visit_seq<S: SeqAccess<'a>>(self, seq: S) -> Result<(), S::Error> {
        Object { paths: self.paths, node: self.node, fields: self.fields, depth: self.depth }.visit_seq(seq)
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if text.starts_with('{') && self.depth < NESTED {
            let mut found = Fields::default();
            let mut reader = serde_json::Deserializer::from_str(text);
            let object = Object { paths: self.paths, node: self.node, fields: &mut found, depth: self.depth + 1 };
            if object.deserialize(&mut reader).is_ok() {
                self.fields.take(found);
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Mark, Slot};
    use super::*;

    #[test]
    fn fields_are_found_wherever_a_tool_has_them() {
        let paths = Paths::default();
        let json = r#"{"request_id":"a\"b","unknown":{"model":"no"},"model":"gpt-5","spend":1.2e-05,"startTime":"2026-11-18 14:47:03.114000",
            "metadata":"{\"user_api_key_alias\":\"bot\",\"error_information\":{\"error_code\":\"429\"}}","prompt_tokens":12,"cache_hit":"False",
            "response":{"choices":[{"finish_reason":"length"}]}}"#;
        let fields = extract(json, &paths).unwrap();
        assert_eq!(fields.text(Slot::Id).as_deref(), Some("a\"b"));
        assert_eq!(fields.text(Slot::Model).as_deref(), Some("gpt-5"));
        assert_eq!(fields.dollars(Slot::Cost).map(|cost| cost.0), Some(12_000));
        assert_eq!(fields.text(Slot::Key).as_deref(), Some("bot"));
        assert_eq!(fields.count(Slot::ErrorCode), Some(429));
        assert_eq!(fields.flag(Slot::CacheHit), Some(false));
        assert_eq!(fields.text(Slot::Finish).as_deref(), Some("length"));
        assert!(fields.has(Mark::LiteLlmSpend) && !fields.has(Mark::Weir));
    }

    #[test]
    fn what_is_no_whole_object_is_refused() {
        let paths = Paths::default();
        for wrong in ["", "{", r#"{"model":"gpt"#, r#"{"model":nope}"#, "[]", "{} {}", "7"] {
            assert!(extract(wrong, &paths).is_err(), "{wrong}");
        }
        assert_eq!(extract(r#"{"model":null,"spend":null}"#, &paths).unwrap(), Fields::default());
    }
}
