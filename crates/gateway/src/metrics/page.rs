//! The counters in the Prometheus text format.

use std::fmt::{Display, Write};
use std::time::Duration;

use super::counters::{Counters, OfDeployment, OfRoute, Operation, TOKEN_KINDS};
use super::named::Named;
use super::sizes::{BOUNDS, Bounds, DURATIONS, GAPS, OVERHEADS, REQUESTS, Sizes};

impl Counters {
    pub(super) fn write(&self, page: &mut String) {
        self.requests(page);
        self.calls(page);
        self.costs(page);
        self.keys(page);
        self.times(page);
    }

    fn requests(&self, page: &mut String) {
        let help = "Requests that have ended, by endpoint, route, outcome and status.";
        head(page, "weir_requests_total", "counter", help);
        for (route, of) in self.routes.iter() {
            for ((endpoint, outcome, status), count) in of.requests.iter() {
                let labels = [
                    ("endpoint", *endpoint),
                    ("route", route),
                    ("outcome", *outcome),
                    ("status", &*status.to_string()),
                ];
                line(page, "weir_requests_total", &labels, count);
            }
        }
        head(page, "weir_refused_total", "counter", "Requests that were refused, by who refused and the code.");
        for ((by, code), count) in &self.refused {
            line(page, "weir_refused_total", &[("by", &**by), ("code", &**code)], count);
        }
        let help = "Requests that were tried before by the same client, by who says so.";
        head(page, "weir_client_retries_total", "counter", help);
        for (by, count) in self.client_retries.iter() {
            line(page, "weir_client_retries_total", &[("by", by)], count);
        }
        head(page, "weir_run_changes_total", "counter", "Agent runs that were warned of, slowed or halted, by why.");
        for ((change, detector), count) in &self.run_changes {
            line(page, "weir_run_changes_total", &[("change", change), ("detector", detector)], count);
        }
    }

    fn calls(&self, page: &mut String) {
        head(page, "weir_attempts_total", "counter", "Calls upstream, by deployment and what came of them.");
        for (deployment, of) in self.deployments.iter() {
            for (class, count) in of.attempts.iter() {
                line(page, "weir_attempts_total", &[("deployment", deployment), ("class", class)], count);
            }
        }
        let help = "Calls upstream that repeat one to the same deployment for the same request.";
        head(page, "weir_retries_total", "counter", help);
        for (deployment, of) in self.deployments.iter() {
            line(page, "weir_retries_total", &[("deployment", deployment)], of.retries);
        }
        head(page, "weir_fallbacks_total", "counter", "Calls upstream that go on where another deployment failed.");
        for (from, to, count) in self.fallbacks() {
            line(page, "weir_fallbacks_total", &[("from", from), ("to", to)], count);
        }
        head(page, "weir_tokens_total", "counter", "Tokens as providers reported them.");
        for (deployment, of) in self.deployments.iter() {
            for (kind, count) in TOKEN_KINDS.iter().zip(of.tokens) {
                line(page, "weir_tokens_total", &[("deployment", deployment), ("type", kind)], count);
            }
        }
    }

    fn costs(&self, page: &mut String) {
        let help = "What calls cost in US dollars, as far as their prices are known.";
        head(page, "weir_cost_usd_total", "counter", help);
        for (deployment, of) in self.deployments.iter() {
            for (estimated, cost) in of.costs.iter() {
                let estimated = if *estimated { "true" } else { "false" };
                line(page, "weir_cost_usd_total", &[("deployment", deployment), ("estimated", estimated)], cost);
            }
        }
        head(page, "weir_cost_unknown_total", "counter", "Calls upstream whose cost is unknown.");
        for (deployment, of) in self.deployments.iter() {
            line(page, "weir_cost_unknown_total", &[("deployment", deployment)], of.unpriced);
        }
        head(page, "weir_wasted_tokens_total", "counter", "Tokens that were paid for and served nobody.");
        for (why, (tokens, _)) in self.wasted.iter() {
            line(page, "weir_wasted_tokens_total", &[("why", why)], tokens);
        }
        head(page, "weir_wasted_usd_total", "counter", "What they cost in US dollars, as far as prices are known.");
        for (why, (_, dollars)) in self.wasted.iter() {
            line(page, "weir_wasted_usd_total", &[("why", why)], dollars);
        }
    }

    fn keys(&self, page: &mut String) {
        head(page, "weir_key_requests_total", "counter", "Requests that have ended, by the client's key and outcome.");
        for (key, of) in self.keys.iter() {
            for (outcome, count) in of.requests.iter() {
                line(page, "weir_key_requests_total", &[("key", key), ("outcome", outcome)], count);
            }
        }
        head(page, "weir_key_tokens_total", "counter", "Tokens as providers reported them, by the client's key.");
        for (key, of) in self.keys.iter() {
            for (kind, count) in TOKEN_KINDS.iter().zip(of.tokens) {
                line(page, "weir_key_tokens_total", &[("key", key), ("type", kind)], count);
            }
        }
        let help = "What the calls for a client's key cost in US dollars, as far as their prices are known.";
        head(page, "weir_key_cost_usd_total", "counter", help);
        for (key, of) in self.keys.iter() {
            line(page, "weir_key_cost_usd_total", &[("key", key)], of.cost);
        }
        let help = "Calls upstream for a client's key whose cost is unknown.";
        head(page, "weir_key_cost_unknown_total", "counter", help);
        for (key, of) in self.keys.iter() {
            line(page, "weir_key_cost_unknown_total", &[("key", key)], of.unpriced);
        }
    }

