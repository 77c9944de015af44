//! The tables of `weir.toml`, in the order in which a reader meets them.

use super::alerting::{ALERTS, CONTACT, NOTIFIERS, OWNER, TIER, UPGRADE_URL};
use super::shared::{CAPTURE, GUARDS, LIMITS, PRICE, RUNS, TIMEOUTS, acted, fixed};
use super::{Setting, Shape};

/// The whole file.
pub(crate) const ROOT: &[Setting] = &[
    acted("server", Shape::Table(SERVER), "", "What Weir listens on and how much it takes in."),
    acted(
        "admins",
        Shape::Named(ADMINS),
        "",
        "People besides `root` who may use the admin interface, each by name. The audit log names them.",
    ),
    acted("ledger", Shape::Table(LEDGER), "", "Where facts are kept."),
    acted("quota", Shape::Table(QUOTA), "", "Where limits, budgets and breakers are counted."),
    acted("owner", Shape::Partial(OWNER), "", "Who owns LLM capacity: alerts and escalations go there."),
    acted("notifiers", Shape::Named(NOTIFIERS), "", "Where alerts can be sent."),
    acted("alerts", Shape::Table(ALERTS), "", "From when on somebody is told, and of what nobody is."),
    acted(
        "providers",
        Shape::Named(PROVIDERS),
        "",
        "One account at an LLM API. With none at all, the built-in mock answers as `mock/…`.",
    ),
    acted("pools", Shape::Named(POOLS), "", "What shares one set of limits."),
    acted(
        "routes",
        Shape::Named(ROUTES),
        "",
        "A name that clients use as `model`, and the deployments behind it. The route `\"*\"` takes what names no route and no \
         provider.",
    ),
    acted(
        "timeouts",
        Shape::Table(TIMEOUTS),
        "",
        "How long each stage of a call may take, for every route that does not say.",
    ),
    acted("retry", Shape::Table(RETRY), "", "When the same deployment is asked again."),
    acted("breaker", Shape::Table(BREAKER), "", "When a deployment that keeps failing is left alone."),
    acted("queue", Shape::Table(QUEUE), "", "Waiting for capacity."),
    acted(
        "runs",
        Shape::Table(RUNS),
        "",
        "Agent runs: how they are remembered, and guards against loops and runaways.",
    ),
    acted(
        "telemetry",
        Shape::Partial(TELEMETRY),
        "",
        "OpenTelemetry: traces and metrics by OTLP over HTTP, to where `endpoint` says. What is not written here is as the usual \
         variables have it; with neither an `endpoint` here nor one there, nothing is sent.",
    ),
    acted("prices", Shape::Table(PRICES), "", "What happens where a price is unknown."),
    acted(
        "budgets",
        Shape::Named(BUDGETS),
        "",
        "A ceiling in dollars for a period. It holds for the keys and tenants that name it, together, or for a tag.",
    ),
    acted(
        "tenants",
        Shape::Named(TENANTS),
        "",
        "Who a key belongs to: a team, a customer. The tenant `default` always exists.",
    ),
    acted(
        "keys",
        Shape::Named(KEYS),
        "",
        "What clients authenticate with. Without any, only programs on this machine are served.",
    ),
];

