//! Which request is a further try of which: clients' SDKs ask again on their own, and each try is a request of its own here.
//!
//! A request is a further try of an equal one of the same tenant that ended within the last minute without an answer, or of any equal
//! one if its SDK says that it tries again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use weir_ledger::Fact;
use weir_units::{Moment, RequestId};

use crate::waste::Content;

/// How long a client may take for its next try.
const WINDOW: Duration = Duration::from_secs(60);
/// The most requests that are remembered in one window; two windows are.
const REMEMBERED: usize = 20_000;

/// A request that was tried before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct First {
    pub(crate) id: RequestId,
    pub(crate) trace_id: u128,
}

/// What a request is a further try of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retried {
    /// The first try; none where only the client's word is known.
    pub(crate) first: Option<First>,
    /// How many tries there were before.
    pub(crate) count: u32,
    /// Its SDK says so.
    pub(crate) by_sdk: bool,
}

impl Retried {
    pub(crate) fn fact(&self) -> Fact {
        let of = self.first.map(|first| first.id.to_string());
        Fact::ClientRetried { of, count: self.count, by: if self.by_sdk { "sdk" } else { "client" } }
    }
}

/// Requests that ended in the last minutes, by what they asked.
#[derive(Default)]
pub(crate) struct ClientTries(Mutex<Windows>);

#[derive(Default)]
struct Windows {
    since: Moment,
    current: HashMap<u64, Ended>,
    before: HashMap<u64, Ended>,
}

#[derive(Clone, Copy)]
struct Ended {
    at: Moment,
    first: First,
    tries: u32,
    answered: bool,
}

impl ClientTries {
    /// What a request that begins now is a further try of; `said` is what its SDK says of earlier ones.
    pub(crate) fn begin(&self, now: Moment, content: Content, said: Option<u32>) -> Option<Retried> {
        let said = said.unwrap_or(0);
        let windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = content.hash();
        let ended = windows.current.get(&hash).or_else(|| windows.before.get(&hash)).copied();
        drop(windows);
        let ended = ended.filter(|ended| now.since(ended.at) <= WINDOW && (said > 0 || !ended.answered));
        if ended.is_none() && said == 0 {
            return None;
        }
        let tries = ended.map_or(0, |ended| ended.tries);
        Some(Retried {
            first: ended.map(|ended| ended.first),
            count: if said > 0 { said } else { tries },
            by_sdk: said > 0,
        })
    }

    /// A request has ended.
    pub(crate) fn end(&self, now: Moment, content: Content, own: First, retried: Option<&Retried>, answered: bool) {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(windows.since) > WINDOW || windows.current.len() >= REMEMBERED {
            windows.before = std::mem::take(&mut windows.current);
            windows.since = now;
        }
        let first = retried.and_then(|retried| retried.first).unwrap_or(own);
        let tries = retried.map_or(0, |retried| retried.count).saturating_add(1);
        windows.current.insert(content.hash(), Ended { at: now, first, tries, answered });
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::waste::Answered;

    fn at(seconds: u64) -> Moment {
        Moment::default() + Duration::from_secs(seconds)
    }

    fn content(tenant: &str, body: &str) -> Content {
        Answered::new(7).content(tenant, "/v1/messages", None, body.as_bytes())
    }

    fn first(id: u128) -> First {
        First { id: RequestId(id), trace_id: id }
    }

    #[test]
    fn what_failed_and_is_asked_again_within_a_minute_is_a_further_try_of_the_first() {
        let (tries, asked) = (ClientTries::default(), content("a", "{}"));
        assert_eq!(tries.begin(at(0), asked, None), None);
        tries.end(at(1), asked, first(1), None, false);
        let second = tries.begin(at(2), asked, Some(1)).unwrap();
        assert_eq!(second, Retried { first: Some(first(1)), count: 1, by_sdk: true });
        tries.end(at(3), asked, first(2), Some(&second), false);
        let third = tries.begin(at(4), asked, None).unwrap();
        assert_eq!(third, Retried { first: Some(first(1)), count: 2, by_sdk: false });
        assert_eq!(tries.begin(at(64), asked, None), None, "more than a minute later it is asked anew");
        assert_eq!(tries.begin(at(4), content("b", "{}"), None), None, "another tenant's is another");
        assert_eq!(tries.begin(at(4), content("a", "{} "), None), None, "another body is another");
    }

    #[test]
    fn what_was_answered_is_tried_again_only_where_the_sdk_says_so() {
        let (tries, asked) = (ClientTries::default(), content("a", "{}"));
        tries.end(at(1), asked, first(1), None, true);
        assert_eq!(tries.begin(at(2), asked, None), None);
        assert_eq!(tries.begin(at(2), asked, Some(0)), None);
        assert_eq!(tries.begin(at(2), asked, Some(2)).and_then(|retried| retried.first), Some(first(1)));
        let unknown = tries.begin(at(2), content("b", "{}"), Some(2));
        assert_eq!(unknown, Some(Retried { first: None, count: 2, by_sdk: true }));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let tries = ClientTries::default();
        for n in 0..(3 * REMEMBERED as u64) {
            tries.end(at(1), content("a", &n.to_string()), first(u128::from(n)), None, false);
        }
        let windows = tries.0.lock().unwrap();
        assert!(windows.current.len() + windows.before.len() <= 2 * REMEMBERED);
    }
}
