//! One HTTP request: who asks, for what, and what the provider model says to it.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::Value;
use weir_sim::{Arrival, Charge, FaultOrder, Flaw, Hold, Plan, Rejection, Serving};
use weir_units::Tokens;

use crate::admin;
use crate::answering::{Endpoint, Reply, answer};
use crate::ask::{Dialect, Invalid};
use crate::headers::{common, set};
use crate::house::{Flight, House};
use crate::line::ResetWish;
use crate::playing::Playing;
use crate::refusal::Refusal;
use crate::script::{cues, unary_cues};
use crate::stats::{Seen, count};

/// The largest body that is read: above what a gateway is asked to refuse, so that its refusal is what a test sees.
const BODY_LIMIT: usize = 64 << 20;

pub(crate) async fn handle(
    house: Arc<House>,
    wish: ResetWish,
    request: Request<Incoming>,
) -> io::Result<Response<Playing>> {
    let began = Instant::now();
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let body = match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => Some(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => None,
        // The client went away while it was still sending.
        Err(error) => return Err(io::Error::other(error)),
    };
    let too_large = body.is_none();
    let body = body.unwrap_or_default();
    if let Some(done) = admin::handle(&house, &head.method, &path, &body) {
        return Ok(done);
    }
    let call = Call { began, path, dialect: dialect(head.uri.path(), &head.headers), body, too_large, head };
    let flight = Flight::begin(&house, call.seen(&house), call.counted_as());
    call.run(house, wish, flight).await
}

/// By path where it is one's own, else by the header that only Anthropic's clients send.
fn dialect(path: &str, headers: &HeaderMap) -> Dialect {
    let shared = !path.starts_with("/v1/") || path.starts_with("/v1/models");
    if path.starts_with("/v1/messages") || (shared && headers.contains_key("anthropic-version")) {
        Dialect::Anthropic
    } else {
        Dialect::OpenAi
    }
}

pub(crate) struct Call {
    began: Instant,
    pub(crate) path: String,
    pub(crate) dialect: Dialect,
    body: Bytes,
    too_large: bool,
    head: http::request::Parts,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn deletes(&self) -> bool {
        self.head.method == Method::DELETE
    }

