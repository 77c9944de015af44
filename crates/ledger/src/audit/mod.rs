//! The audit log: who did what at the admin interface, one row after the other, each with the hash of the row before.
//!
//! Nobody can change, remove or insert a row without breaking the chain from there on, unless they write all later rows anew;
//! and then the hash of a row that was told to others, the *head* of that time, is no longer in it.

mod chain;
mod rows;

use std::sync::Arc;

use serde_json::{Value, json};
use weir_units::WallTime;

pub use chain::{AuditBreak, AuditChain, AuditHead};
pub use rows::AuditQuery;
pub(crate) use rows::head;

/// What somebody did, or tried to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When; the log keeps milliseconds.
    pub at: WallTime,
    /// Who: a person of the configuration, `root`, `this machine`, or `system` for Weir itself; empty if nobody knows.
    pub who: Arc<str>,
    /// In which role; empty for `system` and for nobody.
    pub role: Arc<str>,
    /// The address that it came from; empty for `system`.
    pub from: Arc<str>,
    /// What was done: `key.make`, `content.read`.
    pub action: Arc<str>,
    /// What it was done to.
    pub what: Arc<str>,
    /// What became of it: `done`, `refused: …`, `forbidden: …`.
    pub outcome: Arc<str>,
}

impl AuditEntry {
    /// The entry as every database keeps it: Postgres has no NUL in a text.
    fn storable(mut self) -> Self {
        for text in [&mut self.who, &mut self.role, &mut self.from, &mut self.action, &mut self.what, &mut self.outcome]
        {
            if text.contains('\0') {
                *text = text.replace('\0', "\u{fffd}").into();
            }
        }
        self
    }
}

/// An entry in its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its place, from 1.
    pub sequence: u64,
    /// What it says.
    pub entry: AuditEntry,
    /// The hash of the row before, as the row has it.
    pub previous: String,
    /// The hash of this one, as the row has it.
    pub hash: String,
}

impl AuditRecord {
    /// The record as the admin API gives it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let AuditEntry { at, who, role, from, action, what, outcome } = &self.entry;
        json!({
            "sequence": self.sequence, "at": at.to_string(), "at_ms": at.millis(), "who": who, "role": role, "from": from,
            "action": action, "what": what, "outcome": outcome, "previous": self.previous, "hash": self.hash,
        })
    }

    /// Reads what [`AuditRecord::to_json`] wrote; what is missing is empty, and breaks the chain.
    #[must_use]
    pub fn from_json(told: &Value) -> Self {
        let text = |name: &str| told[name].as_str().unwrap_or_default();
        let at = told["at_ms"].as_i64().unwrap_or_default();
        Self {
            sequence: told["sequence"].as_u64().unwrap_or_default(),
            entry: AuditEntry {
                at: WallTime(at.saturating_mul(1_000)),
                who: text("who").into(),
                role: text("role").into(),
                from: text("from").into(),
                action: text("action").into(),
                what: text("what").into(),
                outcome: text("outcome").into(),
            },
            previous: text("previous").to_owned(),
            hash: text("hash").to_owned(),
        }
    }
}
