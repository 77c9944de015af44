//! From configuration and ledger to the evidence of the seven questions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use weir_capacity::outage::{COMMON_CAUSE, COVERAGE, Outages, Provider, UNKNOWN_AVAILABILITY, shrunk, simulate};
use weir_capacity::plan::Drill;
use weir_capacity::readiness::{
    Errors, Evidence, Gap, OwnerSetup, RouteAvailability, Secondary, Setup, TokenSpend, peaks, provider,
};
use weir_config::Config;
use weir_ledger::{DemandQuery, DemandStep, FactQuery, Figures, Filter, Reader, SeriesQuery, StoreError, Tally, WASTE};
use weir_units::{DeploymentId, WallTime};

use super::agents::agents;
use super::drill::drills;
use super::setup::setup;
use crate::capacity::{fleet, stated};
use crate::planning::site_for;

/// Simulated years behind each route's spread.
const YEARS: usize = 400;
/// All chance of simulated years.
const SEED: u64 = 14;
/// How long an outage goes unnoticed, in minutes: ten seconds, in which streams that are under way are cut.
const DETECTION_MINUTES: f64 = 1.0 / 6.0;

/// Evidence, and the drills that question 2 still has to be played with.
pub struct Gathered {
    /// All but what drills say.
    pub evidence: Evidence,
    pub(super) drills: Vec<Drill>,
    pub(super) figures: Figures,
}

/// What the configuration says, where there is no ledger to look into; `gap` says why not.
#[must_use]
pub fn without_ledger(config: &Config, since: WallTime, until: WallTime, gap: &Gap) -> Gathered {
    let evidence = Evidence { setup: Ok(setup(config)), ..Evidence::none(since, until, gap) };
    Gathered { evidence, drills: Vec::new(), figures: Figures::default() }
}

/// What the configuration says, and what the ledger has from `since` to `until`.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn gather(
    config: &Config,
    reader: &Reader,
    since: WallTime,
    until: WallTime,
) -> Result<Gathered, StoreError> {
    let mut setup = setup(config);
    setup.owner.failing = failing(&setup.owner, reader, until).await?;
    let figures = reader.figures(since, until).await?;
    let seen: BTreeSet<DeploymentId> = figures
        .calls
        .iter()
        .filter_map(|calls| calls.deployment.split_once('/'))
        .map(|(provider, model)| DeploymentId::new(provider, model))
        .collect();
    let in_force = stated(reader, config, until).await?;
    let fleet = fleet(config, &in_force, &seen);
    let span = |step| DemandQuery { from: since, until, step };
    let minutes = reader.demand(&span(DemandStep::Minute)).await?;
    let hours = reader.demand(&span(DemandStep::Hour)).await?;
    let query = SeriesQuery { filter: Filter::default(), edges: vec![since, until], by: None, top: 1 };
    let all = reader.series(&query).await?.all.total;
    let unlimited: BTreeSet<Arc<str>> = seen
        .iter()
        .filter(|deployment| config.providers.contains_key(&deployment.provider))
        .filter(|deployment| !fleet.ceilings.iter().any(|ceiling| ceiling.members.hold(deployment)))
        .map(|deployment| Arc::clone(&deployment.provider))
        .collect();
    let names = figures.users.iter().filter_map(|(route, _)| route.as_deref());
    let mut site = site_for(config, names);
    for known in &in_force {
        let mut limits = site.stated.get(&known.pool).copied().unwrap_or_default();
        limits.set(known.dimension, Some(known.limit));
        site.stated.insert(known.pool.clone(), limits);
    }
    let drills = drills(&site, &setup.routes, &figures, reader, until).await?;
    let users = figures.all_users();
    let evidence = Evidence {
        since,
        until,
        errors: Ok(Errors {
            requests: users.requests,
            errors: users.errors,
            throttled: users.status_429,
            throttled_by_weir: Some(all.requests.status_429_by_weir),
        }),
        outages: Ok(Vec::new()),
        availability: Vec::new(),
        agents: Ok(agents(setup.routes.iter().map(|route| Arc::clone(&route.name)), reader, since, until).await?),
        spend: Ok(spend(&all)),
        peaks: Ok(peaks(&fleet.ceilings, &minutes, &hours)),
        unlimited: unlimited.into_iter().collect(),
        secondaries: Ok(secondaries(&setup, &figures)),
        setup: Ok(setup),
    };
    Ok(Gathered { evidence, drills, figures })
}