    fn times(&self, page: &mut String) {
        let by_route = |page: &mut String, name, help, of: fn(&OfRoute) -> &Sizes| {
            head(page, name, "histogram", help);
            for (route, sizes) in self.routes.iter().map(|(route, each)| (route, of(each))) {
                histogram(page, name, &[("route", route)], sizes, &REQUESTS);
            }
        };
        let help = "From a request's arrival to the end of its answer.";
        by_route(page, "weir_request_duration_seconds", help, |of| &of.durations);
        let help = "From a request's arrival to the first content of its stream.";
        by_route(page, "weir_first_token_seconds", help, |of| &of.first_content);
        let help = "How long admitted requests waited for capacity, 0 for most.";
        by_route(page, "weir_queue_wait_seconds", help, |of| &of.queue_waits);
        head(page, "weir_overhead_seconds", "histogram", "What Weir itself added to a request.");
        histogram(page, "weir_overhead_seconds", &[], &self.overheads, &OVERHEADS);

        let name = "weir_attempt_duration_seconds";
        head(page, name, "histogram", "How long calls upstream took, by how they ended.");
        for (deployment, of) in self.deployments.iter() {
            for (result, sizes) in results(of).iter().filter(|(_, sizes)| sizes.count() > 0) {
                histogram(page, name, &[("deployment", deployment), ("result", result)], sizes, &DURATIONS);
            }
        }
        let help = "From sending a call to the first content of its stream.";
        of_streams(page, &self.deployments, "weir_attempt_first_token_seconds", help, &DURATIONS, |operation| {
            &operation.first_chunk
        });
        let help = "The mean gap between the tokens of a stream that came whole.";
        of_streams(page, &self.deployments, "weir_inter_token_seconds", help, &GAPS, |operation| &operation.gaps);
    }
}

/// Writes a histogram of streams, for those deployments that have had some.
fn of_streams(
    page: &mut String,
    deployments: &Named<OfDeployment>,
    name: &str,
    help: &str,
    bounds: &Bounds,
    of: fn(&Operation) -> &Sizes,
) {
    head(page, name, "histogram", help);
    for (deployment, each) in deployments.iter() {
        let mut sizes = Sizes::default();
        each.operations.iter().for_each(|(_, operation)| sizes.merge(of(operation)));
        if sizes.count() > 0 {
            histogram(page, name, &[("deployment", deployment)], &sizes, bounds);
        }
    }
}

/// Durations of a deployment's calls, by how they ended.
fn results(of: &OfDeployment) -> [(&'static str, Sizes); 3] {
    let mut results = ["ok", "cancelled", "failed"].map(|result| (result, Sizes::default()));
    for (class, sizes) in of.operations.iter().flat_map(|(_, operation)| operation.durations.iter()) {
        let place = results.iter().position(|(result, _)| result == class).unwrap_or(2);
        results[place].1.merge(sizes);
    }
    results
}

pub(super) fn head(page: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

pub(super) fn line(page: &mut String, name: &str, labels: &[(&str, &str)], value: impl Display) {
    page.push_str(name);
    for (place, (label, text)) in labels.iter().enumerate() {
        page.push(if place == 0 { '{' } else { ',' });
        let _ = write!(page, "{label}=\"");
        for c in weir_wire::shown(text).chars().take(200) {
            match c {
                '"' => page.push_str("\\\""),
                '\\' => page.push_str("\\\\"),
                c => page.push(c),
            }
        }
        page.push('"');
    }
    let _ = writeln!(page, "{} {value}", if labels.is_empty() { "" } else { "}" });
}

/// Writes a histogram of microseconds, in seconds.
fn histogram(page: &mut String, name: &str, labels: &[(&str, &str)], sizes: &Sizes, bounds: &Bounds) {
    let seconds = |micros: u64| Duration::from_micros(micros).as_secs_f64();
    let bucket = format!("{name}_bucket");
    let mut sum = 0;
    for (place, count) in sizes.counts.iter().enumerate() {
        sum += count;
        let bound = if place < BOUNDS { seconds(bounds[place]).to_string() } else { "+Inf".to_owned() };
        let with_bound: Vec<(&str, &str)> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
        line(page, &bucket, &with_bound, sum);
    }
    line(page, &format!("{name}_sum"), labels, seconds(sizes.sum));
    line(page, &format!("{name}_count"), labels, sum);
}
