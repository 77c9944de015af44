//! Tokens, and what a call used of them.

use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// A count of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tokens(pub u64);

impl Add for Tokens {
    type Output = Self;
    fn add(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }
}

impl AddAssign for Tokens {
    fn add_assign(&mut self, more: Self) {
        *self = *self + more;
    }
}

/// What one call used, as its provider reported it.
///
/// `input` is the total, whatever a dialect calls input: it includes `cached_input` and `cache_write`. `output` includes
/// `reasoning`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// All input tokens, cached ones too.
    pub input: Tokens,
    /// Input tokens read from the provider's prompt cache.
    pub cached_input: Tokens,
    /// Input tokens written to the provider's prompt cache.
    pub cache_write: Tokens,
    /// Those of `cache_write` that are kept for longer at a higher price: Anthropic's hour, OpenAI's twelve hours.
    #[serde(default)]
    pub cache_write_long: Tokens,
    /// All output tokens, reasoning ones too.
    pub output: Tokens,
    /// Output tokens spent on reasoning.
    pub reasoning: Tokens,
}
