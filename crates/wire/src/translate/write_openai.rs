//! Requests, written for Chat Completions.
//!
//! One turn of Anthropic's may become several messages: each tool result is one of its own, and must follow the calls at
//! once, so what else the user said comes after them.

use std::borrow::Cow;

use super::conversation::{
    Choice, Content, Conversation, Document, DocumentBody, Format, Media, Part, Place, Role, Tool, ToolResult, Turn,
};
use super::json::Json;
use super::notes::{self, Notes};
use super::{RequestError, Target, cannot, ids, media, short, strict, thinking};
use crate::Dialect;

/// The longest function name that the API takes.
const LONGEST_NAME: usize = 64;
/// The longest `user` that the API takes.
const LONGEST_USER: usize = 64;
/// The most stop sequences that the API takes.
const MOST_STOPS: usize = 4;

/// Writes the body.
pub(super) fn write(
    conversation: Conversation<'_>,
    to: &Target<'_>,
    notes: &mut Notes,
) -> Result<Vec<u8>, RequestError> {
    if conversation.stop.len() > MOST_STOPS {
        return Err(cannot(format!("more than {MOST_STOPS} stop sequences"), "stop_sequences"));
    }
    let effort = thinking::openai_word(conversation.thinking, to, notes);
    let mut messages = Vec::with_capacity(conversation.turns.len() + 4);
    for turn in conversation.turns {
        write_turn(turn, &mut messages, notes)?;
    }
    let mut body = vec![("model", to.model.into()), ("messages", Json::Array(messages))];
    if !conversation.tools.is_empty() {
        let tools: Result<Vec<_>, _> = conversation.tools.into_iter().map(|tool| write_tool(tool, notes)).collect();
        body.push(("tools", Json::Array(tools?)));
        if let Some(choice) = conversation.choice {
            body.push(("tool_choice", write_choice(choice)));
        }
        if conversation.one_call {
            body.push(("parallel_tool_calls", Json::Bool(false)));
        }
    }
    if let Some(format) = conversation.format {
        body.push(("response_format", write_format(format, notes)));
    }
    if let Some(asked) = conversation.max_output {
        let most = to.max_output.unwrap_or(u64::MAX);
        if asked > most {
            notes.add(notes::CLAMPED_MAX);
        }
        let name = if to.older_limit { "max_tokens" } else { "max_completion_tokens" };
        body.push((name, Json::Count(asked.min(most))));
    }
    if let Some(word) = effort {
        body.push(("reasoning_effort", word.into()));
    }
    // A model that reasons takes the default alone; where the catalogue is silent, one that is asked to reason is such.
    let sampled = to.capabilities.sampling.unwrap_or(effort.is_none());
    let sampling =
        [("temperature", conversation.temperature, notes::TEMPERATURE), ("top_p", conversation.top_p, notes::TOP_P)];
    for (name, value, token) in sampling {
        match value {
            Some(value) if sampled => body.push((name, Json::Number(value))),
            Some(value) if value != 1.0 => notes.add(token),
            _ => {}
        }
    }
    if conversation.top_k.is_some() {
        notes.add(notes::TOP_K);
    }
    if !conversation.stop.is_empty() {
        body.push(("stop", Json::Array(conversation.stop.into_iter().map(Json::from).collect())));
    }
    match conversation.user {
        Some(user) if user.chars().count() <= LONGEST_USER => body.push(("user", user.into())),
        Some(_) => notes.add(notes::USER),
        None => {}
    }
    if conversation.stream {
        body.push(("stream", Json::Bool(true)));
        body.push(("stream_options", Json::Object(vec![("include_usage", Json::Bool(true))])));
    }
    Ok(Json::Object(body).to_bytes())
}

