//! The way in: what each path means, and the stages of a model request in their order.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::{OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, request};
use http_body::Body;
use weir_engine::{Ask, Priority};
use weir_ledger::{Fact, Intent, Stage};
use weir_units::{Moment, RequestId, Tokens, TraceContext, WallTime, parse_duration};
use weir_wire::{Dialect, Endpoint};

use crate::accept::{self, Accepted};
use crate::admit::{self, Caller};
use crate::body::ReplyBody;
use crate::budgets::{self, Opened};
use crate::call::call;
use crate::calling::Calling;
use crate::clock::wall;
use crate::headers::{
    self, ANTHROPIC_VERSION, X_STAINLESS_READ_TIMEOUT, X_WEIR_ATTEMPTS, X_WEIR_DEADLINE, X_WEIR_OVERHEAD_US,
    X_WEIR_PRIORITY, X_WEIR_QUEUED_MS, X_WEIR_RUN,
};
use crate::in_place::in_place;
use crate::reply::{Cause, Refusal, json, shutting_down};
use crate::route::{Routed, route};
use crate::runs::{self, Stopped};
use crate::settle::{self, Journey};
use crate::state::{Live, Shared};
use crate::{admin, dashboard, models, telemetry};

/// Which of the two listeners a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// Clients, and everything else where there is one listener.
    Main,
    /// Admin, dashboard and metrics only.
    Admin,
}

/// Answers one HTTP request.
pub(crate) async fn serve<B>(
    shared: Arc<Shared>,
    request: Request<B>,
    peer: SocketAddr,
    door: Door,
) -> Result<Response<ReplyBody>, Infallible>
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
{
    let (parts, mut body) = request.into_parts();
    let response = answer(shared, parts, &mut body, peer, door).await;
    if !response.status().is_success() && !body.is_end_stream() {
        accept::read_on(body);
    }
    Ok(response)
}

async fn answer<B>(
    shared: Arc<Shared>,
    parts: request::Parts,
    body: B,
    peer: SocketAddr,
    door: Door,
) -> Response<ReplyBody>
where
    B: Body<Data = Bytes> + Unpin,
{
    let arrived = shared.clock.now();
    let started_at = wall();
    let path = parts.uri.path();
    if door == Door::Main
        && let Some(endpoint) = Endpoint::of_path(path)
    {
        let id = shared.clock.request_id(started_at);
        let arrival = Arrival { id, trace: None, arrived, started_at, endpoint, peer };
        return model_request(shared, arrival, parts, body).await;
    }
    match (&parts.method, path) {
        (&Method::GET | &Method::HEAD, "/") => json(StatusCode::OK, "{\"weir\":\"ok\"}\n"),
        (_, "/health/live" | "/livez" | "/health/liveliness") => json(StatusCode::OK, "{\"status\":\"live\"}\n"),
        (_, "/health/ready" | "/readyz" | "/health/readiness") => admin::ready(&shared),
        _ if admin::is_own(path)
            && (door == Door::Admin || shared.live.load().config.server.admin_listen.is_none()) =>
        {
            // In a box: it is rare, and large, and every request's task would be as large as it.
            Box::pin(admin::serve(&shared, &parts, body, peer)).await
        }
        _ if dashboard::is_own(path)
            && (door == Door::Admin || shared.live.load().config.server.admin_listen.is_none()) =>
        {
            Box::pin(dashboard::serve(&shared, &parts, body, peer)).await
        }
        _ if door == Door::Main && (path == "/v1/models" || path.starts_with("/v1/models/")) => {
            models::serve(&shared, &parts, peer)
        }
        _ => unknown(&shared, &parts, started_at),
    }
}

fn unknown(shared: &Shared, parts: &request::Parts, at: WallTime) -> Response<ReplyBody> {
    let message = format!("nothing is served at {} {}", parts.method, admit::shown(parts.uri.path()));
    Refusal::weir(Cause::NotFound, message).render(other_dialect(parts), shared.clock.request_id(at))
}

