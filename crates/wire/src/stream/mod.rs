//! Relays a streamed answer: from the provider's events to the client's, and what it says on the way.
//!
//! In the same dialect an event goes on as the bytes it came as, and is only watched; runs of events that lie in one
//! chunk leave as one slice of it. In another dialect a reader says what the events say and a writer writes it anew. The
//! same writer takes over when a second provider's answer is spliced onto the first one's.

mod calls;
mod chat_writer;
mod core;
mod delta;
mod messages;
mod messages_writer;
mod openai;
mod responses;
mod said;
mod splice;
#[cfg(test)]
mod tests;

use bytes::{Bytes, BytesMut};

pub use self::core::Progress;
use self::core::{Core, Mode, Writer};
pub(crate) use self::delta::Delta;
use self::delta::Reading;
use self::messages::MessagesReader;
use self::openai::OpenAiReader;
use self::responses::ResponsesReader;
pub use self::said::{Said, Spoken};
use self::splice::Splice;
pub use self::splice::SpliceState;
use weir_units::Addition;

use crate::Endpoint;
use crate::history::{AdditionSoFar, Room, Scope};
use crate::sse::{Event, Frame, Framer, missing_end};

/// What a relay is told about the request.
#[derive(Clone, Debug)]
pub struct RelayOptions {
    /// What the client called.
    pub client: Endpoint,
    /// What was called upstream.
    pub provider: Endpoint,
    /// The client asked for the usage chunk.
    pub include_usage: bool,
    /// Weir asked upstream for usage that the client did not ask for.
    pub usage_was_added: bool,
    /// The model's name in a stream that is written anew, unless the provider says which one serves.
    pub served_model: String,
    /// Remember up to this many bytes of the text sent, so that a cut can be spliced.
    pub keep_text: Option<usize>,
    /// The `created` of a stream that is written anew, in seconds since the epoch.
    pub created: i64,
    /// What ids that must be invented are made of.
    pub id_seed: u64,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The answer was finished; a terminator that was missing has been written.
    Complete,
    /// It had begun, and ended before it was finished (or had nothing in common with what it was to continue).
    Truncated,
    /// It ended before it said anything.
    Empty,
}

/// One streamed answer on its way to one client.
#[derive(Debug)]
pub struct Relay {
    options: RelayOptions,
    framer: Framer,
    reader: Reader,
    core: Core,
}

#[derive(Debug)]
enum Reader {
    OpenAi(OpenAiReader),
    Messages(MessagesReader),
    Responses(ResponsesReader),
}

/// What becomes of an event that passes in its own dialect.
enum Fate {
    Pass,
    /// It passes, after something that was missing before it.
    PassAfter(Bytes),
    Drop,
}

impl Relay {
    /// A relay for one answer. Chat Completions and Messages are translated into each other, and Completions into
    /// either; Responses only pass through.
    #[must_use]
    pub fn new(options: RelayOptions) -> Self {
        let translates = options.client != options.provider
            && options.client != Endpoint::Responses
            && options.provider != Endpoint::Responses;
        let mode = if translates { Mode::Translate } else { Mode::Pass };
        let writer = Writer::new(&options);
        Self {
            framer: Framer::new(),
            reader: Reader::new(options.provider),
            core: Core::new(mode, writer, options.keep_text),
            options,
        }
    }

    /// This relay, which also reads what the answer adds to its request's history.
    #[must_use]
    pub fn with_addition(mut self, scope: Scope) -> Self {
        self.core.read_addition(Some(AdditionSoFar::new(scope)));
        self
    }

    /// This relay, which also tells `said` what the client is sent.
    #[must_use]
    pub fn with_said(mut self, said: Said) -> Self {
        self.core.keep_said(Some(said));
        self
    }

    /// What the answer adds to its request's history, once it is finished; `None` where that cannot be told or was not asked
    /// for.
    #[must_use]
    pub fn addition(&self, room: &mut Room) -> Option<Addition> {
        self.core.addition().and_then(|so_far| so_far.addition(room))
    }

    /// Takes what arrived, and appends what may go to the client to `out`: whole events only.
    pub fn push(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) {
        // Events that go on unchanged, and lie side by side, are sent as one slice: from `run` to `at`.
        let (mut run, mut at) = (0, 0);
        while let Some(frame) = self.framer.next(&chunk, at) {
            let begin = at;
            let (end, fate) = match frame {
                Frame::Inside(end) => (end, self.take(&chunk[begin..end])),
                Frame::Carried(end, event) => {
                    match self.take(&event) {
                        Fate::Pass => out.push(event),
                        Fate::PassAfter(missing) => out.extend([missing, event]),
                        Fate::Drop => {}
                    }
                    (end, Fate::Drop)
                }
                Frame::TooLong(end) => {
                    self.core.malformed();
                    (end, Fate::Drop)
                }
            };
            at = end;
            if !matches!(fate, Fate::Pass) && run < begin {
                out.push(chunk.slice(run..begin));
            }
            match fate {
                Fate::Pass => {}
                Fate::PassAfter(missing) => {
                    out.push(missing);
                    run = begin;
                }
                Fate::Drop => run = at,
            }
        }
        if run < at {
            out.push(chunk.slice(run..at));
        }
        self.core.flush(out);
    }

