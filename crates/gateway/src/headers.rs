//! Which headers cross Weir, in each direction. Towards a provider only what is on a list; towards a client all but a few.

use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use weir_engine::Gauge;
use weir_units::{Dimension, RequestId};
use weir_wire::{Dialect, HeaderDialect, LimitsSeen};

use crate::models::percent_decoded;

pub(crate) const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
pub(crate) const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
pub(crate) const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
pub(crate) const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
pub(crate) const X_WEIR_REQUEST: HeaderName = HeaderName::from_static("x-weir-request");
pub(crate) const X_WEIR_RUN: HeaderName = HeaderName::from_static("x-weir-run");
pub(crate) const X_WEIR_TAGS: HeaderName = HeaderName::from_static("x-weir-tags");
pub(crate) const X_WEIR_DEADLINE: HeaderName = HeaderName::from_static("x-weir-deadline");
const X_RATELIMIT_LIMIT_REQUESTS: HeaderName = HeaderName::from_static("x-ratelimit-limit-requests");
const X_RATELIMIT_LIMIT_TOKENS: HeaderName = HeaderName::from_static("x-ratelimit-limit-tokens");
const X_RATELIMIT_REMAINING_REQUESTS: HeaderName = HeaderName::from_static("x-ratelimit-remaining-requests");
const X_RATELIMIT_REMAINING_TOKENS: HeaderName = HeaderName::from_static("x-ratelimit-remaining-tokens");
const X_RATELIMIT_RESET_REQUESTS: HeaderName = HeaderName::from_static("x-ratelimit-reset-requests");
const X_RATELIMIT_RESET_TOKENS: HeaderName = HeaderName::from_static("x-ratelimit-reset-tokens");
pub(crate) const X_WEIR_PRIORITY: HeaderName = HeaderName::from_static("x-weir-priority");
pub(crate) const X_WEIR_DEPLOYMENT: HeaderName = HeaderName::from_static("x-weir-deployment");
pub(crate) const X_WEIR_ATTEMPTS: HeaderName = HeaderName::from_static("x-weir-attempts");
pub(crate) const X_WEIR_QUEUED_MS: HeaderName = HeaderName::from_static("x-weir-queued-ms");
pub(crate) const X_WEIR_COST_USD: HeaderName = HeaderName::from_static("x-weir-cost-usd");
pub(crate) const X_WEIR_OVERHEAD_US: HeaderName = HeaderName::from_static("x-weir-overhead-us");
pub(crate) const X_WEIR_DEGRADED: HeaderName = HeaderName::from_static("x-weir-degraded");
pub(crate) const X_WEIR_REFUSED_BY: HeaderName = HeaderName::from_static("x-weir-refused-by");
pub(crate) const X_STAINLESS_READ_TIMEOUT: HeaderName = HeaderName::from_static("x-stainless-read-timeout");
pub(crate) const X_WEIR_PARENT_RUN: HeaderName = HeaderName::from_static("x-weir-parent-run");
pub(crate) const X_WEIR_RUN_WARNING: HeaderName = HeaderName::from_static("x-weir-run-warning");
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const X_STAINLESS_RETRY_COUNT: HeaderName = HeaderName::from_static("x-stainless-retry-count");

/// The Messages version that Weir calls with where the client named none: every model takes it.
const VERSION: &str = "2023-06-01";

/// Headers that name the account behind a credential; they belong to whoever holds it, on either side.
const ORGANISATION: [&str; 7] = [
    "openai-organization",
    "openai-project",
    "anthropic-workspace-id",
    "anthropic-organization-id",
    "anthropic-user-profile-id",
    "x-goog-user-project",
    "cf-ray",
];

/// Query parameters that carry a credential in some provider's API.
const CREDENTIAL_PARAMETERS: [&str; 6] = ["key", "api_key", "api-key", "apikey", "access_token", "token"];

/// What a response's headers say of limits.
pub(crate) fn limits(dialect: HeaderDialect, headers: &HeaderMap) -> LimitsSeen {
    weir_wire::limits_seen(dialect, headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())))
}

/// The headers of a call to a provider that speaks `to`, made from a client's in dialect `from`.
pub(crate) fn upstream(client: &HeaderMap, from: Dialect, to: Dialect, own: &[(HeaderName, HeaderValue)]) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(16);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    for (name, value) in client {
        if crosses(name, from == to) {
            headers.append(name.clone(), value.clone());
        }
    }
    if to == Dialect::Anthropic && !headers.contains_key(ANTHROPIC_VERSION) {
        headers.insert(ANTHROPIC_VERSION, HeaderValue::from_static(VERSION));
    }
    for (name, value) in own {
        headers.insert(name.clone(), value.clone());
    }
    headers
}

fn crosses(name: &HeaderName, same_dialect: bool) -> bool {
    if *name == ACCEPT || *name == USER_AGENT {
        return true;
    }
    let name = name.as_str();
    if ORGANISATION.contains(&name) {
        return false;
    }
    name.starts_with("x-stainless-")
        || name == "idempotency-key"
        || same_dialect && (name.starts_with("anthropic-") || name == "openai-beta")
}

/// Drops from a provider's headers what is not for the client; what is left goes on as it came.
pub(crate) fn keep_for_client(headers: &mut HeaderMap) {
    // A look at each name is cheaper than a search for each that must not be there.
    let dropped: Vec<HeaderName> = headers.keys().filter(|name| !reaches_client(name.as_str())).cloned().collect();
    for name in dropped {
        headers.remove(name);
    }
}

