//! Changes that must be on disk before anybody may say that they are made: keys, and entries of the audit log.

use std::collections::VecDeque;

use tokio::sync::oneshot;
use tokio::time::{Duration, Instant};

use crate::audit::AuditEntry;
use crate::keys::KeyRecord;
use crate::ledger::State;
use crate::row::FactRow;
use crate::store::Store;

/// Entries of the audit log that nobody waits for and that could not be written yet; more are not kept.
const MOST_UNWRITTEN: usize = 1_000;

/// How long a database that took no entry is left alone before it is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// What is written in one transaction, or not at all.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// A key as it is from now on, and the fact of its change.
    pub(crate) key: Option<(KeyRecord, FactRow)>,
    /// What is to be said of it in the audit log.
    pub(crate) audit: Option<AuditEntry>,
}

/// A change, and who waits for it, if somebody does.
pub(crate) type Asked = (Box<Change>, Option<oneshot::Sender<Result<(), sqlx::Error>>>);

/// Writes changes, all that have come at once, and keeps entries that nobody waits for until they can be written.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    unwritten: VecDeque<Change>,
    retry_at: Option<Instant>,
    dropped: u64,
}

impl Changes {
    /// When there is something to be tried again.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Whether there is something to write now.
    pub(crate) fn is_due(&self, asked: &[Asked], last: bool) -> bool {
        let retry = last || self.retry_at.is_some_and(|at| at <= Instant::now());
        !asked.is_empty() || retry && !self.unwritten.is_empty()
    }

    /// Writes `asked`, and before them what waits. What cannot be written now is not kept if somebody waits for it: they are told.
    pub(crate) async fn write(
        &mut self,
        store: &mut Store,
        state: &State,
        ready: Result<(), sqlx::Error>,
        asked: Vec<Asked>,
        last: bool,
    ) {
        let (mut changes, mut waiting) = (Vec::from(std::mem::take(&mut self.unwritten)), Vec::new());
        let before = changes.len();
        for (change, waits) in asked {
            changes.push(*change);
            waiting.push(waits);
        }
        self.retry_at = None;
        let kept = match ready {
            Ok(()) => store.keep(&changes, state).await,
            Err(error) => Err(error),
        };
        match kept {
            Ok(()) => {
                for waits in waiting.into_iter().flatten() {
                    let _ = waits.send(Ok(()));
                }
            }
            Err(error) => {
                tracing::error!(%error, "the audit log or a key cannot be written");
                if !matches!(error, sqlx::Error::Database(_)) {
                    // A connection that broke does not come back by itself.
                    store.connects(None);
                }
                let late = changes.split_off(before);
                self.unwritten.extend(changes);
                for (change, waits) in late.into_iter().zip(waiting) {
                    match waits {
                        Some(waits) => {
                            let _ = waits.send(Err(sqlx::Error::Protocol(error.to_string())));
                        }
                        None if self.unwritten.len() < MOST_UNWRITTEN => self.unwritten.push_back(change),
                        None => self.dropped += 1,
                    }
                }
                self.retry_at = (!self.unwritten.is_empty()).then(|| Instant::now() + RETRY);
            }
        }
        if last && !self.unwritten.is_empty() || self.dropped > 0 {
            let lost = std::mem::take(&mut self.dropped) + if last { self.unwritten.len() as u64 } else { 0 };
            tracing::error!(lost, "entries of the audit log are on no record: the database took none");
        }
    }
}