fn write_turn<'a>(turn: Turn<'a>, messages: &mut Vec<Json<'a>>, notes: &mut Notes) -> Result<(), RequestError> {
    match turn.role {
        Role::Assistant => write_assistant(turn.parts, messages),
        Role::System => write_parts("system", turn.parts, messages, notes)?,
        Role::User => {
            let mut others = Vec::new();
            let mut moved = Vec::new();
            for part in turn.parts {
                match part.content {
                    Content::Result(result) => write_result(result, part.at, messages, &mut moved, notes)?,
                    content => others.push(Part { at: part.at, content }),
                }
            }
            moved.extend(others);
            write_parts("user", moved, messages, notes)?;
        }
    }
    Ok(())
}

/// Text, joined, and the calls.
fn write_assistant<'a>(parts: Vec<Part<'a>>, messages: &mut Vec<Json<'a>>) {
    let (mut text, mut calls): (Option<Cow<'a, str>>, _) = (None, Vec::new());
    for part in parts {
        match part.content {
            Content::Text(more) => match &mut text {
                Some(text) => text.to_mut().push_str(&more),
                None => text = Some(more),
            },
            Content::Call(call) => calls.push(Json::Object(vec![
                ("id", ids::call_id(Dialect::OpenAi, call.id).into()),
                ("type", "function".into()),
                (
                    "function",
                    Json::Object(vec![("name", call.name.into()), ("arguments", call.arguments.into_text().into())]),
                ),
            ])),
            // `fit` lets no other part of the assistant's through.
            Content::Image(_) | Content::Document(_) | Content::Result(_) => {}
        }
    }
    if text.is_none() && calls.is_empty() {
        return;
    }
    let mut fields = vec![("role", "assistant".into()), ("content", text.map_or(Json::Null, Json::from))];
    if !calls.is_empty() {
        fields.push(("tool_calls", Json::Array(calls)));
    }
    messages.push(Json::Object(fields));
}

/// A message of `role`: a string if it is one text, else parts.
fn write_parts<'a>(
    role: &'static str,
    parts: Vec<Part<'a>>,
    messages: &mut Vec<Json<'a>>,
    notes: &mut Notes,
) -> Result<(), RequestError> {
    let written: Result<Vec<_>, _> = parts.into_iter().map(|part| write_part(part, notes)).collect();
    let written: Vec<Written<'a>> = written?;
    if !written.is_empty() {
        messages.push(Json::Object(vec![("role", role.into()), ("content", content_of(written))]));
    }
    Ok(())
}

/// A part as it will stand: text may yet become the whole content.
enum Written<'a> {
    Text(Cow<'a, str>),
    Other(Json<'a>),
}

fn content_of(mut parts: Vec<Written<'_>>) -> Json<'_> {
    if let [Written::Text(text)] = parts.as_mut_slice() {
        return std::mem::take(text).into();
    }
    let write = |part| match part {
        Written::Text(text) => Json::Object(vec![("type", "text".into()), ("text", Json::Text(text))]),
        Written::Other(json) => json,
    };
    Json::Array(parts.into_iter().map(write).collect())
}

fn write_part<'a>(part: Part<'a>, notes: &mut Notes) -> Result<Written<'a>, RequestError> {
    Ok(match part.content {
        Content::Text(text) => Written::Text(text),
        Content::Image(image) => {
            let url = match image {
                Media::Url(url) => url,
                Media::Base64 { media_type, data } => media::data_uri(&media_type, &data),
            };
            let image = Json::Object(vec![("url", url.into())]);
            Written::Other(Json::Object(vec![("type", "image_url".into()), ("image_url", image)]))
        }
        Content::Document(document) => write_document(document, part.at, notes)?,
        Content::Call(_) | Content::Result(_) => {
            return Err(cannot("a tool call or result in a turn that is not its own", part.at));
        }
    })
}

