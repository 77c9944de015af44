//! What the client sees when the answer is no, decided once: status, code, retry-after, and who refused.

use std::borrow::Cow;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use weir_units::RequestId;
use weir_wire::{Dialect, Endpoint};

use crate::body::ReplyBody;
use crate::headers::{REQUEST_ID, X_REQUEST_ID, X_SHOULD_RETRY, X_WEIR_REFUSED_BY, X_WEIR_REQUEST};

/// Who refuses when it is not a provider.
pub(crate) const WEIR: &str = "weir";

/// The causes in the table of refusals (docs/reference/http.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    InvalidApiKey,
    RouteNotAllowed,
    RoleNotAllowed,
    ModelNotFound,
    Malformed,
    TooLarge,
    UnsupportedEncoding,
    ContextLength,
    ContentFilter,
    RunHalted,
    BudgetExhausted,
    RateLimited,
    CapacityExhausted,
    NoDeployment,
    UpstreamError,
    UpstreamOverloaded,
    UpstreamTimeout,
    NotFound,
    Conflict,
    MethodNotAllowed,
}

impl Cause {
    fn status(self) -> StatusCode {
        match self {
            Self::InvalidApiKey => StatusCode::UNAUTHORIZED,
            Self::RouteNotAllowed | Self::RoleNotAllowed => StatusCode::FORBIDDEN,
            Self::ModelNotFound | Self::NotFound => StatusCode::NOT_FOUND,
            Self::Malformed | Self::ContextLength | Self::ContentFilter => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::RunHalted => StatusCode::UNPROCESSABLE_ENTITY,
            Self::BudgetExhausted => StatusCode::PAYMENT_REQUIRED,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::CapacityExhausted | Self::NoDeployment | Self::UpstreamOverloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::UpstreamError => StatusCode::BAD_GATEWAY,
            Self::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Conflict => StatusCode::CONFLICT,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    /// What clients and metrics call it.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::InvalidApiKey => "invalid_api_key",
            Self::RouteNotAllowed => "route_not_allowed",
            Self::RoleNotAllowed => "role_not_allowed",
            Self::ModelNotFound => "model_not_found",
            Self::Malformed | Self::TooLarge | Self::UnsupportedEncoding | Self::MethodNotAllowed => {
                "invalid_request_error"
            }
            Self::ContextLength => "context_length_exceeded",
            Self::ContentFilter => "content_filter",
            Self::RunHalted => "run_halted",
            Self::BudgetExhausted => "budget_exhausted",
            Self::RateLimited => "rate_limit_exceeded",
            Self::CapacityExhausted => "capacity_exhausted",
            Self::NoDeployment => "no_deployment_available",
            Self::UpstreamError | Self::UpstreamOverloaded => "upstream_error",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
        }
    }
}

/// One refusal, before it is put into a dialect. In a box: it is the rare end of many functions, and large.
#[derive(Clone, Debug)]
pub(crate) struct Refusal(Box<Said>);

/// What a refusal says.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) status: StatusCode,
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: String,
    pub(crate) param: Option<String>,
    /// Present exactly where a client should try again.
    pub(crate) retry_after: Option<Duration>,
    /// `weir`, or the provider that refused.
    pub(crate) by: Arc<str>,
    /// A provider's own error body, passed on as it came.
    pub(crate) as_it_came: Option<(Option<HeaderValue>, Bytes)>,
    /// The id by which the provider that refused knows the request.
    pub(crate) request_id: Option<HeaderValue>,
}

impl Deref for Refusal {
    type Target = Said;
    fn deref(&self) -> &Said {
        &self.0
    }
}

impl DerefMut for Refusal {
    fn deref_mut(&mut self) -> &mut Said {
        &mut self.0
    }
}

impl Refusal {
    /// Weir refuses.
    pub(crate) fn weir(cause: Cause, message: impl Into<String>) -> Self {
        Self(Box::new(Said {
            status: cause.status(),
            code: Cow::Borrowed(cause.code()),
            message: message.into(),
            param: None,
            retry_after: None,
            by: Arc::from(WEIR),
            as_it_came: None,
            request_id: None,
        }))
    }

    pub(crate) fn by(mut self, who: Arc<str>) -> Self {
        self.by = who;
        self
    }

    pub(crate) fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Says when to come back; truthful, within the 1 to 120 s that official SDKs honour.
    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait.clamp(Duration::from_secs(1), Duration::from_secs(120)));
        self
    }

    /// The answer in the client's dialect, with the ids that every answer carries.
    pub(crate) fn render(&self, dialect: Dialect, request: RequestId) -> Response<ReplyBody> {
        let (kind, body) = match &self.as_it_came {
            Some((kind, body)) => (kind.clone(), body.clone()),
            None => (None, self.body(dialect, request).into()),
        };
        let mut response = Response::new(ReplyBody::Whole(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static("application/json")));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers
            .insert(X_WEIR_REFUSED_BY, HeaderValue::from_str(&self.by).unwrap_or(HeaderValue::from_static("provider")));
        if let Ok(id) = HeaderValue::from_str(&request.to_string()) {
            let known_as = self.request_id.as_ref().unwrap_or(&id);
            if dialect == Dialect::Anthropic {
                headers.insert(REQUEST_ID, known_as.clone());
            }
            headers.insert(X_REQUEST_ID, known_as.clone());
            headers.insert(X_WEIR_REQUEST, id);
        }
        let retry = if self.retry_after.is_some() { "true" } else { "false" };
        headers.insert(X_SHOULD_RETRY, HeaderValue::from_static(retry));
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        response
    }

    /// The dialect's frame that ends a stream which had begun.
    pub(crate) fn frame(&self, endpoint: Endpoint, request: RequestId, events_before: u64) -> Bytes {
        let request_id = request.to_string();
        let refusal = self.wire(&request_id);
        match endpoint {
            // Events of a Responses stream are numbered from 0.
            Endpoint::Responses => weir_wire::responses_error_frame(&refusal, events_before).into(),
            _ => weir_wire::error_frame(endpoint, &refusal).into(),
        }
    }

    fn body(&self, dialect: Dialect, request: RequestId) -> Vec<u8> {
        let known_as = self.request_id.as_ref().and_then(|id| id.to_str().ok()).map(str::to_owned);
        let request_id = known_as.unwrap_or_else(|| request.to_string());
        weir_wire::refusal_body(dialect, &self.wire(&request_id))
    }

    fn wire<'a>(&'a self, request_id: &'a str) -> weir_wire::Refusal<'a> {
        weir_wire::Refusal {
            status: self.status.as_u16(),
            code: &self.code,
            message: &self.message,
            param: self.param.as_deref(),
            request_id,
        }
    }
}

/// What a request is told that came, or still waits, while the process ends.
pub(crate) fn shutting_down() -> Refusal {
    let message = "this gateway is shutting down: send the request to another one";
    Refusal::weir(Cause::CapacityExhausted, message).retry_after(Duration::from_secs(1))
}

/// A wait in whole seconds, rounded up, so that it is never too short.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// A JSON answer of Weir's own endpoints.
pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<ReplyBody> {
    typed(status, "application/json", body)
}

/// An answer of Weir's own endpoints with its media type.
pub(crate) fn typed(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::Whole(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
