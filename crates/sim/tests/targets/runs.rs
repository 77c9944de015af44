//! Runs as such: the same seed is the same run, to the bit.

use weir_sim::{PassThrough, Weir, World};

use crate::town::{play_with, scenario};

const SMALL: &str = r#"
duration = "3m"
gateways = 2
[providers.a]
kind = "anthropic"
latency = "500ms"
latency-jitter = "300ms"
tokens-per-second = 80
network = "20ms"
network-jitter = "100ms"
limits = { requests-per-minute = 300, output-tokens-per-minute = 40_000, concurrent-requests = 30 }
[[providers.a.events]]
from = "1m"
until = "90s"
fault = "503"
share = 0.3
[providers.b]
kind = "openai"
latency = "300ms"
tokens-per-second = 60
limits = { requests-per-minute = 100 }
[gateway.routes.r]
deployments = ["a/m", "b/m"]
[[workloads]]
name = "people"
route = "r"
arrivals = { kind = "bursts", rate = 20, on = "10s", off = "10s" }
[[workloads]]
name = "nightly"
priority = "batch"
route = "r"
patience = "20s"
arrivals = { kind = "clients", clients = 30, think = "1s" }
"#;

#[test]
fn the_same_seed_is_the_same_run_and_another_seed_another() {
    let of = |seed: u64| {
        let scenario = scenario(&format!("seed = {seed}\n{SMALL}"));
        let world = World::of(&scenario);
        let weir = play_with(&scenario, &world, |number| Weir::new(&scenario, &world, number)).outcome;
        let naive = play_with(&scenario, &world, |_| PassThrough::new(&world)).outcome;
        assert_ne!(weir.hash, naive.hash);
        (weir.hash, weir.events, naive.hash)
    };
    let hashes: Vec<_> = (1..=4).map(|seed| (of(seed), of(seed))).collect();
    assert!(hashes.iter().all(|(first, second)| first == second), "{hashes:?}");
    assert!(hashes.windows(2).all(|pair| pair[0].0.0 != pair[1].0.0), "{hashes:?}");
}
