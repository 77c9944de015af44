//! What is kept of prompts and answers, what is taken out of it, and who may read it.

use serde_json::{Value, json};

use crate::client::{Got, open};
use crate::live::CHAT;
use crate::world::{BOT, World};

const CAPTURED: &str = "[routes.kept]\ndeployments = [\"m/a\"]\n\
    capture = { requests = true, answers = true, max = \"2KiB\", retention = \"1h\", redact = [\"PRJ-[0-9]+\"] }\n\
    [routes.cut]\ndeployments = [\"m/a!cut:4\"]\ncapture = { answers = true }\n\
    [routes.stalled]\ndeployments = [\"m/a!stall:4\"]\ncapture = { answers = true }\n\
    [keys.own]\nkey-hash = \"OWN\"\ncapture = { answers = false, redact = [\"zebra\"] }\n";
const OWN: &str = "weir_own_0123456789abcdefgh";

async fn world() -> World {
    let own = weir_config::hex(&weir_config::hash_key(OWN));
    World::start(&CAPTURED.replace("OWN", &own)).await
}

/// Asks a model to say `words` back; the answer, and the request's id.
async fn echo(world: &World, key: &str, model: &str, stream: bool, words: &str) -> (Got, String) {
    let body = json!({
        "model": model, "stream": stream, "messages": [{ "role": "user", "content": format!("echo {words}") }],
    });
    let got = world.weir.ask_for(key, "", &body).await;
    let id = got.header("x-weir-request").unwrap().to_owned();
    (got, id)
}

