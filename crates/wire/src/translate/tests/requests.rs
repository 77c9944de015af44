//! Single rules of requests, as tables.

use serde_json::{Value, json};

use super::super::*;
use super::{target, translate};

/// A body with one field more than the least.
fn with(field: &str, value: Value) -> Value {
    let mut body = json!({ "max_tokens": 9_000, "messages": [{ "role": "user", "content": "Hi" }] });
    body[field] = value;
    body
}

fn user(content: Value) -> Value {
    with("messages", json!([{ "role": "user", "content": content }]))
}

fn tool() -> Value {
    json!([{ "type": "function", "function": { "name": "t" } }])
}

#[test]
fn what_messages_cannot_say_is_named() {
    let audio = json!([{ "type": "input_audio", "input_audio": { "data": "", "format": "wav" } }]);
    let stored = json!([{ "type": "text", "text": "a" }, { "type": "file", "file": { "file_id": "file-1" } }]);
    let odd = json!([{ "type": "image_url", "image_url": { "url": "data:image/tiff;base64,AA" } }]);
    for (body, param) in [
        (with("n", json!(2)), "n"),
        (with("logprobs", json!(true)), "logprobs"),
        (with("top_logprobs", json!(3)), "top_logprobs"),
        (with("audio", json!({ "voice": "a", "format": "wav" })), "audio"),
        (with("modalities", json!(["text", "audio"])), "modalities"),
        (with("prediction", json!({ "type": "content", "content": "a" })), "prediction"),
        (with("functions", json!([{ "name": "f" }])), "functions"),
        (with("stop", json!(["\n"])), "stop"),
        (with("tool_choice", json!("required")), "tool_choice"),
        (with("tool_choice", json!({ "type": "custom", "custom": { "name": "c" } })), "tool_choice"),
        (with("response_format", json!({ "type": "grammar" })), "response_format"),
        (user(audio), "messages[0].content[0]"),
        (user(stored), "messages[0].content[1]"),
        (user(odd), "messages[0].content[0]"),
        (
            with("messages", json!([{ "role": "user", "content": "a" }, { "role": "assistant", "content": "b" }])),
            "messages[1]",
        ),
        (with("messages", json!([{ "role": "function", "name": "f", "content": "a" }])), "messages[0]"),
    ] {
        let Err(RequestError::Cannot(cannot)) =
            translate(Endpoint::ChatCompletions, &body, &target(Dialect::Anthropic))
        else {
            panic!("{body}")
        };
        assert_eq!(cannot.param, param, "{body}");
    }
}

#[test]
fn what_chat_completions_cannot_say_is_named() {
    let file = json!([{ "type": "image", "source": { "type": "file", "file_id": "file_1" } }]);
    let url = json!([{ "type": "document", "source": { "type": "url", "url": "https://example.com/a.pdf" } }]);
    let picture = json!({ "type": "image", "source": { "type": "url", "url": "https://example.com/a.png" } });
    let nested = json!([{ "type": "document", "source": { "type": "content", "content": [picture] } }]);
    let long_name = json!([{ "name": "n".repeat(65), "input_schema": { "type": "object" } }]);
    for (body, param) in [
        (with("max_tokens", json!(0)), "max_tokens"),
        (with("container", json!("c_1")), "container"),
        (with("inference_geo", json!("us")), "inference_geo"),
        (with("stop_sequences", json!(["a", "b", "c", "d", "e"])), "stop_sequences"),
        (with("tools", long_name), "tools[0].name"),
        (with("tool_choice", json!({ "type": "tool", "name": "gone" })), "tool_choice"),
        (user(file), "messages[0].content[0]"),
        (user(url), "messages[0].content[0]"),
        (user(nested), "messages[0].content[0]"),
        (user(json!([{ "type": "container_upload", "file_id": "f" }])), "messages[0].content[0]"),
        (with("messages", json!([{ "role": "assistant", "content": [picture] }])), "messages[0].content[0]"),
        (with("messages", json!([{ "role": "assistant", "content": "{" }])), "messages[0]"),
    ] {
        let Err(RequestError::Cannot(cannot)) = translate(Endpoint::Messages, &body, &target(Dialect::OpenAi)) else {
            panic!("{body}")
        };
        assert_eq!(cannot.param, param, "{body}");
    }
}

