//! Stage *accept*: which dialect this is, the body within its bounds, and only what is acted on parsed out of it.

use std::io::Read;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, request};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tokio::time::error::Elapsed;
use weir_config::Tag;
use weir_engine::Priority;
use weir_units::{Moment, RequestId, TraceContext, WallTime};
use weir_wire::{Endpoint, Head, Measure};

use crate::headers;
use crate::reply::{Cause, Refusal};
use crate::retried::Retried;
use crate::waste::Content;

/// How long a client may pause while it sends a body.
const BODY_PAUSE: Duration = Duration::from_secs(30);

/// How long what follows a refusal is read.
const READ_ON: Duration = Duration::from_secs(30);

/// A request whose body is here and makes sense.
pub(crate) struct Accepted {
    pub(crate) id: RequestId,
    /// The trace that it is in, if anybody traces.
    pub(crate) trace: Option<TraceContext>,
    /// When its body was here and read.
    pub(crate) accepted_at: WallTime,
    /// What it asks, so that an equal request is found, and what it is a further try of; known when its tenant is.
    pub(crate) content: Option<Content>,
    pub(crate) retried: Option<Retried>,
    pub(crate) arrived: Moment,
    /// When the client stops waiting, if it said.
    pub(crate) deadline: Option<Moment>,
    /// The deadline is the end of everything; else it is how long the client waits for bytes, and each byte moves it.
    pub(crate) firm: bool,
    /// How often the client's SDK had tried before, if it says so.
    pub(crate) sdk_retry: Option<u32>,
    /// The class of traffic that it asks to be of.
    pub(crate) priority: Priority,
    /// What it is counted under beside its key and its tenant.
    pub(crate) tags: Vec<Tag>,
    pub(crate) peer: SocketAddr,
    pub(crate) started_at: WallTime,
    pub(crate) endpoint: Endpoint,
    pub(crate) headers: HeaderMap,
    pub(crate) query: Option<String>,
    pub(crate) body: Bytes,
    pub(crate) head: Head,
    pub(crate) measured: OnceLock<Measure>,
    /// What the body holds of the memory that all bodies share; given back when it is dropped.
    pub(crate) _held: Held,
}

impl Accepted {
    /// What its tokens are estimated from. Looking at every byte costs as much as a seventh of all that Weir does besides, so it
    /// is done when somebody needs to know, and once.
    pub(crate) fn measure(&self) -> &Measure {
        self.measured.get_or_init(|| weir_wire::measure(&self.body))
    }
}

/// Memory that all buffered bodies share.
#[derive(Clone)]
pub(crate) struct Buffers {
    used: Arc<AtomicUsize>,
    limit: usize,
}

/// A share of [`Buffers`].
pub(crate) struct Held {
    buffers: Buffers,
    bytes: usize,
}

impl Buffers {
    pub(crate) fn new(limit: usize) -> Self {
        Self { used: Arc::new(AtomicUsize::new(0)), limit }
    }

