//! What a request costs of each limit, by the providers' own pages on rate limits (read 2026-11).

use weir_units::{Dimension, Tokens};

/// What limits on tokens are charged with, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Charge {
    /// OpenAI: `max(input estimate, max_tokens)`, at arrival, whatever is used of it. Cached input counts.
    #[default]
    Reserve,
    /// Azure, Cerebras: `input + max_tokens`, at arrival, whatever is used of it.
    ReserveSum,
    /// Bedrock: `input + max_tokens` at arrival; at the end what was used, without cached input and with output counted
    /// `burndown` times.
    Settle {
        /// How many times a token of output counts: 5 for some models, 1 for most.
        burndown: u64,
    },
    /// Anthropic: input that was not read from the cache at arrival, output as it is produced; `max_tokens` does not matter.
    Metered,
    /// Gemini: input alone.
    Input,
}

/// A request's tokens, as a charge looks at them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// All input tokens.
    pub input: Tokens,
    /// Those of them that the provider reads from its prompt cache.
    pub cached: Tokens,
    /// The bound on output, the provider's own where the caller set none.
    pub most: Tokens,
}

impl Charge {
    /// What is charged to `dimension` before the request is let in.
    #[must_use]
    pub fn at_arrival(self, dimension: Dimension, sizes: Sizes) -> u64 {
        let Sizes { input: Tokens(input), cached: Tokens(cached), most: Tokens(most) } = sizes;
        let fresh = input.saturating_sub(cached);
        match dimension {
            Dimension::RequestsPerMinute | Dimension::RequestsPerDay | Dimension::ConcurrentRequests => 1,
            Dimension::InputTokensPerMinute => match self {
                Self::Metered => fresh,
                _ => input,
            },
            Dimension::OutputTokensPerMinute => match self {
                Self::Reserve | Self::ReserveSum | Self::Settle { .. } => most,
                // There has to be room for a token at least.
                Self::Metered | Self::Input => 0,
            },
            Dimension::TokensPerMinute | Dimension::TokensPerDay => match self {
                Self::Reserve => input.max(most),
                Self::ReserveSum | Self::Settle { .. } => input.saturating_add(most),
                Self::Metered => fresh,
                Self::Input => input,
            },
        }
    }

    /// What is charged to `dimension` besides, while `produced` tokens of output come out.
    #[must_use]
    pub fn live(self, dimension: Dimension, produced: Tokens) -> u64 {
        match (self, dimension) {
            (Self::Metered | Self::Input, Dimension::OutputTokensPerMinute)
            | (Self::Metered, Dimension::TokensPerMinute | Dimension::TokensPerDay) => produced.0,
            _ => 0,
        }
    }

    /// What the request has cost `dimension` in all when it ended after `produced` tokens.
    #[must_use]
    pub fn in_all(self, dimension: Dimension, sizes: Sizes, produced: Tokens) -> u64 {
        let fresh = sizes.input.0.saturating_sub(sizes.cached.0);
        match (self, dimension) {
            (Self::Settle { .. }, Dimension::InputTokensPerMinute) => fresh,
            (Self::Settle { burndown }, Dimension::OutputTokensPerMinute) => produced.0.saturating_mul(burndown),
            (Self::Settle { burndown }, Dimension::TokensPerMinute | Dimension::TokensPerDay) => {
                fresh.saturating_add(produced.0.saturating_mul(burndown))
            }
            _ => self.at_arrival(dimension, sizes).saturating_add(self.live(dimension, produced)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_provider_charges_by_its_own_page() {
        use Dimension::{InputTokensPerMinute as Input, OutputTokensPerMinute as Output, TokensPerMinute as Total};
        let sizes = Sizes { input: Tokens(1_000), cached: Tokens(400), most: Tokens(4_000) };
        let burnt = Charge::Settle { burndown: 5 };
        for (charge, dimension, at_arrival, in_all) in [
            (Charge::Reserve, Total, 4_000, 4_000),
            (Charge::Reserve, Input, 1_000, 1_000),
            (Charge::Reserve, Output, 4_000, 4_000),
            (Charge::ReserveSum, Total, 5_000, 5_000),
            (burnt, Total, 5_000, 600 + 5 * 100),
            (burnt, Input, 1_000, 600),
            (burnt, Output, 4_000, 500),
            (Charge::Metered, Total, 600, 700),
            (Charge::Metered, Input, 600, 600),
            (Charge::Metered, Output, 0, 100),
            (Charge::Input, Total, 1_000, 1_000),
            (Charge::Input, Output, 0, 100),
            (Charge::Input, Dimension::RequestsPerDay, 1, 1),
        ] {
            assert_eq!(charge.at_arrival(dimension, sizes), at_arrival, "{charge:?} {dimension}");
            assert_eq!(charge.in_all(dimension, sizes, Tokens(100)), in_all, "{charge:?} {dimension}");
        }
    }
}
