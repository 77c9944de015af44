//! Logs of other tools through the command: answered from, imported once however often, and the same for what Weir exported itself.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn weir(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.current_dir(folder).args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    for name in ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AZURE_API_KEY", "MASTER_KEY"] {
        command.env(name, format!("secret-of-{name}-and-twenty-four"));
    }
    command.output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn json(output: &Output) -> Value {
    let told = String::from_utf8_lossy(&output.stderr);
    let text = plain(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text} {told}"))
}

/// What was printed, with plain spaces before units.
fn plain(printed: &[u8]) -> String {
    String::from_utf8_lossy(printed).replace('\u{202f}', " ")
}

/// A LiteLLM log of a thousand calls within three days: each twentieth is refused with a 429 and tried again.
fn spend_log() -> String {
    let mut log = String::new();
    for n in 0..1_000_u64 {
        let second = 1_795_010_400 + n * 250;
        let (status, tokens) = if n % 20 == 0 { ("failure", 0) } else { ("success", 1_000) };
        let error = if n % 20 == 0 { r#"{"error_code":"429","error_class":"RateLimitError"}"# } else { "null" };
        let second = if n % 20 == 1 { second - 240 } else { second };
        writeln!(
            log,
            r#"{{"request_id":"c-{n}","call_type":"acompletion","spend":{},"total_tokens":{tokens},"prompt_tokens":{tokens},"completion_tokens":0,"startTime":{second}.0,"endTime":{second}.9,"model":"gpt-5-mini","model_group":"smart","custom_llm_provider":"openai","metadata":{{"user_api_key_alias":"bot","error_information":{error}}},"cache_hit":"False","end_user":"u{}","status":"{status}"}}"#,
            if tokens == 0 { "0.0" } else { "0.00025" },
            n / 20
        )
        .unwrap();
    }
    log.push_str("{\"request_id\":\"cut");
    log
}

#[test]
fn questions_are_answered_from_a_log_and_damage_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let packed = written(folder.path());
    let told = weir(folder.path(), &["diagnose", "--logs", &packed, "--json"]);
    let read = json(&told);
    assert_eq!(code(&told), 1, "{read}");
    assert_eq!(read["questions"][0]["grade"], "fail");
    assert_eq!(read["questions"][3]["grade"], "pass");
    assert_eq!((&read["files"][0]["calls"], &read["files"][0]["damaged"]), (&Value::from(1_000), &Value::from(1)));
    let answer = read["questions"][3].to_string();
    assert!(answer.contains("5.3 %"), "50 of 950 calls with tokens are retries: {answer}");
    let person = weir(folder.path(), &["diagnose", "--logs", &packed]);
    let (out, talk) = (plain(&person.stdout), plain(&person.stderr));
    assert!(out.contains("429s are 100 % of errors") && out.contains("exit 1"), "{out}");
    assert!(talk.contains("1 damaged") && talk.contains("line 1,001"), "{talk}");
}

fn written(folder: &Path) -> String {
    fs::write(folder.join("spend.jsonl"), spend_log()).unwrap();
    "spend.jsonl".to_owned()
}

#[test]
fn limits_come_from_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = String::new();
    for n in 0..60 * 46_u64 {
        let second = 1_795_010_400 + n * 3_600 / (60 * 46);
        writeln!(log, r#"{{"timestamp":{second},"status":200,"model":"gpt-5-mini","provider":"openai","prompt_tokens":10,"completion_tokens":1}}"#).unwrap();
    }
    fs::write(folder.path().join("calls.jsonl"), log).unwrap();
    fs::write(
        folder.path().join("weir.toml"),
        "[providers.openai]\nkind = \"openai\"\nlimits = { requests-per-minute = 50 }\n",
    )
    .unwrap();
    let read = json(&weir(folder.path(), &["diagnose", "--logs", "calls.jsonl", "--config", "weir.toml", "--json"]));
    assert_eq!(read["questions"][4]["grade"], "fail", "{}", read["questions"][4]);
    assert!(read["questions"][4].to_string().contains("92 %"), "{}", read["questions"][4]);
    let read = json(&weir(folder.path(), &["diagnose", "--logs", "calls.jsonl", "--json"]));
    assert_eq!(read["questions"][4]["grade"], "unknown", "{}", read["questions"][4]);
    assert!(read["questions"][4].to_string().contains("--config weir.toml"));
}

