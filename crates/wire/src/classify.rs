//! What a provider's refusal means: bytes that came back, to a class that the engine decides by.
//!
//! A status says little: a 429 is a pace, a day's quota, an empty account or a busy provider, and only the body tells which.
//! Codes are asked before wordings, since wordings change; then comes the broad `type`, then the status. The tables are in
//! `faults`; sources are official error pages, SDKs, specifications and captured bodies (2026-11).

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;
use weir_units::{Dimension, FaultClass};

use crate::clean::clean_message;
use crate::dialect::Dialect;
use crate::faults::{self, Place};
use crate::limits_seen::{LimitsSeen, duration};
use crate::retry_after::{retry_after, wait_in_words};

mod limit;

/// As much of an error body as is read; what is longer is no error message.
const READ_BYTES: usize = 128 * 1024;

/// What kind of API a provider has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProviderKind {
    /// OpenAI itself.
    OpenAi,
    /// Anthropic itself.
    Anthropic,
    /// Any other that speaks OpenAI's dialect.
    OpenAiCompatible,
    /// Weir's own mock provider.
    Mock,
}

impl ProviderKind {
    /// Every kind, for tables and tests.
    pub const ALL: [Self; 4] = [Self::OpenAi, Self::Anthropic, Self::OpenAiCompatible, Self::Mock];

    /// The dialect of its API. The mock speaks both, and OpenAI's where the caller has no wish.
    #[must_use]
    pub fn dialect(self) -> Dialect {
        match self {
            Self::Anthropic => Dialect::Anthropic,
            _ => Dialect::OpenAi,
        }
    }

    /// The name in the config.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::OpenAiCompatible => "openai-compatible",
            Self::Mock => "mock",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Where its API is, for the kinds that have one place.
    #[must_use]
    pub fn default_base_url(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("https://api.openai.com/v1"),
            Self::Anthropic => Some("https://api.anthropic.com"),
            Self::OpenAiCompatible | Self::Mock => None,
        }
    }

    /// Whether it accepts `stream_options`, by which a stream is asked for its usage.
    #[must_use]
    pub fn asks_usage(self) -> bool {
        self.dialect() == Dialect::OpenAi
    }
}

/// A response that is no answer: its status, the headers that matter, and its body or the beginning of it.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// The HTTP status.
    pub status: u16,
    /// `retry-after`
    pub retry_after: Option<&'a str>,
    /// `retry-after-ms`
    pub retry_after_ms: Option<&'a str>,
    /// `date`, from which an HTTP-date in `retry-after` is measured.
    pub date: Option<&'a str>,
    /// What its headers say of limits, where they were read.
    pub limits: Option<&'a LimitsSeen>,
    /// The body.
    pub body: &'a [u8],
}

/// What was wrong upstream, as far as it can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamFault {
    /// What the engine decides by.
    pub class: FaultClass,
    /// How long the provider asks to wait.
    pub retry_after: Option<Duration>,
    /// Which limit was exceeded, where that is the fault and something names it.
    pub limit: Option<Dimension>,
    /// The provider's own code, the most telling that it sent.
    pub code: Option<String>,
    /// The provider's words, fit to be kept: at most 300 characters, nothing like a key, no control characters.
    pub message: String,
}

/// Classifies a response whose status is not a success. A redirect counts as a server's error: none is followed.
///
/// The wait is what the headers ask for, else what the body does, else the time until the limit is full again of which
/// nothing is left. Of tokens that are used up it is at least that time: a header was seen to ask for a second while the
/// window renews in a minute. Of a day's quota of Google's there is none: it asks for seconds, and is back when the day is over.
#[must_use]
pub fn classify(kind: ProviderKind, reply: &Reply<'_>) -> UpstreamFault {
    let said = Said::read(reply.body);
    let place = match reply.status {
        0..400 => return said.fault(FaultClass::ServerError, None, None, reply.status),
        status => Place::Status(status),
    };
    let class = said.class(kind, place);
    let limit = said.limit(class, reply.limits);
    let asked = retry_after(reply.retry_after_ms, reply.retry_after, reply.date).or_else(|| said.wait(class));
    let exhausted = reply.limits.filter(|_| class == FaultClass::RateLimited).and_then(LimitsSeen::exhausted);
    let wait = match exhausted {
        _ if said.names_a_day() => None,
        Some(left) if asked.is_none() || limit::of_tokens(left.dimension) => asked.max(left.reset),
        _ => asked,
    };
    said.fault(class, wait, limit, reply.status)
}

/// Classifies an error object that came inside a stream (or an answer) whose status was a success.
#[must_use]
pub fn classify_stream_error(kind: ProviderKind, json: &[u8]) -> UpstreamFault {
    // What is no JSON is no error object, and may well be an answer: its words are not kept.
    let said = Said::of_json(json).unwrap_or_default();
    // Some put the status that they would have sent into `code`.
    let status = said.codes.iter().find_map(|code| code.parse::<u16>().ok()).filter(|s| (400..600).contains(s));
    let place = status.map_or(Place::Stream, Place::Status);
    let class = said.class(kind, place);
    said.fault(class, said.wait(class), said.limit(class, None), 0)
}

