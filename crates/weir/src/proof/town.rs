//! What there is, as the simulator wants it.
//!
//! In a scenario all models of a provider share its limits. So what has limits of its own is a provider of its own there: a pool,
//! a model, or an account. Limits of a day are left out: a run is shorter, and what a day takes is reckoned.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use weir_capacity::plan::{Service, Site, SiteRoute};
use weir_engine::{ChargeModel, OutputCharge, PoolId, PoolLimits, ProviderLimits, Settings};
use weir_sim::{Charge, GatewayConfig, Latency, LimitRules, Profile, Route, Scenario, SimulatedProvider, Workload};
use weir_units::{DeploymentId, Limits, WallTime};

/// A Tuesday afternoon: 2026-11-17 14:00 UTC.
const START: WallTime = WallTime(1_794_924_000_000_000);

/// A scenario in the making, and who is who in it.
pub(super) struct Town<'s> {
    site: &'s Site,
    settings: Settings,
    providers: BTreeMap<Arc<str>, SimulatedProvider>,
    routes: BTreeMap<Arc<str>, Route>,
    /// Each deployment of the scenario and the one that it stands for.
    pub(super) stands_for: BTreeMap<DeploymentId, DeploymentId>,
}

impl<'s> Town<'s> {
    pub(super) fn new(site: &'s Site) -> Self {
        let mut settings = site.settings.clone();
        let limits = &mut settings.limits;
        (limits.providers, limits.models, limits.keys) = Default::default();
        limits.weights.clear();
        limits.pools.values_mut().for_each(|pool| pool.limits = without_days(pool.limits));
        let (providers, routes, stands_for) = Default::default();
        Self { site, settings, providers, routes, stands_for }
    }

    /// Adds a route by a name, with how long its answers take.
    ///
    /// # Errors
    /// If it leads nowhere.
    pub(super) fn add_route(
        &mut self,
        name: &Arc<str>,
        route: &SiteRoute,
        service: impl Fn(&DeploymentId) -> Service,
        output: f64,
    ) -> Result<(), String> {
        if route.deployments.is_empty() {
            return Err(format!("route `{}` leads nowhere", weir_config::shown(name)));
        }
        let deployments = route.deployments.iter().map(|id| self.add(id, service(id), output)).collect();
        self.routes.insert(Arc::clone(name), Route { deployments, strategy: route.strategy });
        Ok(())
    }

    /// Adds a deployment; the name that it has in the scenario.
    fn add(&mut self, id: &DeploymentId, service: Service, output: f64) -> DeploymentId {
        let pools = self.site.pools_of(id);
        let (name, real) = group(id, &pools);
        let new = DeploymentId::new(Arc::clone(&name), Arc::clone(&id.model));
        self.stands_for.insert(new.clone(), id.clone());
        let charge = self.site.charge_of(id);
        for (pool, limits) in pools {
            self.declare(&pool, without_days(limits), &name, &new, charge);
        }
        let profile = Profile { limits: without_days(real), rules: self.rules(id, real), ..pace(service, output) };
        self.providers.entry(name).or_insert_with(|| SimulatedProvider {
            profile,
            charge: charged(charge),
            network: Latency::default(),
        });
        new
    }

    /// What answers state of limits: those of which its provider says so.
    fn rules(&self, id: &DeploymentId, real: Limits) -> LimitRules {
        let mut stated = Limits::NONE;
        for (dimension, limit) in real.iter().filter(|(dimension, _)| self.site.tells(id, *dimension)) {
            stated.set(dimension, Some(limit));
        }
        LimitRules { headers: !stated.is_empty(), stated: Some(stated), ..LimitRules::default() }
    }

