//! The admin API, asked in this process in the name of who looks: with the same checks, and the same answers.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::admin::people::Person;
use crate::admit::shown;
use crate::reply::Refusal;
use crate::state::Shared;

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) status: StatusCode,
    pub(super) message: String,
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self { status: refusal.status, message: refusal.message.clone() }
    }
}

/// Reads what is at a path of the admin API.
pub(super) async fn get<T: DeserializeOwned>(shared: &Arc<Shared>, person: &Person, uri: &str) -> Result<T, Fault> {
    read(&raw(shared, person, uri).await?)
}

/// What is at a path of the admin API, as it came.
pub(super) async fn raw(shared: &Arc<Shared>, person: &Person, uri: &str) -> Result<Bytes, Fault> {
    call(shared, person, Method::GET, uri, None).await
}

/// Reads an answer.
pub(super) fn read<T: DeserializeOwned>(answer: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(answer).map_err(unreadable)
}

/// Changes something by the admin API.
pub(super) async fn change<T: DeserializeOwned>(
    shared: &Arc<Shared>,
    person: &Person,
    method: Method,
    uri: &str,
    members: Value,
) -> Result<T, Fault> {
    read(&call(shared, person, method, uri, Some(members)).await?)
}

fn unreadable(error: serde_json::Error) -> Fault {
    tracing::error!(%error, "an answer of the admin API cannot be read by the dashboard");
    Fault { status: StatusCode::INTERNAL_SERVER_ERROR, message: "the figures cannot be read: see the log".to_owned() }
}

async fn call(
    shared: &Arc<Shared>,
    person: &Person,
    method: Method,
    uri: &str,
    members: Option<Value>,
) -> Result<Bytes, Fault> {
    let wrong = |_| Fault { status: StatusCode::BAD_REQUEST, message: format!("`{}` is no address", shown(uri)) };
    let (mut parts, ()) = Request::builder().method(method).uri(uri).body(()).map_err(wrong)?.into_parts();
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let body = Full::new(members.map_or_else(Bytes::new, |members| members.to_string().into()));
    let response = Box::pin(crate::admin::serve_person(shared, person, &parts, body)).await;
    let status = response.status();
    let body = response.into_body().collect().await.map(|whole| whole.to_bytes()).unwrap_or_default();
    if status.is_success() {
        return Ok(body);
    }
    let told: Value = serde_json::from_slice(&body).unwrap_or_default();
    let message = told["error"]["message"].as_str().unwrap_or("no answer").to_owned();
    Err(Fault { status, message })
}
