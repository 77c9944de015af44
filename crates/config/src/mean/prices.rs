//! `[providers.X.models.M].price`: what is written, and the catalogue's prices where that is silent.

use std::sync::Arc;

use weir_units::{LongContext, Price, Rates, TokenPrice, Tokens};
use weir_wire::ProviderKind;

use crate::log::{Log, shown};
use crate::written::Table;

/// What a declared model costs; none if neither the config nor the catalogue knows.
pub(super) fn price(
    provider: &str,
    kind: ProviderKind,
    name: &str,
    model: &Table,
    log: &mut Log<'_>,
) -> Option<Arc<Price>> {
    let listed = weir_wire::price(kind, name);
    if model.get("price").is_none() {
        return listed.cloned();
    }
    let written = model.table("price");
    let listed = listed.map(|price| **price).unwrap_or_default();
    let price = Price {
        rates: rates(written).or(listed.rates),
        long_context: long_context(written, listed.long_context, log),
        batch_percent: listed.batch_percent,
    };
    if price.rates.input.is_none() {
        let message = format!(
            "the price of `{provider}/{}` has no `input`, and the catalogue has none: what it costs stays unknown",
            shown(name)
        );
        log.warn(model.at("price"), message, "add `input = 1.75`, in US dollars per million tokens".to_owned());
    }
    Some(Arc::new(price))
}

fn rates(table: &Table) -> Rates {
    // What is no price was noted where it was read.
    let rate = |key| table.text(key).and_then(|text| text.parse::<TokenPrice>().ok());
    Rates {
        input: rate("input"),
        cached_input: rate("cached-input"),
        cache_write: rate("cache-write"),
        cache_write_long: rate("cache-write-long"),
        output: rate("output"),
        reasoning: rate("reasoning"),
    }
}

fn long_context(price: &Table, listed: Option<LongContext>, log: &mut Log<'_>) -> Option<LongContext> {
    let Some(written) = price.get("long-context") else { return listed };
    let table = price.table("long-context");
    let Some(above) = table.count("above").map(Tokens).or(listed.map(|long| long.above)) else {
        if table.get("above").is_none() {
            let hint = "add `above = 200_000`: the most input tokens that are not long".to_owned();
            log.fault(written.at, "`long-context` says no `above`, and the catalogue knows none", hint);
        }
        return listed;
    };
    Some(LongContext { above, rates: rates(table).or(listed.map(|long| long.rates).unwrap_or_default()) })
}
