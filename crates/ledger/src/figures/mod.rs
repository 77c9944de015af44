//! How deployments served: what of their calls was answered, how fast, and what a whole answer cost, by the route that asked.
//! Availability comes from the same counts.

mod cells;
mod json;
mod read;
mod write;

use std::sync::Arc;

use weir_units::{NanoUsd, WallTime};

use crate::filter::provider;
use crate::series::Histogram;

pub(crate) use cells::FigureCells;
pub(crate) use write::{add, count_anew};

/// The numbers, in the database, of roll-ups of minutes, hours and days.
pub(crate) const MINUTES: i64 = 8;
pub(crate) const HOURS: i64 = 9;
pub(crate) const DAYS: i64 = 10;

/// What a call was to its provider's availability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// It was answered.
    Answered,
    /// The provider was at fault: no connection, 5xx, silence, a cut.
    Failed,
    /// 429: a limit was reached, which is no outage.
    Limited,
    /// The request, the credential or the account was at fault.
    Refused,
    /// The client left before its provider could answer.
    Left,
}

impl Call {
    /// Of a call that came to this status, and this class of fault.
    pub(crate) fn of(status: Option<u16>, class: Option<&str>) -> Self {
        match (class, status) {
            (Some("rate_limited"), _) | (None, Some(429)) => Self::Limited,
            (
                Some(
                    "unauthorized"
                    | "billing"
                    | "forbidden"
                    | "forbidden_credential"
                    | "model_not_found"
                    | "context_length"
                    | "content_filter"
                    | "rejected",
                ),
                _,
            )
            | (None, Some(400..=498)) => Self::Refused,
            (Some(_), _) | (None, Some(500..)) => Self::Failed,
            (None, Some(499) | None) => Self::Left,
            (None, Some(_)) => Self::Answered,
        }
    }
}

/// Counts of the calls to a deployment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallFigures {
    /// Calls.
    pub attempts: u64,
    /// Those that were answered.
    pub answered: u64,
    /// Those in which the provider was at fault: no connection, 5xx, silence, a cut answer.
    pub failed: u64,
    /// Those that were answered with 429.
    pub limited: u64,
    /// Those in which the request, the credential or the account was at fault.
    pub refused: u64,
    /// Those that were answered whole, with no limit of length reached, for a client that has the answer.
    pub complete: u64,
    /// Input tokens, cached ones too.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// What is known of the cost of all calls.
    pub cost: NanoUsd,
    /// Calls whose cost is unknown.
    pub unpriced: u64,
    /// Calls that were not the first try of their request at this deployment.
    pub retries: u64,
    /// When the last call was sent that was answered.
    pub last_answer: Option<WallTime>,
    /// From when a call was sent to its first content, in milliseconds, of streams.
    pub first_content: Histogram,
    /// Output tokens a second from the first content on, in tenths, of streams that were answered.
    pub rate: Histogram,
    /// From when a call was sent to its end, in milliseconds, of those that were answered.
    pub duration: Histogram,
}

impl CallFigures {
    /// Calls that the provider was to answer: what it answered, and what it was at fault for.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.answered + self.failed
    }

    /// Of those, the share that was answered; none if there were none.
    #[must_use]
    pub fn uptime(&self) -> Option<f64> {
        share(self.answered, self.asked())
    }

    /// The share of all calls that were answered with 429.
    #[must_use]
    pub fn limited_share(&self) -> Option<f64> {
        share(self.limited, self.attempts)
    }

    /// Output tokens a second that `share` of the streams do not exceed.
    #[must_use]
    pub fn tokens_per_second(&self, share: f64) -> Option<f64> {
        self.rate.quantile(share).map(|tenths| tenths as f64 / 10.0)
    }

    /// What all calls cost for each whole answer; none if there was none, or a cost is unknown.
    #[must_use]
    pub fn cost_per_complete(&self) -> Option<NanoUsd> {
        let complete = i64::try_from(self.complete).ok().filter(|complete| *complete > 0)?;
        (self.unpriced == 0).then(|| NanoUsd(self.cost.0 / complete))
    }

    /// Adds what `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        for (own, other) in self.counts_mut().into_iter().zip(other.counts()) {
            *own = own.saturating_add(other);
        }
        self.cost += other.cost;
        self.last_answer = self.last_answer.max(other.last_answer);
        self.first_content.merge(&other.first_content);
        self.rate.merge(&other.rate);
        self.duration.merge(&other.duration);
    }
}

