//! Last week's traffic, with a provider gone: what the simulator is given, and what its answer says of each route.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use weir_capacity::desk::Desk;
use weir_capacity::plan::{Drill, DrillRequest, OutageProof, Prover, Service, Site};
use weir_capacity::readiness::{Gap, Outage, RouteSetup};
use weir_ledger::{Figures, Filter, Reader, SeriesBy, SeriesQuery, Step, StoreError, Tally, edges};
use weir_units::{DeploymentId, WallTime};

use super::gather::{Gathered, measure_availability};

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const WEEK: i64 = 7 * 24 * HOUR;
/// What is played before the provider goes, so that limits are as full as they were.
const BEFORE: i64 = 10 * MINUTE;
const TWO_HOURS: i64 = 2 * HOUR;
/// The most requests of a drill.
const MOST: usize = 300_000;
/// The most providers that a drill is made of.
const PROVIDERS: usize = 8;
/// All chance of drills.
const SEED: u64 = 14;

/// A drill for each provider that is some route's first, made of the two hours of the week in which most was asked of it.
pub(super) async fn drills(
    site: &Site,
    routes: &[RouteSetup],
    figures: &Figures,
    reader: &Reader,
    until: WallTime,
) -> Result<Vec<Drill>, StoreError> {
    let mut drills = Vec::new();
    let primaries: BTreeSet<Arc<str>> = routes
        .iter()
        .filter(|route| route.secondaries().next().is_some())
        .filter_map(|route| route.primary())
        .map(Arc::from)
        .collect();
    if primaries.is_empty() {
        return Ok(drills);
    }
    let week = edges(WallTime(until.0.saturating_sub(WEEK)), until, Step::Hour, |_| 0);
    let query = |edges: &[WallTime], by: SeriesBy| SeriesQuery {
        filter: Filter::default(),
        edges: edges.to_vec(),
        by: Some(by),
        top: 200,
    };
    let hours = reader.series(&query(&week, SeriesBy::Provider)).await?;
    let services = services(figures);
    for down in primaries.into_iter().take(PROVIDERS) {
        let Some(row) = hours.rows.iter().find(|row| row.name.as_deref() == Some(&*down)) else { continue };
        let Some(from) = densest(&week, &row.buckets) else { continue };
        let minutes = edges(WallTime(from.0 - BEFORE), WallTime(from.0 + TWO_HOURS), Step::Minute, |_| 0);
        let asked = reader.series(&query(&minutes, SeriesBy::Route)).await?;
        let names: Vec<Arc<str>> = asked.rows.iter().filter_map(|row| row.name.as_deref()).map(Arc::from).collect();
        let named = asked.rows.iter().filter(|row| row.name.is_some());
        let rows: Vec<(&[Tally], &Tally)> = named.map(|row| (&row.buckets[..], &row.total)).collect();
        drills.push(Drill {
            site: site.clone(),
            requests: requests(&minutes, &rows),
            routes: names,
            services: services.clone(),
            down,
            lasts: Duration::from_secs(7_200),
            from: Some(Duration::from_micros(BEFORE.unsigned_abs())),
            seed: SEED,
        });
    }
    Ok(drills)
}

/// When the two hours begin in which most was asked: most tokens, or most requests where no tokens are known.
fn densest(edges: &[WallTime], buckets: &[Tally]) -> Option<WallTime> {
    let weight = |tally: &Tally| {
        let calls = &tally.calls;
        u128::from(calls.input + calls.output) << 32 | u128::from(tally.requests.requests.min(u64::from(u32::MAX)))
    };
    let sum = |place: usize| weight(&buckets[place]) + buckets.get(place + 1).map_or(0, weight);
    let fullest = (0..buckets.len()).max_by_key(|place| (sum(*place), std::cmp::Reverse(*place)))?;
    (sum(fullest) > 0).then(|| edges[fullest])
}

