//! Small readers of JSON that refuse what a strict provider refuses, in words that name the field.

use serde_json::{Map, Value};

use crate::ask::Invalid;

pub(crate) type Object = Map<String, Value>;
pub(crate) type Checked<T> = Result<T, Invalid>;

pub(crate) fn object<'a>(value: &'a Value, at: &str) -> Checked<&'a Object> {
    value.as_object().ok_or_else(|| wrong(at, "an object", value))
}

pub(crate) fn array<'a>(value: &'a Value, at: &str) -> Checked<&'a Vec<Value>> {
    value.as_array().ok_or_else(|| wrong(at, "an array", value))
}

pub(crate) fn text<'a>(value: &'a Value, at: &str) -> Checked<&'a str> {
    value.as_str().ok_or_else(|| wrong(at, "a string", value))
}

/// A required string field.
pub(crate) fn text_field<'a>(map: &'a Object, name: &str, at: &str) -> Checked<&'a str> {
    let place = join(at, name);
    text(map.get(name).ok_or_else(|| missing(&place))?, &place)
}

/// An optional field; null counts as absent.
pub(crate) fn maybe<'a>(map: &'a Object, name: &str) -> Option<&'a Value> {
    map.get(name).filter(|value| !value.is_null())
}

pub(crate) fn flag(map: &Object, name: &str) -> Checked<bool> {
    match maybe(map, name) {
        None => Ok(false),
        Some(value) => value.as_bool().ok_or_else(|| wrong(name, "a boolean", value)),
    }
}

pub(crate) fn whole(map: &Object, name: &str, least: u64) -> Checked<Option<u64>> {
    match maybe(map, name) {
        None => Ok(None),
        Some(value) => match value.as_u64() {
            Some(n) if n >= least => Ok(Some(n)),
            _ => Err(wrong(name, &format!("an integer of at least {least}"), value)),
        },
    }
}

pub(crate) fn number(map: &Object, name: &str, least: f64, most: f64) -> Checked<Option<f64>> {
    match maybe(map, name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(n) if (least..=most).contains(&n) => Ok(Some(n)),
            _ => Err(wrong(name, &format!("a number between {least} and {most}"), value)),
        },
    }
}

/// A string, or an array of strings; at most `most` of them.
pub(crate) fn strings(map: &Object, name: &str, most: usize) -> Checked<Vec<String>> {
    let list = match maybe(map, name) {
        None => return Ok(Vec::new()),
        Some(Value::String(one)) => vec![one.clone()],
        Some(value) => array(value, name)?
            .iter()
            .map(|item| text(item, name).map(str::to_owned))
            .collect::<Checked<Vec<String>>>()?,
    };
    if list.len() > most {
        return Err(Invalid::new(name, format!("Invalid '{name}': at most {most} items are allowed.")));
    }
    if list.iter().any(String::is_empty) {
        return Err(Invalid::new(name, format!("Invalid '{name}': an item must not be empty.")));
    }
    Ok(list)
}

/// A tool's or a schema's name.
pub(crate) fn name_ok(name: &str, most: usize) -> bool {
    (1..=most).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

pub(crate) fn missing(at: &str) -> Invalid {
    Invalid::new(at, format!("Missing required parameter: '{at}'.")).code("missing_required_parameter")
}

pub(crate) fn wrong(at: &str, wanted: &str, got: &Value) -> Invalid {
    let got = match got {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(n) => format!("{n}"),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    Invalid::new(at, format!("Invalid type for '{at}': expected {wanted}, but got {got} instead.")).code("invalid_type")
}

pub(crate) fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}
