//! Whole runs, with the gateway that stands in no way and with small ones that do.

use std::collections::VecDeque;
use std::path::Path;

use super::*;
use crate::gateway::{PassThrough, Told};
use weir_units::{Dimension, Tokens};

fn scenario(text: &str) -> Scenario {
    Scenario::read(text, Path::new("scenario.toml"), &|_| Err("no files here".to_owned()))
        .unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn provider(more: &str, workload: &str) -> Scenario {
    scenario(&format!(
        "seed = 7\nduration = \"10m\"\n[providers.a]\nlatency = \"300ms\"\ntokens-per-second = 100\nnetwork = \"20ms\"\n\
         network-jitter = \"30ms\"\n{more}\n[gateway.routes.smart]\ndeployments = [\"a/m\"]\n[[workloads]]\nroute = \"smart\"\n\
         output-tokens = 200\n{workload}\n"
    ))
}

fn naive(scenario: &Scenario) -> Outcome {
    let world = World::of(scenario);
    run(scenario, &world, |_| PassThrough::new(&world))
}

fn count(outcome: &Outcome, end: RecordEnd) -> usize {
    outcome.records.iter().filter(|record| record.end == end).count()
}

#[test]
fn what_is_below_every_limit_is_answered_in_its_time() {
    let outcome = naive(&provider("", "arrivals = { kind = \"poisson\", rate = 3 }"));
    assert!((1_650..1_950).contains(&outcome.records.len()), "{}", outcome.records.len());
    assert_eq!(count(&outcome, RecordEnd::Answered), outcome.records.len());
    for record in &outcome.records {
        let first = record.first_token_at.unwrap().since(record.at).as_millis();
        let total = record.ended_at.since(record.at).as_millis();
        assert!((340..=400).contains(&first) && (2_330..=2_390).contains(&total), "{record:?}");
        assert_eq!((record.output.0, record.attempts), (200, 1));
    }
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let mut scenario = provider(
        "kind = \"anthropic\"\nlimits = { requests-per-minute = 100, output-tokens-per-minute = 20_000 }",
        "arrivals = { kind = \"bursts\", rate = 10, on = \"5s\", off = \"20s\" }",
    );
    let first = naive(&scenario);
    assert_eq!((first.hash, first.events), (naive(&scenario).hash, naive(&scenario).events));
    assert!(first.events > 5_000, "{}", first.events);
    scenario.seed = 8;
    assert_ne!(first.hash, naive(&scenario).hash);
}

#[test]
fn a_provider_under_twice_its_limit_gives_its_limit_and_the_rest_are_refused() {
    let scenario =
        provider("limits = { requests-per-minute = 60 }", "arrivals = { kind = \"constant\", rate = 2 }\nretries = 0");
    let outcome = naive(&scenario);
    let answered = count(&outcome, RecordEnd::Answered);
    // A minute's burst, and then what refills in ten.
    assert!((655..=661).contains(&answered), "{answered}");
    assert_eq!(count(&outcome, RecordEnd::RefusedByProvider(429)) + answered, outcome.records.len());
    let charged = outcome.samples.last().unwrap().providers[0].charged[Dimension::RequestsPerMinute.index()];
    assert_eq!(usize::try_from(charged).unwrap(), answered);
}

#[test]
fn clients_send_again_as_told_and_their_last_try_counts() {
    let scenario = provider(
        "[[providers.a.events]]\nuntil = \"1m\"\nfault = \"503\"",
        "arrivals = { kind = \"constant\", rate = 1 }",
    );
    let outcome = naive(&scenario);
    let last = outcome.records.iter().filter(|record| record.is_last).count();
    assert_eq!(last, 599, "one for each that was sent");
    assert!(outcome.records.iter().any(|record| record.retry == 2 && !matches!(record.end, RecordEnd::Answered)));
    assert!(outcome.records.iter().any(|record| record.retry > 0 && record.end == RecordEnd::Answered));
}

#[test]
fn a_closed_loop_has_no_more_under_way_than_it_has_clients() {
    let scenario = provider("", "arrivals = { kind = \"clients\", clients = 20, think = \"8s\" }");
    let outcome = naive(&scenario);
    let most =
        outcome.samples.iter().map(|sample| sample.providers[0].charged[Dimension::ConcurrentRequests.index()]).max();
    assert!(most.unwrap() <= 20, "{most:?}");
    // 20 clients that take 2.35 s and think 8 s send 20 / 10.35 = 1.93 requests a second (the interactive response time law).
    assert!((1_060..1_260).contains(&outcome.records.len()), "{}", outcome.records.len());
}

#[test]
fn whoever_loses_patience_leaves_and_what_it_asked_for_ends_with_it() {
    let scenario = provider(
        "limits = { concurrent-requests = 3 }\n[[providers.a.events]]\nfault = \"silence\"",
        "arrivals = { kind = \"constant\", rate = 1 }\npatience = \"2s\"",
    );
    let outcome = naive(&scenario);
    assert_eq!(count(&outcome, RecordEnd::Left), outcome.records.len());
    assert_eq!(outcome.samples.last().unwrap().providers[0].charged[Dimension::ConcurrentRequests.index()], 0);
}

/// Lets through one request every so often, in the order in which they came.
struct Metronome {
    every: Duration,
    next: Moment,
    waiting: VecDeque<CallId>,
    may_go: Option<CallId>,
}

impl Gateway for Metronome {
    fn begin(&mut self, _now: Moment, call: CallId, _request: &Request) -> Step {
        self.waiting.push_back(call);
        Step::Queue {
            predicted: Some(self.every * u32::try_from(self.waiting.len()).unwrap()),
            within: None,
            until: None,
        }
    }

    fn next(&mut self, _now: Moment, call: CallId) -> Step {
        assert_eq!(self.may_go.take(), Some(call), "asked only when it was named");
        Step::Send(0)
    }

    fn content(&mut self, _now: Moment, _call: CallId, _told: &Told) {}

    fn produced(&mut self, _now: Moment, _call: CallId, _output: Tokens) {}

    fn report(&mut self, _now: Moment, _call: CallId, _answer: &Answer) {}

    fn end(&mut self, _now: Moment, call: CallId) {
        self.waiting.retain(|waiting| *waiting != call);
    }

    fn pump(&mut self, now: Moment) -> Vec<CallId> {
        if now < self.next || self.waiting.is_empty() {
            return Vec::new();
        }
        self.next = now + self.every;
        self.may_go = self.waiting.pop_front();
        self.may_go.into_iter().collect()
    }

    fn next_deadline(&self) -> Option<Moment> {
        (!self.waiting.is_empty()).then_some(self.next)
    }
}

#[test]
fn a_gateway_that_queues_is_asked_when_it_wants_to_be() {
    let scenario = provider("", "arrivals = { kind = \"bursts\", rate = 4, on = \"10s\", off = \"50s\" }");
    let world = World::of(&scenario);
    let every = Duration::from_secs(1);
    let outcome =
        run(&scenario, &world, |_| Metronome { every, next: Moment::ZERO, waiting: VecDeque::new(), may_go: None });
    assert_eq!(count(&outcome, RecordEnd::Answered), outcome.records.len());
    let mut waits: Vec<Duration> = outcome.records.iter().map(|record| record.queued).collect();
    waits.sort_unstable();
    assert!(waits[waits.len() - 1] > 20 * every, "{waits:?}");
    assert!(outcome.samples.iter().any(|sample| sample.queued[Priority::Interactive as usize] > 10));
    assert_eq!(outcome.samples.last().unwrap().queued, [0, 0, 0]);
    let mut starts: Vec<Moment> = outcome.records.iter().map(|record| record.at + record.queued).collect();
    starts.sort_unstable();
    assert!(starts.windows(2).all(|pair| pair[1].since(pair[0]) >= every), "one a second");
}
