//! Which headers state which limit, at which provider: one row of a table a provider.
//!
//! `openai-compatible` is many providers, told apart by their host; a host that is not known gets the names that mean the same
//! wherever they were seen.

use weir_units::Dimension;
use weir_units::Dimension::{
    InputTokensPerMinute, OutputTokensPerMinute, RequestsPerDay, RequestsPerMinute, TokensPerDay, TokensPerMinute,
};

use super::Found;
use crate::classify::ProviderKind;

/// The most rows that a dialect has.
pub(super) const MOST_ROWS: usize = 8;

/// How one provider names its limits in the headers of its answers. Found once, when a provider is configured.
#[derive(Clone, Copy, Debug)]
pub struct HeaderDialect(&'static Table);

#[derive(Debug)]
struct Table {
    name: &'static str,
    /// Ends of the hosts that speak it.
    hosts: &'static [&'static str],
    /// Kinds of provider that speak it at any other host.
    kinds: &'static [ProviderKind],
    rows: &'static [Row],
}

/// The headers that state one limit.
#[derive(Debug)]
pub(super) struct Row {
    /// What the names begin with: a name is `prefix` + part, or with `what` as `prefix` + part + `-` + `what`, or the other way
    /// about at Anthropic.
    prefix: &'static str,
    what: &'static str,
    order: Order,
    pub(super) dimension: Dimension,
    pub(super) window: Window,
}

impl Row {
    /// The same count over a day.
    pub(super) fn of_a_day(&self) -> Dimension {
        match self.dimension {
            RequestsPerMinute | RequestsPerDay => RequestsPerDay,
            _ => TokensPerDay,
        }
    }

