//! What holds for any body.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::*;
use super::{target, translate};

/// Any JSON, its strings and keys drawn from the words that the readers act on, so that it gets past their first checks.
fn any_json() -> impl Strategy<Value = Value> {
    let words = [
        "model",
        "messages",
        "role",
        "user",
        "assistant",
        "system",
        "tool",
        "content",
        "type",
        "text",
        "image_url",
        "url",
        "file",
        "file_data",
        "data:image/png;base64,AA==",
        "tool_calls",
        "id",
        "function",
        "name",
        "arguments",
        "{}",
        "{",
        "tools",
        "tool_choice",
        "any",
        "input_schema",
        "tool_use",
        "tool_result",
        "tool_use_id",
        "input",
        "thinking",
        "enabled",
        "budget_tokens",
        "document",
        "source",
        "base64",
        "data",
        "media_type",
        "output_config",
        "effort",
        "max",
        "response_format",
        "json_schema",
        "schema",
        "max_tokens",
        "stop",
        "choices",
        "message",
        "finish_reason",
        "stop_reason",
        "usage",
        "",
        "é\u{1F600}",
    ];
    let word = prop::sample::select(words.to_vec());
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..8).prop_map(|fields| Value::Object(
                fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<Map<_, _>>()
            )),
        ]
    })
}

/// A plain conversation: what is said, called and answered, `(text, call arguments, result)` for each round.
fn rounds() -> impl Strategy<Value = Vec<(String, Option<(i64, String)>)>> {
    let text = "[a-zé\"\\\\\n]{0,12}[a-z]";
    prop::collection::vec((text, prop::option::of((any::<i64>(), text))), 1..6)
}

fn chat(rounds: &[(String, Option<(i64, String)>)]) -> Value {
    let mut messages = vec![json!({ "role": "system", "content": "Be kind." })];
    for (i, (text, call)) in rounds.iter().enumerate() {
        messages.push(json!({ "role": "user", "content": text }));
        let Some((argument, result)) = call else {
            messages.push(json!({ "role": "assistant", "content": format!("re: {text}") }));
            continue;
        };
        let function = json!({ "name": "f", "arguments": format!("{{\"x\":{argument}}}") });
        let id = format!("call_{i}");
        let call = json!([{ "id": id, "type": "function", "function": function }]);
        messages.push(json!({ "role": "assistant", "content": format!("call: {text}"), "tool_calls": call }));
        messages.push(json!({ "role": "tool", "tool_call_id": id, "content": result }));
        messages.push(json!({ "role": "assistant", "content": "done" }));
    }
    messages.push(json!({ "role": "user", "content": "bye" }));
    json!({ "model": "m", "max_completion_tokens": 100, "messages": messages })
}

proptest! {
    #[test]
    fn no_body_makes_a_request_panic(value in any_json(), fields in prop::collection::vec(any_json(), 6)) {
        let names = ["messages", "tools", "tool_choice", "system", "thinking", "response_format"];
        let whole: Map<_, _> = names.iter().map(|name| (*name).to_owned()).zip(fields).collect();
        for body in [value, Value::Object(whole)] {
            for from in Endpoint::ALL {
                for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
                    if let Ok(translated) = translate_request(from, body.to_string().as_bytes(), &target(dialect)) {
                        serde_json::from_slice::<Value>(&translated.body).unwrap();
                    }
                }
            }
        }
    }

    #[test]
    fn a_message_of_any_shape_does_not_panic(parts in prop::collection::vec(any_json(), 0..4), call in any_json()) {
        for role in ["user", "assistant", "tool"] {
            let message = json!({ "role": role, "content": parts, "tool_calls": [call], "tool_call_id": "c" });
            let body = json!({ "messages": [{ "role": "user", "content": "a" }, message] });
            for (from, to) in [(Endpoint::ChatCompletions, Dialect::Anthropic), (Endpoint::Messages, Dialect::OpenAi)] {
                let _ = translate(from, &body, &target(to));
            }
        }
    }

    #[test]
    fn no_bytes_make_a_request_or_an_answer_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let context = AnswerContext { model: "m", created: -1 };
        for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
            prop_assert!(translate_request(Endpoint::Messages, &bytes, &target(dialect)).is_err());
            prop_assert!(translate_answer(dialect, Endpoint::Messages, &bytes, &context).is_err());
        }
    }

    #[test]
    fn an_answer_of_any_shape_is_valid_json_or_an_error(message in any_json(), word in any_json(), usage in any_json()) {
        let openai = json!({ "choices": [{ "message": message, "finish_reason": word }], "usage": usage });
        let anthropic = json!({ "content": message, "stop_reason": word, "usage": usage });
        let context = AnswerContext { model: "m", created: 0 };
        for (provider, body) in [(Dialect::OpenAi, openai), (Dialect::Anthropic, anthropic)] {
            for to in [Endpoint::ChatCompletions, Endpoint::Messages] {
                if let Ok(answer) = translate_answer(provider, to, body.to_string().as_bytes(), &context) {
                    serde_json::from_slice::<Value>(&answer).unwrap();
                }
            }
        }
    }

    #[test]
    fn a_plain_conversation_survives_there_and_back(rounds in rounds()) {
        let first = chat(&rounds);
        let (there, noted) = translate(Endpoint::ChatCompletions, &first, &target(Dialect::Anthropic)).unwrap();
        prop_assert!(noted.is_empty(), "{noted:?}");
        let (back, noted) = translate(Endpoint::Messages, &there, &target(Dialect::OpenAi)).unwrap();
        prop_assert!(noted.is_empty(), "{noted:?}");
        prop_assert_eq!(&back["messages"], &first["messages"]);
    }

    #[test]
    fn version_2026_10_21_gets_nothing_that_it_refuses(
        temperature in 0.0..2.0, top_p in 0.0..1.0, top_k in 1..50_u64, effort in prop::option::of(Just("high")),
    ) {
        let mut body = chat(&[("a".to_owned(), None)]);
        body["temperature"] = json!(temperature);
        body["top_p"] = json!(top_p);
        body["top_k"] = json!(top_k);
        body["reasoning_effort"] = json!(effort);
        let to = Target { anthropic_version: AnthropicVersion::V2026_10_21, ..target(Dialect::Anthropic) };
        let (out, _) = translate(Endpoint::ChatCompletions, &body, &to).unwrap();
        for refused in ["temperature", "top_p", "top_k"] {
            prop_assert!(out.get(refused).is_none());
        }
        let budget = &out["thinking"]["budget_tokens"];
        prop_assert!(budget.is_null(), "a fixed budget");
    }
}
