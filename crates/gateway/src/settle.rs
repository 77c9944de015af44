//! Stage *settle*: one request's journey, written down as it happens and closed exactly once, whatever happens.
//!
//! A client that leaves drops the future that serves it, wherever that future waits. The journey is dropped with it, and
//! closes itself as cancelled: that is why the close is in `Drop`, and why it never blocks.

mod early;
mod in_run;
mod told;
mod wasted;

use std::sync::Arc;
use std::time::Duration;

use http::header::HeaderMap;
use http::{HeaderValue, Response, StatusCode};
use weir_engine::{Call, Outcome as Reported, PassedOver, Queued, Send, Stated, WaitReason};
use weir_ledger::{Attempt, Entry, Event, Fact, Intent, Outcome, Stage};
use weir_units::{FaultClass, Moment, NanoUsd, RequestId, Usage, WallTime};
use weir_wire::{Dialect, LimitsSeen, Progress, Stop};

use crate::accept::Accepted;
use crate::bill::{Bill, Cost};
use crate::body::ReplyBody;
use crate::budgets::Paying;
use crate::capture::Capturing;
use crate::clock::wall;
use crate::fault::Fault;
use crate::headers::{self, REQUEST_ID, X_REQUEST_ID};
use crate::reply::Refusal;
use crate::retried::Retried;
use crate::route::Target;
use crate::runs::InRun;
use crate::state::{Running, Shared};
use crate::telemetry::Aside;
use crate::waste::{Content, Waste};

pub(crate) use early::never_admitted;

/// How many tokens of output go by between two looks at the limits.
const STEP: u64 = 64;

/// A longer id of a provider's is not kept.
const LONGEST_ID: usize = 128;

/// One request's way through Weir.
pub(crate) struct Journey {
    shared: Arc<Shared>,
    entry: Option<Box<Entry>>,
    call: Option<Box<Call>>,
    arrived: Moment,
    /// When the attempt in hand was sent.
    sent: Option<Moment>,
    /// What the attempt in hand is billed by.
    bill: Option<Bill>,
    /// What pays for it.
    paying: Option<Box<Paying>>,
    /// Output tokens that the limits were told of.
    produced: u64,
    /// The key whose limits every answer states.
    limited_key: Option<Arc<str>>,
    /// Time spent waiting for providers, or on purpose.
    waited: Duration,
    last_deployment: Option<Arc<str>>,
    /// What it asks for, so that an equal request is found.
    content: Option<Content>,
    /// What it is a further try of.
    retried: Option<Retried>,
    /// What its spans say beside its record; none where there are none.
    aside: Option<Box<Aside>>,
    /// The answer ended at a limit.
    truncated: bool,
    /// What is kept of its prompt and answer. In a box: hardly ever is anything.
    capture: Option<Box<Capturing>>,
    /// Its place in its run.
    run: Option<Box<InRun>>,
    _running: Running,
}

impl Journey {
    /// Begins the record of an admitted request; from here on it ends in exactly one ledger entry. In a box, since it is moved
    /// from stage to stage.
    pub(crate) fn begin(shared: &Arc<Shared>, intent: Intent, call: Option<Box<Call>>, arrived: Moment) -> Box<Self> {
        let running = shared.running();
        shared.ledger.intent(intent.clone());
        let mut entry = Box::new(Entry::of(intent, Outcome::Cancelled));
        entry.events.reserve(6);
        let mut journey = Box::new(Self {
            shared: Arc::clone(shared),
            entry: Some(entry),
            call,
            arrived,
            sent: None,
            bill: None,
            paying: None,
            produced: 0,
            limited_key: None,
            waited: Duration::ZERO,
            last_deployment: None,
            content: None,
            retried: None,
            aside: None,
            truncated: false,
            capture: None,
            run: None,
            _running: running,
        });
        if let Some(entry) = &journey.entry {
            let (key, tenant) = (entry.key.clone(), entry.tenant.clone());
            let route = entry.route.clone().unwrap_or_default();
            journey.note(Stage::Admit, Fact::Admitted { key, tenant, route, tools: false });
        }
        journey
    }

    /// Equal requests are found by this.
    pub(crate) fn asks_for(&mut self, content: Content) {
        self.content = Some(content);
        if let Some(entry) = &mut self.entry {
            entry.content = Some(content.hash());
        }
    }

    /// This is kept of its prompt and answer.
    pub(crate) fn captures(&mut self, capture: Option<Box<Capturing>>) {
        self.capture = capture;
    }

