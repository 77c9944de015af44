//! `[keys]`: what each is told by, whose it is and what it may use.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_engine::Priority;

use super::is_name;
use crate::key::{Key, UNSET, from_hex, hash_secret};
use crate::log::{At, Log, shown};
use crate::nearest::nearest;
use crate::written::Table;

/// The fewest characters of a key that is not made by Weir.
const SHORTEST: usize = 24;

pub(super) fn keys(root: &Table, log: &mut Log<'_>) -> BTreeMap<Arc<str>, Key> {
    let admins = admins(root);
    let mut keys: BTreeMap<Arc<str>, Key> = BTreeMap::new();
    for (name, table, at) in root.named("keys") {
        if !is_name("key", name, at, log) {
            continue;
        }
        let routes = routes(name, root, table, log);
        check_tenant(name, root, table, log);
        let Some(hash) = hash(name, table, at, log) else {
            continue;
        };
        if hash != UNSET
            && let Some(twin) = keys.values().find(|key| key.hash == hash)
        {
            let message = format!("keys `{}` and `{name}` are the same key", twin.name);
            log.fault(at, message, "a request could not be told to be one's or the other's".to_owned());
        }
        if let Some(whose) = admins.get(&hash) {
            let hint = "a client's key must not open the admin interface".to_owned();
            log.fault(at, format!("key `{name}` is {whose}"), hint);
        }
        let key = Key {
            name: name.into(),
            hash,
            tenant: table.text("tenant").unwrap_or("default").into(),
            routes,
            budgets: table.names("budgets").map(|(budget, _)| budget.into()).collect(),
            max_tokens_default: table.count("max-tokens-default"),
            priority: table.text("priority").and_then(Priority::from_name).unwrap_or_default(),
            limits: super::limits::limits(table.table("limits")),
            guards: super::runs::guards(table.table("runs")),
            capture: super::capture::capture(&format!("key `{name}`"), table, log),
        };
        keys.insert(Arc::clone(&key.name), key);
    }
    keys
}

/// The keys of the admin interface, and whose they are.
fn admins(root: &Table) -> BTreeMap<[u8; 32], String> {
    let people = root.named("admins").filter_map(|(name, table, _)| {
        let whose = format!("the key of admin `{}`", shown(name));
        table.secret("key").map(|key| (key, whose))
    });
    let owner = root.table("server").secret("admin-key").map(|key| (key, "the admin key".to_owned()));
    people.chain(owner).filter(|(key, _)| key.is_set()).map(|(key, whose)| (hash_secret(key), whose)).collect()
}

fn hash(name: &str, table: &Table, at: At, log: &mut Log<'_>) -> Option<[u8; 32]> {
    match (table.get("key"), table.get("key-hash")) {
        (Some(_), Some(_)) => {
            log.fault(at, format!("key `{name}` has both `key` and `key-hash`"), "leave one of them out".to_owned());
            None
        }
        (None, None) => {
            let hint = "add `key = { env = \"NAME_KEY\" }`, or `key-hash`: the key's SHA-256 in hexadecimal".to_owned();
            log.fault(at, format!("key `{name}` has neither `key` nor `key-hash`"), hint);
            None
        }
        (Some(_), None) => {
            let key = table.secret("key")?;
            let length = key.expose().len();
            if key.is_set() && length < SHORTEST {
                let message = format!("key `{name}` has {length} characters, and {SHORTEST} are the fewest");
                log.fault(table.at("key"), message, "make one with `openssl rand -hex 32`".to_owned());
            }
            Some(hash_secret(key))
        }
        (None, Some(_)) => {
            let text = table.text("key-hash")?;
            let hash = from_hex(text);
            if hash.is_none() {
                let message = format!(
                    "`key-hash` of key `{name}` has not the form of a SHA-256: {} characters",
                    text.chars().count()
                );
                let hint = "64 hexadecimal digits: `printf %s \"$KEY\" | sha256sum`".to_owned();
                log.fault(table.at("key-hash"), message, hint);
            }
            hash
        }
    }
}

fn routes(name: &str, root: &Table, table: &Table, log: &mut Log<'_>) -> Option<BTreeSet<Arc<str>>> {
    table.get("routes")?;
    let known = &root.table("routes").0;
    let mut routes = BTreeSet::new();
    for (route, at) in table.names("routes") {
        let said = shown(route);
        if route == "*" {
            let hint = "leave `routes` out for a key that may use all".to_owned();
            log.fault(at, format!("key `{name}` may use route `*`, which no client can ask for"), hint);
        } else if !known.contains_key(route) {
            let hint = match nearest(route, known.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("add `[routes.{said}]`, or leave `routes` out for a key that may use all"),
            };
            log.fault(at, format!("key `{name}` may use route `{said}`, which is not defined"), hint);
        }
        routes.insert(route.into());
    }
    if table.items("routes").is_empty() {
        let hint = "leave `routes` out for a key that may use all".to_owned();
        log.warn(table.at("routes"), format!("key `{name}` may use nothing: its `routes` is empty"), hint);
    }
    Some(routes)
}

fn check_tenant(name: &str, root: &Table, table: &Table, log: &mut Log<'_>) {
    let tenants = &root.table("tenants").0;
    if let Some(tenant) = table.text("tenant")
        && tenant != "default"
        && !tenants.contains_key(tenant)
    {
        let hint = match nearest(tenant, tenants.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add `[tenants.{}]`", shown(tenant)),
        };
        let message = format!("key `{name}` belongs to tenant `{}`, which is not defined", shown(tenant));
        log.fault(table.at("tenant"), message, hint);
    }
}
