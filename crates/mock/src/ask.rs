//! What a request asks for, whichever dialect it came in.
//!
//! The answer is composed from this alone, and the seed leaves out model and dialect: the same conversation gets the same
//! words from every mock, so that an answer that was cut at one can be continued by another.

use serde_json::Value;

/// The dialect a path speaks: it decides the shape of answers, errors and headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    OpenAi,
    Anthropic,
}

/// A request, read and found valid.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) model: String,
    /// A hash of all text in the conversation.
    pub(crate) seed: u64,
    /// The text of the last user turn, if the conversation ends with one.
    pub(crate) last_user: Option<String>,
    /// The text of the last tool result, if the conversation ends with one.
    pub(crate) last_result: Option<String>,
    pub(crate) images: u64,
    pub(crate) input_tokens: u64,
    pub(crate) cached_input: u64,
    pub(crate) cache_write: u64,
    pub(crate) tools: Vec<Tool>,
    pub(crate) choice: Choice,
    pub(crate) parallel: bool,
    pub(crate) format: Format,
    pub(crate) reasons: bool,
    pub(crate) stops: Vec<String>,
    pub(crate) max_output: Option<u64>,
    pub(crate) n: u64,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
    pub(crate) logprobs: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) schema: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    None,
    Auto,
    Required,
    Named(String),
}

#[derive(Clone, Debug)]
pub(crate) enum Format {
    Text,
    /// Any JSON object.
    Json,
    /// A JSON value that satisfies this schema.
    Schema(Value),
}

/// Why a request is refused, as a strict provider would say it.
#[derive(Clone, Debug)]
pub(crate) struct Invalid {
    pub(crate) message: String,
    /// The field at fault, where one can be named.
    pub(crate) param: Option<String>,
    pub(crate) code: Option<&'static str>,
}

impl Invalid {
    pub(crate) fn new(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self { message: message.into(), param: Some(param.into()), code: None }
    }

    /// The same, with OpenAI's `code`.
    pub(crate) fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }
}

/// Gathers a conversation's text: its hash and its length are all that is kept.
pub(crate) struct Reading {
    hash: u64,
    chars: u64,
    turns: u64,
    pub(crate) images: u64,
}

impl Reading {
    pub(crate) fn new() -> Self {
        Self { hash: FNV_OFFSET, chars: 0, turns: 0, images: 0 }
    }

    pub(crate) fn turn(&mut self) {
        self.turns += 1;
    }

    pub(crate) fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.chars += text.chars().count() as u64;
        self.hash = fnv(fnv(self.hash, text.as_bytes()), &[0]);
    }

    pub(crate) fn seed(&self) -> u64 {
        self.hash
    }

    /// Four characters a token, three tokens a turn, 85 an image: OpenAI's own rules of thumb.
    pub(crate) fn tokens(&self) -> u64 {
        self.chars.div_ceil(4) + 3 * self.turns + 85 * self.images
    }
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, because it is short and the same everywhere; nothing here needs to resist an attacker.
pub(crate) fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

/// The hash of one text.
pub(crate) fn hash_of(text: &str) -> u64 {
    fnv(FNV_OFFSET, text.as_bytes())
}

/// Spreads a seed, so that neighbours differ in every bit (the finaliser of SplitMix64).
pub(crate) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
