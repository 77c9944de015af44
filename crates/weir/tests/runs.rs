//! Agent runs through the gateway: `weir serve` as somebody runs it, clients that speak HTTP, a provider that answers.
//!
//! A loop is sent as an agent would send it, each request with the whole conversation; where only the last step matters, the
//! history is sent as it stands then.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

#[path = "faults/client.rs"]
#[expect(dead_code, reason = "these tests need less of it than the fault matrix")]
mod client;
#[expect(dead_code, reason = "these tests restart and reload nothing")]
mod live;

use serde_json::{Value, json};
use weir_mock::{Mock, Options};

use crate::client::{Got, send};
use crate::live::{ADMIN, CHAT, Weir, text};

const MESSAGES: &str = "/v1/messages";
const RESPONSES: &str = "/v1/responses";
const BOT: &str = "weir_bot_0123456789abcdefgh";
const OTHER: &str = "weir_other_0123456789abcdef";

async fn world(more: &str) -> (Weir, Mock) {
    let mock = Mock::start(Options::default()).await.unwrap();
    let hash = |key: &str| weir_config::hex(&weir_config::hash_key(key));
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin-key = {{ env = \"ADMIN\" }}\n[ledger]\nurl = \"sqlite:weir.db\"\n\
         [providers.m]\nkind = \"mock\"\nbase-url = \"{}\"\n[routes.smart]\ndeployments = [\"m/smart\"]\n\
         [tenants.shop]\n[tenants.rival]\n[keys.bot]\nkey-hash = \"{}\"\ntenant = \"shop\"\n\
         [keys.other]\nkey-hash = \"{}\"\ntenant = \"rival\"\n{more}",
        mock.base_url(),
        hash(BOT),
        hash(OTHER),
    );
    (Weir::start(&config), mock)
}

impl Weir {
    async fn send(&self, path: &str, headers: &str, body: &Value) -> Got {
        self.send_as(BOT, path, headers, body).await
    }

    async fn send_as(&self, key: &str, path: &str, headers: &str, body: &Value) -> Got {
        let headers = format!("x-api-key: {key}\r\nanthropic-version: 2023-06-01\r\n{headers}");
        send(self.address, path, &headers, &body.to_string()).await.unwrap()
    }

    /// The record of a request, once it is written.
    async fn record(&self, id: &str) -> Value {
        let asking = async {
            loop {
                let all = self.told("/admin/v1/requests?limit=100").await;
                let found =
                    all["requests"].as_array().unwrap().iter().find(|r| r["id"] == id && r["outcome"] != "open");
                if let Some(record) = found {
                    return record.clone();
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), asking).await.expect("it is written")
    }

    async fn released(&self, arguments: &[&str]) -> String {
        let output = self.weir(&[&["runs", "release"], arguments].concat()).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout) + &text(&output.stderr)
    }
}

/// A history in which `search` was called `times` times, and found nothing each time.
fn searched(times: usize) -> Vec<Value> {
    let mut messages = vec![json!({ "role": "user", "content": "find the usual report" })];
    for turn in 0..times {
        messages.extend(searched_once(turn, "nothing was found"));
    }
    messages
}

/// A call as an agent sends it: with an id of its own, at a time of its own.
fn searched_once(turn: usize, found: &str) -> [Value; 2] {
    let id = format!("call_{turn:02}f3A7b2Q9z");
    let arguments = json!({ "query": "the usual report", "asked_at": 1_700_000_000 + turn }).to_string();
    [
        json!({ "role": "assistant", "content": null, "tool_calls": [
            { "id": id, "type": "function", "function": { "name": "search", "arguments": arguments } }] }),
        json!({ "role": "tool", "tool_call_id": id, "content": found }),
    ]
}

fn chat(messages: &[Value]) -> Value {
    json!({ "model": "smart", "max_tokens": 50, "messages": messages, "tools": [
        { "type": "function", "function": { "name": "search", "parameters": { "type": "object" } } }] })
}

fn code(got: &Got) -> String {
    let body = got.json().unwrap();
    let code = body.pointer("/error/code").or_else(|| body.pointer("/error/details/error_code"));
    code.and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_call_with_the_same_result_is_warned_of_then_slowed_then_halted() {
    let (weir, _mock) = world("").await;
    let fine = weir.send(CHAT, "", &chat(&searched(2))).await;
    assert_eq!((fine.status, fine.header("x-weir-run-warning")), (200, None));
    let (run, named) = ("nightly", "x-weir-run: nightly\r\n");
    let warned = weir.send(CHAT, named, &chat(&searched(3))).await;
    assert_eq!((warned.status, warned.header("x-weir-run-warning")), (200, Some("identical-actions 3 of 5")));
    assert_eq!(warned.header("x-weir-run"), Some(run));
    // Slowed, it would wait for five seconds, and this client does not.
    let slowed = weir.send(CHAT, &format!("{named}x-weir-deadline: 1s\r\n"), &chat(&searched(4))).await;
    assert_eq!((slowed.status, code(&slowed).as_str()), (429, "rate_limit_exceeded"), "{}", slowed.body);
    assert_eq!((slowed.header("x-should-retry"), slowed.header("x-weir-refused-by")), (Some("true"), Some("weir")));
    assert!(slowed.header("retry-after").unwrap().parse::<u64>().unwrap() <= 5);

    let halted = weir.send(CHAT, named, &chat(&searched(5))).await;
    assert_eq!((halted.status, code(&halted).as_str()), (422, "run_halted"), "{}", halted.body);
    assert_eq!((halted.header("x-should-retry"), halted.header("x-weir-refused-by")), (Some("false"), Some("weir")));
    assert_eq!(halted.header("x-weir-run"), Some(run));
    let said = halted.json().unwrap()["error"]["message"].as_str().unwrap().to_owned();
    for part in ["`search` was called 5 times in a row", &format!("weir runs release {run}"), "usual report"] {
        assert!(said.contains(part), "`{part}` in: {said}");
    }
    // Whatever it sends now, the run is halted; another run, and another key's of the same name, are not.
    let compacted = [json!({ "role": "user", "content": "in short: nothing was found. Go on" })];
    assert_eq!(weir.send(CHAT, named, &chat(&compacted)).await.status, 422);
    assert_eq!(weir.send(CHAT, "", &chat(&compacted)).await.status, 200);
    assert_eq!(weir.send_as(OTHER, CHAT, named, &chat(&compacted)).await.status, 200);

    // What is kept of it holds figures and hashes, and no word of what was said.
    let record = weir.record(halted.header("x-weir-request").unwrap()).await;
    let fact = record["events"].as_array().unwrap().iter().find(|e| e["fact"] == "RunHalted").expect("the fact");
    assert_eq!(
        (&record["run"], &record["code"], &fact["detector"]),
        (&json!(run), &json!("run_halted"), &json!("identical-actions"))
    );
    assert_eq!((&fact["tool"], &fact["count"], &fact["threshold"]), (&json!("search"), &json!(5), &json!(5)));
    assert!(!record.to_string().contains("usual report"), "{record}");
    let runs = weir.told("/admin/v1/runs?state=halted").await;
    assert_eq!((runs["runs"].as_array().unwrap().len(), &runs["runs"][0]["run"]), (1, &json!(run)), "{runs}");
    assert!(!runs.to_string().contains("usual report"), "{runs}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_released_run_goes_on_and_is_counted_anew() {
    let (weir, _mock) = world("").await;
    let (run, named) = ("nightly".to_owned(), "x-weir-run: nightly\r\n");
    let halted = weir.send(CHAT, named, &chat(&searched(5))).await;
    assert_eq!(halted.status, 422, "{}", halted.body);
    let listed = text(&weir.weir(&["runs", "--state", "halted"]).await.stdout);
    assert!(listed.contains(&run) && listed.contains("identical-actions"), "{listed}");
    let shown = text(&weir.weir(&["runs", "show", &run]).await.stdout);
    assert!(shown.contains(&run) && shown.contains("halted"), "{shown}");
    assert!(weir.released(&[&run]).await.contains(&run));
    let mut messages = searched(5);
    assert_eq!(weir.send(CHAT, named, &chat(&messages)).await.status, 200, "what led to the halt is forgiven");
    for turn in 5..7 {
        messages.extend(searched_once(turn, "nothing was found"));
        let got = weir.send(CHAT, named, &chat(&messages)).await;
        assert_eq!(got.status, 200, "{turn}: {}", got.body);
    }
    for turn in 7..10 {
        messages.extend(searched_once(turn, "nothing was found"));
    }
    assert_eq!(weir.send(CHAT, named, &chat(&messages)).await.status, 422, "five more of the same");
    // There is nothing of that name to release, which is said.
    let unknown = weir.weir(&["runs", "release", "run_nowhere"]).await;
    assert_eq!(unknown.status.code(), Some(1), "{}", text(&unknown.stderr));
    let bare = send(weir.address, &format!("/admin/v1/runs/{run}/release"), "", "{}").await.unwrap();
    assert_eq!(bare.status, 401, "only the operator may");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_is_seen_in_either_dialect_and_in_a_response_s_input() {
    let (weir, _mock) = world("").await;
    let mut messages = vec![json!({ "role": "user", "content": "find it" })];
    let mut items = messages.clone();
    for turn in 0..5 {
        let id = format!("toolu_0{turn}Ab12Cd34");
        let query = json!({ "q": "it", "trace": format!("0c6d2c4e-1111-4222-8333-44445555666{turn}") });
        messages.push(json!({ "role": "assistant", "content": [
            { "type": "text", "text": "I look again." }, { "type": "tool_use", "id": id, "name": "grep", "input": query }] }));
        messages.push(json!({ "role": "user", "content": [
            { "type": "tool_result", "tool_use_id": id, "content": [{ "type": "text", "text": "0 matches" }] }] }));
        items.push(json!({ "type": "function_call", "call_id": id, "name": "grep", "arguments": query.to_string() }));
        items.push(json!({ "type": "function_call_output", "call_id": id, "output": "0 matches" }));
    }
    let body = json!({ "model": "smart", "max_tokens": 50, "messages": messages, "tools": [
        { "name": "grep", "input_schema": { "type": "object" } }] });
    let halted = weir.send(MESSAGES, "", &body).await;
    let read = halted.json().unwrap();
    assert_eq!((halted.status, code(&halted).as_str()), (422, "run_halted"), "{}", halted.body);
    assert_eq!((&read["type"], &read["error"]["type"]), (&json!("error"), &json!("invalid_request_error")));
    let body = json!({ "model": "smart", "input": items, "tools": [
        { "type": "function", "name": "grep", "parameters": { "type": "object" } }] });
    let halted = weir.send(RESPONSES, "", &body).await;
    assert_eq!((halted.status, code(&halted).as_str()), (422, "run_halted"), "{}", halted.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polling_and_paging_and_a_chat_that_goes_on_are_left_alone() {
    let (weir, _mock) = world("").await;
    let mut polling = vec![json!({ "role": "user", "content": "wait for the job" })];
    let mut chatting = Vec::new();
    for turn in 0..30 {
        polling.extend(searched_once(0, &format!("progress {} of 200", turn * 7)));
        let got = weir.send(CHAT, "", &chat(&polling)).await;
        assert_eq!((got.status, got.header("x-weir-run-warning")), (200, None), "{}", got.body);
        chatting.push(json!({ "role": "user", "content": format!("and what is the capital of country {turn}?") }));
        let got = weir.send(CHAT, "", &chat(&chatting)).await;
        assert_eq!((got.status, got.header("x-weir-run-warning")), (200, None), "{}", got.body);
        chatting.push(json!({ "role": "assistant", "content": "I do not know." }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_known_by_its_history_whole_and_streamed_and_first_turns_are_no_run() {
    let (weir, _mock) = world("").await;
    for (path, stream) in
        [(CHAT, false), (CHAT, true), (MESSAGES, false), (MESSAGES, true), (RESPONSES, false), (RESPONSES, true)]
    {
        let input = if path == RESPONSES { "input" } else { "messages" };
        let mut messages =
            vec![json!({ "role": "user", "content": format!("words=9 tell me, naïve {path} {stream}") })];
        let body = |messages: &[Value]| {
            let mut body = json!({ "model": "smart", "stream": stream });
            body[input] = messages.into();
            if path != RESPONSES {
                body["max_tokens"] = 100.into();
            }
            body
        };
        let first = weir.send(path, "", &body(&messages)).await;
        let twin = weir.send(path, "", &body(&messages)).await;
        let run = first.header("x-weir-run").unwrap();
        assert_ne!(Some(run), twin.header("x-weir-run"), "{path} stream={stream}");
        let said = answer(path, stream, &first);
        messages.push(json!({ "role": "assistant", "content": said }));
        messages.push(json!({ "role": "user", "content": "words=5 go on" }));
        let second = weir.send(path, "", &body(&messages)).await;
        assert!(
            [first.header("x-weir-run"), twin.header("x-weir-run")].contains(&second.header("x-weir-run")),
            "{path} stream={stream}: {:?} is neither",
            second.header("x-weir-run")
        );
        let stranger = weir.send_as(OTHER, path, "", &body(&messages)).await;
        assert_ne!(second.header("x-weir-run"), stranger.header("x-weir-run"), "tenants never meet");
    }
}

/// The text of an answer.
fn answer(path: &str, stream: bool, got: &Got) -> String {
    if !stream {
        let body = got.json().unwrap();
        let at = ["/choices/0/message/content", "/content/0/text", "/output/0/content/0/text"];
        return at.iter().find_map(|at| body.pointer(at)).and_then(Value::as_str).unwrap().to_owned();
    }
    let events = got.body.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    let piece = |event: Value| match path {
        CHAT => event.pointer("/choices/0/delta/content").and_then(Value::as_str).map(str::to_owned),
        MESSAGES => event.pointer("/delta/text").and_then(Value::as_str).map(str::to_owned),
        _ => (event["type"] == "response.output_text.delta").then(|| event["delta"].as_str().unwrap().to_owned()),
    };
    events.filter_map(piece).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_s_caps_halt_its_runs_and_a_release_names_a_new_cap() {
    let (weir, _mock) = world("[keys.bot.runs]\nmax-requests = 3\n").await;
    let named = "x-weir-run: nightly\r\n";
    let ask = |words: &str| chat(&[json!({ "role": "user", "content": words })]);
    for words in ["one", "two", "three"] {
        assert_eq!(weir.send(CHAT, named, &ask(words)).await.status, 200);
    }
    let capped = weir.send(CHAT, named, &ask("four")).await;
    assert_eq!((capped.status, code(&capped).as_str()), (422, "run_halted"), "{}", capped.body);
    assert!(capped.body.contains("made 3 requests, and its cap is 3"), "{}", capped.body);
    assert_eq!(weir.send(CHAT, "x-weir-run: other\r\n", &ask("one")).await.status, 200, "only the run stops");
    for _ in 0..4 {
        assert_eq!(weir.send_as(OTHER, CHAT, named, &ask("x")).await.status, 200, "the other key has no cap");
    }
    weir.released(&["nightly", "--tenant", "shop", "--max-requests", "5"]).await;
    for words in ["four", "five"] {
        assert_eq!(weir.send(CHAT, named, &ask(words)).await.status, 200, "{words}");
    }
    assert_eq!(weir.send(CHAT, named, &ask("six")).await.status, 422);
    let facts = weir.told("/admin/v1/live").await;
    assert!(facts["facts"].to_string().contains("RunReleased"), "{facts}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dollar_cap_lets_through_one_request_more_than_it_holds() {
    let (weir, mock) = world("[runs]\nmax-cost = \"0.0005\"\n").await;
    let named = "x-weir-run: spender\r\n";
    let mut refused = 0;
    let mut dearest = 0.0_f64;
    for turn in 0..40 {
        let got =
            weir.send(CHAT, named, &chat(&[json!({ "role": "user", "content": format!("words=30 {turn}") })])).await;
        if got.status == 422 {
            refused += 1;
        } else {
            dearest = dearest.max(got.header("x-weir-cost-usd").unwrap().parse().unwrap());
        }
    }
    let runs = weir.told("/admin/v1/runs").await;
    let spent: f64 = runs["runs"][0]["cost_usd"].as_str().unwrap().parse().unwrap();
    assert!(refused > 0 && spent >= 0.0005 && spent <= 0.0005 + dearest, "{refused} refused, {spent} spent");
    assert_eq!(mock.stats().requests + refused, 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loops_can_be_watched_without_being_stopped_and_tools_can_be_exempt() {
    let (weir, _mock) =
        world("[runs]\nloops = \"warn\"\n[keys.other.runs]\nloops = \"halt\"\nexempt-tools = [\"search\"]\n").await;
    let watched = weir.send(CHAT, "", &chat(&searched(9))).await;
    assert_eq!((watched.status, watched.header("x-weir-run-warning")), (200, Some("identical-actions 9 of 5")));
    let exempt = weir.send_as(OTHER, CHAT, "", &chat(&searched(9))).await;
    assert_eq!((exempt.status, exempt.header("x-weir-run-warning")), (200, None));
    // A name that is none is a clear refusal.
    let long = weir.send(CHAT, &format!("x-weir-run: {}\r\n", "r".repeat(129)), &chat(&searched(1))).await;
    assert_eq!((long.status, long.body.contains("x-weir-run")), (400, true), "{}", long.body);
    let admin = format!("authorization: Bearer {ADMIN}\r\n");
    let odd = send(weir.address, "/admin/v1/runs?state=dreaming", &admin, "").await.unwrap();
    assert_eq!(odd.status, 400, "{}", odd.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_agents_that_ask_each_other_back_and_forth_are_halted_without_a_history_between_them() {
    let (weir, _mock) = world("").await;
    // Each turn is a conversation of its own: the one is sent what the other said.
    let mut said = "Please clarify what the usual report is.".to_owned();
    let mut halted = None;
    for turn in 0..40 {
        let name = if turn % 2 == 0 { "planner" } else { "researcher" };
        let body = chat(&[
            json!({ "role": "system", "content": format!("You are the {name}.") }),
            json!({ "role": "user", "content": said }),
        ]);
        let got = weir.send(CHAT, "x-weir-deadline: 1s\r\n", &body).await;
        if got.status != 200 {
            halted = Some((turn, got));
            break;
        }
        said = got.json().unwrap().pointer("/choices/0/message/content").unwrap().as_str().unwrap().to_owned();
    }
    let (turn, got) = halted.expect("somebody stops them");
    assert!(turn <= 12, "at turn {turn}");
    // This client waits for a second, so it is told to slow down before it is halted.
    assert!(matches!(got.status, 422 | 429), "{}", got.body);
    assert!(got.body.contains("back and forth") || got.body.contains("passed on"), "{}", got.body);
}
