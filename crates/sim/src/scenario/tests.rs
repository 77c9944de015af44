//! Scenarios as they are written, and what is said of those that are wrong.

use super::*;
use crate::fault::FaultOrder;
use crate::profile::{Event, EventKind};
use crate::window::Window;
use crate::workload::{Distribution, MaxTokens, Pattern, Priority};
use weir_units::{Dimension, Moment, Tokens};

const WHOLE: &str = r#"
seed = 7
duration = "30m"
gateways = 2
start = 2026-11-18T14:47:00Z

[providers.openai]
kind = "openai"
limits = { requests-per-minute = 500, tokens-per-minute = 200_000 }
stated-limits = { requests-per-minute = 600 }
burst = "10s"
slice = "1s"
latency = "400ms"
latency-per-input-token = "0.05ms"
tokens-per-second = 80
network = "20ms"
network-jitter = "150ms"

[[providers.openai.events]]
from = "5m"
until = "10m"
fault = "503"
share = 0.6

[[providers.openai.events]]
from = "15m"
limits-times = 0.6

[providers.bedrock]
kind = "bedrock"
burndown = 5
limits = { tokens-per-minute = 400_000 }

[gateway]
queue = { max-wait = "30s" }
retry = { attempts = 2 }
tenants.team-a = { weight = 3 }

[gateway.providers.openai]
limits = { requests-per-minute = 480 }

[gateway.pools.gpt]
deployments = ["openai/gpt-5.2"]
limits = { tokens-per-minute = 300_000 }
reserve-for-interactive = 0.2

[gateway.routes.smart]
deployments = ["openai/gpt-5.2", "bedrock/claude"]

[[workloads]]
name = "chat"
tenant = "team-a"
priority = "interactive"
route = "smart"
deadline = "20s"
arrivals = { kind = "trace", file = "conv.csv", speed = 2 }
max-tokens = 128_000

[[workloads]]
name = "agents"
route = "smart"
arrivals = { kind = "clients", clients = 40, think = "30s" }
input-tokens = { median = 3000, sigma = 0.8, most = 50_000 }
output-tokens = 500
max-tokens = "exact"
cached-share = 0.5
"#;

fn open(file: &str) -> Result<String, String> {
    match file {
        "conv.csv" => Ok("t_ms,input_tokens,output_tokens\n0,10,1\n5,20,2\n".to_owned()),
        "broken.csv" => Ok("t_ms,input_tokens,output_tokens\n0,ten,1\n".to_owned()),
        _ => Err("no such file".to_owned()),
    }
}

fn read(text: &str) -> Result<Scenario, Vec<Fault>> {
    Scenario::read(text, Path::new("scenario.toml"), &open)
}

#[test]
fn a_scenario_is_read_whole() {
    let scenario = read(WHOLE).unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert_eq!((scenario.seed, scenario.duration, scenario.gateways), (7, Duration::from_secs(1_800), 2));
    let openai = &scenario.providers["openai"];
    let rules = openai.profile.rules;
    assert_eq!(openai.profile.limits.get(Dimension::TokensPerMinute), Some(200_000));
    assert_eq!(rules.stated.unwrap().get(Dimension::RequestsPerMinute), Some(600));
    assert_eq!(
        (rules.window, rules.slice),
        (Window::Bucket { burst: Duration::from_secs(10) }, Some(Duration::from_secs(1)))
    );
    assert_eq!(rules.day_ends, Duration::from_secs(9 * 3_600 + 13 * 60));
    assert_eq!(openai.profile.latency.per_input_token, Duration::from_micros(50));
    let minute = |n: u64| Moment::ZERO + Duration::from_secs(60 * n);
    let fault = EventKind::Fault { fault: FaultOrder::Unavailable, share_ppm: 600_000 };
    let cut = EventKind::Limits { share_ppm: 600_000, told: false };
    assert_eq!(
        openai.profile.events,
        [
            Event { from: minute(5), until: minute(10), kind: fault },
            Event { from: minute(15), until: Moment(u64::MAX), kind: cut },
        ]
    );
    let bedrock = &scenario.providers["bedrock"];
    assert_eq!((bedrock.charge, bedrock.profile.rules.headers), (Charge::Settle { burndown: 5 }, false));
    let gateway = &scenario.gateway;
    assert_eq!(gateway.routes["smart"].deployments.len(), 2);
    assert_eq!((gateway.weights["team-a"], gateway.max_wait), (3, Some(Duration::from_secs(30))));
    assert_eq!(gateway.engine.as_ref().unwrap().retry.attempts, 2);
    assert_eq!(gateway.pools["gpt"].reserve_for_interactive_ppm, 200_000);
    let [chat, agents] = scenario.workloads.as_slice() else { panic!("two workloads") };
    assert!(matches!(&chat.pattern, Pattern::Trace { trace, .. } if trace.rows().len() == 2));
    assert_eq!((chat.priority, chat.max_tokens), (Priority::Interactive, MaxTokens::Fixed(Tokens(128_000))));
    assert_eq!((agents.output, agents.max_tokens), (Distribution::Fixed(Tokens(500)), MaxTokens::Exact));
    assert_eq!(&*agents.tenant, "default");
}

#[test]
fn everything_wrong_is_said_at_once_with_its_line() {
    let text = r#"sede = 7
duration = "soon"
[providers.openai]
kind = "opnai"
limits = { request-per-minute = 5 }
window = "fixed"
burst = "1s"
[[providers.openai.events]]
from = "5m"
until = "5m"
fault = "503"
latency-times = 2
[gateway.routes.smart]
deployments = ["opena/gpt", "gpt"]
[[workloads]]
route = "smrt"
arrivals = { kind = "trace", file = "broken.csv" }
[[workloads]]
name = "workload 1"
route = "smart"
arrivals = { kind = "poisson" }
output-tokens = { kind = "uniform", least = 9, most = 3 }
max-tokens = 0
"#;
    let said: Vec<String> = read(text)
        .unwrap_err()
        .into_iter()
        .map(|fault| {
            let line = fault.place.map_or(0, |place| place.line);
            format!("{line} {}{}", fault.message, fault.hint.map(|hint| format!(" | {hint}")).unwrap_or_default())
        })
        .collect();
    assert_eq!(said.join("\n"), include_str!("tests/wrong.txt").trim_end(), "{}", said.join("\n"));
}

#[test]
fn what_is_not_toml_or_says_nothing_is_refused() {
    let broken = read("seed = = 7\n").unwrap_err();
    assert!(broken[0].message.starts_with("not TOML") && broken[0].place.as_ref().unwrap().line == 1);
    let empty: Vec<String> = read("").unwrap_err().into_iter().map(|fault| fault.message).collect();
    assert_eq!(empty, ["there is no provider", "nobody sends anything"]);
}
