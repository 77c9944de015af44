//! The life of alerts: they open, get worse, are taken on or silenced, and end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use weir_units::WallTime;

use super::alert::{Acknowledgement, Alert, AlertId, Closing, Silence};
use super::judge::Judge;
use super::observed::Observed;
use super::rule::AlertRule;
use super::samples::between;
use super::settings::AlertSettings;
use super::symptom::Symptom;
use super::telling::{Notice, NoticeKind};
use super::words;

/// Alerts of one rule that may be open at once.
const OPEN: usize = 100;
/// Ended alerts that are remembered.
pub(super) const RECENT: usize = 500;
/// Silences that are remembered.
const SILENCES: usize = 1_000;
/// What comes back within this time after it ended flaps, and must be quiet twice as long each time, up to 16 times.
const FLAPPING: Duration = Duration::from_secs(3_600);
const MOST_DOUBLINGS: u32 = 4;

type Key = (AlertRule, Arc<str>);

/// All alerts.
#[derive(Debug, Default)]
pub struct Alerts {
    judge: Judge,
    pub(super) open: BTreeMap<Key, Alert>,
    pub(super) ended: VecDeque<Alert>,
    pub(super) silences: BTreeMap<Key, Silence>,
    /// When something last ended, and how often it had come back.
    flaps: BTreeMap<Key, (WallTime, u32)>,
    left_out: BTreeMap<AlertRule, usize>,
    now: WallTime,
}

/// One thing that happened to alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertChange {
    /// One opened.
    Opened(Alert),
    /// One passed another threshold.
    Worsened(Alert),
    /// One ended.
    Closed(Alert),
    /// Somebody took one on.
    Acknowledged(Alert),
    /// Somebody silenced one.
    Silenced(AlertId, Silence),
    /// Somebody ended its silence.
    SilenceEnded {
        /// The alert that was named.
        id: AlertId,
        /// What ended.
        silence: Silence,
        /// Who ended it.
        by: Arc<str>,
    },
}

/// What happened, and whom to tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What goes on record.
    pub changes: Vec<AlertChange>,
    /// What is sent, in this order.
    pub notices: Vec<Notice>,
}

/// Why nothing was done to an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSuchAlert {
    /// There is none of this name, or it ended long ago.
    Unknown,
    /// It has ended.
    Ended,
    /// There is no silence over it.
    NotSilenced,
    /// There are too many silences.
    TooMany,
}

impl fmt::Display for NoSuchAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no such alert is known: it never was, or ended long ago",
            Self::Ended => "this alert has ended: there is nothing to take on",
            Self::NotSilenced => "this alert is not silenced",
            Self::TooMany => "there are 1,000 silences already: end some first",
        })
    }
}

impl Alerts {
    /// Looks at what is the case now.
    pub fn tick(&mut self, now: WallTime, settings: &AlertSettings, seen: &Observed) -> Told {
        // The calendar may be set back; what has begun has begun.
        self.now = self.now.max(now);
        let now = self.now;
        let mut told = Told::default();
        self.silences.retain(|_, silence| silence.until > now);
        self.flaps.retain(|_, (at, _)| between(*at, now) < FLAPPING);
        self.left_out.clear();
        let mut found = BTreeSet::new();
        for symptom in self.judge.look(now, settings, seen) {
            let about: Arc<str> = words::plain(&symptom.about, 200).into();
            let key = (symptom.rule, about);
            // A limit that rises ends what its fall began.
            if symptom.rule != AlertRule::LimitChanged || symptom.opens {
                found.insert(key.clone());
            } else if let Some(alert) = self.open.get_mut(&key) {
                alert.seen = now;
                self.close(now, &key, &mut told);
                continue;
            }
            match self.open.get_mut(&key) {
                Some(alert) => update(alert, now, settings, &symptom, &mut told),
                None if symptom.opens => self.open_one(now, settings, key, &symptom, &mut told),
                None => {}
            }
        }
        self.close_what_is_over(now, settings, &found, &mut told);
        self.resolve_late(now, &mut told);
        let silences = &self.silences;
        for (key, alert) in &mut self.open {
            if !settings.silenced.contains(&key.0) && !silences.contains_key(key) {
                told.notices.extend(alert.due(now, settings));
            }
        }
        told
    }

