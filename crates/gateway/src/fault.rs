//! What went wrong with an attempt: read from what came back, told to the engine, and at last to the client.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use weir_engine::Outcome;
use weir_units::{Dimension, FaultClass};
use weir_wire::{Dialect, Reply};

use crate::headers::{self, RETRY_AFTER_MS};
use crate::reply::{Cause, Refusal};
use crate::route::Target;

/// What went wrong with one attempt.
pub(crate) struct Fault {
    pub(crate) class: FaultClass,
    pub(crate) status: Option<StatusCode>,
    pub(crate) retry_after: Option<Duration>,
    /// Which limit it is about, where the provider says so.
    pub(crate) limit: Option<Dimension>,
    pub(crate) message: String,
    /// The provider's own error body, with its content type.
    pub(crate) body: Option<Box<(Option<HeaderValue>, Bytes)>>,
    /// The id by which the provider knows the attempt.
    pub(crate) request_id: Option<Box<HeaderValue>>,
    /// The client's own deadline ended it, which says nothing of the provider.
    pub(crate) out_of_time: bool,
    /// Weir itself ended it, and tells the client so.
    pub(crate) ours: Option<Refusal>,
}

impl Fault {
    pub(crate) fn new(class: FaultClass, message: impl Into<String>) -> Self {
        Self {
            class,
            status: None,
            retry_after: None,
            limit: None,
            message: message.into(),
            body: None,
            request_id: None,
            out_of_time: false,
            ours: None,
        }
    }

    /// Weir ends the request, whoever is called: nobody is asked again, and nothing is held against the provider.
    pub(crate) fn ours(refusal: Refusal) -> Self {
        Self { ours: Some(refusal.clone()), ..Self::new(FaultClass::Rejected, refusal.message.as_str()) }
    }

    pub(crate) fn outcome(&self, after_content: bool) -> Outcome {
        if self.out_of_time {
            return Outcome::Abandoned;
        }
        Outcome::Fault { class: self.class, retry_after: self.retry_after, limit: self.limit, after_content }
    }
}

/// Classifies an answer whose status says no.
pub(crate) fn refused(target: &Target, status: StatusCode, headers: &HeaderMap, body: Bytes) -> Fault {
    let limits = headers::limits(target.upstream.limit_headers, headers);
    let reply = Reply {
        status: status.as_u16(),
        retry_after: headers::text(headers, &RETRY_AFTER),
        retry_after_ms: headers::text(headers, &RETRY_AFTER_MS),
        date: headers::text(headers, &DATE),
        limits: Some(&limits),
        body: &body,
    };
    let fault = weir_wire::classify(target.upstream.kind, &reply);
    Fault {
        class: fault.class,
        status: Some(status),
        retry_after: fault.retry_after,
        limit: fault.limit,
        message: fault.message,
        body: (!body.is_empty()).then(|| Box::new((headers.get(CONTENT_TYPE).cloned(), body))),
        request_id: headers::upstream_id(headers).map(Box::new),
        out_of_time: false,
        ours: None,
    }
}

/// Puts the last fault into what the table of refusals says of it, for a client that speaks `asked`.
pub(crate) fn last_word(target: &Target, asked: Dialect, fault: Fault) -> Refusal {
    if let Some(refusal) = fault.ours {
        return refusal;
    }
    let by = Arc::clone(&target.upstream.name);
    let said = format!("`{}`: {}", target.name, fault.message);
    let same = target.endpoint.dialect() == asked;
    let mut refusal = match fault.class {
        FaultClass::FirstByteTimeout | FaultClass::FirstContentTimeout | FaultClass::Stalled => {
            Refusal::weir(Cause::UpstreamTimeout, said)
        }
        FaultClass::Overloaded => Refusal::weir(Cause::UpstreamOverloaded, said)
            .retry_after(fault.retry_after.unwrap_or(Duration::from_secs(5))),
        FaultClass::RateLimited => {
            let mut refusal = Refusal::weir(Cause::RateLimited, said)
                .retry_after(fault.retry_after.unwrap_or(Duration::from_secs(1)));
            refusal.as_it_came = fault.body.filter(|_| same).map(|body| *body);
            refusal
        }
        FaultClass::ModelNotFound => Refusal::weir(Cause::ModelNotFound, said).param("model"),
        FaultClass::ContextLength => Refusal::weir(Cause::ContextLength, said).param("messages"),
        FaultClass::ContentFilter | FaultClass::Rejected => {
            let filtered = fault.class == FaultClass::ContentFilter;
            let cause = if filtered { Cause::ContentFilter } else { Cause::Malformed };
            let mut refusal = Refusal::weir(cause, said);
            refusal.status = fault.status.unwrap_or(StatusCode::BAD_REQUEST);
            refusal.as_it_came = fault.body.filter(|_| same).map(|body| *body);
            refusal
        }
        _ => Refusal::weir(Cause::UpstreamError, said),
    };
    refusal.request_id = fault.request_id.map(|id| *id);
    refusal.by(by)
}

/// An error with what caused it, in one line.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    weir_wire::clean_message(&text)
}
