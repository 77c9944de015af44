//! Stage *stream*: nothing is said to the client until there is content; from then on, every byte as it comes.
//!
//! Before the first content, failing over is free and nobody notices. After it, an answer either ends as the provider ended
//! it, or is taken over exactly by another deployment ([`crate::splice`]), or ends in the dialect's own error frame: never
//! in a "stop" that nobody said.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response, StatusCode, response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};
use weir_config::AfterCut;
use weir_engine::Send;
use weir_ledger::Outcome;
use weir_units::FaultClass;
use weir_wire::{Ending, Endpoint, Progress, Relay, RelayOptions};

use crate::body::{ReplyBody, Sink};
use crate::calling::Calling;
use crate::capture::Capturing;
use crate::clock::wall;
use crate::fault::{Fault, causes};
use crate::headers;
use crate::settle::Journey;
use crate::splice;

/// What is remembered of a text so that it can be spliced; longer answers are not spliced.
const SPLICEABLE: usize = 256 * 1024;
/// How long a finished answer may take to say that it is finished.
const TERMINATOR: Duration = Duration::from_millis(300);
/// How long the rest of a finished stream is read so that its connection can be used again.
const DRAIN: Duration = Duration::from_secs(1);

/// A stream whose first content is here.
pub(crate) struct Opened {
    parts: response::Parts,
    flow: Upflow,
    relay: Relay,
    /// What may go to the client at once.
    ready: Vec<Bytes>,
}

/// What a provider streams, with the watch on its silences.
pub(crate) struct Upflow {
    body: Incoming,
    watch: Pin<Box<Sleep>>,
    /// When the provider last said something that counts.
    heard: Instant,
    silence: Duration,
    end: Instant,
}

/// What came of waiting for a provider's next bytes.
pub(crate) enum Heard {
    Bytes(Bytes),
    End,
    Broken(String),
    Silence,
}

impl Upflow {
    pub(crate) fn new(body: Incoming, silence: Duration, end: Instant) -> Self {
        let heard = Instant::now();
        Self { body, watch: Box::pin(tokio::time::sleep_until((heard + silence).min(end))), heard, silence, end }
    }

    /// Allows another length of silence from now on.
    pub(crate) fn allow(&mut self, silence: Duration) {
        self.silence = silence;
        self.progressed();
        self.watch.as_mut().reset((self.heard + silence).min(self.end));
    }

    /// The provider said something that counts: the watch begins anew.
    pub(crate) fn progressed(&mut self) {
        self.heard = Instant::now();
    }

    /// Waits for the next bytes. One timer serves all waits: it is moved only when it fires, not on each chunk.
    pub(crate) async fn next(&mut self) -> Heard {
        loop {
            tokio::select! {
                biased;
                frame = self.body.frame() => match frame {
                    None => return Heard::End,
                    Some(Err(error)) => return Heard::Broken(causes(&error)),
                    Some(Ok(frame)) => if let Ok(data) = frame.into_data() {
                        return Heard::Bytes(data);
                    },
                },
                () = self.watch.as_mut() => {
                    let due = (self.heard + self.silence).min(self.end);
                    if Instant::now() >= due {
                        return Heard::Silence;
                    }
                    self.watch.as_mut().reset(due);
                }
            }
        }
    }

    /// Reads what is left of a finished stream beside everything else, so that its connection returns to the pool.
    fn drain(mut self) {
        tokio::spawn(async move {
            let rest = async { while let Some(Ok(_)) = self.body.frame().await {} };
            let _ = tokio::time::timeout(DRAIN, rest).await;
        });
    }
}

