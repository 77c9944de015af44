//! Agent runs: which run a request belongs to, and whether it may go on.
//!
//! The engine decides ([`weir_engine::Runs`]); here it is asked, its waits are slept, and each request's end is told to it
//! exactly once, whatever happens to the request.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use tokio::sync::Notify;
use weir_engine::{
    Detector, Evidence, Guards, Joined, RunAsk, RunChange, RunOutcome, RunSettled, RunTicket, Runs, RunsSettings,
    SessionId, SessionKind, Verdict,
};
use weir_ledger::{Entry, Event, Fact, Outcome, RunEvidence, Stage};
use weir_units::{Addition, Moment, Tokens};
use weir_wire::{Endpoint, HistoryKey, Room, Scope, read_addition, read_history};

use crate::accept::Accepted;
use crate::admit::{Caller, shown};
use crate::clock::wall;
use crate::headers::{self, TRACEPARENT, X_STAINLESS_RETRY_COUNT, X_WEIR_PARENT_RUN, X_WEIR_RUN};
use crate::reply::{Cause, Refusal};
use crate::route::Routed;
use crate::state::{Live, Shared};

/// The longest name of a run that is taken, in bytes.
const LONGEST_NAME: usize = 128;

thread_local! {
    /// Where histories are read; what grew large for one is given back.
    static ROOM: RefCell<Room> = RefCell::new(Room::default());
}

/// All runs, and the requests that wait for their turn within one.
pub(crate) struct AllRuns {
    key: HistoryKey,
    runs: Mutex<Runs>,
    waiting: Mutex<BTreeMap<u64, Arc<Notify>>>,
}

/// A request's place in its run. Dropped, it is settled as one that was never sent.
pub(crate) struct InRun {
    shared: Arc<Shared>,
    scope: Scope,
    /// The run's name.
    pub(crate) name: Arc<str>,
    tenant: Arc<str>,
    ticket: Option<RunTicket>,
    addition: Option<Addition>,
    response_id: Option<weir_units::Mark>,
    /// The input of the request before it, which its provider may have in its cache.
    pub(crate) before: Tokens,
    /// What of its input was said many turns ago.
    pub(crate) stale: Tokens,
    /// What was seen of it, to be said with the answer.
    pub(crate) seen: Option<Seen>,
}

/// What was seen of a run, and what follows for this request.
pub(crate) enum Seen {
    Warned(Evidence),
    Slowed(Evidence),
}

/// Why a request of a run goes no further.
pub(crate) struct Stopped {
    pub(crate) run: Arc<str>,
    pub(crate) fact: Option<Fact>,
    pub(crate) refusal: Refusal,
}

impl AllRuns {
    pub(crate) fn new(secret: &[u8; 32], settings: RunsSettings) -> Self {
        let runs = Mutex::new(Runs::new(settings));
        Self { key: HistoryKey::new(secret), runs, waiting: Mutex::default() }
    }

    /// The runs, to look at.
    pub(crate) fn look<T>(&self, question: impl FnOnce(&Runs) -> T) -> T {
        question(&self.runs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes new settings over.
    pub(crate) fn configure(&self, now: Moment, settings: RunsSettings) {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).configure(now, settings);
    }

    /// Asks for something or tells something; what that changed is written down, and whoever's turn it is is woken.
    pub(crate) fn decide<T>(&self, shared: &Shared, question: impl FnOnce(&mut Runs) -> T) -> T {
        self.decide_and_tell(shared, question).0
    }

    /// The same, and what it changed: that belongs into the record of whoever asked, too.
    fn decide_and_tell<T>(&self, shared: &Shared, question: impl FnOnce(&mut Runs) -> T) -> (T, Vec<Fact>) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = question(&mut runs);
        let (changes, woken) = (runs.take_changes(), runs.take_woken());
        // The lock must not be held while things are written down.
        drop(runs);
        let note = |fact: Fact| {
            tracing::warn!("{}", fact.in_words());
            shared.metrics.run_changed(&fact);
            shared.tell(Event { at: wall(), stage: Stage::Admit, fact: fact.clone() });
            fact
        };
        let facts = changes.iter().filter_map(fact).map(note).collect();
        self.wake(&woken);
        (answer, facts)
    }

    fn wake(&self, tickets: &[u64]) {
        if tickets.is_empty() {
            return;
        }
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.iter().filter_map(|ticket| waiting.get(ticket)).for_each(|place| place.notify_one());
    }
}

