//! What one request is called with, and what every attempt of it does alike: say the request in a target's dialect, send it
//! within a time, read what comes back.

use std::pin::{Pin, pin};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::Sleep;
use weir_engine::Send;
use weir_units::{FaultClass, Moment, NanoUsd, Usage};

use crate::accept::{Accepted, Held, no_memory};
use crate::body::Segments;
use crate::budgets;
use crate::fault::{Fault, causes, last_word};
use crate::headers;
use crate::reply::Refusal;
use crate::route::{Prepared, Routed, prepare};
use crate::settle::{Journey, header};
use crate::state::{Live, Shared};
use crate::telemetry;

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
    /// What is left of the strict budgets that pay for it; none where none does.
    pub(crate) affordable: Option<NanoUsd>,
    /// The reason that a target cannot be asked, by target; filled in when its turn comes.
    pub(crate) prepared: Vec<Option<Result<Arc<Prepared>, Refusal>>>,
}

impl Calling {
    /// Says the request in a target's dialect, once.
    pub(crate) fn prepare(&mut self, candidate: usize) -> Result<Arc<Prepared>, Refusal> {
        let default_max = self.output_limit(candidate);
        let (accepted, target) = (&self.accepted, &self.routed.targets[candidate]);
        self.prepared[candidate].get_or_insert_with(|| prepare(accepted, target, default_max).map(Arc::new)).clone()
    }

    /// The output limit that is set where the client sets none.
    pub(crate) fn output_limit(&self, candidate: usize) -> Option<u64> {
        let filled_in = || budgets::output_limit(&self.routed.targets[candidate], &self.accepted, self.affordable?);
        self.default_max.or_else(filled_in)
    }

    /// Whether no deployment at all can be asked this.
    pub(crate) fn nobody_can(&mut self) -> bool {
        (0..self.routed.targets.len()).all(|candidate| self.prepare(candidate).is_err())
    }

    /// Whether all deployments that can be asked this are too dear for its budgets.
    pub(crate) fn nobody_pays(&mut self, unpaid: &[usize]) -> bool {
        (0..self.routed.targets.len()).all(|candidate| unpaid.contains(&candidate) || self.prepare(candidate).is_err())
    }

    /// Writes down what of the request the deployment that answers was not told.
    pub(crate) fn note_degraded(&self, journey: &mut Journey, candidate: usize) {
        if let Some(Ok(prepared)) = &self.prepared[candidate] {
            journey.degraded(&prepared.degraded);
        }
    }

    /// Tells the engine that this deployment cannot be asked this.
    pub(crate) fn rule_out(&self, journey: &mut Journey, send: &Send) {
        let now = self.shared.clock.now();
        self.shared.decide(|engine| engine.rule_out(now, journey.call(), send.candidate));
    }

    /// Whether a deployment is left that can take over, now that it matters: targets that cannot express this are ruled out.
    pub(crate) fn another_eligible(&mut self, journey: &mut Journey, send: &Send) -> bool {
        for candidate in 0..self.routed.targets.len() {
            if candidate != send.candidate && self.prepare(candidate).is_err() {
                let now = self.shared.clock.now();
                self.shared.decide(|engine| engine.rule_out(now, journey.call(), candidate));
            }
        }
        let now = self.shared.clock.now();
        self.shared.engine().could_fail_over(now, journey.call())
    }

    /// Sends one attempt, the `number`th, and waits for the response's headers, as long as `limit` allows.
    pub(crate) async fn send(
        &mut self,
        send: &Send,
        number: usize,
        limit: &mut Limit,
    ) -> Result<Response<Incoming>, Fault> {
        let prepared =
            self.prepare(send.candidate).map_err(|r| Fault::new(FaultClass::Rejected, r.message.as_str()))?;
        let request = self.request(send.candidate, number, &prepared)?;
        let Some(client) = self.live.client(self.routed.timeouts.connect) else {
            return Err(Fault::new(FaultClass::Connect, "no client is configured"));
        };
        match limit.bound(pin!(client.request(request))).await {
            None => Err(Fault::new(FaultClass::FirstByteTimeout, "no response within the time allowed")),
            Some(Ok(response)) => Ok(response),
            Some(Err(error)) if error.is_connect() => {
                Err(Fault::new(FaultClass::Connect, format!("cannot connect: {}", causes(&error))))
            }
            Some(Err(error)) => Err(Fault::new(FaultClass::Reset, format!("the connection broke: {}", causes(&error)))),
        }
    }

