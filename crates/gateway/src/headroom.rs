//! `/admin/v1/headroom`: every pool with its limits, what of them is used, and who waits for them.

use serde_json::{Value, json};
use weir_engine::{Gauge, PoolView, Priority, QueueView};
use weir_units::{Dimension, Moment};

use crate::clock::wall;
use crate::state::Shared;

/// All pools that have limits, or somebody who waits.
pub(crate) fn pools(shared: &Shared) -> Vec<Value> {
    let now = shared.clock.now();
    let views = shared.engine().headroom(now);
    let desk = shared.desk.latest();
    let told = |view| {
        let mut told = pool(view, now);
        crate::capacity::add_forecast(&mut told, desk.as_deref());
        told
    };
    views.iter().map(told).collect()
}

/// What is used of a limit, in percent of it; none of a limit of nothing.
pub(crate) fn share(part: u64, limit: u64) -> Option<f64> {
    (limit > 0).then(|| part as f64 / limit as f64)
}

/// Over what a limit counts: any minute, a day, or what is under way at once.
pub(crate) fn per(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::ConcurrentRequests => "at_once",
        daily if daily.is_daily() => "day",
        _ => "minute",
    }
}

/// How many wait, by class.
pub(crate) fn waiting(queue: Option<&QueueView>) -> [(Priority, usize); 3] {
    let counts = queue.map_or([0; 3], |queue| queue.waiting);
    let mut by_class = Priority::ALL.map(|class| (class, 0));
    by_class.iter_mut().zip(counts).for_each(|(class, count)| class.1 = count);
    by_class
}

fn pool(view: &PoolView, now: Moment) -> Value {
    let nobody_said = view.limits.iter().all(|gauge| gauge.declared.is_none());
    let assumed = nobody_said.then_some(match view.limits.is_empty() {
        true => "nothing is declared and the provider has stated nothing yet: Weir learns from headers and refusals",
        false => "nothing is declared: Weir keeps to what the provider's headers state",
    });
    let waiting: serde_json::Map<String, Value> = waiting(view.queue.as_ref())
        .into_iter()
        .map(|(class, count)| (class.name().to_owned(), count.into()))
        .collect();
    json!({
        "pool": view.pool.to_string(),
        "kind": view.pool.kind(),
        "factor": view.factor_ppm as f64 / 1e6,
        "gate_until": view.gate_until.map(|until| (wall() + until.since(now)).to_string()),
        "assumed": assumed,
        "limits": view.limits.iter().map(limit).collect::<Vec<_>>(),
        "queue": {
            "waiting": waiting,
            "oldest_wait_s": view.queue.as_ref().map_or(0.0, |queue| seconds(queue.oldest)),
        },
    })
}

fn limit(gauge: &Gauge) -> Value {
    let percent = |share: f64| (share * 1_000.0).round() / 10.0;
    let at_once = gauge.dimension == Dimension::ConcurrentRequests;
    json!({
        "dimension": gauge.dimension.name(),
        "per": per(gauge.dimension),
        "limit": gauge.limit,
        "declared": gauge.declared,
        "stated": gauge.stated,
        "used": gauge.used,
        "peak": gauge.peak,
        "remaining": gauge.remaining,
        "use_percent": share(gauge.used, gauge.limit).map(percent),
        "headroom_percent": share(gauge.peak, gauge.limit).map(|peak| percent(1.0 - peak)),
        // Places come back when somebody ends, which is no time that could be told.
        "reset_s": (!at_once).then(|| seconds(gauge.reset)),
    })
}

/// Seconds to the millisecond.
fn seconds(span: std::time::Duration) -> f64 {
    span.as_millis() as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use weir_engine::PoolId;

    use super::*;

    fn gauge() -> Gauge {
        Gauge {
            dimension: Dimension::InputTokensPerMinute,
            limit: 300_000,
            declared: None,
            stated: Some(300_000),
            used: 183_000,
            peak: 312_000,
            remaining: 5_000,
            reset: Duration::from_millis(41_250),
        }
    }

    fn view(limits: Vec<Gauge>) -> PoolView {
        PoolView {
            pool: PoolId::Shared(Arc::from("gpt-5")),
            limits,
            factor_ppm: 700_000,
            gate_until: None,
            queue: Some(QueueView { waiting: [9, 3, 0], oldest: Duration::from_millis(2_100) }),
        }
    }

    #[test]
    fn a_pool_says_use_peak_and_headroom_and_who_waits() {
        let told = pool(&view(vec![gauge()]), Moment::ZERO);
        assert_eq!((told["pool"].as_str(), told["kind"].as_str()), (Some("gpt-5"), Some("pool")));
        assert_eq!((told["factor"].as_f64(), told["gate_until"].is_null()), (Some(0.7), true));
        assert_eq!(
            told["queue"],
            json!({
                "waiting": { "interactive": 9, "standard": 3, "batch": 0 }, "oldest_wait_s": 2.1,
            })
        );
        let limit = &told["limits"][0];
        assert_eq!(limit["per"], "minute");
        assert_eq!((limit["use_percent"].as_f64(), limit["headroom_percent"].as_f64()), (Some(61.0), Some(-4.0)));
        assert_eq!(limit["reset_s"].as_f64(), Some(41.25));
    }

    #[test]
    fn what_nobody_declared_is_said_to_be_learned() {
        let told = |limits| pool(&view(limits), Moment::ZERO)["assumed"].as_str().map(str::to_owned);
        assert!(told(vec![]).unwrap().contains("learns from headers"));
        assert!(told(vec![gauge()]).unwrap().contains("headers state"));
        assert_eq!(told(vec![Gauge { declared: Some(1), ..gauge() }]), None);
    }

    #[test]
    fn places_at_once_have_no_time_at_which_they_are_back() {
        let told = limit(&Gauge { dimension: Dimension::ConcurrentRequests, ..gauge() });
        assert!(told["reset_s"].is_null() && told["per"] == "at_once");
    }
}
