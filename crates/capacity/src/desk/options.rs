//! What could be done about a ceiling, each with what it would bring: more of it, less on it, or the same at another time.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_engine::DayStart;
use weir_ledger::Demand;
use weir_units::numbers::short;
use weir_units::{DeploymentId, NanoUsd, Tier, Tokens, Usage, WallTime};

use super::book::{Book, HOUR, amount};
use super::outlook::{before, share};
use super::view::{CeilingView, ChoiceView};
use super::words::percent;
use super::{Ceiling, Fleet, RouteOrder};

/// What is left of a limit when it is well chosen: a fifth.
const ROOM: f64 = 0.8;
/// What is moved where nothing must be.
const SOME: f64 = 0.25;
/// Below this nothing is worth a line.
const LEAST: f64 = 0.005;
/// Days of a month.
const MONTH: f64 = 30.0;

/// What the requests of one key ask of a ceiling.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyUse {
    /// The key.
    pub key: Arc<str>,
    /// Its share of what was asked for in the busiest hour of the last seven days.
    pub share: f64,
    /// What its requests to this ceiling's deployments cost in those days; none if a part of it is unknown.
    pub cost: Option<NanoUsd>,
}

/// A ceiling about which something is to be done.
pub(super) struct Pressed<'a> {
    pub(super) fleet: &'a Fleet,
    pub(super) book: &'a Book,
    pub(super) ceiling: &'a Ceiling,
    pub(super) view: &'a CeilingView,
    /// Every ceiling, in the fleet's order.
    pub(super) views: &'a [CeilingView],
    /// Who asks for what of it; none if that is unknown.
    pub(super) keys: Option<&'a [KeyUse]>,
    /// For how many days the book's totals are.
    pub(super) days: f64,
}

