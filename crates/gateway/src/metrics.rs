//! `/metrics`: what was counted since the start, in the Prometheus text format.
//!
//! Everything is counted from ledger entries as they settle, in one place, so the metrics and the ledger cannot disagree.
//! Labels exist for deployments that are declared or once answered; all others are counted as `other`.

mod alerts;
mod budgets;
mod limits;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use weir_engine::{BudgetView, DeploymentView, PoolView, RunsSize};
use weir_ledger::{Behind, Entry, Fact};
use weir_units::{Moment, NanoUsd};

use crate::alerts::Figures;
use crate::pulse::Pulse;

/// Most deployments that nobody declared with labels of their own.
const LABELS: usize = 500;
/// Upper bounds of the duration histogram, in seconds.
const BOUNDS: [f64; 12] = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0];

/// What the page shows beside the counters.
pub(crate) struct Seen<'a> {
    pub(crate) deployments: &'a [DeploymentView],
    pub(crate) pools: &'a [PoolView],
    pub(crate) budgets: &'a [BudgetView],
    pub(crate) alerts: &'a Figures,
    pub(crate) now: Moment,
    pub(crate) behind: &'a Behind,
    pub(crate) in_flight: usize,
    pub(crate) buffered: usize,
    pub(crate) runs: RunsSize,
    /// Requests whose content was kept, and those that were to be captured and found no room.
    pub(crate) captured: (u64, u64),
}

/// Counters since the start.
#[derive(Default)]
pub(crate) struct Metrics(Mutex<Counters>);

