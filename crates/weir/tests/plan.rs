//! Plans against life: `weir plan` on configurations, and a gateway before a mock that as many users ask as were planned.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]
#![expect(clippy::print_stdout, reason = "figures that miss a target are wanted with it")]

#[path = "faults/client.rs"]
#[expect(dead_code, reason = "these tests need less of it than the fault matrix")]
mod client;
#[path = "live/mod.rs"]
#[expect(dead_code, reason = "this test needs less of it than others")]
mod live;

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use weir_config::ProcessEnvironment;
use weir_gateway::Gateway;
use weir_mock::{Mock, Options};
use weir_sim::{Latency, LimitRules, Profile};
use weir_units::{Dimension, Limits};

use crate::client::send;

const CONFIG: &str = r#"
[ledger]
url = "sqlite:weir.db"
[providers.openai]
kind = "openai"
api-key = { env = "KEY" }
models."gpt-5.2" = { pool = "gpt-5" }
[providers.anthropic]
kind = "anthropic"
api-key = { env = "KEY" }
limits = { requests-per-minute = 2000, input-tokens-per-minute = 4_000_000, output-tokens-per-minute = 900_000 }
[pools.gpt-5]
limits = { input-tokens-per-minute = 300_000, requests-per-minute = 500, concurrent-requests = 40 }
[routes.smart]
deployments = ["openai/gpt-5.2", "anthropic/claude-sonnet-5.5"]
"#;

fn weir(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command
        .env_clear()
        .env("KEY", "k")
        .env("PATH", "p")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .current_dir(folder);
    command.args(["plan", "--config", "weir.toml"]).args(arguments).output().unwrap()
}

fn folder(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("weir.toml"), config).unwrap();
    folder
}

fn planned(folder: &Path, arguments: &[&str]) -> (Value, i32) {
    let output = weir(folder, &[arguments, &["--json"]].concat());
    let read = serde_json::from_slice(&output.stdout);
    (read.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr))), output.status.code().unwrap())
}

