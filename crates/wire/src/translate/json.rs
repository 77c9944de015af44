//! JSON read one level at a time and written in the order given.
//!
//! Translation moves whole values (schemas, tool inputs, metadata) that it has no business reading. Held as raw text they
//! pass byte for byte, in their own key order and with their own numbers, which a tree of values would not promise.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::value::RawValue;

/// An object's fields in their order, each value as its text.
#[derive(Default)]
pub(super) struct Object<'a> {
    fields: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Object<'a> {
    /// Reads an object; `None` if the text is another kind of value.
    pub(super) fn read(raw: &'a RawValue) -> Option<Self> {
        Self::parse(raw.get())
    }

    /// Reads an object from text.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The value of `name`; `null` counts as absent, and of two the last counts.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.fields.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value).filter(|v| v.get() != "null")
    }

    /// The text of the string field `name`.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name).and_then(text)
    }

    /// The object in the field `name`.
    pub(super) fn object(&self, name: &str) -> Option<Object<'a>> {
        self.get(name).and_then(Object::read)
    }

    /// Whether the field `name` is `true`.
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|v| v.get() == "true")
    }

    /// The fields in their order, those that are `null` left out.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.fields.iter().filter(|(_, v)| v.get() != "null").map(|(key, value)| (key.as_ref(), *value))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some((Key(key), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
                    fields.push((key, value));
                }
                Ok(Object { fields })
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// A string that borrows where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowing;
        impl<'de> Visitor<'de> for Borrowing {
            type Value = Cow<'de, str>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Borrowing).map(Key)
    }
}

/// The text of a JSON string, borrowed where it has no escapes.
pub(super) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Key<'_>>(raw.get()).ok().map(|key| key.0)
}

/// The elements of a JSON array.
pub(super) fn array(raw: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw.get()).ok()
}

/// A JSON number.
pub(super) fn number(raw: &RawValue) -> Option<f64> {
    serde_json::from_str(raw.get()).ok()
}

/// A JSON number that is a whole count; `1024.0` is one.
pub(super) fn count(raw: &RawValue) -> Option<u64> {
    let exact: Option<u64> = serde_json::from_str(raw.get()).ok();
    exact.or_else(|| number(raw).filter(|n| n.fract() == 0.0 && (0.0..9e15).contains(n)).map(|n| n as u64))
}

/// A JSON value to be written: built here, or carried over as the text it came in.
pub(super) enum Json<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A count.
    Count(u64),
    /// Another number.
    Number(f64),
    /// A string.
    Text(Cow<'a, str>),
    /// A value carried over as it was written.
    Raw(&'a RawValue),
    /// A value carried over that this code had to make.
    Made(Box<RawValue>),
    /// A list.
    Array(Vec<Json<'a>>),
    /// Fields in this order.
    Object(Vec<(&'static str, Json<'a>)>),
}

impl Json<'_> {
    /// The value's bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // Writing to memory fails only on a map key that is no string, and every key here is one.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl<'a> From<&'a str> for Json<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Json<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl<'a> From<Cow<'a, str>> for Json<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self::Text(text)
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Count(value) => serializer.serialize_u64(*value),
            Self::Number(value) => serializer.serialize_f64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Raw(raw) => raw.serialize(serializer),
            Self::Made(raw) => raw.serialize(serializer),
            Self::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (key, value) in fields {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_keeps_its_text_and_null_is_absent() {
        let object = Object::parse(r#"{"b":{"z":1e2,"a":[ 1 ]},"\u0061":"x\ny","n":null,"b2":1}"#).unwrap();
        assert_eq!(object.get("b").unwrap().get(), r#"{"z":1e2,"a":[ 1 ]}"#);
        assert_eq!(object.text("a").unwrap(), "x\ny");
        assert!(object.get("n").is_none());
        assert_eq!(object.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["b", "a", "b2"]);
        for text in ["[]", "1", "", "{", r#"{"a":}"#] {
            assert!(Object::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn counts_are_whole() {
        for (text, value) in [("7", Some(7)), ("7.0", Some(7)), ("7.5", None), ("-1", None), ("\"7\"", None)] {
            let raw: &RawValue = serde_json::from_str(text).unwrap();
            assert_eq!(count(raw), value, "{text}");
        }
    }
}
