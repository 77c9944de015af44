//! `weir diagnose` and `weir report` over a ledger with a month in it: a company that is ready passes all seven questions, and each fault
//! fails its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use weir_ledger::{Attempt, Entry, Event, Fact, Importer, Intent, Options, Outcome, Stage};
use weir_units::{FaultClass, NanoUsd, RequestId, Tokens, Usage, WallTime};

/// 2026-11-18T14:00:00Z.
const NOW: i64 = 1_795_010_400_000_000;
const AT: &str = "2026-11-18T14:00:00Z";
const MINUTE: i64 = 60_000_000;
const DAY: i64 = 1_440 * MINUTE;

const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:0"
[ledger]
url = "sqlite:weir.db"
[owner]
name = "Platform on-call"
notify = ["hook"]
[notifiers.hook]
kind = "webhook"
url = "http://127.0.0.1:9/alerts"
secret = { env = "HOOK_SECRET" }
[providers.main]
kind = "openai-compatible"
base-url = "http://127.0.0.1:9/v1"
limits = { requests-per-minute = 50 }
[providers.main.models.big]
price = { input = 1.0, output = 4.0 }
[providers.spare]
kind = "openai-compatible"
base-url = "http://127.0.0.1:9/v1"
limits = { requests-per-minute = 50 }
[providers.spare.models.large]
price = { input = 1.0, output = 4.0 }
[routes.smart]
deployments = ["main/big", "spare/large"]
critical = true
"#;

/// What happened in a month.
struct Month {
    /// Requests in each minute of the busiest hour.
    peak: u64,
    /// Answers by the second provider.
    by_spare: u64,
    /// Requests that ended in the provider's own 429, and in 502.
    limited: u64,
    broken: u64,
    /// Requests whose first attempt was billed and lost.
    retried: u64,
}

const CALM: Month = Month { peak: 30, by_spare: 40, limited: 1, broken: 30, retried: 10 };

fn attempt(deployment: &str, at: i64, status: u16, class: Option<FaultClass>) -> Attempt {
    let usage = Usage { input: Tokens(900), output: Tokens(100), ..Usage::default() };
    let answered = class.is_none();
    Attempt {
        deployment: deployment.into(),
        status: Some(status),
        class,
        message: None,
        upstream_id: None,
        started_at: WallTime(at),
        ended_at: WallTime(at + 1_000_000),
        usage: answered.then_some(usage),
        cost_usd: Some(if answered { NanoUsd(1_300_000) } else { NanoUsd::ZERO }),
        cost_estimated: false,
    }
}

fn entry(n: u64, at: i64) -> Entry {
    let intent = Intent {
        id: RequestId::new(at / 1_000, u128::from(n)),
        run: Some(format!("run_{}", n / 5).into()),
        key: None,
        tenant: Some("default".into()),
        tags: Vec::new(),
        route: "smart".into(),
        model: "smart".into(),
        dialect: "openai",
        endpoint: "chat",
        stream: false,
        trace: None,
        sdk_retry: None,
        started_at: WallTime(at),
    };
    let mut entry = Entry::of(intent, Outcome::Answered);
    (entry.status, entry.ended_at) = (Some(200), Some(WallTime(at + 1_000_000)));
    entry.attempts = vec![attempt("main/big", at, 200, None)];
    entry
}

fn refused(entry: &mut Entry, at: i64, status: u16, class: FaultClass) {
    entry.outcome = Outcome::Failed;
    (entry.status, entry.refused_by) = (Some(status), Some("main".into()));
    entry.attempts = vec![attempt("main/big", at, status, Some(class))];
}

impl Month {
    fn entries(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        let peak = NOW - DAY;
        for minute in 0..60 {
            for n in 0..self.peak {
                let at =
                    peak + minute * MINUTE + i64::try_from(n).unwrap() * MINUTE / i64::try_from(self.peak).unwrap();
                entries.push(entry(entries.len() as u64, at));
            }
        }
        // The rest of the month, one each quarter of an hour.
        for quarter in 0..28 * 96 {
            let at = NOW - 29 * DAY + quarter * 15 * MINUTE;
            entries.push(entry(entries.len() as u64, at));
        }
        let first = usize::try_from(self.peak * 60).unwrap();
        let mut quiet = entries[first..].iter_mut();
        for _ in 0..self.by_spare {
            let entry = quiet.next().unwrap();
            entry.attempts = vec![attempt("spare/large", entry.started_at.0, 200, None)];
        }
        for _ in 0..self.limited {
            let entry = quiet.next().unwrap();
            refused(entry, entry.started_at.0, 429, FaultClass::RateLimited);
        }
        for _ in 0..self.broken {
            let entry = quiet.next().unwrap();
            refused(entry, entry.started_at.0, 502, FaultClass::ServerError);
        }
        for _ in 0..self.retried {
            let entry = quiet.next().unwrap();
            let at = entry.started_at.0;
            let mut lost = attempt("main/big", at, 502, Some(FaultClass::ServerError));
            lost.cost_usd = Some(NanoUsd(1_300_000));
            entry.attempts.insert(0, lost);
            let wasted = Fact::Wasted {
                why: "failed_attempt",
                input: 900,
                output: 100,
                cost_usd: Some(NanoUsd(1_300_000)),
                estimated: false,
            };
            entry.events.push(Event { at: WallTime(at), stage: Stage::Call, fact: wasted });
        }
        for entry in &mut entries {
            entry.sum_costs();
        }
        entries
    }
}

