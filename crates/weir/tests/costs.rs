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
        let mut process = binary(["serve", "--config", path.to_str().unwrap()]).stderr(Stdio::piped()).spawn().unwrap();
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

    /// What the metrics have counted in dollars.
    async fn counted(&self, label: &str) -> NanoUsd {
        let page = send(self.address, "/metrics", "", "").await.unwrap().body;
        let lines = page.lines().filter(|l| l.starts_with("weir_cost_usd_total{") && l.contains(label));
        lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<NanoUsd>().unwrap()).sum()
    }

    /// The record of a request, once it has ended.
    async fn settled(&self, id: &str) -> Value {
        let path = format!("/admin/v1/requests/{id}");
        let asking = async {
            loop {
                let record = send(self.address, &path, "", "").await.unwrap().json().unwrap();
                if record["outcome"].as_str().is_some_and(|outcome| outcome != "open") {
                    return record;
                }
                tokio::task::yield_now().await;
            }
        };
        let patience = std::time::Duration::from_secs(30);
        tokio::time::timeout(patience, asking).await.unwrap_or_else(|_| panic!("{id} has no record"))
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

fn binary<const N: usize>(arguments: [&str; N]) -> Command {
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

/// A gateway before a quick provider, asked in both dialects, and before a slow one.
async fn world() -> (Weir, Mock, Mock) {
    let (quick, slow) = (mock(0).await, mock(50).await);
    let mut config =
        "[server]\nlisten = \"127.0.0.1:0\"\n[ledger]\nurl = \"sqlite:weir.db\"\n[retry]\nattempts = 1\n".to_owned();
    let openai = format!("kind = \"openai\"\nbase-url = \"{}\"\n", quick.base_url());
    let anthropic = format!("kind = \"anthropic\"\nbase-url = \"http://{}\"\n", quick.address());
    let tarrying = format!("kind = \"openai\"\nbase-url = \"{}\"\n", slow.base_url());
    for (name, section, models) in [
        (
            "o",
            openai,
            &["unary", "streamed", "to-chat", "cut!cut:30", "broken!500", "stuck!stall:30", "quiet!silence"][..],
        ),
        ("a", anthropic, &["to-messages", "cached", "broken-off!cut:30", "after"]),
        ("s", tarrying, &["left"]),
    ] {
        config += &format!("[providers.{name}]\n{section}");
        for model in models {
            config += &format!("[providers.{name}.models.\"{model}\"]\nprice = {PRICE}\n");
        }
    }
    config += "[routes.stuck]\ndeployments = [\"o/stuck!stall:30\"]\ntimeouts = { stall = \"300ms\" }\n\
               [routes.quiet]\ndeployments = [\"o/quiet!silence\"]\ntimeouts = { first-byte = \"300ms\" }\n\
               [routes.second]\ndeployments = [\"o/broken!500\", \"a/after\"]\n";
    (Weir::start(&config), quick, slow)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledger_and_the_providers_bill_agree_to_the_token_and_the_nano_dollar() {
    let (weir, mock, _slow) = world().await;
    // A whole answer, a stream whose client wants no usage, and both in the other dialect than the provider's.
    let hinted = |model: &str, stream| {
        let mut body = chat(model, "words=37", stream);
        body["prompt_cache_key"] = "k".into();
        body
    };
    let unary = weir.ask(CHAT, &hinted("o/unary", false)).await;
    let streamed = weir.ask(CHAT, &hinted("o/streamed", true)).await;
    weir.ask(CHAT, &chat("a/to-messages", "words=41", false)).await;
    weir.ask(MESSAGES, &chat("o/to-chat", "words=43", true)).await;
    let text = "a long prompt ".repeat(600);
    let mut cached = chat("a/cached", "words=7", true);
    cached["system"] = json!([{ "type": "text", "text": text, "cache_control": { "type": "ephemeral" } }]);
    weir.ask(MESSAGES, &cached).await;
    let mut sum = NanoUsd::ZERO;
    for asked in ["o/unary", "o/streamed", "a/to-messages", "o/to-chat", "a/cached"] {
        let (record, bill) = (weir.record(asked).await, bill_of(&mock, &asked[2..]).await);
        assert!(bill.output > 5 && bill.input > 0, "{asked}: {bill:?}");
        assert_eq!(cost(&record), due(&bill), "{record:#} {bill:?}");
        assert_eq!((cost(&record), &json!(false)), (cost(&record["attempts"][0]), &record["cost_estimated"]));
        sum += cost(&record);
    }
    let stats = mock.stats();
    assert!(stats.billed["unary"].cached_input > 0 && stats.billed["cached"].cache_write > 0, "{:?}", stats.billed);
    let told = unary.header("x-weir-cost-usd").unwrap();
    assert_eq!(told.parse::<NanoUsd>().unwrap(), due(&stats.billed["unary"]));
    assert_eq!(streamed.header("x-weir-cost-usd"), None, "it was not known when the stream began");

    // A provider that failed before it said anything bills nothing, and the next one what it gave.
    let second = weir.ask(CHAT, &chat("second", "words=11", false)).await;
    let record = weir.record("second").await;
    let bill = bill_of(&mock, "after").await;
    let attempts: Vec<NanoUsd> = record["attempts"].as_array().unwrap().iter().map(cost).collect();
    assert_eq!(attempts, [NanoUsd::ZERO, NanoUsd::ZERO, due(&bill)], "the first was asked twice");
    assert_eq!((cost(&record), second.header("x-weir-cost-usd")), (due(&bill), Some(&*due(&bill).to_string())));
    assert_eq!(weir.counted("estimated=\"false\"").await, sum + due(&bill));

    let id = second.header("x-weir-request").unwrap();
    let traced = binary(["trace", id, "--ledger", weir.ledger().to_str().unwrap()]).output().unwrap();
    let traced = String::from_utf8(traced.stdout).unwrap();
    assert!(traced.contains(&format!("      cost  ${}\n", due(&bill))), "{traced}");
    assert!(traced.contains("attempt 1 at o/broken!500: $0\n"), "{traced}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_broke_off_or_was_left_costs_an_estimate_and_says_so() {
    let (weir, quick, slow) = world().await;
    weir.ask(CHAT, &chat("o/cut!cut:30", "words=90", true)).await;
    weir.ask(MESSAGES, &chat("a/broken-off!cut:30", "words=90", true)).await;
    weir.ask(CHAT, &chat("stuck", "words=90", true)).await;
    let mut leaving = open(weir.address, CHAT, "", &chat("s/left", "words=390", true).to_string()).await;
    assert!(leaving.read_until("\"content\":\" ").await);
    drop(leaving);
    let mut sum = NanoUsd::ZERO;
    for (asked, model, mock) in [
        ("o/cut!cut:30", "cut!cut:30", &quick),
        ("a/broken-off!cut:30", "broken-off!cut:30", &quick),
        ("stuck", "stuck!stall:30", &quick),
        ("s/left", "left", &slow),
    ] {
        let record = weir.record(asked).await;
        assert_eq!(record["cost_estimated"], true, "{record:#}");
        let bill = bill_of(mock, model).await;
        let (guess, truth) = (cost(&record).0, due(&bill).0);
        assert!(guess * 3 > truth && guess < truth * 3, "{guess} for {truth}: {record:#} {bill:?}");
        sum += cost(&record);
    }
    // The provider that said nothing got the input, and may have worked on it.
    let quiet = weir.ask(CHAT, &chat("quiet", "words=90", true)).await;
    let record = weir.record("quiet").await;
    assert_eq!((quiet.status, &record["cost_estimated"], record["usage"].is_null()), (504, &json!(true), true));
    assert!(cost(&record) > NanoUsd::ZERO);
    assert_eq!(weir.counted("estimated=\"true\"").await, sum + cost(&record));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_priced_has_no_cost_which_is_not_the_same_as_nothing() {
    let (weir, _quick, _slow) = world().await;
    let unpriced = weir.ask(CHAT, &chat("o/unpriced", "words=3", false)).await;
    assert_eq!((unpriced.status, unpriced.header("x-weir-cost-usd")), (200, None));
    let record = weir.record("o/unpriced").await;
    assert_eq!((&record["cost_usd"], &record["cost_estimated"]), (&Value::Null, &json!(false)));
    let mut flex = chat("o/unary", "words=3", false);
    flex["service_tier"] = "flex".into();
    assert_eq!(weir.ask(CHAT, &flex).await.header("x-weir-cost-usd"), None, "not at the list price");
    let page = send(weir.address, "/metrics", "", "").await.unwrap().body;
    for deployment in ["o/unpriced", "o/unary"] {
        let line = format!("weir_cost_unknown_total{{deployment=\"{deployment}\"}} 1");
        assert!(page.lines().any(|l| l == line), "{line} in {page}");
    }
    // Counting tokens is free, at any price.
    let hi = json!({ "model": "a/cached", "messages": [{ "role": "user", "content": "hi" }] });
    assert_eq!(weir.ask("/v1/messages/count_tokens", &hi).await.header("x-weir-cost-usd"), Some("0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_paid_for_and_served_nobody_is_told_as_waste() {
    let (weir, _quick, _slow) = world().await;
    let wasted = |record: &Value| -> Vec<(String, NanoUsd)> {
        let facts = record["events"].as_array().unwrap().iter().filter(|event| event["fact"] == "Wasted");
        facts.map(|fact| (fact["why"].as_str().unwrap().to_owned(), cost(fact))).collect()
    };
    let mut told: Vec<(String, NanoUsd)> = Vec::new();
    // The first is what the second and third repeat; the third says so itself.
    let same = chat("o/unary", "words=12", false);
    for (headers, expected) in
        [("", None), ("", Some("duplicate")), ("x-stainless-retry-count: 1\r\n", Some("client_retry"))]
    {
        let got = send(weir.address, CHAT, headers, &same.to_string()).await.unwrap();
        let record = weir.settled(got.header("x-weir-request").unwrap()).await;
        let waste = wasted(&record);
        assert_eq!(waste.first().map(|(why, _)| &**why), expected, "{record:#}");
        assert!(waste.iter().all(|(_, dollars)| *dollars == cost(&record)), "wasted whole: {record:#}");
        told.extend(waste);
    }
    let short = json!({ "model": "o/streamed", "stream": true, "max_tokens": 5,
        "messages": [{ "role": "user", "content": "words=90" }] });
    weir.ask(CHAT, &short).await;
    weir.ask(CHAT, &chat("o/cut!cut:30", "words=90", true)).await;
    let mut leaving = open(weir.address, CHAT, "", &chat("s/left", "words=390", true).to_string()).await;
    assert!(leaving.read_until("\"content\":\" ").await);
    drop(leaving);
    for (model, why) in [("o/streamed", "truncated"), ("o/cut!cut:30", "failed_attempt"), ("s/left", "abandoned")] {
        let record = weir.record(model).await;
        assert_eq!(wasted(&record), [(why.to_owned(), cost(&record))], "{record:#}");
        told.extend(wasted(&record));
    }
    // The metrics add up the same facts.
    let page = send(weir.address, "/metrics", "", "").await.unwrap().body;
    for why in ["duplicate", "client_retry", "truncated", "failed_attempt", "abandoned"] {
        let sum: NanoUsd = told.iter().filter(|(told, _)| told == why).map(|(_, dollars)| *dollars).sum();
        let line = format!("weir_wasted_usd_total{{why=\"{why}\"}} {sum}");
        assert!(sum > NanoUsd::ZERO && page.lines().any(|l| l == line), "{line} in {page}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_whose_beginning_the_providers_cache_did_not_have_is_told_as_waste() {
    let (weir, _quick, _slow) = world().await;
    let long = format!("words=5 {}", "a long prompt ".repeat(600));
    for (cached, wasted) in [(false, true), (true, false)] {
        let ask = |messages: &Value| {
            let mut body = json!({ "model": "a/cached", "max_tokens": 50, "messages": messages });
            if cached {
                body["cache_control"] = json!({ "type": "ephemeral" });
            }
            body
        };
        let said = format!("{long}{cached}");
        let mut messages = json!([{ "role": "user", "content": said }]);
        let first = weir.ask(MESSAGES, &ask(&messages)).await;
        let answer = first.json().unwrap().pointer("/content/0/text").unwrap().clone();
        let told = messages.as_array_mut().unwrap();
        told.push(json!({ "role": "assistant", "content": answer }));
        told.push(json!({ "role": "user", "content": "words=5 and then?" }));
        let second = weir.ask(MESSAGES, &ask(&messages)).await;
        assert_eq!(first.header("x-weir-run"), second.header("x-weir-run"));
        let record = weir.settled(second.header("x-weir-request").unwrap()).await;
        let facts: Vec<&Value> =
            record["events"].as_array().unwrap().iter().filter(|event| event["fact"] == "Wasted").collect();
        assert_eq!(facts.iter().any(|fact| fact["why"] == "cache_miss"), wasted, "{record:#}");
        if let [fact] = facts.as_slice() {
            // What was read anew at the price of input could have been read from the cache.
            let missed = fact["input"].as_u64().unwrap();
            assert!(missed > 2_000 && fact["estimated"] == true, "{fact}");
            let saved = (0.123_457 - 0.012_347) * 1_000.0 * missed as f64;
            assert!((cost(fact).0 as f64 - saved).abs() < 2.0, "{fact}: {saved} nano-dollars");
        }
    }
}

/// The bill of a model, once the mock has noticed that its answer was taken, or its client gone.
async fn bill_of(mock: &Mock, model: &str) -> Billed {
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
