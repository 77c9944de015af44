//! How long a request will probably wait.
//!
//! What goes before it is what stands before it in the order of service: all of its tenant's, of every other tenant of its
//! class as much as its own has, and of the other classes their share by weight. How long that takes is what the tightest
//! limit needs to let it flow.

use std::time::Duration;

use weir_units::{Dimension, Moment};

use super::line::{Class, Sum, Tenant};
use super::{Line, class_weight};
use crate::ask::Priority;
use crate::call::Call;
use crate::engine::Engine;
use crate::limits::{Cost, Room};
use crate::memory::Handle;

/// Over how many tenants it is summed exactly; beyond, all that waits counts as before it.
const TENANTS: usize = 32;

/// What a prediction is made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newcomer {
    pub(crate) pools: [Option<Handle>; 3],
    pub(crate) tenant: Handle,
    pub(crate) class: Priority,
    pub(crate) cost: Cost,
}

/// A predicted wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forecast {
    pub(crate) wait: Duration,
    /// Whether, and when, there is room for it if nobody were before it.
    pub(crate) room: Room,
    /// How many stand before it.
    pub(crate) ahead: usize,
    /// What it waits for; the first pool where nothing does.
    pub(crate) pool: Option<Handle>,
    pub(crate) binding: Dimension,
}

impl Engine {
    /// Predicts the wait of a request that is not in line yet.
    pub(crate) fn forecast(&mut self, now: Moment, line: Option<&Line>, new: &Newcomer) -> Forecast {
        let (ahead, before) = line.map_or_else(Default::default, |line| before(line, new));
        let room = self.room(now, &new.pools, &new.cost, new.class);
        let (wait, pool, binding) = match room {
            Room::Now => (Duration::ZERO, new.pools.iter().flatten().next().copied(), Dimension::RequestsPerMinute),
            // How long it takes until somebody ends is not known here; what it waits for is.
            Room::Later { at, pool, binding } => (at.map_or(Duration::ZERO, |at| at.since(now)), Some(pool), binding),
        };
        let mut forecast = Forecast { wait, room, ahead, pool, binding };
        let mut say = |wait: Duration, pool: Handle, binding| {
            if wait > forecast.wait {
                (forecast.wait, forecast.pool, forecast.binding) = (wait, Some(pool), binding);
            }
        };
        for handle in new.pools.iter().flatten() {
            let Some(pool) = self.pools.get_mut(*handle) else { continue };
            let gate = pool.gate(now).map_or(Duration::ZERO, |(until, _)| until.since(now));
            for dimension in Dimension::ALL {
                let (before, own) = (before.cost[dimension.index()], new.cost.get(dimension));
                let wait = if dimension == Dimension::ConcurrentRequests {
                    pool.places_in(before.saturating_add(own))
                } else {
                    pool.flows_in(now, dimension, before, own)
                };
                if !wait.is_zero() {
                    say(wait.max(gate), *handle, dimension);
                }
            }
        }
        forecast
    }
}

impl Engine {
    /// How long a call would wait for a deployment's limits if it were sent there now.
    pub(crate) fn wait_of(&mut self, now: Moment, call: &Call, lane: usize, cost: &Cost) -> Duration {
        let Some(state) = self.deployments.get(call.lanes[lane].deployment) else { return Duration::ZERO };
        let (pools, id) = (state.pools, state.line.clone());
        let new = Newcomer { pools, tenant: call.tenant, class: call.ask.priority, cost: *cost };
        let line = id.as_ref().and_then(|id| self.queue.lines.remove(id));
        let forecast = self.forecast(now, line.as_deref(), &new);
        if let (Some(id), Some(line)) = (id, line) {
            self.queue.lines.insert(id, line);
        }
        forecast.wait
    }
}

/// How many stand before a newcomer, and what they take.
fn before(line: &Line, new: &Newcomer) -> (usize, Sum) {
    let class = &line.classes[new.class as usize];
    let (mut ahead, mut sum) =
        if class.order.len() <= TENANTS { before_in_class(class, new) } else { (class.waiting, class.sum) };
    let needed = sum.work.saturating_add(super::work(&new.cost));
    for other in Priority::ALL.into_iter().filter(|other| *other != new.class) {
        let class = &line.classes[other as usize];
        let share = u128::from(needed) * u128::from(class_weight(other)) / u128::from(class_weight(new.class));
        let part = class.sum.part(u64::try_from(share).unwrap_or(u64::MAX));
        ahead += part_of(class.waiting, part.work, class.sum.work);
        sum.join(&part);
    }
    (ahead, sum)
}

/// All of its own tenant's, and of every other tenant's as much as its own has; who was served less so far catches up first.
fn before_in_class(class: &Class, new: &Newcomer) -> (usize, Sum) {
    let of = |tenant: &Tenant| {
        let mut sum = Sum::default();
        tenant.lanes.values().for_each(|waiting| sum.join(&waiting.sum));
        sum
    };
    let own = class.tenants.get(&new.tenant).filter(|tenant| tenant.waiting > 0);
    let mut sum = own.map_or_else(Sum::default, of);
    let mut ahead = own.map_or(0, |tenant| tenant.waiting);
    let least = class.order.first().map_or(0, |(served, _)| *served);
    let served = own.map_or(least, |tenant| tenant.served);
    let mine = sum.work.saturating_add(super::work(&new.cost));
    for (_, handle) in class.order.iter().filter(|(_, handle)| *handle != new.tenant) {
        let Some(tenant) = class.tenants.get(handle) else { continue };
        let all = of(tenant);
        let behind = served.saturating_sub(tenant.served) / 16;
        let before = tenant.served.saturating_sub(served) / 16;
        let part = all.part(mine.saturating_add(behind).saturating_sub(before));
        ahead += part_of(tenant.waiting, part.work, all.work);
        sum.join(&part);
    }
    (ahead, sum)
}

fn part_of(count: usize, part: u64, all: u64) -> usize {
    usize::try_from(count as u128 * u128::from(part) / u128::from(all.max(1))).unwrap_or(count)
}
