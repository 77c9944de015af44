//! What a ledger has, over HTTP and as files: `/admin/v1/requests`, `/count`, `/series` and `/facts`, and `weir export`, against the
//! real binary while it serves.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

#[path = "faults/client.rs"]
#[expect(dead_code, reason = "these tests need less of it than the fault matrix")]
mod client;
#[expect(dead_code, reason = "this gateway is neither killed nor reloaded")]
mod live;

use std::process::Output;

use serde_json::{Value, json};
use weir_mock::{Mock, Options};

use crate::client::send;
use crate::live::{ADMIN, Weir, binary, text};

/// A model's name that a spreadsheet would run, with all that a row of CSV must quote.
const HOSTILE: &str = "=cmd|' /C calc'!\"A0\",\n\u{202e}x";

/// A gateway that was asked: twice with one key and once with another; twice for what it does not have.
async fn world() -> (Weir, Mock) {
    let mock = Mock::start(Options::default()).await.unwrap();
    let hash = |key: &str| weir_config::hex(&weir_config::hash_key(key));
    let weir = Weir::start(&format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin-key = {{ env = \"ADMIN\" }}\n[ledger]\nurl = \"sqlite:weir.db\"\n[tenants.shop]\n\
         [keys.bot]\nkey-hash = \"{}\"\ntenant = \"shop\"\n[keys.web]\nkey-hash = \"{}\"\ntenant = \"shop\"\n\
         [providers.m]\nkind = \"openai\"\nbase-url = \"{}\"\n[routes.smart]\ndeployments = [\"m/a\"]\n",
        hash("weir_bot_0123456789abcdefgh"),
        hash("weir_web_0123456789abcdefgh"),
        mock.base_url()
    ));
    for (key, model, status) in [
        ("bot", "smart", 200),
        ("bot", "smart", 200),
        ("web", "smart", 200),
        ("web", HOSTILE, 404),
        ("bot", "none", 404),
    ] {
        assert_eq!(weir.ask(&format!("weir_{key}_0123456789abcdefgh"), model).await, status, "{model}");
    }
    let all = async {
        while weir.told("/admin/v1/requests/count").await["count"] != 5
            || weir.told("/admin/v1/requests/count?outcome=open").await["count"] != 0
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), all).await.expect("all are on record");
    (weir, mock)
}

