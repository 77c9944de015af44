//! The marks under which a request's history may be known.

use weir_units::{History, Mark};

use super::index::{Kind, key};

/// At most so many beginnings of a history are looked up, the longest first. Of each conversation the last answers are
/// remembered and the first, so one more is the shortest.
const BEGINNINGS: usize = 8;
/// At most so many ends.
const ENDS: usize = 4;

/// A history's marks.
#[derive(Clone, Debug, Default)]
pub(super) struct Lookup {
    /// All that the request sends.
    pub(super) full: Option<Mark>,
    /// Its beginnings that end with a turn of the assistant, the longest first.
    pub(super) beginnings: Vec<Mark>,
    /// The keys of the last messages up to a turn of the assistant, the latest first. A key of two messages says less, so it is
    /// told apart.
    pub(super) ends: Vec<(u64, Sure)>,
}

/// How much an end of a history says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sure {
    /// Three messages.
    Quite,
    /// Two, which is all there was.
    Hardly,
}

impl Lookup {
    /// The marks of what follows `base`.
    pub(super) fn of(tenant: u32, history: &History, base: Mark) -> Self {
        let mut turns = Vec::with_capacity(BEGINNINGS + 1);
        let first = history.actions.first().filter(|_| history.earlier_actions == 0);
        let latest = history.actions.iter().rev().map(|action| action.message as usize);
        for at in latest.filter(|at| *at < history.messages.len()) {
            if turns.last() != Some(&at) {
                if turns.len() == BEGINNINGS {
                    turns.extend(first.map(|first| first.message as usize));
                    break;
                }
                turns.push(at);
            }
        }
        let mut beginnings = vec![Mark::default(); turns.len()];
        let mut next = turns.len();
        let mut chain = base;
        for (at, message) in history.messages.iter().enumerate() {
            chain = chain.then(*message);
            if next > 0 && turns[next - 1] == at {
                next -= 1;
                beginnings[next] = chain;
            }
        }
        let ends = turns.iter().take(ENDS).filter_map(|at| end(tenant, &history.messages[..=*at])).collect();
        Self { full: Some(chain), beginnings, ends }
    }
}

/// The key of the last messages up to an answer, of which there must be two.
pub(super) fn end(tenant: u32, messages: &[Mark]) -> Option<(u64, Sure)> {
    let of = |sure: Sure, marks: &[Mark]| {
        let start = Mark(sure as u64);
        (key(Kind::End, tenant, marks.iter().copied().fold(start, Mark::then)), sure)
    };
    match messages {
        [.., a, b, c] => Some(of(Sure::Quite, &[*a, *b, *c])),
        [a, b] => Some(of(Sure::Hardly, &[*a, *b])),
        _ => None,
    }
}
