//! A raw client for the mock's tests: it sees bytes, ends and resets, which a client library would hide.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How a connection's answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The body was whole by its own framing.
    Whole,
    /// The connection ended before that.
    Cut,
    /// The connection was reset.
    Reset,
    /// Nothing more came for a while.
    Quiet,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
    pub(crate) end: End,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The `data:` payloads of a stream.
    pub(crate) fn events(&self) -> Vec<&str> {
        self.body.lines().filter_map(|line| line.strip_prefix("data: ")).collect()
    }
}

/// Sends one request and reads until the answer ends, or nothing comes for 300 ms.
pub(crate) async fn send(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Got {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let kind = if headers.contains("content-type") { "" } else { "content-type: application/json\r\n" };
    let length = body.len();
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: mock\r\n{kind}content-length: {length}\r\n{headers}\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut raw = Vec::new();
    let mut end = loop {
        let mut part = vec![0; 65_536];
        match tokio::time::timeout(Duration::from_millis(300), stream.read(&mut part)).await {
            Err(_) => break End::Quiet,
            Ok(Ok(0)) => break End::Cut,
            Ok(Ok(n)) => raw.extend_from_slice(&part[..n]),
            Ok(Err(error)) if error.kind() == ErrorKind::ConnectionReset => break End::Reset,
            Ok(Err(error)) => panic!("{error}"),
        }
        if unframed(&raw).2 {
            break End::Whole;
        }
    };
    let (head, body, whole) = unframed(&raw);
    if whole {
        end = End::Whole;
    }
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Got { status, head, body: String::from_utf8_lossy(&body).into_owned(), end }
}

/// The head, the body without its chunk framing, and whether it is whole.
fn unframed(raw: &[u8]) -> (String, Vec<u8>, bool) {
    let Some(at) = raw.windows(4).position(|w| w == b"\r\n\r\n") else { return (String::new(), Vec::new(), false) };
    let head = String::from_utf8_lossy(&raw[..at]).into_owned();
    let mut rest = &raw[at + 4..];
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
    if let Some(length) = length {
        return (head, rest.to_vec(), rest.len() >= length);
    }
    let mut body = Vec::new();
    while let Some(line) = rest.windows(2).position(|w| w == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        if size == 0 {
            return (head, body, true);
        }
        if rest.len() < line + 2 + size + 2 {
            break;
        }
        body.extend_from_slice(&rest[line + 2..line + 2 + size]);
        rest = &rest[line + 2 + size + 2..];
    }
    (head, body, false)
}

pub(crate) async fn chat(address: SocketAddr, body: &str) -> Got {
    send(address, "POST", "/v1/chat/completions", "", body).await
}

pub(crate) async fn messages(address: SocketAddr, body: &str) -> Got {
    send(address, "POST", "/v1/messages", "anthropic-version: 2023-06-01\r\n", body).await
}
