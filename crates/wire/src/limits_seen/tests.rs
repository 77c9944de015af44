//! Captured headers of each provider, and what they say.

use Dimension::{
    InputTokensPerMinute, OutputTokensPerMinute, RequestsPerDay, RequestsPerMinute, TokensPerDay, TokensPerMinute,
};
use ProviderKind::{Anthropic, Mock, OpenAi, OpenAiCompatible};
use proptest::prelude::*;

use super::*;
use crate::classify::ProviderKind;

type Row = (Dimension, u64, Option<u64>, Option<u128>);

fn read(kind: ProviderKind, host: &str, headers: &[(&str, &str)]) -> LimitsSeen {
    limits_seen(HeaderDialect::of(kind, host), headers.iter().map(|(name, value)| (*name, value.as_bytes())))
}

fn rows(kind: ProviderKind, host: &str, headers: &[(&str, &str)]) -> Vec<Row> {
    let limits = read(kind, host, headers).limits;
    limits.into_iter().map(|l| (l.dimension, l.limit, l.remaining, l.reset.map(|d| d.as_millis()))).collect()
}

const OPENAI: [(&str, &str); 6] = [
    ("x-ratelimit-limit-requests", "500"),
    ("x-ratelimit-remaining-requests", "499"),
    ("x-ratelimit-reset-requests", "120ms"),
    ("x-ratelimit-limit-tokens", "30000"),
    ("x-ratelimit-remaining-tokens", "29000"),
    ("x-ratelimit-reset-tokens", "6m0s"),
];

#[test]
fn openai_states_requests_and_tokens() {
    let expected =
        [(RequestsPerMinute, 500, Some(499), Some(120)), (TokensPerMinute, 30_000, Some(29_000), Some(360_000))];
    assert_eq!(rows(OpenAi, "api.openai.com", &OPENAI), expected);
    assert_eq!(rows(Mock, "127.0.0.1", &OPENAI), expected);
    assert!(!read(OpenAi, "", &OPENAI).limits[0].advisory);
    assert!(read(OpenAiCompatible, "localhost", &OPENAI).limits[0].advisory, "who knows over which time");
}

#[test]
fn openais_requests_are_a_days_where_they_come_back_at_a_days_pace() {
    let seen = rows(
        OpenAi,
        "",
        &[
            ("x-ratelimit-limit-requests", "10000"),
            ("x-ratelimit-remaining-requests", "9999"),
            ("x-ratelimit-reset-requests", "8.64s"),
        ],
    );
    assert_eq!(seen, [(RequestsPerDay, 10_000, Some(9_999), Some(8_640))]);
}

#[test]
fn of_an_organisations_and_a_projects_limit_the_smaller_numbers_count() {
    let project = [
        ("x-ratelimit-limit-project-tokens", "10000"),
        ("x-ratelimit-remaining-project-tokens", "9000"),
        ("x-ratelimit-reset-project-tokens", "6s"),
    ];
    let both: Vec<_> = OPENAI[3..].iter().chain(&project).copied().collect();
    assert_eq!(rows(OpenAi, "", &both), [(TokensPerMinute, 10_000, Some(9_000), Some(6_000))]);
}

#[test]
fn azures_numbers_are_scaled_to_a_minute_and_advisory() {
    let seen = read(
        OpenAiCompatible,
        "team.openai.azure.com",
        &[
            ("x-ratelimit-limit-requests", "20"),
            ("x-ratelimit-remaining-requests", "19"),
            ("x-ratelimit-reset-requests", "9"),
            ("x-ratelimit-renewalperiod-requests", "10"),
            ("x-ratelimit-limit-tokens", "50000"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "0"),
            ("x-ratelimit-renewalperiod-tokens", "60"),
            ("x-ratelimit-type", "Tokens"),
        ],
    );
    let limit = |dimension, limit, remaining, seconds| LimitSeen {
        dimension,
        limit,
        remaining: Some(remaining),
        reset: Some(Duration::from_secs(seconds)),
        advisory: true,
    };
    let expected = [limit(TokensPerMinute, 50_000, 0, 60), limit(RequestsPerMinute, 120, 114, 9)];
    assert_eq!(seen.limits, [expected[1], expected[0]]);
    assert_eq!(seen.exceeded, Some(TokensPerMinute));
    assert_eq!(seen.exhausted(), Some(&expected[0]));
}

