//! The two dialects, as a client speaks and reads them: written for these tests alone, so that no misreading is shared.

use serde_json::{Value, json};

use crate::client::Got;

/// What a client or a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    OpenAi,
    Anthropic,
}

pub(crate) const DIALECTS: [Dialect; 2] = [Dialect::OpenAi, Dialect::Anthropic];

/// What an answer said, read by the rules of its dialect.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) text: String,
    /// Why it stopped, as the dialect says it.
    pub(crate) stop: Option<String>,
    /// The stream's last mark came.
    pub(crate) terminated: bool,
    /// The error that it ended in.
    pub(crate) error: Option<Value>,
}

impl Dialect {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::OpenAi => Self::Anthropic,
            Self::Anthropic => Self::OpenAi,
        }
    }

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::OpenAi => "/v1/chat/completions",
            Self::Anthropic => "/v1/messages",
        }
    }

    pub(crate) fn headers(self) -> &'static str {
        match self {
            Self::OpenAi => "authorization: Bearer the-clients-own\r\n",
            Self::Anthropic => "x-api-key: the-clients-own\r\nanthropic-version: 2023-06-01\r\n",
        }
    }

    /// A request that is good in both dialects.
    pub(crate) fn request(self, model: &str, prompt: &str, stream: bool) -> String {
        let messages = json!([{ "role": "user", "content": prompt }]);
        json!({ "model": model, "max_tokens": 40, "stream": stream, "messages": messages }).to_string()
    }

    /// Why an answer that came to its own end stopped.
    pub(crate) fn end(self) -> &'static str {
        match self {
            Self::OpenAi => "stop",
            Self::Anthropic => "end_turn",
        }
    }

    /// What was said, or which rule of the dialect the answer breaks.
    pub(crate) fn read(self, got: &Got, streamed: bool) -> Result<Said, String> {
        if !got.whole {
            return Err(format!("the HTTP body broke off: {}", got.body));
        }
        match (self, streamed) {
            (Self::OpenAi, false) => {
                let choice = &got.json()?["choices"][0];
                said(&choice["message"]["content"], &choice["finish_reason"])
            }
            (Self::Anthropic, false) => {
                let message = got.json()?;
                said(&message["content"][0]["text"], &message["stop_reason"])
            }
            (Self::OpenAi, true) => read_chunks(&got.body),
            (Self::Anthropic, true) => read_events(&got.body),
        }
    }

    /// The code of an error object, its type and its message, after a look at its shape.
    pub(crate) fn error(self, body: &Value) -> Result<(Option<String>, String, String), String> {
        let error = &body["error"];
        let word = |value: &Value| value.as_str().map(str::to_owned);
        let (kind, message) = (word(&error["type"]), word(&error["message"]));
        let (Some(kind), Some(message)) = (kind, message) else {
            return Err(format!("this is no error of {}: {body}", self.name()));
        };
        match self {
            Self::OpenAi => Ok((word(&error["code"]), kind, message)),
            Self::Anthropic if body["type"] == "error" && body["request_id"].is_string() => {
                Ok((word(&error["details"]["error_code"]), kind, message))
            }
            Self::Anthropic => Err(format!("this is no error of anthropic: {body}")),
        }
    }

    /// The type that goes with a status, where the contract names it.
    pub(crate) fn kind_of(self, status: u16) -> Option<&'static str> {
        let kind = match status {
            400 => "invalid_request_error",
            404 => "not_found_error",
            429 => "rate_limit_error",
            502 => "api_error",
            503 => "overloaded_error",
            504 => "timeout_error",
            _ => return None,
        };
        (self == Self::Anthropic).then_some(kind)
    }
}

fn said(text: &Value, stop: &Value) -> Result<Said, String> {
    match (text.as_str(), stop.as_str()) {
        (Some(text), Some(stop)) => {
            Ok(Said { text: text.to_owned(), stop: Some(stop.to_owned()), terminated: true, error: None })
        }
        _ => Err(format!("an answer without text or without a reason to stop: {text}, {stop}")),
    }
}

/// Reads a stream of Chat Completions.
fn read_chunks(body: &str) -> Result<Said, String> {
    let mut said = Said::default();
    let mut id: Option<String> = None;
    for event in events(body)? {
        let data = event.strip_prefix("data: ").ok_or_else(|| format!("not a data event: {event}"))?;
        if said.terminated || said.error.is_some() {
            return Err(format!("something follows the end: {event}"));
        }
        if data == "[DONE]" {
            said.terminated = true;
            continue;
        }
        let chunk: Value = serde_json::from_str(data).map_err(|e| format!("{e} in {data}"))?;
        if chunk["error"].is_object() {
            said.error = Some(chunk);
            continue;
        }
        let this = chunk["id"].as_str().ok_or_else(|| format!("a chunk without an id: {data}"))?;
        if id.get_or_insert_with(|| this.to_owned()) != this {
            return Err(format!("another id in the middle of the answer: {data}"));
        }
        let choice = &chunk["choices"][0];
        said.text.push_str(choice["delta"]["content"].as_str().unwrap_or_default());
        if let Some(stop) = choice["finish_reason"].as_str()
            && said.stop.replace(stop.to_owned()).is_some()
        {
            return Err("it finished twice".to_owned());
        }
    }
    Ok(said)
}

/// Reads a stream of Messages, and sees to it that blocks open and close in their order.
fn read_events(body: &str) -> Result<Said, String> {
    let mut said = Said::default();
    let (mut started, mut block) = (false, None);
    for event in events(body)? {
        let (name, data) = event
            .strip_prefix("event: ")
            .and_then(|rest| rest.split_once("\ndata: "))
            .ok_or_else(|| format!("not an event with a name: {event}"))?;
        let data: Value = serde_json::from_str(data).map_err(|e| format!("{e} in {data}"))?;
        if data["type"] != name {
            return Err(format!("event and type differ: {event}"));
        }
        if said.terminated || said.error.is_some() {
            return Err(format!("something follows the end: {event}"));
        }
        let index = data["index"].as_u64();
        let in_order = match name {
            "message_start" => !std::mem::replace(&mut started, true),
            "content_block_start" => started && block.replace(index).is_none(),
            "content_block_delta" => block == Some(index),
            "content_block_stop" => block.take() == Some(index),
            "message_delta" => started && block.is_none() && said.stop.is_none(),
            "message_stop" => said.stop.is_some(),
            "ping" | "error" => true,
            _ => false,
        };
        if !in_order {
            return Err(format!("out of order: {event}"));
        }
        match name {
            "content_block_delta" => said.text.push_str(data["delta"]["text"].as_str().unwrap_or_default()),
            "message_delta" => said.stop = data["delta"]["stop_reason"].as_str().map(str::to_owned),
            "message_stop" => said.terminated = true,
            "error" => said.error = Some(data),
            _ => {}
        }
    }
    Ok(said)
}

/// The events of a stream, comments left out; the last one must be whole.
fn events(body: &str) -> Result<Vec<&str>, String> {
    if !body.is_empty() && !body.ends_with("\n\n") {
        return Err(format!("the last event is not whole: {body}"));
    }
    Ok(body.split("\n\n").filter(|event| !event.is_empty() && !event.starts_with(':')).collect())
}
