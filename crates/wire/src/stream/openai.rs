//! Reads the stream of Chat Completions and of Completions, and of the many APIs that are compatible with them.
//!
//! Every leaf stays raw until it is needed, so a field of an unexpected type costs that field and not the event, and an
//! event that nobody acts on is scanned once and never decoded. Sources: the API references of OpenAI,
//! Groq, Mistral, OpenRouter, vLLM and DeepSeek, and captures of their streams (2026-11).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::delta::{Delta, Literal, Reading, is_object, quoted};
use crate::{OpenAiUsage, Stop};

/// More calls than any answer has; what comes after them is ignored, so that a stream cannot fill the memory.
const MAX_CALLS: usize = 4_096;

type Raw<'a> = Option<&'a RawValue>;

#[derive(Debug, Default)]
pub(super) struct OpenAiReader {
    /// Whether id and model are known.
    introduced: bool,
    /// The choices that were seen and those that are finished, a bit each; `n` is at most 128.
    seen: u128,
    finished: u128,
    calls: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    index: u64,
    id: String,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    id: Raw<'a>,
    #[serde(borrow)]
    object: Raw<'a>,
    #[serde(borrow)]
    model: Raw<'a>,
    #[serde(borrow)]
    created: Raw<'a>,
    #[serde(borrow)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow)]
    usage: Raw<'a>,
    #[serde(borrow)]
    error: Raw<'a>,
    #[serde(borrow)]
    x_groq: Option<Groq<'a>>,
}

#[derive(Deserialize)]
struct Groq<'a> {
    #[serde(borrow)]
    usage: Raw<'a>,
    #[serde(borrow)]
    error: Raw<'a>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    index: Raw<'a>,
    #[serde(borrow)]
    delta: Option<Part<'a>>,
    #[serde(borrow)]
    text: Raw<'a>,
    #[serde(borrow)]
    finish_reason: Raw<'a>,
    #[serde(borrow)]
    logprobs: Raw<'a>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow)]
    content: Raw<'a>,
    #[serde(borrow)]
    reasoning_content: Raw<'a>,
    #[serde(borrow)]
    reasoning: Raw<'a>,
    #[serde(borrow)]
    reasoning_details: Raw<'a>,
    #[serde(borrow)]
    refusal: Raw<'a>,
    #[serde(borrow)]
    tool_calls: Raw<'a>,
    #[serde(borrow)]
    function_call: Raw<'a>,
    #[serde(borrow)]
    audio: Raw<'a>,
}

/// A part of Mistral's structured content; `thinking` holds such parts again.
#[derive(Deserialize)]
struct ContentPart<'a> {
    #[serde(borrow)]
    text: Raw<'a>,
    #[serde(borrow)]
    thinking: Option<Vec<ContentPart<'a>>>,
}

#[derive(Deserialize)]
struct ToolDelta<'a> {
    index: Option<u64>,
    #[serde(borrow)]
    id: Raw<'a>,
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Raw<'a>,
    #[serde(borrow)]
    arguments: Raw<'a>,
}

impl OpenAiReader {
    pub(super) fn read(&mut self, data: &str, sink: &mut impl FnMut(Delta<'_>)) -> Reading {
        let Ok(chunk) = serde_json::from_str::<Chunk<'_>>(data) else {
            return if is_object(data) { Reading::Pass } else { Reading::Malformed };
        };
        if !data.trim_start().starts_with('{') {
            return Reading::Malformed;
        }
        if is_fault(&chunk) {
            sink(Delta::Error(data));
            return Reading::Pass;
        }
        if !self.introduced {
            self.introduce(&chunk, sink);
        }
        let choices = chunk.choices.as_deref().unwrap_or_default();
        for choice in choices {
            self.choice(choice, sink);
        }
        let groq = chunk.x_groq.as_ref().and_then(|groq| groq.usage);
        for (raw, shown) in [(groq, false), (chunk.usage, true)] {
            if let Some(raw) = raw
                && let Ok(usage) = serde_json::from_str::<OpenAiUsage>(raw.get())
                && !usage.is_empty()
            {
                sink(Delta::Usage { usage: usage.usage(), shown });
            }
        }
        self.finish(choices, sink);
        let usage_alone = chunk.usage.is_some() && chunk.choices.is_some() && choices.is_empty();
        if usage_alone { Reading::UsageChunk } else { Reading::Pass }
    }

