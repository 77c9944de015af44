//! What a run came to: who waited, and how full each limit was in any minute.

use std::collections::BTreeMap;
use std::time::Duration;

use weir_capacity::plan::{Proof, Request, Trial, TrialLimit};
use weir_engine::PoolId;
use weir_sim::{Outcome, Record, RecordEnd, World};
use weir_units::{DeploymentId, Dimension, Limits, Moment};

use super::town::Town;

/// Who waited less did not wait: a request is let in within the moment that it comes.
const AT_ONCE: Duration = Duration::from_millis(1);
const MINUTE: usize = 60;

/// The figures of a run, of what came within `span` after it was warm.
pub(super) fn reckon(
    trial: &Trial,
    town: &Town<'_>,
    world: &World,
    outcome: &Outcome,
    warm: Duration,
    span: Duration,
) -> Proof {
    let begin = Moment::ZERO + warm;
    let end = begin + span;
    let counted = |record: &&Record| {
        (record.workload as usize) < trial.loads.len() && begin <= record.at && record.at < end && record.is_last
    };
    let of_load: Vec<&Record> = outcome.records.iter().filter(counted).collect();
    let deadline = |record: &Record| trial.loads[record.workload as usize].deadline;
    let requests = of_load.len() as u64;
    let share = |matches: &dyn Fn(&&&Record) -> bool| {
        of_load.iter().filter(|record| matches(record)).count() as f64 / requests.max(1) as f64
    };
    let attempts: u64 = of_load.iter().map(|record| u64::from(record.attempts)).sum();
    let refused: u64 = of_load.iter().map(|record| u64::from(record.refused_429)).sum();
    let longest = of_load.iter().map(|record| record.queued).max().unwrap_or_default();
    let mut waits: Vec<Duration> = of_load
        .iter()
        .map(|record| if is_refused(record) { longest.max(deadline(record)) } else { record.queued })
        .collect();
    waits.sort_unstable();
    let p95 = waits.get((waits.len() * 95).div_ceil(100).max(1) - 1).copied().unwrap_or_default();
    Proof {
        seed: trial.seed,
        minutes: span.as_secs_f64() / 60.0,
        requests,
        answered: of_load.iter().filter(|record| record.end == RecordEnd::Answered).count() as u64,
        p_wait: share(&|record| record.queued > AT_ONCE || is_refused(record)),
        p_late: share(&|record| record.queued > deadline(record) || is_refused(record)),
        wait_p95_s: p95.as_secs_f64(),
        refused_429: refused as f64 / attempts.max(1) as f64,
        limits: limits(trial, town, world, outcome, (warm.as_secs() as usize, span.as_secs() as usize)),
    }
}

/// Refused for want of capacity, by Weir or by a provider.
pub(super) fn is_refused(record: &Record) -> bool {
    matches!(record.end, RecordEnd::RefusedByWeir(_) | RecordEnd::RefusedByProvider(429))
}

/// What was used of each limit, second by second.
fn limits(
    trial: &Trial,
    town: &Town<'_>,
    world: &World,
    outcome: &Outcome,
    (warm, span): (usize, usize),
) -> Vec<TrialLimit> {
    let real: Vec<&DeploymentId> =
        world.deployments.iter().map(|new| town.stands_for.get(new).unwrap_or(new)).collect();
    let pools: Vec<Vec<(PoolId, Limits)>> = real.iter().map(|id| trial.site.pools_of(id)).collect();
    let mut used: BTreeMap<(PoolId, Dimension), (u64, Vec<f64>)> = BTreeMap::new();
    for record in &outcome.records {
        let Some(place) = record.deployment.map(|place| place as usize).filter(|_| record.attempts > 0) else {
            continue;
        };
        let sent = record.at + record.queued;
        let request = Request {
            input: record.input.0 as f64,
            cached: record.input.0 as f64 * load_of(trial, record).sizes.cached,
            output: record.output.0 as f64,
            max_output: load_of(trial, record).sizes.max_output,
        };
        let charge = trial.site.charge_of(real[place]);
        for (pool, limits) in &pools[place] {
            for (dimension, limit) in limits.iter().filter(|(dimension, _)| !dimension.is_daily()) {
                let key = (pool.clone(), dimension);
                let (_, seconds) = used.entry(key).or_insert_with(|| (limit, vec![0.0; warm + span + 1]));
                if dimension == Dimension::ConcurrentRequests {
                    spread(seconds, sent, record.ended_at, record.ended_at.since(sent).as_secs_f64());
                    continue;
                }
                let all = request.cost(charge, dimension);
                let first = Request { output: 0.0, ..request }.cost(charge, dimension);
                if let Some(second) = seconds.get_mut(second_of(sent)) {
                    *second += first;
                }
                spread(seconds, record.first_token_at.unwrap_or(sent), record.ended_at, all - first);
            }
        }
    }
    let of_one = |((pool, dimension), (limit, seconds)): ((PoolId, Dimension), (u64, Vec<f64>))| {
        let seconds = &seconds[warm..warm + span];
        let at_once = dimension == Dimension::ConcurrentRequests;
        let window = if at_once { 1 } else { MINUTE.min(seconds.len().max(1)) };
        let mut sums: Vec<f64> = seconds.windows(window).map(|window| window.iter().sum()).collect();
        sums.sort_by(f64::total_cmp);
        let rank = (sums.len() * 95).div_ceil(100).max(1) - 1;
        let total: f64 = seconds.iter().sum();
        TrialLimit {
            pool: pool.to_string(),
            dimension,
            limit,
            mean: total / seconds.len().max(1) as f64 * window as f64,
            peak: sums.get(rank).copied().unwrap_or(0.0),
            most: sums.last().copied().unwrap_or(0.0),
        }
    };
    used.into_iter().map(of_one).collect()
}

fn load_of<'t>(trial: &'t Trial, record: &Record) -> &'t weir_capacity::plan::Load {
    let place = record.workload as usize;
    trial.loads.get(place).unwrap_or_else(|| &trial.existing[place - trial.loads.len()])
}

fn second_of(at: Moment) -> usize {
    usize::try_from(at.since(Moment::ZERO).as_secs()).unwrap_or(usize::MAX)
}

/// Spreads an amount evenly over the seconds from one moment to another.
fn spread(seconds: &mut [f64], from: Moment, until: Moment, amount: f64) {
    if amount == 0.0 {
        return;
    }
    let at = |moment: Moment| moment.since(Moment::ZERO).as_secs_f64();
    let (from, until) = (at(from), at(until));
    let length = until - from;
    if length <= 0.0 {
        if let Some(second) = seconds.get_mut(from as usize) {
            *second += amount;
        }
        return;
    }
    for second in from as usize..=(until as usize).min(seconds.len().saturating_sub(1)) {
        let overlap = until.min(second as f64 + 1.0) - from.max(second as f64);
        if let Some(of) = seconds.get_mut(second) {
            *of += amount * overlap.max(0.0) / length;
        }
    }
}
