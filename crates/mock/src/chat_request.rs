//! Reads a Chat Completions request, as strictly as OpenAI does, except that fields it does not know are let through.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::ask::{Ask, Choice, Format, Invalid, Reading, Tool};
use crate::check::{
    Checked, Object, array, flag, join, maybe, missing, name_ok, number, object, strings, text, text_field, whole,
    wrong,
};

pub(crate) fn read(body: &Value) -> Checked<Ask> {
    let body = object(body, "")?;
    let model = text_field(body, "model", "")?.to_owned();
    let messages = array(body.get("messages").ok_or_else(|| missing("messages"))?, "messages")?;
    if messages.is_empty() {
        return Err(Invalid::new(
            "messages",
            "Invalid 'messages': empty array. Expected an array with minimum length 1.",
        ));
    }
    let mut turns = Turns { reading: Reading::new(), owed: BTreeSet::new(), last_user: None, last_result: None };
    for (n, message) in messages.iter().enumerate() {
        turns.message(message, &format!("messages[{n}]"))?;
    }
    turns.settled("messages")?;
    sampling(body)?;
    let stream = flag(body, "stream")?;
    let include_usage = stream_options(body, stream)?;
    let tools = tools(body)?;
    let choice = choice(body, &tools)?;
    let max_output = match (whole(body, "max_tokens", 1)?, whole(body, "max_completion_tokens", 1)?) {
        (Some(_), Some(_)) => {
            let message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.";
            return Err(Invalid::new("max_tokens", message));
        }
        (old, new) => new.or(old),
    };
    let input_tokens = turns.reading.tokens();
    let hinted = maybe(body, "prompt_cache_key").is_some();
    let effort = maybe(body, "reasoning_effort").map(|value| text(value, "reasoning_effort")).transpose()?;
    Ok(Ask {
        model,
        seed: turns.reading.seed(),
        last_user: turns.last_user,
        last_result: turns.last_result,
        images: turns.reading.images,
        input_tokens,
        // Prefixes of 1,024 tokens and more are cached in steps of 128; a cache key stands for a prefix that was seen before.
        cached_input: if hinted || input_tokens >= 1_024 { input_tokens / 2 } else { 0 },
        cache_write: 0,
        tools,
        choice,
        parallel: maybe(body, "parallel_tool_calls").and_then(Value::as_bool).unwrap_or(true),
        format: format(body)?,
        reasons: effort.is_some_and(|effort| effort != "none"),
        stops: strings(body, "stop", 4)?,
        max_output,
        n: whole(body, "n", 1)?.unwrap_or(1),
        stream,
        include_usage,
        logprobs: flag(body, "logprobs")?,
    })
}

struct Turns {
    reading: Reading,
    /// Calls that no tool message has answered yet.
    owed: BTreeSet<String>,
    last_user: Option<String>,
    last_result: Option<String>,
}

impl Turns {
    fn message(&mut self, message: &Value, at: &str) -> Checked<()> {
        let message = object(message, at)?;
        self.reading.turn();
        let role = text_field(message, "role", at)?;
        if role != "tool" {
            self.settled(at)?;
            (self.last_user, self.last_result) = (None, None);
        }
        match role {
            "system" | "developer" => drop(self.content(message, at, &["text"])?),
            "user" => {
                self.last_user = Some(self.content(message, at, &["text", "image_url", "input_audio", "file"])?)
            }
            "assistant" => self.assistant(message, at)?,
            "tool" => {
                let id = text_field(message, "tool_call_id", at)?;
                if !self.owed.remove(id) {
                    return Err(Invalid::new(
                        join(at, "role"),
                        "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
                    ));
                }
                self.last_result = Some(self.content(message, at, &["text"])?);
                self.last_user = None;
            }
            other => {
                let message = format!(
                    "Invalid value: '{other}'. Supported values are: 'system', 'assistant', 'user', 'developer', and 'tool'."
                );
                return Err(Invalid::new(join(at, "role"), message).code("invalid_value"));
            }
        }
        Ok(())
    }

