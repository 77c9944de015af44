//! An answer as it goes over the wire: frames in order, each with its part in the stream.
//!
//! The parts are what timing and faults hang on, and they are the same in every dialect: what opens a stream, the content
//! tokens, what closes the answer, and the marker that ends the stream.

use std::time::Duration;

use bytes::Bytes;
use weir_sim::{Flaw, Serving};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Before, between or around content: a role, a block's start, a ping.
    Frame,
    /// One token of text, reasoning or tool arguments.
    Token,
    /// After all content: finish reason, usage.
    Close,
    /// The terminator: `[DONE]`, `message_stop`, `response.completed`.
    Done,
}

/// A stream's frames.
#[derive(Default)]
pub(crate) struct Script {
    frames: Vec<(Part, Bytes)>,
}

impl Script {
    /// A `data:`-only event.
    pub(crate) fn data(&mut self, part: Part, json: &str) {
        self.frames.push((part, Bytes::from(format!("data: {json}\n\n"))));
    }

    /// An event with a name.
    pub(crate) fn event(&mut self, part: Part, name: &str, json: &str) {
        self.frames.push((part, Bytes::from(format!("event: {name}\ndata: {json}\n\n"))));
    }
}

/// What is done at one time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Send(Bytes),
    /// Sends a token of the answer.
    Say(Bytes),
    /// The connection ends here, in the middle of the body.
    Break,
    /// Nothing more comes, ever.
    Hang,
}

/// An act, and how long after the first token it is due; `None` is at once with the headers.
pub(crate) type Cue = (Option<Duration>, Act);

/// The events that a flaw puts into a stream, in the dialect's own framing.
pub(crate) struct Spoilers {
    pub(crate) garbage: String,
    pub(crate) error: String,
}

/// Puts a stream's frames in time, with its flaw.
pub(crate) fn cues(script: Script, serving: &Serving, spoilers: &Spoilers) -> Vec<Cue> {
    let mut cues = Vec::with_capacity(script.frames.len() + 2);
    let (mut tokens, mut due, mut spoilt) = (0_u64, None, false);
    for (part, bytes) in script.frames {
        let now = due.or(Some(Duration::ZERO));
        // A flaw after n tokens shows before the next token, or before the close when there is no other.
        let reached = |n| part != Part::Frame && (tokens >= n || part != Part::Token);
        match serving.flaw {
            Some(Flaw::CutAfter(n)) if reached(n) => {
                cues.push((now, Act::Break));
                return cues;
            }
            Some(Flaw::StallAfter(n)) if reached(n) => {
                cues.push((now, Act::Hang));
                return cues;
            }
            Some(Flaw::ErrorAfter(n)) if reached(n) => {
                cues.push((now, Act::Send(Bytes::from(spoilers.error.clone()))));
                return cues;
            }
            Some(Flaw::MalformedAfter(n)) if !spoilt && reached(n) => {
                spoilt = true;
                cues.push((now, Act::Send(Bytes::from(spoilers.garbage.clone()))));
            }
            Some(Flaw::NoDone) if part == Part::Done => continue,
            _ => {}
        }
        match part {
            Part::Token => {
                due = Some(serving.per_token.saturating_mul(u32::try_from(tokens).unwrap_or(u32::MAX)));
                tokens += 1;
            }
            Part::Close | Part::Done => due = now,
            Part::Frame => {}
        }
        cues.push((due, if part == Part::Token { Act::Say(bytes) } else { Act::Send(bytes) }));
    }
    cues
}

/// Puts a unary body in time, with its flaw: it comes whole when its last token would.
pub(crate) fn unary_cues(body: &[u8], serving: &Serving, tokens: u64, error: &str) -> Vec<Cue> {
    let due = Some(serving.per_token.saturating_mul(u32::try_from(tokens).unwrap_or(u32::MAX)));
    let half = body.len() / 2;
    let send = |bytes: &[u8]| Act::Send(Bytes::copy_from_slice(bytes));
    match serving.flaw {
        Some(Flaw::CutAfter(_)) => vec![(due, send(&body[..half])), (due, Act::Break)],
        Some(Flaw::StallAfter(_)) => vec![(due, send(&body[..half])), (due, Act::Hang)],
        Some(Flaw::MalformedAfter(_)) => {
            let spoilt = [&body[..half], b"\",,{\x00", &body[half..]].concat();
            vec![(due, send(&spoilt))]
        }
        Some(Flaw::ErrorAfter(_)) => vec![(due, send(error.as_bytes()))],
        _ => vec![(due, send(body))],
    }
}

#[cfg(test)]
mod tests {
    use weir_sim::{FaultOrder, Provider};
    use weir_units::{Moment, Tokens};

    use super::*;

    fn play(fault: &str) -> String {
        let mut provider = Provider::new(weir_sim::Profile::default(), 1, Moment::ZERO);
        let order: FaultOrder = fault.parse().unwrap();
        let arrival = weir_sim::Arrival {
            input: Tokens(1),
            max_output: None,
            output: Tokens(2),
            cached: Tokens(0),
            charge: weir_sim::Charge::Reserve,
            order: Some(order),
        };
        let weir_sim::Plan::Serve(serving) = provider.arrive(Moment::ZERO, &arrival) else { panic!() };
        let mut script = Script::default();
        for (part, json) in [
            (Part::Frame, "role"),
            (Part::Token, "a"),
            (Part::Token, "b"),
            (Part::Close, "stop"),
            (Part::Done, "[DONE]"),
        ] {
            script.data(part, json);
        }
        let acts = cues(script, &serving, &Spoilers { garbage: "{\"id\":".to_owned(), error: "oops".to_owned() });
        let shown = acts.into_iter().map(|(_, act)| match act {
            Act::Send(bytes) | Act::Say(bytes) => {
                String::from_utf8_lossy(&bytes).trim().trim_start_matches("data: ").chars().take(6).collect()
            }
            Act::Break => "BREAK".to_owned(),
            Act::Hang => "HANG".to_owned(),
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_flaw_shows_after_so_many_tokens_and_never_lets_a_false_end_through() {
        for (fault, frames) in [
            ("slow:0", "role a b stop [DONE]"),
            ("cut:0", "role BREAK"),
            ("cut:1", "role a BREAK"),
            ("cut:9", "role a b BREAK"),
            ("stall:1", "role a HANG"),
            ("error-in-stream", "role oops"),
            ("error-in-stream:2", "role a b oops"),
            ("malformed:1", "role a {\"id\": b stop [DONE]"),
            ("malformed:9", "role a b {\"id\": stop [DONE]"),
            ("no-done", "role a b stop"),
        ] {
            assert_eq!(play(fault), frames, "{fault}");
        }
    }
}
