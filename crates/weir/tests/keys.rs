//! Keys made at run time, as somebody makes, uses, rotates and revokes them: `weir keys` against `weir serve`.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

#[path = "faults/client.rs"]
#[expect(dead_code, reason = "these tests read no stream")]
mod client;
mod live;

use std::process::Output;

use serde_json::{Value, json};
use sqlx::{ConnectOptions, Executor};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weir_ledger::Reader;
use weir_mock::{Mock, Options};

use crate::client::send;
use crate::live::{ADMIN, Weir, text};

const BOT: &str = "weir_bot_0123456789abcdefgh";
const KEYS: &str = "/admin/v1/keys";
/// The key of the file.
const WRITTEN: &str = "[keys.bot]\nkey-hash = \"HASH\"\n";

async fn mock() -> Mock {
    Mock::start(Options::default()).await.unwrap()
}

fn config(mock: &Mock, server: &str, more: &str) -> String {
    let bot = weir_config::hex(&weir_config::hash_key(BOT));
    let more = more.replace("HASH", &bot);
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n{server}[ledger]\nurl = \"sqlite:weir.db\"\n\
         [providers.m]\nkind = \"openai\"\nbase-url = \"{}\"\n[routes.smart]\ndeployments = [\"m/a\"]\n[tenants.shop]\n{more}",
        mock.base_url()
    )
}

const GUARDED: &str = "admin-key = { env = \"ADMIN\" }\n";

/// The secret that a command printed, and nothing else.
fn secret(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    let secret = text(&output.stdout).trim_end().to_owned();
    let (prefix, random) = secret.split_at(5);
    assert!(prefix == "weir_" && random.len() == 43 && !random.contains(char::is_whitespace), "{secret}");
    assert!(!text(&output.stderr).contains(&secret));
    secret
}

