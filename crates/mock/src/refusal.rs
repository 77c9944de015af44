//! Errors as each dialect says them (official error pages and SDK types, 2026-11).

use serde_json::{Value, json};
use weir_sim::RejectionKind as Kind;
use weir_units::Dimension;

use crate::ask::{Dialect, Invalid};

/// An error, before it is put in a dialect's shape.
pub(crate) struct Refusal {
    pub(crate) status: u16,
    message: String,
    kind: &'static str,
    code: Option<&'static str>,
    param: Option<String>,
    /// Anthropic's `error.type` and, if there is one, `details.error_code`.
    anthropic: (&'static str, Option<&'static str>),
}

impl Refusal {
    /// A request that is not valid.
    pub(crate) fn invalid(invalid: Invalid) -> Self {
        let Invalid { message, param, code } = invalid;
        Self {
            status: 400,
            message,
            kind: "invalid_request_error",
            code,
            param,
            anthropic: ("invalid_request_error", None),
        }
    }

    /// A path, model or stored response that is not there.
    pub(crate) fn missing(message: impl Into<String>, code: Option<&'static str>) -> Self {
        let anthropic = ("not_found_error", None);
        Self { status: 404, message: message.into(), kind: "invalid_request_error", code, param: None, anthropic }
    }

    /// A credential that is wrong or absent.
    pub(crate) fn credential() -> Self {
        Self::of(401, Kind::Credential, "")
    }

    /// Another status, with the words of an invalid request.
    pub(crate) fn status(status: u16, message: &str) -> Self {
        let anthropic = if status == 413 { "request_too_large" } else { "invalid_request_error" };
        Self {
            status,
            message: message.to_owned(),
            kind: "invalid_request_error",
            code: None,
            param: None,
            anthropic: (anthropic, None),
        }
    }

    /// What the provider model said no with.
    pub(crate) fn of(status: u16, kind: Kind, model: &str) -> Self {
        let (message, openai, code, anthropic) = match kind {
            Kind::Limit(dimension) => (
                format!("Rate limit reached for {model} on {}. Please try again later.", words(dimension)),
                if counts_requests(dimension) { "requests" } else { "tokens" },
                Some("rate_limit_exceeded"),
                ("rate_limit_error", None),
            ),
            Kind::Quota => (
                "You exceeded your current quota, please check your plan and billing details.".to_owned(),
                "insufficient_quota",
                Some("insufficient_quota"),
                ("rate_limit_error", Some("enforced_spend_limit_reached")),
            ),
            Kind::Payment => (
                "Your credit balance is too low. Please go to billing to add credits.".to_owned(),
                "insufficient_quota",
                Some("credit_balance_exhausted"),
                ("billing_error", None),
            ),
            Kind::Server => (
                "The server had an error while processing your request. Sorry about that!".to_owned(),
                "server_error",
                None,
                ("api_error", None),
            ),
            Kind::Timeout => ("The request timed out.".to_owned(), "server_error", None, ("timeout_error", None)),
            Kind::Overloaded => (
                "The server is currently overloaded. Please try again later.".to_owned(),
                "service_unavailable_error",
                Some("server_is_overloaded"),
                ("overloaded_error", None),
            ),
            Kind::Credential => (
                "Incorrect API key provided.".to_owned(),
                "invalid_request_error",
                Some("invalid_api_key"),
                ("authentication_error", None),
            ),
            Kind::Permission => (
                format!("Project does not have access to model `{model}`."),
                "invalid_request_error",
                None,
                ("permission_error", None),
            ),
            Kind::Model => (
                format!("The model `{model}` does not exist or you do not have access to it."),
                "invalid_request_error",
                Some("model_not_found"),
                ("not_found_error", None),
            ),
            Kind::Context => (
                "This model's maximum context length is 8192 tokens. However, your messages resulted in more tokens."
                    .to_owned(),
                "invalid_request_error",
                Some("context_length_exceeded"),
                ("invalid_request_error", None),
            ),
            Kind::Filter => (
                "The response was filtered due to the prompt triggering the content management policy.".to_owned(),
                "invalid_request_error",
                Some("content_filter"),
                ("invalid_request_error", None),
            ),
        };
        let param = matches!(kind, Kind::Context).then(|| "messages".to_owned());
        Self { status, message, kind: openai, code, param, anthropic }
    }

    /// The body, in the dialect's shape; Anthropic words two of the messages its own way, which is all that tells them apart.
    pub(crate) fn body(&self, dialect: Dialect, request_id: &str) -> Value {
        match dialect {
            Dialect::OpenAi => json!({ "error": self.openai() }),
            Dialect::Anthropic => {
                let message = match self.code {
                    Some("context_length_exceeded") => "prompt is too long: 250000 tokens > 200000 maximum",
                    Some("content_filter") => "Output blocked by content filtering policy",
                    Some("server_is_overloaded") => "Overloaded",
                    _ => self.message.as_str(),
                };
                let mut error = json!({ "type": self.anthropic.0, "message": message });
                if let Some(code) = self.anthropic.1 {
                    error["details"] = json!({ "error_code": code });
                }
                json!({ "type": "error", "error": error, "request_id": request_id })
            }
        }
    }

    /// The `error` object of OpenAI's shape.
    pub(crate) fn openai(&self) -> Value {
        json!({ "message": self.message, "type": self.kind, "param": self.param, "code": self.code })
    }
}

/// A limit as OpenAI's messages name it.
fn words(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::RequestsPerMinute => "requests per min (RPM)",
        Dimension::InputTokensPerMinute => "input tokens per min (ITPM)",
        Dimension::OutputTokensPerMinute => "output tokens per min (OTPM)",
        Dimension::TokensPerMinute => "tokens per min (TPM)",
        Dimension::RequestsPerDay => "requests per day (RPD)",
        Dimension::TokensPerDay => "tokens per day (TPD)",
        Dimension::ConcurrentRequests => "concurrent requests",
    }
}

fn counts_requests(dimension: Dimension) -> bool {
    use Dimension::{ConcurrentRequests, RequestsPerDay, RequestsPerMinute};
    matches!(dimension, RequestsPerMinute | RequestsPerDay | ConcurrentRequests)
}
