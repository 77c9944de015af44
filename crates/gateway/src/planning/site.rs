//! What a configuration has to offer: routes, deployments, what they are charged with, limits and prices.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_capacity::plan::{Deployment, Site, SiteRoute, Tells};
use weir_config::{Config, Provider};
use weir_engine::ChargeModel;
use weir_units::DeploymentId;
use weir_wire::{Dialect, Endpoint, ProviderKind};

use crate::route;

/// What a configuration has to offer. A limit that only a provider's headers state is not in it.
#[must_use]
pub fn site(config: &Config) -> Site {
    let mut site = Site {
        settings: config.engine.clone(),
        max_wait: config.max_wait,
        routes: BTreeMap::new(),
        deployments: BTreeMap::new(),
        stated: BTreeMap::new(),
    };
    for route in config.routes.values() {
        let of = SiteRoute { deployments: route.deployments.clone(), strategy: route.strategy };
        site.routes.insert(Arc::clone(&route.name), of);
        for deployment in &route.deployments {
            add(&mut site, config, deployment);
        }
    }
    for provider in config.providers.values() {
        for model in provider.models.keys() {
            add(&mut site, config, &DeploymentId::new(Arc::clone(&provider.name), model.as_str()));
        }
    }
    for id in config.engine.limits.models.keys() {
        add(&mut site, config, id);
    }
    site
}

/// The same, and where a name leads that is none of its routes: a provider's model, or what `*` stands for.
pub fn site_for<'a>(config: &Config, names: impl Iterator<Item = &'a str>) -> Site {
    let mut site = site(config);
    for name in names.filter(|name| !config.routes.contains_key(*name)) {
        let Some(found) = config.resolve(name, Dialect::OpenAi) else { continue };
        for deployment in &found.deployments {
            add(&mut site, config, deployment);
        }
        site.routes.insert(name.into(), SiteRoute { deployments: found.deployments, strategy: found.strategy });
    }
    site
}

/// The route that is meant where none is named: the only one there is.
#[must_use]
pub fn only_route(config: &Config) -> Option<Arc<str>> {
    let mut named = config.routes.keys().filter(|name| &***name != "*");
    named.next().filter(|_| named.next().is_none()).cloned()
}

fn add(site: &mut Site, config: &Config, id: &DeploymentId) {
    let Some(provider) = config.providers.get(&id.provider) else { return };
    site.deployments.entry(id.clone()).or_insert_with(|| deployment(provider, &id.model));
}

fn deployment(provider: &Provider, model: &str) -> Deployment {
    let endpoint = match provider.kind.dialect() {
        Dialect::OpenAi => Endpoint::ChatCompletions,
        Dialect::Anthropic => Endpoint::Messages,
    };
    let declared = provider.models.get(model);
    let listed = || weir_wire::model(provider.kind, model).and_then(|found| found.price_of(model));
    let price = declared.map_or_else(listed, |of| of.price.as_ref()).cloned();
    let host = host_of(&provider.base_url);
    let charge = route::charge(provider.kind, host, endpoint);
    let tells = match provider.kind {
        ProviderKind::Anthropic => Tells::Minutes,
        ProviderKind::OpenAi | ProviderKind::Mock => Tells::RequestsAndTokens,
        ProviderKind::OpenAiCompatible if charge == ChargeModel::AZURE => Tells::RequestsAndTokens,
        _ => Tells::Nothing,
    };
    Deployment { charge, tells, price }
}

/// The host of an address: what is between its scheme and its path.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}