#[test]
fn five_hundred_users_on_a_tuesday_afternoon_are_told_what_they_need() {
    let folder = folder(CONFIG);
    let output = weir(
        folder.path(),
        &["--users", "500", "--route", "smart", "--tokens-in", "3000", "--tokens-out", "500", "--minutes", "5"],
    );
    let text = String::from_utf8(output.stdout).unwrap().replace('\u{202f}', " ");
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.starts_with("does not fit: gpt-5 input tokens/min needs 2.37M, has 300k (789 %)\n"), "{text}");
    for line in [
        "gpt-5 input tokens/min  2.37M  300k  789 %     827 %  binds",
        "gpt-5 requests/min        789   500  158 %",
        "gpt-5 in flight           105    40  263 %",
        "proof    simulated 5 min, seed 7: P(wait)",
        "fits at  2.48M gpt-5 input tokens/min, 106 gpt-5 in flight, 827 gpt-5 requests/min, or ",
        "cost     ≈ $51,063 a month at 4 h on 22 days",
        "without openai: fits, anthropic",
        "without anthropic: does not fit: gpt-5 input tokens/min",
        "8 s an answer (assumed)",
        "nothing else: there is no ledger",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn the_exit_code_says_yes_no_wrong_usage_or_unknown() {
    let folder = folder(CONFIG);
    let code = |arguments: &[&str]| {
        let output = weir(folder.path(), &[arguments, &["--no-proof"]].concat());
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(code(&["--users", "20"]).0, 0);
    assert_eq!(code(&["--users", "500"]).0, 1);
    for (arguments, why) in [
        (&["--users", "many"][..], "--users: `many` is not what it takes"),
        (&["--route", "smrt"], "did you mean `smart`?"),
        (&["--times", "3"], "--like or --trace"),
        (&["--trace", "nothing.csv"], "cannot be read"),
        (&["--gpu-hour", "2.50"], "--gpu-tokens-per-second"),
        (&["--and", "colour=red"], "there is no `colour`"),
    ] {
        let (code, said) = code(arguments);
        assert_eq!(code, 2, "{arguments:?}: {said}");
        assert!(said.contains(why), "{said}");
    }
    let (unknown, said) = code(&["--like", "smart"]);
    assert_eq!(unknown, 3);
    assert!(said.contains("there is no ledger"), "{said}");
    let (plan, code) = planned(folder.path(), &["--route", "openai/gpt-5-mini", "--no-proof"]);
    assert_eq!((code, plan["plan"]["verdict"].as_str()), (3, Some("unknown")));
    assert_eq!(plan["plan"]["formula"]["missing"][0]["of"], "openai/gpt-5-mini");
}

#[test]
fn a_recording_and_a_second_load_are_planned_together() {
    let folder = folder(CONFIG);
    let rows: String = (0..600).map(|second| format!("{second},1000,100\n")).collect();
    std::fs::write(folder.path().join("trace.csv"), format!("at,input,output\n{rows}")).unwrap();
    let (one, code) = planned(folder.path(), &["--trace", "trace.csv", "--latency", "2s", "--minutes", "3"]);
    assert_eq!(code, 0, "{one}");
    assert!((one["plan"]["formula"]["requests_per_minute"].as_f64().unwrap() - 60.0).abs() < 0.5, "{one}");
    let arguments = ["--trace", "trace.csv", "--latency", "2s", "--no-proof", "--and", "users=100 input-tokens=3k"];
    let (both, code) = planned(folder.path(), &arguments);
    assert_eq!(code, 1, "{both}");
    assert_eq!(both["assumed"]["loads"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_gateway_plans_at_once_and_proves_in_the_background() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("weir.db");
    let config = CONFIG
        .replace("sqlite:weir.db", &format!("sqlite:{}", ledger.display()))
        .replace("env = \"KEY\"", "env = \"ADMIN\"");
    let weir =
        live::Weir::start(&format!("[server]\nlisten = \"127.0.0.1:0\"\nadmin-key = {{ env = \"ADMIN\" }}\n{config}"));
    let ask = "/admin/v1/plan?users=500&tokens-in=3000&tokens-out=500&minutes=1";
    let first = weir.told(ask).await;
    assert_eq!(first["headline"], "does not fit: gpt-5 input tokens/min needs 2.37M, has 300k (789\u{202f}%)");
    let proved = async {
        loop {
            let plan = weir.told(ask).await;
            if plan["proof"]["state"] == "done" {
                return plan;
            }
            assert_eq!(plan["proof"]["state"], "running", "{plan}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let plan = tokio::time::timeout(Duration::from_secs(60), proved).await.unwrap();
    assert!(plan["plan"]["proof"]["requests"].as_u64().unwrap() > 500, "{plan}");
    let admin = format!("authorization: Bearer {}\r\n", live::ADMIN);
    assert_eq!(send(weir.address, "/admin/v1/plan?users=many", &admin, "").await.unwrap().status, 400);
    let page = send(weir.address, "/dashboard/plan?users=20", &admin, "").await.unwrap();
    assert!(page.status == 200 && page.body.contains("Fits: gpt-5 input tokens/min is the fullest"), "{}", page.body);
}

/// Users who ask, wait for the answer, think, and ask again, for so long; what those that came after the warm-up got.
struct Crowd {
    asked: u64,
    waited: u64,
    seconds: f64,
    service: f64,
}

async fn crowd(address: SocketAddr, users: u64, think: f64, warm: Duration, lasts: Duration) -> Crowd {
    let begin = Instant::now();
    let mut all = JoinSet::new();
    for user in 0..users {
        all.spawn(async move {
            let mut chance = user.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let mut got = Vec::new();
            let body = json!({ "model": "r", "messages": [{ "role": "user", "content": "words=5" }] }).to_string();
            while begin.elapsed() < warm + lasts {
                // xorshift64*, exponentially spread.
                chance ^= chance >> 12;
                chance ^= chance << 25;
                chance ^= chance >> 27;
                let unit = (chance.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64;
                tokio::time::sleep(Duration::from_secs_f64(-think * (1.0 - unit).ln())).await;
                let at = begin.elapsed();
                let answer = send(address, "/v1/chat/completions", "", &body).await.unwrap();
                assert_eq!(answer.status, 200, "{}", answer.body);
                let queued: u64 = answer.header("x-weir-queued-ms").unwrap().parse().unwrap();
                got.push((at, queued, begin.elapsed() - at));
            }
            got
        });
    }
    let got: Vec<_> = all.join_all().await.into_iter().flatten().collect();
    let counted: Vec<_> = got.iter().filter(|(at, ..)| *at >= warm && *at < warm + lasts).collect();
    let service = counted.iter().map(|(_, queued, whole)| whole.as_secs_f64() - *queued as f64 / 1e3).sum::<f64>();
    Crowd {
        asked: counted.len() as u64,
        waited: counted.iter().filter(|(_, queued, _)| *queued > 0).count() as u64,
        seconds: lasts.as_secs_f64(),
        service: service / counted.len() as f64,
    }
}

/// As many users as planned, before a mock with these limits: what they used and who waited, planned and lived.
async fn as_planned(limits: Limits, kind: &str, users: u64, think: f64, dimension: Dimension) {
    let latency = Latency { base: Duration::from_millis(500), ..Latency::default() };
    let rules = LimitRules { headers: false, ..LimitRules::default() };
    let profile = Profile { latency, limits, rules, ..Profile::default() };
    let mock = Mock::start(Options { name: "a".to_owned(), profile, ..Options::default() }).await.unwrap();
    let declared: Vec<String> = limits.iter().map(|(dimension, limit)| format!("{dimension} = {limit}")).collect();
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[providers.a]\nkind = \"{kind}\"\nbase-url = \"http://{}/v1\"\napi-key = {{ env = \"PATH\" }}\n\
         limits = {{ {} }}\nmodels.m = {{ price = {{ input = 1, output = 2 }} }}\n[routes.r]\ndeployments = [\"a/m\"]\n",
        mock.address(),
        declared.join(", ")
    );
    let folder = folder(&config);
    let report = weir_config::load(&folder.path().join("weir.toml"), &ProcessEnvironment);
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    let gateway = Gateway::start(report.config.unwrap()).await.unwrap();
    let lived = crowd(gateway.address(), users, think, Duration::from_secs(5), Duration::from_secs(45)).await;
    gateway.drain().await;
    let (users, think) = (users.to_string(), format!("{think}"));
    let latency = format!("{}", lived.service);
    let arguments = [
        "--users",
        &users,
        "--think",
        &think,
        "--latency",
        &latency,
        "--tokens-in",
        "12",
        "--tokens-out",
        "5",
        "--alone",
        "--minutes",
        "10",
    ];
    let path = folder.path().to_owned();
    let (plan, _) = tokio::task::spawn_blocking({
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        move || planned(&path, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
    })
    .await
    .unwrap();
    let limit = limits.get(dimension).unwrap() as f64;
    let lived_use = match dimension {
        Dimension::ConcurrentRequests => lived.asked as f64 / lived.seconds * lived.service / limit,
        _ => lived.asked as f64 / lived.seconds * 60.0 / limit,
    };
    let proof = &plan["plan"]["proof"];
    let of = proof["limits"].as_array().unwrap().iter().find(|of| of["dimension"] == dimension.name()).unwrap();
    let planned_use = of["mean"].as_f64().unwrap() / limit;
    let (waits, lived_waits) = (plan["plan"]["p_wait"].as_f64().unwrap(), lived.waited as f64 / lived.asked as f64);
    println!(
        "{dimension}: use {planned_use:.3} planned, {lived_use:.3} lived; P(wait) {waits:.3} planned ({:.3} by formula), {lived_waits:.3} lived; {:.3} s an answer, {} requests",
        plan["plan"]["formula"]["p_wait"], lived.service, lived.asked
    );
    assert!((planned_use / lived_use - 1.0).abs() <= 0.05, "use: {planned_use} planned, {lived_use} lived");
    assert!((waits - lived_waits).abs() <= 0.1, "P(wait): {waits} planned, {lived_waits} lived");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_before_a_mock_use_and_wait_for_slots_as_planned() {
    // Fuller slots are waited for in long spells, and a minute does not see enough of them to tell how often.
    let limits = Limits::NONE.with(Dimension::ConcurrentRequests, 24);
    as_planned(limits, "openai", 60, 1.0, Dimension::ConcurrentRequests).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_before_a_mock_use_and_wait_for_a_minutes_limit_as_planned() {
    // More than there is, so that all come to wait; where it is just enough, that takes minutes to show.
    let limits = Limits::NONE.with(Dimension::RequestsPerMinute, 2_000);
    as_planned(limits, "openai-compatible", 60, 1.0, Dimension::RequestsPerMinute).await;
}
