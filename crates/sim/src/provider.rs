//! A provider as a state machine: a request arrives, and the plan of its answer comes out.
//!
//! The plan is made whole at arrival, because nothing that happens later changes it. A shell that plays it over a socket and
//! a simulator that only counts both read the same plan.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use weir_units::{Moment, Tokens};

use crate::bucket::{Bucket, Gauge};
use crate::fault::{Extent, FaultOrder, Standing};
use crate::profile::{Limits, Profile};

/// What a provider needs to know of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Input tokens, as the provider estimates them.
    pub input: Tokens,
    /// The caller's bound on output, if it set one.
    pub max_output: Option<Tokens>,
    /// What the answer would come to without that bound.
    pub output: Tokens,
    /// How the tokens are charged.
    pub charge: Charge,
    /// A fault that this one request asks for; it goes before every standing one.
    pub order: Option<FaultOrder>,
}

/// What a limit on tokens is charged with, by the providers' own pages on rate limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// OpenAI: `max(input estimate, max_tokens)`, at arrival, whatever is used of it.
    Reserve,
    /// Anthropic: input at arrival, output when it was produced (see [`Provider::settle`]); `max_tokens` does not matter.
    Metered,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// An error status.
    Reject(Rejection),
    /// The connection is reset before any header.
    Reset {
        /// When.
        at: Moment,
    },
    /// Nothing, ever.
    Silence,
    /// A 200, possibly with a flaw.
    Serve(Serving),
}

/// An error before any content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// When its headers are due.
    pub at: Moment,
    /// The HTTP status.
    pub status: u16,
    /// What it says.
    pub kind: RejectionKind,
    /// What the retry-after header says, if there is one.
    pub retry_after: Option<Duration>,
}

/// The reason that an error gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectionKind {
    /// Too many requests a minute.
    RequestLimit,
    /// Too many tokens a minute.
    TokenLimit,
    /// The account has no money left.
    Quota,
    /// Payment is required.
    Payment,
    /// An error inside the provider.
    Server,
    /// A timeout inside the provider.
    Timeout,
    /// No capacity.
    Overloaded,
    /// The credential is not accepted.
    Credential,
    /// The credential may not do this.
    Permission,
    /// The model is not known.
    Model,
    /// The prompt does not fit the window.
    Context,
    /// A content filter refused.
    Filter,
}

/// A 200, in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serving {
    /// When the headers are due.
    pub headers_at: Moment,
    /// When the first token is due.
    pub first_token_at: Moment,
    /// The time between two tokens.
    pub per_token: Duration,
    /// Output tokens: what the answer comes to, bounded by what was asked for.
    pub tokens: Tokens,
    /// What goes wrong on the way.
    pub flaw: Option<Flaw>,
}

/// What is wrong with a 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The connection ends after so many content tokens.
    CutAfter(u64),
    /// Nothing more comes after so many content tokens.
    StallAfter(u64),
    /// One chunk of garbage after so many content tokens.
    MalformedAfter(u64),
    /// An error event after so many content tokens.
    ErrorAfter(u64),
    /// The stream's end is not marked.
    NoDone,
    /// `text/html`.
    WrongType,
    /// No body.
    Empty,
    /// Broken JSON.
    Garbage,
}

/// One provider's state: its buckets, its standing faults, its chance.
#[derive(Debug)]
pub struct Provider {
    profile: Profile,
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
    standing: Vec<Standing>,
    applied: Option<FaultOrder>,
    random: ChaCha8Rng,
}

impl Provider {
    /// A provider whose buckets are full at `now`; equal seeds and arrivals give equal plans.
    #[must_use]
    pub fn new(profile: Profile, seed: u64, now: Moment) -> Self {
        let standing = profile.faults.clone();
        let random = ChaCha8Rng::seed_from_u64(seed);
        let mut provider = Self { profile, requests: None, tokens: None, standing, applied: None, random };
        provider.fill(now);
        provider
    }

