//! What is configured, as far as capacity goes: ceilings, routes, prices, and whom to ask for more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use weir_engine::{Period, Zone};
use weir_units::{DeploymentId, NanoUsd, Price};

use super::Ceiling;

/// What is configured, as far as capacity goes.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    /// Every limit of a provider, a pool or a model.
    pub ceilings: Vec<Ceiling>,
    /// The routes, in the order of their names.
    pub routes: Vec<RouteOrder>,
    /// What tokens cost, as far as that is known.
    pub prices: BTreeMap<DeploymentId, Arc<Price>>,
    /// Whom to ask for more, by provider; a provider of which nothing is said is there as well.
    pub accounts: BTreeMap<Arc<str>, Account>,
    /// Keys whose requests are batch work.
    pub batch_keys: BTreeSet<Arc<str>>,
    /// What may be spent.
    pub budgets: Vec<BudgetCeiling>,
    /// Who owns the capacity.
    pub owner: Option<Arc<str>>,
    /// How long it takes to get more.
    pub lead_time: Duration,
    /// Whose clocks days and weeks are of.
    pub zone: Zone,
}

/// A route, and the deployments that it asks, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteOrder {
    /// Its name; `*` takes what names no route and no provider.
    pub name: Arc<str>,
    /// Its deployments. A model `*` is the model that was asked for.
    pub deployments: Vec<DeploymentId>,
    /// Whether traffic is spread over all of them; else the first that can takes it.
    pub balanced: bool,
    /// Whether a second provider is expected behind it.
    pub critical: bool,
}

/// An account at a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// What the provider calls its size.
    pub tier: Option<Arc<str>>,
    /// Whom to ask for more.
    pub contact: Option<Arc<str>>,
    /// Where to ask for more.
    pub upgrade_url: Option<Arc<str>>,
}

/// A ceiling in dollars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetCeiling {
    /// Its name.
    pub name: Arc<str>,
    /// How much.
    pub limit: NanoUsd,
    /// For how long.
    pub period: Period,
    /// Whose requests it pays for.
    pub payer: weir_ledger::Payer,
}

impl RouteOrder {
    /// Where in this route a deployment stands.
    #[must_use]
    pub fn place(&self, deployment: &DeploymentId) -> Option<usize> {
        let is = |one: &DeploymentId| {
            one.provider == deployment.provider && (one.model == deployment.model || &*one.model == "*")
        };
        self.deployments.iter().position(is)
    }

    /// What serves in place of `deployment` if all of its provider is gone, each with its share; nothing if nothing can.
    #[must_use]
    pub fn instead(&self, deployment: &DeploymentId) -> Vec<(DeploymentId, f64)> {
        let Some(place) = self.place(deployment) else { return Vec::new() };
        let named = |one: &DeploymentId| match &*one.model {
            "*" => DeploymentId::new(Arc::clone(&one.provider), &*deployment.model),
            _ => one.clone(),
        };
        let is_other = |one: &&DeploymentId| one.provider != deployment.provider;
        if self.balanced {
            let others: Vec<DeploymentId> = self.deployments.iter().filter(is_other).map(named).collect();
            let share = 1.0 / others.len().max(1) as f64;
            return others.into_iter().map(|one| (one, share)).collect();
        }
        // Those before it had refused already when it was asked.
        let after = self.deployments[place..].iter().find(is_other);
        after.or_else(|| self.deployments.iter().find(is_other)).map(|one| (named(one), 1.0)).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(deployments: &[(&str, &str)], balanced: bool) -> RouteOrder {
        let deployments = deployments.iter().map(|(provider, model)| DeploymentId::new(*provider, *model)).collect();
        RouteOrder { name: "smart".into(), deployments, balanced, critical: false }
    }

    #[test]
    fn the_next_of_another_provider_serves_in_place_of_one() {
        let failover = route(&[("a", "x"), ("a", "y"), ("b", "z"), ("c", "w")], false);
        let of = |provider: &str, model: &str| failover.instead(&DeploymentId::new(provider, model));
        assert_eq!(of("a", "x"), [(DeploymentId::new("b", "z"), 1.0)]);
        assert_eq!(of("b", "z"), [(DeploymentId::new("c", "w"), 1.0)]);
        assert_eq!(of("c", "w"), [(DeploymentId::new("a", "x"), 1.0)], "the first again, after the last");
        assert_eq!(of("d", "x"), []);
        let balanced = route(&[("a", "x"), ("b", "z"), ("c", "w")], true);
        let halves = balanced.instead(&DeploymentId::new("a", "x"));
        assert_eq!(halves, [(DeploymentId::new("b", "z"), 0.5), (DeploymentId::new("c", "w"), 0.5)]);
        assert_eq!(route(&[("a", "x")], false).instead(&DeploymentId::new("a", "x")), []);
    }

    #[test]
    fn the_model_that_was_asked_for_stands_in_for_a_star() {
        let all = route(&[("a", "*"), ("b", "*")], false);
        assert_eq!(all.instead(&DeploymentId::new("a", "mini")), [(DeploymentId::new("b", "mini"), 1.0)]);
    }
}
