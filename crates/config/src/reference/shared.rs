//! Settings that several tables hold alike, and the short ways to write one down.

use super::{Effect, Setting, Shape};

/// A setting that this version acts on; an empty `default` is none.
pub(super) const fn acted(key: &'static str, shape: Shape, default: &'static str, doc: &'static str) -> Setting {
    Setting { key, shape, default, effect: Effect::Acted, doc }
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

/// What is kept of prompts and answers.
pub(super) const CAPTURE: &[Setting] = &[
    acted("requests", Shape::Flag, "", "Whether prompts are kept. Default: `false`."),
    acted("answers", Shape::Flag, "", "Whether answers are kept. Default: `false`."),
    acted("max", Shape::Size, "", "At most so much of each, and at most `4MiB`. Default: `64KiB`."),
    acted("retention", Shape::Span(60_000), "", "For how long. Default: `7d`."),
    acted(
        "redact",
        Shape::Names,
        "",
        "Regular expressions of what is taken out before anything is written; keys, e-mail addresses and card numbers always are.",
    ),
];

/// Agent runs: how much is remembered of them, and what guards them.
pub(super) const RUNS: &[Setting] = &[
    acted(
        "max-remembered",
        Shape::Count(1_000),
        "200000",
        "How many conversations are remembered. Past it the one that was used least lately is forgotten.",
    ),
    acted(
        "max-first-requests",
        Shape::Count(100),
        "5000",
        "How many of them may be conversations that nobody named and of which only a first request came; most get no second one.",
    ),
    acted("max-memory", Shape::Size, r#""240MiB""#, "About how much memory they may take."),
    acted(
        "forget-after",
        Shape::Span(60_000),
        r#""2h""#,
        "How long a conversation is remembered after its last request.",
    ),
    acted(
        "loops",
        Shape::Choice(&["off", "warn", "slow", "halt"]),
        r#""halt""#,
        "How far the detectors may go. `off` guards nothing, not even the caps.",
    ),
    acted("max-cost", Shape::Amount, "", "What one run may cost, in US dollars."),
    acted("max-requests", Shape::Count(1), "", "Requests that one run may make, along one path."),
    acted("max-age", Shape::Span(1), "", "How old a run may grow."),
    acted(
        "max-depth",
        Shape::Count(1),
        "",
        "How often a run may branch, and how long a chain of runs that call each other may be.",
    ),
    acted(
        "max-context-growth",
        Shape::Count(1),
        "",
        "The most input tokens that a request may have more than the first one of its conversation.",
    ),
    acted("exempt-tools", Shape::Names, "[]", "Tools whose calls no detector counts."),
    acted(
        "identical-actions",
        Shape::Count(0),
        "5",
        "The same action with the same result, so often in a row, halts; one less slows, two less warn. 0 is off, here and below.",
    ),
    acted(
        "cycles",
        Shape::Count(0),
        "4",
        "Two to six steps with the same results, repeated so often, halt; one less slows.",
    ),
    acted(
        "repeated-errors",
        Shape::Count(0),
        "6",
        "The same error of tools, so often in a row, halts; one less slows, two less warn.",
    ),
    acted(
        "no-progress-steps",
        Shape::Count(0),
        "20",
        "Of so many steps less than `no-progress-distinct` are different, and the last `no-progress-quiet` brought nothing new: halts.",
    ),
    acted(
        "no-progress-distinct",
        Shape::Share,
        "0.35",
        "The share of different steps below which there may be no progress.",
    ),
    acted("no-progress-quiet", Shape::Count(1), "10", "So many of the last steps that brought no new result."),
    acted(
        "similar-texts",
        Shape::Count(0),
        "4",
        "So many of the last six longer texts that are nearly the same halt; one less slows.",
    ),
    acted(
        "similar-texts-distance",
        Shape::Count(0),
        "3",
        "The most bits of 64 in which texts that are nearly the same differ.",
    ),
    acted(
        "ping-pongs",
        Shape::Count(0),
        "4",
        "The same texts back and forth between conversations, so often, halt; one less slows.",
    ),
    acted(
        "velocity-deviations",
        Shape::Count(0),
        "6",
        "How many robust deviations above the tenant's other runs a run's dollars a minute slow it.",
    ),
    acted(
        "velocity-floor",
        Shape::Amount,
        r#""1.00""#,
        "Dollars a minute. A run that spends more than this, and far more than the tenant's other runs, is slowed.",
    ),
    acted(
        "attempts-per-answer",
        Shape::Count(0),
        "4",
        "More attempts than this for each useful answer within ten minutes, retries of clients and of Weir together, slow a run.",
    ),
    acted("attempts-least", Shape::Count(1), "12", "Fewer attempts than this within ten minutes are never too many."),
];

/// Those of them that a route or a key may set for itself: the guards.
pub(super) const GUARDS: &[Setting] = RUNS.split_at(4).1;

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
