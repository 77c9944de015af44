//! Every folder of `examples/` checks, starts, and answers clients of both dialects on each of its routes.
//!
//! The mock stands in for paid providers: a copy of the example gets its address, and a free port to listen on. Nothing else
//! is changed, so an example that would not work for its reader does not pass here.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use weir_mock::{Mock, Options};

const CHECKOUT_KEY: &str = "weir_checkout_0123456789abcdef";

/// What the examples take from the environment.
const SECRETS: [(&str, &str); 7] = [
    ("ALERTS_SECRET", "0123456789abcdef0123456789abcdef"),
    ("OPENAI_API_KEY", "sk-openai"),
    ("ANTHROPIC_API_KEY", "sk-ant"),
    ("OPENAI_EAST_KEY", "sk-east"),
    ("OPENAI_WEST_KEY", "sk-west"),
    ("CHECKOUT_KEY", CHECKOUT_KEY),
    ("WEIR_ADMIN_KEY", "weir_admin_0123456789abcdef"),
];

#[test]
fn every_example_has_a_story_and_a_test() {
    let mut found: Vec<String> = fs::read_dir(examples())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    found.sort();
    let all = [
        "alerts",
        "balance",
        "budgets",
        "failover",
        "faults",
        "keys",
        "limits",
        "local-models",
        "plan",
        "simulate",
        "tls",
        "two-dialects",
    ];
    assert_eq!(found, all);
    let index = fs::read_to_string(examples().join("README.md")).unwrap();
    for name in found {
        assert!(examples().join(&name).join("README.md").exists(), "examples/{name} has no story");
        assert!(index.contains(&format!("({name}/README.md)")), "examples/README.md does not name {name}");
    }
}

#[test]
fn alerts() {
    Example::start("alerts").answers(&["flaky"]);
}

#[test]
fn failover() {
    Example::start("failover").answers(&["smart"]);
}

#[test]
fn balance() {
    Example::start("balance").answers(&["mini"]);
}

#[test]
fn two_dialects() {
    Example::start("two-dialects").answers(&["claude", "gpt"]);
}

#[test]
fn local_models() {
    Example::start("local-models").answers(&["private-first"]);
}

#[test]
fn limits() {
    let example = Example::start("limits");
    example.answers(&["spill", "wait"]);
    let pools = example.plain("GET /admin/v1/headroom HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    assert!(pools.contains("\"pool\":\"a\"") && pools.contains("\"declared\":120"), "{pools}");
}

#[test]
fn budgets() {
    let example = Example::start("budgets");
    let ask = |headers: &str| example.plain(&request("/v1/chat/completions", "smart", false, headers));
    let until = |headers: &str, sign: &str| {
        let answers: Vec<String> = (0..40).map(|_| ask(headers)).take_while(|answer| !answer.contains(sign)).collect();
        assert!((1..40).contains(&answers.len()), "{} answers without {sign}", answers.len());
        assert!(answers.iter().all(|answer| answer.starts_with("HTTP/1.1 200 ")), "{answers:?}");
    };
    until("x-weir-tags: job=nightly\r\n", "HTTP/1.1 402 ");
    until("", "x-weir-degraded: budget");
    assert!(ask("").contains("x-weir-deployment: a/fast"));
    let budgets = example.plain("GET /admin/v1/budgets HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    assert!(budgets.contains("\"budget\":\"nightly\"") && budgets.contains("\"low\":true"), "{budgets}");
}

#[test]
fn keys() {
    let example = Example::start("keys");
    let key = format!("authorization: Bearer {CHECKOUT_KEY}\r\n");
    let ask = |model: &str, key: &str| example.plain(&request("/v1/chat/completions", model, false, key));
    assert!(ask("small", &key).starts_with("HTTP/1.1 200 "));
    assert!(ask("smart", &key).starts_with("HTTP/1.1 403 "), "the key is limited to `small`");
    assert!(ask("small", "").starts_with("HTTP/1.1 401 "));
}

#[test]
fn faults() {
    let example = Example::start("faults");
    example.answers(&["down", "storm"]);
    let stream = |model: &str| example.plain(&request("/v1/chat/completions", model, true, ""));
    let (spliced, ended) = (stream("cut"), stream("cut-plain"));
    assert!(spliced.contains("data: [DONE]") && !spliced.contains("\"error\""), "{spliced}");
    assert!(ended.contains("\"error\"") && !ended.contains("data: [DONE]"), "{ended}");
}

#[test]
fn plan() {
    let folder = tempfile::tempdir().unwrap();
    let run = |more: &[&str]| {
        let config = examples().join("plan/weir.toml");
        weir(folder.path()).args(["plan", "--no-proof", "--alone", "--config"]).arg(config).args(more).output().unwrap()
    };
    let (many, few) = (run(&["--users", "500"]), run(&["--users", "50"]));
    let text = String::from_utf8_lossy(&many.stdout).into_owned();
    assert!(text.starts_with("does not fit: chat input tokens/min needs 2.37M"), "{text}");
    assert_eq!((many.status.code(), few.status.code()), (Some(1), Some(0)), "{text}");
    Example::start("plan").answers(&["smart"]);
}

