//! Chat Completions requests, read.
//!
//! A field that only this dialect has is refused where the answer would be another without it (`n`, `logprobs`, audio),
//! and noted as dropped where the answer is merely less tuned. A value that equals the default drops nothing.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::conversation::{
    Arguments, Call, Choice, Content, Conversation, Document, Effort, Format, Part, Place, Role, Thinking, Tool,
    ToolResult, Turn,
};
use super::json::{self, Object};
use super::notes::{self, Notes};
use super::{RequestError, bad, cannot, media};

/// Reads a request body.
pub(super) fn read<'a>(body: &Object<'a>, notes: &mut Notes) -> Result<Conversation<'a>, RequestError> {
    let mut conversation = Conversation::default();
    let mut allowed = None;
    for (name, raw) in body.iter() {
        match name {
            "model" | "stream_options" | "max_tokens" | "user" => {}
            "messages" => conversation.turns = read_messages(raw, notes)?,
            "tools" => conversation.tools = read_tools(raw, notes)?,
            "tool_choice" => (conversation.choice, allowed) = read_choice(raw)?,
            "parallel_tool_calls" => conversation.one_call = raw.get() == "false",
            "response_format" => conversation.format = read_format(raw)?,
            "max_completion_tokens" => conversation.max_output = Some(super::whole(raw, name)?),
            "temperature" => conversation.temperature = Some(super::real(raw, name)?),
            "top_p" => conversation.top_p = Some(super::real(raw, name)?),
            "top_k" => conversation.top_k = json::count(raw),
            "stop" => conversation.stop = super::stop_words(raw, name)?,
            "reasoning_effort" => conversation.thinking = read_effort(raw, notes),
            "safety_identifier" => conversation.user = json::text(raw),
            "stream" => conversation.stream = raw.get() == "true",
            _ => only_here(name, raw, notes)?,
        }
    }
    if body.get("messages").is_none() {
        return Err(bad("`messages` is missing", "messages"));
    }
    if conversation.max_output.is_none()
        && let Some(raw) = body.get("max_tokens")
    {
        conversation.max_output = Some(super::whole(raw, "max_tokens")?);
    }
    if conversation.max_output == Some(0) {
        return Err(bad("the output limit must be at least 1", "max_completion_tokens"));
    }
    if conversation.user.is_none() {
        conversation.user = body.text("user");
    }
    if let Some(allowed) = allowed {
        conversation.tools.retain(|tool| allowed.contains(&tool.name));
    }
    Ok(conversation)
}

/// What no other dialect has: an error if it changes what is asked, nothing if it is a default, else a note.
fn only_here(name: &str, raw: &RawValue, notes: &mut Notes) -> Result<(), RequestError> {
    let value = raw.get();
    let harmless = matches!(value, "false" | "[]" | "{}")
        || match name {
            "n" => value == "1",
            "presence_penalty" | "frequency_penalty" | "top_logprobs" => json::number(raw) == Some(0.0),
            "service_tier" => matches!(value, r#""auto""# | r#""default""#),
            "verbosity" => value == r#""medium""#,
            "modalities" => {
                json::array(raw).is_some_and(|all| all.iter().all(|m| json::text(m).is_some_and(|m| m == "text")))
            }
            "function_call" => matches!(value, r#""auto""# | r#""none""#),
            _ => false,
        };
    let what = match name {
        _ if harmless => return Ok(()),
        "n" => "more than one choice (`n`)",
        "logprobs" | "top_logprobs" => "log probabilities (`logprobs`)",
        "audio" | "modalities" => "an answer other than text (`modalities`)",
        "prediction" => "a predicted output (`prediction`)",
        "functions" | "function_call" => "the retired `functions`; `tools` would do",
        _ => {
            notes.add_named(notes::DROPPED_FIELD, name);
            return Ok(());
        }
    };
    Err(cannot(what, name))
}

fn read_messages<'a>(raw: &'a RawValue, notes: &mut Notes) -> Result<Vec<Turn<'a>>, RequestError> {
    let messages = json::array(raw).ok_or_else(|| bad("`messages` must be a list", "messages"))?;
    if messages.is_empty() {
        return Err(bad("`messages` must not be empty", "messages"));
    }
    let mut turns = Vec::with_capacity(messages.len());
    for (i, raw) in messages.into_iter().enumerate() {
        let at = Place::Message(i);
        let message = Object::read(raw).ok_or_else(|| bad("a message must be an object", at))?;
        if message.get("name").is_some() {
            notes.add(notes::NAME);
        }
        let role = message.text("role").ok_or_else(|| bad("a message needs a `role`", at))?;
        turns.push(match role.as_ref() {
            "system" | "developer" => Turn { role: Role::System, parts: read_content(&message, i, notes)? },
            "user" => Turn { role: Role::User, parts: read_content(&message, i, notes)? },
            "assistant" => Turn { role: Role::Assistant, parts: read_assistant(&message, i, notes)? },
            "tool" => {
                let call =
                    message.text("tool_call_id").ok_or_else(|| bad("a tool message needs `tool_call_id`", at))?;
                let result = ToolResult { call, parts: read_content(&message, i, notes)?, is_error: false };
                Turn { role: Role::User, parts: vec![Part { at, content: Content::Result(result) }] }
            }
            "function" => return Err(cannot("the retired `function` role; `tool` would do", at)),
            other => return Err(cannot(format!("the role `{}`", super::short(other)), at)),
        });
    }
    Ok(turns)
}

