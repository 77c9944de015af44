//! The limits, what is used of them, and who waits for them, as gauges.
//!
//! Pools of the config and of clients' keys have labels; a model that nobody declared has one once it has answered.

use weir_engine::{Gauge, PoolId, PoolView};
use weir_units::{Dimension, Moment};

use super::page::{head, line};
use crate::headroom::{share, waiting};

/// A limit's value as it is written.
type Value = fn(&Gauge) -> Option<f64>;

/// Gauges of each limit: name, help, value.
const OF_LIMITS: [(&str, &str, Value); 4] = [
    ("weir_limit", "The limit in force: the lower of what is declared and what the provider states.", |gauge| {
        Some(gauge.limit as f64)
    }),
    ("weir_limit_used", "Used in the last minute, today, or at this moment, by the limit's dimension.", |gauge| {
        Some(gauge.used as f64)
    }),
    (
        "weir_limit_peak",
        "The most that was used in any minute of the last hour; today's use of a daily limit.",
        |gauge| Some(gauge.peak as f64),
    ),
    ("weir_headroom_ratio", "1 - peak / limit: below 0 where the peak was above the limit.", |gauge| {
        share(gauge.peak, gauge.limit).map(|peak| 1.0 - peak)
    }),
];

/// Writes all pools that `knows` lets have labels.
pub(super) fn write(page: &mut String, pools: &[PoolView], now: Moment, knows: impl Fn(&str) -> bool) {
    let labelled: Vec<(&PoolView, String)> = pools
        .iter()
        .map(|view| (view, view.pool.to_string()))
        .filter(|(view, name)| !matches!(view.pool, PoolId::Model(_)) || knows(name))
        .collect();
    for (metric, help, value) in OF_LIMITS {
        head(page, metric, "gauge", help);
        for (view, name) in &labelled {
            for gauge in &view.limits {
                if let Some(value) = value(gauge) {
                    line(page, metric, &labels(view, name, gauge.dimension), value);
                }
            }
        }
    }
    head(page, "weir_limit_factor", "gauge", "The share of its limits that a pool keeps to since a refusal.");
    for (view, name) in &labelled {
        let labels = [("pool", name.as_str()), ("kind", view.pool.kind())];
        line(page, "weir_limit_factor", &labels, view.factor_ppm as f64 / 1e6);
    }
    head(page, "weir_pool_gated", "gauge", "1 while nobody asks, after a refusal.");
    for (view, name) in &labelled {
        let gated = view.gate_until.is_some_and(|until| until > now);
        line(page, "weir_pool_gated", &[("pool", name), ("kind", view.pool.kind())], u8::from(gated));
    }
    // A key's own limits refuse, they do not make anybody wait.
    let queues = || labelled.iter().filter(|(view, _)| !matches!(view.pool, PoolId::Key(_)));
    head(page, "weir_queue_waiting", "gauge", "Requests that wait for capacity, by class.");
    for (view, name) in queues() {
        for (class, count) in waiting(view.queue.as_ref()) {
            line(
                page,
                "weir_queue_waiting",
                &[("pool", name), ("kind", view.pool.kind()), ("class", class.name())],
                count,
            );
        }
    }
    head(page, "weir_queue_oldest_seconds", "gauge", "How long the oldest that waits has waited; 0 if nobody does.");
    for (view, name) in queues() {
        let oldest = view.queue.as_ref().map_or(0.0, |queue| queue.oldest.as_secs_f64());
        line(page, "weir_queue_oldest_seconds", &[("pool", name), ("kind", view.pool.kind())], oldest);
    }
}

fn labels<'a>(view: &PoolView, name: &'a str, dimension: Dimension) -> [(&'static str, &'a str); 3] {
    [("pool", name), ("kind", view.pool.kind()), ("dimension", dimension.name())]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use weir_units::DeploymentId;

    use super::*;

    fn view(pool: PoolId) -> PoolView {
        let gauge = Gauge {
            dimension: Dimension::RequestsPerMinute,
            limit: 400,
            declared: Some(400),
            stated: None,
            used: 100,
            peak: 300,
            remaining: 5,
            reset: Duration::ZERO,
        };
        PoolView { pool, limits: vec![gauge], factor_ppm: 700_000, gate_until: Some(Moment(9)), queue: None }
    }

    #[test]
    fn pools_have_labels_and_models_that_nobody_knows_have_none() {
        let pools = [
            view(PoolId::Shared(Arc::from("gpt"))),
            view(PoolId::Key(Arc::from("bot"))),
            view(PoolId::Model(DeploymentId::new("o", "anything"))),
        ];
        let mut page = String::new();
        write(&mut page, &pools, Moment(5), |_| false);
        for expected in [
            "weir_limit{pool=\"gpt\",kind=\"pool\",dimension=\"requests-per-minute\"} 400\n",
            "weir_limit_used{pool=\"bot\",kind=\"key\",dimension=\"requests-per-minute\"} 100\n",
            "weir_limit_peak{pool=\"gpt\",kind=\"pool\",dimension=\"requests-per-minute\"} 300\n",
            "weir_headroom_ratio{pool=\"gpt\",kind=\"pool\",dimension=\"requests-per-minute\"} 0.25\n",
            "weir_limit_factor{pool=\"gpt\",kind=\"pool\"} 0.7\n",
            "weir_pool_gated{pool=\"gpt\",kind=\"pool\"} 1\n",
            "weir_queue_waiting{pool=\"gpt\",kind=\"pool\",class=\"batch\"} 0\n",
            "weir_queue_oldest_seconds{pool=\"gpt\",kind=\"pool\"} 0\n",
        ] {
            assert!(page.contains(expected), "{expected} in\n{page}");
        }
        assert!(!page.contains("anything") && !page.contains("weir_queue_waiting{pool=\"bot\""), "{page}");
    }
}
