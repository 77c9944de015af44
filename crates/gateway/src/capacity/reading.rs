//! What the desk needs of the ledger: demand by the hour and the minute, whose it was, and what was spent of budgets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use weir_capacity::desk::{
    Alarms, Book, BudgetCeiling, Ceiling, Desk, Fleet, HISTORY, KeyUse, Known, Members, PEAK, Spending, Traffic,
    busiest_span, desk,
};
use weir_config::Config;
use weir_engine::Period;
use weir_ledger::{
    Demand, DemandQuery, DemandStep, Filter, Reader, Series, SeriesBy, SeriesQuery, SpendBy, SpendError, SpendQuery,
    Step, StoreError, Tally, edges,
};
use weir_units::{DeploymentId, NanoUsd, WallTime};

use super::fleet::{InForce, fleet};

const HOUR: i64 = 3_600_000_000;
/// Names that are told apart in sums; the rest is nobody's.
const NAMES: u32 = 1_000;
/// Ceilings of which it is read who asks for what: as many as a person could look at.
const LOOKED_INTO: usize = 60;
/// How long adding up may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything that is known of a time, before anything is made of it.
pub struct Gathered {
    fleet: Fleet,
    book: Book,
    keys: BTreeMap<String, Vec<KeyUse>>,
    spending: Vec<Spending>,
    now: WallTime,
}

impl Gathered {
    /// What is to be said of it. This is work for a processor: seconds, where there are many ceilings.
    #[must_use]
    pub fn desk(&self, alarms: &mut Alarms) -> Desk {
        let Self { fleet, book, keys, spending, now } = self;
        desk(&Known { fleet, book, keys, spending, now: *now }, alarms)
    }

    /// What is configured.
    #[must_use]
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }
}

/// Reads what is known up to `now`.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn gather(
    reader: &Reader,
    config: &Config,
    in_force: &[InForce],
    now: WallTime,
) -> Result<Gathered, StoreError> {
    let hour = |at: i64| WallTime(at.div_euclid(HOUR) * HOUR);
    let before = |span: Duration| hour(now.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(0)));
    let (week, all) = (before(PEAK), before(HISTORY));
    let hours = reader.demand(&DemandQuery { from: all, until: now, step: DemandStep::Hour }).await?;
    let minutes = reader.demand(&DemandQuery { from: week, until: now, step: DemandStep::Minute }).await?;
    let seen: BTreeSet<DeploymentId> = hours.iter().filter_map(|row| id(&row.deployment)).collect();
    let fleet = fleet(config, in_force, &seen);
    let traffic = traffic(reader, week, now).await?;
    let book = Book::new(&fleet, &traffic, &hours, &minutes, week, now);
    let keys = keys(reader, &fleet, &book, week, now).await?;
    let spending = spending(reader, config, &fleet, all, now).await?;
    Ok(Gathered { fleet, book, keys, spending, now })
}

fn id(deployment: &str) -> Option<DeploymentId> {
    let (provider, model) = deployment.split_once('/')?;
    Some(DeploymentId::new(provider, model))
}

/// How many requests of each route went where.
async fn traffic(reader: &Reader, since: WallTime, until: WallTime) -> Result<Vec<Traffic>, StoreError> {
    let sums = sums(reader, vec![SpendBy::Route, SpendBy::Deployment], since, until).await?;
    let one = |(names, sums): (Vec<Option<String>>, weir_ledger::Sums)| {
        let mut names = names.into_iter();
        let (route, deployment) = (names.next()??, names.next()??);
        Some(Traffic { route: route.into(), deployment: id(&deployment)?, requests: sums.requests })
    };
    Ok(sums.into_iter().filter_map(one).collect())
}

