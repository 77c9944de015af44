//! What the mock saw: counts for ever, and the last requests in full, within a bound.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use serde::Serialize;

/// The last requests that are kept, and the bytes of body that they may hold in all.
const LOG_ENTRIES: usize = 1_000;
const LOG_BYTES: usize = 16 << 20;
/// The names that are counted apart; what comes after counts as `other`.
const NAMES: usize = 200;

/// Counts since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Connections accepted.
    pub connections: u64,
    /// Requests that arrived, administration left out.
    pub requests: u64,
    /// Requests that have not ended.
    pub in_flight: u64,
    /// The most that were in flight at once.
    pub in_flight_most: u64,
    /// Requests that were answered to the end, be it an ordered one: an error, a cut, a reset.
    pub completed: u64,
    /// Requests whose client went away before the answer was whole.
    pub cancelled: u64,
    /// Requests by path.
    pub by_path: BTreeMap<String, u64>,
    /// Requests by model as it was asked for.
    pub by_model: BTreeMap<String, u64>,
    /// Answers by status.
    pub by_status: BTreeMap<u16, u64>,
    /// Faults that were ordered and done, by their words.
    pub by_fault: BTreeMap<String, u64>,
    /// Input tokens of all answers that were begun.
    pub input_tokens: u64,
    /// Output tokens of all answers that were played to the end.
    pub output_tokens: u64,
    /// What would be on the bill, by model as it was asked for.
    pub billed: BTreeMap<String, Billed>,
}

/// What a model's answers are billed for. One that was cut, or whose client left, is billed for its input and for the tokens that
/// went out, and not at all if none did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Billed {
    /// Answers.
    pub answers: u64,
    /// All input tokens, cached and written ones too.
    pub input: u64,
    /// Those that the cache had.
    pub cached_input: u64,
    /// Those that were written to the cache.
    pub cache_write: u64,
    /// Output tokens.
    pub output: u64,
}

impl Stats {
    pub(crate) fn bill(&mut self, model: &str, bill: &Billed) {
        let known = self.billed.contains_key(model) || self.billed.len() < NAMES;
        let name = if known { model.chars().take(200).collect() } else { "other".to_owned() };
        let sum = self.billed.entry(name).or_default();
        sum.answers += bill.answers;
        sum.input += bill.input;
        sum.cached_input += bill.cached_input;
        sum.cache_write += bill.cache_write;
        sum.output += bill.output;
    }
}

/// One request as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its place among all requests, from 0.
    pub number: u64,
    /// Milliseconds since the mock began.
    pub at_ms: u64,
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// All headers, in the order in which they came; credentials too.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// The status it was answered with; none while it waits, and if it got no answer.
    pub status: Option<u16>,
}

impl Seen {
    /// The first value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

pub(crate) fn count(map: &mut BTreeMap<String, u64>, name: &str) {
    if let Some(n) = map.get_mut(name) {
        *n += 1;
        return;
    }
    let name = if map.len() < NAMES { name.chars().take(200).collect() } else { "other".to_owned() };
    *map.entry(name).or_default() += 1;
}

/// The last requests.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: VecDeque<Seen>,
    bytes: usize,
}

impl Log {
    pub(crate) fn push(&mut self, seen: Seen) {
        self.bytes += seen.body.len();
        self.entries.push_back(seen);
        // The newest always stays, whatever its size: it is the one that a test looks for.
        while self.entries.len() > 1 && (self.entries.len() > LOG_ENTRIES || self.bytes > LOG_BYTES) {
            if let Some(old) = self.entries.pop_front() {
                self.bytes -= old.body.len();
            }
        }
    }

    pub(crate) fn answered(&mut self, number: u64, status: u16) {
        let Some(first) = self.entries.front().map(|seen| seen.number) else { return };
        let at = number.checked_sub(first).and_then(|at| usize::try_from(at).ok());
        if let Some(seen) = at.and_then(|at| self.entries.get_mut(at)) {
            seen.status = Some(status);
        }
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Seen> {
        self.entries.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(number: u64, bytes: usize) -> Seen {
        let (method, path) = ("POST".to_owned(), "/".to_owned());
        Seen { number, at_ms: 0, method, path, headers: Vec::new(), body: Bytes::from(vec![0; bytes]), status: None }
    }

    #[test]
    fn the_log_is_bounded_in_entries_and_in_bytes() {
        let mut log = Log::default();
        (0..3_000).for_each(|n| log.push(seen(n, 10)));
        assert_eq!(log.entries().count(), LOG_ENTRIES);
        log.answered(2_999, 200);
        log.answered(3, 200);
        assert_eq!(log.entries().filter(|seen| seen.status.is_some()).count(), 1);
        log.push(seen(3_000, LOG_BYTES + 1));
        assert_eq!(log.entries().count(), 1, "the newest stays alone");
        log.push(seen(3_001, 1));
        assert_eq!(log.entries().next().unwrap().number, 3_001);
    }

    #[test]
    fn names_beyond_the_bound_are_counted_together() {
        let mut map = BTreeMap::new();
        (0..1_000).for_each(|n| count(&mut map, &format!("m{n}")));
        assert!(map.len() <= NAMES + 1);
        assert_eq!(map.values().sum::<u64>(), 1_000);
    }
}