#[test]
fn what_is_malformed_is_no_deployments_fault() {
    for (from, body, param) in [
        (Endpoint::ChatCompletions, json!([]), "body"),
        (Endpoint::ChatCompletions, json!({}), "messages"),
        (Endpoint::Messages, json!({ "max_tokens": 1 }), "messages"),
        (Endpoint::ChatCompletions, json!({ "messages": "hi" }), "messages"),
        (Endpoint::ChatCompletions, with("messages", json!([{ "content": "a" }])), "messages[0]"),
        (Endpoint::ChatCompletions, with("messages", json!([{ "role": "tool", "content": "a" }])), "messages[0]"),
        (Endpoint::ChatCompletions, user(json!([{ "text": "a" }])), "messages[0].content[0]"),
        (Endpoint::ChatCompletions, with("temperature", json!("hot")), "temperature"),
        (Endpoint::ChatCompletions, with("messages", json!([])), "messages"),
        (Endpoint::Messages, with("messages", json!([])), "messages"),
        (Endpoint::ChatCompletions, with("max_completion_tokens", json!(0)), "max_completion_tokens"),
        (
            Endpoint::Messages,
            user(json!([{ "type": "tool_use", "id": "a", "name": "b", "input": [] }])),
            "messages[0].content[0]",
        ),
        (Endpoint::Messages, with("tool_choice", json!("auto")), "tool_choice"),
        (Endpoint::Messages, with("max_tokens", json!(1.5)), "max_tokens"),
    ] {
        let to = target(if from == Endpoint::Messages { Dialect::OpenAi } else { Dialect::Anthropic });
        let Err(RequestError::Bad(Malformed { param: found, .. })) = translate(from, &body, &to) else {
            panic!("{body}")
        };
        assert_eq!(found.as_deref(), Some(param).filter(|p| *p != "body"), "{body}");
    }
}

/// What the catalogue says that a model lacks makes it ineligible, not wrong.
#[test]
fn a_model_is_not_asked_for_what_it_lacks() {
    let mut choice = with("tools", tool());
    choice["tool_choice"] = json!("required");
    let image = user(json!([{ "type": "image_url", "image_url": { "url": "https://example.com/a.png" } }]));
    let pdf = json!([{ "type": "file", "file": { "file_data": "data:application/pdf;base64,AA==" } }]);
    let format = json!({ "type": "json_schema", "json_schema": { "name": "a", "schema": { "type": "object" } } });
    type Lacks = fn(&mut TargetCapabilities);
    let cases: [(Value, Lacks); 5] = [
        (with("tools", tool()), |can| can.tools = Some(false)),
        (choice, |can| can.forced_tool_choice = Some(false)),
        (image, |can| can.images = Some(false)),
        (user(pdf), |can| can.documents = Some(false)),
        (with("response_format", format), |can| can.json_schema = Some(false)),
    ];
    for (body, lacks) in cases {
        let mut to = target(Dialect::Anthropic);
        translate(Endpoint::ChatCompletions, &body, &to).unwrap();
        lacks(&mut to.capabilities);
        assert!(matches!(translate(Endpoint::ChatCompletions, &body, &to), Err(RequestError::Cannot(_))), "{body}");
    }
}

#[test]
fn the_output_limit_defaults_to_the_catalogues_up_to_8192() {
    for (asked, most, sent, note) in [
        (None, None, 8_192, false),
        (None, Some(128_000), 8_192, false),
        (None, Some(4_096), 4_096, false),
        (Some(20_000), Some(64_000), 20_000, false),
        (Some(20_000), Some(8_000), 8_000, true),
    ] {
        let to = Target { max_output: most, ..target(Dialect::Anthropic) };
        let mut body = user(json!("Hi"));
        body["max_tokens"] = json!(asked);
        let (out, degraded) = translate(Endpoint::ChatCompletions, &body, &to).unwrap();
        assert_eq!((&out["max_tokens"], degraded.len() == 1), (&json!(sent), note));
    }
}

#[test]
fn tool_choices_cross_both_ways() {
    for (chat, messages) in [
        (json!("auto"), json!({ "type": "auto" })),
        (json!("none"), json!({ "type": "none" })),
        (json!("required"), json!({ "type": "any" })),
        (json!({ "type": "function", "function": { "name": "t" } }), json!({ "type": "tool", "name": "t" })),
    ] {
        let mut body = with("tools", tool());
        body["tool_choice"] = chat.clone();
        let (out, _) = translate(Endpoint::ChatCompletions, &body, &target(Dialect::Anthropic)).unwrap();
        let said = if chat == "auto" { json!(null) } else { messages.clone() };
        assert_eq!(out["tool_choice"], said, "{chat}");
        let mut body = with("tools", json!([{ "name": "t", "input_schema": { "type": "object" } }]));
        body["tool_choice"] = messages;
        let (out, _) = translate(Endpoint::Messages, &body, &target(Dialect::OpenAi)).unwrap();
        assert_eq!(out["tool_choice"], chat);
    }
}

