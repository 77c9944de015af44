//! What the ledger says that calls cost is what their provider would bill: `weir serve` as somebody runs it, before mocks that
//! keep a bill of their own, by model and to the token.
//!
//! Each kind of request goes to a model of its own name, so that a bill can be laid beside a record. The mock shares no code with
//! what reads its answers; the prices are odd on purpose, so that a cost rounded twice would show.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

#[path = "faults/client.rs"]
#[expect(dead_code, reason = "these tests need less of it than the fault matrix")]
mod client;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use weir_mock::{Billed, Mock, Options, Profile};
use weir_units::{NanoUsd, Price, Rates, Tier, Tokens, Usage};

use crate::client::{Got, open, send};

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
const PRICE: &str = "{ input = 0.123457, cached-input = 0.012347, cache-write = 0.154321, output = 1.000001 }";

/// A gateway in a process of its own.
struct Weir {
    process: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Drop for Weir {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Weir {
    fn start(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weir.toml");
        std::fs::write(&path, config).unwrap();
        let mut process = weir(["serve", "--config", path.to_str().unwrap()]).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, rest) = line.split_once("address=")?;
            rest.split(' ').next()?.parse().ok()
        });
        // What it still says must go somewhere, or it would wait for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address: address.expect("it says where it serves"), folder }
    }

    fn ledger(&self) -> PathBuf {
        self.folder.path().join("weir.db")
    }

    async fn ask(&self, path: &str, body: &Value) -> Got {
        send(self.address, path, "", &body.to_string()).await.unwrap()
    }

    /// The newest record of a model, once it has ended.
    async fn record(&self, model: &str) -> Value {
        let asking = async {
            loop {
                let told = send(self.address, "/admin/v1/requests?limit=100", "", "").await.unwrap().json().unwrap();
                let requests = told["requests"].as_array().unwrap();
                let found = requests.iter().find(|r| r["model"] == model && r["outcome"] != "open");
                if let Some(record) = found {
                    return record.clone();
                }
                tokio::task::yield_now().await;
            }
        };
        let patience = std::time::Duration::from_secs(30);
        tokio::time::timeout(patience, asking).await.unwrap_or_else(|_| panic!("{model} has no record"))
    }
}

fn weir<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.env_clear().args(arguments).stdin(Stdio::null());
    command
}

/// What a bill comes to at the price of these tests.
fn due(bill: &Billed) -> NanoUsd {
    let rate = |text: &str| Some(text.parse().unwrap());
    let rates = Rates {
        input: rate("0.123457"),
        cached_input: rate("0.012347"),
        cache_write: rate("0.154321"),
        output: rate("1.000001"),
        ..Rates::default()
    };
    let usage = Usage {
        input: Tokens(bill.input),
        cached_input: Tokens(bill.cached_input),
        cache_write: Tokens(bill.cache_write),
        output: Tokens(bill.output),
        ..Usage::default()
    };
    Price { rates, ..Price::default() }.cost(&usage, Tier::Standard).unwrap()
}

fn cost(of: &Value) -> NanoUsd {
    of["cost_usd"].as_str().unwrap_or_else(|| panic!("no cost: {of}")).parse().unwrap()
}

fn chat(model: &str, text: &str, stream: bool) -> Value {
    json!({ "model": model, "stream": stream, "max_tokens": 400, "messages": [{ "role": "user", "content": text }] })
}

