//! What the engine and wire crates are about to export, so that this crate stands by itself until they do.
#![expect(missing_docs, reason = "the real types, documented, replace these")]
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    Failover,
    Balance,
}

#[derive(Clone, Debug, Default)]
pub struct RetrySettings {
    pub attempts: u32,
    pub base: Duration,
    pub cap: Duration,
    pub budget: f64,
    pub patience: Duration,
}

#[derive(Clone, Debug, Default)]
pub struct BreakerSettings {
    pub consecutive_failures: u32,
    pub failure_rate: f64,
    pub window: Duration,
    pub cooldown: Duration,
}

#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub retry: RetrySettings,
    pub breaker: BreakerSettings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderKind {
    OpenAi,
    Anthropic,
    OpenAiCompatible,
    Mock,
}

impl ProviderKind {
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "openai" => Self::OpenAi,
            "anthropic" => Self::Anthropic,
            "openai-compatible" => Self::OpenAiCompatible,
            "mock" => Self::Mock,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::OpenAiCompatible => "openai-compatible",
            Self::Mock => "mock",
        }
    }

    pub fn default_base_url(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("https://api.openai.com/v1"),
            Self::Anthropic => Some("https://api.anthropic.com"),
            _ => None,
        }
    }

    pub fn dialect(self) -> weir_wire::Dialect {
        match self {
            Self::Anthropic => weir_wire::Dialect::Anthropic,
            _ => weir_wire::Dialect::OpenAi,
        }
    }
}

pub(crate) fn catalogue_kind(model: &str) -> Option<ProviderKind> {
    match model {
        m if m.starts_with("claude") => Some(ProviderKind::Anthropic),
        m if m.starts_with("gpt") => Some(ProviderKind::OpenAi),
        _ => None,
    }
}
