//! Each error body of `fixtures/errors`, and what it means.

use std::time::Duration;

use FaultClass::{
    Billing, ContentFilter, ContextLength, Forbidden, ForbiddenCredential, ModelNotFound, Overloaded, RateLimited,
    Rejected, ServerError, Unauthorized,
};
use ProviderKind::{Anthropic, OpenAi, OpenAiCompatible};
use proptest::prelude::*;

use super::*;
use crate::limits_seen::{HeaderDialect, limits_seen};

macro_rules! fixture {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../../fixtures/errors/", $name)).as_slice())
    };
}

fn reply(status: u16, body: &[u8]) -> Reply<'_> {
    Reply { status, retry_after: None, retry_after_ms: None, date: None, limits: None, body }
}

fn class(kind: ProviderKind, status: u16, body: &str) -> FaultClass {
    classify(kind, &reply(status, body.as_bytes())).class
}

#[test]
fn a_content_filter_is_known_by_its_words_where_it_has_no_code() {
    let body = r#"{"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}"#;
    assert_eq!(class(Anthropic, 400, body), ContentFilter);
    assert_eq!(class(Anthropic, 400, &body.replace("content filtering policy", "nobody")), Rejected);
}

#[test]
fn refusals_of_openai_and_anthropic_are_told_apart() {
    for (kind, status, (name, body), expected) in [
        (OpenAi, 429, fixture!("openai-429-tokens-per-minute.json"), RateLimited),
        (OpenAi, 429, fixture!("openai-429-insufficient-quota.json"), Billing),
        (OpenAi, 429, fixture!("openai-429-spend-limit.json"), Billing),
        (OpenAi, 429, fixture!("openai-429-slow-down.json"), RateLimited),
        (OpenAi, 503, fixture!("openai-503-overloaded.json"), Overloaded),
        (OpenAi, 400, fixture!("openai-400-context-length.json"), ContextLength),
        (OpenAi, 400, fixture!("openai-400-responses-window.json"), ContextLength),
        (OpenAi, 400, fixture!("openai-400-string-too-long.json"), Rejected),
        (OpenAi, 401, fixture!("openai-401-invalid-api-key.json"), Unauthorized),
        (OpenAi, 403, fixture!("openai-401-invalid-api-key.json"), ForbiddenCredential),
        (OpenAi, 403, fixture!("openai-403-region.json"), Forbidden),
        (OpenAi, 404, fixture!("openai-404-model.json"), ModelNotFound),
        (OpenAi, 404, fixture!("openai-404-previous-response.json"), Rejected),
        (OpenAi, 400, fixture!("azure-400-content-filter.json"), ContentFilter),
        (OpenAi, 429, fixture!("azure-429-high-demand.json"), Overloaded),
        (Anthropic, 429, fixture!("anthropic-429-rate-limit.json"), RateLimited),
        (Anthropic, 429, fixture!("anthropic-429-spend-limit.json"), Billing),
        (Anthropic, 429, fixture!("anthropic-429-ramp.json"), RateLimited),
        (Anthropic, 400, fixture!("anthropic-400-usage-limits.json"), Billing),
        (Anthropic, 400, fixture!("anthropic-400-prompt-too-long.json"), ContextLength),
        (Anthropic, 529, fixture!("anthropic-529-overloaded.json"), Overloaded),
        (Anthropic, 402, fixture!("anthropic-402-billing.json"), Billing),
        (Anthropic, 401, fixture!("anthropic-401-authentication.json"), Unauthorized),
        (Anthropic, 403, fixture!("anthropic-403-permission.json"), Forbidden),
        (Anthropic, 403, fixture!("anthropic-401-authentication.json"), ForbiddenCredential),
        (Anthropic, 404, fixture!("anthropic-404-model.json"), ModelNotFound),
        (Anthropic, 413, fixture!("anthropic-413-too-large.json"), Rejected),
    ] {
        assert_eq!(classify(kind, &reply(status, body)).class, expected, "{name}");
    }
}

#[test]
fn refusals_of_the_compatible_are_told_apart() {
    for (status, (name, body), expected) in [
        (429, fixture!("gemini-429-per-day.json"), RateLimited),
        (429, fixture!("mistral-429-flat.json"), RateLimited),
        (422, fixture!("mistral-422-detail.json"), Rejected),
        (400, fixture!("mistral-400-invalid-model.json"), ModelNotFound),
        (413, fixture!("groq-413-tokens-per-minute.json"), RateLimited),
        (400, fixture!("xai-400-incorrect-key.json"), Unauthorized),
        (400, fixture!("xai-400-prompt-length.json"), ContextLength),
        (403, fixture!("openrouter-403-moderation.json"), ContentFilter),
        (402, fixture!("openrouter-402-credits.json"), Billing),
        (404, fixture!("ollama-404-model.json"), ModelNotFound),
        (400, fixture!("llamacpp-400-context.json"), ContextLength),
        (502, fixture!("nginx-502.html"), ServerError),
    ] {
        assert_eq!(classify(OpenAiCompatible, &reply(status, body)).class, expected, "{name}");
    }
}

