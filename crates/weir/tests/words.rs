//! What a client and an operator are told beside the answer: ids, headers, labels, and which refusal it is.
//!
//! The provider of these tests says exactly what each test wants it to say, which a mock of ours would say in its own way.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

#[path = "faults/client.rs"]
#[expect(dead_code, reason = "these tests read no stream")]
mod client;

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use weir_config::Environment;
use weir_gateway::Gateway;

use crate::client::{Got, send};

const KEY: &str = "x-api-key: weir_0123456789abcdef0123456789\r\n";
const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";

/// A status by which a script orders [`stream_slowly`].
const SLOWLY: u16 = 1;
/// A status by which a script orders [`ping_forever`].
const PINGING: u16 = 2;

/// What was asked last, by path and body.
type Asked = Arc<Mutex<Option<(String, Value)>>>;
/// Status, headers and body for a model of this name.
type Script = fn(&str) -> (u16, &'static str, Value);

/// A provider that answers by `script`.
struct Provider {
    address: SocketAddr,
    asked: Asked,
}

impl Provider {
    async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Asked::default();
        let seen = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, script, Arc::clone(&seen)));
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> (String, Value) {
        self.asked.lock().unwrap().clone().unwrap()
    }
}

async fn serve(mut stream: TcpStream, script: Script, asked: Asked) {
    let mut raw = Vec::new();
    let (path, body) = loop {
        if stream.read_buf(&mut raw).await.unwrap_or(0) == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&raw);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str::<Value>(body)
        {
            break (head.split(' ').nth(1).unwrap_or_default().to_owned(), body);
        }
    };
    let (status, headers, answer) = script(body["model"].as_str().unwrap_or_default());
    *asked.lock().unwrap() = Some((path, body));
    if status == 0 {
        // Silence.
        std::future::pending::<()>().await;
    }
    if status == SLOWLY {
        return stream_slowly(stream).await;
    }
    if status == PINGING {
        return ping_forever(stream).await;
    }
    let answer = answer.to_string();
    let mut head = format!("HTTP/1.1 {status} .\r\nconnection: close\r\ncontent-type: application/json\r\n{headers}");
    let _ = write!(head, "content-length: {}\r\n\r\n{answer}", answer.len());
    let _ = stream.write_all(head.as_bytes()).await;
}

/// A word each 50 ms, for half a second.
async fn stream_slowly(mut stream: TcpStream) {
    let head = "HTTP/1.1 200 .\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n";
    let _ = stream.write_all(head.as_bytes()).await;
    for n in 0..10 {
        let finish = if n == 9 { "\"stop\"" } else { "null" };
        let choice = format!(r#"{{"index":0,"delta":{{"content":"w"}},"finish_reason":{finish}}}"#);
        let chunk = format!("data: {{\"id\":\"c\",\"model\":\"m\",\"choices\":[{choice}]}}\n\n");
        let _ = stream.write_all(chunk.as_bytes()).await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let _ = stream.write_all(b"data: [DONE]\n\n").await;
}

/// A word of a message, and then nothing but signs of life.
async fn ping_forever(mut stream: TcpStream) {
    let head = "HTTP/1.1 200 .\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n";
    let start = r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}}"#;
    let block = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
    let word = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"w"}}"#;
    let begun = format!(
        "{head}event: message_start\ndata: {start}\n\nevent: content_block_start\ndata: {block}\n\n\
         event: content_block_delta\ndata: {word}\n\n"
    );
    let _ = stream.write_all(begun.as_bytes()).await;
    let ping = b"event: ping\ndata: {\"type\":\"ping\"}\n\n";
    while stream.write_all(ping).await.is_ok() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// The file, and a credential for every variable.
struct Text(String);

impl Environment for Text {
    fn var(&self, _: &str) -> Option<String> {
        Some("weir_0123456789abcdef0123456789".to_owned())
    }

    fn read(&self, _: &Path) -> std::io::Result<String> {
        Ok(self.0.clone())
    }
}

struct World {
    gateway: Gateway,
    _folder: tempfile::TempDir,
}

