//! One request's record: everything that is kept of it, in the shape in which it is read back.
//!
//! An [`Intent`] is written at admission and an [`Entry`] replaces it when the request has ended, so that a request whose
//! process died is still found. Both serialise to the same JSON object.

use std::sync::Arc;

use weir_units::{FaultClass, NanoUsd, RequestId, TraceContext, Usage, WallTime};

use crate::fact::Event;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It still runs; no ended request has this.
    Open,
    /// The client has a whole answer.
    Answered,
    /// It was never sent upstream: Weir said no.
    Refused,
    /// It was tried, and the client got an error or a broken answer.
    Failed,
    /// The client went away; the status is 499.
    Cancelled,
    /// The process died before it ended.
    Lost,
}

impl Outcome {
    /// The name in records: `answered`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }

    /// The outcome of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Open, Self::Answered, Self::Refused, Self::Failed, Self::Cancelled, Self::Lost];
        all.into_iter().find(|outcome| outcome.name() == name)
    }
}

/// What is known of a request when it is admitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// The request's id.
    pub id: RequestId,
    /// The agent run or conversation that it belongs to.
    pub run: Option<Arc<str>>,
    /// The name of the client's key; none where no keys are asked for.
    pub key: Option<Arc<str>>,
    /// Who the key belongs to.
    pub tenant: Option<Arc<str>>,
    /// The tags that the client gave it, each a name and a value.
    pub tags: Vec<(Arc<str>, Arc<str>)>,
    /// The route that serves it.
    pub route: Arc<str>,
    /// The model as the client named it.
    pub model: Arc<str>,
    /// The client's dialect.
    pub dialect: &'static str,
    /// The endpoint it came to.
    pub endpoint: &'static str,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// The trace that it belongs to: the client's, else the one that Weir began, if traces are exported.
    pub trace: Option<TraceContext>,
    /// How often the client's SDK had tried before, where it says so.
    pub sdk_retry: Option<u32>,
    /// When it arrived.
    pub started_at: WallTime,
}

/// One call upstream, made for a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// What was called, `provider/model`.
    pub deployment: Arc<str>,
    /// The status that came back, if one did.
    pub status: Option<u16>,
    /// What kind of fault it was; none for a success.
    pub class: Option<FaultClass>,
    /// What the provider said, cleaned and short.
    pub message: Option<Box<str>>,
    /// The provider's own id of it.
    pub upstream_id: Option<Box<str>>,
    /// When the call was sent.
    pub started_at: WallTime,
    /// When it ended.
    pub ended_at: WallTime,
    /// What it used, as its provider reported it.
    pub usage: Option<Usage>,
    /// What it cost; none is unknown, which is not zero.
    pub cost_usd: Option<NanoUsd>,
    /// Whether the cost is an estimate: its provider did not get to say what was used.
    pub cost_estimated: bool,
}

/// The whole record of a request that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The request's id.
    pub id: RequestId,
    /// The agent run or conversation that it belongs to.
    pub run: Option<Arc<str>>,
    /// The name of the client's key.
    pub key: Option<Arc<str>>,
    /// Who the key belongs to.
    pub tenant: Option<Arc<str>>,
    /// The tags that the client gave it, each a name and a value.
    pub tags: Vec<(Arc<str>, Arc<str>)>,
    /// The route that served it; none if the name led nowhere.
    pub route: Option<Arc<str>>,
    /// The model as the client named it.
    pub model: Option<Arc<str>>,
    /// The client's dialect.
    pub dialect: &'static str,
    /// The endpoint it came to.
    pub endpoint: &'static str,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// The trace that it belongs to: the client's, else the one that Weir began, if traces are exported.
    pub trace: Option<TraceContext>,
    /// How often the client's SDK had tried before, where it says so.
    pub sdk_retry: Option<u32>,
    /// A keyed hash of what was asked; equal requests of one tenant have the same as long as the process lives.
    pub content: Option<u64>,
    /// How it ended.
    pub outcome: Outcome,
    /// The status that the client saw; 499 for one that left.
    pub status: Option<u16>,
    /// The code of the refusal or error.
    pub code: Option<Arc<str>>,
    /// Who refused: `weir` or a provider.
    pub refused_by: Option<Arc<str>>,
    /// When it arrived.
    pub started_at: WallTime,
    /// When the last byte of its answer was sent.
    pub ended_at: Option<WallTime>,
    /// Milliseconds from arrival to the first content sent.
    pub first_content_ms: Option<u64>,
    /// Milliseconds spent waiting for capacity.
    pub queued_ms: u64,
    /// Microseconds that Weir itself added.
    pub overhead_us: Option<u64>,
    /// What it cost: the sum of its attempts' costs; none, unknown, if one of those is.
    pub cost_usd: Option<NanoUsd>,
    /// Whether an estimate is in the cost.
    pub cost_estimated: bool,
    /// What the answer used; failed attempts are not in it.
    pub usage: Option<Usage>,
    /// What was left out of the answer.
    pub degraded: Vec<Box<str>>,
    /// The calls made for it, in order.
    pub attempts: Vec<Attempt>,
    /// What happened to it, in order.
    pub events: Vec<Event>,
}

impl Entry {
    /// Adds up what the attempts cost. A request that was never sent cost nothing.
    pub fn sum_costs(&mut self) {
        self.cost_usd = self.attempts.iter().map(|attempt| attempt.cost_usd).sum();
        self.cost_estimated = self.cost_usd.is_some() && self.attempts.iter().any(|attempt| attempt.cost_estimated);
    }

    /// A record with nothing in it but what the intent knew.
    #[must_use]
    pub fn of(intent: Intent, outcome: Outcome) -> Self {
        Self {
            id: intent.id,
            run: intent.run,
            key: intent.key,
            tenant: intent.tenant,
            tags: intent.tags,
            route: Some(intent.route),
            model: Some(intent.model),
            dialect: intent.dialect,
            endpoint: intent.endpoint,
            stream: intent.stream,
            trace: intent.trace,
            sdk_retry: intent.sdk_retry,
            content: None,
            outcome,
            status: None,
            code: None,
            refused_by: None,
            started_at: intent.started_at,
            ended_at: None,
            first_content_ms: None,
            queued_ms: 0,
            overhead_us: None,
            cost_usd: None,
            cost_estimated: false,
            usage: None,
            degraded: Vec::new(),
            attempts: Vec::new(),
            events: Vec::new(),
        }
    }
}