/// Sums by name; none where adding up takes too long, which is no reason to say nothing else.
async fn sums(
    reader: &Reader,
    by: Vec<SpendBy>,
    since: WallTime,
    until: WallTime,
) -> Result<Vec<(Vec<Option<String>>, weir_ledger::Sums)>, StoreError> {
    let query = SpendQuery { by, since, until, tenant: None, top: NAMES };
    match reader.spend(&query, Some(PATIENCE)).await {
        Ok(spend) => Ok(spend.rows.into_iter().map(|row| (row.names, row.sums)).collect()),
        Err(SpendError::TooLong(_)) => Ok(Vec::new()),
        Err(SpendError::Store(error)) => Err(error),
    }
}

/// Whose requests are meant, and from when until when.
type Asked = (String, WallTime, WallTime);

/// Which keys ask for what of each ceiling in its busiest hour, and what theirs cost since `week`.
async fn keys(
    reader: &Reader,
    fleet: &Fleet,
    book: &Book,
    week: WallTime,
    now: WallTime,
) -> Result<BTreeMap<String, Vec<KeyUse>>, StoreError> {
    let costs = sums(reader, vec![SpendBy::Key, SpendBy::Deployment], week, now).await?;
    let mut known: BTreeMap<Asked, Vec<(Arc<str>, Tally)>> = BTreeMap::new();
    let mut keys = BTreeMap::new();
    for (place, ceiling) in fleet.ceilings.iter().enumerate() {
        let Some((from, until)) = busiest_span(fleet, book, place, now).filter(|(from, until)| from < until) else {
            continue;
        };
        let mut rows = Vec::new();
        for (name, filter) in filters(&ceiling.members) {
            let asked = (name, from, until);
            if !known.contains_key(&asked) {
                if known.len() >= LOOKED_INTO {
                    continue;
                }
                let tallies = by_key(reader, filter, from, until).await?;
                known.insert(asked.clone(), tallies);
            }
            rows.extend(known.get(&asked).into_iter().flatten().cloned());
        }
        keys.insert(ceiling.name(), shares(ceiling, &rows, &costs));
    }
    Ok(keys)
}

/// Which requests take from a ceiling, as the ledger is asked for them.
fn filters(members: &Members) -> Vec<(String, Filter)> {
    match members {
        Members::Provider(provider) => {
            vec![(provider.to_string(), Filter { provider: Some(provider.to_string()), ..Filter::default() })]
        }
        Members::These(these) => {
            let of =
                |id: &DeploymentId| (id.to_string(), Filter { deployment: Some(id.to_string()), ..Filter::default() });
            these.iter().map(of).collect()
        }
    }
}

async fn by_key(
    reader: &Reader,
    filter: Filter,
    from: WallTime,
    until: WallTime,
) -> Result<Vec<(Arc<str>, Tally)>, StoreError> {
    let query = SeriesQuery {
        filter,
        edges: vec![from, until],
        by: Some(SeriesBy::Key),
        top: usize::try_from(NAMES).unwrap_or(0),
    };
    let series = reader.series(&query).await?;
    let named = |row: weir_ledger::SeriesRow| (row.name.unwrap_or_default().into(), row.total);
    Ok(series.rows.into_iter().map(named).collect())
}

fn shares(
    ceiling: &Ceiling,
    rows: &[(Arc<str>, Tally)],
    costs: &[(Vec<Option<String>>, weir_ledger::Sums)],
) -> Vec<KeyUse> {
    let providers = ceiling.members.providers();
    let any = DeploymentId::new(providers.first().cloned().unwrap_or_default(), "any");
    let takes = |tally: &Tally| {
        let demand = Demand {
            requests: tally.calls.attempts,
            input: tally.calls.input,
            cached_input: tally.calls.cached_input,
            output: tally.calls.output,
            // Who is under way how long is not told by key: each request counts alike.
            busy_ms: tally.calls.attempts,
            throttled: 0,
        };
        ceiling.takes(&any, &demand) as f64
    };
    let mut by_key: BTreeMap<&Arc<str>, f64> = BTreeMap::new();
    for (key, tally) in rows {
        *by_key.entry(key).or_default() += takes(tally);
    }
    let all: f64 = by_key.values().sum();
    let cost = |key: &str| {
        let its = costs.iter().filter(|(names, _)| names.first().is_some_and(|name| name.as_deref() == Some(key)));
        let here = its.filter(|(names, _)| {
            names.get(1).and_then(|name| id(name.as_deref()?)).is_some_and(|id| ceiling.members.hold(&id))
        });
        here.map(|(_, sums)| (sums.unknown == 0).then_some(sums.cost)).sum::<Option<NanoUsd>>()
    };
    let of =
        |(key, takes): (&Arc<str>, f64)| KeyUse { key: Arc::clone(key), share: takes / all.max(1e-9), cost: cost(key) };
    by_key.into_iter().filter(|(key, _)| !key.is_empty()).map(of).collect()
}

