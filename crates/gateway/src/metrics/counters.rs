//! What is counted of a request that has ended. It runs once a request, under a lock: a few look-ups and additions, no text is made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use weir_ledger::{Attempt, Entry, Fact};
use weir_units::NanoUsd;

use super::named::{Few, Named, OF_OTHERS, Place};
use super::sizes::{DURATIONS, GAPS, OVERHEADS, REQUESTS, Sizes, TOKENS};
use crate::telemetry;

/// Most deployments that nobody declared with labels of their own.
const UNDECLARED: usize = 500;
/// Most ways from one deployment to another that are counted apart.
const WAYS: usize = 2_000;
/// Most combinations of endpoint, outcome and status that are counted apart for a route; providers choose statuses.
const ENDS: usize = 250;

/// Kinds of tokens. Cached ones are part of the input, reasoning part of the output.
pub(super) const TOKEN_KINDS: [&str; 5] = ["input", "output", "cached_input", "cache_write", "reasoning"];
/// Those that are counted by key: the first ones.
const KEY_KINDS: usize = 2;

/// Counters since the start.
#[derive(Clone, Default)]
pub(super) struct Counters {
    pub(super) routes: Named<OfRoute>,
    pub(super) keys: Named<OfKey>,
    pub(super) deployments: Named<OfDeployment>,
    /// How many of these nobody declared; they have answered.
    undeclared: usize,
    pub(super) refused: BTreeMap<(Arc<str>, Arc<str>), u64>,
    fallbacks: BTreeMap<(Place, Place), u64>,
    pub(super) client_retries: Few<&'static str, u64>,
    pub(super) wasted: Few<&'static str, (u64, NanoUsd)>,
    pub(super) run_changes: BTreeMap<(&'static str, &'static str), u64>,
    pub(super) overheads: Sizes,
}

/// Endpoint, outcome and status of a request; a status of 0 stands for none, and for those that are not told apart any more.
type End = (&'static str, &'static str, u16);

/// Requests of a route. Times are in microseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct OfRoute {
    pub(super) requests: Few<End, u64>,
    pub(super) durations: Sizes,
    pub(super) first_content: Sizes,
    pub(super) queue_waits: Sizes,
}

/// Requests of a client's key.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct OfKey {
    pub(super) requests: Few<&'static str, u64>,
    pub(super) tokens: [u64; KEY_KINDS],
    pub(super) cost: NanoUsd,
    /// Calls whose cost is unknown.
    pub(super) unpriced: u64,
}

/// Calls to a deployment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct OfDeployment {
    /// By what came of them.
    pub(super) attempts: Few<&'static str, u64>,
    /// Those that repeat a call to the same deployment for the same request.
    pub(super) retries: u64,
    pub(super) tokens: [u64; TOKEN_KINDS.len()],
    /// By whether it is an estimate.
    pub(super) costs: Few<bool, NanoUsd>,
    pub(super) unpriced: u64,
    pub(super) operations: Few<&'static str, Operation>,
}

/// Calls of one kind to one deployment. Times are in microseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Operation {
    /// How long they took, by what came of them.
    pub(super) durations: Few<&'static str, Sizes>,
    /// When the first piece of a stream came.
    pub(super) first_chunk: Sizes,
    /// The mean gap between the tokens of a stream.
    pub(super) gaps: Sizes,
    pub(super) input: Sizes,
    pub(super) output: Sizes,
}

impl Counters {
    /// Gives a deployment a label, with counters that are there before its first call.
    pub(super) fn declare(&mut self, deployment: &Arc<str>) {
        let place = self.deployments.know(deployment);
        let of = self.deployments.at(place);
        for class in ["ok", "rate_limited"] {
            of.attempts.at(class);
        }
    }

