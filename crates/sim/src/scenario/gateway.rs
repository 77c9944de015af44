//! `[gateway]`: what Weir is configured with, in the words of `weir.toml`, or that file itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use weir_engine::Strategy;
use weir_engine::{QueueSettings, RESERVE_FOR_INTERACTIVE_PPM, RetrySettings, Settings};
use weir_units::{DeploymentId, Limits};

use super::limits;
use super::section::Section;

/// What Weir is configured with. What the scenario says goes before what the config file says.
#[derive(Clone, Debug, PartialEq)]
pub struct GatewayConfig {
    /// A `weir.toml`, relative to the scenario.
    pub config: Option<String>,
    /// The limits that Weir believes its providers to have; without any it learns from headers.
    pub providers: BTreeMap<Arc<str>, Limits>,
    /// Limits that deployments share.
    pub pools: BTreeMap<Arc<str>, Pool>,
    /// What clients' keys may use, by the keys' names.
    pub keys: BTreeMap<Arc<str>, Limits>,
    /// What clients may ask for.
    pub routes: BTreeMap<Arc<str>, Route>,
    /// The tenants' shares under contention; 1 for one that is not named.
    pub weights: BTreeMap<Arc<str>, u64>,
    /// How long a request may wait for capacity.
    pub max_wait: Option<Duration>,
    /// When deployments are asked again, when they are left alone, and how much may wait.
    pub engine: Option<Settings>,
}

/// What shares one set of limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Who shares it.
    pub deployments: Vec<DeploymentId>,
    /// Its limits.
    pub limits: Limits,
    /// The share that batch may not use, in parts per million.
    pub reserve_for_interactive_ppm: u32,
}

/// A name that clients ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What it may be sent to.
    pub deployments: Vec<DeploymentId>,
    /// In which order.
    pub strategy: Strategy,
}

pub(super) fn read(section: &Section<'_>) -> GatewayConfig {
    let named = |key, read: &dyn Fn(&Section<'_>) -> Limits| {
        section.named(key).into_iter().map(|(name, inside)| (name, read(&inside))).collect()
    };
    let providers = named("providers", &|inside| {
        let read = limits(&inside.section("limits"));
        inside.finish();
        read
    });
    let keys = named("keys", &|inside| {
        let read = limits(&inside.section("limits"));
        inside.finish();
        read
    });
    let pools = section
        .named("pools")
        .into_iter()
        .map(|(name, inside)| {
            let reserve = inside.ppm("reserve-for-interactive", 1.0);
            let pool = Pool {
                deployments: deployments(&inside),
                limits: limits(&inside.section("limits")),
                reserve_for_interactive_ppm: reserve.unwrap_or(RESERVE_FOR_INTERACTIVE_PPM),
            };
            inside.finish();
            (name, pool)
        })
        .collect();
    let weights = section
        .named("tenants")
        .into_iter()
        .map(|(name, inside)| {
            let weight = inside.whole("weight", 1).unwrap_or(1);
            inside.finish();
            (name, weight)
        })
        .collect();
    let routes = section.named("routes").into_iter().map(|(name, inside)| (name, route(&inside))).collect();
    let queue = section.section("queue");
    let max_wait = queue.span("max-wait");
    let most = QueueSettings {
        max_requests: queue.whole("max-requests", 1).map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX)),
        max_bytes: queue.whole("max-bytes", 1).unwrap_or(u64::MAX),
    };
    queue.finish();
    let gateway = GatewayConfig {
        config: section.text("config").map(str::to_owned),
        providers,
        pools,
        keys,
        routes,
        weights,
        max_wait,
        engine: engine(section, &most),
    };
    section.finish();
    gateway
}

fn route(section: &Section<'_>) -> Route {
    let deployments = deployments(section);
    let strategy = match section.choice("strategy", &["failover", "balance"]) {
        Some("balance") => Strategy::Balance,
        _ => Strategy::Failover,
    };
    section.finish();
    Route { deployments, strategy }
}

fn deployments(section: &Section<'_>) -> Vec<DeploymentId> {
    let mut deployments = Vec::new();
    for text in section.texts("deployments") {
        match text.split_once('/') {
            Some((provider, model)) => deployments.push(DeploymentId::new(provider, model)),
            None => section.fault(
                "deployments",
                &format!("names `{}`, which is no deployment", weir_config::shown(text)),
                Some("a deployment is `provider/model`".to_owned()),
            ),
        }
    }
    if deployments.is_empty() {
        section.fault("deployments", "names no deployment", Some("write `[\"provider/model\"]`".to_owned()));
    }
    deployments
}

/// The engine's settings, if any is written.
fn engine(section: &Section<'_>, queue: &QueueSettings) -> Option<Settings> {
    let (retry, breaker) = (section.section("retry"), section.section("breaker"));
    let mut settings = Settings::default();
    let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let RetrySettings { attempts, base, cap, budget_ppm, patience } = &mut settings.retry;
    set(attempts, retry.whole("attempts", 1).map(count));
    set(base, retry.span("base"));
    set(cap, retry.span("cap"));
    set(budget_ppm, retry.ppm("budget", 1.0));
    set(patience, retry.span("patience"));
    let of = &mut settings.breaker;
    set(&mut of.consecutive_failures, breaker.whole("consecutive-failures", 1).map(count));
    set(&mut of.failure_rate_ppm, breaker.ppm("failure-rate", 1.0));
    set(&mut of.window, breaker.span("window"));
    set(&mut of.cooldown, breaker.span("cooldown"));
    retry.finish();
    breaker.finish();
    let standard = settings.queue.clone();
    settings.queue = QueueSettings {
        max_requests: if queue.max_requests == usize::MAX { standard.max_requests } else { queue.max_requests },
        max_bytes: if queue.max_bytes == u64::MAX { standard.max_bytes } else { queue.max_bytes },
    };
    let written = settings != Settings::default();
    (written || section.has("retry") || section.has("breaker")).then_some(settings)
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}
