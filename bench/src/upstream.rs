//! The provider behind the proxies under test: OpenAI's Chat Completions, always the same answer, as cheap as can be.
//!
//! Every byte it sends is made once at start. A stream's chunks differ from each other, as they do in life; a usage chunk comes
//! if it was asked for, as OpenAI's does, so that a gateway which asks pays for it.

use std::fmt::Write as _;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::message::Reader;

/// What the answers look like.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Chunks with content in a stream.
    pub chunks: usize,
    /// The time before each of them.
    pub pace: Duration,
}

struct Answers {
    shape: Shape,
    unary: Vec<u8>,
    opening: Vec<u8>,
    chunks: Vec<Vec<u8>>,
    end: Vec<u8>,
    end_with_usage: Vec<u8>,
}

/// What a request asks for.
enum Ask {
    Unary,
    Stream { usage: bool },
}

/// Answers whoever connects, until the listener fails.
///
/// # Errors
/// Only the listener's. Must run on a [`tokio::task::LocalSet`].
pub async fn serve(listener: TcpListener, shape: Shape) -> io::Result<()> {
    let answers = Rc::new(Answers::new(shape));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answers = Rc::clone(&answers);
        // How a connection ends is the proxy's choice; what matters of it is counted by the clients.
        tokio::task::spawn_local(async move { answers.connection(stream).await.unwrap_or_default() });
    }
}

impl Answers {
    fn new(shape: Shape) -> Self {
        let text = "A weir keeps the flow below what the bed can carry. ".repeat(8);
        let unary = format!(
            r#"{{{IDENTITY},"object":"chat.completion","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":250,"completion_tokens":100,"total_tokens":350}}}}"#
        );
        let unary = format!("{HEAD}content-type: application/json\r\ncontent-length: {}\r\n\r\n{unary}", unary.len());
        let opening = format!(
            "{HEAD}content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        let opening = opening + &chunk(&[&event(r#"{"role":"assistant","content":""}"#, "null")]);
        let chunks = (0..shape.chunks).map(|n| {
            let delta = format!(r#"{{"content":" and word {n}"}}"#);
            chunk(&[&event(&delta, "null")]).into_bytes()
        });
        let (stop, done) = (event("{}", r#""stop""#), "data: [DONE]\n\n");
        let usage = format!(
            "data: {{{IDENTITY},\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{{\"prompt_tokens\":250,\"completion_tokens\":{0},\"total_tokens\":{1}}}}}\n\n",
            shape.chunks,
            shape.chunks + 250
        );
        let end = |events: &[&str]| (chunk(events) + "0\r\n\r\n").into_bytes();
        Self {
            shape,
            unary: unary.into_bytes(),
            opening: opening.into_bytes(),
            chunks: chunks.collect(),
            end: end(&[&stop, done]),
            end_with_usage: end(&[&stop, &usage, done]),
        }
    }

    async fn connection(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut reader = Reader::default();
        let mut body = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = stream.read(&mut buffer).await?;
            if count == 0 {
                return Ok(());
            }
            let mut bytes = &buffer[..count];
            while !bytes.is_empty() {
                let step = reader
                    .read(bytes, |piece| body.extend_from_slice(piece))
                    .map_err(|e| io::Error::other(e.to_string()))?;
                bytes = &bytes[step.used..];
                if step.whole {
                    self.answer(&mut stream, &ask(&body)).await?;
                    body.clear();
                }
            }
        }
    }

    async fn answer(&self, stream: &mut TcpStream, ask: &Ask) -> io::Result<()> {
        let Ask::Stream { usage } = ask else {
            return stream.write_all(&self.unary).await;
        };
        stream.write_all(&self.opening).await?;
        let mut due = Instant::now();
        for chunk in &self.chunks {
            due += self.shape.pace;
            tokio::time::sleep_until(due).await;
            stream.write_all(chunk).await?;
        }
        stream.write_all(if *usage { &self.end_with_usage } else { &self.end }).await
    }
}

const HEAD: &str = "HTTP/1.1 200 OK\r\nx-request-id: req_5f3a1c\r\n";
const IDENTITY: &str = r#""id":"chatcmpl-5f3a1c0000000000000000000000","created":1700000000,"model":"mock-gpt","system_fingerprint":"fp_5f3a1c""#;

fn event(delta: &str, finish: &str) -> String {
    format!(
        "data: {{{IDENTITY},\"object\":\"chat.completion.chunk\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}]}}\n\n"
    )
}

/// One chunk of the chunked coding, with all of `events` in it.
fn chunk(events: &[&str]) -> String {
    let length: usize = events.iter().map(|event| event.len()).sum();
    let mut chunk = String::with_capacity(length + 16);
    // Writing to a string does not fail.
    write!(chunk, "{length:x}\r\n").unwrap_or_default();
    events.iter().for_each(|event| chunk.push_str(event));
    chunk + "\r\n"
}

/// A search for words instead of a parse, near both ends of the body, where the fields are that are not the prompt.
fn ask(body: &[u8]) -> Ask {
    const NEAR: usize = 1_024;
    let first = &body[..body.len().min(NEAR)];
    let last = &body[body.len().saturating_sub(NEAR)..];
    let says = |words: &[u8]| memmem::find(first, words).or_else(|| memmem::find(last, words)).is_some();
    if says(br#""stream":true"#) { Ask::Stream { usage: says(br#""include_usage":true"#) } } else { Ask::Unary }
}
