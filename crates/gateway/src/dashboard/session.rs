//! Sessions: who is logged in, by a random token of which only the hash is kept. In memory alone, bounded, and over after a
//! while; a configuration that knows the person or their key no more ends them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use weir_config::{Config, hash_key};
use weir_units::Moment;

use crate::admin::people::Person;
use crate::state::Shared;

/// What the cookie is called.
pub(super) const COOKIE_NAME: &str = "weir_session";
/// How long a session lasts at most, and without a visit.
pub(super) const LASTS: Duration = Duration::from_secs(12 * 3_600);
const IDLE: Duration = Duration::from_secs(2 * 3_600);
/// How many there may be; of more, the one that was idle longest goes.
const MOST: usize = 1_000;

/// All sessions, by the hash of their token.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<BTreeMap<[u8; 32], Session>>);

struct Session {
    person: Person,
    /// The hash of the key that they logged in with.
    key: [u8; 32],
    began: Moment,
    used: Moment,
}

impl Session {
    fn is_over(&self, now: Moment) -> bool {
        now.since(self.began) >= LASTS || now.since(self.used) >= IDLE
    }
}

impl Sessions {
    /// Begins a session of somebody who has shown their key, and gives its token.
    pub(super) fn begin(&self, shared: &Shared, person: Person, key: &str) -> Option<String> {
        let mut random = [0_u8; 32];
        SystemRandom::new().fill(&mut random).ok()?;
        let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        self.keep(shared.clock.now(), &token, person, hash_key(key));
        Some(token)
    }

    fn keep(&self, now: Moment, token: &str, person: Person, key: [u8; 32]) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| !session.is_over(now));
        if sessions.len() >= MOST
            && let Some(oldest) = sessions.iter().min_by_key(|(_, session)| session.used).map(|(hash, _)| *hash)
        {
            sessions.remove(&oldest);
        }
        sessions.insert(hash_key(token), Session { person, key, began: now, used: now });
    }

    /// Whose session it is.
    pub(super) fn find(&self, shared: &Shared, token: Option<&str>) -> Option<Person> {
        self.look(shared.clock.now(), &shared.live.load().config, token?)
    }

    fn look(&self, now: Moment, config: &Config, token: &str) -> Option<Person> {
        let hash = hash_key(token);
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get_mut(&hash)?;
        if session.is_over(now) || !session.person.is_still(config) || !has_key(config, &session.person, &session.key) {
            sessions.remove(&hash);
            return None;
        }
        session.used = now;
        Some(session.person.clone())
    }

    /// Ends a session.
    pub(super) fn end(&self, token: Option<&str>) {
        if let Some(token) = token {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash_key(token));
        }
    }
}

/// Whether the key that somebody logged in with is still theirs.
fn has_key(config: &Config, person: &Person, key: &[u8; 32]) -> bool {
    match config.admins.get(&person.name) {
        Some(admin) => admin.hash == *key,
        None => config.server.admin_key.as_ref().is_some_and(|admin| hash_key(admin.expose()) == *key),
    }
}

#[cfg(test)]
mod tests {
    use weir_config::{Admin, Role, Secret};

    use super::*;

    struct Nothing;

    impl weir_config::Environment for Nothing {
        fn var(&self, name: &str) -> Option<String> {
            (name == "HOME").then(|| "/nowhere".to_owned())
        }

        fn read(&self, _: &std::path::Path) -> std::io::Result<String> {
            Err(std::io::ErrorKind::NotFound.into())
        }
    }

    fn config(key: &str) -> Config {
        let mut config = weir_config::from_environment(&Nothing).config.unwrap();
        config.server.admin_key = Some(Secret::new("root"));
        let ann = Admin { name: "ann".into(), role: Role::Viewer, hash: hash_key(key) };
        config.admins.insert("ann".into(), ann);
        config
    }

    fn ann() -> Person {
        Person { name: "ann".into(), role: Role::Viewer, from: "::1".into() }
    }

    fn at(hours: u64) -> Moment {
        Moment::ZERO + Duration::from_secs(hours * 3_600)
    }

    #[test]
    fn a_session_is_over_after_two_idle_hours_or_twelve_in_all() {
        let (sessions, config) = (Sessions::default(), config("key"));
        sessions.keep(at(0), "token", ann(), hash_key("key"));
        for hour in 1..12 {
            assert_eq!(sessions.look(at(hour), &config, "token"), Some(ann()), "after {hour} h");
        }
        assert_eq!(sessions.look(at(12), &config, "token"), None);
        sessions.keep(at(20), "token", ann(), hash_key("key"));
        assert_eq!(sessions.look(at(22), &config, "token"), None);
        assert_eq!(sessions.look(at(20), &config, "other"), None);
    }

    #[test]
    fn a_new_key_or_role_ends_the_session() {
        let sessions = Sessions::default();
        sessions.keep(at(0), "token", ann(), hash_key("key"));
        assert_eq!(sessions.look(at(0), &config("another"), "token"), None);
        sessions.keep(at(0), "token", ann(), hash_key("key"));
        let mut promoted = config("key");
        promoted.admins.values_mut().for_each(|admin| admin.role = Role::Operator);
        assert_eq!(sessions.look(at(0), &promoted, "token"), None);
    }

    #[test]
    fn sessions_are_bounded_and_the_one_idle_longest_goes_first() {
        let (sessions, config) = (Sessions::default(), config("key"));
        for number in 0..=MOST as u64 {
            sessions.keep(Moment(number), &number.to_string(), ann(), hash_key("key"));
        }
        assert_eq!(sessions.0.lock().unwrap().len(), MOST);
        assert_eq!(sessions.look(Moment(2_000), &config, "0"), None);
        assert!(sessions.look(Moment(2_000), &config, "1").is_some());
    }
}
