//! One attempt: the way to the provider, what happens there, and the way back.

use std::time::Duration;

use weir_units::{Dimension, Moment, Tokens};

use super::{Answer, AnswerEnd, CallId, Due, Gateway, RecordEnd, Run};
use crate::gateway::Told;
use crate::provider::{Arrival, Flaw, Plan, Provider, Serving};

/// How long nothing may come before an attempt is given up (`first-byte` in weir.toml).
const FIRST_BYTE: Duration = Duration::from_secs(20);
/// How long nothing more may come before a stream is given up (`stall` in weir.toml).
const STALL: Duration = Duration::from_secs(30);
/// How often output is charged that is charged as it comes, and its gateway told of it: most models write about 64 tokens
/// in this time.
const METER_EVERY: Duration = Duration::from_secs(1);

impl<G: Gateway> Run<'_, G> {
    /// How long something is on its way to a deployment, or back.
    pub(super) fn way(&mut self, deployment: usize) -> Duration {
        let latency = self.networks[self.world.providers[deployment]];
        if latency.jitter.is_zero() { latency.base } else { latency.base + latency.jitter.mul_f64(self.network.unit()) }
    }

    pub(super) fn reach(&mut self, call: CallId, attempt: u32) {
        let Some((deployment, provider)) = self.attempt(call, attempt) else { return };
        let Some(calling) = self.calls.get_mut(call) else { return };
        let request = calling.request;
        let arrival = Arrival {
            input: request.input,
            cached: request.cached,
            max_output: request.max_output,
            output: request.output,
            charge: self.charges[provider],
            order: None,
        };
        let now = self.now;
        let plan = self.providers[provider].arrive(now, &arrival);
        match plan {
            Plan::Reject(no) => {
                calling.told = told(&mut self.providers[provider], now);
                calling.end = Some(AnswerEnd::Status { status: no.status, kind: no.kind, retry_after: no.retry_after });
                let back = no.at + self.way(deployment);
                self.agenda.put(back, Due::End(call, attempt));
            }
            Plan::Reset { at } => {
                calling.end = Some(AnswerEnd::Reset);
                let back = at + self.way(deployment);
                self.agenda.put(back, Due::End(call, attempt));
            }
            Plan::Silence => {
                calling.end = Some(AnswerEnd::Silence);
                self.agenda.put(now + FIRST_BYTE, Due::End(call, attempt));
            }
            Plan::Serve(serving) => {
                calling.serving = Some(serving);
                self.agenda.put(serving.first_token_at, Due::First(call, attempt));
                self.agenda.put(done_at(&serving), Due::Produced(call, attempt));
            }
        }
    }

    /// The provider has its first token: with it go the headers, as they are now.
    pub(super) fn first(&mut self, call: CallId, attempt: u32) {
        let Some((deployment, provider)) = self.attempt(call, attempt) else { return };
        let told = told(&mut self.providers[provider], self.now);
        if let Some(calling) = self.calls.get_mut(call) {
            calling.told = told;
        }
        let back = self.now + self.way(deployment);
        self.agenda.put(back, Due::Content(call, attempt));
        self.agenda.put(self.now + METER_EVERY, Due::Meter(call, attempt));
    }

    pub(super) fn meter(&mut self, call: CallId, attempt: u32) {
        let Some((_, provider)) = self.attempt(call, attempt) else { return };
        let Some(calling) = self.calls.get_mut(call) else { return };
        let Some(serving) = calling.serving.as_mut() else { return };
        if !serving.hold.is_open() {
            return;
        }
        let produced = serving.produced(self.now).min(done(serving));
        self.providers[provider].meter(self.now, &mut serving.hold, produced);
        let gateway = calling.gateway;
        self.gateways[gateway].produced(self.now, call, produced);
        self.agenda.put(self.now + METER_EVERY, Due::Meter(call, attempt));
    }

    /// The provider is done, well or not.
    pub(super) fn produced(&mut self, call: CallId, attempt: u32) {
        let Some((deployment, provider)) = self.attempt(call, attempt) else { return };
        let Some(calling) = self.calls.get_mut(call) else { return };
        let Some(serving) = calling.serving.as_mut() else { return };
        let output = done(serving);
        self.providers[provider].settle(self.now, &mut serving.hold, output);
        let (flawed, stalls) = (serving.flaw.is_some(), matches!(serving.flaw, Some(Flaw::StallAfter(_))));
        let usage = calling.usage(output);
        calling.output = output;
        calling.end = Some(if flawed { AnswerEnd::Broken(usage) } else { AnswerEnd::Whole(usage) });
        let back = self.now + self.way(deployment) + if stalls { STALL } else { Duration::ZERO };
        self.agenda.put(back, Due::End(call, attempt));
    }

    pub(super) fn content(&mut self, call: CallId, attempt: u32) {
        if self.attempt(call, attempt).is_none() {
            return;
        }
        let Some(calling) = self.calls.get_mut(call) else { return };
        if calling.first_token_at.is_none() {
            calling.first_token_at = Some(self.now);
            let (gateway, told) = (calling.gateway, calling.told);
            self.gateways[gateway].content(self.now, call, &told);
        }
    }

    /// The end of an attempt reaches the gateway.
    pub(super) fn attempt_ended(&mut self, call: CallId, attempt: u32) {
        let Some((deployment, _)) = self.attempt(call, attempt) else { return };
        let Some(calling) = self.calls.get_mut(call) else { return };
        let Some(end) = calling.end else { return };
        // The way back takes its own time each time, and no end overtakes a beginning.
        if matches!(end, AnswerEnd::Whole(_) | AnswerEnd::Broken(_)) && calling.first_token_at.is_none() {
            self.content(call, attempt);
        }
        let Some(calling) = self.calls.get_mut(call) else { return };
        calling.attempt_over();
        if let AnswerEnd::Status { status: 429, .. } = end {
            calling.refused_429 += 1;
            self.refused_429 += 1;
        }
        let (request, gateway) = (calling.request, calling.gateway);
        let answer = Answer { deployment, end, told: calling.told };
        self.gateways[gateway].report(self.now, call, &answer);
        match end {
            AnswerEnd::Whole(_) => {
                self.close(call, RecordEnd::Answered, true);
                self.go_on(&request);
            }
            AnswerEnd::Broken(_) => {
                self.close(call, RecordEnd::Broken, true);
                self.go_on(&request);
            }
            _ => self.ask(call),
        }
    }

    /// The client is gone, and so is what it asked for.
    pub(super) fn abandon(&mut self, call: CallId) {
        let now = self.now;
        let Some(calling) = self.calls.get_mut(call) else { return };
        let Some(deployment) = calling.deployment else { return };
        let produced = match calling.serving.as_mut() {
            Some(serving) => {
                let produced = serving.produced(now).min(done(serving));
                self.providers[self.world.providers[deployment]].settle(now, &mut serving.hold, produced);
                produced
            }
            None => Tokens(0),
        };
        let answer = Answer { deployment, end: AnswerEnd::Left(calling.usage(produced)), told: calling.told };
        calling.attempt_over();
        let gateway = calling.gateway;
        self.gateways[gateway].report(now, call, &answer);
    }

    /// The deployment of an attempt and its provider, if that attempt is still the one under way.
    fn attempt(&self, call: CallId, attempt: u32) -> Option<(usize, usize)> {
        let calling = self.calls.get(call).filter(|calling| calling.is_sent() && calling.attempts == attempt)?;
        let deployment = calling.deployment?;
        Some((deployment, self.world.providers[deployment]))
    }
}

fn told(provider: &mut Provider, now: Moment) -> Told {
    Dimension::ALL.map(|dimension| provider.told(now, dimension))
}

/// The tokens that come out before the answer is whole or broken.
fn done(serving: &Serving) -> Tokens {
    match serving.flaw {
        Some(Flaw::CutAfter(n) | Flaw::StallAfter(n) | Flaw::MalformedAfter(n) | Flaw::ErrorAfter(n)) => {
            Tokens(n).min(serving.tokens)
        }
        _ => serving.tokens,
    }
}

/// When that is.
fn done_at(serving: &Serving) -> Moment {
    Serving { tokens: done(serving), ..*serving }.ends_at()
}