/// What was spent of each budget, by the hour.
async fn spending(
    reader: &Reader,
    config: &Config,
    fleet: &Fleet,
    since: WallTime,
    now: WallTime,
) -> Result<Vec<Spending>, StoreError> {
    let mut found = Vec::new();
    let mut read: BTreeMap<String, Series> = BTreeMap::new();
    for budget in fleet.budgets.iter().filter(|budget| !matches!(budget.period, Period::Total | Period::Hour)) {
        let mut hours: Vec<(WallTime, NanoUsd, u64)> = Vec::new();
        for (by, names) in wanted(config, budget) {
            let label = format!("{by:?}");
            if !read.contains_key(&label) {
                let until = WallTime(now.0.div_euclid(HOUR) * HOUR);
                let top = usize::try_from(NAMES).unwrap_or(0);
                let edges = edges(since, until, Step::Hour, |_| 0);
                let query = SeriesQuery { filter: Filter::default(), edges, by: Some(by), top };
                read.insert(label.clone(), reader.series(&query).await?);
            }
            let Some(series) = read.get(&label) else { continue };
            if hours.is_empty() {
                hours = series.edges.iter().take(series.all.buckets.len()).map(|at| (*at, NanoUsd::ZERO, 0)).collect();
            }
            let is_wanted = |name: &str| names.iter().any(|wanted| **wanted == *name);
            for row in series.rows.iter().filter(|row| row.name.as_deref().is_some_and(is_wanted)) {
                for (sum, tally) in hours.iter_mut().zip(&row.buckets) {
                    sum.1 += tally.cost;
                    sum.2 += tally.requests.unpriced;
                }
            }
        }
        let start = budget.period.at(now, &fleet.zone).start;
        let unpriced = hours.iter().filter(|(at, ..)| *at >= start).map(|(.., unpriced)| unpriced).sum();
        found.push(Spending {
            name: Arc::clone(&budget.name),
            start: hours.first().map_or(now, |(at, ..)| *at),
            hours: hours.into_iter().map(|(_, cost, _)| cost).collect(),
            spent: reader.spent(start, now, &budget.payer).await?,
            unpriced,
        });
    }
    Ok(found)
}

/// Whose requests a budget pays for, as series tell them apart: tenants, then the keys of others, then a tag.
fn wanted(config: &Config, budget: &BudgetCeiling) -> Vec<(SeriesBy, Vec<Arc<str>>)> {
    let payer = &budget.payer;
    let of_tenant = |key: &Arc<str>| config.keys.get(key).is_some_and(|key| payer.tenants.contains(&key.tenant));
    let keys: Vec<Arc<str>> = payer.keys.iter().filter(|key| !of_tenant(key)).cloned().collect();
    let mut wanted = Vec::new();
    if !payer.tenants.is_empty() {
        wanted.push((SeriesBy::Tenant, payer.tenants.clone()));
    }
    if !keys.is_empty() {
        wanted.push((SeriesBy::Key, keys));
    }
    if let Some((name, value)) = &payer.tag {
        wanted.push((SeriesBy::Tag(name.to_string()), vec![Arc::clone(value)]));
    }
    wanted
}
