//! What a request's own history says of the agent that sent it, in hashes.
//!
//! APIs without state are sent the whole conversation with each request. `wire` reads it once into a [`History`], and
//! `engine` tells from that which run it belongs to and whether the run loops. No text is kept, only marks.

use std::fmt;

/// The keyed hash of a text, or of texts in order.
///
/// Within one installation and one tenant, equal texts have equal marks; without the installation's key nothing can be
/// told from one.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(pub u64);

impl Mark {
    /// The mark of what this one stands for followed by `next`. The mixing is public: only marks that are keyed go in.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        // The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), over both.
        let mut mixed = self.0.rotate_left(23).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ next.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Self(mixed ^ (mixed >> 31))
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mark({self})")
    }
}

/// How many actions a history holds, counted from its end.
pub const ACTIONS: usize = 64;

/// How many sketches of texts a history holds, counted from its end.
pub const SKETCHES: usize = 6;

/// One request's history.
///
/// A turn of the assistant is one message here, also where a dialect says it in several items, and so is each result of a
/// tool, also where a dialect packs several into one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// What comes before any message: the system text, without what changes at each call, and the names of the tools.
    pub root: Mark,
    /// Each message alone, from the first to the last.
    pub messages: Vec<Mark>,
    /// How many of the messages are turns of the assistant.
    pub turns: u32,
    /// How many tools were called, in all turns.
    pub tool_calls: u32,
    /// What the assistant did, in order: the last [`ACTIONS`] of it.
    pub actions: Vec<Action>,
    /// How many actions there were before those.
    pub earlier_actions: u32,
    /// The names of the tools that `actions` speak of.
    pub tools: Vec<Box<str>>,
    /// Sketches of the last [`SKETCHES`] texts of the assistant that are long enough to compare: similar texts differ in
    /// few bits (SimHash: Charikar, STOC 2002).
    pub sketches: Vec<Sketch>,
    /// The texts that came since the assistant's last turn, without what changes at each call: what the user said, and
    /// what tools returned.
    pub received: Vec<Mark>,
}

/// A text of the assistant, so that similar ones are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sketch {
    /// Which of the messages it is, counted from 0.
    pub message: u32,
    /// Its SimHash.
    pub bits: u64,
}

/// One thing that the assistant did: it called a tool, or it said something and called none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// Which of the messages it is in, counted from 0.
    pub message: u32,
    /// The tool, by its place in [`History::tools`]; none for words.
    pub tool: Option<u16>,
    /// The tool and its arguments in canonical form, or the words, without what changes at each call.
    pub what: Mark,
    /// What came of it, without what changes at each call: the tool's result, or what the user said next.
    pub result: Option<Mark>,
    /// The result is an error: its text without digits.
    pub error: Option<Mark>,
}

/// What an answer adds to the history of its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    /// The assistant's turn, as the message that the next request's history will hold.
    pub message: Mark,
    /// What it did; results are not known yet.
    pub actions: Vec<Action>,
    /// The names of the tools that `actions` speak of.
    pub tools: Vec<Box<str>>,
    /// The texts that somebody else may be sent: its words, unless they are few, and the texts among its tools' arguments.
    pub produced: Vec<Mark>,
    /// Whether there is anything in it that an agent can use: words or a call.
    pub useful: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_marks_matters() {
        let (a, b) = (Mark(1), Mark(2));
        assert_ne!(a.then(b), b.then(a));
        assert_ne!(a.then(b).then(b), a.then(b));
        assert_eq!(Mark(0xAB).to_string(), "00000000000000ab");
    }
}
