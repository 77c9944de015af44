//! What clients do: when requests come, how large they are, and what whoever sent them does about the answer.

mod arrivals;
mod clients;
mod sizes;
mod stream;
mod trace;

use std::sync::Arc;
use std::time::Duration;

use weir_units::{Moment, Tokens};

pub use clients::{Client, ClientStep};
pub use sizes::Distribution;
pub use stream::Stream;
pub use trace::{Trace, TraceError, TraceRow};
pub use weir_engine::Priority;

/// One kind of client and what it sends.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Its name in the report.
    pub name: Arc<str>,
    /// Who it is.
    pub tenant: Arc<str>,
    /// With which key, if that matters.
    pub key: Option<Arc<str>>,
    /// How urgent it is.
    pub priority: Priority,
    /// The model that it asks for.
    pub route: Arc<str>,
    /// How long an answer is of use to it, from its arrival; past that it does not wait.
    pub deadline: Option<Duration>,
    /// When it sends.
    pub pattern: Pattern,
    /// When it begins.
    pub from: Moment,
    /// When it sends nothing new any more; the end of the run if unset.
    pub until: Option<Moment>,
    /// Input tokens of a request. A trace brings its own.
    pub input: Distribution,
    /// Output tokens of an answer. A trace brings its own.
    pub output: Distribution,
    /// The share of the input that a provider has in its prompt cache, in parts per million.
    pub cached_ppm: u32,
    /// The bound on output that it sends.
    pub max_tokens: MaxTokens,
    /// How far the gateway's estimate of input is off at most, in parts per million of it, to either side.
    pub estimate_error_ppm: u32,
    /// What it does about a refusal.
    pub retry: ClientRetry,
}

/// When requests come.
#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    /// At even distances, so many a second.
    Constant {
        /// Requests a second.
        rate: f64,
    },
    /// Independently of each other, so many a second on average (a Poisson process).
    Poisson {
        /// Requests a second.
        rate: f64,
    },
    /// As Poisson, in turns at one rate and at another.
    Bursts {
        /// Requests a second while it bursts.
        rate: f64,
        /// How long a burst is.
        on: Duration,
        /// Requests a second between bursts.
        quiet_rate: f64,
        /// How long the quiet between two is.
        off: Duration,
    },
    /// As Poisson, with a rate that swings once a day about its mean: `rate · (1 + swing · cos(2π · (t − peak) / 24 h))`.
    Daily {
        /// Requests a second on average.
        rate: f64,
        /// From 0, even, to 1, silent at the other end of the day.
        swing: f64,
        /// When it is highest, from the workload's beginning.
        peak: Duration,
    },
    /// As recorded.
    Trace {
        /// What was recorded; its sizes are used, too.
        trace: Arc<Trace>,
        /// How many times faster than it was recorded.
        speed: f64,
        /// How many requests come for one that was recorded.
        times: f64,
        /// Whether it begins again when it is over.
        repeat: bool,
    },
    /// A number of clients, each of which sends, waits for its answer, thinks, and sends again.
    Clients {
        /// How many.
        clients: u32,
        /// How long they think on average (exponentially spread).
        think: Duration,
    },
}

impl Pattern {
    /// How many requests a second come on average, where that is known beforehand.
    pub(crate) fn mean_rate(&self) -> f64 {
        match self {
            Self::Constant { rate } | Self::Poisson { rate } | Self::Daily { rate, .. } => *rate,
            Self::Bursts { rate, quiet_rate, .. } => rate.max(*quiet_rate),
            Self::Trace { .. } | Self::Clients { .. } => 0.0,
        }
    }
}

/// The bound on output that a request sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MaxTokens {
    /// None.
    #[default]
    Unset,
    /// What the answer comes to.
    Exact,
    /// This many.
    Fixed(Tokens),
}

/// What a client does about a refusal and about waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientRetry {
    /// How often it sends a refused request again.
    pub retries: u32,
    /// Whether it waits as long as it is told to; else half a second, twice that, and so on, at most eight seconds, as SDKs do.
    pub obeys_retry_after: bool,
    /// How long it waits for the first token before it goes away; for ever if unset.
    pub patience: Option<Duration>,
}

impl Default for ClientRetry {
    /// Two retries, as the official SDKs make.
    fn default() -> Self {
        Self { retries: 2, obeys_retry_after: true, patience: None }
    }
}

/// One request, as a client sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which workload it is of, by its place in the scenario.
    pub workload: usize,
    /// Which of its clients sent it; 0 where there are none.
    pub client: u32,
    /// When it came.
    pub at: Moment,
    /// When it came for the first time, where it was sent again.
    pub first_at: Moment,
    /// Input tokens.
    pub input: Tokens,
    /// What a gateway estimates them to be.
    pub estimate: Tokens,
    /// Input tokens that the provider reads from its prompt cache.
    pub cached: Tokens,
    /// Output tokens that the answer comes to. A gateway cannot know.
    pub output: Tokens,
    /// The bound on output that was sent.
    pub max_output: Option<Tokens>,
    /// By when an answer must have begun.
    pub deadline: Option<Moment>,
    /// How often it was sent before.
    pub retry: u32,
}