impl Pressed<'_> {
    /// What is asked for in the busiest hour: of the forecast, or where there is none, of the last seven days.
    fn busy(&self) -> f64 {
        let ahead = self.view.busiest.map_or(0.0, |busiest| busiest.p50);
        ahead.max(self.view.peak.map_or(0.0, |peak| peak.amount))
    }

    /// All options, the most headroom first, and what is unknown of others.
    pub(super) fn options(&self) -> (Vec<ChoiceView>, Vec<String>) {
        if self.busy() <= 0.0 || self.ceiling.limit == 0 {
            return (Vec::new(), Vec::new());
        }
        let mut unknown = Vec::new();
        let mut all = vec![self.upgrade()];
        all.extend(self.spills(&mut unknown));
        all.extend(self.second_provider());
        all.extend(self.batch(&mut unknown));
        all.sort_by(|a, b| b.gain.total_cmp(&a.gain).then_with(|| a.what.cmp(&b.what)));
        (all, unknown)
    }

    fn choice(&self, kind: &str, what: String, after: f64, lead_s: u64) -> ChoiceView {
        let before_it = share(self.busy(), self.ceiling.limit);
        let first = self.view.exhaustion.and_then(|found| found.p10);
        ChoiceView {
            kind: kind.to_owned(),
            what,
            share_after: after,
            gain: before_it - after,
            cost_per_month_usd: None,
            lead_s,
            by: first.map(|first| before(first, std::time::Duration::from_secs(lead_s))),
            note: None,
        }
    }

    /// The smallest round limit that leaves a fifth of it in the busiest hour a month after it could be there.
    fn upgrade(&self) -> ChoiceView {
        let growth = self.view.model.as_ref().and_then(|model| model.growth_per_day).unwrap_or(0.0).max(0.0);
        let lead = self.fleet.lead_time.as_secs_f64() / 86_400.0;
        let grown = self.busy() * (1.0 + growth).powf((lead + MONTH).min(120.0)).min(10.0);
        let limit = round_up((grown / ROOM).max(self.ceiling.limit as f64 * 1.01));
        let asked = format!("{} {}", short(limit), self.ceiling.dimension.words());
        let what = match &self.view.tier {
            Some(tier) => format!("upgrade from tier {tier}: ask {} for {asked}", self.whom()),
            None => format!("ask {} for {asked}", self.whom()),
        };
        let after = share(self.busy(), limit);
        let room = share(grown, limit);
        let note = if room > share(self.busy(), limit) + 0.01 {
            format!("the smallest that would do: {} of it a month after it is there", percent(room))
        } else {
            "the smallest that would do; tokens cost what they cost".to_owned()
        };
        let before_it = share(self.busy(), self.ceiling.limit);
        ChoiceView {
            // Headroom is of the new limit, so that it is never more than all.
            gain: before_it - after,
            cost_per_month_usd: Some(NanoUsd::ZERO),
            note: Some(note),
            ..self.choice("tier-upgrade", what, after, self.fleet.lead_time.as_secs())
        }
    }

    fn whom(&self) -> &str {
        self.view.providers.first().map_or("the provider", String::as_str)
    }

    /// The demand of each route on this ceiling: the share of all of it, and by deployment.
    fn routes(&self) -> BTreeMap<Arc<str>, Vec<(DeploymentId, f64)>> {
        let mut all = 0.0;
        let mut routes: BTreeMap<Arc<str>, Vec<(DeploymentId, f64)>> = BTreeMap::new();
        for (id, demand) in self.book.totals.iter().filter(|(id, _)| self.ceiling.members.hold(id)) {
            let takes = amount(self.ceiling, id, demand);
            all += takes;
            for (route, share) in self.book.routes_of(self.fleet, id) {
                routes.entry(route).or_default().push((id.clone(), takes * share));
            }
        }
        if all > 0.0 {
            routes.values_mut().flatten().for_each(|(_, takes)| *takes /= all);
        }
        routes
    }

    fn spills(&self, unknown: &mut Vec<String>) -> Vec<ChoiceView> {
        let mut found = Vec::new();
        for (name, members) in self.routes() {
            let Some(route) = self.fleet.routes.iter().find(|route| route.name == name) else { continue };
            let of_ceiling: f64 = members.iter().map(|(_, share)| share).sum();
            if of_ceiling < LEAST {
                continue;
            }
            let mut others: Vec<DeploymentId> = Vec::new();
            for (id, _) in &members {
                for other in route.deployments.iter().map(|one| spelled(one, id)) {
                    if !self.ceiling.members.hold(&other) && !others.contains(&other) {
                        others.push(other);
                    }
                }
            }
            for other in others {
                match self.spill(route, &members, of_ceiling, &other) {
                    Ok(choice) => found.push(choice),
                    Err(why) => unknown.push(why),
                }
            }
        }
        found
    }

    /// Sends a part of a route elsewhere: what is above four fifths of the limit, as far as there is room.
    fn spill(
        &self,
        route: &RouteOrder,
        members: &[(DeploymentId, f64)],
        of_ceiling: f64,
        other: &DeploymentId,
    ) -> Result<ChoiceView, String> {
        let busy = self.busy();
        let of_route = busy * of_ceiling;
        let excess = busy - ROOM * self.ceiling.limit as f64;
        let wanted = if excess > 0.0 { excess.min(of_route) } else { SOME * of_route };
        let mut part = wanted / of_route;
        let mut limited = None;
        for (place, ceiling) in self.fleet.ceilings.iter().enumerate().filter(|(_, one)| one.members.hold(other)) {
            let Some(view) = self.views.get(place) else { continue };
            let there = view.busiest.map_or(0.0, |one| one.p50).max(view.peak.map_or(0.0, |one| one.amount));
            let room = (ROOM * ceiling.limit as f64 - there).max(0.0);
            let comes = self.as_if_there(members, ceiling, other) * of_route;
            if comes * part > room {
                part = room / comes;
                limited = Some((ceiling.name(), share(there, ceiling.limit)));
            }
        }
        if part < LEAST {
            let (full, share) = limited.unwrap_or_default();
            let percent = percent(share);
            return Err(format!("routing: route {} could spill to {other}, but {full} is at {percent}", route.name));
        }
        let after = share(busy - part * of_route, self.ceiling.limit);
        let what = format!("spill {} of route {} to {other}", percent(part), route.name);
        let note = limited.map(|(full, _)| format!("{full} leaves room for no more"));
        let dearer = self.dearer(&route.name, members, other).map(|nanos| nanos * part * MONTH / self.days.max(1.0));
        Ok(ChoiceView { cost_per_month_usd: dearer.map(nanos), note, ..self.choice("routing", what, after, 0) })
    }

    /// What a unit of demand on this ceiling would take from another, were it served by `other`.
    fn as_if_there(&self, members: &[(DeploymentId, f64)], ceiling: &Ceiling, other: &DeploymentId) -> f64 {
        let sums = |of: &dyn Fn(&DeploymentId, &Demand) -> f64| -> f64 {
            members.iter().filter_map(|(id, _)| Some(of(id, self.book.totals.get(id)?))).sum()
        };
        let (here, there) =
            (sums(&|id, demand| amount(self.ceiling, id, demand)), sums(&|_, d| amount(ceiling, other, d)));
        // Sums are of days, busy minutes of one: what differs is only how each is counted.
        if here > 0.0 { there / here * self.per(ceiling) } else { 0.0 }
    }

    /// Where one of two counts by the day and the other by the minute, the busy minute of a day is taken as twice its mean.
    fn per(&self, other: &Ceiling) -> f64 {
        match (self.ceiling.dimension.is_daily(), other.dimension.is_daily()) {
            (false, true) => 720.0,
            (true, false) => 1.0 / 720.0,
            _ => 1.0,
        }
    }

    /// What the requests of a route cost more at `other`, over the days of the book, in nano-dollars; none if a price is unknown. A
    /// request is taken as large as they are on average, since a long one may have prices of its own.
    fn dearer(&self, route: &str, members: &[(DeploymentId, f64)], other: &DeploymentId) -> Option<f64> {
        let new = self.fleet.prices.get(other)?;
        let mut sum = 0.0;
        for (id, _) in members {
            let (old, demand) = (self.fleet.prices.get(id)?, self.book.totals.get(id)?);
            let usage = usual(demand);
            let routes = self.book.routes_of(self.fleet, id);
            let part: f64 = routes.iter().filter(|(name, _)| **name == *route).map(|(_, share)| share).sum();
            let more = new.cost(&usage, Tier::Standard)?.0 as f64 - old.cost(&usage, Tier::Standard)?.0 as f64;
            sum += part * demand.requests as f64 * more;
        }
        Some(sum)
    }

    /// A second provider behind routes that have one alone: half of them could go there.
    fn second_provider(&self) -> Vec<ChoiceView> {
        let mut found = Vec::new();
        for (name, members) in self.routes() {
            let of_ceiling: f64 = members.iter().map(|(_, share)| share).sum();
            let route = self.fleet.routes.iter().find(|route| route.name == name);
            let alone = route.is_none_or(|route| {
                let first = route.deployments.first().map(|one| &one.provider);
                route.deployments.iter().all(|one| Some(&one.provider) == first)
            });
            if !alone || of_ceiling < LEAST {
                continue;
            }
            let after = share(self.busy() * (1.0 - of_ceiling / 2.0), self.ceiling.limit);
            let what = match route {
                Some(route) => format!("add a second provider to route {} and send it half", route.name),
                None => format!("make a route of {name}, with a second provider, and send that half"),
            };
            let note = Some("its price is not known here: it depends on the model that is added".to_owned());
            found.push(ChoiceView {
                note,
                ..self.choice("second-provider", what, after, self.fleet.lead_time.as_secs())
            });
        }
        found
    }

    /// Work that can wait, moved to other hours, or into a batch API where one is cheaper.
    fn batch(&self, unknown: &mut Vec<String>) -> Vec<ChoiceView> {
        let Some(keys) = self.keys else {
            unknown.push("batch work: who asks for what in the busiest hour is not known".to_owned());
            return Vec::new();
        };
        let waits = |key: &&KeyUse| self.fleet.batch_keys.contains(&key.key) && key.share >= LEAST;
        let batch: Vec<&KeyUse> = keys.iter().filter(waits).collect();
        if self.fleet.batch_keys.is_empty() {
            let largest = keys.iter().max_by(|a, b| a.share.total_cmp(&b.share));
            let largest = largest.map(|key| format!("; key {} asks for {} of it", key.key, percent(key.share)));
            unknown.push(format!(
                "batch work: no key has priority = \"batch\", so what could wait is unknown{}",
                largest.unwrap_or_default()
            ));
        } else if batch.is_empty() {
            unknown.push("batch work: none is in the busiest hour".to_owned());
        }
        let discount = self.batch_percent();
        let choice = |key: &KeyUse| {
            let after = share(self.busy() * (1.0 - key.share.min(1.0)), self.ceiling.limit);
            let saved = discount.and_then(|percent| {
                let cost = key.cost?.0 as f64 * MONTH / self.days.max(1.0);
                Some(nanos(-cost * f64::from(100 - percent.min(100)) / 100.0))
            });
            let what = match saved {
                Some(_) => format!("move {} to the provider's batch API", key.key),
                None => format!("move {} to quieter hours", key.key),
            };
            let cost_per_month_usd = saved.or(Some(NanoUsd::ZERO));
            ChoiceView { cost_per_month_usd, ..self.choice("batch", what, after, 0) }
        };
        batch.into_iter().map(choice).collect()
    }

    /// What a batch costs of the usual price, where all that take from this ceiling have batches.
    fn batch_percent(&self) -> Option<u8> {
        let members = self.book.totals.keys().filter(|id| self.ceiling.members.hold(id));
        let percents: Option<Vec<u8>> =
            members.map(|id| self.fleet.prices.get(id).and_then(|price| price.batch_percent)).collect();
        percents?.into_iter().max()
    }
}

