//! Keys made at run time, of a ledger whose Postgres is away when the gateway starts.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use weir_mock::{Mock, Options};

use crate::client::{Got, send};
use crate::live::{CHAT, Weir, text};
use crate::postgres::Postgres;

/// It has the form of a key, and nobody made it.
const STRANGE: &str = "weir_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

fn config(postgres: &Postgres, mock: &Mock, more: &str) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin-key = {{ env = \"ADMIN\" }}\n[ledger]\nurl = \"{}\"\n\
         [providers.m]\nkind = \"openai\"\nbase-url = \"{}\"\n[routes.smart]\ndeployments = [\"m/a\"]\n{more}",
        postgres.url(),
        mock.base_url()
    )
}

async fn make(weir: &Weir, name: &str) -> String {
    let made = weir.weir(&["keys", "make", name]).await;
    assert!(made.status.success(), "{}", text(&made.stderr));
    text(&made.stdout).trim_end().to_owned()
}

/// Asks in both dialects, and returns the status, which is the same in both.
async fn ask(weir: &Weir, key: &str) -> u16 {
    let header = if key.is_empty() { String::new() } else { format!("authorization: Bearer {key}\r\n") };
    let messages = json!([{ "role": "user", "content": "words=1" }]);
    let mut statuses = Vec::new();
    for (path, body) in [
        (CHAT, json!({ "model": "smart", "messages": messages })),
        ("/v1/messages", json!({ "model": "smart", "max_tokens": 10, "messages": messages })),
    ] {
        let got = send(weir.address, path, &header, &body.to_string()).await.unwrap();
        if got.status == 503 {
            is_told_to_come_back(&got, path);
        }
        statuses.push(got.status);
    }
    assert_eq!(statuses[0], statuses[1]);
    statuses[0]
}

/// The refusal is in the caller's dialect, says why, and that a retry may help.
fn is_told_to_come_back(got: &Got, path: &str) {
    let body: Value = got.json().unwrap();
    assert!(got.header("retry-after") == Some("5") && got.header("x-should-retry") == Some("true"), "{got:?}");
    assert_eq!(got.header("x-weir-refused-by"), Some("weir"));
    let error = &body["error"];
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with("the ledger's database was not reached since the start, so "), "{message}");
    if path == CHAT {
        assert_eq!(error["code"], "capacity_exhausted");
    } else {
        assert_eq!((&body["type"], &error["type"]), (&json!("error"), &json!("overloaded_error")));
    }
}

async fn keys_are_read(weir: &Weir) {
    let reading = async {
        loop {
            let health = send(weir.address, "/health/ready", "", "").await.unwrap().json().unwrap();
            if health["ledger"]["keys_read"] == true {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    assert!(timeout(Duration::from_secs(60), reading).await.is_ok(), "{}", weir.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_never_knew_the_keys_refuses_nobody_for_good_until_it_has_read_them() {
    let (postgres, mock) = (Postgres::start(), Mock::start(Options::default()).await.unwrap());
    let elsewhere = Weir::start(&config(&postgres, &mock, ""));
    let app = make(&elsewhere, "app").await;
    drop(elsewhere);
    postgres.is("down").await;

    let weir = Weir::start(&config(&postgres, &mock, ""));
    for key in [&app, STRANGE, "sk-anything", ""] {
        assert_eq!(ask(&weir, key).await, 503, "`{key}`");
    }
    let models = send(weir.address, "/v1/models", &format!("x-api-key: {app}\r\n"), "").await.unwrap();
    assert_eq!(models.status, 503);
    let made = weir.weir(&["keys", "make", "app"]).await;
    assert!(!made.status.success() && text(&made.stderr).contains("none can be made"), "{}", text(&made.stderr));

    postgres.is("up").await;
    keys_are_read(&weir).await;
    for (key, status) in [(app.as_str(), 200), (STRANGE, 401), ("sk-anything", 401), ("", 401)] {
        assert_eq!(ask(&weir, key).await, status, "`{key}`");
    }
    assert_eq!(ask(&weir, &make(&weir, "other").await).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_knew_some_keys_lets_them_in_and_hears_of_the_others_later() {
    let (postgres, mock) = (Postgres::start(), Mock::start(Options::default()).await.unwrap());
    let bot = "weir_bot_0123456789abcdefgh";
    let hash = weir_config::hex(&weir_config::hash_key(bot));
    let file = config(&postgres, &mock, &format!("[keys.bot]\nkey-hash = \"{hash}\"\n"));
    let mut weir = Weir::start(&file);
    let (app, gone) = (make(&weir, "app").await, make(&weir, "gone").await);
    weir.signal("TERM");
    weir.ended();
    let elsewhere = Weir::start(&file);
    let newer = make(&elsewhere, "newer").await;
    drop(elsewhere);
    postgres.is("down").await;

    weir.restart();
    for (key, status) in
        [(bot, 200), (&app, 200), (&gone, 200), (&newer, 503), (STRANGE, 503), ("sk-anything", 401), ("", 401)]
    {
        assert_eq!(ask(&weir, key).await, status, "`{key}`");
    }
    let rotated = weir.weir(&["keys", "rotate", "app"]).await;
    assert!(text(&rotated.stderr).contains("it cannot be rotated"), "{}", text(&rotated.stderr));
    // It is shut out at once, though the ledger cannot be told.
    let revoked = weir.weir(&["keys", "revoke", "gone"]).await;
    assert!(text(&revoked.stderr).contains("this process lets the key in no more"), "{}", text(&revoked.stderr));
    assert_eq!(ask(&weir, &gone).await, 503);

    postgres.is("up").await;
    keys_are_read(&weir).await;
    for (key, status) in [(bot, 200), (&app, 200), (&gone, 401), (&newer, 200), (STRANGE, 401)] {
        assert_eq!(ask(&weir, key).await, status, "`{key}`");
    }
}
