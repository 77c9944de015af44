//! One look at everything: which conditions hold now. It remembers figures of the last hours, and nothing of alerts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use weir_units::{DeploymentId, WallTime};

use super::budgets::Burns;
use super::capacity::Uses;
use super::observed::{AttemptCounts, DeploymentSeen, LedgerSeen, LimitDeclared, LimitMoved, NotifierSeen, Observed};
use super::rule::{AlertRule, Severity};
use super::samples::{Samples, between};
use super::settings::AlertSettings;
use super::symptom::{Evidence, Symptom};
use crate::change::BreakerState;

/// What is remembered between looks.
#[derive(Debug, Default)]
pub(super) struct Judge {
    deployments: BTreeMap<DeploymentId, Samples<AttemptCounts>>,
    silences: BTreeMap<Arc<str>, Streak>,
    uses: Uses,
    burns: Burns,
    /// Rows lost that an alert has told of, and when the last were.
    lost: (u64, Option<WallTime>),
}

/// Attempts at a provider that failed since it last answered.
#[derive(Debug, Default)]
struct Streak {
    replied: u64,
    failed_before: u64,
    since: Option<WallTime>,
}

/// A provider and its deployments.
type Providers<'a> = BTreeMap<&'a Arc<str>, Vec<&'a DeploymentSeen>>;

impl Judge {
    /// What is found now.
    pub(super) fn look(&mut self, now: WallTime, settings: &AlertSettings, seen: &Observed) -> Vec<Symptom> {
        let mut found = Vec::new();
        let mut providers = Providers::new();
        for deployment in &seen.deployments {
            providers.entry(&deployment.deployment.provider).or_default().push(deployment);
        }
        let within = self.attempts(now, settings, &seen.deployments);
        found.extend(self.down(now, settings, &providers));
        found.extend(providers.iter().filter_map(|(provider, of_it)| refused(provider, of_it)));
        found.extend(breakers(settings, &seen.deployments, &within));
        found.extend(self.uses.look(now, settings, &seen.limits));
        found.extend(super::capacity::throttled(settings, &providers, &within, &seen.limits));
        found.extend(self.burns.look(now, &seen.budgets));
        found.extend(seen.budgets.iter().filter_map(|budget| super::budgets::warned(now, budget)));
        found.extend(super::ahead::ceilings(now, settings, &seen.ceilings));
        found.extend(super::ahead::budgets(&seen.budgets_ahead));
        found.extend(seen.runs.iter().map(halted));
        // What is declared and stated says more than that it changed.
        let same = |moved: &&LimitMoved| {
            let mut compared = seen.compared.iter();
            !compared.any(|both| both.pool == moved.pool && both.dimension == moved.dimension)
        };
        found.extend(seen.moved.iter().filter(same).map(moved));
        found.extend(seen.compared.iter().map(drifted));
        found.extend(self.ledger(now, settings, &seen.ledger));
        found.extend(seen.notifiers.iter().filter_map(failing));
        found
    }

    /// What came of the attempts within the window, by deployment.
    fn attempts(&mut self, now: WallTime, settings: &AlertSettings, seen: &[DeploymentSeen]) -> Within {
        let mut within = Within::new();
        let mut kept = BTreeMap::new();
        for one in seen {
            // What is new here has counted since the last look at the earliest.
            let new = || Samples::new(settings.window, now, AttemptCounts::default());
            let mut samples = self.deployments.remove(&one.deployment).unwrap_or_else(new);
            samples.add(now, settings.window, one.attempts);
            let before = samples.before(now, settings.window).unwrap_or_default();
            within.insert(one.deployment.clone(), one.attempts.since(before));
            kept.insert(one.deployment.clone(), samples);
        }
        self.deployments = kept;
        within
    }

    fn down(&mut self, now: WallTime, settings: &AlertSettings, providers: &Providers<'_>) -> Vec<Symptom> {
        let mut found = Vec::new();
        let mut kept = BTreeMap::new();
        for (provider, of_it) in providers {
            let mut counts = AttemptCounts::default();
            of_it.iter().for_each(|one| counts.add(one.attempts));
            let mut streak = self.silences.remove(*provider).unwrap_or_default();
            let replied = counts.answered() + counts.throttled;
            if replied > streak.replied {
                streak = Streak { replied, failed_before: counts.failed, since: None };
            }
            let failed = counts.failed.saturating_sub(streak.failed_before);
            if failed > 0 {
                let since = *streak.since.get_or_insert(now);
                let for_long = between(since, now);
                if failed >= settings.down_attempts && for_long >= settings.down_after {
                    found.push(Symptom {
                        rule: AlertRule::ProviderDown,
                        about: Arc::clone(provider),
                        severity: Severity::Critical,
                        opens: true,
                        size: failed,
                        step: 1,
                        evidence: Evidence::ProviderDown {
                            provider: Arc::clone(provider),
                            failed,
                            for_long,
                            instead: instead(of_it),
                        },
                    });
                }
            }
            kept.insert(Arc::clone(provider), streak);
        }
        self.silences = kept;
        found
    }

