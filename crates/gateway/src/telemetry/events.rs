//! Facts as events of a span: what a request waited for, was refused by, moved on from, and what of the engine's mind it changed.

use serde_json::Value;
use weir_ledger::{Event, Fact};

use super::proto::Proto;
use super::spans::nanos;

/// The events of a span.
const EVENTS: u32 = 11;
/// The attributes of an event.
const ATTRIBUTES: u32 = 3;

/// Writes a fact as an event, unless a span says it already.
pub(crate) fn write(span: &mut Proto, event: &Event) {
    if is_said_by_a_span(&event.fact) {
        return;
    }
    span.message(EVENTS, |proto| {
        proto.fixed64(1, nanos(event.at));
        proto.text(2, event.fact.name());
        proto.attribute(ATTRIBUTES, "weir.stage", event.stage.name());
        attributes(proto, ATTRIBUTES, &event.fact);
    });
}

/// The members of a fact, and the fact in words; what many requests have is written without a detour, and its words are left out.
pub(crate) fn attributes(proto: &mut Proto, field: u32, fact: &Fact) {
    if let Fact::Wasted { why, input, output, cost_usd, estimated } = fact {
        proto.attribute(field, "weir.why", why);
        proto.count_attribute(field, "weir.input", *input);
        proto.count_attribute(field, "weir.output", *output);
        if let Some(cost) = cost_usd {
            proto.attribute(field, "weir.cost_usd", &cost.to_string());
        }
        proto.flag_attribute(field, "weir.estimated", *estimated);
        return;
    }
    let Ok(fact) = serde_json::to_value(fact) else { return };
    proto.foreign_attribute(field, "weir.words", &weir_ledger::in_words(&fact));
    for (name, value) in
        fact.as_object().into_iter().flatten().filter(|(name, _)| !matches!(name.as_str(), "fact" | "words"))
    {
        let name = format!("weir.{name}");
        match value {
            Value::String(text) => proto.foreign_attribute(field, &name, text),
            Value::Bool(flag) => proto.flag_attribute(field, &name, *flag),
            Value::Number(number) => match (number.as_u64(), number.as_f64()) {
                (Some(count), _) => proto.count_attribute(field, &name, count),
                (None, Some(number)) => proto.double_attribute(field, &name, number),
                (None, None) => {}
            },
            Value::Array(items) => proto.list_attribute(field, &name, items.iter().filter_map(Value::as_str)),
            Value::Null | Value::Object(_) => {}
        }
    }
}

/// What is a span of its own, or an attribute of one.
fn is_said_by_a_span(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::Admitted { .. }
            | Fact::AttemptStarted { .. }
            | Fact::AttemptFailed { .. }
            | Fact::AttemptSucceeded { .. }
            | Fact::FirstContent { .. }
            | Fact::Answered { .. }
    )
}
