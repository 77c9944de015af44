//! Limits over time: what is declared is put on record when it changes, what providers state and what is learned from their refusals
//! when it is heard; and what is declared is compared with what is stated.

mod history;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use weir_engine::PoolId;
use weir_engine::alerts::LimitDeclared;
use weir_ledger::{Event, Fact, FactQuery, Stage};
use weir_units::Dimension;

use crate::clock::wall;
use crate::state::{Live, Shared};

pub(crate) use history::{how, serve};

/// How a limit is said to have changed where the provider says so itself.
pub(crate) const STATED: &str = "the provider's headers say so";
/// The same where the configuration does, or says nothing of it any more.
const DECLARED: &str = "the configuration declares it";
const UNDECLARED: &str = "the configuration declares none any more";

/// Facts that are read back to find what was declared last.
const PAST: u32 = 20_000;

/// What is read of a fact that a limit changed.
#[derive(Deserialize)]
struct Changed {
    at: String,
    pool: String,
    limit: String,
    old: Option<u64>,
    new: u64,
    how: String,
}

type Limits = BTreeMap<(String, &'static str), u64>;

/// Puts on record what the configuration declares of limits, as far as that differs from what it declared before. Clients' own
/// limits are not providers'.
pub(crate) async fn declare(shared: &Arc<Shared>) {
    let Ok(_turn) = shared.declaring.acquire().await else { return };
    let query = FactQuery { kinds: vec!["LimitChanged".to_owned()], limit: PAST, ..FactQuery::default() };
    let facts = match shared.ledger.facts_of(&query).await {
        Ok(facts) => facts,
        Err(error) => {
            tracing::warn!(%error, "what limits were declared before cannot be read: their history has a gap");
            return;
        }
    };
    let changes = facts.iter().filter_map(|fact| serde_json::from_str::<Changed>(&fact.json).ok());
    let (known, now) = (last_declared(changes), declared(shared));
    let all: BTreeSet<&(String, &'static str)> = known.keys().chain(now.keys()).collect();
    for of in all {
        let (old, new) = (known.get(of).copied(), now.get(of).copied());
        if old == new {
            continue;
        }
        let how = if new.is_some() { DECLARED } else { UNDECLARED };
        let (pool, limit) = (of.0.clone(), of.1);
        let fact = Fact::LimitChanged { pool, limit, old, new: new.unwrap_or(0), how: how.to_owned() };
        tracing::info!("{}", fact.in_words());
        shared.tell(Event { at: wall(), stage: Stage::Accept, fact });
    }
}

/// What was declared last, from the newest on.
fn last_declared(changes: impl Iterator<Item = Changed>) -> Limits {
    let mut last: BTreeMap<(String, &'static str), Option<u64>> = BTreeMap::new();
    for change in changes.filter(|change| how(&change.how) == "declared") {
        let Some(dimension) = Dimension::from_name(&change.limit) else { continue };
        let new = (change.how != UNDECLARED).then_some(change.new);
        last.entry((change.pool, dimension.name())).or_insert(new);
    }
    last.into_iter().filter_map(|(of, limit)| Some((of, limit?))).collect()
}

/// What is declared now.
fn declared(shared: &Shared) -> Limits {
    let pools = shared.engine().headroom(shared.clock.now());
    let of_providers = pools.into_iter().filter(|view| !matches!(view.pool, PoolId::Key(_)));
    let limits = of_providers.flat_map(|view| {
        let pool = view.pool.to_string();
        view.limits.into_iter().filter_map(move |gauge| Some(((pool.clone(), gauge.dimension.name()), gauge.declared?)))
    });
    limits.collect()
}

/// Limits that are declared and that providers state, the same or not.
pub(crate) fn compared(shared: &Shared, live: &Live) -> Vec<LimitDeclared> {
    let compared = shared.engine().compared_limits();
    let declared = |both: weir_engine::LimitCompared| LimitDeclared {
        by: states(&both.pool, live),
        pool: both.pool.to_string().into(),
        dimension: both.dimension,
        declared: both.declared,
        stated: both.stated,
    };
    compared.into_iter().map(declared).collect()
}

/// Who states the limits of a pool: its provider, or those of the models that share it.
fn states(pool: &PoolId, live: &Live) -> Arc<str> {
    match pool {
        PoolId::Provider(name) => Arc::clone(name),
        PoolId::Model(deployment) => Arc::clone(&deployment.provider),
        PoolId::Shared(name) | PoolId::Key(name) => {
            let models = &live.config.engine.limits.models;
            let sharing = models.iter().filter(|(_, model)| model.pool.as_ref() == Some(name));
            let providers: BTreeSet<&str> = sharing.map(|(deployment, _)| &*deployment.provider).collect();
            providers.into_iter().collect::<Vec<_>>().join(", ").into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(pool: &str, new: u64, how: &str) -> Changed {
        Changed {
            at: String::new(),
            pool: pool.to_owned(),
            limit: "tokens-per-minute".to_owned(),
            old: None,
            new,
            how: how.to_owned(),
        }
    }

    #[test]
    fn what_was_declared_last_is_the_newest_that_the_configuration_said() {
        let newest_first = [
            changed("a", 300, STATED),
            changed("a", 500, DECLARED),
            changed("b", 0, UNDECLARED),
            changed("a", 400, DECLARED),
            changed("b", 700, DECLARED),
        ];
        let told = last_declared(newest_first.into_iter());
        assert_eq!(told, Limits::from([(("a".to_owned(), "tokens-per-minute"), 500)]));
    }
}