/// What was kept of a request, as soon as it is.
async fn kept(world: &World, id: &str) -> Value {
    let path = format!("/admin/v1/requests/{id}/content");
    let read = async {
        loop {
            match world.ask("aude", "GET", &path, "").await {
                (200, body) => return serde_json::from_str(&body).unwrap(),
                (404, _) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
                (status, body) => panic!("{status} {body}"),
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), read).await.expect("it is kept")
}

/// The request of this route that has ended, as soon as there is one.
async fn newest(world: &World, route: &str) -> String {
    let path = format!("/admin/v1/requests?route={route}&outcome=cancelled");
    let found = async {
        loop {
            if let Some(id) = world.json("vera", &path).await["requests"][0]["id"].as_str() {
                return id.to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), found).await.expect("it ends")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_kept_unless_it_is_asked_for_and_that_it_is_is_said_at_the_start() {
    let world = world().await;
    let log = world.weir.log();
    assert!(log.contains("prompts and answers of route `kept` are captured, and kept in the ledger for 1h"), "{log}");
    let (got, id) = echo(&world, BOT, "smart", false, "hello").await;
    assert_eq!(got.status, 200);
    // What was asked for after it is there, so it would be as well.
    let (_, later) = echo(&world, BOT, "kept", false, "hello").await;
    assert_eq!(kept(&world, &later).await["route"], "kept");
    let (status, body) = world.ask("aude", "GET", &format!("/admin/v1/requests/{id}/content"), "").await;
    assert!(status == 404 && body.contains("have no `capture`"), "{status} {body}");
    assert_eq!(world.ask("aude", "GET", "/admin/v1/requests/x/content", "").await.0, 400);
    let page = world.ask("vera", "GET", "/metrics", "").await.1;
    assert!(page.contains("weir_captured_total{result=\"kept\"} 1\n"), "{page}");
    assert!(page.contains("weir_captured_total{result=\"dropped\"} 0\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_taken_out_before_anything_is_written_and_each_reading_is_on_record() {
    let world = world().await;
    let secrets = ["bob@mail.example", "4111 1111 1111 1111", "sk-proj-abcdef123456", "PRJ-2042"];
    let words = format!("tell {} of card {} and key {} in {} now", secrets[0], secrets[1], secrets[2], secrets[3]);
    let clean = "tell [removed: e-mail] of card [removed: card] and key [removed: key] in [removed: rule 1] now";
    for stream in [false, true] {
        let (got, id) = echo(&world, BOT, "kept", stream, &words).await;
        assert!(got.status == 200 && (stream || got.body.contains("sk-proj")), "the client gets it all: {}", got.body);
        let told = kept(&world, &id).await;
        let prompt =
            format!(r#"{{"messages":[{{"content":"echo {clean}","role":"user"}}],"model":"kept","stream":{stream}}}"#);
        assert_eq!((&told["request"]["body"], &told["request"]["removed"]), (&json!(prompt), &json!(4)));
        assert_eq!((&told["request"]["cut"], &told["answer"]["cut"]), (&json!(false), &json!(false)));
        if stream {
            let answer = &told["answer"];
            assert_eq!(
                (answer["text"].as_str().unwrap().trim(), &answer["finished"]),
                (clean, &json!(true)),
                "{answer}"
            );
        } else {
            assert!(told["answer"]["body"].as_str().unwrap().contains(clean), "{told:#}");
        }
        assert_eq!((&told["key"], &told["outcome"]), (&json!("bot"), &json!("answered")));
        let reads = world.json("root", &format!("/admin/v1/audit?action=content.read&what={id}&who=aude")).await;
        let entries = reads["entries"].as_array().unwrap();
        assert!(entries.iter().any(|row| row["outcome"] == "done" && row["role"] == "auditor"), "{reads:#}");
        for who in ["vera", "olga"] {
            assert_eq!(world.ask(who, "GET", &format!("/admin/v1/requests/{id}/content"), "").await.0, 403);
        }
        assert_eq!(world.ask("", "GET", &format!("/admin/v1/requests/{id}/content"), "").await.0, 401);
    }
    // Neither of the secrets, nor of the keys, is in any file or in the log.
    for entry in std::fs::read_dir(world.weir.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for secret in secrets.iter().chain(&[BOT, OWN]) {
            assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()), "{secret} in {}", path.display());
        }
    }
    let log = world.weir.log();
    assert!(!log.contains("of card") && secrets.iter().all(|secret| !log.contains(secret)), "no content is in the log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_long_is_cut_and_hostile_text_stays_text() {
    let world = world().await;
    let (_, id) = echo(&world, BOT, "kept", false, &"long ".repeat(2_000)).await;
    let told = kept(&world, &id).await;
    let body = told["request"]["body"].as_str().unwrap();
    assert_eq!((body.len(), &told["request"]["cut"]), (2_048, &json!(true)));
    assert!(told["request"]["bytes"].as_u64().unwrap() > 10_000 && body.contains("long long"), "{body}");
    let (_, id) = echo(&world, BOT, "kept", true, &"long ".repeat(2_000)).await;
    let answer = kept(&world, &id).await["answer"].clone();
    assert_eq!((answer["text"].as_str().unwrap().len(), &answer["cut"]), (2_048, &json!(true)));

    // A secret that lies across the cut is not kept in part.
    let padding = "x ".repeat(970);
    let (_, id) = echo(
        &world,
        BOT,
        "kept",
        false,
        &format!("{padding}bob.of.a.very.long.name.that.is.cut@mail.example {padding}"),
    )
    .await;
    let body = kept(&world, &id).await["request"]["body"].as_str().unwrap().to_owned();
    assert!(!body.contains("bob"), "{body}");
    let hostile = "\u{1b}[2J\u{202e} </script> ' -- \u{0} é 水";
    let (_, id) = echo(&world, BOT, "kept", true, hostile).await;
    let told = kept(&world, &id).await;
    assert_eq!(
        serde_json::from_str::<Value>(told["request"]["body"].as_str().unwrap()).unwrap()["messages"][0]["content"],
        json!(format!("echo {hostile}"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_stream_that_is_cut_or_left_what_was_said_is_kept() {
    let world = world().await;
    let (got, id) = echo(&world, BOT, "cut", true, "one two three four five six seven eight").await;
    assert!(got.body.contains("error"), "{}", got.body);
    let told = kept(&world, &id).await;
    assert_eq!(
        (&told["outcome"], &told["request"], &told["answer"]["finished"]),
        (&json!("failed"), &Value::Null, &json!(false))
    );
    let text = told["answer"]["text"].as_str().unwrap();
    assert!(text.starts_with("one") && !text.contains("eight"), "{text}");

    let body = json!({ "model": "stalled", "stream": true, "messages": [{ "role": "user", "content": "words=40" }] });
    let mut left = open(world.weir.address, CHAT, &format!("x-api-key: {BOT}\r\n"), &body.to_string()).await;
    assert!(left.read_until("\"content\"").await);
    drop(left);
    let id = newest(&world, "stalled").await;
    let told = kept(&world, &id).await;
    assert_eq!((&told["outcome"], &told["answer"]["finished"]), (&json!("cancelled"), &json!(false)), "{told:#}");
    assert!(!told["answer"]["text"].as_str().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_can_be_exempt_and_its_rules_are_added() {
    let world = world().await;
    let (_, id) = echo(&world, OWN, "kept", true, "the zebra of PRJ-7").await;
    let told = kept(&world, &id).await;
    assert_eq!((&told["key"], &told["answer"]), (&json!("own"), &Value::Null));
    let body = told["request"]["body"].as_str().unwrap();
    assert!(body.contains("the [removed: rule 2] of [removed: rule 1]"), "{body}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_begins_and_ends_it_and_a_stop_loses_nothing() {
    let mut world = World::start("").await;
    let on = world.config.replace("[tenants.shop]", "capture = { requests = true }\n[tenants.shop]");
    world.weir.reload(&on).await;
    let (_, id) = echo(&world, BOT, "smart", false, "hello").await;
    world.weir.stop_and_restart();
    let (status, body) = world.ask("aude", "GET", &format!("/admin/v1/requests/{id}/content"), "").await;
    assert!(status == 200 && body.contains("echo hello"), "{status} {body}");
    world.weir.reload(&world.config).await;
    let (_, id) = echo(&world, BOT, "smart", false, "hello").await;
    world.weir.stop_and_restart();
    assert_eq!(world.ask("aude", "GET", &format!("/admin/v1/requests/{id}/content"), "").await.0, 404);
}