/// The owner's notifiers whose last message was not delivered, each with the reason.
async fn failing(owner: &OwnerSetup, reader: &Reader, until: WallTime) -> Result<Vec<(Arc<str>, String)>, StoreError> {
    let kinds = vec!["AlertDelivered".to_owned(), "AlertDeliveryFailed".to_owned()];
    let facts = reader.facts_of(&FactQuery { kinds, until: Some(until), limit: 500, ..FactQuery::default() }).await?;
    let (mut seen, mut failing) = (BTreeSet::new(), Vec::new());
    for fact in &facts {
        let Ok(fact) = serde_json::from_str::<Value>(&fact.json) else { continue };
        let to = fact["to"].as_str().unwrap_or_default();
        let Some(name) = owner.notify.iter().find(|name| ***name == *to) else { continue };
        if seen.insert(Arc::clone(name)) && fact["fact"] == "AlertDeliveryFailed" {
            failing.push((Arc::clone(name), fact["why"].as_str().unwrap_or("it was not taken").to_owned()));
        }
    }
    Ok(failing)
}

/// What retries cost: attempts that failed and were billed, and requests that a client's SDK sent again.
fn spend(all: &Tally) -> TokenSpend {
    let mut spend = TokenSpend {
        requests: all.requests.requests,
        tokens: all.calls.input.saturating_add(all.calls.output),
        // With no call that has a price there is no sum.
        cost: (all.calls.unpriced < all.calls.attempts || all.calls.attempts == 0).then_some(all.cost),
        unpriced: all.requests.unpriced,
        ..TokenSpend::default()
    };
    for (name, wasted) in WASTE.iter().zip(&all.wasted) {
        if matches!(*name, "failed_attempt" | "client_retry") {
            spend.retry_tokens = spend.retry_tokens.saturating_add(wasted.tokens);
            spend.retry_cost += wasted.cost;
        }
    }
    // Tokens of failed attempts are told as waste, and may be missing among those that providers reported.
    spend.tokens = spend.tokens.max(spend.retry_tokens);
    spend
}

/// What was answered by each deployment of another provider than a route's first.
fn secondaries(setup: &Setup, figures: &Figures) -> Vec<Secondary> {
    let mut list = Vec::new();
    for route in &setup.routes {
        let mut of: BTreeMap<Arc<str>, Secondary> = BTreeMap::new();
        let nothing = |deployment: &Arc<str>| Secondary {
            route: Arc::clone(&route.name),
            deployment: Arc::clone(deployment),
            answers: 0,
            failed: 0,
            last: None,
        };
        for deployment in route.secondaries().filter(|deployment| !deployment.ends_with("/*")) {
            of.insert(Arc::clone(deployment), nothing(deployment));
        }
        let calls = figures.calls.iter().filter(|calls| calls.route.as_deref() == Some(&*route.name));
        for calls in calls.filter(|calls| Some(provider(&calls.deployment)) != route.primary()) {
            let seen = of.entry(Arc::clone(&calls.deployment)).or_insert_with(|| nothing(&calls.deployment));
            seen.answers = seen.answers.saturating_add(calls.figures.answered);
            seen.failed = seen.failed.saturating_add(calls.figures.attempts.saturating_sub(calls.figures.answered));
            seen.last = seen.last.max(calls.figures.last_answer);
        }
        list.extend(of.into_values());
    }
    list
}

/// Sets what each route is expected to answer over a year, beside what was measured of it.
pub(super) fn measure_availability(evidence: &mut Evidence, figures: &Figures) {
    let Ok(setup) = &evidence.setup else { return };
    let measured = figures.by_provider();
    let of = |name: &str| {
        let calls = measured.iter().find(|(known, _)| **known == *name).map(|(_, calls)| calls);
        calls.map_or(UNKNOWN_AVAILABILITY, |calls| shrunk(calls.answered, calls.asked()))
    };
    let route = |route: &weir_capacity::readiness::RouteSetup| {
        let mut names: Vec<&str> = Vec::new();
        for deployment in &route.deployments {
            let name = provider(deployment);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let lost = evidence.outages.iter().flatten().find(|outage| outage.route == route.name);
        let lost = lost.and_then(|outage| outage.lost.as_ref().ok()).copied().unwrap_or_default();
        let outages = Outages {
            providers: names.into_iter().map(|name| Provider::of(of(name))).collect(),
            common_cause: COMMON_CAUSE,
            coverage: COVERAGE * (1.0 - lost),
            detection_minutes: DETECTION_MINUTES,
        };
        let years = simulate(&outages, YEARS, SEED);
        let users = figures.users.iter().find(|(name, _)| name.as_deref() == Some(&*route.name));
        RouteAvailability {
            route: Arc::clone(&route.name),
            expected: outages.expected(),
            p5: years.p5,
            p95: years.p95,
            measured: users.map(|(_, users)| (users.answered, users.requests)),
        }
    };
    evidence.availability = setup.routes.iter().map(route).collect();
}
