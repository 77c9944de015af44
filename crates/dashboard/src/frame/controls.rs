//! What narrows a page: the range of time, and filters. Links and GET forms, so that the address is the state.

use maud::{Markup, html};

use super::Context;
use crate::range::{OFFERED, Range};
use crate::words::plain;

/// The range, what is before and after it, and the ranges that are offered.
#[must_use]
pub fn range_picker(context: &Context, range: &Range) -> Markup {
    let (params, clock) = (&context.params, &context.clock);
    let unset = params.without("from").without("to");
    html! {
        div class="range" {
            a class="step" rel="prev" href=(range.shifted(params, clock, false).href()) aria-label="The range before" { "◀" }
            details class="menu" id="range" {
                summary { (range.says()) }
                div class="sheet" {
                    ul { @for (name, says, _) in OFFERED {
                        li { a href=(unset.with("range", name).href()) aria-current=[(range.offered == Some(name)).then_some("true")] { (says) } }
                    } }
                    form method="get" action=(params.path()) {
                        @for (name, value) in unset.pairs().filter(|(name, _)| *name != "range" && *name != "before") { input type="hidden" name=(name) value=(value); }
                        label { span { "From" } input type="datetime-local" name="from" required value=(clock.field(range.since)); }
                        label { span { "To" } input type="datetime-local" name="to" required value=(clock.field(range.until)); }
                        button { "Show" }
                        p class="soft" { "Times in " (clock.zone()) }
                    }
                }
            }
            @if range.until < clock.now {
                a class="step" rel="next" href=(range.shifted(params, clock, true).href()) aria-label="The range after" { "▶" }
            } @else {
                span class="step off" aria-hidden="true" { "▶" }
            }
            span class="ends wide" { (range.ends(clock)) }
        }
    }
}

/// A field of a filter form: its parameter, what it is called, what it may look like.
type Field = (&'static str, &'static str, &'static str);

/// The filters that are set, each with a way to take it off, and a form for those that are not.
#[must_use]
pub fn filters(context: &Context, fields: &[Field], more: &[&str]) -> Markup {
    let params = &context.params.without("before");
    let set: Vec<_> = fields.iter().filter_map(|field| params.get(field.0).map(|value| (field, value))).collect();
    let kept = |name: &str| more.contains(&name) || matches!(name, "range" | "from" | "to");
    html! {
        div class="filters" {
            @for ((name, label, _), value) in &set {
                span class="chip" {
                    span { (label) " = " bdi { (crate::words::cut(&plain(value), 40)) } }
                    a href=(params.without(name).href()) aria-label={ "Take the filter " (label) " off" } { "✕" }
                }
            }
            details class="menu" id="filter" {
                summary { @if set.is_empty() { "Filter" } @else { "Filter (" (set.len()) ")" } }
                form class="sheet grid" method="get" action=(params.path()) {
                    @for (name, value) in params.pairs().filter(|(name, _)| kept(name)) { input type="hidden" name=(name) value=(value); }
                    @for (name, label, hint) in fields {
                        label { span { (label) } input name=(name) value=[params.get(name)] placeholder=(hint) autocomplete="off"; }
                    }
                    button { "Apply" }
                }
            }
        }
    }
}
