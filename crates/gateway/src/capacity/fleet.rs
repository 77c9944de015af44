//! From the configuration, and what providers state, to the ceilings that capacity is planned by.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_capacity::desk::{Account, BudgetCeiling, Ceiling, Fleet, Members, RouteOrder};
use weir_config::{Config, Key, Provider};
use weir_engine::{ChargeModel, DayStart, PoolId, PoolView, Priority, Strategy};
use weir_units::{DeploymentId, Dimension, Limits, Price};
use weir_wire::{Endpoint, ProviderKind};

use crate::route::charge;

/// A limit that is kept to, whoever said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// Whose it is.
    pub pool: PoolId,
    /// What it limits.
    pub dimension: Dimension,
    /// The limit.
    pub limit: u64,
    /// What the provider's headers state.
    pub stated: Option<u64>,
}

impl InForce {
    /// The limits that a running engine keeps to.
    pub(crate) fn of(views: &[PoolView]) -> Vec<Self> {
        let of_pool = |view: &PoolView| -> Vec<Self> {
            let of = |gauge: &weir_engine::Gauge| Self {
                pool: view.pool.clone(),
                dimension: gauge.dimension,
                limit: gauge.limit,
                stated: gauge.stated,
            };
            view.limits.iter().map(of).collect()
        };
        views.iter().flat_map(of_pool).collect()
    }
}

/// What is configured, as far as capacity goes. `in_force` are limits that are known besides: those of headers, which no
/// configuration has. `seen` are deployments that were called, whose prices are of interest too.
#[must_use]
pub fn fleet(config: &Config, in_force: &[InForce], seen: &BTreeSet<DeploymentId>) -> Fleet {
    let owner = &config.alerts.owner;
    let route = |route: &weir_config::Route| RouteOrder {
        name: Arc::clone(&route.name),
        deployments: route.deployments.clone(),
        balanced: route.strategy == Strategy::Balance,
        critical: route.critical,
    };
    let account = |name: &Arc<str>| {
        let contact = config.contacts.get(name).cloned().unwrap_or_default();
        Account { tier: contact.tier, contact: contact.contact, upgrade_url: contact.upgrade_url }
    };
    let is_batch = |key: &&Key| key.priority == Priority::Batch;
    Fleet {
        ceilings: ceilings(config, in_force),
        routes: config.routes.values().map(route).collect(),
        prices: prices(config, seen),
        accounts: config.providers.keys().map(|name| (Arc::clone(name), account(name))).collect(),
        batch_keys: config.keys.values().filter(is_batch).map(|key| Arc::clone(&key.name)).collect(),
        budgets: budgets(config),
        owner: owner.name.clone(),
        lead_time: owner.lead_time,
        zone: config.zone.clone(),
    }
}

/// What is declared of a limit, what is in force, and what the provider states.
type Said = (Option<u64>, u64, Option<u64>);

/// Every limit that is declared of a provider, a pool or a model, and those in force that nobody declared.
fn ceilings(config: &Config, in_force: &[InForce]) -> Vec<Ceiling> {
    let declared = &config.engine.limits;
    let mut limits: BTreeMap<(PoolId, usize), Said> = BTreeMap::new();
    let mut declare = |pool: PoolId, own: &Limits| {
        for (dimension, limit) in own.iter() {
            limits.insert((pool.clone(), dimension.index()), (Some(limit), limit, None));
        }
    };
    for (name, own) in &declared.providers {
        declare(PoolId::Provider(Arc::clone(name)), &own.limits);
    }
    for (name, own) in &declared.pools {
        declare(PoolId::Shared(Arc::clone(name)), &own.limits);
    }
    for (id, own) in &declared.models {
        declare(PoolId::Model(id.clone()), &own.limits);
    }
    for known in in_force.iter().filter(|known| !matches!(known.pool, PoolId::Key(_))) {
        let key = (known.pool.clone(), known.dimension.index());
        let said = limits.get(&key).and_then(|(declared, ..)| *declared);
        limits.insert(key, (said, known.limit, known.stated));
    }
    let ceiling = |((pool, dimension), (declared, limit, stated)): ((PoolId, usize), _)| {
        let members = members(config, &pool);
        let providers = members.providers();
        let of = |name: &Arc<str>| Some((Arc::clone(name), counted(config.providers.get(name)?)));
        let charges = providers.iter().filter_map(of).collect();
        let dimension = *Dimension::ALL.get(dimension)?;
        Some(Ceiling { pool, dimension, limit, declared, stated, members, charges, day: day(config, &providers) })
    };
    limits.into_iter().filter_map(ceiling).collect()
}

fn members(config: &Config, pool: &PoolId) -> Members {
    match pool {
        PoolId::Provider(name) | PoolId::Key(name) => Members::Provider(Arc::clone(name)),
        PoolId::Model(id) => Members::These(vec![id.clone()]),
        PoolId::Shared(name) => {
            let models = config.engine.limits.models.iter();
            let inside = models.filter(|(_, model)| model.pool.as_ref() == Some(name));
            Members::These(inside.map(|(id, _)| id.clone()).collect())
        }
    }
}