/// The dialect where the path does not tell.
pub(crate) fn other_dialect(parts: &request::Parts) -> Dialect {
    if parts.headers.contains_key(ANTHROPIC_VERSION) { Dialect::Anthropic } else { Dialect::OpenAi }
}

/// What is known of a model request before anything of it was read.
#[derive(Clone, Copy)]
struct Arrival {
    id: RequestId,
    trace: Option<TraceContext>,
    arrived: Moment,
    started_at: WallTime,
    endpoint: Endpoint,
    peer: SocketAddr,
}

impl Accepted {
    fn arrival(&self) -> Arrival {
        let Self { id, trace, arrived, started_at, endpoint, peer, .. } = *self;
        Arrival { id, trace, arrived, started_at, endpoint, peer }
    }
}

/// A model request, through all its stages.
async fn model_request<B>(shared: Arc<Shared>, arrival: Arrival, parts: request::Parts, body: B) -> Response<ReplyBody>
where
    B: Body<Data = Bytes> + Unpin,
{
    let live = shared.live.load_full();
    let trace = telemetry::trace(&live.config, &parts.headers, arrival.id);
    let arrival = Arrival { trace, ..arrival };
    if parts.method != Method::POST {
        let message = format!("{} takes POST, not {}", arrival.endpoint.path(), parts.method);
        return refuse_early(&shared, arrival, &Refusal::weir(Cause::MethodNotAllowed, message));
    }
    let caller = match admit::caller(&live, &parts.headers, &parts.uri, arrival.peer) {
        Ok(caller) => caller,
        Err(refusal) => return refuse_early(&shared, arrival, &refusal),
    };
    let accepted = match accept(&shared, &live, arrival, parts, body).await {
        Ok(accepted) => known(&shared, &caller, accepted),
        Err(refusal) => return turn_away(&shared, arrival, &caller, None, &refusal),
    };
    let routed = match admit(&shared, &live, &accepted, &caller) {
        Ok(routed) => routed,
        Err(refusal) => return turn_away(&shared, arrival, &caller, Some(&accepted), &refusal),
    };
    match routed {
        Some(routed) => go(shared, live, accepted, &caller, routed).await,
        None => count_here(&shared, &live, &accepted, &caller),
    }
}

/// Reads the request, and of its body what is acted on.
async fn accept<B>(
    shared: &Shared,
    live: &Live,
    arrival: Arrival,
    parts: request::Parts,
    body: B,
) -> Result<Box<Accepted>, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    if !live.asks_for_keys() && !accept::is_json(&parts.headers) {
        let message =
            "without keys a body's content-type must be application/json: send `content-type: application/json`";
        return Err(Refusal::weir(Cause::Malformed, message));
    }
    let deadline = deadline(&parts.headers, arrival.arrived)?;
    let priority = priority(&parts.headers)?;
    let tags = budgets::tags(&parts.headers)?;
    let firm = parts.headers.contains_key(X_WEIR_DEADLINE);
    let mut held = shared.buffers.load().hold();
    let body = accept::body(&parts, body, live.config.server.body_limit, &mut held).await?;
    let head = weir_wire::read_head(arrival.endpoint, &body).map_err(|bad| {
        let mut refusal = Refusal::weir(Cause::Malformed, bad.message);
        refusal.param = bad.param.map(str::to_owned);
        refusal
    })?;
    Ok(in_place(|| Accepted {
        id: arrival.id,
        trace: arrival.trace,
        accepted_at: wall(),
        content: None,
        retried: None,
        arrived: arrival.arrived,
        deadline,
        firm,
        priority,
        sdk_retry: headers::sdk_retry(&parts.headers),
        tags,
        peer: arrival.peer,
        started_at: arrival.started_at,
        endpoint: arrival.endpoint,
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers,
        measured: OnceLock::new(),
        body,
        head,
        _held: held,
    }))
}

/// Finds what it is a further try of.
fn known(shared: &Shared, caller: &Caller, mut accepted: Box<Accepted>) -> Box<Accepted> {
    let path = accepted.endpoint.path();
    let content = shared.answered.content(&caller.tenant, path, accepted.sdk_retry, &accepted.body);
    accepted.retried = shared.tries.begin(shared.clock.now(), content, accepted.sdk_retry);
    accepted.content = Some(content);
    accepted
}

