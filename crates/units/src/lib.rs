//! Quantities, ids and the few nouns that every part of Weir shares.
//!
//! A `u64` of tokens, of nano-dollars and of milliseconds must not compile into each other, so each has its type here.
//! Nothing in this crate reads a clock or draws a random number.

mod duration;
mod fault;
mod history;
mod ids;
mod limits;
mod money;
pub mod numbers;
mod price;
mod time;
mod tokens;
mod trace;

pub use duration::{DurationError, format_duration, parse_duration};
pub use fault::FaultClass;
pub use history::{ACTIONS, Action, Addition, History, Mark, SKETCHES, Sketch};
pub use ids::{DeploymentId, IdError, RequestId};
pub use limits::{Dimension, Limits};
pub use money::{DecimalError, NanoUsd};
pub use price::{LongContext, Price, Rates, Tier, TokenPrice};
pub use time::{Moment, NoTime, WallTime};
pub use tokens::{Tokens, Usage};
pub use trace::TraceContext;
