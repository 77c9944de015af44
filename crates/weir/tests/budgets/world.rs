//! A gateway in a process that can be killed and started again, and a mock that outlives it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use weir_mock::{Latency, Mock, Options, Profile};
use weir_units::NanoUsd;

pub(crate) const CHAT: &str = "/v1/chat/completions";
pub(crate) const MESSAGES: &str = "/v1/messages";
/// What the models of these tests cost: nano-dollars for a token of input and of output.
const INPUT: i64 = 1_000;
const OUTPUT: i64 = 100_000;
const PRICE: &str = "{ input = 1, cached-input = 1, cache-write = 1, output = 100 }";
/// No answer of these tests takes so long, however busy the machine is.
const GUARD: Duration = Duration::from_secs(90);

/// A gateway before a mock.
pub(crate) struct World {
    pub(crate) mock: Mock,
    process: Mutex<Option<Child>>,
    address: Mutex<SocketAddr>,
    folder: tempfile::TempDir,
    /// What the gateway said on its standard error.
    said: Arc<Mutex<String>>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let of = |line: &&str| {
            line.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.len())
        };
        self.head.lines().find_map(|line| of(&line).map(|length| &line[line.len() - length..]))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }
}

impl World {
    /// Starts both; `config` is what is particular to a test.
    pub(crate) async fn start(config: &str) -> Self {
        Self::with(Profile::default(), config).await
    }

    /// Starts both, with a provider that takes its time.
    pub(crate) async fn slow(config: &str) -> Self {
        let latency = Latency { base: Duration::from_millis(20), ..Latency::default() };
        Self::with(Profile { latency, ..Profile::default() }, config).await
    }

    async fn with(profile: Profile, config: &str) -> Self {
        let mock = Mock::start(Options { profile, ..Options::default() }).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let world = Self {
            mock,
            process: Mutex::default(),
            address: Mutex::new(SocketAddr::from(([127, 0, 0, 1], 0))),
            folder,
            said: Arc::default(),
        };
        world.configure(config);
        world.serve();
        world
    }

    /// Writes the configuration: two providers at the mock, one of each dialect, whose models have a price.
    pub(crate) fn configure(&self, config: &str) {
        let mut text =
            "[server]\nlisten = \"127.0.0.1:0\"\n[ledger]\nurl = \"sqlite:weir.db\"\n[retry]\nbase = \"1ms\"\n"
                .to_owned();
        for (name, kind, url) in
            [("o", "openai", self.mock.base_url()), ("a", "anthropic", format!("http://{}", self.mock.address()))]
        {
            text += &format!("[providers.{name}]\nkind = \"{kind}\"\nbase-url = \"{url}\"\n");
            for model in ["m", "other", "down!500", "cut!cut:20"] {
                text += &format!("[providers.{name}.models.\"{model}\"]\nprice = {PRICE}\n");
            }
        }
        text += "[providers.o.models.dear]\nprice = { input = 1, output = 10_000 }\n";
        text += "[providers.o.models.local]\nprice = { input = 0, output = 0 }\n";
        std::fs::write(self.folder.path().join("weir.toml"), text + config).unwrap();
    }

