//! Requests and whole answers, from the dialect of a client to that of a provider and back.
//!
//! A request is read into one form that all dialects share (`conversation`) and written from it, so a dialect costs one
//! reader and one writer. What the target cannot say is decided here, before anything is sent: as an error that makes
//! the deployment ineligible, where the answer would be another one, or as a token of `x-weir-degraded`, where it would
//! only be less tuned. `docs/translation.md` lists both. Sources: the API references and SDK types of both (2026-11).

use std::borrow::Cow;
use std::fmt;

use serde_json::value::RawValue;

use crate::{Dialect, Endpoint};
use json::Object;
use notes::Notes;

mod answers;
mod conversation;
mod fit;
pub(crate) mod ids;
mod json;
mod media;
mod notes;
mod read_anthropic;
mod read_openai;
mod strict;
mod thinking;
mod write_anthropic;
mod write_openai;

pub use answers::{AnswerContext, translate_answer};

/// The version of Anthropic's API that the upstream call will name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnthropicVersion {
    /// `2023-06-01`
    #[default]
    V2023_06_01,
    /// `2026-10-21`, which refuses `temperature`, `top_p` and `top_k`.
    V2026_10_21,
}

/// What a model can do, as far as the catalogue knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetCapabilities {
    /// It calls functions.
    pub tools: Option<bool>,
    /// It reads images.
    pub images: Option<bool>,
    /// It reads PDFs.
    pub documents: Option<bool>,
    /// It answers by a JSON schema.
    pub json_schema: Option<bool>,
    /// It thinks before it answers, on request.
    pub reasoning: Option<bool>,
    /// It obeys a tool choice of "any" or of one tool.
    pub forced_tool_choice: Option<bool>,
    /// It takes `temperature`, `top_p` and `top_k`.
    pub sampling: Option<bool>,
    /// It goes on from an assistant's turn. Unknown counts as no: recent models refuse it.
    pub prefill: Option<bool>,
    /// Its thinking cannot be turned off.
    pub thinking_always_on: Option<bool>,
    /// It takes Anthropic's `thinking: adaptive`. Unknown is inferred from the others: the models that refuse sampling
    /// parameters are those that refuse a fixed thinking budget.
    pub adaptive_thinking: Option<bool>,
}

/// The deployment that a request is written for.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The model's name at its provider.
    pub model: &'a str,
    /// What the provider speaks.
    pub dialect: Dialect,
    /// The version that will be sent to it, if it speaks Anthropic's.
    pub anthropic_version: AnthropicVersion,
    /// The most output tokens that the model gives, by the catalogue.
    pub max_output: Option<u64>,
    /// The output limit to set where the client set none.
    pub default_output: Option<u64>,
    /// It knows the output limit of Chat Completions by its older name alone, `max_tokens`.
    pub older_limit: bool,
    /// What the model can do.
    pub capabilities: TargetCapabilities,
}

impl Target<'_> {
    fn takes_adaptive_thinking(&self) -> bool {
        let can = &self.capabilities;
        can.adaptive_thinking.unwrap_or(
            can.sampling == Some(false)
                || can.thinking_always_on == Some(true)
                || self.anthropic_version == AnthropicVersion::V2026_10_21,
        )
    }
}

/// A request in the target's dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translated {
    /// The JSON body.
    pub body: Vec<u8>,
    /// What was left out or changed: the tokens of `x-weir-degraded`, each once.
    pub degraded: Vec<String>,
}

/// What of a request cannot be said to the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CannotExpress {
    /// It, in words: `audio (input_audio)`.
    pub what: String,
    /// Where it stands in the client's body: `messages[2].content[1]`.
    pub param: String,
}

impl fmt::Display for CannotExpress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (`{}`) cannot be expressed in the provider's API", self.what, self.param)
    }
}

/// Why a request was not translated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// Another deployment may be able to take it.
    Cannot(CannotExpress),
    /// It is malformed in its own dialect, as far as this crate knows that dialect.
    Bad(Malformed),
}

/// What is wrong with a request that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// It, in words; it quotes no content.
    pub message: String,
    /// Where it stands in the client's body, unless that is the body itself.
    pub param: Option<String>,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cannot(cannot) => cannot.fmt(f),
            Self::Bad(bad) => f.write_str(&bad.message),
        }
    }
}

impl std::error::Error for RequestError {}

/// Writes a client's request in the target's dialect, for the target's chat endpoint.
///
/// # Errors
/// [`RequestError::Cannot`] if the target cannot be asked this, [`RequestError::Bad`] if the body is malformed.
pub fn translate_request(from: Endpoint, body: &[u8], to: &Target<'_>) -> Result<Translated, RequestError> {
    let unreadable = |message: &str| RequestError::Bad(Malformed { message: message.to_owned(), param: None });
    let text = std::str::from_utf8(body).map_err(|_| unreadable("the body is not UTF-8"))?;
    let object = Object::parse(text).ok_or_else(|| unreadable("the body is not a JSON object"))?;
    let mut notes = Notes::default();
    let mut conversation = match from {
        Endpoint::ChatCompletions => read_openai::read(&object, &mut notes)?,
        Endpoint::Messages => read_anthropic::read(&object, &mut notes)?,
        other => return Err(cannot(format!("a call of {}", other.path()), "body")),
    };
    let most = to.max_output.unwrap_or(u64::MAX);
    conversation.max_output = conversation.max_output.or(to.default_output.map(|limit| limit.min(most)));
    fit::check(&conversation, &to.capabilities)?;
    let body = match to.dialect {
        Dialect::OpenAi => write_openai::write(conversation, to, &mut notes)?,
        Dialect::Anthropic => write_anthropic::write(conversation, to, &mut notes)?,
    };
    Ok(Translated { body, degraded: notes.into_list() })
}

fn cannot(what: impl Into<String>, param: impl ToString) -> RequestError {
    RequestError::Cannot(CannotExpress { what: what.into(), param: param.to_string() })
}

fn bad(message: impl Into<String>, param: impl ToString) -> RequestError {
    RequestError::Bad(Malformed { message: message.into(), param: Some(param.to_string()) })
}

/// A client's word, short enough for a message.
fn short(word: &str) -> String {
    word.chars().take(60).collect()
}

fn whole(raw: &RawValue, name: &str) -> Result<u64, RequestError> {
    json::count(raw).ok_or_else(|| bad(format!("`{name}` must be a whole number"), name))
}

fn real(raw: &RawValue, name: &str) -> Result<f64, RequestError> {
    json::number(raw).ok_or_else(|| bad(format!("`{name}` must be a number"), name))
}

/// A stop sequence, or a list of them.
fn stop_words<'a>(raw: &'a RawValue, name: &str) -> Result<Vec<Cow<'a, str>>, RequestError> {
    let wrong = || bad(format!("`{name}` must be a string or a list of strings"), name);
    match json::text(raw) {
        Some(word) => Ok(vec![word]),
        None => {
            json::array(raw).ok_or_else(wrong)?.into_iter().map(|word| json::text(word).ok_or_else(wrong)).collect()
        }
    }
}

#[cfg(test)]
mod tests;