    fn part(&self, rest: &str) -> Option<Part> {
        let part = match (self.what, self.order) {
            ("", _) => rest,
            (what, Order::PartFirst) => rest.strip_suffix(what)?.strip_suffix('-')?,
            (what, Order::PartLast) => rest.strip_prefix(what)?.strip_prefix('-')?,
        };
        match part {
            "limit" => Some(Part::Limit),
            "remaining" => Some(Part::Remaining),
            "reset" => Some(Part::Reset),
            "renewalperiod" => Some(Part::Period),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Order {
    PartFirst,
    PartLast,
}

/// Over which time a row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Window {
    /// That of its dimension.
    Stated,
    /// A second; what is seen is what that makes in a minute.
    Second,
    /// The minute, unless it fills at the pace of a day's limit.
    Fill,
    /// The minute, unless it is reset later than that.
    Until,
    /// Nobody says; taken for the minute.
    Unknown,
}

/// What one header states of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Limit,
    Remaining,
    Reset,
    Period,
}

const fn row(what: &'static str, dimension: Dimension, window: Window) -> Row {
    Row { prefix: RATE_LIMIT, what, order: Order::PartFirst, dimension, window }
}

const fn anthropic(what: &'static str, dimension: Dimension) -> Row {
    Row { prefix: ANTHROPIC, what, order: Order::PartLast, dimension, window: Window::Stated }
}

const RATE_LIMIT: &str = "x-ratelimit-";
const TOKEN_LIMIT: &str = "x-tokenlimit-";
const ANTHROPIC: &str = "anthropic-ratelimit-";
const COHERE_TRIAL: &str = "x-trial-endpoint-call-";
/// What all names of all rows begin with: most headers are let go by their first letters.
const PREFIXES: [&str; 4] = [RATE_LIMIT, TOKEN_LIMIT, ANTHROPIC, COHERE_TRIAL];

/// Headers that state no limit but speak of one, whoever sends them.
const ASIDE: [(&str, Found); 3] = [
    ("x-ratelimit-type", Found::Exceeded),
    ("x-ratelimit-over-limit", Found::Over),
    ("x-ratelimit-tokens-query-cost", Found::Charged),
];

/// In the order of asking: by host, then by kind; the last is for hosts that nobody knows.
const TABLES: &[Table] = &[
    Table {
        name: "azure",
        hosts: &[".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com"],
        kinds: &[],
        rows: &[
            row("requests", RequestsPerMinute, Window::Unknown),
            row("tokens", TokensPerMinute, Window::Unknown),
            // Claude on Foundry.
            anthropic("requests", RequestsPerMinute),
            anthropic("tokens", TokensPerMinute),
            anthropic("input-tokens", InputTokensPerMinute),
            anthropic("output-tokens", OutputTokensPerMinute),
        ],
    },
    Table {
        name: "groq",
        hosts: &["groq.com"],
        kinds: &[],
        rows: &[row("requests", RequestsPerDay, Window::Stated), row("tokens", TokensPerMinute, Window::Stated)],
    },
    Table {
        name: "mistral",
        hosts: &["mistral.ai"],
        kinds: &[],
        rows: &[
            row("req-minute", RequestsPerMinute, Window::Stated),
            row("tokens-minute", TokensPerMinute, Window::Stated),
        ],
    },
    Table {
        name: "xai",
        hosts: &["x.ai"],
        kinds: &[],
        rows: &[row("requests", RequestsPerMinute, Window::Unknown), row("tokens", TokensPerMinute, Window::Unknown)],
    },
    Table {
        name: "together",
        hosts: &["together.ai", "together.xyz"],
        kinds: &[],
        rows: &[
            row("", RequestsPerMinute, Window::Second),
            row("dynamic", RequestsPerMinute, Window::Second),
            Row { prefix: TOKEN_LIMIT, ..row("", TokensPerMinute, Window::Second) },
            Row { prefix: TOKEN_LIMIT, ..row("dynamic", TokensPerMinute, Window::Second) },
        ],
    },
    Table {
        name: "fireworks",
        hosts: &["fireworks.ai"],
        kinds: &[],
        // `tokens-cache-adjusted-prompt` counts uncached input alone, which is no dimension of Weir's.
        rows: &[
            row("requests", RequestsPerMinute, Window::Stated),
            row("tokens-prompt", InputTokensPerMinute, Window::Stated),
            row("tokens-generated", OutputTokensPerMinute, Window::Stated),
        ],
    },
    Table {
        name: "openrouter",
        hosts: &["openrouter.ai"],
        kinds: &[],
        rows: &[row("", RequestsPerMinute, Window::Until)],
    },
    Table {
        name: "cohere",
        hosts: &["cohere.com", "cohere.ai"],
        kinds: &[],
        rows: &[Row { prefix: COHERE_TRIAL, ..row("", RequestsPerMinute, Window::Unknown) }],
    },
    Table {
        name: "openai",
        hosts: &["api.openai.com"],
        kinds: &[ProviderKind::OpenAi],
        rows: &[
            row("requests", RequestsPerMinute, Window::Fill),
            row("tokens", TokensPerMinute, Window::Stated),
            row("project-tokens", TokensPerMinute, Window::Stated),
        ],
    },
    Table {
        name: "anthropic",
        hosts: &["anthropic.com"],
        kinds: &[ProviderKind::Anthropic],
        // The pools of the priority and the fast tier have prefixes of their own and are not read.
        rows: &[
            anthropic("requests", RequestsPerMinute),
            anthropic("tokens", TokensPerMinute),
            anthropic("input-tokens", InputTokensPerMinute),
            anthropic("output-tokens", OutputTokensPerMinute),
        ],
    },
    Table {
        name: "mock",
        hosts: &[],
        kinds: &[ProviderKind::Mock],
        rows: &[
            row("requests", RequestsPerMinute, Window::Stated),
            row("tokens", TokensPerMinute, Window::Stated),
            anthropic("requests", RequestsPerMinute),
            anthropic("tokens", TokensPerMinute),
            anthropic("input-tokens", InputTokensPerMinute),
            anthropic("output-tokens", OutputTokensPerMinute),
        ],
    },
    Table {
        name: "any",
        hosts: &[],
        kinds: &[ProviderKind::OpenAiCompatible],
        rows: &[
            row("requests", RequestsPerMinute, Window::Unknown),
            row("tokens", TokensPerMinute, Window::Unknown),
            row("req-minute", RequestsPerMinute, Window::Stated),
            row("tokens-minute", TokensPerMinute, Window::Stated),
            row("tokens-prompt", InputTokensPerMinute, Window::Stated),
            row("tokens-generated", OutputTokensPerMinute, Window::Stated),
        ],
    },
];

impl HeaderDialect {
    /// The dialect of a provider of this kind at this host; a port after the host does not matter.
    #[must_use]
    pub fn of(kind: ProviderKind, host: &str) -> Self {
        let host = host.split_once(':').map_or(host, |(name, _)| name);
        let named = TABLES.iter().find(|table| table.hosts.iter().any(|end| ends_with_domain(host, end)));
        let by_kind = || TABLES.iter().find(|table| table.kinds.contains(&kind));
        // Every kind has a table, which a test holds.
        Self(named.or_else(by_kind).unwrap_or(&TABLES[TABLES.len() - 1]))
    }

