//! Anthropic Messages requests, read.
//!
//! Thinking blocks are signed by the provider and bound to what came before them, so they never cross: they are left out
//! with a note, as are the hosted tools and their blocks. A stored file or a container belongs to one account, and what
//! needs it cannot be asked elsewhere.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::conversation::{
    Arguments, Call, Choice, Content, Conversation, Document, DocumentBody, Effort, Format, Media, Part, Place, Role,
    Thinking, Tool, ToolResult, Turn,
};
use super::json::{self, Object};
use super::notes::{self, Notes};
use super::{RequestError, bad, cannot, short};

/// How deep blocks may nest: a tool's result holds a document, which holds text. Deeper would only cost the stack.
const DEEPEST: u8 = 3;

/// Reads a request body.
pub(super) fn read<'a>(body: &Object<'a>, notes: &mut Notes) -> Result<Conversation<'a>, RequestError> {
    let mut conversation = Conversation::default();
    let mut effort = None;
    for (name, raw) in body.iter() {
        match name {
            "model" | "anthropic_version" | "anthropic_beta" | "messages" | "system" => {}
            "tools" => conversation.tools = read_tools(raw, notes)?,
            "tool_choice" => (conversation.choice, conversation.one_call) = read_choice(raw)?,
            "output_config" => {
                let config = Object::read(raw).ok_or_else(|| bad("`output_config` must be an object", name))?;
                effort = config.text("effort").and_then(|word| Effort::of(&word)).map(Thinking::Effort);
                if let Some(format) = config.get("format") {
                    conversation.format = Some(read_format(format, "output_config.format")?);
                }
            }
            "output_format" => conversation.format = Some(read_format(raw, name)?),
            "max_tokens" => conversation.max_output = Some(super::whole(raw, name)?),
            "temperature" => conversation.temperature = Some(super::real(raw, name)?),
            "top_p" => conversation.top_p = Some(super::real(raw, name)?),
            "top_k" => conversation.top_k = Some(super::whole(raw, name)?),
            "stop_sequences" => conversation.stop = super::stop_words(raw, name)?,
            "thinking" => conversation.thinking = read_thinking(raw)?,
            "metadata" => {
                let metadata = Object::read(raw).unwrap_or_default();
                conversation.user = metadata.text("user_id");
                if metadata.iter().any(|(key, _)| key != "user_id") {
                    notes.add_named(notes::DROPPED_FIELD, name);
                }
            }
            "stream" => conversation.stream = raw.get() == "true",
            _ => only_here(name, raw, notes)?,
        }
    }
    if conversation.max_output == Some(0) {
        return Err(cannot("a call that only warms the prompt cache", "max_tokens"));
    }
    if let Some(effort) = effort
        && conversation.thinking != Some(Thinking::Off)
    {
        conversation.thinking = Some(effort);
    }
    let parts = read_content(body.get("system"), Place::System, 0, notes)?;
    if !parts.is_empty() {
        conversation.turns.push(Turn { role: Role::System, parts });
    }
    read_messages(body, &mut conversation.turns, notes)?;
    Ok(conversation)
}

