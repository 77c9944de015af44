//! `weir spend` and `/admin/v1/spend` beside the bills of the providers: `weir serve` before mocks that keep a bill of their own.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

#[path = "faults/client.rs"]
#[expect(dead_code, reason = "these tests need less of it than the fault matrix")]
mod client;
#[expect(dead_code, reason = "this gateway is neither killed nor reloaded")]
mod live;

use serde_json::{Value, json};
use weir_mock::{Billed, Mock, Options, Profile};
use weir_units::{NanoUsd, Price, Rates, Tier, Tokens, Usage};

use crate::client::{open, send};
use crate::live::{ADMIN, CHAT, Weir, binary, text};

const PRICE: &str = "{ input = 0.123457, cached-input = 0.012347, cache-write = 0.154321, output = 1.000001 }";

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

async fn mock(tokens_per_second: u64) -> Mock {
    let profile = Profile { tokens_per_second, ..Profile::default() };
    Mock::start(Options { profile, ..Options::default() }).await.unwrap()
}

/// A gateway before a quick provider, spoken to in both dialects, and a slow one.
async fn world() -> (Weir, Mock, Mock) {
    let (quick, slow) = (mock(0).await, mock(50).await);
    let mut config =
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin-key = { env = \"ADMIN\" }\n[ledger]\nurl = \"sqlite:weir.db\"\n\
                      [retry]\nattempts = 1\n[tenants.shop]\n[tenants.lab]\n"
            .to_owned();
    for (name, kind, url, models) in [
        ("o", "openai", quick.base_url(), &["whole", "streamed", "cut!cut:30", "broken!500"][..]),
        ("a", "anthropic", format!("http://{}", quick.address()), &["claude", "after"]),
        ("s", "openai", slow.base_url(), &["left"]),
    ] {
        config += &format!("[providers.{name}]\nkind = \"{kind}\"\nbase-url = \"{url}\"\n");
        for model in models {
            config += &format!("[providers.{name}.models.\"{model}\"]\nprice = {PRICE}\n");
        }
    }
    config += "[routes.second]\ndeployments = [\"o/broken!500\", \"a/after\"]\n\
               [routes.half]\ndeployments = [\"o/unpriced!cut:30\", \"a/claude\"]\n";
    (Weir::start(&config), quick, slow)
}

fn chat(model: &str, words: u32, stream: bool) -> Value {
    let messages = json!([{ "role": "user", "content": format!("words={words}") }]);
    json!({ "model": model, "stream": stream, "max_tokens": 400, "messages": messages })
}

/// The sums, once `requests` have ended.
async fn spend(weir: &Weir, requests: u64, question: &str) -> Value {
    let asking = async {
        loop {
            let told = weir.told(&format!("/admin/v1/spend?{question}")).await;
            if told["total"]["requests"] == requests {
                return told;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), asking).await.expect("all requests end")
}

fn dollars(of: &Value) -> NanoUsd {
    of.as_str().unwrap_or_else(|| panic!("no amount: {of}")).parse().unwrap()
}

fn row<'a>(told: &'a Value, by: &str, name: impl Into<Value>) -> &'a Value {
    let name = name.into();
    let rows = told["rows"].as_array().unwrap();
    rows.iter().find(|row| row[by] == name).unwrap_or_else(|| panic!("no {by} {name} in {told:#}"))
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

async fn key(weir: &Weir, name: &str, tenant: &str) -> String {
    text(&weir.weir(&["keys", "make", name, "--tenant", tenant]).await.stdout).trim_end().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sums_are_the_providers_bill_by_model_by_key_and_by_run() {
    let (weir, quick, slow) = world().await;
    let (app, lab) = (key(&weir, "app", "shop").await, key(&weir, "lab", "lab").await);
    let run = "x-weir-run: nightly \"7\"\r\n";
    for words in [37, 41, 5] {
        assert_eq!(weir.ask_for(&app, run, &chat("o/whole", words, false)).await.status, 200);
        assert_eq!(weir.ask_for(&app, "", &chat("o/streamed", words, true)).await.status, 200);
        assert_eq!(weir.ask_for(&lab, run, &chat("a/claude", words, true)).await.status, 200);
    }
    // One that its first provider failed, and one that nobody sent anywhere.
    assert_eq!(weir.ask_for(&lab, "", &chat("second", 11, false)).await.status, 200);
    assert_eq!(weir.ask_for(&lab, "", &chat("nowhere", 11, false)).await.status, 404);

    let by_model = spend(&weir, 11, "by=model").await;
    let mut sum = NanoUsd::ZERO;
    for (model, requests) in [("whole", 3), ("streamed", 3), ("claude", 3), ("after", 1)] {
        let (row, bill) = (row(&by_model, "model", model), bill_of(&quick, model).await);
        assert_eq!((row["requests"].as_u64(), bill.answers), (Some(requests), requests), "{row:#}");
        let usage = &row["usage"];
        let tokens = [&usage["input"], &usage["cached_input"], &usage["output"]].map(|count| count.as_u64().unwrap());
        assert_eq!(tokens, [bill.input, bill.cached_input, bill.output], "{row:#}");
        assert_eq!(
            (&row["cost_unknown"], &row["usage_unknown"], &row["estimated_usd"]),
            (&json!(0), &json!(0), &json!("0"))
        );
        // Each call is rounded up by itself, so of several it may be a nano-dollar more for each.
        let extra = dollars(&row["cost_usd"]).0 - due(&bill).0;
        assert!((0..requests.cast_signed()).contains(&extra), "{extra} nano-dollars more: {row:#}");
        sum += dollars(&row["cost_usd"]);
    }
    assert_eq!(dollars(&by_model["total"]["cost_usd"]), sum);
    let failed = row(&by_model, "model", "broken!500");
    assert_eq!(
        (&failed["cost_usd"], &failed["requests"], &failed["usage_unknown"]),
        (&json!("0"), &json!(1), &json!(0))
    );
    let never_sent = row(&by_model, "model", Value::Null);
    assert_eq!(
        (&never_sent["requests"], &never_sent["attempts"], &never_sent["cost_usd"]),
        (&json!(1), &json!(0), &json!("0"))
    );

    // The same dollars from every side.
    let of = |model: &str| dollars(&row(&by_model, "model", model)["cost_usd"]);
    let by_key = spend(&weir, 11, "by=key").await;
    assert_eq!(dollars(&row(&by_key, "key", "app")["cost_usd"]), of("whole") + of("streamed"));
    assert_eq!(dollars(&row(&by_key, "key", "lab")["cost_usd"]), of("claude") + of("after"));
    let by_run = spend(&weir, 11, "by=run").await;
    assert_eq!(dollars(&row(&by_run, "run", "nightly \"7\"")["cost_usd"]), of("whole") + of("claude"));
    let own = spend(&weir, 5, "by=provider,outcome&tenant=lab").await;
    assert_eq!(
        (own["total"]["cost_usd"].clone(), own["rows"].as_array().unwrap().len()),
        (row(&by_key, "key", "lab")["cost_usd"].clone(), 3)
    );
    let dearest = spend(&weir, 11, "by=model&top=1").await;
    assert_eq!(dearest["rows"][0], by_model["rows"][0]);
    assert_eq!(dearest["rest"]["rows"], by_model["rows"].as_array().unwrap().len() - 1);
    assert_eq!(dollars(&dearest["rest"]["cost_usd"]) + dollars(&dearest["rows"][0]["cost_usd"]), sum);
    drop(slow);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_broke_off_or_was_left_is_in_the_sums_as_an_estimate_and_what_is_unknown_beside_them() {
    let (weir, quick, slow) = world().await;
    let app = key(&weir, "app", "shop").await;
    weir.ask_for(&app, "", &chat("o/cut!cut:30", 90, true)).await;
    weir.ask_for(&app, "", &chat("o/whole", 9, false)).await;
    weir.ask_for(&app, "", &chat("o/unpriced", 9, false)).await;
    let sent = chat("s/left", 390, true).to_string();
    let mut leaving = open(weir.address, CHAT, &format!("x-api-key: {app}\r\n"), &sent).await;
    assert!(leaving.read_until("\"content\":\" ").await);
    drop(leaving);
    // A stream of unknown price breaks off, and a provider with a price begins it anew.
    weir.ask_for(&app, "", &chat("half", 90, true)).await;
    let told = spend(&weir, 5, "by=deployment").await;
    for (deployment, model, mock) in [("o/cut!cut:30", "cut!cut:30", &quick), ("s/left", "left", &slow)] {
        let (row, bill) = (row(&told, "deployment", deployment), bill_of(mock, model).await);
        assert_eq!((&row["estimated_usd"], &row["usage_unknown"]), (&row["cost_usd"], &json!(1)), "{row:#}");
        let (guess, truth) = (dollars(&row["cost_usd"]).0, due(&bill).0);
        assert!(guess * 3 > truth && guess < truth * 3, "{guess} for {truth}");
    }
    let whole = row(&told, "deployment", "o/whole");
    assert_eq!(
        (dollars(&whole["cost_usd"]), &whole["estimated_usd"]),
        (due(&bill_of(&quick, "whole").await), &json!("0"))
    );
    for deployment in ["o/unpriced", "o/unpriced!cut:30"] {
        let row = row(&told, "deployment", deployment);
        assert_eq!((&row["cost_unknown"], &row["cost_usd"]), (&json!(1), &json!("0")), "{row:#}");
    }
    let claude = row(&told, "deployment", "a/claude");
    assert_eq!((&claude["cost_unknown"], &claude["requests"]), (&json!(0), &json!(1)));
    let known: NanoUsd = told["rows"].as_array().unwrap().iter().map(|row| dollars(&row["cost_usd"])).sum();
    for question in ["by=key", "by=outcome,day", ""] {
        let told = spend(&weir, 5, question).await;
        assert_eq!(
            (dollars(&told["total"]["cost_usd"]), &told["total"]["cost_unknown"]),
            (known, &json!(2)),
            "{question}"
        );
    }
    // What the ledger has as a request's whole cost is in the sum, and of the half-known one the part that is known.
    let requests = weir.told("/admin/v1/requests").await;
    let recorded = requests["requests"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|r| r["cost_usd"].as_str())
        .map(|c| c.parse::<NanoUsd>().unwrap());
    assert_eq!(recorded.sum::<NanoUsd>() + dollars(&claude["cost_usd"]), known);

    let words = text(&weir.weir(&["spend", "--by", "key,deployment", "--since", "7d"]).await.stdout);
    let line = "spend key=app deployment=o/unpriced cost-usd=0 cost-unknown=1 estimated-usd=0 requests=1 attempts=1 ";
    assert!(words.lines().any(|l| l.starts_with(line)), "{words}");
    let total = format!("total cost-usd={known} cost-unknown=2 ");
    assert!(words.lines().last().unwrap().starts_with(&total), "{total} at the end of\n{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_of_a_gateway_that_runs_no_more_says_the_same() {
    let (weir, _quick, _slow) = world().await;
    let app = key(&weir, "app", "shop").await;
    weir.ask_for(&app, "", &chat("o/whole", 9, false)).await;
    weir.ask_for(&app, "x-weir-run: a\tb\r\n", &chat("second", 9, true)).await;
    let live = spend(&weir, 2, "by=key,model,run,day").await;
    weir.signal("KILL");
    let file = weir.file("weir.db");
    let mut command = binary();
    command.args(["spend", "--by", "key,model,run,day", "--json", "--ledger", file.to_str().unwrap()]);
    let got = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(got.status.success(), "{}", text(&got.stderr));
    let read: Value = serde_json::from_slice(&got.stdout).unwrap();
    assert_eq!((&read["rows"], &read["total"], &read["by"]), (&live["rows"], &live["total"], &live["by"]));
    assert_eq!(weir.weir(&["spend"]).await.status.code(), Some(4), "and nobody answers there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_makes_no_sense_is_told_what_would() {
    let (weir, _quick, _slow) = world().await;
    for (arguments, words) in [
        (&["--by", "colour"][..], "by key, tenant, model, deployment"),
        (&["--since", "long"], "is neither a span nor a time"),
        (&["--top", "0"], "1..=1000"),
    ] {
        let got = weir.weir(&[&["spend"], arguments].concat()).await;
        assert!(got.status.code() == Some(2) && text(&got.stderr).contains(words), "{}", text(&got.stderr));
    }
    let admin = format!("authorization: Bearer {ADMIN}\r\n");
    for question in ["by=colour", "since=long", "until=x", "top=-1", "colour=red", "by=key&since=%1b%5b2J"] {
        let got = send(weir.address, &format!("/admin/v1/spend?{question}"), &admin, "").await.unwrap();
        assert_eq!(got.status, 400, "{question}: {}", got.body);
        assert!(!got.body.contains('\u{1b}'));
    }
    assert_eq!(send(weir.address, "/admin/v1/spend", "", "").await.unwrap().status, 401);
    let nothing = weir.told("/admin/v1/spend").await;
    assert_eq!(
        (&nothing["rows"], &nothing["rest"], &nothing["total"]["cost_usd"]),
        (&json!([]), &Value::Null, &json!("0"))
    );
}
