//! What a ceiling is a ceiling of, and a set of ceilings.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a limit counts. Its name in config, facts, metrics and pages is [`name`](Self::name).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Dimension {
    /// Requests in a minute.
    RequestsPerMinute,
    /// Input tokens in a minute.
    InputTokensPerMinute,
    /// Output tokens in a minute.
    OutputTokensPerMinute,
    /// Input and output tokens in a minute.
    TokensPerMinute,
    /// Requests in a day.
    RequestsPerDay,
    /// Input and output tokens in a day.
    TokensPerDay,
    /// Requests at the same time.
    ConcurrentRequests,
}

impl Dimension {
    /// Every dimension, in the order of pages and reports.
    pub const ALL: [Self; 7] = [
        Self::RequestsPerMinute,
        Self::InputTokensPerMinute,
        Self::OutputTokensPerMinute,
        Self::TokensPerMinute,
        Self::RequestsPerDay,
        Self::TokensPerDay,
        Self::ConcurrentRequests,
    ];

    /// As the config spells it: `requests-per-minute`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RequestsPerMinute => "requests-per-minute",
            Self::InputTokensPerMinute => "input-tokens-per-minute",
            Self::OutputTokensPerMinute => "output-tokens-per-minute",
            Self::TokensPerMinute => "tokens-per-minute",
            Self::RequestsPerDay => "requests-per-day",
            Self::TokensPerDay => "tokens-per-day",
            Self::ConcurrentRequests => "concurrent-requests",
        }
    }

    /// What [`name`](Self::name) writes.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dimension| dimension.name() == name)
    }

    /// As a sentence says it: `requests/min`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::RequestsPerMinute => "requests/min",
            Self::InputTokensPerMinute => "input tokens/min",
            Self::OutputTokensPerMinute => "output tokens/min",
            Self::TokensPerMinute => "tokens/min",
            Self::RequestsPerDay => "requests/day",
            Self::TokensPerDay => "tokens/day",
            Self::ConcurrentRequests => "concurrent requests",
        }
    }

    /// Its place in [`ALL`](Self::ALL).
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whether it counts tokens.
    #[must_use]
    pub const fn is_of_tokens(self) -> bool {
        matches!(
            self,
            Self::InputTokensPerMinute | Self::OutputTokensPerMinute | Self::TokensPerMinute | Self::TokensPerDay
        )
    }

    /// Whether it counts over a day.
    #[must_use]
    pub const fn is_daily(self) -> bool {
        matches!(self, Self::RequestsPerDay | Self::TokensPerDay)
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A ceiling in each dimension that has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits([Option<u64>; 7]);

impl Limits {
    /// No ceiling at all.
    pub const NONE: Self = Self([None; 7]);

    /// The ceiling in a dimension.
    #[must_use]
    pub fn get(&self, dimension: Dimension) -> Option<u64> {
        self.0[dimension.index()]
    }

    /// Sets or lifts a ceiling.
    pub fn set(&mut self, dimension: Dimension, limit: Option<u64>) {
        self.0[dimension.index()] = limit;
    }

    /// These limits and one more.
    #[must_use]
    pub fn with(mut self, dimension: Dimension, limit: u64) -> Self {
        self.set(dimension, Some(limit));
        self
    }

    /// Whether there is no ceiling.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// The ceilings that there are.
    pub fn iter(&self) -> impl Iterator<Item = (Dimension, u64)> {
        let limits = self.0;
        Dimension::ALL.into_iter().filter_map(move |dimension| Some((dimension, limits[dimension.index()]?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_places_match() {
        for (place, dimension) in Dimension::ALL.into_iter().enumerate() {
            assert_eq!(Dimension::from_name(dimension.name()), Some(dimension));
            assert_eq!(dimension.index(), place);
        }
        assert_eq!(Dimension::from_name("requests"), None);
    }

    #[test]
    fn limits_hold_what_was_set() {
        let limits = Limits::NONE.with(Dimension::TokensPerDay, 5).with(Dimension::RequestsPerMinute, 7);
        let held: Vec<_> = limits.iter().collect();
        assert_eq!(held, [(Dimension::RequestsPerMinute, 7), (Dimension::TokensPerDay, 5)]);
        assert!(!limits.is_empty() && Limits::NONE.is_empty());
    }
}