/// Counts of the requests of a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserFigures {
    /// Requests.
    pub requests: u64,
    /// Those that were answered whole, with a status below 400.
    pub answered: u64,
    /// Those whose client left.
    pub cancelled: u64,
    /// Those that ended with a status of 400 or more, or with none; who left is not among them.
    pub errors: u64,
    /// Those that ended with 429.
    pub status_429: u64,
}

impl UserFigures {
    /// The share of requests that were answered; none if there were none.
    #[must_use]
    pub fn availability(&self) -> Option<f64> {
        share(self.answered, self.requests)
    }

    /// Adds what `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.answered += other.answered;
        self.cancelled += other.cancelled;
        self.errors += other.errors;
        self.status_429 += other.status_429;
    }
}

fn share(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

/// How deployments served in a time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// The calls to each deployment, `provider/model`, for each route, in order of both.
    pub calls: Vec<RouteCalls>,
    /// The requests of each route, in order; none is a name that led to no route.
    pub users: Vec<(Option<Arc<str>>, UserFigures)>,
}

/// The calls to a deployment for a route.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteCalls {
    /// What was called, `provider/model`.
    pub deployment: Arc<str>,
    /// The route; none where nobody knows.
    pub route: Option<Arc<str>>,
    /// What came of it.
    pub figures: CallFigures,
}

impl Figures {
    /// The calls to each deployment, whichever the route.
    #[must_use]
    pub fn by_deployment(&self) -> Vec<(Arc<str>, CallFigures)> {
        self.by(|deployment| deployment)
    }

    /// The calls to each provider.
    #[must_use]
    pub fn by_provider(&self) -> Vec<(Arc<str>, CallFigures)> {
        self.by(provider)
    }

    fn by(&self, name: fn(&str) -> &str) -> Vec<(Arc<str>, CallFigures)> {
        let mut sums: std::collections::BTreeMap<&str, CallFigures> = std::collections::BTreeMap::new();
        for calls in &self.calls {
            sums.entry(name(&calls.deployment)).or_default().merge(&calls.figures);
        }
        sums.into_iter().map(|(name, figures)| (name.into(), figures)).collect()
    }

    /// The requests of all routes.
    #[must_use]
    pub fn all_users(&self) -> UserFigures {
        let mut all = UserFigures::default();
        self.users.iter().for_each(|(_, figures)| all.merge(figures));
        all
    }
}

/// How long uptime is measured, in days.
pub const UPTIME_DAYS: [u32; 4] = [1, 7, 30, 90];

/// Measured availability over the last 1, 7, 30 and 90 days, in this order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Uptime {
    /// Of each provider.
    pub providers: Vec<(Arc<str>, [Measured; 4])>,
    /// Of each deployment, `provider/model`.
    pub deployments: Vec<(Arc<str>, [Measured; 4])>,
    /// What users saw through Weir, of all routes.
    pub users: [Measured; 4],
    /// What users saw of each route.
    pub routes: Vec<(Arc<str>, [Measured; 4])>,
}

/// What was answered of what was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Answered.
    pub answered: u64,
    /// Asked.
    pub asked: u64,
}

impl Measured {
    /// The share that was answered; none if nothing was asked.
    #[must_use]
    pub fn share(self) -> Option<f64> {
        share(self.answered, self.asked)
    }
}