const SERVER: &[Setting] = &[
    acted(
        "listen",
        Shape::Address,
        r#""127.0.0.1:4141""#,
        "Where clients reach it. Other than loopback needs `[keys]`, and an `admin-key` or `[admins]`.",
    ),
    acted("admin-listen", Shape::Address, "", "Moves admin, dashboard and metrics to an address of their own."),
    acted("admin-key", Shape::Secret, "", "What the person `root` authenticates with."),
    acted(
        "timezone",
        Shape::Text,
        r#""UTC""#,
        "Where budgets' periods begin and end, by its name in the IANA database (`Europe/Berlin`); the ledger stores UTC.",
    ),
    acted("public-url", Shape::Url, "", "The address that links in alerts and reports carry."),
    acted(
        "log-format",
        Shape::Choice(&["text", "json"]),
        r#""text""#,
        "How the log is written to stderr: `json` is one object a line. `weir serve --log-format` counts before it; a reload does not \
         change it.",
    ),
    acted("body-limit", Shape::Size, r#""32MiB""#, "The largest request body, decoded. Larger is a 413."),
    acted(
        "buffer-limit",
        Shape::Size,
        r#""256MiB""#,
        "What all requests and answers together may hold in memory. Past it new requests are refused with a 503.",
    ),
    acted(
        "max-connections",
        Shape::Count(1),
        "10000",
        "Clients' connections open at once. Past it new ones wait to be accepted.",
    ),
    acted("grace", Shape::Span(0), r#""30s""#, "How long running requests have at SIGTERM."),
    acted("tls", Shape::Partial(TLS), "", "What to speak TLS with; both files are PEM and are read again on reload."),
    acted("ca-file", Shape::Path, "", "More certificate authorities that a provider's certificate may come from, PEM."),
    fixed("cors-origins", Shape::Names, "[]", "Web origins that may call from a browser."),
];

const TLS: &[Setting] = &[
    acted("certificate", Shape::Path, "", "The certificate, followed by its intermediates."),
    acted("key", Shape::Path, "", "Its private key."),
];

const ADMINS: &[Setting] = &[
    acted(
        "key",
        Shape::Secret,
        "",
        "What this person authenticates with, at least 24 characters. No two have the same.",
    ),
    acted(
        "role",
        Shape::Choice(&["viewer", "operator", "auditor"]),
        r#""viewer""#,
        "What this person may do. A `viewer` sees figures and records; an `operator` also makes changes; an `auditor` also reads the \
         audit log and captured content, and changes nothing.",
    ),
];

const LEDGER: &[Setting] = &[
    acted(
        "url",
        Shape::TextOrSecret,
        r#""sqlite:weir.db""#,
        "The SQLite file, or `postgres://USER@HOST/DATABASE`; one with a password by reference, as in `{ env = \"WEIR_LEDGER_URL\" }`, \
         or the password in `PGPASSWORD` or `.pgpass`.",
    ),
    acted("retention", Shape::Span(3_600_000), r#""35d""#, "How long detail is kept; roll-ups stay."),
];

const QUOTA: &[Setting] = &[acted(
    "url",
    Shape::Text,
    r#""local""#,
    "`local` is this process. Any other (`redis://…`) is a fault in this version.",
)];

const PROVIDERS: &[Setting] = &[
    acted(
        "kind",
        Shape::Text,
        "",
        "Which API it is: `openai`, `anthropic`, `openai-compatible` or `mock`. Where it is not written, the provider's own name says it.",
    ),
    acted(
        "base-url",
        Shape::Url,
        "",
        "Where the API is. Default by kind: `https://api.openai.com/v1`, `https://api.anthropic.com` (with or without `/v1`), for \
         `mock` the one built in; `openai-compatible` has none.",
    ),
    acted(
        "api-key",
        Shape::Secret,
        "",
        "The credential. For the kinds `openai` and `anthropic` at their own address the default is `{ env = \"OPENAI_API_KEY\" }` \
         and `{ env = \"ANTHROPIC_API_KEY\" }`; at another address there is none, so that no key goes where nobody sent it.",
    ),
    acted(
        "limits",
        Shape::Partial(LIMITS),
        "",
        "Ceilings of the whole account. What the provider states of a model in its answers counts beside them, and the lower is \
         kept to.",
    ),
    acted("headers", Shape::Headers, "", "Sent on each call. A value may be a secret by reference."),
    TIER,
    CONTACT,
    UPGRADE_URL,
    acted(
        "models",
        Shape::Named(MODELS),
        "",
        "What is declared of a model, under the provider's name for it. A model need not be declared to be called; \
         `/v1/models` lists those that are.",
    ),
];

const MODELS: &[Setting] = &[
    acted("limits", Shape::Partial(LIMITS), "", "Ceilings of this model."),
    acted("pool", Shape::Text, "", "The pool whose limits it shares."),
    acted(
        "context-window",
        Shape::Count(1),
        "",
        "The longest input and output together, in tokens. Default: the catalogue's.",
    ),
    acted(
        "price",
        Shape::Partial(PRICE),
        "",
        "Its prices. What is not written here is as the catalogue has it; what neither knows is unknown, and never zero.",
    ),
];

const POOLS: &[Setting] = &[
    acted("limits", Shape::Partial(LIMITS), "", "Ceilings that its members share."),
    acted(
        "reserve-for-interactive",
        Shape::Share,
        "0.2",
        "The share of each limit that batch may not use. What no pool is named for reserves 0.2, too.",
    ),
];

const ROUTES: &[Setting] = &[
    acted(
        "deployments",
        Shape::Names,
        "",
        "What a call may be sent to, each `provider/model`. In the route `\"*\"` a model may be `*`: the name that was asked for.",
    ),
    acted(
        "strategy",
        Shape::Choice(&["failover", "balance"]),
        r#""failover""#,
        "`failover` tries them in order; `balance` by latency, errors, headroom and cost.",
    ),
    acted(
        "after-cut",
        Shape::Choice(&["splice", "end"]),
        r#""splice""#,
        "What follows a stream that breaks after content: `splice` carries on from another deployment where that is exact, `end` \
         sends the dialect's error frame.",
    ),
    acted("critical", Shape::Flag, "false", "Critical routes are checked for a second provider."),
    acted(
        "timeouts",
        Shape::Partial(TIMEOUTS),
        "",
        "How long each stage of a call may take on this route; defaults from `[timeouts]`.",
    ),
    acted(
        "runs",
        Shape::Partial(GUARDS),
        "",
        "Guards on agent runs on this route; what is not written is as `[runs]` has it.",
    ),
    acted(
        "capture",
        Shape::Partial(CAPTURE),
        "",
        "What is kept of prompts and answers on this route. Without it nothing is.",
    ),
];

const RETRY: &[Setting] = &[
    acted(
        "attempts",
        Shape::Count(1),
        "3",
        "Attempts on the last deployment left. While another is eligible there are at most two.",
    ),
    acted(
        "base",
        Shape::Span(1),
        r#""250ms""#,
        "The backoff's base: the wait before repeat n (from 0) is drawn from 0 to base · 2ⁿ.",
    ),
    acted("cap", Shape::Span(1), r#""20s""#, "What base · 2ⁿ never exceeds."),
    acted("budget", Shape::Share, "0.1", "What repeats may cost, as a share of what first attempts cost."),
    acted(
        "patience",
        Shape::Span(0),
        r#""3s""#,
        "A retry-after up to this is waited out in place; a longer one fails over.",
    ),
];

const BREAKER: &[Setting] = &[
    acted("consecutive-failures", Shape::Count(1), "5", "Faults in a row that open it."),
    acted("failure-rate", Shape::Share, "0.5", "The share of faults within the window that opens it."),
    acted("window", Shape::Span(1_000), r#""30s""#, "How far back that share is taken, at most five minutes."),
    acted(
        "cooldown",
        Shape::Span(1),
        r#""15s""#,
        "How long it stays open, give or take a fifth. Traffic then returns in steps of 10 s, or of this where it is shorter.",
    ),
];

const QUEUE: &[Setting] = &[
    acted(
        "max-wait",
        Shape::Span(0),
        r#""30s""#,
        "How long a request waits for capacity, unless it says otherwise with `x-weir-deadline`.",
    ),
    acted(
        "max-requests",
        Shape::Count(1),
        "10000",
        "How many requests may wait. When they are that many, batch is sent away first.",
    ),
    acted("max-bytes", Shape::Size, r#""256MiB""#, "How large the bodies of all that wait may be together."),
];

const TELEMETRY: &[Setting] = &[
    acted(
        "endpoint",
        Shape::Url,
        "",
        "The receiver, as `http://collector:4318`; `/v1/traces` and `/v1/metrics` are added. Default: `OTEL_EXPORTER_OTLP_ENDPOINT`.",
    ),
    acted(
        "traces-endpoint",
        Shape::Url,
        "",
        "Where traces go, the whole address. Default: from `endpoint`, else `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`.",
    ),
    acted(
        "metrics-endpoint",
        Shape::Url,
        "",
        "Where metrics go, the whole address. Default: from `endpoint`, else `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`.",
    ),
    acted(
        "protocol",
        Shape::Choice(&["http/protobuf"]),
        "",
        "OTLP over HTTP with protobuf is the one protocol: gRPC is not spoken. Receivers take it on port 4318.",
    ),
    acted(
        "compression",
        Shape::Choice(&["none", "gzip"]),
        "",
        "Default: `OTEL_EXPORTER_OTLP_COMPRESSION`, else `none`.",
    ),
    acted(
        "headers",
        Shape::Headers,
        "",
        "Sent with each export. A value may be a secret by reference. Default: `OTEL_EXPORTER_OTLP_HEADERS`.",
    ),
    acted("service-name", Shape::Text, "", "What Weir calls itself there. Default: `OTEL_SERVICE_NAME`, else `weir`."),
    acted(
        "resource",
        Shape::Headers,
        "",
        "Further attributes of the sender, as `{ \"deployment.environment.name\" = \"production\" }`. Those of `OTEL_RESOURCE_ATTRIBUTES` \
         are kept beside them.",
    ),
    acted(
        "sample",
        Shape::Share,
        "",
        "The share of ordinary requests that are traced, where the client's own trace does not say. Errors, refusals, slow, retried, \
         failed-over and halted ones always are. Default: `OTEL_TRACES_SAMPLER_ARG`, else 1.",
    ),
    acted("slow", Shape::Span(1), "", "A request that takes at least so long is always traced. Default: `30s`."),
    acted(
        "timeout",
        Shape::Span(1),
        "",
        "How long one export may take. Default: `OTEL_EXPORTER_OTLP_TIMEOUT`, else `10s`.",
    ),
    acted(
        "interval",
        Shape::Span(100),
        "",
        "How often metrics are sent. Default: `OTEL_METRIC_EXPORT_INTERVAL`, else `60s`.",
    ),
];

const PRICES: &[Setting] = &[
    acted(
        "on-unknown",
        Shape::Choice(&["refuse", "worst-case"]),
        r#""refuse""#,
        "Under a budget: refuse what has no price, or charge the worst case for it.",
    ),
    acted(
        "worst-case",
        Shape::Amount,
        r#""1.00""#,
        "What each call without a price is charged under a budget with `on-unknown = \"worst-case\"`, in US dollars.",
    ),
];

const BUDGETS: &[Setting] = &[
    acted("limit", Shape::Amount, "", "The ceiling, in US dollars."),
    acted(
        "period",
        Shape::Choice(&["hour", "day", "week", "month", "total"]),
        r#""month""#,
        "What it is a ceiling of, by the clock and calendar of `server.timezone`; a week begins on Monday.",
    ),
    acted(
        "mode",
        Shape::Choice(&["strict", "soft"]),
        r#""soft""#,
        "`strict` reserves the worst case and is never over; `soft` reserves what 99 of 100 calls do not exceed.",
    ),
    acted("warn-at", Shape::Shares, "[0.5, 0.8]", "Shares of it at which a warning goes out, rising."),
    acted("when-low", Shape::Partial(WHEN_LOW), "", "What answers with less when little is left."),
    acted(
        "tag",
        Shape::Text,
        "",
        "A budget on a tag (`team=ml`) that requests carry in `x-weir-tags`, instead of on keys or tenants.",
    ),
];

const WHEN_LOW: &[Setting] = &[
    acted("at", Shape::Share, "", "The share spent from which on it holds."),
    acted("route", Shape::Text, "", "The route that answers instead."),
];

const TENANTS: &[Setting] = &[
    acted("org", Shape::Text, "", "Who it belongs to. A budget that tenants of different orgs name is a warning."),
    acted("budgets", Shape::Names, "", "Budgets of all its keys together; each must exist under `[budgets]`."),
    acted("weight", Shape::Count(1), "1", "Its share under contention, beside other tenants' weights."),
];

const KEYS: &[Setting] = &[
    acted("key", Shape::Secret, "", "The key, at least 24 characters."),
    acted("key-hash", Shape::Text, "", "Instead of `key`: its SHA-256, in 64 hexadecimal digits."),
    acted("tenant", Shape::Text, r#""default""#, "Who it belongs to."),
    acted("budgets", Shape::Names, "", "Budgets of this key; each must exist under `[budgets]`."),
    acted("routes", Shape::Names, "", "The routes it may use, and nothing else then. Without it, it may use all."),
    acted(
        "priority",
        Shape::Choice(&["interactive", "standard", "batch"]),
        r#""interactive""#,
        "The class of its requests, and the highest that they may ask for with `x-weir-priority`.",
    ),
    acted("limits", Shape::Partial(LIMITS), "", "Ceilings of this key."),
    acted("max-tokens-default", Shape::Count(1), "", "The output limit given to a request that sets none."),
    acted(
        "runs",
        Shape::Partial(GUARDS),
        "",
        "Guards on agent runs of this key; what is not written is as the route or `[runs]` has it.",
    ),
    acted(
        "capture",
        Shape::Partial(CAPTURE),
        "",
        "What is kept of this key's prompts and answers; it counts before what the route says, except that the rules of both hold.",
    ),
];
