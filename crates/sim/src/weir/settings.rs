//! The engine's settings out of a scenario's `[gateway]`, and out of the `weir.toml` that it may name.

use std::sync::Arc;

use weir_config::Config;
use weir_engine::{PoolLimits, ProviderLimits, Settings};

use super::counted;
use crate::scenario::{Route, Scenario};

/// What a Weir of this scenario is set to.
pub(super) fn of(scenario: &Scenario) -> Settings {
    let gateway = &scenario.gateway;
    let mut settings = gateway.engine.clone().unwrap_or_default();
    let limits = &mut settings.limits;
    let day =
        |provider: &str| scenario.providers.get(provider).map(|real| counted(real.charge).day).unwrap_or_default();
    for (name, of) in &mut limits.providers {
        of.day = day(name);
    }
    for (name, own) in &gateway.providers {
        limits.providers.insert(Arc::clone(name), ProviderLimits { limits: *own, day: day(name) });
    }
    for (name, pool) in &gateway.pools {
        let reserve_for_interactive_ppm = pool.reserve_for_interactive_ppm;
        limits.pools.insert(Arc::clone(name), PoolLimits { limits: pool.limits, reserve_for_interactive_ppm });
        for deployment in &pool.deployments {
            let of = limits.models.entry(deployment.clone()).or_default();
            of.pool = Some(Arc::clone(name));
        }
    }
    for (name, own) in &gateway.keys {
        limits.keys.insert(Arc::clone(name), *own);
    }
    for (tenant, weight) in &gateway.weights {
        limits.weights.insert(Arc::clone(tenant), u32::try_from(*weight).unwrap_or(u32::MAX));
    }
    settings
}

impl Scenario {
    /// Takes over what a `weir.toml` says, where the scenario itself does not say otherwise.
    ///
    /// # Errors
    /// With a sentence for each thing that the scenario asks for and neither of the two has.
    pub fn adopt(&mut self, config: &Config) -> Result<(), Vec<String>> {
        let gateway = &mut self.gateway;
        for (name, route) in &config.routes {
            gateway
                .routes
                .entry(Arc::clone(name))
                .or_insert_with(|| Route { deployments: route.deployments.clone(), strategy: route.strategy });
        }
        gateway.max_wait = gateway.max_wait.or(Some(config.max_wait));
        gateway.engine = Some(match gateway.engine.take() {
            Some(own) => Settings { limits: config.engine.limits.clone(), ..own },
            None => config.engine.clone(),
        });
        let mut missing = Vec::new();
        for workload in &self.workloads {
            let route = self.gateway.routes.get(&workload.route).or_else(|| self.gateway.routes.get("*"));
            let direct = workload.route.split_once('/').is_some_and(|(name, _)| self.providers.contains_key(name));
            let shown = weir_config::shown;
            match route {
                None if direct => {}
                None => missing.push(format!(
                    "workload `{}` asks for `{}`, which neither the scenario nor the config has",
                    shown(&workload.name),
                    shown(&workload.route)
                )),
                Some(route) => missing.extend(
                    route.deployments.iter().filter(|of| !self.providers.contains_key(&of.provider)).map(|of| {
                        format!(
                            "route `{}` sends to `{}`, and the scenario does not say how its provider behaves: write \
                             `[providers.{}]`",
                            shown(&workload.route),
                            shown(&of.to_string()),
                            shown(&of.provider)
                        )
                    }),
                ),
            }
        }
        missing.sort();
        missing.dedup();
        if missing.is_empty() { Ok(()) } else { Err(missing) }
    }
}
