//! Waste: what was paid for and served nobody, the cheapest remedies first, and who could do something about it.

use maud::{Markup, html};
use weir_capacity::waste::{By, Kind, KindReport, Lost, NameReport, WasteReport};
use weir_units::NanoUsd;
use weir_units::numbers::{about_dollars, count, micros};

use super::parts::{card, empty};
use crate::chart;
use crate::frame::{Content, Context, Page};
use crate::params::Params;
use crate::words::headline::Headline;
use crate::words::{Figure, cut, dollars_known, plain};

/// The page.
#[must_use]
pub fn waste(context: &Context, report: &WasteReport) -> Content {
    let mut headline = Headline::calm(if report.headline.is_empty() {
        "Nothing was asked in this range.".to_owned()
    } else {
        report.headline.clone()
    });
    if report.any() {
        headline = headline.to(requests(context, "any").href(), "See the requests");
    }
    let mut content = Content::new(Page::Waste, headline);
    content.every = Some(60);
    if report.kinds.is_empty() {
        let says = "A loop, an answer that nobody waited for, a beginning that the cache did not have: each is told on its request as it happens, and added up here.";
        content = content.region(
            "empty",
            card("", "What is looked for", None, &empty(says, Some("weir waste --since 30d --by run"))),
        );
        return content.region("how", how(&Kind::ALL.map(|kind| (kind.title(), kind.counts(), kind.leaves_out()))));
    }
    content = content.region("by", html! { div class="filters" { span class="soft" { "By" } @for by in By::ALL {
        a class="button" href=(context.params.with("by", by.name()).href()) aria-current=[(by == report.by).then_some("true")] { (label(by)) }
    } } });
    content = content.region("waste", kinds(context, report));
    content = content.region("names", names(context, report));
    let counted: Vec<_> = report.kinds.iter().map(|kind| (&*kind.title, &*kind.counts, &*kind.leaves_out)).collect();
    content.region("how", how(&counted))
}

/// A sentence whose parts between backticks are code.
fn code(text: &str) -> Markup {
    html! { @for (place, part) in text.split('`').enumerate() {
        @if place % 2 == 1 { code { (part) } } @else { (part) }
    } }
}

fn label(by: By) -> &'static str {
    match by {
        By::Route => "Route",
        By::Key => "Key",
        By::Run => "Run",
    }
}

/// The requests of which something was wasted for this reason.
fn requests(context: &Context, waste: &str) -> Params {
    context.params.to(Page::Requests.path(), &["range", "from", "to"]).with("waste", waste)
}

fn known(lost: &Lost) -> Figure {
    Figure::new(dollars_known(lost.cost, lost.unpriced), lost.cost.to_string())
}

/// `≈` before what is scaled or estimated.
fn worth(worth: Option<NanoUsd>) -> Markup {
    html! { @match worth {
        Some(worth) => { "≈\u{202f}" (about_dollars(worth)) },
        None => span class="none" title="nothing is known of what it cost" { "—" },
    } }
}

fn kinds(context: &Context, report: &WasteReport) -> Markup {
    let most = report.kinds.iter().map(|kind| kind.lost.cost.0).max().unwrap_or(0).max(1) as f64;
    html! { section class="card" { table class="stack" {
        thead { tr {
            th scope="col" { "Kind, and what helps" } th scope="col" class="n" { "Cost" } th scope="col" class="n drop-2" { "Unpriced" }
            th scope="col" class="n" { "Tokens" } th scope="col" class="n" { "Requests" } th scope="col" class="drop-2" { (label(report.by)) }
            th scope="col" class="n drop-3" { "Effort" } th scope="col" class="n" aria-sort="descending" { "Worth a year" }
        } }
        tbody { @for kind in &report.kinds { tr {
            th scope="row" {
                (kind.title)
                (chart::share(kind.lost.cost.0 as f64 / most, "var(--warn-mark)"))
                span class="why" { (code(&cut(&plain(&kind.remedy), 200))) "." }
            }
            td class="n" data-l="cost" { @if kind.room { span class="none" title="nobody pays for room" { "—" } } @else { @if kind.estimate { "≈\u{202f}" } (known(&kind.lost)) } }
            td class="n drop-2" data-l="unpriced" { (count(kind.lost.unpriced)) }
            td class="n" data-l="tokens" { (Figure::count(kind.lost.tokens)) @if kind.room { " held" } }
            td class="n" data-l="requests" { a href=(requests(context, kind.kind.name()).href()) { (Figure::count(kind.lost.requests.unwrap_or(kind.lost.times))) } }
            td class="strip-col drop-2" { (leader(context, report.by, kind)) }
            td class="n drop-3" data-l="effort" { (kind.effort.name()) }
            td class="n" data-l="a year" { (worth(kind.worth)) }
        } } }
    }
    p class="pages soft" {
        "First what saves the most in a year for a day of work: small is a setting, medium five days, large twenty. "
        @if report.is_short { "A year is scaled from " (micros(report.seen_s.saturating_mul(1_000_000))) ": less than a day, so it is a guess. " }
        a href=(Params::at(Page::Spend.path()).href()) { "Spend" }
    }
    @for why in &report.not_known { p class="pages soft" { (cut(&plain(why), 200)) } }
    } }
}

fn leader(context: &Context, by: By, kind: &KindReport) -> Markup {
    html! { @match kind.leaders.iter().find(|leader| leader.by == by) {
        Some(leader) => a href=(requests(context, kind.kind.name()).with(by.name(), &leader.name).href()) { (crate::words::name(&leader.name)) },
        None => span class="none" { "—" },
    } }
}

fn names(context: &Context, report: &WasteReport) -> Markup {
    if report.rows.is_empty() {
        return html! {};
    }
    let most = report.rows.iter().map(|row| row.lost.cost.0).max().unwrap_or(0).max(1) as f64;
    let name = |row: &NameReport| {
        html! { @match &row.name {
            Some(name) => a href=(requests(context, "any").with(report.by.name(), name).href()) { (crate::words::name(name)) },
            None => span class="soft" { "none" },
        } }
    };
    html! { section class="card" { table class="stack" {
        thead { tr {
            th scope="col" { (label(report.by)) } th scope="col" class="n" aria-sort="descending" { "Cost" } th scope="col" class="n" { "Tokens" }
            th scope="col" class="n" { "Times" } th scope="col" class="drop-2" { "Most of it" } th scope="col" class="n" { "Worth a year" }
        } }
        tbody { @for row in &report.rows { tr class="row" {
            th scope="row" { (name(row)) (chart::share(row.lost.cost.0 as f64 / most, "var(--warn-mark)")) }
            td class="n" data-l="cost" { (known(&row.lost)) }
            td class="n" data-l="tokens" { (Figure::count(row.lost.tokens)) }
            td class="n" data-l="times" { (count(row.lost.times)) }
            td class="drop-2" { (row.most.title()) }
            td class="n" data-l="a year" { (worth(row.worth)) }
        } } }
    }
    @if let Some(rest) = &report.rest { p class="pages soft" { "and " (count(rest.names)) " more with " (dollars_known(rest.lost.cost, rest.lost.unpriced)) } }
    } }
}

/// How each kind is counted, and what it does not count.
fn how(kinds: &[(&str, &str, &str)]) -> Markup {
    let body = html! { dl class="log" { @for (title, counts, leaves_out) in kinds {
        dt { (title) } dd { (code(counts)) ". Not counted: " (code(leaves_out)) "." }
    } } };
    card("", "How it is counted", None, &body)
}
