//! What a caller asks of the engine about one request, and what it is told to do.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use weir_units::{DeploymentId, Dimension, FaultClass, Moment, Tokens};

use crate::limits::{ChargeModel, PoolId};

/// In which order the deployments of a route are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strategy {
    /// As listed: the next is for when the one before fails.
    #[default]
    Failover,
    /// The one that is likely to answer soonest: by latency, success and what it is already busy with.
    Balance,
}

/// A deployment that can express the request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Which deployment; its provider is the scope of a benched credential.
    pub deployment: DeploymentId,
    /// The host it is reached at: the breaker scope of connect faults.
    pub host: Arc<str>,
    /// Its context window, where known.
    pub window: Option<Tokens>,
    /// What it counts towards its limits.
    pub charge: ChargeModel,
    /// Estimated input tokens, as its model counts them.
    pub input: Tokens,
}

/// Which class of traffic a request is of. Classes share capacity by 16 : 4 : 1, so none ever starves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Priority {
    /// Somebody waits for it.
    #[default]
    Interactive,
    /// Nobody looks at a clock, but it is wanted soon.
    Standard,
    /// Whenever there is room; it may use only what is not reserved for interactive work.
    Batch,
}

impl Priority {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 3] = [Self::Interactive, Self::Standard, Self::Batch];

    /// The name in config, headers, facts and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Standard => "standard",
            Self::Batch => "batch",
        }
    }

    /// What [`name`](Self::name) writes.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.name() == name)
    }

    /// The next more urgent class.
    pub(crate) fn above(self) -> Self {
        match self {
            Self::Interactive | Self::Standard => Self::Interactive,
            Self::Batch => Self::Standard,
        }
    }
}

/// One request, as far as the engine cares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// The bound on output that it sets.
    pub max_output: Option<u64>,
    /// How many bytes it holds while it waits.
    pub bytes: u64,
    /// Its class of traffic.
    pub priority: Priority,
    /// After this no attempt starts.
    pub deadline: Option<Moment>,
    /// Until then it may wait for capacity; `None` is as long as the deadline allows.
    pub wait_until: Option<Moment>,
    /// False for a stateful call: it goes on to another attempt only where it is certain that it was not started.
    pub repeatable: bool,
    /// The call belongs to one deployment (`previous_response_id`); `candidates` holds just that one.
    pub pinned: bool,
}

/// What to do next with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Wait for capacity: ask again when [`Engine::take_woken`](crate::Engine::take_woken) names the call's
    /// [`ticket`](crate::Call::ticket), and at `until` at the latest.
    Queue(Queued),
    /// Nothing more will be tried.
    GiveUp(GiveUp),
}

/// A wait for capacity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// The index into [`Ask::candidates`] of the deployment that is waited for.
    pub candidate: usize,
    /// When the wait is given up.
    pub until: Moment,
    /// How many requests are before it in the same queue.
    pub ahead: usize,
    /// How long it will probably take.
    pub predicted: Duration,
    /// What nine of ten that were told as much did not exceed.
    pub within: Duration,
    /// Whose limit it waits for.
    pub pool: PoolId,
    /// Which limit.
    pub binding: Dimension,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The answer is whole.
    Success,
    /// It failed.
    Fault {
        /// The kind of fault.
        class: FaultClass,
        /// How long the provider asks to wait.
        retry_after: Option<Duration>,
        /// Which limit it is about, where the provider says so.
        limit: Option<Dimension>,
        /// Content had already begun.
        after_content: bool,
    },
    /// The client left; it counts neither way.
    Abandoned,
}

/// Why nothing more is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GiveUp {
    /// The fault that decides what the client is told.
    ///
    /// It is the last one, except that a 401, 403, 404 or billing fault of a later deployment does not take the place of
    /// an earlier deployment's fault: those tell of this gateway's configuration, not of what the client may expect.
    Fault {
        /// The kind of fault.
        class: FaultClass,
        /// How long the provider asked to wait, or refuses by what is known of its day.
        retry_after: Option<Duration>,
    },
    /// Every breaker is open, so nothing was sent.
    NoDeployment {
        /// When the soonest breaker takes a probe: 1 to 120 s.
        retry_after: Duration,
    },
    /// No deployment will have capacity in time.
    NoCapacity {
        /// When it is worth asking again: 1 to 120 s.
        retry_after: Duration,
        /// Whose limit is in the way of the deployment that will have room first.
        pool: PoolId,
        /// Which limit.
        binding: Dimension,
    },
    /// The deadline is over, or would be before any deployment is likely to answer.
    Deadline,
}
