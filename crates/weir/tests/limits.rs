//! Staying under limits over HTTP: mock providers that enforce theirs, a gateway that keeps to them, and clients that ask for
//! more. What the live engine decided is then replayed, decision by decision.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

#[path = "faults/client.rs"]
#[expect(dead_code, reason = "these tests need less of it than the fault matrix")]
mod client;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use weir_config::Environment;
use weir_gateway::Gateway;
use weir_ledger::{DemandQuery, DemandStep};
use weir_mock::{Mock, Options};
use weir_sim::{FaultOrder, Latency, LimitRules, Profile, Replay, Standing};
use weir_units::{Dimension, Limits, WallTime};

use crate::client::{Got, send};

const CHAT: &str = "/v1/chat/completions";
const KEY: &str = "authorization: Bearer weir_0123456789abcdef0123456789\r\n";

struct Text(String);

impl Environment for Text {
    fn var(&self, _: &str) -> Option<String> {
        Some("weir_0123456789abcdef0123456789".to_owned())
    }

    fn read(&self, _: &Path) -> std::io::Result<String> {
        Ok(self.0.clone())
    }
}

struct World {
    gateway: Gateway,
    tape: PathBuf,
    folder: tempfile::TempDir,
}

impl World {
    async fn start(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("[server]\nlisten = \"127.0.0.1:0\"\n{text}");
        let report = weir_config::load(&folder.path().join("weir.toml"), &Text(text));
        assert!(report.faults.is_empty(), "{:?}", report.faults);
        let tape = folder.path().join("tape.jsonl");
        let gateway = Gateway::start_recording(report.config.unwrap(), &tape).await.unwrap();
        Self { gateway, tape, folder }
    }

    async fn ask(&self, headers: &str, body: &Value) -> Got {
        ask(self.gateway.address(), headers, body).await
    }

    async fn record(&self, got: &Got) -> Value {
        self.gateway.ledger().flush().await;
        let path = format!("/admin/v1/requests/{}", got.header("x-weir-request").unwrap());
        send(self.gateway.address(), &path, "", "").await.unwrap().json().unwrap()
    }

    /// Ends it and asks a fresh engine everything that the live one was asked: it must decide alike.
    async fn end_and_replay(self) -> u64 {
        self.gateway.drain().await;
        let mut replay = Replay::default();
        for line in std::fs::read_to_string(&self.tape).unwrap().lines() {
            replay.play(serde_json::from_str(line).unwrap()).unwrap();
        }
        let found = replay.finish();
        assert_eq!(found.differences, [], "the same questions at the same moments");
        drop(self.folder);
        found.answers
    }
}

async fn ask(address: SocketAddr, headers: &str, body: &Value) -> Got {
    send(address, CHAT, headers, &body.to_string()).await.unwrap()
}

fn asking(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] })
}

async fn mock(name: &str, limits: Limits, rules: LimitRules) -> Mock {
    let latency = Latency { base: Duration::from_millis(20), ..Latency::default() };
    let profile = Profile { latency, limits, rules, ..Profile::default() };
    Mock::start(Options { name: name.to_owned(), profile, ..Options::default() }).await.unwrap()
}

async fn free(name: &str) -> Mock {
    mock(name, Limits::NONE, LimitRules::default()).await
}

fn provider(name: &str, mock: &Mock, more: &str) -> String {
    format!(
        "[providers.{name}]\nkind = \"openai\"\nbase-url = \"http://{}/v1\"\napi-key = {{ env = \"K\" }}\n{more}\n",
        mock.address()
    )
}

