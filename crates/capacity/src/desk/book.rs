//! Demand by the hour for each ceiling: as it was, and as it would have been without one provider.
//!
//! A ceiling's demand is the sum of its members', minute by minute. Where minutes are not kept any more, the busy minute of several
//! members together is put together from those of each, as if they moved independently.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_ledger::{Demand, DemandRow};
use weir_units::{DeploymentId, WallTime};

use super::{Ceiling, Fleet};

/// Microseconds in a minute.
pub(super) const MINUTE: i64 = 60_000_000;
/// Microseconds in an hour.
pub(super) const HOUR: i64 = 60 * MINUTE;
/// Microseconds in a day.
pub(super) const DAY: i64 = 24 * HOUR;

/// One hour of a ceiling's demand, in what its limit counts: requests, tokens, or calls in flight. Figures are per minute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Hour {
    /// The mean minute.
    pub mean: f64,
    /// The minute that 95 of 100 are below.
    pub p95: f64,
    /// The fullest minute.
    pub peak: f64,
}

/// How many requests of a route a deployment was meant to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// The route, or the name that led straight to a deployment.
    pub route: Arc<str>,
    /// The deployment.
    pub deployment: DeploymentId,
    /// Requests.
    pub requests: u64,
}

/// Whose demand a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// A ceiling's, by its place in the fleet.
    Ceiling(usize),
    /// A ceiling's, if this provider were gone, by its place among the providers.
    Without(usize, usize),
}

/// What one deployment's demand adds to a line: a share of it, counted as if this deployment had served it.
struct Part {
    subject: Subject,
    share: f64,
    served_by: DeploymentId,
}

/// Demand by the hour.
#[derive(Debug, Default)]
pub struct Book {
    /// Providers that are configured or were called, in order.
    pub(super) providers: Vec<Arc<str>>,
    lines: BTreeMap<Subject, BTreeMap<i64, Hour>>,
    /// Demand of the last whole minute.
    last_minute: BTreeMap<Subject, f64>,
    /// Each deployment's demand in the span that `Book::totals` names.
    pub(super) totals: BTreeMap<DeploymentId, Demand>,
    /// The share of each route in a deployment's requests.
    pub(super) routes: BTreeMap<DeploymentId, Vec<(Arc<str>, f64)>>,
    /// When the first demand of all was.
    pub(super) since: Option<WallTime>,
}

impl Book {
    /// Takes in hours, the minutes of the newest of them, and whose requests they were. Minutes count where there are any; `now` is the
    /// end of what is known.
    ///
    /// Sums for prices and for what a spill would do are those of hours from `totals_from` on.
    #[must_use]
    pub fn new(
        fleet: &Fleet,
        traffic: &[Traffic],
        hours: &[DemandRow],
        minutes: &[DemandRow],
        totals_from: WallTime,
        now: WallTime,
    ) -> Self {
        let mut book = Self { routes: shares(traffic), ..Self::default() };
        let called = hours.iter().chain(minutes).filter_map(|row| id(&row.deployment)).map(|id| id.provider);
        let known: BTreeSet<Arc<str>> = fleet.accounts.keys().cloned().chain(called).collect();
        book.providers = known.into_iter().collect();
        let mut parts = BTreeMap::new();
        book.take_hours(fleet, hours, totals_from, now, &mut parts);
        book.take_minutes(fleet, minutes, now, &mut parts);
        book
    }