#[test]
fn errors_inside_a_stream_are_told_apart() {
    for (kind, (name, body), expected) in [
        (OpenAi, fixture!("stream-openai-nested.json"), Overloaded),
        (OpenAi, fixture!("stream-openai-flat.json"), RateLimited),
        (OpenAi, fixture!("stream-openai-response-failed.json"), ServerError),
        (Anthropic, fixture!("stream-anthropic-overloaded.json"), Overloaded),
        (OpenAiCompatible, fixture!("stream-openrouter-502.json"), ServerError),
        (OpenAiCompatible, fixture!("stream-groq-x-groq.json"), ServerError),
        (OpenAi, fixture!("openai-429-insufficient-quota.json"), Billing),
        (OpenAi, fixture!("openai-400-responses-window.json"), ContextLength),
        (Anthropic, fixture!("anthropic-400-prompt-too-long.json"), ContextLength),
    ] {
        assert_eq!(classify_stream_error(kind, body).class, expected, "{name}");
    }
    let refused = br#"{"error":{"type":"invalid_request_error","message":"no"}}"#;
    assert_eq!(classify_stream_error(OpenAi, refused).class, Rejected);
}

#[test]
fn a_silent_body_leaves_the_word_to_the_status() {
    for (status, expected) in [
        (301, ServerError),
        (400, Rejected),
        (401, Unauthorized),
        (402, Billing),
        (403, Forbidden),
        (404, ModelNotFound),
        (408, Rejected),
        (409, Rejected),
        (413, Rejected),
        (422, Rejected),
        (429, RateLimited),
        (500, ServerError),
        (502, ServerError),
        (503, Overloaded),
        (504, ServerError),
        (529, Overloaded),
        (599, ServerError),
    ] {
        for body in ["", "{}", "null", "[]", "oops", "{\"error\":null}", "{\"error\":{}}"] {
            assert_eq!(class(OpenAi, status, body), expected, "{status} {body}");
        }
    }
}

