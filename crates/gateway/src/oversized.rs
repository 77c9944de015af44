//! What of an answer that served its client was more than it needed: parts of its cost, and room of a limit, by estimates.
//!
//! All of it is arithmetic on what a call reported; nothing is read of the request for it.

use std::sync::Arc;

use weir_config::Config;
use weir_engine::OutputCharge;
use weir_units::{DeploymentId, NanoUsd, Price, Tier, Tokens, Usage};

use crate::bill::{Bill, Cost};
use crate::route::listed_price;

/// What was said long ago is stale from so many tokens on, and from half of the input on.
const STALE: u64 = 4_096;
/// A question is short with no more input and output than this.
const SHORT: (u64, u64) = (1_000, 200);
/// A model is oversized for it if it costs so many times what the cheapest does.
const DEARER: i64 = 3;
/// `max_tokens` is oversized from so many times what the answer took on, and so many tokens more.
const LARGER: u64 = 4;
const MORE: u64 = 1_000;

/// The cheapest way to answer a short question that a configuration offers, if it has two prices or more.
pub(crate) fn cheapest(config: &Config, declared: &[DeploymentId]) -> Option<Arc<Price>> {
    let usual = Usage { input: Tokens(SHORT.0), output: Tokens(SHORT.1), ..Usage::default() };
    let priced = declared.iter().filter_map(|deployment| {
        let price = listed_price(config, deployment)?;
        // What has no price for output answers in no words.
        price.rates.output?;
        Some((price.cost(&usual, Tier::Standard)?, price))
    });
    priced.min_by_key(|(cost, _)| *cost).map(|(_, price)| price)
}

impl Bill {
    /// What it cost to send once more what was said long ago; what the cache `missed` is counted there.
    pub(crate) fn stale(&self, stale: Tokens, missed: bool) -> Option<Cost> {
        let usage = self.usage()?;
        let stale = stale.0.min(usage.input.0);
        if stale < STALE || stale * 2 < usage.input.0 {
            return None;
        }
        let cached = usage.cached_input.0.min(stale);
        let tokens = if missed { cached } else { stale };
        let rest = Usage {
            input: Tokens(usage.input.0 - tokens),
            cached_input: Tokens(usage.cached_input.0 - cached),
            ..*usage
        };
        let part = Usage { input: Tokens(tokens), cached_input: Tokens(cached), ..Usage::default() };
        match self.price() {
            _ if tokens == 0 => None,
            Some(price) => {
                let saved = price.cost(usage, Tier::Standard)?.saturating_sub(price.cost(&rest, Tier::Standard)?);
                (saved > NanoUsd::ZERO).then(|| Cost::part(Some(saved), part))
            }
            None => self.is_unpriced().then(|| Cost::part(None, part)),
        }
    }

    /// What a much cheaper model would have saved on a short question.
    pub(crate) fn oversized(&self, cheapest: &Price) -> Option<Cost> {
        let (usage, price) = (self.usage()?, self.price()?);
        if !self.simple || usage.input.0 > SHORT.0 || usage.output.0 > SHORT.1 || usage.reasoning.0 > 0 {
            return None;
        }
        let (cost, least) = (price.cost(usage, Tier::Standard)?, cheapest.cost(usage, Tier::Standard)?);
        let dear = cost.0 > 0 && cost.0 >= least.0.saturating_mul(DEARER);
        dear.then(|| Cost::part(Some(cost.saturating_sub(least)), *usage))
    }

    /// The room of a limit that `maximum` held until the minute was over, and that the answer did not need.
    pub(crate) fn held_for_nothing(&self, maximum: Option<u64>) -> Option<Cost> {
        let (usage, maximum) = (self.usage()?, maximum?);
        let needed = match self.charge {
            OutputCharge::LargerOfInputAndMaximum => usage.input.0.max(usage.output.0),
            OutputCharge::InputAndMaximum => usage.output.0,
            // Nothing is held for what may come.
            OutputCharge::Metered | OutputCharge::Free => return None,
        };
        let over = maximum.saturating_sub(needed);
        let far = over >= MORE && maximum >= usage.output.0.saturating_mul(LARGER);
        far.then(|| Cost::room(Tokens(over)))
    }
}
