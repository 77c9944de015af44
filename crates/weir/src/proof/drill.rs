//! Past traffic, played with one provider gone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use weir_capacity::plan::{Drill, DrillRequest, DrillRoute, OutageProof, Service};
use weir_sim::{
    ClientRetry, Distribution, Event, EventKind, FaultOrder, MaxTokens, Pattern, Priority, RecordEnd, Trace, TraceRow,
    Weir, Workload, World,
};
use weir_units::{Moment, Tokens};

use super::town::Town;

/// Most requests that are played.
const MOST_REQUESTS: usize = 150_000;
/// How much traffic is played before the provider goes.
const BEFORE: Duration = Duration::from_secs(600);

/// Plays a drill.
pub(super) fn play(drill: &Drill, progress: &mut dyn FnMut(f64)) -> Result<OutageProof, String> {
    let mut requests = drill.requests.clone();
    requests.sort_by_key(|request| request.at);
    let from = drill.from.unwrap_or_else(|| densest(&requests, drill.lasts));
    let begin = from.saturating_sub(BEFORE);
    let wanted = requests.iter().filter(|one| begin <= one.at && one.at < from + drill.lasts);
    let played: Vec<DrillRequest> = wanted.take(MOST_REQUESTS).copied().collect();
    if played.is_empty() {
        return Err("nothing was asked in the time that is looked at".to_owned());
    }
    // Where the bound cuts traffic off, the outage is looked at up to there.
    let cut = (played.len() == MOST_REQUESTS).then(|| played[MOST_REQUESTS - 1].at);
    let until = cut.unwrap_or(from + drill.lasts).max(begin + Duration::from_secs(1));
    let mut town = Town::new(&drill.site);
    let mut workloads = Vec::new();
    let mut places = Vec::new();
    for (place, name) in drill.routes.iter().enumerate() {
        let own: Vec<&DrillRequest> = played.iter().filter(|one| one.route == place).collect();
        let Some(first) = own.first().map(|one| one.at - begin) else { continue };
        let Some(route) = drill.site.route(name) else { continue };
        let output = own.iter().map(|one| one.output as f64).sum::<f64>() / own.len() as f64;
        let service = |id: &_| drill.services.get(id).copied().unwrap_or(Service::ASSUMED);
        town.add_route(name, &route, service, output)?;
        let row = |one: &&DrillRequest| TraceRow { at: one.at, input: Tokens(one.input), output: Tokens(one.output) };
        let trace = Trace::of(own.iter().map(row).collect()).unwrap_or_default();
        workloads.push(workload(Arc::clone(name), trace, first));
        places.push(Arc::clone(name));
    }
    if workloads.is_empty() {
        return Err("no route of the traffic is one of the configuration".to_owned());
    }
    let (gone, back) = (Moment::ZERO + (from - begin), Moment::ZERO + (until - begin));
    let fault = EventKind::Fault { fault: FaultOrder::ServerError, share_ppm: 1_000_000 };
    town.befall(&drill.down, Event { from: gone, until: Moment::ZERO + (from + drill.lasts - begin), kind: fault });
    let scenario = town.scenario(drill.seed, until - begin, workloads);
    let world = World::of(&scenario);
    let whole = scenario.duration.as_secs_f64().max(1.0);
    let outcome = weir_sim::run_watched(
        &scenario,
        &world,
        |number| Weir::new(&scenario, &world, number),
        |now| progress((now.since(Moment::ZERO).as_secs_f64() / whole).min(1.0)),
    );
    let routes = places.iter().enumerate().map(|(place, name)| {
        let during =
            |record: &&weir_sim::Record| record.workload as usize == place && gone <= record.at && record.at < back;
        let own: Vec<_> = outcome.records.iter().filter(during).collect();
        let mut waits: Vec<Duration> = own.iter().map(|record| record.queued).collect();
        waits.sort_unstable();
        let p95 = waits.get((waits.len() * 95).div_ceil(100).max(1) - 1).copied().unwrap_or_default();
        let mut served_by = BTreeMap::new();
        for record in own.iter().filter(|record| record.end == RecordEnd::Answered) {
            let Some(new) = record.deployment.and_then(|at| world.deployments.get(at as usize)) else { continue };
            let real = town.stands_for.get(new).unwrap_or(new);
            *served_by.entry(real.to_string()).or_default() += 1;
        }
        DrillRoute {
            route: name.to_string(),
            requests: own.len() as u64,
            failed: own.iter().filter(|record| record.end != RecordEnd::Answered).count() as u64,
            wait_p95_s: p95.as_secs_f64(),
            served_by,
        }
    });
    Ok(OutageProof {
        seed: drill.seed,
        down: drill.down.to_string(),
        from_s: from.as_secs_f64(),
        seconds: (until.saturating_sub(from)).as_secs_f64(),
        routes: routes.filter(|route| route.requests > 0).collect(),
    })
}

/// Where a stretch of that length has the most requests.
fn densest(requests: &[DrillRequest], length: Duration) -> Duration {
    let mut best = (0, Duration::ZERO);
    let mut end = 0;
    for (start, request) in requests.iter().enumerate() {
        while end < requests.len() && requests[end].at < request.at + length {
            end += 1;
        }
        if end - start > best.0 {
            best = (end - start, request.at);
        }
    }
    best.1
}

fn workload(name: Arc<str>, trace: Trace, first: Duration) -> Workload {
    Workload {
        route: Arc::clone(&name),
        name,
        tenant: "drill".into(),
        key: None,
        priority: Priority::Interactive,
        deadline: None,
        pattern: Pattern::Trace { trace: Arc::new(trace), speed: 1.0, times: 1.0, repeat: false },
        from: Moment::ZERO + first,
        until: None,
        input: Distribution::Fixed(Tokens(1)),
        output: Distribution::Fixed(Tokens(1)),
        cached_ppm: 0,
        max_tokens: MaxTokens::Unset,
        estimate_error_ppm: 0,
        retry: ClientRetry { retries: 0, obeys_retry_after: true, patience: None },
    }
}
