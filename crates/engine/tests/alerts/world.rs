//! A day that alerts watch: Wednesday, 18 November 2026, from 14:31 UTC on.

use std::sync::Arc;
use std::time::Duration;

use weir_engine::alerts::{
    Alert, AlertChange, AlertRule, AlertSettings, Alerts, AttemptCounts, BudgetSeen, DeploymentSeen, Escalation,
    HaltedRun, LimitSeen, Notice, Observed, Owner, Told,
};
use weir_engine::{BreakerState, Period, PoolId, Zone};
use weir_units::{DeploymentId, Dimension, NanoUsd, WallTime};

/// 14:31 UTC.
pub(crate) const START: WallTime = WallTime(1_795_012_260_000_000);

pub(crate) struct World {
    pub(crate) alerts: Alerts,
    pub(crate) settings: AlertSettings,
    pub(crate) seen: Observed,
    pub(crate) now: WallTime,
    pub(crate) changes: Vec<AlertChange>,
    pub(crate) notices: Vec<Notice>,
}

impl World {
    pub(crate) fn new() -> Self {
        let owner = Owner {
            name: Some("Platform on-call".into()),
            notify: vec!["ops".into()],
            escalate: vec![Escalation { after: minutes(15), notify: vec!["pager".into()] }],
            lead_time: minutes(10 * 1_440),
        };
        let settings = AlertSettings { owner, ..AlertSettings::default() };
        let (alerts, seen) = (Alerts::default(), Observed::default());
        Self { alerts, settings, seen, now: START, changes: Vec::new(), notices: Vec::new() }
    }

    /// Looks once.
    pub(crate) fn look(&mut self) {
        let told = self.alerts.tick(self.now, &self.settings, &self.seen);
        self.seen.moved.clear();
        self.take(told);
    }

    pub(crate) fn take(&mut self, told: Told) {
        self.changes.extend(told.changes);
        self.notices.extend(told.notices);
    }

    /// Looks every five seconds for so long.
    pub(crate) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end {
            self.now = self.now + Duration::from_secs(5);
            self.look();
        }
    }

    /// What happened since this was last asked: `opened breaker-open p/m`.
    pub(crate) fn happened(&mut self) -> Vec<String> {
        let words = |change: AlertChange| match change {
            AlertChange::Opened(alert) => format!("opened {} {}", alert.rule, alert.about),
            AlertChange::Worsened(alert) => format!("worsened {} {}", alert.rule, alert.about),
            AlertChange::Closed(alert) => format!("closed {} {}", alert.rule, alert.about),
            AlertChange::Acknowledged(alert) => format!("acknowledged {} {}", alert.rule, alert.about),
            AlertChange::Silenced(_, silence) => format!("silenced {} {}", silence.rule, silence.about),
            AlertChange::SilenceEnded { silence, .. } => format!("silence-ended {} {}", silence.rule, silence.about),
        };
        std::mem::take(&mut self.changes).into_iter().map(words).collect()
    }

    /// Who was told what since this was last asked: `ops opened`.
    pub(crate) fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices).iter().map(|n| format!("{} {}", n.to, n.kind.key())).collect()
    }

    /// The open alert of a rule.
    pub(crate) fn open(&self, rule: AlertRule) -> Option<&Alert> {
        self.alerts.open().into_iter().find(|alert| alert.rule == rule)
    }

    pub(crate) fn subject(&self, rule: AlertRule) -> String {
        let subject = self.open(rule).map(|alert| alert.message.subject.clone()).unwrap_or_default();
        assert!(subject.chars().count() <= 80, "{subject}");
        subject
    }
}

pub(crate) fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

pub(crate) fn deployment(name: &str, breaker: BreakerState, counts: (u64, u64, u64)) -> DeploymentSeen {
    let (provider, model) = name.split_once('/').unwrap();
    DeploymentSeen {
        deployment: DeploymentId::new(provider, model),
        breaker,
        refused: None,
        attempts: AttemptCounts { all: counts.0, throttled: counts.1, failed: counts.2 },
        instead: Some(("chat".into(), Some("anthropic".into()))),
    }
}

pub(crate) fn limit(dimension: Dimension, used: u64, limit: u64) -> LimitSeen {
    let pool = PoolId::Shared("gpt-5".into());
    LimitSeen { pool, dimension, limit, used, reset: minutes(300), waiting: 0 }
}

pub(crate) fn budget(name: &str, period: Period, spent: &str, limit: &str) -> BudgetSeen {
    let dollars = |text: &str| text.parse::<NanoUsd>().unwrap();
    BudgetSeen {
        name: name.into(),
        limit: dollars(limit),
        spent: dollars(spent),
        span: period.at(START, &Zone::UTC),
        warn_at_ppm: vec![500_000, 800_000],
    }
}

pub(crate) fn run(name: &str) -> HaltedRun {
    HaltedRun {
        tenant: "shop".into(),
        run: Arc::from(name),
        why: "`search` was called 5 times".into(),
        cost: Some(NanoUsd(61_200_000_000)),
    }
}
