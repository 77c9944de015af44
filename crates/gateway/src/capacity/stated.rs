//! Limits that providers have stated, as the ledger remembers them: for whoever looks at capacity without a running gateway.

use std::collections::BTreeMap;

use weir_config::Config;
use weir_engine::PoolId;
use weir_ledger::{FactQuery, Reader, StoreError};
use weir_units::{DeploymentId, Dimension, WallTime};

use super::fleet::InForce;

/// Changes that are read: the newest.
const CHANGES: u32 = 5_000;

/// The last that each provider's headers stated before `until`, with the lower of it and what is declared in force.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn stated(reader: &Reader, config: &Config, until: WallTime) -> Result<Vec<InForce>, StoreError> {
    let query = FactQuery {
        kinds: vec!["LimitChanged".to_owned()],
        until: Some(until),
        limit: CHANGES,
        ..FactQuery::default()
    };
    let mut known: BTreeMap<(PoolId, usize), InForce> = BTreeMap::new();
    // The newest come first.
    for record in reader.facts_of(&query).await? {
        let Some(found) = read(config, &record.json) else { continue };
        known.entry((found.pool.clone(), found.dimension.index())).or_insert(found);
    }
    Ok(known.into_values().collect())
}

fn read(config: &Config, json: &str) -> Option<InForce> {
    let fact: serde_json::Value = serde_json::from_str(json).ok()?;
    let how = fact["how"].as_str()?;
    if !how.contains("headers") && how != "stated" {
        return None;
    }
    let (pool, dimension) = (pool(config, fact["pool"].as_str()?)?, Dimension::from_name(fact["limit"].as_str()?)?);
    let stated = fact["new"].as_u64()?;
    let declared = declared(config, &pool, dimension);
    Some(InForce { pool, dimension, limit: declared.map_or(stated, |own| own.min(stated)), stated: Some(stated) })
}

/// Whose limits a name means. A name with a slash is a model's.
fn pool(config: &Config, name: &str) -> Option<PoolId> {
    if let Some((provider, model)) = name.split_once('/') {
        return config.providers.contains_key(provider).then(|| PoolId::Model(DeploymentId::new(provider, model)));
    }
    if config.engine.limits.pools.contains_key(name) {
        return Some(PoolId::Shared(name.into()));
    }
    config.providers.contains_key(name).then(|| PoolId::Provider(name.into()))
}

fn declared(config: &Config, pool: &PoolId, dimension: Dimension) -> Option<u64> {
    let limits = &config.engine.limits;
    match pool {
        PoolId::Provider(name) => limits.providers.get(name)?.limits.get(dimension),
        PoolId::Shared(name) => limits.pools.get(name)?.limits.get(dimension),
        PoolId::Model(id) => limits.models.get(id)?.limits.get(dimension),
        PoolId::Key(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fleet::tests::config;
    use super::*;

    fn change(pool: &str, new: &str, how: &str) -> String {
        format!(
            r#"{{"fact":"LimitChanged","pool":"{pool}","limit":"requests-per-minute","old":500,"new":{new},"how":"{how}"}}"#
        )
    }

    #[test]
    fn what_headers_stated_is_kept_to_where_it_is_lower_than_what_is_declared() {
        let config = config();
        let told = |pool: &str, new: &str| {
            read(&config, &change(pool, new, "the provider's headers say so"))
                .map(|one| (one.pool, one.limit, one.stated))
        };
        assert_eq!(told("openai", "300"), Some((PoolId::Provider("openai".into()), 300, Some(300))));
        assert_eq!(told("openai", "900"), Some((PoolId::Provider("openai".into()), 500, Some(900))));
        let sonnet = PoolId::Model(DeploymentId::new("claude", "sonnet"));
        assert_eq!(told("claude/sonnet", "50"), Some((sonnet, 50, Some(50))));
        assert_eq!(told("gpt-5", "50"), Some((PoolId::Shared("gpt-5".into()), 50, Some(50))));
        for (pool, new) in [("gone", "50"), ("gone/model", "50"), ("openai", "null")] {
            assert_eq!(told(pool, new), None, "{pool} {new}");
        }
        assert_eq!(read(&config, &change("openai", "300", "the configuration declares it")), None);
        assert_eq!(read(&config, "{"), None);
    }
}
