//! A gateway in a process of its own, that can be killed and started again, and the commands that somebody runs against it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::client::{Got, send};

pub(crate) const CHAT: &str = "/v1/chat/completions";
pub(crate) const ADMIN: &str = "weir_admin_0123456789abcdef";

/// A gateway and its folder.
pub(crate) struct Weir {
    process: Child,
    pub(crate) address: SocketAddr,
    pub(crate) folder: tempfile::TempDir,
    log: Arc<Mutex<String>>,
    reading: Option<JoinHandle<()>>,
}

impl Drop for Weir {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Weir {
    pub(crate) fn start(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("weir.toml"), config).unwrap();
        let log = Arc::default();
        let (process, address, reading) = serve(&folder.path().join("weir.toml"), &log);
        Self { process, address, folder, log, reading: Some(reading) }
    }

    /// Kills it as a lack of memory would, and starts it again.
    pub(crate) fn kill_and_restart(&mut self) {
        self.process.kill().unwrap();
        self.restart();
    }

    /// Ends it as a service manager would, and starts it again.
    pub(crate) fn stop_and_restart(&mut self) {
        self.signal("TERM");
        self.restart();
    }

    /// Waits until it has ended.
    pub(crate) fn ended(&mut self) {
        self.process.wait().unwrap();
    }

    /// Starts it again when it has ended.
    pub(crate) fn restart(&mut self) {
        self.ended();
        self.reading.take().unwrap().join().unwrap();
        let (process, address, reading) = serve(&self.file("weir.toml"), &self.log);
        (self.process, self.address, self.reading) = (process, address, Some(reading));
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Puts a configuration in force, and waits until it is.
    pub(crate) async fn reload(&self, config: &str) {
        let count = self.log().matches("the configuration was reloaded").count();
        std::fs::write(self.file("weir.toml"), config).unwrap();
        self.signal("HUP");
        let reloaded = async {
            while self.log().matches("the configuration was reloaded").count() == count {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), reloaded).await.expect("it reloads");
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// All that it has said.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Asks a model with a key; with an empty one, without.
    pub(crate) async fn ask(&self, key: &str, model: &str) -> u16 {
        self.ask_for(key, "", &json!({ "model": model, "messages": [{ "role": "user", "content": "words=5" }] }))
            .await
            .status
    }

    pub(crate) async fn ask_for(&self, key: &str, headers: &str, body: &Value) -> Got {
        let key = if key.is_empty() { String::new() } else { format!("x-api-key: {key}\r\n") };
        send(self.address, CHAT, &format!("{key}{headers}"), &body.to_string()).await.unwrap()
    }

    /// What the operator is told at a path.
    pub(crate) async fn told(&self, path: &str) -> Value {
        let got = send(self.address, path, &format!("authorization: Bearer {ADMIN}\r\n"), "").await.unwrap();
        assert_eq!(got.status, 200, "{}", got.body);
        got.json().unwrap()
    }

    /// Runs the binary against it.
    pub(crate) async fn weir(&self, arguments: &[&str]) -> Output {
        let mut command = binary();
        command.env("WEIR_ADMIN_KEY", ADMIN).args(arguments).args(["--url", &format!("http://{}", self.address)]);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }
}

fn serve(config: &std::path::Path, log: &Arc<Mutex<String>>) -> (Child, SocketAddr, JoinHandle<()>) {
    let mut command = binary();
    command.args(["serve", "--config", config.to_str().unwrap()]).env("ADMIN", ADMIN).stderr(Stdio::piped());
    // What is beside a ledger in Postgres.
    command.env("XDG_STATE_HOME", config.parent().unwrap());
    let mut process = command.spawn().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
    let kept = Arc::clone(log);
    let keep = move |line: &str| {
        let mut log = kept.lock().unwrap();
        log.push_str(line);
        log.push('\n');
    };
    let address = lines.find_map(|line| {
        keep(&line);
        line.split_once("address=")?.1.split(' ').next()?.parse().ok()
    });
    let reading = std::thread::spawn(move || lines.for_each(|line| keep(&line)));
    (process, address.expect("it says where it serves"), reading)
}

pub(crate) fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.env_clear().stdin(Stdio::null());
    command
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