/// A message's `content`: a string, parts, or nothing.
fn read_content<'a>(message: &Object<'a>, i: usize, notes: &mut Notes) -> Result<Vec<Part<'a>>, RequestError> {
    let Some(raw) = message.get("content") else { return Ok(Vec::new()) };
    if let Some(text) = json::text(raw) {
        return Ok(vec![Part { at: Place::Message(i), content: Content::Text(text) }]);
    }
    let parts = json::array(raw).ok_or_else(|| bad("`content` must be a string or a list", Place::Message(i)))?;
    let read = |(j, raw): (usize, &'a RawValue)| {
        let at = Place::Part(i, j);
        let part = Object::read(raw).ok_or_else(|| bad("a content part must be an object", at))?;
        Ok(Part { at, content: read_part(&part, at, notes)? })
    };
    parts.into_iter().enumerate().map(read).collect()
}

fn read_part<'a>(part: &Object<'a>, at: Place, notes: &mut Notes) -> Result<Content<'a>, RequestError> {
    let kind = part.text("type").ok_or_else(|| bad("a content part needs a `type`", at))?;
    match kind.as_ref() {
        "text" | "refusal" => {
            part.text(&kind).map(Content::Text).ok_or_else(|| bad(format!("a {kind} part needs `{kind}`"), at))
        }
        "image_url" => {
            let image = part.object("image_url").ok_or_else(|| bad("an image part needs `image_url`", at))?;
            if image.text("detail").is_some_and(|detail| detail != "auto") {
                notes.add(notes::DETAIL);
            }
            let url = image.text("url").ok_or_else(|| bad("`image_url` needs `url`", at))?;
            media::image_from_url(url, at).map(Content::Image)
        }
        "file" => {
            let file = part.object("file").ok_or_else(|| bad("a file part needs `file`", at))?;
            if file.get("file_id").is_some() {
                return Err(cannot("a file that another provider stores (`file_id`)", at));
            }
            let data = file.text("file_data").ok_or_else(|| bad("`file` needs `file_data`", at))?;
            let body = media::document_from_data(&data, at)?;
            Ok(Content::Document(Document { body, title: file.text("filename") }))
        }
        "input_audio" => Err(cannot("audio (`input_audio`)", at)),
        other => Err(cannot(format!("a content part of type `{}`", super::short(other)), at)),
    }
}

fn read_assistant<'a>(message: &Object<'a>, i: usize, notes: &mut Notes) -> Result<Vec<Part<'a>>, RequestError> {
    let at = Place::Message(i);
    for (field, what) in
        [("audio", "an earlier spoken answer (`audio`)"), ("function_call", "the retired `function_call`")]
    {
        if message.get(field).is_some() {
            return Err(cannot(what, at));
        }
    }
    if ["reasoning_content", "reasoning", "reasoning_details"].iter().any(|field| message.get(field).is_some()) {
        notes.add(notes::REASONING);
    }
    let mut parts = read_content(message, i, notes)?;
    if let Some(refusal) = message.text("refusal") {
        parts.push(Part { at, content: Content::Text(refusal) });
    }
    let calls = match message.get("tool_calls") {
        Some(raw) => json::array(raw).ok_or_else(|| bad("`tool_calls` must be a list", at))?,
        None => Vec::new(),
    };
    for (j, raw) in calls.into_iter().enumerate() {
        let at = Place::Call(i, j);
        let call = Object::read(raw).ok_or_else(|| bad("a tool call must be an object", at))?;
        if call.text("type").is_some_and(|kind| kind != "function") {
            return Err(cannot("a call of a tool that is no function", at));
        }
        let function = call.object("function").ok_or_else(|| bad("a tool call needs `function`", at))?;
        let id = call.text("id").ok_or_else(|| bad("a tool call needs `id`", at))?;
        let name = function.text("name").ok_or_else(|| bad("a tool call needs `function.name`", at))?;
        let arguments = Arguments::Text(function.text("arguments").unwrap_or_default());
        parts.push(Part { at, content: Content::Call(Call { id, name, arguments }) });
    }
    Ok(parts)
}

