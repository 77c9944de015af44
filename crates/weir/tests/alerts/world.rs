//! A gateway that looks often and waits little, its provider, and who is told.

use std::time::Duration;

use serde_json::{Value, json};
use weir_mock::{Mock, Options, Profile};
use weir_sim::Standing;

use crate::live::{Weir, text};
use crate::sink::{Sent, Sink};

/// No answer of these tests takes so long, however busy the machine is.
const GUARD: Duration = Duration::from_secs(90);
pub(crate) const BOT: &str = "weir_bot_0123456789abcdefgh";
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

pub(crate) struct World {
    pub(crate) weir: Weir,
    pub(crate) mock: Mock,
    pub(crate) sink: Sink,
    config: String,
    pub(crate) keys: tempfile::TempDir,
}

impl World {
    pub(crate) async fn start(more: &str) -> Self {
        Self::with(Profile::default(), "notify = [\"hook\"]", more).await
    }

    /// With `owner` in `[owner]`.
    pub(crate) async fn with(profile: Profile, owner: &str, more: &str) -> Self {
        let mock = Mock::start(Options { profile, ..Options::default() }).await.unwrap();
        let (sink, keys) = (Sink::start().await, tempfile::tempdir().unwrap());
        for (name, key) in [("provider", "sk-first"), ("secret", SECRET)] {
            std::fs::write(keys.path().join(name), key).unwrap();
        }
        let file = |name: &str| keys.path().join(name).display().to_string();
        let config = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nadmin-key = {{ env = \"ADMIN\" }}\n[ledger]\nurl = \"sqlite:weir.db\"\n\
             [retry]\nattempts = 1\n[breaker]\nconsecutive-failures = 3\ncooldown = \"50ms\"\n[owner]\nname = \"Platform\"\n{owner}\n\
             [notifiers.hook]\nkind = \"webhook\"\nurl = \"http://{}/hook\"\nsecret = {{ file = \"{}\" }}\n\
             [providers.m]\nkind = \"openai\"\nbase-url = \"{}\"\napi-key = {{ file = \"{}\" }}\n\
             [providers.m.models.smart]\nprice = {{ input = 1, output = 100_000 }}\n[routes.smart]\ndeployments = [\"m/smart\"]\n\
             [keys.bot]\nkey-hash = \"{}\"\ntenant = \"shop\"\nbudgets = [BUDGETS]\n[tenants.shop]\nMORE",
            sink.address,
            file("secret"),
            mock.base_url(),
            file("provider"),
            weir_config::hex(&weir_config::hash_key(BOT)),
        );
        let weir = Weir::start(&filled(&config, more));
        Self { weir, mock, sink, config, keys }
    }

    pub(crate) async fn reload(&self, more: &str) {
        self.weir.reload(&filled(&self.config, more)).await;
    }

    /// Asks the model so often; what was answered.
    pub(crate) async fn ask(&self, times: usize) -> Vec<u16> {
        let mut answers = Vec::new();
        for _ in 0..times {
            answers.push(self.weir.ask(BOT, "smart").await);
        }
        answers
    }

    /// Asks until the model answers; breakers and benches let a call through by and by.
    pub(crate) async fn until_answered(&self) {
        let asking = async { while self.ask(1).await != [200] {} };
        tokio::time::timeout(GUARD, asking).await.expect("it answers again");
    }

    /// Asks until the breaker is so.
    pub(crate) async fn until_breaker(&self, fits: impl Fn(&str) -> bool) {
        let asking = async {
            loop {
                let told = self.weir.told("/admin/v1/deployments").await;
                if fits(told["deployments"][0]["breaker"].as_str().unwrap()) {
                    return;
                }
                self.ask(1).await;
            }
        };
        tokio::time::timeout(GUARD, asking).await.expect("it moves");
    }

    pub(crate) fn order(&self, fault: &str) {
        self.mock.order(Standing::all(fault.parse().unwrap()));
    }

    /// Waits until an alert of this rule opened and ended, and sees that it did so once, as the ledger and the admin API have it.
    pub(crate) async fn began_and_ended(&self, rule: &str, end: impl AsyncFnOnce()) -> (Sent, Sent) {
        let opened = self.sink.wait(&format!("opened {rule}")).await;
        end().await;
        let resolved = self.sink.wait(&format!("resolved {rule}")).await;
        let about_it: Vec<String> = self.sink.taken().into_iter().filter(|what| what.ends_with(rule)).collect();
        assert_eq!(about_it.iter().filter(|what| what.starts_with("opened")).count(), 1, "{about_it:?}");
        assert_eq!(about_it.iter().filter(|what| what.starts_with("resolved")).count(), 1, "{about_it:?}");
        assert_eq!(opened.json()["alert"]["id"], resolved.json()["alert"]["id"]);
        let closed = resolved.json()["alert"]["closed"].clone();
        let words = closed["words"].as_str().unwrap();
        assert!(words.starts_with("Resolved after ") && words.contains("; peak "), "{words}");
        let subject = opened.json()["alert"]["subject"].as_str().unwrap().to_owned();
        assert!(subject.chars().count() <= 80, "{subject}");
        let listed = self.weir.told(&format!("/admin/v1/alerts?state=closed&rule={rule}")).await;
        assert_eq!(listed["alerts"][0]["id"], opened.json()["alert"]["id"]);
        assert_eq!(listed["alerts"][0]["closed"]["lasted_s"], closed["lasted_s"]);
        (opened, resolved)
    }

    /// The open alert of a rule, as the admin API has it, once there is one.
    pub(crate) async fn open(&self, rule: &str) -> Value {
        let looking = async {
            loop {
                let listed = self.weir.told(&format!("/admin/v1/alerts?state=open&rule={rule}")).await;
                if let Some(alert) = listed["alerts"].get(0) {
                    return alert.clone();
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(GUARD, looking).await.expect("it opens")
    }

    /// Runs `weir alerts` and what follows, and gives what it said.
    pub(crate) async fn cli(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.weir.weir(&[&["alerts"], arguments].concat()).await;
        (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
    }
}

/// Looks often, and ends soon, unless `more` says otherwise.
fn filled(config: &str, more: &str) -> String {
    let (alerts, more) = more.split_once("====\n").unwrap_or(("", more));
    let quick = [
        ("check-every", "\"50ms\""),
        ("window", "\"1s\""),
        ("least-attempts", "5"),
        ("down-after", "\"100ms\""),
        ("down-attempts", "3"),
        ("resolve-after", "\"300ms\""),
    ];
    let quick = quick.iter().filter(|(key, _)| !alerts.contains(key));
    let quick: String = quick.map(|(key, value)| format!("{key} = {value}\n")).collect();
    let budgets = if more.contains("[budgets.team]") { "\"team\"" } else { "" };
    config.replace("BUDGETS", budgets).replace("MORE", &format!("[alerts]\n{quick}{alerts}\n{more}"))
}

/// A history in which the same was searched for `times` times, and nothing was found.
pub(crate) fn searched(times: usize) -> Value {
    let mut messages = vec![json!({ "role": "user", "content": "find the usual report" })];
    for turn in 0..times {
        let id = format!("call_{turn}");
        messages.push(json!({ "role": "assistant", "content": null, "tool_calls": [
            { "id": id, "type": "function", "function": { "name": "search", "arguments": "{\"query\":\"report\"}" } }] }));
        messages.push(json!({ "role": "tool", "tool_call_id": id, "content": "nothing was found" }));
    }
    json!({ "model": "smart", "max_tokens": 50, "messages": messages, "tools": [
        { "type": "function", "function": { "name": "search", "parameters": { "type": "object" } } }] })
}
