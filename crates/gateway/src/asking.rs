//! Asking a running gateway what its operator may know: the client's side of the admin API, for `weir top` and its siblings.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use crate::body::Segments;
use crate::fault::causes;
use crate::tls;
use crate::upstream::{HttpClient, StandIns, client};

/// How long connecting, and a whole answer, may take.
const CONNECT: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const LARGEST: usize = 32 << 20;

/// Why there is no answer.
#[derive(Debug)]
pub enum AskFault {
    /// What was given cannot be used: an address, a key, a file.
    Given(String),
    /// Nobody answers there, or not in time.
    Unreachable(String),
    /// It answers, and says no.
    Refused(StatusCode, String),
}

impl fmt::Display for AskFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(why) | Self::Unreachable(why) => f.write_str(why),
            Self::Refused(status, why) => write!(f, "the server answers {}: {why}", status.as_u16()),
        }
    }
}

impl std::error::Error for AskFault {}

/// A gateway that can be asked; its connection stays open between questions.
pub struct Operator {
    http: HttpClient,
    base: String,
    authority: String,
    key: Option<HeaderValue>,
}

impl Operator {
    /// Prepares to ask the gateway at `url` (`http://host:port`, or https) with its admin key.
    ///
    /// # Errors
    /// A sentence that says what of it cannot be used. Nothing is sent yet.
    pub fn new(url: &str, key: Option<&str>, ca_file: Option<&Path>) -> Result<Self, AskFault> {
        let wrong = |why: &str| AskFault::Given(format!("`{url}` {why}: write it as http://127.0.0.1:4141"));
        let base = url.trim_end_matches('/');
        let uri: Uri = base.parse().map_err(|_| wrong("is not a URL"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(wrong("does not begin with http:// or https://"));
        }
        let authority = uri.authority().ok_or_else(|| wrong("names no host"))?.to_string();
        let key = key.map(|key| {
            HeaderValue::try_from(format!("Bearer {key}"))
                .map_err(|_| AskFault::Given("the admin key holds a character that no header may".to_owned()))
        });
        let mut key = key.transpose()?;
        if let Some(key) = &mut key {
            key.set_sensitive(true);
        }
        let http = client(tls::client_config(ca_file).map_err(AskFault::Given)?, CONNECT, StandIns::default());
        Ok(Self { http, base: base.to_owned(), authority, key })
    }

    /// `host:port`.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Asks for a path, `/admin/v1/live`, and reads the whole answer.
    ///
    /// # Errors
    /// When nobody answers in time, or says no.
    pub async fn ask(&self, path: &str) -> Result<Bytes, AskFault> {
        self.send(Method::GET, path, None).await
    }

    /// Sends what is to be changed, a JSON text where there is one, and reads the whole answer.
    ///
    /// # Errors
    /// When nobody answers in time, or says no.
    pub async fn send(&self, method: Method, path: &str, body: Option<String>) -> Result<Bytes, AskFault> {
        match tokio::time::timeout(ANSWER, self.exchange(method, path, body)).await {
            Ok(answer) => answer,
            Err(_) => {
                Err(AskFault::Unreachable(format!("{} does not answer within {} s", self.base, ANSWER.as_secs())))
            }
        }
    }

    /// Asks for a path that answers with Server-Sent Events, and hands over each event's name and data until the stream ends or
    /// `each` has had enough.
    ///
    /// # Errors
    /// When nobody answers in time, or says no.
    pub async fn listen(&self, path: &str, mut each: impl FnMut(&str, &str) -> bool) -> Result<(), AskFault> {
        let late = |_| AskFault::Unreachable(format!("{} does not answer within {} s", self.base, ANSWER.as_secs()));
        let response = tokio::time::timeout(ANSWER, self.open(Method::GET, path, None)).await.map_err(late)??;
        let status = response.status();
        let mut body = response.into_body();
        if !status.is_success() {
            let read = Limited::new(body, LARGEST).collect().await.map(http_body_util::Collected::to_bytes);
            return Err(AskFault::Refused(status, said(&read.unwrap_or_default())));
        }
        let mut held: Vec<u8> = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| AskFault::Unreachable(format!("{} broke off: {e}", self.base)))?;
            held.extend_from_slice(frame.data_ref().map(AsRef::as_ref).unwrap_or_default());
            // An event ends with an empty line, and may come in pieces.
            while let Some(end) = held.windows(2).position(|pair| pair == b"\n\n") {
                let event = String::from_utf8_lossy(&held[..end]).into_owned();
                held.drain(..end + 2);
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
                if !field("data: ").is_empty() && !each(field("event: "), field("data: ")) {
                    return Ok(());
                }
            }
            if held.len() > LARGEST {
                return Err(AskFault::Unreachable(format!("{} sends an event that has no end", self.base)));
            }
        }
        Ok(())
    }

    async fn exchange(&self, method: Method, path: &str, body: Option<String>) -> Result<Bytes, AskFault> {
        let unreachable = |why: String| AskFault::Unreachable(format!("{} cannot be reached: {why}", self.base));
        let response = self.open(method, path, body).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LARGEST).collect().await;
        let body = body.map_err(|e| unreachable(e.to_string()))?.to_bytes();
        if status.is_success() { Ok(body) } else { Err(AskFault::Refused(status, said(&body))) }
    }

    /// Sends a question; the answer's body is still to come.
    async fn open(&self, method: Method, path: &str, body: Option<String>) -> Result<Response<Incoming>, AskFault> {
        let given = |e: http::Error| AskFault::Given(format!("`{}{path}` cannot be asked for: {e}", self.base));
        let mut request =
            Request::builder().method(method).uri(format!("{}{path}", self.base)).header(HOST, &self.authority);
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, key);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body: Vec<Bytes> = body.into_iter().map(Bytes::from).collect();
        let request = request.body(Segments::from(body)).map_err(given)?;
        let unreachable = |why: String| AskFault::Unreachable(format!("{} cannot be reached: {why}", self.base));
        self.http.request(request).await.map_err(|e| unreachable(causes(&e)))
    }
}

/// The message of a refusal.
fn said(body: &[u8]) -> String {
    let error: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let message = error.as_ref().and_then(|e| e.pointer("/error/message")).and_then(serde_json::Value::as_str);
    message.map_or_else(|| "it does not say why".to_owned(), weir_wire::shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_asked_is_named_with_what_to_write() {
        for (url, why) in [("127.0.0.1:4141", "http"), ("ftp://x", "http"), ("http://", "http"), ("", "http")] {
            let fault = Operator::new(url, None, None).err().unwrap().to_string();
            assert!(fault.contains(&format!("`{url}`")) && fault.contains(why), "{fault}");
        }
        assert!(Operator::new("http://h", Some("a\nb"), None).is_err());
        assert_eq!(Operator::new("http://h:1/", Some("k"), None).unwrap().authority(), "h:1");
    }
}
