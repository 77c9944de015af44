//! What a model's tokens cost, and what a call cost by that.
//!
//! Prices are published in dollars per million tokens and down to a fraction of a cent of that, so a token's price is kept
//! in pico-dollars, of which a million tokens at one dollar are exactly a million each. A call's cost is the sum of its parts in
//! pico-dollars, rounded up once to a nano-dollar; every other figure is a sum of those, so no two disagree.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::money::{DecimalError, NanoUsd, decimal, show};
use crate::tokens::{Tokens, Usage};

/// Decimal places of a dollar per million tokens, in pico-dollars per token.
const PLACES: u32 = 6;
/// Pico-dollars in a nano-dollar.
const PICOS: u128 = 1_000;

/// The price of one token, in pico-dollars (10⁻¹² US dollars).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenPrice(pub u64);

/// Reads US dollars per million tokens, a decimal with at most six places: `1.75` is 1,750,000 pico-dollars a token.
impl FromStr for TokenPrice {
    type Err = DecimalError;
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        u64::try_from(decimal(text, PLACES)?).map(Self).map_err(|_| DecimalError::Size)
    }
}

/// US dollars per million tokens, exact.
impl fmt::Display for TokenPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(self.0, PLACES, f)
    }
}

/// The prices of each kind of token; none is one that is not listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rates {
    /// Input that is neither read from a cache nor written to one.
    pub input: Option<TokenPrice>,
    /// Input read from a cache; if it is not listed, there is no discount, and it is input like any other.
    pub cached_input: Option<TokenPrice>,
    /// Input written to a cache for its usual time; if it is not listed, writing costs nothing besides the input.
    pub cache_write: Option<TokenPrice>,
    /// Input written to a cache for longer than that. If it is not listed where `cache_write` is, it is unknown.
    pub cache_write_long: Option<TokenPrice>,
    /// Output.
    pub output: Option<TokenPrice>,
    /// Output spent on reasoning; if it is not listed, it is output like any other.
    pub reasoning: Option<TokenPrice>,
}

impl Rates {
    /// These, and where one of them is not listed, the other's.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            input: self.input.or(other.input),
            cached_input: self.cached_input.or(other.cached_input),
            cache_write: self.cache_write.or(other.cache_write),
            cache_write_long: self.cache_write_long.or(other.cache_write_long),
            output: self.output.or(other.output),
            reasoning: self.reasoning.or(other.reasoning),
        }
    }

    /// What a call used, in pico-dollars; none if it used something whose price is unknown.
    fn picos(&self, usage: &Usage) -> Option<u128> {
        let cached = usage.cached_input.0.min(usage.input.0);
        let written = usage.cache_write.0.min(usage.input.0 - cached);
        let long = usage.cache_write_long.0.min(written);
        let reasoning = usage.reasoning.0.min(usage.output.0);
        let write_long = self.cache_write_long.or(if self.cache_write.is_none() { self.input } else { None });
        let parts = [
            (usage.input.0 - cached - written, self.input),
            (cached, self.cached_input.or(self.input)),
            (written - long, self.cache_write.or(self.input)),
            (long, write_long),
            (usage.output.0 - reasoning, self.output),
            (reasoning, self.reasoning.or(self.output)),
        ];
        parts.into_iter().filter(|(tokens, _)| *tokens > 0).try_fold(0_u128, |sum, (tokens, price)| {
            Some(sum.saturating_add(u128::from(tokens) * u128::from(price?.0)))
        })
    }
}

/// Other prices for the whole of a call whose input is long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LongContext {
    /// The most input that is not long, cached input included.
    pub above: Tokens,
    /// The prices; what is not listed costs what it costs in a shorter call.
    pub rates: Rates,
}

/// How a call is billed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tier {
    /// Answered at once, at the list price.
    #[default]
    Standard,
    /// Answered within a day, at a discount: the batch APIs.
    Batch,
}

/// What a model costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// The usual prices.
    pub rates: Rates,
    /// Those of a long context, if it has others.
    pub long_context: Option<LongContext>,
    /// What a batch costs, in percent of all these; none where it has no batches.
    pub batch_percent: Option<u8>,
}

