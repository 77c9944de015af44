//! The headers that come with every answer, as each provider writes them (official pages and captures, 2026-11).

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue};
use weir_sim::Gauge;
use weir_units::{Dimension, WallTime};

use crate::ask::Dialect;
use crate::house::{House, wall};

pub(crate) fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    // What cannot be a header value is left out: a mock's name is all that could hold such a thing.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// Identity and limits.
pub(crate) fn common(headers: &mut HeaderMap, house: &House, dialect: Dialect, request_id: &str, began: Instant) {
    set(headers, "x-mock", &house.name);
    match dialect {
        Dialect::OpenAi => {
            set(headers, "x-request-id", request_id);
            set(headers, "openai-processing-ms", &began.elapsed().as_millis().to_string());
            set(headers, "openai-version", "2020-10-01");
            set(headers, "openai-organization", "org-mock");
            for (dimension, names) in OPENAI {
                if let Some(gauge) = house.told(dimension) {
                    openai(headers, gauge, names);
                }
            }
        }
        Dialect::Anthropic => {
            set(headers, "request-id", request_id);
            set(headers, "anthropic-organization-id", "00000000-0000-4000-8000-00000000mock");
            if let Some(gauge) = house.told(Dimension::RequestsPerMinute) {
                anthropic(headers, gauge, ANTHROPIC_REQUESTS);
            }
            let total = house.told(Dimension::TokensPerMinute);
            let input = house.told(Dimension::InputTokensPerMinute);
            let output = house.told(Dimension::OutputTokensPerMinute);
            // Where only the sum is limited, the input's limit is that one: a client looks for `input-tokens`.
            if let Some(gauge) = input.or(total) {
                anthropic(headers, gauge, ANTHROPIC_INPUT);
            }
            if let Some(gauge) = output {
                anthropic(headers, gauge, ANTHROPIC_OUTPUT);
            }
            if let Some(gauge) = [total, input, output].into_iter().flatten().min_by_key(left_ppm) {
                anthropic(headers, gauge, ANTHROPIC_TOKENS);
            }
        }
    }
}

const OPENAI: [(Dimension, [&str; 3]); 2] = [
    (
        Dimension::RequestsPerMinute,
        ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
    ),
    (
        Dimension::TokensPerMinute,
        ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
    ),
];
const ANTHROPIC_REQUESTS: [&str; 3] = [
    "anthropic-ratelimit-requests-limit",
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-requests-reset",
];
/// The most restrictive of the limits on tokens.
const ANTHROPIC_TOKENS: [&str; 3] =
    ["anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"];
const ANTHROPIC_INPUT: [&str; 3] = [
    "anthropic-ratelimit-input-tokens-limit",
    "anthropic-ratelimit-input-tokens-remaining",
    "anthropic-ratelimit-input-tokens-reset",
];
const ANTHROPIC_OUTPUT: [&str; 3] = [
    "anthropic-ratelimit-output-tokens-limit",
    "anthropic-ratelimit-output-tokens-remaining",
    "anthropic-ratelimit-output-tokens-reset",
];

/// The share that is left, in parts per million.
fn left_ppm(gauge: &Gauge) -> u128 {
    u128::from(gauge.remaining) * 1_000_000 / u128::from(gauge.limit.max(1))
}

fn openai(headers: &mut HeaderMap, gauge: Gauge, names: [&'static str; 3]) {
    set(headers, names[0], &gauge.limit.to_string());
    set(headers, names[1], &gauge.remaining.to_string());
    set(headers, names[2], &go_duration(gauge.full_in));
}

fn anthropic(headers: &mut HeaderMap, gauge: Gauge, names: [&'static str; 3]) {
    set(headers, names[0], &gauge.limit.to_string());
    set(headers, names[1], &gauge.remaining.to_string());
    set(headers, names[2], &rfc_3339(wall() + gauge.full_in));
}

/// Whole seconds, as Anthropic writes them: `2026-05-04T12:34:56Z`.
fn rfc_3339(at: WallTime) -> String {
    let text = at.to_string();
    format!("{}Z", text.split('.').next().unwrap_or(&text))
}

/// A duration as Go prints it: `120ms`, `1.5s`, `6m0s`, `1h2m3.5s`.
fn go_duration(span: Duration) -> String {
    let millis = span.as_millis();
    if millis < 1_000 {
        return if millis == 0 { "0s".to_owned() } else { format!("{millis}ms") };
    }
    let (hours, minutes, rest) = (millis / 3_600_000, millis / 60_000 % 60, millis % 60_000);
    let seconds = format!("{}.{:03}", rest / 1_000, rest % 1_000);
    let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reset_values_read_as_the_providers_write_them() {
        for (millis, text) in [
            (0, "0s"),
            (120, "120ms"),
            (1_000, "1s"),
            (1_500, "1.5s"),
            (10_000, "10s"),
            (360_000, "6m0s"),
            (3_723_500, "1h2m3.5s"),
        ] {
            assert_eq!(go_duration(Duration::from_millis(millis)), text);
        }
        assert_eq!(rfc_3339(WallTime(1_795_013_223_114_000)), "2026-11-18T14:47:03Z");
    }
}
