//! Limits that nobody declared and that a provider's headers have stated: plans keep to them as the gateway does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use weir_capacity::plan::Site;
use weir_engine::PoolId;
use weir_ledger::{FactQuery, Reader, StoreError};
use weir_units::{Dimension, Limits, WallTime};

use crate::limits::STATED;

/// What was stated longer ago is not believed.
const BACK: Duration = Duration::from_secs(30 * 86_400);
/// Changes that are looked at.
const MOST: u32 = 2_000;

/// The limits that were stated last, of the pools that a site has. What was inferred from refusals passes, and is no limit to plan by.
pub(super) async fn stated(
    reader: &Reader,
    site: &Site,
    now: WallTime,
) -> Result<BTreeMap<PoolId, Limits>, StoreError> {
    let since = WallTime(now.0.saturating_sub(i64::try_from(BACK.as_micros()).unwrap_or(i64::MAX)));
    let kinds = vec!["LimitChanged".to_owned()];
    let query = FactQuery { kinds, since: Some(since), until: Some(now), before: None, limit: MOST };
    let mut known = BTreeSet::new();
    let mut stated: BTreeMap<PoolId, Limits> = BTreeMap::new();
    // The newest first.
    for record in reader.facts_of(&query).await? {
        let Ok(fact) = serde_json::from_str::<Value>(&record.json) else { continue };
        let text = |name: &str| fact.get(name).and_then(Value::as_str);
        let (Some(pool), Some(how)) = (text("pool"), text("how")) else { continue };
        let Some(dimension) = text("limit").and_then(Dimension::from_name) else { continue };
        if how != STATED || !known.insert((pool.to_owned(), dimension)) {
            continue;
        }
        let Some(limit) = fact.get("new").and_then(Value::as_u64) else { continue };
        if let Some(id) = pool_of(site, pool) {
            stated.entry(id).or_default().set(dimension, Some(limit));
        }
    }
    Ok(stated)
}

/// The pool that is called so.
fn pool_of(site: &Site, name: &str) -> Option<PoolId> {
    let shared = site.settings.limits.pools.keys().find(|pool| &***pool == name);
    let model = || site.deployments.keys().find(|id| id.to_string() == name).cloned().map(PoolId::Model);
    let provider = || {
        let provider = site.deployments.keys().map(|id| &id.provider).find(|provider| &***provider == name);
        provider.map(|provider| PoolId::Provider(Arc::clone(provider)))
    };
    shared.map(|pool| PoolId::Shared(Arc::clone(pool))).or_else(model).or_else(provider)
}
