//! Without one provider: where its requests would go, and whether there is room for them.

use std::time::Duration;

use weir_units::WallTime;

use super::Fleet;
use super::book::{Book, Subject};
use super::outlook::{PEAK, before, share};
use super::view::{CeilingView, Failover, Survivor};
use super::words::percent;

/// What happens without each provider that is called. `views` are the ceilings in the fleet's order, with their forecasts.
pub(super) fn failover(fleet: &Fleet, book: &Book, views: &[CeilingView], now: WallTime) -> Vec<Failover> {
    let all = (0..book.providers.len()).filter_map(|gone| without(fleet, book, views, gone, now));
    all.collect()
}

fn without(fleet: &Fleet, book: &Book, views: &[CeilingView], gone: usize, now: WallTime) -> Option<Failover> {
    let provider = book.providers.get(gone)?;
    let mut requests = 0.0;
    let mut stranded = 0.0;
    let mut others = std::collections::BTreeSet::new();
    for (id, demand) in book.totals.iter().filter(|(id, _)| id.provider == *provider) {
        let instead = book.instead(fleet, id);
        let served: f64 = instead.iter().map(|(_, share)| share).sum();
        requests += demand.requests as f64;
        stranded += demand.requests as f64 * (1.0 - served).clamp(0.0, 1.0);
        others.extend(instead.into_iter().map(|(other, _)| other));
    }
    if requests <= 0.0 {
        return None;
    }
    let stranded = stranded / requests;
    let takes_over = |place: &usize| fleet.ceilings[*place].members.clone();
    let mut survivors: Vec<Survivor> = (0..fleet.ceilings.len())
        .filter(|place| others.iter().any(|other| takes_over(place).hold(other)))
        .filter_map(|place| survivor(fleet, book, views, place, gone, now))
        .collect();
    survivors.sort_by(|a, b| b.fullest().total_cmp(&a.fullest()).then_with(|| a.name.cmp(&b.name)));
    let binds = survivors.first().cloned();
    let holds = match &binds {
        _ if stranded > 0.001 => Some(false),
        Some(binds) => Some(binds.fullest() <= 1.0),
        None => None,
    };
    let mut names: Vec<&str> = others.iter().map(|other| &*other.provider).collect();
    names.dedup();
    let words = words(provider, stranded, holds, binds.as_ref(), &names.join(" and "));
    Some(Failover { without: provider.to_string(), stranded, holds, binds, survivors, words })
}

impl Survivor {
    /// Its name, and for how long it would be that full, which of a day's limit is not plain: `anthropic tokens/day would run at 242 % over a
    /// whole day`.
    #[must_use]
    pub fn words(&self, percent: fn(f64) -> String) -> String {
        let span = if self.dimension.ends_with("-per-day") { " over a whole day" } else { "" };
        format!("{} would run at {}{span}", self.name, percent(self.fullest()))
    }

    /// The fullest that it is or will be.
    #[must_use]
    pub fn fullest(&self) -> f64 {
        self.share_ahead.map_or(self.share, |ahead| ahead.max(self.share))
    }
}

fn survivor(
    fleet: &Fleet,
    book: &Book,
    views: &[CeilingView],
    place: usize,
    gone: usize,
    now: WallTime,
) -> Option<Survivor> {
    let (ceiling, view) = (fleet.ceilings.get(place)?, views.get(place)?);
    let subject = Subject::Without(place, gone);
    let (at, amount) = if ceiling.dimension.is_daily() {
        let mut days = std::collections::BTreeMap::<WallTime, f64>::new();
        for (at, hour) in book.hours(subject, before(now, PEAK + Duration::from_secs(86_400)), now) {
            *days.entry(ceiling.day.day(at).start).or_default() += hour.mean * super::book::passed(at, now);
        }
        days.into_iter().max_by(|(_, a), (_, b)| a.total_cmp(b))?
    } else {
        let (at, hour) = book.busiest(subject, before(now, PEAK), now)?;
        (at, hour.p95)
    };
    // Everything grows as the ceiling's own demand does, or, where it has none, as what comes to it grows.
    let grows = growth(view).or_else(|| of_provider(fleet, views, &book.providers[gone]));
    Some(Survivor {
        name: ceiling.name(),
        pool: view.pool.clone(),
        dimension: view.dimension.clone(),
        share: share(amount, ceiling.limit),
        share_ahead: grows.map(|grows| share(amount * grows, ceiling.limit)),
        at,
    })
}

/// How much busier a ceiling's busiest hour will be than it was.
fn growth(view: &CeilingView) -> Option<f64> {
    let (was, will) = (view.peak?, view.busiest?);
    (was.amount > 0.0).then(|| will.p50 / was.amount)
}

fn of_provider(fleet: &Fleet, views: &[CeilingView], provider: &str) -> Option<f64> {
    let its = fleet.ceilings.iter().zip(views);
    let its = its.filter(|(ceiling, _)| ceiling.members.providers().iter().any(|name| **name == *provider));
    its.filter_map(|(_, view)| growth(view)).max_by(f64::total_cmp)
}

fn words(provider: &str, stranded: f64, holds: Option<bool>, binds: Option<&Survivor>, others: &str) -> String {
    let full = binds.map(|binds| binds.words(percent));
    match (holds, full) {
        _ if stranded > 0.999 => {
            format!("without {provider}: nothing else serves its requests, so failover does not hold")
        }
        (_, full) if stranded > 0.001 => {
            let full = full.map(|full| format!(", and {full}")).unwrap_or_default();
            format!(
                "without {provider}: {} of its requests have no other provider{full}: failover does not hold",
                percent(stranded)
            )
        }
        (Some(true), Some(full)) => format!("without {provider}: {full}: failover holds"),
        (Some(false), Some(full)) => format!("without {provider}: {full}: failover does not hold"),
        _ => {
            format!("without {provider}: {others} would serve, and no limit of it is known: declare its limits to see")
        }
    }
}
