//! Reads an Anthropic Messages request, as strictly as Anthropic does, except that fields it does not know are let through.
//!
//! Version `2026-10-21` refuses exactly three things that `2023-06-01` takes (Anthropic's versioning page).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::answer::signature;
use crate::ask::{Ask, Choice, Format, Invalid, Reading, Tool};
use crate::check::{
    Checked, Object, array, flag, join, maybe, missing, name_ok, number, object, strings, text_field, whole, wrong,
};

/// The API versions that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V2023,
    V2026,
}

impl Version {
    pub(crate) fn read(header: Option<&str>) -> Checked<Self> {
        match header {
            None => Err(Invalid::new("anthropic-version", "anthropic-version: header is required")),
            Some("2023-06-01") => Ok(Self::V2023),
            Some("2026-10-21") => Ok(Self::V2026),
            Some(other) => {
                let shown: String = other.chars().take(40).collect();
                Err(Invalid::new("anthropic-version", format!("anthropic-version: \"{shown}\" is not a valid version")))
            }
        }
    }
}

/// Whether the request is to be answered, or its tokens only counted (then `max_tokens` is not needed).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Answer,
    Count,
}

pub(crate) fn read(body: &Value, version: Version, purpose: Purpose) -> Checked<Ask> {
    let body = object(body, "")?;
    let model = text_field(body, "model", "")?.to_owned();
    let max_output = whole(body, "max_tokens", 0)?;
    if max_output.is_none() && purpose == Purpose::Answer {
        return Err(Invalid::new("max_tokens", "max_tokens: Field required"));
    }
    sampling(body, version)?;
    let tools = tools(body)?;
    let choice = choice(body, &tools)?;
    let reasons = thinking(body, max_output, &choice)?;
    let mut turns = Turns {
        version,
        reading: Reading::new(),
        owed: BTreeSet::new(),
        last_user: None,
        last_result: None,
        cache_marks: 0,
    };
    turns.system(body)?;
    let messages = array(body.get("messages").ok_or_else(|| missing("messages"))?, "messages")?;
    if messages.is_empty() {
        return Err(Invalid::new("messages", "messages: at least one message is required"));
    }
    for (n, message) in messages.iter().enumerate() {
        turns.message(message, n)?;
    }
    if let Some(id) = turns.owed.first() {
        return Err(unanswered(id, messages.len()));
    }
    if turns.cache_marks > 4 {
        return Err(Invalid::new("cache_control", "A maximum of 4 blocks with cache_control may be provided."));
    }
    let marked = turns.cache_marks > 0 || maybe(body, "cache_control").is_some();
    let input_tokens = turns.reading.tokens();
    Ok(Ask {
        model,
        seed: turns.reading.seed(),
        last_user: turns.last_user,
        last_result: turns.last_result,
        images: turns.reading.images,
        input_tokens,
        cached_input: if marked { input_tokens / 2 } else { 0 },
        cache_write: if marked { input_tokens / 4 } else { 0 },
        tools,
        choice,
        parallel: !disables_parallel(body),
        format: format(body)?,
        reasons,
        stops: strings(body, "stop_sequences", 8_191)?,
        max_output,
        n: 1,
        stream: flag(body, "stream")?,
        include_usage: true,
        logprobs: false,
    })
}

struct Turns {
    version: Version,
    reading: Reading,
    /// Tool uses of the last assistant turn that no result has answered yet.
    owed: BTreeSet<String>,
    last_user: Option<String>,
    last_result: Option<String>,
    cache_marks: u64,
}

impl Turns {
    fn system(&mut self, body: &Object) -> Checked<()> {
        match maybe(body, "system") {
            None => Ok(()),
            Some(Value::String(text)) => {
                self.reading.text(text);
                Ok(())
            }
            Some(value) => {
                let mut said = String::new();
                for (n, block) in array(value, "system")?.iter().enumerate() {
                    let at = format!("system.{n}");
                    let block = object(block, &at)?;
                    if text_field(block, "type", &at)? != "text" {
                        return Err(Invalid::new(&at, format!("{at}: Input tag must be 'text'")));
                    }
                    self.mark(block);
                    said.push_str(text_field(block, "text", &at)?);
                }
                self.reading.text(&said);
                Ok(())
            }
        }
    }

