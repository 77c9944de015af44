//! What is learned of limits: from what a provider states in its answers, and from its refusals.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use weir_units::{Dimension, Moment};

use super::PoolId;
use super::day::Today;
use crate::call::{Call, Flight};
use crate::change::Change;
use crate::engine::Engine;
use crate::limits::{Pool, Side};
use crate::memory::Handle;
use crate::tape::Question;

/// How long nobody asks again after a 429 that says nothing, at most and at least.
const UNTOLD_GATE: Duration = Duration::from_secs(1);
const SHORTEST_GATE: Duration = Duration::from_millis(50);
/// A pool this busy in the last minute may be what a refusal is about, or today where that is about a day; in parts per million
/// of its limit.
const BUSY_PPM: u64 = 500_000;

/// One limit as a provider states it in an answer's headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stated {
    /// What it limits.
    pub dimension: Dimension,
    /// The limit.
    pub limit: u64,
    /// What is left of it.
    pub remaining: Option<u64>,
}

impl Stated {
    /// Whether what is left is nothing, or less than an attempt was taken to need: that explains why it was refused.
    fn leaves_too_little(&self, flight: &Flight) -> bool {
        let needed = flight.hold.map_or(1, |hold| hold.cost.get(self.dimension).max(1));
        self.remaining.is_some_and(|left| left < needed)
    }
}

impl Engine {
    /// The answer to the attempt under way states limits. They hold for the model, or the pool that it shares; where they are
    /// just what a pool around it declares, they are that pool's as well.
    pub fn stated(&mut self, now: Moment, call: &mut Call, stated: &[Stated]) {
        self.learn(now, call, stated);
        let number = call.number;
        self.put(now, |_| Question::Stated { call: number, limits: stated.to_vec() }, &());
    }

    fn learn(&mut self, now: Moment, call: &mut Call, stated: &[Stated]) {
        let Some(flight) = call.flight else { return };
        if stated.is_empty() {
            return;
        }
        if let Some(flight) = &mut call.flight {
            flight.is_spent |= stated.iter().any(|one| one.leaves_too_little(flight));
        }
        let lane = flight.lane;
        let innermost = self.innermost(call, lane);
        let Some(handle) = innermost else { return };
        let around = self.deployments.get(call.lanes[lane].deployment).map_or([None; 3], |state| state.pools);
        let around = around.into_iter().flatten().filter(|pool| *pool != handle);
        let wall = self.wall(now);
        for handle in std::iter::once(handle).chain(around) {
            let held = flight.hold.and_then(|hold| hold.part(handle));
            let Some(id) = self.pools.key(handle).cloned() else { continue };
            let Some(pool) = self.pools.get_mut(handle) else { continue };
            for one in stated {
                if Some(handle) != innermost && !pool.is_meant(one.dimension, one.limit) {
                    continue;
                }
                let held = held.as_ref();
                if let Some((old, new)) = pool.stated(now, wall, held, one.dimension, one.limit, one.remaining) {
                    let how = "the provider's headers say so";
                    let pool = id.clone();
                    self.changes.push(Change::Limit { pool, dimension: one.dimension, old, new, how });
                }
            }
        }
        self.let_go(now);
    }

    /// A provider refused for want of capacity: its pools are closed for as long as it says, and where the limits had room, less
    /// of them is used from now on. A day's limit of which it does not say when it is back is back when its day is over.
    ///
    /// Returns how long the provider refuses, where that is known.
    pub(crate) fn rate_limited(
        &mut self,
        now: Moment,
        call: &mut Call,
        flight: &Flight,
        retry_after: Option<Duration>,
        dimension: Option<Dimension>,
    ) -> Option<Duration> {
        let lane = flight.lane;
        let is_daily = dimension.is_some_and(Dimension::is_daily);
        let day_left = || Today::at(self.wall(now), call.ask.candidates[lane].charge.day).left;
        let refuses = retry_after.or_else(|| is_daily.then(day_left));
        let until = now
            + match (retry_after, refuses) {
                // A tenth later at most, so that not all gateways of an account come back at the same instant.
                (Some(after), _) => after + self.random.gate.up_to(after / 10),
                (None, Some(day)) => day + self.random.gate.up_to(UNTOLD_GATE),
                (None, None) => self.random.gate.up_to(UNTOLD_GATE).max(SHORTEST_GATE),
            };
        // What the headers explain is no surprise, and a day that is used up says nothing of the minute's pace.
        let is_explained = is_daily || (flight.is_spent && retry_after.is_some());
        let binding = dimension.unwrap_or(Dimension::RequestsPerMinute);
        let innermost = self.innermost(call, lane);
        let pools = self.deployments.get(call.lanes[lane].deployment).map_or([None; 3], |state| state.pools);
        let mut closed = Vec::new();
        for handle in pools.into_iter().flatten() {
            let held = flight.hold.as_ref().and_then(|hold| hold.part(handle));
            let Some(pool) = self.pools.get_mut(handle) else { continue };
            let busy = || dimension.filter(|_| is_daily).map_or_else(|| pool.use_ppm(now), |day| pool.use_of(now, day));
            if Some(handle) != innermost && busy() < BUSY_PPM {
                continue;
            }
            pool.close_gate(until, binding);
            closed.push(handle);
            let before = pool.factor_ppm(now);
            let Some(held) = held.filter(|_| !is_explained) else { continue };
            if !pool.surprised(now, &held) {
                continue;
            }
            let after = pool.factor_ppm(now);
            let limits: Vec<(Dimension, u64)> = Dimension::ALL
                .into_iter()
                .filter(|d| !d.is_daily() && *d != Dimension::ConcurrentRequests)
                .filter_map(|d| Some((d, pool.limit(d)?)))
                .collect();
            let Some(id) = self.pools.key(handle).cloned() else { continue };
            for (dimension, limit) in limits {
                let share = |ppm: u64| u64::try_from(u128::from(limit) * u128::from(ppm) / 1_000_000).unwrap_or(limit);
                let (old, new) = (Some(share(before)), share(after));
                let how = "it refused below the limit";
                self.changes.push(Change::Limit { pool: id.clone(), dimension, old, new, how });
            }
        }
        self.hurry(now, &closed);
        refuses
    }

    /// The pool that a provider's headers and refusals speak of: the one that the model shares, else its own.
    fn innermost(&mut self, call: &Call, lane: usize) -> Option<Handle> {
        let deployment = call.lanes[lane].deployment;
        let known = self.deployments.get(deployment)?.pools[0];
        if let Some(handle) = known
            && self.pools.get(handle).is_some()
        {
            return known;
        }
        let id = PoolId::Model(call.ask.candidates[lane].deployment.clone());
        let handle = self.pools.touch(&id, || Pool::new(Side::Provider));
        self.deployments.get_mut(deployment)?.pools[0] = Some(handle);
        Some(handle)
    }
}
