//! Which deployments a name means.
//!
//! An exact route wins. Else the part before the first slash names a provider and the rest is its model, which may hold
//! slashes. Else the route `*` takes the whole name. Where there is no config file, a bare name goes to the provider
//! that the model catalogue gives it, else to the provider of the path's dialect.

use std::sync::Arc;

use weir_engine::{Guards, Strategy};
use weir_units::DeploymentId;
use weir_wire::{Dialect, ProviderKind, provider_of};

use crate::{AfterCut, Config, Provider, Route, Source, Timeouts};

/// What a name means.
#[derive(Clone, Debug)]
pub struct Resolved<'a> {
    /// The route, if the name led to one.
    pub route: Option<&'a Route>,
    /// What facts, metrics and pages call it: the route's name (`*` for the route of that name), else the name asked for.
    pub route_name: Arc<str>,
    /// What a call may be sent to, at least one, every model spelled out.
    pub deployments: Vec<DeploymentId>,
    /// In which order they are tried.
    pub strategy: Strategy,
    /// What follows a stream that breaks after content.
    pub after_cut: AfterCut,
    /// How long each stage of a call may take.
    pub timeouts: &'a Timeouts,
    /// The guards on its runs.
    pub guards: &'a Arc<Guards>,
}

impl Config {
    /// Which deployments `name` means to a client that speaks `dialect`; `None` is a 404.
    #[must_use]
    pub fn resolve<'a>(&'a self, name: &str, dialect: Dialect) -> Option<Resolved<'a>> {
        // `*` is the catch-all's name in the config, and nothing that a client can ask for.
        if name.is_empty() || name == "*" {
            return None;
        }
        if let Some(route) = self.routes.get(name) {
            return Some(routed(route, name));
        }
        if let Some((provider, model)) = name.split_once('/')
            && let Some(provider) = self.providers.get(provider)
            && !model.is_empty()
        {
            return Some(self.direct(provider, model, name));
        }
        if let Some(route) = self.routes.get("*") {
            return Some(routed(route, name));
        }
        match self.source {
            Source::Environment => self.home_of(name, dialect).map(|provider| self.direct(provider, name, name)),
            Source::File(_) => None,
        }
    }

    fn direct(&self, provider: &Provider, model: &str, name: &str) -> Resolved<'_> {
        Resolved {
            route: None,
            route_name: name.into(),
            deployments: vec![DeploymentId::new(Arc::clone(&provider.name), model)],
            strategy: Strategy::Failover,
            after_cut: AfterCut::Splice,
            timeouts: &self.timeouts,
            guards: &self.guards,
        }
    }

    /// The provider of a bare name: the catalogue's, else the path's dialect's.
    fn home_of(&self, model: &str, dialect: Dialect) -> Option<&Provider> {
        let of_kind = |kind: ProviderKind| self.providers.values().find(|provider| provider.kind == kind);
        let spoken = match dialect {
            Dialect::OpenAi => ProviderKind::OpenAi,
            Dialect::Anthropic => ProviderKind::Anthropic,
        };
        match provider_of(model) {
            // `mock/…` exists only where the mock does; sending it to a paid account would be a surprise.
            Some(ProviderKind::Mock) => of_kind(ProviderKind::Mock),
            catalogued => catalogued.and_then(of_kind).or_else(|| of_kind(spoken)),
        }
    }
}

fn routed<'a>(route: &'a Route, name: &str) -> Resolved<'a> {
    let spelled_out = |deployment: &DeploymentId| match &*deployment.model {
        "*" => DeploymentId::new(Arc::clone(&deployment.provider), name),
        _ => deployment.clone(),
    };
    Resolved {
        route: Some(route),
        route_name: Arc::clone(&route.name),
        deployments: route.deployments.iter().map(spelled_out).collect(),
        strategy: route.strategy,
        after_cut: route.after_cut,
        timeouts: &route.timeouts,
        guards: &route.guards,
    }
}
