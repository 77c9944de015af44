//! What a provider charges a request with, and when: data, one row per way of counting.
//!
//! Sources: the providers' own pages on rate limits, autumn 2026. OpenAI counts the larger of `max_tokens` and its estimate of
//! the prompt when the request arrives; Azure their sum; Bedrock their sum too, and gives back what was not used; Anthropic
//! input when it arrives (cache reads are free) and output as it is produced, whatever `max_tokens` says; Gemini input alone.
//! Where nobody says, what was used is taken to be what counts.

use serde::{Deserialize, Serialize};
use weir_units::{Dimension, Usage};

/// How output counts towards limits on tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutputCharge {
    /// As it is produced: a learned quantile is reserved, and corrected by what came.
    Metered,
    /// The larger of the input and `max_tokens`, when the request arrives.
    LargerOfInputAndMaximum,
    /// Input and `max_tokens`, when the request arrives.
    InputAndMaximum,
    /// Not at all.
    Free,
}

/// Where a provider's day begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DayStart {
    /// Midnight UTC.
    #[default]
    Utc,
    /// Midnight in California, as at Google.
    Pacific,
}

/// What counts towards a provider's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeModel {
    /// How output counts.
    pub output: OutputCharge,
    /// Input read from the prompt cache does not count.
    pub cached_input_is_free: bool,
    /// What was reserved and not used is given back at the end.
    pub gives_back: bool,
    /// How many tokens a token of output counts for at the end (Bedrock's burndown).
    pub output_weight: u64,
    /// When days begin.
    pub day: DayStart,
}

impl ChargeModel {
    /// What was used is what counts.
    pub const METERED: Self = Self {
        output: OutputCharge::Metered,
        cached_input_is_free: false,
        gives_back: true,
        output_weight: 1,
        day: DayStart::Utc,
    };
    /// OpenAI.
    pub const OPENAI: Self = Self { output: OutputCharge::LargerOfInputAndMaximum, gives_back: false, ..Self::METERED };
    /// Anthropic.
    pub const ANTHROPIC: Self = Self { cached_input_is_free: true, ..Self::METERED };
    /// Azure OpenAI; Cerebras counts alike.
    pub const AZURE: Self = Self { output: OutputCharge::InputAndMaximum, gives_back: false, ..Self::METERED };
    /// Bedrock, for the Claude models whose output burns five tokens each.
    pub const BEDROCK: Self =
        Self { output: OutputCharge::InputAndMaximum, cached_input_is_free: true, output_weight: 5, ..Self::METERED };
    /// Gemini.
    pub const GEMINI: Self = Self { output: OutputCharge::Free, day: DayStart::Pacific, ..Self::METERED };

    /// How a host counts that speaks another provider's dialect; none where nothing is known of it.
    #[must_use]
    pub fn of_host(host: &str) -> Option<Self> {
        let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
        let is_of = |domain: &str| host.strip_suffix(domain).is_some_and(|sub| sub.is_empty() || sub.ends_with('.'));
        HOSTS.iter().find(|(domain, _)| is_of(domain)).map(|(_, model)| *model)
    }

    /// What to hold for a request before it is sent.
    #[must_use]
    pub fn reserve(&self, size: &Size) -> Cost {
        let maximum = size.max_output.unwrap_or(size.likely_output);
        let likely = size.likely_output.min(maximum);
        let tokens = match self.output {
            OutputCharge::Metered => size.input + likely,
            // Unset, nothing is reserved for output.
            OutputCharge::LargerOfInputAndMaximum => size.input.max(size.max_output.unwrap_or(0)),
            OutputCharge::InputAndMaximum => size.input + maximum,
            OutputCharge::Free => size.input,
        };
        Cost::of(size.input, likely, tokens, size.input + likely)
    }

    /// What the request came to, where `held` is what was reserved for it.
    #[must_use]
    pub fn settle(&self, held: &Cost, usage: &Usage) -> Cost {
        let cached = if self.cached_input_is_free { usage.cached_input.0 } else { 0 };
        let (input, output) = (usage.input.0.saturating_sub(cached), usage.output.0);
        let tokens = match self.output {
            OutputCharge::Metered => input + output,
            OutputCharge::Free => input,
            OutputCharge::LargerOfInputAndMaximum | OutputCharge::InputAndMaximum if !self.gives_back => {
                held.get(Dimension::TokensPerMinute)
            }
            _ => input.saturating_add(output.saturating_mul(self.output_weight)),
        };
        Cost::of(input, output, tokens, usage.input.0 + output)
    }
}