#[derive(Default)]
struct Counters {
    declared: BTreeSet<Arc<str>>,
    /// Those that nobody declared, and that answered.
    proven: BTreeSet<Arc<str>>,
    requests: BTreeMap<(&'static str, &'static str, u16), u64>,
    refused: BTreeMap<(Arc<str>, Arc<str>), u64>,
    attempts: BTreeMap<(Arc<str>, &'static str), u64>,
    tokens: BTreeMap<(Arc<str>, &'static str), u64>,
    costs: BTreeMap<(Arc<str>, bool), NanoUsd>,
    unpriced: BTreeMap<Arc<str>, u64>,
    wasted: BTreeMap<&'static str, (u64, NanoUsd)>,
    run_changes: BTreeMap<(&'static str, &'static str), u64>,
    durations: Histogram,
    queue_waits: Histogram,
    overhead_sum_us: u64,
    pulse: Pulse,
}

/// How long things took.
#[derive(Default)]
struct Histogram {
    counts: [u64; BOUNDS.len() + 1],
    sum: Duration,
}

impl Metrics {
    /// Takes the deployments that the configuration declares, `provider/model`.
    pub(crate) fn declare(&self, declared: BTreeSet<Arc<str>>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).declared = declared;
    }

    /// Counts a request that has ended, at `now`.
    pub(crate) fn count(&self, entry: &Entry, took: Duration, now: Moment) {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (entry.endpoint, entry.outcome.name(), entry.status.unwrap_or(0));
        *counters.requests.entry(key).or_default() += 1;
        if let (Some(by), Some(code)) = (&entry.refused_by, &entry.code) {
            *counters.refused.entry((Arc::clone(by), Arc::clone(code))).or_default() += 1;
        }
        counters.pulse.request(now, entry);
        for (attempt, number) in entry.attempts.iter().zip(1..) {
            let class = attempt.class.map_or(if attempt.status.is_some() { "ok" } else { "cancelled" }, |c| c.name());
            let deployment = counters.label(&attempt.deployment, class == "ok");
            *counters.attempts.entry((Arc::clone(&deployment), class)).or_default() += 1;
            if class != "cancelled" {
                let first = entry.stream.then(|| first_content_ms(entry, number)).flatten();
                counters.pulse.attempt(now, &deployment, attempt, first);
            }
            match attempt.cost_usd {
                Some(cost) => {
                    *counters.costs.entry((Arc::clone(&deployment), attempt.cost_estimated)).or_default() += cost;
                }
                None => *counters.unpriced.entry(Arc::clone(&deployment)).or_default() += 1,
            }
            if let Some(usage) = &attempt.usage {
                for (kind, tokens) in
                    [("input", usage.input), ("cached_input", usage.cached_input), ("output", usage.output)]
                {
                    *counters.tokens.entry((Arc::clone(&deployment), kind)).or_default() += tokens.0;
                }
            }
        }
        for event in &entry.events {
            if let Fact::Wasted { why, input, output, cost_usd, .. } = &event.fact {
                let (tokens, dollars) = counters.wasted.entry(why).or_default();
                *tokens += input + output;
                *dollars += cost_usd.unwrap_or(NanoUsd::ZERO);
            }
        }
        counters.durations.add(took);
        // One that was never admitted was never in line.
        if entry.route.is_some() {
            counters.queue_waits.add(Duration::from_millis(entry.queued_ms));
        }
        counters.overhead_sum_us += entry.overhead_us.unwrap_or(0);
    }

    /// Counts what happened to an agent run.
    pub(crate) fn run_changed(&self, fact: &Fact) {
        let (change, detector) = match fact {
            Fact::RunWarned(evidence) => ("warned", evidence.detector),
            Fact::RunSlowed(evidence) => ("slowed", evidence.detector),
            Fact::RunHalted(evidence) => ("halted", evidence.detector),
            _ => return,
        };
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counters.run_changes.entry((change, detector)).or_default() += 1;
    }

    /// Reads the last minutes, with a way to tell which deployments have names of their own.
    pub(crate) fn read_pulse<T>(&self, read: impl FnOnce(&Pulse, &dyn Fn(&str) -> bool) -> T) -> T {
        let counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read(&counters.pulse, &|deployment| counters.knows(deployment))
    }

    /// Reads how many calls of each deployment came to what, since the start.
    pub(crate) fn read_attempts<T>(&self, read: impl FnOnce(&BTreeMap<(Arc<str>, &'static str), u64>) -> T) -> T {
        read(&self.0.lock().unwrap_or_else(PoisonError::into_inner).attempts)
    }

    /// The page.
    pub(crate) fn page(&self, seen: &Seen) -> String {
        let counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut page = String::with_capacity(8 * 1024);
        counters.write(&mut page);
        head(&mut page, "weir_breaker_open", "gauge", "1 while a deployment's breaker is not closed.");
        for view in seen.deployments {
            let deployment = view.deployment.to_string();
            if counters.knows(&deployment) {
                let open = u8::from(view.breaker.name() != "closed");
                line(&mut page, "weir_breaker_open", &[("deployment", &deployment)], open);
            }
        }
        limits::write(&mut page, seen.pools, seen.now, |deployment| counters.knows(deployment));
        drop(counters);
        budgets::write(&mut page, seen.budgets);
        alerts::write(&mut page, seen.alerts);
        head(&mut page, "weir_in_flight_requests", "gauge", "Requests that are running.");
        line(&mut page, "weir_in_flight_requests", &[], seen.in_flight);
        head(&mut page, "weir_runs", "gauge", "Agent runs that are remembered.");
        line(&mut page, "weir_runs", &[], seen.runs.runs);
        head(&mut page, "weir_runs_bytes", "gauge", "About how much memory they take.");
        line(&mut page, "weir_runs_bytes", &[], seen.runs.bytes);
        head(&mut page, "weir_buffered_bytes", "gauge", "Bytes of request bodies held in memory.");
        line(&mut page, "weir_buffered_bytes", &[], seen.buffered);
        head(&mut page, "weir_captured_total", "counter", "Requests that were to be captured, by what became of it.");
        for (result, count) in [("kept", seen.captured.0), ("dropped", seen.captured.1)] {
            line(&mut page, "weir_captured_total", &[("result", result)], count);
        }
        head(&mut page, "weir_ledger_queued", "gauge", "Facts that wait to be written.");
        line(&mut page, "weir_ledger_queued", &[], seen.behind.queued);
        page
    }
}

impl Counters {
    /// The label of a deployment: its own if it is declared, or once answered while there was room.
    fn label(&mut self, deployment: &Arc<str>, answered: bool) -> Arc<str> {
        if self.knows(deployment) {
            return Arc::clone(deployment);
        }
        if answered && self.proven.len() < LABELS {
            self.proven.insert(Arc::clone(deployment));
            return Arc::clone(deployment);
        }
        Arc::from("other")
    }

    fn knows(&self, deployment: &str) -> bool {
        self.declared.contains(deployment) || self.proven.contains(deployment)
    }

    fn write(&self, page: &mut String) {
        head(page, "weir_requests_total", "counter", "Requests that have ended, by endpoint, outcome and status.");
        for ((endpoint, outcome, status), count) in &self.requests {
            let labels = [("endpoint", *endpoint), ("outcome", *outcome), ("status", &*status.to_string())];
            line(page, "weir_requests_total", &labels, count);
        }
        head(page, "weir_refused_total", "counter", "Requests that were refused, by who refused and the code.");
        for ((by, code), count) in &self.refused {
            line(page, "weir_refused_total", &[("by", &**by), ("code", &**code)], count);
        }
        head(page, "weir_attempts_total", "counter", "Calls upstream, by deployment and what came of them.");
        for ((deployment, class), count) in &self.attempts {
            line(page, "weir_attempts_total", &[("deployment", &**deployment), ("class", *class)], count);
        }
        head(page, "weir_tokens_total", "counter", "Tokens as providers reported them.");
        for ((deployment, kind), count) in &self.tokens {
            line(page, "weir_tokens_total", &[("deployment", &**deployment), ("type", *kind)], count);
        }
        head(
            page,
            "weir_cost_usd_total",
            "counter",
            "What calls cost in US dollars, as far as their prices are known.",
        );
        for ((deployment, estimated), cost) in &self.costs {
            let estimated = if *estimated { "true" } else { "false" };
            line(page, "weir_cost_usd_total", &[("deployment", &**deployment), ("estimated", estimated)], cost);
        }
        head(page, "weir_cost_unknown_total", "counter", "Calls upstream whose cost is unknown.");
        for (deployment, count) in &self.unpriced {
            line(page, "weir_cost_unknown_total", &[("deployment", &**deployment)], count);
        }
        head(page, "weir_run_changes_total", "counter", "Agent runs that were warned of, slowed or halted, by why.");
        for ((change, detector), count) in &self.run_changes {
            line(page, "weir_run_changes_total", &[("change", change), ("detector", detector)], count);
        }
        head(page, "weir_wasted_tokens_total", "counter", "Tokens that were paid for and served nobody.");
        for (why, (tokens, _)) in &self.wasted {
            line(page, "weir_wasted_tokens_total", &[("why", why)], tokens);
        }
        head(page, "weir_wasted_usd_total", "counter", "What they cost in US dollars, as far as prices are known.");
        for (why, (_, dollars)) in &self.wasted {
            line(page, "weir_wasted_usd_total", &[("why", why)], dollars);
        }
        let help = "From a request's arrival to the end of its answer.";
        self.durations.write(page, "weir_request_duration_seconds", help);
        let help = "How long admitted requests waited for capacity, 0 for most.";
        self.queue_waits.write(page, "weir_queue_wait_seconds", help);
        head(page, "weir_overhead_microseconds_total", "counter", "What Weir itself added to all requests together.");
        line(page, "weir_overhead_microseconds_total", &[], self.overhead_sum_us);
    }
}

impl Histogram {
    fn add(&mut self, took: Duration) {
        let bucket = BOUNDS.iter().position(|b| took.as_secs_f64() <= *b).unwrap_or(BOUNDS.len());
        self.counts[bucket] += 1;
        self.sum += took;
    }

    fn write(&self, page: &mut String, name: &str, help: &str) {
        head(page, name, "histogram", help);
        let bucket = format!("{name}_bucket");
        let mut sum = 0;
        for (bound, count) in BOUNDS.iter().zip(self.counts) {
            sum += count;
            line(page, &bucket, &[("le", &*bound.to_string())], sum);
        }
        sum += self.counts[BOUNDS.len()];
        line(page, &bucket, &[("le", "+Inf")], sum);
        line(page, &format!("{name}_sum"), &[], self.sum.as_secs_f64());
        line(page, &format!("{name}_count"), &[], sum);
    }
}

/// When the first content of an attempt came after it was sent.
fn first_content_ms(entry: &Entry, number: u32) -> Option<u64> {
    entry.events.iter().find_map(|event| match event.fact {
        Fact::FirstContent { attempt, after_ms } if attempt == number => Some(after_ms),
        _ => None,
    })
}

fn head(page: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn line(page: &mut String, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
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
