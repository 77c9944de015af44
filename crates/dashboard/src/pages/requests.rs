//! Requests: a filter, what it matches over time, and fifty rows with what became of each.

use maud::{Markup, html};
use weir_units::numbers::{dollars, millis};

use super::overview::results;
use super::parts::{card, empty, first_request, result};
use crate::figures::{Record, Series};
use crate::frame::{Content, Context, Page, filters};
use crate::params::{Params, segment};
use crate::words::headline::{Headline, Tone};
use crate::words::{count, name, plain};

/// What can be filtered by: the parameter, what it is called, what it may look like.
pub const FIELDS: [(&str, &str, &str); 14] = [
    ("status", "Status", "429, or 5xx"),
    ("errors", "Failed only", "true"),
    ("refused-by", "Refused by", "weir, provider, openai"),
    ("route", "Route", "smart"),
    ("deployment", "Deployment", "openai/gpt-5.2"),
    ("provider", "Provider", "openai"),
    ("key", "Key", "checkout-bot"),
    ("tenant", "Tenant", "team-a"),
    ("run", "Run", "run_42"),
    ("tag", "Tag", "team=ml"),
    ("cost", "Cost at least, $", "0.50"),
    ("waste", "Waste", "any, or loop"),
    ("trace", "Trace id", "32 hex digits"),
    ("content", "Same content", "16 hex digits"),
];

/// What the page is made of.
#[derive(Clone, Debug)]
pub struct RequestsFigures {
    /// The rows, the newest first.
    pub rows: Vec<Record>,
    /// How many there are in all, and whether there are more than were counted.
    pub total: Option<(u64, bool)>,
    /// Over time.
    pub series: Option<Series>,
    /// Whether there are rows after these.
    pub more: bool,
}

/// The page.
#[must_use]
pub fn requests(context: &Context, figures: &RequestsFigures) -> Content {
    let mut content = Content::new(Page::Requests, headline(context, figures));
    content = content.region("filter", filters(context, &FIELDS, &[]));
    if let Some(series) = &figures.series {
        content = content.region(
            "matches",
            html! { section class="card" { (results(context, series, crate::chart::Shape::Columns)) } },
        );
    }
    // Rows never move under a cursor: what is newer is counted, and shown when somebody asks for it.
    if context.params.get("before").is_none() {
        let newest = figures.rows.first().and_then(|record| context.clock.read_utc(&record.started_at));
        let seen = newest.unwrap_or(context.clock.now).millis();
        content.every = Some(5);
        content.live = Some(context.params.with("seen", &seen.to_string()));
        content = content.region("newer", html! {});
    }
    content.region("rows", rows(context, figures))
}

/// How many requests came since the page was made, as it is told to who looks at it.
#[must_use]
pub fn newer(context: &Context, found: u64, more: bool) -> Content {
    let mut content = Content::new(Page::Requests, Headline::calm(""));
    content.every = Some(5);
    content.live = Some(context.params.clone());
    let all = context.params.without("seen").href();
    content.region("newer", html! { @if found > 0 {
        p class="newer" { a id="newer" class="button" href=(all) { (count(found)) @if more { "+" } " newer, press " kbd { "." } " to show" } }
    } })
}

fn headline(context: &Context, figures: &RequestsFigures) -> Headline {
    let matched = match figures.total {
        Some((total, true)) => format!("{}+ requests", count(total)),
        Some((1, false)) => "1 request".to_owned(),
        Some((total, false)) => format!("{} requests", count(total)),
        None if figures.more => format!("More than {} requests", figures.rows.len()),
        None => format!("{} requests", figures.rows.len()),
    };
    let set = FIELDS.iter().filter(|(field, ..)| context.params.get(field).is_some()).count();
    let series = figures.series.as_ref().map(|series| &series.all.total).filter(|total| total.unanswered() > 0);
    match (set, series) {
        (0, Some(total)) => Headline::new(
            if total.unanswered() * 100 > total.stayed() { Tone::Warn } else { Tone::Calm },
            format!("{matched}; {} of them were not answered.", count(total.unanswered())),
        )
        .to(context.params.with("errors", "true").without("before").href(), "See those"),
        (0, None) => Headline::calm(format!("{matched} in this range.")),
        _ => {
            Headline::calm(format!("{matched} match{} the filter.", if matched.starts_with("1 ") { "es" } else { "" }))
        }
    }
}

