//! Translation, told three ways: whole cases, tables of single rules, and sentences that hold for any body.

use serde_json::Value;

use super::*;

mod golden;
mod properties;
mod requests;

/// A model of `dialect` of which nothing is known.
fn target(dialect: Dialect) -> Target<'static> {
    Target {
        model: "the-model",
        dialect,
        anthropic_version: AnthropicVersion::default(),
        max_output: None,
        default_output: None,
        older_limit: false,
        capabilities: TargetCapabilities::default(),
    }
}

fn translate(from: Endpoint, body: &Value, to: &Target<'_>) -> Result<(Value, Vec<String>), RequestError> {
    let translated = translate_request(from, body.to_string().as_bytes(), to)?;
    Ok((serde_json::from_slice(&translated.body).unwrap(), translated.degraded))
}

/// What a drop is called in the header, the page that lists the drops calls it too.
#[test]
fn every_token_is_documented() {
    let page = include_str!("../../../../docs/translation.md");
    let prefixes = [notes::DROPPED_TOOL, notes::DROPPED_BLOCK, notes::DROPPED_FIELD];
    for token in notes::TOKENS.iter().chain(&prefixes) {
        assert!(page.contains(&format!("`{token}")), "{token}");
    }
}