fn refused(mock: &Mock) -> u64 {
    mock.stats().by_status.get(&429).copied().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twice_the_limit_is_served_without_one_429_and_decided_alike_in_the_replay() {
    let limits = Limits::NONE.with(Dimension::RequestsPerMinute, 1_200);
    let rules =
        LimitRules { window: weir_sim::Window::Bucket { burst: Duration::from_secs(1) }, ..LimitRules::default() };
    let provider_mock = mock("a", limits, rules).await;
    let text = provider("a", &provider_mock, "limits = { requests-per-minute = 1200 }");
    let world = World::start(&format!("{text}[routes.r]\ndeployments = [\"a/m\"]\n")).await;
    let address = world.gateway.address();
    let mut asked = JoinSet::new();
    for n in 0..160_u32 {
        asked.spawn(async move {
            tokio::time::sleep(Duration::from_millis(25) * n).await;
            let class = ["interactive", "standard", "batch"][n as usize % 3];
            let mut body = asking("r");
            body["stream"] = json!(n % 2 == 0);
            ask(address, &format!("x-weir-priority: {class}\r\n"), &body).await
        });
    }
    let answers = asked.join_all().await;
    assert!(
        answers.iter().all(|got| got.status == 200),
        "{:?}",
        answers.iter().map(|got| got.status).collect::<Vec<_>>()
    );
    assert_eq!(refused(&provider_mock), 0);
    assert!(answers.iter().any(|got| got.header("x-weir-queued-ms") != Some("0")), "some had to wait");
    assert!(world.end_and_replay().await >= 160);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_leavers_and_keys_are_decided_alike_in_the_replay() {
    let (first, second) = (free("a").await, free("b").await);
    for (fault, ppm) in [("429:1", 100_000), ("429", 100_000), ("500", 100_000), ("cut:1", 100_000), ("reset", 100_000)]
    {
        first.order(Standing::share(fault.parse::<FaultOrder>().unwrap(), ppm));
    }
    let text = provider("a", &first, "") + &provider("b", &second, "limits = { concurrent-requests = 3 }");
    let key = "[keys.k]\nkey = { env = \"K\" }\nlimits = { requests-per-minute = 90 }\n";
    let routes = "[routes.f]\ndeployments = [\"a/m\", \"b/m\"]\n[routes.b]\ndeployments = [\"a/m\", \"b/m\"]\nstrategy = \"balance\"\n";
    let world = World::start(&format!("{text}{key}{routes}[retry]\nbase = \"5ms\"\n")).await;
    let address = world.gateway.address();
    let mut asked = JoinSet::new();
    for n in 0..120_u32 {
        asked.spawn(async move {
            tokio::time::sleep(Duration::from_millis(10) * n).await;
            let mut body = asking(if n % 3 == 0 { "b" } else { "f" });
            body["stream"] = json!(n % 2 == 0);
            let headers = format!("{KEY}x-weir-deadline: 4s\r\n");
            let asking = ask(address, &headers, &body);
            if n % 10 == 9 {
                tokio::time::timeout(Duration::from_millis(15), asking).await.ok()
            } else {
                Some(asking.await)
            }
        });
    }
    let answers = asked.join_all().await;
    let limited =
        answers.iter().flatten().filter(|got| got.status == 429 && got.header("x-weir-refused-by") == Some("weir"));
    assert!(limited.count() >= 10, "the key's own limit was met");
    assert!(world.end_and_replay().await >= 100);
}

#[tokio::test]
async fn who_cannot_be_served_in_time_is_served_elsewhere_or_told_when_to_come() {
    let (first, second) = (free("a").await, free("b").await);
    let text = provider("a", &first, "limits = { requests-per-minute = 6 }") + &provider("b", &second, "");
    let routes = "[routes.two]\ndeployments = [\"a/m\", \"b/m\"]\n[routes.one]\ndeployments = [\"a/m\"]\n";
    let world = World::start(&format!("{text}{routes}")).await;
    let hasty = "x-weir-deadline: 2s\r\n";
    let served: Vec<_> = [world.ask(hasty, &asking("two")).await, world.ask(hasty, &asking("two")).await]
        .iter()
        .map(|got| (got.status, got.header("x-weir-deployment").unwrap().to_owned()))
        .collect();
    assert_eq!(served, [(200, "a/m".to_owned()), (200, "b/m".to_owned())]);

    let told = world.ask(hasty, &asking("one")).await;
    assert_eq!((told.status, told.header("x-weir-refused-by")), (503, Some("weir")));
    let error = &told.json().unwrap()["error"];
    assert_eq!(error["code"], "capacity_exhausted");
    assert!(error["message"].as_str().unwrap().contains("requests/min of provider `a`"), "{error}");
    let wait: u64 = told.header("retry-after").unwrap().parse().unwrap();
    // A tenth of a minute and a little more, of which the deadline would have covered two seconds.
    assert!((7..=12).contains(&wait), "{wait}");
    assert_eq!((told.header("x-should-retry"), told.header("x-weir-attempts")), (Some("true"), Some("0")));
    assert_eq!((first.stats().requests, refused(&first)), (1, 0));

    let spilled = world.ask(hasty, &asking("two")).await;
    let facts: Vec<_> = world.record(&spilled).await["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|event| event["fact"].as_str().map(str::to_owned))
        .collect();
    assert!(facts.contains(&"PassedOver".to_owned()), "{facts:?}");

    // What was asked for counts for the deployment that was to serve it, served there or not.
    let estimated = world.record(&told).await["events"].to_string();
    assert!(estimated.contains(r#""fact":"Estimated""#), "{estimated}");
    let all = DemandQuery { from: WallTime(0), until: WallTime(i64::MAX), step: DemandStep::Hour };
    let rows = world.gateway.ledger().demand(&all).await.unwrap();
    let of = |name: &str| {
        let own = rows.iter().filter(|row| *row.deployment == *name).map(|row| row.sum);
        own.fold((0, 0, 0), |sum, one| (sum.0 + one.requests, sum.1 + one.throttled, sum.2 + one.input))
    };
    let (of_a, of_b) = (of("a/m"), of("b/m"));
    assert_eq!(((of_a.0, of_a.1), (of_b.0, of_b.1)), ((4, 3), (2, 0)), "{rows:?}");
    assert!(of_a.2 > of_b.2, "the refused one's input is an estimate: {rows:?}");
    assert!(world.end_and_replay().await >= 4);
}

#[tokio::test]
async fn a_key_at_its_limit_is_told_so_and_every_answer_states_what_is_left() {
    let provider_mock = free("a").await;
    let text = provider("a", &provider_mock, "");
    let key = "[keys.k]\nkey = { env = \"K\" }\nlimits = { requests-per-minute = 2, tokens-per-minute = 90_000 }\n";
    let world = World::start(&format!("{text}{key}[routes.r]\ndeployments = [\"a/m\"]\n")).await;
    let first = world.ask(KEY, &asking("r")).await;
    let stated = |got: &Got, name: &str| got.header(name).map(str::to_owned);
    assert_eq!((first.status, stated(&first, "x-ratelimit-limit-requests")), (200, Some("2".to_owned())));
    assert_eq!(stated(&first, "x-ratelimit-remaining-requests"), Some("1".to_owned()));
    assert_eq!(stated(&first, "x-ratelimit-limit-tokens"), Some("90000".to_owned()));
    assert_eq!(world.ask(KEY, &asking("r")).await.status, 200);
    let third = world.ask(KEY, &asking("r")).await;
    assert_eq!((third.status, third.header("x-weir-refused-by")), (429, Some("weir")));
    assert_eq!(third.json().unwrap()["error"]["code"], "rate_limit_exceeded");
    let wait: u64 = third.header("retry-after").unwrap().parse().unwrap();
    assert!((25..=30).contains(&wait), "{wait}");
    assert_eq!(stated(&third, "x-ratelimit-remaining-requests"), Some("0".to_owned()));
    assert_eq!(provider_mock.stats().requests, 2, "what is over the key's limit is not sent");
}

#[tokio::test]
async fn a_queue_is_left_by_clients_who_go_and_emptied_when_the_process_ends() {
    let provider_mock = free("a").await;
    let text = provider("a", &provider_mock, "limits = { requests-per-minute = 3 }");
    let world =
        World::start(&format!("{text}[routes.r]\ndeployments = [\"a/m\"]\n[queue]\nmax-wait = \"10m\"\n")).await;
    let address = world.gateway.address();
    assert_eq!(world.ask("", &asking("r")).await.status, 200);
    let leaving = tokio::spawn(async move { ask(address, "", &asking("r")).await });
    let waiting = tokio::spawn(async move { ask(address, "", &asking("r")).await });
    let in_line = async |wanted: u64| {
        loop {
            let page = send(address, "/admin/v1/requests?limit=1", "", "").await.unwrap();
            let open = send(address, "/health/ready", "", "").await.unwrap();
            assert_eq!((page.status, open.status), (200, 200));
            if world.gateway.waiting() as u64 == wanted {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    in_line(2).await;
    leaving.abort();
    in_line(1).await;
    world.gateway.drain().await;
    let told = waiting.await.unwrap();
    assert_eq!((told.status, told.header("retry-after")), (503, Some("1")));
    assert!(told.body.contains("shutting down"), "{}", told.body);
    assert_eq!(provider_mock.stats().requests, 1);
}

#[tokio::test]
async fn a_class_that_does_not_exist_and_a_prompt_that_fits_no_window_are_refused_before_they_cost_anything() {
    let provider_mock = free("a").await;
    let models = "[providers.a.models.m]\ncontext-window = 1_000\n";
    let text = provider("a", &provider_mock, models);
    let world = World::start(&format!("{text}[routes.r]\ndeployments = [\"a/m\"]\n")).await;
    let wrong = world.ask("x-weir-priority: urgent\r\n", &asking("r")).await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.body.contains("`urgent` is no class: write interactive, standard or batch"), "{}", wrong.body);
    let mut long = asking("r");
    long["messages"][0]["content"] = json!("several words of a prompt ".repeat(1_000));
    let refused = world.ask("", &long).await;
    assert_eq!(
        (refused.status, refused.json().unwrap()["error"]["code"].clone()),
        (400, json!("context_length_exceeded"))
    );
    assert_eq!(provider_mock.stats().requests, 0);
}
