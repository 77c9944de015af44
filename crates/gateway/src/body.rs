//! Bodies: what Weir sends to a client, and what it sends to a provider.
//!
//! A streamed answer is an ordinary async function that pushes bytes into a [`Sink`]; [`ReplyBody`] polls it in place. There
//! is no task and no channel between provider and client, so a chunk costs no wake-up, a slow client slows the provider
//! down, and a client that leaves drops the function and with it the upstream call, at once.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::accept::Held;

/// The body of an answer to a client.
pub(crate) enum ReplyBody {
    /// All of it, at once.
    Whole(Bytes),
    /// The same, counted towards the memory that all bodies share until it is sent.
    Counted { bytes: Bytes, _share: Held },
    /// Produced while it is sent.
    Streamed(Flow),
}

/// A body that an async function produces.
pub(crate) struct Flow {
    producer: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    ready: Arc<Mutex<VecDeque<Bytes>>>,
}

/// Where a producer puts what is ready to be sent.
#[derive(Clone)]
pub(crate) struct Sink(Arc<Mutex<VecDeque<Bytes>>>);

impl Sink {
    /// Hands over `parts` and waits until they were taken.
    pub(crate) async fn send(&self, parts: &mut Vec<Bytes>) {
        if parts.is_empty() {
            return;
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(parts.drain(..));
        // No waker is needed: `Flow` polls the producer again as soon as it has handed out the last part.
        std::future::poll_fn(|_| if self.is_empty() { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

impl ReplyBody {
    /// A body made by `producer`, which is polled only while the client takes bytes.
    pub(crate) fn streamed<F: Future<Output = ()> + Send + 'static>(producer: impl FnOnce(Sink) -> F) -> Self {
        let ready = Arc::new(Mutex::new(VecDeque::new()));
        let producer = producer(Sink(Arc::clone(&ready)));
        Self::Streamed(Flow { producer: Some(Box::pin(producer)), ready })
    }
}

impl Flow {
    fn take(&self) -> Option<Bytes> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let flow = match self.get_mut() {
            Self::Whole(bytes) | Self::Counted { bytes, .. } if bytes.is_empty() => return Poll::Ready(None),
            Self::Whole(bytes) | Self::Counted { bytes, .. } => {
                return Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes)))));
            }
            Self::Streamed(flow) => flow,
        };
        loop {
            if let Some(bytes) = flow.take() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            let Some(producer) = flow.producer.as_mut() else { return Poll::Ready(None) };
            if producer.as_mut().poll(context).is_ready() {
                flow.producer = None;
            } else if flow.ready.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
                return Poll::Pending;
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) | Self::Counted { bytes, .. } if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) | Self::Counted { bytes, .. } => SizeHint::with_exact(bytes.len() as u64),
            Self::Streamed(_) => SizeHint::default(),
        }
    }
}

/// A request body in pieces, most of them slices of what the client sent: nothing is copied to change a model name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Segments(VecDeque<Bytes>);

impl From<Vec<Bytes>> for Segments {
    fn from(parts: Vec<Bytes>) -> Self {
        Self(parts.into())
    }
}

impl Body for Segments {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.iter().map(|b| b.len() as u64).sum())
    }
}
