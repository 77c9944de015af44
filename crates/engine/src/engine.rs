//! The engine: what it remembers of all calls, and how one call goes down the ladder.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use weir_units::{DeploymentId, FaultClass, Moment, WallTime};

use crate::ask::{Ask, GiveUp, Send, SendReason, Step};
use crate::bench::Bench;
use crate::breaker::{Admission, Breaker, Permit};
use crate::budget::Budget;
use crate::call::{Call, Fault, Flight, Lane, TooSmall, Waiting};
use crate::change::{BenchView, Change, Changes, DeploymentView, Scope};
use crate::choose::{Pick, Rank};
use crate::deployment::Deployment;
use crate::ladder::{Lead, Repeat, costs_budget, lead, proves_not_started};
use crate::limits::{Hold, Pool, PoolId, Room};
use crate::memory::{Handle, Memory};
use crate::queue::Queue;
use crate::random::Random;
use crate::settings::Settings;
use crate::tape::{Question, Tape};

/// At most so many attempts per call, whatever the settings (ARCHITECTURE.md).
pub const MOST_ATTEMPTS: u32 = 5;
/// How many tenants, hosts and deployments that nobody declared are remembered.
const REMEMBERED: usize = 1_024;
/// How many undeclared deployments are kept for good because they answered well: a provider that answers to any
/// model name must not fill the memory either.
pub(crate) const PROVEN: usize = 4_096;
/// What a fail-over costs the budget of the deployment it leaves, as a share of the call's cost (docs/policy.md, Retries).
const FAILOVER_PPM: u32 = 300_000;

/// What decides about every call; see the crate's page for how it is used.
#[derive(Debug)]
pub struct Engine {
    pub(crate) settings: Settings,
    pub(crate) random: Random,
    pub(crate) deployments: Memory<DeploymentId, Deployment>,
    pub(crate) hosts: Memory<Arc<str>, Breaker>,
    pub(crate) tenants: Memory<Arc<str>, Budget>,
    pub(crate) benches: BTreeMap<Arc<str>, Bench>,
    pub(crate) pools: Memory<PoolId, Pool>,
    pub(crate) queue: Queue,
    /// What the calendar said, and when.
    pub(crate) anchor: (Moment, WallTime),
    credentials: BTreeMap<Arc<str>, u64>,
    pub(crate) proven: usize,
    pub(crate) changes: Changes,
    pub(crate) seed: u64,
    calls: u64,
    pub(crate) tape: Option<Box<Tape>>,
}

impl Engine {
    /// An engine that knows nothing yet; the same seed and the same questions give the same answers.
    #[must_use]
    pub fn new(settings: Settings, seed: u64) -> Self {
        Self {
            settings,
            random: Random::new(seed),
            deployments: Memory::new(REMEMBERED),
            hosts: Memory::new(REMEMBERED),
            tenants: Memory::new(REMEMBERED),
            benches: BTreeMap::new(),
            pools: Memory::new(REMEMBERED),
            queue: Queue::default(),
            anchor: (Moment::ZERO, WallTime(0)),
            credentials: BTreeMap::new(),
            proven: 0,
            changes: Changes::default(),
            seed,
            calls: 0,
            tape: None,
        }
    }

    /// Takes new settings, the deployments that the config declares, and a fingerprint of each provider's credential.
    ///
    /// The memory of everything that stays is kept; a provider whose credential changed leaves the bench, and so do its
    /// models, since another credential may see other models.
    pub fn configure(&mut self, settings: Settings, declared: Vec<DeploymentId>, credentials: BTreeMap<Arc<str>, u64>) {
        self.put(
            Moment::ZERO,
            |tape| Question::Configure {
                settings: Box::new(settings.clone()),
                declared: declared.clone(),
                credentials: tape.numbered(&credentials),
            },
            &(),
        );
        self.settings = settings;
        self.declare_pools();
        for (_, deployment) in self.deployments.iter_mut() {
            deployment.declared = false;
        }
        for id in &declared {
            let handle = self.deployments.touch(id, Deployment::new);
            if let Some(deployment) = self.deployments.get_mut(handle) {
                deployment.declared = true;
            }
            self.deployments.keep(handle);
        }
        self.deployments.release(|_, deployment| deployment.declared || deployment.proven);
        let before = std::mem::replace(&mut self.credentials, credentials);
        for (provider, fingerprint) in &self.credentials {
            if before.get(provider).is_none_or(|known| known == fingerprint) {
                continue;
            }
            if self.benches.remove(provider).is_some() {
                self.changes.push(Change::CredentialRestored { provider: Arc::clone(provider) });
            }
            for (id, deployment) in self.deployments.iter_mut().filter(|(id, _)| id.provider == *provider) {
                if deployment.bench.take().is_some() {
                    self.changes.push(Change::ModelRestored { deployment: id.clone() });
                }
            }
        }
        let known = &self.credentials;
        self.benches.retain(|provider, _| known.contains_key(provider));
    }