    fn take_hours(
        &mut self,
        fleet: &Fleet,
        rows: &[DemandRow],
        totals_from: WallTime,
        now: WallTime,
        parts: &mut BTreeMap<Arc<str>, Vec<Part>>,
    ) {
        // Of each line and hour: the sums of means, of spreads squared, of the busy minutes, and of peaks.
        let mut sums: BTreeMap<(Subject, i64), [f64; 4]> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.at < now) {
            self.saw(row);
            if row.at >= totals_from
                && let Some(id) = id(&row.deployment)
            {
                add(self.totals.entry(id).or_default(), &row.sum);
            }
            let hour = row.at.0.div_euclid(HOUR);
            for part in self.parts(fleet, &row.deployment, parts) {
                let Some(ceiling) = ceiling_of(fleet, part.subject) else { continue };
                let of = |demand: &Demand| amount(ceiling, &part.served_by, demand) * part.share;
                let (mean, p95, peak) = (of(&row.sum) / 60.0, of(&row.p95), of(&row.peak));
                let sum = sums.entry((part.subject, hour)).or_default();
                let spread = (p95 - mean).max(0.0);
                sum[0] += mean;
                sum[1] += spread * spread;
                sum[2] += p95;
                sum[3] += peak;
            }
        }
        for ((subject, hour), [mean, squares, p95, peak]) in sums {
            let p95 = (mean + squares.sqrt()).min(p95.max(mean));
            self.lines.entry(subject).or_default().insert(hour, Hour { mean, p95, peak: peak.max(p95) });
        }
    }

    fn take_minutes(
        &mut self,
        fleet: &Fleet,
        rows: &[DemandRow],
        now: WallTime,
        parts: &mut BTreeMap<Arc<str>, Vec<Part>>,
    ) {
        let last_minute = now.0.div_euclid(MINUTE) - 1;
        let mut hours: BTreeMap<(Subject, i64), [f64; 60]> = BTreeMap::new();
        let mut covered = BTreeSet::new();
        for row in rows.iter().filter(|row| row.at < now) {
            self.saw(row);
            let minute = row.at.0.div_euclid(MINUTE);
            let (hour, place) = (minute.div_euclid(60), usize::try_from(minute.rem_euclid(60)).unwrap_or(0));
            covered.insert(hour);
            for part in self.parts(fleet, &row.deployment, parts) {
                let Some(ceiling) = ceiling_of(fleet, part.subject) else { continue };
                let amount = amount(ceiling, &part.served_by, &row.sum) * part.share;
                hours.entry((part.subject, hour)).or_insert([0.0; 60])[place.min(59)] += amount;
                if minute == last_minute {
                    *self.last_minute.entry(part.subject).or_default() += amount;
                }
            }
        }
        // An hour that minutes tell of is told by them alone.
        for line in self.lines.values_mut() {
            line.retain(|hour, _| !covered.contains(hour));
        }
        for ((subject, hour), minutes) in hours {
            let passed = (now.0 - hour * HOUR).div_euclid(MINUTE).clamp(1, 60);
            let passed = usize::try_from(passed).unwrap_or(60);
            self.lines.entry(subject).or_default().insert(hour, of_minutes(&minutes[..passed]));
        }
    }

    fn saw(&mut self, row: &DemandRow) {
        self.since = Some(self.since.map_or(row.at, |since| since.min(row.at)));
    }

    fn parts<'p>(
        &self,
        fleet: &Fleet,
        deployment: &Arc<str>,
        known: &'p mut BTreeMap<Arc<str>, Vec<Part>>,
    ) -> &'p [Part] {
        known
            .entry(Arc::clone(deployment))
            .or_insert_with(|| id(deployment).map_or_else(Vec::new, |id| self.of(fleet, &id)))
    }

    /// What a deployment's demand adds to which lines.
    fn of(&self, fleet: &Fleet, id: &DeploymentId) -> Vec<Part> {
        let mut parts = Vec::new();
        for (place, ceiling) in fleet.ceilings.iter().enumerate() {
            if ceiling.members.hold(id) {
                parts.push(Part { subject: Subject::Ceiling(place), share: 1.0, served_by: id.clone() });
            }
            for (gone, provider) in self.providers.iter().enumerate() {
                let subject = Subject::Without(place, gone);
                if id.provider != *provider {
                    if ceiling.members.hold(id) {
                        parts.push(Part { subject, share: 1.0, served_by: id.clone() });
                    }
                    continue;
                }
                let instead = self.instead(fleet, id);
                let inside = instead.into_iter().filter(|(other, _)| ceiling.members.hold(other));
                parts.extend(inside.map(|(served_by, share)| Part { subject, share, served_by }));
            }
        }
        parts
    }

    /// What serves in place of a deployment whose provider is gone, each with its share; what is missing to a whole is refused.
    pub(super) fn instead(&self, fleet: &Fleet, id: &DeploymentId) -> Vec<(DeploymentId, f64)> {
        let mut instead = Vec::new();
        for (name, share) in self.routes_of(fleet, id) {
            let Some(route) = fleet.routes.iter().find(|route| route.name == name) else { continue };
            instead.extend(route.instead(id).into_iter().map(|(other, part)| (other, part * share)));
        }
        instead
    }

    /// The routes that send to a deployment, each with its share of its requests; where nothing was counted, all alike.
    pub(super) fn routes_of(&self, fleet: &Fleet, id: &DeploymentId) -> Vec<(Arc<str>, f64)> {
        if let Some(known) = self.routes.get(id) {
            return known.clone();
        }
        let on: Vec<&Arc<str>> =
            fleet.routes.iter().filter(|route| route.place(id).is_some()).map(|route| &route.name).collect();
        let share = 1.0 / on.len().max(1) as f64;
        on.into_iter().map(|name| (Arc::clone(name), share)).collect()
    }

    /// The hours of a line that are over before `now` or running, from `from` on, those without demand as nothing.
    pub(super) fn hours(&self, subject: Subject, from: WallTime, now: WallTime) -> Vec<(WallTime, Hour)> {
        let Some(line) = self.lines.get(&subject) else { return Vec::new() };
        let Some(first) = line.keys().next().copied() else { return Vec::new() };
        let first = first.max(from.0.div_euclid(HOUR));
        let last = (now.0 - 1).div_euclid(HOUR);
        (first..=last).map(|hour| (WallTime(hour * HOUR), line.get(&hour).copied().unwrap_or_default())).collect()
    }

    /// The hour since `from` with the highest busy minute; none without any demand.
    pub(super) fn busiest(&self, subject: Subject, from: WallTime, now: WallTime) -> Option<(WallTime, Hour)> {
        let line = self.lines.get(&subject)?;
        let within = line.range(from.0.div_euclid(HOUR)..).filter(|(hour, _)| **hour * HOUR < now.0);
        let busiest = within.max_by(|(_, a), (_, b)| a.p95.total_cmp(&b.p95))?;
        Some((WallTime(busiest.0 * HOUR), *busiest.1))
    }

    /// Demand of the last whole minute.
    pub(super) fn last_minute(&self, subject: Subject) -> f64 {
        self.last_minute.get(&subject).copied().unwrap_or(0.0)
    }
}