    /// How it behaves.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Behaves otherwise from now on. Buckets whose limit changed start full; standing faults stay as they were ordered.
    pub fn handle_profile(&mut self, now: Moment, profile: Profile) {
        let changed = profile.limits != self.profile.limits;
        self.profile = profile;
        if changed {
            self.fill(now);
        }
    }

    /// Adds a standing fault behind those that already stand.
    pub fn order(&mut self, order: Standing) {
        self.standing.push(order);
    }

    /// Lifts every standing fault.
    pub fn clear(&mut self) {
        self.standing.clear();
    }

    /// The standing faults, in the order in which they are tried.
    #[must_use]
    pub fn standing(&self) -> &[Standing] {
        &self.standing
    }

    /// The fault that was ordered for the last arrival, by itself or by a standing order.
    #[must_use]
    pub fn applied(&self) -> Option<FaultOrder> {
        self.applied
    }

    /// The requests and the tokens of this minute, for headers; `None` where there is no limit.
    pub fn gauges(&mut self, now: Moment) -> (Option<Gauge>, Option<Gauge>) {
        (self.requests.as_mut().map(|b| b.gauge(now)), self.tokens.as_mut().map(|b| b.gauge(now)))
    }

    /// Takes in a request and says what happens to it.
    pub fn arrive(&mut self, now: Moment, request: &Arrival) -> Plan {
        let fault = request.order.or_else(|| self.draw());
        self.applied = fault;
        let reject = |status, kind, retry_after| Plan::Reject(Rejection { at: now, status, kind, retry_after });
        use RejectionKind as Kind;
        let early = match fault {
            Some(FaultOrder::RateLimit(wait)) => Some(reject(429, Kind::TokenLimit, wait)),
            Some(FaultOrder::ServerError) => Some(reject(500, Kind::Server, None)),
            Some(FaultOrder::BadGateway) => Some(reject(502, Kind::Server, None)),
            Some(FaultOrder::Unavailable) => Some(reject(503, Kind::Overloaded, None)),
            Some(FaultOrder::GatewayTimeout) => Some(reject(504, Kind::Timeout, None)),
            Some(FaultOrder::Overloaded) => Some(reject(529, Kind::Overloaded, None)),
            Some(FaultOrder::Unauthorized) => Some(reject(401, Kind::Credential, None)),
            Some(FaultOrder::PaymentRequired) => Some(reject(402, Kind::Payment, None)),
            Some(FaultOrder::InsufficientQuota) => Some(reject(429, Kind::Quota, None)),
            Some(FaultOrder::Forbidden) => Some(reject(403, Kind::Permission, None)),
            Some(FaultOrder::NotFound) => Some(reject(404, Kind::Model, None)),
            Some(FaultOrder::Context) => Some(reject(400, Kind::Context, None)),
            Some(FaultOrder::Filter) => Some(reject(400, Kind::Filter, None)),
            Some(FaultOrder::Reset) => Some(Plan::Reset { at: now }),
            Some(FaultOrder::Silence) => Some(Plan::Silence),
            _ => None,
        };
        if let Some(plan) = early {
            return plan;
        }
        if self.profile.context_window.is_some_and(|window| request.input.0 > window) {
            return reject(400, Kind::Context, None);
        }
        if let Some((kind, wait)) = self.refuse(now, request) {
            return reject(429, kind, wait);
        }
        Plan::Serve(self.serve(now, request, fault))
    }

    /// Charges the output that a request produced, where the charge is [`Charge::Metered`].
    pub fn settle(&mut self, now: Moment, charge: Charge, produced: Tokens) {
        if charge == Charge::Metered
            && let Some(bucket) = &mut self.tokens
        {
            bucket.take(now, produced.0);
        }
    }

    fn fill(&mut self, now: Moment) {
        let Limits { requests_per_minute, tokens_per_minute } = self.profile.limits;
        self.requests = requests_per_minute.map(|limit| Bucket::new(limit, now));
        self.tokens = tokens_per_minute.map(|limit| Bucket::new(limit, now));
    }