    /// Whoever keeps what is said to the client, if anybody does.
    pub(crate) fn capturing(&mut self) -> Option<&mut Capturing> {
        self.capture.as_deref_mut()
    }

    /// Every answer states the limits of this key.
    pub(crate) fn state_limits_of(&mut self, key: Option<Arc<str>>) {
        self.limited_key = key;
    }

    /// Budgets pay for it.
    pub(crate) fn pays(&mut self, paying: Option<Box<Paying>>) {
        self.paying = paying;
    }

    /// What pays for it, if anybody need pay.
    pub(crate) fn paying(&mut self) -> Option<&mut Paying> {
        self.paying.as_deref_mut()
    }

    /// What is held for an attempt that is not sent after all is others'.
    pub(crate) fn give_back(&mut self) {
        if let Some(paying) = &mut self.paying {
            paying.give_back();
        }
    }

    /// What the engine knows of this request.
    pub(crate) fn call(&mut self) -> &mut Call {
        self.call.as_mut().expect("a journey that calls was begun with a call")
    }

    /// Writes a fact down.
    pub(crate) fn note(&mut self, stage: Stage, fact: Fact) {
        self.note_at(wall(), stage, fact);
    }

    /// Writes a fact down, of a time that is known.
    fn note_at(&mut self, at: WallTime, stage: Stage, fact: Fact) {
        if let Some(entry) = &mut self.entry {
            entry.events.push(Event { at, stage, fact });
        }
    }

    pub(crate) fn degraded(&mut self, what: &[String]) {
        for token in what {
            self.note(Stage::Route, Fact::Degraded { what: token.clone() });
            if let Some(entry) = &mut self.entry {
                entry.degraded.push(token.as_str().into());
            }
        }
    }

    pub(crate) fn waited(&mut self, why: WaitReason, class: FaultClass, span: Duration) {
        self.waited += span;
        let why = why.name();
        tracing::debug!(class = class.name(), why, ms = span.as_millis(), "waited before a retry");
        self.note(Stage::Call, Fact::Waited { why, for_ms: millis(span) });
    }

    /// It gets in line for capacity.
    pub(crate) fn queued(&mut self, deployment: &Arc<str>, queued: &Queued) {
        let fact = Fact::Queued {
            deployment: Arc::clone(deployment),
            pool: queued.pool.to_string(),
            limit: queued.binding.name(),
            ahead: queued.ahead as u64,
            predicted_ms: millis(queued.predicted),
        };
        self.note(Stage::Queue, fact);
    }

    /// It would use about so much of the deployment that is to serve it before all others. Once is enough.
    pub(crate) fn estimated(&mut self, deployment: &Arc<str>, input: u64, output: u64) {
        let known = |event: &Event| matches!(event.fact, Fact::Estimated { .. });
        if self.entry.as_ref().is_some_and(|entry| !entry.events.iter().any(known)) {
            self.note(Stage::Queue, Fact::Estimated { deployment: Arc::clone(deployment), input, output });
        }
    }

    /// A deployment had no capacity in time, so the next one is asked.
    pub(crate) fn passed_over(&mut self, deployment: &Arc<str>, passed: &PassedOver) {
        let fact = Fact::PassedOver {
            deployment: Arc::clone(deployment),
            pool: passed.pool.to_string(),
            limit: passed.binding.name(),
            wait_ms: millis(passed.wait),
        };
        self.note(Stage::Queue, fact);
    }

    /// A wait in line is over.
    pub(crate) fn waited_in_line(&mut self, span: Duration) {
        self.waited += span;
        self.note(Stage::Queue, Fact::Waited { why: "capacity", for_ms: millis(span) });
        if let Some(entry) = &mut self.entry {
            entry.queued_ms = entry.queued_ms.saturating_add(millis(span));
        }
    }

    /// A wait for money is over.
    pub(crate) fn waited_for_budget(&mut self, span: Duration) {
        self.waited += span;
        self.note(Stage::Call, Fact::Waited { why: "budget", for_ms: millis(span) });
    }

