//! Reads the stream of Anthropic's Messages API.
//!
//! The kind of an event is taken from its JSON and not from its `event:` line, since compatible providers leave that
//! out. Source: Anthropic's streaming reference and SDK types, 2026-11; event types that are not known are ignored.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::delta::{Block, Delta, Literal, Reading, is_object, quoted};
use crate::{AnthropicUsage, Stop};

/// More blocks than can be open at once in any answer; beyond them a stream is not followed.
const MAX_OPEN: usize = 4_096;

type Raw<'a> = Option<&'a RawValue>;

#[derive(Debug, Default)]
pub(super) struct MessagesReader {
    /// The blocks that have begun and not ended.
    open: Vec<(u64, Block)>,
    calls: usize,
    usage: AnthropicUsage,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Raw<'a>,
    #[serde(borrow)]
    index: Raw<'a>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    content_block: Option<Content<'a>>,
    #[serde(borrow)]
    delta: Option<Change<'a>>,
    #[serde(borrow)]
    usage: Raw<'a>,
    #[serde(borrow)]
    error: Raw<'a>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Raw<'a>,
    #[serde(borrow)]
    model: Raw<'a>,
    #[serde(borrow)]
    usage: Raw<'a>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow, rename = "type")]
    kind: Raw<'a>,
    #[serde(borrow)]
    id: Raw<'a>,
    #[serde(borrow)]
    name: Raw<'a>,
    #[serde(borrow)]
    text: Raw<'a>,
    #[serde(borrow)]
    thinking: Raw<'a>,
    #[serde(borrow)]
    data: Raw<'a>,
    #[serde(borrow)]
    input: Raw<'a>,
}

#[derive(Deserialize)]
struct Change<'a> {
    #[serde(borrow)]
    text: Raw<'a>,
    #[serde(borrow)]
    thinking: Raw<'a>,
    #[serde(borrow)]
    signature: Raw<'a>,
    #[serde(borrow)]
    partial_json: Raw<'a>,
    #[serde(borrow)]
    citation: Raw<'a>,
    #[serde(borrow)]
    stop_reason: Raw<'a>,
    #[serde(borrow)]
    stop_sequence: Raw<'a>,
}

impl MessagesReader {
    pub(super) fn read(&mut self, data: &str, sink: &mut impl FnMut(Delta<'_>)) -> Reading {
        let Ok(event) = serde_json::from_str::<Event<'_>>(data) else {
            return if is_object(data) { Reading::Pass } else { Reading::Malformed };
        };
        if !data.trim_start().starts_with('{') {
            return Reading::Malformed;
        }
        let index = event.index.and_then(|raw| raw.get().parse().ok()).unwrap_or(0);
        match event.kind.map(RawValue::get).unwrap_or_default() {
            "\"content_block_delta\"" => {
                if let Some(change) = &event.delta {
                    self.change(index, change, sink);
                }
            }
            "\"content_block_start\"" => {
                if let Some(content) = &event.content_block {
                    self.begin(index, content, sink);
                }
            }
            "\"content_block_stop\"" => {
                if let Some(place) = self.open.iter().rposition(|(open, _)| *open == index) {
                    let (index, block) = self.open.remove(place);
                    sink(Delta::BlockEnd { index, block });
                }
            }
            "\"message_start\"" => {
                if let Some(message) = &event.message {
                    let (id, model) = (Literal::filled(message.id), Literal::filled(message.model));
                    sink(Delta::Start { id, model, created: None });
                    self.use_up(message.usage, sink);
                }
            }
            "\"message_delta\"" => {
                self.use_up(event.usage, sink);
                if let Some(change) = &event.delta {
                    stop(change, sink);
                }
            }
            "\"message_stop\"" => {
                sink(Delta::Terminated);
                return Reading::Terminator;
            }
            "\"ping\"" => sink(Delta::Ping),
            "\"error\"" => sink(Delta::Error(data)),
            "" if event.error.is_some() => sink(Delta::Error(data)),
            _ => {}
        }
        Reading::Pass
    }

    fn begin(&mut self, index: u64, content: &Content<'_>, sink: &mut impl FnMut(Delta<'_>)) {
        let block = match content.kind.map(RawValue::get).unwrap_or_default() {
            "\"text\"" => Block::Text,
            "\"thinking\"" | "\"redacted_thinking\"" => Block::Thinking,
            "\"tool_use\"" => {
                self.calls += 1;
                Block::Tool(self.calls - 1)
            }
            _ => Block::Other,
        };
        if self.open.len() < MAX_OPEN {
            self.open.push((index, block));
        }
        sink(Delta::BlockStart { index, block });
        if let Some(text) = Literal::filled(content.text) {
            sink(Delta::Text(text));
        }
        if let Some(text) = Literal::filled(content.thinking) {
            sink(Delta::Reasoning(text));
        }
        match block {
            Block::Thinking => {
                if let Some(data) = Literal::filled(content.data) {
                    sink(Delta::Redacted(data));
                }
            }
            Block::Tool(call) => {
                let (id, name) = (Literal::filled(content.id), Literal::filled(content.name));
                sink(Delta::ToolStart { call, id, name });
                // Compatible providers may give the whole input at once.
                if let Some(input) =
                    content.input.map(RawValue::get).filter(|text| text.len() > 2 && text.starts_with('{'))
                {
                    let text = quoted(input);
                    sink(Delta::Arguments { call, fragment: Literal::trusted(&text) });
                }
            }
            Block::Other => {
                sink(Delta::Bound);
                sink(Delta::Opaque);
            }
            Block::Text => {}
        }
    }

    fn change(&mut self, index: u64, change: &Change<'_>, sink: &mut impl FnMut(Delta<'_>)) {
        if let Some(text) = Literal::filled(change.text) {
            sink(Delta::Text(text));
        }
        if let Some(text) = Literal::filled(change.thinking) {
            sink(Delta::Reasoning(text));
        }
        if Literal::filled(change.signature).is_some() {
            sink(Delta::Signature);
        }
        if change.citation.is_some() {
            sink(Delta::Bound);
        }
        if let Some(fragment) = Literal::filled(change.partial_json) {
            match self.open.iter().rev().find(|(open, _)| *open == index) {
                Some((_, Block::Tool(call))) => sink(Delta::Arguments { call: *call, fragment }),
                _ => sink(Delta::Opaque),
            }
        }
    }

    fn use_up(&mut self, raw: Raw<'_>, sink: &mut impl FnMut(Delta<'_>)) {
        if let Some(raw) = raw
            && let Ok(later) = serde_json::from_str::<AnthropicUsage>(raw.get())
        {
            self.usage.update(&later);
            sink(Delta::Usage { usage: self.usage.usage(), shown: true });
        }
    }
}

fn stop(change: &Change<'_>, sink: &mut impl FnMut(Delta<'_>)) {
    if let Some(word) = Literal::filled(change.stop_reason).and_then(Literal::decode) {
        let sequence = Literal::of(change.stop_sequence).and_then(Literal::decode);
        sink(Delta::Stop(Stop::from_anthropic(&word, sequence.as_deref())));
    }
}