/// Sends a request of any method; status and body.
async fn raw(weir: &Weir, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = tokio::net::TcpStream::connect(weir.address).await.unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", weir.address);
    let request = format!("{head}content-length: {}\r\n{headers}\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_made_used_rotated_and_revoked_and_stays_so() {
    let mock = mock().await;
    let file = config(&mock, GUARDED, WRITTEN);
    let mut weir = Weir::start(&file);
    let made = weir.weir(&["keys", "make", "app", "--tenant", "shop", "--routes", "smart", "--expires", "30d"]).await;
    let said = text(&made.stderr);
    assert!(said.contains("Key `app` of tenant `shop` may use the routes smart until "), "{said}");
    let first = secret(&made);
    assert_eq!((weir.ask(&first, "smart").await, weir.ask(BOT, "smart").await), (200, 200));
    assert_eq!(weir.ask(&first, "m/a").await, 403, "it may use its route and nothing else");
    let other = secret(&weir.weir(&["keys", "make", "other", "--priority", "batch"]).await);
    assert_eq!(weir.ask(&other, "m/a").await, 200);

    // In the grace both work, then the newer one.
    let second = secret(&weir.weir(&["keys", "rotate", "app"]).await);
    assert_eq!((weir.ask(&first, "smart").await, weir.ask(&second, "smart").await), (200, 200));
    weir.kill_and_restart();
    assert_eq!((weir.ask(&first, "smart").await, weir.ask(&second, "smart").await), (200, 200));
    let third = secret(&weir.weir(&["keys", "rotate", "app", "--grace", "0s"]).await);
    for (secret, status) in [(&first, 401), (&second, 401), (&third, 200)] {
        assert_eq!(weir.ask(secret, "smart").await, status);
    }
    let listed = text(&weir.weir(&["keys"]).await.stdout);
    for line in [
        "key app state=valid tenant=shop source=made routes=smart budgets=- priority=interactive created=",
        "key bot state=valid tenant=default source=config routes=* ",
        "key other state=valid tenant=default source=made routes=* budgets=- priority=batch ",
    ] {
        assert!(listed.lines().any(|l| l.starts_with(line)), "{line} in\n{listed}");
    }

    let revoked = weir.weir(&["keys", "revoke", "app"]).await;
    assert!(revoked.status.success(), "{}", text(&revoked.stderr));
    assert_eq!((weir.ask(&third, "smart").await, weir.ask(&other, "m/a").await), (401, 200));
    weir.kill_and_restart();
    assert_eq!((weir.ask(&third, "smart").await, weir.ask(&other, "m/a").await), (401, 200));
    weir.reload(&format!("{file}\n")).await;
    weir.stop_and_restart();
    assert_eq!((weir.ask(&third, "smart").await, weir.ask(&other, "m/a").await), (401, 200));
    // Its name is free again.
    let anew = secret(&weir.weir(&["keys", "make", "app"]).await);
    assert_eq!((weir.ask(&anew, "smart").await, weir.ask(&third, "smart").await), (200, 401));

    let facts = Reader::open(&weir.file("weir.db")).await.unwrap().facts(100).await.unwrap();
    let told: Vec<Value> = facts.iter().rev().map(|fact| serde_json::from_str(fact).unwrap()).collect();
    let told: Vec<_> = told.iter().filter(|fact| fact["name"] == "app").collect();
    let names: Vec<_> = told.iter().map(|fact| fact["fact"].as_str().unwrap()).collect();
    assert_eq!(names, ["KeyMade", "KeyRotated", "KeyRotated", "KeyRevoked", "KeyMade"]);
    assert_eq!((&told[3]["tenant"], &told[3]["who"]), (&json!("shop"), &json!("root")));
    assert_nowhere(&weir, &[&first, &second, &third, &other, &anew]);
}

/// No file of the gateway and no line of its log has one of these.
fn assert_nowhere(weir: &Weir, secrets: &[&str]) {
    let mut files = 0;
    for entry in std::fs::read_dir(weir.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        files += 1;
        for secret in secrets {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{}", path.display());
        }
    }
    assert!(files >= 3, "weir.toml, the ledger and what lies beside it");
    let log = weir.log();
    assert!(log.contains("key app of tenant shop made by root"), "{log}");
    assert!(secrets.iter().all(|secret| !log.contains(secret)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_is_refused_with_words_and_changes_nothing() {
    let mock = mock().await;
    let weir = Weir::start(&config(&mock, GUARDED, WRITTEN));
    let hostile = "a\u{1b}[2J\r\nb";
    for (arguments, code, words) in [
        (&["make", "bot"][..], 1, "key `bot` is in the configuration"),
        (&["make", hostile], 2, "cannot be the name of a key"),
        (&["make", "../x"], 2, "cannot be the name of a key"),
        (&["make", ".."], 2, "cannot be the name of a key"),
        (&["make", &"n".repeat(129)], 2, "up to 128 letters"),
        (&["make", "app", "--tenant", "shpo"], 2, "there is no tenant `shpo`: did you mean `shop`?"),
        (&["make", "app", "--routes", "smart,dumb"], 2, "there is no route `dumb`: known are smart"),
        (&["make", "app", "--budgets", "b"], 2, "there is no budget `b`"),
        (&["make", "app", "--priority", "urgent"], 2, "`urgent` is no class"),
        (&["make", "app", "--expires", "soon"], 2, "`soon` is not a duration"),
        (&["make", "app", "--expires", "0s"], 2, "expires at once"),
        (&["make", "app", "--expires", "20000d"], 2, "longer than ten years"),
        (&["rotate", "app"], 1, "there is no key `app`"),
        (&["rotate", "bot"], 1, "key `bot` is in the configuration"),
        (&["revoke", hostile], 1, "there is no key `a?[2J??b`"),
        (&["revoke", "bot"], 1, "key `bot` is in the configuration"),
        (&["revoke", "x/rotate"], 1, "there is no key `x/rotate`"),
    ] {
        let got = weir.weir(&[&["keys"], arguments].concat()).await;
        let said = text(&got.stderr);
        assert_eq!((got.status.code(), got.stdout.len()), (Some(code), 0), "{arguments:?}: {said}");
        assert!(said.contains(words) && !said.contains('\u{1b}'), "{arguments:?}: {said}");
    }
    let admin = format!("authorization: Bearer {ADMIN}\r\ncontent-type: application/json\r\n");
    for (method, path, body, status) in [
        ("POST", KEYS, r#"{"name":"app","tenants":"shop"}"#, 400),
        ("POST", KEYS, r#"{"name":7}"#, 400),
        ("POST", KEYS, r#"{"name":"app","routes":"smart"}"#, 400),
        ("POST", KEYS, r#"{"name":"app","routes":[]}"#, 400),
        ("POST", KEYS, "{}", 400),
        ("POST", KEYS, "[]", 400),
        ("POST", KEYS, "{", 400),
        ("PUT", KEYS, "{}", 405),
        ("GET", "/admin/v1/keys/app", "", 405),
        ("GET", "/admin/v1/keys/app/rotate", "", 405),
        ("POST", "/admin/v1/keys/app/burn", "{}", 404),
        ("POST", "/admin/v1/keysapp", "{}", 404),
    ] {
        let (got, said) = raw(&weir, method, path, &admin, body).await;
        assert_eq!(got, status, "{method} {path} {body}: {said}");
    }
    for key in ["", "authorization: Bearer wrong\r\n"] {
        assert_eq!(raw(&weir, "POST", KEYS, key, r#"{"name":"app"}"#).await.0, 401);
        assert_eq!(raw(&weir, "DELETE", "/admin/v1/keys/app", key, "").await.0, 401);
    }
    secret(&weir.weir(&["keys", "make", "app"]).await);
    let twice = weir.weir(&["keys", "make", "app"]).await;
    assert!(twice.status.code() == Some(1) && text(&twice.stderr).contains("there is a key `app` already"));
    let told = weir.told(KEYS).await;
    assert_eq!(told["keys"].as_array().unwrap().len(), 2, "{told:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn former_secrets_are_few_and_none_outlives_the_grace_named_last() {
    let mock = mock().await;
    let weir = Weir::start(&config(&mock, GUARDED, WRITTEN));
    let first = secret(&weir.weir(&["keys", "make", "app"]).await);
    for _ in 0..8 {
        secret(&weir.weir(&["keys", "rotate", "app"]).await);
    }
    let ninth = weir.weir(&["keys", "rotate", "app"]).await;
    assert!(ninth.status.code() == Some(1) && text(&ninth.stderr).contains("8 former secrets"), "{ninth:?}");
    assert_eq!(weir.ask(&first, "smart").await, 200);
    let last = secret(&weir.weir(&["keys", "rotate", "app", "--grace", "0s"]).await);
    assert_eq!((weir.ask(&first, "smart").await, weir.ask(&last, "smart").await), (401, 200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_a_key_was_made_keys_are_asked_for_also_when_it_is_revoked() {
    let mock = mock().await;
    let mut weir = Weir::start(&config(&mock, "", ""));
    assert_eq!(weir.ask("", "smart").await, 200);
    let listed = weir.weir(&["keys"]).await;
    assert!(text(&listed.stderr).contains("Everyone on this machine may call Weir: no keys."));
    // A page in a browser may not make one.
    let body = r#"{"name":"evil"}"#;
    for (headers, status) in [
        ("content-type: application/json\r\norigin: https://evil.example\r\n", 401),
        ("content-type: text/plain\r\n", 400),
    ] {
        assert_eq!(raw(&weir, "POST", KEYS, headers, body).await.0, status, "{headers}");
    }
    assert_eq!(weir.ask("", "smart").await, 200);

    let made = weir.weir(&["keys", "make", "app"]).await;
    assert!(text(&made.stderr).contains("from now on whoever sends none gets 401"), "{}", text(&made.stderr));
    let app = secret(&made);
    assert_eq!((weir.ask("", "smart").await, weir.ask(&app, "smart").await), (401, 200));
    assert_eq!(send(weir.address, "/v1/models", "", "").await.unwrap().status, 401);
    let second = weir.weir(&["keys", "make", "second"]).await;
    assert!(!text(&second.stderr).contains("from now on"), "that is no news any more");
    for name in ["app", "second"] {
        assert!(weir.weir(&["keys", "revoke", name]).await.status.success());
    }
    assert_eq!((weir.ask("", "smart").await, weir.ask(&app, "smart").await), (401, 401));
    weir.kill_and_restart();
    assert_eq!((weir.ask("", "smart").await, weir.ask(&app, "smart").await), (401, 401));
    let facts = weir.told("/admin/v1/live").await["facts"].to_string();
    assert!(!facts.contains("KeyMade"), "the live view begins anew: {facts}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_not_let_in_while_the_configuration_lacks_what_holds_it() {
    let mock = mock().await;
    let file = config(&mock, GUARDED, WRITTEN);
    let mut weir = Weir::start(&file);
    let shop = secret(&weir.weir(&["keys", "make", "app", "--tenant", "shop"]).await);
    let taken = secret(&weir.weir(&["keys", "make", "taken"]).await);
    let without =
        file.replace("[tenants.shop]\n", "") + &WRITTEN.replace("bot", "taken").replace("HASH", &"ab".repeat(32));
    weir.reload(&without).await;
    let asked = json!({ "model": "smart", "messages": [] });
    for (key, words) in
        [(&shop, "tenant `shop`, which the configuration has no longer"), (&taken, "has a key `taken` of its own")]
    {
        let got = weir.ask_for(key, "", &asked).await;
        assert!(got.status == 401 && got.body.contains(words), "{}", got.body);
    }
    assert!(weir.log().contains("a key made at run time is not let in: key `app` belongs to tenant `shop`"));
    let told = weir.told(KEYS).await;
    let states: Vec<_> = told["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|k| (k["name"].as_str().unwrap(), k["state"].as_str().unwrap()))
        .collect();
    assert_eq!(states, [("app", "shut-out"), ("bot", "valid"), ("taken", "valid"), ("taken", "shut-out")]);
    weir.kill_and_restart();
    assert_eq!(weir.ask(&shop, "smart").await, 401);
    // The one that the file hides can be revoked, once; after that the name is the file's alone.
    assert!(weir.weir(&["keys", "revoke", "taken"]).await.status.success());
    let again = weir.weir(&["keys", "revoke", "taken"]).await;
    assert!(again.status.code() == Some(1) && text(&again.stderr).contains("is in the configuration"), "{again:?}");
    weir.reload(&file).await;
    assert_eq!((weir.ask(&shop, "smart").await, weir.ask(&taken, "smart").await), (200, 401));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_ends_by_itself() {
    let mock = mock().await;
    let weir = Weir::start(&config(&mock, GUARDED, WRITTEN));
    let app = secret(&weir.weir(&["keys", "make", "app", "--expires", "1ms"]).await);
    let got = weir.ask_for(&app, "", &json!({ "model": "smart", "messages": [] })).await;
    assert!(got.status == 401 && got.body.contains("key `app` has expired"), "{}", got.body);
    assert_eq!(weir.told(KEYS).await["keys"][0]["state"], "expired");
    let rotated = weir.weir(&["keys", "rotate", "app"]).await;
    assert!(rotated.status.code() == Some(1) && text(&rotated.stderr).contains("has expired"));
    let anew = secret(&weir.weir(&["keys", "make", "app"]).await);
    assert_eq!(weir.ask(&anew, "smart").await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_shut_out_even_if_the_ledger_cannot_be_told_and_none_is_made_then() {
    let mock = mock().await;
    let weir = Weir::start(&config(&mock, GUARDED, WRITTEN));
    let app = secret(&weir.weir(&["keys", "make", "app"]).await);
    let file = sqlx::sqlite::SqliteConnectOptions::new().filename(weir.file("weir.db"));
    let mut holder = file.connect().await.unwrap();
    holder.execute("BEGIN IMMEDIATE").await.unwrap();
    let made = weir.weir(&["keys", "make", "other"]).await;
    assert_eq!((made.status.code(), text(&made.stdout).as_str()), (Some(4), ""));
    let revoked = weir.weir(&["keys", "revoke", "app"]).await;
    let said = text(&revoked.stderr);
    assert!(revoked.status.code() == Some(4) && said.contains("revoke it again"), "{said}");
    assert_eq!(weir.ask(&app, "smart").await, 401);
    let listed = text(&weir.weir(&["keys"]).await.stdout);
    assert!(listed.contains("key app state=revoked "), "{listed}");
    let rotated = weir.weir(&["keys", "rotate", "app"]).await;
    assert!(rotated.status.code() == Some(1) && text(&rotated.stderr).contains("is revoked"), "{rotated:?}");
    holder.execute("ROLLBACK").await.unwrap();
    assert!(weir.weir(&["keys", "revoke", "app"]).await.status.success());
    let records = Reader::open(&weir.file("weir.db")).await.unwrap().keys().await.unwrap();
    assert_eq!(records.len(), 1, "the key that was not made is not there");
    assert!(records[0].revoked_at.is_some());
}
