//! Capacity: limits that are nearly used up or will be soon, and providers that refuse for theirs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use weir_units::{Dimension, WallTime};

use super::judge::{Within, until_gone};
use super::observed::{AttemptCounts, DeploymentSeen, LimitSeen};
use super::rule::{AlertRule, Severity};
use super::samples::{Samples, to_f64};
use super::settings::AlertSettings;
use super::symptom::{Evidence, Symptom};
use crate::limits::PoolId;

/// A trend is read from so long a time.
const TREND: Duration = Duration::from_secs(1_800);
/// The pace of a day's use is that of the last hour.
const PACE: Duration = Duration::from_secs(3_600);
/// Below this share of the limit, in parts per million, no trend is worth an alert.
const LEAST: u64 = 500_000;

/// What was used of each limit lately.
#[derive(Debug, Default)]
pub(super) struct Uses(BTreeMap<(PoolId, &'static str), Samples<u64>>);

impl Uses {
    /// Limits that are nearly used up, or will be soon.
    pub(super) fn look(&mut self, now: WallTime, settings: &AlertSettings, limits: &[LimitSeen]) -> Vec<Symptom> {
        let mut found = Vec::new();
        let mut kept = BTreeMap::new();
        for seen in limits {
            let key = (seen.pool.clone(), seen.dimension.name());
            let span = if seen.dimension.is_daily() { PACE } else { TREND };
            let mut samples = self.0.remove(&key).unwrap_or_else(|| Samples::new(span, now, seen.used));
            // A day that begins anew begins from nothing.
            if seen.dimension.is_daily() && samples.before(now, Duration::ZERO).is_some_and(|last| last > seen.used) {
                samples = Samples::new(span, now, seen.used);
            }
            samples.add(now, span, seen.used);
            found.extend(headroom(now, settings, seen, &samples));
            kept.insert(key, samples);
        }
        self.0 = kept;
        found
    }
}

fn headroom(now: WallTime, settings: &AlertSettings, seen: &LimitSeen, samples: &Samples<u64>) -> Option<Symptom> {
    let share = u64::try_from(u128::from(seen.used) * 1_000_000 / u128::from(seen.limit.max(1))).unwrap_or(u64::MAX);
    let most = 1_000_000 - u64::from(settings.headroom_ppm.min(1_000_000));
    let daily = seen.dimension.is_daily();
    let left = match seen.dimension {
        Dimension::ConcurrentRequests => None,
        _ => samples
            .line(now)
            .filter(|(level, slope)| *slope > 0.0 && *level * 1e6 >= to_f64(LEAST) * to_f64(seen.limit)),
    };
    let left = left.and_then(|(level, slope)| until_gone(to_f64(seen.limit) - level, slope));
    // What a day brings back in time is no trouble.
    let left = left.filter(|left| !daily || *left < seen.reset);
    let ahead = if daily { seen.reset } else { settings.headroom_ahead };
    let opens = share >= most || left.is_some_and(|left| left <= ahead);
    let stays = share >= most / 10 * 9 || left.is_some_and(|left| left <= ahead * 2);
    (opens || stays).then(|| Symptom {
        rule: AlertRule::Headroom,
        about: format!("{} {}", seen.pool, seen.dimension.words()).into(),
        severity: if seen.used >= seen.limit { Severity::Error } else { Severity::Warning },
        opens,
        size: share,
        step: if seen.used >= seen.limit { 2 } else { 1 },
        evidence: Evidence::Headroom {
            pool: seen.pool.to_string().into(),
            dimension: seen.dimension,
            limit: seen.limit,
            used: seen.used,
            waiting: seen.waiting,
            full_at: left.filter(|_| seen.used < seen.limit).map(|left| now + left),
            resets_at: daily.then(|| now + seen.reset),
        },
    })
}

/// Providers that answer too many attempts with a 429.
pub(super) fn throttled(
    settings: &AlertSettings,
    providers: &BTreeMap<&Arc<str>, Vec<&DeploymentSeen>>,
    within: &Within,
    limits: &[LimitSeen],
) -> Vec<Symptom> {
    let mut found = Vec::new();
    for (provider, of_it) in providers {
        let mut counts = AttemptCounts::default();
        of_it.iter().filter_map(|one| within.get(&one.deployment)).for_each(|part| counts.add(*part));
        let share = counts.throttled.saturating_mul(1_000_000).checked_div(counts.all).unwrap_or(0);
        let most = u64::from(settings.throttled_ppm);
        if counts.all < settings.least_attempts || counts.throttled == 0 || share < most / 2 {
            continue;
        }
        found.push(Symptom {
            rule: AlertRule::Throttled,
            about: Arc::clone(provider),
            severity: Severity::Warning,
            opens: share >= most,
            size: share,
            step: 1,
            evidence: Evidence::Throttled {
                provider: Arc::clone(provider),
                counts,
                window: settings.window,
                fullest: fullest(provider, limits),
            },
        });
    }
    found
}

/// The fullest limit of a provider or its models.
fn fullest(provider: &str, limits: &[LimitSeen]) -> Option<(Dimension, Arc<str>)> {
    let its = limits.iter().filter(|seen| match &seen.pool {
        PoolId::Provider(name) => **name == *provider,
        PoolId::Model(deployment) => *deployment.provider == *provider,
        PoolId::Shared(_) | PoolId::Key(_) => false,
    });
    let fullest = its.max_by_key(|seen| u128::from(seen.used) * 1_000_000 / u128::from(seen.limit.max(1)))?;
    Some((fullest.dimension, fullest.pool.to_string().into()))
}
