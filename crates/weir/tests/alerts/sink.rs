//! Somebody who is told: an HTTP server that keeps what it was sent and answers as it is asked to.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// No message of these tests takes so long, however busy the machine is.
const GUARD: Duration = Duration::from_secs(90);

/// What was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) path: String,
    head: String,
    pub(crate) text: String,
    /// What it was answered.
    pub(crate) status: u16,
}

impl Sent {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// `opened breaker-open`, of a webhook's message.
    pub(crate) fn what(&self) -> String {
        let told = self.json();
        format!("{} {}", told["event"].as_str().unwrap(), told["alert"]["rule"].as_str().unwrap())
    }
}

pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    serving: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    sent: Mutex<Vec<Sent>>,
    /// What the next ones are answered: a status and a line of the head.
    answers: Mutex<VecDeque<(u16, String)>>,
    /// What all others are.
    usual: Mutex<Option<u16>>,
    arrived: Notify,
}

impl Sink {
    pub(crate) async fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    pub(crate) async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let (address, shared) = (listener.local_addr().unwrap(), Arc::<Shared>::default());
        let serving = Arc::clone(&shared);
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = Arc::clone(&serving);
                tokio::spawn(async move { serve(stream, &shared).await });
            }
        });
        Self { address, shared, serving }
    }

    /// Goes away; nobody listens there any more.
    pub(crate) async fn stop(self) -> SocketAddr {
        self.serving.abort();
        let _ = self.serving.await;
        self.address
    }

    /// Answers the next message so, with a line of the head.
    pub(crate) fn answer_next(&self, status: u16, line: &str) {
        self.shared.answers.lock().unwrap().push_back((status, line.to_owned()));
    }

    /// Answers all messages so.
    pub(crate) fn answer(&self, status: u16) {
        *self.shared.usual.lock().unwrap() = Some(status);
    }

    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.shared.sent.lock().unwrap().clone()
    }

    /// What it took: `opened breaker-open`, in order.
    pub(crate) fn taken(&self) -> Vec<String> {
        self.sent().iter().filter(|sent| sent.status == 200).map(Sent::what).collect()
    }

    /// Waits for the first message that fits.
    pub(crate) async fn wait_for(&self, fits: impl Fn(&Sent) -> bool) -> Sent {
        let waiting = async {
            loop {
                let arrived = self.shared.arrived.notified();
                if let Some(sent) = self.sent().into_iter().find(&fits) {
                    return sent;
                }
                arrived.await;
            }
        };
        let found = tokio::time::timeout(GUARD, waiting).await;
        found.unwrap_or_else(|_| panic!("it was sent only {:#?}", self.sent()))
    }

    /// Waits until it has taken `opened breaker-open`, or the like.
    pub(crate) async fn wait(&self, what: &str) -> Sent {
        self.wait_for(|sent| sent.status == 200 && sent.what() == what).await
    }
}

async fn serve(mut stream: TcpStream, shared: &Shared) {
    let mut raw = Vec::new();
    let (head, length) = loop {
        if stream.read_buf(&mut raw).await.unwrap_or(0) == 0 {
            return;
        }
        if let Some(at) = raw.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(raw[..at].to_vec()).unwrap();
            let length = head.lines().filter_map(|line| line.split_once(": "));
            let length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length")).map(|(_, n)| n.parse());
            let length: usize = length.map(Result::unwrap).next().unwrap_or(0);
            break (head, at + 4 + length);
        }
    };
    while raw.len() < length {
        if stream.read_buf(&mut raw).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let text = String::from_utf8(raw[head.len() + 4..].to_vec()).unwrap();
    let usual = (shared.usual.lock().unwrap().unwrap_or(200), String::new());
    let (status, line) = shared.answers.lock().unwrap().pop_front().unwrap_or(usual);
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    shared.sent.lock().unwrap().push(Sent { path, head, text, status });
    shared.arrived.notify_waiters();
    let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n{line}\r\n");
    let _ = stream.write_all(answer.as_bytes()).await;
}
