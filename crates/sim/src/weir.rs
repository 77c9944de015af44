//! Weir itself as the simulation's gateway: the engine, driven exactly as the live shell drives it.
//!
//! What the shell reads out of HTTP, this reads out of the model: the status is the class of a fault, headers are what they
//! tell of limits. When a request gives up waiting is worked out as the shell does (`x-weir-deadline`, `queue.max-wait`).

mod settings;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use weir_engine::{
    Ask, Call, Candidate, ChargeModel, Engine, GiveUp, Outcome, PoolView, QueueView, Stated, Step as Next,
};
use weir_units::{Dimension, FaultClass, Moment, Tokens};

use crate::charge::Charge;
use crate::gateway::{Answer, AnswerEnd, CallId, Gateway, Refusal, RefusedBy, Step, Told, World};
use crate::open_calls::OpenCalls;
use crate::provider::RejectionKind;
use crate::scenario::{Scenario, Strategy};
use crate::workload::{Priority, Request};

/// How long a call may take in all (`timeouts.total` in weir.toml).
const TOTAL: Duration = Duration::from_secs(600);
/// How long a request waits for capacity, unless it says otherwise (`queue.max-wait` in weir.toml).
const MAX_WAIT: Duration = Duration::from_secs(30);
/// Output assumed for what a repeat costs, where a request sets no bound.
const ASSUMED_OUTPUT: u64 = 1_024;
/// How many bytes of a body a token of input takes.
const BYTES_PER_TOKEN: u64 = 4;

/// One Weir.
#[derive(Debug)]
pub struct Weir {
    engine: Engine,
    workloads: Vec<Client>,
    max_wait: Duration,
    calls: OpenCalls<Open>,
    /// Who waits in line, by the engine's tickets.
    tickets: BTreeMap<u64, CallId>,
    /// Who has something to hear.
    named: Vec<CallId>,
    /// When the engine wants to be asked next: it is looked for where something may have moved it, not after every event.
    due: Option<Moment>,
    /// What an answer tells of limits; kept for its room.
    stated: Vec<Stated>,
}

/// What all requests of a workload have in common.
#[derive(Debug)]
struct Client {
    tenant: Arc<str>,
    key: Option<Arc<str>>,
    priority: Priority,
    strategy: Strategy,
    deployments: Vec<usize>,
    candidates: Vec<Candidate>,
}

#[derive(Debug)]
struct Open {
    call: Call,
    workload: usize,
    sent_at: Moment,
    /// The status of the last answer that was none.
    status: u16,
}

impl Weir {
    /// The gateway of this number, which knows what the scenario's `[gateway]` says.
    #[must_use]
    pub fn new(scenario: &Scenario, world: &World, number: usize) -> Self {
        let settings = settings::of(scenario);
        let mut engine = Engine::new(settings.clone(), scenario.seed.wrapping_mul(1_000).wrapping_add(number as u64));
        engine.calendar(Moment::ZERO, scenario.start);
        engine.configure(settings, world.deployments.clone(), BTreeMap::new());
        let charges: Vec<Charge> = scenario.providers.values().map(|real| real.charge).collect();
        let windows: Vec<_> = scenario.providers.values().map(|real| real.profile.context_window).collect();
        let candidate = |place: &usize| Candidate {
            deployment: world.deployments[*place].clone(),
            host: Arc::clone(&world.deployments[*place].provider),
            window: windows[world.providers[*place]].map(Tokens),
            charge: counted(charges[world.providers[*place]]),
            input: Tokens(0),
        };
        let workloads = scenario
            .workloads
            .iter()
            .zip(world.routes.iter().zip(&world.strategies))
            .map(|(workload, (route, strategy))| Client {
                tenant: Arc::clone(&workload.tenant),
                key: workload.key.clone(),
                priority: workload.priority,
                strategy: *strategy,
                deployments: route.clone(),
                candidates: route.iter().map(candidate).collect(),
            })
            .collect();
        Self {
            engine,
            workloads,
            max_wait: scenario.gateway.max_wait.unwrap_or(MAX_WAIT),
            calls: OpenCalls::new(),
            tickets: BTreeMap::new(),
            named: Vec::new(),
            due: None,
            stated: Vec::new(),
        }
    }

    /// Every pool that has limits, as it is now.
    pub fn headroom(&mut self, now: Moment) -> Vec<PoolView> {
        self.engine.headroom(now)
    }