    /// A call begins. It owes one [`end`](Self::end).
    pub fn begin(&mut self, now: Moment, mut ask: Ask) -> Call {
        self.calls += 1;
        let number = self.calls;
        self.put(now, |_| Question::Begin { call: number, ask: Box::new(ask.clone()) }, &());
        ask.cost = ask.cost.max(1);
        if ask.pinned {
            ask.candidates.truncate(1);
        }
        let mut lanes = Vec::with_capacity(ask.candidates.len());
        for candidate in &ask.candidates {
            let deployment = self.deployments.touch(&candidate.deployment, Deployment::new);
            let host = self.hosts.touch(&candidate.host, Breaker::new);
            if let Some(state) = self.deployments.get_mut(deployment)
                && let Some(moved) = state.breaker.advance(now)
            {
                self.changes.push(moved.of(Scope::Deployment(candidate.deployment.clone())));
            }
            if let Some(breaker) = self.hosts.get_mut(host)
                && let Some(moved) = breaker.advance(now)
            {
                self.changes.push(moved.of(Scope::Host(Arc::clone(&candidate.host))));
            }
            self.assign(deployment, &candidate.deployment);
            lanes.push(Lane { deployment, host, attempts: 0, out: false, full: false, limited: false, drawn: None });
        }
        let tenant = self.tenants.touch(&ask.tenant, Budget::new);
        Call {
            number,
            ask,
            lanes,
            tenant,
            attempts: 0,
            flight: None,
            fault: None,
            wait: None,
            said: None,
            done: None,
            cut: false,
            spliced: false,
            too_small: None,
            place: None,
            since: None,
            full: None,
            passed_over: Vec::new(),
            key_hold: None,
        }
    }

    /// What to do next: after [`begin`](Self::begin), after each reported fault, and when a wait is over.
    ///
    /// An attempt that is still outstanding is taken for abandoned.
    pub fn next(&mut self, now: Moment, call: &mut Call) -> Step {
        self.abandon(now, call);
        let step = match &call.done {
            Some(done) => Step::GiveUp(done.clone()),
            None => {
                self.revive(call);
                self.decide(now, call)
            }
        };
        if let Step::GiveUp(done) = &step {
            call.done = Some(done.clone());
        }
        let number = call.number;
        self.put(now, |_| Question::Next { call: number }, &step);
        step
    }

    /// Asks another deployment for the answer that broke off after content began, once per call.
    ///
    /// Only a deployment that this call has not asked yet, that is not benched and whose breaker admits it will do.
    pub fn splice(&mut self, now: Moment, call: &mut Call) -> Option<Send> {
        let send = self.take_over(now, call);
        let number = call.number;
        self.put(now, |_| Question::Splice { call: number }, &send);
        send
    }

    fn take_over(&mut self, now: Moment, call: &mut Call) -> Option<Send> {
        self.abandon(now, call);
        if !call.ask.repeatable || !call.cut || call.spliced || call.attempts >= MOST_ATTEMPTS {
            return None;
        }
        self.revive(call);
        for lane in &mut call.lanes {
            lane.out |= lane.attempts > 0;
        }
        let source = call.fault.take();
        while let Pick::Lane(lane) = self.pick(now, call, source, Rank::Untold) {
            // A stream in the middle cannot wait: only who has room now can carry it on.
            if let Some(hold) = self.hold_now(now, call, lane) {
                call.spliced = true;
                self.pay_failover(call, source);
                return Some(self.send(now, call, lane, SendReason::Splice, 0, hold));
            }
            call.lanes[lane].full = true;
        }
        None
    }

