//! What goes into the audit log, and when: before an answer, where that must be on record first; else right after.
//!
//! A key is changed in the same transaction in which its entry is written, and content and the log itself are shown only
//! once the entry is on disk. What is refused, and log-ins, are written when there is room; and no more of them than a stranger
//! could fill a disk with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use weir_ledger::{AuditEntry, AuditHead, Ledger};
use weir_units::Moment;

use crate::admin::Person;
use crate::clock::wall;
use crate::reply::{Cause, Refusal};

/// Refusals that may be on record at once, and how soon there is room for the next.
const REFUSALS: u32 = 100;
const NEXT_REFUSAL: Duration = Duration::from_secs(10);
/// Somebody who keeps asking from the same address is a log-in this often.
const LOG_IN_EVERY: Duration = Duration::from_secs(86_400);
/// People and addresses that are remembered for that.
const REMEMBERED: usize = 10_000;
/// The most characters of a name or an outcome.
const LONGEST: usize = 400;

/// A person, and the address that they came from.
type Place = (Arc<str>, Arc<str>);

/// The audit log as the gateway writes it.
pub(crate) struct AuditLog {
    ledger: Ledger,
    refusals: Mutex<Room>,
    seen: Mutex<BTreeMap<Place, Moment>>,
}

impl AuditLog {
    pub(crate) fn new(ledger: Ledger) -> Self {
        Self { ledger, refusals: Mutex::default(), seen: Mutex::default() }
    }

    /// The newest entry on disk, to be told to others with reports and alerts.
    pub(crate) fn head(&self) -> AuditHead {
        self.ledger.audit_head()
    }

    /// Puts on record what is about to be done or shown.
    ///
    /// # Errors
    /// When it cannot be written; then it must not be done.
    pub(crate) async fn first(&self, entry: AuditEntry) -> Result<(), Refusal> {
        self.ledger.audit(entry).await.map_err(|error| {
            tracing::error!(%error, "the audit log cannot be written");
            let message = "this must be on record in the audit log first, and that cannot be written: see the log";
            Refusal::weir(Cause::UpstreamError, message)
        })
    }

    /// Puts on record what was done. It waits until that is on disk; if the database fails, the entry follows when it works.
    pub(crate) async fn after(&self, entry: AuditEntry) {
        if self.ledger.audit(entry.clone()).await.is_err() {
            self.ledger.audit_later(entry);
        }
    }

    /// Puts on record what Weir did itself.
    pub(crate) fn of_system(&self, action: &str, what: &str, outcome: &str) {
        self.ledger.audit_later(entry(["system", "", "", action, what, outcome]));
    }

    /// Puts on record what somebody was not allowed to do, or what came to nothing.
    pub(crate) fn refused(&self, now: Moment, who: &Person, action: &str, what: &str, why: &str) {
        self.bounded(now, did(who, action, what, why));
    }

    /// Puts a wrong key on record.
    pub(crate) fn wrong_key(&self, now: Moment, from: &str) {
        self.bounded(now, entry(["", "", from, "log-in", "", "refused: nobody has this key"]));
    }

    /// Puts on record that somebody is there: the first time, and once a day.
    pub(crate) fn logged_in(&self, now: Moment, who: &Person) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (Arc::clone(&who.name), Arc::clone(&who.from));
        let before = seen.get(&place).copied();
        if before.is_some_and(|before| now.since(before) < LOG_IN_EVERY) {
            return;
        }
        if before.is_none() && seen.len() >= REMEMBERED {
            seen.retain(|_, at| now.since(*at) < LOG_IN_EVERY);
            if seen.len() >= REMEMBERED {
                return;
            }
        }
        seen.insert(place, now);
        drop(seen);
        self.ledger.audit_later(did(who, "log-in", "", "done"));
    }

    fn bounded(&self, now: Moment, entry: AuditEntry) {
        let taken = self.refusals.lock().unwrap_or_else(PoisonError::into_inner).take(now);
        let Some(left_out) = taken else { return };
        if left_out > 0 {
            let what = format!("{left_out} further refusals are not listed one by one");
            self.of_system("audit.skip", &what, "done");
        }
        self.ledger.audit_later(entry);
    }
}

/// What `who` did.
pub(crate) fn did(who: &Person, action: &str, what: &str, outcome: &str) -> AuditEntry {
    entry([&who.name, who.role.name(), &who.from, action, what, outcome])
}

fn entry([who, role, from, action, what, outcome]: [&str; 6]) -> AuditEntry {
    AuditEntry {
        at: wall(),
        who: who.into(),
        role: role.into(),
        from: from.into(),
        action: action.into(),
        what: short(what),
        outcome: short(outcome),
    }
}

/// A stranger's words: on one line, short, and nothing that a terminal or a page would obey.
fn short(text: &str) -> Arc<str> {
    let cut: String = text.chars().take(LONGEST).collect();
    weir_wire::shown(&cut).into()
}

/// Room for refusals: a store that fills up again by and by.
struct Room {
    left: u32,
    since: Moment,
    left_out: u64,
}

impl Default for Room {
    fn default() -> Self {
        Self { left: REFUSALS, since: Moment::ZERO, left_out: 0 }
    }
}

impl Room {
    /// Takes room for one; how many found none before it, or none if there is none now.
    fn take(&mut self, now: Moment) -> Option<u64> {
        let grown = now.since(self.since).as_nanos() / NEXT_REFUSAL.as_nanos();
        if grown > 0 {
            let grown = u32::try_from(grown).unwrap_or(u32::MAX);
            self.left = self.left.saturating_add(grown).min(REFUSALS);
            self.since = now;
        }
        if self.left == 0 {
            self.left_out += 1;
            return None;
        }
        self.left -= 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_room_that_grows_again_and_what_found_none_is_counted() {
        let mut room = Room::default();
        let at = |seconds: u64| Moment::ZERO + Duration::from_secs(seconds);
        assert!((0..100).all(|_| room.take(at(1)) == Some(0)));
        assert!((0..7).all(|_| room.take(at(9)).is_none()));
        assert_eq!((room.take(at(10)), room.take(at(11))), (Some(7), None));
        assert_eq!(room.take(at(40)), Some(1));
        // However long nobody came, there is no more room than at first.
        assert_eq!((0..200).filter(|_| room.take(at(1_000_000)).is_some()).count(), 100);
    }

    #[test]
    fn hostile_words_are_short_and_tame() {
        let hostile = format!("\u{1b}[2J\n\u{202e}{}", "x".repeat(1_000));
        let made = entry(["a", "b", "c", "d", &hostile, &hostile]);
        assert!(made.what.starts_with("?[2J??x") && made.what.chars().count() == LONGEST, "{}", made.what);
        assert_eq!(made.what, made.outcome);
    }
}
