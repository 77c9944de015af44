//! A ledger in a Postgres that takes TLS alone, with a certificate of an authority of its own for `localhost`.

use serde_json::json;
use weir_mock::{Mock, Options};

use crate::client::send;
use crate::live::{Weir, binary, text};
use crate::postgres::Postgres;

/// What is appended to the url; FOLDER is where the authorities' certificates are.
fn config(postgres: &Postgres, mock: &Mock, host: &str, parameters: &str) -> String {
    let url = postgres.url().replace("127.0.0.1", host);
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin-key = {{ env = \"ADMIN\" }}\n[ledger]\nurl = \"{url}?{}\"\n\
         [providers.m]\nkind = \"openai\"\nbase-url = \"{}\"\n[routes.smart]\ndeployments = [\"m/a\"]\n[keys.bot]\nkey-hash = \"{}\"\n",
        parameters.replace("FOLDER", postgres.folder()),
        mock.base_url(),
        weir_config::hex(&weir_config::hash_key(BOT)),
    )
}

const BOT: &str = "weir_bot_0123456789abcdefgh";

async fn ask(weir: &Weir) -> String {
    let body = json!({ "model": "smart", "messages": [{ "role": "user", "content": "words=1" }] });
    let got = weir.ask_for(BOT, "", &body).await;
    assert_eq!(got.status, 200, "{}", got.body);
    got.header("x-weir-request").unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_is_kept_over_tls_and_the_certificate_is_checked_as_far_as_is_asked() {
    let (postgres, mock) = (Postgres::start_with_tls(), Mock::start(Options::default()).await.unwrap());
    for (host, parameters) in [
        ("localhost", "sslmode=require"),
        ("127.0.0.1", "sslmode=verify-ca&sslrootcert=FOLDER/ca.crt"),
        ("localhost", "sslmode=verify-full&sslrootcert=FOLDER/ca.crt"),
    ] {
        let weir = Weir::start(&config(&postgres, &mock, host, parameters));
        let id = ask(&weir).await;
        let recorded = async {
            while weir.told("/admin/v1/requests?outcome=answered").await["requests"][0]["id"] != id.as_str() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), recorded).await.expect("it is on record");
        let read = postgres.count("SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'weir' AND ssl").await;
        let plain = postgres.count("SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'weir' AND NOT ssl").await;
        assert!(read > 0 && plain == 0, "{host} {parameters}: {read} with TLS, {plain} without");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_a_server_that_is_not_the_right_one_nothing_is_written_and_requests_are_served() {
    let (postgres, mock) = (Postgres::start_with_tls(), Mock::start(Options::default()).await.unwrap());
    for (host, parameters, why) in [
        ("localhost", "sslmode=verify-full&sslrootcert=FOLDER/other.crt", "UnknownIssuer"),
        ("localhost", "sslmode=verify-full", "UnknownIssuer"),
        ("127.0.0.1", "sslmode=verify-full&sslrootcert=FOLDER/ca.crt", "not valid for name"),
    ] {
        let weir = Weir::start(&config(&postgres, &mock, host, parameters));
        ask(&weir).await;
        let health = send(weir.address, "/health/ready", "", "").await.unwrap().json().unwrap();
        let error = health["ledger"]["error"].as_str().unwrap();
        assert!(error.contains("invalid peer certificate") && error.contains(why), "{host} {parameters}: {error}");
    }
    assert_eq!(postgres.count("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_tls_alone_refuses_plain_connections_and_weir_says_so() {
    let (postgres, mock) = (Postgres::start_with_tls(), Mock::start(Options::default()).await.unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.toml");
    std::fs::write(&file, config(&postgres, &mock, "127.0.0.1", "sslmode=disable")).unwrap();
    let mut command = binary();
    command.args(["serve", "--config", file.to_str().unwrap()]).env("ADMIN", crate::live::ADMIN);
    command.env("XDG_STATE_HOME", folder.path());
    let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = text(&done.stderr);
    assert!(!done.status.success() && said.contains("no encryption"), "{said}");
}