fn folder(month: &Month) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut importer = Importer::open(&Options::new(folder.path().join("weir.db"))).await.unwrap();
        importer.add(month.entries()).await.unwrap();
        importer.close().await.unwrap();
    });
    folder
}

fn weir(folder: &Path, config: &str, arguments: &[&str]) -> Output {
    std::fs::write(folder.join("weir.toml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    // No secret is set: where nothing is served, none is needed.
    command.env_clear().env("LANG", "C.UTF-8");
    command.args(arguments).arg("--config").arg(folder.join("weir.toml")).output().unwrap()
}

/// The exit code, the grade of each question, and all that was said.
fn diagnosed(folder: &Path, config: &str) -> (i32, BTreeMap<u64, String>, Value) {
    let output = weir(folder, config, &["diagnose", "--json", "--at", AT]);
    let said: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let questions = said["questions"].as_array().unwrap();
    let grade = |one: &Value| (one["question"].as_u64().unwrap(), one["grade"].as_str().unwrap().to_owned());
    (output.status.code().unwrap(), questions.iter().map(grade).collect(), said)
}

fn failing(grades: &BTreeMap<u64, String>) -> Vec<u64> {
    grades.iter().filter(|(_, grade)| *grade == "fail").map(|(question, _)| *question).collect()
}

#[test]
fn a_company_that_is_ready_passes_and_each_fault_of_the_config_fails_its_own_question() {
    let folder = folder(&CALM);
    let (code, grades, said) = diagnosed(folder.path(), CONFIG);
    assert!(grades.values().all(|grade| grade == "pass"), "{said:#}");
    assert_eq!((code, said["exit_code"].as_i64()), (0, Some(0)));
    let second = &said["questions"][1]["figures"];
    assert_eq!(
        (&second["outages"][0]["down"], &second["outages"][0]["lost"]),
        (&"main".into(), &0.0.into()),
        "{second}"
    );
    assert!(second["availability"][0]["expected"].as_f64().unwrap() > 0.999, "{second}");

    let no_owner = CONFIG.replace("[owner]\nname = \"Platform on-call\"\nnotify = [\"hook\"]\n", "");
    let no_breaker = format!("{CONFIG}[breaker]\nconsecutive-failures = 1000000\nfailure-rate = 1.0\n");
    let no_guards = format!("{CONFIG}[runs]\nloops = \"off\"\n");
    let unready_spare = CONFIG.replace("[providers.spare]", "[providers.spare]\n# small").replacen(
        "= 50 }\n[providers.spare.m",
        "= 5 }\n[providers.spare.m",
        1,
    );
    let unnamed = CONFIG.replace("name = \"Platform on-call\"\n", "");
    let brief = format!("{CONFIG}[breaker]\ncooldown = \"1ms\"\n");
    let no_guards_of_route = format!("{CONFIG}[routes.smart.runs]\nloops = \"off\"\n");
    let only_warned = format!("{CONFIG}[routes.smart.runs]\nloops = \"warn\"\n");
    let unguarded_key = format!("{CONFIG}[keys.app]\nkey = {{ env = \"APP_KEY\" }}\nruns = {{ loops = \"off\" }}\n");
    for (config, question) in [
        (no_owner, 7),
        (unnamed, 7),
        (no_breaker, 3),
        (brief, 3),
        (no_guards, 3),
        (no_guards_of_route, 3),
        (only_warned, 3),
        (unguarded_key, 3),
        (unready_spare, 2),
    ] {
        let (code, grades, said) = diagnosed(folder.path(), &config);
        assert_eq!((code, failing(&grades)), (1, vec![question]), "{config}\n{said:#}");
        assert!(said["questions"][usize::try_from(question).unwrap() - 1]["do"].is_string(), "{said:#}");
    }
    let alone = CONFIG.replace(", \"spare/large\"", "");
    assert_eq!(failing(&diagnosed(folder.path(), &alone).1), [2, 6]);

    let output = weir(folder.path(), "[providers.main]\nkind = \"none\"\n", &["diagnose"]);
    assert_eq!(output.status.code(), Some(2));
    // Before all of it, long after it, and in a ledger of nobody's, nothing is known, and nothing fails for that.
    let empty = self::folder(&Month { peak: 0, by_spare: 0, limited: 0, broken: 0, retried: 0 });
    for (folder, at) in [(&folder, "2026-01-01"), (&folder, "2036-01-01"), (&empty, "2026-10-20")] {
        let output = weir(folder.path(), CONFIG, &["diagnose", "--at", at]);
        assert_eq!(output.status.code(), Some(3), "{at}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn each_fault_of_a_month_fails_its_own_question() {
    for (month, question, answer) in [
        (Month { peak: 46, ..CALM }, 5, "peak hour uses 92 % of main requests/min"),
        (Month { by_spare: 3, ..CALM }, 6, "route smart: secondary gave 3 of 20 answers in 30 days"),
        (Month { limited: 45, ..CALM }, 1, "429s are 60 % of errors in 30 days (1 % of requests)"),
        (Month { retried: 600, ..CALM }, 4, "retries are 11.9 % of token spend ($0.78 a month)"),
    ] {
        let folder = folder(&month);
        let (code, grades, said) = diagnosed(folder.path(), CONFIG);
        assert_eq!((code, failing(&grades)), (1, vec![question]), "{said:#}");
        let told = said["questions"][usize::try_from(question).unwrap() - 1]["answer"].as_str().unwrap();
        assert_eq!(told.replace('\u{202f}', " "), answer);
    }
}

#[test]
fn without_a_ledger_the_config_is_answered_for_and_the_rest_has_not_enough_data() {
    let folder = tempfile::tempdir().unwrap();
    let (code, grades, _) = diagnosed(folder.path(), CONFIG);
    assert_eq!((code, grades[&3].as_str(), grades[&7].as_str()), (3, "pass", "pass"));
    let unknown = grades.values().filter(|grade| *grade == "unknown").count();
    assert_eq!(unknown, 5);
    let no_owner = CONFIG.replace("[owner]\nname = \"Platform on-call\"\nnotify = [\"hook\"]\n", "");
    assert_eq!(diagnosed(folder.path(), &no_owner).0, 1);
    let output = weir(folder.path(), CONFIG, &["diagnose"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("2 of 7 pass, 5 have not enough data        30 d to "), "{said}");
    assert!(said.contains("\n7  PASS  Platform on-call owns capacity\n") && said.contains("exit 3"), "{said}");
}

#[test]
fn the_weekly_report_and_the_runbook_are_written_from_config_and_ledger() {
    let folder = folder(&CALM);
    let report = folder.path().join("week.html");
    let output = weir(folder.path(), CONFIG, &["report", "--at", AT, "--out", report.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let page = std::fs::read_to_string(&report).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("<h2>Decisions wanted</h2>"), "{page}");
    assert!(!page.contains("<script") && !page.contains("<link"), "nothing is fetched");
    let output = weir(folder.path(), CONFIG, &["report", "--at", AT]);
    let page = String::from_utf8(output.stdout).unwrap().replace('\u{202f}', " ");
    for line in [
        "# Capacity report, week to Wed 18 Nov 2026",
        "Owner: Platform on-call.",
        "| users of | smart | 100 % |",
        "| main requests/min | 50 |",
        "7 of 7 pass.",
        "| 5 | pass | peak hour uses 60 % of main requests/min |",
        "without main:",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
    let output = weir(folder.path(), CONFIG, &["report", "--runbook", "--at", AT]);
    let page = String::from_utf8(output.stdout).unwrap().replace('\u{202f}', " ");
    assert!(page.contains("| main | spare/large | 200 from spare/large;"), "{page}");
    assert!(page.contains("| yes: spare requests/min would run at"), "{page}");
    // With no ledger there is a runbook all the same.
    let empty = tempfile::tempdir().unwrap();
    let output = weir(empty.path(), CONFIG, &["report", "--runbook"]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("not known: no traffic"));
}

#[test]
fn check_asks_for_an_owner_once_there_is_more_than_one_provider_or_key() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "0123456789abcdef").unwrap();
    let no_owner = CONFIG.replace("[owner]\nname = \"Platform on-call\"\nnotify = [\"hook\"]\n", "");
    let said = |config: &str| {
        let output =
            weir(folder.path(), &config.replace("{ env = \"HOOK_SECRET\" }", "{ file = \"secret\" }"), &["check"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stderr).unwrap()
    };
    let warned = said(&no_owner);
    assert!(warned.contains("nobody owns the LLM capacity of 2 providers and 0 keys"), "{warned}");
    assert!(warned.contains("`name = \"Platform on-call\"`") && warned.contains("`notify = [\"hook\"]`"), "{warned}");
    assert!(!said(CONFIG).contains("nobody owns"));
    let one = "[providers.main]\nkind = \"mock\"\n";
    assert!(!said(one).contains("nobody owns"));
}