fn read_tools<'a>(raw: &'a RawValue, notes: &mut Notes) -> Result<Vec<Tool<'a>>, RequestError> {
    let mut tools = Vec::new();
    for (i, raw) in json::array(raw).ok_or_else(|| bad("`tools` must be a list", "tools"))?.into_iter().enumerate() {
        let at = || format!("tools[{i}]");
        let tool = Object::read(raw).ok_or_else(|| bad("a tool must be an object", at()))?;
        let kind = tool.text("type").unwrap_or(Cow::Borrowed("function"));
        if kind != "function" {
            notes.add_named(notes::DROPPED_TOOL, &kind);
            continue;
        }
        let function = tool.object("function").ok_or_else(|| bad("a function tool needs `function`", at()))?;
        tools.push(Tool {
            name: function.text("name").ok_or_else(|| bad("a function needs a `name`", at()))?,
            description: function.text("description"),
            schema: function.get("parameters"),
            strict: function.is_true("strict"),
            at: i,
        });
    }
    Ok(tools)
}

/// The choice, and the names it is limited to where it is (`allowed_tools`).
type ChoiceAndNames<'a> = (Option<Choice<'a>>, Option<Vec<Cow<'a, str>>>);

fn read_choice(raw: &RawValue) -> Result<ChoiceAndNames<'_>, RequestError> {
    let unknown = || bad("an unknown `tool_choice`", "tool_choice");
    let word = |word: &str| match word {
        "auto" => Some(Choice::Auto),
        "none" => Some(Choice::None),
        "required" => Some(Choice::Any),
        _ => None,
    };
    if let Some(text) = json::text(raw) {
        return Ok((Some(word(&text).ok_or_else(unknown)?), None));
    }
    let choice = Object::read(raw).ok_or_else(unknown)?;
    match choice.text("type").as_deref() {
        Some("function") => {
            let name = choice.object("function").and_then(|f| f.text("name")).ok_or_else(unknown)?;
            Ok((Some(Choice::Tool(name)), None))
        }
        Some("allowed_tools") => {
            let allowed = choice.object("allowed_tools").ok_or_else(unknown)?;
            let mode = word(allowed.text("mode").as_deref().unwrap_or("auto")).ok_or_else(unknown)?;
            let tools = allowed.get("tools").and_then(json::array).ok_or_else(unknown)?;
            let name = |raw| Object::read(raw).and_then(|tool| tool.object("function")).and_then(|f| f.text("name"));
            Ok((Some(mode), Some(tools.into_iter().filter_map(name).collect())))
        }
        _ => Err(cannot("a choice of a tool that is no function", "tool_choice")),
    }
}

fn read_format(raw: &RawValue) -> Result<Option<Format<'_>>, RequestError> {
    let format = Object::read(raw).ok_or_else(|| bad("`response_format` must be an object", "response_format"))?;
    match format.text("type").as_deref() {
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(Format::JsonObject)),
        Some("json_schema") => {
            let spec = format.object("json_schema");
            let schema = spec.as_ref().and_then(|spec| spec.get("schema"));
            let Some((spec, schema)) = spec.as_ref().zip(schema) else {
                return Err(bad("`json_schema` needs a `schema`", "response_format.json_schema"));
            };
            Ok(Some(Format::JsonSchema { name: spec.text("name"), schema, strict: spec.is_true("strict") }))
        }
        Some(other) => Err(cannot(format!("the answer format `{}`", super::short(other)), "response_format")),
        None => Err(bad("`response_format` needs a `type`", "response_format")),
    }
}

fn read_effort(raw: &RawValue, notes: &mut Notes) -> Option<Thinking> {
    let word = json::text(raw).unwrap_or_default();
    if word == "none" {
        return Some(Thinking::Off);
    }
    let effort = Effort::of(&word).map(Thinking::Effort);
    if effort.is_none() {
        notes.add(notes::REASONING_EFFORT);
    }
    effort
}