    /// How many wait, and for how long, in all queues.
    pub fn queues(&mut self, now: Moment) -> Vec<QueueView> {
        self.engine.headroom(now).into_iter().filter_map(|view| view.queue).collect()
    }

    /// Asks the engine about a call, and translates what it says.
    fn step(&mut self, now: Moment, id: CallId) -> Step {
        let Some(open) = self.calls.get_mut(id) else {
            return Step::GiveUp(Refusal { status: 500, retry_after: None, by: RefusedBy::Weir });
        };
        let next = self.engine.next(now, &mut open.call);
        open.call.take_passed_over();
        let step = match next {
            Next::Send(send) => {
                open.sent_at = now;
                Step::Send(self.workloads[open.workload].deployments[send.candidate])
            }
            Next::Wait { until, .. } => Step::Wait(until),
            Next::Queue(queued) => {
                if let Some(ticket) = open.call.ticket() {
                    self.tickets.insert(ticket, id);
                }
                Step::Queue {
                    predicted: Some(queued.predicted),
                    within: Some(queued.within),
                    until: Some(queued.until),
                }
            }
            Next::GiveUp(why) => Step::GiveUp(refusal(&why, open.status)),
        };
        self.hear();
        step
    }

    /// Takes down whom the engine has named, and when it wants to be asked.
    fn hear(&mut self) {
        if self.engine.has_woken() {
            for ticket in self.engine.take_woken() {
                self.named.extend(self.tickets.remove(&ticket));
            }
        }
        self.engine.take_changes();
        self.due = self.engine.next_deadline();
    }

    fn tell(&mut self, now: Moment, id: CallId, told: &Told) {
        self.stated.clear();
        self.stated.extend(Dimension::ALL.into_iter().zip(told).filter_map(|(dimension, gauge)| {
            let gauge = (*gauge)?;
            Some(Stated { dimension, limit: gauge.limit, remaining: Some(gauge.remaining) })
        }));
        if let Some(open) = self.calls.get_mut(id).filter(|_| !self.stated.is_empty()) {
            self.engine.stated(now, &mut open.call, &self.stated);
            self.hear();
        }
    }
}

impl Gateway for Weir {
    fn begin(&mut self, now: Moment, id: CallId, request: &Request) -> Step {
        let client = &self.workloads[request.workload];
        if client.deployments.is_empty() {
            return Step::GiveUp(Refusal { status: 404, retry_after: None, by: RefusedBy::Weir });
        }
        let ask = ask(now, client, request, self.max_wait);
        let admitted = match &client.key {
            Some(key) => self.engine.admit_key(now, key, ask.input.0, ask.max_output),
            None => Ok(None),
        };
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(full) => {
                let retry_after = Some(full.retry_after);
                return Step::GiveUp(Refusal { status: 429, retry_after, by: RefusedBy::Weir });
            }
        };
        let mut call = self.engine.begin(now, ask);
        self.engine.charge_key(&mut call, admitted);
        self.calls.insert(id, Open { call, workload: request.workload, sent_at: now, status: 502 });
        self.step(now, id)
    }

    fn next(&mut self, now: Moment, id: CallId) -> Step {
        self.step(now, id)
    }

    fn content(&mut self, now: Moment, id: CallId, told: &Told) {
        self.tell(now, id, told);
        if let Some(open) = self.calls.get_mut(id) {
            self.engine.content(now, &mut open.call, now.since(open.sent_at));
            self.hear();
        }
    }

    fn produced(&mut self, now: Moment, id: CallId, output: Tokens) {
        if let Some(open) = self.calls.get_mut(id) {
            self.engine.produced(now, &mut open.call, output.0);
            self.hear();
        }
    }

    fn report(&mut self, now: Moment, id: CallId, answer: &Answer) {
        if matches!(answer.end, AnswerEnd::Status { .. }) {
            self.tell(now, id, &answer.told);
        }
        let Some(open) = self.calls.get_mut(id) else { return };
        if let AnswerEnd::Whole(usage) = answer.end {
            self.engine.used(&mut open.call, usage);
        }
        if let AnswerEnd::Status { status, .. } = answer.end {
            open.status = status;
        }
        self.engine.report(now, &mut open.call, outcome(&answer.end));
        self.hear();
    }

    fn end(&mut self, now: Moment, id: CallId) {
        if let Some(open) = self.calls.remove(id) {
            if let Some(ticket) = open.call.ticket() {
                self.tickets.remove(&ticket);
            }
            self.engine.end(now, open.call);
            self.hear();
        }
    }

    fn pump(&mut self, now: Moment) -> Vec<CallId> {
        if self.due.is_some_and(|due| due <= now) {
            self.engine.pump(now);
            self.hear();
        }
        std::mem::take(&mut self.named)
    }

    fn next_deadline(&self) -> Option<Moment> {
        self.due
    }
}