/// What no other dialect has: an error if it changes what is asked, nothing if it is a default, else a note.
fn only_here(name: &str, raw: &RawValue, notes: &mut Notes) -> Result<(), RequestError> {
    match (name, raw.get()) {
        (_, "false" | "[]" | "{}")
        | ("service_tier", r#""auto""#)
        | ("speed", r#""standard""#)
        | ("inference_geo", r#""global""#) => {}
        ("container", _) => return Err(cannot("a container of another provider", name)),
        ("inference_geo", _) => return Err(cannot("a place of processing", name)),
        _ => notes.add_named(notes::DROPPED_FIELD, name),
    }
    Ok(())
}

fn read_messages<'a>(body: &Object<'a>, turns: &mut Vec<Turn<'a>>, notes: &mut Notes) -> Result<(), RequestError> {
    let raw = body.get("messages").ok_or_else(|| bad("`messages` is missing", "messages"))?;
    let messages = json::array(raw).ok_or_else(|| bad("`messages` must be a list", "messages"))?;
    if messages.is_empty() {
        return Err(bad("`messages` must not be empty", "messages"));
    }
    for (i, raw) in messages.into_iter().enumerate() {
        let at = Place::Message(i);
        let message = Object::read(raw).ok_or_else(|| bad("a message must be an object", at))?;
        let role = match message.text("role").as_deref() {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("system") => Role::System,
            Some(other) => return Err(cannot(format!("the role `{}`", short(other)), at)),
            None => return Err(bad("a message needs a `role`", at)),
        };
        turns.push(Turn { role, parts: read_content(message.get("content"), at, 0, notes)? });
    }
    Ok(())
}

/// A `content` or `system`: a string, blocks, or nothing. What is not carried over leaves no part.
fn read_content<'a>(
    raw: Option<&'a RawValue>,
    at: Place,
    depth: u8,
    notes: &mut Notes,
) -> Result<Vec<Part<'a>>, RequestError> {
    let Some(raw) = raw else { return Ok(Vec::new()) };
    if let Some(text) = json::text(raw) {
        return Ok(vec![Part { at, content: Content::Text(text) }]);
    }
    if depth > DEEPEST {
        return Err(bad("content nests too deeply", at));
    }
    let blocks = json::array(raw).ok_or_else(|| bad("content must be a string or a list of blocks", at))?;
    let mut parts = Vec::with_capacity(blocks.len());
    for (j, raw) in blocks.into_iter().enumerate() {
        let at = if let Place::Message(i) = at { Place::Part(i, j) } else { at };
        let block = Object::read(raw).ok_or_else(|| bad("a content block must be an object", at))?;
        if block.get("cache_control").is_some() {
            notes.add(notes::CACHE_CONTROL);
        }
        if let Some(content) = read_block(&block, at, depth + 1, notes)? {
            parts.push(Part { at, content });
        }
    }
    Ok(parts)
}

fn read_block<'a>(
    block: &Object<'a>,
    at: Place,
    depth: u8,
    notes: &mut Notes,
) -> Result<Option<Content<'a>>, RequestError> {
    let kind = block.text("type").ok_or_else(|| bad("a content block needs a `type`", at))?;
    let needed = |name: &str| block.text(name).ok_or_else(|| bad(format!("a {kind} block needs `{name}`"), at));
    Ok(Some(match kind.as_ref() {
        "text" => {
            if block.get("citations").is_some_and(|citations| citations.get() != "[]") {
                notes.add(notes::CITATIONS);
            }
            Content::Text(needed("text")?)
        }
        "image" => Content::Image(read_image(block, at)?),
        "document" => read_document(block, at, depth, notes)?,
        "search_result" => {
            notes.add(notes::INLINED_SEARCH_RESULT);
            let found = read_content(block.get("content"), at, depth, notes)?;
            Content::Text(inline(&[block.text("title"), block.text("source")], &found).into())
        }
        "tool_use" => {
            let arguments = match block.get("input") {
                Some(raw) if raw.get().starts_with('{') => Arguments::Object(raw),
                Some(_) => return Err(bad("a tool's `input` must be an object", at)),
                None => Arguments::Text(Cow::Borrowed("{}")),
            };
            Content::Call(Call { id: needed("id")?, name: needed("name")?, arguments })
        }
        "tool_result" => Content::Result(ToolResult {
            call: needed("tool_use_id")?,
            parts: read_content(block.get("content"), at, depth, notes)?,
            is_error: block.is_true("is_error"),
        }),
        "thinking" | "redacted_thinking" => {
            notes.add(notes::REASONING);
            return Ok(None);
        }
        "container_upload" => return Err(cannot("a file in another provider's container", at)),
        other => {
            notes.add_named(notes::DROPPED_BLOCK, other);
            return Ok(None);
        }
    }))
}

fn read_image<'a>(block: &Object<'a>, at: Place) -> Result<Media<'a>, RequestError> {
    let source = block.object("source").ok_or_else(|| bad("an image block needs a `source`", at))?;
    match source.text("type").as_deref() {
        Some("url") => source.text("url").map(Media::Url).ok_or_else(|| bad("a URL source needs `url`", at)),
        Some("base64") => source
            .text("media_type")
            .zip(source.text("data"))
            .map(|(media_type, data)| Media::Base64 { media_type, data })
            .ok_or_else(|| bad("a base64 source needs `media_type` and `data`", at)),
        Some("file") => Err(cannot("a file that another provider stores", at)),
        _ => Err(cannot("an image from an unknown kind of source", at)),
    }
}

