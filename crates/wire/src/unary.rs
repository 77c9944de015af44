//! What a whole answer says of itself: who answered, what it used, why it ended.
//!
//! The answer's text is skipped, not kept: only what goes on record is copied. A 200 is not yet an answer. Some providers
//! put an error object, a page of HTML or nothing at all into one, and then the caller must be able to ask someone else.

mod usual;

use serde::Deserialize;
use serde_json::value::RawValue;
use weir_units::{Tokens, Usage};

use crate::answer::Stop;
use crate::classify::{ProviderKind, classify_stream_error};
use crate::dialect::Endpoint;
use crate::usage::{AnthropicUsage, OpenAiUsage, ResponsesUsage};

/// What goes on record of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerFacts {
    /// The provider's id of it.
    pub id: Option<String>,
    /// The model that answered, in the provider's words.
    pub model: Option<String>,
    /// What it used, where the provider says so.
    pub usage: Option<Usage>,
    /// Why it ended; of several choices, why the first did.
    pub stop: Option<Stop>,
}

/// Reads a whole answer of the provider's `endpoint`. Blank lines before it are no fault: some send them to keep alive.
///
/// # Errors
/// When the body is no answer, in words for a trace: it is not JSON, it is an error object, or the answer itself is missing.
pub fn read_answer(endpoint: Endpoint, body: &[u8]) -> Result<AnswerFacts, String> {
    // Nearly every answer is of the usual form, and read in one go; what is not is looked at member by member.
    match usual::usual(endpoint, body) {
        Some(facts) => Ok(facts),
        None => read_any(endpoint, body),
    }
}

fn read_any(endpoint: Endpoint, body: &[u8]) -> Result<AnswerFacts, String> {
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(|error| not_an_answer(body, &error))?;
    // serde would take an array's items for the members in turn.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err("the provider's answer is not a JSON object".to_owned());
    }
    if let Some(error) = answer.error.filter(|raw| raw.get() != "null") {
        let fault = classify_stream_error(ProviderKind::OpenAi, error.get().as_bytes());
        return Err(format!("the provider answered 200 with an error: {}", fault.message));
    }
    let missing = |member: &str| format!("the provider's answer has no `{member}`");
    let (usage, stop) = match endpoint {
        Endpoint::ChatCompletions | Endpoint::Completions => {
            let choices: Vec<Choice<'_>> = parsed(answer.choices).ok_or_else(|| missing("choices"))?;
            let finish = choices.first().and_then(|choice| parsed::<String>(choice.finish_reason));
            (openai_usage(answer.usage), finish.map(|word| Stop::from_openai(&word)))
        }
        Endpoint::Embeddings => {
            answer.data.ok_or_else(|| missing("data"))?;
            (openai_usage(answer.usage), None)
        }
        Endpoint::Responses => (parsed(answer.usage).map(|u: ResponsesUsage| u.usage()), responses_stop(&answer)?),
        Endpoint::Messages => {
            answer.content.ok_or_else(|| missing("content"))?;
            let sequence: Option<String> = parsed(answer.stop_sequence);
            let word: Option<String> = parsed(answer.stop_reason);
            let stop = word.map(|word| Stop::from_anthropic(&word, sequence.as_deref()));
            (parsed(answer.usage).map(|u: AnthropicUsage| u.usage()), stop)
        }
        Endpoint::CountTokens => {
            let tokens: u64 = parsed(answer.input_tokens).ok_or_else(|| missing("input_tokens"))?;
            (Some(Usage { input: Tokens(tokens), ..Usage::default() }), None)
        }
    };
    Ok(AnswerFacts { id: parsed(answer.id), model: parsed(answer.model), usage, stop })
}

/// Every member is only located here: one of an odd type costs that fact, not the answer.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    model: Option<&'a RawValue>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    choices: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output: Option<&'a RawValue>,
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
    #[serde(borrow, default)]
    incomplete_details: Option<&'a RawValue>,
    #[serde(borrow, default)]
    stop_reason: Option<&'a RawValue>,
    #[serde(borrow, default)]
    stop_sequence: Option<&'a RawValue>,
    #[serde(borrow, default)]
    input_tokens: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default)]
    finish_reason: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct OutputItem<'a> {
    #[serde(borrow, default)]
    r#type: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct IncompleteDetails {
    reason: Option<String>,
}

/// The value, if it is there and of the type that is asked for.
fn parsed<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
}

fn openai_usage(raw: Option<&RawValue>) -> Option<Usage> {
    parsed(raw).filter(|usage: &OpenAiUsage| !usage.is_empty()).map(|usage| usage.usage())
}

/// A response that runs in the background has not ended, so it has no reason yet.
fn responses_stop(answer: &Answer<'_>) -> Result<Option<Stop>, String> {
    let output: Vec<OutputItem<'_>> =
        parsed(answer.output).ok_or_else(|| "the provider's answer has no `output`".to_owned())?;
    let status: Option<String> = parsed(answer.status);
    Ok(match status.as_deref() {
        None | Some("completed") => {
            let calls = output
                .iter()
                .filter_map(|item| item.r#type)
                .any(|raw| matches!(raw.get(), "\"function_call\"" | "\"custom_tool_call\""));
            Some(if calls { Stop::ToolCalls } else { Stop::End })
        }
        Some("incomplete") => {
            let reason = parsed(answer.incomplete_details).and_then(|details: IncompleteDetails| details.reason);
            Some(match reason.as_deref() {
                Some("max_output_tokens") => Stop::Length,
                Some("content_filter") => Stop::Refusal,
                other => Stop::Other(other.unwrap_or("incomplete").to_owned()),
            })
        }
        Some("failed") => return Err("the provider answered 200 with a response that failed".to_owned()),
        Some("queued" | "in_progress") => None,
        Some(other) => Some(Stop::Other(other.to_owned())),
    })
}

fn not_an_answer(body: &[u8], error: &serde_json::Error) -> String {
    let text = body.trim_ascii_start();
    match text.first() {
        None => "the provider's answer is empty".to_owned(),
        Some(b'<') => "the provider answered with a page of HTML or XML".to_owned(),
        Some(_) if text.starts_with(b"data:") || text.starts_with(b"event:") => {
            "the provider answered with a stream, which was not asked for".to_owned()
        }
        Some(_) if error.is_eof() => "the provider's answer ends too early".to_owned(),
        Some(b'{') => "the provider's answer is not valid JSON".to_owned(),
        Some(_) => "the provider's answer is not a JSON object".to_owned(),
    }
}

#[cfg(test)]
mod tests;
