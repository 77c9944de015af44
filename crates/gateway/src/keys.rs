//! Keys made at run time: whom they let in, and how they are made, rotated and revoked.
//!
//! The ledger keeps them, hashed; here they are looked up by their hash, without a lock. A change is on disk before it is in
//! force, except that a revoked key is shut out first.

mod reading;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use weir_config::{Config, Key, KeyFault, KeySettings};
use weir_engine::Priority;
use weir_ledger::{AuditEntry, Event, Fact, FormerSecret, KeyRecord, KnownKeys, Stage};
use weir_units::WallTime;

use crate::admin::Person;
use crate::audit::did;
use crate::clock::wall;
use crate::reply::{Cause, Refusal};
use crate::state::Shared;

use reading::Reading;
pub(crate) use reading::{read, unread};

/// Keys that are remembered, those that have ended among them.
const MOST: usize = 10_000;
/// Former secrets of one key that may still work.
const MOST_FORMER: usize = 8;

/// All keys made at run time.
#[derive(Default)]
pub(crate) struct Keys {
    known: ArcSwap<Known>,
    records: Mutex<Records>,
}

/// What requests are let in by.
#[derive(Default)]
struct Known {
    /// A key was made once, or may have been, so keys are asked for.
    any: bool,
    reading: Reading,
    by_hash: HashMap<[u8; 32], Secret>,
}

/// One secret of a key.
struct Secret {
    key: Arc<Key>,
    until: Option<WallTime>,
    /// Another one has taken its place.
    former: bool,
}

/// The keys as the ledger has them.
#[derive(Default)]
struct Records {
    by_name: BTreeMap<Arc<str>, KeyRecord>,
    /// Names that somebody changes at the moment.
    changing: BTreeSet<Arc<str>>,
    /// Names that were shut out at this time, and the ledger could not be told so.
    unsaved: BTreeMap<Arc<str>, WallTime>,
    reading: Reading,
}

impl Keys {
    /// The keys that are known at the start.
    pub(crate) fn of(known: KnownKeys) -> Self {
        let (keys, reading) = match known {
            KnownKeys::Read(keys) => (keys, Reading::Done),
            KnownKeys::Remembered(Some(keys)) => (keys, Reading::Remembered),
            KnownKeys::Remembered(None) => (Vec::new(), Reading::Unknown),
        };
        let by_name = keys.into_iter().map(|record| (Arc::clone(&record.name), record)).collect();
        let keys = Self::default();
        keys.change(|records| (records.by_name, records.reading) = (by_name, reading));
        keys
    }

    /// Whether a key was ever made, or may have been.
    pub(crate) fn any(&self) -> bool {
        self.known.load().any
    }

    /// Whether a key was ever made for somebody else than `tenant`.
    pub(crate) fn of_others(&self, tenant: &str) -> bool {
        self.known.load().by_hash.values().any(|secret| &*secret.key.tenant != tenant)
    }

    /// The key with this hash, if it is let in now; none if nothing is known of it.
    pub(crate) fn find(&self, hash: &[u8; 32], config: &Config) -> Option<Result<Arc<Key>, String>> {
        let known = self.known.load();
        let secret = known.by_hash.get(hash)?;
        let name = &secret.key.name;
        Some(match config.shuts_out(&secret.key) {
            _ if secret.until.is_some_and(|until| until <= wall()) && secret.former => {
                Err(format!("this secret of key `{name}` was rotated out: use the newer one"))
            }
            _ if secret.until.is_some_and(|until| until <= wall()) => Err(format!("key `{name}` has expired")),
            Some(why) => Err(why),
            None => Ok(Arc::clone(&secret.key)),
        })
    }

    /// Says which keys a configuration keeps out that were let in before.
    pub(crate) fn warn_of_shut_out(&self, config: &Config) {
        for why in self.known.load().by_hash.values().filter(|s| !s.former).filter_map(|s| config.shuts_out(&s.key)) {
            tracing::warn!("a key made at run time is not let in: {why}");
        }
    }