    /// Counts a request; `each` is told of its calls, with the label of the deployment, and when its first content came in milliseconds.
    pub(super) fn request(
        &mut self,
        entry: &Entry,
        took: Duration,
        mut each: impl FnMut(&Arc<str>, &Attempt, Option<u64>),
    ) {
        let outcome = entry.outcome.name();
        self.routes.of(entry.route.as_deref()).add(entry, outcome, took);
        let key = self.keys.of(entry.key.as_deref());
        *key.requests.at(outcome) += 1;
        if let (Some(by), Some(code)) = (&entry.refused_by, &entry.code) {
            *self.refused.entry((Arc::clone(by), Arc::clone(code))).or_default() += 1;
        }
        let mut before: Option<(Place, &Attempt)> = None;
        for (attempt, number) in entry.attempts.iter().zip(1..) {
            let first = entry.stream.then(|| first_content_ms(entry, number)).flatten();
            let class = telemetry::class(attempt);
            let mut place = self.deployments.place(&attempt.deployment);
            if place == OF_OTHERS && class == "ok" && self.undeclared < UNDECLARED {
                self.undeclared += 1;
                place = self.deployments.know(&attempt.deployment);
            }
            let of = self.deployments.at(place);
            of.add(attempt, class, telemetry::operation(entry.endpoint), first);
            key.add(attempt);
            match before {
                Some((_, before)) if before.deployment == attempt.deployment => of.retries += 1,
                Some((from, _)) => {
                    let way = (from, place);
                    let is_known = self.fallbacks.len() < WAYS || self.fallbacks.contains_key(&way);
                    let way = if is_known { way } else { (OF_OTHERS, OF_OTHERS) };
                    *self.fallbacks.entry(way).or_default() += 1;
                }
                None => {}
            }
            each(self.deployments.label(place), attempt, first);
            before = Some((place, attempt));
        }
        for event in &entry.events {
            match &event.fact {
                Fact::Wasted { why, input, output, cost_usd, .. } => {
                    let (tokens, dollars) = self.wasted.at(why);
                    *tokens += input + output;
                    *dollars += cost_usd.unwrap_or(NanoUsd::ZERO);
                }
                Fact::ClientRetried { by, .. } => *self.client_retries.at(by) += 1,
                _ => {}
            }
        }
        if let Some(overhead) = entry.overhead_us {
            self.overheads.add(overhead, &OVERHEADS);
        }
    }

    /// From where to where calls went on, and how often.
    pub(super) fn fallbacks(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        let label = |place: Place| &**self.deployments.label(place);
        self.fallbacks.iter().map(move |((from, to), count)| (label(*from), label(*to), *count))
    }
}

impl OfRoute {
    fn add(&mut self, entry: &Entry, outcome: &'static str, took: Duration) {
        let status = if self.requests.len() < ENDS { entry.status.unwrap_or(0) } else { 0 };
        *self.requests.at((entry.endpoint, outcome, status)) += 1;
        self.durations.add(micros(took), &REQUESTS);
        if let Some(first) = entry.first_content_ms.filter(|_| entry.stream) {
            self.first_content.add(first * 1_000, &REQUESTS);
        }
        // One that was never admitted was never in line.
        if entry.route.is_some() {
            self.queue_waits.add(entry.queued_ms * 1_000, &REQUESTS);
        }
    }
}

impl OfKey {
    fn add(&mut self, attempt: &Attempt) {
        match attempt.cost_usd {
            Some(cost) => self.cost += cost,
            None => self.unpriced += 1,
        }
        add_tokens(&mut self.tokens, attempt);
    }
}

impl OfDeployment {
    fn add(&mut self, attempt: &Attempt, class: &'static str, operation: &'static str, first_ms: Option<u64>) {
        *self.attempts.at(class) += 1;
        match attempt.cost_usd {
            Some(cost) => *self.costs.at(attempt.cost_estimated) += cost,
            None => self.unpriced += 1,
        }
        add_tokens(&mut self.tokens, attempt);
        self.operations.at(operation).add(attempt, class, first_ms);
    }
}

