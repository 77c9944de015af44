//! Requests, written for Anthropic's Messages API.
//!
//! Its models differ in what they refuse (sampling, fixed thinking budgets, forced tools, prefill), so the target's
//! capabilities decide. What would be a 400 there is left out with a note where the answer stays what was asked for, and
//! makes the deployment ineligible where it would not.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::conversation::{
    Choice, Content, Conversation, Document, DocumentBody, Format, Media, Part, Place, Role, Tool, Turn, merge,
};
use super::json::{Json, Object};
use super::notes::{self, Notes};
use super::thinking::{self, Plan};
use super::{AnthropicVersion, RequestError, Target, cannot, ids, short};
use crate::Dialect;

/// What `max_tokens` is, at most, where the client set no limit.
const DEFAULT_MAX_OUTPUT: u64 = 8_192;
/// What opens a conversation that the client did not open.
const OPENING: &str = "Begin.";
/// What stands in for `response_format: json_object`.
const JSON_INSTRUCTION: &str = "Answer with one valid JSON object and nothing else: no prose, no code fence.";

/// Writes the body.
pub(super) fn write(
    mut conversation: Conversation<'_>,
    to: &Target<'_>,
    notes: &mut Notes,
) -> Result<Vec<u8>, RequestError> {
    if conversation.stop.iter().any(|stop| stop.trim().is_empty()) {
        return Err(cannot("a stop sequence of white space alone", "stop"));
    }
    let (mut system, turns) = fold_system(std::mem::take(&mut conversation.turns), notes);
    if matches!(conversation.format, Some(Format::JsonObject)) {
        notes.add(notes::INSTRUCTED_JSON);
        system.push(text_block(JSON_INSTRUCTION.into()));
    }
    let turns = settle_turns(turns, notes);
    let max_output = max_output(conversation.max_output, to, notes);
    let plan = Plan::of(&conversation, &turns, max_output, to, notes);

    let mut body = vec![("model", to.model.into()), ("max_tokens", Json::Count(max_output))];
    if !system.is_empty() {
        body.push(("system", Json::Array(system)));
    }
    body.push(("messages", write_turns(turns, notes)?));
    if !conversation.tools.is_empty() {
        let tools = std::mem::take(&mut conversation.tools);
        body.push(("tools", Json::Array(tools.into_iter().map(|tool| write_tool(tool, to, notes)).collect())));
        write_choice(&conversation, &mut body);
    }
    write_thinking(plan, &conversation, &mut body);
    write_sampling(&conversation, plan, to, &mut body, notes);
    if !conversation.stop.is_empty() {
        body.push(("stop_sequences", Json::Array(conversation.stop.into_iter().map(Json::from).collect())));
    }
    match conversation.user {
        // The longest `metadata.user_id` that the API's schema takes.
        Some(user) if user.chars().count() <= 256 => {
            body.push(("metadata", Json::Object(vec![("user_id", user.into())])));
        }
        Some(_) => notes.add(notes::USER),
        None => {}
    }
    if conversation.stream {
        body.push(("stream", Json::Bool(true)));
    }
    Ok(Json::Object(body).to_bytes())
}

/// System turns, wherever they stand, become the one at the top, in their order.
fn fold_system<'a>(turns: Vec<Turn<'a>>, notes: &mut Notes) -> (Vec<Json<'a>>, Vec<Turn<'a>>) {
    let (mut system, mut rest) = (Vec::new(), Vec::with_capacity(turns.len()));
    for turn in turns {
        if turn.role != Role::System {
            rest.push(turn);
            continue;
        }
        if !rest.is_empty() {
            notes.add(notes::MOVED_SYSTEM);
        }
        for part in turn.parts {
            if let Content::Text(text) = part.content
                && !text.trim().is_empty()
            {
                system.push(text_block(text));
            }
        }
    }
    (system, rest)
}

/// Brings the turns into the order that the API asks for: not empty, roles in alternation, the user's first.
fn settle_turns<'a>(mut turns: Vec<Turn<'a>>, notes: &mut Notes) -> Vec<Turn<'a>> {
    for turn in &mut turns {
        // Blank text blocks are refused; they say nothing.
        turn.parts.retain(|part| !matches!(&part.content, Content::Text(text) if text.trim().is_empty()));
    }
    turns.retain(|turn| !turn.parts.is_empty());
    let mut turns = merge(turns);
    if turns.first().is_none_or(|turn| turn.role == Role::Assistant) {
        notes.add(notes::INSERTED_USER);
        let parts = vec![Part { at: Place::Message(0), content: Content::Text(OPENING.into()) }];
        turns.insert(0, Turn { role: Role::User, parts });
    }
    if let Some(Turn { role: Role::Assistant, parts }) = turns.last_mut()
        && let Some(Part { content: Content::Text(text), .. }) = parts.last_mut()
    {
        // A prefill that ends in white space is refused.
        *text = Cow::Owned(text.trim_end().to_owned());
    }
    turns
}