/// A PDF stays a document; one of text becomes text, since Chat Completions takes no other files.
fn read_document<'a>(block: &Object<'a>, at: Place, depth: u8, notes: &mut Notes) -> Result<Content<'a>, RequestError> {
    if block.object("citations").is_some_and(|citations| citations.is_true("enabled")) {
        notes.add(notes::CITATIONS);
    }
    let source = block.object("source").ok_or_else(|| bad("a document block needs a `source`", at))?;
    let data = || source.text("data").ok_or_else(|| bad("the document's source needs `data`", at));
    let title = block.text("title");
    let body = match source.text("type").as_deref() {
        Some("base64") => DocumentBody::Pdf(data()?),
        Some("url") => {
            DocumentBody::Url(source.text("url").ok_or_else(|| bad("the document's source needs `url`", at))?)
        }
        Some("text") => DocumentBody::Text(data()?),
        Some("content") => {
            let parts = read_content(source.get("content"), at, depth, notes)?;
            if parts.iter().any(|part| !matches!(part.content, Content::Text(_))) {
                return Err(cannot("a document with images among its content", at));
            }
            DocumentBody::Text(inline(&[], &parts).into())
        }
        Some("file") => return Err(cannot("a file that another provider stores", at)),
        _ => return Err(cannot("a document from an unknown kind of source", at)),
    };
    if block.get("context").is_some() {
        notes.add(notes::DOCUMENT_CONTEXT);
    }
    Ok(Content::Document(Document { body, title }))
}

/// One text of heads and parts, a blank line between.
fn inline(heads: &[Option<Cow<'_, str>>], parts: &[Part<'_>]) -> String {
    let heads = heads.iter().flatten().map(AsRef::as_ref);
    let texts = parts.iter().filter_map(|part| match &part.content {
        Content::Text(text) => Some(text.as_ref()),
        _ => None,
    });
    heads.chain(texts).collect::<Vec<_>>().join("\n\n")
}

fn read_tools<'a>(raw: &'a RawValue, notes: &mut Notes) -> Result<Vec<Tool<'a>>, RequestError> {
    let mut tools = Vec::new();
    for (i, raw) in json::array(raw).ok_or_else(|| bad("`tools` must be a list", "tools"))?.into_iter().enumerate() {
        let at = || format!("tools[{i}]");
        let tool = Object::read(raw).ok_or_else(|| bad("a tool must be an object", at()))?;
        match tool.text("type") {
            Some(kind) if kind != "custom" => {
                notes.add_named(notes::DROPPED_TOOL, &kind);
                continue;
            }
            _ => {}
        }
        if tool.get("cache_control").is_some() {
            notes.add(notes::CACHE_CONTROL);
        }
        tools.push(Tool {
            name: tool.text("name").ok_or_else(|| bad("a tool needs a `name`", at()))?,
            description: tool.text("description"),
            schema: tool.get("input_schema"),
            strict: tool.is_true("strict"),
            at: i,
        });
    }
    Ok(tools)
}

fn read_choice(raw: &RawValue) -> Result<(Option<Choice<'_>>, bool), RequestError> {
    let unknown = || bad("an unknown `tool_choice`", "tool_choice");
    let choice = Object::read(raw).ok_or_else(unknown)?;
    let read = match choice.text("type").as_deref() {
        Some("auto") => Choice::Auto,
        Some("none") => Choice::None,
        Some("any") => Choice::Any,
        Some("tool") => Choice::Tool(choice.text("name").ok_or_else(unknown)?),
        _ => return Err(unknown()),
    };
    Ok((Some(read), choice.is_true("disable_parallel_tool_use")))
}

fn read_format<'a>(raw: &'a RawValue, name: &str) -> Result<Format<'a>, RequestError> {
    let format = Object::read(raw).ok_or_else(|| bad("the answer's format must be an object", name))?;
    match format.text("type").as_deref() {
        Some("json_schema") => {
            let schema = format.get("schema").ok_or_else(|| bad("the answer's format needs a `schema`", name))?;
            Ok(Format::JsonSchema { name: None, schema, strict: true })
        }
        Some(other) => Err(cannot(format!("the answer format `{}`", short(other)), name)),
        None => Err(bad("the answer's format needs a `type`", name)),
    }
}

fn read_thinking(raw: &RawValue) -> Result<Option<Thinking>, RequestError> {
    let thinking = Object::read(raw).ok_or_else(|| bad("`thinking` must be an object", "thinking"))?;
    Ok(match thinking.text("type").as_deref() {
        Some("disabled") => Some(Thinking::Off),
        Some("enabled") => {
            Some(thinking.get("budget_tokens").and_then(json::count).map_or(Thinking::Adaptive, Thinking::Budget))
        }
        Some(_) => Some(Thinking::Adaptive),
        None => return Err(bad("`thinking` needs a `type`", "thinking")),
    })
}