/// Requests as they came, minute by minute, evenly within each and of its mean size.
fn requests(minutes: &[WallTime], routes: &[(&[Tally], &Tally)]) -> Vec<DrillRequest> {
    let mut requests = Vec::new();
    let Some(first) = minutes.first() else { return requests };
    for (place, pair) in minutes.windows(2).enumerate() {
        let (begin, length) = (pair[0].0 - first.0, pair[1].0 - pair[0].0);
        let before = requests.len();
        for (route, (buckets, total)) in routes.iter().enumerate() {
            let Some(tally) = buckets.get(place) else { continue };
            let (input, output) = size(tally).or_else(|| size(total)).unwrap_or((1, 1));
            let many = i64::try_from(tally.requests.requests).unwrap_or_default();
            for n in 0..many {
                let at = begin + length * (2 * n + 1) / (2 * many);
                let at = Duration::from_micros(u64::try_from(at).unwrap_or_default());
                requests.push(DrillRequest { at, route, input, output });
            }
        }
        if requests.len() > MOST {
            requests.truncate(before);
            break;
        }
    }
    requests.sort_by_key(|request| request.at);
    requests
}

/// Tokens in and out of a call on average, of those that reported any.
fn size(tally: &Tally) -> Option<(u64, u64)> {
    let calls = &tally.calls;
    let told = calls.attempts.saturating_sub(calls.failed).saturating_sub(calls.unreported).max(1);
    (calls.input + calls.output > 0).then(|| (calls.input.div_ceil(told), calls.output.div_ceil(told).max(1)))
}

/// How long answers of each deployment took.
fn services(figures: &Figures) -> BTreeMap<DeploymentId, Service> {
    let service = |(name, calls): (Arc<str>, weir_ledger::CallFigures)| {
        let (provider, model) = name.split_once('/')?;
        let id = DeploymentId::new(provider, model);
        let first = calls.first_content.quantile(0.5);
        if let (Some(first), Some(rate)) = (first, calls.tokens_per_second(0.5).filter(|rate| *rate > 0.0)) {
            return Some((id, Service { first: first as f64 / 1_000.0, per_output: 1.0 / rate }));
        }
        let took = calls.duration.quantile(0.5)?;
        let output = calls.output as f64 / calls.answered.max(1) as f64;
        Some((id, Service::of(took as f64 / 1_000.0, output.max(1.0))))
    };
    figures.by_deployment().into_iter().filter_map(service).collect()
}

/// Plays the drills and writes down what they say. It takes seconds and must not be called where requests are served.
///
/// `desk` says how full whoever serves instead would be.
pub fn prove(gathered: &mut Gathered, prover: Option<&dyn Prover>, desk: Option<&Desk>, progress: &mut dyn FnMut(f64)) {
    let mut proofs: BTreeMap<Arc<str>, Result<OutageProof, String>> = BTreeMap::new();
    let all = gathered.drills.len().max(1) as f64;
    for (place, drill) in gathered.drills.iter().enumerate() {
        let Some(prover) = prover else { break };
        let proof = prover.outage(drill, &mut |share| progress((place as f64 + share) / all));
        proofs.insert(Arc::clone(&drill.down), proof);
    }
    let Ok(setup) = &gathered.evidence.setup else { return };
    let outages = setup.routes.iter().filter_map(|route| {
        let down = route.primary()?;
        let drill = gathered.drills.iter().find(|drill| *drill.down == *down);
        let mut outage = outage(route, down, drill, proofs.get(down), prover.is_some());
        let failover = desk.and_then(|desk| desk.failover.iter().find(|failover| failover.without == down));
        if let (Some(_), Some(binds)) = (&outage.survivor, failover.and_then(|failover| failover.binds.as_ref())) {
            outage.ceiling = Some((binds.name.clone(), binds.share));
        }
        Some(outage)
    });
    let outages: Vec<Outage> = outages.collect();
    if gathered.evidence.outages.is_ok() {
        gathered.evidence.outages = Ok(outages);
    }
    measure_availability(&mut gathered.evidence, &gathered.figures);
}