/// What an error body says, whatever its shape.
#[derive(Default)]
struct Said {
    /// Specific first: Anthropic's `details.error_code`, Azure's `innererror.code`, then `code`.
    codes: Vec<String>,
    kind: Option<String>,
    param: Option<String>,
    message: String,
    /// Google's `RetryInfo`.
    retry_delay: Option<Duration>,
    /// Google's names for the quotas that were exceeded.
    quotas: Vec<String>,
}

impl Said {
    fn read(body: &[u8]) -> Self {
        Self::of_json(body).unwrap_or_else(|| Self { message: plain_words(body).into_owned(), ..Self::default() })
    }

    fn of_json(body: &[u8]) -> Option<Self> {
        let mut value: Value = serde_json::from_slice(&body[..body.len().min(READ_BYTES)]).ok()?;
        if let Some(first) = value.as_array_mut().and_then(|list| list.first_mut()) {
            value = first.take();
        }
        let error = [&value["error"], &value["response"]["error"], &value["x_groq"]["error"]]
            .into_iter()
            .find(|error| error.is_object() || error.is_string())
            .unwrap_or(&value);
        let message = first_text(&[
            error,
            &error["message"],
            &error["Message"],
            &error["detail"],
            &error["detail"][0]["msg"],
            &value["message"],
        ]);
        let moderated = error["metadata"]["reasons"].is_array().then(|| "moderation".to_owned());
        Some(Self {
            codes: [&error["details"]["error_code"], &error["innererror"]["code"], &error["code"], &value["code"]]
                .into_iter()
                .filter_map(word)
                .chain(moderated)
                .collect(),
            kind: word(&error["type"]).or_else(|| word(&error["status"])),
            param: word(&error["param"]),
            message: message.unwrap_or_default().to_owned(),
            retry_delay: details(error).find_map(|detail| duration(detail["retryDelay"].as_str()?)),
            quotas: details(error)
                .filter_map(|detail| detail["violations"].as_array())
                .flatten()
                .filter_map(|violation| word(&violation["quotaId"]))
                .collect(),
        })
    }

    fn class(&self, kind: ProviderKind, place: Place) -> FaultClass {
        let codes = self.codes.iter().chain(&self.kind).map(String::as_str);
        let message = self.message.to_lowercase();
        if place == Place::Status(413) {
            return faults::too_large(codes, &message);
        }
        codes
            .clone()
            .find_map(|code| faults::of_code(kind, code, place))
            .or_else(|| faults::of_param(self.param.as_deref(), place))
            .or_else(|| faults::of_wording(kind, &message, place))
            .or_else(|| codes.clone().find_map(|word| faults::of_type(word, place)))
            .unwrap_or_else(|| faults::of_status(place))
    }

    /// The wait that the body asks for: it counts where waiting helps, since elsewhere the words may be a client's.
    fn wait(&self, class: FaultClass) -> Option<Duration> {
        if !matches!(class, FaultClass::RateLimited | FaultClass::Overloaded) || self.names_a_day() {
            return None;
        }
        self.retry_delay.or_else(|| wait_in_words(&self.message.to_lowercase()))
    }

    /// Whether it is a quota of Google's that lasts for a day.
    fn names_a_day(&self) -> bool {
        limit::of_quotas(&self.quotas).is_some_and(Dimension::is_daily)
    }

    /// The limit that was exceeded, by whoever names it most exactly: quota, words, what is used up, a header, the type.
    fn limit(&self, class: FaultClass, limits: Option<&LimitsSeen>) -> Option<Dimension> {
        if class != FaultClass::RateLimited {
            return None;
        }
        limit::of_quotas(&self.quotas)
            .or_else(|| limit::of_words(&self.message.to_lowercase()))
            .or_else(|| limits?.exhausted().map(|left| left.dimension))
            .or_else(|| limits?.exceeded)
            .or_else(|| limit::of_type(self.kind.as_deref()?))
    }

    fn fault(
        &self,
        class: FaultClass,
        retry_after: Option<Duration>,
        limit: Option<Dimension>,
        status: u16,
    ) -> UpstreamFault {
        let code = self.codes.first().or(self.kind.as_ref()).map(|code| clean_message(code));
        let mut message = clean_message(&self.message);
        if message.is_empty() {
            message = match status {
                0 => "the provider gave no reason".to_owned(),
                _ => format!("the provider answered {status} and gave no reason"),
            };
        }
        UpstreamFault { class, retry_after, limit, code, message }
    }
}

fn details(error: &Value) -> impl Iterator<Item = &Value> {
    error["details"].as_array().into_iter().flatten()
}

fn first_text<'a>(places: &[&'a Value]) -> Option<&'a str> {
    places.iter().find_map(|value| value.as_str()).filter(|text| !text.is_empty())
}

/// A code may be a string or a number.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(word) if !word.is_empty() => Some(word.chars().take(100).collect()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The words of a body that is not JSON: a page's title, or the text itself.
fn plain_words(body: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(&body[..body.len().min(4_096)]);
    if !text.trim_start().starts_with('<') {
        return text;
    }
    let title = text.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
    match title {
        Some((title, _)) => Cow::Owned(title.trim().to_owned()),
        None => Cow::Borrowed("a page of HTML or XML in place of an answer"),
    }
}

#[cfg(test)]
mod tests;