async fn mock(tokens_per_second: u64) -> Mock {
    let profile = Profile { tokens_per_second, ..Profile::default() };
    Mock::start(Options { profile, ..Options::default() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledger_and_the_providers_bill_agree_to_the_token_and_the_nano_dollar() {
    let (quick, slow) = (mock(0).await, mock(50).await);
    let mut config =
        "[server]\nlisten = \"127.0.0.1:0\"\n[ledger]\nurl = \"sqlite:weir.db\"\n[retry]\nattempts = 1\n".to_owned();
    let openai = format!("kind = \"openai\"\nbase-url = \"{}\"\n", quick.base_url());
    let anthropic = format!("kind = \"anthropic\"\nbase-url = \"http://{}\"\n", quick.address());
    let tarrying = format!("kind = \"openai\"\nbase-url = \"{}\"\n", slow.base_url());
    for (name, section, models) in [
        ("o", openai, &["unary", "streamed", "to-chat", "cut!cut:30", "broken!500"][..]),
        ("a", anthropic, &["to-messages", "cached", "broken-off!cut:30", "after"]),
        ("s", tarrying, &["left"]),
    ] {
        config += &format!("[providers.{name}]\n{section}");
        for model in models {
            config += &format!("[providers.{name}.models.\"{model}\"]\nprice = {PRICE}\n");
        }
    }
    config += "[routes.second]\ndeployments = [\"o/broken!500\", \"a/after\"]\n";
    let weir_serves = Weir::start(&config);

    // A whole answer, a stream whose client wants no usage, and both in the other dialect than the provider's.
    let hinted = |model: &str, stream| {
        let mut body = chat(model, "words=37", stream);
        body["prompt_cache_key"] = "k".into();
        body
    };
    let unary = weir_serves.ask(CHAT, &hinted("o/unary", false)).await;
    let streamed = weir_serves.ask(CHAT, &hinted("o/streamed", true)).await;
    weir_serves.ask(CHAT, &chat("a/to-messages", "words=41", false)).await;
    weir_serves.ask(MESSAGES, &chat("o/to-chat", "words=43", true)).await;
    let block =
        json!({ "type": "text", "text": "a long prompt ".repeat(600), "cache_control": { "type": "ephemeral" } });
    for _ in 0..2 {
        let mut body = chat("a/cached", "words=7", true);
        body["system"] = json!([block]);
        assert_eq!(weir_serves.ask(MESSAGES, &body).await.status, 200);
    }
    let stats = quick.stats();
    let mut sum = NanoUsd::ZERO;
    for (deployment, model) in
        [("o/unary", "unary"), ("o/streamed", "streamed"), ("a/to-messages", "to-messages"), ("o/to-chat", "to-chat")]
    {
        let (record, bill) = (weir_serves.record(deployment).await, &stats.billed[model]);
        assert!(bill.output > 30 && bill.input > 0, "{model}: {bill:?}");
        assert_eq!(cost(&record), due(bill), "{record:#} {bill:?}");
        assert_eq!((cost(&record), &json!(false)), (cost(&record["attempts"][0]), &record["cost_estimated"]));
        sum += cost(&record);
    }
    assert!(stats.billed["unary"].cached_input > 0 && stats.billed["cached"].cache_write > 0, "{:?}", stats.billed);
    let cached = &stats.billed["cached"];
    let half = Billed {
        answers: 1,
        input: cached.input / 2,
        cached_input: cached.cached_input / 2,
        cache_write: cached.cache_write / 2,
        output: cached.output / 2,
    };
    assert_eq!(cost(&weir_serves.record("a/cached").await), due(&half), "two alike");
    sum += due(&half) + due(&half);
    let told = unary.header("x-weir-cost-usd").unwrap();
    assert_eq!(told.parse::<NanoUsd>().unwrap(), due(&stats.billed["unary"]));
    assert_eq!(streamed.header("x-weir-cost-usd"), None, "it was not known when the stream began");

    // A provider that failed before it said anything bills nothing, and the next one what it gave.
    let second = weir_serves.ask(CHAT, &chat("second", "words=11", false)).await;
    let record = weir_serves.record("second").await;
    let bill = quick.stats().billed["after"];
    let attempts: Vec<NanoUsd> = record["attempts"].as_array().unwrap().iter().map(cost).collect();
    assert_eq!(attempts, [NanoUsd::ZERO, NanoUsd::ZERO, due(&bill)], "the first was asked twice");
    assert_eq!((cost(&record), second.header("x-weir-cost-usd")), (due(&bill), Some(&*due(&bill).to_string())));
    sum += due(&bill);

    // What nobody priced has no cost, which is not the same as none.
    let unpriced = weir_serves.ask(CHAT, &chat("o/unpriced", "words=3", false)).await;
    assert_eq!((unpriced.status, unpriced.header("x-weir-cost-usd")), (200, None));
    assert_eq!(weir_serves.record("o/unpriced").await["cost_usd"], Value::Null);
    let mut flex = chat("o/unary", "words=3", false);
    flex["service_tier"] = "flex".into();
    assert_eq!(weir_serves.ask(CHAT, &flex).await.header("x-weir-cost-usd"), None, "not at the list price");

    // A stream that was cut, in each dialect, and one whose client left: estimates, and said to be.
    weir_serves.ask(CHAT, &chat("o/cut!cut:30", "words=90", true)).await;
    weir_serves.ask(MESSAGES, &chat("a/broken-off!cut:30", "words=90", true)).await;
    let mut leaving = open(weir_serves.address, CHAT, "", &chat("s/left", "words=390", true).to_string()).await;
    assert!(leaving.read_until("\"content\":\" ").await);
    drop(leaving);
    let mut estimated = NanoUsd::ZERO;
    for (deployment, model) in
        [("o/cut!cut:30", "cut!cut:30"), ("a/broken-off!cut:30", "broken-off!cut:30"), ("s/left", "left")]
    {
        let record = weir_serves.record(deployment).await;
        assert_eq!(record["cost_estimated"], true, "{record:#}");
        let bill = wait_for_bill(if model == "left" { &slow } else { &quick }, model).await;
        let (guess, truth) = (cost(&record).0, due(&bill).0);
        assert!(guess * 3 > truth && guess < truth * 3, "{guess} for {truth}: {record:#} {bill:?}");
        estimated += cost(&record);
    }

    // One sum, wherever it is asked for.
    let page = send(weir_serves.address, "/metrics", "", "").await.unwrap().body;
    let counted = |estimated: &str| -> NanoUsd {
        let lines = page.lines().filter(|l| l.starts_with("weir_cost_usd_total{") && l.contains(estimated));
        lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<NanoUsd>().unwrap()).sum()
    };
    assert_eq!((counted("estimated=\"false\""), counted("estimated=\"true\"")), (sum, estimated), "{page}");
    assert!(page.lines().any(|l| l == "weir_cost_unknown_total{deployment=\"o/unpriced\"} 1"), "{page}");
    let id = second.header("x-weir-request").unwrap();
    let traced = weir(["trace", id, "--ledger", weir_serves.ledger().to_str().unwrap()]).output().unwrap();
    let traced = String::from_utf8(traced.stdout).unwrap();
    assert!(traced.contains(&format!("      cost  ${}\n", due(&bill))), "{traced}");
    assert!(traced.contains("attempt 1 at o/broken!500: $0\n"), "{traced}");
}

/// The bill of a model, once the mock has noticed that its client left.
async fn wait_for_bill(mock: &Mock, model: &str) -> Billed {
    let waiting = async {
        loop {
            if let Some(bill) = mock.stats().billed.get(model) {
                return *bill;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), waiting).await.unwrap()
}
