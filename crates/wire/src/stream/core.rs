//! What a relay knows of its answer, whichever way the events go on.

use bytes::Bytes;
use weir_units::Usage;

use super::chat_writer::ChatWriter;
use super::delta::{Delta, Literal};
use super::messages_writer::MessagesWriter;
use super::said::Said;
use super::splice::{Fit, Splice, SpliceState};
use super::{Ending, RelayOptions};
use crate::history::AdditionSoFar;
use crate::{Endpoint, Stop};

/// Pieces of more bytes than this, on average, hold several tokens each.
const LARGEST_TOKEN: u64 = 8;

/// A token of text, by the rule of thumb.
const BYTES_PER_TOKEN: u64 = 4;

/// What has been seen of an answer.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Text, a tool call, a refusal or reasoning has come; pings, roles and empty deltas are not content.
    pub content: bool,
    /// The answer was finished: every choice has its `finish_reason`, or a `stop_reason` or `response.completed` came.
    pub finished: bool,
    /// The last event of a finished answer came: `[DONE]`, `message_stop`, `response.completed`. Without a finish it says
    /// nothing: broken proxies send it too.
    pub terminated: bool,
    /// What it used, as far as the provider said.
    pub usage: Option<Usage>,
    /// Why it stopped.
    pub stop: Option<Stop>,
    /// The model's name as the provider says it.
    pub model: Option<String>,
    /// The answer's id at the provider.
    pub id: Option<String>,
    /// Events that were dropped because their data was no JSON object, or longer than 8 MiB.
    pub malformed: u32,
    /// The JSON of an error event inside the stream. It is not sent on, nor is anything after it.
    pub error: Option<Bytes>,
    /// Events with data.
    pub events: u64,
    /// Those of them that only say that the provider is alive.
    pub pings: u64,
    /// How a second answer fits, where this is one.
    pub spliced: Option<SpliceState>,
    /// Bytes of text, reasoning, refusal and arguments, as JSON strings; for estimates.
    pub text_bytes: u64,
    /// The pieces that this text came in.
    pub pieces: u64,
    /// A tool call has begun.
    pub tool_calls: bool,
    /// Reasoning has begun.
    pub reasoning: bool,
}

impl Progress {
    fn came(&mut self, text: &str) {
        self.text_bytes += text.len() as u64;
        self.pieces += u64::from(!text.is_empty());
    }

    /// About how many tokens of output have come: as many as pieces where those are as small as tokens are, since providers
    /// that stream token by token send one in each; else one for each four bytes, by the rule of thumb.
    #[must_use]
    pub fn output_estimate(&self) -> u64 {
        let small = self.text_bytes <= self.pieces * LARGEST_TOKEN;
        if small { self.pieces } else { self.text_bytes.div_ceil(BYTES_PER_TOKEN) }
    }
}

/// Which way the events go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// As the bytes that they came as.
    Pass,
    /// Written anew.
    Translate,
}

#[derive(Debug)]
pub(super) enum Writer {
    Chat(Box<ChatWriter>),
    Messages(Box<MessagesWriter>),
    /// Responses are never written.
    None,
}

#[derive(Debug)]
pub(super) struct Core {
    mode: Mode,
    writer: Writer,
    progress: Progress,
    splice: Option<Splice>,
    kept: String,
    keep_text: Option<usize>,
    /// Something came that a second answer could not repeat.
    bound: bool,
    buffer: Vec<u8>,
    /// What the client is sent, as an addition to its history, where that is asked for.
    addition: Option<AdditionSoFar>,
    /// What the client is sent, where somebody keeps it.
    said: Option<Said>,
}

impl Writer {
    pub(super) fn new(options: &RelayOptions) -> Self {
        let (model, created, seed) = (&options.served_model, options.created, options.id_seed);
        let chat = |completions| ChatWriter::new(completions, options.include_usage, model, created, seed);
        match options.client {
            Endpoint::Messages | Endpoint::CountTokens => Self::Messages(Box::new(MessagesWriter::new(model, seed))),
            Endpoint::Completions => Self::Chat(Box::new(chat(true))),
            Endpoint::ChatCompletions | Endpoint::Embeddings => Self::Chat(Box::new(chat(false))),
            Endpoint::Responses => Self::None,
        }
    }

