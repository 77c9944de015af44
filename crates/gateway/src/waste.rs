//! Tokens that were paid for and served nobody, told as facts while it happens, so that reports can add them up.
//!
//! What is wasted whole is wasted for one reason. Of other answers parts may be, and no token is in two of them: what the
//! provider's cache could have had, then what was said many turns ago and sent once more, then what a cheaper model would have
//! saved. Room of a limit that `max_tokens` held for nothing is no token, and is told beside them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use twox_hash::XxHash3_64;
use weir_ledger::Fact;
use weir_units::Moment;

use crate::bill::Cost;

/// How long an answered request makes an equal one waste.
const WINDOW: Duration = Duration::from_secs(600);
/// The most answered requests that are remembered in one window; two windows are.
const REMEMBERED: usize = 50_000;

/// Why tokens were paid for in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waste {
    /// The attempt led to no answer, and another one or nobody answered.
    FailedAttempt,
    /// The client left before the answer ended.
    Abandoned,
    /// The client's SDK asked again what had been answered.
    ClientRetry,
    /// The same was asked and answered a short time before.
    Duplicate,
    /// The answer ended at its output limit or at the end of the context window.
    Truncated,
    /// The request began as the one before it in its run, and the provider's cache did not have it.
    CacheMiss,
    /// Its run went round in a loop.
    Loop,
    /// What was said many turns ago was sent once more.
    StaleContext,
    /// A short question went to a model that is much dearer than another.
    OversizedModel,
    /// `max_tokens` held room of a limit that the answer did not need.
    OversizedMaxTokens,
}

impl Waste {
    /// The name in facts and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::FailedAttempt => "failed_attempt",
            Self::Abandoned => "abandoned",
            Self::ClientRetry => "client_retry",
            Self::Duplicate => "duplicate",
            Self::Truncated => "truncated",
            Self::CacheMiss => "cache_miss",
            Self::Loop => "loop",
            Self::StaleContext => "stale_context",
            Self::OversizedModel => "oversized_model",
            Self::OversizedMaxTokens => "oversized_max_tokens",
        }
    }

    /// The fact that so much was wasted; none if it was nothing.
    pub(crate) fn of(self, cost: &Cost) -> Option<Fact> {
        let used = cost.used();
        let nothing = cost.amount().is_some_and(|amount| amount.0 == 0) && used.is_none();
        (!nothing).then(|| Fact::Wasted {
            why: self.name(),
            input: used.map_or(0, |usage| usage.input.0),
            output: used.map_or(0, |usage| usage.output.0),
            cost_usd: cost.amount(),
            estimated: cost.is_estimated(),
        })
    }
}

/// What a request asks for, as far as equal requests are found by it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Content {
    hash: u64,
    by_sdk: bool,
}

impl Content {
    /// Equal requests have the same.
    pub(crate) fn hash(self) -> u64 {
        self.hash
    }
}

/// The requests that were answered in the last minutes.
pub(crate) struct Answered {
    seed: u64,
    windows: Mutex<Windows>,
}

#[derive(Default)]
struct Windows {
    since: Moment,
    current: HashMap<u64, Moment>,
    before: HashMap<u64, Moment>,
}

impl Answered {
    /// None yet. The seed is drawn at each start, so that nobody can prepare requests that look equal.
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, windows: Mutex::default() }
    }

    /// Tells requests apart by who asks what of whom.
    pub(crate) fn content(&self, tenant: &str, path: &str, sdk_retry: Option<u32>, body: &[u8]) -> Content {
        let scope = XxHash3_64::oneshot_with_seed(self.seed, tenant.as_bytes());
        let scope = XxHash3_64::oneshot_with_seed(scope, path.as_bytes());
        let by_sdk = sdk_retry.is_some_and(|count| count > 0);
        Content { hash: XxHash3_64::oneshot_with_seed(scope, body), by_sdk }
    }

    /// Takes note that `content` is answered, and says why that is waste if it was before.
    pub(crate) fn note(&self, now: Moment, content: Content) -> Option<Waste> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(windows.since) > WINDOW || windows.current.len() >= REMEMBERED {
            windows.before = std::mem::take(&mut windows.current);
            windows.since = now;
        }
        let earlier = windows.current.insert(content.hash, now).or_else(|| windows.before.get(&content.hash).copied());
        drop(windows);
        let again = if content.by_sdk { Waste::ClientRetry } else { Waste::Duplicate };
        earlier.filter(|earlier| now.since(*earlier) <= WINDOW).map(|_| again)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::default() + Duration::from_secs(seconds)
    }

    #[test]
    fn the_same_within_ten_minutes_is_a_duplicate_and_an_sdk_says_that_it_retries() {
        let answered = Answered::new(7);
        let first = answered.content("a", "/v1/messages", None, b"{}");
        assert_eq!(answered.note(at(0), first), None);
        assert_eq!(answered.note(at(600), first), Some(Waste::Duplicate));
        let again = answered.content("a", "/v1/messages", Some(1), b"{}");
        assert_eq!(answered.note(at(700), again), Some(Waste::ClientRetry));
        assert_eq!(answered.note(at(1_301), first), None, "more than ten minutes later it is asked anew");
        for (tenant, path, body) in
            [("b", "/v1/messages", "{}"), ("a", "/v1/embeddings", "{}"), ("a", "/v1/messages", "{} ")]
        {
            let other = answered.content(tenant, path, None, body.as_bytes());
            assert_eq!(answered.note(at(1_301), other), None, "{tenant} {path} {body}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let answered = Answered::new(7);
        for hash in 0..(3 * REMEMBERED as u64) {
            answered.note(at(1), Content { hash, by_sdk: false });
        }
        let windows = answered.windows.lock().unwrap();
        assert!(windows.current.len() + windows.before.len() <= 2 * REMEMBERED);
    }
}