impl World {
    /// Three providers at one address, a key with a default limit, and what `more` says.
    async fn start(provider: &Provider, more: &str) -> Self {
        Self::start_with(provider, "", more).await
    }

    /// The same, with settings of the server.
    async fn start_with(provider: &Provider, server: &str, more: &str) -> Self {
        let address = provider.address;
        let mut text = format!("[server]\nlisten = \"127.0.0.1:0\"\n{server}[retry]\nattempts = 1\n");
        for (name, kind, path) in [("o", "openai", "/v1"), ("a", "anthropic", ""), ("c", "openai-compatible", "/v1")] {
            let _ = write!(
                text,
                "[providers.{name}]\nkind = \"{kind}\"\nbase-url = \"http://{address}{path}\"\napi-key = {{ env = \"K\" }}\n"
            );
        }
        let key = "[keys.bot]\nkey = { env = \"K\" }\nmax-tokens-default = 77\n";
        let folder = tempfile::tempdir().unwrap();
        let report = weir_config::load(&folder.path().join("weir.toml"), &Text(format!("{text}{key}{more}")));
        assert!(report.faults.is_empty(), "{:?}", report.faults);
        Self { gateway: Gateway::start(report.config.unwrap()).await.unwrap(), _folder: folder }
    }

    async fn ask(&self, path: &str, headers: &str, body: Value) -> Got {
        send(self.gateway.address(), path, &format!("{KEY}{headers}"), &body.to_string()).await.unwrap()
    }
}

fn asking(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] })
}