    /// An attempt is being sent.
    pub(crate) fn started(&mut self, target: &Target, accepted: &Accepted, send: &Send) {
        let at = wall();
        let deployment = &target.name;
        self.bill = Some(Bill::open(target, accepted));
        if let Some(paying) = &mut self.paying {
            paying.sent();
        }
        self.sent = Some(self.shared.clock.now());
        let why = send.why.name();
        if let Some(from) = self.last_deployment.replace(Arc::clone(deployment))
            && from != *deployment
        {
            self.note(Stage::Route, Fact::FailedOver { from, to: Arc::clone(deployment) });
        }
        let fact = Fact::AttemptStarted { attempt: send.attempt, deployment: Arc::clone(deployment), why };
        self.note_at(at, Stage::Call, fact);
        if let Some(entry) = &mut self.entry {
            entry.attempts.push(Attempt {
                deployment: Arc::clone(deployment),
                status: None,
                class: None,
                message: None,
                upstream_id: None,
                started_at: at,
                ended_at: at,
                usage: None,
                cost_usd: None,
                cost_estimated: false,
            });
        }
    }

    /// The attempt in hand failed.
    pub(crate) fn failed(&mut self, shared: &Shared, send: &Send, fault: &Fault, after_content: bool) {
        let at = wall();
        let now = shared.clock.now();
        self.waited += self.sent.take().map_or(Duration::ZERO, |sent| now.since(sent));
        self.decide(shared, |engine, call| engine.report(now, call, fault.outcome(after_content)));
        let status = fault.status.map(|s| s.as_u16());
        let cost = self.cost(|bill| bill.failed(shared, fault, after_content));
        if let Some(attempt) = self.attempt() {
            if let Some(cost) = &cost {
                cost.book(attempt);
            }
            attempt.status = status;
            attempt.class = Some(fault.class);
            attempt.message = Some(fault.message.as_str().into());
            attempt.ended_at = at;
        }
        let fact = Fact::AttemptFailed {
            attempt: send.attempt,
            deployment: self.deployment(),
            class: fault.class,
            status,
            message: fault.message.clone(),
            retry_after_ms: fault.retry_after.map(millis),
        };
        self.note(if after_content { Stage::Stream } else { Stage::Call }, fact);
        self.wasted(Waste::FailedAttempt, cost.as_ref());
    }

    /// The first content is here.
    pub(crate) fn content(&mut self, shared: &Shared, send: &Send) {
        let now = shared.clock.now();
        let after = self.sent.map_or(Duration::ZERO, |sent| now.since(sent));
        self.waited += self.sent.take().map_or(Duration::ZERO, |sent| now.since(sent));
        self.decide(shared, |engine, call| engine.content(now, call, after));
        let since_arrival = millis(now.since(self.arrived));
        let overhead = self.overhead_us(now);
        let Some(entry) = &mut self.entry else { return };
        entry.first_content_ms.get_or_insert(since_arrival);
        // A whole answer is its own first content. From a stream's on, it is as fast as its provider: that is not Weir's time.
        if entry.stream {
            entry.overhead_us.get_or_insert(overhead);
            self.note(Stage::Stream, Fact::FirstContent { attempt: send.attempt, after_ms: millis(after) });
        }
    }

    /// The attempt in hand led to the whole answer.
    pub(crate) fn succeeded(&mut self, shared: &Shared, send: &Send) {
        let at = wall();
        let now = shared.clock.now();
        let room = self.room_for_nothing(shared);
        self.decide(shared, |engine, call| engine.report(now, call, Reported::Success));
        let mut after_ms = 0;
        let parts = self.wasted_parts(shared);
        let cost = self.cost(|bill| bill.answered(shared));
        if let Some(attempt) = self.attempt() {
            if let Some(cost) = &cost {
                cost.book(attempt);
            }
            attempt.status = Some(200);
            attempt.ended_at = at;
            after_ms = u64::try_from((at.0 - attempt.started_at.0) / 1_000).unwrap_or(0);
        }
        let deployment = self.deployment();
        let fact = Fact::AttemptSucceeded { attempt: send.attempt, deployment, status: 200, after_ms };
        self.note_at(at, Stage::Call, fact);
        match self.wasted_whole(shared, now) {
            Some(waste) => self.wasted(waste, cost.as_ref()),
            None => parts.iter().for_each(|(waste, part)| self.wasted(*waste, part.as_ref())),
        }
        self.wasted(Waste::OversizedMaxTokens, room.as_ref());
    }

    /// Why the answer ended, where that is known.
    pub(crate) fn stopped(&mut self, stop: Option<&Stop>) {
        self.truncated = matches!(stop, Some(Stop::Length | Stop::Window));
    }

    /// The provider's own id of the attempt in hand, if its answer has one.
    pub(crate) fn known_upstream(&mut self, headers: &HeaderMap) {
        let id = headers::upstream_id(headers);
        let id = id.as_ref().and_then(|id| id.to_str().ok()).filter(|id| id.len() <= LONGEST_ID);
        if let Some(attempt) = self.attempt() {
            attempt.upstream_id = id.map(Into::into);
        }
    }

