//! Weir's own refusals, in the error shape of the dialect that the client speaks.
//!
//! The types are what each provider sends at that status, so that SDKs raise the exception that their users handle.
//! OpenAI's 401 is an `invalid_request_error` with a code of `invalid_api_key`; that is its way, not a slip.

use serde_json::{Value, json};

use crate::dialect::{Dialect, Endpoint};

/// What a refusal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// The HTTP status it is sent with, or would have been before the stream began.
    pub status: u16,
    /// Weir's code, like `model_not_found`.
    pub code: &'a str,
    /// What is wrong, and what to do.
    pub message: &'a str,
    /// The member of the body at fault.
    pub param: Option<&'a str>,
    /// The request's id.
    pub request_id: &'a str,
}

/// The body of a refusal.
#[must_use]
pub fn refusal_body(dialect: Dialect, refusal: &Refusal<'_>) -> Vec<u8> {
    error_json(dialect, refusal).to_string().into_bytes()
}

/// The event that ends a stream in which content had begun, in the dialect of the client's endpoint.
///
/// No `[DONE]` follows: it would say that the answer is whole. For a Responses stream whose last sequence number is
/// known, [`responses_error_frame`] is exact.
#[must_use]
pub fn error_frame(endpoint: Endpoint, refusal: &Refusal<'_>) -> Vec<u8> {
    match endpoint {
        Endpoint::Responses => responses_error_frame(refusal, 0),
        Endpoint::Messages | Endpoint::CountTokens => {
            format!("event: error\ndata: {}\n\n", error_json(Dialect::Anthropic, refusal)).into_bytes()
        }
        Endpoint::ChatCompletions | Endpoint::Completions | Endpoint::Embeddings => {
            format!("data: {}\n\n", error_json(Dialect::OpenAi, refusal)).into_bytes()
        }
    }
}

/// The error event of a Responses stream, numbered `sequence_number`.
#[must_use]
pub fn responses_error_frame(refusal: &Refusal<'_>, sequence_number: u64) -> Vec<u8> {
    let event = json!({
        "type": "error",
        "code": refusal.code,
        "message": refusal.message,
        "param": refusal.param,
        "sequence_number": sequence_number,
    });
    format!("event: error\ndata: {event}\n\n").into_bytes()
}

fn error_json(dialect: Dialect, refusal: &Refusal<'_>) -> Value {
    match dialect {
        Dialect::OpenAi => json!({
            "error": {
                "message": refusal.message,
                "type": openai_type(refusal.status),
                "param": refusal.param,
                "code": refusal.code,
            },
        }),
        Dialect::Anthropic => json!({
            "type": "error",
            "error": {
                "type": anthropic_type(refusal.status),
                "message": refusal.message,
                "details": { "error_code": refusal.code },
            },
            "request_id": refusal.request_id,
        }),
    }
}

fn openai_type(status: u16) -> &'static str {
    match status {
        402 => "insufficient_quota",
        403 => "permission_error",
        429 => "rate_limit_error",
        503 => "service_unavailable_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        504 => "timeout_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSAL: Refusal<'_> = Refusal {
        status: 404,
        code: "model_not_found",
        message: "no route or provider is called `x\"y`: see /v1/models",
        param: Some("model"),
        request_id: "req_1",
    };

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn each_dialect_gets_its_own_shape() {
        assert_eq!(
            text(refusal_body(Dialect::OpenAi, &REFUSAL)),
            r#"{"error":{"code":"model_not_found","message":"no route or provider is called `x\"y`: see /v1/models","param":"model","type":"invalid_request_error"}}"#
        );
        assert_eq!(
            text(refusal_body(Dialect::Anthropic, &REFUSAL)),
            r#"{"error":{"details":{"error_code":"model_not_found"},"message":"no route or provider is called `x\"y`: see /v1/models","type":"not_found_error"},"request_id":"req_1","type":"error"}"#
        );
    }

    #[test]
    fn types_follow_the_status() {
        for (status, openai, anthropic) in [
            (400, "invalid_request_error", "invalid_request_error"),
            (401, "invalid_request_error", "authentication_error"),
            (402, "insufficient_quota", "billing_error"),
            (403, "permission_error", "permission_error"),
            (404, "invalid_request_error", "not_found_error"),
            (413, "invalid_request_error", "invalid_request_error"),
            (422, "invalid_request_error", "invalid_request_error"),
            (429, "rate_limit_error", "rate_limit_error"),
            (502, "server_error", "api_error"),
            (503, "service_unavailable_error", "overloaded_error"),
            (504, "server_error", "timeout_error"),
        ] {
            assert_eq!((openai_type(status), anthropic_type(status)), (openai, anthropic), "{status}");
        }
    }

    #[test]
    fn a_cut_stream_ends_in_an_error_and_in_no_done() {
        let cut = Refusal { status: 502, code: "upstream_error", message: "cut", param: None, request_id: "req_1" };
        for (endpoint, frame) in [
            (
                Endpoint::ChatCompletions,
                "data: {\"error\":{\"code\":\"upstream_error\",\"message\":\"cut\",\"param\":null,\"type\":\"server_error\"}}\n\n",
            ),
            (
                Endpoint::Responses,
                "event: error\ndata: {\"code\":\"upstream_error\",\"message\":\"cut\",\"param\":null,\"sequence_number\":0,\"type\":\"error\"}\n\n",
            ),
            (
                Endpoint::Messages,
                "event: error\ndata: {\"error\":{\"details\":{\"error_code\":\"upstream_error\"},\"message\":\"cut\",\"type\":\"api_error\"},\"request_id\":\"req_1\",\"type\":\"error\"}\n\n",
            ),
        ] {
            assert_eq!(text(error_frame(endpoint, &cut)), frame);
        }
    }
}
