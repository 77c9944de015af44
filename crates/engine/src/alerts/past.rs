//! Alerts as the record has them: after a restart, what was open is open, what was silenced is silent, and nobody is told
//! twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use weir_units::WallTime;

use super::alert::{Acknowledgement, Alert, AlertId, Closing, Message, Silence};
use super::rule::{AlertRule, Severity};
use super::watch::{Alerts, RECENT};

/// One thing on record.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are named by what they hold")]
pub enum AlertPast {
    /// One opened, or got worse.
    Opened {
        id: AlertId,
        rule: AlertRule,
        about: Arc<str>,
        severity: Severity,
        since: WallTime,
        at: WallTime,
        step: u32,
        message: Message,
        peak: String,
    },
    /// One ended.
    Closed { id: AlertId, at: WallTime, lasted: Duration, words: String },
    /// Somebody took one on.
    Acknowledged { id: AlertId, by: Arc<str>, at: WallTime },
    /// Somebody silenced something.
    Silenced(Silence),
    /// A silence ended before its time.
    SilenceEnded { rule: AlertRule, about: Arc<str> },
    /// A message was delivered, or finally was not.
    Sent { id: AlertId, to: Arc<str>, what: String },
}

impl Alerts {
    /// Takes up what is on record, the oldest first.
    pub fn restore(&mut self, now: WallTime, past: impl IntoIterator<Item = AlertPast>) {
        let mut known: BTreeMap<AlertId, Alert> = BTreeMap::new();
        let mut order = Vec::new();
        for one in past {
            match one {
                AlertPast::Opened { id, rule, about, severity, since, at, step, message, peak } => {
                    if !known.contains_key(&id) {
                        order.push(id);
                    }
                    let sent = known.remove(&id).map(|before| before.sent).unwrap_or_default();
                    let begun = Alert::begun(id, rule, about, since);
                    let alert = Alert { severity, message, peak, step, seen: at, sent, restored: true, ..begun };
                    known.insert(id, alert);
                }
                AlertPast::Closed { id, at, lasted, words } => {
                    if let Some(alert) = known.get_mut(&id) {
                        alert.closed = Some(Closing { at, lasted, words });
                    }
                }
                AlertPast::Acknowledged { id, by, at } => {
                    if let Some(alert) = known.get_mut(&id) {
                        alert.acknowledged = Some(Acknowledgement { by, at });
                    }
                }
                AlertPast::Sent { id, to, what } => {
                    if let Some(alert) = known.get_mut(&id) {
                        alert.sent.insert((to, what));
                    }
                }
                AlertPast::Silenced(silence) => {
                    self.silences.insert((silence.rule, Arc::clone(&silence.about)), silence);
                }
                AlertPast::SilenceEnded { rule, about } => {
                    self.silences.remove(&(rule, about));
                }
            }
        }
        self.silences.retain(|_, silence| silence.until > now);
        for id in order {
            let Some(mut alert) = known.remove(&id) else { continue };
            if alert.closed.is_some() {
                if self.ended.len() == RECENT {
                    self.ended.pop_front();
                }
                self.ended.push_back(alert);
            } else {
                alert.seen = now;
                self.open.insert((alert.rule, Arc::clone(&alert.about)), alert);
            }
        }
    }
}
