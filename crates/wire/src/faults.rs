//! The words by which providers say what is wrong, as tables.
//!
//! What differs between providers is a row with its kind; what is alike is written once. Codes and types are compared
//! whole, wordings as lower-case parts of the message. Each was read in an SDK, a specification,
//! an official page or a captured body (2026-11).

use FaultClass::{
    Billing, ContentFilter, ContextLength, Forbidden, ForbiddenCredential, ModelNotFound, Overloaded, RateLimited,
    Rejected, ServerError, Unauthorized,
};
use weir_units::FaultClass;

use crate::classify::ProviderKind;

/// Where an error came: as a response of its own, or inside a stream that had begun with a 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A response of this status.
    Status(u16),
    /// Inside a stream.
    Stream,
}

/// Codes that say what happened whatever the status. They are also looked for in `type`, where OpenAI keeps
/// `insufficient_quota` while its code varies.
const CODES: &[(&str, FaultClass)] = &[
    // Money: waiting does not help.
    ("insufficient_quota", Billing),
    ("credit_balance_exhausted", Billing),
    ("organization_spend_limit_exceeded", Billing),
    ("project_spend_limit_exceeded", Billing),
    ("organization_usage_limit_exceeded", Billing),
    ("billing_hard_limit_reached", Billing),
    ("billing_not_active", Billing),
    ("enforced_spend_limit_reached", Billing),
    ("contract_spend_limit_reached", Billing),
    ("billing_error", Billing),
    ("insufficient_balance", Billing),
    ("insufficient_credits", Billing),
    ("payment_required", Billing),
    // Pace: waiting does.
    ("rate_limit_exceeded", RateLimited),
    ("slow_down", RateLimited),
    ("ramp_limit_exceeded", RateLimited),
    ("rate_limited", RateLimited),
    // The provider is full.
    ("server_is_overloaded", Overloaded),
    ("overloaded_error", Overloaded),
    ("engine_overloaded", Overloaded),
    ("capacity_exceeded", Overloaded),
    // The request is at fault.
    ("context_length_exceeded", ContextLength),
    ("exceed_context_size_error", ContextLength),
    ("string_above_max_length", Rejected),
    ("previous_response_not_found", Rejected),
    ("content_filter", ContentFilter),
    ("content_policy_violation", ContentFilter),
    ("responsibleaipolicyviolation", ContentFilter),
    ("invalid_prompt", ContentFilter),
    ("bio_policy", ContentFilter),
    ("moderation", ContentFilter),
    ("model_not_found", ModelNotFound),
    ("deploymentnotfound", ModelNotFound),
    // The credential is; a 403 makes it `ForbiddenCredential`.
    ("invalid_api_key", Unauthorized),
    ("incorrect_api_key", Unauthorized),
    ("invalid_authentication", Unauthorized),
    ("authentication_error", Unauthorized),
    ("api_key_expired", Unauthorized),
    ("account_deactivated", Unauthorized),
    ("invalid_token", Unauthorized),
    ("token_expired", Unauthorized),
    ("ip_not_authorized", Unauthorized),
];

/// Codes that mean something at one kind of provider alone: Mistral's numbers.
const CODES_BY_KIND: &[(ProviderKind, &str, FaultClass)] =
    &[(ProviderKind::OpenAiCompatible, "1300", RateLimited), (ProviderKind::OpenAiCompatible, "1500", ModelNotFound)];

/// Broad types: they decide only after code and wording were silent.
const TYPES: &[(&str, FaultClass)] = &[
    ("rate_limit_error", RateLimited),
    ("tokens", RateLimited),
    ("requests", RateLimited),
    ("resource_exhausted", RateLimited),
    ("service_unavailable_error", Overloaded),
    ("unavailable", Overloaded),
    ("permission_error", Forbidden),
    ("not_found_error", ModelNotFound),
    ("server_error", ServerError),
    ("api_error", ServerError),
    ("timeout_error", ServerError),
];

/// Types that decide only inside a stream, where no status does.
const STREAM_TYPES: &[(&str, FaultClass)] = &[("invalid_request_error", Rejected), ("request_too_large", Rejected)];

/// How providers say that the input is longer than the context window.
const OVERFLOW: &[&str] = &[
    "maximum context length is",
    "exceeds the context window",
    "exceeds your context window",
    "prompt is too long",
    "exceed context limit",
    "exceeds the maximum number of tokens allowed",
    "input is too long for requested model",
    "too large for model with",
    "maximum prompt length is",
    "reduce the length of the messages or completion",
    "exceeds the available context size",
    "is longer than the model's context length",
    "`inputs` tokens + `max_new_tokens` must be",
];

