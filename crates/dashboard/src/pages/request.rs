//! One request: how it ended and why, its time as a waterfall of stages and attempts, and all that is kept of it.

use maud::{Markup, html};
use weir_units::WallTime;
use weir_units::numbers::{count, dollars, micros, millis};

use super::parts::{card, result};
use super::requests::cost;
use crate::chart::{Kind, Row, waterfall};
use crate::figures::{Attempt, Record};
use crate::frame::{Content, Context, Page};
use crate::params::{Params, segment};
use crate::range::Range;
use crate::words::headline::{Headline, Tone};
use crate::words::{name, plain};

/// The minutes around a request, in which one that asks for the same is a further try of the same call.
#[must_use]
pub fn around(context: &Context, record: &Record) -> Option<Range> {
    let start = context.clock.read_utc(&record.started_at)?;
    let minutes = 10 * 60_000_000;
    // Links have whole seconds.
    let second = |at: i64| WallTime(at.div_euclid(1_000_000) * 1_000_000);
    Some(Range { since: second(start.0 - minutes), until: second(start.0 + minutes), offered: None })
}

/// The page. `same` is how many requests asked for the same in the minutes around it, where that is known.
#[must_use]
pub fn request(context: &Context, record: &Record, same: Option<u64>) -> Content {
    let mut content = Content::new(Page::Requests, headline(context, record));
    content.title = Some(record.id.clone());
    content.above = Some((Page::Requests.path().to_owned(), "Requests"));
    content.every = (record.outcome == "open").then_some(1);
    let (rows, whole) = rows(context, record);
    content = content.region("facts", facts(context, record));
    content = content.region("waterfall", card("", "Where the time went", None, &waterfall(&rows, whole)));
    if !record.attempts.is_empty() {
        content = content.region("attempts", attempts(context, record));
    }
    content.region("next", next(context, record, same))
}

fn headline(context: &Context, record: &Record) -> Headline {
    let took = span(context, &record.started_at, record.ended_at.as_deref()).map(micros);
    let after = took.map_or(String::new(), |took| format!(" after {took}"));
    let code = record.code.as_deref().map(|code| plain(code).replace('_', " ")).unwrap_or_default();
    let by = match record.refused_by.as_deref() {
        Some("weir") => "Weir".to_owned(),
        Some(provider) => plain(provider),
        None => String::new(),
    };
    let last = record.attempts.last().map(|attempt| plain(&attempt.deployment)).unwrap_or_default();
    match record.outcome.as_str() {
        "answered" if record.attempts.len() > 1 => {
            Headline::calm(format!("Answered by {last}{after}, at attempt {}.", record.attempts.len()))
        }
        "answered" => Headline::calm(format!("Answered by {last}{after}.")),
        "refused" => Headline::new(Tone::Warn, format!("Refused by {by}{after}: {code}.")),
        "failed" if by.is_empty() => Headline::new(Tone::Bad, format!("Not answered{after}: {code}.")),
        "failed" => Headline::new(Tone::Bad, format!("Not answered{after}: refused by {by}, {code}.")),
        "cancelled" => Headline::calm(format!("The client left{after}.")),
        "lost" => Headline::new(Tone::Bad, "Weir ended while it was open; found so at the next start."),
        "open" => Headline::calm("It is running."),
        other => Headline::calm(plain(other)),
    }
}

fn span(context: &Context, from: &str, to: Option<&str>) -> Option<u64> {
    let (from, to) = (context.clock.read_utc(from)?, context.clock.read_utc(to?)?);
    u64::try_from(to.0 - from.0).ok()
}

