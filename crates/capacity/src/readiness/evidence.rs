//! What the seven questions are answered from: what the config says, and what was measured, as far as it is known.
//!
//! Whoever has figures fills this in: the ledger, or a reader of other tools' logs. What nobody knows stays a [`Gap`] that says
//! why, and how to get it; it is never a zero.

use std::sync::Arc;

use serde::Serialize;
use weir_units::{Dimension, NanoUsd, WallTime};

/// Why a figure is not known, and what makes it known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// What is missing: `no traffic in 30 days`.
    pub why: String,
    /// What to do about it: `add --config weir.toml`.
    pub get: String,
}

impl Gap {
    /// A gap of these words.
    #[must_use]
    pub fn new(why: impl Into<String>, get: impl Into<String>) -> Self {
        Self { why: why.into(), get: get.into() }
    }
}

/// A figure, or why there is none.
pub type Known<T> = Result<T, Gap>;

/// All figures that the seven questions need.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// When what was measured begins.
    pub since: WallTime,
    /// When it ends.
    pub until: WallTime,
    /// What the configuration says. Without it questions 2, 3, 6 and 7 have no answer.
    pub setup: Known<Setup>,
    /// Question 1: requests that ended, and those that ended in an error.
    pub errors: Known<Errors>,
    /// Question 2: what would fail while the first provider of a route is down; one for each route and provider.
    pub outages: Known<Vec<Outage>>,
    /// Question 2: how much each route is expected to answer over a year, beside what it answered.
    pub availability: Vec<RouteAvailability>,
    /// Question 3: which routes agents use; none where traffic does not tell.
    pub agents: Known<Vec<AgentRoute>>,
    /// Question 4: what tokens were spent, and on what.
    pub spend: Known<TokenSpend>,
    /// Question 5: the fullest hour of each ceiling.
    pub peaks: Known<Vec<Peak>>,
    /// Question 5: ceilings that nobody knows, `openai` or `openai/gpt-5.2`, though traffic goes there.
    pub unlimited: Vec<Arc<str>>,
    /// Question 6: answers by deployments that are not a route's first.
    pub secondaries: Known<Vec<Secondary>>,
}

impl Evidence {
    /// Evidence of nothing: each figure is missing for the reason that `gap` gives.
    #[must_use]
    pub fn none(since: WallTime, until: WallTime, gap: &Gap) -> Self {
        Self {
            since,
            until,
            setup: Err(gap.clone()),
            errors: Err(gap.clone()),
            outages: Err(gap.clone()),
            availability: Vec::new(),
            agents: Err(gap.clone()),
            spend: Err(gap.clone()),
            peaks: Err(gap.clone()),
            unlimited: Vec::new(),
            secondaries: Err(gap.clone()),
        }
    }

    /// Whole days that were looked at, and at least one.
    #[must_use]
    pub fn days(&self) -> u64 {
        const DAY: i64 = 86_400_000_000;
        let micros = self.until.0.saturating_sub(self.since.0).max(0);
        u64::try_from(micros.saturating_add(DAY / 2) / DAY).unwrap_or_default().max(1)
    }
}

/// What the configuration says of readiness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Where it was read: `weir.toml`, or `the environment`.
    pub source: String,
    /// The routes, by name.
    pub routes: Vec<RouteSetup>,
    /// Why the breakers are as good as none, if they are.
    pub breaker_off: Option<String>,
    /// Keys whose guards on runs are off, and how: `key nightly sets runs.loops = "off"`.
    pub unguarded_keys: Vec<String>,
    /// Providers, in the order of their names.
    pub providers: Vec<Arc<str>>,
    /// How many client keys there are.
    pub keys: usize,
    /// Who owns the capacity, and how they are reached.
    pub owner: OwnerSetup,
}

/// What the configuration says of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSetup {
    /// Its name.
    pub name: Arc<str>,
    /// What a call may be sent to, `provider/model`, in order.
    pub deployments: Vec<Arc<str>>,
    /// Whether a second provider is expected behind it.
    pub critical: bool,
    /// Why the guards on its runs are as good as none, if they are.
    pub guards_off: Option<String>,
}

impl RouteSetup {
    /// The provider of its first deployment.
    #[must_use]
    pub fn primary(&self) -> Option<&str> {
        self.deployments.first().map(|deployment| provider(deployment))
    }

