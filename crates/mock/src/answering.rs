//! The endpoints: which there are, and the answer of each before time and faults come into it.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use weir_sim::RejectionKind;

use crate::answer::{Answer, compose};
use crate::ask::{Ask, Dialect, Invalid};
use crate::chat::{self, Head};
use crate::check::{Checked, maybe, missing, object, text};
use crate::house::{House, wall};
use crate::messages_request::{Purpose, Version};
use crate::refusal::Refusal;
use crate::script::{Script, Spoilers};
use crate::serve::Call;
use crate::{chat_request, embeddings, messages, messages_request, responses, responses_request};

/// The models that are listed; any other name is answered too, except `missing`.
const MODELS: [&str; 4] = ["fast", "smart", "small", "embed"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Chat,
    Completions,
    Embeddings,
    Responses,
    StoredResponse,
    Messages,
    CountTokens,
    Models,
    Model,
    Root,
}

impl Endpoint {
    pub(crate) fn of(method: &Method, path: &str) -> Result<Self, Refusal> {
        let (post, get) = (method == Method::POST, method == Method::GET || method == Method::HEAD);
        let found = match path {
            "/v1/chat/completions" => (Self::Chat, post),
            "/v1/completions" => (Self::Completions, post),
            "/v1/embeddings" => (Self::Embeddings, post),
            "/v1/responses" => (Self::Responses, post),
            "/v1/messages" => (Self::Messages, post),
            "/v1/messages/count_tokens" => (Self::CountTokens, post),
            "/v1/models" => (Self::Models, get),
            "/" => (Self::Root, get),
            _ if path.starts_with("/v1/models/") => (Self::Model, get),
            _ if path.starts_with("/v1/responses/") => (Self::StoredResponse, get || method == Method::DELETE),
            _ => return Err(Refusal::missing(format!("Invalid URL ({method} {path})"), None)),
        };
        if found.1 { Ok(found.0) } else { Err(Refusal::status(405, &format!("Not allowed to {method} on {path}"))) }
    }
}

/// What a request is answered with, if nothing goes wrong.
pub(crate) struct Reply {
    pub(crate) model: String,
    pub(crate) input_tokens: u64,
    /// Those of them that the cache had.
    pub(crate) cached_input: u64,
    /// Those of them that were written to it.
    pub(crate) cache_write: u64,
    pub(crate) max_output: Option<u64>,
    pub(crate) output_tokens: u64,
    /// The stream, if one was asked for; else `whole`.
    pub(crate) script: Option<Script>,
    pub(crate) whole: Bytes,
    /// Neither limits nor latency nor faults befall it: lists of models.
    pub(crate) free: bool,
    responses: bool,
}

/// An error that comes after a 200.
pub(crate) struct LateError {
    pub(crate) spoilers: Spoilers,
    pub(crate) unary: String,
}

impl Reply {
    fn free(whole: &Value) -> Self {
        Self::unary(String::new(), 0, whole, true)
    }

    fn unary(model: String, input_tokens: u64, whole: &Value, free: bool) -> Self {
        let whole = Bytes::from(whole.to_string());
        Self {
            model,
            input_tokens,
            cached_input: 0,
            cache_write: 0,
            max_output: None,
            output_tokens: 0,
            script: None,
            whole,
            free,
            responses: false,
        }
    }

    fn spoken(ask: &Ask, answers: &[Answer], script: Option<Script>, whole: &Value) -> Self {
        Self {
            cached_input: ask.cached_input,
            cache_write: ask.cache_write,
            max_output: ask.max_output,
            output_tokens: answers.iter().map(|answer| answer.output_tokens).sum(),
            script,
            ..Self::unary(ask.model.clone(), ask.input_tokens, whole, false)
        }
    }

    /// The error of `error-in-stream`, in the forms that were captured of each dialect.
    pub(crate) fn error_in_stream(&self, dialect: Dialect, request_id: &str) -> LateError {
        let refusal = Refusal::of(503, RejectionKind::Overloaded, &self.model);
        let unary = refusal.body(dialect, request_id).to_string();
        let broken = "{\"id\":\"chatcmpl-\u{fffd}, \"choices\":[{\"delta\":";
        let spoilers = match (dialect, self.responses) {
            (Dialect::Anthropic, _) => Spoilers {
                garbage: format!("event: content_block_delta\ndata: {broken}\n\n"),
                error: format!("event: error\ndata: {unary}\n\n"),
            },
            (Dialect::OpenAi, false) => {
                Spoilers { garbage: format!("data: {broken}\n\n"), error: format!("data: {unary}\n\n") }
            }
            (Dialect::OpenAi, true) => {
                let error = json!({ "type": "error", "sequence_number": 2, "error": refusal.openai() });
                let response = json!({ "object": "response", "status": "failed", "error": { "code": "server_is_overloaded", "message": "Overloaded" } });
                let failed = json!({ "type": "response.failed", "sequence_number": 3, "response": response });
                Spoilers {
                    garbage: format!("event: response.output_text.delta\ndata: {broken}\n\n"),
                    error: format!("event: error\ndata: {error}\n\nevent: response.failed\ndata: {failed}\n\n"),
                }
            }
        };
        LateError { spoilers, unary }
    }
}

