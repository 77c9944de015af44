//! What the mock answers when nothing goes wrong, against the shapes of the public API references.

use crate::client::{End, chat, messages, send};
use serde_json::{Value, json};
use weir_mock::{Mock, Options};

const WEATHER: &str = r#"{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}"#;

async fn start() -> Mock {
    Mock::start(Options::default()).await.unwrap()
}

/// Everything but the id and the time is fixed, so the stream is compared byte by byte.
#[tokio::test]
async fn a_chat_stream_byte_by_byte() {
    let mock = start().await;
    let body = r#"{"model":"fast","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"echo a b"}]}"#;
    let got = chat(mock.address(), body).await;
    assert_eq!(got.end, End::Whole);
    assert!(got.header("content-type").unwrap().starts_with("text/event-stream"));
    let first: Value = serde_json::from_str(got.events()[0]).unwrap();
    let head = format!(
        r#"data: {{"id":{},"object":"chat.completion.chunk","created":{},"model":"fast","service_tier":"default","system_fingerprint":"fp_mock","choices":["#,
        first["id"], first["created"]
    );
    let chunk = |delta: &str, finish: &str| {
        format!(
            "{head}{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}],\"usage\":null}}\n\n"
        )
    };
    let usage = r#"{"completion_tokens":2,"completion_tokens_details":{"accepted_prediction_tokens":0,"audio_tokens":0,"reasoning_tokens":0,"rejected_prediction_tokens":0},"prompt_tokens":5,"prompt_tokens_details":{"audio_tokens":0,"cached_tokens":0},"total_tokens":7}"#;
    let expected = [
        chunk(r#"{"role":"assistant","content":"","refusal":null}"#, "null"),
        chunk(r#"{"content":"a"}"#, "null"),
        chunk(r#"{"content":" b"}"#, "null"),
        chunk("{}", "\"stop\""),
        format!("{head}],\"usage\":{usage}}}\n\n"),
        "data: [DONE]\n\n".to_owned(),
    ];
    assert_eq!(got.body, expected.concat());
    let unasked = chat(mock.address(), &body.replace(r#""stream_options":{"include_usage":true},"#, "")).await;
    assert!(!unasked.body.contains("usage"), "no word of usage unless it was asked for");
}

#[tokio::test]
async fn a_messages_stream_byte_by_byte() {
    let mock = start().await;
    let body = r#"{"model":"fast","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"echo a b"}]}"#;
    let got = messages(mock.address(), body).await;
    let first: Value = serde_json::from_str(got.events()[0]).unwrap();
    let cache = r#""cache_creation":{"ephemeral_1h_input_tokens":0,"ephemeral_5m_input_tokens":0},"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"input_tokens":5"#;
    let expected = [
        format!(
            "event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{{\"id\":{},\"type\":\"message\",\"role\":\"assistant\",\"model\":\"fast\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{{{cache},\"output_tokens\":1,\"service_tier\":\"standard\"}}}}}}\n\n",
            first["message"]["id"]
        ),
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n".to_owned(),
        "event: ping\ndata: {\"type\": \"ping\"}\n\n".to_owned(),
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n".to_owned(),
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" b\"}}\n\n".to_owned(),
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n".to_owned(),
        format!("event: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\",\"stop_sequence\":null}},\"usage\":{{{cache},\"output_tokens\":2}}}}\n\n"),
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n".to_owned(),
    ];
    assert_eq!(got.body, expected.concat());
}

/// The same conversation gets the same words everywhere: this is what a splice across providers lives on.
#[tokio::test]
async fn the_same_conversation_gets_the_same_words_from_every_mock_and_dialect() {
    let (one, two) = (start().await, Mock::start(Options { seed: 9, ..Options::default() }).await.unwrap());
    let said = |model: &str, stream: bool| {
        json!({"model": model, "max_tokens": 500, "stream": stream, "messages": [{"role": "user", "content": "tell me of rivers"}]}).to_string()
    };
    let unary = chat(one.address(), &said("fast", false)).await.json();
    let text = unary["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
    let other = messages(two.address(), &said("smart", false)).await.json();
    assert_eq!(other["content"][0]["text"], text);
    let mut streamed = String::new();
    for event in chat(two.address(), &said("smart", true)).await.events() {
        let chunk: Value = serde_json::from_str(event).unwrap_or(Value::Null);
        streamed.push_str(chunk["choices"][0]["delta"]["content"].as_str().unwrap_or(""));
    }
    assert_eq!(streamed, text);
    assert_eq!(unary["usage"]["completion_tokens"], other["usage"]["output_tokens"]);
}

#[tokio::test]
async fn tools_are_called_when_asked_and_their_results_are_read() {
    let mock = start().await;
    let schema: Value = serde_json::from_str(WEATHER).unwrap();
    let tools = json!([{"type": "function", "function": {"name": "weather", "parameters": schema}}]);
    let ask = |text: &str| {
        json!({"model": "fast", "tools": tools, "messages": [{"role": "user", "content": text}]}).to_string()
    };
    let called = chat(mock.address(), &ask("use the tools twice")).await.json();
    let calls = called["choices"][0]["message"]["tool_calls"].as_array().unwrap().clone();
    assert_eq!((calls.len(), called["choices"][0]["finish_reason"].as_str()), (2, Some("tool_calls")));
    let arguments: Value = serde_json::from_str(calls[0]["function"]["arguments"].as_str().unwrap()).unwrap();
    assert!(arguments["city"].is_string());
    assert_eq!(chat(mock.address(), &ask("no call")).await.json()["choices"][0]["finish_reason"], "stop");
    let turn = json!([
        {"role": "user", "content": "use the tool"},
        {"role": "assistant", "content": null, "tool_calls": [calls[0]]},
        {"role": "tool", "tool_call_id": calls[0]["id"], "content": "sunny"},
    ]);
    let answered =
        chat(mock.address(), &json!({"model": "fast", "tools": tools, "messages": turn}).to_string()).await.json();
    assert_eq!(answered["choices"][0]["message"]["content"], "The tool said: sunny");
    let tools = json!([{"name": "weather", "input_schema": schema}]);
    let body = json!({"model": "fast", "max_tokens": 99, "stream": true, "tools": tools, "messages": [{"role": "user", "content": "a tool"}]});
    let got = messages(mock.address(), &body.to_string()).await;
    let events: Vec<Value> = got.events().iter().map(|e| serde_json::from_str(e).unwrap()).collect();
    let joined: String = events.iter().filter_map(|e| e["delta"]["partial_json"].as_str()).collect();
    assert!(serde_json::from_str::<Value>(&joined).unwrap()["city"].is_string());
    assert!(got.body.contains("\"stop_reason\":\"tool_use\"") && got.body.contains("\"id\":\"toolu_"));
}

#[tokio::test]
async fn what_was_asked_of_an_answer_is_honoured() {
    let mock = start().await;
    let ask = |more: Value| {
        let mut body = json!({"model": "fast", "messages": [{"role": "user", "content": "echo one two three"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body.to_string()
    };
    let short = chat(mock.address(), &ask(json!({"max_completion_tokens": 2}))).await.json();
    assert_eq!(short["choices"][0]["message"]["content"], "one two");
    assert_eq!(
        (short["choices"][0]["finish_reason"].as_str(), short["usage"]["completion_tokens"].as_u64()),
        (Some("length"), Some(2))
    );
    let stopped = chat(mock.address(), &ask(json!({"stop": ["two"]}))).await.json();
    assert_eq!(stopped["choices"][0]["message"]["content"], "one ");
    let stopped = messages(mock.address(), &ask(json!({"stop_sequences": ["two"], "max_tokens": 9}))).await.json();
    assert_eq!(
        (stopped["stop_reason"].as_str(), stopped["stop_sequence"].as_str()),
        (Some("stop_sequence"), Some("two"))
    );
    let many = chat(mock.address(), &ask(json!({"n": 3, "logprobs": true}))).await.json();
    assert_eq!(many["choices"].as_array().unwrap().len(), 3);
    assert_eq!(many["choices"][0]["logprobs"]["content"][0]["token"], "one");
    let schema = json!({"type": "json_schema", "json_schema": {"name": "w", "schema": serde_json::from_str::<Value>(WEATHER).unwrap()}});
    let shaped = chat(mock.address(), &ask(json!({"response_format": schema}))).await.json();
    let value: Value = serde_json::from_str(shaped["choices"][0]["message"]["content"].as_str().unwrap()).unwrap();
    assert!(value["city"].is_string());
    let thought =
        messages(mock.address(), &ask(json!({"max_tokens": 99, "thinking": {"type": "adaptive"}}))).await.json();
    assert_eq!(
        (thought["content"][0]["type"].as_str(), thought["content"][1]["type"].as_str()),
        (Some("thinking"), Some("text"))
    );
    let replay = json!({"model": "fast", "max_tokens": 9, "messages": [
        {"role": "user", "content": "hi"}, {"role": "assistant", "content": thought["content"]}, {"role": "user", "content": "go on"}]});
    assert_eq!(messages(mock.address(), &replay.to_string()).await.status, 200, "its own signature");
    let forged = replay.to_string().replace("bW9jaw", "bW9jax");
    assert_eq!(messages(mock.address(), &forged).await.status, 400, "a foreign one");
    let reasoned = chat(mock.address(), &ask(json!({"reasoning_effort": "low", "prompt_cache_key": "k"}))).await.json();
    assert!(reasoned["choices"][0]["message"]["reasoning_content"].is_string());
    assert!(reasoned["usage"]["completion_tokens_details"]["reasoning_tokens"].as_u64() > Some(0));
    assert!(reasoned["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64() > Some(0));
}

#[tokio::test]
async fn images_are_counted() {
    let mock = start().await;
    let part = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}});
    let body =
        json!({"model": "fast", "messages": [{"role": "user", "content": [{"type": "text", "text": "what?"}, part]}]});
    let text = chat(mock.address(), &body.to_string()).await.json()["choices"][0]["message"]["content"].to_string();
    assert!(text.starts_with("\"I see 1 image."), "{text}");
}

#[tokio::test]
async fn what_a_strict_provider_refuses_is_refused() {
    let mock = start().await;
    for messages in [
        r#"[]"#,
        r#"[{"role":"robot","content":"x"}]"#,
        r#"[{"role":"user","content":7}]"#,
        r#"[{"role":"user","content":[{"type":"image","source":{}}]}]"#,
        r#"[{"role":"assistant","content":null}]"#,
        r#"[{"role":"tool","tool_call_id":"c","content":"x"}]"#,
        r#"[{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"user","content":"x"}]"#,
        r#"[{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":{}}}]}]"#,
    ] {
        let got = chat(mock.address(), &format!(r#"{{"model":"fast","messages":{messages}}}"#)).await;
        assert_eq!(
            (got.status, got.json()["error"]["type"].as_str()),
            (400, Some("invalid_request_error")),
            "{messages}"
        );
    }
    for more in [
        r#""temperature":3"#,
        r#""stop":[1]"#,
        r#""stream_options":{}"#,
        r#""tool_choice":"auto""#,
        r#""max_tokens":0"#,
    ] {
        let got =
            chat(mock.address(), &format!(r#"{{"model":"fast",{more},"messages":[{{"role":"user","content":"x"}}]}}"#))
                .await;
        assert_eq!(got.status, 400, "{more}");
    }
    for conversation in [
        r#"[{"role":"system","content":"x"}]"#,
        r#"[{"role":"assistant","content":"x"}]"#,
        r#"[{"role":"user","content":""}]"#,
        r#"[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]"#,
        r#"[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"x"}]}]"#,
        r#"[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":"{}"}]}]"#,
        r#"[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}}]},{"role":"user","content":"y"}]"#,
    ] {
        let got =
            messages(mock.address(), &format!(r#"{{"model":"fast","max_tokens":9,"messages":{conversation}}}"#)).await;
        assert_eq!(
            (got.status, got.json()["error"]["type"].as_str()),
            (400, Some("invalid_request_error")),
            "{conversation}"
        );
    }
}

#[tokio::test]
async fn the_second_anthropic_version_refuses_exactly_three_things_more() {
    let mock = start().await;
    for body in [
        r#"{"model":"m","max_tokens":9,"temperature":0.5,"messages":[{"role":"user","content":"x"}]}"#,
        r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"x","citations":[{"type":"char_location"}]}]}]}"#,
        r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"d"}}]},{"role":"user","content":"y"}]}"#,
    ] {
        let mut statuses = Vec::new();
        for version in ["2023-06-01", "2026-10-21"] {
            let headers = format!("anthropic-version: {version}\r\n");
            statuses.push(send(mock.address(), "POST", "/v1/messages", &headers, body).await.status);
        }
        assert_eq!(statuses, [200, 400], "{body}");
    }
    let plain = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}]}"#;
    assert_eq!(send(mock.address(), "POST", "/v1/messages", "", plain).await.status, 400, "a version is required");
    let no_max = r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#;
    assert_eq!(messages(mock.address(), no_max).await.status, 400, "max_tokens is required");
    let path = "/v1/messages/count_tokens";
    let counted = send(mock.address(), "POST", path, "anthropic-version: 2026-10-21\r\n", no_max).await.json();
    assert_eq!(counted, json!({"input_tokens": 4}));
}

#[tokio::test]
async fn responses_are_numbered_stored_and_chained() {
    let mock = start().await;
    let path = "/v1/responses";
    let first = send(mock.address(), "POST", path, "", r#"{"model":"fast","input":"echo hello"}"#).await.json();
    assert_eq!(first["output"][0]["content"][0]["text"], "hello");
    let chained =
        format!(r#"{{"model":"fast","input":"echo on","stream":true,"previous_response_id":{}}}"#, first["id"]);
    let got = send(mock.address(), "POST", path, "", &chained).await;
    let events: Vec<Value> = got.events().iter().map(|e| serde_json::from_str(e).unwrap()).collect();
    assert!(events.iter().enumerate().all(|(n, event)| event["sequence_number"] == n));
    assert_eq!(events[0]["type"], "response.created");
    assert_eq!(events.last().unwrap()["type"], "response.completed");
    assert_eq!(events.last().unwrap()["response"]["previous_response_id"], first["id"]);
    for line in got.body.lines().filter_map(|line| line.strip_prefix("event: ")) {
        assert!(events.iter().any(|event| event["type"] == line), "{line}");
    }
    let unknown = r#"{"model":"fast","input":"x","previous_response_id":"resp_nobody"}"#;
    assert_eq!(send(mock.address(), "POST", path, "", unknown).await.status, 404);
    let kept = format!("{path}/{}", first["id"].as_str().unwrap());
    assert_eq!(send(mock.address(), "GET", &kept, "", "").await.json(), first);
}

#[tokio::test]
async fn the_other_endpoints_answer() {
    let mock = Mock::start(Options { api_key: Some("k".to_owned()), ..Options::default() }).await.unwrap();
    let auth = "authorization: Bearer k\r\n";
    let ask = r#"{"model":"embed","input":["a","b"],"dimensions":8,"encoding_format":"ENC"}"#;
    let vectors = send(mock.address(), "POST", "/v1/embeddings", auth, &ask.replace("ENC", "float")).await.json();
    assert_eq!(vectors["data"][1]["embedding"].as_array().unwrap().len(), 8);
    assert_ne!(vectors["data"][0]["embedding"], vectors["data"][1]["embedding"]);
    let packed = send(mock.address(), "POST", "/v1/embeddings", auth, &ask.replace("ENC", "base64")).await.json();
    assert_eq!(packed["data"][0]["embedding"].as_str().unwrap().len(), 44, "32 bytes in base64");
    let text = send(mock.address(), "POST", "/v1/completions", auth, r#"{"model":"fast","prompt":"echo hi you"}"#)
        .await
        .json();
    assert_eq!(
        (text["object"].as_str(), text["choices"][0]["text"].as_str()),
        (Some("text_completion"), Some("hi you"))
    );
    assert_eq!(send(mock.address(), "GET", "/v1/models", auth, "").await.json()["object"], "list");
    let theirs =
        send(mock.address(), "GET", "/v1/models/smart", "x-api-key: k\r\nanthropic-version: 2023-06-01\r\n", "").await;
    assert_eq!((theirs.status, theirs.json()["type"].as_str()), (200, Some("model")));
    assert_eq!(send(mock.address(), "GET", "/v1/models/missing", auth, "").await.status, 404);
    assert_eq!(send(mock.address(), "GET", "/v1/chat/completions", auth, "").await.status, 405);
    let refused = send(mock.address(), "POST", "/v1/embeddings", "authorization: Bearer wrong\r\n", "{}").await;
    assert_eq!((refused.status, refused.json()["error"]["code"].as_str()), (401, Some("invalid_api_key")));
}

#[tokio::test]
async fn what_is_too_much_gets_a_clear_error() {
    let mock = start().await;
    let deep = format!("{{\"model\":{}", "[".repeat(10_000));
    assert_eq!(chat(mock.address(), &deep).await.status, 400);
    let body = format!("{{\"model\":\"fast\",\"x\":\"{}\"}}", "y".repeat(33 << 20));
    assert_eq!(chat(mock.address(), &body).await.json()["error"]["param"], "messages", "33 MiB are read");
    let long = r#"{"model":"fast","messages":[{"role":"user","content":"words=1000000"}]}"#;
    let answer = chat(mock.address(), long).await.json();
    assert_eq!(
        (answer["usage"]["completion_tokens"].as_u64(), answer["choices"][0]["finish_reason"].as_str()),
        (Some(20_000), Some("stop"))
    );
}
