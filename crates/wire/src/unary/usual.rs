//! A whole answer of the usual form, read in one go: each member of the type that its API gives it, texts without escapes
//! where they go on record. What is of another form, or no JSON, is not decided here.

use weir_units::Usage;

use super::AnswerFacts;
use crate::answer::Stop;
use crate::dialect::Endpoint;
use crate::strict::Strict;
use crate::usage::{AnthropicUsage, OpenAiUsage};

/// What of an answer goes on record, as it stands in the text.
#[derive(Default)]
struct Found<'a> {
    id: Option<&'a str>,
    model: Option<&'a str>,
    usage: Option<&'a str>,
    /// The reason why it ended; of several choices, the first one's.
    stop: Option<&'a str>,
    stop_sequence: Option<&'a str>,
    /// Whether it has what makes it an answer.
    whole: bool,
}

pub(super) fn usual(endpoint: Endpoint, body: &[u8]) -> Option<AnswerFacts> {
    let mut json = Strict::new(std::str::from_utf8(body).ok()?);
    let found = match endpoint {
        Endpoint::ChatCompletions => chat(&mut json)?,
        Endpoint::Messages => message(&mut json)?,
        _ => return None,
    };
    (found.whole && json.is_at_end()).then_some(())?;
    let (usage, stop) = match endpoint {
        Endpoint::ChatCompletions => (openai(found.usage)?, found.stop.map(Stop::from_openai)),
        _ => (anthropic(found.usage)?, found.stop.map(|word| Stop::from_anthropic(word, found.stop_sequence))),
    };
    Some(AnswerFacts { id: found.id.map(str::to_owned), model: found.model.map(str::to_owned), usage, stop })
}

fn openai(usage: Option<&str>) -> Option<Option<Usage>> {
    let Some(text) = usage else { return Some(None) };
    let usage: OpenAiUsage = serde_json::from_str(text).ok()?;
    Some((!usage.is_empty()).then(|| usage.usage()))
}

fn anthropic(usage: Option<&str>) -> Option<Option<Usage>> {
    let Some(text) = usage else { return Some(None) };
    let usage: AnthropicUsage = serde_json::from_str(text).ok()?;
    Some(Some(usage.usage()))
}

fn chat<'a>(json: &mut Strict<'a>) -> Option<Found<'a>> {
    let (mut found, mut once) = (Found::default(), Once::default());
    json.object(|json, name| {
        match name {
            "id" if once.is(0) => found.id = json.text_or_null()?,
            "model" if once.is(1) => found.model = json.text_or_null()?,
            "usage" if once.is(2) => found.usage = json.object_or_null()?,
            "choices" if once.is(3) => {
                let mut first = true;
                json.array(|json| {
                    let stop = choice(json)?;
                    if std::mem::take(&mut first) {
                        found.stop = stop;
                    }
                    Some(())
                })?;
                found.whole = !first;
            }
            "error" if once.is(4) => json.null()?,
            "id" | "model" | "usage" | "choices" | "error" => return None,
            _ => json.skip()?,
        }
        Some(())
    })?;
    Some(found)
}

fn choice<'a>(json: &mut Strict<'a>) -> Option<Option<&'a str>> {
    let (mut reason, mut once) = (None, Once::default());
    json.object(|json, name| {
        match name {
            "finish_reason" if once.is(0) => reason = json.text_or_null()?,
            "finish_reason" => return None,
            _ => json.skip()?,
        }
        Some(())
    })?;
    Some(reason)
}

fn message<'a>(json: &mut Strict<'a>) -> Option<Found<'a>> {
    let (mut found, mut once) = (Found::default(), Once::default());
    json.object(|json, name| {
        match name {
            "id" if once.is(0) => found.id = json.text_or_null()?,
            "model" if once.is(1) => found.model = json.text_or_null()?,
            "usage" if once.is(2) => found.usage = json.object_or_null()?,
            "stop_reason" if once.is(3) => found.stop = json.text_or_null()?,
            "stop_sequence" if once.is(4) => found.stop_sequence = json.text_or_null()?,
            "content" if once.is(5) => {
                json.array(Strict::skip)?;
                found.whole = true;
            }
            "error" if once.is(6) => json.null()?,
            "id" | "model" | "usage" | "stop_reason" | "stop_sequence" | "content" | "error" => return None,
            _ => json.skip()?,
        }
        Some(())
    })?;
    Some(found)
}

/// Which members have been met: one that comes twice is not usual.
#[derive(Default)]
struct Once(u8);

impl Once {
    fn is(&mut self, member: u8) -> bool {
        let met = self.0 >> member & 1 == 1;
        self.0 |= 1 << member;
        !met
    }
}
