//! A whole answer: checked, translated where the dialects differ, and only then passed on. Half an answer never is.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode, response};
use weir_engine::Send;
use weir_units::FaultClass;
use weir_wire::{AnswerContext, AnswerFacts, Endpoint};

use crate::accept::Held;
use crate::body::ReplyBody;
use crate::calling::Calling;
use crate::clock::wall;
use crate::fault::Fault;
use crate::headers;
use crate::route::Target;
use crate::settle::Journey;

/// A whole answer that makes sense.
pub(crate) struct Whole {
    parts: response::Parts,
    body: Bytes,
    facts: AnswerFacts,
    held: Held,
}

/// Makes sure that a 200 is an answer.
pub(crate) fn read(target: &Target, parts: response::Parts, body: Bytes, held: Held) -> Result<Whole, Fault> {
    match weir_wire::read_answer(target.endpoint, &body) {
        Ok(facts) => Ok(Whole { parts, body, facts, held }),
        Err(why) => {
            let said = weir_wire::classify_stream_error(target.upstream.kind, &body);
            Err(Fault {
                class: if said.code.is_some() { said.class } else { FaultClass::ServerError },
                status: Some(parts.status),
                retry_after: said.retry_after,
                limit: said.limit,
                message: format!("200 without an answer: {why}"),
                body: None,
                request_id: headers::upstream_id(&parts.headers).map(Box::new),
                out_of_time: false,
                ours: None,
            })
        }
    }
}

/// Passes a whole answer on.
pub(crate) fn whole(calling: &Calling, mut journey: Box<Journey>, send: &Send, whole: Whole) -> Response<ReplyBody> {
    let Whole { parts, body, facts, held } = whole;
    let target = &calling.routed.targets[send.candidate];
    let asked = calling.accepted.endpoint;
    journey.content(&calling.shared, send);
    if let Some(usage) = &facts.usage {
        journey.used(*usage);
        calling.calibrate(send.candidate, usage);
    }
    if asked == Endpoint::Responses
        && let Some(id) = &facts.id
        && calling.accepted.head.store != Some(false)
    {
        calling.pin(id, send.candidate);
    }
    let translated = target.endpoint.dialect() != asked.dialect();
    let body = if translated {
        let model = facts.model.as_deref().unwrap_or(&target.deployment.model);
        let context = AnswerContext { model, created: wall().millis() / 1_000 };
        match weir_wire::translate_answer(target.endpoint.dialect(), asked, &body, &context) {
            Ok(body) => Bytes::from(body),
            Err(why) => {
                let fault =
                    Fault::new(FaultClass::ServerError, format!("its answer cannot be said in this dialect: {why}"));
                journey.failed(&calling.shared, send, &fault, true);
                let refusal = calling.last_word(send.candidate, fault);
                return journey.refuse(&refusal, asked.dialect());
            }
        }
    } else {
        body
    };
    if let Some(capture) = journey.capturing() {
        capture.whole(&body);
    }
    if let Some(run) = journey.run() {
        run.answered(asked, &body);
        if let Some(id) = facts.id.as_deref().filter(|_| asked == Endpoint::Responses) {
            run.kept_as(id);
        }
    }
    let mut response = Response::new(ReplyBody::Counted { bytes: body, _share: held });
    *response.status_mut() = StatusCode::OK;
    *response.headers_mut() = parts.headers;
    headers::keep_for_client(response.headers_mut());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    journey.stopped(facts.stop.as_ref());
    journey.said(facts.id.as_deref(), facts.model.as_deref(), facts.stop.as_ref());
    journey.succeeded(&calling.shared, send);
    calling.decorate(&journey, send, response.headers_mut());
    journey.answered(StatusCode::OK);
    response
}