#[test]
fn a_log_is_imported_once_however_often_and_an_export_is_the_same_in_another_ledger() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("spend.jsonl"), spend_log()).unwrap();
    let import = |files: &str, ledger: &str| {
        let told = weir(folder.path(), &["import", "logs", files, "--ledger", ledger, "--json"]);
        assert_eq!(code(&told), 0, "{}", String::from_utf8_lossy(&told.stderr));
        let read = json(&told);
        (read["added"].as_u64().unwrap(), read["known"].as_u64().unwrap())
    };
    assert_eq!(import("spend.jsonl", "a.db"), (1_000, 0));
    assert_eq!(import("spend.jsonl", "a.db"), (0, 1_000));
    let export = |ledger: &str| weir(folder.path(), &["export", "--ledger", ledger]).stdout;
    let exported = export("a.db");
    assert_eq!(exported.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count(), 1_000);
    fs::write(folder.path().join("export.jsonl"), &exported).unwrap();
    assert_eq!(import("export.jsonl", "b.db"), (1_000, 0));
    assert!(export("b.db") == exported, "the records are those that were exported");
    let dry = weir(folder.path(), &["import", "logs", "spend.jsonl", "--dry-run", "--ledger", "c.db"]);
    assert_eq!((code(&dry), folder.path().join("c.db").exists()), (0, false));
}

#[test]
fn a_file_that_is_named_twice_counts_once_and_an_archive_that_is_not_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("spend.jsonl"), spend_log()).unwrap();
    fs::write(folder.path().join("logs.zip"), b"PK\x03\x04more").unwrap();
    let told = weir(
        folder.path(),
        &["import", "logs", "spend.jsonl", "./spend.jsonl", "logs.zip", "--ledger", "a.db", "--json"],
    );
    let read = json(&told);
    assert_eq!((code(&told), &read["added"], &read["known"]), (0, &Value::from(1_000), &Value::from(0)));
    assert_eq!(read["files"].as_array().map(Vec::len), Some(2));
    assert!(read["files"][1]["cut"].to_string().contains("a zip archive"), "{}", read["files"][1]);
}

#[test]
fn what_cannot_be_read_is_said_with_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("prose.txt"), "nothing of a call\n").unwrap();
    assert_eq!(code(&weir(folder.path(), &["import", "logs", "absent.log", "--ledger", "a.db"])), 2);
    assert_eq!(code(&weir(folder.path(), &["import", "logs", "prose.txt", "--ledger", "a.db"])), 3);
    assert_eq!(code(&weir(folder.path(), &["diagnose", "--logs", "absent.log"])), 2);
    assert_eq!(code(&weir(folder.path(), &["diagnose", "--logs", "prose.txt"])), 3);
    assert_eq!(code(&weir(folder.path(), &["diagnose", "--logs", "prose.txt", "--map", "nonsense"])), 2);
}

#[test]
fn a_litellm_configuration_becomes_one_that_check_takes() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("config.yaml"),
        "model_list:\n  - model_name: smart\n    litellm_params: {model: openai/gpt-5-mini, api_key: os.environ/OPENAI_API_KEY, rpm: 500}\n\
         \x20 - model_name: smart\n    litellm_params: {model: azure/gpt-eu, api_base: \"https://a.openai.azure.com\", api_key: os.environ/AZURE_API_KEY}\n",
    )
    .unwrap();
    let told = weir(folder.path(), &["import", "litellm", "config.yaml", "--out", "weir.toml"]);
    assert_eq!(code(&told), 0, "{}", String::from_utf8_lossy(&told.stderr));
    let checked = weir(folder.path(), &["check", "--config", "weir.toml"]);
    assert_eq!(code(&checked), 0, "{}", String::from_utf8_lossy(&checked.stderr));
    fs::write(folder.path().join("more.yaml"), "litellm_settings: {cache: true}\nmodel_list:\n  - model_name: m\n    litellm_params: {model: openai/gpt-5-mini}\n").unwrap();
    let told = weir(folder.path(), &["import", "litellm", "more.yaml"]);
    assert_eq!(code(&told), 1);
    assert!(String::from_utf8_lossy(&told.stderr).contains("more.yaml:1  litellm_settings.cache"));
    fs::write(folder.path().join("broken.yaml"), "model_list: [").unwrap();
    assert_eq!(code(&weir(folder.path(), &["import", "litellm", "broken.yaml", "--out", "none.toml"])), 2);
    assert!(!folder.path().join("none.toml").exists());
}
