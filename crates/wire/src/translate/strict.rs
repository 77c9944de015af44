//! Whether OpenAI takes a JSON schema as `strict`.
//!
//! It does if each object names every property as required and allows no others; Anthropic lets properties be optional.
//! A schema that does not fit is sent without `strict`, which is weaker, rather than refused.

use serde_json::Value;
use serde_json::value::RawValue;

/// Whether each object in the schema is closed and all its properties are required.
pub(super) fn fits(schema: &RawValue) -> bool {
    serde_json::from_str(schema.get()).is_ok_and(|schema: Value| node_fits(&schema))
}

fn node_fits(node: &Value) -> bool {
    match node {
        Value::Array(nodes) => nodes.iter().all(node_fits),
        Value::Object(fields) => {
            let closed = match fields.get("properties").and_then(Value::as_object) {
                Some(properties) => {
                    let required = fields.get("required").and_then(Value::as_array);
                    fields.get("additionalProperties") == Some(&Value::Bool(false))
                        && properties.keys().all(|key| required.is_some_and(|r| r.iter().any(|name| name == key)))
                }
                None => fields.get("type").is_none_or(|kind| kind != "object"),
            };
            closed && fields.values().all(node_fits)
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_wants_closed_objects_with_every_property_required() {
        for (schema, fit) in [
            (r#"{"type":"object","properties":{"a":{}},"required":["a"],"additionalProperties":false}"#, true),
            (r#"{"type":"object","properties":{"a":{}},"required":[],"additionalProperties":false}"#, false),
            (r#"{"type":"object","properties":{"a":{}},"required":["a"]}"#, false),
            (r#"{"type":"array","items":{"type":"object","properties":{}}}"#, false),
            (r#"{"type":"object"}"#, false),
            (r#"{"type":"string"}"#, true),
            ("{}", true),
        ] {
            assert_eq!(fits(serde_json::from_str(schema).unwrap()), fit, "{schema}");
        }
    }
}