    pub(crate) fn json(&self) -> Result<Value, Refusal> {
        if !self.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
            return Err(Refusal::status(415, "Unsupported content type: expected 'application/json'."));
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            let message = format!("We could not parse the JSON body of your request: {error}");
            Refusal::invalid(Invalid { message, param: None, code: None })
        })
    }

    fn seen(&self, house: &House) -> Seen {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Seen {
            number: 0,
            at_ms: u64::try_from(house.now().since(weir_units::Moment::ZERO).as_millis()).unwrap_or(u64::MAX),
            method: self.head.method.to_string(),
            path: self.head.uri.path_and_query().map_or_else(String::new, ToString::to_string),
            headers: self.head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            body: self.body.clone(),
            status: None,
        }
    }

    fn counted_as(&self) -> &str {
        if self.path.starts_with("/v1/models/") { "/v1/models/{id}" } else { &self.path }
    }

    async fn run(self, house: Arc<House>, wish: ResetWish, mut flight: Flight) -> io::Result<Response<Playing>> {
        let request_id = house.id("req_");
        let reply = match self.reply(&house) {
            Ok(reply) => reply,
            Err(refusal) => return Ok(self.refuse(&house, &refusal, &request_id, None, flight)),
        };
        let order = match self.order(&reply.model) {
            Ok(order) => order,
            Err(refusal) => return Ok(self.refuse(&house, &refusal, &request_id, None, flight)),
        };
        let plan = self.plan(&house, &reply, order);
        match plan {
            Plan::Reject(Rejection { at, status, kind, retry_after }) => {
                tokio::time::sleep_until(house.instant(at).into()).await;
                let refusal = Refusal::of(status, kind, &reply.model);
                Ok(self.refuse(&house, &refusal, &request_id, retry_after.map(|wait| wait.as_secs()), flight))
            }
            Plan::Reset { at } => {
                tokio::time::sleep_until(house.instant(at).into()).await;
                flight.finish();
                // One connection of HTTP/2 carries other requests: there hyper resets the stream alone.
                if self.head.version != Version::HTTP_2 {
                    wish.make();
                }
                Err(io::Error::other("reset on order"))
            }
            Plan::Silence => std::future::pending().await,
            Plan::Serve(serving) => {
                let flawed = !matches!(serving.flaw, None | Some(Flaw::NoDone | Flaw::MalformedAfter(_)));
                flight.expect(serving.hold, &reply, flawed);
                tokio::time::sleep_until(house.instant(serving.headers_at).into()).await;
                Ok(self.play(&house, reply, serving, &request_id, flight))
            }
        }
    }

    fn reply(&self, house: &Arc<House>) -> Result<Reply, Refusal> {
        if let Some(key) = &house.api_key {
            let bearer = self.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
            if bearer != Some(key) && self.header("x-api-key") != Some(key) {
                return Err(Refusal::credential());
            }
        }
        let endpoint = Endpoint::of(&self.head.method, &self.path)?;
        if self.too_large {
            return Err(Refusal::status(413, "Request exceeds the maximum size"));
        }
        answer(house, self, endpoint)
    }

    /// The fault that this request asks for, by header or by its model's suffix, unless the model is `missing`.
    fn order(&self, model: &str) -> Result<Option<FaultOrder>, Refusal> {
        if model == "missing" {
            return Ok(Some(FaultOrder::NotFound));
        }
        let Some(words) = self.header("x-mock-fault").or_else(|| model.rsplit_once('!').map(|(_, words)| words)) else {
            return Ok(None);
        };
        words.parse().map(Some).map_err(|error: weir_sim::FaultError| {
            Refusal::invalid(Invalid { message: error.to_string(), param: Some("model".to_owned()), code: None })
        })
    }

    fn charge(&self, house: &House) -> Charge {
        house.charge.unwrap_or(match self.dialect {
            Dialect::OpenAi => Charge::Reserve,
            Dialect::Anthropic => Charge::Metered,
        })
    }

    fn plan(&self, house: &House, reply: &Reply, order: Option<FaultOrder>) -> Plan {
        let now = house.now();
        if reply.free {
            return Plan::Serve(Serving {
                headers_at: now,
                first_token_at: now,
                per_token: std::time::Duration::ZERO,
                tokens: Tokens(0),
                flaw: None,
                hold: Hold::default(),
            });
        }
        let arrival = Arrival {
            input: Tokens(reply.input_tokens),
            cached: Tokens(reply.cached_input),
            max_output: reply.max_output.map(Tokens),
            output: Tokens(reply.output_tokens),
            charge: self.charge(house),
            order,
        };
        let mut inner = house.inner();
        count(&mut inner.stats.by_model, &reply.model);
        let plan = inner.provider.arrive(now, &arrival);
        if let Some(fault) = inner.provider.applied() {
            count(&mut inner.stats.by_fault, &fault.to_string());
        }
        plan
    }

    fn play(
        &self,
        house: &House,
        reply: Reply,
        serving: Serving,
        request_id: &str,
        flight: Flight,
    ) -> Response<Playing> {
        let first_token = house.instant(serving.first_token_at);
        let error = reply.error_in_stream(self.dialect, request_id);
        let (kind, body) = match (serving.flaw, reply.script) {
            (Some(Flaw::WrongType), _) => (
                "text/html; charset=utf-8",
                Whole::At("<!doctype html><html><body><h1>Welcome</h1></body></html>".into()),
            ),
            (Some(Flaw::Garbage), _) => {
                ("application/json", Whole::At("{\"id\":\"mock\",\"choices\":[{\"index\":0,\"mess\u{0}".into()))
            }
            (Some(Flaw::Empty), script) => (content_type(script.is_some()), Whole::At(Bytes::new())),
            (_, Some(script)) => {
                ("text/event-stream; charset=utf-8", Whole::In(cues(script, &serving, &error.spoilers), None))
            }
            (_, None) => {
                let acts = unary_cues(&reply.whole, &serving, serving.tokens.0, &error.unary);
                // A cut body promises its full length, so that the cut can be told from an end.
                let promised = match serving.flaw {
                    None | Some(Flaw::NoDone | Flaw::CutAfter(_) | Flaw::StallAfter(_)) => Some(reply.whole.len()),
                    _ => None,
                };
                ("application/json", Whole::In(acts, promised))
            }
        };
        flight.answered(200);
        let (length, body) = match body {
            Whole::At(bytes) => (Some(bytes.len()), Playing::at_once(bytes, Some(flight))),
            Whole::In(cues, promised) => (promised, Playing::new(cues, first_token, flight)),
        };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        common(headers, house, self.dialect, request_id, self.began);
        set(headers, "content-type", kind);
        if kind.starts_with("text/event-stream") {
            set(headers, "cache-control", "no-cache");
        }
        if let Some(length) = length {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        response
    }

    fn refuse(
        &self,
        house: &House,
        refusal: &Refusal,
        request_id: &str,
        retry_after: Option<u64>,
        flight: Flight,
    ) -> Response<Playing> {
        flight.answered(refusal.status);
        let body = refusal.body(self.dialect, request_id).to_string();
        let length = body.len();
        let mut response = Response::new(Playing::at_once(body, Some(flight)));
        *response.status_mut() = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        common(headers, house, self.dialect, request_id, self.began);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        if let Some(seconds) = retry_after {
            set(headers, "retry-after", &seconds.to_string());
        }
        response
    }
}

enum Whole {
    At(Bytes),
    In(Vec<crate::script::Cue>, Option<usize>),
}

fn content_type(stream: bool) -> &'static str {
    if stream { "text/event-stream; charset=utf-8" } else { "application/json" }
}
