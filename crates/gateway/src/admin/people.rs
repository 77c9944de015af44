//! Who uses the admin interface: the person behind a key, and whether their role allows what they ask.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use http::request;
use weir_config::{Config, Right, Role, hash_key};
use weir_units::Moment;

use crate::admit;
use crate::reply::{Cause, Refusal};
use crate::state::Shared;

/// Wrong admin keys a peer may try in a minute.
const TRIES: u32 = 10;
/// Peers whose tries are remembered.
const PEERS: usize = 10_000;

/// Whoever sits at the machine, where no key is asked for.
const HERE: &str = "this machine";

/// Somebody at the admin interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    /// The name in facts and in the audit log: of `[admins]`; `root` who has the `admin-key`; `this machine` where no key is asked for.
    pub(crate) name: Arc<str>,
    pub(crate) role: Role,
    /// The address that they came from.
    pub(crate) from: Arc<str>,
}

impl Person {
    fn root(name: &str, from: IpAddr) -> Self {
        Self { name: name.into(), role: Role::Root, from: from.to_string().into() }
    }

    /// Refuses what this person's role does not allow.
    pub(crate) fn check(&self, right: Right) -> Result<(), Refusal> {
        if self.role.has(right) {
            return Ok(());
        }
        let needed = right.role().name();
        let message = format!("`{}` is {} here, and this needs the role {needed}", self.name, self.role.name());
        Err(Refusal::weir(Cause::RoleNotAllowed, message))
    }

    /// Whether the configuration still knows this person in this role.
    ///
    /// For whoever keeps a person longer than a request, as a session does.
    pub(crate) fn is_still(&self, config: &Config) -> bool {
        match (config.admins.get(&self.name), &*self.name) {
            (Some(admin), _) => admin.role == self.role,
            (None, "root") => config.server.admin_key.is_some(),
            (None, HERE) => !config.asks_admins(),
            (None, _) => false,
        }
    }
}

/// Who asks, by the key in the headers; where no key is asked for, whoever sits at this machine.
pub(crate) fn authorize(shared: &Shared, parts: &request::Parts, peer: SocketAddr) -> Result<Person, Refusal> {
    let live = shared.live.load();
    if !live.config.asks_admins() {
        return match admit::keyless_fault(&parts.headers, &parts.uri, peer) {
            None => Ok(Person::root(HERE, peer.ip().to_canonical())),
            Some(why) => Err(Refusal::weir(
                Cause::InvalidApiKey,
                format!("without an `admin-key` this is for programs on the same machine only, and {why}"),
            )),
        };
    }
    drop(live);
    log_in(shared, admit::presented(&parts.headers), peer)
}

/// The person whose key is `presented`. Wrong ones count against the peer, and the audit log has both.
pub(crate) fn log_in(shared: &Shared, presented: Option<&str>, peer: SocketAddr) -> Result<Person, Refusal> {
    let now = shared.clock.now();
    let peer = peer.ip().to_canonical();
    let mut tries = shared.admin_tries.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(wait) = tries.allowed(now, peer) {
        let message = "too many wrong admin keys from this address: wait a minute";
        return Err(Refusal::weir(Cause::RateLimited, message).retry_after(wait));
    }
    let person = presented.and_then(|key| person(&shared.live.load().config, key, peer));
    match (&person, presented) {
        (Some(person), _) => shared.audit.logged_in(now, person),
        (None, Some(_)) => {
            tries.wrong(now, peer);
            shared.audit.wrong_key(now, &peer.to_string());
        }
        (None, None) => {}
    }
    let message = "send the admin key as `Authorization: Bearer KEY`";
    person.ok_or_else(|| Refusal::weir(Cause::InvalidApiKey, message))
}

/// Whose key it is. All hashes are compared to their ends, so that the time it takes tells nothing.
fn person(config: &Config, presented: &str, from: IpAddr) -> Option<Person> {
    let theirs = hash_key(presented);
    let same = |ours: &[u8; 32]| ours.iter().zip(theirs).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0;
    let mut found = None;
    for admin in config.admins.values() {
        if same(&admin.hash) {
            found = Some(Person { name: Arc::clone(&admin.name), role: admin.role, from: from.to_string().into() });
        }
    }
    if let Some(key) = &config.server.admin_key
        && same(&hash_key(key.expose()))
    {
        found = Some(Person::root("root", from));
    }
    found
}

/// Wrong tries by peer, in the running minute.
#[derive(Default)]
pub(crate) struct Tries(BTreeMap<IpAddr, (Moment, u32)>);

impl Tries {
    /// Whether `peer` may try; `now` begins a new minute for it where the old one is over.
    fn allowed(&mut self, now: Moment, peer: IpAddr) -> Result<(), Duration> {
        let minute = Duration::from_secs(60);
        self.0.retain(|_, (since, _)| now.since(*since) < minute);
        match self.0.get(&peer) {
            Some((since, wrong)) if *wrong >= TRIES => Err(minute.saturating_sub(now.since(*since))),
            _ => Ok(()),
        }
    }

    fn wrong(&mut self, now: Moment, peer: IpAddr) {
        if self.0.len() < PEERS || self.0.contains_key(&peer) {
            self.0.entry(peer).or_insert((now, 0)).1 += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use weir_config::Admin;

    use super::*;

    const HOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn config(admin_key: Option<&str>, admins: &[(&str, Role, &str)]) -> Config {
        let mut config = weir_config::from_environment(&Nothing).config.unwrap();
        config.server.admin_key = admin_key.map(weir_config::Secret::new);
        for (name, role, key) in admins {
            let admin = Admin { name: (*name).into(), role: *role, hash: hash_key(key) };
            config.admins.insert(Arc::clone(&admin.name), admin);
        }
        config
    }

    struct Nothing;

    impl weir_config::Environment for Nothing {
        fn var(&self, name: &str) -> Option<String> {
            (name == "HOME").then(|| "/nowhere".to_owned())
        }

        fn read(&self, _: &std::path::Path) -> std::io::Result<String> {
            Err(std::io::ErrorKind::NotFound.into())
        }
    }

    #[test]
    fn a_key_is_its_owners_and_somebody_who_is_kept_is_known_only_as_long_as_the_configuration_says() {
        let config_now = config(Some("r"), &[("ann", Role::Viewer, "a"), ("bob", Role::Auditor, "b")]);
        let names =
            ["a", "b", "r", "", "c"].map(|key| person(&config_now, key, HOST).map(|p| (p.name.to_string(), p.role)));
        let expected = [("ann", Role::Viewer), ("bob", Role::Auditor), ("root", Role::Root)];
        assert_eq!(names[..3], expected.map(|(name, role)| Some((name.to_owned(), role))));
        assert_eq!(names[3..], [None, None]);

        let ann = person(&config_now, "a", HOST).unwrap();
        let root = person(&config_now, "r", HOST).unwrap();
        let here = Person::root(HERE, HOST);
        assert!(ann.is_still(&config_now) && root.is_still(&config_now) && !here.is_still(&config_now));
        let promoted = config(None, &[("ann", Role::Operator, "a")]);
        assert!(!ann.is_still(&promoted) && !root.is_still(&promoted));
        let keyless = config(None, &[]);
        assert!(!ann.is_still(&keyless) && !root.is_still(&keyless) && here.is_still(&keyless));
    }
}
