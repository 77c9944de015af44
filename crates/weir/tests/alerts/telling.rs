//! Telling: signed, in order, again when it fails, to the next when nobody acts, to nobody while it is silenced, and on record.

use std::time::Duration;

use ring::hmac;
use serde_json::Value;
use weir_mock::Profile;

use crate::client::send;
use crate::live::{ADMIN, Weir};
use crate::sink::{Sent, Sink};
use crate::world::{BOT, SECRET, World, searched};

const HOOK: &str = "notify = [\"hook\"]";

/// Halts a run, which opens an alert.
async fn halt(world: &World, run: &str) {
    let halted = world.weir.ask_for(BOT, &format!("x-weir-run: {run}\r\n"), &searched(5)).await;
    assert_eq!(halted.status, 422, "{}", halted.body);
}

/// Waits until a fact of this kind that holds these words is on record.
async fn on_record(weir: &Weir, kind: &str, words: &str) {
    let looking = async {
        while !weir.told(&format!("/admin/v1/facts?kind={kind}")).await.to_string().contains(words) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(90), looking).await.unwrap_or_else(|_| panic!("no {kind} of {words}"));
}

async fn release(weir: &Weir, run: &str) {
    let output = weir.weir(&["runs", "release", run, "--tenant", "shop"]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn id(sent: &Sent) -> String {
    sent.json()["alert"]["id"].as_str().unwrap().to_owned()
}

/// Whether a message is about this run.
fn about(sent: &Sent, run: &str) -> bool {
    sent.json()["alert"]["about"] == format!("shop/{run}")
}

/// Waits until the metrics page has a line.
async fn metric(weir: &Weir, line: &str) {
    let looking = async {
        let head = format!("authorization: Bearer {ADMIN}\r\n");
        while !send(weir.address, "/metrics", &head, "").await.unwrap().body.contains(line) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(90), looking).await.unwrap_or_else(|_| panic!("no metric {line}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_is_signed_and_names_its_event_and_the_audit_log() {
    let world = World::start("").await;
    halt(&world, "nightly").await;
    let opened = world.sink.wait("opened run-halted").await;
    let (time, mac) = opened.header("x-weir-signature").unwrap().split_once(",v1=").unwrap();
    let signed = format!("{}.{}", time.strip_prefix("t=").unwrap(), opened.text);
    let mac: Vec<u8> = (0..mac.len()).step_by(2).map(|at| u8::from_str_radix(&mac[at..at + 2], 16).unwrap()).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hmac::verify(&key, signed.as_bytes(), &mac).expect("it is signed with the secret");
    assert_eq!(opened.header("x-weir-event-id"), Some(format!("{}-opened", id(&opened)).as_str()));
    let told = opened.json();
    assert_eq!(told["event_id"], format!("{}-opened", id(&opened)));
    assert_eq!(told["chain_head"]["hash"].as_str().unwrap().len(), 64);
    assert_eq!(told["alert"]["command"], format!("weir alerts show {}", id(&opened)));
    assert_eq!((opened.path.as_str(), told["alert"]["owner"].as_str()), ("/hook", Some("Platform")));
    metric(&world.weir, "weir_alerts_open{rule=\"run-halted\",severity=\"warning\"} 1").await;
    metric(&world.weir, "weir_alert_deliveries_total{notifier=\"hook\",result=\"delivered\"} 1").await;
    on_record(&world.weir, "AlertOpened", &id(&opened)).await;
    on_record(&world.weir, "AlertDelivered", &id(&opened)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_is_sent_again_in_order_and_as_the_same_event() {
    let mut world = World::start("").await;
    let address = std::mem::replace(&mut world.sink, Sink::start().await).stop().await;
    halt(&world, "one").await;
    metric(&world.weir, "weir_alert_deliveries_total{notifier=\"hook\",result=\"retried\"}").await;
    release(&world.weir, "one").await;
    while world.weir.told("/admin/v1/alerts?state=closed").await["alerts"].get(0).is_none() {}
    world.sink = Sink::start_at(address).await;
    world.sink.answer_next(503, "retry-after: 1\r\n");
    world.sink.wait("resolved run-halted").await;
    let sent = world.sink.sent();
    let said: Vec<(u16, String)> = sent.iter().map(|sent| (sent.status, sent.what())).collect();
    let said: Vec<(u16, &str)> = said.iter().map(|(status, what)| (*status, what.as_str())).collect();
    assert_eq!(said, [(503, "opened run-halted"), (200, "opened run-halted"), (200, "resolved run-halted")]);
    assert_eq!(sent[0].json()["event_id"], sent[1].json()["event_id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_not_followed_and_the_next_notifier_hears_that_one_is_down() {
    let (elsewhere, other) = (Sink::start().await, Sink::start().await);
    let more = format!(
        "[notifiers.other]\nkind = \"webhook\"\nurl = \"http://{}/\"\nsecret = {{ env = \"ADMIN\" }}\n",
        other.address
    );
    let world = World::with(Profile::default(), "notify = [\"hook\", \"other\"]", &more).await;
    world.sink.answer_next(307, &format!("location: http://{}/stolen\r\n", elsewhere.address));
    halt(&world, "one").await;
    let down = other.wait("opened delivery-failing").await;
    let evidence = down.json()["alert"]["evidence"][0].as_str().unwrap().to_owned();
    assert!(evidence.contains("307") && evidence.contains("redirects are not followed"), "{evidence}");
    assert_eq!(elsewhere.sent().len(), 0);
    on_record(&world.weir, "AlertDeliveryFailed", "redirects are not followed").await;
    let (code, listed) = world.cli(&[]).await;
    assert!(code == 0 && listed.contains("notifier `hook` takes no messages since"), "{listed}");
    // The next message is taken, so it is up again; and it never hears of itself.
    halt(&world, "two").await;
    other.wait("resolved delivery-failing").await;
    assert_eq!(world.sink.taken(), ["opened run-halted"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_acknowledges_goes_to_the_next_and_what_somebody_did_does_not() {
    let pager = Sink::start().await;
    let more = format!(
        "[notifiers.pager]\nkind = \"webhook\"\nurl = \"http://{}/\"\nsecret = {{ env = \"ADMIN\" }}\n",
        pager.address
    );
    let owner = format!("{HOOK}\nescalate = [{{ after = \"3s\", notify = [\"pager\"] }}]");
    let world = World::with(Profile::default(), &owner, &more).await;
    halt(&world, "taken").await;
    let taken = world.sink.wait("opened run-halted").await;
    let (code, said) = world.cli(&["ack", &id(&taken)]).await;
    assert!(code == 0 && said.contains("acknowledged: Run halted: taken of shop"), "{said}");
    world.sink.wait("acknowledged run-halted").await;
    halt(&world, "left").await;
    let escalated = pager.wait("escalated run-halted").await;
    assert!(about(&escalated, "left"));
    assert_eq!(pager.sent().len(), 1, "the older one was somebody's");
    let listed = world.weir.told(&format!("/admin/v1/alerts/{}", id(&taken))).await;
    assert_eq!((listed["state"].as_str(), listed["acknowledged"]["by"].as_str()), (Some("acknowledged"), Some("root")));
    let (code, said) = world.cli(&["ack", "alert_0000000000000000"]).await;
    assert!(code == 1 && said.contains("no such alert is known"), "{said}");
    let (code, said) = world.cli(&["ack", "nonsense"]).await;
    assert!(code == 2 && said.contains("is no alert's id"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_silenced_tells_nobody_until_the_silence_ends() {
    let world = World::start("").await;
    world.order("500");
    world.ask(4).await;
    let first = world.sink.wait("opened breaker-open").await;
    let (code, said) = world.cli(&["silence", &id(&first), "--for", "1h", "--why", "a \u{7}known one"]).await;
    assert!(code == 0 && said.contains("nobody is told of breaker-open about m/smart until"), "{said}");
    world.mock.clear();
    world.until_breaker(|state| state == "closed").await;
    world.sink.wait("resolved breaker-open").await;
    world.order("500");
    world.until_breaker(|state| state != "closed").await;
    let again = world.open("breaker-open").await;
    assert_eq!((again["state"].as_str(), again["silenced"]["by"].as_str()), (Some("silenced"), Some("root")));
    assert_eq!(again["silenced"]["why"], "a ?known one");
    halt(&world, "other").await;
    world.sink.wait("opened run-halted").await;
    let opened = || world.sink.taken().iter().filter(|what| *what == "opened breaker-open").count();
    assert_eq!(opened(), 1, "the one before the silence");
    let (code, said) = world.cli(&["unsilence", again["id"].as_str().unwrap()]).await;
    assert!(code == 0, "{said}");
    world.sink.wait_for(|sent| sent.json()["alert"]["id"] == again["id"]).await;
    assert_eq!(opened(), 2);
    let (code, said) = world.cli(&["silence", &id(&first), "--for", "0s", "--why", "x"]).await;
    assert!(code == 2 && said.contains("`for` says how long"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_gateway_goes_on_with_what_was_open_and_repeats_only_what_had_not_arrived() {
    let budget = |limit: &str| {
        format!("[budgets.team]\nlimit = \"{limit}\"\nperiod = \"total\"\nmode = \"soft\"\nwarn-at = [0.001]\n")
    };
    let mut world = World::start(&budget("10")).await;
    world.sink.answer(503);
    let body = serde_json::json!({ "model": "smart", "max_tokens": 8, "messages": [{ "role": "user", "content": "words=5" }] });
    assert_eq!(world.weir.ask_for(BOT, "", &body).await.status, 200);
    let before = world.open("budget-warn").await;
    let lost = world.sink.wait_for(|sent| sent.status == 503).await;
    let (code, _) = world.cli(&["ack", before["id"].as_str().unwrap()]).await;
    assert_eq!(code, 0);
    on_record(&world.weir, "AlertAcknowledged", "team").await;
    world.weir.kill_and_restart();
    world.sink.answer(200);
    let opened = world.sink.wait("opened budget-warn").await;
    assert_eq!(opened.json()["event_id"], lost.json()["event_id"]);
    let after = world.open("budget-warn").await;
    assert_eq!((&after["id"], &after["since"]), (&before["id"], &before["since"]));
    assert_eq!(after["acknowledged"]["by"], "root");
    on_record(&world.weir, "AlertDelivered", "opened").await;
    world.weir.kill_and_restart();
    world.reload(&budget("100000")).await;
    let resolved = world.sink.wait("resolved budget-warn").await;
    assert_eq!(resolved.json()["alert"]["id"], before["id"]);
    assert_eq!(world.sink.taken().iter().filter(|what| *what == "opened budget-warn").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slack_and_pagerduty_get_their_own_forms_and_a_hostile_name_is_harmless_in_both() {
    let chat = Sink::start().await;
    let more = format!(
        "[notifiers.chat]\nkind = \"slack\"\nurl = \"http://{0}/slack\"\n\
         [notifiers.pager]\nkind = \"pagerduty\"\nurl = \"http://{0}/pd\"\nsecret = {{ env = \"ADMIN\" }}\n",
        chat.address
    );
    let world = World::with(Profile::default(), "notify = [\"chat\", \"pager\"]", &more).await;
    let hostile = "<http://evil.test|ok>&@here";
    halt(&world, hostile).await;
    let slack = chat.wait_for(|sent| sent.path == "/slack").await.json();
    let text = slack["text"].as_str().unwrap();
    assert!(text.starts_with("▲ Run halted: &lt;http[:]//evil.test|ok&gt;"), "{text}");
    assert!(!slack.to_string().contains("http://evil") && !slack.to_string().contains("@here"), "{slack}");
    assert_eq!((&slack["unfurl_links"], &slack["unfurl_media"]), (&Value::Bool(false), &Value::Bool(false)));
    for block in slack["blocks"].as_array().unwrap() {
        let kind = block.pointer("/text/type").or(block.pointer("/elements/0/type")).unwrap();
        assert_eq!(kind, "plain_text", "no public address is set, so nothing is a link");
    }
    let trigger = chat.wait_for(|sent| sent.path == "/pd").await.json();
    assert_eq!((trigger["event_action"].as_str(), trigger["routing_key"].as_str()), (Some("trigger"), Some(ADMIN)));
    assert_eq!(trigger["payload"]["severity"], "warning");
    let key = trigger["dedup_key"].as_str().unwrap().to_owned();
    assert_eq!(world.cli(&["ack", &key]).await.0, 0);
    for action in ["acknowledge", "resolve"] {
        if action == "resolve" {
            world.weir.weir(&["runs", "release", hostile, "--tenant", "shop"]).await;
        }
        let told = chat.wait_for(|sent| sent.path == "/pd" && sent.json()["event_action"] == action).await.json();
        assert_eq!(told["dedup_key"], key.as_str());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notifier_can_be_tried_out_and_addresses_and_secrets_are_nowhere() {
    let world = World::start("").await;
    let (code, said) = world.cli(&["test", "hook"]).await;
    assert!(code == 0 && said.contains("took a trial message"), "{said}");
    assert!(world.sink.sent()[0].text.contains("Test: this is where Weir sends its alerts"));
    world.sink.answer(404);
    let (code, said) = world.cli(&["test", "hook"]).await;
    assert!(code == 1 && said.contains("notifier `hook` did not take it: it answers 404"), "{said}");
    let (code, said) = world.cli(&["test", "hok"]).await;
    assert!(code == 1 && said.contains("no notifier `hok` is configured"), "{said}");
    halt(&world, "one").await;
    metric(&world.weir, "weir_alert_deliveries_total{notifier=\"hook\",result=\"failed\"}").await;
    let shown = world.weir.told("/admin/v1/alerts").await.to_string() + &world.weir.log();
    assert!(!shown.contains("/hook") && !shown.contains(SECRET), "{shown}");
    let (code, said) = world.cli(&["--state", "open", "--rule", "run-halted"]).await;
    assert!(
        code == 0 && said.starts_with("alert alert_") && said.contains(" rule=run-halted about=shop/one "),
        "{said}"
    );
    let (code, said) = world.cli(&["--rule", "run-halte"]).await;
    assert!(code == 2 && said.contains("did you mean `run-halted`?"), "{said}");
}