/// Holds a stream back until its first content.
///
/// # Errors
/// What went wrong before there was any: the next deployment may be asked.
pub(crate) async fn open(
    calling: &mut Calling,
    journey: &mut Journey,
    send: &Send,
    parts: response::Parts,
    body: Incoming,
) -> Result<Opened, Fault> {
    let timeouts = &calling.routed.timeouts;
    let stall = calling.patience(timeouts.stall, send.candidate);
    let first = calling.patience(timeouts.first_content, send.candidate);
    let alone = stall.max(first);
    let end = end_of(calling);
    let mut flow = Upflow::new(body, if send.another_eligible { first } else { alone }, end);
    let mut shortened = send.another_eligible;
    let mut relay = Relay::new(options(calling, send)?);
    if let Some(run) = journey.run() {
        relay = relay.with_addition(run.scope());
    }
    if let Some(said) = journey.capturing().and_then(Capturing::said) {
        relay = relay.with_said(said);
    }
    let mut ready = Vec::new();
    let lost = |message: &str| Fault { status: Some(parts.status), ..Fault::new(FaultClass::Reset, message) };
    loop {
        match flow.next().await {
            Heard::Bytes(bytes) => {
                relay.push(bytes, &mut ready);
                journey.progressed(relay.progress());
            }
            Heard::End => match relay.end(&mut ready) {
                Ending::Complete => break,
                Ending::Truncated => return Err(lost("the stream ended before it said anything")),
                Ending::Empty => return Err(lost("the stream was empty")),
            },
            Heard::Broken(why) => return Err(lost(&format!("the stream broke before it said anything: {why}"))),
            // The limit is short only for the sake of a deployment that can take over: now it must really be able to.
            Heard::Silence if shortened && !calling.another_eligible(journey, send) => {
                shortened = false;
                flow.silence = alone;
            }
            Heard::Silence => {
                let message = "the response began, and no content came within the time allowed";
                return Err(Fault {
                    status: Some(parts.status),
                    ..Fault::new(FaultClass::FirstContentTimeout, message)
                });
            }
        }
        if let Some(error) = &relay.progress().error {
            return Err(said(calling, send, error));
        }
        if relay.progress().content || relay.progress().finished {
            break;
        }
    }
    if !calling.accepted.firm {
        // An SDK's read timeout begins anew with each byte, and the first ones are here.
        calling.accepted.deadline = None;
        flow.end = end_of(calling);
    }
    flow.allow(stall);
    journey.content(&calling.shared, send);
    Ok(Opened { parts, flow, relay, ready })
}

/// Answers the client with what has begun, and goes on from there.
pub(crate) fn respond(calling: Box<Calling>, journey: Box<Journey>, send: Send, opened: Opened) -> Response<ReplyBody> {
    let Opened { parts, flow, relay, ready } = opened;
    let mut headers = parts.headers;
    headers::keep_for_client(&mut headers);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    calling.decorate(&journey, &send, &mut headers);
    let body = ReplyBody::streamed(|sink| relay_on(calling, journey, send, flow, relay, ready, sink));
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}

async fn relay_on(
    mut calling: Box<Calling>,
    mut journey: Box<Journey>,
    mut send: Send,
    mut flow: Upflow,
    mut relay: Relay,
    mut ready: Vec<Bytes>,
    sink: Sink,
) {
    let (broken, progress) = loop {
        // The end is sent when all is written down: a client may go on with its next request as soon as it has it.
        if relay.progress().terminated {
            relay.end(&mut ready);
            break (None, whole(&mut journey, &relay));
        }
        sink.send(&mut ready).await;
        let progress = relay.progress();
        if progress.finished && flow.silence > TERMINATOR {
            // The answer is whole. What is missing is only the end mark, and perhaps the usage: not worth a long wait.
            flow.allow(TERMINATOR);
        }
        // A ping says that the provider is alive, not that it goes on.
        let said_before = progress.events - progress.pings;
        let fault = match flow.next().await {
            Heard::Bytes(bytes) => {
                relay.push(bytes, &mut ready);
                let progress = relay.progress();
                if progress.events - progress.pings != said_before {
                    flow.progressed();
                }
                journey.progressed(progress);
                journey.produced(progress.output_estimate());
                match &progress.error {
                    Some(error) => said(&calling, &send, error),
                    None => continue,
                }
            }
            Heard::End | Heard::Silence | Heard::Broken(_) if relay.progress().finished => {
                relay.end(&mut ready);
                break (None, whole(&mut journey, &relay));
            }
            Heard::End => match relay.end(&mut ready) {
                Ending::Complete => break (None, whole(&mut journey, &relay)),
                Ending::Truncated | Ending::Empty => {
                    Fault::new(FaultClass::Cut, "the stream ended in the middle of the answer")
                }
            },
            Heard::Broken(why) => {
                Fault::new(FaultClass::Cut, format!("the stream broke in the middle of the answer: {why}"))
            }
            Heard::Silence => Fault::new(FaultClass::Stalled, "the stream fell silent in the middle of the answer"),
        };
        let fault = calling.judged(fault);
        // What came whole before the fault is the client's.
        sink.send(&mut ready).await;
        if let Some(usage) = &relay.progress().usage {
            journey.used(*usage);
        }
        journey.failed(&calling.shared, &send, &fault, true);
        if calling.routed.after_cut == AfterCut::Splice && relay.can_splice() && calling.accepted.head.n <= 1 {
            match splice::take_over(&mut calling, &mut journey, relay).await {
                Ok(taken) => {
                    (send, flow, relay, ready) = (taken.send, taken.flow, taken.relay, taken.ready);
                    continue;
                }
                Err(progress) => break (Some(fault), progress),
            }
        }
        break (Some(fault), relay.progress().clone());
    };
    settle(&calling, &mut journey, &send, &progress, broken.is_none());
    if let Some(fault) = broken {
        let refusal = calling.last_word(send.candidate, fault);
        ready.push(refusal.frame(calling.accepted.endpoint, calling.accepted.id, progress.events));
        sink.send(&mut ready).await;
        journey.broke(&refusal);
        return;
    }
    journey.leave_run(Outcome::Answered);
    sink.send(&mut ready).await;
    journey.answered(StatusCode::OK);
    flow.drain();
}