/// What one request uses, on average.
fn usual(demand: &Demand) -> Usage {
    let of = |tokens: u64| Tokens(tokens / demand.requests.max(1));
    Usage {
        input: of(demand.input),
        cached_input: of(demand.cached_input),
        output: of(demand.output),
        ..Usage::default()
    }
}

fn nanos(amount: f64) -> NanoUsd {
    NanoUsd(amount.clamp(-9e18, 9e18) as i64)
}

/// A deployment of a route, with the model that was asked for in the place of a star.
fn spelled(one: &DeploymentId, asked: &DeploymentId) -> DeploymentId {
    if &*one.model == "*" { DeploymentId::new(Arc::clone(&one.provider), &*asked.model) } else { one.clone() }
}

/// The next limit that is round: 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6 or 8 times a power of ten.
fn round_up(limit: f64) -> u64 {
    let power = 10_f64.powf(limit.max(1.0).log10().floor());
    let steps = [1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    let step = steps.into_iter().find(|step| step * power >= limit * (1.0 - 1e-9)).unwrap_or(10.0);
    (step * power).round().clamp(1.0, 9e18) as u64
}

/// The seven days and the hour that a key's use is told of: from when, and the busiest hour's beginning.
pub(super) fn spans(view: &CeilingView, day: DayStart, now: WallTime) -> Option<(WallTime, WallTime)> {
    let peak = view.peak?;
    let until = if view.per == "day" { day.day(peak.at).end? } else { WallTime(peak.at.0 + HOUR) };
    Some((peak.at, until.min(now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_asked_for_in_round_figures() {
        for (needs, asked) in
            [(312_500.0, 400_000), (100.0, 100), (101.0, 120), (0.4, 1), (900.0, 1_000), (1_234_567.0, 1_500_000)]
        {
            assert_eq!(round_up(needs), asked, "{needs}");
        }
    }
}
