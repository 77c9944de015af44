//! What is to come: who sends, how large, and how long it takes.

use std::sync::Arc;
use std::time::Duration;

/// The load of one route.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// What clients ask for.
    pub route: Arc<str>,
    /// When requests come.
    pub arrivals: Arrivals,
    /// How large they are.
    pub sizes: Sizes,
    /// How long an answer takes.
    pub service: Service,
    /// How long a request may wait for capacity.
    pub deadline: Duration,
}

/// When requests come.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrivals {
    /// So many users, each of whom sends, reads the answer, thinks, and sends again.
    Users {
        /// How many at once.
        users: u32,
        /// How long they think on average.
        think: Duration,
    },
    /// So many a minute, independently of each other.
    Rate {
        /// Requests a minute on average.
        per_minute: f64,
    },
    /// As it was recorded, with the sizes that were recorded.
    Recorded {
        /// What was recorded, by time.
        requests: Arc<[Recorded]>,
        /// How many come for one that was recorded.
        times: f64,
    },
}

/// A request of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// How long after the recording's beginning it came.
    pub at: Duration,
    /// Input tokens.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
}

/// How large requests and answers are. A recording brings its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sizes {
    /// Input tokens on average.
    pub input: f64,
    /// Of those, the share that a provider has in its prompt cache.
    pub cached: f64,
    /// Output tokens on average.
    pub output: f64,
    /// The bound on output that requests set, if they set one.
    pub max_output: Option<u64>,
    /// The deviation of the logarithm of both counts; 0 is always the same.
    pub sigma: f64,
}

/// How long an answer takes: up to its first token, and for each token of output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Service {
    /// Seconds until the first token.
    pub first: f64,
    /// Seconds that each token of output adds.
    pub per_output: f64,
}

impl Service {
    /// What is assumed where nothing is known: half a second, and 15 ms for each token, which is 67 tokens a second.
    pub const ASSUMED: Self = Self { first: 0.5, per_output: 0.015 };

    /// Of an answer that takes `seconds` in all for `output` tokens; a tenth of it until the first.
    #[must_use]
    pub fn of(seconds: f64, output: f64) -> Self {
        let first = seconds * 0.1;
        Self { first, per_output: (seconds - first) / output.max(1.0) }
    }

    /// Seconds that an answer of `output` tokens takes.
    #[must_use]
    pub fn seconds(&self, output: f64) -> f64 {
        self.first + self.per_output * output
    }
}

impl Load {
    /// Requests a second on average, while as much is sent as can be.
    #[must_use]
    pub fn rate(&self) -> f64 {
        match &self.arrivals {
            Arrivals::Users { users, think } => {
                f64::from(*users) / (think.as_secs_f64() + self.mean_service()).max(1e-3)
            }
            Arrivals::Rate { per_minute } => per_minute / 60.0,
            Arrivals::Recorded { requests, times } => requests.len() as f64 * times / recorded_seconds(requests),
        }
    }

    /// Seconds that an answer takes on average.
    #[must_use]
    pub fn mean_service(&self) -> f64 {
        self.service.seconds(self.mean_output())
    }

    /// Output tokens of an answer on average.
    #[must_use]
    pub fn mean_output(&self) -> f64 {
        match &self.arrivals {
            Arrivals::Recorded { requests, .. } => mean(requests.iter().map(|one| one.output)),
            _ => self.sizes.output,
        }
    }

    /// Input tokens of a request on average.
    #[must_use]
    pub fn mean_input(&self) -> f64 {
        match &self.arrivals {
            Arrivals::Recorded { requests, .. } => mean(requests.iter().map(|one| one.input)),
            _ => self.sizes.input,
        }
    }

    /// The same load, `factor` times as large; users are whole.
    #[must_use]
    pub fn times(&self, factor: f64) -> Self {
        let mut load = self.clone();
        match &mut load.arrivals {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates")]
            Arrivals::Users { users, .. } => *users = (f64::from(*users) * factor).floor().max(0.0) as u32,
            Arrivals::Rate { per_minute } => *per_minute *= factor,
            Arrivals::Recorded { times, .. } => *times *= factor,
        }
        load
    }
}

/// How long a recording is: to its last request and the mean gap more, and at least a minute.
pub(super) fn recorded_seconds(requests: &[Recorded]) -> f64 {
    let last = requests.last().map_or(0.0, |one| one.at.as_secs_f64());
    let gaps = requests.len().saturating_sub(1).max(1) as f64;
    (last + last / gaps).max(60.0)
}

fn mean(counts: impl ExactSizeIterator<Item = u64>) -> f64 {
    let many = counts.len().max(1) as f64;
    counts.map(|count| count as f64).sum::<f64>() / many
}
