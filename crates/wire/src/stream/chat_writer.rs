//! Writes an answer as a stream of Chat Completions chunks, or of Completions chunks.
//!
//! The order is OpenAI's: a chunk with the role, the deltas, one with `finish_reason`, the usage chunk where it was
//! asked for, `[DONE]`.

use weir_units::Usage;

use super::delta::{Block, Delta, Literal, quoted};
use crate::translate::ids::{answer_id, call_id};
use crate::{Dialect, Stop, to_openai_json};

/// What ends a stream of either API.
const DONE: &[u8] = b"data: [DONE]\n\n";

#[derive(Debug)]
pub(super) struct ChatWriter {
    /// Whether it is the older Completions API, which knows text alone.
    completions: bool,
    include_usage: bool,
    /// JSON strings, quotes included.
    id: Option<String>,
    model: String,
    created: i64,
    seed: u64,
    /// What every chunk begins with, once its id is settled.
    head: Option<String>,
    called: bool,
    /// A call that has no arguments so far.
    bare_call: Option<usize>,
    finished: bool,
    usage_shown: bool,
    done: bool,
}

impl ChatWriter {
    pub(super) fn new(completions: bool, include_usage: bool, model: &str, created: i64, seed: u64) -> Self {
        Self {
            completions,
            include_usage,
            id: None,
            model: quoted(model),
            created,
            seed,
            head: None,
            called: false,
            bare_call: None,
            finished: false,
            usage_shown: false,
            done: false,
        }
    }

    /// Remembers, of a stream that goes by in its own dialect, what going on with it takes.
    pub(super) fn note(&mut self, delta: &Delta<'_>) {
        match delta {
            Delta::Start { id, model, created } => {
                self.id = self.id.take().or_else(|| id.map(|id| id.as_str().to_owned()));
                self.created = created.unwrap_or(self.created);
                if let Some(model) = model {
                    self.model = model.as_str().to_owned();
                }
            }
            Delta::Usage { shown, .. } => self.usage_shown |= *shown,
            Delta::Stop(_) => self.finished = true,
            Delta::Terminated => self.done = true,
            _ => {}
        }
    }

    /// Goes on in the name of another model; the role was sent.
    pub(super) fn resume(&mut self, model: &str) {
        self.model = quoted(model);
        self.usage_shown = false;
        self.head = Some(self.compose_head());
    }