    fn mark(&mut self, block: &Object) {
        self.cache_marks += u64::from(maybe(block, "cache_control").is_some());
    }

    fn message(&mut self, message: &Value, n: usize) -> Checked<()> {
        let at = format!("messages.{n}");
        let message = object(message, &at)?;
        self.reading.turn();
        let role = text_field(message, "role", &at)?;
        match role {
            "user" | "assistant" => {}
            other => {
                let shown: String = other.chars().take(40).collect();
                return Err(Invalid::new(
                    "messages",
                    format!("messages: Unexpected role \"{shown}\". Allowed roles are \"user\" or \"assistant\"."),
                ));
            }
        }
        if n == 0 && role == "assistant" {
            return Err(Invalid::new("messages", "messages: first message must use the \"user\" role"));
        }
        (self.last_user, self.last_result) = (None, None);
        let mut said = String::new();
        match message.get("content").ok_or_else(|| missing(&join(&at, "content")))? {
            Value::String(text) if !text.is_empty() => said.push_str(text),
            Value::Array(blocks) if !blocks.is_empty() => {
                for (m, block) in blocks.iter().enumerate() {
                    self.block(block, role, &format!("{at}.content.{m}"), &mut said)?;
                }
            }
            Value::String(_) | Value::Array(_) => {
                return Err(Invalid::new(&at, format!("{at}: all messages must have non-empty content")));
            }
            other => return Err(wrong(&join(&at, "content"), "a string or an array of blocks", other)),
        }
        if role == "user" {
            if let Some(id) = self.owed.first() {
                return Err(unanswered(id, n));
            }
            // A turn that brings results ends with the tools' word, not with the user's.
            self.last_user = self.last_result.is_none().then(|| said.clone());
        }
        self.reading.text(&said);
        Ok(())
    }

    fn block(&mut self, block: &Value, role: &str, at: &str, said: &mut String) -> Checked<()> {
        let block = object(block, at)?;
        self.mark(block);
        let kind = text_field(block, "type", at)?;
        match (kind, role) {
            ("text", _) => {
                let text = text_field(block, "text", at)?;
                if text.is_empty() {
                    return Err(Invalid::new(at, "messages: text content blocks must be non-empty"));
                }
                let cited = block.get("citations").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
                if cited && role == "user" && self.version == Version::V2026 {
                    return Err(Invalid::new(
                        at,
                        format!("{at}.citations: citations are not accepted on user text blocks"),
                    ));
                }
                said.push_str(text);
            }
            ("image", "user") => {
                source(block, at, &["base64", "url", "file"])?;
                self.reading.images += 1;
            }
            ("document", "assistant") if self.version == Version::V2026 => {
                return Err(Invalid::new(at, format!("{at}: document blocks are not accepted in assistant messages")));
            }
            ("document", _) => source(block, at, &["base64", "url", "file", "text", "content"])?,
            ("tool_use", "assistant") => self.tool_use(block, at)?,
            ("tool_result", "user") => self.tool_result(block, at)?,
            ("thinking", "assistant") => {
                let thought = text_field(block, "thinking", at)?;
                if text_field(block, "signature", at)? != signature(thought) {
                    return Err(Invalid::new(at, format!("{at}: Invalid `signature` in `thinking` block")));
                }
            }
            ("redacted_thinking", "assistant") => drop(text_field(block, "data", at)?),
            ("tool_use" | "tool_result" | "thinking" | "redacted_thinking" | "image", _) => {
                return Err(Invalid::new(at, format!("{at}: `{kind}` blocks are not accepted in `{role}` messages")));
            }
            (known, _)
                if known.ends_with("_tool_use") || known.ends_with("_tool_result") || known == "search_result" => {}
            (other, _) => {
                let shown: String = other.chars().take(40).collect();
                return Err(Invalid::new(
                    at,
                    format!("{at}: Input tag '{shown}' found using 'type' does not match any of the expected tags"),
                ));
            }
        }
        Ok(())
    }

