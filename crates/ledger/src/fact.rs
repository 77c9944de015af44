//! What happened, in the past tense: the one stream of facts that the ledger, the traces and the metrics are fed from.
//!
//! A fact says what happened and no more; what it means is for its readers. Nothing here may hold a prompt, an answer or
//! a credential, and what an upstream said is cleaned before it becomes a fact.

use std::cell::Cell;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use weir_units::{FaultClass, NanoUsd, WallTime};

use crate::words::in_words;

/// The stages of a request's life, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Who is it, which dialect, what is asked.
    Accept,
    /// May it come in.
    Admit,
    /// Which deployments may serve it, in which order.
    Route,
    /// Waiting for capacity.
    Queue,
    /// Calls upstream.
    Call,
    /// Content on its way to the client.
    Stream,
    /// The books are closed.
    Settle,
}

impl Stage {
    /// The name in records, spans, metric labels and pages: `accept`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Admit => "admit",
            Self::Route => "route",
            Self::Queue => "queue",
            Self::Call => "call",
            Self::Stream => "stream",
            Self::Settle => "settle",
        }
    }
}

/// A fact, with its time and stage. As JSON: `{"at": "2026-…Z", "stage": "call", "fact": "AttemptFailed", …}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When it happened.
    pub at: WallTime,
    /// In which stage of a request's life.
    pub stage: Stage,
    /// What happened.
    pub fact: Fact,
}

