//! Keys made at run time: what may be asked for, checked against the configuration in force as `[keys]` is when it is read.

use std::collections::BTreeSet;
use std::sync::Arc;

use weir_engine::Priority;
use weir_units::Limits;

use crate::log::shown;
use crate::mean::{NAME_FORM, fits_a_name};
use crate::nearest::nearest;
use crate::{CapturePart, Config, GuardsPart, Key};

/// The tenant that exists without being declared.
const DEFAULT_TENANT: &str = "default";

/// What a key that is made at run time belongs to and may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySettings {
    /// Who it belongs to.
    pub tenant: Arc<str>,
    /// The names it may send as `model`; `None` is all.
    pub routes: Option<BTreeSet<Arc<str>>>,
    /// The budgets that its requests are paid from.
    pub budgets: Vec<Arc<str>>,
    /// The class of its requests, and the highest that they may ask for.
    pub priority: Priority,
}

/// Why a key cannot be made as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// The configuration has a key of this name.
    Taken(String),
    /// What was asked for makes no sense: the setting, and a sentence.
    Wrong(&'static str, String),
}

impl Default for KeySettings {
    fn default() -> Self {
        Self { tenant: DEFAULT_TENANT.into(), routes: None, budgets: Vec::new(), priority: Priority::default() }
    }
}

impl KeySettings {
    /// The key with these settings.
    #[must_use]
    pub fn key(&self, name: Arc<str>, hash: [u8; 32]) -> Key {
        Key {
            name,
            hash,
            tenant: Arc::clone(&self.tenant),
            routes: self.routes.clone(),
            budgets: self.budgets.clone(),
            max_tokens_default: None,
            priority: self.priority,
            limits: Limits::NONE,
            guards: GuardsPart::default(),
            capture: CapturePart::default(),
        }
    }
}

impl Config {
    /// Whether a key of this name may be made with these settings.
    ///
    /// # Errors
    /// What is in the way, and what would work.
    pub fn check_key(&self, name: &str, settings: &KeySettings) -> Result<(), KeyFault> {
        // A name of dots alone would be a step in a path.
        if !fits_a_name(name) || name.bytes().all(|byte| byte == b'.') {
            let message = format!("`{}` cannot be the name of a key: a name has {NAME_FORM}", shown(name));
            return Err(KeyFault::Wrong("name", message));
        }
        if self.keys.contains_key(name) {
            let message = format!("key `{name}` is in the configuration: take another name, or change it there");
            return Err(KeyFault::Taken(message));
        }
        if !self.has_tenant(&settings.tenant) {
            let known = self.tenants.keys().map(|tenant| &**tenant).chain([DEFAULT_TENANT]);
            return Err(unknown("tenant", "tenants", &settings.tenant, known));
        }
        for route in settings.routes.iter().flatten() {
            if &**route == "*" {
                let message = "no client can ask for route `*`: leave `routes` out for a key that may use all";
                return Err(KeyFault::Wrong("routes", message.to_owned()));
            }
            if !self.routes.contains_key(route) {
                let known = self.routes.keys().map(|route| &**route).filter(|route| *route != "*");
                return Err(unknown("routes", "routes", route, known));
            }
        }
        if settings.routes.as_ref().is_some_and(BTreeSet::is_empty) {
            let message = "a key with no routes may use nothing: leave `routes` out for a key that may use all";
            return Err(KeyFault::Wrong("routes", message.to_owned()));
        }
        for budget in &settings.budgets {
            if !self.budgets.contains_key(budget) {
                return Err(unknown("budgets", "budgets", budget, self.budgets.keys().map(|budget| &**budget)));
            }
            if self.budgets[budget].tag.is_some() {
                let message = format!("budget `{budget}` pays for a tag, so no key can name it: send `x-weir-tags`");
                return Err(KeyFault::Wrong("budgets", message));
            }
        }
        Ok(())
    }

    /// Why a key that was made under an earlier configuration is not let in under this one, if it is not: what it was meant to be
    /// held to is no longer there.
    #[must_use]
    pub fn shuts_out(&self, made: &Key) -> Option<String> {
        let name = &made.name;
        if self.keys.contains_key(name) {
            return Some(format!("the configuration now has a key `{name}` of its own"));
        }
        if !self.has_tenant(&made.tenant) {
            return Some(format!(
                "key `{name}` belongs to tenant `{}`, which the configuration has no longer",
                made.tenant
            ));
        }
        let gone = made.budgets.iter().find(|budget| !self.budgets.contains_key(*budget))?;
        Some(format!("key `{name}` is paid from budget `{gone}`, which the configuration has no longer"))
    }

