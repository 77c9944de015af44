//! Taking what a request needs of every limit at once, and correcting it by what it used.

use std::sync::Arc;
use std::time::Duration;

use weir_units::{Dimension, Limits, Moment, Usage};

use super::charge::{ChargeModel, Cost, Size};
use super::pool::{Held, Pool, Side, Verdict};
use super::{Gauge, PoolId};
use crate::ask::Priority;
use crate::call::Call;
use crate::engine::Engine;
use crate::memory::Handle;
use crate::tape::Question;

/// Output beyond what was held is taken in steps of so many tokens while it streams.
const STEP: u64 = 64;
/// What an answer is taken to have, while too few were seen, where its maximum does not say less.
const UNKNOWN_OUTPUT: u64 = 4_096;

/// What is held of up to three pools for one attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hold {
    pub(crate) parts: [Option<(Handle, Held)>; 3],
    pub(crate) cost: Cost,
    batch: bool,
    pub(crate) charge: ChargeModel,
    /// Output tokens seen so far.
    produced: u64,
}

impl Hold {
    /// What was held of a pool.
    pub(crate) fn part(&self, pool: Handle) -> Option<Held> {
        self.parts.iter().flatten().find(|(known, _)| *known == pool).map(|(_, held)| *held)
    }
}

/// What is held of a key's own limits for one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyHold {
    pool: Handle,
    held: Held,
    cost: Cost,
    used: Option<Cost>,
}

/// Whether there is room for a request in all pools of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Now,
    /// Not before then, because of this limit of this pool; with no time it depends on who ends.
    Later {
        at: Option<Moment>,
        pool: Handle,
        binding: Dimension,
    },
}

/// A key's own limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFull {
    /// Which one.
    pub dimension: Dimension,
    /// What it is.
    pub limit: u64,
    /// When the same request would fit: 1 to 120 s.
    pub retry_after: Duration,
}

impl Engine {
    /// What a request is taken to need of a candidate's limits.
    pub(crate) fn cost(&self, call: &Call, lane: usize) -> Cost {
        let candidate = &call.ask.candidates[lane];
        let likely = self.likely_output(call.lanes[lane].deployment, call.ask.max_output);
        candidate.charge.reserve(&Size {
            input: candidate.input.0,
            max_output: call.ask.max_output,
            likely_output: likely,
        })
    }

    /// Input and output tokens that a request is taken to need of the deployment that is asked before all others.
    #[must_use]
    pub fn estimated(&self, call: &Call) -> (u64, u64) {
        let Some((candidate, lane)) = call.ask.candidates.first().zip(call.lanes.first()) else { return (0, 0) };
        (candidate.input.0, self.likely_output(lane.deployment, call.ask.max_output))
    }

    /// The output that nine of ten answers of this deployment do not exceed, with such a maximum.
    fn likely_output(&self, deployment: Handle, max_output: Option<u64>) -> u64 {
        let assumed = max_output.map_or(UNKNOWN_OUTPUT / 4, |max| (max / 4).clamp(1, UNKNOWN_OUTPUT));
        self.deployments
            .get(deployment)
            .and_then(|state| state.outputs.likely(max_output))
            .unwrap_or(assumed)
            .min(max_output.unwrap_or(u64::MAX))
    }

    /// Whether there is room now in every pool of a deployment.
    pub(crate) fn room(&mut self, now: Moment, pools: &[Option<Handle>; 3], cost: &Cost, priority: Priority) -> Room {
        let wall = self.wall(now);
        let mut room = Room::Now;
        for handle in pools.iter().flatten() {
            let Some(pool) = self.pools.get_mut(*handle) else { continue };
            let Verdict::NotBefore { at, binding } = pool.check(now, wall, cost, priority == Priority::Batch) else {
                continue;
            };
            let later = match (room, at) {
                (Room::Later { at: None, .. }, _) => false,
                (Room::Later { at: Some(known), .. }, Some(at)) => at > known,
                _ => true,
            };
            if later {
                room = Room::Later { at, pool: *handle, binding };
            }
        }
        room
    }

    /// Takes what a request needs from every pool of a deployment.
    pub(crate) fn hold(
        &mut self,
        now: Moment,
        pools: &[Option<Handle>; 3],
        cost: &Cost,
        charge: ChargeModel,
        priority: Priority,
    ) -> Hold {
        let wall = self.wall(now);
        let mut parts = [None; 3];
        for (part, handle) in parts.iter_mut().zip(pools) {
            if let Some(handle) = handle
                && let Some(pool) = self.pools.get_mut(*handle)
            {
                *part = Some((*handle, pool.take(now, wall, cost, priority == Priority::Batch)));
            }
        }
        Hold { parts, cost: *cost, batch: priority == Priority::Batch, charge, produced: 0 }
    }

    /// So many output tokens of the attempt under way have come: what goes beyond what was held is taken now.
    ///
    /// Cheap to ask often: it acts once per 64 tokens.
    pub fn produced(&mut self, now: Moment, call: &mut Call, output: u64) {
        self.count_output(now, call, output);
        let number = call.number;
        self.put(now, |_| Question::Produced { call: number, output }, &());
    }

