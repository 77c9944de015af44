//! What is counted of requests: sums that merge, so that a range's is that of its parts, and its parts' that of the rows.

use weir_units::NanoUsd;

use super::Histogram;
use crate::entry::Outcome;
use crate::seen::{Seen, SeenCall};

/// Why tokens were wasted, by the names that facts have; what a later version may add is `other`. Roll-ups know them by their
/// places, so what is new comes last.
pub const WASTE: [&str; 11] = [
    "failed_attempt",
    "abandoned",
    "client_retry",
    "duplicate",
    "truncated",
    "cache_miss",
    "other",
    "loop",
    "stale_context",
    "oversized_model",
    "oversized_max_tokens",
];

/// The place in [`WASTE`] of a reason, by its name.
pub(crate) fn waste_of(name: &str) -> usize {
    let of = |name: &str| WASTE.iter().position(|known| *known == name);
    of(name).or_else(|| of("other")).unwrap_or_default()
}

macro_rules! counts {
    ($(#[$about:meta])* pub struct $name:ident { $($(#[$doc:meta])* pub $field:ident,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name { $($(#[$doc])* pub $field: u64,)* }

        impl $name {
            /// The names of the counts, in order.
            pub const NAMES: &[&str] = &[$(stringify!($field)),*];

            /// The counts, in the order of their names.
            #[must_use]
            pub fn values(&self) -> [u64; Self::NAMES.len()] {
                [$(self.$field),*]
            }

            /// The counts to change, in the order of their names.
            pub(crate) fn values_mut(&mut self) -> [&mut u64; Self::NAMES.len()] {
                [$(&mut self.$field),*]
            }

            fn take_out(&mut self, other: &Self) {
                $(self.$field = self.$field.saturating_sub(other.$field);)*
            }

            fn merge(&mut self, other: &Self) {
                $(self.$field = self.$field.saturating_add(other.$field);)*
            }
        }
    };
}

counts! {
    /// Counts of requests. Each request has one outcome, and at most one of the four groups of status.
    pub struct Requests {
        /// Requests that have ended.
        pub requests,
        /// The client has its whole answer.
        pub answered,
        /// Refused before anything was sent.
        pub refused,
        /// Tried, and the client got an error or a broken answer.
        pub failed,
        /// The client left.
        pub cancelled,
        /// The process died before they ended.
        pub lost,
        /// Of those with an error: Weir said no.
        pub refused_by_weir,
        /// Of those with an error: a provider said no.
        pub refused_by_provider,
        /// The client saw a 429 of Weir's.
        pub status_429_by_weir,
        /// The client saw a 429 of a provider's.
        pub status_429_by_provider,
        /// The client saw another status of 400 to 498.
        pub status_4xx,
        /// The client saw a status of 500 or more.
        pub status_5xx,
        /// The answer broke off after its status, below 400, was sent.
        pub broken,
        /// Requests of which a part of the cost, or all of it, is unknown.
        pub unpriced,
        /// Calls that asked the same deployment again.
        pub retries,
        /// Calls that asked another deployment than the one before.
        pub failovers,
        /// Requests that waited for capacity.
        pub queued,
        /// Milliseconds that they waited.
        pub queued_ms,
    }
}

counts! {
    /// Counts of calls upstream.
    pub struct Calls {
        /// Calls.
        pub attempts,
        /// Those that led to no answer.
        pub failed,
        /// Those that were answered with 429.
        pub status_429,
        /// Input tokens, as providers reported them, cached ones too.
        pub input,
        /// Of those, what a cache had.
        pub cached_input,
        /// Output tokens, reasoning ones too.
        pub output,
        /// Of those, what was reasoning.
        pub reasoning,
        /// Calls whose cost is unknown.
        pub unpriced,
        /// Calls that cost something, or nobody knows what, and whose tokens are unknown.
        pub unreported,
    }
}

/// What was paid for and served nobody, for one reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wasted {
    /// How often.
    pub times: u64,
    /// Tokens of both kinds.
    pub tokens: u64,
    /// What is known of their cost.
    pub cost: NanoUsd,
    /// How often the cost is unknown.
    pub unpriced: u64,
}

impl Wasted {
    pub(crate) fn merge(&mut self, part: &Self) {
        self.times = self.times.saturating_add(part.times);
        self.tokens = self.tokens.saturating_add(part.tokens);
        self.cost += part.cost;
        self.unpriced = self.unpriced.saturating_add(part.unpriced);
    }

    pub(crate) fn take_out(&mut self, part: &Self) {
        self.times = self.times.saturating_sub(part.times);
        self.tokens = self.tokens.saturating_sub(part.tokens);
        self.cost = self.cost.saturating_sub(part.cost);
        self.unpriced = self.unpriced.saturating_sub(part.unpriced);
    }
}

