//! How an attempt ended, and what each memory learns of it.

use std::sync::Arc;
use std::time::Duration;

use weir_units::{FaultClass, Moment, Usage};

use crate::ask::Outcome;
use crate::bench::Bench;
use crate::call::{Call, Fault, Flight};
use crate::change::{Change, Scope};
use crate::engine::{Engine, PROVEN};
use crate::ladder::{counts_against_deployment, proves_not_started};
use crate::tape::Question;

impl Engine {
    /// The first content, or the whole of a unary answer, arrived `after` the send: a success, and a latency sample.
    ///
    /// Only the first time per attempt counts.
    pub fn content(&mut self, now: Moment, call: &mut Call, after: Duration) {
        if let Some(mut flight) = call.flight
            && !flight.content
        {
            flight.content = true;
            call.flight = Some(flight);
            self.good(now, call, flight, Some(after));
        }
        let number = call.number;
        self.put(now, |_| Question::Content { call: number, after }, &());
    }

    /// Ends the attempt that was handed out last; exactly one per [`Send`](crate::Send). Without one it does nothing.
    pub fn report(&mut self, now: Moment, call: &mut Call, outcome: Outcome) {
        self.ended(now, call, outcome);
        let number = call.number;
        self.put(now, |_| Question::Report { call: number, outcome }, &());
    }

    fn ended(&mut self, now: Moment, call: &mut Call, outcome: Outcome) {
        let Some(flight) = call.flight.take() else { return };
        if let Some(state) = self.deployments.get_mut(call.lanes[flight.lane].deployment) {
            state.ended(now, flight.began);
        }
        match outcome {
            Outcome::Success => {
                if !flight.content {
                    self.good(now, call, flight, None);
                }
                self.refund(call, flight);
                self.learn_output(call, flight);
                self.settle_flight(now, call, flight, true);
            }
            Outcome::Abandoned => {
                self.neither(call, flight);
                self.settle_flight(now, call, flight, true);
            }
            Outcome::Fault { class, retry_after, limit, after_content } => {
                self.settle_flight(now, call, flight, after_content || flight.content || !proves_not_started(class));
                let retry_after = match class {
                    FaultClass::RateLimited => self.rate_limited(now, call, &flight, retry_after, limit),
                    _ => retry_after,
                };
                self.bad(now, call, flight, class, retry_after);
                call.say(class, retry_after);
                call.cut |= after_content || flight.content;
                call.fault = Some(Fault { lane: flight.lane, class, retry_after, probe: flight.permit.is_probe() });
            }
        }
    }

    /// The call is over: answered, given up, or its client left. An attempt still outstanding counts neither way.
    pub fn end(&mut self, now: Moment, mut call: Call) {
        self.abandon(now, &mut call);
        self.forget_wait(&mut call);
        self.leave_line(now, &mut call);
        if let Some(hold) = &call.key_hold {
            self.settle_key(now, hold);
        }
        let number = call.number;
        self.put(now, |_| Question::End { call: number }, &());
    }

    /// The attempt under way used so much, as its provider reports it.
    pub fn used(&mut self, call: &mut Call, usage: Usage) {
        self.count_for_key(call, &usage);
        if let Some(flight) = &mut call.flight {
            flight.used = Some(usage);
        }
        let number = call.number;
        self.put(Moment::ZERO, |_| Question::Used { call: number, usage }, &());
    }

    /// Replaces what was held of the limits by what was used, as far as that is known; nothing was used where the provider did not
    /// begin.
    fn settle_flight(&mut self, now: Moment, call: &Call, flight: Flight, began: bool) {
        let Some(hold) = &flight.hold else { return };
        let used = match (began, &flight.used) {
            (false, _) => None,
            (true, Some(usage)) => Some(hold.charge.settle(&hold.cost, usage)),
            (true, None) => Some(hold.cost),
        };
        self.settle_hold(now, hold, used.as_ref());
        if let Some(used) = &used {
            self.serve_rest(call, flight.lane, &hold.cost, used);
        }
        self.let_go(now);
    }

    fn learn_output(&mut self, call: &Call, flight: Flight) {
        if let Some(usage) = flight.used
            && let Some(state) = self.deployments.get_mut(call.lanes[flight.lane].deployment)
        {
            state.outputs.add(call.ask.max_output, usage.output.0);
        }
    }

    pub(crate) fn abandon(&mut self, now: Moment, call: &mut Call) {
        if call.flight.is_some() {
            self.ended(now, call, Outcome::Abandoned);
        }
    }

    fn good(&mut self, now: Moment, call: &Call, flight: Flight, after: Option<Duration>) {
        let (lane, candidate) = (&call.lanes[flight.lane], &call.ask.candidates[flight.lane]);
        let (rules, jitter) = (&self.settings.breaker, &mut self.random.jitter);
        if let Some(host) = self.hosts.get_mut(lane.host)
            && let Some(moved) = host.succeeded(now, flight.host_permit, None, rules, jitter)
        {
            self.changes.push(moved.of(Scope::Host(Arc::clone(&candidate.host))));
        }
        if !self.benches.is_empty() && self.benches.remove(&candidate.deployment.provider).is_some() {
            let provider = Arc::clone(&candidate.deployment.provider);
            self.changes.push(Change::CredentialRestored { provider });
        }
        let Some(state) = self.deployments.get_mut(lane.deployment) else { return };
        if let Some(moved) = state.breaker.succeeded(now, flight.permit, after, rules, jitter) {
            self.changes.push(moved.of(Scope::Deployment(candidate.deployment.clone())));
        }
        state.judged(now, true);
        if let Some(after) = after {
            state.measured(now, after);
        }
        if state.answered() {
            self.changes.push(Change::ModelRestored { deployment: candidate.deployment.clone() });
        }
        if !state.proven && (state.declared || self.proven < PROVEN) {
            state.proven = true;
            self.proven += usize::from(!state.declared);
            self.deployments.keep(lane.deployment);
        }
    }