    fn count_output(&mut self, now: Moment, call: &mut Call, output: u64) {
        let Some(hold) = call.flight.as_mut().and_then(|flight| flight.hold.as_mut()) else { return };
        let held = hold.cost.get(Dimension::OutputTokensPerMinute).max(hold.produced);
        if output < held + STEP {
            return;
        }
        hold.produced = output;
        let more = output - held;
        let dimensions: &[Dimension] = if hold.charge.output == super::OutputCharge::Metered {
            &[Dimension::OutputTokensPerMinute, Dimension::TokensPerMinute]
        } else {
            &[Dimension::OutputTokensPerMinute]
        };
        for (handle, _) in hold.parts.iter().flatten() {
            if let Some(pool) = self.pools.get_mut(*handle) {
                dimensions.iter().for_each(|dimension| pool.take_more(now, *dimension, more));
            }
        }
        for dimension in dimensions {
            hold.cost.set(*dimension, hold.cost.get(*dimension).saturating_add(more));
        }
    }

    /// Replaces what was held by what was used; `None` gives all of it back.
    pub(crate) fn settle_hold(&mut self, now: Moment, hold: &Hold, used: Option<&Cost>) {
        let wall = self.wall(now);
        for (handle, held) in hold.parts.iter().flatten() {
            if let Some(pool) = self.pools.get_mut(*handle) {
                pool.settle(now, wall, held, hold.batch, &hold.cost, used.unwrap_or(&Cost::default()));
            }
        }
    }

    /// Takes a request from its key's own limits, before anything else of it is done.
    ///
    /// What is taken is settled when the call that it is given to ends.
    ///
    /// # Errors
    /// The limit that is reached, and when to come back.
    pub fn admit_key(
        &mut self,
        now: Moment,
        key: &Arc<str>,
        input: u64,
        max_output: Option<u64>,
    ) -> Result<Option<Admitted>, KeyFull> {
        if !self.settings.limits.keys.contains_key(key) {
            return Ok(None);
        }
        let admitted = self.take_from_key(now, key, input, max_output);
        let question = |_: &mut _| Question::AdmitKey { key: Arc::clone(key), input, max_output };
        self.put(now, question, &admitted.as_ref().err());
        admitted
    }

    fn take_from_key(
        &mut self,
        now: Moment,
        key: &Arc<str>,
        input: u64,
        max_output: Option<u64>,
    ) -> Result<Option<Admitted>, KeyFull> {
        let likely = max_output.map_or(UNKNOWN_OUTPUT / 4, |max| (max / 4).clamp(1, UNKNOWN_OUTPUT));
        let cost = ChargeModel::METERED.reserve(&Size { input, max_output, likely_output: likely });
        let wall = self.wall(now);
        let handle = self.key_pool(key);
        let Some(pool) = self.pools.get_mut(handle) else { return Ok(None) };
        match pool.check(now, wall, &cost, false) {
            Verdict::Fits => {
                let held = pool.take(now, wall, &cost, false);
                Ok(Some(Admitted(KeyHold { pool: handle, held, cost, used: None })))
            }
            Verdict::NotBefore { at, binding } => {
                let wait = at.map_or(Duration::from_secs(1), |at| at.since(now));
                let limit = pool.limit(binding).unwrap_or(0);
                Err(KeyFull { dimension: binding, limit, retry_after: whole_seconds(wait) })
            }
        }
    }

    /// Gives a call what was taken from its key's limits.
    pub fn charge_key(&mut self, call: &mut Call, admitted: Option<Admitted>) {
        let Some(admitted) = admitted else { return };
        call.key_hold = Some(admitted.0);
        let number = call.number;
        self.put(Moment::ZERO, |_| Question::ChargeKey { call: number }, &());
    }

    /// A key's limits as its answers' headers state them.
    #[must_use]
    pub fn key_gauges(&self, now: Moment, key: &Arc<str>) -> Vec<Gauge> {
        let pool = self.pools.find(&PoolId::Key(Arc::clone(key))).and_then(|handle| self.pools.get(handle));
        pool.map_or_else(Vec::new, |pool| pool.gauges(now, self.wall(now)))
    }

    /// An attempt used so much: it counts towards the key's limits when the call ends.
    pub(crate) fn count_for_key(&self, call: &mut Call, usage: &Usage) {
        if let Some(hold) = &mut call.key_hold {
            hold.used = Some(ChargeModel::METERED.settle(&hold.cost, usage));
        }
    }

    pub(crate) fn settle_key(&mut self, now: Moment, hold: &KeyHold) {
        let wall = self.wall(now);
        if let Some(pool) = self.pools.get_mut(hold.pool) {
            pool.settle(now, wall, &hold.held, false, &hold.cost, &hold.used.unwrap_or(hold.cost));
        }
    }

    fn key_pool(&mut self, key: &Arc<str>) -> Handle {
        let limits = self.settings.limits.keys.get(key).copied().unwrap_or(Limits::NONE);
        self.pools.touch(&PoolId::Key(Arc::clone(key)), || {
            let mut pool = Pool::new(Side::Client);
            pool.declare(limits, 0, super::DayStart::Utc);
            pool
        })
    }
}

/// What was taken from a key's limits for a request; see [`Engine::admit_key`].
#[derive(Debug)]
#[must_use = "it is given to a call, or given back"]
pub struct Admitted(KeyHold);

/// A wait as a retry-after says it: whole seconds, rounded up, 1 to 120.
pub(crate) fn whole_seconds(wait: Duration) -> Duration {
    let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
    Duration::from_secs(seconds.clamp(1, 120))
}