impl Operation {
    fn add(&mut self, attempt: &Attempt, class: &'static str, first_ms: Option<u64>) {
        let took = u64::try_from(attempt.ended_at.0 - attempt.started_at.0).unwrap_or(0);
        self.durations.at(class).add(took, &DURATIONS);
        let output = attempt.usage.map(|usage| usage.output.0);
        if let Some(first) = first_ms.map(|ms| ms * 1_000) {
            self.first_chunk.add(first, &DURATIONS);
            // Only a whole stream says how many tokens came in how long.
            if let Some(later @ 1..) = output.map(|tokens| tokens.saturating_sub(1)).filter(|_| class == "ok") {
                self.gaps.add(took.saturating_sub(first) / later, &GAPS);
            }
        }
        if let Some(usage) = &attempt.usage {
            self.input.add(usage.input.0, &TOKENS);
            self.output.add(usage.output.0, &TOKENS);
        }
    }
}

/// Adds what a call used, each kind in its place.
fn add_tokens(sums: &mut [u64], attempt: &Attempt) {
    if let Some(usage) = &attempt.usage {
        let kinds = [usage.input, usage.output, usage.cached_input, usage.cache_write, usage.reasoning];
        sums.iter_mut().zip(kinds).for_each(|(sum, tokens)| *sum += tokens.0);
    }
}