    fn ledger(&mut self, now: WallTime, settings: &AlertSettings, seen: &LedgerSeen) -> Option<Symptom> {
        let (told, last) = &mut self.lost;
        if seen.lost > *told {
            (*told, *last) = (seen.lost, Some(now));
        }
        let loses = last.is_some_and(|at| between(at, now) < settings.window);
        let behind = seen.failing_since.is_some() || seen.waiting >= settings.ledger_rows;
        (loses || behind || seen.waiting >= settings.ledger_rows / 2).then(|| Symptom {
            rule: AlertRule::LedgerBehind,
            about: Arc::from("ledger"),
            severity: if loses { Severity::Critical } else { Severity::Error },
            opens: loses || behind,
            size: seen.waiting,
            step: if loses { 2 } else { 1 },
            evidence: Evidence::LedgerBehind {
                waiting: seen.waiting,
                lost: if loses { seen.lost } else { 0 },
                failing_since: seen.failing_since,
                why: seen.why.clone(),
            },
        })
    }
}

/// What came of attempts within the window.
pub(super) type Within = BTreeMap<DeploymentId, AttemptCounts>;

fn instead(of_it: &[&DeploymentSeen]) -> Option<(Arc<str>, Option<Arc<str>>)> {
    let known = || of_it.iter().filter_map(|one| one.instead.clone());
    // A route that nobody serves is what must be said first.
    known().find(|(_, provider)| provider.is_none()).or_else(|| known().next())
}

fn refused(provider: &Arc<str>, of_it: &[&DeploymentSeen]) -> Option<Symptom> {
    let class = of_it.iter().find_map(|one| one.refused)?;
    Some(Symptom {
        rule: AlertRule::CredentialRefused,
        about: Arc::clone(provider),
        severity: Severity::Critical,
        opens: true,
        size: 0,
        step: 1,
        evidence: Evidence::CredentialRefused { provider: Arc::clone(provider), class, instead: instead(of_it) },
    })
}

fn breakers(settings: &AlertSettings, seen: &[DeploymentSeen], within: &Within) -> Vec<Symptom> {
    let open = seen.iter().filter(|one| one.breaker != BreakerState::Closed);
    open.map(|one| {
        let counts = within.get(&one.deployment).copied().unwrap_or_default();
        Symptom {
            rule: AlertRule::BreakerOpen,
            about: one.deployment.to_string().into(),
            severity: Severity::Error,
            // One that is half-open was open, if only between two looks.
            opens: true,
            size: counts.failed,
            step: 1,
            evidence: Evidence::BreakerOpen {
                deployment: one.deployment.clone(),
                counts,
                window: settings.window,
                instead: one.instead.clone(),
            },
        }
    })
    .collect()
}

fn halted(run: &super::observed::HaltedRun) -> Symptom {
    Symptom {
        rule: AlertRule::RunHalted,
        about: format!("{}/{}", run.tenant, run.run).into(),
        severity: Severity::Warning,
        opens: true,
        size: run.cost.map_or(0, |cost| cost.0.unsigned_abs()),
        step: 1,
        evidence: Evidence::RunHalted {
            tenant: Arc::clone(&run.tenant),
            run: Arc::clone(&run.run),
            why: Arc::clone(&run.why),
            cost: run.cost,
        },
    }
}

/// A limit that fell is an alert; one that rises ends it.
fn moved(limit: &LimitMoved) -> Symptom {
    let fell = limit.old.saturating_sub(limit.new);
    let share = u128::from(fell) * 1_000_000 / u128::from(limit.old.max(1));
    Symptom {
        rule: AlertRule::LimitChanged,
        about: format!("{} {}", limit.pool, limit.dimension.words()).into(),
        severity: Severity::Warning,
        opens: fell > 0,
        size: u64::try_from(share).unwrap_or(u64::MAX),
        step: 1,
        evidence: Evidence::LimitChanged {
            pool: Arc::clone(&limit.pool),
            dimension: limit.dimension,
            old: limit.old,
            new: limit.new,
            how: Arc::clone(&limit.how),
        },
    }
}

/// What is declared and is not what the provider states is an alert until both are equal. A provider that gives more than is
/// declared refuses nobody.
fn drifted(limit: &LimitDeclared) -> Symptom {
    let off = u128::from(limit.stated.abs_diff(limit.declared)) * 1_000_000 / u128::from(limit.declared.max(1));
    Symptom {
        rule: AlertRule::LimitChanged,
        about: format!("{} {}", limit.pool, limit.dimension.words()).into(),
        severity: if limit.stated < limit.declared { Severity::Warning } else { Severity::Info },
        opens: limit.stated != limit.declared,
        size: u64::try_from(off).unwrap_or(u64::MAX),
        step: 1,
        evidence: Evidence::LimitDrift(limit.clone()),
    }
}

fn failing(notifier: &NotifierSeen) -> Option<Symptom> {
    let failing_since = notifier.failing_since?;
    Some(Symptom {
        rule: AlertRule::DeliveryFailing,
        about: Arc::clone(&notifier.name),
        severity: Severity::Error,
        opens: true,
        size: notifier.waiting as u64,
        step: 1,
        evidence: Evidence::DeliveryFailing {
            notifier: Arc::clone(&notifier.name),
            failing_since,
            waiting: notifier.waiting,
            why: Arc::clone(&notifier.why),
        },
    })
}

/// How long until something is used up at a pace, where that is within a century.
pub(super) fn until_gone(left: f64, per_second: f64) -> Option<Duration> {
    let seconds = left.max(0.0) / per_second;
    (seconds.is_finite() && seconds < 3.2e9).then(|| Duration::from_secs_f64(seconds))
}
