//! One small call to a deployment, outside of all traffic: does its credential work, is its model there, does it stream, does
//! it report usage, which limits does it name.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};
use weir_config::Config;
use weir_units::{DeploymentId, FaultClass, Usage};
use weir_wire::{Dialect, Endpoint, LimitSeen, ProviderKind, Relay, RelayOptions, Reply};

use crate::body::Segments;
use crate::fault::causes;
use crate::headers;
use crate::tls;
use crate::upstream::{StandIns, Upstream, client};

/// The longest that one probe may take.
const BOUND: Duration = Duration::from_secs(60);
/// Output asked for: enough for a word.
const OUTPUT: u64 = 16;

/// What one probe found.
#[derive(Debug)]
pub struct Probe {
    /// What was called.
    pub deployment: DeploymentId,
    /// What went wrong, if anything did.
    pub fault: Option<(FaultClass, String)>,
    /// Whether the answer came as a stream; none where the deployment does not stream by nature.
    pub streamed: Option<bool>,
    /// What it reported to have used.
    pub usage: Option<Usage>,
    /// From the call to the first content.
    pub first_content: Option<Duration>,
    /// The limits that its headers named.
    pub limits: Vec<LimitSeen>,
}

/// Calls `deployment` once.
pub async fn probe(config: &Config, deployment: &DeploymentId) -> Probe {
    let mut found = Probe {
        deployment: deployment.clone(),
        fault: None,
        streamed: None,
        usage: None,
        first_content: None,
        limits: Vec::new(),
    };
    let asked = tokio::time::timeout(BOUND, ask(config, deployment, &mut found)).await;
    match asked {
        Ok(Ok(())) => {}
        Ok(Err(fault)) => found.fault = Some(fault),
        Err(_) => {
            let message = format!("no answer within {} s", BOUND.as_secs());
            found.fault = Some((FaultClass::FirstByteTimeout, message));
        }
    }
    found
}

async fn ask(config: &Config, deployment: &DeploymentId, found: &mut Probe) -> Result<(), (FaultClass, String)> {
    let broken = |why: String| (FaultClass::Connect, why);
    let provider = config
        .providers
        .get(&deployment.provider)
        .ok_or_else(|| broken(format!("provider `{}` is not declared", deployment.provider)))?;
    let stand_ins = StandIns::default();
    let upstream = Upstream::new(provider, &stand_ins).map_err(broken)?;
    let tls = tls::client_config(config.server.ca_file.as_deref()).map_err(broken)?;
    let http = client(tls, config.timeouts.connect, stand_ins);
    let catalogued = weir_wire::model(upstream.kind, &deployment.model);
    let embeds = catalogued.is_some_and(|m| m.capabilities.embeddings == Some(true));
    let endpoint = match (upstream.kind.dialect(), embeds) {
        (Dialect::OpenAi, true) => Endpoint::Embeddings,
        (Dialect::OpenAi, false) => Endpoint::ChatCompletions,
        (Dialect::Anthropic, _) => Endpoint::Messages,
    };
    let uri = upstream.uri(endpoint.path(), None).ok_or_else(|| broken("its base-url makes no address".to_owned()))?;
    let body = Bytes::from(question(endpoint, upstream.kind, &deployment.model).to_string());
    let mut request = Request::new(Segments::from(vec![body]));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    *request.headers_mut() =
        headers::upstream(&HeaderMap::new(), endpoint.dialect(), endpoint.dialect(), &upstream.headers);
    let began = tokio::time::Instant::now();
    let response = http.request(request).await.map_err(|e| broken(causes(&e)))?;
    let (parts, body) = response.into_parts();
    found.limits = headers::limits(upstream.limit_headers, &parts.headers).limits;
    if !parts.status.is_success() {
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let retry_after = headers::text(&parts.headers, &RETRY_AFTER);
        let reply = Reply {
            status: parts.status.as_u16(),
            retry_after,
            retry_after_ms: None,
            date: None,
            limits: None,
            body: &body,
        };
        let fault = weir_wire::classify(upstream.kind, &reply);
        return Err((fault.class, format!("{}: {}", parts.status.as_u16(), fault.message)));
    }
    if endpoint == Endpoint::Embeddings {
        let body = body.collect().await.map_err(|e| (FaultClass::Reset, causes(&e)))?.to_bytes();
        let facts = weir_wire::read_answer(endpoint, &body).map_err(|why| (FaultClass::ServerError, why))?;
        found.first_content = Some(began.elapsed());
        found.usage = facts.usage;
        return Ok(());
    }
    let media = headers::text(&parts.headers, &CONTENT_TYPE).unwrap_or_default();
    found.streamed = Some(media.starts_with("text/event-stream"));
    listen(endpoint, deployment, upstream.kind, body, began, found).await
}

/// The question of a probe: one word, few tokens, streamed where there are streams.
fn question(endpoint: Endpoint, kind: ProviderKind, model: &str) -> Value {
    let messages = json!([{ "role": "user", "content": "Answer with the word ok." }]);
    match endpoint {
        Endpoint::Embeddings => json!({ "model": model, "input": "ok" }),
        Endpoint::Messages => json!({ "model": model, "max_tokens": OUTPUT, "stream": true, "messages": messages }),
        _ => {
            let limit = if kind == ProviderKind::OpenAi { "max_completion_tokens" } else { "max_tokens" };
            let mut question = json!({ "model": model, "stream": true, "messages": messages, limit: OUTPUT });
            if kind.asks_usage() {
                question["stream_options"] = json!({ "include_usage": true });
            }
            question
        }
    }
}

/// Reads the stream to its end.
async fn listen(
    endpoint: Endpoint,
    deployment: &DeploymentId,
    kind: ProviderKind,
    mut body: Incoming,
    began: tokio::time::Instant,
    found: &mut Probe,
) -> Result<(), (FaultClass, String)> {
    let mut relay = Relay::new(RelayOptions {
        client: endpoint,
        provider: endpoint,
        include_usage: true,
        usage_was_added: false,
        served_model: deployment.model.to_string(),
        keep_text: None,
        created: 0,
        id_seed: 0,
    });
    let mut heard = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| (FaultClass::Cut, causes(&e)))?;
        if let Ok(data) = frame.into_data() {
            relay.push(data, &mut heard);
            heard.clear();
        }
        if let Some(error) = &relay.progress().error {
            let fault = weir_wire::classify_stream_error(kind, error);
            return Err((fault.class, fault.message));
        }
        if relay.progress().content {
            found.first_content.get_or_insert(began.elapsed());
        }
    }
    found.usage = relay.progress().usage;
    if relay.progress().finished {
        Ok(())
    } else {
        Err((FaultClass::Cut, "the stream ended before the answer did".to_owned()))
    }
}