/// When the first content of an attempt came after it was sent.
fn first_content_ms(entry: &Entry, number: u32) -> Option<u64> {
    entry.events.iter().find_map(|event| match event.fact {
        Fact::FirstContent { attempt, after_ms } if attempt == number => Some(after_ms),
        _ => None,
    })
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use weir_ledger::{Event, Outcome, Stage};
    use weir_units::{FaultClass, RequestId, Tokens, Usage, WallTime};

    use super::*;

    fn counters() -> Counters {
        let mut counters = Counters::default();
        counters.declare(&Arc::from("a/x"));
        counters.declare(&Arc::from("b/x"));
        counters.routes.know(&Arc::from("smart"));
        counters.keys.know(&Arc::from("bot"));
        counters
    }

    fn attempt(deployment: &str, class: Option<FaultClass>, ended_ms: i64) -> Attempt {
        let usage = Usage { input: Tokens(10), output: Tokens(21), ..Usage::default() };
        Attempt {
            deployment: Arc::from(deployment),
            status: Some(if class.is_some() { 429 } else { 200 }),
            class,
            message: None,
            upstream_id: None,
            started_at: WallTime(0),
            ended_at: WallTime(ended_ms * 1_000),
            usage: class.is_none().then_some(usage),
            cost_usd: class.is_none().then_some(NanoUsd(5_000)),
            cost_estimated: false,
        }
    }

    fn entry(attempts: Vec<Attempt>) -> Entry {
        Entry {
            id: RequestId(1),
            run: None,
            key: Some(Arc::from("bot")),
            tenant: None,
            tags: Vec::new(),
            route: Some(Arc::from("smart")),
            model: None,
            dialect: "openai",
            endpoint: "chat",
            stream: true,
            trace: None,
            sdk_retry: None,
            content: None,
            outcome: Outcome::Answered,
            status: Some(200),
            code: None,
            refused_by: None,
            started_at: WallTime(0),
            ended_at: Some(WallTime(0)),
            first_content_ms: Some(130),
            queued_ms: 0,
            overhead_us: Some(90),
            cost_usd: None,
            cost_estimated: false,
            usage: None,
            degraded: Vec::new(),
            attempts,
            events: Vec::new(),
        }
    }

    fn page(counters: &Counters) -> String {
        let mut page = String::new();
        counters.write(&mut page);
        page
    }

    fn says(page: &str, lines: &[&str]) {
        for expected in lines {
            assert!(page.lines().any(|line| line == *expected), "{expected} in\n{page}");
        }
    }

    #[test]
    fn a_retry_a_fallback_and_the_pace_of_a_stream_are_counted_once_each() {
        let mut counters = counters();
        let refused = || attempt("a/x", Some(FaultClass::RateLimited), 20);
        let mut entry = entry(vec![refused(), refused(), attempt("b/x", None, 500)]);
        // Twenty gaps in the 400 ms after the first content.
        let first = Fact::FirstContent { attempt: 3, after_ms: 100 };
        entry.events.push(Event { at: WallTime(0), stage: Stage::Stream, fact: first });
        let mut told = Vec::new();
        counters.request(&entry, Duration::from_millis(700), |label, _, first| told.push((label.to_string(), first)));
        assert_eq!(told, [("a/x".into(), None), ("a/x".into(), None), ("b/x".into(), Some(100))]);
        says(
            &page(&counters),
            &[
                "weir_requests_total{endpoint=\"chat\",route=\"smart\",outcome=\"answered\",status=\"200\"} 1",
                "weir_attempts_total{deployment=\"a/x\",class=\"rate_limited\"} 2",
                "weir_attempts_total{deployment=\"a/x\",class=\"ok\"} 0",
                "weir_attempts_total{deployment=\"b/x\",class=\"ok\"} 1",
                "weir_retries_total{deployment=\"a/x\"} 1",
                "weir_fallbacks_total{from=\"a/x\",to=\"b/x\"} 1",
                "weir_key_requests_total{key=\"bot\",outcome=\"answered\"} 1",
                "weir_key_tokens_total{key=\"bot\",type=\"output\"} 21",
                "weir_key_cost_usd_total{key=\"bot\"} 0.000005",
                "weir_key_cost_unknown_total{key=\"bot\"} 2",
                "weir_request_duration_seconds_bucket{route=\"smart\",le=\"0.5\"} 0",
                "weir_request_duration_seconds_bucket{route=\"smart\",le=\"1\"} 1",
                "weir_first_token_seconds_sum{route=\"smart\"} 0.13",
                "weir_overhead_seconds_bucket{le=\"0.00005\"} 0",
                "weir_overhead_seconds_bucket{le=\"0.0001\"} 1",
                "weir_attempt_duration_seconds_count{deployment=\"a/x\",result=\"failed\"} 2",
                "weir_attempt_first_token_seconds_sum{deployment=\"b/x\"} 0.1",
                "weir_inter_token_seconds_bucket{deployment=\"b/x\",le=\"0.01\"} 0",
                "weir_inter_token_seconds_bucket{deployment=\"b/x\",le=\"0.02\"} 1",
                "weir_inter_token_seconds_sum{deployment=\"b/x\"} 0.02",
            ],
        );
    }

    #[test]
    fn names_that_clients_choose_have_no_labels_of_their_own() {
        let mut counters = counters();
        for n in 0..2_000 {
            let mut entry = entry(vec![attempt(&format!("a/{n}"), None, 1), attempt(&format!("b/{n}"), None, 1)]);
            entry.route = Some(Arc::from(format!("a/{n}")));
            entry.key = Some(Arc::from(format!("made-{n}")));
            entry.status = Some(u16::try_from(n).unwrap());
            counters.request(&entry, Duration::ZERO, |_, _, _| {});
        }
        let page = page(&counters);
        let labels = |metric: &str| page.lines().filter(|line| line.starts_with(&format!("{metric}{{"))).count();
        assert_eq!(labels("weir_retries_total"), 2 + UNDECLARED + 1, "the declared, those with room, and the others");
        assert_eq!(labels("weir_key_cost_usd_total"), 2, "the declared and the others");
        assert_eq!(labels("weir_requests_total"), ENDS, "statuses are told apart up to a number");
        assert!(labels("weir_fallbacks_total") <= WAYS);
        says(&page, &["weir_key_requests_total{key=\"other\",outcome=\"answered\"} 2000"]);
        assert!(!page.contains("made-"), "{page}");
    }
}
