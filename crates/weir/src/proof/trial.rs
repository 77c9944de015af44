//! A load, played.

use std::sync::Arc;
use std::time::Duration;

use weir_capacity::plan::{Arrivals, Load, Proof, SiteRoute, Trial};
use weir_engine::Strategy;
use weir_sim::{ClientRetry, Distribution, MaxTokens, Pattern, Priority, Trace, TraceRow, Weir, Workload, World};
use weir_units::{DeploymentId, Moment, Tokens};

use super::reckon::reckon;
use super::town::Town;

/// Most requests of a run: a second or two of work.
const MOST_REQUESTS: f64 = 300_000.0;
/// More than this are not played, as the shortest run would take minutes: the formulas say how far off they are.
const FAR_TOO_MANY: f64 = 3_000_000.0;
/// No run is shorter, however much comes.
const SHORTEST: Duration = Duration::from_secs(180);

/// Plays a trial.
pub(super) fn play(trial: &Trial, progress: &mut dyn FnMut(f64)) -> Result<Proof, String> {
    let rate: f64 = trial.loads.iter().chain(&trial.existing).map(Load::rate).sum();
    let warm = warm_up(&trial.loads);
    let users: u64 = trial.loads.iter().chain(&trial.existing).map(users).sum();
    #[expect(clippy::cast_precision_loss, reason = "a bound")]
    let fewest = (rate * (warm + SHORTEST).as_secs_f64()).max(users as f64);
    if fewest > FAR_TOO_MANY {
        return Err("so many requests are more than the simulator plays; the formulas stand alone".to_owned());
    }
    let mut town = Town::new(&trial.site);
    let mut workloads = Vec::new();
    for (number, load) in trial.loads.iter().chain(&trial.existing).enumerate() {
        let name: Arc<str> = format!("load {number}").into();
        let route = match number < trial.loads.len() {
            true => trial.site.route(&load.route),
            // What is asked already is asked of a deployment.
            false => direct(&load.route),
        };
        let route = route.ok_or_else(|| format!("there is no route `{}`", weir_config::shown(&load.route)))?;
        town.add_route(&name, &route, |_| load.service, load.mean_output())?;
        workloads.push(workload(name, load, &trial.site.charge_of(&route.deployments[0])));
    }
    let most = Duration::try_from_secs_f64(MOST_REQUESTS / rate.max(1e-6)).unwrap_or(trial.span);
    let span = trial.span.min(most.max(SHORTEST));
    let scenario = town.scenario(trial.seed, warm + span, workloads);
    let world = World::of(&scenario);
    let whole = scenario.duration.as_secs_f64().max(1.0);
    let outcome = weir_sim::run_watched(
        &scenario,
        &world,
        |number| Weir::new(&scenario, &world, number),
        |now| progress((now.since(Moment::ZERO).as_secs_f64() / whole).min(1.0)),
    );
    Ok(reckon(trial, &town, &world, &outcome, warm, span))
}

fn users(load: &Load) -> u64 {
    match load.arrivals {
        Arrivals::Users { users, .. } => users.into(),
        _ => 0,
    }
}

fn direct(deployment: &str) -> Option<SiteRoute> {
    let (provider, model) = deployment.split_once('/')?;
    Some(SiteRoute { deployments: vec![DeploymentId::new(provider, model)], strategy: Strategy::Failover })
}

/// How long it takes until users are as spread over thinking and waiting as they stay.
fn warm_up(loads: &[Load]) -> Duration {
    let cycle = |load: &Load| match load.arrivals {
        Arrivals::Users { think, .. } => think.as_secs_f64() + load.mean_service(),
        _ => load.mean_service(),
    };
    let longest = loads.iter().map(cycle).fold(0.0, f64::max);
    Duration::from_secs_f64((longest * 4.0).clamp(60.0, 1_200.0))
}

fn workload(name: Arc<str>, load: &Load, charge: &weir_engine::ChargeModel) -> Workload {
    let pattern = match &load.arrivals {
        Arrivals::Users { users, think } => Pattern::Clients { clients: *users, think: *think },
        Arrivals::Rate { per_minute } => Pattern::Poisson { rate: per_minute / 60.0 },
        Arrivals::Recorded { requests, times } => {
            let row = |one: &weir_capacity::plan::Recorded| TraceRow {
                at: one.at,
                input: Tokens(one.input),
                output: Tokens(one.output),
            };
            let trace = Arc::new(Trace::of(requests.iter().map(row).collect()).unwrap_or_default());
            Pattern::Trace { trace, speed: 1.0, times: *times, repeat: true }
        }
    };
    // Where the cache's part counts like any other, it is as if there were none.
    let cached = if charge.cached_input_is_free { load.sizes.cached.clamp(0.0, 1.0) } else { 0.0 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to a million")]
    let cached_ppm = (cached * 1e6).round() as u32;
    Workload {
        route: Arc::clone(&name),
        name,
        tenant: "plan".into(),
        key: None,
        priority: Priority::Interactive,
        deadline: None,
        pattern,
        from: Moment::ZERO,
        until: None,
        input: sizes(load.sizes.input, load.sizes.sigma),
        output: sizes(load.sizes.output, load.sizes.sigma),
        cached_ppm,
        max_tokens: load.sizes.max_output.map_or(MaxTokens::Unset, |most| MaxTokens::Fixed(Tokens(most))),
        estimate_error_ppm: 0,
        retry: ClientRetry { retries: 0, obeys_retry_after: true, patience: None },
    }
}

/// Sizes of this mean, and their spread.
fn sizes(mean: f64, sigma: f64) -> Distribution {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates")]
    let tokens = |count: f64| Tokens(count.round().max(1.0) as u64);
    if sigma <= 0.0 {
        return Distribution::Fixed(tokens(mean));
    }
    let median = mean * (-sigma * sigma / 2.0).exp();
    Distribution::Lognormal { median: tokens(median), sigma, most: tokens(mean * 100.0) }
}