/// What was seen of a run, for the ledger.
fn evidence_of(evidence: &Evidence, tenant: &str) -> RunEvidence {
    RunEvidence {
        run: evidence.run.to_string(),
        tenant: tenant.to_owned(),
        detector: evidence.detector.name(),
        tool: evidence.tool.as_deref().map(str::to_owned),
        count: evidence.count,
        of: evidence.of,
        threshold: evidence.threshold,
        period: evidence.period,
        hashes: evidence.marks.iter().map(ToString::to_string).collect(),
        words: evidence.in_words(),
    }
}

/// The fact of a change; who released a run is known where that was asked for, and told there.
fn fact(change: &RunChange) -> Option<Fact> {
    match change {
        RunChange::Warned { tenant, evidence } => Some(Fact::RunWarned(evidence_of(evidence, tenant))),
        RunChange::Slowed { tenant, evidence } => Some(Fact::RunSlowed(evidence_of(evidence, tenant))),
        RunChange::Halted { tenant, evidence } => Some(Fact::RunHalted(evidence_of(evidence, tenant))),
        RunChange::Released { .. } => None,
    }
}

/// Finds the run of a request, and whether it may go on; none where there are no runs to speak of.
///
/// # Errors
/// The run is halted, or a name is no name.
pub(crate) fn join(
    shared: &Arc<Shared>,
    live: &Live,
    accepted: &Accepted,
    caller: &Caller,
    routed: &Routed,
) -> Result<Option<Box<InRun>>, Box<Stopped>> {
    let named = |header| name(&accepted.headers, header);
    let (run, parent) = (named(&X_WEIR_RUN)?, named(&X_WEIR_PARENT_RUN)?);
    let speaks = matches!(accepted.endpoint, Endpoint::ChatCompletions | Endpoint::Messages | Endpoint::Responses);
    if accepted.endpoint == Endpoint::CountTokens || !speaks && run.is_none() {
        return Ok(None);
    }
    let scope = shared.runs.key.scope(&caller.tenant);
    let history = ROOM.with_borrow_mut(|room| read_history(&scope, accepted.endpoint, &accepted.body, room));
    let ids = sessions(&scope, accepted);
    let retries = headers::text(&accepted.headers, &X_STAINLESS_RETRY_COUNT).and_then(|text| text.parse().ok());
    let ask = RunAsk {
        tenant: &caller.tenant,
        run,
        parent,
        ids: &ids,
        history: history.as_ref(),
        stateful: accepted.head.previous_response_id.is_some() || accepted.head.sessions.conversation.is_some(),
        guards: &guards(caller, routed),
        sdk_retry: retries.unwrap_or(0),
        input: routed.targets.first().map_or(Tokens(0), |target| target.candidate.input),
        draw: u128::from(shared.clock.draw()) << 64 | u128::from(shared.clock.draw()),
    };
    let now = shared.clock.now();
    let admission = shared.runs.decide(shared, |runs| runs.admit(now, &ask));
    // Whoever says which run it is gets that answer; only what was told from histories has branches with names of their own.
    let name = match (run, admission.joined) {
        (Some(named), _) => Arc::from(named),
        (None, Joined::Session(_)) => admission.run.split('~').next().map_or(Arc::clone(&admission.run), Arc::from),
        (None, _) => admission.run,
    };
    let mut place = Box::new(InRun {
        shared: Arc::clone(shared),
        scope,
        name,
        tenant: Arc::clone(&caller.tenant),
        ticket: Some(admission.ticket),
        addition: None,
        response_id: None,
        before: admission.before,
        stale: admission.stale,
        seen: None,
    });
    match admission.verdict {
        Verdict::Go => Ok(Some(place)),
        Verdict::Warn(evidence) => {
            place.seen = Some(Seen::Warned(evidence));
            Ok(Some(place))
        }
        Verdict::Wait { evidence, .. } => {
            place.seen = Some(Seen::Slowed(evidence));
            Ok(Some(place))
        }
        Verdict::Halt(evidence) => Err(place.halt(live, accepted, &evidence)),
    }
}

/// What guards this request: what its key says, else its route, else all runs.
fn guards<'a>(caller: &Caller, routed: &'a Routed) -> Cow<'a, Guards> {
    match &caller.key {
        Some(key) if !key.guards.is_empty() => Cow::Owned(key.guards.over(&routed.guards)),
        _ => Cow::Borrowed(&routed.guards),
    }
}