fn outage(
    route: &RouteSetup,
    down: &str,
    drill: Option<&Drill>,
    proof: Option<&Result<OutageProof, String>>,
    proves: bool,
) -> Outage {
    let mut outage = Outage {
        route: Arc::clone(&route.name),
        down: down.into(),
        survivor: route.secondaries().next().cloned(),
        lost: Ok(1.0),
        ceiling: None,
        unlimited: Vec::new(),
        how: "by the config".to_owned(),
        requests: 0,
    };
    if outage.survivor.is_none() {
        return outage;
    }
    let without_traffic = || {
        Gap::new(format!("no traffic of {} in the last week to try it on", route.name), "ask again when there is some")
    };
    outage.lost = match proof {
        Some(Ok(proof)) => match proof.routes.iter().find(|tried| *tried.route == *route.name) {
            Some(tried) if tried.requests > 0 => {
                outage.how = "simulated on last week's traffic".to_owned();
                outage.requests = tried.requests;
                if let Some((most, _)) = tried.served_by.iter().max_by_key(|(_, count)| **count) {
                    outage.survivor = Some(most.as_str().into());
                }
                Ok(tried.failed_share().unwrap_or_default())
            }
            _ => Err(without_traffic()),
        },
        Some(Err(why)) => Err(Gap::new(
            format!("it cannot be simulated: {why}"),
            "see that it is this configuration's ledger that is read",
        )),
        None if drill.is_some() && !proves => {
            Err(Gap::new("the two hours were not simulated", "ask with `weir diagnose`, and without --no-proof"))
        }
        None => Err(without_traffic()),
    };
    if let Some(drill) = drill {
        let limitless = |deployment: &&Arc<str>| {
            let (provider, model) = deployment.split_once('/').unwrap_or((deployment, ""));
            drill.site.pools_of(&DeploymentId::new(provider, model)).is_empty()
        };
        let providers: BTreeSet<Arc<str>> = route
            .secondaries()
            .filter(limitless)
            .map(|deployment| weir_capacity::readiness::provider(deployment).into())
            .collect();
        outage.unlimited = providers.into_iter().collect();
    }
    outage
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(requests: u64, input: u64, output: u64) -> Tally {
        let mut tally = Tally::default();
        tally.requests.requests = requests;
        (tally.calls.attempts, tally.calls.input, tally.calls.output) = (requests, input, output);
        tally
    }

    #[test]
    fn the_two_hours_in_which_most_was_asked_are_played() {
        let hours: Vec<WallTime> = (0..6).map(|hour| WallTime(hour * HOUR)).collect();
        let asked = [tally(90, 10, 0), tally(5, 500, 100), tally(5, 400, 0), tally(80, 0, 0), tally(1, 1, 0)];
        assert_eq!(densest(&hours, &asked), Some(WallTime(HOUR)));
        let silent = [tally(0, 0, 0), tally(0, 0, 0)];
        assert_eq!(densest(&hours, &silent), None);
    }

    #[test]
    fn requests_come_evenly_within_their_minute_and_have_its_mean_size() {
        let minutes = [WallTime(0), WallTime(MINUTE), WallTime(2 * MINUTE)];
        let (smart, small) = ([tally(3, 3_000, 301), tally(0, 0, 0)], [tally(0, 0, 0), tally(1, 0, 0)]);
        let (total, other) = (tally(3, 3_000, 301), tally(1, 0, 0));
        let made = requests(&minutes, &[(&smart, &total), (&small, &other)]);
        let told: Vec<(u64, usize, u64, u64)> =
            made.iter().map(|one| (one.at.as_secs(), one.route, one.input, one.output)).collect();
        assert_eq!(told, [(10, 0, 1_000, 101), (30, 0, 1_000, 101), (50, 0, 1_000, 101), (90, 1, 1, 1)]);
    }

    #[test]
    fn a_route_with_one_provider_needs_no_simulation_and_one_without_traffic_cannot_have_one() {
        let mut route = RouteSetup {
            name: "smart".into(),
            deployments: vec!["openai/gpt-5.2".into()],
            critical: true,
            guards_off: None,
        };
        let alone = outage(&route, "openai", None, None, true);
        assert_eq!((alone.lost, alone.survivor), (Ok(1.0), None));
        route.deployments.push("anthropic/sonnet".into());
        let quiet = outage(&route, "openai", None, None, true);
        assert_eq!(quiet.lost.unwrap_err().why, "no traffic of smart in the last week to try it on");
        assert_eq!(quiet.survivor.as_deref(), Some("anthropic/sonnet"));
    }
}
