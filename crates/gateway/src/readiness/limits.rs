//! Limits that nobody declared and that are known all the same: what providers stated, as the ledger has it.

use std::collections::BTreeSet;

use serde_json::Value;
use weir_config::Config;
use weir_engine::PoolId;
use weir_ledger::{FactQuery, Reader, StoreError};
use weir_units::{DeploymentId, Dimension, WallTime};

use crate::capacity::InForce;

/// So many changes are looked at, the newest first.
const CHANGES: u32 = 2_000;

/// The limits that were in force last before `until`, as far as changes of them are on record.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn stated(config: &Config, reader: &Reader, until: WallTime) -> Result<Vec<InForce>, StoreError> {
    let kinds = vec!["LimitChanged".to_owned()];
    let changes =
        reader.facts_of(&FactQuery { kinds, until: Some(until), limit: CHANGES, ..FactQuery::default() }).await?;
    let (mut seen, mut known) = (BTreeSet::new(), Vec::new());
    for change in &changes {
        let Ok(fact) = serde_json::from_str::<Value>(&change.json) else { continue };
        let name = |key: &str| fact[key].as_str().unwrap_or_default();
        let (Some(pool), Some(dimension)) = (pool(config, name("pool")), Dimension::from_name(name("limit"))) else {
            continue;
        };
        let Some(limit) = fact["new"].as_u64().filter(|limit| *limit > 0) else { continue };
        // The newest comes first, and holds. What the config declares is known from there, and may have changed since.
        if seen.insert((pool.clone(), dimension)) && name("how") != "declared" {
            known.push(InForce { pool, dimension, limit, stated: Some(limit) });
        }
    }
    Ok(known)
}

/// The pool that a change names; none if it is a client's key, or is configured no more.
fn pool(config: &Config, name: &str) -> Option<PoolId> {
    if config.engine.limits.pools.contains_key(name) {
        return Some(PoolId::Shared(name.into()));
    }
    if config.providers.contains_key(name) {
        return Some(PoolId::Provider(name.into()));
    }
    let (provider, model) = name.split_once('/')?;
    config.providers.contains_key(provider).then(|| PoolId::Model(DeploymentId::new(provider, model)))
}