    fn tool_use(&mut self, block: &Object, at: &str) -> Checked<()> {
        let id = text_field(block, "id", at)?;
        if !name_ok(id, 64) {
            return Err(Invalid::new(at, format!("{at}.id: String should match pattern '^[a-zA-Z0-9_-]+$'")));
        }
        if !name_ok(text_field(block, "name", at)?, 200) {
            return Err(Invalid::new(at, format!("{at}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,200}}$'")));
        }
        let place = join(at, "input");
        let input = object(block.get("input").ok_or_else(|| missing(&place))?, &place)?;
        self.reading.text(&Value::Object(input.clone()).to_string());
        if !self.owed.insert(id.to_owned()) {
            return Err(Invalid::new(at, "messages: `tool_use` ids must be unique"));
        }
        Ok(())
    }

    fn tool_result(&mut self, block: &Object, at: &str) -> Checked<()> {
        let id = text_field(block, "tool_use_id", at)?;
        if !self.owed.remove(id) {
            return Err(Invalid::new(
                at,
                format!(
                    "{at}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
                ),
            ));
        }
        flag(block, "is_error")?;
        let mut said = String::new();
        match maybe(block, "content") {
            None => {}
            Some(Value::String(text)) => said.push_str(text),
            Some(value) => {
                for (n, part) in array(value, at)?.iter().enumerate() {
                    let at = format!("{at}.content.{n}");
                    let part = object(part, &at)?;
                    match text_field(part, "type", &at)? {
                        "text" => said.push_str(text_field(part, "text", &at)?),
                        "image" => {
                            source(part, &at, &["base64", "url", "file"])?;
                            self.reading.images += 1;
                        }
                        "document" | "search_result" => {}
                        other => {
                            return Err(Invalid::new(
                                &at,
                                format!("{at}: Input tag '{other}' does not match any of the expected tags"),
                            ));
                        }
                    }
                }
            }
        }
        self.reading.text(&said);
        self.last_result = Some(said);
        Ok(())
    }
}

fn unanswered(id: &str, n: usize) -> Invalid {
    Invalid::new(
        "messages",
        format!(
            "messages.{n}: `tool_use` ids were found without `tool_result` blocks immediately after: {id}. Each `tool_use` \
             block must have a corresponding `tool_result` block in the next message."
        ),
    )
}

fn source(block: &Object, at: &str, kinds: &[&str]) -> Checked<()> {
    let at = join(at, "source");
    let source = object(block.get("source").ok_or_else(|| missing(&at))?, &at)?;
    let kind = text_field(source, "type", &at)?;
    if !kinds.contains(&kind) {
        return Err(Invalid::new(
            &at,
            format!("{at}: Input tag '{kind}' does not match any of the expected tags: '{}'", kinds.join("', '")),
        ));
    }
    match kind {
        "base64" => {
            text_field(source, "media_type", &at)?;
            if text_field(source, "data", &at)?.is_empty() {
                return Err(Invalid::new(&at, format!("{at}.data: must not be empty")));
            }
        }
        "url" if !text_field(source, "url", &at)?.starts_with("http") => {
            return Err(Invalid::new(&at, format!("{at}.url: Only HTTPS URLs are supported.")));
        }
        "file" => drop(text_field(source, "file_id", &at)?),
        _ => {}
    }
    Ok(())
}

fn sampling(body: &Object, version: Version) -> Checked<()> {
    for name in ["temperature", "top_p", "top_k"] {
        if version == Version::V2026 && body.contains_key(name) {
            return Err(Invalid::new(name, format!("{name}: sampling parameters are not accepted in this version")));
        }
    }
    number(body, "temperature", 0.0, 1.0)?;
    number(body, "top_p", 0.0, 1.0)?;
    whole(body, "top_k", 0)?;
    Ok(())
}

