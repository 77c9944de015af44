//! Stage *call*: asks the engine what to do, does it, tells it what came back, until there is an answer or nothing left.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use weir_engine::{GiveUp, Outcome, Send, Step};
use weir_units::{FaultClass, Moment};
use weir_wire::Reply;

use crate::accept::Accepted;
use crate::body::{ReplyBody, Segments};
use crate::headers::{self, RETRY_AFTER_MS};
use crate::reply::{Cause, Refusal};
use crate::route::{Prepared, Routed, Target, prepare};
use crate::settle::Journey;
use crate::state::Live;
use crate::stream::{self, Opened};
use crate::{answer, state::Shared};

/// An answer's largest size where the whole of it must be held: an embedding batch is tens of MB.
const LARGEST_ANSWER: usize = 128 * 1024 * 1024;
/// Output assumed for the time limit of a whole answer when the client set no maximum (docs/policy.md, Timeouts).
const ASSUMED_OUTPUT: u64 = 4_096;
/// The slowest writing that still counts as working, tokens per second (docs/policy.md, Timeouts).
const SLOWEST: u64 = 20;
/// What a reasoning model may take between signs of life (docs/policy.md, Timeouts).
const REASONING: Duration = Duration::from_secs(120);

/// What one request is called with, whichever deployment answers it.
pub(crate) struct Calling {
    pub(crate) shared: Arc<Shared>,
    pub(crate) live: Arc<Live>,
    pub(crate) accepted: Box<Accepted>,
    pub(crate) routed: Routed,
    pub(crate) tenant: Arc<str>,
    pub(crate) default_max: Option<u64>,
    /// The reason that a target cannot be asked, by target; filled in when its turn comes.
    pub(crate) prepared: Vec<Option<Result<Arc<Prepared>, Refusal>>>,
}

/// What went wrong with one attempt.
pub(crate) struct Fault {
    pub(crate) class: FaultClass,
    pub(crate) status: Option<StatusCode>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) message: String,
    /// The provider's own error body, with its content type.
    pub(crate) body: Option<Box<(Option<HeaderValue>, Bytes)>>,
    /// The id by which the provider knows the attempt.
    pub(crate) request_id: Option<Box<HeaderValue>>,
    /// The client's own deadline ended it, which says nothing of the provider.
    pub(crate) out_of_time: bool,
}

impl Fault {
    pub(crate) fn new(class: FaultClass, message: impl Into<String>) -> Self {
        Self {
            class,
            status: None,
            retry_after: None,
            message: message.into(),
            body: None,
            request_id: None,
            out_of_time: false,
        }
    }

    pub(crate) fn outcome(&self, after_content: bool) -> Outcome {
        if self.out_of_time {
            return Outcome::Abandoned;
        }
        Outcome::Fault { class: self.class, retry_after: self.retry_after, after_content }
    }
}

/// What one attempt brought.
enum Attempted {
    Whole(Box<answer::Whole>),
    Opened(Box<Opened>),
}

/// Calls until there is an answer, or nothing is left to try.
pub(crate) async fn call(mut calling: Box<Calling>, mut journey: Journey) -> Response<ReplyBody> {
    let mut faults: Vec<(usize, Fault)> = Vec::new();
    let mut cannot: Option<Refusal> = None;
    loop {
        let step = calling.next(&mut journey);
        match step {
            Step::Wait { until, why, class } => {
                let began = calling.shared.clock.now();
                tokio::time::sleep_until(calling.shared.clock.instant(until)).await;
                journey.waited(why, class, calling.shared.clock.now().since(began));
            }
            Step::Send(send) => {
                if let Err(refusal) = calling.prepare(send.candidate) {
                    calling.rule_out(&mut journey, &send);
                    cannot = Some(refusal);
                    continue;
                }
                match calling.attempt(&mut journey, &send).await {
                    Ok(answered) => {
                        calling.note_degraded(&mut journey, send.candidate);
                        return match answered {
                            Attempted::Whole(whole) => answer::whole(&calling, journey, &send, *whole),
                            Attempted::Opened(opened) => stream::respond(calling, journey, send, *opened),
                        };
                    }
                    Err(fault) => {
                        let fault = calling.judged(fault);
                        journey.failed(&calling.shared, &send, &fault, false);
                        faults.push((send.candidate, fault));
                    }
                }
            }
            Step::GiveUp(give_up) => {
                // What rests at the moment may be able to: only where nothing can is it the request that is at fault.
                let cannot = cannot.filter(|_| calling.nobody_can());
                let refusal = calling.refusal(&give_up, faults, cannot);
                return journey.refuse(&refusal, calling.accepted.endpoint.dialect());
            }
        }
    }
}