/// A name of a run, as the client sends it.
fn name<'a>(headers: &'a HeaderMap, header: &HeaderName) -> Result<Option<&'a str>, Box<Stopped>> {
    let Some(value) = headers.get(header).filter(|value| !value.is_empty()) else { return Ok(None) };
    let fits = |text: &&str| text.len() <= LONGEST_NAME && text.bytes().all(|b| (b' '..=b'~').contains(&b));
    match value.to_str().ok().map(str::trim).filter(fits) {
        Some(name) => Ok(Some(name)),
        None => {
            let message =
                format!("header {header}: a run's name has at most {LONGEST_NAME} printable ASCII characters");
            let refusal = Refusal::weir(Cause::Malformed, message);
            Err(Box::new(Stopped { run: Arc::from(""), fact: None, refusal }))
        }
    }
}

/// The other ids by which a request says where it belongs.
fn sessions(scope: &Scope, accepted: &Accepted) -> Vec<SessionId> {
    let told = &accepted.head.sessions;
    let trace = headers::text(&accepted.headers, &TRACEPARENT).and_then(trace_id);
    let kinds = [
        (SessionKind::PreviousResponse, accepted.head.previous_response_id.as_deref()),
        (SessionKind::Conversation, told.conversation.as_deref()),
        (SessionKind::Session, told.session.as_deref()),
        (SessionKind::PromptCacheKey, told.prompt_cache_key.as_deref()),
        (SessionKind::Trace, trace),
    ];
    let id = |(kind, text): (SessionKind, Option<&str>)| {
        text.map(|text| SessionId { kind, mark: scope.name(kind.name(), text) })
    };
    kinds.into_iter().filter_map(id).collect()
}

/// The trace of a `traceparent` (W3C Trace Context, section 3.2): `00-`, 32 hexadecimal digits that are not all 0, and more.
fn trace_id(text: &str) -> Option<&str> {
    let (version, rest) = text.split_once('-')?;
    let (trace, _) = rest.split_once('-')?;
    let hexadecimal = trace.len() == 32 && trace.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (version.len() == 2 && hexadecimal && trace.bytes().any(|b| b != b'0')).then_some(trace)
}

impl InRun {
    /// What is read of a stream's answer, and with what.
    pub(crate) fn scope(&self) -> Scope {
        self.scope
    }

    /// Takes a whole answer, as the client gets it.
    pub(crate) fn answered(&mut self, endpoint: Endpoint, body: &[u8]) {
        self.addition = ROOM.with_borrow_mut(|room| read_addition(&self.scope, endpoint, body, room));
    }

    /// Takes what a stream said.
    pub(crate) fn streamed(&mut self, read: impl FnOnce(&mut Room) -> Option<Addition>) {
        self.addition = ROOM.with_borrow_mut(read);
    }

    /// The provider keeps the answer under this id.
    pub(crate) fn kept_as(&mut self, id: &str) {
        self.response_id = Some(self.scope.name(SessionKind::PreviousResponse.name(), id));
    }

    /// What happened, for the request's record.
    pub(crate) fn fact(&self) -> Option<Fact> {
        Some(match self.seen.as_ref()? {
            Seen::Warned(evidence) => Fact::RunWarned(evidence_of(evidence, &self.tenant)),
            Seen::Slowed(evidence) => Fact::RunSlowed(evidence_of(evidence, &self.tenant)),
        })
    }

    /// Whether it was seen to go round in a loop.
    pub(crate) fn goes_round(&self) -> bool {
        let Some(Seen::Warned(evidence) | Seen::Slowed(evidence)) = &self.seen else { return false };
        !evidence.detector.is_cap() && !matches!(evidence.detector, Detector::Velocity | Detector::Retries)
    }

    /// What answers say of it: `identical-actions 3 of 5`.
    pub(crate) fn warning(&self) -> Option<String> {
        let (Seen::Warned(evidence) | Seen::Slowed(evidence)) = self.seen.as_ref()?;
        Some(format!("{} {} of {}", evidence.detector, evidence.count, evidence.threshold))
    }

    /// Whether it must wait for its turn.
    pub(crate) fn is_slowed(&self) -> bool {
        matches!(self.seen, Some(Seen::Slowed(_)))
    }

