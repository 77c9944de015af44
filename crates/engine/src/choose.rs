//! Whom to ask next: who may be asked at all, in which order, and who is asked only when nobody else is left.

use std::time::Duration;

use weir_units::Moment;

use crate::ask::Strategy;
use crate::breaker::{Admission, Breaker};
use crate::call::{Call, Fault, Lane};
use crate::deployment::Deployment;
use crate::engine::Engine;
use crate::ladder::costs_budget;
use crate::router::{Field, usual_ttft};

/// How willingly a deployment is asked; what comes first is asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// A probe is due.
    First,
    Able,
    /// Its share is ramping up, and this call was not drawn for it.
    Untold,
    Benched,
}

/// Whom [`Engine::pick`] found.
pub(crate) enum Pick {
    Lane(usize),
    /// Nobody; `late` if the deadline alone spoke against someone.
    Nobody {
        late: bool,
    },
}

impl Engine {
    /// Whether both breakers let a call pass.
    pub(crate) fn admission(&self, now: Moment, lane: &Lane) -> Admission {
        let of = |breaker: Option<&Breaker>| breaker.map_or(Admission::Pass, |breaker| breaker.admission(now));
        let deployment = of(self.deployments.get(lane.deployment).map(|state| &state.breaker));
        deployment.and(of(self.hosts.get(lane.host)))
    }

    /// Whether an attempt that starts at `at` is likely to answer before the deadline.
    pub(crate) fn in_time(&self, at: Moment, call: &Call, lane: usize) -> bool {
        let Some(deadline) = call.ask.deadline else { return true };
        let usual = self.deployments.get(call.lanes[lane].deployment).map_or(Duration::ZERO, Deployment::ttft_p50);
        at + usual < deadline
    }

    fn is_benched(&self, now: Moment, call: &Call, lane: usize) -> bool {
        let model = self.deployments.get(call.lanes[lane].deployment).and_then(|state| state.bench);
        model.is_some_and(|bench| bench.holds(now))
            || (!self.benches.is_empty()
                && self
                    .benches
                    .get(&call.ask.candidates[lane].deployment.provider)
                    .is_some_and(|bench| bench.holds(now)))
    }

    /// Whether a deployment other than `except` would take over. A benched one is a last resort, not an alternative.
    pub(crate) fn another_eligible(&self, now: Moment, call: &Call, except: usize) -> bool {
        call.lanes.iter().enumerate().any(|(index, lane)| {
            index != except
                && !lane.out
                && !lane.full
                && call.fits(index)
                && !matches!(self.admission(now, lane), Admission::Refuse { .. })
                && !self.is_benched(now, call, index)
                && self.in_time(now, call, index)
        })
    }

    /// Chooses a deployment no worse than `worst`.
    pub(crate) fn pick(&mut self, now: Moment, call: &mut Call, source: Option<Fault>, worst: Rank) -> Pick {
        let mut late = false;
        let mut best: Option<(Rank, usize)> = None;
        let mut field: Option<Field> = None;
        for index in 0..call.lanes.len() {
            let lane = call.lanes[index];
            if lane.out || lane.full || lane.limited || !call.fits(index) {
                continue;
            }
            let admission = self.admission(now, &lane);
            if matches!(admission, Admission::Refuse { .. }) || self.too_dear(now, call, index, source) {
                continue;
            }
            if !self.in_time(now, call, index) {
                late = true;
                continue;
            }
            let rank = self.rank(now, call, index, admission);
            if rank > worst {
                continue;
            }
            if best.is_none_or(|(found, _)| rank < found) {
                best = Some((rank, index));
            }
            match (call.ask.strategy, rank) {
                (Strategy::Failover, Rank::First | Rank::Able) => return Pick::Lane(index),
                (Strategy::Balance, Rank::Able) => {
                    let field = field.get_or_insert_with(|| Field::new(self.usual_ttft(call)));
                    let (wait, use_ppm) = self.headroom_of(now, call, index);
                    if let Some(state) = self.deployments.get_mut(lane.deployment) {
                        field.add(index, state, now, wait, use_ppm);
                    }
                }
                _ => {}
            }
        }
        match (best, field) {
            (None, _) => Pick::Nobody { late },
            (Some((Rank::Able, index)), Some(field)) => Pick::Lane(field.choose(&mut self.random.tie).unwrap_or(index)),
            (Some((_, index)), _) => Pick::Lane(index),
        }
    }

    /// How long a deployment's limits make a call wait now, and how much of the tightest one is used, in parts per million.
    fn headroom_of(&mut self, now: Moment, call: &Call, lane: usize) -> (u64, u64) {
        let pools = self.deployments.get(call.lanes[lane].deployment).map_or([None; 3], |state| state.pools);
        if pools.iter().all(Option::is_none) {
            return (0, 0);
        }
        let cost = self.cost(call, lane);
        let wait = self.wait_of(now, call, lane, &cost);
        let used = pools.iter().flatten().filter_map(|handle| Some(self.pools.get(*handle)?.use_ppm(now))).max();
        (u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX), used.unwrap_or(0))
    }

    fn usual_ttft(&self, call: &Call) -> Option<u64> {
        usual_ttft(call.lanes.iter().filter_map(|lane| self.deployments.get(lane.deployment)))
    }

    fn rank(&mut self, now: Moment, call: &mut Call, index: usize, admission: Admission) -> Rank {
        if self.is_benched(now, call, index) {
            return Rank::Benched;
        }
        match admission {
            // Whoever is on trial goes first where the order is ours: one call at a time, so that it comes back at all.
            Admission::Probe if call.ask.strategy == Strategy::Balance => Rank::First,
            Admission::Share(ppm) => {
                let random = &mut self.random.share;
                let drawn = call.lanes[index].drawn.get_or_insert_with(|| random.below(1_000_000) < u64::from(ppm));
                if *drawn { Rank::Able } else { Rank::Untold }
            }
            _ => Rank::Able,
        }
    }

    /// A fail-over for which no budget is left, to a deployment that fails as well.
    fn too_dear(&mut self, now: Moment, call: &Call, target: usize, source: Option<Fault>) -> bool {
        let Some(fault) = source.filter(|fault| costs_budget(fault.class)) else { return false };
        let tenant = self.tenants.get_mut(call.tenant).is_none_or(|budget| budget.has_any(now));
        let left = self.deployments.get_mut(call.lanes[fault.lane].deployment);
        if tenant && left.is_none_or(|state| state.budget.has_any(now)) {
            return false;
        }
        let target = &call.lanes[target];
        let host_failing = self.hosts.get(target.host).is_some_and(|breaker| !breaker.is_closed(now));
        let Some(state) = self.deployments.get_mut(target.deployment) else { return host_failing };
        host_failing || !state.breaker.is_closed(now) || !state.budget.has_any(now)
    }
}