fn chat() -> Value {
    let message = json!({ "role": "assistant", "content": "hi" });
    let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
    json!({ "id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice] })
}

fn message() -> Value {
    let usage = json!({ "input_tokens": 1, "output_tokens": 1 });
    let content = json!([{ "type": "text", "text": "hi" }]);
    json!({
        "id": "m", "type": "message", "role": "assistant", "model": "m", "content": content,
        "stop_reason": "end_turn", "stop_sequence": null, "usage": usage,
    })
}

fn by_name(model: &str) -> (u16, &'static str, Value) {
    let error = json!({ "error": { "message": "no", "type": "x", "param": null, "code": null } });
    match model {
        "silent" => (0, "", Value::Null),
        "slow" => (SLOWLY, "", Value::Null),
        "pinging" => (PINGING, "", Value::Null),
        "bad" => (400, "x-request-id: req_of_openai\r\n", error),
        "limited" | "limited-too" => (429, "request-id: req_of_anthropic\r\nretry-after: 60\r\n", error),
        "broken" => (500, "", error),
        "large" => (200, "", json!({ "choices": [{ "message": { "content": "w".repeat(200_000) } }] })),
        "claude" => (200, "request-id: req_of_anthropic\r\n", message()),
        _ => (200, "x-request-id: req_of_openai\r\n", chat()),
    }
}

#[tokio::test]
async fn an_answer_carries_the_providers_id_and_weirs_own() {
    let provider = Provider::start(by_name).await;
    let world = World::start(&provider, "").await;
    for (path, model, status, id) in [
        (CHAT, "o/gpt", 200, "req_of_openai"),
        (MESSAGES, "o/gpt", 200, "req_of_openai"),
        (MESSAGES, "a/claude", 200, "req_of_anthropic"),
        (CHAT, "a/claude", 200, "req_of_anthropic"),
        (CHAT, "o/bad", 400, "req_of_openai"),
        (MESSAGES, "o/bad", 400, "req_of_openai"),
        (MESSAGES, "a/limited", 429, "req_of_anthropic"),
        (CHAT, "a/limited-too", 429, "req_of_anthropic"),
    ] {
        let got = world.ask(path, "x-weir-run: r\r\n", asking(model)).await;
        let header = |name| got.header(name).unwrap_or_default();
        assert_eq!((got.status, header("x-request-id")), (status, id), "{path} {model}: {}", got.body);
        assert_eq!(got.header("request-id").is_some(), path == MESSAGES || id == "req_of_anthropic" && status == 200);
        if path == MESSAGES {
            assert_eq!(header("request-id"), id, "{model}");
        }
        assert!(header("x-weir-request").starts_with("req_0"), "{path} {model}");
        assert_eq!((header("x-weir-deployment"), header("x-weir-attempts")), (model, "1"), "{path}");
        assert_eq!((header("x-weir-queued-ms"), header("x-weir-run")), ("0", "r"), "{path} {model}");
    }
}

#[tokio::test]
async fn a_request_that_was_never_admitted_is_told_as_much_as_any() {
    let provider = Provider::start(by_name).await;
    let world = World::start(&provider, "").await;
    let address = world.gateway.address();
    let unknown = world.ask(MESSAGES, "", asking("nobody/x")).await;
    let stranger = send(address, CHAT, "", &asking("o/gpt").to_string()).await.unwrap();
    let get = send(address, CHAT, KEY, "").await.unwrap();
    for (got, status) in [(unknown, 404), (stranger, 401), (get, 405)] {
        assert_eq!(got.status, status);
        for (name, value) in [("x-weir-attempts", "0"), ("x-weir-queued-ms", "0"), ("x-weir-refused-by", "weir")] {
            assert_eq!(got.header(name), Some(value), "{status}");
        }
        assert_eq!(got.header("x-request-id"), got.header("x-weir-request"), "{status}");
        assert!(got.header("x-weir-overhead-us").is_some() && got.header("x-weir-request").is_some(), "{status}");
    }
    let models = send(address, "/v1/models", KEY, "").await.unwrap();
    assert!(models.header("x-request-id").is_some_and(|id| id.starts_with("req_")));
}

#[tokio::test]
async fn a_keys_default_limit_holds_in_every_dialect_by_the_name_that_is_known() {
    let provider = Provider::start(by_name).await;
    let world = World::start(&provider, "").await;
    for (path, model, name) in [
        (CHAT, "o/gpt-4o", "max_completion_tokens"),
        (CHAT, "c/llama", "max_tokens"),
        (CHAT, "a/claude", "max_tokens"),
        (MESSAGES, "o/gpt-4o", "max_completion_tokens"),
        (MESSAGES, "c/llama", "max_tokens"),
    ] {
        assert_eq!(world.ask(path, "", asking(model)).await.status, 200, "{path} {model}");
        let (_, body) = provider.asked();
        let limits: Vec<_> = body.as_object().unwrap().iter().filter(|(n, _)| n.starts_with("max_")).collect();
        assert_eq!(limits, [(&name.to_owned(), &json!(77))], "{path} {model}");
    }
}

#[tokio::test]
async fn a_request_is_at_fault_only_where_no_deployment_can_be_asked_it() {
    let provider = Provider::start(by_name).await;
    let more = "[routes.r]\ndeployments = [\"a/claude\", \"o/broken\"]\n[breaker]\nconsecutive-failures = 2\n";
    let world = World::start(&provider, more).await;
    let two_answers = |model: &str| {
        let mut body = asking(model);
        body["n"] = json!(2);
        body
    };
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(world.ask(CHAT, "", two_answers("r")).await.status);
    }
    assert_eq!(statuses, [502, 502, 503, 503], "only one of the two can, and it rests");
    assert_eq!(world.ask(CHAT, "", two_answers("a/claude")).await.status, 400);
}

#[tokio::test]
async fn a_clients_short_deadline_says_nothing_of_the_provider() {
    let provider = Provider::start(by_name).await;
    let world = World::start(&provider, "[breaker]\nconsecutive-failures = 2\n").await;
    for _ in 0..5 {
        let got = world.ask(CHAT, "x-weir-deadline: \"60ms\"\r\n", asking("o/silent")).await;
        assert_eq!((got.status, got.header("x-weir-attempts")), (504, Some("1")), "{}", got.body);
    }
    let none_left = world.ask(CHAT, "x-weir-deadline: 0ms\r\n", asking("o/gpt")).await;
    assert_eq!((none_left.status, none_left.header("x-weir-attempts")), (503, Some("0")));
    assert!(none_left.body.contains("capacity_exhausted") && none_left.header("retry-after") == Some("1"));
}

#[tokio::test]
async fn a_declared_deployment_has_its_own_label_even_if_it_never_answers() {
    let provider = Provider::start(by_name).await;
    let world = World::start(&provider, "[routes.r]\ndeployments = [\"o/broken\"]\n").await;
    for (model, status) in [("r", 502), ("o/bad", 400), ("o/gpt", 200)] {
        assert_eq!(world.ask(CHAT, "", asking(model)).await.status, status, "{model}");
    }
    let page = send(world.gateway.address(), "/metrics", "", "").await.unwrap().body;
    for (label, known) in [("o/broken", true), ("other", true), ("o/gpt", true), ("o/bad", false)] {
        assert_eq!(page.contains(&format!("deployment=\"{label}\"")), known, "{label} in\n{page}");
    }
}

#[tokio::test]
async fn tokens_are_counted_by_what_the_model_reported_whatever_it_is_called() {
    let provider = Provider::start(|_| {
        let mut answer = chat();
        answer["usage"] = json!({ "prompt_tokens": 40, "completion_tokens": 1, "total_tokens": 41 });
        (200, "", answer)
    })
    .await;
    let world = World::start(&provider, "[routes.r]\ndeployments = [\"o/gpt\"]\n").await;
    for model in ["r", "o/gpt"] {
        let count = async || world.ask("/v1/messages/count_tokens", "", asking(model)).await.json().unwrap();
        let before = count().await["input_tokens"].as_u64().unwrap();
        assert_eq!(world.ask(CHAT, "", asking(model)).await.status, 200);
        let after = count().await["input_tokens"].as_u64().unwrap();
        assert!(after > 20 && (before < 20 || model != "r"), "{model}: {before}, then {after}");
    }
}

#[tokio::test]
async fn an_sdks_read_timeout_ends_no_stream_that_flows_and_a_deadline_does() {
    let provider = Provider::start(by_name).await;
    let world = World::start(&provider, "").await;
    let mut body = asking("o/slow");
    body["stream"] = json!(true);
    let flowing = world.ask(CHAT, "x-stainless-read-timeout: 0.25\r\n", body.clone()).await;
    assert!(flowing.body.ends_with("data: [DONE]\n\n"), "{}", flowing.body);
    let cut = world.ask(CHAT, "x-weir-deadline: 250ms\r\n", body).await;
    assert!(cut.body.contains("the client's deadline passed") && !cut.body.contains("[DONE]"), "{}", cut.body);
    let silent = world.ask(CHAT, "x-stainless-read-timeout: 0.25\r\n", asking("o/silent")).await;
    assert_eq!(silent.status, 504);
}

#[tokio::test]
async fn answers_count_towards_the_memory_that_all_bodies_share() {
    let provider = Provider::start(by_name).await;
    let world = World::start_with(&provider, "body-limit = 50_000\nbuffer-limit = 100_000\n", "").await;
    for _ in 0..7 {
        let got = world.ask(CHAT, "", asking("o/large")).await;
        assert_eq!((got.status, got.json().unwrap()["error"]["code"].as_str().unwrap()), (503, "capacity_exhausted"));
        assert_eq!(got.header("x-weir-refused-by"), Some("weir"));
    }
    // What was held was given back, and none of it was the provider's fault: its breaker is closed.
    assert_eq!(world.ask(CHAT, "", asking("o/gpt")).await.status, 200);
    assert_eq!(world.ask(CHAT, "", asking("o/large")).await.status, 503);
}

#[tokio::test]
async fn pings_do_not_keep_a_stalled_stream_open() {
    let provider = Provider::start(by_name).await;
    let world = World::start(&provider, "[timeouts]\nstall = \"300ms\"\n").await;
    for path in [CHAT, MESSAGES] {
        let mut asked = asking("a/pinging");
        asked["stream"] = json!(true);
        asked["max_tokens"] = json!(5);
        let got = world.ask(path, "", asked).await;
        assert_eq!(got.status, 200);
        let text = &got.body;
        assert!(text.contains("upstream_timeout"), "{text}");
        assert!(!text.contains("[DONE]") && !text.contains("message_stop"), "{text}");
    }
}
