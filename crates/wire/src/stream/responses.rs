//! Reads the stream of the Responses API, as far as Weir acts on it: it is passed through and never translated.
//!
//! Sources: the openai SDK 3.54, captures of 2026-07. Events that are not known say nothing here.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::delta::{Delta, Literal, Reading, is_object};
use crate::{ResponsesUsage, Stop};

type Raw<'a> = Option<&'a RawValue>;

#[derive(Debug, Default)]
pub(super) struct ResponsesReader {
    introduced: bool,
    called: bool,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Raw<'a>,
    #[serde(borrow)]
    delta: Raw<'a>,
    #[serde(borrow)]
    response: Option<Response<'a>>,
    #[serde(borrow)]
    item: Option<Item<'a>>,
    #[serde(borrow)]
    error: Raw<'a>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow)]
    id: Raw<'a>,
    #[serde(borrow)]
    model: Raw<'a>,
    #[serde(borrow)]
    usage: Raw<'a>,
    #[serde(borrow)]
    incomplete_details: Option<Details<'a>>,
    #[serde(borrow)]
    output: Raw<'a>,
}

#[derive(Deserialize)]
struct Details<'a> {
    #[serde(borrow)]
    reason: Raw<'a>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, rename = "type")]
    kind: Raw<'a>,
}

impl ResponsesReader {
    pub(super) fn read(&mut self, data: &str, sink: &mut impl FnMut(Delta<'_>)) -> Reading {
        let Ok(event) = serde_json::from_str::<Event<'_>>(data) else {
            return if is_object(data) { Reading::Pass } else { Reading::Malformed };
        };
        if !data.trim_start().starts_with('{') {
            return Reading::Malformed;
        }
        if let Some(response) = &event.response
            && !self.introduced
        {
            self.introduced = true;
            let (id, model) = (Literal::filled(response.id), Literal::filled(response.model));
            sink(Delta::Start { id, model, created: None });
        }
        let kind = event.kind.map(RawValue::get).unwrap_or_default();
        let text = Literal::filled(event.delta);
        match (kind.trim_matches('"'), text) {
            ("response.output_text.delta", Some(text)) => sink(Delta::Text(text)),
            ("response.refusal.delta", Some(text)) => sink(Delta::Refusal(text)),
            ("response.reasoning_text.delta" | "response.reasoning_summary_text.delta", Some(text)) => {
                sink(Delta::Reasoning(text));
            }
            ("response.function_call_arguments.delta" | "response.custom_tool_call_input.delta", Some(text)) => {
                sink(Delta::Arguments { call: 0, fragment: text });
            }
            ("response.output_item.added", _) => self.item(event.item.as_ref(), sink),
            ("response.completed" | "response.incomplete", _) => {
                self.complete(event.response.as_ref(), sink);
                return Reading::Terminator;
            }
            ("response.failed" | "error", _) => sink(Delta::Error(data)),
            ("", _) if event.error.is_some() => sink(Delta::Error(data)),
            _ => {}
        }
        Reading::Pass
    }

    /// A message or reasoning item is empty when it is added; any other is a call, of the client's tool or a hosted one.
    fn item(&mut self, item: Option<&Item<'_>>, sink: &mut impl FnMut(Delta<'_>)) {
        match item.and_then(|item| item.kind).map(RawValue::get).unwrap_or_default() {
            "" | "\"message\"" | "\"reasoning\"" => {}
            kind => {
                self.called |= matches!(kind, "\"function_call\"" | "\"custom_tool_call\"");
                sink(Delta::ToolStart { call: 0, id: None, name: None });
            }
        }
    }

    fn complete(&mut self, response: Option<&Response<'_>>, sink: &mut impl FnMut(Delta<'_>)) {
        if let Some(raw) = response.and_then(|response| response.usage)
            && let Ok(usage) = serde_json::from_str::<ResponsesUsage>(raw.get())
        {
            sink(Delta::Usage { usage: usage.usage(), shown: true });
        }
        if let Some(items) = response.and_then(|response| response.output) {
            sink(Delta::Output(items.get()));
        }
        let reason =
            response.and_then(|response| response.incomplete_details.as_ref()).and_then(|details| details.reason);
        let stop = match Literal::of(reason).map(Literal::inner) {
            None if self.called => Stop::ToolCalls,
            None => Stop::End,
            Some("max_output_tokens") => Stop::Length,
            Some("content_filter") => Stop::Refusal,
            Some(other) => Stop::Other(other.to_owned()),
        };
        sink(Delta::Stop(stop));
        sink(Delta::Terminated);
    }
}
