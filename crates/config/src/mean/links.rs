//! What one table names of another, beside the deployments of routes and the routes of keys; and what nobody looks
//! after.

use super::{is_name, server};
use crate::log::{At, Log, shown};
use crate::nearest::nearest;
use crate::written::{Table, Written};

/// Notes names that lead nowhere, and settings that a person should think about.
pub(super) fn check(root: &Table, log: &mut Log<'_>) {
    for what in ["tenant", "pool", "notifier", "budget", "admin"] {
        for (name, _, at) in root.named(&format!("{what}s")) {
            is_name(what, name, at, log);
        }
    }
    for owners in ["tenants", "keys"] {
        for (name, table, _) in root.named(owners) {
            let owner = format!("{} `{}`", owners.trim_end_matches('s'), shown(name));
            for (budget, at) in table.names("budgets") {
                exists(root, "budgets", budget, at, &owner, log);
            }
        }
    }
    for (provider, table, _) in root.named("providers") {
        for (model, table, _) in table.named("models") {
            if let Some(pool) = table.text("pool") {
                let owner = format!("model `{}/{}`", shown(provider), shown(model));
                exists(root, "pools", pool, table.at("pool"), &owner, log);
            }
        }
    }
    for (name, table, _) in root.named("budgets") {
        let when_low = table.table("when-low");
        if let Some(route) = when_low.text("route") {
            exists(root, "routes", route, when_low.at("route"), &format!("budget `{}`", shown(name)), log);
        }
    }
    let owner = root.table("owner");
    for step in std::iter::once(owner).chain(owner.items("escalate").iter().filter_map(Written::table)) {
        for (notifier, at) in step.names("notify") {
            exists(root, "notifiers", notifier, at, "the owner", log);
        }
    }
    server::check_quota(root.table("quota"), log);
    without_providers(root, log);
}

fn exists(root: &Table, table: &str, name: &str, at: At, owner: &str, log: &mut Log<'_>) {
    let known = &root.table(table).0;
    if known.contains_key(name) {
        return;
    }
    let hint = match nearest(name, known.keys().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("add `[{table}.{}]`", shown(name)),
    };
    let what = table.trim_end_matches('s');
    log.fault(at, format!("{owner} names {what} `{}`, which is not defined", shown(name)), hint);
}

/// There is nothing to send to.
fn without_providers(root: &Table, log: &mut Log<'_>) {
    if root.table("providers").0.is_empty() {
        let hint = "add `[providers.openai]`".to_owned();
        log.warn(None, "no provider is configured: the built-in mock answers as `mock/…`", hint);
    }
}