    fn open_one(&mut self, now: WallTime, settings: &AlertSettings, key: Key, symptom: &Symptom, told: &mut Told) {
        if self.open.range((key.0, Arc::from(""))..).take_while(|(other, _)| other.0 == key.0).count() >= OPEN {
            *self.left_out.entry(key.0).or_default() += 1;
            return;
        }
        let flaps = self.flaps.get(&key).map_or(0, |(_, times)| times + 1);
        let id = AlertId::of(key.0, &key.1, now);
        let alert = Alert {
            severity: symptom.severity,
            message: words::message(&symptom.evidence, now, now, settings),
            peak: words::peak(&symptom.evidence),
            step: symptom.step,
            peak_size: symptom.size,
            flaps,
            ..Alert::begun(id, key.0, Arc::clone(&key.1), now)
        };
        told.changes.push(AlertChange::Opened(alert.clone()));
        self.open.insert(key, alert);
    }

    fn close_what_is_over(&mut self, now: WallTime, settings: &AlertSettings, found: &BTreeSet<Key>, told: &mut Told) {
        let over = |(key, alert): (&Key, &Alert)| {
            let quiet = match alert.rule {
                AlertRule::LimitChanged => settings.limit_changed_for,
                _ if alert.rule.flickers() || alert.flaps > 0 || alert.restored => {
                    settings.resolve_after * (1 << alert.flaps.min(MOST_DOUBLINGS))
                }
                _ => Duration::ZERO,
            };
            (!found.contains(key) && between(alert.seen, now) >= quiet).then(|| key.clone())
        };
        let over: Vec<Key> = self.open.iter().filter_map(over).collect();
        for key in over {
            self.close(now, &key, told);
        }
    }

    fn close(&mut self, now: WallTime, key: &Key, told: &mut Told) {
        let Some(mut alert) = self.open.remove(key) else { return };
        let lasted = between(alert.since, alert.seen);
        alert.closed = Some(Closing { at: now, lasted, words: words::closing(&alert, lasted) });
        told.changes.push(AlertChange::Closed(alert.clone()));
        told.notices.extend(alert.tell_known(NoticeKind::Resolved));
        self.flaps.insert(key.clone(), (now, alert.flaps));
        if self.ended.len() == RECENT {
            self.ended.pop_front();
        }
        self.ended.push_back(alert);
    }

    /// Alerts that ended shortly before a restart, and of whose end somebody who knows of them was not told.
    fn resolve_late(&mut self, now: WallTime, told: &mut Told) {
        for alert in self.ended.iter_mut().filter(|alert| alert.restored) {
            alert.restored = false;
            if alert.closed.as_ref().is_some_and(|end| between(end.at, now) < FLAPPING) {
                told.notices.extend(alert.tell_known(NoticeKind::Resolved));
            }
        }
    }

    /// Somebody takes an alert on: it is escalated no further, until it gets worse.
    ///
    /// # Errors
    /// When there is none of this name, or it has ended.
    pub fn acknowledge(&mut self, now: WallTime, id: AlertId, by: &str) -> Result<Told, NoSuchAlert> {
        let Some(alert) = self.open.values_mut().find(|alert| alert.id == id) else {
            return Err(self.absent(id));
        };
        if alert.acknowledged.is_some() {
            return Ok(Told::default());
        }
        alert.acknowledged = Some(Acknowledgement { by: by.into(), at: now.max(self.now) });
        let change = AlertChange::Acknowledged(alert.clone());
        Ok(Told { changes: vec![change], notices: alert.tell_known(NoticeKind::Acknowledged) })
    }

