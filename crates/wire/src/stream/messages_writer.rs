//! Writes an answer as a stream of Messages events.
//!
//! Messages have what Chat Completions lack: content blocks that begin and end, one after the other. A block begins with
//! the first delta of another kind and ends when the next begins or the answer stops. The event that carries the stop
//! reason carries the usage as well, so it waits for it until the provider's stream is over.

use weir_units::Usage;

use super::calls::Calls;
use super::delta::{Block, Delta, Literal, quoted};
use crate::sse::MAX_EVENT;
use crate::translate::ids::answer_id;
use crate::{Dialect, Stop, to_anthropic_json};

#[derive(Debug)]
pub(super) struct MessagesWriter {
    /// JSON strings, quotes included.
    id: Option<String>,
    model: String,
    seed: u64,
    started: bool,
    open: Option<(u64, Block)>,
    next_index: u64,
    calls: Calls,
    /// Text that came while a call was not whole, as the inside of a JSON string; it follows the calls.
    late_text: String,
    refused: bool,
    stop: Option<Stop>,
    /// The event with the stop reason went out.
    stopped: bool,
    done: bool,
}

impl MessagesWriter {
    pub(super) fn new(model: &str, seed: u64) -> Self {
        Self {
            id: None,
            model: quoted(model),
            seed,
            started: false,
            open: None,
            next_index: 0,
            calls: Calls::default(),
            late_text: String::new(),
            refused: false,
            stop: None,
            stopped: false,
            done: false,
        }
    }

    /// Remembers, of a stream that goes by in its own dialect, what going on with it takes.
    pub(super) fn note(&mut self, delta: &Delta<'_>) {
        match delta {
            Delta::Start { .. } => self.started = true,
            Delta::BlockStart { index, block } => {
                self.open = Some((*index, *block));
                self.next_index = index.saturating_add(1);
            }
            Delta::BlockEnd { index, .. } => self.open = self.open.filter(|(open, _)| open != index),
            Delta::Stop(stop) => {
                self.stop = Some(stop.clone());
                self.stopped = true;
            }
            Delta::Terminated => self.done = true,
            _ => {}
        }
    }

    /// Goes on in the name of another model; the message was started.
    pub(super) fn resume(&mut self, model: &str) {
        self.model = quoted(model);
        self.started = true;
    }