    /// What the provider's answer states of its limits.
    pub(crate) fn stated(&mut self, seen: &LimitsSeen) {
        // What is advisory is good to know, not to hold to.
        let firm = seen.limits.iter().filter(|limit| !limit.advisory);
        let stated: Vec<Stated> = firm
            .map(|seen| Stated { dimension: seen.dimension, limit: seen.limit, remaining: seen.remaining })
            .collect();
        if stated.iter().any(|limit| limit.dimension.is_of_tokens()) {
            self.shared.tokens_are_limited();
        }
        if self.call.is_some() && !stated.is_empty() {
            let shared = Arc::clone(&self.shared);
            let now = shared.clock.now();
            self.decide(&shared, |engine, call| engine.stated(now, call, &stated));
        }
    }

    /// So many tokens of output have come by now; limits that were held for fewer are charged as they come.
    pub(crate) fn produced(&mut self, output: u64) {
        if output >= self.produced + STEP
            && let Some(call) = &mut self.call
            && call.is_limited()
        {
            self.produced = output;
            self.shared.engine().produced(self.shared.clock.now(), call, output);
        }
    }

    /// A stream has come this far.
    pub(crate) fn progressed(&mut self, progress: &Progress) {
        if let Some(bill) = &mut self.bill {
            bill.progressed(progress);
        }
        if let Some(capture) = &mut self.capture {
            capture.grew();
        }
    }

    /// What the answer used, as its provider reported it.
    pub(crate) fn used(&mut self, usage: Usage) {
        if let Some(bill) = &mut self.bill {
            bill.reported(usage);
        }
        if let Some(call) = &mut self.call {
            self.shared.engine().used(call, usage);
        }
        if let Some(attempt) = self.attempt() {
            attempt.usage = Some(usage);
        }
        if let Some(entry) = &mut self.entry {
            entry.usage = Some(usage);
        }
    }

    pub(crate) fn malformed(&mut self, count: u32) {
        if count > 0 {
            self.note(Stage::Stream, Fact::MalformedChunkDropped { count: u64::from(count) });
        }
    }

    /// The client has its answer, whole.
    pub(crate) fn answered(mut self: Box<Self>, status: StatusCode) {
        let at = wall();
        self.note_at(at, Stage::Settle, Fact::Answered { status: status.as_u16() });
        self.close(at, Outcome::Answered, status, None);
    }

    /// The client is told no.
    pub(crate) fn refuse(mut self: Box<Self>, refusal: &Refusal, dialect: Dialect) -> Response<ReplyBody> {
        let mut response = refusal.render(dialect, self.id());
        self.mark(response.headers_mut(), dialect);
        if let Some(last) = &self.last_deployment {
            response.headers_mut().insert(headers::X_WEIR_DEPLOYMENT, header(last));
        }
        let outcome = if self.attempts() == 0 { Outcome::Refused } else { Outcome::Failed };
        self.note_refusal(refusal);
        self.close(wall(), outcome, refusal.status, Some(refusal));
        response
    }

    /// The answer ended in an error frame.
    pub(crate) fn broke(mut self: Box<Self>, refusal: &Refusal) {
        self.note_refusal(refusal);
        self.close(wall(), Outcome::Failed, StatusCode::OK, Some(refusal));
    }

    fn note_refusal(&mut self, refusal: &Refusal) {
        let (status, code, by) = (refusal.status.as_u16(), refusal.code.to_string(), refusal.by.to_string());
        self.note(Stage::Settle, Fact::Refused { status, code, by });
    }

    /// The deployment asked last, `provider/model`.
    pub(crate) fn deployment(&self) -> Arc<str> {
        self.last_deployment.clone().unwrap_or_default()
    }

    pub(crate) fn id(&self) -> RequestId {
        self.entry.as_ref().map_or(RequestId(0), |e| e.id)
    }

    pub(crate) fn attempts(&self) -> usize {
        self.entry.as_ref().map_or(0, |e| e.attempts.len())
    }

