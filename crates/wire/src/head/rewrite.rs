//! The request as the provider gets it: the client's bytes, but for the few that must change.
//!
//! The body is cut around what changes, and the pieces between are slices of the one buffer, so a field that Weir has never
//! heard of survives to the byte and a long conversation is not copied.

use std::ops::Range;

use bytes::Bytes;

use super::Head;
use crate::classify::ProviderKind;
use crate::dialect::Endpoint;

/// What is to be different in the body sent upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewrite<'a> {
    /// The model's name as the provider knows it.
    pub model: &'a str,
    /// Whether to ask for usage on a stream; it is asked only where the endpoint has the field and the request streams.
    pub ask_usage: bool,
    /// The output limit to set where the client set none.
    pub max_output: Option<u64>,
}

/// `body` with `change` made, in pieces; one piece, the body itself, where nothing changes.
///
/// `head` must have been read from this very `body`.
#[must_use]
pub fn rewrite(head: &Head, body: &Bytes, change: &Rewrite<'_>) -> Vec<Bytes> {
    let mut edits: Vec<(Range<usize>, String)> = Vec::with_capacity(3);
    if change.model != head.model {
        edits.push((head.spans.model.clone(), quoted(change.model)));
    }
    edits.extend(usage_edit(head, change));
    edits.extend(limit_edit(head, change));
    if edits.is_empty() {
        return vec![body.clone()];
    }
    // Stable, so two insertions at one place keep their order.
    edits.sort_by_key(|(span, _)| span.start);
    let mut pieces = Vec::with_capacity(2 * edits.len() + 1);
    let mut done = 0;
    for (span, text) in edits {
        pieces.push(body.slice(done..span.start));
        pieces.push(Bytes::from(text));
        done = span.end;
    }
    pieces.push(body.slice(done..));
    pieces
}

fn usage_edit(head: &Head, change: &Rewrite<'_>) -> Option<(Range<usize>, String)> {
    let has_field = matches!(head.endpoint, Endpoint::ChatCompletions | Endpoint::Completions);
    if !change.ask_usage || !has_field || !head.stream || head.include_usage {
        return None;
    }
    let spans = &head.spans;
    Some(match (&spans.include_usage, &spans.stream_options) {
        (Some(value), _) => (value.clone(), "true".to_owned()),
        (None, None) => (spans.inside..spans.inside, r#""stream_options":{"include_usage":true},"#.to_owned()),
        (None, Some(options)) if spans.options_null => (options.clone(), r#"{"include_usage":true}"#.to_owned()),
        (None, Some(options)) => {
            let comma = if spans.options_empty { "" } else { "," };
            (options.start + 1..options.start + 1, format!(r#""include_usage":true{comma}"#))
        }
    })
}

fn limit_edit(head: &Head, change: &Rewrite<'_>) -> Option<(Range<usize>, String)> {
    let limit = change.max_output.filter(|_| head.max_output.is_none())?;
    let spans = &head.spans;
    let (name, null) = match head.endpoint {
        // OpenAI's reasoning models refuse `max_tokens`; some of the compatible know nothing else.
        Endpoint::ChatCompletions if crate::catalogue::provider_of(change.model) == Some(ProviderKind::OpenAi) => {
            ("max_completion_tokens", &spans.max_completion_tokens)
        }
        Endpoint::ChatCompletions | Endpoint::Completions | Endpoint::Messages => ("max_tokens", &spans.max_tokens),
        Endpoint::Responses => ("max_output_tokens", &spans.max_output_tokens),
        Endpoint::Embeddings | Endpoint::CountTokens => return None,
    };
    Some(match null {
        // The client wrote null: its place is taken, since a second member of that name would be refused.
        Some(value) => (value.clone(), limit.to_string()),
        None => (spans.inside..spans.inside, format!(r#""{name}":{limit},"#)),
    })
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