#[test]
fn anthropic_states_times_that_are_measured_from_the_date() {
    let headers = [
        ("anthropic-ratelimit-input-tokens-limit", "2000000"),
        ("anthropic-ratelimit-input-tokens-remaining", "1999000"),
        ("anthropic-ratelimit-input-tokens-reset", "2026-05-04T12:34:56Z"),
        ("anthropic-ratelimit-output-tokens-limit", "400000"),
        ("anthropic-ratelimit-output-tokens-reset", "2026-05-04T12:34:27.5Z"),
        ("anthropic-ratelimit-requests-limit", "1000"),
        ("anthropic-ratelimit-requests-reset", "2026-05-04T12:34:20.5Z"),
        ("anthropic-ratelimit-unified-5h-limit", "1"),
        ("anthropic-priority-input-tokens-limit", "7"),
        ("anthropic-fast-output-tokens-limit", "7"),
        ("date", "Mon, 04 May 2026 12:34:26 GMT"),
    ];
    let seen = read(Anthropic, "api.anthropic.com", &headers);
    assert_eq!(seen.at, Some(1_777_898_066));
    assert_eq!(
        rows(Anthropic, "api.anthropic.com", &headers),
        [
            (RequestsPerMinute, 1_000, None, Some(0)),
            (InputTokensPerMinute, 2_000_000, Some(1_999_000), Some(30_000)),
            (OutputTokensPerMinute, 400_000, None, Some(1_500)),
        ]
    );
}

