//! Makes a JSON value that satisfies a simple JSON schema, always the same for the same seed.
//!
//! Simple means: type, enum, const, properties, required, items, the bounds of numbers, lengths and items, anyOf, oneOf, allOf's
//! first, and `$ref` into the same document. That is what structured output and tool parameters are written in.

use std::cell::Cell;

use serde_json::{Map, Value, json};

use crate::ask::mix;

/// How deep a schema is followed; a recursive one ends in null.
const DEPTH: u32 = 24;
/// How many values are made in all: a schema that names itself in ten places must not fill the memory.
const VALUES: u32 = 5_000;

struct Document<'a> {
    root: &'a Value,
    left: Cell<u32>,
}

/// A value for `schema`.
pub(crate) fn fit(schema: &Value, seed: u64) -> Value {
    fit_at(&Document { root: schema, left: Cell::new(VALUES) }, schema, seed, DEPTH)
}

fn fit_at(document: &Document<'_>, schema: &Value, seed: u64, depth: u32) -> Value {
    let left = document.left.get();
    if depth == 0 || left == 0 {
        return Value::Null;
    }
    document.left.set(left - 1);
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if let Some(Value::Array(values)) = schema.get("enum")
        && !values.is_empty()
    {
        return values[usize::try_from(seed % values.len() as u64).unwrap_or(0)].clone();
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let found = target.strip_prefix('#').and_then(|pointer| document.root.pointer(pointer));
        return found.map_or(Value::Null, |found| fit_at(document, found, seed, depth - 1));
    }
    for word in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema.get(word).and_then(|list| list.get(0)) {
            return fit_at(document, first, seed, depth - 1);
        }
    }
    let kind = match schema.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str).unwrap_or("null"),
        _ if schema.get("properties").is_some() => "object",
        _ => "string",
    };
    match kind {
        "object" => object(document, schema, seed, depth),
        "array" => {
            let count = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).min(100);
            let item = schema.get("items").cloned().unwrap_or_else(|| json!({}));
            (0..count).map(|n| fit_at(document, &item, mix(seed.wrapping_add(n)), depth - 1)).collect()
        }
        "string" => string(schema, seed),
        "integer" => json!(whole(schema, seed)),
        "number" => number(schema, seed),
        "boolean" => Value::Bool(seed & 1 == 0),
        _ => Value::Null,
    }
}

/// Every property that is declared, required or not: a client that reads one should find it.
fn object(document: &Document<'_>, schema: &Value, seed: u64, depth: u32) -> Value {
    let mut map = Map::new();
    if let Some(Value::Object(properties)) = schema.get("properties") {
        for (n, (name, property)) in properties.iter().enumerate() {
            map.insert(name.clone(), fit_at(document, property, mix(seed.wrapping_add(n as u64)), depth - 1));
        }
    }
    if let Some(Value::Array(required)) = schema.get("required") {
        for name in required.iter().filter_map(Value::as_str) {
            map.entry(name).or_insert_with(|| Value::String(format!("{:04x}", seed & 0xffff)));
        }
    }
    Value::Object(map)
}

fn string(schema: &Value, seed: u64) -> Value {
    let least = usize::try_from(schema.get("minLength").and_then(Value::as_u64).unwrap_or(0).min(10_000)).unwrap_or(0);
    let most = schema.get("maxLength").and_then(Value::as_u64).unwrap_or(u64::MAX);
    let mut text = match schema.get("format").and_then(Value::as_str) {
        Some("date") => "2026-11-18".to_owned(),
        Some("date-time") => "2026-11-18T14:47:03Z".to_owned(),
        Some("email") => "river@example.com".to_owned(),
        Some("uri") => "https://example.com/".to_owned(),
        _ => format!("text-{:04x}", seed & 0xffff),
    };
    while text.len() < least {
        text.push('x');
    }
    text.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    Value::String(text)
}

fn whole(schema: &Value, seed: u64) -> i64 {
    let bound = |word: &str| schema.get(word).and_then(Value::as_i64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|n| n.saturating_add(1)));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|n| n.saturating_sub(1)));
    let drawn = i64::try_from(seed % 100).unwrap_or(0);
    match (least, most) {
        (Some(least), Some(most)) if least <= most => {
            least.saturating_add(drawn % most.saturating_sub(least).saturating_add(1).max(1))
        }
        (Some(least), _) => least.saturating_add(drawn),
        (None, Some(most)) => most.saturating_sub(drawn),
        (None, None) => drawn,
    }
}

fn number(schema: &Value, seed: u64) -> Value {
    let least = schema.get("minimum").and_then(Value::as_f64);
    let most = schema.get("maximum").and_then(Value::as_f64);
    match (least, most) {
        (Some(least), Some(most)) => json!((least + most) / 2.0),
        (Some(least), None) => json!(least + 0.5),
        (None, Some(most)) => json!(most - 0.5),
        (None, None) => json!(f64::from(u32::try_from(seed % 1_000).unwrap_or(0)) + 0.5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_schemas_are_satisfied() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 3},
                "unit": {"enum": ["c", "f"]}, "wet": {"type": "boolean"}, "share": {"type": "number", "maximum": 1.0},
                "list": {"type": "array", "items": {"$ref": "#/$defs/item"}, "minItems": 2}, "maybe": {"type": ["string", "null"]},
            },
            "required": ["city", "undeclared"],
            "$defs": {"item": {"type": "object", "properties": {"n": {"type": "integer"}}}},
        });
        for seed in 0..50 {
            let value = fit(&schema, mix(seed));
            assert!(value["city"].is_string() && value["undeclared"].is_string() && value["maybe"].is_string());
            assert!((1..=3).contains(&value["days"].as_i64().unwrap()));
            assert!(["c", "f"].contains(&value["unit"].as_str().unwrap()));
            assert!(value["wet"].is_boolean() && value["share"].as_f64().unwrap() <= 1.0);
            assert_eq!(value["list"].as_array().unwrap().len(), 2);
            assert!(value["list"][1]["n"].is_i64());
        }
    }

    #[test]
    fn a_recursive_schema_ends() {
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        assert!(fit(&schema, 1).is_object());
        let names = (0..20).map(|n| (n.to_string(), json!({"$ref": "#"}))).collect::<Map<_, _>>();
        let text = fit(&json!({"type": "object", "properties": names}), 1).to_string();
        assert!(text.len() < 1_000_000, "{}", text.len());
    }
}
