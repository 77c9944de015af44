//! Finding a request by whatever somebody has of it, and watching requests as they end.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::live::{binary, text};
use crate::world::{BOT, World, key, run};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const ROUTES: &str = "[routes.down]\ndeployments = [\"m/a!404\"]\n";

async fn ask(world: &World, model: &str, headers: &str) -> String {
    let body = json!({ "model": model, "messages": [{ "role": "user", "content": "words=5" }] });
    let got = world.weir.ask_for(BOT, headers, &body).await;
    got.header("x-weir-request").unwrap().to_owned()
}

/// The record of a request, as soon as it is there.
async fn record(world: &World, id: &str) -> Value {
    let read = async {
        loop {
            match world.ask("vera", "GET", &format!("/admin/v1/requests/{id}"), "").await {
                (200, body) if !body.contains(r#""outcome":"open""#) => return serde_json::from_str(&body).unwrap(),
                _ => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), read).await.expect("it is on record")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_found_by_each_of_its_ids_and_by_when_it_was() {
    let world = World::start(ROUTES).await;
    let parent = format!("traceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\n");
    let traced = ask(&world, "smart", &parent).await;
    let failed = ask(&world, "down", "x-weir-run: night\u{20}run\r\n").await;
    let (traced_record, failed_record) = (record(&world, &traced).await, record(&world, &failed).await);
    let upstream = traced_record["attempts"][0]["upstream_id"].as_str().expect("the provider gave it an id").to_owned();
    let ledger = world.weir.file("weir.db");
    let ledger = ledger.to_str().unwrap();
    for id in [&*traced, &*upstream, TRACE] {
        let found = run(&world, "vera", &["trace", id, "--ledger", ledger]).await;
        assert!(text(&found.stdout).contains(&traced), "{id}: {found:?}");
        let asked = run(&world, "vera", &["trace", id]).await;
        assert_eq!(text(&asked.stdout), text(&found.stdout), "{id}: the gateway says the same");
    }
    let last = text(&run(&world, "vera", &["trace", "last", "--ledger", ledger]).await.stdout);
    assert!(last.starts_with("404 ") && last.contains("m failed once ("), "{last}");
    assert!(last.contains("next: weir logs --run night run · weir trace --errors --key bot"), "{last}");

    let minute = &failed_record["started_at"].as_str().unwrap()[..16].replace('T', " ");
    let at =
        run(&world, "vera", &["trace", "--at", &format!("{minute}Z"), "--key", "bot", "--errors", "--ledger", ledger])
            .await;
    assert!(text(&at.stdout).contains(&failed) && !text(&at.stdout).contains(&traced), "{at:?}");
    let both = text(&run(&world, "vera", &["trace", "--at", &format!("{minute}Z"), "--ledger", ledger]).await.stdout);
    // The second may have come in the next minute: then the first is the only one, and shown.
    assert!(both.contains(&traced) || both.contains(&failed), "{both}");
    let all = text(&run(&world, "vera", &["trace", "--key", "bot", "--ledger", ledger]).await.stdout);
    assert_eq!(all.lines().filter(|line| line.starts_with("request req_")).count(), 2, "{all}");
    let second = text(&run(&world, "vera", &["trace", "--key", "bot", "--show", "2", "--ledger", ledger]).await.stdout);
    assert!(second.contains(&traced), "{second}");
    let near = run(&world, "vera", &["trace", "--at", "00:00", "--route", "down", "--json", "--ledger", ledger]).await;
    assert!(near.status.success() && text(&near.stdout).contains(&failed), "{near:?}");
    assert!(text(&near.stderr).contains("nothing was at that very time") || minute.ends_with("00:00"), "{near:?}");

    for (arguments, code, words) in [
        (&["trace", "--ledger", ledger][..], 2, "say which request"),
        (&["trace", "--at", "soon", "--ledger", ledger], 2, "`soon` is no time"),
        (&["trace", "--status", "many", "--ledger", ledger], 4, "a status such as 503"),
        (&["trace", "req_00000000000000000000000000", "--ledger", ledger], 1, "the ledger has no request"),
        (&["trace", "no\u{1b}[2Jthing", "--ledger", ledger], 1, "no request `no?[2Jthing`"),
        (&["trace", "--errors", "--key", "nobody", "--ledger", ledger], 1, "no request that fits"),
        (&["trace", "--key", "bot", "--show", "9", "--ledger", ledger], 1, "no number 9"),
        (&["trace", "last", "--ledger", "/nowhere/weir.db"], 4, "there is no file"),
    ] {
        let got = run(&world, "vera", arguments).await;
        let said = text(&got.stderr);
        assert_eq!(got.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(words) && !said.contains('\u{1b}'), "{arguments:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_follows_sees_requests_as_they_end_and_facts_as_they_happen() {
    let world = World::start(ROUTES).await;
    let before = ask(&world, "smart", "").await;
    record(&world, &before).await;
    let last = run(&world, "vera", &["logs", "--json"]).await;
    let lines: Vec<Value> = text(&last.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["id"] == *before), "{lines:#?}");

    let mut all = follow(&world, &["--json", "--top", "0"]);
    let mut errors = follow(&world, &["--top", "0", "--errors"]);
    // Each is there once it is told of something: so something happens until it is.
    let (mut first, mut failed) = (String::new(), String::new());
    for (watch, line, model) in [(&mut all, &mut first, "smart"), (&mut errors, &mut failed, "down")] {
        let told = async {
            loop {
                ask(&world, model, "").await;
                if let Ok(got) = watch.lines.recv_timeout(std::time::Duration::from_millis(100)) {
                    *line = got;
                    return;
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), told).await.expect("it is told");
    }
    assert_eq!(serde_json::from_str::<Value>(&first).unwrap()["outcome"], "answered", "{first}");
    assert!(
        failed.starts_with("request req_") && failed.contains(" status=404 ") && failed.contains(" key=bot "),
        "{failed}"
    );
    assert_eq!(world.ask("olga", "POST", "/admin/v1/keys", r#"{"name":"app"}"#).await.0, 201);
    let fact = std::iter::from_fn(|| all.lines.recv_timeout(std::time::Duration::from_secs(30)).ok())
        .map(|line| serde_json::from_str::<Value>(&line).unwrap())
        .find(|told| told["fact"] == "KeyMade");
    assert_eq!(fact.expect("facts are told")["who"], "olga");
    let wrong = run(&world, "vera", &["logs", "--status", "many"]).await;
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}

/// `weir logs --follow`, line by line; it ends with the test.
struct Following {
    process: std::process::Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn follow(world: &World, arguments: &[&str]) -> Following {
    let mut command: Command = binary();
    command.env("WEIR_ADMIN_KEY", key("vera")).args(["logs", "--follow"]).args(arguments);
    command.args(["--url", &format!("http://{}", world.weir.address)]).stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let output = BufReader::new(process.stdout.take().unwrap());
    let (sender, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    Following { process, lines }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_json_where_that_is_asked_for() {
    let world = World::start("").await;
    let json = world.config.replace("[server]\n", "[server]\nlog-format = \"json\"\n");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.toml");
    std::fs::write(&file, json.replace("sqlite:weir.db", "sqlite:other.db")).unwrap();
    let mut command = binary();
    command.args(["serve", "--config", file.to_str().unwrap()]).env("ADMIN", key("root")).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
    let serves = lines.find(|line| line.contains("weir serves")).unwrap();
    let told: Value = serde_json::from_str(&serves).expect("each line is an object");
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!((&told["level"], &told["message"]), (&json!("INFO"), &json!("weir serves")), "{told}");
    assert!(told["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{told}");
}