    /// A repeat that succeeded gets half of its price back.
    fn refund(&mut self, call: &Call, flight: Flight) {
        if flight.paid > 0 {
            if let Some(tenant) = self.tenants.get_mut(call.tenant) {
                tenant.refund(flight.paid);
            }
            if let Some(state) = self.deployments.get_mut(call.lanes[flight.lane].deployment) {
                state.budget.refund(flight.paid);
            }
        }
    }

    /// It says nothing of anyone: probes and tries are free again.
    fn neither(&mut self, call: &Call, flight: Flight) {
        let (lane, candidate) = (&call.lanes[flight.lane], &call.ask.candidates[flight.lane]);
        if let Some(host) = self.hosts.get_mut(lane.host) {
            host.released(flight.host_permit);
        }
        if let Some(bench) = self.benches.get_mut(&candidate.deployment.provider) {
            bench.try_over();
        }
        if let Some(state) = self.deployments.get_mut(lane.deployment) {
            state.breaker.released(flight.permit);
            if let Some(bench) = state.bench.as_mut() {
                bench.try_over();
            }
        }
    }

    fn bad(&mut self, now: Moment, call: &Call, flight: Flight, class: FaultClass, advice: Option<Duration>) {
        self.tell_host(now, call, flight, class);
        self.bench(now, call, flight, class);
        let (lane, candidate) = (&call.lanes[flight.lane], &call.ask.candidates[flight.lane]);
        let (rules, jitter) = (&self.settings.breaker, &mut self.random.jitter);
        let Some(state) = self.deployments.get_mut(lane.deployment) else { return };
        // A probe that could not even connect has not shown that the deployment works.
        let lost_probe = class == FaultClass::Connect && flight.permit.is_probe();
        if counts_against_deployment(class) || lost_probe {
            if let Some(moved) = state.breaker.failed(now, flight.permit, advice, rules, jitter) {
                self.changes.push(moved.of(Scope::Deployment(candidate.deployment.clone())));
            }
        } else {
            state.breaker.released(flight.permit);
        }
        // Balance also keeps away from who is rate limited or cannot be reached, though no breaker opens on it.
        if counts_against_deployment(class) || matches!(class, FaultClass::Connect | FaultClass::RateLimited) {
            state.judged(now, false);
        }
    }

    /// Whoever answers anything at all can be reached.
    fn tell_host(&mut self, now: Moment, call: &Call, flight: Flight, class: FaultClass) {
        let (lane, candidate) = (&call.lanes[flight.lane], &call.ask.candidates[flight.lane]);
        let (rules, jitter) = (&self.settings.breaker, &mut self.random.jitter);
        let Some(host) = self.hosts.get_mut(lane.host) else { return };
        let moved = match class {
            FaultClass::Connect => host.failed(now, flight.host_permit, None, rules, jitter),
            FaultClass::Reset | FaultClass::FirstByteTimeout => {
                host.released(flight.host_permit);
                None
            }
            _ if flight.content => None,
            _ => host.succeeded(now, flight.host_permit, None, rules, jitter),
        };
        if let Some(moved) = moved {
            self.changes.push(moved.of(Scope::Host(Arc::clone(&candidate.host))));
        }
    }

    /// Benches what the fault refuses; every other fault frees the one try that a bench gives.
    fn bench(&mut self, now: Moment, call: &Call, flight: Flight, class: FaultClass) {
        let id = &call.ask.candidates[flight.lane].deployment;
        if matches!(class, FaultClass::Unauthorized | FaultClass::Billing) {
            let (bench, new) = Bench::again(self.benches.get(&id.provider).copied(), now, class);
            self.benches.insert(Arc::clone(&id.provider), bench);
            if new {
                let provider = Arc::clone(&id.provider);
                self.changes.push(Change::CredentialBenched { provider, class, until: bench.until });
            }
            return;
        }
        if let Some(bench) = self.benches.get_mut(&id.provider) {
            bench.try_over();
        }
        let Some(state) = self.deployments.get_mut(call.lanes[flight.lane].deployment) else { return };
        let refused = match class {
            FaultClass::Forbidden => state.forbade(&call.ask.tenant) || state.bench.is_some(),
            FaultClass::ForbiddenCredential | FaultClass::ModelNotFound => true,
            _ => false,
        };
        if !refused {
            if let Some(bench) = state.bench.as_mut() {
                bench.try_over();
            }
        } else if let Some(until) = state.benched(now, class) {
            self.changes.push(Change::ModelBenched { deployment: id.clone(), class, until });
        }
    }
}
