//! The capacity desk over a ledger with a month in it: one provider whose demand grows towards its limit, one whose demand is flat.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

#[path = "faults/client.rs"]
#[expect(dead_code, reason = "these tests need less of it than the fault matrix")]
mod client;
#[expect(dead_code, reason = "this gateway is neither killed nor reloaded")]
mod live;

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use weir_ledger::{Attempt, Entry, Importer, Intent, Options, Outcome};
use weir_units::{NanoUsd, RequestId, Tokens, Usage, WallTime};

use crate::live::{Weir, binary, text};

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 1_440 * MINUTE;
const DAYS: i64 = 28;
const LIMIT: f64 = 300_000.0;

/// When the month ends: the whole hour before this test began.
static END: LazyLock<WallTime> = LazyLock::new(|| {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    WallTime(i64::try_from(micros).unwrap() / (60 * MINUTE) * 60 * MINUTE)
});

/// A ledger with the month in it; several tests read it, and none writes to it.
static LEDGER: LazyLock<(tempfile::TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weir.db");
    fill(&path);
    (folder, path)
});

fn fill(path: &Path) {
    let path = path.to_owned();
    let filling = async move {
        let retention = Duration::from_secs(400 * 86_400);
        let mut importer = Importer::open(&Options { retention, ..Options::new(&path) }).await.unwrap();
        let mut draw = 7_u64;
        for day in 0..DAYS {
            let mut entries = Vec::new();
            for minute in (0..1_440).step_by(5) {
                let at = WallTime(END.0 - DAYS * DAY + day * DAY + minute * MINUTE);
                draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let noise = 0.95 + (draw >> 40) as f64 / f64::from(1 << 24) / 10.0;
                let of_day = 0.6 - 0.4 * (at.0 as f64 / DAY as f64 * std::f64::consts::TAU).cos();
                // Two percent a day, so that eleven days are left.
                let grows = 1.02_f64.powi(i32::try_from(day - DAYS).unwrap());
                let key = if minute % 4 == 0 { "nightly-eval" } else { "shop" };
                entries.push(entry(at, 0, "openai/gpt-5", key, LIMIT * 0.76 * grows * of_day * noise));
                entries.push(entry(at, 1, "anthropic/sonnet", "shop", 50_000.0 * of_day * noise));
            }
            importer.add(entries).await.unwrap();
        }
        importer.close().await.unwrap();
    };
    std::thread::spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(filling)).join().unwrap();
}

fn entry(at: WallTime, n: u128, deployment: &str, key: &str, tokens: f64) -> Entry {
    let intent = Intent {
        id: RequestId::new(at.millis(), n),
        run: None,
        key: Some(key.into()),
        tenant: Some("team-a".into()),
        tags: Vec::new(),
        route: "smart".into(),
        model: "smart".into(),
        dialect: "openai",
        endpoint: "/v1/chat/completions",
        stream: false,
        trace: None,
        sdk_retry: None,
        started_at: at,
    };
    let mut entry = Entry::of(intent, Outcome::Answered);
    let ended = WallTime(at.0 + 2_000_000);
    let usage = Usage { input: Tokens(tokens as u64), output: Tokens(100), ..Usage::default() };
    let cost = Some(NanoUsd(tokens as i64 * 1_000));
    entry.attempts = vec![Attempt {
        deployment: deployment.into(),
        status: Some(200),
        class: None,
        message: None,
        upstream_id: None,
        started_at: at,
        ended_at: ended,
        usage: Some(usage),
        cost_usd: cost,
        cost_estimated: false,
    }];
    (entry.status, entry.ended_at, entry.usage) = (Some(200), Some(ended), Some(usage));
    entry.sum_costs();
    entry
}