    /// Waits for its turn.
    ///
    /// # Errors
    /// Its turn does not come before `give_up`, or the run is halted meanwhile.
    pub(crate) async fn turn(&mut self, live: &Live, accepted: &Accepted, give_up: Moment) -> Result<(), Box<Stopped>> {
        let Some(id) = self.ticket.as_ref().map(RunTicket::id) else { return Ok(()) };
        let shared = Arc::clone(&self.shared);
        // It is asked once more when there is a place to be woken at: its turn may have come in between.
        let place = Place::take(&shared, id);
        loop {
            let now = shared.clock.now();
            let Some(ticket) = self.ticket.as_mut() else { return Ok(()) };
            let (until, evidence) = match shared.runs.decide(&shared, |runs| runs.resume(now, ticket)) {
                Verdict::Go | Verdict::Warn(_) => return Ok(()),
                Verdict::Wait { until, evidence } => (until, evidence),
                Verdict::Halt(evidence) => return Err(self.halt(live, accepted, &evidence)),
            };
            if now >= give_up || until.is_some_and(|until| until > give_up) {
                return Err(self.too_slow(&evidence, until));
            }
            let wake = until.map_or(give_up, |until| until.min(give_up));
            tokio::select! {
                () = place.notify.notified() => {}
                () = tokio::time::sleep_until(shared.clock.instant(wake)) => {}
            }
        }
    }

    /// The request has ended as its record says; returns what that changed.
    pub(crate) fn settle(mut self, outcome: Outcome, entry: &Entry) -> Vec<Fact> {
        let outcome = match outcome {
            Outcome::Answered => RunOutcome::Answered,
            Outcome::Cancelled => RunOutcome::Left,
            Outcome::Refused => RunOutcome::Refused,
            Outcome::Failed | Outcome::Open | Outcome::Lost => RunOutcome::Failed,
        };
        let addition = self.addition.take();
        let settled = RunSettled {
            outcome,
            addition: addition.as_ref(),
            attempts: u32::try_from(entry.attempts.len()).unwrap_or(u32::MAX),
            usage: entry.usage.unwrap_or_default(),
            cost: entry.attempts.iter().map(|attempt| attempt.cost_usd).sum(),
            response_id: self.response_id,
        };
        self.end(&settled)
    }

    fn end(&mut self, settled: &RunSettled<'_>) -> Vec<Fact> {
        let Some(ticket) = self.ticket.take() else { return Vec::new() };
        let now = self.shared.clock.now();
        self.shared.runs.decide_and_tell(&self.shared, |runs| runs.settle(now, ticket, settled)).1
    }

    /// What a halted run's client is told: the evidence, in its own words where there are some, and how to go on.
    fn halt(&self, live: &Live, accepted: &Accepted, evidence: &Evidence) -> Box<Stopped> {
        let name = shown(&self.name);
        let quoted = evidence
            .message
            .and_then(|message| weir_wire::quote(accepted.endpoint, &accepted.body, message))
            .map_or_else(String::new, |text| format!(" (“{text}”)"));
        let link = match &live.config.server.public_url {
            Some(url) => format!("POST {url}/admin/v1/runs/{name}/release"),
            None => format!("POST /admin/v1/runs/{name}/release"),
        };
        let message = format!(
            "run `{name}` is halted: {}{quoted}. Stop the agent and mend what makes it repeat itself; if it is right as it is, \
             its operator can let it go on: `weir runs release {name}`, or {link}",
            evidence.in_words()
        );
        Box::new(Stopped {
            run: Arc::clone(&self.name),
            fact: Some(Fact::RunHalted(evidence_of(evidence, &self.tenant))),
            refusal: Refusal::weir(Cause::RunHalted, message),
        })
    }

    fn too_slow(&self, evidence: &Evidence, until: Option<Moment>) -> Box<Stopped> {
        let now = self.shared.clock.now();
        let wait = until.map_or(Duration::from_secs(5), |until| until.since(now)).max(Duration::from_secs(1));
        let message = format!(
            "run `{}` is slowed: {}. Its requests go one by one, and this one's turn comes in {} s",
            shown(&self.name),
            evidence.in_words(),
            wait.as_secs().max(1)
        );
        Box::new(Stopped {
            run: Arc::clone(&self.name),
            fact: Some(Fact::RunSlowed(evidence_of(evidence, &self.tenant))),
            refusal: Refusal::weir(Cause::RateLimited, message).retry_after(wait),
        })
    }
}

impl Drop for InRun {
    fn drop(&mut self) {
        self.end(&RunSettled::refused());
    }
}

/// Where a request sleeps until it is its turn.
struct Place {
    shared: Arc<Shared>,
    id: u64,
    notify: Arc<Notify>,
}

impl Place {
    fn take(shared: &Arc<Shared>, id: u64) -> Self {
        let mut waiting = shared.runs.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let notify = Arc::clone(waiting.entry(id).or_default());
        drop(waiting);
        Self { shared: Arc::clone(shared), id, notify }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.runs.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}