fn write_document<'a>(document: Document<'a>, at: Place, notes: &mut Notes) -> Result<Written<'a>, RequestError> {
    match document.body {
        DocumentBody::Url(_) => Err(cannot("a document by its URL", at)),
        DocumentBody::Text(text) => {
            notes.add(notes::INLINED_DOCUMENT);
            Ok(Written::Text(match document.title {
                Some(title) => format!("{title}\n\n{text}").into(),
                None => text,
            }))
        }
        DocumentBody::Pdf(data) => {
            let file = Json::Object(vec![
                ("filename", document.title.unwrap_or(Cow::Borrowed("document.pdf")).into()),
                ("file_data", media::data_uri("application/pdf", &data).into()),
            ]);
            Ok(Written::Other(Json::Object(vec![("type", "file".into()), ("file", file)])))
        }
    }
}

/// A tool message. It holds text alone, so images and files wait in `moved` for the user's message that follows.
fn write_result<'a>(
    result: ToolResult<'a>,
    at: Place,
    messages: &mut Vec<Json<'a>>,
    moved: &mut Vec<Part<'a>>,
    notes: &mut Notes,
) -> Result<(), RequestError> {
    let id = ids::call_id(Dialect::OpenAi, result.call);
    let mut written = Vec::new();
    if result.is_error {
        notes.add(notes::INLINED_IS_ERROR);
        written.push(Written::Text("The tool failed.".into()));
    }
    for part in result.parts {
        match part.content {
            Content::Image(_) | Content::Document(Document { body: DocumentBody::Pdf(_), .. }) => {
                notes.add(notes::MOVED_MEDIA);
                written.push(Written::Text("[attached in the next user message]".into()));
                let label = format!("[from the result of tool call {id}]");
                moved.push(Part { at, content: Content::Text(label.into()) });
                moved.push(part);
            }
            _ => written.push(write_part(part, notes)?),
        }
    }
    let content = if written.is_empty() { "".into() } else { content_of(written) };
    messages.push(Json::Object(vec![("role", "tool".into()), ("tool_call_id", id.into()), ("content", content)]));
    Ok(())
}

fn write_tool<'a>(tool: Tool<'a>, notes: &mut Notes) -> Result<Json<'a>, RequestError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if tool.name.is_empty() || tool.name.len() > LONGEST_NAME || !tool.name.chars().all(plain) {
        return Err(cannot(format!("the function name `{}`", short(&tool.name)), format!("tools[{}].name", tool.at)));
    }
    let mut fields = vec![("name", tool.name.into())];
    if let Some(description) = tool.description {
        fields.push(("description", description.into()));
    }
    if let Some(schema) = tool.schema {
        fields.push(("parameters", Json::Raw(schema)));
    }
    if tool.strict {
        if tool.schema.is_some_and(strict::fits) {
            fields.push(("strict", Json::Bool(true)));
        } else {
            notes.add(notes::RELAXED_STRICT);
        }
    }
    Ok(Json::Object(vec![("type", "function".into()), ("function", Json::Object(fields))]))
}

fn write_choice(choice: Choice<'_>) -> Json<'_> {
    match choice {
        Choice::Auto => "auto".into(),
        Choice::None => "none".into(),
        Choice::Any => "required".into(),
        Choice::Tool(name) => {
            Json::Object(vec![("type", "function".into()), ("function", Json::Object(vec![("name", name.into())]))])
        }
    }
}

fn write_format<'a>(format: Format<'a>, notes: &mut Notes) -> Json<'a> {
    match format {
        Format::JsonObject => Json::Object(vec![("type", "json_object".into())]),
        Format::JsonSchema { name, schema, strict } => {
            let name = name.unwrap_or(Cow::Borrowed("answer"));
            let mut spec = vec![("name", name.into()), ("schema", Json::Raw(schema))];
            if strict && strict::fits(schema) {
                spec.push(("strict", Json::Bool(true)));
            } else if strict {
                notes.add(notes::RELAXED_STRICT);
            }
            Json::Object(vec![("type", "json_schema".into()), ("json_schema", Json::Object(spec))])
        }
    }
}