#[test]
fn an_effort_becomes_a_share_of_the_limit_and_a_budget_an_effort() {
    for (effort, limit, thinking, noted) in [
        ("none", 9_000, json!({ "type": "disabled" }), false),
        ("minimal", 20_000, json!({ "type": "enabled", "budget_tokens": 2_000 }), false),
        ("low", 20_000, json!({ "type": "enabled", "budget_tokens": 4_000 }), false),
        ("medium", 20_000, json!({ "type": "enabled", "budget_tokens": 10_000 }), false),
        ("high", 20_000, json!({ "type": "enabled", "budget_tokens": 16_000 }), false),
        ("max", 60_000, json!({ "type": "enabled", "budget_tokens": 32_000 }), false),
        ("low", 1_025, json!({ "type": "enabled", "budget_tokens": 1_024 }), false),
        ("low", 1_024, json!(null), true),
    ] {
        let mut body = with("reasoning_effort", json!(effort));
        body["max_tokens"] = json!(limit);
        let (out, degraded) = translate(Endpoint::ChatCompletions, &body, &target(Dialect::Anthropic)).unwrap();
        assert_eq!((&out["thinking"], !degraded.is_empty()), (&thinking, noted), "{effort} of {limit}");
    }
    for (thinking, effort) in [
        (json!({ "type": "enabled", "budget_tokens": 1_024 }), json!("low")),
        (json!({ "type": "enabled", "budget_tokens": 8_000 }), json!("medium")),
        (json!({ "type": "enabled", "budget_tokens": 31_999 }), json!("high")),
        (json!({ "type": "disabled" }), json!(null)),
        (json!({ "type": "adaptive" }), json!(null)),
    ] {
        let (out, _) = translate(Endpoint::Messages, &with("thinking", thinking), &target(Dialect::OpenAi)).unwrap();
        assert_eq!(out["reasoning_effort"], effort);
    }
}

/// A fixed budget is a 400 while a tool loop without its own thinking is open, and beside a forced tool.
#[test]
fn thinking_is_not_asked_for_where_it_would_be_refused() {
    let mut forced = with("tools", tool());
    forced["tool_choice"] = json!("required");
    let call = json!([{ "id": "c", "type": "function", "function": { "name": "t", "arguments": "{}" } }]);
    let looped = with(
        "messages",
        json!([
            { "role": "user", "content": "a" },
            { "role": "assistant", "tool_calls": call },
            { "role": "tool", "tool_call_id": "c", "content": "b" },
        ]),
    );
    for mut body in [forced, looped] {
        body["reasoning_effort"] = json!("high");
        let (out, degraded) = translate(Endpoint::ChatCompletions, &body, &target(Dialect::Anthropic)).unwrap();
        assert_eq!((&out["thinking"], degraded), (&json!(null), vec!["dropped:reasoning_effort".to_owned()]));
    }
}

