//! An answer's body, played in time.
//!
//! One body is one timer and a queue, not a task with a channel: a mock that serves thousands of streams for a load test
//! must not be what the test measures. It also is how a vanished client is noticed: hyper drops the body.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::time::Sleep;

use crate::house::Flight;
use crate::script::{Act, Cue};

/// How long the connection lives on before it breaks, so that what was sent before is flushed and arrives.
const BREAK_AFTER: Duration = Duration::from_millis(3);

/// A body and its request's end.
pub(crate) struct Playing {
    cues: VecDeque<(Instant, Act)>,
    sleep: Option<Pin<Box<Sleep>>>,
    flight: Option<Flight>,
    breaking: bool,
}

impl Playing {
    /// Plays `cues`, whose times count from `first_token`.
    pub(crate) fn new(cues: Vec<Cue>, first_token: Instant, flight: Flight) -> Self {
        let now = Instant::now();
        let cues = cues.into_iter().map(|(due, act)| (due.map_or(now, |due| first_token + due), act)).collect();
        Self { cues, sleep: None, flight: Some(flight), breaking: false }
    }

    /// A body that is there at once; `flight` ends with it.
    pub(crate) fn at_once(body: impl Into<Bytes>, flight: Option<Flight>) -> Self {
        let body = body.into();
        let cues = if body.is_empty() { VecDeque::new() } else { VecDeque::from([(Instant::now(), Act::Send(body))]) };
        let mut playing = Self { cues, sleep: None, flight, breaking: false };
        if playing.cues.is_empty() {
            playing.finish();
        }
        playing
    }

    fn finish(&mut self) {
        if let Some(flight) = &mut self.flight {
            flight.finish();
        }
    }

    fn wait(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        let until = until.into();
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if sleep.deadline() != until {
            sleep.as_mut().reset(until);
        }
        sleep.as_mut().poll(cx)
    }
}

impl Body for Playing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            let Some((due, act)) = self.cues.front() else {
                self.finish();
                return Poll::Ready(None);
            };
            let (due, hangs, breaks) = (*due, *act == Act::Hang, *act == Act::Break);
            if due > Instant::now() && self.wait(cx, due).is_pending() {
                return Poll::Pending;
            }
            if hangs {
                return Poll::Pending;
            }
            if breaks && !self.breaking {
                self.breaking = true;
                if let Some((due, _)) = self.cues.front_mut() {
                    *due = Instant::now() + BREAK_AFTER;
                }
                continue;
            }
            let last = self.cues.len() == 1;
            let Some((_, act)) = self.cues.pop_front() else { continue };
            if last {
                self.finish();
            }
            let says = matches!(act, Act::Say(_));
            return match act {
                Act::Send(bytes) | Act::Say(bytes) => {
                    if let Some(flight) = &mut self.flight {
                        flight.sent_one(says);
                    }
                    Poll::Ready(Some(Ok(Frame::data(bytes))))
                }
                Act::Break | Act::Hang => Poll::Ready(Some(Err(io::Error::other("cut on order")))),
            };
        }
    }

    fn is_end_stream(&self) -> bool {
        self.cues.is_empty()
    }
}