    fn settled(&self, at: &str) -> Checked<()> {
        let Some(id) = self.owed.first() else { return Ok(()) };
        Err(Invalid::new(
            at,
            format!(
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each \
                 'tool_call_id'. The following tool_call_ids did not have response messages: {id}"
            ),
        ))
    }

    fn assistant(&mut self, message: &Object, at: &str) -> Checked<()> {
        let calls = maybe(message, "tool_calls");
        if maybe(message, "content").is_some() {
            self.content(message, at, &["text", "refusal"])?;
        } else if calls.is_none() && maybe(message, "refusal").is_none() && maybe(message, "audio").is_none() {
            return Err(Invalid::new(
                join(at, "content"),
                format!("Invalid value for '{at}.content': expected a string, got null."),
            ));
        }
        let Some(calls) = calls else { return Ok(()) };
        let place = join(at, "tool_calls");
        let calls = array(calls, &place)?;
        if calls.is_empty() {
            return Err(Invalid::new(&place, format!("Invalid '{place}': empty array.")));
        }
        for (n, call) in calls.iter().enumerate() {
            let at = format!("{place}[{n}]");
            let call = object(call, &at)?;
            let id = text_field(call, "id", &at)?;
            if text_field(call, "type", &at)? == "function" {
                let at = join(&at, "function");
                let function = object(call.get("function").ok_or_else(|| missing(&at))?, &at)?;
                text_field(function, "name", &at)?;
                self.reading.text(text_field(function, "arguments", &at)?);
            }
            if !self.owed.insert(id.to_owned()) {
                return Err(Invalid::new(join(&at, "id"), format!("Duplicate tool call id '{id}'.")));
            }
        }
        Ok(())
    }

    /// Reads a message's content and gives its text.
    fn content(&mut self, message: &Object, at: &str, allowed: &[&str]) -> Checked<String> {
        let at = join(at, "content");
        let mut said = String::new();
        match message.get("content").ok_or_else(|| missing(&at))? {
            Value::String(whole) => said.push_str(whole),
            Value::Array(parts) if !parts.is_empty() => {
                for (n, part) in parts.iter().enumerate() {
                    let at = format!("{at}[{n}]");
                    let part = object(part, &at)?;
                    let kind = text_field(part, "type", &at)?;
                    if !allowed.contains(&kind) {
                        let message =
                            format!("Invalid value: '{kind}'. Supported values are: '{}'.", allowed.join("', '"));
                        return Err(Invalid::new(join(&at, "type"), message).code("invalid_value"));
                    }
                    match kind {
                        "text" => said.push_str(text_field(part, "text", &at)?),
                        "refusal" => said.push_str(text_field(part, "refusal", &at)?),
                        "image_url" => {
                            image(part, &at)?;
                            self.reading.images += 1;
                        }
                        other => drop(object(part.get(other).ok_or_else(|| missing(&join(&at, other)))?, &at)?),
                    }
                }
            }
            other => return Err(wrong(&at, "a string or an array of objects", other)),
        }
        self.reading.text(&said);
        Ok(said)
    }
}

fn image(part: &Object, at: &str) -> Checked<()> {
    let at = join(at, "image_url");
    let image = object(part.get("image_url").ok_or_else(|| missing(&at))?, &at)?;
    let url = text_field(image, "url", &at)?;
    let good = url.starts_with("https://")
        || url.starts_with("http://")
        || (url.starts_with("data:image/") && url.split_once(";base64,").is_some_and(|(_, data)| !data.is_empty()));
    if good { Ok(()) } else { Err(Invalid::new(join(&at, "url"), "Invalid image URL.").code("invalid_image_url")) }
}

fn sampling(body: &Object) -> Checked<()> {
    number(body, "temperature", 0.0, 2.0)?;
    number(body, "top_p", 0.0, 1.0)?;
    number(body, "presence_penalty", -2.0, 2.0)?;
    number(body, "frequency_penalty", -2.0, 2.0)?;
    if whole(body, "n", 1)?.is_some_and(|n| n > 128) {
        return Err(Invalid::new("n", "Invalid 'n': integer above maximum value. Expected a value <= 128."));
    }
    if whole(body, "top_logprobs", 0)?.is_some() && !flag(body, "logprobs")? {
        return Err(Invalid::new("top_logprobs", "'logprobs' must be true when 'top_logprobs' is used."));
    }
    Ok(())
}