/// All that is counted of some requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Of the requests.
    pub requests: Requests,
    /// Of their calls upstream.
    pub calls: Calls,
    /// What is known of the cost of those calls.
    pub cost: NanoUsd,
    /// The part of it that is estimated.
    pub estimated: NanoUsd,
    /// What was wasted, in the order of [`WASTE`].
    pub wasted: [Wasted; WASTE.len()],
    /// From arrival to the last byte, of requests that were answered.
    pub duration: Histogram,
    /// From arrival to the first content, of streams.
    pub first_content: Histogram,
    /// The wait for capacity, of requests that waited.
    pub queue_wait: Histogram,
}

impl Tally {
    /// Adds what `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        self.requests.merge(&other.requests);
        self.duration.merge(&other.duration);
        self.first_content.merge(&other.first_content);
        self.queue_wait.merge(&other.queue_wait);
        self.merge_calls(other);
    }

    /// Adds what `other` has counted of calls, and no more.
    pub(crate) fn merge_calls(&mut self, other: &Self) {
        self.calls.merge(&other.calls);
        self.cost += other.cost;
        self.estimated += other.estimated;
        self.wasted.iter_mut().zip(&other.wasted).for_each(|(sum, part)| sum.merge(part));
    }

    /// Takes out what `other` has counted, which must be a part of it.
    pub(crate) fn take_out(&mut self, other: &Self) {
        self.requests.take_out(&other.requests);
        self.calls.take_out(&other.calls);
        self.duration.take_out(&other.duration);
        self.first_content.take_out(&other.first_content);
        self.queue_wait.take_out(&other.queue_wait);
        self.cost = self.cost.saturating_sub(other.cost);
        self.estimated = self.estimated.saturating_sub(other.estimated);
        self.wasted.iter_mut().zip(&other.wasted).for_each(|(sum, part)| sum.take_out(part));
    }

    /// Counts a request that has ended, without its calls.
    pub(crate) fn add_request(&mut self, seen: &Seen) {
        let counts = &mut self.requests;
        counts.requests += 1;
        match seen.outcome {
            Outcome::Answered => counts.answered += 1,
            Outcome::Refused => counts.refused += 1,
            Outcome::Failed => counts.failed += 1,
            Outcome::Cancelled => counts.cancelled += 1,
            Outcome::Lost | Outcome::Open => counts.lost += 1,
        }
        let by_weir = seen.refused_by.as_deref() == Some("weir");
        if seen.refused_by.is_some() {
            *(if by_weir { &mut counts.refused_by_weir } else { &mut counts.refused_by_provider }) += 1;
        }
        match seen.status {
            Some(429) if seen.refused_by.is_some() && !by_weir => counts.status_429_by_provider += 1,
            Some(429) => counts.status_429_by_weir += 1,
            Some(400..=498) => counts.status_4xx += 1,
            Some(500..) => counts.status_5xx += 1,
            Some(..400) if seen.outcome == Outcome::Failed => counts.broken += 1,
            _ => {}
        }
        counts.unpriced += u64::from(seen.cost.is_none());
        for pair in seen.calls.windows(2) {
            let again = pair[0].deployment == pair[1].deployment;
            *(if again { &mut counts.retries } else { &mut counts.failovers }) += 1;
        }
        if seen.queued_ms > 0 {
            counts.queued += 1;
            counts.queued_ms = counts.queued_ms.saturating_add(seen.queued_ms);
            self.queue_wait.add(seen.queued_ms);
        }
        if let Some(ms) = seen.duration_ms.filter(|_| seen.outcome == Outcome::Answered) {
            self.duration.add(ms);
        }
        if let Some(ms) = seen.first_content_ms {
            self.first_content.add(ms);
        }
    }

    /// Counts one of its calls.
    pub(crate) fn add_call(&mut self, call: &SeenCall) {
        let counts = &mut self.calls;
        counts.attempts += 1;
        counts.failed += u64::from(call.failed);
        counts.status_429 += u64::from(call.status == Some(429));
        counts.unpriced += u64::from(call.cost.is_none());
        match &call.tokens {
            Some([input, cached, output, reasoning]) => {
                for (sum, tokens) in [
                    (&mut counts.input, input),
                    (&mut counts.cached_input, cached),
                    (&mut counts.output, output),
                    (&mut counts.reasoning, reasoning),
                ] {
                    *sum = sum.saturating_add(*tokens);
                }
            }
            None => counts.unreported += u64::from(call.cost != Some(NanoUsd::ZERO)),
        }
        let cost = call.cost.unwrap_or_default();
        self.cost += cost;
        if call.estimated {
            self.estimated += cost;
        }
        for waste in &call.wasted {
            let sum = &mut self.wasted[waste.why];
            sum.times += 1;
            sum.tokens = sum.tokens.saturating_add(waste.tokens);
            sum.cost += waste.cost.unwrap_or_default();
            sum.unpriced += u64::from(waste.cost.is_none());
        }
    }

    /// Counts a request that has ended, with all of its calls.
    pub(crate) fn add(&mut self, seen: &Seen) {
        self.add_request(seen);
        for call in &seen.calls {
            self.add_call(call);
        }
    }
}
