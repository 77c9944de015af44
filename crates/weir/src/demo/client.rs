//! The demo's client: sends requests as SDKs do, reads answers to their end, and writes down what it really got.
//!
//! Three of four speak OpenAI's dialect and one Anthropic's, so that whichever provider serves, something is translated.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::house::ROUTE;
use super::slice::Due;

/// Whoever waits longer than this for an answer goes away, and has none.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends requests to one gateway. Cheap to clone.
#[derive(Clone)]
pub(super) struct Client {
    http: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
    gateway: SocketAddr,
}

/// What a client got.
#[derive(Clone, Debug, Default)]
pub(super) struct Got {
    /// A 200 whose answer was whole.
    pub(super) answered: bool,
    pub(super) streamed: bool,
    pub(super) status: Option<u16>,
    /// Who served, `provider/model`.
    pub(super) deployment: Option<String>,
    /// The id that the ledger knows it by.
    pub(super) id: Option<String>,
    pub(super) attempts: u64,
    pub(super) overhead_us: Option<u64>,
    /// From sending to the first byte of a streamed answer.
    pub(super) first_token: Option<Duration>,
    /// From sending to the end.
    pub(super) took: Duration,
}

#[derive(Clone, Copy)]
enum Dialect {
    OpenAi,
    Anthropic,
}

impl Client {
    pub(super) fn new(gateway: SocketAddr) -> Self {
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
        Self { http, gateway }
    }

    /// Sends the `number`-th request and reads its answer to the end.
    pub(super) async fn ask(&self, number: u64, due: Due) -> Got {
        let began = Instant::now();
        let mut got = Got { streamed: number.is_multiple_of(2), ..Got::default() };
        // Whatever is not answered within the time has no answer: there is no error to look into.
        let whole = tokio::time::timeout(PATIENCE, self.exchange(number, due, began, &mut got)).await;
        got.answered = matches!(whole, Ok(Some(true)));
        got.took = began.elapsed();
        got
    }

    /// Whether the answer was whole; none if the connection broke.
    async fn exchange(&self, number: u64, due: Due, began: Instant, got: &mut Got) -> Option<bool> {
        let dialect = if number % 4 == 3 { Dialect::Anthropic } else { Dialect::OpenAi };
        let response = self.http.request(self.request(number, due, dialect, got.streamed)?).await.ok()?;
        let status = response.status();
        read_headers(response.headers(), got);
        got.status = Some(status.as_u16());
        let mut body = response.into_body();
        let mut text = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.ok()?.into_data() else { continue };
            if got.streamed && status == StatusCode::OK {
                got.first_token.get_or_insert_with(|| began.elapsed());
            }
            text.extend_from_slice(&data);
        }
        Some(status == StatusCode::OK && if got.streamed { is_whole_stream(&text) } else { is_whole(&text) })
    }

    fn request(&self, number: u64, due: Due, dialect: Dialect, stream: bool) -> Option<Request<Full<Bytes>>> {
        let (path, version) = match dialect {
            Dialect::OpenAi => ("/v1/chat/completions", None),
            Dialect::Anthropic => ("/v1/messages", Some((HeaderName::from_static("anthropic-version"), "2023-06-01"))),
        };
        let body = json!({
            "model": ROUTE,
            "max_tokens": due.output + 8,
            "stream": stream,
            "messages": [{ "role": "user", "content": prompt(number, due) }],
        });
        let mut request =
            Request::post(format!("http://{}{path}", self.gateway)).header(CONTENT_TYPE, "application/json");
        if let Some((name, value)) = version {
            request = request.header(name, value);
        }
        request.body(Full::from(body.to_string())).ok()
    }
}

/// A prompt of `due.input` tokens, about four characters each; the mock answers with as many words as it asks for.
fn prompt(number: u64, due: Due) -> String {
    let mut text = format!("words={} request {number}: what does a river carry? ", due.output);
    let length = usize::try_from(due.input * 4).unwrap_or(usize::MAX);
    while text.len() < length {
        text.push_str("What it can, and a low dam measures each drop that passes. ");
    }
    text.truncate(length.max(32));
    text
}

fn read_headers(headers: &HeaderMap, got: &mut Got) {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let number = |name: &str| text(name).and_then(|value| value.parse().ok());
    got.id = text("x-weir-request");
    got.deployment = text("x-weir-deployment");
    got.attempts = number("x-weir-attempts").unwrap_or(0);
    got.overhead_us = number("x-weir-overhead-us");
}

/// Whether a streamed answer ended as its dialect ends answers, without an error on the way.
fn is_whole_stream(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let ended = text.trim_end().ends_with("data: [DONE]") || text.contains("event: message_stop");
    ended && !text.contains("event: error") && !text.contains("data: {\"error\"")
}

fn is_whole(text: &[u8]) -> bool {
    serde_json::from_slice::<Value>(text).is_ok_and(|answer| {
        let said = answer.pointer("/choices/0/message/content").or_else(|| answer.pointer("/content/0/text"));
        said.and_then(Value::as_str).is_some_and(|text| !text.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_only_when_it_is_whole() {
        for (text, whole) in [
            ("data: {\"choices\":[]}\n\ndata: [DONE]\n\n", true),
            ("data: {\"choices\":[]}\n\n", false),
            ("data: {\"error\":{\"message\":\"no\"}}\n\ndata: [DONE]\n\n", false),
            ("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", true),
            ("event: error\ndata: {}\n\nevent: message_stop\ndata: {}\n\n", false),
            ("", false),
        ] {
            assert_eq!(is_whole_stream(text.as_bytes()), whole, "{text}");
        }
        assert!(is_whole(br#"{"choices":[{"message":{"content":"hi"}}]}"#));
        assert!(is_whole(br#"{"content":[{"type":"text","text":"hi"}]}"#));
        assert!(!is_whole(br#"{"choices":[{"message":{"content":""}}]}"#) && !is_whole(b"{\"choices\":[{"));
    }

    #[test]
    fn a_prompt_has_the_tokens_of_the_trace_and_asks_for_its_answer() {
        let due = Due { after: Duration::ZERO, input: 1_000, output: 25 };
        let text = prompt(7, due);
        assert_eq!(text.len(), 4_000);
        assert!(text.starts_with("words=25 "));
    }
}