/// What the engine is told of a request, as the live shell does.
fn ask(now: Moment, client: &Client, request: &Request, max_wait: Duration) -> Ask {
    let max_output = request.max_output.map(|most| most.0);
    // 2 % are kept for the way back.
    let deadline = request.deadline.map(|deadline| now + deadline.since(now).mul_f64(0.98));
    let candidates = client.candidates.iter().map(|one| Candidate { input: request.estimate, ..one.clone() }).collect();
    Ask {
        candidates,
        strategy: client.strategy,
        tenant: Arc::clone(&client.tenant),
        cost: request.estimate.0 + max_output.unwrap_or(ASSUMED_OUTPUT),
        input: request.estimate,
        max_output,
        bytes: request.input.0.saturating_mul(BYTES_PER_TOKEN),
        priority: client.priority,
        deadline: Some(deadline.unwrap_or(now + TOTAL)),
        wait_until: deadline.or(Some(now + max_wait)),
        repeatable: true,
        pinned: false,
    }
}

/// How the engine takes a provider to count.
fn counted(charge: Charge) -> ChargeModel {
    match charge {
        Charge::Reserve => ChargeModel::OPENAI,
        Charge::ReserveSum => ChargeModel::AZURE,
        Charge::Settle { burndown } => ChargeModel { output_weight: burndown, ..ChargeModel::BEDROCK },
        Charge::Metered => ChargeModel::ANTHROPIC,
        Charge::Input => ChargeModel::GEMINI,
    }
}

fn outcome(end: &AnswerEnd) -> Outcome {
    let fault = |class, retry_after, limit, after_content| Outcome::Fault { class, retry_after, limit, after_content };
    match *end {
        AnswerEnd::Whole(_) => Outcome::Success,
        AnswerEnd::Left(_) => Outcome::Abandoned,
        AnswerEnd::Broken(_) => fault(FaultClass::Cut, None, None, true),
        AnswerEnd::Reset => fault(FaultClass::Reset, None, None, false),
        AnswerEnd::Silence => fault(FaultClass::FirstByteTimeout, None, None, false),
        AnswerEnd::Status { kind, retry_after, .. } => {
            let (class, limit) = match kind {
                RejectionKind::Limit(dimension) => (FaultClass::RateLimited, Some(dimension)),
                RejectionKind::Quota | RejectionKind::Payment => (FaultClass::Billing, None),
                RejectionKind::Server | RejectionKind::Timeout => (FaultClass::ServerError, None),
                RejectionKind::Overloaded => (FaultClass::Overloaded, None),
                RejectionKind::Credential => (FaultClass::Unauthorized, None),
                RejectionKind::Permission => (FaultClass::Forbidden, None),
                RejectionKind::Model => (FaultClass::ModelNotFound, None),
                RejectionKind::Context => (FaultClass::ContextLength, None),
                RejectionKind::Filter => (FaultClass::ContentFilter, None),
            };
            fault(class, retry_after, limit, false)
        }
    }
}

/// What a client is told; `status` is that of the last answer that was none.
fn refusal(why: &GiveUp, status: u16) -> Refusal {
    match why {
        GiveUp::Fault { class, retry_after } => {
            let status = match class {
                FaultClass::FirstByteTimeout | FaultClass::FirstContentTimeout => 504,
                FaultClass::Reset | FaultClass::Connect => 502,
                _ => status,
            };
            Refusal { status, retry_after: *retry_after, by: RefusedBy::Provider }
        }
        GiveUp::NoDeployment { retry_after } | GiveUp::NoCapacity { retry_after, .. } => {
            Refusal { status: 503, retry_after: Some(*retry_after), by: RefusedBy::Weir }
        }
        GiveUp::Deadline => Refusal { status: 503, retry_after: Some(Duration::from_secs(1)), by: RefusedBy::Weir },
    }
}