fn max_output(asked: Option<u64>, to: &Target<'_>, notes: &mut Notes) -> u64 {
    match (asked, to.max_output) {
        (Some(asked), Some(most)) if asked > most => {
            notes.add(notes::CLAMPED_MAX);
            most
        }
        (Some(asked), _) => asked,
        (None, most) => most.unwrap_or(DEFAULT_MAX_OUTPUT).min(DEFAULT_MAX_OUTPUT),
    }
}

fn write_turns<'a>(turns: Vec<Turn<'a>>, notes: &mut Notes) -> Result<Json<'a>, RequestError> {
    let mut messages = Vec::with_capacity(turns.len());
    for turn in turns {
        let role = if turn.role == Role::Assistant { "assistant" } else { "user" };
        // Results stand first in a user turn, or the API does not find them.
        let (results, others): (Vec<_>, Vec<_>) =
            turn.parts.into_iter().partition(|part| matches!(part.content, Content::Result(_)));
        let parts = results.into_iter().chain(others);
        let blocks: Result<Vec<_>, _> = parts.map(|part| write_part(part, notes)).collect();
        messages.push(Json::Object(vec![("role", role.into()), ("content", Json::Array(blocks?))]));
    }
    Ok(Json::Array(messages))
}

fn write_part<'a>(part: Part<'a>, notes: &mut Notes) -> Result<Json<'a>, RequestError> {
    let at = part.at;
    Ok(match part.content {
        Content::Text(text) => text_block(text),
        Content::Image(Media::Url(url)) => block("image", [("type", "url".into()), ("url", url.into())]),
        Content::Image(Media::Base64 { media_type, data }) => {
            if !["image/jpeg", "image/png", "image/gif", "image/webp"].contains(&media_type.as_ref()) {
                return Err(cannot(format!("an image of type `{}`", short(&media_type)), at));
            }
            base64_block("image", media_type, data)
        }
        Content::Document(document) => write_document(document),
        Content::Call(call) => {
            let (input, wrapped) = call.arguments.into_object();
            if wrapped {
                notes.add(notes::WRAPPED_ARGUMENTS);
            }
            Json::Object(vec![
                ("type", "tool_use".into()),
                ("id", ids::call_id(Dialect::Anthropic, call.id).into()),
                ("name", call.name.into()),
                ("input", input),
            ])
        }
        Content::Result(result) => {
            let id = ids::call_id(Dialect::Anthropic, result.call);
            let mut fields = vec![("type", "tool_result".into()), ("tool_use_id", id.into())];
            let blank = |part: &Part<'_>| matches!(&part.content, Content::Text(text) if text.trim().is_empty());
            let parts = result.parts.into_iter().filter(|part| !blank(part));
            let blocks: Result<Vec<_>, _> = parts.map(|part| write_part(part, notes)).collect();
            let blocks = blocks?;
            if !blocks.is_empty() {
                fields.push(("content", Json::Array(blocks)));
            }
            if result.is_error {
                fields.push(("is_error", Json::Bool(true)));
            }
            Json::Object(fields)
        }
    })
}

fn text_block(text: Cow<'_, str>) -> Json<'_> {
    Json::Object(vec![("type", "text".into()), ("text", text.into())])
}

fn block<'a>(kind: &'static str, source: [(&'static str, Json<'a>); 2]) -> Json<'a> {
    Json::Object(vec![("type", kind.into()), ("source", Json::Object(source.into()))])
}

fn base64_block<'a>(kind: &'static str, media_type: Cow<'a, str>, data: Cow<'a, str>) -> Json<'a> {
    let source = vec![("type", "base64".into()), ("media_type", media_type.into()), ("data", data.into())];
    Json::Object(vec![("type", kind.into()), ("source", Json::Object(source))])
}

