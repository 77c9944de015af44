//! A client that hides nothing: it sees the bytes, and how the connection ended.
//!
//! A library would retry, reassemble or raise. What a fault matrix judges is what really came over the wire.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No answer of these tests takes so long, however busy the machine is.
const GUARD: Duration = Duration::from_secs(60);

/// An answer, as it came.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// By its own framing, the body was whole when the connection ended.
    pub(crate) whole: bool,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Result<Value, String> {
        serde_json::from_str(&self.body).map_err(|e| format!("the body is no JSON ({e}): {}", self.body))
    }
}

/// A request under way.
pub(crate) struct Open {
    stream: TcpStream,
    raw: Vec<u8>,
}

impl Open {
    /// Reads until `part` was seen; whether it was.
    pub(crate) async fn read_until(&mut self, part: &str) -> bool {
        let reading = async {
            while !contains(&self.raw, part.as_bytes()) {
                if self.stream.read_buf(&mut self.raw).await.unwrap_or(0) == 0 {
                    return false;
                }
            }
            true
        };
        tokio::time::timeout(GUARD, reading).await.unwrap_or(false)
    }

    /// Reads to the end of the connection.
    pub(crate) async fn read(mut self) -> Result<Got, String> {
        let reading = async {
            loop {
                match self.stream.read_buf(&mut self.raw).await {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                }
            }
        };
        if tokio::time::timeout(GUARD, reading).await.is_err() {
            return Err(format!("it never ended: {}", String::from_utf8_lossy(&self.raw)));
        }
        parse(&self.raw)
    }
}

/// Sends a request, and reads nothing yet.
pub(crate) async fn open(address: SocketAddr, path: &str, headers: &str, body: &str) -> Open {
    let mut stream = TcpStream::connect(address).await.expect("the gateway listens");
    let method = if body.is_empty() { "GET" } else { "POST" };
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("the gateway reads");
    Open { stream, raw: Vec::new() }
}

/// Sends a request and reads the whole answer.
pub(crate) async fn send(address: SocketAddr, path: &str, headers: &str, body: &str) -> Result<Got, String> {
    open(address, path, headers, body).await.read().await
}

fn contains(raw: &[u8], part: &[u8]) -> bool {
    raw.windows(part.len()).any(|window| window == part)
}

fn parse(raw: &[u8]) -> Result<Got, String> {
    let Some(at) = raw.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Err(format!("the connection ended without a head: {}", String::from_utf8_lossy(raw)));
    };
    let head = String::from_utf8_lossy(&raw[..at]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let headers: Vec<(String, String)> =
        lines.filter_map(|line| line.split_once(": ")).map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    let rest = &raw[at + 4..];
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let (body, whole) = match length.and_then(|(_, value)| value.parse::<usize>().ok()) {
        Some(length) => (rest.to_vec(), rest.len() == length),
        None => unchunked(rest),
    };
    let body = String::from_utf8(body).map_err(|e| format!("the body is no UTF-8: {e}"))?;
    Ok(Got { status: status.unwrap_or(0), headers, body, whole })
}

/// The body without its chunk framing, and whether the last chunk came.
fn unchunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(line) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&rest[..line]).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok());
        match size {
            Some(0) => return (body, true),
            Some(size) if rest.len() >= line + size + 4 => {
                body.extend_from_slice(&rest[line + 2..line + 2 + size]);
                rest = &rest[line + size + 4..];
            }
            _ => break,
        }
    }
    (body, false)
}
