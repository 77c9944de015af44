//! What each fault leads to: the contract's table of "what an answer leads to", fault by fault, as data.
//!
//! Nothing here is computed by the product. A cell that disagrees with its row is a bug of one of the two.

use self::Again::{After, Never, Soon};
use self::Sees::{Broken, No, Whole};

/// One fault, as the mock is ordered to commit it.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// The mock's word for it.
    pub(crate) fault: &'static str,
    pub(crate) what: &'static str,
    pub(crate) unary: Reaction,
    pub(crate) stream: Reaction,
}

/// What it leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reaction {
    /// Where the route has no other deployment.
    pub(crate) alone: Way,
    /// Where it has a healthy second one.
    pub(crate) second: Way,
}

/// What the client sees, and what it took.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) sees: Sees,
    /// Calls to the first deployment, and to the second.
    pub(crate) calls: (usize, usize),
    /// What each call to the first is on record as; none for a success.
    pub(crate) class: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sees {
    /// The whole answer, without a trace of the fault.
    Whole,
    /// A refusal with this status and code.
    No(u16, &'static str, Again),
    /// What came before the fault, then one error frame; the status is the one it would have been.
    Broken(u16, &'static str),
}

/// Whether, and when, a client is told to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    Never,
    /// After as many seconds as the provider said.
    After(u64),
    /// After 1 to 120 seconds.
    Soon,
}

/// Seconds in `retry-after` that are waited out in place in these tests, where `patience` is 2 s.
const TIMELY: u64 = 1;
const LONG: u64 = 30;

const fn way(sees: Sees, calls: (usize, usize), class: &'static str) -> Way {
    Way { sees, calls, class: Some(class) }
}

/// It does no harm.
const HARMLESS: Way = Way { sees: Whole, calls: (1, 0), class: None };
const UNHARMED: Reaction = Reaction { alone: HARMLESS, second: HARMLESS };

/// The same deployment once more, then the next; the last one left gets three attempts in all.
const fn once_more(class: &'static str, sees: Sees) -> Reaction {
    Reaction { alone: way(sees, (3, 0), class), second: way(Whole, (2, 1), class) }
}

/// The next deployment, at once.
const fn next(class: &'static str, sees: Sees) -> Reaction {
    Reaction { alone: way(sees, (1, 0), class), second: way(Whole, (1, 1), class) }
}

/// The request is at fault: nobody else is asked.
const fn final_word(class: &'static str, sees: Sees) -> Reaction {
    Reaction { alone: way(sees, (1, 0), class), second: way(sees, (1, 0), class) }
}

/// The client has the beginning: the next deployment is asked again, and its answer spliced on.
const fn spliced(class: &'static str, sees: Sees) -> Reaction {
    next(class, sees)
}

const fn both(fault: &'static str, what: &'static str, reaction: Reaction) -> Row {
    Row { fault, what, unary: reaction, stream: reaction }
}

const ERROR: Sees = No(502, "upstream_error", Never);
const OVERLOADED: Sees = No(503, "upstream_error", Soon);
const TIMEOUT: Sees = No(504, "upstream_timeout", Never);

const RESET: Reaction = once_more("reset", ERROR);
const NONSENSE: Reaction = once_more("server_error", ERROR);
const SILENT: Reaction = next("first_byte_timeout", TIMEOUT);
const CONTENTLESS: Reaction = next("first_content_timeout", TIMEOUT);
const BUSY: Reaction = once_more("overloaded", OVERLOADED);

/// All faults; the order is that of docs/faults.md.
pub(crate) const ROWS: [Row; 33] = [
    both("429", "a rate limit, without a retry-after", once_more("rate_limited", No(429, "rate_limit_exceeded", Soon))),
    both(
        "429:1",
        "a rate limit that asks for less time than `patience`",
        once_more("rate_limited", No(429, "rate_limit_exceeded", After(TIMELY))),
    ),
    both(
        "429:30",
        "a rate limit that asks for more time than `patience`",
        next("rate_limited", No(429, "rate_limit_exceeded", After(LONG))),
    ),
    both("500", "an error inside the provider", NONSENSE),
    both("502", "a bad gateway", NONSENSE),
    both("503", "overloaded, as OpenAI says it", BUSY),
    both("504", "a gateway's timeout", NONSENSE),
    both("529", "overloaded, as Anthropic says it", BUSY),
    both("401", "the credential is refused", next("unauthorized", ERROR)),
    both("402", "payment is required", next("billing", ERROR)),
    both("insufficient_quota", "the account's money is spent, told as a 429", next("billing", ERROR)),
    both("403", "the credential may not use this model", next("forbidden", ERROR)),
    both("404", "the model is not known", next("model_not_found", No(404, "model_not_found", Never))),
    both("reset", "the connection is reset before any header", RESET),
    both("silence", "nothing ever comes", SILENT),
    Row {
        fault: "slow:2200",
        what: "the first token comes after `first-content`, and before `stall`",
        unary: UNHARMED,
        stream: Reaction { alone: HARMLESS, second: way(Whole, (1, 1), "first_content_timeout") },
    },
    Row { fault: "slow:9000", what: "headers come, and no first token in time", unary: SILENT, stream: CONTENTLESS },
    both("late:200", "the headers come late, and in time", UNHARMED),
    both("late:9000", "the headers come too late", SILENT),
    both("cut:0", "the connection ends before any content", RESET),
    Row {
        fault: "cut:3",
        what: "the connection ends after three tokens",
        unary: RESET,
        stream: spliced("cut", Broken(502, "upstream_error")),
    },
    Row { fault: "stall:0", what: "no content follows the headers", unary: SILENT, stream: CONTENTLESS },
    Row {
        fault: "stall:3",
        what: "nothing follows three tokens, and the connection stays",
        unary: SILENT,
        stream: spliced("stalled", Broken(504, "upstream_timeout")),
    },
    Row { fault: "malformed:0", what: "broken JSON before any content", unary: NONSENSE, stream: UNHARMED },
    Row { fault: "malformed:3", what: "broken JSON after three tokens", unary: NONSENSE, stream: UNHARMED },
    both("no-done", "a whole answer without the stream's last mark", UNHARMED),
    both(
        "context",
        "the prompt is too long for the model",
        final_word("context_length", No(400, "context_length_exceeded", Never)),
    ),
    both("filter", "a content filter refuses", final_word("content_filter", No(400, "content_filter", Never))),
    both("wrong-type", "200 with a page of HTML", NONSENSE),
    both("error-in-stream", "200, and an error in place of content", BUSY),
    Row {
        fault: "error-in-stream:3",
        what: "200, and an error after three tokens",
        unary: BUSY,
        stream: spliced("overloaded", Broken(503, "upstream_error")),
    },
    Row { fault: "empty", what: "200 with an empty body", unary: NONSENSE, stream: RESET },
    both("garbage", "200 with broken JSON", NONSENSE),
];