/// One thing that happened. Attempts are counted from 1; a deployment is written `provider/model`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "fact")]
#[expect(missing_docs, reason = "the fields are named by what they hold, and each variant says what happened")]
pub enum Fact {
    /// The request may be served; `tools` says whether it offers any.
    Admitted {
        key: Option<Arc<str>>,
        tenant: Option<Arc<str>>,
        route: Arc<str>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        tools: bool,
    },
    /// These deployments may serve it, in this order; each of `skipped` comes with its reason.
    Routed {
        candidates: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        skipped: Vec<(String, String)>,
    },
    /// It got in line for capacity: `limit` of `pool` was in the way, with so many before it.
    Queued { deployment: Arc<str>, pool: String, limit: &'static str, ahead: u64, predicted_ms: u64 },
    /// It had no capacity in time: `limit` of `pool` was in the way, for so long.
    PassedOver { deployment: Arc<str>, pool: String, limit: &'static str, wait_ms: u64 },
    /// It had no capacity so far: about so many tokens are what it would use of the deployment that is to serve it before all others.
    Estimated { deployment: Arc<str>, input: u64, output: u64 },
    /// A call was sent upstream.
    AttemptStarted { attempt: u32, deployment: Arc<str>, why: &'static str },
    /// A call did not lead to an answer. `message` is cleaned and short.
    AttemptFailed {
        attempt: u32,
        deployment: Arc<str>,
        #[serde(serialize_with = "fault_class")]
        class: FaultClass,
        status: Option<u16>,
        message: String,
        retry_after_ms: Option<u64>,
    },
    /// A call led to the answer.
    AttemptSucceeded { attempt: u32, deployment: Arc<str>, status: u16, after_ms: u64 },
    /// A deployment was left out, since a budget does not pay for what it may cost.
    TooDear { deployment: Arc<str>, budget: String, why: &'static str, needed_usd: String },
    /// Time was spent waiting on purpose: before a retry, for capacity.
    Waited { why: &'static str, for_ms: u64 },
    /// The next deployment was tried.
    FailedOver { from: Arc<str>, to: Arc<str> },
    /// The first content of the answer came.
    FirstContent { attempt: u32, after_ms: u64 },
    /// A cut answer was carried on by another call, which repeated `matched_bytes` bytes of it first.
    Spliced { from: Arc<str>, to: Arc<str>, matched_bytes: u64 },
    /// A cut answer could not be carried on.
    SpliceFailed { from: Arc<str>, to: Option<Arc<str>>, why: String },
    /// Chunks of the upstream's stream made no sense and were left out.
    MalformedChunkDropped { count: u64 },
    /// The answer is less than was asked for.
    Degraded { what: String },
    /// A run was seen to repeat itself, or to spend too fast.
    RunWarned(RunEvidence),
    /// A run's requests go one by one, with a growing gap.
    RunSlowed(RunEvidence),
    /// Nothing of a run goes any more until somebody releases it.
    RunHalted(RunEvidence),
    /// A halted run may go on.
    RunReleased { run: String, tenant: String, by: String },
    /// Tokens were paid for and served nobody; `why` says how.
    Wasted {
        why: &'static str,
        input: u64,
        output: u64,
        #[serde(serialize_with = "dollars")]
        cost_usd: Option<NanoUsd>,
        estimated: bool,
    },
    /// It is a further try of a request that came before, `of` where that is known; `by` is `sdk` where the client's SDK says so.
    ClientRetried { of: Option<String>, count: u32, by: &'static str },
    /// The client went away before the answer ended.
    ClientLeft,
    /// The client was refused; `by` is `weir` or the provider.
    Refused { status: u16, code: String, by: String },
    /// The client has its answer.
    Answered { status: u16 },
    /// The process died with the request open; found so at the next start.
    Lost,
    /// A breaker changed its state.
    BreakerChanged { scope: String, from: &'static str, to: &'static str, why: String },
    /// A credential was refused, so its provider is not called for now.
    CredentialBenched {
        provider: String,
        #[serde(serialize_with = "fault_class")]
        class: FaultClass,
        #[serde(serialize_with = "some_wall_time")]
        until: Option<WallTime>,
    },
    /// A benched credential works again.
    CredentialRestored { provider: String },
    /// A model was refused or is not known there, so it is not called for now.
    ModelBenched {
        deployment: Arc<str>,
        #[serde(serialize_with = "fault_class")]
        class: FaultClass,
        #[serde(serialize_with = "some_wall_time")]
        until: Option<WallTime>,
    },
    /// A benched model works again.
    ModelRestored { deployment: Arc<str> },
    /// A limit that is kept to changed; `old` is none where there was none.
    LimitChanged { pool: String, limit: &'static str, old: Option<u64>, new: u64, how: String },
    /// A key was made at run time; `who` asked for it.
    KeyMade { name: Arc<str>, tenant: Arc<str>, who: Arc<str> },
    /// A key was given a new secret.
    KeyRotated { name: Arc<str>, tenant: Arc<str>, who: Arc<str> },
    /// A key was shut out for good.
    KeyRevoked { name: Arc<str>, tenant: Arc<str>, who: Arc<str> },
    /// A share of a budget was spent, for the first time in its period.
    BudgetWarned {
        budget: String,
        scope: &'static str,
        share: f64,
        spent_usd: String,
        limit_usd: String,
        #[serde(serialize_with = "some_wall_time")]
        resets_at: Option<WallTime>,
    },
    /// A budget refused: a request, or as a fact of Weir itself the first one in its period.
    BudgetRefused {
        budget: String,
        scope: &'static str,
        why: &'static str,
        limit_usd: String,
        spent_usd: String,
        reserved_usd: String,
        needed_usd: String,
        #[serde(serialize_with = "some_wall_time")]
        resets_at: Option<WallTime>,
    },
    /// Something is the case that a person should hear of.
    AlertOpened(AlertTold),
    /// It got worse.
    AlertWorsened(AlertTold),
    /// It is over, or was not seen for long enough.
    AlertClosed { alert: String, rule: &'static str, about: String, lasted_s: u64, words: String },
    /// Somebody took it on.
    AlertAcknowledged { alert: String, rule: &'static str, about: String, by: String },
    /// Nobody is told of it until then.
    AlertSilenced {
        alert: String,
        rule: &'static str,
        about: String,
        by: String,
        why: String,
        #[serde(serialize_with = "some_wall_time")]
        until: Option<WallTime>,
    },
    /// A silence ended before its time.
    AlertSilenceEnded { alert: String, rule: &'static str, about: String, by: String },
    /// A notifier took a message.
    AlertDelivered { alert: String, to: String, what: String, tries: u32 },
    /// A message is tried no more.
    AlertDeliveryFailed { alert: String, to: String, what: String, tries: u32, why: String },
    /// A weekly report was made and goes to these notifiers.
    ReportSent { to: Vec<String>, headline: String },
    /// A new config is in force.
    ConfigReloaded { path: String },
    /// A new config was refused whole; the old one stays in force.
    ConfigRefused { reason: String },
    /// The process began to serve.
    Started { version: String },
    /// The process stopped serving.
    Stopped { why: String },
}

/// What was seen of a run: figures, a tool's name and keyed hashes, and nothing of what was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are named by what they hold")]
pub struct RunEvidence {
    pub run: String,
    pub tenant: String,
    pub detector: &'static str,
    pub tool: Option<String>,
    pub count: u64,
    pub of: u64,
    pub threshold: u64,
    pub period: u32,
    pub hashes: Vec<String>,
    /// The same in one sentence.
    pub words: String,
}

/// What is said of an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are named by what they hold")]
pub struct AlertTold {
    pub alert: String,
    pub rule: &'static str,
    pub about: String,
    pub severity: &'static str,
    #[serde(serialize_with = "some_wall_time")]
    pub since: Option<WallTime>,
    pub step: u32,
    pub subject: String,
    pub evidence: Vec<String>,
    pub action: String,
    pub peak: String,
}

impl Fact {
    /// The name in records, as the variant is called.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Admitted { .. } => "Admitted",
            Self::Routed { .. } => "Routed",
            Self::Queued { .. } => "Queued",
            Self::PassedOver { .. } => "PassedOver",
            Self::Estimated { .. } => "Estimated",
            Self::AttemptStarted { .. } => "AttemptStarted",
            Self::AttemptFailed { .. } => "AttemptFailed",
            Self::AttemptSucceeded { .. } => "AttemptSucceeded",
            Self::Waited { .. } => "Waited",
            Self::FailedOver { .. } => "FailedOver",
            Self::FirstContent { .. } => "FirstContent",
            Self::Spliced { .. } => "Spliced",
            Self::SpliceFailed { .. } => "SpliceFailed",
            Self::MalformedChunkDropped { .. } => "MalformedChunkDropped",
            Self::Degraded { .. } => "Degraded",
            Self::RunWarned(_) => "RunWarned",
            Self::RunSlowed(_) => "RunSlowed",
            Self::RunHalted(_) => "RunHalted",
            Self::RunReleased { .. } => "RunReleased",
            Self::Wasted { .. } => "Wasted",
            Self::ClientRetried { .. } => "ClientRetried",
            Self::ClientLeft => "ClientLeft",
            Self::Refused { .. } => "Refused",
            Self::Answered { .. } => "Answered",
            Self::Lost => "Lost",
            Self::BreakerChanged { .. } => "BreakerChanged",
            Self::CredentialBenched { .. } => "CredentialBenched",
            Self::CredentialRestored { .. } => "CredentialRestored",
            Self::ModelBenched { .. } => "ModelBenched",
            Self::ModelRestored { .. } => "ModelRestored",
            Self::LimitChanged { .. } => "LimitChanged",
            Self::KeyMade { .. } => "KeyMade",
            Self::KeyRotated { .. } => "KeyRotated",
            Self::KeyRevoked { .. } => "KeyRevoked",
            Self::BudgetWarned { .. } => "BudgetWarned",
            Self::BudgetRefused { .. } => "BudgetRefused",
            Self::TooDear { .. } => "TooDear",
            Self::AlertOpened(_) => "AlertOpened",
            Self::AlertWorsened(_) => "AlertWorsened",
            Self::AlertClosed { .. } => "AlertClosed",
            Self::AlertAcknowledged { .. } => "AlertAcknowledged",
            Self::AlertSilenced { .. } => "AlertSilenced",
            Self::AlertSilenceEnded { .. } => "AlertSilenceEnded",
            Self::AlertDelivered { .. } => "AlertDelivered",
            Self::AlertDeliveryFailed { .. } => "AlertDeliveryFailed",
            Self::ReportSent { .. } => "ReportSent",
            Self::ConfigReloaded { .. } => "ConfigReloaded",
            Self::ConfigRefused { .. } => "ConfigRefused",
            Self::Started { .. } => "Started",
            Self::Stopped { .. } => "Stopped",
        }
    }

    /// The fact as one plain sentence, for a person.
    #[must_use]
    pub fn in_words(&self) -> String {
        serde_json::to_value(self).map(|fact| in_words(&fact)).unwrap_or_default()
    }
}

/// Writes a time as RFC 3339, or null.
fn some_wall_time<S: Serializer>(at: &Option<WallTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}

/// Writes money as a decimal in quotes, or null.
fn dollars<S: Serializer>(amount: &Option<NanoUsd>, serializer: S) -> Result<S::Ok, S::Error> {
    match amount {
        Some(amount) => serializer.collect_str(amount),
        None => serializer.serialize_none(),
    }
}

fn fault_class<S: Serializer>(class: &FaultClass, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(class.name())
}

/// Bytes of a time as it is written: `2026-11-18T14:47:03.114Z`.
pub(crate) const WALL_TIME: usize = 24;

thread_local! {
    /// The millisecond last written, and what was written.
    static LAST: Cell<Option<(i64, [u8; WALL_TIME])>> = const { Cell::new(None) };
}

/// What `Display` makes of a time, at less cost, since a record holds some ten of them: all of a quick request's are of one
/// millisecond, and the calendar is asked once a day. None for years that do not have four digits.
pub(crate) fn rfc_3339(at: WallTime) -> Option<[u8; WALL_TIME]> {
    const DAY: i64 = 86_400_000;
    let millis = at.millis();
    let (day, ms) = (millis.div_euclid(DAY), millis.rem_euclid(DAY));
    let mut text = match LAST.get() {
        Some((known, text)) if known == millis => return Some(text),
        Some((known, text)) if known.div_euclid(DAY) == day => text,
        _ => {
            let mut text = [0; WALL_TIME];
            text[..11].copy_from_slice(at.to_string().as_bytes().get(..11).filter(|date| date[10] == b'T')?);
            text
        }
    };
    let digits = |text: &mut [u8], mut value: i64| {
        for place in text.iter_mut().rev() {
            *place = b'0' + u8::try_from(value % 10).unwrap_or_default();
            value /= 10;
        }
    };
    digits(&mut text[11..13], ms / 3_600_000);
    digits(&mut text[14..16], ms / 60_000 % 60);
    digits(&mut text[17..19], ms / 1_000 % 60);
    digits(&mut text[20..23], ms % 1_000);
    (text[13], text[16], text[19], text[23]) = (b':', b':', b'.', b'Z');
    LAST.set(Some((millis, text)));
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_they_display() {
        for micros in
            [0, -1_000, 951_782_400_000_000, 1_795_013_223_114_999, 1_795_046_399_999_999, 253_402_300_800_000_000]
        {
            let event = Event { at: WallTime(micros), stage: Stage::Call, fact: Fact::ClientLeft };
            let expected = format!(r#"{{"at":"{}","stage":"call","fact":"ClientLeft"}}"#, WallTime(micros));
            assert_eq!(&*event.to_json(), expected);
        }
    }
}