    /// Starts the gateway, again if it ran before.
    pub(crate) fn serve(&self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.env_clear().args(["serve", "--config"]).arg(self.folder.path().join("weir.toml"));
        let mut process = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let said = Arc::clone(&self.said);
        let keep = move |line: &str| {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            said.push_str(line);
            said.push('\n');
        };
        let address = lines.find_map(|line| {
            let line = line.unwrap();
            keep(&line);
            let (_, rest) = line.split_once("weir serves address=")?;
            rest.split(' ').next()?.parse().ok()
        });
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| keep(&line)));
        *self.address.lock().unwrap() = address.unwrap_or_else(|| panic!("it does not serve:\n{}", self.said()));
        *self.process.lock().unwrap() = Some(process);
    }

    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A file beside its configuration.
    pub(crate) fn path(&self, file: &str) -> std::path::PathBuf {
        self.folder.path().join(file)
    }

    /// Kills the gateway as `kill -9` does.
    pub(crate) fn kill(&self) {
        if let Some(mut process) = self.process.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Ends the gateway as an operator does.
    pub(crate) fn stop(&self) {
        let mut process = self.process.lock().unwrap().take().unwrap();
        signal("-TERM", &process);
        assert!(process.wait().unwrap().success());
    }

    /// Tells it to read its configuration again.
    pub(crate) fn hang_up(&self) {
        signal("-HUP", self.process.lock().unwrap().as_ref().unwrap());
    }

    /// Sends a request; none if there is no whole answer, since the gateway died.
    pub(crate) async fn try_ask(&self, path: &str, headers: &str, body: &str) -> Option<Got> {
        let address = *self.address.lock().unwrap();
        let exchange = async {
            let mut stream = TcpStream::connect(address).await.ok()?;
            let (method, length) = (if body.is_empty() { "GET" } else { "POST" }, body.len());
            let request = format!(
                "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
                 content-length: {length}\r\n{headers}\r\n{body}"
            );
            stream.write_all(request.as_bytes()).await.ok()?;
            let mut raw = Vec::new();
            stream.read_to_end(&mut raw).await.ok()?;
            let text = String::from_utf8(raw).ok()?;
            let (head, body) = text.split_once("\r\n\r\n")?;
            let status = head.split(' ').nth(1)?.parse().ok()?;
            Some(Got { status, head: head.to_owned(), body: body.to_owned() })
        };
        tokio::time::timeout(GUARD, exchange).await.expect("it answers in time")
    }

    pub(crate) async fn ask(&self, path: &str, headers: &str, body: &Value) -> Got {
        self.try_ask(path, headers, &body.to_string()).await.expect("the gateway answers")
    }

    pub(crate) async fn get(&self, path: &str) -> Got {
        self.try_ask(path, "", "").await.expect("the gateway answers")
    }

    /// What `/admin/v1/budgets` says of one.
    pub(crate) async fn budget(&self, name: &str) -> Value {
        self.known_budget(name).await.unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// The same; none if it is not there.
    async fn known_budget(&self, name: &str) -> Option<Value> {
        let told = self.get("/admin/v1/budgets").await.json();
        told["budgets"].as_array().unwrap().iter().find(|budget| budget["budget"] == name).cloned()
    }

    /// Waits until what is said of a budget is as wanted.
    pub(crate) async fn budget_until(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let waiting = async {
            loop {
                // A new one is there a moment after those that were.
                last = self.known_budget(name).await.unwrap_or_default();
                if !last.is_null() && wanted(&last) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        let done = tokio::time::timeout(GUARD, waiting).await;
        assert!(done.is_ok(), "{name} never was as wanted: {last:#}");
        last
    }

    /// The records of the ledger, once so many have ended.
    pub(crate) async fn records(&self, ended: usize) -> Vec<Value> {
        let waiting = async {
            loop {
                let told = self.get("/admin/v1/requests?limit=1000").await.json();
                let records = told["requests"].as_array().unwrap().clone();
                if records.iter().filter(|record| record["outcome"] != "open").count() >= ended {
                    return records;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(GUARD, waiting).await.expect("all requests end")
    }

    /// The mock's own bill of these models, once nothing runs there any more.
    pub(crate) async fn billed(&self) -> NanoUsd {
        let idle = async {
            while self.mock.stats().in_flight > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(GUARD, idle).await.expect("all answers end");
        let tokens = |bill: &weir_mock::Billed| (bill.input.cast_signed() * INPUT, bill.output.cast_signed() * OUTPUT);
        self.mock.stats().billed.values().map(|bill| NanoUsd(tokens(bill).0 + tokens(bill).1)).sum()
    }
}

fn signal(which: &str, process: &Child) {
    assert!(Command::new("kill").args([which, &process.id().to_string()]).status().unwrap().success());
}

/// A question to a model, with an answer of so many words.
pub(crate) fn chat(model: &str, words: u64, max_tokens: u64, stream: bool) -> Value {
    json!({
        "model": model, "stream": stream, "max_tokens": max_tokens,
        "messages": [{ "role": "user", "content": format!("words={words}") }]
    })
}

/// An amount of an answer.
pub(crate) fn dollars(of: &Value) -> NanoUsd {
    of.as_str().unwrap_or_else(|| panic!("no amount: {of}")).parse().unwrap()
}
