//! What is wasted is told on its request as it happens, and `weir waste` adds it up: `weir serve` as somebody runs it, before a
//! mock, and the report from its ledger, to the nano-dollar.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

#[path = "faults/client.rs"]
#[expect(dead_code, reason = "these tests need less of it than the fault matrix")]
mod client;
#[expect(dead_code, reason = "these tests restart and reload nothing")]
mod live;

use std::collections::BTreeMap;
use std::process::Output;

use serde_json::{Value, json};
use weir_mock::{Mock, Options, Profile};
use weir_units::NanoUsd;

use crate::client::{Got, open, send};
use crate::live::{CHAT, Weir, text};

const BOT: &str = "weir_bot_0123456789abcdefgh";
const WEB: &str = "weir_web_0123456789abcdefgh";

/// A dear model and a cheap one, one with limits and one without a price, before a provider that answers so many tokens a second.
async fn world(tokens_per_second: u64) -> (Weir, Mock) {
    let profile = Profile { tokens_per_second, ..Profile::default() };
    let mock = Mock::start(Options { profile, ..Options::default() }).await.unwrap();
    let hash = |key: &str| weir_config::hex(&weir_config::hash_key(key));
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin-key = {{ env = \"ADMIN\" }}\n[ledger]\nurl = \"sqlite:weir.db\"\n\
         [retry]\nattempts = 1\n[providers.m]\nkind = \"mock\"\nbase-url = \"{}\"\n\
         [providers.m.models.dear]\nprice = {{ input = 2.0, output = 10.0 }}\n\
         [providers.m.models.small]\nprice = {{ input = 0.1, output = 0.5 }}\n\
         [providers.m.models.\"cut!cut:30\"]\nprice = {{ input = 0.1, output = 0.5 }}\n\
         [providers.m.models.limited]\nprice = {{ input = 0.1, output = 0.5 }}\nlimits = {{ tokens-per-minute = 10_000_000 }}\n\
         [routes.smart]\ndeployments = [\"m/dear\"]\n[routes.quick]\ndeployments = [\"m/small\"]\n\
         [routes.broken]\ndeployments = [\"m/cut!cut:30\"]\n\
         [routes.narrow]\ndeployments = [\"m/limited\"]\n[routes.secret]\ndeployments = [\"m/unpriced\"]\n\
         [tenants.shop]\n[keys.bot]\nkey-hash = \"{}\"\ntenant = \"shop\"\n[keys.web]\nkey-hash = \"{}\"\ntenant = \"shop\"\n",
        mock.base_url(),
        hash(BOT),
        hash(WEB),
    );
    (Weir::start(&config), mock)
}

fn chat(model: &str, says: &str) -> Value {
    json!({ "model": model, "max_tokens": 400, "messages": [{ "role": "user", "content": says }] })
}

fn usd(of: &Value) -> NanoUsd {
    of.as_str().unwrap_or_else(|| panic!("no dollars: {of}")).parse().unwrap()
}

/// What was told of a record as wasted: why, the tokens, the dollars.
fn wasted(record: &Value) -> Vec<(String, u64, Option<NanoUsd>)> {
    let facts = record["events"].as_array().unwrap().iter().filter(|event| event["fact"] == "Wasted");
    let tokens = |fact: &Value| fact["input"].as_u64().unwrap() + fact["output"].as_u64().unwrap();
    let cost = |fact: &Value| fact["cost_usd"].as_str().map(|text| text.parse().unwrap());
    facts.map(|fact| (fact["why"].as_str().unwrap().to_owned(), tokens(fact), cost(fact))).collect()
}

impl Weir {
    async fn send(&self, key: &str, headers: &str, body: &Value) -> Got {
        send(self.address, CHAT, &format!("x-api-key: {key}\r\n{headers}"), &body.to_string()).await.unwrap()
    }

    /// Asks, and reads the record.
    async fn record_of(&self, key: &str, headers: &str, body: &Value) -> Value {
        let got = self.send(key, headers, body).await;
        self.settled(got.header("x-weir-request").unwrap()).await
    }

    /// The record of a request, once it has ended.
    async fn settled(&self, id: &str) -> Value {
        let asking = async {
            loop {
                // It is in the ledger a moment after it ended.
                let key = format!("authorization: Bearer {}\r\n", live::ADMIN);
                let got = send(self.address, &format!("/admin/v1/requests/{id}"), &key, "").await.unwrap();
                let record = got.json().unwrap();
                if record["outcome"].as_str().is_some_and(|outcome| outcome != "open") {
                    return record;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), asking).await.expect("it ends")
    }

    /// All records, once nothing runs any more.
    async fn records(&self) -> Vec<Value> {
        let asking = async {
            loop {
                let all = self.told("/admin/v1/requests?limit=100").await;
                let all = all["requests"].as_array().unwrap().clone();
                if all.iter().all(|record| record["outcome"] != "open") {
                    return all;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), asking).await.expect("all end")
    }

    /// Runs the binary with the gateway's configuration, as beside it.
    async fn command(&self, arguments: &[&str]) -> Output {
        let mut command = live::binary();
        command.env("ADMIN", live::ADMIN).args(arguments).arg("--config").arg(self.file("weir.toml"));
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    async fn report(&self, arguments: &[&str]) -> Value {
        let output = self.command(&[&["waste", "--json"], arguments].concat()).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// A history in which `search` was called `times` times, and found nothing each time.
fn searched(times: usize) -> Value {
    let mut messages = vec![json!({ "role": "user", "content": "find the usual report" })];
    for turn in 0..times {
        let id = format!("call_{turn:02}f3A7b2Q9z");
        messages.push(json!({ "role": "assistant", "content": null, "tool_calls": [
            { "id": id, "type": "function", "function": { "name": "search", "arguments": "{\"query\":\"report\"}" } }] }));
        messages.push(json!({ "role": "tool", "tool_call_id": id, "content": "nothing was found" }));
    }
    json!({ "model": "smart", "max_tokens": 400, "messages": messages, "tools": [
        { "type": "function", "function": { "name": "search", "parameters": { "type": "object" } } }] })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_goes_round_is_waste_from_when_it_is_seen() {
    let (weir, _mock) = world(0).await;
    let run = "x-weir-run: nightly\r\n";
    assert_eq!(wasted(&weir.record_of(BOT, run, &searched(2)).await), []);
    let third = weir.record_of(BOT, run, &searched(3)).await;
    let usage = |part: &str| third["usage"][part].as_u64().unwrap();
    let expected = ("loop".to_owned(), usage("input") + usage("output"), Some(usd(&third["cost_usd"])));
    assert_eq!(wasted(&third), [expected], "all of it: {third:#}");
    assert!(usd(&third["cost_usd"]) > NanoUsd::ZERO);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_question_to_a_dear_model_is_waste_as_far_as_the_cheapest_costs_less() {
    let (weir, _mock) = world(0).await;
    let dear = weir.record_of(WEB, "", &chat("smart", "words=7")).await;
    let (input, output) = (dear["usage"]["input"].as_u64().unwrap(), dear["usage"]["output"].as_u64().unwrap());
    // Dollars a million tokens are nano-dollars a thousandth of a token.
    let nanos = i64::try_from(input * 2_000 + output * 10_000 - input * 100 - output * 500).unwrap();
    assert_eq!(wasted(&dear), [("oversized_model".to_owned(), input + output, Some(NanoUsd(nanos)))], "{dear:#}");
    // What is long, what has tools and what a cheap model answers is no waste.
    let long = format!("words=7 {}", "a long prompt ".repeat(600));
    assert_eq!(wasted(&weir.record_of(WEB, "", &chat("smart", &long)).await), []);
    assert_eq!(wasted(&weir.record_of(WEB, "", &searched(1)).await), []);
    assert_eq!(wasted(&weir.record_of(WEB, "", &chat("quick", "words=9")).await), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_in_the_last_five_requests_already_is_stale_in_the_next() {
    let (weir, _mock) = world(0).await;
    let run = "x-weir-run: long\r\n";
    let tools = json!([{ "type": "function", "function": { "name": "read", "parameters": { "type": "object" } } }]);
    let mut messages = vec![json!({ "role": "user", "content": "words=5 begin" })];
    let (mut inputs, mut last) = (Vec::new(), Value::Null);
    for turn in 0..7 {
        let body = json!({ "model": "smart", "max_tokens": 400, "messages": messages, "tools": tools });
        let got = weir.send(BOT, run, &body).await;
        last = weir.settled(got.header("x-weir-request").unwrap()).await;
        inputs.push(last["usage"]["input"].as_u64().unwrap());
        assert_eq!(wasted(&last).is_empty(), turn < 6, "turn {turn}: {last:#}");
        let answer = got.json().unwrap().pointer("/choices/0/message/content").unwrap().clone();
        // A large result comes once, and stays.
        let more = if turn == 0 { "a page of a book ".repeat(1_500) } else { format!("and then {turn}") };
        messages.push(json!({ "role": "assistant", "content": answer }));
        messages.push(json!({ "role": "user", "content": format!("words=5 {more}") }));
    }
    let stale = inputs[1] - inputs[0];
    assert!(stale > 4_096, "{inputs:?}");
    let nanos = i64::try_from(stale * 2_000).unwrap();
    assert_eq!(wasted(&last), [("stale_context".to_owned(), stale, Some(NanoUsd(nanos)))], "{inputs:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_max_tokens_far_above_the_answer_holds_room_of_a_limit_and_no_dollars() {
    let (weir, _mock) = world(0).await;
    let mut large = chat("narrow", "words=7");
    large["max_tokens"] = 8_000.into();
    let record = weir.record_of(BOT, "", &large).await;
    let used = record["usage"]["input"].as_u64().unwrap().max(record["usage"]["output"].as_u64().unwrap());
    let expected = ("oversized_max_tokens".to_owned(), 8_000 - used, Some(NanoUsd::ZERO));
    assert_eq!(wasted(&record), [expected], "{record:#}");
    // Where no limit counts tokens nothing is held.
    large["model"] = "quick".into();
    assert_eq!(wasted(&weir.record_of(BOT, "", &large).await), []);
    let report = weir.report(&["--since", "1h"]).await;
    assert_eq!((&report["wasted"]["times"], &report["kinds"][0]["room"]), (&json!(0), &json!(true)), "{report:#}");
    assert_eq!(report["kinds"][0]["tokens"], 8_000 - used);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_report_is_the_sum_of_what_was_told_and_its_requests_are_found() {
    let (weir, _mock) = world(200).await;
    let run = |name: &str| format!("x-weir-run: {name}\r\n");
    for times in [3, 4] {
        // The second waits for its turn as a slowed run does, unless its client has no time.
        let headers = format!("{}x-weir-deadline: 1s\r\n", run("nightly"));
        weir.send(BOT, &headers, &searched(times)).await;
    }
    for _ in 0..3 {
        weir.record_of(WEB, &run("shop"), &chat("quick", "words=12")).await;
    }
    weir.record_of(WEB, "x-stainless-retry-count: 1\r\n", &chat("quick", "words=12")).await;
    weir.record_of(WEB, "", &chat("smart", "words=3")).await;
    weir.record_of(WEB, "", &chat("secret", "words=4")).await;
    weir.record_of(WEB, "", &chat("secret", "words=4")).await;
    let short = json!({ "model": "quick", "max_tokens": 5, "messages": [{ "role": "user", "content": "words=90" }] });
    weir.record_of(BOT, "", &short).await;
    let streamed = |model: &str| {
        let mut body = chat(model, "words=390");
        body["stream"] = true.into();
        body
    };
    weir.send(BOT, "", &streamed("broken")).await;
    let mut leaving = open(weir.address, CHAT, &format!("x-api-key: {BOT}\r\n"), &streamed("quick").to_string()).await;
    assert!(leaving.read_until("\"content\":\" ").await);
    drop(leaving);

    // Kind by kind: times, tokens, dollars, and how often the price is unknown.
    let mut told: BTreeMap<String, (u64, u64, NanoUsd, u64)> = BTreeMap::new();
    let records = weir.records().await;
    for (why, tokens, cost) in records.iter().flat_map(wasted) {
        let sum = told.entry(why).or_default();
        let cost_or_none = cost.unwrap_or_default();
        *sum = (sum.0 + 1, sum.1 + tokens, sum.2 + cost_or_none, sum.3 + u64::from(cost.is_none()));
    }
    let kinds: Vec<&str> = told.keys().map(String::as_str).collect();
    let expected = ["abandoned", "client_retry", "duplicate", "failed_attempt", "loop", "oversized_model", "truncated"];
    assert_eq!(kinds, expected);
    assert_eq!(told["duplicate"].3, 1, "what has no price is no zero");

    for by in ["key", "route", "run"] {
        let report = weir.report(&["--by", by, "--since", "1h"]).await;
        let mut reported = BTreeMap::new();
        for kind in report["kinds"].as_array().unwrap() {
            let count = |name: &str| kind[name].as_u64().unwrap();
            let sums = (count("times"), count("tokens"), usd(&kind["cost_usd"]), count("cost_unknown"));
            reported.insert(kind["kind"].as_str().unwrap().to_owned(), sums);
            // A number leads to requests that are as many.
            let why = kind["kind"].as_str().unwrap();
            let counted = weir.told(&format!("/admin/v1/requests/count?waste={why}&since=1h")).await;
            let requests = kind["requests"].as_u64().unwrap_or(count("times"));
            assert_eq!(counted["count"], requests, "{why}");
        }
        assert_eq!(reported, told, "by {by}");
        let all: NanoUsd = told.values().map(|sums| sums.2).sum();
        let rows: NanoUsd = report["rows"].as_array().unwrap().iter().map(|row| usd(&row["cost_usd"])).sum();
        assert_eq!((usd(&report["wasted"]["cost_usd"]), rows), (all, all), "by {by}: {report:#}");
        assert_eq!(report["requests"], records.len());
        // The admin API tells the same, but for when.
        let api = weir.told(&format!("/admin/v1/waste?by={by}&since=1h")).await;
        assert_eq!(
            (&api["rows"].as_array().unwrap().len(), &api["wasted"]),
            (&report["rows"].as_array().unwrap().len(), &report["wasted"])
        );
    }
    let of_runs = weir.report(&["--by", "run"]).await;
    let nightly = of_runs["rows"].as_array().unwrap().iter().find(|row| row["name"] == "nightly").unwrap();
    assert_eq!(nightly["most"], "loop", "{of_runs:#}");

    let exported = weir.command(&["export", "--where", "waste=loop"]).await;
    assert_eq!(text(&exported.stdout).lines().count() as u64, told["loop"].0, "{}", text(&exported.stderr));
    let plain = weir.command(&["waste", "--since", "1h"]).await;
    let lines = text(&plain.stdout);
    let looped = lines.lines().find(|line| line.starts_with("waste loop ")).unwrap();
    assert!(looped.contains(&format!("cost-usd={} ", told["loop"].2)) && looped.contains(" effort=small "), "{looped}");
    assert!(looped.ends_with("remedy=set `loops = \"halt\"`: first for key `bot`"), "{looped}");
    assert!(lines.contains("? once the price is unknown"), "{lines}");
    assert_eq!(plain.status.code(), Some(0));
    let before = weir.command(&["waste", "--at", "2001-01-01T00:00:00Z"]).await;
    assert_eq!((before.status.code(), text(&before.stdout).starts_with("# Nothing was asked")), (Some(3), true));
    for (arguments, code) in [
        (&["waste", "--since", "long"][..], 2),
        (&["waste", "--by", "colour"], 2),
        (&["waste", "--at", "soon"], 2),
        (&["waste", "--ledger", "nowhere.db"], 4),
    ] {
        assert_eq!(weir.command(arguments).await.status.code(), Some(code), "{arguments:?}");
    }
}
