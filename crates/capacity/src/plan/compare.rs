//! Deployments beside each other for what a route really sends: throughput and headroom beside price.

use std::collections::BTreeSet;

use serde::Serialize;
use weir_ledger::{CallFigures, DemandRow, Figures};
use weir_units::{DeploymentId, NanoUsd, Tier};

use super::assess::Existing;
use super::demand::Request;
use super::history::existing;
use super::site::Site;

/// What a request of a route is like, on average.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouteSends {
    /// The route; none is all of them.
    pub route: Option<String>,
    /// Answers that were measured.
    pub answers: u64,
    /// Input tokens.
    pub input: f64,
    /// Output tokens.
    pub output: f64,
    /// Its deployments, in its order where it has one.
    pub deployments: Vec<Compared>,
}

/// A deployment, as it served a route.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// `provider/model`.
    pub deployment: String,
    /// Calls that were made.
    pub calls: u64,
    /// Those that were answered whole.
    pub complete: u64,
    /// Until the first content, in milliseconds: half came sooner.
    pub first_content_p50_ms: Option<u64>,
    /// The same, 19 of 20.
    pub first_content_p95_ms: Option<u64>,
    /// Output tokens a second once it writes: half of the streams were faster.
    pub tokens_per_second: Option<f64>,
    /// What it answered of what it could have.
    pub availability: Option<f64>,
    /// The share of calls that it refused with 429.
    pub share_429: Option<f64>,
    /// What all calls cost for each whole answer: what failed and was cut is paid by those that were not.
    #[serde(serialize_with = "super::words::some_dollars")]
    pub cost_per_complete: Option<NanoUsd>,
    /// What a request of this route costs by its price, if all goes well.
    #[serde(serialize_with = "super::words::some_dollars")]
    pub cost_by_price: Option<NanoUsd>,
    /// What was free of its fullest limit in the peak minute of its busiest hour; below nothing, more was asked than there is.
    pub headroom: Option<f64>,
    /// Which limit that is.
    pub binding: Option<String>,
}

/// Compares the deployments of a route, or of all: `figures` of the time that is looked at, `rows` are its hours of demand.
#[must_use]
pub fn compare(site: &Site, route: Option<&str>, figures: &Figures, rows: &[DemandRow]) -> RouteSends {
    let meant = |calls: &&weir_ledger::RouteCalls| route.is_none() || calls.route.as_deref() == route;
    let mut all = CallFigures::default();
    figures.calls.iter().filter(meant).for_each(|calls| all.merge(&calls.figures));
    let each = |tokens: u64| if all.answered > 0 { tokens as f64 / all.answered as f64 } else { 0.0 };
    let request = Request { input: each(all.input), cached: 0.0, output: each(all.output), max_output: None };
    let mut ids: Vec<DeploymentId> = route.and_then(|route| site.route(route)).map_or(Vec::new(), |of| of.deployments);
    let called: BTreeSet<&str> = figures.calls.iter().filter(meant).map(|calls| &*calls.deployment).collect();
    for name in called {
        if let Ok(id) = DeploymentId::try_from(name.to_owned())
            && !ids.contains(&id)
        {
            ids.push(id);
        }
    }
    let asked = existing(site, rows);
    let deployments = ids.iter().map(|id| {
        let name = id.to_string();
        let mut own = CallFigures::default();
        let of = figures.calls.iter().filter(meant).filter(|calls| *calls.deployment == *name);
        of.for_each(|calls| own.merge(&calls.figures));
        let price = site.deployments.get(id).and_then(|of| of.price.clone());
        let by_price = (all.answered > 0).then(|| price?.cost(&request.usage(), Tier::Standard)).flatten();
        let fullest = fullest(site, id, &asked);
        Compared {
            deployment: name,
            calls: own.attempts,
            complete: own.complete,
            first_content_p50_ms: own.first_content.quantile(0.5),
            first_content_p95_ms: own.first_content.quantile(0.95),
            tokens_per_second: own.tokens_per_second(0.5),
            availability: own.uptime(),
            share_429: own.limited_share(),
            cost_per_complete: own.cost_per_complete(),
            cost_by_price: by_price,
            headroom: fullest.as_ref().map(|(used, _)| 1.0 - used),
            binding: fullest.map(|(_, name)| name),
        }
    });
    RouteSends {
        route: route.map(str::to_owned),
        answers: all.answered,
        input: request.input,
        output: request.output,
        deployments: deployments.collect(),
    }
}

