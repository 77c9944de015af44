//! A recorded stream, cut wherever it can be: a false end is never shown, and with a second deployment nothing is lost.
//!
//! The upstream is a bare socket that sends the first bytes of a recording and closes. The connection's end is all the
//! framing that the body has, so a cut looks like the end of an answer to everyone but a reader of the dialect.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::cell::same;
use crate::client::send;
use crate::dialect::Dialect;
use crate::world::{World, credential, mock, provider};

/// A long answer with characters of up to four bytes.
const PROMPT: &str = "Tell of rivers, words=200";
/// Requests at once: enough to keep the machine busy, and few enough not to run out of ports.
const AT_ONCE: usize = 24;
/// Bytes at the beginning and at the end of the recording where a cut falls after each. Between them it falls after each
/// [`STEP`]th, which shares no factor with the length of a chunk, so that every place of a chunk is hit; and after each
/// one where the variable `EVERY_BYTE` is set, which takes minutes.
const EDGE: usize = 400;
const STEP: usize = 47;

/// What a provider streamed once.
struct Recording {
    body: String,
    text: String,
    /// Where the event that finishes the answer begins and ends.
    finish: (usize, usize),
}

/// With nobody else to ask: an answer is complete exactly if its finish came, and a clean error else.
pub(crate) async fn alone(dialect: Dialect) -> Result<(), String> {
    each(dialect, "first/", move |recording, at, client, got| {
        let (begins, ends) = recording.finish;
        if got.status != 200 {
            same("the status", &got.status, &502)?;
            let (code, ..) = client.error(&got.json()?)?;
            same("the code", &code.as_deref(), &Some("upstream_error"))?;
            return if at < ends { Ok(()) } else { Err("a whole answer is refused".to_owned()) };
        }
        let said = client.read(got, true)?;
        let complete = said.error.is_none();
        same("an end mark", &said.terminated, &complete)?;
        same("a reason to stop", &said.stop.is_some(), &complete)?;
        if complete && at < begins || !complete && at >= ends {
            return Err(format!("complete: {complete}, and the finish is at {begins}..{ends}"));
        }
        let whole = if complete { said.text == recording.text } else { recording.text.starts_with(&said.text) };
        if whole { Ok(()) } else { Err(format!("it said {}", said.text)) }
    })
    .await
}

/// With a healthy second deployment the answer is always the whole one: nothing twice, nothing left out.
pub(crate) async fn second(dialect: Dialect) -> Result<(), String> {
    each(dialect, "", move |recording, _, client, got| {
        same("the status", &got.status, &200)?;
        let said = client.read(got, true)?;
        same("the text", &said.text, &recording.text)?;
        same("the end", &(said.terminated, said.stop.as_deref()), &(true, Some(client.end())))?;
        same("the error", &said.error, &None)
    })
    .await
}

type Check = fn(&Recording, usize, Dialect, &crate::client::Got) -> Result<(), String>;

/// Asks once for each cut. The model's name tells the upstream where to cut; and as each name is a deployment of its own,
/// no breaker opens on what the others did. The client speaks the provider's dialect, and the other one in turns.
async fn each(dialect: Dialect, prefix: &'static str, check: Check) -> Result<(), String> {
    let recording = Arc::new(record(dialect).await?);
    let first = serve(Arc::clone(&recording), true).await;
    let second = serve(Arc::clone(&recording), false).await;
    let more = "[server]\nlisten = \"127.0.0.1:0\"\n[retry]\nbase = \"5ms\"\n[routes.\"*\"]\ndeployments = [\"first/*\", \"second/*\"]\n";
    let text = format!("{}{}{more}", provider("first", dialect, first), provider("second", dialect, second));
    let world = World::with(&text).await;
    let (address, places) = (world.gateway.address(), Arc::new(Semaphore::new(AT_ONCE)));
    let mut asking = JoinSet::new();
    for at in cuts(recording.body.len()) {
        let (recording, places) = (Arc::clone(&recording), Arc::clone(&places));
        asking.spawn(async move {
            let _place = places.acquire_owned().await.map_err(|e| e.to_string())?;
            let client = if at % 2 == 0 { dialect } else { dialect.other() };
            let body = client.request(&format!("{prefix}cut-{at}"), PROMPT, true);
            let got = send(address, client.path(), client.headers(), &body).await?;
            check(&recording, at, client, &got).map_err(|why| format!("{}, cut after {at}: {why}", client.name()))
        });
    }
    let mut complaints = Vec::new();
    while let Some(asked) = asking.join_next().await {
        complaints.extend(asked.map_err(|e| e.to_string())?.err());
    }
    complaints.extend(world.end().await.err());
    complaints.truncate(5);
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n")) }
}

fn cuts(length: usize) -> impl Iterator<Item = usize> {
    let every = std::env::var_os("EVERY_BYTE").is_some();
    (0..=length).filter(move |at| every || *at < EDGE || at % STEP == 0 || at + EDGE > length)
}

/// Records what a healthy provider streams.
async fn record(dialect: Dialect) -> Result<Recording, String> {
    let mock = mock("first").await;
    let headers = format!("authorization: Bearer {}\r\nanthropic-version: 2023-06-01\r\n", credential("first"));
    let request = dialect.request("fast", PROMPT, true).replace("\"max_tokens\":40", "\"max_tokens\":1000");
    let got = send(mock.address(), dialect.path(), &headers, &request).await?;
    let said = dialect.read(&got, true)?;
    let mark = match dialect {
        Dialect::OpenAi => "\"finish_reason\":\"stop\"",
        Dialect::Anthropic => "event: message_delta",
    };
    let at = got.body.find(mark).ok_or("the recording has no finish")?;
    let begins = got.body[..at].rfind("\n\n").map_or(0, |end| end + 2);
    let ends = got.body[at..].find("\n\n").map_or(got.body.len(), |end| at + end + 2);
    let chunks = got.body.matches("\n\n").count();
    if chunks < 200 {
        return Err(format!("the recording has only {chunks} events"));
    }
    Ok(Recording { text: said.text, finish: (begins, ends), body: got.body })
}

/// Starts an upstream that sends the recording, up to where the model's name says if `cuts`.
async fn serve(recording: Arc<Recording>, cuts: bool) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let recording = Arc::clone(&recording);
            tokio::spawn(async move { answer(stream, &recording, cuts).await });
        }
    });
    address
}

/// Answers one request, and closes.
async fn answer(mut stream: TcpStream, recording: &Recording, cuts: bool) -> Option<()> {
    let mut request = Vec::new();
    let at = loop {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
        // The request is whole when its JSON is; the model stands in it somewhere.
        let text = std::str::from_utf8(&request).ok()?;
        if let Some((_, body)) = text.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str::<serde_json::Value>(body)
        {
            break body["model"].as_str()?.strip_prefix("cut-")?.parse::<usize>().ok()?;
        }
    };
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let body = &recording.body.as_bytes()[..if cuts { at } else { recording.body.len() }];
    stream.write_all(&[head.as_bytes(), body].concat()).await.ok()?;
    stream.shutdown().await.ok()
}
