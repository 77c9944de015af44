//! What Weir acts on in a request body, and where it stands; all else stays the client's bytes.
//!
//! One pass finds the few top-level members that matter and checks that the whole text is one JSON object. Values are
//! located, not parsed: only the short ones are then read, so a long conversation costs a scan and no copy. Scanning keeps
//! no stack frame per bracket, so depth is no danger. A member that Weir acts on may stand there once: of two readers of a
//! doubled one, the first might take the first and the second the last, and a key's rules would hold for neither.

mod members;
mod rewrite;

use std::ops::Range;

use crate::dialect::Endpoint;

use members::{Field, Members};

pub use members::Sessions;
pub use rewrite::{Rewrite, rewrite};

/// What a request asks for, as far as Weir acts on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// What the client calls the model: a route, `provider/model` or a bare name. Never empty.
    pub model: String,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Whether the client itself asked for `stream_options.include_usage`.
    pub include_usage: bool,
    /// The most output tokens that the client allows for, by whichever name.
    pub max_output: Option<u64>,
    /// The larger limit where a client gives two, under both names.
    pub output_at_most: Option<u64>,
    /// How many answers are asked for.
    pub n: u64,
    /// How many candidates are written, of which the best are the answers.
    pub best_of: u64,
    /// How many prompts are asked at once, each for answers of its own.
    pub prompts: u64,
    /// Whether input lies with the provider and not in the body: a stored prompt, response or conversation.
    pub stored_input: bool,
    /// Whether token probabilities are asked for.
    pub logprobs: bool,
    /// Whether any tool is offered.
    pub tools: bool,
    /// Whether the request asks the model to reason.
    pub reasoning: bool,
    /// Whether the provider is to keep the answer, where the client says so.
    pub store: Option<bool>,
    /// Whether the provider is to answer later.
    pub background: bool,
    /// The stored response that this request goes on from.
    pub previous_response_id: Option<String>,
    /// The end user whom the client names.
    pub user: Option<String>,
    /// The ids by which the client says which conversation it belongs to.
    pub sessions: Sessions,
    /// Whether it is billed at the list price: it asks for no other service tier or speed.
    pub list_price: bool,
    endpoint: Endpoint,
    spans: Spans,
}

/// Where in the body the members stand that a rewrite may touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Spans {
    /// Just after the object's opening brace.
    inside: usize,
    model: Range<usize>,
    stream_options: Option<Range<usize>>,
    include_usage: Option<Range<usize>>,
    /// Whether `stream_options` has no members, so that one added needs no comma.
    options_empty: bool,
    options_null: bool,
    max_tokens: Option<Range<usize>>,
    max_completion_tokens: Option<Range<usize>>,
    max_output_tokens: Option<Range<usize>>,
}

/// Why a body is refused, in words for its author; it quotes no content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadRequest {
    /// What is wrong, where, and what to send instead.
    pub message: String,
    /// The member at fault.
    pub param: Option<&'static str>,
}

/// Reads what Weir acts on in `body`.
///
/// # Errors
/// When the body is not one JSON object in UTF-8, a member that Weir acts on is doubled or of a wrong type, or the model or
/// the input is missing. `null` counts as absent.
pub fn read_head(endpoint: Endpoint, body: &[u8]) -> Result<Head, BadRequest> {
    let text = std::str::from_utf8(body).map_err(|e| BadRequest {
        message: format!("the body is not UTF-8 from byte {} on: send JSON encoded as UTF-8", e.valid_up_to()),
        param: None,
    })?;
    let members = Members::read(text)?;
    members.require_input(endpoint)?;
    let model = members.model()?;
    let options = match endpoint {
        Endpoint::ChatCompletions | Endpoint::Completions => members.stream_options()?,
        _ => None,
    };
    let span = |field: Field| members.get(field).map(|raw| span_in(text, raw));
    Ok(Head {
        model,
        stream: members.streams(endpoint) && members.flag(Field::Stream)?.unwrap_or(false),
        include_usage: options.as_ref().is_some_and(|o| o.include_usage.is_some_and(|raw| raw.get() == "true")),
        max_output: members.max_output(endpoint)?,
        output_at_most: members.output_at_most(endpoint)?,
        n: members.answers(endpoint)?,
        best_of: members.best_of(endpoint)?,
        prompts: members.prompts(endpoint),
        stored_input: members.stored_input(endpoint),
        logprobs: members.logprobs(endpoint)?,
        tools: members.list_given(Field::Tools)? || members.list_given(Field::Functions)?,
        reasoning: members.reasoning(endpoint)?,
        store: members.flag(Field::Store)?,
        background: endpoint == Endpoint::Responses && members.flag(Field::Background)?.unwrap_or(false),
        previous_response_id: match endpoint {
            Endpoint::Responses => members.text(Field::PreviousResponseId)?,
            _ => None,
        },
        user: members.user(endpoint)?,
        sessions: members.sessions(endpoint),
        list_price: members.list_price(),
        endpoint,
        spans: Spans {
            inside: text.len() - text.trim_ascii_start().len() + 1,
            model: span(Field::Model).unwrap_or_default(),
            stream_options: span(Field::StreamOptions),
            include_usage: options.as_ref().and_then(|o| o.include_usage).map(|raw| span_in(text, raw.get())),
            options_empty: options.as_ref().is_some_and(|o| o.members == 0),
            options_null: options.is_none(),
            max_tokens: span(Field::MaxTokens),
            max_completion_tokens: span(Field::MaxCompletionTokens),
            max_output_tokens: span(Field::MaxOutputTokens),
        },
    })
}

/// Whether a body may point to input that lies elsewhere: a file or an image by its address or its id. More than its bytes
/// may then be read.
#[must_use]
pub fn points_elsewhere(body: &[u8]) -> bool {
    const POINTERS: [&[u8]; 4] = [b"_url\"", b"\"url\"", b"file_id\"", b"\"file\""];
    POINTERS.iter().any(|pointer| memchr::memmem::find(body, pointer).is_some())
}

/// Where `part`, a slice of `text`, stands in it.
fn span_in(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    start..start + part.len()
}

#[cfg(test)]
mod tests;