fn reaches_client(name: &str) -> bool {
    let of_the_hop = matches!(
        name,
        "set-cookie"
            | "content-length"
            | "transfer-encoding"
            | "connection"
            | "keep-alive"
            | "te"
            | "trailer"
            | "upgrade"
            | "proxy-authenticate"
            | "alt-svc"
            | "strict-transport-security"
            | "x-should-retry"
    );
    !of_the_hop && !ORGANISATION.contains(&name) && !name.starts_with("x-weir-")
}

/// The id by which a provider knows a request, under either dialect's name.
pub(crate) fn upstream_id(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(REQUEST_ID).or_else(|| headers.get(X_REQUEST_ID)).cloned()
}

/// How often the client's SDK had tried before, if it says so.
pub(crate) fn sdk_retry(headers: &HeaderMap) -> Option<u32> {
    text(headers, &X_STAINLESS_RETRY_COUNT).and_then(|text| text.parse().ok())
}

/// Names the request in an answer that Weir gives itself.
pub(crate) fn name_request(headers: &mut HeaderMap, dialect: Dialect, request: RequestId) {
    let Ok(id) = HeaderValue::from_str(&request.to_string()) else { return };
    if dialect == Dialect::Anthropic {
        headers.insert(REQUEST_ID, id.clone());
    }
    headers.insert(X_REQUEST_ID, id.clone());
    headers.insert(X_WEIR_REQUEST, id);
}

/// The query that goes upstream: the client's, without parameters that carry a credential.
pub(crate) fn upstream_query(query: Option<&str>) -> Option<String> {
    let kept: Vec<&str> = query?
        .split('&')
        .filter(|pair| {
            let name = percent_decoded(pair.split('=').next().unwrap_or_default());
            !pair.is_empty() && !CREDENTIAL_PARAMETERS.iter().any(|c| name.eq_ignore_ascii_case(c))
        })
        .collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}

/// A header's text, if it is one.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

/// States a key's own limits in OpenAI's form: `x-ratelimit-limit-requests` and its kin. Where several limits are on tokens, the
/// one that least is left of is stated.
pub(crate) fn state_limits(gauges: &[Gauge], headers: &mut HeaderMap) {
    let of = |wanted: &[Dimension]| {
        let left = |gauge: &&Gauge| u128::from(gauge.remaining) * 1_000_000 / u128::from(gauge.limit.max(1));
        gauges.iter().filter(|gauge| wanted.contains(&gauge.dimension)).min_by_key(left)
    };
    let requests = of(&[Dimension::RequestsPerMinute, Dimension::RequestsPerDay]);
    let tokens = of(&[
        Dimension::TokensPerMinute,
        Dimension::InputTokensPerMinute,
        Dimension::OutputTokensPerMinute,
        Dimension::TokensPerDay,
    ]);
    let named = [
        (requests, &X_RATELIMIT_LIMIT_REQUESTS, &X_RATELIMIT_REMAINING_REQUESTS, &X_RATELIMIT_RESET_REQUESTS),
        (tokens, &X_RATELIMIT_LIMIT_TOKENS, &X_RATELIMIT_REMAINING_TOKENS, &X_RATELIMIT_RESET_TOKENS),
    ];
    for (gauge, limit, remaining, reset) in named {
        let Some(gauge) = gauge else { continue };
        headers.insert(limit, HeaderValue::from(gauge.limit));
        headers.insert(remaining, HeaderValue::from(gauge.remaining));
        let wait = format!("{}ms", gauge.reset.as_millis());
        headers.insert(reset, HeaderValue::from_str(&wait).unwrap_or(HeaderValue::from_static("0ms")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_headers_go_upstream() {
        let mut client = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer weir_secret"),
            ("x-api-key", "weir_secret"),
            ("cookie", "a=b"),
            ("x-forwarded-for", "10.0.0.1"),
            ("forwarded", "for=10.0.0.1"),
            ("baggage", "a=b"),
            ("origin", "https://example.com"),
            ("x-weir-run", "r"),
            ("openai-organization", "org"),
            ("anthropic-workspace-id", "w"),
            ("anthropic-beta", "tools-2024"),
            ("openai-beta", "assistants=v2"),
            ("x-stainless-lang", "python"),
            ("user-agent", "test"),
            ("host", "weir"),
        ] {
            client.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let own = [(HeaderName::from_static("authorization"), HeaderValue::from_static("Bearer sk-upstream"))];
        let same = upstream(&client, Dialect::OpenAi, Dialect::OpenAi, &own);
        let mut names: Vec<&str> = same.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let expected = [
            "accept-encoding",
            "anthropic-beta",
            "authorization",
            "content-type",
            "openai-beta",
            "user-agent",
            "x-stainless-lang",
        ];
        assert_eq!(names, expected);
        assert_eq!(same["authorization"], "Bearer sk-upstream");
        let other = upstream(&client, Dialect::OpenAi, Dialect::Anthropic, &[]);
        assert!(!other.contains_key("anthropic-beta") && !other.contains_key("openai-beta"));
        assert_eq!(other["anthropic-version"], "2023-06-01");
    }

    #[test]
    fn the_provider_says_nothing_of_hops_accounts_or_weir() {
        let mut headers = HeaderMap::new();
        for name in
            ["set-cookie", "transfer-encoding", "openai-organization", "x-weir-cost-usd", "x-request-id", "retry-after"]
        {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("x"));
        }
        keep_for_client(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["retry-after", "x-request-id"]);
    }

    #[test]
    fn credentials_leave_the_query() {
        assert_eq!(upstream_query(Some("beta=true&key=AIza&API_KEY=x")), Some("beta=true".to_owned()));
        assert_eq!(upstream_query(Some("access_token=x&%6bey=y")), None);
        assert_eq!(upstream_query(None), None);
    }
}