    /// The same memory with another bound.
    pub(crate) fn with_limit(&self, limit: usize) -> Self {
        Self { used: Arc::clone(&self.used), limit }
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn hold(&self) -> Held {
        Held { buffers: self.clone(), bytes: 0 }
    }
}

impl Held {
    /// Takes `more` bytes; false, and nothing taken, if that would pass the bound.
    pub(crate) fn take(&mut self, more: usize) -> bool {
        let before = self.buffers.used.fetch_add(more, Ordering::Relaxed);
        if before.saturating_add(more) > self.buffers.limit {
            self.buffers.used.fetch_sub(more, Ordering::Relaxed);
            return false;
        }
        self.bytes += more;
        true
    }
}

impl Held {
    /// Takes over what another share holds.
    fn absorb(&mut self, mut other: Self) {
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.buffers.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Reads the body of a request, decoded, at most `limit` bytes of it.
pub(crate) async fn body<B>(parts: &request::Parts, body: B, limit: usize, held: &mut Held) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let encoding = headers::text(&parts.headers, &CONTENT_ENCODING).map(str::trim).unwrap_or("identity");
    let declared = headers::text(&parts.headers, &CONTENT_LENGTH).and_then(|t| t.parse::<usize>().ok());
    if declared.is_some_and(|n| n > limit) {
        return Err(too_large(limit));
    }
    let raw = collect(body, declared.unwrap_or(0), limit, held).await?;
    let coding = match encoding.to_ascii_lowercase().as_str() {
        "identity" | "" => return Ok(raw),
        "gzip" | "x-gzip" => Coding::Gzip,
        "zstd" => Coding::Zstd,
        other => {
            let shown: String = other.chars().filter(char::is_ascii_graphic).take(40).collect();
            let message =
                format!("content-encoding `{shown}` is not read here: send the body plain, as gzip or as zstd");
            return Err(Refusal::weir(Cause::UnsupportedEncoding, message));
        }
    };
    // Beside the runtime: a small body may unfold into as much as `limit`.
    let mut share = held.buffers.hold();
    let unfolding =
        tokio::task::spawn_blocking(move || coding.unfold(&raw, limit, &mut share).map(|whole| (whole, share)));
    let (whole, share) = unfolding.await.map_err(|_| undecodable())??;
    held.absorb(share);
    Ok(whole)
}

/// How a body was packed.
enum Coding {
    Gzip,
    Zstd,
}

impl Coding {
    fn unfold(&self, raw: &[u8], limit: usize, held: &mut Held) -> Result<Bytes, Refusal> {
        match self {
            Self::Gzip => inflate(flate2::read::MultiGzDecoder::new(raw), limit, held),
            Self::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(raw).map_err(|_| undecodable())?;
                inflate(decoder, limit, held)
            }
        }
    }
}

/// The next piece of a body; an error when the client pauses for too long. What is here already needs no timer.
async fn next_frame<B>(body: &mut B) -> Result<Option<Result<Frame<Bytes>, B::Error>>, Elapsed>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut frame = body.frame();
    let here = std::future::poll_fn(|context| {
        let polled = Pin::new(&mut frame).poll(context);
        Poll::Ready(if let Poll::Ready(frame) = polled { Some(frame) } else { None })
    });
    match here.await {
        Some(frame) => Ok(frame),
        None => tokio::time::timeout(BODY_PAUSE, frame).await,
    }
}

async fn collect<B>(mut body: B, expected: usize, limit: usize, held: &mut Held) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    let mut length = 0_usize;
    loop {
        let frame = match next_frame(&mut body).await {
            Err(_) => {
                let message =
                    format!("the body stopped after {length} bytes: none came for {} s", BODY_PAUSE.as_secs());
                return Err(Refusal::weir(Cause::Malformed, message));
            }
            Ok(None) => break,
            Ok(Some(Err(_))) => {
                return Err(Refusal::weir(Cause::Malformed, format!("the body broke off after {length} bytes")));
            }
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length > limit {
            return Err(too_large(limit));
        }
        if !held.take(data.len()) {
            return Err(no_memory());
        }
        match &first {
            None => first = Some(data),
            Some(head) => {
                if rest.is_empty() {
                    rest.reserve(expected.max(length));
                    rest.extend_from_slice(head);
                }
                rest.extend_from_slice(&data);
            }
        }
    }
    Ok(if rest.is_empty() { first.unwrap_or_default() } else { rest.freeze() })
}

/// Reads and drops what a client still sends of a body that was refused.
///
/// Were it left unread, the connection or the stream would be reset under the client's hands, and many clients look for an
/// answer only once they have sent everything.
pub(crate) fn read_on<B>(mut body: B)
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
{
    tokio::spawn(tokio::time::timeout(READ_ON, async move { while let Some(Ok(_)) = body.frame().await {} }));
}

fn inflate(decoder: impl Read, limit: usize, held: &mut Held) -> Result<Bytes, Refusal> {
    let mut decoder = decoder.take(limit as u64 + 1);
    let mut whole = Vec::new();
    let mut piece = [0_u8; 16 * 1024];
    loop {
        let count = decoder.read(&mut piece).map_err(|_| undecodable())?;
        if count == 0 {
            return Ok(whole.into());
        }
        if whole.len() + count > limit {
            return Err(too_large(limit));
        }
        if !held.take(count) {
            return Err(no_memory());
        }
        whole.extend_from_slice(&piece[..count]);
    }
}

fn undecodable() -> Refusal {
    Refusal::weir(Cause::Malformed, "the body is not what its content-encoding says: it cannot be decoded")
}

fn too_large(limit: usize) -> Refusal {
    let message =
        format!("the body is larger than {limit} bytes, the `body-limit` of this gateway: send less, or raise it");
    Refusal::weir(Cause::TooLarge, message)
}

pub(crate) fn no_memory() -> Refusal {
    let message = "the gateway buffers as much as its `buffer-limit` allows: try again shortly";
    Refusal::weir(Cause::CapacityExhausted, message).retry_after(Duration::from_secs(1))
}

/// Whether the content type is the one that a browser cannot send across origins unasked.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers::text(headers, &CONTENT_TYPE).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}
