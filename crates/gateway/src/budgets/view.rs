//! What budgets look like from outside: `/admin/v1/budgets`, and gauges.

use serde_json::{Value, json as value};
use weir_engine::BudgetView;
use weir_units::NanoUsd;

use crate::clock::wall;
use crate::state::Shared;

/// The figures of all budgets of the configuration in force, from the widest to the narrowest, by name.
pub(crate) fn gauges(shared: &Shared) -> Vec<BudgetView> {
    let live = shared.live.load();
    if live.config.budgets.is_empty() {
        return Vec::new();
    }
    let mut views = shared.spend(|budgets| budgets.views(wall()));
    views.retain(|view| live.config.budgets.contains_key(&view.budget.name));
    views
}

/// The answer to `/admin/v1/budgets`.
pub(crate) fn json(shared: &Shared) -> Value {
    let live = shared.live.load();
    let budgets: Vec<Value> = gauges(shared)
        .iter()
        .map(|view| {
            let name = &view.budget.name;
            let named_by = |names: &[_]| names.contains(name);
            let (tenants, keys) = (live.config.tenants.iter(), live.config.keys.iter());
            let tenants: Vec<&str> = tenants.filter(|(_, t)| named_by(&t.budgets)).map(|(name, _)| &**name).collect();
            let keys: Vec<&str> = keys.filter(|(_, k)| named_by(&k.budgets)).map(|(name, _)| &**name).collect();
            let meant = live.config.budgets.get(name);
            let spent_share = share(view.books.counted(), view.limit);
            value!({
                "budget": name,
                "scope": view.budget.scope.name(),
                "tenants": tenants,
                "keys": keys,
                "tag": meant.and_then(|budget| budget.tag.as_ref()).map(ToString::to_string),
                "mode": if view.mode == weir_engine::BudgetMode::Strict { "strict" } else { "soft" },
                "period": view.period.name(),
                "since": view.span.start.to_string(),
                "resets_at": view.span.end.map(|end| end.to_string()),
                "limit_usd": view.limit.to_string(),
                "spent_usd": view.books.spent.to_string(),
                "presumed_usd": view.books.presumed.to_string(),
                "reserved_usd": view.books.reserved.to_string(),
                "left_usd": view.left.to_string(),
                "spent_share": spent_share,
                "low": view.is_low,
                "when_low": meant.and_then(|budget| budget.when_low.as_deref()),
            })
        })
        .collect();
    value!({ "at": wall().to_string(), "budgets": budgets })
}

/// For people and plots; nothing is decided by it.
fn share(of: NanoUsd, whole: NanoUsd) -> Option<f64> {
    (whole > NanoUsd::ZERO).then(|| (of.0 as f64 / whole.0 as f64 * 1e6).round() / 1e6)
}
