//! A gateway with a person of each role, and a client's key.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weir_mock::{Mock, Options};

use crate::live::{ADMIN, Weir, binary};

pub(crate) const BOT: &str = "weir_bot_0123456789abcdefgh";
/// The people of `[admins]`: name, role and key.
pub(crate) const PEOPLE: [(&str, &str, &str); 3] = [
    ("vera", "viewer", "vera_0123456789abcdefghijkl"),
    ("olga", "operator", "olga_0123456789abcdefghijkl"),
    ("aude", "auditor", "aude_0123456789abcdefghijkl"),
];

/// A gateway, the provider it calls, and the folder with its people's keys.
pub(crate) struct World {
    pub(crate) weir: Weir,
    _mock: Mock,
    pub(crate) config: String,
    _keys: tempfile::TempDir,
}

impl World {
    pub(crate) async fn start(more: &str) -> Self {
        let mock = Mock::start(Options::default()).await.unwrap();
        let keys = tempfile::tempdir().unwrap();
        let config = config(&mock, keys.path(), more);
        Self { weir: Weir::start(&config), _mock: mock, config, _keys: keys }
    }

    /// Asks the admin interface as one of the people, as `root`, or as nobody.
    pub(crate) async fn ask(&self, who: &str, method: &str, path: &str, body: &str) -> (u16, String) {
        let key = match who {
            "" => String::new(),
            who => format!("authorization: Bearer {}\r\n", key(who)),
        };
        raw(&self.weir, method, path, &key, body).await
    }

    pub(crate) async fn json(&self, who: &str, path: &str) -> Value {
        let (status, body) = self.ask(who, "GET", path, "").await;
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }
}

/// The key of one of the people.
pub(crate) fn key(who: &str) -> &'static str {
    if who == "root" {
        return ADMIN;
    }
    PEOPLE.iter().find(|(name, ..)| *name == who).map(|(.., key)| *key).unwrap()
}

fn config(mock: &Mock, keys: &Path, more: &str) -> String {
    let bot = weir_config::hex(&weir_config::hash_key(BOT));
    let people: String = PEOPLE
        .iter()
        .map(|(name, role, key)| {
            let file = keys.join(name);
            std::fs::write(&file, key).unwrap();
            format!("[admins.{name}]\nkey = {{ file = \"{}\" }}\nrole = \"{role}\"\n", file.display())
        })
        .collect();
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin-key = {{ env = \"ADMIN\" }}\n[ledger]\nurl = \"sqlite:weir.db\"\n{people}\
         [providers.m]\nkind = \"openai\"\nbase-url = \"{}\"\n[routes.smart]\ndeployments = [\"m/a\"]\n[tenants.shop]\n\
         [keys.bot]\nkey-hash = \"{bot}\"\n{more}",
        mock.base_url()
    )
}

/// Sends a request of any method; status and body.
pub(crate) async fn raw(weir: &Weir, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = tokio::net::TcpStream::connect(weir.address).await.unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", weir.address);
    let request = format!("{head}content-length: {}\r\n{headers}\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while stream.read_buf(&mut answer).await.unwrap() > 0 {
        // A stream of events has no end of its own.
        if String::from_utf8_lossy(&answer).contains("content-type: text/event-stream") {
            break;
        }
    }
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

/// Runs the binary as one of the people.
pub(crate) async fn run(world: &World, who: &str, arguments: &[&str]) -> Output {
    let mut command = binary();
    command.env("WEIR_ADMIN_KEY", key(who)).args(arguments);
    if !arguments.contains(&"--ledger") {
        command.args(["--url", &format!("http://{}", world.weir.address)]);
    }
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}