#[test]
fn schemas_and_arguments_keep_their_bytes() {
    let schema = r#"{"type":"object","properties":{"z":{"type":"number","minimum":1.50},"a":{}} }"#;
    let input = r#"{"z": 1e2, "a": [ 1 ], "z2": 12345678901234567890123}"#;
    let chat = format!(
        r#"{{"messages":[{{"role":"user","content":"a"}},{{"role":"assistant","tool_calls":[{{"id":"c","function":{{"name":"t","arguments":{}}}}}]}},
        {{"role":"tool","tool_call_id":"c","content":"b"}}],"tools":[{{"type":"function","function":{{"name":"t","parameters":{schema}}}}}]}}"#,
        json!(input)
    );
    let there =
        translate_request(Endpoint::ChatCompletions, chat.as_bytes(), &target(Dialect::Anthropic)).unwrap().body;
    let text = String::from_utf8(there.clone()).unwrap();
    assert!(text.contains(&format!(r#""input":{input}"#)) && text.contains(&format!(r#""input_schema":{schema}"#)));
    let back = translate_request(Endpoint::Messages, &there, &target(Dialect::OpenAi)).unwrap().body;
    let text = String::from_utf8(back).unwrap();
    assert!(text.contains(&json!(input).to_string()) && text.contains(&format!(r#""parameters":{schema}"#)));
}

#[test]
fn what_is_no_finished_answer_is_an_error() {
    let context = AnswerContext { model: "m", created: 0 };
    let message = json!({ "role": "assistant", "content": "a" });
    for (provider, body) in [
        (Dialect::OpenAi, json!({ "error": { "message": "no" } })),
        (Dialect::OpenAi, json!({ "choices": [] })),
        (Dialect::OpenAi, json!({ "choices": [{ "message": message, "finish_reason": null }] })),
        (Dialect::OpenAi, json!({ "choices": [{ "message": message, "finish_reason": "error" }] })),
        (Dialect::Anthropic, json!({ "type": "error", "error": { "type": "api_error" } })),
        (Dialect::Anthropic, json!({ "content": [], "stop_reason": null })),
        (Dialect::Anthropic, json!({ "stop_reason": "end_turn" })),
    ] {
        let to = if provider == Dialect::OpenAi { Endpoint::Messages } else { Endpoint::ChatCompletions };
        assert!(translate_answer(provider, to, body.to_string().as_bytes(), &context).is_err(), "{body}");
    }
}

/// Raw text is not parsed deeper than it is acted on, and what is acted on nests three deep.
#[test]
fn depth_costs_no_stack() {
    let deep = |open: &str, shut: &str| format!("{}{}", open.repeat(50_000), shut.repeat(50_000));
    let nested = deep(r#"[{"type":"tool_result","tool_use_id":"a","content":"#, "}]").replace(r#":}"#, r#":""}"#);
    let schema = deep("{\"a\":", "}").replace(":}", ":1}");
    let tools = format!(r#"[{{"name":"t","strict":true,"input_schema":{schema}}}]"#);
    for (tools, content, fine) in [("[]", nested.as_str(), false), (&tools, "\"a\"", true), ("[]", &schema, false)] {
        let body = format!(r#"{{"messages":[{{"role":"user","content":{content}}}],"tools":{tools}}}"#);
        assert_eq!(translate_request(Endpoint::Messages, body.as_bytes(), &target(Dialect::OpenAi)).is_ok(), fine);
    }
}

#[test]
fn a_model_that_reasons_gets_no_temperature() {
    for (sampling, effort, sent) in
        [(None, None, true), (None, Some("low"), false), (Some(true), Some("low"), true), (Some(false), None, false)]
    {
        let mut to = target(Dialect::OpenAi);
        to.capabilities.sampling = sampling;
        let mut body = with("temperature", json!(0.5));
        body["output_config"] = json!({ "effort": effort });
        let (out, degraded) = translate(Endpoint::Messages, &body, &to).unwrap();
        assert_eq!(out.get("temperature").is_some(), sent, "{sampling:?} {effort:?}");
        assert_eq!(degraded.contains(&notes::TEMPERATURE.to_owned()), !sent);
    }
}

#[test]
fn the_output_limit_is_the_clients_else_the_default_by_the_name_that_is_known() {
    for (from, dialect, older, name) in [
        (Endpoint::Messages, Dialect::OpenAi, false, "max_completion_tokens"),
        (Endpoint::Messages, Dialect::OpenAi, true, "max_tokens"),
        (Endpoint::ChatCompletions, Dialect::Anthropic, false, "max_tokens"),
    ] {
        let to = |most| Target { default_output: Some(77), older_limit: older, max_output: most, ..target(dialect) };
        let set = |limit: Option<u64>, most| {
            let mut body = with("max_tokens", json!(limit));
            if limit.is_none() {
                body.as_object_mut().unwrap().remove("max_tokens");
            }
            let (out, degraded) = translate(from, &body, &to(most)).unwrap();
            assert!(degraded.is_empty(), "{degraded:?}");
            let limits: Vec<_> = out.as_object().unwrap().iter().filter(|(name, _)| name.starts_with("max_")).collect();
            assert_eq!((limits.len(), limits[0].0.as_str()), (1, name));
            limits[0].1.as_u64().unwrap()
        };
        assert_eq!((set(Some(5), None), set(None, None), set(None, Some(50))), (5, 77, 50));
    }
}