/// The fullest limit of a deployment: how much of it the peak minute takes, of all who share it, and its name. None where it has no
/// limit that is known.
fn fullest(site: &Site, id: &DeploymentId, asked: &[Existing]) -> Option<(f64, String)> {
    let mut most: Option<(f64, String)> = None;
    for (pool, limits) in site.pools_of(id) {
        for (dimension, limit) in limits.iter() {
            let shares = |other: &&Existing| site.pools_of(&other.deployment).iter().any(|(of, _)| *of == pool);
            let all = asked.iter().filter(shares).map(|other| other.demand[dimension.index()]);
            let used = all.reduce(super::Demand::and).map_or(0.0, |demand| demand.peak()) / (limit as f64).max(1e-9);
            if most.as_ref().is_none_or(|(so_far, _)| used > *so_far) {
                most = Some((used, format!("{pool} {}", dimension.words())));
            }
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use weir_engine::{ChargeModel, ProviderLimits};
    use weir_ledger::RouteCalls;
    use weir_units::{Dimension, Limits, Price, Rates, WallTime};

    use super::*;
    use crate::plan::{Deployment, SiteRoute, Tells};

    #[test]
    fn deployments_are_compared_for_what_the_route_sends() {
        let ids = [DeploymentId::new("a", "m"), DeploymentId::new("b", "m")];
        let mut site = Site { max_wait: Duration::from_secs(30), ..Site::default() };
        for (id, input) in ids.iter().zip(["1", "2"]) {
            let rates = Rates { input: input.parse().ok(), output: "10".parse().ok(), ..Rates::default() };
            let price = Some(std::sync::Arc::new(Price { rates, ..Price::default() }));
            site.deployments
                .insert(id.clone(), Deployment { charge: ChargeModel::METERED, tells: Tells::Nothing, price });
        }
        let limits = Limits::NONE.with(Dimension::RequestsPerMinute, 100);
        site.settings.limits.providers.insert("a".into(), ProviderLimits { limits, ..ProviderLimits::default() });
        let deployments = ids.to_vec();
        site.routes.insert("r".into(), SiteRoute { deployments, strategy: weir_engine::Strategy::Failover });
        let calls = CallFigures {
            attempts: 200,
            answered: 180,
            limited: 20,
            failed: 0,
            complete: 90,
            input: 180_000,
            output: 18_000,
            cost: NanoUsd(900_000_000),
            ..CallFigures::default()
        };
        let of = |route: &str, figures: CallFigures| RouteCalls {
            deployment: "a/m".into(),
            route: Some(route.into()),
            figures,
        };
        let figures = Figures {
            calls: vec![of("r", calls.clone()), of("other", CallFigures { attempts: 7, ..calls })],
            ..Figures::default()
        };
        let minutes = weir_ledger::Demand { requests: 80, ..weir_ledger::Demand::default() };
        let hour = DemandRow {
            deployment: "a/m".into(),
            at: WallTime(0),
            sum: weir_ledger::Demand { requests: 2_400, ..weir_ledger::Demand::default() },
            p95: minutes,
            peak: minutes,
        };
        let compared = compare(&site, Some("r"), &figures, &[hour]);
        assert_eq!((compared.answers, compared.input, compared.output), (180, 1_000.0, 100.0));
        let (a, b) = (&compared.deployments[0], &compared.deployments[1]);
        assert_eq!((a.calls, a.share_429, a.availability), (200, Some(0.1), Some(1.0)));
        assert_eq!(a.cost_per_complete, Some(NanoUsd(10_000_000)), "twice the price: every second answer was cut");
        assert_eq!((a.cost_by_price, b.cost_by_price), (Some(NanoUsd(2_000_000)), Some(NanoUsd(3_000_000))));
        assert!((a.headroom.unwrap() - 0.2).abs() < 1e-9, "{a:?}");
        assert_eq!((b.calls, b.availability, b.headroom), (0, None, None), "it was never called, and has no limit");
        assert_eq!(compare(&site, None, &figures, &[]).deployments.len(), 1);
    }
}
