//! The JSON body of a change that the operator asks for, member by member.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request;
use http_body::Body;
use serde_json::{Map, Value};
use weir_units::{NanoUsd, parse_duration};

use crate::accept;
use crate::admit::shown;
use crate::reply::{Cause, Refusal};
use crate::state::Shared;

/// The longest life, or grace: a year is long for a secret, and a century is a slip.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 86_400);

/// The members of a body, taken out one by one.
pub(super) struct Members(Map<String, Value>);

/// Reads a body's members; a body that is empty has none.
pub(super) async fn members<B>(shared: &Shared, parts: &request::Parts, body: B) -> Result<Members, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let live = shared.live.load_full();
    // Where no key is asked for, a page in a browser must not be able to ask.
    if !live.config.asks_admins() && !accept::is_json(&parts.headers) {
        let message = "without an `admin-key` a body must be JSON: send `content-type: application/json`";
        return Err(Refusal::weir(Cause::Malformed, message));
    }
    let mut held = shared.buffers.load().hold();
    let body = accept::body(parts, body, live.config.server.body_limit, &mut held).await?;
    if body.is_empty() {
        return Ok(Members(Map::new()));
    }
    match serde_json::from_slice(&body) {
        Ok(Value::Object(members)) => Ok(Members(members)),
        Ok(_) => Err(Refusal::weir(Cause::Malformed, "the body is no JSON object")),
        Err(error) => Err(Refusal::weir(Cause::Malformed, format!("the body is no JSON: {error}"))),
    }
}

impl Members {
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, Refusal> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(name, format!("`{name}` takes a text"))),
        }
    }

    pub(super) fn names(&mut self, name: &'static str) -> Result<Option<Vec<Arc<str>>>, Refusal> {
        let wrong = || wrong(name, format!("`{name}` takes a list of names"));
        let list = match self.0.remove(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(wrong()),
        };
        list.iter().map(|one| one.as_str().map(Arc::from).ok_or_else(wrong)).collect::<Result<_, _>>().map(Some)
    }

    pub(super) fn span(&mut self, name: &'static str) -> Result<Option<Duration>, Refusal> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let span =
            parse_duration(&text).map_err(|error| wrong(name, format!("`{name}`: {}", shown(&error.to_string()))))?;
        if span > LONGEST {
            return Err(wrong(name, format!("`{name}` is longer than ten years")));
        }
        Ok(Some(span))
    }

    pub(super) fn count(&mut self, name: &'static str) -> Result<Option<u32>, Refusal> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(given) => {
                let count = given.as_u64().and_then(|count| u32::try_from(count).ok());
                count.map(Some).ok_or_else(|| wrong(name, format!("`{name}` takes a whole number")))
            }
        }
    }

    pub(super) fn dollars(&mut self, name: &'static str) -> Result<Option<NanoUsd>, Refusal> {
        let text = match self.0.remove(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
        };
        let amount = text.parse().ok();
        amount.map(Some).ok_or_else(|| wrong(name, format!("`{name}` takes dollars, like \"20.00\"")))
    }

    /// Nothing may be left that nobody asked for.
    pub(super) fn done(self) -> Result<(), Refusal> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(Refusal::weir(Cause::Malformed, format!("`{}` means nothing here", shown(name)))),
        }
    }
}

pub(super) fn wrong(member: &'static str, message: impl Into<String>) -> Refusal {
    Refusal::weir(Cause::Malformed, message).param(member)
}