/// Decides whether it may go on, and where to; none means that Weir answers it itself.
fn admit(shared: &Shared, live: &Live, accepted: &Accepted, caller: &Caller) -> Result<Option<Routed>, Refusal> {
    admit::may_use(caller, &accepted.head.model)?;
    if shared.is_draining() {
        return Err(shutting_down());
    }
    match route(shared, live, accepted, caller) {
        Ok(routed) => Ok(Some(routed)),
        Err(refusal) if accepted.endpoint == Endpoint::CountTokens && refusal.status == StatusCode::BAD_REQUEST => {
            Ok(None)
        }
        Err(refusal) => Err(refusal),
    }
}

/// Stages route, call, stream and settle.
async fn go(
    shared: Arc<Shared>,
    live: Arc<Live>,
    accepted: Box<Accepted>,
    caller: &Caller,
    routed: Routed,
) -> Response<ReplyBody> {
    let run = match runs::join(&shared, &live, &accepted, caller, &routed) {
        Ok(run) => run,
        Err(stopped) => return stop(&shared, caller, &accepted, *stopped),
    };
    let Opened { routed, paying, cheaper } = match budgets::open(&shared, &live, &accepted, caller, routed) {
        Ok(opened) => opened,
        Err(refusal) => return turn_away(&shared, accepted.arrival(), caller, Some(&accepted), &refusal),
    };
    let affordable = paying.as_ref().and_then(|paying| paying.affordable());
    let mut ask = ask(&live, &accepted, caller, &routed);
    if let (None, Some(left), Some(first)) = (ask.max_output, affordable, routed.targets.first()) {
        ask.max_output = budgets::output_limit(first, &accepted, left);
    }
    let now = shared.clock.now();
    // A key's own limits come before anything else is done for it.
    let input = ask.candidates.first().map_or(0, |candidate| candidate.input.0);
    let begun = shared.decide(|engine| {
        let limits = caller.key.as_ref().map(|key| engine.admit_key(now, &key.name, input, ask.max_output));
        let admitted = limits.transpose()?.flatten();
        let mut call = in_place(|| engine.begin(now, ask));
        engine.charge_key(&mut call, admitted);
        Ok(call)
    });
    let call_state = match begun {
        Ok(call) => call,
        Err(full) => {
            let refusal = admit::over_its_limit(caller, &full);
            let mut response = turn_away(&shared, accepted.arrival(), caller, Some(&accepted), &refusal);
            if let Some(key) = caller.limited() {
                let gauges = shared.engine().key_gauges(now, &key);
                headers::state_limits(&gauges, response.headers_mut());
            }
            return response;
        }
    };
    let mut intent = intent(&accepted, caller, Arc::clone(&routed.route));
    intent.run = run.as_ref().map(|run| Arc::clone(&run.name)).or(intent.run);
    let mut journey = Journey::begin(&shared, intent, Some(call_state), accepted.arrived);
    journey.accepted(&live, &accepted);
    journey.state_limits_of(caller.limited());
    if cheaper {
        journey.degraded(&["budget".to_owned()]);
    }
    journey.pays(paying);
    // With one deployment there was nothing to choose, and its attempt says the rest.
    if routed.targets.len() > 1 {
        let candidates = routed.targets.iter().map(|t| t.name.to_string()).collect();
        journey.note(Stage::Route, Fact::Routed { candidates, skipped: Vec::new() });
    }
    if let Some(plan) = live.captures.of(&live.config, &routed.route, caller.key.as_deref()) {
        journey.captures(shared.capture.begin(plan, &accepted.body));
    }
    journey.joins(run);
    if let Err(stopped) = turn(&mut journey, &live, &accepted).await {
        if let Some(fact) = stopped.fact {
            journey.note(Stage::Admit, fact);
        }
        return journey.refuse(&stopped.refusal, accepted.endpoint.dialect());
    }
    let prepared = routed.targets.iter().map(|_| None).collect();
    let default_max = caller.key.as_ref().and_then(|k| k.max_tokens_default);
    let tenant = Arc::clone(&caller.tenant);
    let calling = Calling { shared, live, accepted, routed, tenant, default_max, affordable, prepared };
    call(Box::new(calling), journey).await
}

