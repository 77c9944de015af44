//! Reports, word for word.

use std::path::Path;

use super::*;
use crate::gateway::{PassThrough, World};
use crate::run::run;

const SCENARIO: &str = r#"
seed = 7
duration = "10m"
[providers.openai]
limits = { requests-per-minute = 120, tokens-per-minute = 400_000, requests-per-day = 10_000, concurrent-requests = 40 }
latency = "400ms"
tokens-per-second = 80
network = "20ms"
network-jitter = "60ms"
[[providers.openai.events]]
from = "4m"
until = "5m"
fault = "503"
[gateway.routes.smart]
deployments = ["openai/gpt"]
[[workloads]]
name = "chat"
tenant = "team-a"
priority = "interactive"
route = "smart"
arrivals = { kind = "poisson", rate = 1.5 }
max-tokens = 2_000
[[workloads]]
name = "nightly"
tenant = "team-b"
priority = "batch"
route = "smart"
arrivals = { kind = "clients", clients = 10, think = "5s" }
retries = 0
max-tokens = "exact"
"#;

fn report() -> Report {
    let scenario = Scenario::read(SCENARIO, Path::new("scenario.toml"), &|_| Err(String::new())).unwrap();
    let world = World::of(&scenario);
    Report::of(&scenario, &run(&scenario, &world, |_| PassThrough::new(&world)))
}

#[test]
fn a_report_reads_so() {
    let text = report().to_string();
    let plain = text.replace('\u{202f}', " ");
    assert_eq!(plain, include_str!("tests/report.txt").trim_end(), "\n{plain}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "no line is too wide");
}

#[test]
fn programs_get_the_same_figures() {
    let json = serde_json::to_string_pretty(&report()).unwrap();
    assert_eq!(json, include_str!("tests/report.json").trim_end(), "\n{json}");
}

#[test]
fn parts_add_up_to_the_whole() {
    let report = report();
    for groups in [&report.by_priority, &report.by_tenant] {
        assert_eq!(groups.iter().map(|group| group.requests).sum::<u64>(), report.all.requests);
        assert_eq!(groups.iter().map(|group| group.answered).sum::<u64>(), report.all.answered);
    }
    assert_eq!(report.ends.iter().map(|end| end.requests).sum::<u64>(), report.all.requests);
    assert!(report.limits.iter().all(|of| of.used <= of.available + of.limit), "{:?}", report.limits);
}

#[test]
fn spreads_are_nearest_ranks_and_of_nothing_nothing() {
    let spread = Spread::of((1..=200).rev().map(Duration::from_micros));
    assert_eq!((spread.p50_us, spread.p95_us, spread.p99_us, spread.max_us), (100, 190, 198, 200));
    assert_eq!(Spread::of(std::iter::empty()), Spread::default());
    assert_eq!(Spread::of([Duration::from_micros(7)].into_iter()).p99_us, 7);
}
