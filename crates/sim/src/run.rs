//! The loop: what is due next happens, in invented time, until nothing is due any more.
//!
//! Events of one moment happen in the order in which they were put in, so that a run is the same on every machine.

mod call;
mod due;
mod upstream;

use std::time::Duration;

use weir_units::Moment;

use crate::draw::Draw;
use crate::gateway::{Answer, AnswerEnd, CallId, Gateway, Refusal, Step, World};
use crate::open_calls::OpenCalls;
use crate::provider::Provider;
use crate::record::{Outcome, ProviderSample, Record, RecordEnd, Sample};
use crate::scenario::Scenario;
use crate::trace_hash::TraceHash;
use crate::workload::{Client, ClientStep, Pattern, Priority, Request, Stream};
use call::Calling;
use due::{Agenda, Due};

/// How long after the end of sending a run goes on at most: what is on its way then is unfinished.
const AFTERMATH: Duration = Duration::from_secs(3_600);
/// Most records that room is made for beforehand.
const MOST_EXPECTED: usize = 1 << 23;
/// Most samples of a run.
const SAMPLES: u64 = 3_600;

/// Runs a scenario; `gateway` makes its gateways, by number.
pub fn run<G: Gateway>(scenario: &Scenario, world: &World, gateway: impl FnMut(usize) -> G) -> Outcome {
    run_watched(scenario, world, gateway, |_| {})
}

/// The same, and tells `watch` from time to time how far it has come.
pub fn run_watched<G: Gateway>(
    scenario: &Scenario,
    world: &World,
    mut gateway: impl FnMut(usize) -> G,
    mut watch: impl FnMut(Moment),
) -> Outcome {
    let gateways = (0..scenario.gateways.max(1)).map(|number| gateway(number as usize)).collect();
    let mut run = Run::new(scenario, world, gateways);
    run.start();
    while let Some((now, due)) = run.agenda.pop() {
        if now > run.over_at {
            break;
        }
        run.now = now;
        let (kind, subject) = due.figures();
        run.hash.event(now, kind, &[subject]);
        if matches!(due, Due::Sample) {
            watch(now);
        }
        run.happen(due);
        run.pump();
    }
    run.finish()
}

struct Run<'s, G> {
    scenario: &'s Scenario,
    world: &'s World,
    gateways: Vec<G>,
    /// When each gateway's timer is set for.
    timers: Vec<Option<Moment>>,
    providers: Vec<Provider>,
    networks: Vec<crate::profile::Latency>,
    charges: Vec<crate::charge::Charge>,
    streams: Vec<Stream>,
    network: Draw,
    agenda: Agenda,
    now: Moment,
    sends_until: Moment,
    over_at: Moment,
    sample_every: Duration,
    calls: OpenCalls<Calling>,
    next_call: u64,
    queued: [u64; Priority::ALL.len()],
    attempts: u64,
    refused_429: u64,
    records: Vec<Record>,
    samples: Vec<Sample>,
    hash: TraceHash,
}

impl<'s, G: Gateway> Run<'s, G> {
    fn new(scenario: &'s Scenario, world: &'s World, gateways: Vec<G>) -> Self {
        let seed = scenario.seed;
        let providers = scenario
            .providers
            .values()
            .zip(0_u64..)
            .map(|(real, number)| Provider::new(real.profile.clone(), seed.wrapping_add(number), Moment::ZERO))
            .collect();
        let streams = scenario
            .workloads
            .iter()
            .enumerate()
            .map(|(number, workload)| Stream::new(workload.clone(), number, seed))
            .collect();
        let sends_until = Moment::ZERO + scenario.duration;
        // Distances that a minute is made of, so that the worst minute is one.
        let least = scenario.duration.as_secs().div_ceil(SAMPLES).max(1);
        let whole_seconds = [1, 2, 5, 10, 15, 20, 30].into_iter().find(|span| *span >= least);
        let whole_seconds = whole_seconds.unwrap_or(least.next_multiple_of(60));
        Self {
            scenario,
            world,
            timers: vec![None; gateways.len()],
            gateways,
            providers,
            networks: scenario.providers.values().map(|real| real.network).collect(),
            charges: scenario.providers.values().map(|real| real.charge).collect(),
            streams,
            network: Draw::new(seed, u64::MAX),
            agenda: Agenda::default(),
            now: Moment::ZERO,
            sends_until,
            over_at: sends_until + AFTERMATH,
            sample_every: Duration::from_secs(whole_seconds),
            calls: OpenCalls::new(),
            next_call: 0,
            queued: [0; Priority::ALL.len()],
            attempts: 0,
            refused_429: 0,
            records: Vec::with_capacity(expected(scenario)),
            samples: Vec::new(),
            hash: TraceHash::new(),
        }
    }

