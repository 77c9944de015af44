//! What is asked of a request's run, what is answered, and what is told when the request is over.

use std::sync::Arc;

use weir_units::{Addition, History, Mark, Moment, NanoUsd, Tokens, Usage};

use super::evidence::Evidence;
use super::settings::{Guards, Loops};

/// A kind of id by which clients say what belongs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SessionKind {
    /// The response that this request goes on from.
    PreviousResponse,
    /// A conversation that the provider keeps.
    Conversation,
    /// A session that the client names.
    Session,
    /// The key of the provider's prompt cache. Templated services share one among conversations.
    PromptCacheKey,
    /// The trace that the request is part of.
    Trace,
}

impl SessionKind {
    /// The name on screens.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PreviousResponse => "previous-response",
            Self::Conversation => "conversation",
            Self::Session => "session",
            Self::PromptCacheKey => "prompt-cache-key",
            Self::Trace => "trace",
        }
    }
}

/// An id that a request carries, as a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionId {
    /// Its kind.
    pub kind: SessionKind,
    /// Its mark.
    pub mark: Mark,
}

/// A request, as far as its run is concerned.
#[derive(Clone, Copy, Debug)]
pub struct RunAsk<'a> {
    /// Whose it is.
    pub tenant: &'a Arc<str>,
    /// The run that the client names; at most 128 bytes.
    pub run: Option<&'a str>,
    /// The run that the client says it was started by; at most 128 bytes.
    pub parent: Option<&'a str>,
    /// The other ids that it carries.
    pub ids: &'a [SessionId],
    /// What its body says of the conversation.
    pub history: Option<&'a History>,
    /// The history is only the end: the rest is with the provider.
    pub stateful: bool,
    /// What its run is held to.
    pub guards: &'a Guards,
    /// How often the client's SDK says that it has sent it before.
    pub sdk_retry: u32,
    /// About how many input tokens it has.
    pub input: Tokens,
    /// Chance, for the name of a new run.
    pub draw: u128,
}

/// How a request's run was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// The client named it.
    Named,
    /// By an id that the request carries.
    Session(SessionKind),
    /// Its history goes on where the last answer ended.
    Continued,
    /// Its history goes on from an earlier answer, or beside a request that is under way.
    Forked,
    /// Only the end of its history is known: the rest was compacted or changed.
    Inferred,
    /// It is a request that was sent before.
    Retried,
    /// It is a new run.
    New,
}

impl Joined {
    /// The name on screens.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Session(kind) => kind.name(),
            Self::Continued => "continued",
            Self::Forked => "forked",
            Self::Inferred => "inferred",
            Self::Retried => "retried",
            Self::New => "new",
        }
    }
}

/// A request's run, and whether it may go.
#[derive(Debug)]
pub struct Admission {
    /// The run's name; a branch or a further conversation of it has `~` and its number behind that.
    pub run: Arc<str>,
    /// What it branched off, or who started it.
    pub parent: Option<Arc<str>>,
    /// How it was found.
    pub joined: Joined,
    /// How many input tokens the request before it had, where it goes on from that one and that is not long ago: its provider may
    /// have them in its cache.
    pub before: Tokens,
    /// About how many tokens of the conversation were in all of its last requests already, beyond what it began with: they are
    /// sent once more with this one.
    pub stale: Tokens,
    /// Whether it may go.
    pub verdict: Verdict,
    /// Owes one [`super::Runs::settle`].
    pub ticket: RunTicket,
}

/// Whether a request may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Go,
    /// It may, and this is to be said with the answer.
    Warn(Evidence),
    /// Not yet. Ask again with [`super::Runs::resume`] at that moment, and whenever [`super::Runs::take_woken`] names it.
    Wait {
        /// When it may go by the clock alone; none where it waits for another request of its run.
        until: Option<Moment>,
        /// Why.
        evidence: Evidence,
    },
    /// It may not.
    Halt(Evidence),
}

/// A request that was admitted, or refused.
#[derive(Debug)]
pub struct RunTicket {
    pub(super) id: u64,
    pub(super) path: u32,
    pub(super) serial: u64,
    /// It was counted as a request.
    pub(super) counted: bool,
    /// It is under way, and so much is held for it.
    pub(super) held: Option<i64>,
    pub(super) input: Tokens,
    pub(super) waits: Option<Box<Waits>>,
    /// The chain mark of all that it sent, and of its last messages.
    pub(super) full: Option<Mark>,
    pub(super) last: [Mark; 2],
    pub(super) messages: u32,
    pub(super) stateful: bool,
    pub(super) fresh_trace: Option<Mark>,
    /// The serial of a first request that is no run yet.
    pub(super) first: Option<u64>,
}

/// What a request waits for.
#[derive(Clone, Debug)]
pub(super) struct Waits {
    pub(super) loops: Loops,
    pub(super) slow: bool,
    pub(super) max_cost: Option<NanoUsd>,
    pub(super) evidence: Evidence,
}

impl RunTicket {
    /// A ticket that nothing is remembered of.
    pub(super) fn of_nothing() -> Self {
        Self {
            id: 0,
            path: u32::MAX,
            serial: 0,
            counted: false,
            held: None,
            input: Tokens(0),
            waits: None,
            full: None,
            last: [Mark::default(); 2],
            messages: 0,
            stateful: false,
            fresh_trace: None,
            first: None,
        }
    }

    /// The number by which [`super::Runs::take_woken`] names it.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    /// With an answer, whole or cut.
    Answered,
    /// Without one.
    Failed,
    /// The client left.
    Left,
    /// It was refused before anything was sent.
    Refused,
}

/// What a request came to.
#[derive(Clone, Copy, Debug)]
pub struct RunSettled<'a> {
    /// How it ended.
    pub outcome: RunOutcome,
    /// What the answer adds to the history, where it could be read.
    pub addition: Option<&'a Addition>,
    /// How many upstream calls were made.
    pub attempts: u32,
    /// What they used.
    pub usage: Usage,
    /// What they cost; none if nobody knows.
    pub cost: Option<NanoUsd>,
    /// The id of the answer, where the provider keeps it.
    pub response_id: Option<Mark>,
}

impl RunSettled<'_> {
    /// The end of a request that was never sent.
    #[must_use]
    pub fn refused() -> Self {
        let (usage, cost) = (Usage::default(), Some(NanoUsd::ZERO));
        Self { outcome: RunOutcome::Refused, addition: None, attempts: 0, usage, cost, response_id: None }
    }
}