    /// Puts on an answer what every answer of Weir carries.
    pub(crate) fn mark(&self, headers: &mut HeaderMap, dialect: Dialect) {
        let Some(entry) = &self.entry else { return };
        let id = header(&entry.id.to_string());
        let known_as = headers::upstream_id(headers).unwrap_or_else(|| id.clone());
        if dialect == Dialect::Anthropic && !headers.contains_key(REQUEST_ID) {
            headers.insert(REQUEST_ID, known_as.clone());
        }
        if !headers.contains_key(X_REQUEST_ID) {
            headers.insert(X_REQUEST_ID, known_as);
        }
        headers.insert(headers::X_WEIR_REQUEST, id);
        if let Some(run) = &entry.run {
            headers.insert(headers::X_WEIR_RUN, header(run));
        }
        if let Some(warning) = self.run.as_ref().and_then(|run| run.warning()) {
            headers.insert(headers::X_WEIR_RUN_WARNING, header(&warning));
        }
        headers.insert(headers::X_WEIR_ATTEMPTS, HeaderValue::from(entry.attempts.len()));
        headers.insert(headers::X_WEIR_QUEUED_MS, HeaderValue::from(entry.queued_ms));
        headers.insert(headers::X_WEIR_OVERHEAD_US, HeaderValue::from(self.overhead_us(self.shared.clock.now())));
        // A stream that has just begun has no cost yet, and what has no price never gets one.
        let cost: Option<NanoUsd> = entry.attempts.iter().map(|attempt| attempt.cost_usd).sum();
        if let Some(cost) = cost.and_then(|cost| HeaderValue::try_from(cost.to_string()).ok()) {
            headers.insert(headers::X_WEIR_COST_USD, cost);
        }
        if let Some(key) = &self.limited_key {
            let gauges = self.shared.engine().key_gauges(self.shared.clock.now(), key);
            headers::state_limits(&gauges, headers);
        }
        if !entry.degraded.is_empty() {
            headers.insert(headers::X_WEIR_DEGRADED, header(&entry.degraded.join(",")));
        }
    }

    /// What Weir itself has added so far; to a stream, until its first content.
    fn overhead_us(&self, now: Moment) -> u64 {
        if let Some(known) = self.entry.as_ref().and_then(|e| e.overhead_us) {
            return known;
        }
        let outside = self.waited + self.sent.map_or(Duration::ZERO, |sent| now.since(sent));
        u64::try_from(now.since(self.arrived).saturating_sub(outside).as_micros()).unwrap_or(u64::MAX)
    }

    /// What the attempt in hand has cost; its budgets are told.
    fn cost(&mut self, of: impl FnOnce(Bill) -> Cost) -> Option<Cost> {
        let cost = of(self.bill.take()?);
        if let Some(paying) = &mut self.paying {
            paying.settle(cost);
        }
        Some(cost)
    }

    fn attempt(&mut self) -> Option<&mut Attempt> {
        self.entry.as_mut().and_then(|e| e.attempts.last_mut())
    }

    fn close(&mut self, at: WallTime, outcome: Outcome, status: StatusCode, refusal: Option<&Refusal>) {
        let now = self.shared.clock.now();
        if let Some(call) = self.call.take() {
            let ((), facts) = self.shared.decide_and_tell(|engine| engine.end(now, *call));
            facts.into_iter().for_each(|fact| self.note(Stage::Settle, fact));
        }
        self.leave_run(outcome);
        let overhead = self.overhead_us(now);
        let Some(mut entry) = self.entry.take() else { return };
        entry.outcome = outcome;
        entry.status = Some(status.as_u16());
        entry.code = refusal.map(|r| r.code.as_ref().into());
        entry.refused_by = refusal.map(|r| Arc::clone(&r.by));
        entry.ended_at = Some(at);
        entry.overhead_us = Some(overhead);
        entry.sum_costs();
        if let Some(capture) = self.capture.take() {
            self.shared.capture.end(*capture, &entry);
        }
        self.shared.metrics.count(&entry, now.since(self.arrived), now);
        self.shared.followers.request(&entry);
        self.tell(&entry, now);
        self.shared.ledger.settle(entry);
    }
}

impl Drop for Journey {
    fn drop(&mut self) {
        if self.entry.is_none() {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let cost = self.cost(|bill| bill.left(&shared));
        if let Some(attempt) = self.attempt()
            && attempt.status.is_none()
            && attempt.class.is_none()
        {
            attempt.ended_at = wall();
            if let Some(cost) = &cost {
                cost.book(attempt);
            }
        }
        self.note(Stage::Settle, Fact::ClientLeft);
        self.wasted(Waste::Abandoned, cost.as_ref());
        let left = StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST);
        self.close(wall(), Outcome::Cancelled, left, None);
    }
}

pub(crate) fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("?"))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