    /// Takes the request's cost from every bucket, or from none and says which refused and how long it asks to wait.
    fn refuse(&mut self, now: Moment, request: &Arrival) -> Option<(RejectionKind, Option<Duration>)> {
        let tokens = match request.charge {
            Charge::Reserve => request.input.0.max(request.max_output.map_or(0, |max| max.0)),
            Charge::Metered => request.input.0,
        };
        let costs = [
            (RejectionKind::RequestLimit, 1, &mut self.requests),
            (RejectionKind::TokenLimit, tokens, &mut self.tokens),
        ];
        for (kind, cost, bucket) in costs {
            let Some(bucket) = bucket else { continue };
            match bucket.wait(now, cost) {
                Some(Duration::ZERO) => {}
                // Whole seconds, at least one: providers never ask for less.
                Some(wait) => {
                    return Some((kind, Some(Duration::from_secs(wait.as_millis().div_ceil(1_000).max(1) as u64))));
                }
                None => return Some((kind, None)),
            }
        }
        if let Some(bucket) = &mut self.requests {
            bucket.take(now, 1);
        }
        if let Some(bucket) = &mut self.tokens {
            bucket.take(now, tokens);
        }
        None
    }

    fn serve(&mut self, now: Moment, request: &Arrival, fault: Option<FaultOrder>) -> Serving {
        let latency = self.profile.latency;
        let per_input = latency.per_input_token.saturating_mul(u32::try_from(request.input.0).unwrap_or(u32::MAX));
        let jitter = self.up_to(latency.jitter);
        let mut first_token_at = now + latency.base + per_input + jitter;
        let mut headers_at = first_token_at;
        let mut flaw = None;
        match fault {
            Some(FaultOrder::Slow(wait)) => (headers_at, first_token_at) = (now, now + wait),
            Some(FaultOrder::Late(wait)) => (headers_at, first_token_at) = (now + wait, now + wait),
            Some(FaultOrder::Cut(n)) => flaw = Some(Flaw::CutAfter(n)),
            Some(FaultOrder::Stall(n)) => flaw = Some(Flaw::StallAfter(n)),
            Some(FaultOrder::Malformed(n)) => flaw = Some(Flaw::MalformedAfter(n)),
            Some(FaultOrder::ErrorInStream(n)) => flaw = Some(Flaw::ErrorAfter(n)),
            Some(FaultOrder::NoDone) => flaw = Some(Flaw::NoDone),
            Some(FaultOrder::WrongType) => flaw = Some(Flaw::WrongType),
            Some(FaultOrder::Empty) => flaw = Some(Flaw::Empty),
            Some(FaultOrder::Garbage) => flaw = Some(Flaw::Garbage),
            _ => {}
        }
        let per_token = match self.profile.tokens_per_second {
            0 => Duration::ZERO,
            rate => Duration::from_nanos(1_000_000_000 / rate),
        };
        let tokens = request.max_output.map_or(request.output, |max| max.min(request.output));
        Serving { headers_at, first_token_at, per_token, tokens, flaw }
    }

    /// The first standing fault that befalls this request; one that is used up is lifted.
    fn draw(&mut self) -> Option<FaultOrder> {
        let mut at = 0;
        while at < self.standing.len() {
            let Standing { fault, extent } = self.standing[at];
            match extent {
                Extent::All => return Some(fault),
                Extent::Next(left) => {
                    if left <= 1 {
                        self.standing.remove(at);
                    } else {
                        self.standing[at].extent = Extent::Next(left - 1);
                    }
                    if left > 0 {
                        return Some(fault);
                    }
                }
                Extent::Share(ppm) => {
                    if self.random.next_u64() % 1_000_000 < u64::from(ppm) {
                        return Some(fault);
                    }
                    at += 1;
                }
            }
        }
        None
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        if nanos == 0 { Duration::ZERO } else { Duration::from_nanos(self.random.next_u64() % nanos) }
    }
}

#[cfg(test)]
mod tests;
