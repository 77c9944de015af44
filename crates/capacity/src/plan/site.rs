//! What there is to serve a load: routes, the deployments behind them, their limits and prices.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use weir_engine::{ChargeModel, PoolId, Settings, Strategy};
use weir_units::{DeploymentId, Dimension, Limits, Price};

/// How much of a limit Weir uses: 98 % where answers state what is left of it, else 97 %.
const USABLE: [f64; 2] = [0.97, 0.98];
/// How many seconds' worth it sends at once: five where answers show that its provider grants them, else one.
const BURST: [f64; 2] = [1.0, 5.0];

/// What there is, as far as a plan looks at it.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// What the engine is set to, limits included.
    pub settings: Settings,
    /// How long a request waits for capacity unless it says otherwise.
    pub max_wait: Duration,
    /// The routes, by name.
    pub routes: BTreeMap<Arc<str>, SiteRoute>,
    /// Every deployment that is known.
    pub deployments: BTreeMap<DeploymentId, Deployment>,
    /// Limits that providers stated and nobody declared, by whose they are.
    pub stated: BTreeMap<PoolId, Limits>,
}

/// A name that clients ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteRoute {
    /// What it may be sent to.
    pub deployments: Vec<DeploymentId>,
    /// In which order.
    pub strategy: Strategy,
}

/// One model at one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// What its provider counts.
    pub charge: ChargeModel,
    /// Of which limits its answers state what is left.
    pub tells: Tells,
    /// What it costs, if that is known.
    pub price: Option<Arc<Price>>,
}

/// Of which limits a provider's answers state what is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tells {
    /// Of none.
    #[default]
    Nothing,
    /// Of requests and tokens a minute, as OpenAI does.
    RequestsAndTokens,
    /// Of each limit per minute, as Anthropic does.
    Minutes,
}

impl Tells {
    /// Whether that is one of them.
    #[must_use]
    pub fn includes(self, dimension: Dimension) -> bool {
        match dimension {
            Dimension::RequestsPerMinute | Dimension::TokensPerMinute => self != Self::Nothing,
            Dimension::InputTokensPerMinute | Dimension::OutputTokensPerMinute => self == Self::Minutes,
            _ => false,
        }
    }
}

/// How Weir holds a limit per minute: which share of it, and how many seconds' worth at once.
#[must_use]
pub(super) fn held(is_told: bool) -> (f64, f64) {
    (USABLE[usize::from(is_told)], BURST[usize::from(is_told)])
}

impl Site {
    /// Whether a deployment's answers state what is left of a limit.
    #[must_use]
    pub fn tells(&self, deployment: &DeploymentId, dimension: Dimension) -> bool {
        self.deployments.get(deployment).is_some_and(|of| of.tells.includes(dimension))
    }

    /// The limits that a deployment takes from, and whose they are: of its pool, its own, its account's.
    #[must_use]
    pub fn pools_of(&self, deployment: &DeploymentId) -> Vec<(PoolId, Limits)> {
        let limits = &self.settings.limits;
        let own = limits.models.get(deployment);
        let shared = own.and_then(|own| own.pool.clone());
        let declared = |id: &PoolId| match id {
            PoolId::Provider(name) => limits.providers.get(name).map(|of| of.limits),
            PoolId::Shared(name) => limits.pools.get(name).map(|of| of.limits),
            PoolId::Model(id) => limits.models.get(id).map(|of| of.limits),
            PoolId::Key(_) => None,
        };
        let ids = [
            shared.map(PoolId::Shared),
            Some(PoolId::Model(deployment.clone())),
            Some(PoolId::Provider(Arc::clone(&deployment.provider))),
        ];
        let lowest = |id: PoolId| {
            let mut of = declared(&id).unwrap_or_default();
            for (dimension, stated) in self.stated.get(&id).into_iter().flat_map(|stated| stated.iter()) {
                of.set(dimension, Some(of.get(dimension).map_or(stated, |declared| declared.min(stated))));
            }
            (id, of)
        };
        ids.into_iter().flatten().map(lowest).filter(|(_, limits)| !limits.is_empty()).collect()
    }

    /// What a deployment's provider counts; what was used, where it is not known.
    #[must_use]
    pub fn charge_of(&self, deployment: &DeploymentId) -> ChargeModel {
        self.deployments.get(deployment).map_or(ChargeModel::METERED, |of| of.charge)
    }

    /// The providers of a route, each once, in its order.
    #[must_use]
    pub fn providers_of(&self, route: &str) -> Vec<Arc<str>> {
        let mut providers = Vec::new();
        for deployment in self.route(route).into_iter().flat_map(|route| route.deployments) {
            if !providers.contains(&deployment.provider) {
                providers.push(deployment.provider);
            }
        }
        providers
    }

    /// Where `route` leads: a route of that name, else a deployment that is called so, else the route `*`.
    #[must_use]
    pub fn route(&self, route: &str) -> Option<SiteRoute> {
        let direct = || {
            let (provider, model) = route.split_once('/')?;
            let id = DeploymentId::new(provider, model);
            let known = self.deployments.keys().any(|known| *known.provider == *provider);
            known.then(|| SiteRoute { deployments: vec![id], strategy: Strategy::Failover })
        };
        let spelled_out =
            |found: &SiteRoute| SiteRoute {
                deployments: found
                    .deployments
                    .iter()
                    .map(|of| {
                        if &*of.model == "*" { DeploymentId::new(Arc::clone(&of.provider), route) } else { of.clone() }
                    })
                    .collect(),
                strategy: found.strategy,
            };
        match self.routes.get(route) {
            Some(found) => Some(spelled_out(found)),
            None => direct().or_else(|| self.routes.get("*").map(spelled_out)),
        }
    }
}