fn rows(context: &Context, figures: &RequestsFigures) -> Markup {
    if figures.rows.is_empty() {
        return nothing(context);
    }
    let exports =
        |kind: &str| Params::at("/dashboard/requests.").href() + kind + "?" + &context.params.without("before").query();
    html! { section class="card" {
        table class="stack requests" {
            thead { tr {
                th scope="col" { "Time" } th scope="col" { "Result" } th scope="col" class="drop-2" { "Route" } th scope="col" class="drop-2" { "Key" }
                th scope="col" { "Served by, and what else there is to say" } th scope="col" class="n" { "Took" } th scope="col" class="n" { "Cost" }
            } }
            tbody { @for record in &figures.rows { tr class="row" {
                th scope="row" { a href=(format!("/dashboard/requests/{}", segment(&record.id))) { (context.clock.time_of(Some(&record.started_at))) } }
                td { (result(record)) }
                td class="drop-2" { (route(record)) }
                td class="drop-2" { @match &record.key { Some(key) => (name(key)), None => span class="none" { "—" } } }
                td { span class="why" { span class="phone" { (route(record)) ": " } (cause(record)) } }
                td class="n push" { (took(context, record)) }
                td class="n" { (cost(record)) }
            } } }
        }
        p class="pages" {
            @if context.params.get("before").is_some() { a href=(context.params.without("before").href()) { "‹ newest" } }
            @if let (true, Some(last)) = (figures.more, figures.rows.last()) { a rel="next" href=(context.params.with("before", &last.id).href()) { "older ›" } }
            span class="soft" { (figures.rows.len()) " rows" }
            a href=(exports("csv")) { "CSV" } a href=(exports("json")) { "JSON" }
        }
    } }
}

fn nothing(context: &Context) -> Markup {
    let set: Vec<_> =
        FIELDS.iter().filter_map(|field| context.params.get(field.0).map(|value| (field, value))).collect();
    if set.is_empty() {
        return card(
            "",
            "No request in this range",
            None,
            &html! {
                (empty("Send one, and it is here within a second:", Some(&first_request(context, ""))))
                p { a href=(context.params.with("range", "30d").without("from").without("to").href()) { "Look at the last 30 d" } }
            },
        );
    }
    card(
        "",
        "No request matches",
        None,
        &html! { div class="empty" {
            p { "Each of these narrows it; take one off:" }
            ul { @for ((field, label, _), value) in &set { li { a href=(context.params.without(field).without("before").href()) { "without " (label) " = " (crate::words::cut(&plain(value), 40)) } } } }
            p { a href=(context.params.with("range", "30d").without("from").without("to").href()) { "Look at the last 30 d" } }
        } },
    )
}

fn route(record: &Record) -> Markup {
    name(record.route.as_deref().or(record.model.as_deref()).unwrap_or("—"))
}

/// Who served it, or why nobody did, in words.
fn cause(record: &Record) -> Markup {
    let last = record.attempts.last();
    let waited = (record.queued_ms > 0).then(|| format!("waited {} in line", millis(record.queued_ms)));
    let failed: Vec<String> = record
        .attempts
        .iter()
        .filter(|attempt| attempt.class.is_some())
        .map(|attempt| {
            let provider = attempt.deployment.split('/').next().unwrap_or_default();
            format!(
                "{} {}",
                plain(provider),
                attempt.status.map_or_else(
                    || attempt.class.as_deref().unwrap_or("failed").replace('_', " "),
                    |status| status.to_string()
                )
            )
        })
        .collect();
    html! {
        @match (record.outcome.as_str(), last) {
            ("answered", Some(last)) => { (name(&last.deployment)) @if !failed.is_empty() { " after " (failed.join(", ")) } }
            ("open", _) => "still running",
            _ => { (plain(record.code.as_deref().unwrap_or(&record.outcome)).replace('_', " ")) @if !failed.is_empty() { ": " (failed.join(", ")) } }
        }
        @if let Some(waited) = waited { ", " (waited) }
        @if !record.degraded.is_empty() { ", without " (crate::words::cut(&plain(&record.degraded.join(", ")), 60)) }
    }
}

fn took(context: &Context, record: &Record) -> Markup {
    let ends = context
        .clock
        .read_utc(&record.started_at)
        .zip(record.ended_at.as_deref().and_then(|at| context.clock.read_utc(at)));
    html! { @match ends {
        Some((from, to)) => (millis(u64::try_from((to.0 - from.0) / 1_000).unwrap_or(0))),
        None => span class="none" title="it has not ended" { "—" },
    } }
}

/// What it cost; `—` where the price is unknown, `≈` where a part is estimated.
pub(super) fn cost(record: &Record) -> Markup {
    html! { @match record.cost() {
        Some(cost) => { data value=(cost) title={ "$" (cost) } { @if record.cost_estimated { "≈" } (dollars(cost)) } }
        None if record.outcome == "open" => span class="none" title="not known before its end" { "—" },
        None => span class="none" title="the price is unknown" { "—" },
    } }
}
