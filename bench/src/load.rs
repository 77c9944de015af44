//! Clients that ask again as soon as they have an answer: a closed loop, which brings a proxy to its limit and counts.
//!
//! The loop ends at answers' ends. Everything asked is answered and counted, so that the proxy's CPU time divides by it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::message::Reader;
use crate::samples::Samples;

/// What to ask, of whom.
#[derive(Debug, Clone)]
pub struct Asking {
    /// Where the proxy listens.
    pub to: SocketAddr,
    /// The client's key, sent as a bearer token.
    pub key: String,
    /// How long the prompt is.
    pub prompt_bytes: usize,
    /// Whether the answer is to be streamed.
    pub stream: bool,
}

impl Asking {
    /// The whole request, head and body, as it is sent each time.
    pub fn bytes(&self) -> Vec<u8> {
        let words = "How much water does the weir carry today? ";
        let prompt: String = words.chars().cycle().take(self.prompt_bytes).collect();
        let system = r#"{"role":"system","content":"You are a helpful assistant."}"#;
        let stream = if self.stream { r#","stream":true"# } else { "" };
        let body = format!(
            r#"{{"model":"mock-gpt","messages":[{system},{{"role":"user","content":"{prompt}"}}],"temperature":0.5,"max_tokens":256{stream}}}"#
        );
        let accept = if self.stream { "text/event-stream" } else { "application/json" };
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\naccept: {accept}\r\ncontent-length: {}\r\n\r\n",
            self.to,
            self.key,
            body.len()
        );
        (head + &body).into_bytes()
    }
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Whole answers with status 200.
    pub answered: u64,
    /// Server-sent events in them.
    pub events: u64,
    /// From asking to the end of the answer.
    pub latency: Samples,
    /// From asking to the first bytes of the answer's body.
    pub first: Samples,
    /// What else came, and how often.
    pub failed: BTreeMap<String, u64>,
}

impl Outcome {
    /// Adds what came of one request.
    pub fn count(&mut self, since: Instant, answer: &Answer) {
        if let Some(why) = answer.fault() {
            return self.fail(why);
        }
        self.answered += 1;
        self.events += answer.events;
        self.latency.push(since.elapsed());
        if let Some(first) = answer.first {
            self.first.push(first.saturating_duration_since(since));
        }
    }

    /// Adds a request that did not go well.
    pub fn fail(&mut self, why: String) {
        *self.failed.entry(why).or_default() += 1;
    }

    /// Adds another's counts.
    pub fn append(&mut self, mut other: Self) {
        self.answered += other.answered;
        self.events += other.events;
        self.latency.append(&mut other.latency);
        self.first.append(&mut other.first);
        for (why, count) in other.failed {
            *self.failed.entry(why).or_default() += count;
        }
    }

    /// As JSON, with the time that it took.
    pub fn report(&mut self, took: Duration) -> Value {
        json!({
            "answered": self.answered,
            "events": self.events,
            "failed": self.failed,
            "seconds": took.as_secs_f64(),
            "latency_us": self.latency.report(),
            "first_us": self.first.report(),
        })
    }
}

/// An answer while it is read.
#[derive(Debug, Default)]
pub struct Answer {
    status: u16,
    events: u64,
    first: Option<Instant>,
    stream: bool,
    tail: Vec<u8>,
}

impl Answer {
    /// An answer to come.
    pub fn awaited(asking: &Asking) -> Self {
        Self { stream: asking.stream, ..Self::default() }
    }

    /// Reads on from `bytes`; whether that was the end of it.
    ///
    /// # Errors
    /// When it is not HTTP, or goes on after its end.
    pub fn read(&mut self, reader: &mut Reader, mut bytes: &[u8]) -> io::Result<bool> {
        while !bytes.is_empty() {
            let step = reader.read(bytes, |piece| self.take(piece)).map_err(|e| io::Error::other(e.to_string()))?;
            bytes = &bytes[step.used..];
            if step.whole {
                self.status = reader.status();
                return if bytes.is_empty() { Ok(true) } else { Err(io::Error::other("more than was asked for")) };
            }
        }
        Ok(false)
    }

    fn take(&mut self, piece: &[u8]) {
        self.first.get_or_insert_with(Instant::now);
        if !self.stream {
            return;
        }
        // An event ends with an empty line, whose two line ends may come in two pieces.
        if self.tail.last() == Some(&b'\n') && piece.first() == Some(&b'\n') {
            self.events += 1;
        }
        self.events += memchr::memmem::find_iter(piece, b"\n\n").count() as u64;
        self.tail.extend_from_slice(&piece[piece.len().saturating_sub(END.len())..]);
        let surplus = self.tail.len().saturating_sub(END.len());
        self.tail.drain(..surplus);
    }

    fn fault(&self) -> Option<String> {
        match self.status {
            200 if self.first.is_none() => Some("an empty answer".to_owned()),
            200 if self.stream && self.tail != END => Some("a stream without its end".to_owned()),
            200 => None,
            status => Some(format!("status {status}")),
        }
    }
}

const END: &[u8] = b"data: [DONE]\n\n";
/// After the time is up, answers have this long to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks on `connections` connections for `lasting`. Must run on a [`tokio::task::LocalSet`].
pub async fn closed(asking: &Asking, connections: usize, lasting: Duration) -> Outcome {
    let outcome = Rc::new(RefCell::new(Outcome::default()));
    let request: Rc<[u8]> = asking.bytes().into();
    let until = Instant::now() + lasting;
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        let (asking, request, outcome) = (asking.clone(), Rc::clone(&request), Rc::clone(&outcome));
        clients.spawn_local(async move {
            while Instant::now() < until {
                if let Err(why) = client(&asking, &request, until, &outcome).await {
                    outcome.borrow_mut().fail(why.to_string());
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        });
    }
    let all = async { while clients.join_next().await.is_some() {} };
    if tokio::time::timeout(lasting + PATIENCE, all).await.is_err() {
        outcome.borrow_mut().fail("no end of an answer".to_owned());
    }
    drop(clients);
    outcome.take()
}

/// Asks on one connection until the time is up or the connection fails.
async fn client(asking: &Asking, request: &[u8], until: Instant, outcome: &RefCell<Outcome>) -> io::Result<()> {
    let mut stream = TcpStream::connect(asking.to).await?;
    stream.set_nodelay(true)?;
    let mut reader = Reader::default();
    let mut buffer = vec![0; 16 * 1024];
    while Instant::now() < until {
        let since = Instant::now();
        stream.write_all(request).await?;
        let mut answer = Answer::awaited(asking);
        loop {
            let count = stream.read(&mut buffer).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if answer.read(&mut reader, &buffer[..count])? {
                break;
            }
        }
        outcome.borrow_mut().count(since, &answer);
    }
    Ok(())
}
