//! OpenTelemetry's spans as JSON, as the collector's file exporter writes them: batches of spans by resource and scope, with
//! attributes as lists. Spans of models are those with `gen_ai` attributes, or with their forerunners' names.

use std::borrow::Cow;

use serde::Deserialize;

use super::object::{self, Seen};
use crate::call::{Call, Format};
use crate::json::{Fields, Paths, Raw};

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow, default, rename = "resourceSpans", alias = "resource_spans")]
    resources: Vec<Resource<'a>>,
}

#[derive(Deserialize)]
struct Resource<'a> {
    #[serde(borrow, default, rename = "scopeSpans", alias = "scope_spans", alias = "instrumentationLibrarySpans")]
    scopes: Vec<Scope<'a>>,
}

#[derive(Deserialize)]
struct Scope<'a> {
    #[serde(borrow, default)]
    spans: Vec<Span<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Span<'a> {
    #[serde(borrow, default, alias = "trace_id")]
    trace_id: Cow<'a, str>,
    #[serde(borrow, default, alias = "span_id")]
    span_id: Cow<'a, str>,
    #[serde(borrow, default, alias = "start_time_unix_nano")]
    start_time_unix_nano: Option<&'a serde_json::value::RawValue>,
    #[serde(borrow, default, alias = "end_time_unix_nano")]
    end_time_unix_nano: Option<&'a serde_json::value::RawValue>,
    #[serde(borrow, default)]
    attributes: Vec<Attribute<'a>>,
    #[serde(borrow, default)]
    status: Option<Status<'a>>,
    #[serde(borrow, default)]
    events: Vec<Event<'a>>,
}

/// What happened within a span; an exception is told as one.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default)]
    attributes: Vec<Attribute<'a>>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Status<'a> {
    #[serde(borrow, default)]
    code: Option<&'a serde_json::value::RawValue>,
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Attribute<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow, default)]
    value: Option<AttributeValue<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttributeValue<'a> {
    #[serde(borrow, default)]
    string_value: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    int_value: Option<&'a serde_json::value::RawValue>,
    #[serde(borrow, default)]
    double_value: Option<&'a serde_json::value::RawValue>,
    #[serde(default)]
    bool_value: Option<bool>,
    #[serde(borrow, default)]
    array_value: Option<&'a serde_json::value::RawValue>,
}

impl<'a> AttributeValue<'a> {
    fn raw(self) -> Option<Raw<'a>> {
        let json = |raw: &'a serde_json::value::RawValue| Raw::Json(Cow::Borrowed(raw.get()));
        self.string_value
            .map(Raw::Text)
            .or_else(|| self.int_value.map(json))
            .or_else(|| self.double_value.map(json))
            .or_else(|| self.bool_value.map(|flag| Raw::Text(Cow::Borrowed(if flag { "true" } else { "false" }))))
            .or_else(|| self.array_value.map(json))
    }
}

/// Reads a batch; gives each model's call to `sink`, and returns how many spans were of something else.
///
/// # Errors
/// If it is none.
pub(super) fn read<'a>(json: &'a str, paths: &Paths, mut sink: impl FnMut(Call<'a>)) -> Result<u64, serde_json::Error> {
    let batch: Batch<'a> = serde_json::from_str(json)?;
    let spans = batch.resources.into_iter().flat_map(|resource| resource.scopes).flat_map(|scope| scope.spans);
    let mut others = 0;
    let attributes = paths.child(0, "attributes").unwrap_or_default();
    for span in spans {
        let mut fields = Fields::default();
        let mut put = |path: &[&str], value: Option<Raw<'a>>| {
            let node = path.iter().try_fold(0, |node, name| paths.child(node, name));
            if let (Some(slot), Some(value)) = (node.and_then(|node| paths.at(node).slot), value) {
                fields.put(slot.0, slot.1, value);
            }
        };
        let json = |raw: Option<&'a serde_json::value::RawValue>| raw.map(|raw| Raw::Json(Cow::Borrowed(raw.get())));
        put(&["traceId"], Some(Raw::Text(span.trace_id)));
        put(&["spanId"], Some(Raw::Text(span.span_id)));
        put(&["startTimeUnixNano"], json(span.start_time_unix_nano));
        put(&["endTimeUnixNano"], json(span.end_time_unix_nano));
        if let Some(status) = span.status {
            let code = status.code.map(|code| match code.get() {
                "\"STATUS_CODE_ERROR\"" => "2",
                code => code,
            });
            put(&["status", "code"], code.map(|code| Raw::Json(Cow::Borrowed(code))));
            put(&["status", "message"], status.message.map(Raw::Text));
        }
        let mut first = None;
        let exceptions = span.events.into_iter().filter(|event| event.name == "exception");
        let exceptions = exceptions.flat_map(|event| event.attributes);
        for attribute in span.attributes.into_iter().chain(exceptions) {
            if attribute.key == "gen_ai.response.time_to_first_chunk"
                || attribute.key == "gen_ai.server.time_to_first_token"
            {
                first = attribute.value.and_then(AttributeValue::raw);
                continue;
            }
            let node = paths.child(attributes, &attribute.key);
            if let (Some((slot, rank)), Some(value)) =
                (node.and_then(|node| paths.at(node).slot), attribute.value.and_then(AttributeValue::raw))
            {
                fields.put(slot, rank, value);
            }
        }
        if let Some(first) = first {
            fields.put(crate::json::Slot::FirstS, 0, first);
        }
        fields.mark(crate::json::Mark::OtelSpan as u32);
        match object::read(&fields, Format::OpenTelemetry, false) {
            Seen::Call(call) if call.format == Format::OpenTelemetry => sink(*call),
            _ => others += 1,
        }
    }
    Ok(others)
}