    /// For pages and tests.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name
    }

    pub(super) fn rows(self) -> &'static [Row] {
        self.0.rows
    }

    pub(super) fn find(self, name: &str) -> Option<Found> {
        let prefix = PREFIXES.into_iter().find(|prefix| name.starts_with(prefix))?;
        let rest = &name[prefix.len()..];
        let mut rows = self.0.rows.iter().enumerate().filter(|(_, row)| row.prefix == prefix);
        rows.find_map(|(place, row)| row.part(rest).map(|part| Found::Part(place, part)))
            .or_else(|| ASIDE.iter().find(|(known, _)| *known == name).map(|row| row.1))
    }
}

fn ends_with_domain(host: &str, end: &str) -> bool {
    let Some(at) = host.len().checked_sub(end.len()) else { return false };
    let (before, tail) = host.as_bytes().split_at(at);
    tail.eq_ignore_ascii_case(end.as_bytes()) && (at == 0 || end.starts_with('.') || before.ends_with(b"."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_dialect_and_none_has_too_many_rows() {
        for kind in ProviderKind::ALL {
            assert!(TABLES.iter().any(|table| table.kinds.contains(&kind)), "{kind:?}");
        }
        assert!(TABLES.iter().all(|table| table.rows.len() <= MOST_ROWS));
        assert!(TABLES.iter().flat_map(|table| table.rows).all(|row| PREFIXES.contains(&row.prefix)));
    }

    #[test]
    fn the_host_tells_the_compatible_apart() {
        use ProviderKind::{Anthropic, Mock, OpenAi, OpenAiCompatible};
        for (kind, host, name) in [
            (OpenAi, "api.openai.com", "openai"),
            (OpenAi, "proxy.example", "openai"),
            (OpenAi, "team.openai.azure.com", "azure"),
            (OpenAiCompatible, "eu.api.openai.com", "openai"),
            (OpenAiCompatible, "API.GROQ.COM:443", "groq"),
            (OpenAiCompatible, "notgroq.com", "any"),
            (OpenAiCompatible, "api.mistral.ai", "mistral"),
            (OpenAiCompatible, "api.x.ai", "xai"),
            (OpenAiCompatible, "api.together.xyz", "together"),
            (OpenAiCompatible, "localhost:8000", "any"),
            (OpenAiCompatible, "", "any"),
            (Anthropic, "api.anthropic.com", "anthropic"),
            (Anthropic, "team.services.ai.azure.com", "azure"),
            (Mock, "127.0.0.1:9000", "mock"),
        ] {
            assert_eq!(HeaderDialect::of(kind, host).name(), name, "{kind:?} {host}");
        }
    }
}
