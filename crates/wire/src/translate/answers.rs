//! Whole answers, from a provider's dialect to a client's.
//!
//! A body that is no finished answer is an error here, never an empty "stop": the caller can still ask another
//! deployment. Thinking reaches a Chat Completions client as `reasoning_content`, a plain field that no provider checks.
//! The other way it is left out: a Messages client would send the block back, and Anthropic refuses one that it did
//! not sign, so one foreign block would spoil the rest of the conversation.

use std::borrow::Cow;

use serde_json::value::{RawValue, to_raw_value};
use weir_units::Usage;

use super::conversation::{Arguments, Call};
use super::ids;
use super::json::{self, Json, Object};
use crate::{AnthropicUsage, Dialect, Endpoint, OpenAiUsage, Stop, to_anthropic_json, to_openai_json};

/// What an answer says of its origin.
#[derive(Clone, Copy, Debug)]
pub struct AnswerContext<'a> {
    /// The model that really served.
    pub model: &'a str,
    /// When, in seconds since 1970.
    pub created: i64,
}

/// Writes a provider's whole answer in the dialect of the client's endpoint.
///
/// # Errors
/// A fragment that says why the body is no finished answer.
pub fn translate_answer(
    provider: Dialect,
    to: Endpoint,
    body: &[u8],
    context: &AnswerContext<'_>,
) -> Result<Vec<u8>, String> {
    let text = std::str::from_utf8(body).map_err(|_| "the answer is not UTF-8")?;
    let object = Object::parse(text).ok_or("the answer is not a JSON object")?;
    if object.get("error").is_some() {
        return Err("the answer is an error".to_owned());
    }
    let answer = match provider {
        Dialect::OpenAi => read_openai(&object)?,
        Dialect::Anthropic => read_anthropic(&object)?,
    };
    if let Stop::Other(word) = &answer.stop
        && FAILURES.contains(&word.to_ascii_lowercase().as_str())
    {
        return Err(format!("the answer ended in failure: `{word}`"));
    }
    let id = ids::answer_id(to.dialect(), &object.text("id").unwrap_or_default(), body);
    Ok(match to.dialect() {
        Dialect::OpenAi => write_openai(answer, id, context),
        Dialect::Anthropic => write_anthropic(answer, id, context),
    }
    .to_bytes())
}

/// Stop words by which compatible providers tell of their own failure.
const FAILURES: [&str; 4] = ["error", "timeout", "malformed_function_call", "abort"];

/// An answer as both dialects mean it.
struct Answer<'a> {
    text: Option<Cow<'a, str>>,
    reasoning: Option<Cow<'a, str>>,
    refusal: Option<Cow<'a, str>>,
    calls: Vec<Call<'a>>,
    stop: Stop,
    usage: Usage,
}

fn read_openai<'a>(body: &Object<'a>) -> Result<Answer<'a>, String> {
    let choices = body.get("choices").and_then(json::array).ok_or("the answer has no `choices`")?;
    let choice = choices.first().and_then(|raw| Object::read(raw)).ok_or("the answer's `choices` are empty")?;
    let message = choice.object("message").ok_or("the answer's choice has no `message`")?;
    let word = choice.text("finish_reason").ok_or("the answer has no `finish_reason`")?;
    let calls = message.get("tool_calls").and_then(json::array).unwrap_or_default();
    let calls: Vec<_> = calls.into_iter().filter_map(Object::read).filter_map(|call| read_call(&call)).collect();
    let refusal = message.text("refusal").filter(|refusal| !refusal.is_empty());
    let stop = match Stop::from_openai(&word) {
        // Several compatible providers say "stop" beside tool calls.
        Stop::End if !calls.is_empty() => Stop::ToolCalls,
        Stop::End if refusal.is_some() => Stop::Refusal,
        stop => stop,
    };
    Ok(Answer {
        text: message.get("content").and_then(text_of),
        reasoning: message.text("reasoning_content").or_else(|| message.text("reasoning")),
        refusal,
        calls,
        stop,
        usage: usage::<OpenAiUsage>(body).usage(),
    })
}

fn read_call<'a>(call: &Object<'a>) -> Option<Call<'a>> {
    let function = call.object("function")?;
    let arguments = Arguments::Text(function.text("arguments").unwrap_or_default());
    Some(Call { id: call.text("id").unwrap_or_default(), name: function.text("name")?, arguments })
}

/// A content of one text or of several.
fn text_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    let parts =
        || json::array(raw).map(|parts| parts.into_iter().filter_map(|p| Object::read(p)?.text("text")).collect());
    json::text(raw).or_else(|| parts().map(|texts: Vec<_>| texts.concat().into()))
}