fn config() -> String {
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
admin-key = {{ env = "ADMIN" }}
[ledger]
url = "sqlite:{}"
retention = "400d"
[owner]
name = "Platform on-call"
lead-time = "10d"
[providers.openai]
kind = "openai-compatible"
base-url = "http://127.0.0.1:9/v1"
limits = {{ input-tokens-per-minute = 300_000 }}
tier = "3"
contact = "account team"
models."gpt-5" = {{ price = {{ input = 1.0, output = 1.0 }} }}
[providers.anthropic]
kind = "openai-compatible"
base-url = "http://127.0.0.1:9/v1"
limits = {{ input-tokens-per-minute = 250_000 }}
models.sonnet = {{ price = {{ input = 2.0, output = 2.0 }} }}
[routes.smart]
deployments = ["openai/gpt-5", "anthropic/sonnet"]
[budgets.team-a]
limit = "5000.00"
period = "month"
[tenants.team-a]
budgets = ["team-a"]
[keys.nightly-eval]
key-hash = "1111111111111111111111111111111111111111111111111111111111111111"
priority = "batch"
[keys.shop]
key-hash = "2222222222222222222222222222222222222222222222222222222222222222"
tenant = "team-a"
"#,
        LEDGER.1.display()
    )
}

fn headroom(more: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.toml");
    std::fs::write(&file, config()).unwrap();
    let mut command = binary();
    command.env("ADMIN", live::ADMIN).args(["headroom", "--config", file.to_str().unwrap()]).args(more);
    command.output().unwrap()
}

fn days_after_end(at: &Value) -> f64 {
    let at: WallTime = at.as_str().unwrap_or_else(|| panic!("no time: {at}")).parse().unwrap();
    (at.0 - END.0) as f64 / DAY as f64
}