fn facts(context: &Context, record: &Record) -> Markup {
    let filter = |field: &str, value: &str| Params::at(Page::Requests.path()).with(field, value).href();
    let linked = |field: &'static str, value: &Option<String>| html! { @match value { Some(value) => a href=(filter(field, value)) { (name(value)) }, None => span class="none" { "—" } } };
    html! { section class="card" { dl class="facts" {
        div { dt { "Result" } dd { (result(record)) } }
        div { dt { "Arrived" } dd { (context.clock.time_of(Some(&record.started_at))) } }
        div { dt { "Route" } dd { (linked("route", &record.route)) } }
        div { dt { "Model, as asked" } dd { (name(record.model.as_deref().unwrap_or("—"))) } }
        div { dt { "Key" } dd { (linked("key", &record.key)) } }
        div { dt { "Tenant" } dd { (linked("tenant", &record.tenant)) } }
        div { dt { "Run" } dd { @match &record.run {
            Some(run) => a href=(run_link(record, run)) { (name(run)) },
            None => span class="none" { "—" },
        } } }
        div { dt { "Cost" } dd { (cost(record)) } }
        div { dt { "Tokens in, out" } dd { @match record.usage {
            Some(usage) => { (count(usage.input)) @if usage.cached_input > 0 { span class="soft" { " (" (count(usage.cached_input)) " cached)" } } ", " (count(usage.output)) }
            None => span class="none" title="its provider did not say" { "—" },
        } } }
        div { dt { "First token" } dd { @match record.first_content_ms { Some(ms) => (millis(ms)), None => span class="none" { "—" } } } }
        div { dt { "Waited in line" } dd { (millis(record.queued_ms)) } }
        div { dt { "Added by Weir" } dd { @match record.overhead_us { Some(us) => (micros(us)), None => span class="none" { "—" } } } }
        div { dt { "Endpoint" } dd { (plain(&record.endpoint)) @if record.stream { span class="soft" { ", stream" } } } }
        @for (tag, value) in &record.tags { div { dt { "Tag " (name(tag)) } dd { a href=(filter("tag", &format!("{tag}={value}"))) { (name(value)) } } } }
        @if !record.degraded.is_empty() { div { dt { "Left out" } dd { (crate::words::cut(&plain(&record.degraded.join(", ")), 200)) } } }
    } } }
}

fn run_link(record: &Record, run: &str) -> String {
    let page = Params::at(&format!("/dashboard/runs/{}", segment(run)));
    match &record.tenant {
        Some(tenant) => page.with("tenant", tenant).href(),
        None => page.href(),
    }
}

/// The rows of the waterfall, and how long the whole took, in microseconds.
fn rows(context: &Context, record: &Record) -> (Vec<Row>, u64) {
    let Some(start) = context.clock.read_utc(&record.started_at) else { return (Vec::new(), 1) };
    let after = |at: &str| context.clock.read_utc(at).and_then(|at| u64::try_from(at.0 - start.0).ok()).unwrap_or(0);
    let whole = record.ended_at.as_deref().map_or(0, after);
    let mut rows: Vec<Row> = Vec::new();
    let mut calls = 0;
    let told = |attempt: &Attempt, number: usize| {
        let (from, to) = (after(&attempt.started_at), after(&attempt.ended_at));
        call(attempt, number, from, to, record, number == record.attempts.len())
    };
    for event in &record.events {
        let at = after(&event.at);
        let row = |stage: &str, from, to, kind| Row { stage: stage.to_owned(), from, to, kind, says: event.words() };
        match event.fact.as_str() {
            // Attempts are told with their ends, from the record.
            "AttemptFailed" | "AttemptSucceeded" | "FirstContent" => {}
            "AttemptStarted" => {
                if let Some(attempt) = record.attempts.get(calls) {
                    calls += 1;
                    rows.extend(told(attempt, calls));
                } else {
                    rows.push(row(&event.stage, at, at, Kind::Point));
                }
            }
            "Waited" => {
                let waited = event.number("for_ms").unwrap_or(0).saturating_mul(1_000);
                let stage = if event.stage == "queue" { "queue" } else { "wait" };
                let says = format!("{}: {}", micros(waited), plain(event.text("why").unwrap_or("waited")));
                rows.push(Row { says, ..row(stage, at.saturating_sub(waited), at, Kind::Wait) });
            }
            _ => rows.push(row(&event.stage, at, at, Kind::Point)),
        }
    }
    for attempt in record.attempts.iter().skip(calls) {
        calls += 1;
        rows.extend(told(attempt, calls));
    }
    rows.sort_by_key(|row| row.from);
    let end = rows.iter().map(|row| row.to).max().unwrap_or(0);
    (rows, whole.max(end).max(1))
}

