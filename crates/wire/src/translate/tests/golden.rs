//! Whole requests and answers in, whole ones out: `fixtures/translate`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::super::*;

fn fixtures() -> Vec<(PathBuf, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/translate");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), serde_json::from_slice(&fs::read(&path).unwrap()).unwrap())).collect()
}

fn target(said: &Value) -> Target<'_> {
    let can = |name: &str| said[name].as_bool();
    Target {
        model: said["model"].as_str().unwrap(),
        dialect: if said["dialect"] == "openai" { Dialect::OpenAi } else { Dialect::Anthropic },
        anthropic_version: match said["version"].as_str() {
            Some("2026-10-21") => AnthropicVersion::V2026_10_21,
            _ => AnthropicVersion::V2023_06_01,
        },
        max_output: said["max-output"].as_u64(),
        default_output: None,
        older_limit: false,
        capabilities: TargetCapabilities {
            reasoning: can("reasoning"),
            forced_tool_choice: can("forced-tool-choice"),
            sampling: can("sampling"),
            prefill: can("prefill"),
            thinking_always_on: can("thinking-always-on"),
            ..TargetCapabilities::default()
        },
    }
}

fn outcome(case: &Value) -> Value {
    let endpoint = if case["endpoint"] == "chat" { Endpoint::ChatCompletions } else { Endpoint::Messages };
    if case["answer"].is_null() {
        let body = case["in"].to_string();
        let translated = translate_request(endpoint, body.as_bytes(), &target(&case["target"])).unwrap();
        let out: Value = serde_json::from_slice(&translated.body).unwrap();
        return json!({ "out": out, "degraded": translated.degraded });
    }
    let provider = if case["provider"] == "openai" { Dialect::OpenAi } else { Dialect::Anthropic };
    let context = AnswerContext { model: "the-model", created: 1_795_013_223 };
    let out = translate_answer(provider, endpoint, case["answer"].to_string().as_bytes(), &context).unwrap();
    json!({ "out": serde_json::from_slice::<Value>(&out).unwrap() })
}

#[test]
fn golden_cases_come_out_as_reviewed() {
    let cases = fixtures();
    assert!(cases.len() > 15, "the fixtures are there");
    for (path, mut case) in cases {
        let Value::Object(found) = outcome(&case) else { unreachable!() };
        for (key, value) in found {
            if std::env::var_os("UPDATE_FIXTURES").is_some() {
                case[&key] = value;
                fs::write(&path, format!("{case:#}\n")).unwrap();
            } else {
                assert_eq!(case[&key], value, "{key} of {}", path.display());
            }
        }
    }
}
