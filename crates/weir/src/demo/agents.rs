//! Two agents that ask each other to clarify: the loop that nobody meant, as it happens in real teams of agents.
//!
//! Each keeps its own conversation, and what one says is what the other is told. They speak to the gateway as an official SDK does,
//! with its two retries. Nothing here knows of runs or guards.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use weir_units::NanoUsd;

/// What the official SDKs retry by default.
const RETRIES: u32 = 2;
/// What they wait before a retry at most, where the answer names no time.
const BACKOFF: Duration = Duration::from_secs(1);
/// The longest wait that the scene has time for.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// A system prompt of some 6,000 tokens, as agents with tools and rules have.
const RULES: usize = 24_000;

/// Who an agent is.
const AGENTS: [&str; 2] = ["planner", "researcher"];

/// What came of the two.
#[derive(Debug, Default)]
pub(super) struct Talk {
    /// Turns that were answered.
    pub(super) turns: u64,
    /// Requests that were sent, retries among them.
    pub(super) requests: u64,
    pub(super) retries: u64,
    pub(super) cost: NanoUsd,
    /// Answers whose cost nobody knew.
    pub(super) unknown: u64,
    /// What the last turn cost.
    pub(super) last_cost: NanoUsd,
    pub(super) took: Duration,
    pub(super) ended: Option<Ended>,
}

/// Why they stopped before their time.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) agent: &'static str,
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) run: Option<String>,
    pub(super) request: Option<String>,
}

/// What an agent holds in mind.
struct Agent {
    name: &'static str,
    messages: Vec<Value>,
}

/// An answer to one request.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

/// Lets the two talk for at most `turns` turns.
pub(super) async fn talk(gateway: SocketAddr, model: &str, turns: u64) -> Talk {
    let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
    let began = Instant::now();
    let mut talk = Talk::default();
    let mut agents = AGENTS.map(Agent::new);
    let mut said = "Please clarify with your colleague what the usual report is, then write it.".to_owned();
    'turns: for turn in 0..turns {
        let agent = &mut agents[usize::from(!turn.is_multiple_of(2))];
        agent.messages.push(json!({ "role": "user", "content": said }));
        let body = json!({ "model": model, "max_tokens": 400, "messages": agent.messages }).to_string();
        let mut retries = 0;
        let reply = loop {
            talk.requests += 1;
            let Some(reply) = ask(&http, gateway, &body, retries).await else { break 'turns };
            match again(&reply).filter(|_| retries < RETRIES) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => break reply,
            }
            retries += 1;
            talk.retries += 1;
        };
        let text = reply.body.pointer("/choices/0/message/content").and_then(Value::as_str);
        let Some(text) = text.filter(|_| reply.status == StatusCode::OK) else {
            talk.ended = Some(Ended::from(agent.name, &reply));
            break;
        };
        match reply.header("x-weir-cost-usd").and_then(|text| text.parse::<NanoUsd>().ok()) {
            Some(cost) => {
                talk.cost += cost;
                talk.last_cost = cost;
            }
            None => talk.unknown += 1,
        }
        talk.turns += 1;
        text.clone_into(&mut said);
        agent.messages.push(json!({ "role": "assistant", "content": said }));
    }
    talk.took = began.elapsed();
    talk
}

impl Agent {
    fn new(name: &'static str) -> Self {
        let mut rules = format!("You are the {name} of a team of two. ");
        while rules.len() < RULES {
            rules.push_str("Never guess: where anything is unclear, ask your colleague before you go on. ");
        }
        Self { name, messages: vec![json!({ "role": "system", "content": rules })] }
    }
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Ended {
    fn from(agent: &'static str, reply: &Reply) -> Self {
        let said = |member: &str| reply.body["error"][member].as_str().unwrap_or_default().to_owned();
        Self {
            agent,
            status: reply.status.as_u16(),
            code: said("code"),
            message: said("message"),
            run: reply.header("x-weir-run").map(str::to_owned),
            request: reply.header("x-weir-request").map(str::to_owned),
        }
    }
}

async fn ask(
    http: &hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
    gateway: SocketAddr,
    body: &str,
    retries: u32,
) -> Option<Reply> {
    let request = Request::post(format!("http://{gateway}/v1/chat/completions"))
        .header(CONTENT_TYPE, "application/json")
        .header("x-stainless-retry-count", retries)
        .body(Full::from(body.to_owned()))
        .ok()?;
    let response = http.request(request).await.ok()?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    Some(Reply {
        status: parts.status,
        headers: parts.headers,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    })
}

/// How long the official SDKs would wait before they send it again, if they would.
fn again(reply: &Reply) -> Option<Duration> {
    let retries = match reply.header("x-should-retry") {
        Some("true") => true,
        Some("false") => false,
        _ => matches!(reply.status.as_u16(), 408 | 409 | 429 | 500..),
    };
    let named = reply.header(RETRY_AFTER.as_str()).and_then(|text| text.parse().ok()).map(Duration::from_secs);
    retries.then(|| named.unwrap_or(BACKOFF).min(LONGEST_WAIT))
}
