//! What a load costs in a month.

use std::collections::BTreeSet;

use serde::Serialize;
use weir_units::{DeploymentId, NanoUsd, Tier};

use super::assess::{Missing, quoted};
use super::demand::{Request, whole};
use super::load::{Arrivals, Load};
use super::share::split;
use super::site::Site;

/// For how long a load goes on: so many hours on so many days of a month.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Calendar {
    /// Hours a day.
    pub hours: f64,
    /// Days a month.
    pub days: f64,
}

impl Default for Calendar {
    /// An afternoon on each working day.
    fn default() -> Self {
        Self { hours: 4.0, days: 22.0 }
    }
}

/// What a month of a load comes to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Money {
    /// For how long it goes on.
    pub calendar: Calendar,
    /// Requests.
    pub requests: u64,
    /// Input tokens.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Dollars; none where a price is not known.
    #[serde(serialize_with = "super::words::some_dollars")]
    pub usd: Option<NanoUsd>,
    /// Deployments whose prices are not known.
    pub unpriced: Vec<Missing>,
}

/// What a month of loads comes to, each request at the price of the deployment that gets it.
#[must_use]
pub fn monthly(site: &Site, loads: &[Load], calendar: Calendar) -> Money {
    let mut unpriced = BTreeSet::new();
    let (mut requests, mut input, mut output) = (0, 0.0, 0.0);
    let mut sum = Some(0_i64);
    let seconds = calendar.hours * calendar.days * 3_600.0;
    for load in loads {
        let of_load = load.rate() * seconds;
        requests += whole(of_load);
        input += of_load * load.mean_input();
        output += of_load * load.mean_output();
        let Some(route) = site.route(&load.route) else { continue };
        for (id, share) in split(site, &route, load, None) {
            let cost = cost_of(site, &id, load, whole(of_load * share));
            if cost.is_none() {
                unpriced.insert(no_price(&id));
            }
            sum = sum.zip(cost).map(|(sum, cost)| sum.saturating_add(cost.0));
        }
    }
    Money {
        calendar,
        requests,
        input_tokens: whole(input),
        output_tokens: whole(output),
        usd: sum.map(NanoUsd),
        unpriced: unpriced.into_iter().collect(),
    }
}

/// What so many requests of a load cost at a deployment.
fn cost_of(site: &Site, id: &DeploymentId, load: &Load, requests: u64) -> Option<NanoUsd> {
    let price = site.deployments.get(id)?.price.as_ref()?;
    let nanos = match &load.arrivals {
        // Each at its own price: long ones may cost more a token.
        Arrivals::Recorded { requests: recorded, .. } if !recorded.is_empty() => {
            let one = |input: u64, output: u64| {
                let cached = input as f64 * load.sizes.cached.clamp(0.0, 1.0);
                Request { input: input as f64, cached, output: output as f64, max_output: None }.usage()
            };
            let sum = recorded.iter().try_fold(0_i128, |sum, of| {
                price.cost(&one(of.input, of.output), Tier::Standard).map(|cost| sum + i128::from(cost.0))
            })?;
            sum * i128::from(requests) / i128::try_from(recorded.len()).unwrap_or(i128::MAX)
        }
        _ => i128::from(price.cost(&Request::mean_of(load).usage(), Tier::Standard)?.0) * i128::from(requests),
    };
    Some(NanoUsd(i64::try_from(nanos).unwrap_or(i64::MAX)))
}

fn no_price(id: &DeploymentId) -> Missing {
    Missing {
        of: id.to_string(),
        what: "price",
        declare: format!(
            "[providers.{}.models.{}] price = {{ input = …, output = … }}   # US dollars per million tokens",
            quoted(&id.provider),
            quoted(&id.model)
        ),
    }
}