    pub(super) fn write(&mut self, delta: &Delta<'_>, usage: Option<Usage>, out: &mut Vec<u8>) {
        if self.done {
            return;
        }
        match delta {
            Delta::Start { id, model, .. } => {
                if self.id.is_none() {
                    self.id = id.and_then(Literal::decode).map(|id| quoted(&answer_id(Dialect::Anthropic, &id, &[])));
                }
                if let Some(model) = model {
                    self.model = model.as_str().to_owned();
                }
            }
            Delta::Terminated => self.end(usage, out),
            // The usage chunk comes after the stop, and nothing comes after it.
            Delta::Usage { .. } if self.stop.is_some() => self.end(usage, out),
            _ if self.stop.is_some() => {}
            Delta::Stop(stop) => self.finish(stop, usage, out),
            Delta::Text(text) => self.text(*text, usage, out),
            Delta::Refusal(text) => {
                self.refused = true;
                self.text(*text, usage, out);
            }
            // Reasoning stays with its own provider: a block without that provider's signature would be refused when the
            // client sends it back. That the answer has begun is said all the same.
            Delta::Reasoning(_) => self.start(usage, out),
            Delta::Redacted(data) => {
                let content = format!(r#"{{"type":"redacted_thinking","data":{}}}"#, data.as_str());
                self.leave(out);
                self.enter(Block::Other, &content, usage, out);
                self.leave(out);
            }
            Delta::ToolStart { call, id, name } => {
                self.calls.begin(*call, *id, *name);
                self.write_calls(usage, out);
            }
            Delta::Arguments { call, fragment } => {
                self.calls.add(*call, *fragment);
                self.write_calls(usage, out);
            }
            _ => {}
        }
    }

    /// Writes what is missing of a finished answer's end.
    pub(super) fn end(&mut self, usage: Option<Usage>, out: &mut Vec<u8>) {
        if self.done {
            return;
        }
        if !self.stopped {
            let stop = self.stop.take().unwrap_or(Stop::End);
            let sequence = match &stop {
                Stop::Sequence(Some(text)) => quoted(text),
                _ => "null".to_owned(),
            };
            let reason = quoted(stop.to_anthropic());
            let usage = to_anthropic_json(usage.unwrap_or_default());
            let delta = format!(r#"{{"stop_reason":{reason},"stop_sequence":{sequence}}}"#);
            event("message_delta", &[r#","delta":"#, &delta, r#","usage":"#, &usage.to_string()], out);
            self.stopped = true;
            self.stop = Some(stop);
        }
        event("message_stop", &[], out);
        self.done = true;
    }

    fn text(&mut self, text: Literal<'_>, usage: Option<Usage>, out: &mut Vec<u8>) {
        if self.is_calling() {
            if self.late_text.len() + text.inner().len() <= MAX_EVENT {
                self.late_text.push_str(text.inner());
            }
            return;
        }
        self.enter(Block::Text, r#"{"type":"text","text":""}"#, usage, out);
        self.delta("text_delta", "text", text, out);
    }

    /// Whether the open block is a call that is not whole: leaving it would lose what is yet to come of it.
    fn is_calling(&self) -> bool {
        matches!(self.open, Some((_, Block::Tool(call))) if !self.calls.is_whole(call))
    }

    fn finish(&mut self, stop: &Stop, usage: Option<Usage>, out: &mut Vec<u8>) {
        self.start(usage, out);
        for call in self.calls.waiting() {
            self.write_call(call, usage, out);
        }
        self.leave(out);
        if !self.late_text.is_empty() {
            let literal = format!("\"{}\"", std::mem::take(&mut self.late_text));
            self.text(Literal::trusted(&literal), usage, out);
            self.leave(out);
        }
        // A client acts on the word: some providers call tools and say "stop", and a refusal is a "stop" in Chat.
        self.stop = Some(match stop {
            Stop::End if self.calls.any() => Stop::ToolCalls,
            Stop::End if self.refused => Stop::Refusal,
            other => other.clone(),
        });
    }

    /// Writes what there is of the calls, in order, up to one that is not whole: blocks must not overlap, so those behind
    /// it wait.
    fn write_calls(&mut self, usage: Option<Usage>, out: &mut Vec<u8>) {
        if let Some((_, Block::Tool(open))) = self.open {
            self.write_call(open, usage, out);
        }
        for call in self.calls.waiting() {
            if self.is_calling() {
                return;
            }
            self.write_call(call, usage, out);
        }
    }

    fn write_call(&mut self, call: usize, usage: Option<Usage>, out: &mut Vec<u8>) {
        let Some((begun, pending)) = self.calls.take(call) else { return };
        if let Some((id, name)) = begun {
            let id = id.unwrap_or_else(|| format!("\"toolu_{:016x}{call}\"", self.seed));
            let content = format!(r#"{{"type":"tool_use","id":{id},"name":{name},"input":{{}}}}"#);
            self.enter(Block::Tool(call), &content, usage, out);
        }
        if !pending.is_empty() && self.is_open(Block::Tool(call)) {
            let literal = format!("\"{pending}\"");
            self.delta("input_json_delta", "partial_json", Literal::trusted(&literal), out);
        }
    }

    fn start(&mut self, usage: Option<Usage>, out: &mut Vec<u8>) {
        if self.started {
            return;
        }
        self.started = true;
        let id = self.id.clone().unwrap_or_else(|| format!("\"msg_{:016x}\"", self.seed));
        let usage = to_anthropic_json(usage.unwrap_or_default()).to_string();
        let parts = [
            r#","message":{"id":"#,
            &id,
            r#","type":"message","role":"assistant","model":"#,
            &self.model,
            r#","content":[],"stop_reason":null,"stop_sequence":null,"usage":"#,
            &usage,
            "}",
        ];
        event("message_start", &parts, out);
    }

    fn is_open(&self, block: Block) -> bool {
        self.open.is_some_and(|(_, open)| open == block)
    }

    /// Makes `block` the open one; `content` is how it begins.
    fn enter(&mut self, block: Block, content: &str, usage: Option<Usage>, out: &mut Vec<u8>) {
        if self.is_open(block) {
            return;
        }
        self.start(usage, out);
        self.leave(out);
        let index = self.next_index;
        self.next_index += 1;
        self.open = Some((index, block));
        event("content_block_start", &[r#","index":"#, &index.to_string(), r#","content_block":"#, content], out);
    }

    fn leave(&mut self, out: &mut Vec<u8>) {
        if let Some((index, _)) = self.open.take() {
            event("content_block_stop", &[r#","index":"#, &index.to_string()], out);
        }
    }

    fn delta(&self, kind: &str, field: &str, text: Literal<'_>, out: &mut Vec<u8>) {
        let Some((index, _)) = self.open else { return };
        let index = index.to_string();
        let parts = [r#","index":"#, &index, r#","delta":{"type":""#, kind, "\",\"", field, "\":", text.as_str(), "}"];
        event("content_block_delta", &parts, out);
    }
}

fn event(kind: &str, parts: &[&str], out: &mut Vec<u8>) {
    for part in ["event: ", kind, "\ndata: {\"type\":\"", kind, "\""].iter().chain(parts).chain(&["}\n\n"]) {
        out.extend_from_slice(part.as_bytes());
    }
}