async fn export(weir: &Weir, arguments: &[&str]) -> Output {
    let mut command = binary();
    command.args(["export", "--ledger", weir.file("weir.db").to_str().unwrap()]).args(arguments);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn models(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["model"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_listed_counted_and_told_apart_by_the_same_filters() {
    let (weir, _mock) = world().await;
    let told = weir.told("/admin/v1/requests").await;
    let all = told["requests"].as_array().unwrap();
    let ids: Vec<&str> = all.iter().map(|record| record["id"].as_str().unwrap()).collect();
    assert!(ids.is_sorted_by(|newer, older| newer > older), "{ids:?}");
    let mut models = models(all);
    models.sort_unstable();
    assert_eq!(models, [HOSTILE, "none", "smart", "smart", "smart"]);
    let before = all[1]["id"].as_str().unwrap();
    let page = weir.told(&format!("/admin/v1/requests?limit=2&before={before}")).await;
    assert_eq!(page["requests"], json!(all[2..4]));
    for (filter, rows) in [
        ("key=bot", 3),
        ("key=web&errors=true", 1),
        ("tenant=shop&route=smart", 3),
        ("deployment=m/a", 3),
        ("provider=m", 3),
        ("status=4xx", 2),
        ("status=200", 3),
        ("refused-by=weir", 2),
        ("outcome=answered", 3),
        ("run=nowhere", 0),
        ("since=1h", 5),
        ("until=1h", 0),
    ] {
        let listed = weir.told(&format!("/admin/v1/requests?{filter}")).await;
        assert_eq!(listed["requests"].as_array().unwrap().len(), rows, "{filter}");
        assert_eq!(
            weir.told(&format!("/admin/v1/requests/count?{filter}")).await,
            json!({ "count": rows, "more": false })
        );
        let series = weir.told(&format!("/admin/v1/series?step=hour&{filter}{}", span(filter))).await;
        assert_eq!(series["all"]["total"]["requests"], rows, "{filter}: {series}");
    }
    let series = weir.told("/admin/v1/series?by=key&top=1").await;
    assert_eq!(series["rows"][0]["name"], "bot");
    assert_eq!(series["rows"][0]["total"]["requests"], 3);
    assert_eq!((&series["rest"]["names"], &series["rest"]["total"]["requests"]), (&json!(1), &json!(2)));
    let facts = weir.told("/admin/v1/facts?kind=Started,ConfigReloaded&since=1h").await;
    assert_eq!(facts["facts"].as_array().unwrap().len(), 1, "{facts}");
    assert_eq!(facts["facts"][0]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(weir.told("/admin/v1/facts?until=1h").await, json!({ "facts": [] }));
    for wrong in ["requests?kye=bot", "requests/count?limit=3", "series?by=colour", "facts?since=never"] {
        let path = format!("/admin/v1/{wrong}");
        let got = send(weir.address, &path, &format!("authorization: Bearer {ADMIN}\r\n"), "").await.unwrap();
        assert_eq!(got.status, 400, "{wrong}: {}", got.body);
    }
}

/// A series needs a time that is not empty.
fn span(filter: &str) -> &'static str {
    if filter.starts_with("until") { "&since=2h" } else { "" }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_of_a_ledger_that_is_served_has_what_the_gateway_lists() {
    let (weir, _mock) = world().await;
    let lines = text(&export(&weir, &[]).await.stdout);
    let records: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json!(records), weir.told("/admin/v1/requests").await["requests"]);
    let some = text(&export(&weir, &["--since", "1h", "--where", "key=bot", "--where", "errors=true"]).await.stdout);
    assert_eq!(models(&[serde_json::from_str(&some).unwrap()]), ["none"]);
    assert!(export(&weir, &["--until", "1h"]).await.stdout.is_empty());
    let wrong = export(&weir, &["--where", "kye=bot"]).await;
    let said = text(&wrong.stderr);
    assert!(wrong.status.code() == Some(2) && said.contains("--where kye: there is no such filter: "), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_in_the_audit_log_whether_or_not_a_gateway_runs() {
    let (weir, _mock) = world().await;
    let ledger = weir.file("weir.db");
    let ledger = ledger.to_str().unwrap();
    let not_told = export(&weir, &["--url", &format!("http://{}", weir.address)]).await;
    assert_eq!(text(&not_told.stdout).lines().count(), 5, "it is made all the same");
    assert!(text(&not_told.stderr).starts_with("this export is not in the audit log: "), "{not_told:?}");
    let told = weir.weir(&["export", "--ledger", ledger, "--where", "key=bot"]).await;
    assert_eq!(text(&told.stderr), "");
    let rows = weir.told("/admin/v1/audit?action=requests.export").await;
    let rows = rows["entries"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["who"], &rows[0]["what"]), (1, &json!("root"), &json!("jsonl key=bot")));
    // With the gateway gone the command writes the row itself, and the chain is whole.
    weir.signal("TERM");
    let ending = async {
        while !export(&weir, &["--format", "csv"]).await.stderr.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), ending).await.expect("the gateway ends");
    let mut command = binary();
    command.args(["audit", "verify", "--ledger", ledger]);
    assert_eq!(command.output().unwrap().status.code(), Some(0));
    let mut command = binary();
    command.args(["audit", "--json", "--action", "requests.export", "--ledger", ledger]);
    let shown = text(&command.output().unwrap().stdout);
    assert!(shown.contains("this machine") && shown.contains("\"what\":\"csv\""), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spreadsheet_takes_no_cell_of_an_export_for_a_formula() {
    let (weir, _mock) = world().await;
    let file = weir.file("requests.csv");
    let arguments = ["--format", "csv", "--where", "key=web", "--out", file.to_str().unwrap()];
    let done = export(&weir, &arguments).await;
    assert!(done.status.success() && text(&done.stderr).contains("2 requests in "), "{done:?}");
    let written = std::fs::read_to_string(&file).unwrap();
    let (names, rows) = written.split_once('\n').unwrap();
    assert!(names.starts_with("id,started_at,") && names.split(',').count() == 29, "{names}");
    assert!(rows.contains(",\"'=cmd|' /C calc'!\"\"A0\"\",\n\u{202e}x\","), "{rows}");
    assert!(!weir.file("requests.csv.part").exists());
}
