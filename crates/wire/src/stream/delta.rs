//! What a provider's stream says, one thing at a time, in no dialect.
//!
//! Text stays a JSON string literal as it came, quotes and escapes included: it can be written into the other dialect's
//! JSON without being decoded, so nothing is lost on the way, not even half a surrogate pair.

use std::borrow::Cow;

use serde_json::value::RawValue;
use weir_units::Usage;

use crate::Stop;

/// A JSON string as it stands in the source, with its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Literal<'a>(&'a str);

impl<'a> Literal<'a> {
    /// The literal, if `raw` is there and is a string.
    pub(super) fn of(raw: Option<&'a RawValue>) -> Option<Self> {
        raw.map(RawValue::get).filter(|text| text.starts_with('"')).map(Self)
    }

    /// The literal, if `raw` is a string with something in it.
    pub(super) fn filled(raw: Option<&'a RawValue>) -> Option<Self> {
        Self::of(raw).filter(|literal| !literal.inner().is_empty())
    }

    /// Takes `text` for a literal; it must be one, as what `serde_json::to_string` makes of a string is.
    pub(super) fn trusted(text: &'a str) -> Self {
        Self(text)
    }

    /// With its quotes.
    pub(super) fn as_str(self) -> &'a str {
        self.0
    }

    /// Without its quotes, escapes as they are.
    pub(crate) fn inner(self) -> &'a str {
        self.0.get(1..self.0.len().saturating_sub(1)).unwrap_or_default()
    }

    /// What it means; `None` where it is no text, as with half a surrogate pair.
    pub(super) fn decode(self) -> Option<Cow<'a, str>> {
        if !self.0.contains('\\') {
            return Some(Cow::Borrowed(self.inner()));
        }
        serde_json::from_str::<String>(self.0).ok().map(Cow::Owned)
    }
}

/// `text` as a JSON string, quotes included.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// What a content block of a Message holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    Text,
    Thinking,
    /// The tool call of this number, counted over the answer from 0.
    Tool(usize),
    /// One that has no counterpart elsewhere.
    Other,
}

/// One thing that a stream said.
#[derive(Debug)]
pub(crate) enum Delta<'a> {
    /// Who answers, as far as an event says.
    Start {
        id: Option<Literal<'a>>,
        model: Option<Literal<'a>>,
        created: Option<i64>,
    },
    /// A content block began; only Messages have them.
    BlockStart {
        index: u64,
        block: Block,
    },
    /// A content block ended.
    BlockEnd {
        index: u64,
        block: Block,
    },
    Text(Literal<'a>),
    Reasoning(Literal<'a>),
    /// There is a proof that a reasoning block is the provider's own.
    Signature,
    /// A reasoning block that only its provider can read.
    Redacted(Literal<'a>),
    Refusal(Literal<'a>),
    ToolStart {
        call: usize,
        id: Option<Literal<'a>>,
        name: Option<Literal<'a>>,
    },
    /// A piece of a call's arguments: raw text, which may end inside an escape.
    Arguments {
        call: usize,
        fragment: Literal<'a>,
    },
    /// Content that the other dialect has no form for: the call of a hosted tool, audio.
    Opaque,
    /// Something about the answer that a second one cannot repeat: log-probabilities, citations, a second choice.
    Bound,
    /// All items of a response as JSON, which its last event repeats.
    Output(&'a str),
    /// What has been used so far. `shown` tells whether the event says so where a client looks for it.
    Usage {
        usage: Usage,
        shown: bool,
    },
    Stop(Stop),
    /// The last event.
    Terminated,
    /// The stream carries an error in place of an answer: the event's JSON.
    Error(&'a str),
    /// A sign of life and nothing else.
    Ping,
}

/// What becomes of an event in its own dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// It goes on.
    Pass,
    /// It is the usage chunk, which goes only to a client that asked.
    UsageChunk,
    /// It says that the stream is over, which holds only if the answer was.
    Terminator,
    /// It does not belong to the dialect, or is no JSON object.
    Malformed,
}

/// Whether `data`, which no reader could make sense of, is at least a JSON object: then it may be an extension.
pub(super) fn is_object(data: &str) -> bool {
    data.trim_start().starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(data).is_ok()
}