    pub(super) fn write(&mut self, delta: &Delta<'_>, usage: Option<Usage>, out: &mut Vec<u8>) {
        if self.done {
            return;
        }
        match delta {
            Delta::Start { id, model, .. } => self.introduce(*id, *model),
            Delta::Terminated => self.end(usage, out),
            _ if self.finished => {}
            Delta::Stop(stop) => self.finish(stop, out),
            Delta::Text(text) if self.completions => self.text(*text, out),
            _ if self.completions => {}
            Delta::Text(text) => self.field("content", *text, out),
            Delta::Reasoning(text) => self.field("reasoning_content", *text, out),
            Delta::Refusal(text) => self.field("refusal", *text, out),
            Delta::ToolStart { call, id, name } => {
                self.called = true;
                self.bare_call = Some(*call);
                let invented = format!("\"call_{:016x}{call}\"", self.seed);
                let id = id.and_then(Literal::decode).map_or(invented, |id| quoted(&call_id(Dialect::OpenAi, id)));
                let name = name.map_or("\"\"", Literal::as_str);
                let rest = format!(r#""id":{id},"type":"function","function":{{"name":{name},"arguments":""}}"#);
                self.delta(&[r#""tool_calls":[{"index":"#, &call.to_string(), ",", &rest, "}]"], out);
            }
            Delta::Arguments { call, fragment } => {
                self.bare_call = self.bare_call.filter(|bare| bare != call);
                self.arguments(*call, fragment.as_str(), out);
            }
            // A client parses the arguments: nothing at all must be an empty object.
            Delta::BlockEnd { block: Block::Tool(call), .. }
                if self.bare_call.take_if(|bare| bare == call).is_some() =>
            {
                self.arguments(*call, "\"{}\"", out);
            }
            _ => {}
        }
    }

    /// What the provider calls the answer and the model that gives it, as long as nothing was said in another name.
    fn introduce(&mut self, id: Option<Literal<'_>>, model: Option<Literal<'_>>) {
        if self.head.is_some() {
            return;
        }
        if self.id.is_none() {
            self.id = id.and_then(Literal::decode).map(|id| quoted(&answer_id(Dialect::OpenAi, &id, &[])));
        }
        if let Some(model) = model {
            self.model = model.as_str().to_owned();
        }
    }

    /// Writes what is missing of a finished answer's end.
    pub(super) fn end(&mut self, usage: Option<Usage>, out: &mut Vec<u8>) {
        if self.done {
            return;
        }
        self.usage_chunk(usage, out);
        out.extend_from_slice(DONE);
        self.done = true;
    }

    /// Writes the usage chunk if it was asked for, is known and has not been said.
    pub(super) fn usage_chunk(&mut self, usage: Option<Usage>, out: &mut Vec<u8>) {
        let Some(usage) = usage.filter(|_| self.include_usage && !self.usage_shown) else { return };
        self.usage_shown = true;
        self.chunk(&["],\"usage\":", &to_openai_json(usage).to_string(), "}\n\n"], out);
    }

    fn finish(&mut self, stop: &Stop, out: &mut Vec<u8>) {
        // Some providers call tools and say "stop"; a client acts on the word.
        let word = if self.called && *stop == Stop::End { "tool_calls" } else { stop.to_openai() };
        let word = quoted(word);
        if self.completions {
            self.chunk(&[r#"{"index":0,"text":"","logprobs":null,"finish_reason":"#, &word, "}]}\n\n"], out);
        } else {
            self.role(out);
            self.chunk(&[r#"{"index":0,"delta":{},"finish_reason":"#, &word, "}]}\n\n"], out);
        }
        self.finished = true;
    }

    fn arguments(&mut self, call: usize, literal: &str, out: &mut Vec<u8>) {
        let index = call.to_string();
        self.delta(&[r#""tool_calls":[{"index":"#, &index, r#","function":{"arguments":"#, literal, "}}]"], out);
    }

    fn text(&mut self, text: Literal<'_>, out: &mut Vec<u8>) {
        let rest = r#","logprobs":null,"finish_reason":null}]}"#;
        self.chunk(&[r#"{"index":0,"text":"#, text.as_str(), rest, "\n\n"], out);
    }

    fn field(&mut self, name: &str, text: Literal<'_>, out: &mut Vec<u8>) {
        self.delta(&["\"", name, "\":", text.as_str()], out);
    }

    fn delta(&mut self, parts: &[&str], out: &mut Vec<u8>) {
        self.role(out);
        self.chunk(&[r#"{"index":0,"delta":{"#], out);
        write_all(parts, out);
        out.extend_from_slice(b"},\"finish_reason\":null}]}\n\n");
    }

    fn role(&mut self, out: &mut Vec<u8>) {
        if self.head.is_none() {
            let role = r#"{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;
            self.chunk(&[role, "\n\n"], out);
        }
    }

    /// Writes a chunk's beginning, up to and into `choices`, then `parts`.
    fn chunk(&mut self, parts: &[&str], out: &mut Vec<u8>) {
        let head = self.head.take().unwrap_or_else(|| self.compose_head());
        out.extend_from_slice(head.as_bytes());
        self.head = Some(head);
        write_all(parts, out);
    }

    fn compose_head(&self) -> String {
        let (prefix, object) =
            if self.completions { ("cmpl", "text_completion") } else { ("chatcmpl", "chat.completion.chunk") };
        let id = self.id.clone().unwrap_or_else(|| format!("\"{prefix}-{:016x}\"", self.seed));
        let (created, model) = (self.created, &self.model);
        format!(r#"data: {{"id":{id},"object":"{object}","created":{created},"model":{model},"choices":["#)
    }
}

fn write_all(parts: &[&str], out: &mut Vec<u8>) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}
