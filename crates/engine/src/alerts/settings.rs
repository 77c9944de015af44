//! What alerts go by: thresholds, times, and who owns the capacity.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::rule::AlertRule;
use crate::budgets::Zone;

/// Thresholds and times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertSettings {
    /// How often it is looked.
    pub check_every: Duration,
    /// Over how long shares of attempts are counted.
    pub window: Duration,
    /// Fewer attempts than this in the window are no share.
    pub least_attempts: u64,
    /// The share of 429s, in parts per million, that is too much.
    pub throttled_ppm: u32,
    /// A limit with less headroom than this, in parts per million, is nearly used up.
    pub headroom_ppm: u32,
    /// A limit that its trend reaches within this time is, too.
    pub headroom_ahead: Duration,
    /// A provider that has answered nothing for so long is down,
    pub down_after: Duration,
    /// if so many attempts failed in that time.
    pub down_attempts: u64,
    /// How many rows may wait to be written.
    pub ledger_rows: u64,
    /// How long a changed limit is an alert unless it changes back.
    pub limit_changed_for: Duration,
    /// For how long nothing must be seen of it before an alert ends.
    pub resolve_after: Duration,
    /// How often those who were told are reminded of what nobody acknowledged.
    pub repeat: Option<Duration>,
    /// Rules that are on record, and of which nobody is told.
    pub silenced: BTreeSet<AlertRule>,
    /// Who is told.
    pub owner: Owner,
    /// Whose clocks times are told by.
    pub zone: Zone,
}

impl Default for AlertSettings {
    fn default() -> Self {
        Self {
            check_every: Duration::from_secs(5),
            window: Duration::from_secs(300),
            least_attempts: 20,
            throttled_ppm: 20_000,
            headroom_ppm: 100_000,
            headroom_ahead: Duration::from_secs(3_600),
            down_after: Duration::from_secs(30),
            down_attempts: 5,
            ledger_rows: 10_000,
            limit_changed_for: Duration::from_secs(86_400),
            resolve_after: Duration::from_secs(120),
            repeat: None,
            silenced: BTreeSet::new(),
            owner: Owner::default(),
            zone: Zone::UTC,
        }
    }
}

/// Who owns LLM capacity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The name.
    pub name: Option<Arc<str>>,
    /// Notifiers that hear of everything.
    pub notify: Vec<Arc<str>>,
    /// Who hears of what nobody acknowledges, the soonest first.
    pub escalate: Vec<Escalation>,
    /// How long it takes to get more capacity.
    pub lead_time: Duration,
}

/// A step of the escalation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// How long after the first message.
    pub after: Duration,
    /// Notifiers that hear of it then.
    pub notify: Vec<Arc<str>>,
}