fn write_document(document: Document<'_>) -> Json<'_> {
    let mut written = match document.body {
        DocumentBody::Pdf(data) => base64_block("document", "application/pdf".into(), data),
        DocumentBody::Url(url) => block("document", [("type", "url".into()), ("url", url.into())]),
        DocumentBody::Text(text) => Json::Object(vec![
            ("type", "document".into()),
            (
                "source",
                Json::Object(vec![("type", "text".into()), ("media_type", "text/plain".into()), ("data", text.into())]),
            ),
        ]),
    };
    if let (Some(title), Json::Object(fields)) = (document.title, &mut written) {
        fields.push(("title", title.into()));
    }
    written
}

fn write_tool<'a>(tool: Tool<'a>, to: &Target<'_>, notes: &mut Notes) -> Json<'a> {
    let mut fields = vec![("name", tool.name.into())];
    if let Some(description) = tool.description {
        fields.push(("description", description.into()));
    }
    fields.push(("input_schema", tool.schema.map_or_else(empty_schema, object_schema)));
    if tool.strict {
        if to.capabilities.json_schema == Some(false) {
            notes.add(notes::STRICT);
        } else {
            fields.push(("strict", Json::Bool(true)));
        }
    }
    Json::Object(fields)
}

fn empty_schema<'a>() -> Json<'a> {
    Json::Object(vec![("type", "object".into()), ("properties", Json::Object(Vec::new()))])
}

/// A schema that says `type`, which the API asks of a tool's.
fn object_schema(raw: &RawValue) -> Json<'_> {
    let Some(schema) = Object::read(raw) else { return empty_schema() };
    if schema.get("type").is_some() {
        return Json::Raw(raw);
    }
    let Some(rest) = raw.get().strip_prefix('{') else { return empty_schema() };
    let comma = if schema.iter().next().is_some() { "," } else { "" };
    RawValue::from_string(format!(r#"{{"type":"object"{comma}{rest}"#)).map_or_else(|_| empty_schema(), Json::Made)
}

fn write_choice<'a>(conversation: &Conversation<'a>, body: &mut Vec<(&'static str, Json<'a>)>) {
    let mut fields = match &conversation.choice {
        None | Some(Choice::Auto) if !conversation.one_call => return,
        None | Some(Choice::Auto) => vec![("type", Json::from("auto"))],
        Some(Choice::None) => vec![("type", "none".into())],
        Some(Choice::Any) => vec![("type", "any".into())],
        Some(Choice::Tool(name)) => vec![("type", "tool".into()), ("name", name.clone().into())],
    };
    if conversation.one_call && !matches!(conversation.choice, Some(Choice::None)) {
        fields.push(("disable_parallel_tool_use", Json::Bool(true)));
    }
    body.push(("tool_choice", Json::Object(fields)));
}

/// `thinking` and `output_config`.
fn write_thinking<'a>(plan: Plan, conversation: &Conversation<'a>, body: &mut Vec<(&'static str, Json<'a>)>) {
    let mut config = Vec::new();
    let thinking = match plan {
        Plan::Unsaid => None,
        Plan::Disabled => Some(vec![("type", Json::from("disabled"))]),
        Plan::Budget(tokens) => Some(vec![("type", "enabled".into()), ("budget_tokens", Json::Count(tokens))]),
        Plan::Adaptive(effort) => {
            config.extend(effort.map(|effort| ("effort", Json::from(thinking::anthropic_word(effort)))));
            Some(vec![("type", "adaptive".into())])
        }
    };
    if let Some(thinking) = thinking {
        body.push(("thinking", Json::Object(thinking)));
    }
    if let Some(Format::JsonSchema { schema, .. }) = &conversation.format {
        config.push(("format", Json::Object(vec![("type", "json_schema".into()), ("schema", Json::Raw(schema))])));
    }
    if !config.is_empty() {
        body.push(("output_config", Json::Object(config)));
    }
}

fn write_sampling<'a>(
    conversation: &Conversation<'a>,
    plan: Plan,
    to: &Target<'_>,
    body: &mut Vec<(&'static str, Json<'a>)>,
    notes: &mut Notes,
) {
    let refused = to.capabilities.sampling == Some(false)
        || to.anthropic_version == AnthropicVersion::V2026_10_21
        || matches!(plan, Plan::Budget(_) | Plan::Adaptive(_));
    let temperature = conversation.temperature;
    match temperature {
        Some(value) if refused && value != 1.0 => notes.add(notes::TEMPERATURE),
        Some(value) if !refused => {
            if !(0.0..=1.0).contains(&value) {
                notes.add(notes::CLAMPED_TEMPERATURE);
            }
            body.push(("temperature", Json::Number(value.clamp(0.0, 1.0))));
        }
        _ => {}
    }
    match conversation.top_p {
        // Of temperature and top_p recent models take one.
        Some(value) if (refused || temperature.is_some()) && value != 1.0 => notes.add(notes::TOP_P),
        Some(value) if !refused && temperature.is_none() => body.push(("top_p", Json::Number(value))),
        _ => {}
    }
    match conversation.top_k {
        Some(_) if refused => notes.add(notes::TOP_K),
        Some(value) => body.push(("top_k", Json::Count(value))),
        None => {}
    }
}
