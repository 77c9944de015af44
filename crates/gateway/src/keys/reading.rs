//! Keys of a ledger that was away at the start: what is said until they are read, and reading them when it is there.
//!
//! Until then nobody is turned away for good whose key may be one of them, and no key is made or rotated, as it might be there already.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use weir_ledger::KeyRecord;
use weir_units::WallTime;

use crate::clock::wall;
use crate::keys::{Keys, Records};
use crate::reply::{Cause, Refusal};
use crate::state::Shared;

/// How often the ledger is asked.
const AGAIN: Duration = Duration::from_secs(1);
/// When whoever was refused for it should come again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How the keys here stand to those of the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reading {
    /// They are the same.
    #[default]
    Done,
    /// They are as this machine knew them last.
    Remembered,
    /// Nothing is known of the ledger's, not even whether there are any.
    Unknown,
}

impl Keys {
    /// Whether the ledger's keys are not read yet.
    pub(crate) fn unread(&self) -> bool {
        self.known.load().reading != Reading::Done
    }

    /// Whether it is not even known if a key was ever made.
    pub(crate) fn unknown(&self) -> bool {
        self.known.load().reading == Reading::Unknown
    }

    /// Takes the ledger's keys for those here: what the ledger has no more was shut out long ago, and is nobody's. What was shut out here
    /// meanwhile, since `began`, stays shut out, also under a secret that is not known here.
    fn adopt(&self, read: Vec<KeyRecord>, began: WallTime) {
        self.change(|records| {
            let Records { by_name, reading, .. } = records;
            let here = std::mem::take(by_name);
            for mut record in read {
                let here = here.get(&record.name);
                let same =
                    here.filter(|here| here.hash == record.hash || here.revoked_at.is_some_and(|at| at >= began));
                record.revoked_at = record.revoked_at.or(same.and_then(|here| here.revoked_at));
                by_name.insert(Arc::clone(&record.name), record);
            }
            *reading = Reading::Done;
        });
    }
}

/// What is said where only the ledger knows.
pub(crate) fn unread(what: &str) -> Refusal {
    let message = format!("the ledger's database was not reached since the start, so {what}: try again");
    Refusal::weir(Cause::CapacityExhausted, message).retry_after(RETRY_AFTER)
}

/// Reads the keys once the ledger is there.
pub(crate) async fn read(shared: Arc<Shared>) {
    let (keys, began) = (Arc::clone(&shared.live.load().made), wall());
    let mut ticks = interval(AGAIN);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while keys.unread() {
        ticks.tick().await;
        if let Ok(records) = shared.ledger.keys().await {
            let count = records.len();
            keys.adopt(records, began);
            keys.warn_of_shut_out(&shared.live.load().config);
            tracing::info!(count, "the keys made at run time are read from the ledger, and in force");
        }
    }
}

#[cfg(test)]
mod tests {
    use weir_ledger::KnownKeys;

    use super::*;

    fn key(name: &str, secret: u8, revoked_at: Option<i64>) -> KeyRecord {
        KeyRecord {
            name: name.into(),
            tenant: Arc::from("team"),
            hash: [secret; 32],
            settings: r#"{"tenant":"team"}"#.to_owned(),
            created_at: WallTime(1),
            expires_at: None,
            revoked_at: revoked_at.map(WallTime),
            former: Vec::new(),
        }
    }

    fn revoked(keys: &Keys) -> Vec<(Arc<str>, bool)> {
        keys.lock().by_name.values().map(|record| (Arc::clone(&record.name), record.revoked_at.is_some())).collect()
    }

    #[test]
    fn the_ledgers_keys_take_the_place_of_those_that_were_remembered() {
        let remembered = vec![key("gone", 1, None), key("kept", 2, None), key("rotated", 3, None)];
        let keys = Keys::of(KnownKeys::Remembered(Some(remembered)));
        keys.adopt(vec![key("kept", 2, None), key("rotated", 4, None), key("new", 5, None)], WallTime(100));
        assert_eq!(revoked(&keys), [("kept".into(), false), ("new".into(), false), ("rotated".into(), false)]);
        assert!(!keys.unread());
    }

    #[test]
    fn what_was_shut_out_meanwhile_stays_shut_out_whatever_its_secret() {
        let remembered = vec![key("a", 1, Some(150)), key("b", 2, Some(150)), key("old", 3, Some(50))];
        let keys = Keys::of(KnownKeys::Remembered(Some(remembered)));
        keys.adopt(vec![key("a", 1, None), key("b", 9, None), key("old", 8, None)], WallTime(100));
        let made_anew = ("old".into(), false);
        assert_eq!(revoked(&keys), [("a".into(), true), ("b".into(), true), made_anew]);
    }
}
