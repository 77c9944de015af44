//! Who is told when: at the beginning, when it gets worse, when nobody takes it on, and at the end.

use std::collections::BTreeSet;
use std::sync::Arc;

use weir_units::WallTime;

use super::alert::Alert;
use super::rule::{AlertRule, Severity};
use super::samples::between;
use super::settings::AlertSettings;

/// One message to one notifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The alert as it was then.
    pub alert: Alert,
    /// The notifier.
    pub to: Arc<str>,
    /// Why it is told.
    pub kind: NoticeKind,
}

impl Notice {
    /// The same for each try, also after a restart, so that a receiver can tell a repeated message from a new one.
    #[must_use]
    pub fn event_id(&self) -> String {
        format!("{}-{}", self.alert.id, self.kind.key())
    }
}

/// Why somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeKind {
    /// It began.
    Opened,
    /// It passed one more threshold, so many in all.
    Worse(u32),
    /// Nobody took it on: with so many thresholds passed, this is such a step of the escalation.
    Escalated(u32, u32),
    /// Nobody took it on still; for the so manieth time.
    Reminder(u32),
    /// Somebody took it on.
    Acknowledged,
    /// It ended.
    Resolved,
}

impl NoticeKind {
    /// The name in messages, facts and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Worse(_) => "worse",
            Self::Escalated(..) => "escalated",
            Self::Reminder(_) => "reminder",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }

    /// What tells it from the others of the same alert.
    #[must_use]
    pub fn key(self) -> String {
        match self {
            Self::Worse(step) | Self::Reminder(step) => format!("{}-{step}", self.name()),
            Self::Escalated(step, level) => format!("{}-{step}-{level}", self.name()),
            _ => self.name().to_owned(),
        }
    }
}

impl Alert {
    /// The messages that are due of an open alert, of which nobody is silent.
    pub(super) fn due(&mut self, now: WallTime, settings: &AlertSettings) -> Vec<Notice> {
        let mut notices = Vec::new();
        let owner = &settings.owner;
        if self.told_at.is_none() {
            // After a restart the clock of the escalation is where it was.
            self.told_at = Some(if self.restored { self.since } else { now });
            self.last_told = Some(now);
            let kind =
                if self.step > 1 && !self.sent.is_empty() { NoticeKind::Worse(self.step) } else { NoticeKind::Opened };
            let to: BTreeSet<Arc<str>> = self.told().into_iter().chain(owner.notify.iter().cloned()).collect();
            self.send(to, kind, &mut notices);
        }
        if self.acknowledged.is_some() || self.severity == Severity::Info {
            return notices;
        }
        let told_at = self.told_at.unwrap_or(now);
        while let Some(step) = owner.escalate.get(self.escalated).filter(|step| between(told_at, now) >= step.after) {
            self.escalated += 1;
            let level = u32::try_from(self.escalated).unwrap_or(u32::MAX);
            self.send(step.notify.iter().cloned(), NoticeKind::Escalated(self.step, level), &mut notices);
        }
        if let Some(every) = settings.repeat
            && self.last_told.is_some_and(|last| between(last, now) >= every)
        {
            self.reminders += 1;
            self.last_told = Some(now);
            self.send(self.told(), NoticeKind::Reminder(self.reminders), &mut notices);
        }
        notices
    }

    /// Tells those who know of it already.
    pub(super) fn tell_known(&mut self, kind: NoticeKind) -> Vec<Notice> {
        let mut notices = Vec::new();
        self.send(self.told(), kind, &mut notices);
        notices
    }

    fn send(&mut self, to: impl IntoIterator<Item = Arc<str>>, kind: NoticeKind, notices: &mut Vec<Notice>) {
        let key = kind.key();
        // A notifier that takes no messages is not told so.
        let deaf = (self.rule == AlertRule::DeliveryFailing).then(|| Arc::clone(&self.about));
        let to = to.into_iter().filter(|to| Some(to) != deaf.as_ref());
        let new: Vec<Arc<str>> = to.filter(|to| self.sent.insert((Arc::clone(to), key.clone()))).collect();
        notices.extend(new.into_iter().map(|to| Notice { alert: self.clone(), to, kind }));
    }
}