/// How a provider counts what goes to it: by its kind and its host, as most of its requests are.
fn counted(provider: &Provider) -> ChargeModel {
    let rest = provider.base_url.split_once("://").map_or("", |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or_default();
    let usual = if provider.kind == ProviderKind::Anthropic { Endpoint::Messages } else { Endpoint::ChatCompletions };
    charge(provider.kind, host, usual)
}

/// When the days of a pool begin: as its first provider's.
fn day(config: &Config, providers: &[Arc<str>]) -> DayStart {
    let limits = &config.engine.limits.providers;
    providers.first().and_then(|name| limits.get(name)).map(|own| own.day).unwrap_or_default()
}

fn prices(config: &Config, seen: &BTreeSet<DeploymentId>) -> BTreeMap<DeploymentId, Arc<Price>> {
    let routed = config.routes.values().flat_map(|route| &route.deployments);
    let declared = config.providers.iter().flat_map(|(name, provider)| {
        provider.models.keys().map(|model| DeploymentId::new(Arc::clone(name), model.as_str()))
    });
    let all: BTreeSet<DeploymentId> = routed.cloned().chain(declared).chain(seen.iter().cloned()).collect();
    let price = |id: DeploymentId| {
        let provider = config.providers.get(&id.provider)?;
        let declared = provider.models.get(&*id.model);
        let listed = || weir_wire::model(provider.kind, &id.model).and_then(|known| known.price_of(&id.model)).cloned();
        let price = match declared {
            Some(settings) => settings.price.clone(),
            None => listed(),
        };
        price.map(|price| (id, price))
    };
    all.into_iter().filter_map(price).collect()
}

/// The budgets, each with whom it pays for by the configuration. Keys made at run time are not in it.
fn budgets(config: &Config) -> Vec<BudgetCeiling> {
    let of = |budget: &weir_config::Budget| {
        let names = |list: &[Arc<str>]| list.contains(&budget.name);
        let tenants = config.tenants.iter().filter(|(_, tenant)| names(&tenant.budgets));
        let keys = config.keys.iter().filter(|(_, key)| names(&key.budgets));
        BudgetCeiling {
            name: Arc::clone(&budget.name),
            limit: budget.settings.limit,
            period: budget.settings.period,
            payer: weir_ledger::Payer {
                tenants: tenants.map(|(name, _)| Arc::clone(name)).collect(),
                keys: keys.map(|(name, _)| Arc::clone(name)).collect(),
                tag: budget.tag.as_ref().map(|tag| (Arc::clone(&tag.name), Arc::clone(&tag.value))),
            },
        }
    };
    config.budgets.values().map(of).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use weir_config::{ProcessEnvironment, load};

    use super::*;

    const CONFIG: &str = r#"
[owner]
name = "Platform on-call"
lead-time = "7d"
[providers.openai]
kind = "openai-compatible"
base-url = "http://127.0.0.1:1/v1"
tier = "3"
contact = "account team"
limits = { requests-per-minute = 500 }
[providers.openai.models.big]
pool = "gpt-5"
price = { input = 2.0, output = 10.0 }
[providers.claude]
kind = "anthropic"
base-url = "http://127.0.0.1:1"
[pools.gpt-5]
limits = { tokens-per-minute = 300_000 }
[routes.smart]
deployments = ["openai/big", "claude/sonnet"]
[keys.nightly]
key-hash = "1111111111111111111111111111111111111111111111111111111111111111"
priority = "batch"
"#;

    pub(in super::super) fn config() -> Config {
        let folder =
            std::env::temp_dir().join(format!("weir-fleet-{}-{:?}", std::process::id(), std::thread::current().id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("weir.toml");
        std::fs::write(&path, CONFIG).unwrap();
        let report = load(&path, &ProcessEnvironment);
        report.config.unwrap_or_else(|| panic!("{:?}", report.faults))
    }

    #[test]
    fn ceilings_are_what_is_declared_and_what_headers_state_besides() {
        let config = config();
        let told = |in_force: &[InForce]| -> Vec<(String, u64, Option<u64>)> {
            let fleet = fleet(&config, in_force, &BTreeSet::new());
            fleet.ceilings.iter().map(|one| (one.name(), one.limit, one.declared)).collect()
        };
        assert_eq!(
            told(&[]),
            [
                ("openai requests/min".to_owned(), 500, Some(500)),
                ("gpt-5 tokens/min".to_owned(), 300_000, Some(300_000)),
            ]
        );
        let stated = |pool: PoolId, limit: u64| InForce {
            pool,
            dimension: Dimension::RequestsPerMinute,
            limit,
            stated: Some(limit),
        };
        let in_force = [
            stated(PoolId::Provider("openai".into()), 300),
            stated(PoolId::Model(DeploymentId::new("claude", "sonnet")), 50),
            stated(PoolId::Key("nightly".into()), 5),
        ];
        assert_eq!(
            told(&in_force),
            [
                ("openai requests/min".to_owned(), 300, Some(500)),
                ("gpt-5 tokens/min".to_owned(), 300_000, Some(300_000)),
                ("claude/sonnet requests/min".to_owned(), 50, None),
            ],
            "a key's limit is between the operator and that client"
        );
    }

    #[test]
    fn the_fleet_knows_whom_to_ask_what_it_costs_and_what_can_wait() {
        let fleet = fleet(&config(), &[], &BTreeSet::new());
        let account = &fleet.accounts["openai"];
        assert_eq!((account.tier.as_deref(), account.contact.as_deref()), (Some("3"), Some("account team")));
        assert_eq!((fleet.owner.as_deref(), fleet.lead_time.as_secs()), (Some("Platform on-call"), 7 * 86_400));
        assert!(fleet.prices.contains_key(&DeploymentId::new("openai", "big")));
        assert!(fleet.batch_keys.contains("nightly"));
        let pool = fleet.ceilings.iter().find(|one| one.pool == PoolId::Shared("gpt-5".into())).unwrap();
        assert!(pool.members.hold(&DeploymentId::new("openai", "big")));
        assert!(!pool.members.hold(&DeploymentId::new("openai", "other")));
    }
}