/// Minutes of an hour that are over.
pub(super) fn passed(hour: WallTime, now: WallTime) -> f64 {
    ((now.0 - hour.0).div_euclid(MINUTE)).clamp(1, 60) as f64
}

fn ceiling_of(fleet: &Fleet, subject: Subject) -> Option<&Ceiling> {
    let (Subject::Ceiling(place) | Subject::Without(place, _)) = subject;
    fleet.ceilings.get(place)
}

/// What demand takes from a ceiling, as a figure of one minute or of sixty: calls in flight are milliseconds under way over those that
/// a minute has.
pub(super) fn amount(ceiling: &Ceiling, served_by: &DeploymentId, demand: &Demand) -> f64 {
    let takes = ceiling.takes(served_by, demand) as f64;
    if ceiling.dimension == weir_units::Dimension::ConcurrentRequests { takes / 60_000.0 } else { takes }
}

fn of_minutes(minutes: &[f64]) -> Hour {
    let mut sorted = minutes.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let place = (sorted.len() * 95).div_ceil(100).saturating_sub(1);
    Hour {
        mean: minutes.iter().sum::<f64>() / minutes.len().max(1) as f64,
        p95: sorted.get(place).copied().unwrap_or(0.0),
        peak: sorted.last().copied().unwrap_or(0.0),
    }
}

/// `provider/model` as an id; none of what is no such name.
pub(super) fn id(deployment: &str) -> Option<DeploymentId> {
    let (provider, model) = deployment.split_once('/')?;
    (!provider.is_empty() && !model.is_empty()).then(|| DeploymentId::new(provider, model))
}

fn add(sum: &mut Demand, more: &Demand) {
    sum.requests = sum.requests.saturating_add(more.requests);
    sum.input = sum.input.saturating_add(more.input);
    sum.cached_input = sum.cached_input.saturating_add(more.cached_input);
    sum.output = sum.output.saturating_add(more.output);
    sum.busy_ms = sum.busy_ms.saturating_add(more.busy_ms);
    sum.throttled = sum.throttled.saturating_add(more.throttled);
}

fn shares(traffic: &[Traffic]) -> BTreeMap<DeploymentId, Vec<(Arc<str>, f64)>> {
    let mut all: BTreeMap<&DeploymentId, u64> = BTreeMap::new();
    for one in traffic {
        *all.entry(&one.deployment).or_default() += one.requests;
    }
    let mut shares: BTreeMap<DeploymentId, Vec<(Arc<str>, f64)>> = BTreeMap::new();
    for one in traffic.iter().filter(|one| one.requests > 0) {
        let share = one.requests as f64 / all.get(&one.deployment).copied().unwrap_or(1).max(1) as f64;
        shares.entry(one.deployment.clone()).or_default().push((Arc::clone(&one.route), share));
    }
    shares
}
