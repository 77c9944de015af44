//! A provider as a state machine: a request arrives, and the plan of its answer comes out.
//!
//! The plan is made whole at arrival, because nothing that happens later changes it. A shell that plays it over a socket and
//! a simulator that only counts both read the same plan.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use weir_units::{Dimension, Limits, Moment, Tokens};

use crate::bucket::Gauge;
use crate::charge::{Charge, Sizes};
use crate::counters::{Counters, Hold};
use crate::fault::{Extent, FaultOrder, Standing};
use crate::profile::{EventKind, Profile};

/// What a provider needs to know of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Input tokens, as the provider estimates them.
    pub input: Tokens,
    /// Those of them that it reads from its prompt cache.
    pub cached: Tokens,
    /// The caller's bound on output, if it set one.
    pub max_output: Option<Tokens>,
    /// What the answer would come to without that bound.
    pub output: Tokens,
    /// How the tokens are charged.
    pub charge: Charge,
    /// A fault that this one request asks for; it goes before every standing one.
    pub order: Option<FaultOrder>,
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
    /// A limit is used up.
    Limit(Dimension),
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
    /// What it holds of the limits, to be settled when it ends, however it ends (see [`Provider::settle`]).
    pub hold: Hold,
}

impl Serving {
    /// When the last token is due, if nothing goes wrong.
    #[must_use]
    pub fn ends_at(&self) -> Moment {
        let after_the_first = u32::try_from(self.tokens.0.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first_token_at + self.per_token.saturating_mul(after_the_first)
    }

    /// The tokens that are out at `now`.
    #[must_use]
    pub fn produced(&self, now: Moment) -> Tokens {
        if now < self.first_token_at {
            return Tokens(0);
        }
        let nanos = self.per_token.as_nanos();
        let so_far = now
            .since(self.first_token_at)
            .as_nanos()
            .checked_div(nanos)
            .map_or(u64::MAX, |n| u64::try_from(n).unwrap_or(u64::MAX).saturating_add(1));
        Tokens(so_far.min(self.tokens.0))
    }
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

/// One provider's state: what is used of its limits, its standing faults, its chance.
#[derive(Debug)]
pub struct Provider {
    profile: Profile,
    counters: Counters,
    standing: Vec<Standing>,
    applied: Option<FaultOrder>,
    random: ChaCha8Rng,
}

impl Provider {
    /// A provider of whose limits nothing is used at `now`; equal seeds and arrivals give equal plans.
    #[must_use]
    pub fn new(profile: Profile, seed: u64, now: Moment) -> Self {
        let standing = profile.faults.clone();
        let random = ChaCha8Rng::seed_from_u64(seed);
        let counters = Counters::new(profile.limits, profile.rules, now);
        Self { profile, counters, standing, applied: None, random }
    }

    /// How it behaves.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Behaves otherwise from now on. If limits or their rules changed, nothing is used of them; standing faults stay as
    /// they were ordered.
    pub fn handle_profile(&mut self, now: Moment, profile: Profile) {
        let changed = profile.limits != self.profile.limits || profile.rules != self.counters.rules();
        self.profile = profile;
        if changed {
            self.counters.restart(self.profile.limits, self.profile.rules, now);
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

    /// What answers say at `now` of a limit: nothing where there is none or where no headers are sent.
    ///
    /// A stated limit that is not the one that is held is told with what would be left of it.
    pub fn told(&mut self, now: Moment, dimension: Dimension) -> Option<Gauge> {
        if !self.profile.rules.headers {
            return None;
        }
        self.keep_up(now);
        let stated = match self.profile.rules.stated {
            Some(stated) => stated.get(dimension)?,
            None => self.limits_at(now, true).get(dimension)?,
        };
        let Some(gauge) = self.counters.gauge(now, dimension) else {
            return Some(Gauge { limit: stated, remaining: stated, full_in: Duration::ZERO });
        };
        let used = gauge.limit.saturating_sub(gauge.remaining);
        Some(Gauge { limit: stated, remaining: stated.saturating_sub(used), full_in: gauge.full_in })
    }

    /// The ceilings that hold at `now`, whatever headers say.
    pub fn limits(&mut self, now: Moment) -> Limits {
        self.keep_up(now);
        self.counters.limits()
    }

    /// All that was ever charged in each dimension, in the order of [`Dimension::ALL`]; of concurrent requests, those in
    /// flight now.
    #[must_use]
    pub fn charged(&self) -> [i64; Dimension::ALL.len()] {
        self.counters.charged()
    }

    /// Takes in a request and says what happens to it.
    pub fn arrive(&mut self, now: Moment, request: &Arrival) -> Plan {
        self.keep_up(now);
        let fault = request.order.or_else(|| self.draw()).or_else(|| self.befalls(now));
        self.applied = fault;
        let reject = |status, kind, retry_after| Plan::Reject(Rejection { at: now, status, kind, retry_after });
        use RejectionKind as Kind;
        let early = match fault {
            Some(FaultOrder::RateLimit(wait)) => Some(reject(429, Kind::Limit(Dimension::TokensPerMinute), wait)),
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
        let most = request.max_output.unwrap_or(Tokens(self.profile.rules.assumed_output));
        let sizes = Sizes { input: request.input, cached: request.cached.min(request.input), most };
        match self.counters.admit(now, request.charge, sizes) {
            Ok(hold) => Plan::Serve(self.serve(now, request, fault, hold)),
            // Whole seconds, at least one: providers never ask for less.
            Err((dimension, wait)) => {
                let wait = wait.map(|wait| Duration::from_secs(wait.as_millis().div_ceil(1_000).max(1) as u64));
                reject(429, Kind::Limit(dimension), wait)
            }
        }
    }

    /// Charges the output that a request has produced so far, where it is charged as it comes.
    pub fn meter(&mut self, now: Moment, hold: &mut Hold, produced: Tokens) {
        self.counters.meter(now, hold, produced);
    }

    /// Ends what a request holds, after it produced so many tokens. Doing so again changes nothing.
    pub fn settle(&mut self, now: Moment, hold: &mut Hold, produced: Tokens) {
        self.counters.settle(now, hold, produced);
    }

    /// Puts into force what the events say of limits at `now`.
    fn keep_up(&mut self, now: Moment) {
        if !self.profile.events.is_empty() {
            let limits = self.limits_at(now, false);
            self.counters.set_limits(now, limits);
        }
    }

    /// The limits at `now`; `told` leaves out the events that headers are silent about.
    fn limits_at(&self, now: Moment, told_only: bool) -> Limits {
        let mut limits = self.profile.limits;
        for event in self.profile.events.iter().filter(|event| event.is_on(now)) {
            let EventKind::Limits { share_ppm, told } = event.kind else { continue };
            if told_only && !told {
                continue;
            }
            for (dimension, limit) in limits.iter().collect::<Vec<_>>() {
                let cut = u128::from(limit) * u128::from(share_ppm) / 1_000_000;
                limits.set(dimension, Some(u64::try_from(cut).unwrap_or(u64::MAX)));
            }
        }
        limits
    }

    /// The fault of an event that goes on, if it befalls this request.
    fn befalls(&mut self, now: Moment) -> Option<FaultOrder> {
        for at in 0..self.profile.events.len() {
            let event = self.profile.events[at];
            if let EventKind::Fault { fault, share_ppm } = event.kind
                && event.is_on(now)
                && self.chance(share_ppm)
            {
                return Some(fault);
            }
        }
        None
    }

    fn chance(&mut self, share_ppm: u32) -> bool {
        share_ppm >= 1_000_000 || self.random.next_u64() % 1_000_000 < u64::from(share_ppm)
    }

    /// How much longer than else everything takes at `now`, in percent.
    fn percent(&self, now: Moment) -> u32 {
        self.profile.events.iter().filter(|event| event.is_on(now)).fold(100, |percent, event| match event.kind {
            EventKind::Latency { percent: more } => percent.saturating_mul(more) / 100,
            _ => percent,
        })
    }

    fn serve(&mut self, now: Moment, request: &Arrival, fault: Option<FaultOrder>, hold: Hold) -> Serving {
        let latency = self.profile.latency;
        let per_input = latency.per_input_token.saturating_mul(u32::try_from(request.input.0).unwrap_or(u32::MAX));
        let jitter = self.up_to(latency.jitter);
        let percent = self.percent(now);
        let mut first_token_at = now + (latency.base + per_input + jitter).saturating_mul(percent) / 100;
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
            rate => Duration::from_nanos(1_000_000_000 / rate).saturating_mul(percent) / 100,
        };
        let tokens = request.max_output.map_or(request.output, |max| max.min(request.output));
        Serving { headers_at, first_token_at, per_token, tokens, flaw, hold }
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
                    if self.chance(ppm) {
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
