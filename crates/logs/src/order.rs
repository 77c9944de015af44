//! Calls as records in the order of time, as far as a bounded number of them can be put into it: exports have the newest first, and
//! several files of the same days come one after the other.

use weir_ledger::Entry;

use crate::call::Call;
use crate::entry::{Drawn, Entries};

/// Records that are held to be put in order.
const HELD: usize = 32_768;

/// What lies so close to where a log goes on, in micros, is held back: it may be a further try of what is yet to come.
const CLOSE: i64 = 600_000_000;

/// Takes calls in any order and gives out records, the oldest of those that it holds first.
#[derive(Debug)]
pub struct InOrder {
    entries: Entries,
    held: Vec<Drawn>,
    most: usize,
    /// How many calls were older than the one before them.
    backwards: usize,
}

impl Default for InOrder {
    fn default() -> Self {
        Self::holding(HELD)
    }
}

impl InOrder {
    fn holding(most: usize) -> Self {
        Self { entries: Entries::default(), held: Vec::new(), most, backwards: 0 }
    }

    /// Takes a call, and gives what need not be held any longer to `sink`; false if nobody knows when it was.
    pub fn take(&mut self, call: &Call<'_>, sink: &mut impl FnMut(Entry)) -> bool {
        let Some(drawn) = self.entries.draw(call) else { return false };
        self.backwards += usize::from(self.held.last().is_some_and(|last| drawn.at() < last.at()));
        self.held.push(drawn);
        if self.held.len() >= self.most {
            self.give_out(false, sink);
        }
        true
    }

    /// Gives out all that is held.
    pub fn finish(&mut self, sink: &mut impl FnMut(Entry)) {
        self.give_out(true, sink);
    }

    fn give_out(&mut self, all: bool, sink: &mut impl FnMut(Entry)) {
        let newest_first = self.backwards > self.held.len() / 2;
        self.backwards = 0;
        let mut held = std::mem::take(&mut self.held);
        held.sort_by_key(Drawn::at);
        if !all {
            // The log goes on at one of the two ends.
            let close = |a: &Drawn, b: &Drawn| b.at().0.saturating_sub(a.at().0) <= CLOSE;
            let end = if newest_first { held.first() } else { held.last() };
            let count = end.map_or(0, |end| match newest_first {
                true => held.partition_point(|one| close(end, one)),
                false => held.len() - held.partition_point(|one| !close(one, end)),
            });
            let count = count.min(held.len() / 2);
            self.held = if newest_first { held.drain(..count).collect() } else { held.split_off(held.len() - count) };
        }
        held.into_iter().for_each(|drawn| sink(self.entries.finish(drawn)));
        if newest_first {
            // They come again in the order in which they came.
            self.held.reverse();
        }
    }
}

#[cfg(test)]
mod tests {
    use weir_units::{Tokens, Usage, WallTime};

    use super::*;
    use crate::call::Format;

    /// A refusal and its further try, a minute apart from the next pair.
    fn pairs(count: i64) -> Vec<Call<'static>> {
        let usage = Usage { input: Tokens(100), output: Tokens(20), ..Usage::default() };
        let of = |at: i64, status| Call {
            id: Some(at.to_string().into()),
            at: Some(WallTime(1_795_010_400_000_000 + at * 1_000_000)),
            user: Some("alice".into()),
            model: Some("gpt-5-mini".into()),
            usage: (status == 200).then_some(usage),
            ..Call::new(Format::Langfuse).with_status(status)
        };
        (0..count).flat_map(|pair| [of(pair * 120, 429), of(pair * 120 + 2, 200)]).collect()
    }

    /// How many records there are, and how many of them tell of a further try.
    fn told(calls: &[Call<'static>], most: usize) -> (usize, usize) {
        let mut records = Vec::new();
        let mut order = InOrder::holding(most);
        for call in calls {
            assert!(order.take(call, &mut |entry| records.push(entry)));
        }
        order.finish(&mut |entry| records.push(entry));
        (records.len(), records.iter().filter(|record| !record.events.is_empty()).count())
    }

    #[test]
    fn further_tries_are_found_in_whichever_order_a_log_is() {
        let calls = pairs(100);
        let newest_first: Vec<_> = calls.iter().rev().cloned().collect();
        for most in [7, 20, 33, 1_000] {
            assert_eq!(told(&calls, most), (200, 100), "{most}");
            assert_eq!(told(&newest_first, most), (200, 100), "{most}");
        }
    }
}
