//! Staying below limits: whose they are, what a request takes of them, and what is learned of them.
//!
//! A deployment's calls take from up to three pools: its provider's account, a pool that it shares with other models, and the
//! model's own. Everything is taken from all of them, or nothing from any.

mod assign;
mod bucket;
mod charge;
mod compared;
mod cubic;
mod day;
mod histogram;
mod meter;
mod outputs;
mod pool;
mod reserve;
mod stated;

use std::fmt;
use std::sync::Arc;

use weir_units::DeploymentId;

pub use assign::PoolView;
pub use charge::{ChargeModel, Cost, DayStart, OutputCharge, Size};
pub use compared::LimitCompared;
pub(crate) use histogram::Histogram;
pub(crate) use outputs::Outputs;
pub use pool::Gauge;
pub(crate) use pool::{Pool, Side};
pub use reserve::{Admitted, KeyFull};
pub(crate) use reserve::{Hold, KeyHold, Room, whole_seconds};
pub use stated::Stated;

/// What shares one set of limits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PoolId {
    /// A provider's account.
    Provider(Arc<str>),
    /// A pool of the config.
    Shared(Arc<str>),
    /// One model of a provider.
    Model(DeploymentId),
    /// A client's key.
    Key(Arc<str>),
}

impl PoolId {
    /// What kind of pool it is, in one word.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Provider(_) => "provider",
            Self::Shared(_) => "pool",
            Self::Model(_) => "model",
            Self::Key(_) => "key",
        }
    }
}

impl fmt::Display for PoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider(name) | Self::Shared(name) | Self::Key(name) => f.write_str(name),
            Self::Model(deployment) => deployment.fmt(f),
        }
    }
}