    fn start(&mut self) {
        self.agenda.put(Moment::ZERO, Due::Sample);
        for workload in 0..self.streams.len() {
            self.next_arrival(workload);
            if let Pattern::Clients { clients, .. } = self.scenario.workloads[workload].pattern {
                for client in 0..clients {
                    // They do not all begin at once.
                    self.think(workload, client, self.scenario.workloads[workload].from);
                }
            }
        }
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Arrive(request) => {
                if request.client == 0 && request.retry == 0 && self.is_open_loop(request.workload) {
                    self.next_arrival(request.workload);
                }
                self.arrive(*request);
            }
            Due::Think { workload, client } => {
                let request = self.streams[workload].request(self.now, client);
                self.arrive(request);
            }
            Due::Wake(call, step) => {
                // A wake-up that another one was before says nothing any more.
                if self.calls.get(call).is_some_and(|calling| calling.steps == step) {
                    self.ask(call);
                }
            }
            Due::Leave(call) => self.leave(call),
            // One that was put in before a sooner one says nothing any more; else it would be put in again for ever.
            Due::Timer(gateway) => {
                self.timers[gateway] = self.timers[gateway].filter(|at| *at > self.now);
            }
            Due::Sample => self.sample(),
            Due::Reach(call, attempt) => self.reach(call, attempt),
            Due::First(call, attempt) => self.first(call, attempt),
            Due::Meter(call, attempt) => self.meter(call, attempt),
            Due::Produced(call, attempt) => self.produced(call, attempt),
            Due::Content(call, attempt) => self.content(call, attempt),
            Due::End(call, attempt) => self.attempt_ended(call, attempt),
        }
    }

    fn is_open_loop(&self, workload: usize) -> bool {
        !matches!(self.scenario.workloads[workload].pattern, Pattern::Clients { .. })
    }

    fn next_arrival(&mut self, workload: usize) {
        if let Some(request) = self.streams[workload].next_request().filter(|request| request.at < self.sends_until) {
            self.agenda.put(request.at, Due::Arrive(Box::new(request)));
        }
    }

    fn think(&mut self, workload: usize, client: u32, from: Moment) {
        let at = from + self.streams[workload].think();
        let until = self.scenario.workloads[workload].until.unwrap_or(self.sends_until).min(self.sends_until);
        if at < until {
            self.agenda.put(at, Due::Think { workload, client });
        }
    }

    fn arrive(&mut self, request: Request) {
        let call = CallId(self.next_call);
        self.next_call += 1;
        let gateway = usize::try_from(call.0).unwrap_or(0) % self.gateways.len();
        self.calls.insert(call, Calling::new(request, gateway));
        if let Some(patience) = self.scenario.workloads[request.workload].retry.patience {
            self.agenda.put(request.first_at.max(self.now) + patience, Due::Leave(call));
        }
        let step = self.gateways[gateway].begin(self.now, call, &request);
        self.take(call, step);
    }

    /// Asks what is to be done next with a call.
    fn ask(&mut self, call: CallId) {
        let Some(calling) = self.calls.get(call) else { return };
        let step = self.gateways[calling.gateway].next(self.now, call);
        self.take(call, step);
    }

    /// Does what a gateway decided.
    fn take(&mut self, call: CallId, step: Step) {
        let Some(calling) = self.calls.get_mut(call) else { return };
        let priority = self.scenario.workloads[calling.request.workload].priority as usize;
        let queued = matches!(step, Step::Queue { .. });
        calling.steps += 1;
        let number = calling.steps;
        if calling.set_queued(self.now, queued) {
            self.queued[priority] = if queued { self.queued[priority] + 1 } else { self.queued[priority] - 1 };
        }
        match step {
            Step::Send(deployment) => {
                calling.send(deployment);
                let attempt = calling.attempts;
                self.attempts += 1;
                self.hash.event(self.now, 100, &[call.0, deployment as u64]);
                let there = self.now + self.way(deployment);
                self.agenda.put(there, Due::Reach(call, attempt));
            }
            Step::Wait(until) => {
                self.hash.event(self.now, 101, &[call.0, until.0]);
                self.agenda.put(until.max(self.now), Due::Wake(call, number));
            }
            Step::Queue { predicted, within, until } => {
                self.hash.event(self.now, 102, &[call.0, 0]);
                calling.predicted = calling.predicted.or(predicted);
                calling.within = calling.within.or(within);
                if let Some(until) = until {
                    self.agenda.put(until.max(self.now), Due::Wake(call, number));
                }
            }
            Step::GiveUp(refusal) => {
                self.hash.event(self.now, 103, &[call.0, u64::from(refusal.status)]);
                self.refuse(call, refusal);
            }
        }
    }

    /// Asks every gateway which of its queued calls may go, and sets its timer.
    fn pump(&mut self) {
        for gateway in 0..self.gateways.len() {
            // Those who are let go may be the reason that others are.
            loop {
                let named = self.gateways[gateway].pump(self.now);
                if named.is_empty() {
                    break;
                }
                for call in named {
                    // Who was sent meanwhile has heard already.
                    if self.calls.get(call).is_some_and(|calling| !calling.is_sent()) {
                        self.ask(call);
                    }
                }
            }
            let deadline = self.gateways[gateway].next_deadline().map(|at| at.max(self.now));
            // A timer in the past would be asked for ever: what was due now was just asked.
            let Some(at) = deadline.map(|at| at.max(self.now + Duration::from_nanos(1))) else { continue };
            if self.timers[gateway].is_none_or(|set| at < set || set <= self.now) {
                self.timers[gateway] = Some(at);
                self.agenda.put(at, Due::Timer(gateway));
            }
        }
    }

    fn refuse(&mut self, call: CallId, refusal: Refusal) {
        let Some(calling) = self.calls.get(call) else { return };
        let (request, retry) = (calling.request, self.scenario.workloads[calling.request.workload].retry);
        let next = Client(retry).refused(self.now, &request, refusal.status, refusal.retry_after);
        let end = RecordEnd::refused(refusal.by, refusal.status);
        if let ClientStep::Retry(again) = next {
            self.close(call, end, false);
            self.agenda.put(again.at, Due::Arrive(Box::new(again)));
        } else {
            self.close(call, end, true);
            self.go_on(&request);
        }
    }

    /// A client whose request is over thinks about the next one.
    fn go_on(&mut self, request: &Request) {
        if !self.is_open_loop(request.workload) {
            self.think(request.workload, request.client, self.now);
        }
    }

    fn leave(&mut self, call: CallId) {
        let Some(calling) = self.calls.get(call) else { return };
        if calling.first_token_at.is_some() {
            return;
        }
        let request = calling.request;
        if calling.is_sent() {
            self.abandon(call);
        }
        self.close(call, RecordEnd::Left, true);
        self.go_on(&request);
    }

    /// Ends a call, in the gateway and in the books.
    fn close(&mut self, call: CallId, end: RecordEnd, is_last: bool) {
        let Some(mut calling) = self.calls.remove(call) else { return };
        if calling.set_queued(self.now, false) {
            self.queued[self.scenario.workloads[calling.request.workload].priority as usize] -= 1;
        }
        self.gateways[calling.gateway].end(self.now, call);
        self.records.push(calling.record(self.now, end, is_last));
    }

    fn sample(&mut self) {
        let now = self.now;
        let providers = self
            .providers
            .iter_mut()
            .map(|provider| ProviderSample { charged: provider.charged(), limits: provider.limits(now) })
            .collect();
        let (attempts, refused_429) = (self.attempts, self.refused_429);
        self.samples.push(Sample { at: now, providers, queued: self.queued, refused_429, attempts });
        let next = now + self.sample_every;
        if next <= self.sends_until {
            self.agenda.put(next, Due::Sample);
        }
    }

    fn finish(mut self) -> Outcome {
        let open: Vec<CallId> = self.calls.calls().collect();
        for call in open {
            self.close(call, RecordEnd::Unfinished, true);
        }
        Outcome {
            records: self.records,
            samples: self.samples,
            hash: self.hash.value(),
            events: self.hash.events(),
            ended_at: self.now,
        }
    }
}

/// Room for so many records is asked for at once: a day has millions, and a list that grows copies them all several times.
fn expected(scenario: &Scenario) -> usize {
    let rate: f64 = scenario.workloads.iter().map(|workload| workload.pattern.mean_rate()).sum();
    let requests = rate * scenario.duration.as_secs_f64() * 1.01;
    (requests.max(0.0) as usize).min(MOST_EXPECTED)
}

#[cfg(test)]
mod tests;