impl Price {
    /// What a call cost that used this much: the sum of its parts, rounded up once to a nano-dollar. None if it used something
    /// whose price is unknown, which is not the same as nothing.
    #[must_use]
    pub fn cost(&self, usage: &Usage, tier: Tier) -> Option<NanoUsd> {
        let rates = match &self.long_context {
            Some(long) if usage.input > long.above => long.rates.or(self.rates),
            _ => self.rates,
        };
        let percent = match tier {
            Tier::Standard => 100,
            Tier::Batch => u128::from(self.batch_percent?),
        };
        let picos = rates.picos(usage)?;
        let nanos = picos.saturating_mul(percent).div_ceil(100 * PICOS);
        Some(NanoUsd(i64::try_from(nanos).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, prop_compose, proptest};

    use super::*;

    fn price(text: &str) -> Option<TokenPrice> {
        Some(text.parse().unwrap())
    }

    /// What `claude-sonnet-5-5` costs, with a long tier made up.
    fn listed() -> Price {
        Price {
            rates: Rates {
                input: price("2"),
                cached_input: price("0.1"),
                cache_write: price("2.5"),
                cache_write_long: price("4"),
                output: price("10"),
                reasoning: None,
            },
            long_context: Some(LongContext {
                above: Tokens(200_000),
                rates: Rates { input: price("4"), output: price("15"), ..Rates::default() },
            }),
            batch_percent: Some(50),
        }
    }

    fn usage([input, cached_input, cache_write, cache_write_long, output, reasoning]: [u64; 6]) -> Usage {
        Usage {
            input: Tokens(input),
            cached_input: Tokens(cached_input),
            cache_write: Tokens(cache_write),
            cache_write_long: Tokens(cache_write_long),
            output: Tokens(output),
            reasoning: Tokens(reasoning),
        }
    }

    fn nanos(price: &Price, used: [u64; 6]) -> Option<i64> {
        price.cost(&usage(used), Tier::Standard).map(|cost| cost.0)
    }

    #[test]
    fn a_price_per_million_is_exact_or_refused() {
        for (text, picos) in [("1.75", 1_750_000), ("0.000001", 1), ("0", 0), ("30.000000", 30_000_000)] {
            assert_eq!(text.parse(), Ok(TokenPrice(picos)), "{text}");
        }
        assert_eq!(TokenPrice(1_750_000).to_string(), "1.75");
        assert_eq!("0.0000001".parse::<TokenPrice>(), Err(DecimalError::Places(6)));
        assert_eq!("99999999999999".parse::<TokenPrice>(), Err(DecimalError::Size));
    }

    #[test]
    fn each_kind_of_token_has_its_price() {
        let price = listed();
        assert_eq!(nanos(&price, [1_000, 0, 0, 0, 0, 0]), Some(2_000_000));
        assert_eq!(nanos(&price, [1_000, 1_000, 0, 0, 0, 0]), Some(100_000));
        assert_eq!(nanos(&price, [1_000, 0, 1_000, 0, 0, 0]), Some(2_500_000));
        assert_eq!(nanos(&price, [1_000, 0, 1_000, 1_000, 0, 0]), Some(4_000_000));
        assert_eq!(nanos(&price, [0, 0, 0, 0, 1_000, 400]), Some(10_000_000), "reasoning is billed as output");
        let parts = 400 * 2_000 + 300 * 100 + 200 * 2_500 + 100 * 4_000 + 50 * 10_000;
        assert_eq!(nanos(&price, [1_000, 300, 300, 100, 50, 0]), Some(parts));
        let apart = Price { rates: Rates { reasoning: self::price("3"), ..price.rates }, ..price };
        assert_eq!(nanos(&apart, [0, 0, 0, 0, 1_000, 400]), Some(600 * 10_000 + 400 * 3_000));
    }

    #[test]
    fn the_sum_is_rounded_up_once() {
        let price = Price {
            rates: Rates { input: price("0.000001"), output: price("0.000001"), ..Rates::default() },
            ..Price::default()
        };
        for (input, output, nanos_due) in [(0, 0, 0), (1, 0, 1), (1, 1, 1), (500, 500, 1), (500, 501, 2)] {
            assert_eq!(nanos(&price, [input, 0, 0, 0, output, 0]), Some(nanos_due), "{input} {output}");
        }
    }

    #[test]
    fn a_long_context_is_dearer_as_a_whole_from_the_first_token_past_its_bound() {
        let price = listed();
        assert_eq!(nanos(&price, [200_000, 0, 0, 0, 10, 0]), Some(400_100_000));
        assert_eq!(nanos(&price, [200_001, 0, 0, 0, 10, 0]), Some(200_001 * 4_000 + 150_000));
        assert_eq!(nanos(&price, [200_001, 200_001, 0, 0, 0, 0]), Some(20_000_100), "not listed: as in a short one");
    }

    #[test]
    fn a_batch_costs_its_share_where_there_are_batches() {
        let cost = |price: &Price, used| price.cost(&usage(used), Tier::Batch).map(|cost| cost.0);
        assert_eq!(cost(&listed(), [1_000, 0, 0, 0, 1_000, 0]), Some(6_000_000));
        assert_eq!(cost(&Price { batch_percent: None, ..listed() }, [1, 0, 0, 0, 1, 0]), None);
    }

    #[test]
    fn what_is_not_listed_is_unknown_and_never_free() {
        let input_only = Price { rates: Rates { input: price("2"), ..Rates::default() }, ..Price::default() };
        assert_eq!(nanos(&input_only, [1_000, 400, 300, 100, 0, 0]), Some(2_000_000), "no discount, no surcharge");
        assert_eq!(nanos(&input_only, [1_000, 0, 0, 0, 1, 0]), None);
        assert_eq!(nanos(&Price::default(), [1, 0, 0, 0, 0, 0]), None);
        assert_eq!(nanos(&Price::default(), [0; 6]), Some(0), "nothing costs nothing at any price");
        let no_long = Price { rates: Rates { cache_write_long: None, ..listed().rates }, ..listed() };
        assert_eq!(nanos(&no_long, [10, 0, 10, 1, 0, 0]), None);
        assert_eq!(nanos(&no_long, [10, 0, 10, 0, 0, 0]), Some(25_000));
    }

    #[test]
    fn the_largest_counts_at_the_largest_prices_do_not_overflow() {
        let most = Some(TokenPrice(u64::MAX));
        let rates = Rates { input: most, output: most, ..Rates::default() };
        let price = Price { rates, batch_percent: Some(255), ..Price::default() };
        let all = usage([u64::MAX, 7, 7, 7, u64::MAX, u64::MAX]);
        for tier in [Tier::Standard, Tier::Batch] {
            assert_eq!(price.cost(&all, tier), Some(NanoUsd(i64::MAX)));
        }
    }

    prop_compose! {
        fn any_usage()(used in any::<[u32; 6]>()) -> Usage {
            usage(used.map(u64::from))
        }
    }

    proptest! {
        #[test]
        fn a_cost_is_less_than_a_nano_dollar_above_the_exact_sum(used in any_usage(), input: u32, output: u32) {
            let rates = Rates {
                input: Some(TokenPrice(u64::from(input))),
                output: Some(TokenPrice(u64::from(output))),
                ..Rates::default()
            };
            let price = Price { rates, ..Price::default() };
            let picos = u128::from(used.input.0) * u128::from(input) + u128::from(used.output.0) * u128::from(output);
            let cost = u128::from(price.cost(&used, Tier::Standard).unwrap().0.unsigned_abs());
            prop_assert!(cost * PICOS >= picos && cost * PICOS < picos + PICOS);
        }

        #[test]
        fn more_of_anything_never_costs_less(used in any_usage(), more: u16) {
            let price = Price { long_context: None, ..listed() };
            let longer = Usage { input: used.input + Tokens(u64::from(more)), ..used };
            let wordier = Usage { output: used.output + Tokens(u64::from(more)), ..used };
            let cost = price.cost(&used, Tier::Standard);
            // Only where the parts fit the whole: a count that cannot be is cut to what can.
            if used.cached_input + used.cache_write <= used.input {
                prop_assert!(cost <= price.cost(&longer, Tier::Standard));
            }
            prop_assert!(cost <= price.cost(&wordier, Tier::Standard));
        }

        #[test]
        fn a_price_is_read_as_it_was_shown(picos: u64) {
            prop_assert_eq!(TokenPrice(picos).to_string().parse(), Ok(TokenPrice(picos)));
        }
    }
}