    /// The changes since the last time, oldest first, at most 1,024.
    pub fn take_changes(&mut self) -> Vec<Change> {
        self.changes.take()
    }

    /// Every deployment that is remembered, by name.
    #[must_use]
    pub fn view(&self, now: Moment) -> Vec<DeploymentView> {
        let show = |(id, state): (&DeploymentId, &Deployment)| {
            let (breaker, open_until) = state.breaker.view(now);
            let credential = self.benches.get(&id.provider);
            let benched = credential.or(state.bench.as_ref()).map(|bench| BenchView {
                class: bench.class,
                until: bench.until,
                credential: credential.is_some(),
            });
            DeploymentView {
                deployment: id.clone(),
                breaker,
                open_until,
                in_flight: state.in_flight(),
                ttft: state.measured_ttft().map(Duration::from_nanos),
                success_ppm: u32::try_from(state.success_ppm(now)).unwrap_or(u32::MAX),
                benched,
            }
        };
        self.deployments.iter().map(show).collect()
    }

    /// What a call needs of a deployment's limits, if there is room for it now; the inner none is where nothing is limited.
    #[expect(clippy::option_option, reason = "no room, and no limit, are two answers")]
    fn hold_now(&mut self, now: Moment, call: &Call, lane: usize) -> Option<Option<Hold>> {
        let pools = self.deployments.get(call.lanes[lane].deployment).map_or([None; 3], |state| state.pools);
        if pools.iter().all(Option::is_none) {
            return Some(None);
        }
        let (cost, priority) = (self.cost(call, lane), call.ask.priority);
        let charge = call.ask.candidates[lane].charge;
        (self.room(now, &pools, &cost, priority) == Room::Now)
            .then(|| Some(self.hold(now, &pools, &cost, charge, priority)))
    }

    /// When the gates of a deployment's pools are open.
    pub(crate) fn gate_of(&self, now: Moment, deployment: Handle) -> Moment {
        let pools = self.deployments.get(deployment).map_or([None; 3], |state| state.pools);
        let gates = pools.iter().flatten().filter_map(|handle| self.pools.get(*handle)?.gate(now));
        gates.map(|(until, _)| until).max().unwrap_or(now)
    }

    /// Finds what has fallen out of memory since the call began.
    fn revive(&mut self, call: &mut Call) {
        for (lane, candidate) in call.lanes.iter_mut().zip(&call.ask.candidates) {
            if self.deployments.get(lane.deployment).is_none() {
                lane.deployment = self.deployments.touch(&candidate.deployment, Deployment::new);
            }
            self.assign(lane.deployment, &candidate.deployment);
            if self.hosts.get(lane.host).is_none() {
                lane.host = self.hosts.touch(&candidate.host, Breaker::new);
            }
        }
        if self.tenants.get(call.tenant).is_none() {
            call.tenant = self.tenants.touch(&call.ask.tenant, Budget::new);
        }
    }

    fn decide(&mut self, now: Moment, call: &mut Call) -> Step {
        if let Some(place) = call.place
            && let Some(step) = self.in_line(now, call, place)
        {
            return step;
        }
        if let Some(wait) = call.wait {
            if now < wait.until {
                return Step::Wait { until: wait.until, why: wait.why, class: wait.class };
            }
            call.wait = None;
            let admitted = !matches!(self.admission(now, &call.lanes[wait.lane]), Admission::Refuse { .. });
            if admitted && self.in_time(now, call, wait.lane) {
                if let Some(step) = self.go(now, call, wait.lane, SendReason::Retry, wait.paid) {
                    return step;
                }
                call.lanes[wait.lane].full = true;
            } else {
                call.lanes[wait.lane].out = true;
            }
            self.give_back(call, wait.lane, wait.paid);
        }
        let source = call.fault.take();
        if let Some(fault) = source
            && let Some(step) = self.after_fault(now, call, fault)
        {
            return step;
        }
        if call.attempts >= MOST_ATTEMPTS {
            return self.give_up(now, call, false);
        }
        loop {
            match self.pick(now, call, source, Rank::Benched) {
                Pick::Lane(lane) => {
                    let again = call.lanes[lane].attempts > 0;
                    let why = match (call.attempts, again) {
                        (0, _) => SendReason::First,
                        (_, true) => SendReason::Retry,
                        (_, false) => SendReason::Failover,
                    };
                    if let Some(step) = self.go(now, call, lane, why, 0) {
                        self.pay_failover(call, source);
                        return step;
                    }
                    // No capacity in time counts like a fault of this deployment: the next one serves.
                    call.lanes[lane].full = true;
                }
                // Who refused for want of capacity is waited for once nobody else is left.
                Pick::Nobody { .. } if call.lanes.iter().any(|lane| lane.limited && !lane.out && !lane.full) => {
                    call.lanes.iter_mut().for_each(|lane| lane.limited = false);
                }
                Pick::Nobody { late } => return self.give_up(now, call, late),
            }
        }
    }