/// The answer is whole: its run is told what it adds.
fn whole(journey: &mut Journey, relay: &Relay) -> Progress {
    if let Some(run) = journey.run() {
        run.streamed(|room| relay.addition(room));
    }
    relay.progress().clone()
}

/// Books what the stream said of itself.
fn settle(calling: &Calling, journey: &mut Journey, send: &Send, progress: &Progress, whole: bool) {
    journey.malformed(progress.malformed);
    if let Some(usage) = &progress.usage {
        journey.used(*usage);
        calling.calibrate(send.candidate, usage);
    }
    if calling.accepted.endpoint == Endpoint::Responses
        && let Some(id) = &progress.id
        && calling.accepted.head.store != Some(false)
    {
        calling.pin(id, send.candidate);
        if let Some(run) = journey.run() {
            run.kept_as(id);
        }
    }
    if whole {
        journey.stopped(progress.stop.as_ref());
        journey.said(progress.id.as_deref(), progress.model.as_deref(), progress.stop.as_ref());
        journey.succeeded(&calling.shared, send);
    }
}

/// An error that came inside a stream, classified.
pub(crate) fn said(calling: &Calling, send: &Send, error: &Bytes) -> Fault {
    let fault = weir_wire::classify_stream_error(calling.routed.targets[send.candidate].upstream.kind, error);
    Fault {
        class: fault.class,
        status: Some(StatusCode::OK),
        retry_after: fault.retry_after,
        limit: fault.limit,
        message: fault.message,
        body: None,
        request_id: None,
        out_of_time: false,
        ours: None,
    }
}

fn options(calling: &mut Calling, send: &Send) -> Result<RelayOptions, Fault> {
    let prepared = calling.prepare(send.candidate).map_err(|r| Fault::new(FaultClass::Rejected, r.message.as_str()))?;
    let target = &calling.routed.targets[send.candidate];
    let head = &calling.accepted.head;
    let spliced = calling.routed.after_cut == AfterCut::Splice && calling.routed.targets.len() > 1;
    Ok(RelayOptions {
        client: calling.accepted.endpoint,
        provider: target.endpoint,
        include_usage: head.include_usage,
        usage_was_added: prepared.usage_was_added,
        served_model: target.deployment.model.to_string(),
        keep_text: spliced.then_some(SPLICEABLE),
        created: wall().millis() / 1_000,
        id_seed: calling.shared.clock.draw(),
    })
}

/// When a stream is over, whatever it still says.
pub(crate) fn end_of(calling: &Calling) -> Instant {
    calling.shared.clock.instant(calling.until(calling.routed.timeouts.total))
}

/// What a takeover brings back.
pub(crate) struct Taken {
    pub(crate) send: Send,
    pub(crate) flow: Upflow,
    pub(crate) relay: Relay,
    pub(crate) ready: Vec<Bytes>,
}