/// Hosts that count in a way of their own, by the end of their names.
const HOSTS: [(&str, ChargeModel); 6] = [
    ("openai.azure.com", ChargeModel::AZURE),
    ("cognitiveservices.azure.com", ChargeModel::AZURE),
    ("services.ai.azure.com", ChargeModel::AZURE),
    ("api.cerebras.ai", ChargeModel::AZURE),
    ("generativelanguage.googleapis.com", ChargeModel::GEMINI),
    ("aiplatform.googleapis.com", ChargeModel::GEMINI),
];

/// How large a request is, as far as is known before it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Estimated input tokens.
    pub input: u64,
    /// The bound on output that it sets.
    pub max_output: Option<u64>,
    /// The output that nine of ten answers do not exceed.
    pub likely_output: u64,
}

/// What a request takes of each limit, in whole requests and tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost([u64; 7]);

impl Cost {
    fn of(input: u64, output: u64, tokens: u64, tokens_of_day: u64) -> Self {
        let mut cost = [0; 7];
        for (dimension, amount) in [
            (Dimension::RequestsPerMinute, 1),
            (Dimension::InputTokensPerMinute, input),
            (Dimension::OutputTokensPerMinute, output),
            (Dimension::TokensPerMinute, tokens),
            (Dimension::RequestsPerDay, 1),
            (Dimension::TokensPerDay, tokens_of_day),
            (Dimension::ConcurrentRequests, 1),
        ] {
            cost[dimension.index()] = amount;
        }
        Self(cost)
    }

    /// What it takes in one dimension.
    #[must_use]
    pub fn get(&self, dimension: Dimension) -> u64 {
        self.0[dimension.index()]
    }

    /// The same with another amount in one dimension.
    pub(crate) fn set(&mut self, dimension: Dimension, amount: u64) {
        self.0[dimension.index()] = amount;
    }
}

#[cfg(test)]
mod tests {
    use weir_units::Tokens;

    use super::*;

    fn tokens(model: ChargeModel, max_output: Option<u64>) -> (u64, u64) {
        let held = model.reserve(&Size { input: 1_000, max_output, likely_output: 300 });
        let usage = Usage { input: Tokens(1_100), cached_input: Tokens(600), output: Tokens(200), ..Usage::default() };
        let settled = model.settle(&held, &usage);
        (held.get(Dimension::TokensPerMinute), settled.get(Dimension::TokensPerMinute))
    }

    #[test]
    fn hosts_are_told_by_the_end_of_their_names() {
        for (host, expected) in [
            ("team.openai.azure.com", Some(ChargeModel::AZURE)),
            ("team.openai.azure.com:443", Some(ChargeModel::AZURE)),
            ("generativelanguage.googleapis.com", Some(ChargeModel::GEMINI)),
            ("notopenai.azure.com.example", None),
            ("localhost:8000", None),
        ] {
            assert_eq!(ChargeModel::of_host(host), expected, "{host}");
        }
    }

    #[test]
    fn each_provider_counts_in_its_own_way() {
        for (model, max_output, expected) in [
            (ChargeModel::METERED, Some(128_000), (1_300, 1_300)),
            (ChargeModel::METERED, Some(100), (1_100, 1_300)),
            (ChargeModel::ANTHROPIC, Some(128_000), (1_300, 700)),
            (ChargeModel::OPENAI, Some(128_000), (128_000, 128_000)),
            (ChargeModel::OPENAI, None, (1_000, 1_000)),
            (ChargeModel::AZURE, Some(500), (1_500, 1_500)),
            (ChargeModel::BEDROCK, Some(5_000), (6_000, 1_500)),
            (ChargeModel::GEMINI, Some(5_000), (1_000, 1_100)),
        ] {
            assert_eq!(tokens(model, max_output), expected, "{model:?} {max_output:?}");
        }
    }
}
