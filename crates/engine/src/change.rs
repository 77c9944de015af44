//! What the engine did that a person will want to know, and what it looks like from outside.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use weir_units::{DeploymentId, Dimension, FaultClass, Moment};

use crate::limits::PoolId;

/// What a breaker stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One model at one provider.
    Deployment(DeploymentId),
    /// A host that cannot be reached.
    Host(Arc<str>),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deployment(deployment) => deployment.fmt(f),
            Self::Host(host) => write!(f, "host {host}"),
        }
    }
}

/// A breaker as seen from outside; while its share ramps up it is still half-open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// All calls pass.
    Closed,
    /// No call passes.
    Open,
    /// Probes pass, then a growing share.
    HalfOpen,
}

impl BreakerState {
    /// The name in facts, metrics and pages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that changed for more than one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A breaker moved.
    Breaker {
        /// What it stands for.
        scope: Scope,
        /// What it was.
        from: BreakerState,
        /// What it is.
        to: BreakerState,
        /// Which rule moved it, in words.
        why: &'static str,
    },
    /// A provider refused its credential; its deployments go to the end of every order.
    CredentialBenched {
        /// The provider.
        provider: Arc<str>,
        /// The fault that did it.
        class: FaultClass,
        /// When one call tries it again.
        until: Moment,
    },
    /// A credential works again, or was replaced.
    CredentialRestored {
        /// The provider.
        provider: Arc<str>,
    },
    /// A deployment refused its model to this credential, or does not know it.
    ModelBenched {
        /// The deployment.
        deployment: DeploymentId,
        /// The fault that did it.
        class: FaultClass,
        /// When one call tries it again.
        until: Moment,
    },
    /// A limit that is kept to changed.
    Limit {
        /// Whose it is.
        pool: PoolId,
        /// Which one.
        dimension: Dimension,
        /// What was kept to before, if there was any.
        old: Option<u64>,
        /// What is kept to now.
        new: u64,
        /// How that was learned, in words.
        how: &'static str,
    },
    /// A benched deployment works again.
    ModelRestored {
        /// The deployment.
        deployment: DeploymentId,
    },
}

/// Changes that nobody took yet: the newest 1,024, so that a caller who never asks costs a bounded amount of memory.
#[derive(Debug, Default)]
pub(crate) struct Changes(VecDeque<Change>);

impl Changes {
    const KEPT: usize = 1_024;

    pub(crate) fn push(&mut self, change: Change) {
        if self.0.len() == Self::KEPT {
            self.0.pop_front();
        }
        self.0.push_back(change);
    }

    pub(crate) fn take(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.0).into()
    }
}

/// What keeps a deployment at the end of every order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BenchView {
    /// The fault that benched it.
    pub class: FaultClass,
    /// When one call tries it again.
    pub until: Moment,
    /// The whole credential is benched, not this model alone.
    pub credential: bool,
}

/// A deployment as pages and metrics show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentView {
    /// Which deployment.
    pub deployment: DeploymentId,
    /// Its breaker.
    pub breaker: BreakerState,
    /// When an open breaker takes its first probe.
    pub open_until: Option<Moment>,
    /// Attempts under way.
    pub in_flight: u32,
    /// The estimated time to the first content, where one was ever seen.
    pub ttft: Option<Duration>,
    /// The recent share of successes, in parts per million.
    pub success_ppm: u32,
    /// What keeps it at the end of every order.
    pub benched: Option<BenchView>,
}