impl Calling {
    fn next(&self, journey: &mut Journey) -> Step {
        let now = self.shared.clock.now();
        let mut engine = self.shared.engine();
        let step = engine.next(now, journey.call());
        let changes = engine.take_changes();
        drop(engine);
        self.shared.note_all(changes);
        step
    }

    /// Says the request in a target's dialect, once.
    pub(crate) fn prepare(&mut self, candidate: usize) -> Result<Arc<Prepared>, Refusal> {
        let (accepted, target, default_max) = (&self.accepted, &self.routed.targets[candidate], self.default_max);
        self.prepared[candidate].get_or_insert_with(|| prepare(accepted, target, default_max).map(Arc::new)).clone()
    }

    /// Whether no deployment at all can be asked this.
    fn nobody_can(&mut self) -> bool {
        (0..self.routed.targets.len()).all(|candidate| self.prepare(candidate).is_err())
    }

    /// Writes down what of the request the deployment that answers was not told.
    pub(crate) fn note_degraded(&self, journey: &mut Journey, candidate: usize) {
        if let Some(Ok(prepared)) = &self.prepared[candidate] {
            journey.degraded(&prepared.degraded);
        }
    }

    /// Tells the engine that this deployment cannot be asked this.
    fn rule_out(&self, journey: &mut Journey, send: &Send) {
        let now = self.shared.clock.now();
        self.shared.engine().rule_out(now, journey.call(), send.candidate);
    }

    /// Whether a deployment is left that can take over, now that it matters: targets that cannot express this are ruled out.
    pub(crate) fn another_eligible(&mut self, journey: &mut Journey, send: &Send) -> bool {
        for candidate in 0..self.routed.targets.len() {
            if candidate != send.candidate && self.prepare(candidate).is_err() {
                let now = self.shared.clock.now();
                self.shared.engine().rule_out(now, journey.call(), candidate);
            }
        }
        let now = self.shared.clock.now();
        self.shared.engine().could_fail_over(now, journey.call())
    }

    async fn attempt(&mut self, journey: &mut Journey, send: &Send) -> Result<Attempted, Fault> {
        journey.started(&self.routed.targets[send.candidate].name, send);
        let streamed = self.accepted.head.stream;
        let limit = if streamed { self.routed.timeouts.first_byte } else { self.whole_within() };
        let until = self.until(limit);
        let response = self.send(send, until).await?;
        let (parts, body) = response.into_parts();
        let target = &self.routed.targets[send.candidate];
        if !parts.status.is_success() {
            let body = collect_within(body, &self.shared.clock, until).await.unwrap_or_default();
            return Err(refused(target, parts.status, &parts.headers, body));
        }
        let kind = headers::text(&parts.headers, &CONTENT_TYPE).unwrap_or_default();
        let media = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match (streamed, media.as_str()) {
            (true, "text/event-stream") => {
                stream::open(self, journey, send, parts, body).await.map(|o| Attempted::Opened(Box::new(o)))
            }
            (false, "application/json" | "") => {
                let body = collect_within(body, &self.shared.clock, until).await?;
                answer::read(target, parts, body).map(|whole| Attempted::Whole(Box::new(whole)))
            }
            (true, "application/json") => {
                let body = collect_within(body, &self.shared.clock, until).await?;
                let fault = weir_wire::classify_stream_error(target.upstream.kind, &body);
                Err(Fault {
                    class: fault.class,
                    status: Some(parts.status),
                    retry_after: fault.retry_after,
                    message: format!("a JSON body where a stream was asked for: {}", fault.message),
                    body: None,
                    request_id: headers::upstream_id(&parts.headers).map(Box::new),
                    out_of_time: false,
                })
            }
            _ => {
                let shown: String = media.chars().filter(char::is_ascii_graphic).take(60).collect();
                let message = format!("200 with content-type `{shown}`, which is no answer");
                Err(Fault { status: Some(parts.status), ..Fault::new(FaultClass::ServerError, message) })
            }
        }
    }

