//! An API, whose cost is linear in tokens, beside machines of one's own, whose cost is linear in time.

use serde::Serialize;
use weir_units::NanoUsd;

use super::cost::Money;
use super::demand::whole;

/// Hours in a month: 365 days of 24 by twelve.
const MONTH_HOURS: f64 = 730.0;

/// What a self-hosted deployment costs and does, as measured by whoever runs it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hosting {
    /// What an hour of a GPU costs.
    pub gpu_hour: NanoUsd,
    /// Tokens a second that one GPU serves, input and output together, at the planned mix of the two.
    pub tokens_per_second: f64,
    /// How many GPUs; as many as the peak takes where it is not said.
    pub gpus: Option<u64>,
}

/// How the two compare.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SelfHosted {
    /// GPUs, on all the time.
    pub gpus: u64,
    /// GPUs that the peak minute takes.
    pub gpus_for_peak: u64,
    /// What they cost a month.
    #[serde(serialize_with = "super::words::dollars")]
    pub usd_a_month: NanoUsd,
    /// What the API costs for the planned volume.
    #[serde(serialize_with = "super::words::dollars")]
    pub api_usd_a_month: NanoUsd,
    /// Tokens that are planned in a month, input and output together.
    pub tokens_a_month: u64,
    /// What a million tokens of the planned mix costs at the API.
    #[serde(serialize_with = "super::words::dollars")]
    pub api_usd_per_million: NanoUsd,
    /// From how many tokens a month on these GPUs are cheaper.
    pub break_even_tokens: Option<u64>,
    /// The most tokens that they can serve in a month.
    pub capacity_tokens: u64,
    /// What a million tokens cost on GPUs that are never idle.
    #[serde(serialize_with = "super::words::dollars")]
    pub full_usd_per_million: NanoUsd,
    /// Whether the break-even is within what they can serve.
    pub can_break_even: bool,
    /// Whether they are cheaper at the planned volume, and enough for its peak.
    pub cheaper_as_planned: bool,
}

/// Compares a month at the API with one on GPUs of one's own. None where the API's price is not known or nothing is planned.
#[must_use]
pub fn break_even(money: &Money, peak_tokens_per_second: f64, hosting: &Hosting) -> Option<SelfHosted> {
    let api = money.usd?;
    let tokens = money.input_tokens.saturating_add(money.output_tokens);
    if tokens == 0 || hosting.tokens_per_second <= 0.0 {
        return None;
    }
    let gpus_for_peak = whole((peak_tokens_per_second / hosting.tokens_per_second).ceil()).max(1);
    let gpus = hosting.gpus.unwrap_or(gpus_for_peak).max(1);
    let month = dollars(hosting.gpu_hour.0 as f64 * gpus as f64 * MONTH_HOURS);
    let per_token = api.0 as f64 / tokens as f64;
    let break_even_tokens = (per_token > 0.0).then(|| whole((month.0 as f64 / per_token).ceil()));
    let capacity_tokens = whole(gpus as f64 * hosting.tokens_per_second * MONTH_HOURS * 3_600.0);
    Some(SelfHosted {
        gpus,
        gpus_for_peak,
        usd_a_month: month,
        api_usd_a_month: api,
        tokens_a_month: tokens,
        api_usd_per_million: dollars(per_token * 1e6),
        break_even_tokens,
        capacity_tokens,
        full_usd_per_million: dollars(hosting.gpu_hour.0 as f64 / 3_600.0 / hosting.tokens_per_second * 1e6),
        can_break_even: break_even_tokens.is_some_and(|tokens| tokens <= capacity_tokens),
        cheaper_as_planned: month < api && gpus >= gpus_for_peak,
    })
}

/// An estimate in whole nano-dollars.
#[expect(clippy::cast_possible_truncation, reason = "a cast saturates")]
fn dollars(nanos: f64) -> NanoUsd {
    NanoUsd(nanos.round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Calendar;

    fn money(usd: i64) -> Money {
        Money {
            calendar: Calendar::default(),
            requests: 1_000_000,
            input_tokens: 900_000_000,
            output_tokens: 100_000_000,
            usd: Some(NanoUsd(usd * 1_000_000_000)),
            unpriced: Vec::new(),
        }
    }

    #[test]
    fn the_break_even_is_what_the_machines_cost_in_tokens() {
        // $2.50 an hour is $1,825 a month; a billion tokens cost $4,000, so a million cost $4.
        let hosting = Hosting { gpu_hour: NanoUsd(2_500_000_000), tokens_per_second: 1_500.0, gpus: Some(1) };
        let of = break_even(&money(4_000), 1_000.0, &hosting).unwrap();
        assert_eq!((of.usd_a_month, of.api_usd_per_million), (NanoUsd(1_825_000_000_000), NanoUsd(4_000_000_000)));
        assert_eq!(of.break_even_tokens, Some(456_250_000));
        assert_eq!(of.capacity_tokens, 3_942_000_000);
        assert!(of.can_break_even && of.cheaper_as_planned && of.gpus_for_peak == 1);
    }

    #[test]
    fn machines_that_are_too_slow_never_break_even_and_a_peak_takes_more_of_them() {
        let hosting = Hosting { gpu_hour: NanoUsd(2_500_000_000), tokens_per_second: 100.0, gpus: None };
        let of = break_even(&money(1_000), 1_050.0, &hosting).unwrap();
        assert_eq!((of.gpus, of.gpus_for_peak), (11, 11));
        assert!(!of.can_break_even && !of.cheaper_as_planned, "{of:?}");
        let few = break_even(&money(1_000_000), 1_050.0, &Hosting { gpus: Some(1), ..hosting }).unwrap();
        assert!(!few.cheaper_as_planned, "one does not take the peak");
        assert_eq!(break_even(&Money { usd: None, ..money(1) }, 1.0, &hosting), None);
    }
}