/// Waits until it is its turn within a run that is slowed; no longer than for capacity.
async fn turn(journey: &mut Journey, live: &Live, accepted: &Accepted) -> Result<(), Box<Stopped>> {
    let patience = accepted.arrived + live.config.max_wait;
    let give_up = if accepted.firm { accepted.deadline.unwrap_or(patience) } else { patience };
    journey.turn(live, accepted, give_up).await
}

/// Refuses what its run is not allowed to do.
fn stop(shared: &Shared, caller: &Caller, accepted: &Accepted, stopped: Stopped) -> Response<ReplyBody> {
    let mut intent = intent(accepted, caller, Arc::from(""));
    intent.run = Some(stopped.run).filter(|run| !run.is_empty());
    refuse_known(shared, accepted.arrival(), intent, Some(accepted), &stopped.refusal, stopped.fact)
}

/// What the engine is told of a request.
fn ask(live: &Live, accepted: &Accepted, caller: &Caller, routed: &Routed) -> Ask {
    let head = &accepted.head;
    let input = routed.targets.first().map_or(Tokens(1), |target| target.candidate.input);
    let max_output = head.max_output.or_else(|| caller.key.as_ref().and_then(|key| key.max_tokens_default));
    let patience = accepted.arrived + live.config.max_wait;
    // Only a deadline that was meant for Weir is one that a client waits in line for; an SDK's timeout is minutes by default.
    let wait_until = if accepted.firm { accepted.deadline } else { Some(patience) };
    Ask {
        candidates: routed.targets.iter().map(|target| target.candidate.clone()).collect(),
        strategy: routed.strategy,
        tenant: Arc::clone(&caller.tenant),
        cost: input.0 + head.max_output.unwrap_or(1_024),
        input,
        max_output,
        bytes: accepted.body.len() as u64,
        priority: accepted.priority.max(caller.priority()),
        deadline: Some(accepted.deadline.unwrap_or(accepted.arrived + routed.timeouts.total)),
        wait_until,
        repeatable: repeatable(accepted),
        pinned: routed.pinned,
    }
}

/// Which class of traffic it asks to be of.
fn priority(headers: &HeaderMap) -> Result<Priority, Refusal> {
    let Some(said) = headers.get(X_WEIR_PRIORITY) else { return Ok(Priority::Interactive) };
    let said = said.to_str().unwrap_or_default();
    Priority::from_name(said).ok_or_else(|| {
        let message = format!(
            "header x-weir-priority: `{}` is no class: write interactive, standard or batch",
            admit::shown(said)
        );
        Refusal::weir(Cause::Malformed, message)
    })
}

/// Whether the call may be made again once a provider may have begun it.
fn repeatable(accepted: &Accepted) -> bool {
    let head = &accepted.head;
    accepted.endpoint != Endpoint::Responses || !(head.background || head.store.unwrap_or(true))
}

/// When the client stops waiting: what it says, else what its SDK says; 2 % are kept for the way back.
fn deadline(headers: &HeaderMap, arrived: Moment) -> Result<Option<Moment>, Refusal> {
    let limit = match headers.get(X_WEIR_DEADLINE) {
        Some(said) => {
            let text = said.to_str().unwrap_or_default().trim_matches('"');
            let wrong = |e| Refusal::weir(Cause::Malformed, format!("header x-weir-deadline: {e}"));
            Some(parse_duration(text).map_err(wrong)?)
        }
        // An SDK may also send words here, for "no limit".
        None => headers::text(headers, &X_STAINLESS_READ_TIMEOUT)
            .and_then(|text| text.parse().ok())
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    };
    Ok(limit.map(|limit| arrived + limit.mul_f64(0.98)))
}