    fn has_tenant(&self, tenant: &str) -> bool {
        tenant == DEFAULT_TENANT || self.tenants.contains_key(tenant)
    }
}

fn unknown<'a>(
    setting: &'static str,
    table: &str,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> KeyFault {
    let (what, said) = (table.trim_end_matches('s'), shown(name));
    let advice = match nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => match known.take(20).collect::<Vec<_>>() {
            none if none.is_empty() => format!("add `[{table}.NAME]` to the configuration first"),
            some => format!("known are {}", some.join(", ")),
        },
    };
    KeyFault::Wrong(setting, format!("there is no {what} `{said}`: {advice}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Environment;

    struct Text(&'static str);

    impl Environment for Text {
        fn var(&self, _: &str) -> Option<String> {
            Some("a-secret-of-some-thirty-characters".to_owned())
        }

        fn read(&self, _: &Path) -> std::io::Result<String> {
            Ok(self.0.to_owned())
        }
    }

    fn config(text: &'static str) -> Config {
        crate::load(Path::new("weir.toml"), &Text(text)).config.unwrap()
    }

    const WRITTEN: &str = "[providers.m]\nkind = \"mock\"\n[routes.smart]\ndeployments = [\"m/a\"]\n\
                           [routes.\"*\"]\ndeployments = [\"m/*\"]\n[tenants.shop]\n[keys.bot]\nkey = { env = \"KEY\" }\n";

    #[test]
    fn what_a_key_names_must_exist_and_the_nearest_name_is_said() {
        let config = config(WRITTEN);
        let plain = KeySettings::default;
        let routes = |names: &[&str]| Some(names.iter().map(|name| Arc::from(*name)).collect());
        assert_eq!(config.check_key("new", &plain()), Ok(()));
        let all = KeySettings { tenant: "shop".into(), routes: routes(&["smart"]), ..plain() };
        assert_eq!(config.check_key("new", &all), Ok(()));
        for (name, settings, expected) in [
            ("bot", plain(), "key `bot` is in the configuration"),
            ("a b", plain(), "cannot be the name of a key"),
            ("..", plain(), "cannot be the name of a key"),
            ("a/../b\u{1b}[2J", plain(), "cannot be the name of a key"),
            ("", plain(), "cannot be the name of a key"),
            ("new", KeySettings { tenant: "shpo".into(), ..plain() }, "no tenant `shpo`: did you mean `shop`?"),
            ("new", KeySettings { routes: routes(&["other"]), ..plain() }, "no route `other`: known are smart"),
            ("new", KeySettings { routes: routes(&["*"]), ..plain() }, "leave `routes` out"),
            ("new", KeySettings { routes: routes(&[]), ..plain() }, "may use nothing"),
            ("new", KeySettings { budgets: vec!["b".into()], ..plain() }, "no budget `b`: add `[budgets.NAME]`"),
        ] {
            let (KeyFault::Taken(said) | KeyFault::Wrong(_, said)) = config.check_key(name, &settings).unwrap_err();
            assert!(said.contains(expected) && !said.contains('\u{1b}'), "{said}");
        }
    }

    #[test]
    fn a_key_is_shut_out_while_what_holds_it_is_gone() {
        let config = config(WRITTEN);
        let key = |name: &str, settings: KeySettings| settings.key(name.into(), [0; 32]);
        assert_eq!(config.shuts_out(&key("new", KeySettings::default())), None);
        let of = |tenant: &str| KeySettings { tenant: tenant.into(), ..KeySettings::default() };
        assert_eq!(config.shuts_out(&key("new", of("shop"))), None);
        assert!(config.shuts_out(&key("new", of("gone"))).is_some());
        assert!(config.shuts_out(&key("bot", KeySettings::default())).is_some());
        let paid = KeySettings { budgets: vec!["gone".into()], ..KeySettings::default() };
        assert!(config.shuts_out(&key("new", paid)).is_some());
    }
}