    /// Acts on a fault: a wait, an end, or `None` when another deployment is to be chosen.
    fn after_fault(&mut self, now: Moment, call: &mut Call, fault: Fault) -> Option<Step> {
        let going_nowhere = call.cut || !(call.ask.repeatable || proves_not_started(fault.class));
        match lead(fault.class, fault.retry_after, &self.settings.retry) {
            _ if going_nowhere => return Some(self.give_up(now, call, false)),
            Lead::Stop => return Some(self.give_up(now, call, false)),
            Lead::Next => {}
            Lead::LargerWindow => {
                call.too_small = Some(match (call.ask.candidates[fault.lane].window, call.too_small) {
                    (Some(window), Some(TooSmall::Known(before))) => TooSmall::Known(window.max(before)),
                    (Some(window), _) => TooSmall::Known(window),
                    (None, before) => before.unwrap_or(TooSmall::Unknown),
                });
            }
            Lead::Same(repeat) => {
                if let Some(waiting) = self.repeat(now, call, fault, repeat) {
                    call.wait = Some(waiting);
                    return Some(Step::Wait { until: waiting.until, why: waiting.why, class: waiting.class });
                }
            }
        }
        let lane = &mut call.lanes[fault.lane];
        // The pool's gate says when it is worth asking again; until then the others are asked.
        if fault.class == FaultClass::RateLimited && lane.attempts < self.settings.retry.attempts {
            lane.limited = true;
        } else {
            lane.out = true;
        }
        None
    }

    /// The repeat on the same deployment, if there is to be one.
    fn repeat(&mut self, now: Moment, call: &Call, fault: Fault, how: Repeat) -> Option<Waiting> {
        let lane = &call.lanes[fault.lane];
        let allowed = if self.another_eligible(now, call, fault.lane) { 2 } else { self.settings.retry.attempts };
        // A failed probe has its answer; what the request needs is another deployment.
        if fault.probe || lane.attempts >= allowed || call.attempts >= MOST_ATTEMPTS {
            return None;
        }
        let retry = &self.settings.retry;
        let ceiling = how.base.saturating_mul(1 << (lane.attempts - 1).min(16)).min(retry.cap.max(how.at_least));
        let wait = self.random.jitter.up_to(ceiling).max(how.at_least);
        let mut until = now + wait;
        if fault.class == FaultClass::RateLimited {
            until = until.max(self.gate_of(now, lane.deployment));
        }
        if !self.in_time(until, call, fault.lane) || matches!(self.admission(until, lane), Admission::Refuse { .. }) {
            return None;
        }
        let mut paid = 0;
        if how.price_ppm > 0 {
            let tenant = self.tenants.get_mut(call.tenant)?;
            let deployment = self.deployments.get_mut(lane.deployment)?;
            if !tenant.has_any(now) || !deployment.budget.has_any(now) {
                return None;
            }
            paid = tenant.withdraw(call.ask.cost, how.price_ppm);
            deployment.budget.withdraw(call.ask.cost, how.price_ppm);
        }
        Some(Waiting { lane: fault.lane, until, why: how.why, class: fault.class, paid })
    }