/// Other wordings, each with the statuses at which it counts.
const WORDINGS: &[(&[u16], &str, FaultClass)] = &[
    (&[400, 429], "reached your specified api usage limits", Billing),
    (&[400, 429], "reached your api usage limits", Billing),
    (&[400, 403, 429], "credit balance is too low", Billing),
    (&[403, 429], "run out of credits", Billing),
    (&[400, 401], "incorrect api key", Unauthorized),
    (&[400, 401], "invalid api key", Unauthorized),
    (&[403], "incorrect api key", Unauthorized),
    (&[403], "invalid api key", Unauthorized),
    (&[400], "content filtering policy", ContentFilter),
    (&[400], "content management policy", ContentFilter),
    (&[403], "requires moderation", ContentFilter),
    (&[403], "was flagged", ContentFilter),
    (&[429], "experiencing high demand", Overloaded),
];

/// What `code` says, at this kind of provider.
pub(crate) fn of_code(kind: ProviderKind, code: &str, place: Place) -> Option<FaultClass> {
    let own = CODES_BY_KIND.iter().find(|(k, word, _)| *k == kind && *word == code).map(|row| row.2);
    let class = own.or_else(|| CODES.iter().find(|(word, _)| word.eq_ignore_ascii_case(code)).map(|row| row.1))?;
    Some(placed(class, place))
}

/// A 404 for something else than the model is the request's fault.
pub(crate) fn of_param(param: Option<&str>, place: Place) -> Option<FaultClass> {
    let other = param.is_some_and(|param| !param.is_empty() && param != "model");
    (place == Place::Status(404) && other).then_some(Rejected)
}

/// What the lower-case `message` says.
pub(crate) fn of_wording(kind: ProviderKind, message: &str, place: Place) -> Option<FaultClass> {
    let status = match place {
        Place::Status(status) => status,
        Place::Stream => 400,
    };
    if matches!(status, 400 | 413 | 422) && overflows(message) {
        return Some(ContextLength);
    }
    // Gemini's compatible API says these words of a minute's limit, too.
    if kind == ProviderKind::OpenAi && status == 429 && message.contains("exceeded your current quota") {
        return Some(Billing);
    }
    let row = WORDINGS.iter().find(|(at, wording, _)| at.contains(&status) && message.contains(wording))?;
    Some(placed(row.2, place))
}

/// What a broad `type` says.
pub(crate) fn of_type(word: &str, place: Place) -> Option<FaultClass> {
    let find = |table: &[(&str, FaultClass)]| {
        table.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|row| row.1)
    };
    match place {
        Place::Stream => find(TYPES).or_else(|| find(STREAM_TYPES)),
        // A 401 or a 404 is clearer than any type beside it; a busy provider's 500 is not.
        Place::Status(401..=404) => None,
        Place::Status(_) => find(TYPES),
    }
}

/// What the place alone says.
pub(crate) fn of_status(place: Place) -> FaultClass {
    match place {
        Place::Stream => ServerError,
        Place::Status(401) => Unauthorized,
        Place::Status(402) => Billing,
        Place::Status(403) => Forbidden,
        Place::Status(404) => ModelNotFound,
        Place::Status(429) => RateLimited,
        Place::Status(503 | 529) => Overloaded,
        Place::Status(400..500) => Rejected,
        Place::Status(_) => ServerError,
    }
}

/// A 413 is a body of too many bytes, unless it says that it is one of too many tokens: Groq's limit per minute, or a window.
pub(crate) fn too_large<'a>(mut codes: impl Iterator<Item = &'a str>, message: &str) -> FaultClass {
    if message.contains("tokens per minute") || message.contains("(tpm)") {
        RateLimited
    } else if overflows(message) || codes.any(|code| code == "context_length_exceeded") {
        ContextLength
    } else {
        Rejected
    }
}

fn overflows(message: &str) -> bool {
    OVERFLOW.iter().any(|wording| message.contains(wording))
}

fn placed(class: FaultClass, place: Place) -> FaultClass {
    match (class, place) {
        (Unauthorized, Place::Status(403)) => ForbiddenCredential,
        _ => class,
    }
}