    pub(super) fn resume(&mut self, model: &str) {
        match self {
            Self::Chat(writer) => writer.resume(model),
            Self::Messages(writer) => writer.resume(model),
            Self::None => {}
        }
    }

    fn note(&mut self, delta: &Delta<'_>) {
        match self {
            Self::Chat(writer) => writer.note(delta),
            Self::Messages(writer) => writer.note(delta),
            Self::None => {}
        }
    }

    fn write(&mut self, delta: &Delta<'_>, usage: Option<Usage>, out: &mut Vec<u8>) {
        match self {
            Self::Chat(writer) => writer.write(delta, usage, out),
            Self::Messages(writer) => writer.write(delta, usage, out),
            Self::None => {}
        }
    }

    fn end(&mut self, usage: Option<Usage>, out: &mut Vec<u8>) {
        match self {
            Self::Chat(writer) => writer.end(usage, out),
            Self::Messages(writer) => writer.end(usage, out),
            Self::None => {}
        }
    }
}

impl Core {
    pub(super) fn new(mode: Mode, writer: Writer, keep_text: Option<usize>) -> Self {
        Self {
            mode,
            writer,
            progress: Progress::default(),
            splice: None,
            kept: String::new(),
            keep_text,
            bound: false,
            buffer: Vec::new(),
            addition: None,
            said: None,
        }
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    pub(super) fn splice(&mut self, splice: Splice) {
        self.progress.spliced = Some(splice.state());
        self.splice = Some(splice);
    }

    /// Whether events of the provider go on as they are, at this point.
    pub(super) fn passes(&self) -> bool {
        self.mode == Mode::Pass && self.progress.error.is_none()
    }

    pub(super) fn can_splice(&self) -> bool {
        let kept = self.keep_text.is_some() && !self.kept.is_empty();
        kept && !self.bound && !self.progress.finished && self.splice.is_none()
    }

    /// The writer, the text that was sent, and who else reads what is sent.
    pub(super) fn into_sent(self) -> (Writer, String, Option<AdditionSoFar>, Option<Said>) {
        (self.writer, self.kept, self.addition, self.said)
    }

    pub(super) fn keep_said(&mut self, said: Option<Said>) {
        self.said = said;
    }

    pub(super) fn read_addition(&mut self, addition: Option<AdditionSoFar>) {
        self.addition = addition;
    }

    pub(super) fn addition(&self) -> Option<&AdditionSoFar> {
        self.addition.as_ref()
    }

    pub(super) fn count_event(&mut self) {
        self.progress.events += 1;
    }

    pub(super) fn malformed(&mut self) {
        self.progress.malformed = self.progress.malformed.saturating_add(1);
    }

    /// The usage chunk that the client asked for and that the provider did not send, before `[DONE]`.
    pub(super) fn missing_usage(&mut self) -> Option<Bytes> {
        let Writer::Chat(writer) = &mut self.writer else { return None };
        let mut chunk = Vec::new();
        writer.usage_chunk(self.progress.usage, &mut chunk);
        (!chunk.is_empty()).then(|| Bytes::from(chunk))
    }

    pub(super) fn take(&mut self, delta: &Delta<'_>) {
        if self.progress.error.is_some() {
            return;
        }
        if self.mode == Mode::Pass {
            self.watch(delta);
            self.add(delta);
            return self.writer.note(delta);
        }
        let fit = self.splice.as_mut().map_or(Fit::Send, |splice| splice.fit(delta));
        self.progress.spliced = self.splice.as_ref().map(Splice::state);
        // An answer that does not fit is never finished for the client, but it is paid for.
        if self.progress.spliced != Some(SpliceState::Mismatch) || matches!(delta, Delta::Usage { .. }) {
            self.watch(delta);
        }
        match fit {
            Fit::Drop => {}
            Fit::Send => self.write(delta),
            Fit::SendRest(text) => self.write(&Delta::Text(Literal::trusted(&text))),
        }
    }

    /// Writes what a finished answer lacks, and says how it ended.
    pub(super) fn end(&mut self) -> Ending {
        let mismatch = self.progress.spliced == Some(SpliceState::Mismatch);
        if self.progress.finished && !mismatch {
            self.writer.end(self.progress.usage, &mut self.buffer);
            return Ending::Complete;
        }
        if self.progress.content || mismatch { Ending::Truncated } else { Ending::Empty }
    }

    pub(super) fn flush(&mut self, out: &mut Vec<Bytes>) {
        if !self.buffer.is_empty() {
            out.push(Bytes::from(std::mem::take(&mut self.buffer)));
        }
    }

    fn add(&mut self, delta: &Delta<'_>) {
        if let Some(addition) = &mut self.addition {
            addition.take(delta);
        }
        if let Some(said) = &self.said {
            said.take(delta);
        }
    }

    fn write(&mut self, delta: &Delta<'_>) {
        self.add(delta);
        match delta {
            Delta::Ping => {
                // Before content nothing may be sent, so a sign of life would only gather.
                if self.progress.content && !self.progress.finished {
                    self.buffer.extend_from_slice(sign_of_life(matches!(self.writer, Writer::Messages(_))));
                }
            }
            Delta::Terminated if !self.progress.finished => {}
            _ => self.writer.write(delta, self.progress.usage, &mut self.buffer),
        }
    }

    fn watch(&mut self, delta: &Delta<'_>) {
        let progress = &mut self.progress;
        match delta {
            Delta::Text(text) => {
                progress.content = true;
                progress.came(text.inner());
                self.keep(*text);
            }
            Delta::Reasoning(text) => {
                (progress.content, progress.reasoning) = (true, true);
                progress.came(text.inner());
            }
            Delta::Refusal(text) => {
                (progress.content, self.bound) = (true, true);
                progress.came(text.inner());
            }
            Delta::Arguments { fragment, .. } => {
                (progress.content, progress.tool_calls, self.bound) = (true, true, true);
                progress.came(fragment.inner());
            }
            Delta::ToolStart { .. } => (progress.content, progress.tool_calls, self.bound) = (true, true, true),
            Delta::Redacted(_) => (progress.content, progress.reasoning, self.bound) = (true, true, true),
            Delta::Opaque => (progress.content, self.bound) = (true, true),
            Delta::Signature | Delta::Bound => self.bound = true,
            Delta::Usage { usage, .. } => progress.usage = Some(*usage),
            Delta::Stop(stop) => {
                progress.finished = true;
                progress.stop = Some(stop.clone());
            }
            Delta::Terminated => progress.terminated |= progress.finished,
            // Once the answer is finished nothing can go wrong with it.
            Delta::Error(json) if !progress.finished => progress.error = Some(Bytes::copy_from_slice(json.as_bytes())),
            Delta::Start { id, model, .. } => {
                let text = |literal: &Option<Literal<'_>>| literal.and_then(Literal::decode).map(Into::into);
                progress.id = progress.id.take().or_else(|| text(id));
                progress.model = progress.model.take().or_else(|| text(model));
            }
            Delta::Ping => progress.pings += 1,
            Delta::Error(_) | Delta::BlockStart { .. } | Delta::BlockEnd { .. } | Delta::Output(_) => {}
        }
    }

    fn keep(&mut self, text: Literal<'_>) {
        let Some(most) = self.keep_text.filter(|_| !self.bound) else { return };
        match text.decode() {
            Some(text) if self.kept.len() + text.len() <= most => self.kept.push_str(&text),
            _ => {
                self.bound = true;
                self.kept = String::new();
            }
        }
    }
}

/// `ping` for a client of Messages, else a comment.
pub(super) fn sign_of_life(messages: bool) -> &'static [u8] {
    if messages { b"event: ping\ndata: {\"type\": \"ping\"}\n\n" } else { b": keep-alive\n\n" }
}