/// A call, and the content that followed it.
fn call(attempt: &Attempt, number: usize, from: u64, to: u64, record: &Record, last: bool) -> Vec<Row> {
    let deployment = plain(&attempt.deployment);
    let stage = format!("call {number}");
    if let Some(class) = &attempt.class {
        let status = attempt.status.map_or(String::new(), |status| format!("{status} "));
        let message = attempt
            .message
            .as_deref()
            .filter(|message| !message.is_empty())
            .map_or(String::new(), |message| format!(": {}", crate::words::cut(&plain(message), 300)));
        return vec![Row {
            stage,
            from,
            to,
            kind: Kind::Fault,
            says: format!("{deployment}: {status}{}{message}", class.replace('_', " ")),
        }];
    }
    let status = attempt.status.map_or(String::new(), |status| status.to_string());
    let first = record
        .first_content_ms
        .map(|ms| ms.saturating_mul(1_000))
        .filter(|first| last && record.stream && (from..to).contains(first));
    match first {
        Some(first) => vec![
            Row {
                stage,
                from,
                to: first,
                kind: Kind::Work,
                says: format!("{deployment} answered {status}; first content"),
            },
            Row {
                stage: "stream".to_owned(),
                from: first,
                to,
                kind: Kind::Stream,
                says: "content, relayed as it came".to_owned(),
            },
        ],
        None => vec![Row { stage, from, to, kind: Kind::Work, says: format!("{deployment} answered {status}") }],
    }
}

fn attempts(context: &Context, record: &Record) -> Markup {
    card(
        "",
        "Attempts",
        None,
        &html! {
            table class="stack" {
                thead { tr { th scope="col" { "Deployment" } th scope="col" { "Answer" } th scope="col" class="drop-2" { "Sent" } th scope="col" class="n" { "Took" } th scope="col" class="n" { "In" } th scope="col" class="n" { "Out" } th scope="col" class="n" { "Cost" } }}
                tbody { @for attempt in &record.attempts { tr {
                    th scope="row" { (name(&attempt.deployment)) }
                    td { (attempt.status.map_or_else(|| "—".to_owned(), |status| status.to_string())) " " @if let Some(class) = &attempt.class { span class="soft" { (plain(class).replace('_', " ")) } } }
                    td class="drop-2" { (context.clock.time_of(Some(&attempt.started_at))) }
                    td class="n" data-l="took" { (span(context, &attempt.started_at, Some(&attempt.ended_at)).map_or_else(|| "—".to_owned(), micros)) }
                    td class="n" data-l="in" { (attempt.usage.map_or_else(|| "—".to_owned(), |usage| count(usage.input))) }
                    td class="n" data-l="out" { (attempt.usage.map_or_else(|| "—".to_owned(), |usage| count(usage.output))) }
                    td class="n" data-l="cost" { @match attempt.cost() { Some(cost) => { @if attempt.cost_estimated { "≈" } data value=(cost) { (dollars(cost)) } } None => span class="none" title="the price is unknown" { "—" } } }
                } } }
            }
        },
    )
}

fn next(context: &Context, record: &Record, same: Option<u64>) -> Markup {
    let alike = {
        let mut filter = Params::at(Page::Requests.path());
        if let Some(start) = context.clock.read_utc(&record.started_at) {
            let hour = 3_600_000_000;
            filter = filter
                .with("from", &context.clock.exact(WallTime(start.0 - hour)))
                .with("to", &context.clock.exact(WallTime(start.0 + hour)));
        }
        if let Some(route) = &record.route {
            filter = filter.with("route", route);
        }
        match record.status {
            Some(status) => filter.with("status", &status.to_string()).href(),
            None => filter.href(),
        }
    };
    html! { section class="card" {
        p class="actions" {
            @if let Some((href, says)) = same_call(context, record, same) { a class="button" href=(href) { (says) } }
            a class="button" href=(alike) { "Requests like this, ± 1 h" }
            a class="button" href={ "/dashboard/requests/" (segment(&record.id)) ".json" } { "JSON" }
            code { "weir trace " (plain(&record.id)) }
        }
    } }
}

/// The tries of the same call, where there is more than this one.
fn same_call(context: &Context, record: &Record, same: Option<u64>) -> Option<(String, String)> {
    let (tries, content, range) =
        (same.filter(|tries| *tries > 1)?, record.content.as_deref()?, around(context, record)?);
    let by_sdk = record.sdk_retry.is_some_and(|count| count > 0)
        || record.events.iter().any(|event| event.fact == "ClientRetried" && event.text("by") == Some("sdk"));
    let page = range.frozen(&Params::at(Page::Requests.path()), &context.clock).with("content", content);
    let by = if by_sdk { "by its SDK" } else { "in 20 minutes" };
    Some((page.href(), format!("Same call: {} tries {by}", count(tries))))
}
