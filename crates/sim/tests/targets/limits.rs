//! Staying below limits, and using them.

use weir_units::Dimension;

use crate::town::{Played, minutes, play};

/// An account at twice its limits, with the lengths of real traffic.
fn overloaded(provider: &str, workload: &str, duration: &str) -> Played {
    play(&format!(
        r#"
seed = 11
duration = "{duration}"
[providers.a]
kind = "anthropic"
limits = {{ requests-per-minute = 1000, input-tokens-per-minute = 400_000, output-tokens-per-minute = 80_000 }}
latency = "500ms"
latency-jitter = "300ms"
tokens-per-second = 80
network = "20ms"
network-jitter = "150ms"
{provider}
[gateway.providers.a]
limits = {{ requests-per-minute = 1000, input-tokens-per-minute = 400_000, output-tokens-per-minute = 80_000 }}
[gateway.routes.r]
deployments = ["a/m"]
[[workloads]]
name = "w"
route = "r"
retries = 0
arrivals = {{ kind = "poisson", rate = 24 }}
input-tokens = {{ median = 300, sigma = 0.8, most = 20_000 }}
output-tokens = {{ median = 80, sigma = 0.8, most = 4_000 }}
{workload}
"#
    ))
}

fn say(name: &str, played: &Played, from: u64, to: u64) -> (f64, f64) {
    let refused = played.refused() as f64 / played.attempts() as f64;
    let used = played.binding(minutes(from), minutes(to));
    println!("{name}: {} attempts, {:.3} % refused, {:.1} % used", played.attempts(), refused * 100.0, used * 100.0);
    (refused, used)
}

#[test]
fn twice_the_load_of_buckets_is_not_refused_and_uses_them() {
    let played = overloaded("", "max-tokens = 4_096", "10m");
    let (refused, used) = say("buckets", &played, 2, 10);
    assert!(refused < 0.001 && used >= 0.97);
}

#[test]
fn twice_the_load_of_fixed_windows_is_not_refused_and_uses_them() {
    let played = overloaded("window = \"fixed\"", "max-tokens = 4_096", "10m");
    let (refused, used) = say("fixed windows", &played, 2, 10);
    assert!(refused < 0.001 && used >= 0.96);
}

#[test]
fn limits_that_are_cut_without_a_word_are_found_again() {
    let events = "[[providers.a.events]]\nfrom = \"5m\"\nlimits-times = 0.6";
    let played = overloaded(events, "max-tokens = 4_096", "30m");
    let (refused, used) = say("cut", &played, 8, 30);
    assert!(refused < 0.01 && used >= 0.95);
}

#[test]
fn a_generous_maximum_does_not_cost_throughput() {
    let generous = overloaded("", "max-tokens = 128_000", "8m");
    let exact = overloaded("", "max-tokens = \"exact\"", "8m");
    let (_, generous) = say("generous", &generous, 2, 8);
    let (_, exact) = say("exact", &exact, 2, 8);
    assert!(generous >= exact * 0.95);
}

/// What an SDK does that was told to come back.
#[test]
fn a_client_that_comes_back_when_told_is_never_refused_upstream() {
    let played = play(
        r#"
seed = 3
duration = "10m"
[providers.a]
kind = "openai"
limits = { requests-per-minute = 600 }
latency = "300ms"
tokens-per-second = 100
network = "20ms"
network-jitter = "100ms"
[gateway.providers.a]
limits = { requests-per-minute = 600 }
[gateway.routes.r]
deployments = ["a/m"]
[[workloads]]
name = "w"
route = "r"
deadline = "20s"
retries = 20
arrivals = { kind = "constant", rate = 20 }
output-tokens = 50
input-tokens = 500
max-tokens = 100
"#,
    );
    let late = played.all().iter().filter(|r| r.queued.as_secs_f64() > 20.0).count();
    println!(
        "refused {} of {}, late {late}, used {}",
        played.refused(),
        played.attempts(),
        played.used(Dimension::RequestsPerMinute, minutes(1), minutes(10))
    );
    assert_eq!((played.refused(), late), (0, 0));
    assert!(played.used(Dimension::RequestsPerMinute, minutes(1), minutes(10)) >= 0.97);
}
