//! How a provider behaves: how fast it is, how much it takes, and what befalls it when.

use std::time::Duration;

use weir_units::{Limits, Moment};

use crate::fault::{FaultOrder, Standing};
use crate::window::{DAY, Window};

/// Everything that makes one provider differ from another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// How long the first token takes.
    pub latency: Latency,
    /// Output tokens per second; zero is as fast as can be.
    pub tokens_per_second: u64,
    /// What it takes before it refuses.
    pub limits: Limits,
    /// How those limits are held and told.
    pub rules: LimitRules,
    /// Input tokens that fit; no bound when unset.
    pub context_window: Option<u64>,
    /// Faults that befall requests which bring no order of their own; the first that applies wins.
    pub faults: Vec<Standing>,
    /// What happens at given times.
    pub events: Vec<Event>,
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

/// How limits are held, and what the headers tell of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitRules {
    /// How limits per minute are held.
    pub window: Window,
    /// A shorter window that each limit per minute is held over as well, and that no header tells of.
    pub slice: Option<Duration>,
    /// How long after the run's beginning the first day ends; limits per day start over then, and every 24 hours.
    pub day_ends: Duration,
    /// Output that is reserved where a request sets no bound.
    pub assumed_output: u64,
    /// Whether answers tell of limits at all.
    pub headers: bool,
    /// What answers say the limits are, where that is not what is held. Dimensions that are not in here are not told.
    pub stated: Option<Limits>,
}

impl Default for LimitRules {
    /// Buckets of a minute, truthful headers, days that end 24 hours after the beginning.
    fn default() -> Self {
        Self { window: Window::default(), slice: None, day_ends: DAY, assumed_output: 0, headers: true, stated: None }
    }
}

/// Something that happens to a provider from one moment to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When it begins.
    pub from: Moment,
    /// When it is over; this moment is not part of it.
    pub until: Moment,
    /// What it is.
    pub kind: EventKind,
}

/// What can happen to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A fault befalls a share of the requests, in parts per million.
    Fault {
        /// Which.
        fault: FaultOrder,
        /// Of how many.
        share_ppm: u32,
    },
    /// The limits are so many parts per million of what they are else.
    Limits {
        /// Of what they are else.
        share_ppm: u32,
        /// Whether headers say so; a silent cut is one that they do not.
        told: bool,
    },
    /// First token and output take so many percent of the time they take else.
    Latency {
        /// Of the time they take else.
        percent: u32,
    },
}

impl Event {
    /// Whether it goes on at `now`.
    #[must_use]
    pub fn is_on(&self, now: Moment) -> bool {
        self.from <= now && now < self.until
    }
}
