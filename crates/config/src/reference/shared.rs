//! Settings that several tables hold alike, and the short ways to write one down.

use super::{Effect, Setting, Shape};

/// A setting that this version acts on; an empty `default` is none.
pub(super) const fn acted(key: &'static str, shape: Shape, default: &'static str, doc: &'static str) -> Setting {
    Setting { key, shape, default, effect: Effect::Acted, doc }
}

/// A setting that is parsed and not enforced.
pub(super) const fn later(key: &'static str, shape: Shape, default: &'static str, doc: &'static str) -> Setting {
    Setting { key, shape, default, effect: Effect::Later(""), doc }
}

/// A setting that is parsed and not enforced, and whose default is what happens anyway.
pub(super) const fn fixed(key: &'static str, shape: Shape, default: &'static str, doc: &'static str) -> Setting {
    Setting { key, shape, default, effect: Effect::Later(default), doc }
}

/// Ceilings, by dimension.
pub(super) const LIMITS: &[Setting] = &[
    acted("requests-per-minute", Shape::Count(1), "", "Requests in any minute."),
    acted(
        "requests-per-day",
        Shape::Count(1),
        "",
        "Requests in a day, which begins when the provider's does: at midnight UTC, at Google's at midnight in California.",
    ),
    acted("tokens-per-minute", Shape::Count(1), "", "Tokens in any minute, input and output together."),
    acted("input-tokens-per-minute", Shape::Count(1), "", "Input tokens in any minute."),
    acted("output-tokens-per-minute", Shape::Count(1), "", "Output tokens in any minute."),
    acted("tokens-per-day", Shape::Count(1), "", "Tokens in a day, input and output together."),
    acted("concurrent-requests", Shape::Count(1), "", "Requests at the same time."),
];

/// How long each stage of a call may take.
pub(super) const TIMEOUTS: &[Setting] = &[
    acted("connect", Shape::Span(1), r#""5s""#, "Until TCP and TLS stand."),
    acted(
        "first-byte",
        Shape::Span(1),
        r#""20s""#,
        "From the request until the response headers. A unary answer also gets max_tokens (4,096 when unset) ÷ 20 tokens/s.",
    ),
    acted(
        "first-content",
        Shape::Span(1),
        r#""10s""#,
        "From the headers of a stream until the first text, tool-call, refusal or reasoning delta. It applies only while another \
         deployment is eligible, and is 120 s where the model reasons.",
    ),
    acted("stall", Shape::Span(1), r#""30s""#, "Between two pieces of a stream. It is 120 s where the model reasons."),
    acted("total", Shape::Span(1), r#""10m""#, "For the whole call."),
];

/// Guards on agent runs.
pub(super) const RUNS: &[Setting] = &[
    later(
        "loops",
        Shape::Choice(&["off", "warn", "slow", "halt"]),
        r#""halt""#,
        "What follows when a run is seen to loop.",
    ),
    later("max-cost", Shape::Amount, "", "What one run may cost, in US dollars."),
    later("max-requests", Shape::Count(1), "", "Requests that one run may make."),
    later("max-age", Shape::Span(1), "", "How old a run may grow."),
];

/// Prices of a model.
pub(super) const PRICE: &[Setting] = &[
    acted("input", Shape::Price, "", "Input."),
    acted(
        "cached-input",
        Shape::Price,
        "",
        "Input read from the provider's cache. Known nowhere, it is billed as input.",
    ),
    acted(
        "cache-write",
        Shape::Price,
        "",
        "Input written to the provider's cache. Known nowhere, it is billed as input.",
    ),
    acted(
        "cache-write-long",
        Shape::Price,
        "",
        "Input written to the cache for longer: Anthropic's hour, OpenAI's twelve hours. Where it is known nowhere and `cache-write` \
         is, such a call's cost is unknown.",
    ),
    acted("output", Shape::Price, "", "Output."),
    acted("reasoning", Shape::Price, "", "Output spent on reasoning. Known nowhere, it is billed as output."),
    acted(
        "long-context",
        Shape::Partial(LONG_CONTEXT),
        "",
        "Other prices for the whole of a call with a long input. What is not known here costs what it costs in a shorter call.",
    ),
];

/// Prices of a call with a long input.
const LONG_CONTEXT: &[Setting] = &[
    acted("above", Shape::Count(1), "", "The most input tokens that are not long, cached ones included."),
    acted("input", Shape::Price, "", "Input."),
    acted("cached-input", Shape::Price, "", "Input read from the cache."),
    acted("cache-write", Shape::Price, "", "Input written to the cache."),
    acted("cache-write-long", Shape::Price, "", "Input written to the cache for longer."),
    acted("output", Shape::Price, "", "Output."),
    acted("reasoning", Shape::Price, "", "Output spent on reasoning."),
];