    /// Nobody is told of what an alert is about until a time, also if it ends and comes back.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn silence(
        &mut self,
        now: WallTime,
        id: AlertId,
        by: &str,
        why: &str,
        until: WallTime,
    ) -> Result<Told, NoSuchAlert> {
        let alert = self.find(id).ok_or(NoSuchAlert::Unknown)?;
        let key = (alert.rule, Arc::clone(&alert.about));
        if self.silences.len() >= SILENCES && !self.silences.contains_key(&key) {
            return Err(NoSuchAlert::TooMany);
        }
        let why = words::plain(why, 300).into();
        let silence = Silence { rule: key.0, about: Arc::clone(&key.1), by: by.into(), why, since: now, until };
        self.silences.insert(key, silence.clone());
        Ok(Told { changes: vec![AlertChange::Silenced(id, silence)], notices: Vec::new() })
    }

    /// Ends a silence before its time.
    ///
    /// # Errors
    /// When there is no such alert, or no silence over it.
    pub fn end_silence(&mut self, id: AlertId, by: &str) -> Result<Told, NoSuchAlert> {
        let alert = self.find(id).ok_or(NoSuchAlert::Unknown)?;
        let key = (alert.rule, Arc::clone(&alert.about));
        let silence = self.silences.remove(&key).ok_or(NoSuchAlert::NotSilenced)?;
        Ok(Told { changes: vec![AlertChange::SilenceEnded { id, silence, by: by.into() }], notices: Vec::new() })
    }

    fn absent(&self, id: AlertId) -> NoSuchAlert {
        if self.find(id).is_some() { NoSuchAlert::Ended } else { NoSuchAlert::Unknown }
    }

    /// An alert, if it is open or ended not long ago.
    #[must_use]
    pub fn find(&self, id: AlertId) -> Option<&Alert> {
        self.open.values().chain(self.ended.iter().rev()).find(|alert| alert.id == id)
    }

    /// Those that are open, the most urgent first, then the oldest.
    #[must_use]
    pub fn open(&self) -> Vec<&Alert> {
        let mut open: Vec<&Alert> = self.open.values().collect();
        open.sort_by_key(|alert| (std::cmp::Reverse(alert.severity), alert.since, alert.id));
        open
    }

    /// Those that ended lately, the last first.
    pub fn ended(&self) -> impl Iterator<Item = &Alert> {
        self.ended.iter().rev()
    }

    /// The silences.
    pub fn silences(&self) -> impl Iterator<Item = &Silence> {
        self.silences.values()
    }

    /// The silence over an alert.
    #[must_use]
    pub fn silence_of(&self, alert: &Alert) -> Option<&Silence> {
        self.silences.get(&(alert.rule, Arc::clone(&alert.about)))
    }

    /// What is the case and has no alert, since there are too many of its rule, by rule.
    #[must_use]
    pub fn left_out(&self) -> &BTreeMap<AlertRule, usize> {
        &self.left_out
    }
}

/// An alert that is seen again.
fn update(alert: &mut Alert, now: WallTime, settings: &AlertSettings, symptom: &Symptom, told: &mut Told) {
    alert.seen = now;
    alert.restored &= alert.told_at.is_none();
    alert.message = words::message(&symptom.evidence, alert.since, now, settings);
    alert.severity = alert.severity.max(symptom.severity);
    if symptom.size > alert.peak_size || alert.peak.is_empty() {
        alert.peak_size = symptom.size;
        alert.peak = words::peak(&symptom.evidence);
    }
    if symptom.opens && symptom.step > alert.step {
        alert.step = symptom.step;
        // What got worse is nobody's until somebody takes it on again.
        (alert.acknowledged, alert.told_at, alert.escalated, alert.restored) = (None, None, 0, false);
        told.changes.push(AlertChange::Worsened(alert.clone()));
    }
}
