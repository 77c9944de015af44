//! The state of deployments and of the process, as gauges.

use weir_engine::{BreakerState, DeploymentView};

use super::page::{head, line};
use super::{Exported, Seen};

const BREAKER: [BreakerState; 3] = [BreakerState::Closed, BreakerState::Open, BreakerState::HalfOpen];

/// Writes those of deployments that `knows` lets have labels.
pub(super) fn deployments(page: &mut String, seen: &Seen, knows: impl Fn(&str) -> bool) {
    let labelled: Vec<(&DeploymentView, String)> = seen
        .deployments
        .iter()
        .map(|view| (view, view.deployment.to_string()))
        .filter(|(_, deployment)| knows(deployment))
        .collect();
    head(page, "weir_breaker_open", "gauge", "1 while a deployment's breaker is not closed.");
    for (view, deployment) in &labelled {
        let open = u8::from(view.breaker != BreakerState::Closed);
        line(page, "weir_breaker_open", &[("deployment", deployment)], open);
    }
    head(page, "weir_breaker_state", "gauge", "1 for the state that a deployment's breaker is in.");
    for (view, deployment) in &labelled {
        for state in BREAKER {
            let labels = [("deployment", deployment.as_str()), ("state", state.name())];
            line(page, "weir_breaker_state", &labels, u8::from(view.breaker == state));
        }
    }
    let help = "1 while a deployment is asked last, since its credential or its model was refused.";
    head(page, "weir_deployment_benched", "gauge", help);
    for (view, deployment) in &labelled {
        for (what, credential) in [("credential", true), ("model", false)] {
            let benched = view.benched.is_some_and(|bench| bench.credential == credential);
            let labels = [("deployment", deployment.as_str()), ("what", what)];
            line(page, "weir_deployment_benched", &labels, u8::from(benched));
        }
    }
    head(page, "weir_deployment_in_flight", "gauge", "Calls to a deployment that are under way.");
    for (view, deployment) in &labelled {
        line(page, "weir_deployment_in_flight", &[("deployment", deployment)], view.in_flight);
    }
}

/// Writes those of the process.
pub(super) fn process(page: &mut String, seen: &Seen) {
    head(page, "weir_build_info", "gauge", "1, with the version that runs.");
    line(page, "weir_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    head(page, "weir_config_refused", "gauge", "1 while the file says what is not in force, since it was refused.");
    line(page, "weir_config_refused", &[], u8::from(seen.reload_refused));
    for (name, help, value) in [
        ("weir_in_flight_requests", "Requests that are running.", seen.in_flight as u64),
        ("weir_runs", "Agent runs that are remembered.", seen.runs.runs as u64),
        ("weir_runs_bytes", "About how much memory they take.", seen.runs.bytes),
        ("weir_buffered_bytes", "Bytes of request bodies held in memory.", seen.buffered as u64),
        ("weir_ledger_queued", "Facts that wait to be written.", seen.behind.queued as u64),
        ("weir_ledger_spilled", "Rows that wait in the spill file.", seen.behind.spilled),
        ("weir_ledger_lost", "Rows that are on no record: the database and the spill both failed.", seen.behind.lost),
        ("weir_ledger_failing", "1 while the database cannot be written.", u64::from(seen.behind.since.is_some())),
    ] {
        head(page, name, "gauge", help);
        line(page, name, &[], value);
    }
}

/// Writes what became of contents that were to be kept.
pub(super) fn captured(page: &mut String, (kept, dropped): (u64, u64)) {
    head(page, "weir_captured_total", "counter", "Requests that were to be captured, by what became of it.");
    line(page, "weir_captured_total", &[("result", "kept")], kept);
    line(page, "weir_captured_total", &[("result", "dropped")], dropped);
}

/// Writes what became of telemetry.
pub(super) fn telemetry(page: &mut String, telemetry: &Exported) {
    head(page, "weir_telemetry_spans_total", "counter", "Spans, by whether the receiver took or rejected them.");
    line(page, "weir_telemetry_spans_total", &[("result", "taken")], telemetry.spans);
    line(page, "weir_telemetry_spans_total", &[("result", "rejected")], telemetry.rejected);
    let help = "Requests by what became of their spans; `dropped` also counts facts of Weir itself.";
    head(page, "weir_telemetry_requests_total", "counter", help);
    line(page, "weir_telemetry_requests_total", &[("result", "exported")], telemetry.requests);
    line(page, "weir_telemetry_requests_total", &[("result", "unsampled")], telemetry.unsampled);
    line(page, "weir_telemetry_requests_total", &[("result", "dropped")], telemetry.dropped);
    head(page, "weir_telemetry_queued", "gauge", "Requests and facts that wait to be exported.");
    line(page, "weir_telemetry_queued", &[], telemetry.waiting);
    head(page, "weir_telemetry_failing", "gauge", "1 while traces or metrics cannot be delivered.");
    line(page, "weir_telemetry_failing", &[], u8::from(telemetry.failing));
}
