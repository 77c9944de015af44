//! What a caller asks of the engine about one request, and what it is told to do.

use std::sync::Arc;
use std::time::Duration;

use weir_units::{DeploymentId, FaultClass, Moment, Tokens};

/// In which order the deployments of a route are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// As listed: the next is for when the one before fails.
    #[default]
    Failover,
    /// The one that is likely to answer soonest: by latency, success and what it is already busy with.
    Balance,
}

/// A deployment that can express the request.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Which deployment; its provider is the scope of a benched credential.
    pub deployment: DeploymentId,
    /// The host it is reached at: the breaker scope of connect faults.
    pub host: Arc<str>,
    /// Its context window, where known.
    pub window: Option<Tokens>,
}

/// One request, as far as the engine cares.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Who may serve it, best first.
    pub candidates: Vec<Candidate>,
    /// How to choose among them.
    pub strategy: Strategy,
    /// Whose request it is: the scope of a retry budget.
    pub tenant: Arc<str>,
    /// Estimated tokens, the unit of the retry budget; 0 is taken as 1.
    pub cost: u64,
    /// Estimated input tokens.
    pub input: Tokens,
    /// After this no attempt starts.
    pub deadline: Option<Moment>,
    /// False for a stateful call: it goes on to another attempt only where it is certain that it was not started.
    pub repeatable: bool,
    /// The call belongs to one deployment (`previous_response_id`); `candidates` holds just that one.
    pub pinned: bool,
}

/// What to do next with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send it, then report how it ended.
    Send(Send),
    /// Do nothing before `until`, then ask again.
    Wait {
        /// When to call `next` again.
        until: Moment,
        /// What the wait is for.
        why: WaitReason,
        /// The fault it follows.
        class: FaultClass,
    },
    /// Nothing more will be tried.
    GiveUp(GiveUp),
}

/// One attempt to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// The index into [`Ask::candidates`].
    pub candidate: usize,
    /// Which attempt of the call this is, from 1.
    pub attempt: u32,
    /// It tries out a half-open breaker.
    pub probe: bool,
    /// Another deployment could take over, so the first-content timeout applies.
    pub another_eligible: bool,
    /// Why it is made.
    pub why: SendReason,
}

/// Why an attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendReason {
    /// It is the call's first.
    First,
    /// The same deployment again.
    Retry,
    /// Another deployment, after a fault.
    Failover,
    /// Another deployment, to continue an answer that broke off.
    Splice,
}

impl SendReason {
    /// The name in facts and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Retry => "retry",
            Self::Failover => "failover",
            Self::Splice => "splice",
        }
    }
}

/// What a wait is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitReason {
    /// A drawn backoff.
    Backoff,
    /// The provider said how long.
    RetryAfter,
}

impl WaitReason {
    /// The name in facts and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Backoff => "backoff",
            Self::RetryAfter => "retry_after",
        }
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The answer is whole.
    Success,
    /// It failed.
    Fault {
        /// The kind of fault.
        class: FaultClass,
        /// How long the provider asks to wait.
        retry_after: Option<Duration>,
        /// Content had already begun.
        after_content: bool,
    },
    /// The client left; it counts neither way.
    Abandoned,
}

/// Why nothing more is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GiveUp {
    /// The fault that decides what the client is told.
    ///
    /// It is the last one, except that a 401, 403, 404 or billing fault of a later deployment does not take the place of
    /// an earlier deployment's fault: those tell of this gateway's configuration, not of what the client may expect.
    Fault {
        /// The kind of fault.
        class: FaultClass,
        /// How long the provider asked to wait.
        retry_after: Option<Duration>,
    },
    /// Every breaker is open, so nothing was sent.
    NoDeployment {
        /// When the soonest breaker takes a probe: 1 to 120 s.
        retry_after: Duration,
    },
    /// The deadline is over, or would be before any deployment is likely to answer.
    Deadline,
}