/// A host, what it was seen to send, and what that says.
type Captured = (&'static str, &'static [(&'static str, &'static str)], &'static [Row]);

const COMPATIBLE: [Captured; 8] = [
    (
        "api.groq.com",
        &[
            ("x-ratelimit-limit-requests", "14400"),
            ("x-ratelimit-remaining-requests", "14370"),
            ("x-ratelimit-reset-requests", "2m59.56s"),
            ("x-ratelimit-limit-tokens", "18000"),
            ("x-ratelimit-remaining-tokens", "17997"),
            ("x-ratelimit-reset-tokens", "7.66s"),
        ],
        &[(TokensPerMinute, 18_000, Some(17_997), Some(7_660)), (RequestsPerDay, 14_400, Some(14_370), Some(179_560))],
    ),
    (
        "api.mistral.ai",
        &[
            ("x-ratelimit-limit-tokens-minute", "5000000"),
            ("x-ratelimit-remaining-tokens-minute", "4999911"),
            ("x-ratelimit-tokens-query-cost", "52"),
            ("x-ratelimit-limit-req-minute", "720"),
            ("x-ratelimit-remaining-req-minute", "717"),
        ],
        &[(RequestsPerMinute, 720, Some(717), None), (TokensPerMinute, 5_000_000, Some(4_999_911), None)],
    ),
    (
        "api.x.ai",
        &[
            ("x-ratelimit-limit-requests", "480"),
            ("x-ratelimit-remaining-requests", "479"),
            ("x-ratelimit-limit-tokens", "2000000"),
        ],
        &[(RequestsPerMinute, 480, Some(479), None), (TokensPerMinute, 2_000_000, None, None)],
    ),
    (
        "api.together.ai",
        &[
            ("x-ratelimit-limit", "10"),
            ("x-ratelimit-remaining", "9"),
            ("x-ratelimit-reset", "1"),
            ("x-ratelimit-limit-dynamic", "2.5"),
            ("x-tokenlimit-limit", "3000"),
            ("x-tokenlimit-remaining", "2990"),
        ],
        &[(RequestsPerMinute, 150, None, None), (TokensPerMinute, 180_000, Some(179_400), None)],
    ),
    (
        "api.fireworks.ai",
        &[
            ("x-ratelimit-limit-requests", "600"),
            ("x-ratelimit-limit-tokens-prompt", "3600000"),
            ("x-ratelimit-remaining-tokens-prompt", "3599000"),
            ("x-ratelimit-limit-tokens-cache-adjusted-prompt", "900000"),
            ("x-ratelimit-limit-tokens-generated", "36000"),
            ("x-ratelimit-over-limit", "yes"),
        ],
        &[
            (RequestsPerMinute, 600, None, None),
            (InputTokensPerMinute, 3_600_000, Some(3_599_000), None),
            (OutputTokensPerMinute, 36_000, None, None),
        ],
    ),
    (
        "openrouter.ai",
        &[
            ("x-ratelimit-limit", "20"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1788220800000"),
            ("date", "Mon, 31 Aug 2026 23:59:30 GMT"),
        ],
        &[(RequestsPerMinute, 20, Some(0), Some(30_000))],
    ),
    (
        "openrouter.ai",
        &[
            ("date", "Mon, 31 Aug 2026 20:00:00 GMT"),
            ("x-ratelimit-limit", "50"),
            ("x-ratelimit-remaining", "12"),
            ("x-ratelimit-reset", "1788220800000"),
        ],
        &[(RequestsPerDay, 50, Some(12), Some(14_400_000))],
    ),
    (
        "api.cohere.com",
        &[("x-trial-endpoint-call-limit", "20"), ("x-trial-endpoint-call-remaining", "19")],
        &[(RequestsPerMinute, 20, Some(19), None)],
    ),
];

#[test]
fn each_of_the_compatible_is_read_in_its_own_dialect() {
    for (host, headers, expected) in COMPATIBLE {
        assert_eq!(rows(OpenAiCompatible, host, headers), expected, "{host}");
    }
    let fireworks = read(OpenAiCompatible, "api.fireworks.ai", &[("x-ratelimit-over-limit", "yes")]);
    assert!(fireworks.over && fireworks.limits.is_empty());
    let mistral = read(OpenAiCompatible, "api.mistral.ai", &[("x-ratelimit-tokens-query-cost", "52")]);
    assert_eq!(mistral.charged, Some(52));
}

#[test]
fn the_same_names_at_an_unknown_host_are_not_guessed_at() {
    assert_eq!(rows(OpenAiCompatible, "localhost", &[("x-ratelimit-limit", "10"), ("x-ratelimit-remaining", "0")]), []);
}

#[test]
fn what_states_nothing_has_not_even_its_date_read() {
    let headers = [("date", "Mon, 04 May 2026 12:34:26 GMT"), ("x-request-id", "1"), ("x-ratelimit-limit-words", "3")];
    assert_eq!(read(OpenAi, "", &headers), LimitsSeen::default());
}

#[test]
fn odd_values_are_left_out() {
    for odd in ["many", "", "-1", "0", "NaN", "inf", "0x10"] {
        assert_eq!(rows(OpenAi, "", &[("x-ratelimit-limit-requests", odd)]), [], "{odd}");
    }
    let half =
        [("x-ratelimit-limit-tokens", "7"), ("x-ratelimit-remaining-tokens", "-1"), ("x-ratelimit-reset-tokens", "?")];
    assert_eq!(rows(OpenAi, "", &half), [(TokensPerMinute, 7, None, None)]);
    assert_eq!(rows(OpenAi, "", &[("x-ratelimit-remaining-tokens", "7")]), [], "no limit, nothing seen");
}

#[test]
fn of_two_limits_that_are_used_up_the_later_one_counts() {
    let limit = |dimension, seconds| LimitSeen {
        dimension,
        limit: 9,
        remaining: Some(0),
        reset: Some(Duration::from_secs(seconds)),
        advisory: false,
    };
    let limits = vec![limit(RequestsPerMinute, 3), limit(TokensPerDay, 900), limit(TokensPerMinute, 20)];
    let seen = LimitsSeen { limits, ..LimitsSeen::default() };
    assert_eq!(seen.exhausted().map(|limit| limit.dimension), Some(TokensPerDay));
}

proptest! {
    /// Whatever the headers hold, what comes of it makes sense.
    #[test]
    fn garbage_never_panics(
        kind in prop::sample::select(ProviderKind::ALL.to_vec()),
        host in prop::sample::select(vec!["api.groq.com", "api.together.ai", "openrouter.ai", "x.openai.azure.com", "cohere.com", "?"]),
        headers in prop::collection::vec((name(), value()), 0..20),
    ) {
        let seen = limits_seen(HeaderDialect::of(kind, host), headers.iter().map(|(n, v)| (n.as_str(), v.as_slice())));
        prop_assert!(seen.limits.len() <= 7);
        for limit in seen.limits {
            prop_assert!(limit.limit > 0);
            prop_assert!(limit.reset.is_none_or(|wait| wait.as_secs_f64() <= LONGEST));
        }
    }
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "(x-ratelimit|x-tokenlimit|x-trial-endpoint-call)-(limit|remaining|reset|renewalperiod|type)(-(requests|tokens|dynamic))?",
        "anthropic-ratelimit-(requests|tokens|input-tokens)-(limit|remaining|reset)",
        Just("date".to_owned()),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<Vec<u8>>(),
        "[0-9]{1,20}".prop_map(String::into_bytes),
        "[0-9]{1,9}(ms|s|m|h|d|µs|x)([0-9.]{1,9}s)?".prop_map(String::into_bytes),
        "[0-9]{1,6}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9.]{1,20}(Z|[+-][0-9]{2}:[0-9]{2})?"
            .prop_map(String::into_bytes),
        Just(b"Mon, 04 May 2026 12:34:26 GMT".to_vec()),
        any::<f64>().prop_map(|n| n.to_string().into_bytes()),
    ]
}
