//! The list of models, in one form that both dialects' clients read.
//!
//! OpenAI's clients want `object`, `created` and `owned_by`, Anthropic's `type`, `created_at` and `display_name`; each
//! ignores the other's, so one object serves both.

use serde_json::{Value, json};
use weir_units::WallTime;

/// A model or a route that a client may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelItem {
    /// What clients send as `model`.
    pub id: String,
    /// Who answers to it.
    pub owned_by: String,
    /// The name that people read.
    pub display_name: String,
    /// When it was made; for a route, when the config was read.
    pub created: WallTime,
}

/// The body of `/v1/models`: all of them on one page.
#[must_use]
pub fn models_page(items: &[ModelItem]) -> Vec<u8> {
    let page = json!({
        "object": "list",
        "data": items.iter().map(json_of).collect::<Vec<_>>(),
        "has_more": false,
        "first_id": items.first().map(|item| &item.id),
        "last_id": items.last().map(|item| &item.id),
    });
    page.to_string().into_bytes()
}

/// The body of `/v1/models/{id}`.
#[must_use]
pub fn model_object(item: &ModelItem) -> Vec<u8> {
    json_of(item).to_string().into_bytes()
}

fn json_of(item: &ModelItem) -> Value {
    json!({
        "id": item.id,
        "object": "model",
        "created": item.created.millis().div_euclid(1_000),
        "owned_by": item.owned_by,
        "type": "model",
        "display_name": item.display_name,
        "created_at": item.created.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: &str) -> ModelItem {
        ModelItem {
            id: id.to_owned(),
            owned_by: "weir".to_owned(),
            display_name: format!("Route {id}"),
            created: WallTime(1_795_013_223_114_000),
        }
    }

    #[test]
    fn one_object_has_both_dialects_fields() {
        let object: Value = serde_json::from_slice(&model_object(&item("smart"))).unwrap();
        let expected = json!({
            "id": "smart", "object": "model", "created": 1_795_013_223, "owned_by": "weir",
            "type": "model", "display_name": "Route smart", "created_at": "2026-11-18T14:47:03.114Z",
        });
        assert_eq!(object, expected);
    }

    #[test]
    fn the_page_names_its_ends() {
        let page: Value = serde_json::from_slice(&models_page(&[item("a"), item("b")])).unwrap();
        assert_eq!((&page["first_id"], &page["last_id"], &page["has_more"]), (&json!("a"), &json!("b"), &json!(false)));
        assert_eq!(page["data"].as_array().map(Vec::len), Some(2));
        let empty: Value = serde_json::from_slice(&models_page(&[])).unwrap();
        assert_eq!((&empty["first_id"], &empty["data"]), (&Value::Null, &json!([])));
    }
}