#[test]
fn a_trend_towards_its_limit_is_seen_in_time_with_options_and_a_flat_one_is_left_alone() {
    let got = headroom(&["--json", "--at", &END.to_string()]);
    assert!(got.status.success(), "{}", text(&got.stderr));
    let told: Value = serde_json::from_slice(&got.stdout).unwrap();
    let desk = &told["capacity"];
    let [openai, anthropic] = ["openai", "anthropic"]
        .map(|pool| desk["ceilings"].as_array().unwrap().iter().find(|one| one["pool"] == pool).unwrap());
    let peak = openai["peak"]["share"].as_f64().unwrap();
    assert!((0.70..0.82).contains(&peak), "{peak}");
    assert!(openai["busiest"]["share"].as_f64().unwrap() > peak, "{}", openai["busiest"]);
    // It crosses eleven to fourteen days ahead: at the top of the day, in the busy minute.
    let likely = days_after_end(&openai["exhaustion"]["p50"]);
    assert!((6.0..18.0).contains(&likely), "{likely}");
    let first = days_after_end(&openai["exhaustion"]["p10"]);
    assert!(first <= likely && (days_after_end(&openai["decide_by"]) - (first - 10.0)).abs() < 0.01);
    assert_eq!((openai["alarms"].as_bool(), anthropic["alarms"].as_bool()), (Some(true), Some(false)), "{openai}");
    assert_eq!((desk["owner"].as_str(), openai["tier"].as_str()), (Some("Platform on-call"), Some("3")));
    let kinds: Vec<&str> =
        openai["options"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    for kind in ["tier-upgrade", "routing", "batch"] {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }
    let nights = openai["model"]["nights"].as_u64().unwrap();
    let held = openai["model"]["coverage90"].as_f64().unwrap();
    assert!(nights >= 3 && held > 0.7, "{}", openai["model"]);
    let without = &desk["failover"].as_array().unwrap().iter().find(|one| one["without"] == "openai").unwrap();
    assert_eq!(without["holds"], false, "{without}");
    assert_eq!(told["pools"][0]["limits"][0]["dimension"], "input-tokens-per-minute");
    let budget = &desk["budgets"][0];
    assert_eq!((budget["name"].as_str(), budget["limit_usd"].as_str()), (Some("team-a"), Some("5000")));
    assert!(budget["period_end"]["at_end"][1].as_f64().unwrap() > 0.0, "{budget}");
}

#[test]
fn for_no_terminal_it_is_a_record_a_line_and_of_one_pool_where_one_is_named() {
    let got = headroom(&["--at", &END.to_string(), "--pool", "openai"]);
    let lines = text(&got.stdout);
    assert!(got.status.success(), "{}", text(&got.stderr));
    assert!(lines.starts_with("ceiling openai input-tokens-per-minute limit=300000 now=0."), "{lines}");
    assert!(lines.contains("alarms=yes") && lines.contains("\noption openai input-tokens-per-minute kind="), "{lines}");
    assert!(lines.contains("\nfailover without=openai holds=no"), "{lines}");
    assert!(lines.contains("\nowner Platform_on-call") && !lines.contains("ceiling anthropic"), "{lines}");
}

#[test]
fn a_short_history_says_when_a_forecast_starts_and_headroom_needs_none() {
    let at = WallTime(END.0 - (DAYS - 6) * DAY);
    let told: Value = serde_json::from_slice(&headroom(&["--json", "--at", &at.to_string()]).stdout).unwrap();
    let openai = &told["capacity"]["ceilings"].as_array().unwrap().iter().find(|one| one["pool"] == "openai").unwrap();
    let why = openai["no_forecast"].as_str().unwrap();
    assert!(why.contains(" of 14 days of history; dates start "), "{why}");
    assert!(openai["peak"]["share"].as_f64().unwrap() > 0.4 && openai["exhaustion"].is_null(), "{openai}");
}

#[test]
fn exit_codes_tell_no_from_wrong_from_unknown_from_unreachable() {
    for (more, code, said) in [
        (vec!["--at", "2020-01-01"], 3, "nothing was asked for until then"),
        (vec!["--at", "2020-01-01", "--pool", "gpt"], 1, "no pool with limits is called `gpt`"),
        (vec!["--at", "soon"], 2, "is no time"),
        (vec!["--ledger", "/nowhere/weir.db"], 4, "/nowhere/weir.db"),
    ] {
        let got = headroom(&more);
        assert_eq!(got.status.code(), Some(code), "{more:?}: {}", text(&got.stderr));
        assert!(text(&got.stderr).contains(said), "{more:?}: {}", text(&got.stderr));
    }
}

#[tokio::test]
async fn a_gateway_tells_the_same_and_alerts_its_owner() {
    let weir = tokio::task::spawn_blocking(|| Weir::start(&config())).await.unwrap();
    let desk = weir.told("/admin/v1/capacity").await;
    let openai = desk["ceilings"].as_array().unwrap().iter().find(|one| one["pool"] == "openai").unwrap();
    assert_eq!(openai["alarms"], true, "{openai}");
    let headroom = weir.told("/admin/v1/headroom").await;
    let pools = headroom["pools"].as_array().unwrap();
    let pool = pools.iter().find(|pool| pool["pool"] == "openai").unwrap();
    assert!(pool["limits"][0]["ahead"]["forecast_percent"].as_f64().unwrap() > 70.0, "{pool}");
    let alert = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            let alerts = weir.told("/admin/v1/alerts").await;
            let found = alerts["alerts"].as_array().unwrap().iter().find(|one| one["rule"] == "ceiling-ahead").cloned();
            if let Some(found) = found {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .expect("an alert opens");
    let subject = alert["subject"].as_str().unwrap();
    assert!(subject.starts_with("Headroom: openai input tokens peak at ") && subject.contains("; full by "), "{alert}");
    assert!(alert["do"].as_str().unwrap().contains("upgrade from tier 3"), "{alert}");
    let lines = text(&weir.weir(&["headroom", "--pool", "openai"]).await.stdout);
    assert!(lines.starts_with("limit openai input-tokens/min use=") && lines.contains("\nceiling openai "), "{lines}");
}