    /// A time limit that begins now, never past the request's own end.
    pub(crate) fn limit(&self, span: Duration) -> Limit {
        Limit(Box::pin(tokio::time::sleep_until(self.shared.clock.instant(self.until(span)))))
    }

    fn request(&self, candidate: usize, number: usize, prepared: &Prepared) -> Result<Request<Segments>, Fault> {
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
        if let Some(trace) = accepted.trace {
            let own = telemetry::is_on(&self.live.config).then(|| telemetry::attempt_span(accepted.id, number));
            telemetry::tell(trace, own, &accepted.headers, request.headers_mut());
        }
        Ok(request)
    }

    /// How long a whole answer may take.
    pub(crate) fn whole_within(&self) -> Duration {
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
        if silent && over {
            return Fault { out_of_time: true, message: "the client's deadline passed".to_owned(), ..fault };
        }
        fault
    }

    /// A limit on silence within a stream: longer where the model reasons.
    pub(crate) fn patience(&self, limit: Duration, candidate: usize) -> Duration {
        let model = self.routed.targets[candidate].catalogued;
        let reasons =
            self.accepted.head.reasoning || model.is_some_and(|m| m.capabilities.thinking_always_on == Some(true));
        if reasons { limit.max(REASONING) } else { limit }
    }

    /// What the client is told when this fault is the last word.
    pub(crate) fn last_word(&self, candidate: usize, fault: Fault) -> Refusal {
        last_word(&self.routed.targets[candidate], self.accepted.endpoint.dialect(), fault)
    }

    /// The headers of an answer that a deployment gave.
    pub(crate) fn decorate(&self, journey: &Journey, send: &Send, headers: &mut HeaderMap) {
        let target = &self.routed.targets[send.candidate];
        // Once, for what is added here and in `mark`.
        headers.reserve(8);
        headers.insert(headers::X_WEIR_DEPLOYMENT, header(&target.name));
        journey.mark(headers, self.accepted.endpoint.dialect());
    }

    /// Remembers who made a stored response.
    pub(crate) fn pin(&self, id: &str, candidate: usize) {
        let deployment = self.routed.targets[candidate].deployment.clone();
        self.shared.pins.lock().unwrap_or_else(PoisonError::into_inner).made(&self.tenant, id, deployment);
    }

    /// Learns what this model makes of a text.
    pub(crate) fn calibrate(&self, candidate: usize, usage: &Usage) {
        if !self.shared.learns_tokens() {
            return;
        }
        let model = &self.routed.targets[candidate].deployment.model;
        let calibration = || self.shared.calibration.lock().unwrap_or_else(PoisonError::into_inner);
        if calibration().is_due(model) {
            let measure = self.accepted.measure();
            calibration().observe(model, measure, usage.input);
        }
    }
}

/// How long an attempt may take. One timer serves its whole exchange, and is registered once.
pub(crate) struct Limit(Pin<Box<Sleep>>);

impl Limit {
    /// What `exchange` brings; none when the time is over first. It is pinned by the caller, since an async function would keep
    /// it twice.
    async fn bound<T>(&mut self, exchange: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        tokio::select! {
            biased;
            brought = exchange => Some(brought),
            () = self.0.as_mut() => None,
        }
    }
}

/// Reads the whole of an answer; it counts towards the memory that all bodies share for as long as `held` lives.
pub(crate) async fn collect_within(body: Incoming, limit: &mut Limit, held: &mut Held) -> Result<Bytes, Fault> {
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
            if !held.take(data.len()) {
                return Err(Fault::ours(no_memory()));
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
    limit.bound(pin!(reading)).await.unwrap_or_else(|| {
        Err(Fault::new(FaultClass::FirstByteTimeout, "the answer was not whole within the time allowed"))
    })
}
