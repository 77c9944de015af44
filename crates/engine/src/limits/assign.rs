//! Which pools a deployment takes from, and in which queue it waits: found from the settings once, not per call.

use std::sync::Arc;

use weir_units::{DeploymentId, Limits, Moment, WallTime};

use super::pool::{Pool, Side};
use super::{Gauge, PoolId};
use crate::engine::Engine;
use crate::memory::Handle;
use crate::queue::QueueView;
use crate::settings::{PoolLimits, ProviderLimits, RESERVE_FOR_INTERACTIVE_PPM};
use crate::tape::Question;

/// A pool as pages and metrics show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolView {
    /// Whose limits they are.
    pub pool: PoolId,
    /// Each limit.
    pub limits: Vec<Gauge>,
    /// What share of them is used since a refusal, in parts per million.
    pub factor_ppm: u64,
    /// Until when nobody asks, after a refusal.
    pub gate_until: Option<Moment>,
    /// Who waits in the queue that is named like it; deployments whose limits hang together share one.
    pub queue: Option<QueueView>,
}

impl Engine {
    /// Tells what time it is by the calendar. Days of limits turn by it; nothing else does.
    pub fn calendar(&mut self, now: Moment, wall: WallTime) {
        self.anchor = (now, wall);
        self.put(now, |_| Question::Calendar { wall }, &());
    }

    /// The calendar's time at a moment.
    pub(crate) fn wall(&self, now: Moment) -> WallTime {
        self.anchor.1 + now.since(self.anchor.0)
    }

    /// Declares all pools of the settings, keeps what was counted, and forgets whose is whose.
    pub(crate) fn declare_pools(&mut self) {
        let settings = self.settings.limits.clone();
        self.pools.release(|_, _| false);
        for (name, ProviderLimits { limits, day }) in &settings.providers {
            if !limits.is_empty() {
                self.declare(PoolId::Provider(Arc::clone(name)), *limits, RESERVE_FOR_INTERACTIVE_PPM, *day);
            }
        }
        for (name, PoolLimits { limits, reserve_for_interactive_ppm }) in &settings.pools {
            let member = settings.models.iter().find(|(_, model)| model.pool.as_ref() == Some(name));
            let day =
                member.and_then(|(id, _)| settings.providers.get(&id.provider)).map(|p| p.day).unwrap_or_default();
            self.declare(PoolId::Shared(Arc::clone(name)), *limits, *reserve_for_interactive_ppm, day);
        }
        for (id, model) in &settings.models {
            if !model.limits.is_empty() {
                let reserve = model.pool.as_ref().and_then(|name| settings.pools.get(name));
                let reserve = reserve.map_or(RESERVE_FOR_INTERACTIVE_PPM, |pool| pool.reserve_for_interactive_ppm);
                let day = settings.providers.get(&id.provider).map(|p| p.day).unwrap_or_default();
                self.declare(PoolId::Model(id.clone()), model.limits, reserve, day);
            }
        }
        for (name, limits) in &settings.keys {
            let handle = self.pools.touch(&PoolId::Key(Arc::clone(name)), || Pool::new(Side::Client));
            if let Some(pool) = self.pools.get_mut(handle) {
                pool.declare(*limits, 0, super::DayStart::Utc);
            }
            self.pools.keep(handle);
        }
        for (id, pool) in self.pools.iter_mut() {
            let declared = match id {
                PoolId::Provider(name) => settings.providers.get(name).is_some_and(|p| !p.limits.is_empty()),
                PoolId::Shared(name) => settings.pools.contains_key(name),
                PoolId::Model(id) => settings.models.get(id).is_some_and(|model| !model.limits.is_empty()),
                PoolId::Key(name) => settings.keys.contains_key(name),
            };
            if !declared {
                pool.declare(Limits::NONE, RESERVE_FOR_INTERACTIVE_PPM, super::DayStart::Utc);
            }
        }
        for (_, deployment) in self.deployments.iter_mut() {
            deployment.assigned = false;
        }
    }

    fn declare(&mut self, id: PoolId, limits: Limits, reserve_ppm: u32, day: super::DayStart) {
        let handle = self.pools.touch(&id, || Pool::new(Side::Provider));
        if let Some(pool) = self.pools.get_mut(handle) {
            pool.declare(limits, reserve_ppm, day);
        }
        self.pools.keep(handle);
    }

    /// Finds a deployment's pools, the innermost first, and its queue: that of its provider where the account has limits, else
    /// that of the pool it shares, else its own.
    pub(crate) fn assign(&mut self, deployment: Handle, id: &DeploymentId) {
        if self.deployments.get(deployment).is_none_or(|state| state.assigned) {
            return;
        }
        let shared = self.settings.limits.models.get(id).and_then(|model| model.pool.clone()).map(PoolId::Shared);
        let provider = PoolId::Provider(Arc::clone(&id.provider));
        let own = PoolId::Model(id.clone());
        let shared_handle = shared.as_ref().and_then(|shared| self.pools.find(shared));
        let own_handle = self.pools.find(&own);
        let provider_handle = self.pools.find(&provider);
        let pools = match shared_handle {
            Some(shared) => [Some(shared), own_handle, provider_handle],
            None => [own_handle, None, provider_handle],
        };
        let line = if provider_handle.is_some() { Some(provider) } else { shared.filter(|_| shared_handle.is_some()) };
        if let Some(state) = self.deployments.get_mut(deployment) {
            (state.pools, state.line, state.assigned) = (pools, line.or(Some(own)), true);
        }
    }

    /// Every pool that has limits, with its queue.
    #[must_use]
    pub fn headroom(&self, now: Moment) -> Vec<PoolView> {
        let wall = self.wall(now);
        let mut views = Vec::new();
        for (id, pool) in self.pools.iter() {
            let waiting = self
                .queue
                .lines
                .get(id)
                .map(|line| line.view(now, &self.queue.tickets))
                .filter(|view| view.waiting != [0; 3]);
            if !pool.binds() && waiting.is_none() {
                continue;
            }
            views.push(PoolView {
                pool: id.clone(),
                limits: pool.gauges(now, wall),
                factor_ppm: pool.factor_ppm(now),
                gate_until: pool.gate(now).map(|(until, _)| until),
                queue: waiting,
            });
        }
        views
    }
}