pub(crate) fn answer(house: &Arc<House>, call: &Call, endpoint: Endpoint) -> Result<Reply, Refusal> {
    match endpoint {
        Endpoint::Root => Ok(Reply::free(&json!({ "mock": house.name }))),
        Endpoint::Models => Ok(Reply::free(&models(call.dialect))),
        Endpoint::Model => {
            let id = call.path.trim_start_matches("/v1/models/");
            let known = id != "missing";
            if known {
                Ok(Reply::free(&model(id, call.dialect)))
            } else {
                Err(Refusal::of(404, RejectionKind::Model, id))
            }
        }
        Endpoint::StoredResponse => stored(house, call),
        Endpoint::Chat => {
            let ask = chat_request::read(&call.json()?).map_err(Refusal::invalid)?;
            let head = head(house, &ask, "chatcmpl-");
            let answers = all(&ask);
            let script = ask.stream.then(|| chat::stream(&ask, &answers, &head));
            Ok(Reply::spoken(&ask, &answers, script, &chat::whole(&ask, &answers, &head)))
        }
        Endpoint::Completions => {
            let ask = completion(&call.json()?).map_err(Refusal::invalid)?;
            let head = head(house, &ask, "cmpl-");
            let answers = all(&ask);
            let script = ask.stream.then(|| chat::stream_text(&ask, &answers, &head));
            Ok(Reply::spoken(&ask, &answers, script, &chat::whole_text(&ask, &answers, &head)))
        }
        Endpoint::Embeddings => {
            let ask = embeddings::read(&call.json()?).map_err(Refusal::invalid)?;
            Ok(Reply::unary(ask.model.clone(), ask.input_tokens, &embeddings::whole_answer(&ask), false))
        }
        Endpoint::Messages => {
            let version = Version::read(call.header("anthropic-version")).map_err(Refusal::invalid)?;
            let ask = messages_request::read(&call.json()?, version, Purpose::Answer).map_err(Refusal::invalid)?;
            let answer = compose(&ask, 0);
            let id = house.id("msg_");
            let script = ask.stream.then(|| messages::stream(&ask, &answer, &id));
            let whole = messages::whole(&ask, &answer, &id);
            Ok(Reply::spoken(&ask, &[answer], script, &whole))
        }
        Endpoint::CountTokens => {
            let version = Version::read(call.header("anthropic-version")).map_err(Refusal::invalid)?;
            let ask = messages_request::read(&call.json()?, version, Purpose::Count).map_err(Refusal::invalid)?;
            Ok(Reply::unary(ask.model, 0, &json!({ "input_tokens": ask.input_tokens }), false))
        }
        Endpoint::Responses => respond(house, call),
    }
}

fn all(ask: &Ask) -> Vec<Answer> {
    (0..ask.n).map(|index| compose(ask, index)).collect()
}

fn head(house: &House, ask: &Ask, prefix: &str) -> Head {
    Head { id: house.id(prefix), created: wall().millis() / 1_000, model: ask.model.clone() }
}

fn respond(house: &Arc<House>, call: &Call) -> Result<Reply, Refusal> {
    let request = responses_request::read(&call.json()?).map_err(Refusal::invalid)?;
    let previous = request.previous.as_deref();
    if let Some(id) = previous
        && house.response(id).is_none()
    {
        let message = format!("Previous response with id '{id}' not found.");
        return Err(Refusal::missing(message, Some("previous_response_not_found")));
    }
    let ask = &request.ask;
    let head = head(house, ask, "resp_");
    let answer = compose(ask, 0);
    let script = ask.stream.then(|| responses::stream(ask, &answer, &head, previous, request.store));
    let whole = responses::whole(ask, &answer, &head, previous, request.store);
    let mut reply = Reply::spoken(ask, &[answer], script, &whole);
    reply.responses = true;
    if request.store {
        house.keep_response(head.id, reply.whole.clone());
    }
    Ok(reply)
}

fn stored(house: &House, call: &Call) -> Result<Reply, Refusal> {
    let id = call.path.trim_start_matches("/v1/responses/");
    let kept = house.response(id);
    let body = kept.ok_or_else(|| Refusal::missing(format!("Response with id '{id}' not found."), None))?;
    if call.deletes() {
        house.forget_response(id);
        return Ok(Reply::free(&json!({ "id": id, "object": "response", "deleted": true })));
    }
    Ok(Reply { whole: body, ..Reply::free(&Value::Null) })
}

/// A text completion is a conversation of one turn.
fn completion(body: &Value) -> Checked<Ask> {
    let fields = object(body, "")?;
    let prompt = match fields.get("prompt").ok_or_else(|| missing("prompt"))? {
        Value::Array(list) if list.len() == 1 => text(&list[0], "prompt[0]")?,
        Value::Array(_) => return Err(Invalid::new("prompt", "Only one prompt is supported here.")),
        prompt => text(prompt, "prompt")?,
    };
    let mut chat = fields.clone();
    chat.remove("prompt");
    // Here `logprobs` is a number, and unset `max_tokens` means 16.
    chat.remove("logprobs");
    chat.insert("messages".to_owned(), json!([{ "role": "user", "content": prompt }]));
    if maybe(&chat, "max_tokens").is_none() {
        chat.insert("max_tokens".to_owned(), json!(16));
    }
    chat_request::read(&Value::Object(chat))
}

fn models(dialect: Dialect) -> Value {
    let data: Vec<Value> = MODELS.iter().map(|id| model(id, dialect)).collect();
    match dialect {
        Dialect::OpenAi => json!({ "object": "list", "data": data }),
        Dialect::Anthropic => {
            json!({ "data": data, "has_more": false, "first_id": MODELS[0], "last_id": MODELS[MODELS.len() - 1] })
        }
    }
}

fn model(id: &str, dialect: Dialect) -> Value {
    match dialect {
        Dialect::OpenAi => json!({ "id": id, "object": "model", "created": 1_790_000_000, "owned_by": "mock" }),
        Dialect::Anthropic => {
            json!({ "type": "model", "id": id, "display_name": id, "created_at": "2026-09-21T00:00:00Z" })
        }
    }
}
