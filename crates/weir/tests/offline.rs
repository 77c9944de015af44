//! Commands that serve nothing: they need no secret, read times alike, and refuse a configuration with faults.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::path::Path;
use std::process::{Command, Output};

/// What production has, with secrets that CI has not.
const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:0"
admin-key = { env = "WEIR_ADMIN_KEY_OF_PRODUCTION" }
[ledger]
url = "sqlite:weir.db"
[owner]
name = "Platform on-call"
notify = ["ops-slack"]
[notifiers.ops-slack]
kind = "slack"
url = { env = "SLACK_WEBHOOK_URL" }
[providers.openai]
tier = "Tier 3"
limits = { requests-per-minute = 500 }
models."gpt-4o" = { price = { input = 2.5, output = 10.0 } }
[providers.anthropic]
api-key = { file = "/run/secrets/anthropic" }
limits = { requests-per-minute = 500 }
models.sonnet = { price = { input = 3.0, output = 15.0 } }
[routes.smart]
deployments = ["openai/gpt-4o", "anthropic/sonnet"]
[keys.app]
key = { env = "APP_KEY" }
"#;

/// 2026-11-18T14:00:00Z, an hour after the calls.
const AT: &str = "1795010400";

const CALLS: &str = "at,route,model,status,input-tokens,output-tokens
2026-11-18T13:00:00Z,smart,gpt-4o,200,900,100
2026-11-18T13:01:00Z,smart,gpt-4o,429,0,0
";

fn weir(folder: &Path, config: &str, arguments: &[&str]) -> Output {
    std::fs::write(folder.join("weir.toml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.env_clear().env("LANG", "C.UTF-8").env("HOME", folder).current_dir(folder);
    command.args(arguments).args(["--config", "weir.toml"]).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder with the calls in its ledger.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("calls.csv"), CALLS).unwrap();
    let output = weir(folder.path(), CONFIG, &["import", "logs", "calls.csv"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    folder
}

#[test]
fn without_secrets_everything_is_answered_but_whether_it_could_serve() {
    let folder = folder();
    for (arguments, code) in [
        (&["diagnose", "--at", AT][..], 3),
        (&["headroom", "--at", AT], 0),
        (&["headroom", "--ledger", "weir.db"], 0),
        (&["waste", "--at", AT], 0),
        (&["report", "--at", AT], 0),
        (&["report", "--runbook", "--at", AT], 0),
        (&["plan", "--users", "1", "--at", AT, "--no-proof"], 0),
        (&["providers", "--at", AT], 0),
        (&["providers", "compare", "--at", AT], 0),
        (&["spend", "--ledger", "weir.db", "--since", "2026-11-01"], 0),
        (&["export"], 0),
        (&["trace", "last"], 0),
    ] {
        let output = weir(folder.path(), CONFIG, arguments);
        let said = format!("{arguments:?}\n{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(!said.contains("tier Tier"), "{said}");
    }
    for (arguments, code) in [(&["check"][..], 1), (&["serve"], 2)] {
        let output = weir(folder.path(), CONFIG, arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        let said = text(&output.stderr);
        for name in
            ["WEIR_ADMIN_KEY_OF_PRODUCTION", "SLACK_WEBHOOK_URL", "OPENAI_API_KEY", "/run/secrets/anthropic", "APP_KEY"]
        {
            assert!(said.contains(name), "{arguments:?} {name}\n{said}");
        }
    }
    // A ledger whose url is a secret is known once it is named.
    let secret = CONFIG.replace("\"sqlite:weir.db\"", "{ env = \"DATABASE_URL\" }");
    let output = weir(folder.path(), &secret, &["waste", "--at", AT]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("`ledger.url` refers to a secret that is not set here"));
    let output = weir(folder.path(), &secret, &["waste", "--at", AT, "--ledger", "weir.db"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn times_are_read_alike_and_what_is_none_is_refused() {
    let folder = folder();
    let commands = [
        &["diagnose"][..],
        &["headroom"],
        &["waste"],
        &["report"],
        &["plan", "--users", "1", "--no-proof"],
        &["providers"],
        &["providers", "compare"],
    ];
    for command in commands {
        let with = |more: &[&str]| weir(folder.path(), CONFIG, &[command, more].concat());
        let said = text(&with(&["--at", "2026-11-18 14:00"]).stdout);
        for at in [AT, "1795010400000", "2026-11-18T14:00:00Z", "2026-11-18T15:00+01:00"] {
            assert_eq!(text(&with(&["--at", at]).stdout), said, "{command:?} {at}");
        }
        for at in ["2026", "soon", "-1", "2026-13-01"] {
            let output = with(&[&format!("--at={at}")]);
            assert_eq!(output.status.code(), Some(2), "{command:?} {at}");
            assert!(text(&output.stderr).contains("is no time"), "{command:?} {at}: {}", text(&output.stderr));
        }
    }
    for command in
        [&["diagnose"][..], &["waste"], &["report"], &["providers", "compare"], &["spend", "--ledger", "weir.db"]]
    {
        for (since, why) in [
            ("0d", "a span of nothing holds nothing"),
            ("soon", "`soon` is neither a span nor a time"),
            ("2100-01-01", "is not before"),
        ] {
            let output = weir(folder.path(), CONFIG, &[command, &["--since", since]].concat());
            assert_eq!(output.status.code(), Some(2), "{command:?} {since}");
            assert!(text(&output.stderr).contains(why), "{command:?} {since}: {}", text(&output.stderr));
        }
    }
}

#[test]
fn a_configuration_with_faults_is_refused_also_where_a_ledger_is_named() {
    let folder = folder();
    let wrong = CONFIG.replace("[routes.smart]", "[routes.smart]\nstrategie = \"balance\"");
    for command in [
        &["import", "logs", "calls.csv"][..],
        &["waste"],
        &["diagnose"],
        &["report"],
        &["headroom"],
        &["providers"],
        &["spend"],
        &["export"],
    ] {
        let output = weir(folder.path(), &wrong, &[command, &["--ledger", "weir.db"]].concat());
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        let said = text(&output.stderr);
        assert!(said.contains("unknown key `strategie`") && said.contains("weir.toml:"), "{command:?}: {said}");
    }
}
