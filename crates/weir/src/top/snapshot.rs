//! What the gateway tells of itself at one moment, as `/admin/v1/live` and `/admin/v1/headroom` write it.
//!
//! All text in it is made harmless when it is read: names come from clients and providers, and a terminal obeys some of them.

use serde::Deserialize;
use weir_units::{Dimension, NanoUsd};

use crate::trace::at_millis;

/// One moment of a gateway.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) version: String,
    pub(crate) at: String,
    pub(crate) uptime_s: u64,
    pub(crate) requests_per_second: f64,
    pub(crate) requests_by_second: Vec<u64>,
    pub(crate) throttled_by_second: Vec<u64>,
    pub(crate) requests: u64,
    pub(crate) answered: u64,
    pub(crate) attempts: u64,
    pub(crate) throttled: u64,
    pub(crate) first_token_ms: FirstToken,
    #[serde(default)]
    pub(crate) last_minute: Spent,
    pub(crate) deployments: Vec<Deployment>,
    pub(crate) pools: Vec<Pool>,
    pub(crate) facts: Vec<Happened>,
    pub(crate) failures: Vec<Failure>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct FirstToken {
    pub(crate) p95: Option<u64>,
}

/// What calls cost; nothing is known of it where the gateway knew no prices.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Spent {
    cost_usd: String,
    pub(crate) cost_unknown: u64,
}

impl Spent {
    /// What is known of it, unless that is nothing at all.
    pub(crate) fn known(&self) -> Option<NanoUsd> {
        self.cost_usd.parse().ok().filter(|cost| *cost > NanoUsd::ZERO || self.cost_unknown == 0)
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Deployment {
    pub(crate) deployment: String,
    pub(crate) breaker: String,
    pub(crate) benched: Option<String>,
    pub(crate) attempts_per_second: f64,
    pub(crate) attempts: u64,
    pub(crate) failed: u64,
    pub(crate) throttled: u64,
    pub(crate) first_token_p95_ms: Option<u64>,
}

/// What shares one set of limits.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Pool {
    pub(crate) pool: String,
    pub(crate) kind: String,
    pub(crate) factor: f64,
    pub(crate) gate_until: Option<String>,
    pub(crate) assumed: Option<String>,
    pub(crate) limits: Vec<Limit>,
    pub(crate) queue: Queue,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Limit {
    pub(crate) dimension: String,
    pub(crate) limit: u64,
    pub(crate) declared: Option<u64>,
    pub(crate) stated: Option<u64>,
    pub(crate) used: u64,
    pub(crate) peak: u64,
    pub(crate) reset_s: Option<f64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Queue {
    pub(crate) waiting: Waiting,
    pub(crate) oldest_wait_s: f64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Waiting {
    pub(crate) interactive: u64,
    pub(crate) standard: u64,
    pub(crate) batch: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Happened {
    pub(crate) at: String,
    pub(crate) fact: String,
    pub(crate) words: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Failure {
    pub(crate) at: String,
    pub(crate) id: String,
    pub(crate) route: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<String>,
    pub(crate) refused_by: Option<String>,
}

/// The answer of `/admin/v1/headroom`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Headroom {
    pub(crate) at: String,
    pub(crate) pools: Vec<Pool>,
}

impl Snapshot {
    /// Reads what `/admin/v1/live` answered.
    pub(crate) fn read(text: &[u8]) -> Result<Self, serde_json::Error> {
        let mut read: Self = serde_json::from_slice(text)?;
        let Self { version, at, deployments, pools, facts, failures, .. } = &mut read;
        clean([version, at]);
        for deployment in deployments {
            clean([&mut deployment.deployment, &mut deployment.breaker]);
            clean(&mut deployment.benched);
        }
        pools.iter_mut().for_each(Pool::clean);
        for fact in facts {
            clean([&mut fact.at, &mut fact.fact, &mut fact.words]);
        }
        for failure in failures {
            clean([&mut failure.at, &mut failure.id]);
            clean(
                [&mut failure.route, &mut failure.key, &mut failure.code, &mut failure.refused_by]
                    .into_iter()
                    .flatten(),
            );
        }
        Ok(read)
    }
}

impl Headroom {
    /// Reads what `/admin/v1/headroom` answered.
    pub(crate) fn read(text: &[u8]) -> Result<Self, serde_json::Error> {
        let mut read: Self = serde_json::from_slice(text)?;
        clean([&mut read.at]);
        read.pools.iter_mut().for_each(Pool::clean);
        Ok(read)
    }
}

impl Pool {
    fn clean(&mut self) {
        clean([&mut self.pool, &mut self.kind]);
        clean(self.gate_until.iter_mut().chain(&mut self.assumed));
        clean(self.limits.iter_mut().map(|limit| &mut limit.dimension));
    }

    /// How many wait for it.
    pub(crate) fn waiting(&self) -> u64 {
        let Waiting { interactive, standard, batch } = self.queue.waiting;
        interactive + standard + batch
    }

    /// The highest peak of its limits, as a share.
    pub(crate) fn peak(&self) -> f64 {
        self.limits.iter().map(Limit::peak_share).fold(0.0, f64::max)
    }

    /// For how many seconds nobody asks, at the time of the snapshot.
    pub(crate) fn gated_for_s(&self, at: &str) -> Option<f64> {
        let millis = |text: &str| at_millis(&serde_json::Value::from(text));
        let left = millis(self.gate_until.as_deref()?)? - millis(at)?;
        (left > 0).then_some(left as f64 / 1e3)
    }
}

impl Limit {
    /// What was used lately, as a share of it.
    pub(crate) fn use_share(&self) -> f64 {
        self.used as f64 / self.limit.max(1) as f64
    }

    /// The peak, as a share of it.
    pub(crate) fn peak_share(&self) -> f64 {
        self.peak as f64 / self.limit.max(1) as f64
    }

    /// `input tokens/min`.
    pub(crate) fn words(&self) -> &str {
        Dimension::from_name(&self.dimension).map_or(self.dimension.as_str(), |dimension| dimension.words())
    }

    /// Who said so: the config, the provider's headers, or the lower of both.
    pub(crate) fn said_by(&self) -> &'static str {
        match (self.declared, self.stated) {
            (Some(declared), Some(stated)) if stated < declared => "headers, below config",
            (Some(_), _) => "config",
            (None, _) => "headers",
        }
    }
}

fn clean<'a>(texts: impl IntoIterator<Item = &'a mut String>) {
    for text in texts {
        *text = weir_wire::shown(text);
    }
}