fn intent(accepted: &Accepted, caller: &Caller, route: Arc<str>) -> Intent {
    let run = headers::text(&accepted.headers, &X_WEIR_RUN).filter(|r| !r.is_empty() && r.len() <= 128);
    Intent {
        id: accepted.id,
        run: run.map(Into::into),
        key: caller.name(),
        tenant: Some(Arc::clone(&caller.tenant)),
        tags: accepted.tags.iter().map(|tag| (Arc::clone(&tag.name), Arc::clone(&tag.value))).collect(),
        route,
        model: accepted.head.model.as_str().into(),
        dialect: accepted.endpoint.dialect().name(),
        endpoint: accepted.endpoint.path(),
        stream: accepted.head.stream,
        trace: accepted.trace,
        sdk_retry: accepted.sdk_retry,
        started_at: accepted.started_at,
    }
}

/// Refuses what was never admitted; a caller who is known gets a record of it all the same.
fn turn_away(
    shared: &Shared,
    arrival: Arrival,
    caller: &Caller,
    accepted: Option<&Accepted>,
    refusal: &Refusal,
) -> Response<ReplyBody> {
    let intent = match accepted {
        Some(accepted) => intent(accepted, caller, Arc::from("")),
        None => Intent {
            id: arrival.id,
            run: None,
            key: caller.name(),
            tenant: Some(Arc::clone(&caller.tenant)),
            tags: Vec::new(),
            route: Arc::from(""),
            model: Arc::from(""),
            dialect: arrival.endpoint.dialect().name(),
            endpoint: arrival.endpoint.path(),
            stream: false,
            trace: arrival.trace,
            sdk_retry: None,
            started_at: arrival.started_at,
        },
    };
    refuse_known(shared, arrival, intent, accepted, refusal, None)
}

/// Refuses a caller who is known, and writes it down with what led to it.
fn refuse_known(
    shared: &Shared,
    arrival: Arrival,
    intent: Intent,
    accepted: Option<&Accepted>,
    refusal: &Refusal,
    why: Option<Fact>,
) -> Response<ReplyBody> {
    let mut response = refuse_early(shared, arrival, refusal);
    if let Some(Ok(run)) = intent.run.as_deref().map(HeaderValue::from_str) {
        response.headers_mut().insert(X_WEIR_RUN, run);
    }
    settle::never_admitted(shared, intent, accepted, refusal, why);
    response
}

/// Says no to a request that was never admitted, with the headers that every answer carries.
fn refuse_early(shared: &Shared, arrival: Arrival, refusal: &Refusal) -> Response<ReplyBody> {
    let mut response = refusal.render(arrival.endpoint.dialect(), arrival.id);
    let took = shared.clock.now().since(arrival.arrived).as_micros();
    let headers = response.headers_mut();
    headers.insert(X_WEIR_ATTEMPTS, HeaderValue::from(0));
    headers.insert(X_WEIR_QUEUED_MS, HeaderValue::from(0));
    headers.insert(X_WEIR_OVERHEAD_US, HeaderValue::from(u64::try_from(took).unwrap_or(u64::MAX)));
    response
}

/// Answers count_tokens for a provider that has no such endpoint, from what its usage reports taught.
fn count_here(shared: &Arc<Shared>, live: &Live, accepted: &Accepted, caller: &Caller) -> Response<ReplyBody> {
    let asked = accepted.head.model.as_str();
    let resolved = live.config.resolve(asked, accepted.endpoint.dialect());
    let route = resolved.as_ref().map_or_else(|| Arc::from(asked), |resolved| Arc::clone(&resolved.route_name));
    let mut journey = Journey::begin(shared, intent(accepted, caller, route), None, accepted.arrived);
    journey.accepted(live, accepted);
    // What was learned was learned of the model that serves, whatever clients call it.
    let served = resolved.as_ref().and_then(|resolved| resolved.deployments.first());
    let model = served.map_or(asked, |deployment| &*deployment.model);
    let learned = shared.calibration.lock().unwrap_or_else(PoisonError::into_inner);
    let tokens = learned.estimate(model, accepted.measure());
    drop(learned);
    let mut response = json(StatusCode::OK, weir_wire::count_tokens_answer(tokens));
    journey.mark(response.headers_mut(), Dialect::Anthropic);
    journey.answered(StatusCode::OK);
    response
}
