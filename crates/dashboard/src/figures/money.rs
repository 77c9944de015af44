//! The answers of `/admin/v1/budgets` and `/admin/v1/keys`.

use serde::Deserialize;
use weir_units::NanoUsd;

/// All budgets.
#[derive(Clone, Debug, Default, Deserialize)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Budgets {
    pub budgets: Vec<Budget>,
}

/// A ceiling in dollars.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Budget {
    pub budget: String,
    pub scope: String,
    pub tenants: Vec<String>,
    pub keys: Vec<String>,
    pub tag: Option<String>,
    pub mode: String,
    pub period: String,
    pub since: String,
    pub resets_at: Option<String>,
    pub limit_usd: String,
    pub spent_usd: String,
    pub presumed_usd: String,
    pub reserved_usd: String,
    pub left_usd: String,
    pub low: bool,
    pub when_low: Option<String>,
}

/// Reads dollars that are always there.
fn amount(text: &str) -> NanoUsd {
    super::nano(Some(text)).unwrap_or_default()
}

impl Budget {
    /// The ceiling.
    #[must_use]
    pub fn limit(&self) -> NanoUsd {
        amount(&self.limit_usd)
    }

    /// What is spent, and what is taken as spent since nobody knows.
    #[must_use]
    pub fn counted(&self) -> NanoUsd {
        amount(&self.spent_usd) + amount(&self.presumed_usd)
    }

    /// What is held back for calls under way.
    #[must_use]
    pub fn held(&self) -> NanoUsd {
        amount(&self.reserved_usd)
    }

    /// What is left.
    #[must_use]
    pub fn left(&self) -> NanoUsd {
        amount(&self.left_usd)
    }
}

/// All keys.
#[derive(Clone, Debug, Default, Deserialize)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Keys {
    pub keys_are_asked_for: bool,
    pub keys: Vec<Key>,
}

/// What a client authenticates with.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Key {
    pub name: String,
    pub source: String,
    pub state: String,
    pub tenant: String,
    pub why: Option<String>,
    pub routes: Option<Vec<String>>,
    pub budgets: Option<Vec<String>>,
    pub priority: Option<String>,
    pub created_at: Option<String>,
    pub expires_at: Option<String>,
    pub revoked_at: Option<String>,
    pub former_until: Option<String>,
    /// The secret, in the one answer that has it.
    pub key: Option<String>,
    /// Until now nobody was asked for a key.
    pub keyless_ended: bool,
}

/// Tokens.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members are those of the admin API, which documents them")]
pub struct Usage {
    pub input: u64,
    pub cached_input: u64,
    pub output: u64,
    pub reasoning: u64,
}
