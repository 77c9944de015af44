//! What is the case now, gathered from where it is known anyway.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_engine::alerts::{AttemptCounts, BudgetSeen, DeploymentSeen, LedgerSeen, LimitSeen, Observed};
use weir_engine::{BreakerState, DeploymentView, PoolId, PoolView};
use weir_units::{DeploymentId, FaultClass};

use crate::state::{Live, Shared};
use crate::{budgets, limits};

/// Everything that alerts look at.
pub(super) fn everything(shared: &Shared) -> Observed {
    let now = shared.clock.now();
    let live = shared.live.load_full();
    let (views, pools) = {
        let engine = shared.engine();
        (engine.view(now), engine.headroom(now))
    };
    let counts = attempts(shared);
    let ahead = shared.desk.latest().map(|desk| crate::capacity::ahead(&desk)).unwrap_or_default();
    Observed {
        deployments: deployments(&live, &views, &counts),
        limits: pools.iter().flat_map(|pool| limits_of(pool, &counts)).collect(),
        budgets: budgets(shared, &live),
        ceilings: ahead.ceilings,
        budgets_ahead: ahead.budgets,
        runs: super::halted(shared),
        moved: std::mem::take(&mut shared.alarms.heard().moved),
        compared: limits::compared(shared, &live),
        ledger: ledger(shared),
        notifiers: shared.alarms.deliveries.seen(),
    }
}

/// What came of the attempts at each deployment that has a label of its own.
type Counts = BTreeMap<String, AttemptCounts>;

fn attempts(shared: &Shared) -> Counts {
    let mut counts = Counts::new();
    shared.metrics.read_attempts(|deployment, class, count| {
        if !counts.contains_key(deployment) {
            counts.insert(deployment.to_owned(), AttemptCounts::default());
        }
        let Some(of_it) = counts.get_mut(deployment).filter(|_| class != "cancelled") else { return };
        of_it.all += count;
        if class == FaultClass::RateLimited.name() {
            of_it.throttled += count;
        } else if FAILURES.iter().any(|failure| failure.name() == class) {
            of_it.failed += count;
        }
    });
    counts
}

/// What a provider fails at itself; any other answer is one.
const FAILURES: [FaultClass; 8] = [
    FaultClass::Connect,
    FaultClass::Reset,
    FaultClass::ServerError,
    FaultClass::Overloaded,
    FaultClass::FirstByteTimeout,
    FaultClass::FirstContentTimeout,
    FaultClass::Stalled,
    FaultClass::Cut,
];

fn deployments(live: &Live, views: &[DeploymentView], counts: &Counts) -> Vec<DeploymentSeen> {
    let up = |deployment: &DeploymentId| {
        let view = views.iter().find(|view| view.deployment == *deployment);
        view.is_none_or(|view| view.breaker == BreakerState::Closed && view.benched.is_none())
    };
    let seen = views.iter().filter_map(|view| {
        let attempts = *counts.get(&*view.deployment.to_string())?;
        let refused = view.benched.filter(|bench| bench.credential).map(|bench| bench.class);
        let fine = view.breaker == BreakerState::Closed && refused.is_none() && attempts.failed == 0;
        let instead = if fine { None } else { instead(live, &view.deployment, up) };
        let deployment = view.deployment.clone();
        Some(DeploymentSeen { deployment, breaker: view.breaker, refused, attempts, instead })
    });
    seen.collect()
}

/// The first route that a deployment is on, and the provider that serves that one in its place.
fn instead(
    live: &Live,
    deployment: &DeploymentId,
    up: impl Fn(&DeploymentId) -> bool,
) -> Option<(Arc<str>, Option<Arc<str>>)> {
    let mut routes = live.config.routes.values().filter(|route| route.deployments.contains(deployment));
    let route = routes.next()?;
    let mut others = route.deployments.iter().filter(|other| *other != deployment);
    let serves = others.find(|other| up(other)).map(|other| Arc::clone(&other.provider));
    Some((Arc::clone(&route.name), serves))
}

fn limits_of(pool: &PoolView, counts: &Counts) -> Vec<LimitSeen> {
    let told = match &pool.pool {
        // A client's own limit is between the operator and that client.
        PoolId::Key(_) => false,
        PoolId::Model(deployment) => counts.contains_key(&*deployment.to_string()),
        PoolId::Provider(_) | PoolId::Shared(_) => true,
    };
    if !told {
        return Vec::new();
    }
    let waiting = pool.queue.as_ref().map_or(0, |queue| queue.waiting.iter().sum());
    let limits = pool.limits.iter().map(|gauge| LimitSeen {
        pool: pool.pool.clone(),
        dimension: gauge.dimension,
        limit: gauge.limit,
        used: gauge.used,
        reset: gauge.reset,
        waiting,
    });
    limits.collect()
}

fn budgets(shared: &Shared, live: &Live) -> Vec<BudgetSeen> {
    let views = budgets::gauges(shared);
    let seen = views.into_iter().map(|view| {
        let meant = live.config.budgets.get(&view.budget.name);
        BudgetSeen {
            warn_at_ppm: meant.map(|budget| budget.settings.warn_at_ppm.clone()).unwrap_or_default(),
            name: view.budget.name,
            limit: view.limit,
            spent: view.books.counted(),
            span: view.span,
        }
    });
    seen.collect()
}

fn ledger(shared: &Shared) -> LedgerSeen {
    let behind = shared.ledger.behind();
    LedgerSeen {
        waiting: behind.queued as u64 + behind.spilled,
        lost: behind.lost,
        failing_since: behind.since,
        why: behind.error.map(|error| weir_wire::clean_message(&error).into()),
    }
}