    /// A fail-over is paid by the deployment it leaves: the one it goes to has done nothing wrong, and its budget being
    /// empty has to keep meaning that it fails itself.
    fn pay_failover(&mut self, call: &Call, source: Option<Fault>) {
        if let Some(fault) = source
            && costs_budget(fault.class)
            && let Some(state) = self.deployments.get_mut(call.lanes[fault.lane].deployment)
        {
            state.budget.withdraw(call.ask.cost, FAILOVER_PPM);
        }
    }

    pub(crate) fn give_back(&mut self, call: &Call, lane: usize, paid: i64) {
        if paid > 0 {
            if let Some(tenant) = self.tenants.get_mut(call.tenant) {
                tenant.give_back(paid);
            }
            if let Some(state) = self.deployments.get_mut(call.lanes[lane].deployment) {
                state.budget.give_back(paid);
            }
        }
    }

    pub(crate) fn forget_wait(&mut self, call: &mut Call) {
        if let Some(wait) = call.wait.take() {
            self.give_back(call, wait.lane, wait.paid);
        }
    }

    fn give_up(&mut self, now: Moment, call: &Call, late: bool) -> Step {
        if let Some((class, retry_after)) = call.said {
            return Step::GiveUp(GiveUp::Fault { class, retry_after });
        }
        if late || call.ask.deadline.is_some_and(|deadline| deadline <= now) {
            return Step::GiveUp(GiveUp::Deadline);
        }
        if let Some(full) = &call.full {
            return Step::GiveUp(GiveUp::NoCapacity {
                retry_after: self.promise(now, full),
                pool: full.pool.clone(),
                binding: full.binding,
            });
        }
        let reopens = call.lanes.iter().filter_map(|lane| match self.admission(now, lane) {
            Admission::Refuse { until } => Some(until.since(now)),
            _ => None,
        });
        let soonest = reopens.min().unwrap_or(Duration::ZERO);
        // Whole seconds, rounded up: a client that comes back a moment too early finds the breaker still open.
        let seconds = soonest.as_secs() + u64::from(soonest.subsec_nanos() > 0);
        Step::GiveUp(GiveUp::NoDeployment { retry_after: Duration::from_secs(seconds.clamp(1, 120)) })
    }

    pub(crate) fn send(
        &mut self,
        now: Moment,
        call: &mut Call,
        index: usize,
        why: SendReason,
        paid: i64,
        hold: Option<Hold>,
    ) -> Send {
        let lane = call.lanes[index];
        let candidate = &call.ask.candidates[index];
        let retry_ppm = self.settings.retry.budget_ppm;
        if call.attempts == 0
            && let Some(tenant) = self.tenants.get_mut(call.tenant)
        {
            tenant.deposit(now, call.ask.cost, retry_ppm);
        }
        if let Some(bench) = self.benches.get_mut(&candidate.deployment.provider) {
            bench.try_out(now);
        }
        let host = self.hosts.get_mut(lane.host).map(|breaker| breaker.pass(now));
        let (host_permit, moved) = host.unwrap_or((Permit::LOST, None));
        if let Some(moved) = moved {
            self.changes.push(moved.of(Scope::Host(Arc::clone(&candidate.host))));
        }
        let (mut permit, mut began) = (Permit::LOST, 0);
        if let Some(state) = self.deployments.get_mut(lane.deployment) {
            if lane.attempts == 0 {
                state.budget.deposit(now, call.ask.cost, retry_ppm);
            }
            if let Some(bench) = state.bench.as_mut() {
                bench.try_out(now);
            }
            began = state.began(now);
            let (given, moved) = state.breaker.pass(now);
            permit = given;
            if let Some(moved) = moved {
                self.changes.push(moved.of(Scope::Deployment(candidate.deployment.clone())));
            }
        }
        call.attempts += 1;
        call.lanes[index].attempts += 1;
        call.flight = Some(Flight {
            lane: index,
            permit,
            host_permit,
            began,
            paid,
            content: false,
            hold,
            is_spent: false,
            used: None,
        });
        // A first-content timeout makes sense only if what follows it may go elsewhere.
        let may_go_on = call.ask.repeatable && call.attempts < MOST_ATTEMPTS && why != SendReason::Splice;
        Send {
            candidate: index,
            attempt: call.attempts,
            probe: permit.is_probe() || host_permit.is_probe(),
            another_eligible: may_go_on && self.another_eligible(now, call, index),
            why,
        }
    }
}
