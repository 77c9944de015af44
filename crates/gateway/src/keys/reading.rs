//! Keys of a ledger that was away at the start: what is said until they are read, and reading them when it is there.
//!
//! Until then nobody is turned away for good whose key may be one of them, and no key is made or rotated, as it might be there already.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use weir_ledger::KeyRecord;

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

    /// Takes the ledger's keys for those here. What was shut out here meanwhile stays shut out.
    fn adopt(&self, read: Vec<KeyRecord>) {
        self.change(|records| {
            let Records { by_name, reading, .. } = records;
            for mut record in read {
                let here = by_name.get(&record.name).filter(|here| here.hash == record.hash);
                record.revoked_at = record.revoked_at.or(here.and_then(|here| here.revoked_at));
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
    let keys = Arc::clone(&shared.live.load().made);
    let mut ticks = interval(AGAIN);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while keys.unread() {
        ticks.tick().await;
        if let Ok(records) = shared.ledger.keys().await {
            let count = records.len();
            keys.adopt(records);
            keys.warn_of_shut_out(&shared.live.load().config);
            tracing::info!(count, "the keys made at run time are read from the ledger, and in force");
        }
    }
}
