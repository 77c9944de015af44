//! Limits of providers, models, pools and keys, the tenants' weights, and the bounds of the queue.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_engine::{ChargeModel, LimitSettings, ModelLimits, PoolLimits, ProviderLimits, QueueSettings};
use weir_units::{DeploymentId, Dimension, Limits};

use crate::url::Url;
use crate::written::Table;

/// The ceilings of one table.
pub(super) fn limits(table: &Table) -> Limits {
    let mut limits = Limits::NONE;
    for dimension in Dimension::ALL {
        limits.set(dimension, table.count(dimension.name()));
    }
    limits
}

/// All limits that the config declares.
pub(super) fn settings(root: &Table) -> LimitSettings {
    let mut settings = LimitSettings::default();
    for (provider, table, _) in root.named("providers") {
        let url = table.text("base-url").and_then(|url| Url::parse(url).ok());
        let day = url.and_then(|url| ChargeModel::of_host(url.host)).map(|charge| charge.day).unwrap_or_default();
        let own = ProviderLimits { limits: limits(table.table("limits")), day };
        settings.providers.insert(Arc::from(provider), own);
        for (model, table, _) in table.named("models") {
            let own = ModelLimits { limits: limits(table.table("limits")), pool: table.text("pool").map(Arc::from) };
            if own != ModelLimits::default() {
                settings.models.insert(DeploymentId::new(provider, model), own);
            }
        }
    }
    for (name, table, _) in root.named("pools") {
        let pool = PoolLimits {
            limits: limits(table.table("limits")),
            reserve_for_interactive_ppm: table.parts_per_million("reserve-for-interactive"),
        };
        settings.pools.insert(Arc::from(name), pool);
    }
    settings.keys = of_keys(root);
    for (name, table, _) in root.named("tenants") {
        let weight = table.count("weight").map_or(1, |weight| u32::try_from(weight).unwrap_or(u32::MAX));
        settings.weights.insert(Arc::from(name), weight);
    }
    settings
}

fn of_keys(root: &Table) -> BTreeMap<Arc<str>, Limits> {
    let limited = |(name, table): (&str, &Table)| {
        let own = limits(table.table("limits"));
        (!own.is_empty()).then(|| (Arc::from(name), own))
    };
    root.named("keys").filter_map(|(name, table, _)| limited((name, table))).collect()
}

/// How much may wait.
pub(super) fn queue(table: &Table) -> QueueSettings {
    let standard = QueueSettings::default();
    QueueSettings {
        max_requests: table
            .count("max-requests")
            .map_or(standard.max_requests, |count| usize::try_from(count).unwrap_or(usize::MAX)),
        max_bytes: table.count("max-bytes").unwrap_or(standard.max_bytes),
    }
}