fn stream_options(body: &Object, stream: bool) -> Checked<bool> {
    let Some(options) = maybe(body, "stream_options") else { return Ok(false) };
    if !stream {
        return Err(Invalid::new(
            "stream_options",
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        ));
    }
    flag(object(options, "stream_options")?, "include_usage")
}

fn tools(body: &Object) -> Checked<Vec<Tool>> {
    let Some(list) = maybe(body, "tools") else { return Ok(Vec::new()) };
    let list = array(list, "tools")?;
    if list.is_empty() {
        return Err(Invalid::new("tools", "Invalid 'tools': empty array. Expected an array with minimum length 1."));
    }
    let mut tools = Vec::new();
    for (n, tool) in list.iter().enumerate() {
        let at = format!("tools[{n}]");
        let tool = object(tool, &at)?;
        if text_field(tool, "type", &at)? != "function" {
            continue;
        }
        let at = join(&at, "function");
        let function = object(tool.get("function").ok_or_else(|| missing(&at))?, &at)?;
        let name = text_field(function, "name", &at)?;
        if !name_ok(name, 64) {
            let message = format!("Invalid '{at}.name': string does not match pattern '^[a-zA-Z0-9_-]+$'.");
            return Err(Invalid::new(join(&at, "name"), message).code("invalid_value"));
        }
        let schema = match maybe(function, "parameters") {
            Some(schema) => Value::Object(object(schema, &join(&at, "parameters"))?.clone()),
            None => Value::Object(Object::new()),
        };
        tools.push(Tool { name: name.to_owned(), schema });
    }
    Ok(tools)
}

fn choice(body: &Object, tools: &[Tool]) -> Checked<Choice> {
    let Some(choice) = maybe(body, "tool_choice") else { return Ok(Choice::Auto) };
    if maybe(body, "tools").is_none() {
        return Err(Invalid::new(
            "tool_choice",
            "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
        ));
    }
    match choice {
        Value::String(word) => match word.as_str() {
            "none" => Ok(Choice::None),
            "auto" => Ok(Choice::Auto),
            "required" => Ok(Choice::Required),
            other => Err(Invalid::new(
                "tool_choice",
                format!("Invalid value: '{other}'. Supported values are: 'none', 'auto', and 'required'."),
            )
            .code("invalid_value")),
        },
        Value::Object(map) if map.get("type").and_then(Value::as_str) == Some("function") => {
            let function =
                object(map.get("function").ok_or_else(|| missing("tool_choice.function"))?, "tool_choice.function")?;
            let name = text_field(function, "name", "tool_choice.function")?;
            if !tools.iter().any(|tool| tool.name == name) {
                return Err(Invalid::new(
                    "tool_choice",
                    format!("Tool choice '{name}' not found in 'tools' parameter."),
                ));
            }
            Ok(Choice::Named(name.to_owned()))
        }
        Value::Object(_) => Ok(Choice::Auto),
        other => Err(wrong("tool_choice", "a string or an object", other)),
    }
}

fn format(body: &Object) -> Checked<Format> {
    let Some(format) = maybe(body, "response_format") else { return Ok(Format::Text) };
    let format = object(format, "response_format")?;
    match text_field(format, "type", "response_format")? {
        "text" => Ok(Format::Text),
        "json_object" => Ok(Format::Json),
        "json_schema" => {
            let at = "response_format.json_schema";
            let named = object(format.get("json_schema").ok_or_else(|| missing(at))?, at)?;
            if !name_ok(text_field(named, "name", at)?, 64) {
                return Err(Invalid::new(
                    join(at, "name"),
                    "Invalid 'response_format.json_schema.name': string does not match pattern.",
                ));
            }
            let schema = named.get("schema").ok_or_else(|| missing("response_format.json_schema.schema"))?;
            Ok(Format::Schema(Value::Object(object(schema, "response_format.json_schema.schema")?.clone())))
        }
        other => Err(Invalid::new("response_format.type", format!("Invalid value: '{other}'.")).code("invalid_value")),
    }
}
