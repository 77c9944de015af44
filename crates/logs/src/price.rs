//! What a call cost: as its log says, or else by the prices that the catalogue has; what neither knows is unknown.

use weir_units::{NanoUsd, Tier};
use weir_wire::ProviderKind;

use crate::call::Call;

/// The cost of a call, if it is known.
#[must_use]
pub fn cost(call: &Call<'_>) -> Option<NanoUsd> {
    if call.cost.is_some() {
        return call.cost;
    }
    // Who is refused pays nothing.
    if call.failed && call.usage.is_none() && call.status.is_some() {
        return Some(NanoUsd::ZERO);
    }
    let usage = call.usage.as_ref()?;
    if usage.input.0 == 0 && usage.output.0 == 0 {
        return Some(NanoUsd::ZERO);
    }
    let model = call.model.as_deref()?;
    let kind = call.provider.as_deref().and_then(ProviderKind::from_name).or_else(|| weir_wire::provider_of(model))?;
    weir_wire::price(kind, model)?.cost(usage, Tier::Standard)
}