    fn introduce(&mut self, chunk: &Chunk<'_>, sink: &mut impl FnMut(Delta<'_>)) {
        // Azure opens with a chunk on prompt filters whose id and model are empty.
        let (id, model) = (Literal::filled(chunk.id), Literal::filled(chunk.model));
        self.introduced = id.is_some() && model.is_some();
        let created = chunk.created.and_then(|raw| raw.get().parse().ok()).filter(|created| *created != 0);
        if id.is_some() || model.is_some() {
            sink(Delta::Start { id, model, created });
        }
    }

    fn choice(&mut self, choice: &Choice<'_>, sink: &mut impl FnMut(Delta<'_>)) {
        let bit = choice_bit(choice);
        self.seen |= bit;
        if self.seen != 1 || choice.logprobs.is_some() {
            sink(Delta::Bound);
        }
        // What a second choice says cannot be told apart in another dialect, and is content all the same.
        let mut second = |_: Delta<'_>| sink(Delta::Opaque);
        if bit != 1 {
            return self.content(choice, &mut second);
        }
        self.content(choice, sink);
    }

    fn content(&mut self, choice: &Choice<'_>, sink: &mut dyn FnMut(Delta<'_>)) {
        if let Some(text) = Literal::filled(choice.text) {
            sink(Delta::Text(text));
        }
        let Some(part) = &choice.delta else { return };
        // vLLM and OpenRouter say the same in both fields.
        if let Some(text) = Literal::filled(part.reasoning_content).or_else(|| Literal::filled(part.reasoning)) {
            sink(Delta::Reasoning(text));
        }
        if part.reasoning_details.is_some_and(is_signed) {
            sink(Delta::Signature);
        }
        match part.content {
            Some(raw) if raw.get().starts_with('[') => structured(raw, sink),
            raw => {
                if let Some(text) = Literal::filled(raw) {
                    sink(Delta::Text(text));
                }
            }
        }
        if let Some(text) = Literal::filled(part.refusal) {
            sink(Delta::Refusal(text));
        }
        if let Some(raw) = part.tool_calls {
            self.tool_calls(raw, sink);
        }
        if part.function_call.is_some() || part.audio.is_some() {
            sink(Delta::Bound);
            sink(Delta::Opaque);
        }
    }

    fn tool_calls(&mut self, raw: &RawValue, sink: &mut dyn FnMut(Delta<'_>)) {
        let Ok(deltas) = serde_json::from_str::<Vec<ToolDelta<'_>>>(raw.get()) else {
            sink(Delta::Bound);
            return sink(Delta::Opaque);
        };
        for delta in deltas {
            let id = Literal::filled(delta.id);
            let function = delta.function.as_ref();
            let Some((call, new)) = self.call(delta.index, id) else { continue };
            if new {
                sink(Delta::ToolStart { call, id, name: Literal::filled(function.and_then(|f| f.name)) });
            }
            let Some(arguments) = function.and_then(|f| f.arguments) else { continue };
            if arguments.get().starts_with('{') {
                // Ollama's compatible API has sent an object in place of its text.
                let text = quoted(arguments.get());
                sink(Delta::Arguments { call, fragment: Literal::trusted(&text) });
            } else if let Some(fragment) = Literal::filled(Some(arguments)) {
                sink(Delta::Arguments { call, fragment });
            }
        }
    }

    /// The number of the call that a delta speaks of, and whether it is new. Some providers give every call the index 0
    /// (Gemini's compatible API), or none: then a different id begins a new call.
    fn call(&mut self, index: Option<u64>, id: Option<Literal<'_>>) -> Option<(usize, bool)> {
        let id = id.map(Literal::inner).unwrap_or_default();
        let known = match index {
            Some(index) => self.calls.iter().rposition(|call| call.index == index),
            None if id.is_empty() => self.calls.len().checked_sub(1),
            None => self.calls.iter().rposition(|call| call.id == id),
        };
        if let Some(place) = known {
            let call = &self.calls[place];
            if id.is_empty() || call.id.is_empty() || call.id == id {
                return Some((place, false));
            }
        }
        if self.calls.len() >= MAX_CALLS {
            return None;
        }
        self.calls.push(Call { index: index.unwrap_or(self.calls.len() as u64), id: id.to_owned() });
        Some((self.calls.len() - 1, true))
    }

    /// The answer is finished when every choice that was seen has its reason.
    fn finish(&mut self, choices: &[Choice<'_>], sink: &mut impl FnMut(Delta<'_>)) {
        for choice in choices {
            let Some(word) = Literal::filled(choice.finish_reason).and_then(Literal::decode) else { continue };
            self.finished |= choice_bit(choice);
            if self.seen == self.finished {
                sink(Delta::Stop(Stop::from_openai(&word)));
            }
        }
    }
}

fn choice_bit(choice: &Choice<'_>) -> u128 {
    let index = choice.index.and_then(|raw| raw.get().parse::<u32>().ok()).unwrap_or(0);
    1 << index.min(127)
}

/// An `error` object, vLLM's `"object":"error"`, Groq's `x_groq.error`, and `finish_reason: "error"` (Mistral, OpenRouter).
fn is_fault(chunk: &Chunk<'_>) -> bool {
    let choices = chunk.choices.as_deref().unwrap_or_default();
    chunk.error.is_some()
        || chunk.x_groq.as_ref().is_some_and(|groq| groq.error.is_some())
        || (chunk.choices.is_none() && chunk.object.is_some_and(|raw| raw.get() == "\"error\""))
        || choices.iter().any(|choice| choice.finish_reason.is_some_and(|raw| raw.get() == "\"error\""))
}

/// Whether reasoning details hold what only their own provider can check: a signature or encrypted content.
fn is_signed(details: &RawValue) -> bool {
    let text = details.get();
    ["\"signature\":\"", "\"signature\": \"", "\"data\":\"", "\"data\": \""].iter().any(|mark| text.contains(mark))
}

/// Mistral's content as a list: text parts, and thinking parts that hold text parts.
fn structured(raw: &RawValue, sink: &mut dyn FnMut(Delta<'_>)) {
    let parts = serde_json::from_str::<Vec<ContentPart<'_>>>(raw.get()).unwrap_or_default();
    for part in parts {
        if let Some(text) = Literal::filled(part.text) {
            sink(Delta::Text(text));
        }
        for thought in part.thinking.unwrap_or_default() {
            if let Some(text) = Literal::filled(thought.text) {
                sink(Delta::Reasoning(text));
            }
        }
    }
}
