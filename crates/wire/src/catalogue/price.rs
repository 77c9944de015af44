//! Prices as the catalogue's data lists them: decimals in text, in US dollars per million tokens.

use serde::{Deserialize, Deserializer};
use weir_units::{LongContext, Price, Rates, TokenPrice, Tokens};

/// A model's prices.
#[derive(Deserialize)]
pub(super) struct Listed {
    #[serde(flatten)]
    rates: ListedRates,
    long_context: Option<ListedLong>,
    batch_percent: Option<u8>,
}

#[derive(Deserialize)]
struct ListedLong {
    above: u64,
    #[serde(flatten)]
    rates: ListedRates,
}

#[derive(Deserialize)]
struct ListedRates {
    #[serde(default, deserialize_with = "exact")]
    input: Option<TokenPrice>,
    #[serde(default, deserialize_with = "exact")]
    cached_input: Option<TokenPrice>,
    #[serde(default, deserialize_with = "exact")]
    cache_write: Option<TokenPrice>,
    #[serde(default, deserialize_with = "exact")]
    cache_write_long: Option<TokenPrice>,
    #[serde(default, deserialize_with = "exact")]
    output: Option<TokenPrice>,
    #[serde(default, deserialize_with = "exact")]
    reasoning: Option<TokenPrice>,
}

impl Listed {
    pub(super) fn price(&self) -> Price {
        Price {
            rates: self.rates.rates(),
            long_context: self
                .long_context
                .as_ref()
                .map(|long| LongContext { above: Tokens(long.above), rates: long.rates.rates() }),
            batch_percent: self.batch_percent,
        }
    }
}

impl ListedRates {
    fn rates(&self) -> Rates {
        let Self { input, cached_input, cache_write, cache_write_long, output, reasoning } = *self;
        Rates { input, cached_input, cache_write, cache_write_long, output, reasoning }
    }
}

/// A price of the mock's, in pico-dollars per token: round figures of the usual size, so that a trial run shows dollars.
pub(super) fn made_up(input: u64, cached_input: u64, output: u64) -> Price {
    let [input, cached_input, output] = [input, cached_input, output].map(|picos| Some(TokenPrice(picos)));
    Price { rates: Rates { input, cached_input, output, ..Rates::default() }, ..Price::default() }
}

fn exact<'de, D: Deserializer<'de>>(from: D) -> Result<Option<TokenPrice>, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}