    /// All records, by name.
    pub(crate) fn list(&self) -> Vec<KeyRecord> {
        let records = self.lock();
        records.by_name.keys().filter_map(|name| records.get(name)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the records, and whom they let in with them.
    fn change(&self, change: impl FnOnce(&mut Records)) {
        let mut records = self.lock();
        change(&mut records);
        self.known.store(Arc::new(records.known()));
    }

    /// Keeps others from changing the key of this name until the guard is dropped.
    fn begin(self: &Arc<Self>, name: &str) -> Result<Changing, Refusal> {
        let name: Arc<str> = name.into();
        if !self.lock().changing.insert(Arc::clone(&name)) {
            return Err(conflict(format!("key `{name}` is being changed at this moment: try again")));
        }
        Ok(Changing { keys: Arc::clone(self), name })
    }
}

impl Records {
    /// A key as it stands, whether the ledger could be told or not.
    fn get(&self, name: &str) -> Option<KeyRecord> {
        let mut record = self.by_name.get(name)?.clone();
        if let Some(at) = self.unsaved.get(name) {
            record.revoked_at = Some(*at);
            record.former.clear();
        }
        Some(record)
    }

    fn known(&self) -> Known {
        let mut by_hash = HashMap::new();
        for record in self.by_name.values() {
            if record.revoked_at.is_some() || self.unsaved.contains_key(&record.name) {
                continue;
            }
            let Some(settings) = settings(record) else {
                tracing::error!(name = %record.name, "the settings of a key in the ledger cannot be read: it is not let in");
                continue;
            };
            let key = Arc::new(settings.key(Arc::clone(&record.name), record.hash));
            for former in &record.former {
                let until = Some(record.expires_at.map_or(former.until, |end| end.min(former.until)));
                by_hash.insert(former.hash, Secret { key: Arc::clone(&key), until, former: true });
            }
            by_hash.insert(record.hash, Secret { key, until: record.expires_at, former: false });
        }
        let any = !self.by_name.is_empty() || self.reading == Reading::Unknown;
        Known { any, reading: self.reading, by_hash }
    }
}

/// A key that is being changed.
struct Changing {
    keys: Arc<Keys>,
    name: Arc<str>,
}

impl Changing {
    fn record(&self) -> Option<KeyRecord> {
        self.keys.lock().get(&self.name)
    }

    fn is_saved(&self) -> bool {
        !self.keys.lock().unsaved.contains_key(&self.name)
    }

    fn put(&self, record: KeyRecord) {
        self.keys.change(|records| {
            records.unsaved.remove(&self.name);
            records.by_name.insert(Arc::clone(&self.name), record);
        });
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        self.keys.lock().changing.remove(&self.name);
    }
}

/// A key and its secret, to be shown once.
pub(crate) struct Shown {
    pub(crate) record: KeyRecord,
    pub(crate) secret: String,
    /// Until now this gateway asked for no keys.
    pub(crate) first: bool,
}

/// Makes a key. A name is free again when its key was revoked or has expired.
pub(crate) async fn make(
    shared: &Shared,
    name: &str,
    settings: &KeySettings,
    lasts: Option<Duration>,
    person: &Person,
) -> Result<Shown, Refusal> {
    let live = shared.live.load_full();
    live.config.check_key(name, settings).map_err(|fault| match fault {
        KeyFault::Taken(why) => conflict(why),
        KeyFault::Wrong(setting, why) => Refusal::weir(Cause::Malformed, why).param(setting),
    })?;
    if live.made.unread() {
        return Err(unread("it is not known here which keys there are, and none can be made"));
    }
    let changing = live.made.begin(name)?;
    let now = wall();
    match changing.record() {
        Some(record) if state(&record, now) == State::Valid => {
            return Err(conflict(format!(
                "there is a key `{name}` already: rotate or revoke it, or take another name"
            )));
        }
        None if live.made.lock().by_name.len() >= MOST => {
            let message =
                format!("there are {MOST} keys, and more are not kept: revoked ones go after the ledger's retention");
            return Err(conflict(message));
        }
        _ => {}
    }
    let (secret, hash) = new_secret()?;
    let record = KeyRecord {
        name: Arc::clone(&changing.name),
        tenant: Arc::clone(&settings.tenant),
        hash,
        settings: as_json(settings).to_string(),
        created_at: now,
        expires_at: lasts.map(|lasts| now + lasts),
        revoked_at: None,
        former: Vec::new(),
    };
    let first = !live.asks_for_keys();
    let (name, tenant, who) = (Arc::clone(&record.name), Arc::clone(&record.tenant), Arc::clone(&person.name));
    keep(shared, &record, Fact::KeyMade { name, tenant, who }, did(person, "key.make", &record.name, "done")).await?;
    changing.put(record.clone());
    Ok(Shown { record, secret, first })
}

/// Gives a key a new secret. The one before works on for `grace`, and so do earlier ones, but none for longer than that.
pub(crate) async fn rotate(shared: &Shared, name: &str, grace: Duration, person: &Person) -> Result<Shown, Refusal> {
    let live = shared.live.load_full();
    if live.made.unread() {
        return Err(unread("it is not known here how this key stands, and it cannot be rotated"));
    }
    let (changing, mut record) = existing(&live.made, &live.config, name)?;
    let now = wall();
    match state(&record, now) {
        State::Valid => {}
        State::Revoked => return Err(conflict(format!("key `{name}` is revoked: make a new one"))),
        State::Expired => return Err(conflict(format!("key `{name}` has expired: make a new one"))),
    }
    let end = now + grace;
    record.former.retain(|former| former.until > now);
    record.former.iter_mut().for_each(|former| former.until = former.until.min(end));
    record.former.push(FormerSecret { hash: record.hash, until: end });
    record.former.retain(|former| former.until > now);
    if record.former.len() > MOST_FORMER {
        let message =
            format!("{MOST_FORMER} former secrets of key `{name}` still work: wait, or end them with a grace of 0s");
        return Err(conflict(message));
    }
    let (secret, hash) = new_secret()?;
    record.hash = hash;
    let (name, tenant, who) = (Arc::clone(&record.name), Arc::clone(&record.tenant), Arc::clone(&person.name));
    keep(shared, &record, Fact::KeyRotated { name, tenant, who }, did(person, "key.rotate", &record.name, "done"))
        .await?;
    changing.put(record.clone());
    Ok(Shown { record, secret, first: false })
}

/// Shuts a key out, at once and for good. Requests that run may end.
pub(crate) async fn revoke(shared: &Shared, name: &str, person: &Person) -> Result<KeyRecord, Refusal> {
    let live = shared.live.load_full();
    let (changing, mut record) = existing(&live.made, &live.config, name)?;
    if record.revoked_at.is_some() && changing.is_saved() {
        return Ok(record);
    }
    // Whatever becomes of the ledger, nobody gets in with it any more.
    let at = record.revoked_at.unwrap_or_else(wall);
    live.made.change(|records| {
        records.unsaved.insert(Arc::clone(&changing.name), at);
    });
    record.revoked_at = Some(at);
    record.former.clear();
    let (name, tenant, who) = (Arc::clone(&record.name), Arc::clone(&record.tenant), Arc::clone(&person.name));
    keep(shared, &record, Fact::KeyRevoked { name, tenant, who }, did(person, "key.revoke", &record.name, "done"))
        .await
        .map_err(|mut refusal| {
            refusal.message.push_str("; this process lets the key in no more, but the next one would: revoke it again");
            refusal
        })?;
    changing.put(record.clone());
    Ok(record)
}

/// A key that was made at run time. One that has ended gives way to the configuration's key of its name.
fn existing(made: &Arc<Keys>, config: &Config, name: &str) -> Result<(Changing, KeyRecord), Refusal> {
    let said = crate::admit::shown(name);
    let changing = made.begin(name)?;
    let record = changing.record();
    let ended = record.as_ref().is_none_or(|record| state(record, wall()) != State::Valid) && changing.is_saved();
    if ended && config.keys.contains_key(name) {
        return Err(conflict(format!("key `{said}` is in the configuration: change it there")));
    }
    match record {
        Some(record) => Ok((changing, record)),
        None if made.unread() => Err(unread("it is not known here whether there is such a key")),
        None => Err(Refusal::weir(Cause::NotFound, format!("there is no key `{said}`: `weir keys` lists them"))),
    }
}

/// Puts a record, the fact of its change and the audit log's entry on disk, or none of them.
async fn keep(shared: &Shared, record: &KeyRecord, fact: Fact, audit: AuditEntry) -> Result<(), Refusal> {
    let event = Event { at: wall(), stage: Stage::Accept, fact };
    shared.ledger.keep_key(record.clone(), event.clone(), Some(audit)).await.map_err(|error| {
        tracing::error!(%error, name = %record.name, "a change of a key cannot be written down");
        Refusal::weir(
            Cause::UpstreamError,
            "nothing was changed on disk, since the ledger cannot be written: see the log",
        )
    })?;
    tracing::info!("{}", event.fact.in_words());
    shared.followers.fact(&event);
    shared.recent.push(event);
    Ok(())
}

fn new_secret() -> Result<(String, [u8; 32]), Refusal> {
    let mut random = [0_u8; 32];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| Refusal::weir(Cause::UpstreamError, "the operating system gives no random numbers"))?;
    let secret = weir_config::generate_key(random);
    let hash = weir_config::hash_key(&secret);
    Ok((secret, hash))
}

fn conflict(message: String) -> Refusal {
    Refusal::weir(Cause::Conflict, message)
}

/// How a key stands, the configuration aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Valid,
    Expired,
    Revoked,
}

pub(crate) fn state(record: &KeyRecord, now: WallTime) -> State {
    match (record.revoked_at, record.expires_at) {
        (Some(_), _) => State::Revoked,
        (None, Some(end)) if end <= now => State::Expired,
        _ => State::Valid,
    }
}

fn as_json(settings: &KeySettings) -> Value {
    json!({ "routes": settings.routes, "budgets": settings.budgets, "priority": settings.priority.name() })
}

/// Reads what [`as_json`] wrote; a record that cannot be read lets nobody in.
pub(crate) fn settings(record: &KeyRecord) -> Option<KeySettings> {
    let value: Value = serde_json::from_str(&record.settings).ok()?;
    let names = |list: &Value| -> Option<Vec<Arc<str>>> {
        list.as_array()?.iter().map(|name| name.as_str().map(Arc::from)).collect()
    };
    let routes = if value["routes"].is_null() { None } else { Some(names(&value["routes"])?) };
    Some(KeySettings {
        tenant: Arc::clone(&record.tenant),
        routes: routes.map(BTreeSet::from_iter),
        budgets: names(&value["budgets"])?,
        priority: Priority::from_name(value["priority"].as_str()?)?,
    })
}
