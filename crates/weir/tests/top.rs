//! `weir top` and `weir headroom`, as somebody runs them against a gateway that serves.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

#[path = "faults/client.rs"]
#[expect(dead_code, reason = "these tests read no stream")]
mod client;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use weir_config::Environment;
use weir_gateway::Gateway;
use weir_mock::{Mock, Options};

use crate::client::send;

const ADMIN: &str = "weir_admin_0123456789abcdef";
const BOT: &str = "weir_bot_0123456789abcdefgh";
const CHAT: &str = "/v1/chat/completions";

/// A configuration without a file, and the admin key.
struct Text(String);

impl Environment for Text {
    fn var(&self, name: &str) -> Option<String> {
        match name {
            "ADMIN" => Some(ADMIN.to_owned()),
            "BOT" => Some(BOT.to_owned()),
            _ => None,
        }
    }

    fn read(&self, _path: &Path) -> std::io::Result<String> {
        Ok(self.0.clone())
    }
}

/// A gateway with a mock behind it.
struct World {
    gateway: Gateway,
    _mock: Mock,
    _folder: tempfile::TempDir,
}

impl World {
    async fn start(more: &str) -> Self {
        let mock = Mock::start(Options::default()).await.unwrap();
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nadmin-key = {{ env = \"ADMIN\" }}\n\
             [providers.m]\nkind = \"mock\"\nbase-url = \"{}\"\n{more}",
            mock.base_url()
        );
        let folder = tempfile::tempdir().unwrap();
        let report = weir_config::load(&folder.path().join("weir.toml"), &Text(text));
        assert!(report.faults.is_empty(), "{:?}", report.faults);
        Self { gateway: Gateway::start(report.config.unwrap()).await.unwrap(), _mock: mock, _folder: folder }
    }

    /// Asks a model; the status.
    async fn ask(&self, model: &str, stream: bool) -> u16 {
        let messages = json!([{ "role": "user", "content": "hi" }]);
        let body = json!({ "model": model, "stream": stream, "messages": messages }).to_string();
        send(self.gateway.address(), CHAT, "", &body).await.unwrap().status
    }

    /// What the operator is told at a path.
    async fn told(&self, path: &str) -> Value {
        let key = format!("authorization: Bearer {ADMIN}\r\n");
        send(self.gateway.address(), path, &key, "").await.unwrap().json().unwrap()
    }

    /// Runs the binary against it.
    async fn weir(&self, arguments: &[&str]) -> Output {
        weir(&format!("http://{}", self.gateway.address()), ADMIN, arguments).await
    }
}

async fn weir(url: &str, key: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.env_clear().env("WEIR_ADMIN_KEY", key).args(arguments).args(["--url", url]).stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

const LIMITED: &str = "limits = { requests-per-minute = 600, concurrent-requests = 5 }\n";

#[tokio::test]
async fn one_frame_is_a_record_a_line_and_counts_what_was_asked() {
    let world = World::start(LIMITED).await;
    for _ in 0..3 {
        assert_eq!(world.ask("m/fast", true).await, 200);
    }
    let got = world.weir(&["top", "--once"]).await;
    let out = text(&got.stdout);
    assert!(got.status.success(), "{}", text(&got.stderr));
    assert!(out.starts_with("weir 0.") && out.contains(" answered=1.0000 throttled=0.0000 "), "{out}");
    for line in [
        "limit m requests/min use=0.01 peak=0.01 waiting=0 oldest=0.0s",
        "limit m concurrent-requests use=0.00 peak=0.20",
    ] {
        assert!(out.lines().any(|l| l.starts_with(line)), "{line} in\n{out}");
    }
    assert!(out.lines().any(|l| l.starts_with("breaker m/fast closed ") && l.contains(" errors=0.0000 ")), "{out}");
    assert!(out.contains(" Started "), "{out}");
    assert!(!out.contains('\u{1b}'), "{out}");
}

#[tokio::test]
async fn for_programs_it_is_what_the_api_says() {
    let world = World::start(LIMITED).await;
    let top: Value = serde_json::from_slice(&world.weir(&["top", "--json"]).await.stdout).unwrap();
    let headroom: Value = serde_json::from_slice(&world.weir(&["headroom", "--json"]).await.stdout).unwrap();
    assert_eq!(top["pools"][0]["pool"], "m");
    assert_eq!(headroom["pools"][0]["limits"][0]["dimension"], "requests-per-minute");
    let one: Value = serde_json::from_slice(&world.weir(&["headroom", "--pool", "m", "--json"]).await.stdout).unwrap();
    assert_eq!(one["pools"].as_array().unwrap().len(), 1);
    let lines = text(&world.weir(&["headroom"]).await.stdout);
    assert!(lines.starts_with("limit m requests/min use=0.00 peak=0.00 "), "{lines}");
}

#[tokio::test]
async fn exit_codes_tell_no_from_unknown_from_unreachable() {
    let world = World::start("").await;
    for (arguments, code, said) in [
        (vec!["headroom"], 3, "no limit is known yet"),
        (vec!["headroom", "--pool", "gpt"], 1, "no pool with limits is called `gpt`"),
        (vec!["top", "--once", "--sideways"], 2, "--sideways"),
    ] {
        let got = world.weir(&arguments).await;
        assert_eq!(got.status.code(), Some(code), "{arguments:?}");
        assert!(text(&got.stderr).contains(said), "{}", text(&got.stderr));
    }
    let refused = weir(&format!("http://{}", world.gateway.address()), "wrong", &["top"]).await;
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("WEIR_ADMIN_KEY"), "{}", text(&refused.stderr));
    // A port that was free a moment ago: nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gone = weir(&format!("http://{free}"), ADMIN, &["top"]).await;
    assert_eq!(gone.status.code(), Some(4));
    assert!(text(&gone.stderr).contains("weir serve"), "{}", text(&gone.stderr));
    assert_eq!(weir("127.0.0.1", ADMIN, &["headroom"]).await.status.code(), Some(2));
}

#[tokio::test]
async fn live_tells_failures_facts_and_each_deployments_share_of_429s() {
    let world =
        World::start(&format!("{LIMITED}[retry]\nattempts = 1\n[routes.busy]\ndeployments = [\"m/fast!429\"]\n")).await;
    assert_eq!(world.ask("busy", false).await, 429);
    assert_eq!(world.ask("m/fast", true).await, 200);
    let live = world.told("/admin/v1/live").await;
    assert_eq!((live["requests"].as_u64(), live["answered"].as_u64()), (Some(2), Some(1)));
    assert_eq!((live["attempts"].as_u64(), live["throttled"].as_u64()), (Some(2), Some(1)));
    assert_eq!(live["requests_by_second"].as_array().unwrap().len(), 60);
    assert!(live["first_token_ms"]["p95"].is_u64(), "{live}");
    let busy = live["deployments"].as_array().unwrap().iter().find(|d| d["deployment"] == "m/fast!429").unwrap();
    assert_eq!(
        (busy["attempts"].as_u64(), busy["throttled"].as_u64(), busy["failed"].as_u64()),
        (Some(1), Some(1), Some(0))
    );
    assert_eq!(live["failures"][0]["code"], "rate_limit_exceeded");
    assert_eq!(live["failures"][0]["refused_by"], "m");
    assert_eq!(live["facts"].as_array().unwrap().last().unwrap()["fact"], "Started");
}

#[tokio::test]
async fn headroom_and_metrics_agree_and_need_the_admin_key() {
    let world = World::start(&format!(
        "{LIMITED}[keys.bot]\nkey = {{ env = \"BOT\" }}\nlimits = {{ requests-per-minute = 60 }}\n"
    ))
    .await;
    let key = format!("authorization: Bearer {ADMIN}\r\n");
    let body = json!({ "model": "m/fast", "messages": [{ "role": "user", "content": "hi" }] }).to_string();
    let bot = format!("authorization: Bearer {BOT}\r\n");
    assert_eq!(send(world.gateway.address(), CHAT, &bot, &body).await.unwrap().status, 200);
    let told = world.told("/admin/v1/headroom").await;
    let pools = told["pools"].as_array().unwrap();
    let (own, bot) =
        (pools.iter().find(|p| p["kind"] == "provider").unwrap(), pools.iter().find(|p| p["kind"] == "key").unwrap());
    assert_eq!((bot["pool"].as_str(), bot["limits"][0]["used"].as_u64()), (Some("bot"), Some(1)));
    assert_eq!(
        (own["limits"][0]["limit"].as_u64(), own["limits"][0]["headroom_percent"].as_f64()),
        (Some(600), Some(99.8))
    );
    assert!(own["assumed"].is_null() && own["limits"][1]["reset_s"].is_null(), "{own}");
    let page = send(world.gateway.address(), "/metrics", &key, "").await.unwrap().body;
    for line in [
        "weir_limit{pool=\"m\",kind=\"provider\",dimension=\"requests-per-minute\"} 600",
        "weir_limit_peak{pool=\"bot\",kind=\"key\",dimension=\"requests-per-minute\"} 1",
        "weir_queue_waiting{pool=\"m\",kind=\"provider\",class=\"interactive\"} 0",
        "weir_queue_wait_seconds_count{route=\"other\"} 1",
        "weir_limit_factor{pool=\"m\",kind=\"provider\"} 1",
        "weir_pool_gated{pool=\"m\",kind=\"provider\"} 0",
    ] {
        assert!(page.lines().any(|l| l == line), "{line} in\n{page}");
    }
    for path in ["/admin/v1/headroom", "/admin/v1/live"] {
        assert_eq!(send(world.gateway.address(), path, "", "").await.unwrap().status, 401, "{path}");
    }
    let document = world.told("/admin/v1/openapi.json").await;
    for path in ["/admin/v1/headroom", "/admin/v1/live"] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    let described = document["components"]["schemas"]["Pool"]["properties"].as_object().unwrap();
    for (name, schema) in [("Pool", own), ("Limit", &own["limits"][0])] {
        let properties = document["components"]["schemas"][name]["properties"].as_object().unwrap();
        assert!(
            schema.as_object().unwrap().keys().eq(properties.keys()),
            "{name}: {schema} is described as {properties:?}"
        );
    }
    assert!(described.contains_key("queue"));
}
