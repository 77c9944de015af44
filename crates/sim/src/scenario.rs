//! `scenario.toml`: which providers there are, what Weir believes of them, and who sends what.
//!
//! The nouns are those of `weir.toml`. A scenario is read in one walk that notes every fault with its line, as the config is.

mod day;
mod gateway;
mod provider;
mod section;
mod workload;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use toml::de::DeTable;
use weir_config::{Fault, Log};
use weir_units::{Limits, WallTime};

pub use day::Zone;
pub use gateway::{GatewayConfig, Pool, Route, Strategy};

use crate::charge::Charge;
use crate::profile::{Latency, Profile};
use crate::workload::Workload;
use section::{Notes, Section};

/// A whole scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// What all chance is drawn from.
    pub seed: u64,
    /// How long clients send. What is on its way then still ends.
    pub duration: Duration,
    /// How many Weirs share the load, each knowing only its own part of it.
    pub gateways: u32,
    /// What the calendar says when the run begins.
    pub start: WallTime,
    /// The providers, by name, as they really are.
    pub providers: BTreeMap<Arc<str>, SimulatedProvider>,
    /// What Weir is configured with.
    pub gateway: GatewayConfig,
    /// Who sends what.
    pub workloads: Vec<Workload>,
}

/// A provider as it really is. All its models share its limits; models with limits of their own are providers of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedProvider {
    /// How it behaves.
    pub profile: Profile,
    /// What it charges its limits with.
    pub charge: Charge,
    /// How long a request is on its way to it, and an answer back; `per_input_token` plays no part.
    pub network: Latency,
}

impl Scenario {
    /// Reads a scenario. `file` is what faults call it; `open` hands over the text of a file that it names, or why not.
    ///
    /// # Errors
    /// With everything that is wrong, in the order of the text.
    pub fn read(text: &str, file: &Path, open: &dyn Fn(&str) -> Result<String, String>) -> Result<Self, Vec<Fault>> {
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut log = Log::new(file, text);
        for error in &errors {
            let at = error.span().map_or(text.len(), |span| span.start);
            log.fault(Some(at), format!("not TOML: {}", error.message()), None);
        }
        if !errors.is_empty() {
            return Err(log.finish().0);
        }
        let notes = Notes::default();
        let root = Section::root(document.get_ref(), text, &notes);
        let scenario = whole(&root, open);
        root.finish();
        check(&scenario, &root);
        for (at, message, hint) in notes.take() {
            log.fault(at, message, hint);
        }
        if log.is_clean() { Ok(scenario) } else { Err(log.finish().0) }
    }
}

fn whole(root: &Section<'_>, open: &dyn Fn(&str) -> Result<String, String>) -> Scenario {
    let start = root.start("start");
    let providers =
        root.named("providers").into_iter().map(|(name, section)| (name, provider::read(&section, &start))).collect();
    let workloads = root
        .list("workloads")
        .iter()
        .enumerate()
        .map(|(number, section)| workload::read(section, number, open))
        .collect();
    Scenario {
        seed: root.whole("seed", 0).unwrap_or(1),
        duration: root.span_from("duration", Duration::from_secs(1)).unwrap_or(Duration::from_secs(1_800)),
        gateways: u32::try_from(root.whole("gateways", 1).unwrap_or(1).min(1_000)).unwrap_or(1),
        start: start.wall,
        providers,
        gateway: gateway::read(&root.section("gateway")),
        workloads,
    }
}

/// What no single value shows: names that mean nothing, and a scenario in which nothing can happen.
fn check(scenario: &Scenario, root: &Section<'_>) {
    if scenario.providers.is_empty() {
        root.fault_at(None, "there is no provider", Some("write `[providers.NAME]` with its `limits`".to_owned()));
    }
    if scenario.workloads.is_empty() {
        root.fault_at(None, "nobody sends anything", Some("write `[[workloads]]` with its `arrivals`".to_owned()));
    }
    let routes = root.section("gateway").section("routes");
    for (name, route) in &scenario.gateway.routes {
        for deployment in &route.deployments {
            if !scenario.providers.contains_key(&deployment.provider) {
                let near = nearest_of(&deployment.provider, scenario.providers.keys());
                let message = format!(
                    "route `{}` sends to `{deployment}`, and no provider is named `{}`",
                    weir_config::shown(name),
                    weir_config::shown(&deployment.provider)
                );
                root.fault_at(routes.key_at(name), &message, near);
            }
        }
    }
    for (number, workload) in scenario.workloads.iter().enumerate() {
        let twin = scenario.workloads[..number].iter().any(|before| before.name == workload.name);
        let at = root.list("workloads").get(number).and_then(Section::at);
        if twin {
            let message = format!("two workloads are named `{}`", weir_config::shown(&workload.name));
            root.fault_at(at, &message, Some("give each a `name` of its own".to_owned()));
        }
        let known = scenario.gateway.routes.contains_key(&workload.route)
            || scenario.gateway.routes.contains_key("*")
            || workload.route.split_once('/').is_some_and(|(name, _)| scenario.providers.contains_key(name));
        // A config brings routes of its own, which only its reader knows.
        if !known && scenario.gateway.config.is_none() {
            let near = nearest_of(&workload.route, scenario.gateway.routes.keys());
            let message = format!(
                "workload `{}` asks for `{}`, which is no route",
                weir_config::shown(&workload.name),
                weir_config::shown(&workload.route)
            );
            root.fault_at(at, &message, near.or(Some("write `[gateway.routes.NAME] deployments = […]`".to_owned())));
        }
    }
}

fn nearest_of<'a>(name: &str, names: impl Iterator<Item = &'a Arc<str>>) -> Option<String> {
    weir_config::nearest(name, names.map(AsRef::as_ref)).map(|near| format!("did you mean `{near}`?"))
}

/// The ceilings of a table of limits.
fn limits(section: &Section<'_>) -> Limits {
    let mut limits = Limits::NONE;
    for dimension in weir_units::Dimension::ALL {
        limits.set(dimension, section.whole(dimension.name(), 1));
    }
    section.finish();
    limits
}

#[cfg(test)]
mod tests;