    fn declare(&mut self, pool: &PoolId, limits: Limits, group: &Arc<str>, new: &DeploymentId, charge: ChargeModel) {
        let of = &mut self.settings.limits;
        match pool {
            PoolId::Provider(_) => {
                of.providers.insert(Arc::clone(group), ProviderLimits { limits, day: charge.day });
            }
            PoolId::Shared(name) => {
                let reserve = self.site.settings.limits.pools.get(name).map(|pool| pool.reserve_for_interactive_ppm);
                let reserve_for_interactive_ppm = reserve.unwrap_or(weir_engine::RESERVE_FOR_INTERACTIVE_PPM);
                of.pools.insert(Arc::clone(name), PoolLimits { limits, reserve_for_interactive_ppm });
                of.models.entry(new.clone()).or_default().pool = Some(Arc::clone(name));
            }
            PoolId::Model(_) => of.models.entry(new.clone()).or_default().limits = limits,
            PoolId::Key(_) => {}
        }
    }

    /// Everything that happens to the providers of a name in the configuration.
    pub(super) fn befall(&mut self, provider: &str, event: weir_sim::Event) {
        let of = self.stands_for.iter().filter(|(_, real)| *real.provider == *provider).map(|(new, _)| &new.provider);
        for name in of {
            if let Some(simulated) = self.providers.get_mut(name)
                && !simulated.profile.events.contains(&event)
            {
                simulated.profile.events.push(event);
            }
        }
    }

    /// The scenario of all this.
    pub(super) fn scenario(&self, seed: u64, duration: Duration, workloads: Vec<Workload>) -> Scenario {
        Scenario {
            seed,
            duration,
            gateways: 1,
            start: START,
            providers: self.providers.clone(),
            gateway: GatewayConfig {
                config: None,
                providers: BTreeMap::new(),
                pools: BTreeMap::new(),
                keys: BTreeMap::new(),
                routes: self.routes.clone(),
                weights: BTreeMap::new(),
                max_wait: Some(self.site.max_wait),
                engine: Some(self.settings.clone()),
            },
            workloads,
        }
    }
}

/// What a deployment's limits are held by, and which: its account where that has limits, else its pool, else itself.
fn group(id: &DeploymentId, pools: &[(PoolId, Limits)]) -> (Arc<str>, Limits) {
    let account = pools.iter().find(|(pool, _)| matches!(pool, PoolId::Provider(_)));
    match account.or(pools.first()) {
        Some((PoolId::Provider(name), limits)) => (Arc::clone(name), *limits),
        Some((PoolId::Shared(name), limits)) => (format!("{} {name}", id.provider).into(), *limits),
        Some((_, limits)) => (id.to_string().into(), *limits),
        None => (Arc::clone(&id.provider), Limits::NONE),
    }
}

fn without_days(mut limits: Limits) -> Limits {
    for (dimension, _) in limits.iter().collect::<Vec<_>>() {
        if dimension.is_daily() {
            limits.set(dimension, None);
        }
    }
    limits
}

/// A provider at this pace: whole tokens a second, and the first token such that an answer of the usual length takes its time.
fn pace(service: Service, output: f64) -> Profile {
    let rate = if service.per_output > 0.0 { (1.0 / service.per_output).ceil().clamp(1.0, 1e6) } else { 0.0 };
    let writing = if rate > 0.0 { (output - 1.0).max(0.0) / rate } else { 0.0 };
    let base = Duration::try_from_secs_f64((service.seconds(output) - writing).max(0.0)).unwrap_or_default();
    let latency = Latency { base, ..Latency::default() };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to a million")]
    let tokens_per_second = rate as u64;
    Profile { latency, tokens_per_second, ..Profile::default() }
}

/// How a provider counts, in the simulator's words.
fn charged(charge: ChargeModel) -> Charge {
    match (charge.output, charge.gives_back) {
        (OutputCharge::Metered, _) => Charge::Metered,
        (OutputCharge::LargerOfInputAndMaximum, _) => Charge::Reserve,
        (OutputCharge::InputAndMaximum, false) => Charge::ReserveSum,
        (OutputCharge::InputAndMaximum, true) => Charge::Settle { burndown: charge.output_weight },
        (OutputCharge::Free, _) => Charge::Input,
    }
}
