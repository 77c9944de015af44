//! What an attempt may cost before it is made: the worst case, by the dearest tier that could apply, and what is likely.

use weir_engine::{Demand, Estimate, Tier};
use weir_units::{NanoUsd, Price, Rates, Tokens, Usage};
use weir_wire::Endpoint;

use crate::accept::Accepted;
use crate::bill::Listed;
use crate::route::Target;

/// The output limit of a request that sets none, where the model writes as much: what a provider's limits hold for it is not more
/// than they have, and a translation into Anthropic's dialect sets no more either.
const FILLED_OUTPUT: u64 = 8_192;
/// What the legacy completions make of no limit (OpenAI, API reference).
const COMPLETION_OUTPUT: u64 = 16;
/// A limit that Weir fills in is not made smaller than this for want of money.
const LEAST_OUTPUT: u64 = 1_024;
/// An answer of usual length, while nothing is known of a deployment's answers.
const USUAL_OUTPUT: u64 = 1_024;
/// Input that is assumed where it does not lie in the body, and the window that bounds it is unknown.
const ASSUMED_INPUT: u64 = 200_000;

/// What costs nothing.
pub(super) const NOTHING: Estimate = Estimate::Known { worst: NanoUsd::ZERO, likely: NanoUsd::ZERO };

/// Whether a request costs nothing there, whatever it says.
pub(super) fn is_free(target: &Target, accepted: &Accepted) -> bool {
    match Listed::of(target, accepted) {
        Listed::Free => true,
        Listed::At(price) => tiers(&price, u64::MAX).is_some_and(|tiers| tiers.iter().all(|tier| tier.is_free())),
        Listed::Unknown => false,
    }
}

/// What an attempt there is reckoned to cost; `limit` is the output limit that it is sent with if the client set none.
pub(super) fn estimate(target: &Target, accepted: &Accepted, limit: Option<u64>, strict: bool) -> Estimate {
    let price = match Listed::of(target, accepted) {
        Listed::Free => return NOTHING,
        Listed::Unknown => return Estimate::Unknown,
        Listed::At(price) => price,
    };
    let head = &accepted.head;
    let max_output = match target.endpoint {
        Endpoint::Embeddings | Endpoint::CountTokens => 0,
        _ => head.output_at_most.or(limit).unwrap_or_else(|| most_output(target)),
    };
    let (input, n) = (target.candidate.input, head.n.saturating_mul(head.prompts));
    let at_most = Tokens(if strict { input_at_most(target, accepted) } else { 0 });
    let demand =
        Demand { input, input_at_most: Some(at_most), max_output: Tokens(max_output), n, best_of: head.best_of };
    let most = with_margin(input).max(at_most.0);
    let worst = tiers(&price, most).and_then(|tiers| {
        // Where nothing is written there need be no price for it.
        let priced = tiers.iter().all(|tier| tier.output_pico.is_some() || max_output == 0);
        let tiers: Vec<Tier> = tiers.iter().map(|tier| tier.plain()).collect();
        priced.then(|| demand.worst(&tiers)).flatten()
    });
    let usual = Usage { input, output: Tokens(max_output.min(USUAL_OUTPUT).saturating_mul(n)), ..Usage::default() };
    match (worst, price.cost(&usual, weir_units::Tier::Standard)) {
        (Some(worst), Some(likely)) => Estimate::Known { worst, likely },
        _ => Estimate::Unknown,
    }
}

/// The output limit that is set for a request that sets none, where a strict budget pays. It is smaller where the model writes no
/// more, where no more fits into its window, and where `left` pays for no more.
pub(crate) fn output_limit(target: &Target, accepted: &Accepted, left: NanoUsd) -> Option<u64> {
    if accepted.head.output_at_most.is_some() || matches!(target.endpoint, Endpoint::Embeddings | Endpoint::CountTokens)
    {
        return None;
    }
    let room =
        target.candidate.window.map(|window| window.0.saturating_sub(with_margin(target.candidate.input)).max(1));
    let most = most_output(target).min(FILLED_OUTPUT).min(room.unwrap_or(u64::MAX));
    let worst = |limit| match estimate(target, accepted, Some(limit), true) {
        Estimate::Known { worst, .. } => worst,
        Estimate::Unknown => NanoUsd::ZERO,
    };
    let (none, all) = (worst(0), worst(most));
    if all <= left || all <= none {
        return Some(most);
    }
    // What output costs grows evenly, so what is affordable is a share of the most.
    let room = i128::from(left.saturating_sub(none).0.max(0));
    let share = room * i128::from(most) / i128::from(all.saturating_sub(none).0);
    Some(u64::try_from(share).unwrap_or(0).max(LEAST_OUTPUT).min(most))
}

/// An estimate of input that is too low by a tenth is still enough.
fn with_margin(input: Tokens) -> u64 {
    input.0.saturating_add(input.0 / 10)
}

/// The most that a model writes, as far as it is known.
fn most_output(target: &Target) -> u64 {
    match target.endpoint {
        Endpoint::Completions => COMPLETION_OUTPUT,
        _ => target.catalogued.and_then(|model| model.max_output).unwrap_or(FILLED_OUTPUT),
    }
}

/// What the input cannot exceed. A token has at least a byte, and no prompt is longer than its window.
fn input_at_most(target: &Target, accepted: &Accepted) -> u64 {
    let bytes = accepted.body.len() as u64;
    let window = target.candidate.window.map(|window| window.0);
    let in_body = !accepted.head.stored_input && !weir_wire::points_elsewhere(&accepted.body);
    match window {
        Some(window) if in_body => bytes.min(window),
        Some(window) => window,
        None if in_body => bytes,
        None => bytes.max(ASSUMED_INPUT),
    }
}

/// What tokens cost at most; output may have no price where none is written.
#[derive(Clone, Copy)]
struct Dearest {
    input_pico: u64,
    output_pico: Option<u64>,
}

impl Dearest {
    fn is_free(self) -> bool {
        self.input_pico == 0 && self.output_pico == Some(0)
    }

    fn plain(self) -> Tier {
        Tier { input_pico: self.input_pico, output_pico: self.output_pico.unwrap_or(0) }
    }
}

/// The tiers that could apply to an input of up to `most` tokens; none if the price of input is unknown.
fn tiers(price: &Price, most: u64) -> Option<Vec<Dearest>> {
    let long = price.long_context.filter(|long| most > long.above.0);
    std::iter::once(price.rates)
        .chain(long.map(|long| long.rates.or(price.rates)))
        .map(|rates| dearest(&rates))
        .collect()
}

fn dearest(rates: &Rates) -> Option<Dearest> {
    let Rates { input, cached_input, cache_write, cache_write_long, output, reasoning } = rates;
    let dearest_of = |rates: &[&Option<weir_units::TokenPrice>]| rates.iter().filter_map(|rate| **rate).max();
    let input_pico = input.and(dearest_of(&[input, cached_input, cache_write, cache_write_long]))?.0;
    let output_pico = output.and(dearest_of(&[output, reasoning])).map(|price| price.0);
    Some(Dearest { input_pico, output_pico })
}
