//! Reads an OpenAI Responses request.

use serde_json::Value;

use crate::ask::{Ask, Choice, Format, Invalid, Reading, Tool};
use crate::check::{
    Checked, Object, array, flag, join, maybe, missing, number, object, text, text_field, whole, wrong,
};

/// A Responses request: what it asks, and what it says of stored ones.
pub(crate) struct Stateful {
    pub(crate) ask: Ask,
    pub(crate) previous: Option<String>,
    pub(crate) store: bool,
}

pub(crate) fn read(body: &Value) -> Checked<Stateful> {
    let body = object(body, "")?;
    let model = text_field(body, "model", "")?.to_owned();
    let mut reading = Reading::new();
    if let Some(instructions) = maybe(body, "instructions") {
        reading.text(text(instructions, "instructions")?);
    }
    let (mut last_user, mut last_result) = (None, None);
    match body.get("input").ok_or_else(|| missing("input"))? {
        Value::String(said) => {
            reading.turn();
            reading.text(said);
            last_user = Some(said.clone());
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                (last_user, last_result) = read_item(item, &format!("input[{n}]"), &mut reading)?;
            }
        }
        other => return Err(wrong("input", "a string or an array of items", other)),
    }
    number(body, "temperature", 0.0, 2.0)?;
    number(body, "top_p", 0.0, 1.0)?;
    let effort = maybe(body, "reasoning").and_then(|r| r.get("effort")).and_then(Value::as_str);
    let input_tokens = reading.tokens();
    let ask = Ask {
        model,
        seed: reading.seed(),
        last_user,
        last_result,
        images: reading.images,
        input_tokens,
        cached_input: if maybe(body, "prompt_cache_key").is_some() { input_tokens / 2 } else { 0 },
        cache_write: 0,
        tools: tools(body)?,
        choice: choice(body)?,
        parallel: maybe(body, "parallel_tool_calls").and_then(Value::as_bool).unwrap_or(true),
        format: format(body)?,
        reasons: effort.is_some_and(|effort| effort != "none"),
        stops: Vec::new(),
        max_output: whole(body, "max_output_tokens", 1)?,
        n: 1,
        stream: flag(body, "stream")?,
        include_usage: true,
        logprobs: false,
    };
    let previous = maybe(body, "previous_response_id").map(|id| text(id, "previous_response_id").map(str::to_owned));
    let store = maybe(body, "store").and_then(Value::as_bool).unwrap_or(true);
    Ok(Stateful { ask, previous: previous.transpose()?, store })
}

type Last = (Option<String>, Option<String>);

fn read_item(item: &Value, at: &str, reading: &mut Reading) -> Checked<Last> {
    let item = object(item, at)?;
    reading.turn();
    let kind = match item.get("type") {
        Some(kind) => text(kind, &join(at, "type"))?,
        None => "message",
    };
    match kind {
        "message" => {
            let role = text_field(item, "role", at)?;
            if !["user", "assistant", "system", "developer"].contains(&role) {
                let message = format!(
                    "Invalid value: '{role}'. Supported values are: 'assistant', 'system', 'developer', and 'user'."
                );
                return Err(Invalid::new(join(at, "role"), message).code("invalid_value"));
            }
            let said = content(item, at, reading)?;
            reading.text(&said);
            Ok(((role == "user").then_some(said), None))
        }
        "function_call" => {
            text_field(item, "call_id", at)?;
            text_field(item, "name", at)?;
            reading.text(text_field(item, "arguments", at)?);
            Ok((None, None))
        }
        "function_call_output" => {
            text_field(item, "call_id", at)?;
            let said = match item.get("output") {
                Some(Value::String(said)) => said.clone(),
                Some(other) => other.to_string(),
                None => return Err(missing(&join(at, "output"))),
            };
            reading.text(&said);
            Ok((None, Some(said)))
        }
        _ => Ok((None, None)),
    }
}

fn content(item: &Object, at: &str, reading: &mut Reading) -> Checked<String> {
    let at = join(at, "content");
    let mut said = String::new();
    match item.get("content").ok_or_else(|| missing(&at))? {
        Value::String(whole) => said.push_str(whole),
        Value::Array(parts) => {
            for (n, part) in parts.iter().enumerate() {
                let at = format!("{at}[{n}]");
                let part = object(part, &at)?;
                match text_field(part, "type", &at)? {
                    "input_text" | "output_text" => said.push_str(text_field(part, "text", &at)?),
                    "input_image" => reading.images += 1,
                    "input_file" | "input_audio" | "refusal" => {}
                    other => {
                        return Err(
                            Invalid::new(join(&at, "type"), format!("Invalid value: '{other}'.")).code("invalid_value")
                        );
                    }
                }
            }
        }
        other => return Err(wrong(&at, "a string or an array of objects", other)),
    }
    Ok(said)
}

fn tools(body: &Object) -> Checked<Vec<Tool>> {
    let Some(list) = maybe(body, "tools") else { return Ok(Vec::new()) };
    let mut tools = Vec::new();
    for (n, tool) in array(list, "tools")?.iter().enumerate() {
        let at = format!("tools[{n}]");
        let tool = object(tool, &at)?;
        if text_field(tool, "type", &at)? == "function" {
            let name = text_field(tool, "name", &at)?.to_owned();
            tools.push(Tool { name, schema: maybe(tool, "parameters").cloned().unwrap_or(Value::Null) });
        }
    }
    Ok(tools)
}

fn choice(body: &Object) -> Checked<Choice> {
    match maybe(body, "tool_choice") {
        None => Ok(Choice::Auto),
        Some(Value::String(word)) if word == "none" => Ok(Choice::None),
        Some(Value::String(word)) if word == "required" => Ok(Choice::Required),
        Some(Value::String(_)) => Ok(Choice::Auto),
        Some(Value::Object(map)) => match map.get("name").and_then(Value::as_str) {
            Some(name) => Ok(Choice::Named(name.to_owned())),
            None => Ok(Choice::Auto),
        },
        Some(other) => Err(wrong("tool_choice", "a string or an object", other)),
    }
}

fn format(body: &Object) -> Checked<Format> {
    let Some(format) = maybe(body, "text").and_then(|text| text.get("format")) else { return Ok(Format::Text) };
    let format = object(format, "text.format")?;
    match text_field(format, "type", "text.format")? {
        "json_schema" => {
            text_field(format, "name", "text.format")?;
            Ok(Format::Schema(format.get("schema").cloned().ok_or_else(|| missing("text.format.schema"))?))
        }
        "json_object" => Ok(Format::Json),
        _ => Ok(Format::Text),
    }
}
