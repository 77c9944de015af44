//! `[admins]`: who may use the admin interface besides `root`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::admin::{Admin, Role};
use crate::key::hash_secret;
use crate::log::Log;
use crate::written::Table;

/// The fewest characters of a person's key.
const SHORTEST: usize = 24;
/// Names in the audit log that are nobody's in the configuration.
const TAKEN: [&str; 2] = ["root", "system"];

pub(super) fn admins(root: &Table, log: &mut Log<'_>) -> BTreeMap<Arc<str>, Admin> {
    let owner = root.table("server").secret("admin-key").filter(|key| key.is_set()).map(hash_secret);
    let mut admins: BTreeMap<Arc<str>, Admin> = BTreeMap::new();
    for (name, table, at) in root.named("admins") {
        // That a name may be one at all is checked with all other names.
        if !super::fits_a_name(name) {
            continue;
        }
        if TAKEN.contains(&name) {
            let hint = "`root` has the `admin-key`, and `system` is Weir itself: take another name".to_owned();
            log.fault(at, format!("`{name}` cannot be the name of an admin"), hint);
            continue;
        }
        if table.get("key").is_none() {
            let hint = "add `key = { env = \"NAME_ADMIN_KEY\" }`".to_owned();
            log.fault(at, format!("admin `{name}` has no `key`"), hint);
        }
        let Some(key) = table.secret("key") else { continue };
        let length = key.expose().len();
        if key.is_set() && length < SHORTEST {
            let message = format!("the key of admin `{name}` has {length} characters, and {SHORTEST} are the fewest");
            log.fault(table.at("key"), message, "make one with `openssl rand -hex 32`".to_owned());
        }
        let hash = hash_secret(key);
        if key.is_set()
            && let Some(twin) = admins.values().find(|admin| admin.hash == hash)
        {
            let message = format!("admins `{}` and `{name}` have the same key", twin.name);
            log.fault(at, message, "nobody could tell which of them did something".to_owned());
        }
        if owner == Some(hash) {
            let message = format!("admin `{name}` has the key of `root`");
            log.fault(at, message, "give each person a key of their own".to_owned());
        }
        let role = table.text("role").and_then(Role::from_name).unwrap_or(Role::Viewer);
        admins.insert(name.into(), Admin { name: name.into(), role, hash });
    }
    admins
}