    /// Takes note that the upstream body ended cleanly, or that no more of it is waited for.
    pub fn end(&mut self, out: &mut Vec<Bytes>) -> Ending {
        if let Some(rest) = self.framer.rest() {
            self.take_rest(&rest, out);
        }
        let ending = self.core.end();
        self.core.flush(out);
        ending
    }

    /// What has been seen so far.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        self.core.progress()
    }

    /// Whether a cut at this point may be spliced: text was sent and kept, and nothing that a second answer could not
    /// repeat has begun.
    #[must_use]
    pub fn can_splice(&self) -> bool {
        self.options.client != Endpoint::Responses && self.core.can_splice()
    }

    /// Turns this relay into one that takes the answer of another provider endpoint asked the same thing again.
    ///
    /// Its text is compared with the text already sent, and dropped while it matches; then it goes on in the client's
    /// dialect, in the same message. Progress begins anew: usage and finish are the second answer's.
    #[must_use]
    pub fn splice(mut self, provider: Endpoint, served_model: String) -> Self {
        let (mut writer, sent, addition, said) = self.core.into_sent();
        writer.resume(&served_model);
        self.options.provider = provider;
        self.options.served_model = served_model;
        let mut core = Core::new(Mode::Translate, writer, None);
        core.splice(Splice::new(sent));
        core.read_addition(addition);
        core.keep_said(said);
        Self { framer: Framer::new(), reader: Reader::new(provider), core, options: self.options }
    }

    /// Reads one event. In another dialect what is to be sent gathers in the core, and the event itself is dropped.
    fn take(&mut self, raw: &[u8]) -> Fate {
        let event = Event::read(raw);
        let Some(data) = event.data else {
            // A name without data would be an event with empty data to some clients' readers.
            if event.comment {
                self.core.take(&Delta::Ping);
            }
            return if event.named { Fate::Drop } else { self.fate(Reading::Pass) };
        };
        let reading = match std::str::from_utf8(&data) {
            Ok(data) => self.read(data),
            Err(_) => Reading::Malformed,
        };
        self.core.count_event();
        if reading == Reading::Malformed {
            self.core.malformed();
        }
        self.fate(reading)
    }

    fn read(&mut self, data: &str) -> Reading {
        let core = &mut self.core;
        if data.trim_ascii() == "[DONE]" {
            core.take(&Delta::Terminated);
            return Reading::Terminator;
        }
        let mut sink = |delta: Delta<'_>| core.take(&delta);
        match &mut self.reader {
            Reader::OpenAi(reader) => reader.read(data, &mut sink),
            Reader::Messages(reader) => reader.read(data, &mut sink),
            Reader::Responses(reader) => reader.read(data, &mut sink),
        }
    }

    fn fate(&mut self, reading: Reading) -> Fate {
        if !self.core.passes() {
            return Fate::Drop;
        }
        match reading {
            Reading::Pass => Fate::Pass,
            Reading::UsageChunk if self.options.include_usage && !self.options.usage_was_added => Fate::Pass,
            Reading::UsageChunk | Reading::Malformed => Fate::Drop,
            // A terminator without a finish is what a broken proxy sends: to the client it would be a false end.
            Reading::Terminator if !self.core.progress().finished => Fate::Drop,
            Reading::Terminator => match self.core.missing_usage() {
                Some(chunk) => Fate::PassAfter(chunk),
                None => Fate::Pass,
            },
        }
    }

    /// Takes the last event of a stream whose empty line is missing, if it is whole.
    fn take_rest(&mut self, rest: &Bytes, out: &mut Vec<Bytes>) {
        let event = Event::read(rest);
        let whole = event.data.as_deref().is_some_and(|data| {
            let text = std::str::from_utf8(data).unwrap_or_default();
            text.trim_ascii() == "[DONE]" || delta::is_object(text)
        });
        if !whole {
            return;
        }
        let fate = self.take(rest);
        let mut ended = BytesMut::from(&rest[..]);
        ended.extend_from_slice(missing_end(rest));
        match fate {
            Fate::Pass => out.push(ended.freeze()),
            Fate::PassAfter(missing) => out.extend([missing, ended.freeze()]),
            Fate::Drop => {}
        }
    }
}

impl Reader {
    fn new(provider: Endpoint) -> Self {
        match provider {
            Endpoint::Messages | Endpoint::CountTokens => Self::Messages(MessagesReader::default()),
            Endpoint::Responses => Self::Responses(ResponsesReader::default()),
            Endpoint::ChatCompletions | Endpoint::Completions | Endpoint::Embeddings => {
                Self::OpenAi(OpenAiReader::default())
            }
        }
    }
}

/// A sign of life for a client whose answer has not come further: a comment, or Anthropic's `ping`.
#[must_use]
pub fn keep_alive(client: Endpoint) -> Bytes {
    Bytes::from_static(core::sign_of_life(client == Endpoint::Messages))
}