    /// The deployments of other providers than the first one's: what is left when that is down.
    pub fn secondaries(&self) -> impl Iterator<Item = &Arc<str>> {
        let primary = self.primary().map(str::to_owned);
        self.deployments.iter().filter(move |deployment| Some(provider(deployment)) != primary.as_deref())
    }
}

/// The provider of a deployment that is written `provider/model`.
#[must_use]
pub fn provider(deployment: &str) -> &str {
    deployment.split('/').next().unwrap_or(deployment)
}

/// Who owns the capacity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerSetup {
    /// The name, as `[owner] name` has it.
    pub name: Option<Arc<str>>,
    /// The notifiers that hear of every alert.
    pub notify: Vec<Arc<str>>,
    /// Of those, the ones that took no message when one was last sent, and why.
    pub failing: Vec<(Arc<str>, String)>,
}

/// How requests ended. An error is an answer with a status of 400 or more, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Errors {
    /// Requests that have ended.
    pub requests: u64,
    /// Those that ended in an error.
    pub errors: u64,
    /// Of those, the ones whose client saw a 429.
    pub throttled: u64,
    /// Of those, the ones that Weir refused itself, where that is known: a key's own limit.
    pub throttled_by_weir: Option<u64>,
}

/// What happens to a route while its first provider is down for two hours.
#[derive(Clone, Debug, PartialEq)]
pub struct Outage {
    /// The route.
    pub route: Arc<str>,
    /// The provider that is down.
    pub down: Arc<str>,
    /// Who serves instead, `provider/model`; nobody where the route has no other provider.
    pub survivor: Option<Arc<str>>,
    /// The share of the route's requests that would fail, from 0 to 1; a gap where it cannot be told.
    pub lost: Known<f64>,
    /// How full the survivor's fullest ceiling would be: which one, and the share.
    pub ceiling: Option<(String, f64)>,
    /// Who would serve and has no limit that anybody knows: `lost` takes it that they have room.
    pub unlimited: Vec<Arc<str>>,
    /// How `lost` was found: `simulated on last week's traffic`.
    pub how: String,
    /// How many requests it was tried on.
    pub requests: u64,
}

/// How much of a route's traffic is answered.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteAvailability {
    /// The route.
    pub route: Arc<str>,
    /// What is to be expected over a year, from 0 to 1, and in the 5th and 95th percentile of simulated years.
    pub expected: f64,
    /// The fifth percentile of years.
    pub p5: f64,
    /// The 95th percentile of years.
    pub p95: f64,
    /// What was measured: answered with a status below 400, and asked.
    pub measured: Option<(u64, u64)>,
}

/// A route that agents use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentRoute {
    /// The route.
    pub route: Arc<str>,
    /// How it shows: `requests have tools`, `runs of up to 31 turns`.
    pub why: String,
}

/// What was spent on tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenSpend {
    /// Requests that it is the spend of.
    pub requests: u64,
    /// Tokens of all calls, input and output.
    pub tokens: u64,
    /// Of those, what retries used: failed attempts that were billed, and requests that a client's SDK sent again.
    pub retry_tokens: u64,
    /// What is known of the cost; none where no price is known at all.
    pub cost: Option<NanoUsd>,
    /// Of that, what retries cost.
    pub retry_cost: NanoUsd,
    /// Requests whose cost is unknown.
    pub unpriced: u64,
}

/// The fullest hour of a ceiling.
#[derive(Clone, Debug, PartialEq)]
pub struct Peak {
    /// What shares the limit: a pool, a provider or a deployment.
    pub pool: Arc<str>,
    /// What is counted.
    pub dimension: Dimension,
    /// The limit.
    pub limit: u64,
    /// How it is known: `declared`, `limit seen in headers`.
    pub source: String,
    /// What was asked of it in the fullest hour: the 95th percentile of its minutes, or the day's sum for a limit of a day.
    pub used: f64,
    /// When that hour began.
    pub at: WallTime,
}

impl Peak {
    /// The share of the limit, 1 is all of it.
    #[must_use]
    pub fn share(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        let limit = self.limit.max(1) as f64;
        self.used / limit
    }
}

/// What a deployment that is not a route's first has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secondary {
    /// The route.
    pub route: Arc<str>,
    /// The deployment, `provider/model`.
    pub deployment: Arc<str>,
    /// Answers that clients got from it.
    pub answers: u64,
    /// Calls to it that led to no answer.
    pub failed: u64,
    /// When it was last called for this route.
    pub last: Option<WallTime>,
}