#[test]
fn simulate() {
    let folder = tempfile::tempdir().unwrap();
    let (plot, scenario) = (folder.path().join("run.svg"), examples().join("simulate/scenario.toml"));
    let run = |more: &[&str]| weir(folder.path()).arg("simulate").arg(&scenario).args(more).output().unwrap();
    let said = run(&["--naive", "--plot", plot.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.status.success() && text.contains("without Weir"), "{text}{}", String::from_utf8_lossy(&said.stderr));
    assert!(fs::read_to_string(&plot).unwrap().ends_with("</svg>\n"));
    let figures: serde_json::Value = serde_json::from_slice(&run(&["--json"]).stdout).unwrap();
    let (answered, asked) = (&figures["weir"]["all"]["answered"], &figures["weir"]["all"]["requests"]);
    assert!(answered.as_u64().unwrap() * 10 >= asked.as_u64().unwrap() * 9, "{answered} of {asked}");
    let wrong = folder.path().join("wrong.toml");
    fs::write(&wrong, "sede = 7\n[providers.a]\nkind = \"opnai\"\n").unwrap();
    let said = weir(folder.path()).arg("simulate").arg(&wrong).output().unwrap();
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!(said.status.code(), Some(2));
    assert!(text.contains("wrong.toml:1") && text.contains("`seed`") && text.contains("openai"), "{text}");
}

#[test]
fn tls() {
    let example = Example::start("tls");
    let mut openssl = Command::new("openssl")
        .args(["s_client", "-quiet", "-verify_return_error", "-verify_hostname", "localhost", "-CAfile"])
        .arg(example.folder.path().join("cert.pem"))
        .args(["-connect", &example.address])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl cannot be run: ./scripts/test installs it");
    let mut to = openssl.stdin.take().unwrap();
    to.write_all(request("/v1/chat/completions", "smart", false, "").as_bytes()).unwrap();
    let mut answer = String::new();
    openssl.stdout.take().unwrap().read_to_string(&mut answer).unwrap();
    openssl.wait().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

/// An example that serves.
struct Example {
    weir: Child,
    address: String,
    folder: tempfile::TempDir,
    _mock: Mock,
    _runtime: tokio::runtime::Runtime,
}

impl Example {
    /// Copies an example, checks it as it is, and serves it with a mock in the place of providers.
    fn start(name: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mock = runtime.block_on(Mock::start(Options::default())).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(examples().join(name)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        if folder.path().join("certificate").exists() {
            let made = Command::new(folder.path().join("certificate")).stderr(Stdio::null()).status();
            assert!(made.expect("openssl cannot be run: ./scripts/test installs it").success());
        }
        let config = folder.path().join("weir.toml");
        let checked = weir(folder.path()).args(["check", "--config"]).arg(&config).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, stand_in(&text, &mock.base_url())).unwrap();
        let mut weir =
            weir(folder.path()).args(["serve", "--config"]).arg(&config).stderr(Stdio::piped()).spawn().unwrap();
        let address = address(&mut weir);
        Self { weir, address, folder, _mock: mock, _runtime: runtime }
    }

    /// Asks each route in both dialects.
    fn answers(&self, routes: &[&str]) {
        for route in routes {
            for path in ["/v1/chat/completions", "/v1/messages"] {
                let answer = self.plain(&request(path, route, false, ""));
                assert!(answer.starts_with("HTTP/1.1 200 "), "{route} at {path}: {answer}");
                assert!(answer.contains("\"usage\""), "{route} at {path}: {answer}");
            }
        }
    }

    /// Sends a request, reads until the connection closes.
    fn plain(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // It may have ended by itself, which then shows in what the test asserts.
        let _ = self.weir.kill();
        let _ = self.weir.wait();
    }
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// The binary, with nothing of this machine's environment but its path.
fn weir(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.env_clear().env("HOME", home).env("NO_COLOR", "1").envs(SECRETS).stdin(Stdio::null());
    command
}

/// Where it says that it listens; what it says later is read and dropped, so that it never waits to be heard.
fn address(weir: &mut Child) -> String {
    let mut lines = BufReader::new(weir.stderr.take().unwrap()).lines();
    let mut said = String::new();
    while let Some(Ok(line)) = lines.next() {
        if let Some((_, rest)) = line.split_once("weir serves address=") {
            std::thread::spawn(move || lines.for_each(drop));
            return rest.split_whitespace().next().unwrap().to_owned();
        }
        said.push_str(&line);
        said.push('\n');
    }
    panic!("weir ended at once:\n{said}");
}

/// The example with the mock's address for each provider's own, and free ports.
fn stand_in(text: &str, mock: &str) -> String {
    let mut lines = Vec::new();
    if !text.contains("[server]") {
        lines.push("[server]\nlisten = \"127.0.0.1:0\"".to_owned());
    }
    for line in text.lines() {
        match line.split_whitespace().next().unwrap_or_default() {
            "listen" => lines.push("listen = \"127.0.0.1:0\"".to_owned()),
            "admin-listen" => lines.push("admin-listen = \"127.0.0.1:0\"".to_owned()),
            "base-url" => lines.push(format!("base-url = \"{mock}\"")),
            "kind" if line.contains("\"openai\"") || line.contains("\"anthropic\"") => {
                lines.push(format!("{line}\nbase-url = \"{mock}\""));
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines.join("\n")
}

fn request(path: &str, model: &str, stream: bool, headers: &str) -> String {
    let body = format!(
        "{{\"model\":\"{model}\",\"stream\":{stream},\"max_tokens\":64,\
         \"messages\":[{{\"role\":\"user\",\"content\":\"Which way?\"}}]}}"
    );
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n{headers}\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}