fn thinking(body: &Object, max_output: Option<u64>, choice: &Choice) -> Checked<bool> {
    let Some(thinking) = maybe(body, "thinking") else { return Ok(false) };
    let thinking = object(thinking, "thinking")?;
    let on = match text_field(thinking, "type", "thinking")? {
        "disabled" => false,
        "adaptive" | "between_tools" => true,
        "enabled" => {
            let budget = whole(thinking, "budget_tokens", 1_024)?.ok_or_else(|| missing("thinking.budget_tokens"))?;
            if max_output.is_some_and(|max| max <= budget) {
                return Err(Invalid::new("max_tokens", "`max_tokens` must be greater than `thinking.budget_tokens`."));
            }
            true
        }
        other => {
            return Err(Invalid::new(
                "thinking",
                format!("thinking: Input tag '{other}' does not match any of the expected tags"),
            ));
        }
    };
    if on && matches!(choice, Choice::Required | Choice::Named(_)) {
        return Err(Invalid::new("tool_choice", "Thinking may not be enabled when tool_choice forces tool use."));
    }
    Ok(on)
}

fn tools(body: &Object) -> Checked<Vec<Tool>> {
    let Some(list) = maybe(body, "tools") else { return Ok(Vec::new()) };
    let mut tools = Vec::new();
    for (n, tool) in array(list, "tools")?.iter().enumerate() {
        let at = format!("tools.{n}");
        let tool = object(tool, &at)?;
        let name = text_field(tool, "name", &at)?;
        // A hosted tool is named by its type, `web_search_20260209`, and has no schema of its own.
        if maybe(tool, "type").is_some_and(|kind| kind != "custom") {
            continue;
        }
        if !name_ok(name, 128) {
            return Err(Invalid::new(
                &at,
                format!("{at}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"),
            ));
        }
        let place = format!("{at}.custom.input_schema");
        let schema = object(
            tool.get("input_schema").ok_or_else(|| Invalid::new(&place, format!("{place}: Field required")))?,
            &place,
        )?;
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err(Invalid::new(&place, format!("{place}.type: Input should be 'object'")));
        }
        tools.push(Tool { name: name.to_owned(), schema: Value::Object(schema.clone()) });
    }
    Ok(tools)
}

fn choice(body: &Object, tools: &[Tool]) -> Checked<Choice> {
    let Some(choice) = maybe(body, "tool_choice") else { return Ok(Choice::Auto) };
    let choice = object(choice, "tool_choice")?;
    if maybe(body, "tools").is_none() {
        return Err(Invalid::new("tool_choice", "tool_choice: may only be specified while providing tools"));
    }
    match text_field(choice, "type", "tool_choice")? {
        "auto" => Ok(Choice::Auto),
        "any" => Ok(Choice::Required),
        "none" => Ok(Choice::None),
        "tool" => {
            let name = text_field(choice, "name", "tool_choice")?;
            if !tools.iter().any(|tool| tool.name == name) {
                return Err(Invalid::new("tool_choice", format!("Tool '{name}' not found in provided tools")));
            }
            Ok(Choice::Named(name.to_owned()))
        }
        other => Err(Invalid::new(
            "tool_choice",
            format!("tool_choice: Input tag '{other}' does not match any of the expected tags"),
        )),
    }
}

fn disables_parallel(body: &Object) -> bool {
    let choice = body.get("tool_choice").and_then(Value::as_object);
    choice.and_then(|choice| choice.get("disable_parallel_tool_use")).and_then(Value::as_bool).unwrap_or(false)
}

fn format(body: &Object) -> Checked<Format> {
    let Some(config) = maybe(body, "output_config") else { return Ok(Format::Text) };
    let Some(format) = maybe(object(config, "output_config")?, "format") else { return Ok(Format::Text) };
    let at = "output_config.format";
    let format = object(format, at)?;
    match text_field(format, "type", at)? {
        "json_schema" => {
            let schema = format.get("schema").ok_or_else(|| missing("output_config.format.schema"))?;
            Ok(Format::Schema(Value::Object(object(schema, "output_config.format.schema")?.clone())))
        }
        other => Err(Invalid::new(
            at,
            format!("{at}: Input tag '{other}' does not match any of the expected tags: 'json_schema'"),
        )),
    }
}