#[test]
fn a_type_is_no_louder_than_a_clear_status() {
    let server_error = r#"{"error":{"type":"server_error","message":"x"}}"#;
    assert_eq!(class(OpenAi, 404, server_error), ModelNotFound);
    assert_eq!(class(OpenAi, 500, r#"{"error":{"type":"invalid_request_error"}}"#), ServerError);
    assert_eq!(class(OpenAi, 500, r#"{"error":{"type":"overloaded_error"}}"#), Overloaded);
    let quoting = r#"{"error":{"message":"busy; you wrote: prompt is too long, credit balance is too low"}}"#;
    assert_eq!(class(OpenAi, 500, quoting), ServerError, "wordings count only where they belong");
}

#[test]
fn a_fault_carries_code_wait_and_clean_words() {
    let (_, body) = fixture!("openai-401-invalid-api-key.json");
    let fault = classify(OpenAi, &Reply { retry_after: Some("7"), ..reply(401, body) });
    assert_eq!(fault.code.as_deref(), Some("invalid_api_key"));
    assert_eq!(fault.retry_after, Some(Duration::from_secs(7)));
    assert_eq!(
        fault.message,
        "Incorrect API key provided: [removed]. You can find your API key at https://platform.openai.com/account/api-keys."
    );
    let (_, body) = fixture!("anthropic-429-spend-limit.json");
    assert_eq!(classify(Anthropic, &reply(429, body)).code.as_deref(), Some("enforced_spend_limit_reached"));
    let (_, body) = fixture!("nginx-502.html");
    assert_eq!(classify(OpenAi, &reply(502, body)).message, "502 Bad Gateway");
    let (_, body) = fixture!("mistral-422-detail.json");
    assert_eq!(classify(OpenAiCompatible, &reply(422, body)).message, "Field required");
    assert_eq!(classify(OpenAi, &reply(500, b"")).message, "the provider answered 500 and gave no reason");
}

fn limit(kind: ProviderKind, status: u16, body: &[u8]) -> Option<Dimension> {
    classify(kind, &reply(status, body)).limit
}

#[test]
fn the_limit_that_was_exceeded_is_named_where_something_names_it() {
    use Dimension::{
        ConcurrentRequests, InputTokensPerMinute, OutputTokensPerMinute, RequestsPerDay, RequestsPerMinute,
        TokensPerDay, TokensPerMinute,
    };
    for (kind, status, (name, body), expected) in [
        (OpenAi, 429, fixture!("openai-429-tokens-per-minute.json"), Some(TokensPerMinute)),
        (OpenAi, 429, fixture!("openai-429-slow-down.json"), None),
        (OpenAi, 429, fixture!("openai-429-insufficient-quota.json"), None),
        (OpenAiCompatible, 413, fixture!("groq-413-tokens-per-minute.json"), Some(TokensPerMinute)),
        (OpenAiCompatible, 429, fixture!("gemini-429-per-day.json"), Some(RequestsPerDay)),
        (OpenAiCompatible, 429, fixture!("mistral-429-flat.json"), None),
    ] {
        assert_eq!(limit(kind, status, body), expected, "{name}");
    }
    for (words, expected) in [
        ("Rate limit reached on requests per day (RPD): Limit 200", Some(RequestsPerDay)),
        ("Rate limit reached on requests per min (RPM): Limit 3", Some(RequestsPerMinute)),
        ("Rate limit reached on tokens per day (TPD): Limit 500000", Some(TokensPerDay)),
        ("exceed your organization's rate limit of 30,000 input tokens per minute", Some(InputTokensPerMinute)),
        ("exceed your organization's rate limit of 8,000 output tokens per minute", Some(OutputTokensPerMinute)),
        ("Number of request tokens has exceeded your per-minute rate limit", Some(InputTokensPerMinute)),
        ("Number of concurrent connections has exceeded your rate limit", Some(ConcurrentRequests)),
        ("Slow down", None),
    ] {
        let body = format!(r#"{{"type":"error","error":{{"type":"rate_limit_error","message":"{words}"}}}}"#);
        assert_eq!(limit(Anthropic, 429, body.as_bytes()), expected, "{words}");
        let other = body.replace("rate_limit_error", "invalid_request_error");
        assert_eq!(limit(Anthropic, 400, other.as_bytes()), None, "a limit is named only of what exceeded one");
    }
    assert_eq!(limit(OpenAi, 429, br#"{"error":{"type":"requests","message":"x"}}"#), Some(RequestsPerMinute));
    let two = br#"{"error":{"status":"RESOURCE_EXHAUSTED","details":[{"violations":[
        {"quotaId":"GenerateContentInputTokensPerModelPerDay-FreeTier"},{"quotaId":"GenerateContentInputTokensPerModelPerMinute"}]}]}}"#;
    assert_eq!(limit(OpenAiCompatible, 429, two), Some(TokensPerDay));
}

#[test]
fn headers_name_the_limit_where_the_body_does_not() {
    let host = HeaderDialect::of(OpenAiCompatible, "x.openai.azure.com");
    let headers: [(&str, &[u8]); 5] = [
        ("x-ratelimit-limit-tokens", b"50000"),
        ("x-ratelimit-remaining-tokens", b"0"),
        ("x-ratelimit-reset-tokens", b"0"),
        ("x-ratelimit-renewalperiod-tokens", b"60"),
        ("x-ratelimit-type", b"Requests"),
    ];
    let full = limits_seen(host, headers);
    let refused = Reply {
        retry_after: Some("1"),
        retry_after_ms: Some("0"),
        limits: Some(&full),
        ..reply(429, br#"{"error":{"code":"429","message":"Rate limit is exceeded."}}"#)
    };
    let fault = classify(OpenAiCompatible, &refused);
    assert_eq!(fault.limit, Some(Dimension::TokensPerMinute), "what is used up is surer than the type");
    assert_eq!(
        fault.retry_after,
        Some(Duration::from_secs(60)),
        "the window renews in a minute, whatever is asked for"
    );
    let patient = classify(OpenAiCompatible, &Reply { retry_after: Some("90"), retry_after_ms: None, ..refused });
    assert_eq!(patient.retry_after, Some(Duration::from_secs(90)));
    let named = limits_seen(host, headers[4..].to_vec());
    let fault = classify(OpenAiCompatible, &Reply { limits: Some(&named), ..refused });
    assert_eq!((fault.limit, fault.retry_after), (Some(Dimension::RequestsPerMinute), Some(Duration::from_secs(1))));
    let busy = classify(OpenAiCompatible, &Reply { status: 503, limits: Some(&full), ..refused });
    assert_eq!((busy.limit, busy.retry_after), (None, Some(Duration::from_secs(1))));
}

#[test]
fn requests_that_are_used_up_are_waited_for_only_where_nothing_says_how_long() {
    let headers: [(&str, &[u8]); 3] = [
        ("x-ratelimit-limit-requests", b"500"),
        ("x-ratelimit-remaining-requests", b"0"),
        ("x-ratelimit-reset-requests", b"60s"),
    ];
    let full = limits_seen(HeaderDialect::of(OpenAi, ""), headers);
    let refused = Reply { limits: Some(&full), ..reply(429, b"{}") };
    assert_eq!(classify(OpenAi, &refused).retry_after, Some(Duration::from_secs(60)));
    let asked = classify(OpenAi, &Reply { retry_after_ms: Some("120"), ..refused });
    assert_eq!(asked.retry_after, Some(Duration::from_millis(120)), "a reset is when all are back, the next is sooner");
}

#[test]
fn a_body_says_how_long_to_wait_where_no_header_does() {
    let wait =
        |status, body: &[u8]| classify(OpenAiCompatible, &reply(status, body)).retry_after.map(|wait| wait.as_millis());
    assert_eq!(wait(429, fixture!("openai-429-tokens-per-minute.json").1), Some(2_000));
    let (_, body) = fixture!("gemini-429-per-day.json");
    let of_a_minute = String::from_utf8(body.to_vec()).unwrap().replace("PerDay", "PerMinute");
    assert_eq!(wait(429, of_a_minute.as_bytes()), Some(36_000));
    let quoting = br#"{"error":{"type":"invalid_request_error","message":"no: please try again in 5s"}}"#;
    assert_eq!(wait(400, quoting), None, "the words may be the client's");
    let (_, body) = fixture!("openai-429-tokens-per-minute.json");
    let asked = classify(OpenAi, &Reply { retry_after: Some("7"), ..reply(429, body) });
    assert_eq!(asked.retry_after, Some(Duration::from_secs(7)), "a header is surer than words");
    let streamed = classify_stream_error(OpenAi, body);
    assert_eq!(
        (streamed.retry_after, streamed.limit),
        (Some(Duration::from_secs(2)), Some(Dimension::TokensPerMinute))
    );
}

#[test]
fn a_days_quota_of_google_is_not_back_when_it_says() {
    let (_, body) = fixture!("gemini-429-per-day.json");
    let asked = Reply { retry_after: Some("36"), ..reply(429, body) };
    for fault in [
        classify(OpenAiCompatible, &asked),
        classify_stream_error(OpenAiCompatible, body),
        classify(OpenAiCompatible, &reply(429, body)),
    ] {
        assert_eq!((fault.limit, fault.retry_after), (Some(Dimension::RequestsPerDay), None));
    }
    let words = br#"{"error":{"message":"requests per day (RPD): Limit 200, Used 200. Please try again in 7m12s."}}"#;
    let rolling = classify(OpenAi, &reply(429, words));
    assert_eq!(rolling.retry_after, Some(Duration::from_secs(432)), "others refill a day's limit all day");
}

#[test]
fn what_came_with_a_200_and_is_no_json_may_be_an_answer_and_is_not_kept() {
    let fault = classify_stream_error(OpenAi, b"data: {\"choices\":[{\"delta\":{\"content\":\"Dear Ms. Example\"}}]}");
    assert_eq!((fault.class, fault.message.as_str()), (ServerError, "the provider gave no reason"));
}

#[test]
fn kinds_have_one_name_each() {
    for kind in ProviderKind::ALL {
        assert_eq!(ProviderKind::from_name(kind.name()), Some(kind));
    }
    assert_eq!(ProviderKind::from_name("gemini"), None);
}

proptest! {
    /// Whatever comes back, it gets a class, and its words are fit to keep.
    #[test]
    fn garbage_never_panics(status in 100u16..1_000, body: Vec<u8>, wait in ".*", kind in prop::sample::select(ProviderKind::ALL.to_vec())) {
        let fault = classify(kind, &Reply { retry_after: Some(&wait), retry_after_ms: Some(&wait), ..reply(status, &body) });
        prop_assert!(fault.message.chars().count() <= 300);
        prop_assert!(!fault.message.chars().any(char::is_control));
        let _ = classify_stream_error(kind, &body);
    }

    /// JSON of the right outline with the wrong insides is garbage, too.
    #[test]
    fn odd_members_never_panic(inside in prop::sample::select(vec!["1", "[]", "[[]]", "{}", "\"x\"", "null", "-1e99", "[{\"msg\":1}]"]), member in prop::sample::select(vec!["error", "message", "detail", "code", "type", "response", "x_groq"])) {
        for text in [format!(r#"{{"{member}":{inside}}}"#), format!(r#"{{"error":{{"{member}":{inside}}}}}"#)] {
            let fault = classify(OpenAi, &reply(400, text.as_bytes()));
            prop_assert!(!fault.message.is_empty());
        }
    }
}
