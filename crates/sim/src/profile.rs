//! How a provider behaves when nothing goes wrong: how fast it is, and how much it takes.

use std::time::Duration;

use crate::fault::Standing;

/// Everything that makes one provider differ from another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// How long the first token takes.
    pub latency: Latency,
    /// Output tokens per second; zero is as fast as can be.
    pub tokens_per_second: u64,
    /// What it takes before it refuses.
    pub limits: Limits,
    /// Input tokens that fit; no bound when unset.
    pub context_window: Option<u64>,
    /// Faults that befall requests which bring no order of their own; the first that applies wins.
    pub faults: Vec<Standing>,
}

/// The first token's delay: `base + per_input_token · input`, and up to `jitter` more, evenly spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// The part that every request pays.
    pub base: Duration,
    /// The part that each input token adds.
    pub per_input_token: Duration,
    /// The most that chance adds.
    pub jitter: Duration,
}

/// Ceilings; no ceiling where unset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests a minute.
    pub requests_per_minute: Option<u64>,
    /// Tokens a minute, charged by the rule of [`crate::Charge`].
    pub tokens_per_minute: Option<u64>,
}