    /// Sends one attempt and waits for the response's headers.
    pub(crate) async fn send(&mut self, send: &Send, until: Moment) -> Result<Response<Incoming>, Fault> {
        let prepared =
            self.prepare(send.candidate).map_err(|r| Fault::new(FaultClass::Rejected, r.message.as_str()))?;
        let request = self.request(send.candidate, &prepared)?;
        let Some(client) = self.live.client(self.routed.timeouts.connect) else {
            return Err(Fault::new(FaultClass::Connect, "no client is configured"));
        };
        let answered = tokio::time::timeout_at(self.shared.clock.instant(until), client.request(request)).await;
        match answered {
            Err(_) => Err(Fault::new(FaultClass::FirstByteTimeout, "no response within the time allowed")),
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_connect() => {
                Err(Fault::new(FaultClass::Connect, format!("cannot connect: {}", causes(&error))))
            }
            Ok(Err(error)) => Err(Fault::new(FaultClass::Reset, format!("the connection broke: {}", causes(&error)))),
        }
    }

    fn request(&self, candidate: usize, prepared: &Prepared) -> Result<Request<Segments>, Fault> {
        let target = &self.routed.targets[candidate];
        let accepted = &self.accepted;
        let query = headers::upstream_query(accepted.query.as_deref());
        let same = target.endpoint.dialect() == accepted.endpoint.dialect();
        let uri = target
            .upstream
            .uri(target.endpoint.path(), query.as_deref().filter(|_| same))
            .ok_or_else(|| Fault::new(FaultClass::Rejected, "the query string cannot be sent on"))?;
        let mut request = Request::new(Segments::from(prepared.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers::upstream(
            &accepted.headers,
            accepted.endpoint.dialect(),
            target.endpoint.dialect(),
            &target.upstream.headers,
        );
        Ok(request)
    }

    /// How long a whole answer may take.
    fn whole_within(&self) -> Duration {
        let output = self.accepted.head.max_output.or(self.default_max).unwrap_or(ASSUMED_OUTPUT);
        let timeouts = &self.routed.timeouts;
        let writing = Duration::from_millis(output.saturating_mul(1_000) / SLOWEST);
        (timeouts.first_byte + writing).min(timeouts.total)
    }

    /// The end of a time limit that begins now, never past the request's own end.
    pub(crate) fn until(&self, limit: Duration) -> Moment {
        let end = self.shared.clock.now() + limit;
        let total = self.accepted.arrived + self.routed.timeouts.total;
        end.min(total).min(self.accepted.deadline.unwrap_or(total))
    }

    /// Tells a provider's silence from a client's impatience: a few short deadlines must not open a breaker for all.
    pub(crate) fn judged(&self, fault: Fault) -> Fault {
        let silent =
            matches!(fault.class, FaultClass::FirstByteTimeout | FaultClass::FirstContentTimeout | FaultClass::Stalled);
        let over = self.accepted.deadline.is_some_and(|deadline| deadline <= self.shared.clock.now());
        Fault { out_of_time: silent && over, ..fault }
    }

    /// A limit on silence within a stream: longer where the model reasons.
    pub(crate) fn patience(&self, limit: Duration, candidate: usize) -> Duration {
        let model = self.routed.targets[candidate].catalogued;
        let reasons =
            self.accepted.head.reasoning || model.is_some_and(|m| m.capabilities.thinking_always_on == Some(true));
        if reasons { limit.max(REASONING) } else { limit }
    }

    /// What the client is told when nothing is left.
    fn refusal(&self, give_up: &GiveUp, mut faults: Vec<(usize, Fault)>, cannot: Option<Refusal>) -> Refusal {
        // The engine names the fault that counts: the last one, unless that one only tells of our own credentials.
        let decisive = match give_up {
            GiveUp::Fault { class, .. } => faults.iter().rposition(|(_, fault)| fault.class == *class),
            _ => faults.len().checked_sub(1),
        };
        if let Some(place) = decisive {
            let (candidate, fault) = faults.swap_remove(place);
            return self.last_word(candidate, fault);
        }
        match (give_up, cannot) {
            (_, Some(cannot)) => cannot,
            (GiveUp::NoDeployment { retry_after }, None) => {
                let seconds = retry_after.as_secs().max(1);
                let message = format!(
                    "every deployment of `{}` rests after failures: try again in {seconds} s",
                    self.routed.route
                );
                Refusal::weir(Cause::NoDeployment, message).retry_after(*retry_after)
            }
            _ => {
                let message = "the deadline passes before any deployment could answer: allow more time";
                Refusal::weir(Cause::CapacityExhausted, message).retry_after(Duration::from_secs(1))
            }
        }
    }

    /// Puts the last fault into what the table of refusals says of it.
    pub(crate) fn last_word(&self, candidate: usize, fault: Fault) -> Refusal {
        let target = &self.routed.targets[candidate];
        let by = Arc::clone(&target.upstream.name);
        let said = format!("`{}`: {}", target.name, fault.message);
        let same = target.endpoint.dialect() == self.accepted.endpoint.dialect();
        let mut refusal = match fault.class {
            FaultClass::FirstByteTimeout | FaultClass::FirstContentTimeout | FaultClass::Stalled => {
                Refusal::weir(Cause::UpstreamTimeout, said)
            }
            FaultClass::Overloaded => Refusal::weir(Cause::UpstreamOverloaded, said)
                .retry_after(fault.retry_after.unwrap_or(Duration::from_secs(5))),
            FaultClass::RateLimited => {
                let mut refusal = Refusal::weir(Cause::RateLimited, said)
                    .retry_after(fault.retry_after.unwrap_or(Duration::from_secs(1)));
                refusal.as_it_came = fault.body.filter(|_| same).map(|body| *body);
                refusal
            }
            FaultClass::ModelNotFound => Refusal::weir(Cause::ModelNotFound, said).param("model"),
            FaultClass::ContextLength => Refusal::weir(Cause::ContextLength, said).param("messages"),
            FaultClass::ContentFilter | FaultClass::Rejected => {
                let filtered = fault.class == FaultClass::ContentFilter;
                let cause = if filtered { Cause::ContentFilter } else { Cause::Malformed };
                let mut refusal = Refusal::weir(cause, said);
                refusal.status = fault.status.unwrap_or(StatusCode::BAD_REQUEST);
                refusal.as_it_came = fault.body.filter(|_| same).map(|body| *body);
                refusal
            }
            _ => Refusal::weir(Cause::UpstreamError, said),
        };
        refusal.request_id = fault.request_id.map(|id| *id);
        refusal.by(by)
    }
}

/// Classifies an answer whose status says no.
pub(crate) fn refused(target: &Target, status: StatusCode, headers: &HeaderMap, body: Bytes) -> Fault {
    let reply = Reply {
        status: status.as_u16(),
        retry_after: headers::text(headers, &RETRY_AFTER),
        retry_after_ms: headers::text(headers, &RETRY_AFTER_MS),
        date: headers::text(headers, &DATE),
        body: &body,
    };
    let fault = weir_wire::classify(target.upstream.kind, &reply);
    Fault {
        class: fault.class,
        status: Some(status),
        retry_after: fault.retry_after,
        message: fault.message,
        body: (!body.is_empty()).then(|| Box::new((headers.get(CONTENT_TYPE).cloned(), body))),
        request_id: headers::upstream_id(headers).map(Box::new),
        out_of_time: false,
    }
}

/// Reads the whole of an answer.
pub(crate) async fn collect_within(body: Incoming, clock: &crate::clock::Clock, until: Moment) -> Result<Bytes, Fault> {
    let reading = async {
        let mut body = body;
        let mut first: Option<Bytes> = None;
        let mut rest = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|e| Fault::new(FaultClass::Reset, format!("the answer broke off: {}", causes(&e))))?;
            let Ok(data) = frame.into_data() else { continue };
            if rest.len() + data.len() > LARGEST_ANSWER {
                return Err(Fault::new(FaultClass::ServerError, "the answer is larger than 128 MiB"));
            }
            match &first {
                None => first = Some(data),
                Some(head) => {
                    if rest.is_empty() {
                        rest.extend_from_slice(head);
                    }
                    rest.extend_from_slice(&data);
                }
            }
        }
        Ok(if rest.is_empty() { first.unwrap_or_default() } else { rest.freeze() })
    };
    tokio::time::timeout_at(clock.instant(until), reading).await.unwrap_or_else(|_| {
        Err(Fault::new(FaultClass::FirstByteTimeout, "the answer was not whole within the time allowed"))
    })
}

/// An error with what caused it, in one line.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    weir_wire::clean_message(&text)
}