fn read_anthropic<'a>(body: &Object<'a>) -> Result<Answer<'a>, String> {
    let blocks = body.get("content").and_then(json::array).ok_or("the answer has no `content`")?;
    let word = body.text("stop_reason").ok_or("the answer has no `stop_reason`")?;
    let mut answer = Answer {
        text: None,
        reasoning: None,
        refusal: None,
        calls: Vec::new(),
        stop: Stop::from_anthropic(&word, body.text("stop_sequence").as_deref()),
        usage: usage::<AnthropicUsage>(body).usage(),
    };
    for block in blocks.into_iter().filter_map(Object::read) {
        match block.text("type").as_deref() {
            Some("text") => append(&mut answer.text, block.text("text")),
            Some("thinking") => append(&mut answer.reasoning, block.text("thinking").filter(|t| !t.is_empty())),
            Some("tool_use") => {
                let input = block.get("input").map_or(Arguments::Text(Cow::Borrowed("{}")), Arguments::Object);
                let (id, name) = (block.text("id").unwrap_or_default(), block.text("name").unwrap_or_default());
                answer.calls.push(Call { id, name, arguments: input });
            }
            // A hosted tool's own blocks: no other dialect has them, and the text beside them tells what they found.
            _ => {}
        }
    }
    if answer.stop == Stop::Refusal {
        answer.refusal = body.object("stop_details").and_then(|details| details.text("explanation"));
    }
    Ok(answer)
}

fn append<'a>(whole: &mut Option<Cow<'a, str>>, more: Option<Cow<'a, str>>) {
    match (whole.as_mut(), more) {
        (Some(whole), Some(more)) => whole.to_mut().push_str(&more),
        (None, more) => *whole = more,
        (Some(_), None) => {}
    }
}

fn usage<'a, U: Default + serde::Deserialize<'a>>(body: &Object<'a>) -> U {
    body.get("usage").and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

fn usage_json<'a>(value: &serde_json::Value) -> Json<'a> {
    to_raw_value(value).map_or(Json::Null, Json::Made)
}

fn write_openai<'a>(answer: Answer<'a>, id: String, context: &AnswerContext<'a>) -> Json<'a> {
    let mut message = vec![
        ("role", "assistant".into()),
        ("content", answer.text.map_or(Json::Null, Json::from)),
        ("refusal", answer.refusal.map_or(Json::Null, Json::from)),
    ];
    if let Some(reasoning) = answer.reasoning {
        message.push(("reasoning_content", reasoning.into()));
    }
    if !answer.calls.is_empty() {
        message.push(("tool_calls", Json::Array(answer.calls.into_iter().map(write_openai_call).collect())));
    }
    let choice = vec![
        ("index", Json::Count(0)),
        ("message", Json::Object(message)),
        ("logprobs", Json::Null),
        ("finish_reason", answer.stop.to_openai().to_owned().into()),
    ];
    Json::Object(vec![
        ("id", id.into()),
        ("object", "chat.completion".into()),
        ("created", Json::Count(u64::try_from(context.created).unwrap_or(0))),
        ("model", context.model.into()),
        ("choices", Json::Array(vec![Json::Object(choice)])),
        ("usage", usage_json(&to_openai_json(answer.usage))),
    ])
}

fn write_openai_call(call: Call<'_>) -> Json<'_> {
    let function = vec![("name", call.name.into()), ("arguments", call.arguments.into_text().into())];
    let id = ids::call_id(Dialect::OpenAi, call.id);
    Json::Object(vec![("id", id.into()), ("type", "function".into()), ("function", Json::Object(function))])
}

fn write_anthropic<'a>(answer: Answer<'a>, id: String, context: &AnswerContext<'a>) -> Json<'a> {
    let texts = [answer.text, answer.refusal].into_iter().flatten().filter(|text| !text.is_empty());
    let mut content: Vec<_> =
        texts.map(|text| Json::Object(vec![("type", "text".into()), ("text", text.into())])).collect();
    for call in answer.calls {
        content.push(Json::Object(vec![
            ("type", "tool_use".into()),
            ("id", ids::call_id(Dialect::Anthropic, call.id).into()),
            ("name", call.name.into()),
            ("input", call.arguments.into_object().0),
        ]));
    }
    let sequence = match &answer.stop {
        Stop::Sequence(Some(sequence)) => sequence.clone().into(),
        _ => Json::Null,
    };
    Json::Object(vec![
        ("id", id.into()),
        ("type", "message".into()),
        ("role", "assistant".into()),
        ("model", context.model.into()),
        ("content", Json::Array(content)),
        ("stop_reason", answer.stop.to_anthropic().to_owned().into()),
        ("stop_sequence", sequence),
        ("usage", usage_json(&to_anthropic_json(answer.usage))),
    ])
}
