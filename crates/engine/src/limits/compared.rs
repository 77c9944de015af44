//! What is declared of limits beside what providers state of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_units::Dimension;

use super::PoolId;
use crate::engine::Engine;

/// A limit that is declared, and that its provider has stated in several answers in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitCompared {
    /// Whose it is.
    pub pool: PoolId,
    /// What it limits.
    pub dimension: Dimension,
    /// What the configuration declares.
    pub declared: u64,
    /// What the provider states.
    pub stated: u64,
}

impl Engine {
    /// Every limit of which both are known, the same or not. What a provider states holds for the model that answered; where it is
    /// declared for the provider's account alone, it is compared with that if only one of its models states any.
    #[must_use]
    pub fn compared_limits(&self) -> Vec<LimitCompared> {
        let mut compared = Vec::new();
        let mut of_models: BTreeMap<(Arc<str>, Dimension), Vec<u64>> = BTreeMap::new();
        let mut declared_above = BTreeMap::new();
        for (id, pool) in self.pools.iter() {
            for dimension in Dimension::ALL {
                match (id, pool.said(dimension)) {
                    (PoolId::Key(_), _) | (_, (None, None)) => {}
                    (_, (Some(declared), Some(stated))) => {
                        compared.push(LimitCompared { pool: id.clone(), dimension, declared, stated });
                    }
                    (PoolId::Provider(name), (Some(declared), None)) => {
                        declared_above.insert((Arc::clone(name), dimension), declared);
                    }
                    (PoolId::Model(deployment), (None, Some(stated))) => {
                        let of = (Arc::clone(&deployment.provider), dimension);
                        of_models.entry(of).or_default().push(stated);
                    }
                    _ => {}
                }
            }
        }
        for ((provider, dimension), stated) in of_models {
            let declared = declared_above.get(&(Arc::clone(&provider), dimension)).copied();
            if let (Some(declared), [stated]) = (declared, stated.as_slice()) {
                let pool = PoolId::Provider(provider);
                compared.push(LimitCompared { pool, dimension, declared, stated: *stated });
            }
        }
        compared
    }
}
