//! Each rule: it is told once when it begins and once when it ends, with how long it took and how bad it was.

use serde_json::json;
use weir_mock::Profile;
use weir_sim::Standing;
use weir_units::{Dimension, Limits};

use crate::client::send;
use crate::world::{BOT, World, searched};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_breaker_that_opens_and_closes() {
    let world = World::start("").await;
    world.order("500");
    world.ask(6).await;
    let (opened, resolved) = world
        .began_and_ended("breaker-open", async || {
            world.mock.clear();
            world.until_breaker(|state| state == "closed").await;
        })
        .await;
    let alert = &opened.json()["alert"];
    assert_eq!((alert["about"].as_str(), alert["severity"].as_str()), (Some("m/smart"), Some("error")));
    assert!(alert["subject"].as_str().unwrap().starts_with("Breaker open: m/smart since "), "{alert}");
    assert_eq!(alert["evidence"][1], "nothing else serves route smart");
    let words = resolved.json()["title"].as_str().unwrap().to_owned();
    assert!(words.contains("the breaker of m/smart is closed; peak ") && words.contains("attempts failed"), "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_down_and_comes_back() {
    let world = World::start("").await;
    world.order("503");
    world.ask(5).await;
    let (opened, _) = world
        .began_and_ended("provider-down", async || {
            world.mock.clear();
            world.until_answered().await;
        })
        .await;
    let subject = opened.json()["alert"]["subject"].as_str().unwrap().to_owned();
    assert!(subject.starts_with("Provider down: m answered 0 of "), "{subject}");
    assert_eq!(opened.json()["alert"]["severity"], "critical");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_throttles_and_stops_to() {
    let world = World::start("window = \"3s\"\nleast-attempts = 2\n====\n").await;
    world.mock.order(Standing::next("429".parse().unwrap(), 1));
    world.ask(1).await;
    world.until_answered().await;
    assert_eq!(world.ask(1).await, [200]);
    let (opened, _) = world.began_and_ended("throttled", async || {}).await;
    let subject = opened.json()["alert"]["subject"].as_str().unwrap().to_owned();
    assert!(subject.starts_with("429s: m refuses ") && subject.contains(" % of attempts"), "{subject}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_is_nearly_used_up_and_raised() {
    let limits = |most: u64| {
        format!(
            "headroom = 0.5\n====\n[pools.p]\nlimits = {{ requests-per-minute = {most} }}\n[providers.m.models.other]\npool = \"p\"\n[routes.o]\ndeployments = [\"m/other\"]\n"
        )
    };
    let world = World::start(&limits(10)).await;
    for _ in 0..6 {
        assert_eq!(world.weir.ask(BOT, "o").await, 200);
    }
    let (opened, _) = world.began_and_ended("headroom", async || world.reload(&limits(10_000)).await).await;
    let alert = &opened.json()["alert"];
    assert_eq!(alert["about"], "p requests/min");
    assert!(alert["subject"].as_str().unwrap().starts_with("Headroom: p requests/min at "), "{alert}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_that_is_refused_and_replaced() {
    let world = World::start("").await;
    world.order("401");
    world.ask(1).await;
    let (opened, _) = world
        .began_and_ended("credential-refused", async || {
            world.mock.clear();
            std::fs::write(world.keys.path().join("provider"), "sk-second").unwrap();
            world.reload("").await;
        })
        .await;
    let text = opened.text;
    assert!(text.contains("Credential refused: m answers 401 since "), "{text}");
    assert!(!text.contains("sk-first"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_that_is_nearly_spent_and_one_that_burns() {
    let budget = |limit: &str| {
        format!("[budgets.team]\nlimit = \"{limit}\"\nperiod = \"day\"\nmode = \"soft\"\nwarn-at = [0.2, 0.9]\n")
    };
    let world = World::start(&budget("10")).await;
    // Each answer of five words costs about half a dollar at these prices.
    while world.weir.told("/admin/v1/budgets").await["budgets"][0]["spent_share"].as_f64().unwrap() < 0.25 {
        let body = json!({ "model": "smart", "max_tokens": 8, "messages": [{ "role": "user", "content": "words=5" }] });
        assert_eq!(world.weir.ask_for(BOT, "", &body).await.status, 200);
    }
    let raised = async || world.reload(&budget("100000")).await;
    let (warned, _) = world.began_and_ended("budget-warn", raised).await;
    let subject = warned.json()["alert"]["subject"].as_str().unwrap().to_owned();
    assert!(subject.starts_with("Budget team: 20 % of $10 spent"), "{subject}");
    let (burned, _) = world.began_and_ended("burn-rate", async || {}).await;
    let subject = burned.json()["alert"]["subject"].as_str().unwrap().to_owned();
    assert!(subject.starts_with("Burn: team spends ") && subject.contains(" times its plan"), "{subject}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_halted_and_released() {
    let world = World::start("").await;
    let halted = world.weir.ask_for(BOT, "x-weir-run: nightly\r\n", &searched(5)).await;
    assert_eq!(halted.status, 422, "{}", halted.body);
    let (opened, _) = world
        .began_and_ended("run-halted", async || {
            let output = world.weir.weir(&["runs", "release", "nightly", "--tenant", "shop"]).await;
            assert!(output.status.success());
        })
        .await;
    let alert = &opened.json()["alert"];
    assert!(alert["subject"].as_str().unwrap().starts_with("Run halted: nightly of shop"), "{alert}");
    assert!(alert["do"].as_str().unwrap().contains("weir runs release nightly"));
    assert!(!opened.text.contains("find the usual report"), "nothing of what was said");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_the_provider_lowers_and_raises() {
    let of = |most: u64| {
        let mut limits = Limits::NONE;
        limits.set(Dimension::RequestsPerMinute, Some(most));
        limits
    };
    let world = World::with(Profile { limits: of(900), ..Profile::default() }, "notify = [\"hook\"]", "").await;
    let limited = async |most: u64| {
        let body = json!({ "requests_per_minute": most }).to_string();
        let set = send(world.mock.address(), "/mock/profile", "", &body).await.unwrap();
        assert_eq!((set.status, world.ask(1).await), (200, vec![200]), "{}", set.body);
    };
    assert_eq!(world.ask(1).await, [200]);
    limited(600).await;
    let (opened, _) = world.began_and_ended("limit-changed", async || limited(900).await).await;
    let subject = opened.json()["alert"]["subject"].as_str().unwrap().to_owned();
    assert!(subject.starts_with("Limit changed: m/smart requests/min 900 to 600"), "{subject}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_is_declared_otherwise_than_the_provider_states_until_the_configuration_says_the_same() {
    let mut limits = Limits::NONE;
    limits.set(Dimension::RequestsPerMinute, Some(3_000));
    let declared = |most: u64| {
        format!(
            "[pools.p]\nlimits = {{ requests-per-minute = {most} }}\n[providers.m.models.other]\npool = \"p\"\n[routes.o]\ndeployments = [\"m/other\"]\n"
        )
    };
    let profile = Profile { limits, ..Profile::default() };
    let world = World::with(profile, "notify = [\"hook\"]", &declared(5_000)).await;
    for _ in 0..3 {
        assert_eq!(world.weir.ask(BOT, "o").await, 200);
    }
    let told = |alert: &serde_json::Value| alert["subject"].as_str().unwrap_or_default().to_owned();
    let opened = async {
        // The first answer says that less is kept to from now on, the third that it is not what is declared.
        while !told(&world.open("limit-changed").await).starts_with("Limit drift: p requests/min: declared 5k, ") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), opened).await.expect("it says what differs");
    let (_, resolved) = world
        .began_and_ended("limit-changed", async || {
            world.reload(&declared(3_000)).await;
        })
        .await;
    assert_eq!(resolved.json()["alert"]["do"], "ask m whether 3,000 is meant; if it is, declare 3,000 in weir.toml");
    let history = world.weir.told("/admin/v1/limits/history?pool=p").await;
    let changes: Vec<_> = history["changes"].as_array().unwrap().iter().rev().collect();
    let of = |n: usize| (changes[n]["how"].as_str(), changes[n]["old"].as_u64(), changes[n]["new"].as_u64());
    assert_eq!(of(0), (Some("declared"), None, Some(5_000)), "{history}");
    assert_eq!(of(1), (Some("stated"), Some(5_000), Some(3_000)), "{history}");
    assert_eq!(of(2), (Some("declared"), Some(5_000), Some(3_000)), "{history}");
    assert_eq!((changes.len(), &history["now"][0]["drifts"]), (3, &json!(false)), "{history}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_cannot_be_written_and_can_again() {
    use sqlx::{ConnectOptions, Executor};
    let world = World::start("").await;
    assert_eq!(world.ask(1).await, [200]);
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(world.weir.file("weir.db"));
    let mut other = options.connect().await.unwrap();
    other.execute("BEGIN EXCLUSIVE").await.unwrap();
    assert_eq!(world.ask(1).await, [200], "serving goes on");
    let (opened, _) = world
        .began_and_ended("ledger-behind", async || {
            other.execute("ROLLBACK").await.unwrap();
        })
        .await;
    assert!(opened.json()["alert"]["subject"].as_str().unwrap().contains("wait to be written; serving goes on"));
}
