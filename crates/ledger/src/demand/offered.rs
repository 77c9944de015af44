//! What one request asks of which deployments, whether or not these served it.

use std::sync::Arc;

use weir_units::RequestId;

use super::{Demand, LONGEST};
use crate::row::MOST_TOKENS;
use crate::seen::{Seen, SeenCall};

/// What a fact says of a deployment's part in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It was called.
    Asked,
    /// A limit of its was in the way.
    Limited,
}

/// What the limits of deployments had to do with where a request went.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Offer {
    /// The deployment that was to serve it before all others.
    first: Option<Arc<str>>,
    /// The first of those that might have served it, if nothing says more.
    listed: Option<Arc<str>>,
    /// Those whose limits were in the way.
    limited: Vec<Arc<str>>,
    /// Input and output tokens, if it never ran.
    estimate: Option<[u64; 2]>,
    /// It was refused, since there was no capacity.
    no_capacity: bool,
}

impl Offer {
    /// Of a request that ended with this code, said by this one.
    pub(crate) fn of(code: Option<&str>, refused_by: Option<&str>) -> Self {
        let no_capacity = code == Some("capacity_exhausted") && refused_by == Some("weir");
        Self { no_capacity, ..Self::default() }
    }

    /// Takes note of a fact, in the order in which they happened. A deployment that rests has none.
    pub(crate) fn take(&mut self, sign: Sign, deployment: &str) {
        if self.first.is_none() {
            self.first = Some(deployment.into());
        }
        if sign == Sign::Limited && !self.limited.iter().any(|known| **known == *deployment) {
            self.limited.push(deployment.into());
        }
    }

    /// The request might go to this one before all others.
    pub(crate) fn listed(&mut self, deployment: Option<&str>) {
        // Only what was refused needs it.
        if self.no_capacity && self.listed.is_none() {
            self.listed = deployment.map(Arc::from);
        }
    }

    /// So many tokens are what it would use of a deployment that is asked before all others.
    pub(crate) fn estimated(&mut self, deployment: &str, input: u64, output: u64) {
        self.listed = Some(deployment.into());
        self.estimate = Some([input, output].map(|tokens| tokens.min(MOST_TOKENS)));
    }

    fn is_limited(&self, deployment: &str) -> bool {
        self.limited.iter().any(|known| **known == *deployment)
    }

    /// The deployment that was to serve it and whose limit was in the way.
    fn in_vain(&self) -> Option<&Arc<str>> {
        let first = self.first.as_ref().or(self.listed.as_ref())?;
        (self.no_capacity || self.is_limited(first)).then_some(first)
    }
}

/// What a request asks of one deployment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Offered {
    pub(crate) deployment: Arc<str>,
    /// All but how long its calls took.
    pub(crate) demand: Demand,
    /// Milliseconds that its calls took, in the minute of the request's arrival and in those after it.
    pub(crate) busy: Vec<u64>,
}

/// What a request that has ended asked of which deployments: of all that it called, each once, and of the one that was to serve
/// it before all others, if a limit was in the way.
pub(crate) fn offered(seen: &Seen) -> Vec<Offered> {
    let mut all: Vec<Offered> = Vec::with_capacity(1);
    let minute = RequestId(seen.id.0).millis().div_euclid(60_000);
    for call in &seen.calls {
        let place = all.iter().position(|known| known.deployment == call.deployment).unwrap_or_else(|| {
            all.push(Offered { deployment: Arc::clone(&call.deployment), demand: Demand::default(), busy: Vec::new() });
            all.len() - 1
        });
        let own = &mut all[place];
        add_tokens(&mut own.demand, call);
        own.demand.throttled |= u64::from(call.status == Some(429));
        spread(&mut own.busy, minute, call);
    }
    if let Some(first) = seen.offer.in_vain()
        && !all.iter().any(|known| known.deployment == *first)
    {
        let demand = Demand { throttled: 1, ..Demand::default() };
        all.push(Offered { deployment: Arc::clone(first), demand, busy: Vec::new() });
    }
    let elsewhere = seen.calls.iter().rev().find(|call| call.tokens.is_some());
    for own in &mut all {
        own.demand.requests = 1;
        own.demand.throttled |= u64::from(seen.offer.is_limited(&own.deployment));
        let ran = seen.calls.iter().any(|call| call.deployment == own.deployment && call.tokens.is_some());
        match (ran, elsewhere, seen.offer.estimate) {
            (true, ..) => {}
            (false, Some(call), _) => add_tokens(&mut own.demand, call),
            (false, None, Some([input, output])) => (own.demand.input, own.demand.output) = (input, output),
            (false, None, None) => {}
        }
    }
    all
}

fn add_tokens(demand: &mut Demand, call: &SeenCall) {
    let Some([input, cached, output, _]) = call.tokens else { return };
    demand.input = demand.input.saturating_add(input);
    demand.cached_input = demand.cached_input.saturating_add(cached);
    demand.output = demand.output.saturating_add(output);
}

/// Spreads the time of a call over the minutes from one on.
fn spread(busy: &mut Vec<u64>, minute: i64, call: &SeenCall) {
    let begin = minute.saturating_mul(60_000);
    let from = call.from_ms.max(begin);
    let to = call.to_ms.min(begin.saturating_add(LONGEST * 60_000));
    let mut at = from;
    while at < to {
        let place = (at - begin) / 60_000;
        let next = to.min(begin + (place + 1) * 60_000);
        let place = usize::try_from(place).unwrap_or(0);
        if busy.len() <= place {
            busy.resize(place + 1, 0);
        }
        busy[place] += u64::try_from(next - at).unwrap_or(0);
        at = next;
    }
}
