//! Runs: agent runs and conversations, what they cost, why one is slowed or halted, and the form that releases it.

use maud::{Markup, html};
use weir_units::NanoUsd;
use weir_units::numbers::{count, dollars, millis, short};

use super::parts::{button, card, empty, first_request, run_state, tile};
use crate::figures::{Run, Runs};
use crate::frame::{Content, Context, Page, filters};
use crate::params::{Params, segment};
use crate::words::headline::{Headline, Tone};
use crate::words::{Figure, counted, dollars_known, name, plain};

/// The list.
#[must_use]
pub fn runs(context: &Context, figures: &Runs) -> Content {
    let mut runs: Vec<&Run> = figures.runs.iter().collect();
    runs.sort_by_key(|run| (std::cmp::Reverse(rank(&run.state)), std::cmp::Reverse(run.cost()), run.idle_s));
    let mut content = Content::new(Page::Runs, headline(&runs));
    content.every = Some(1);
    let fields = [("state", "State", "halted"), ("tenant", "Tenant", "team-a")];
    content = content.region("runs-filter", filters(context, &fields, &[]));
    content.region("runs", table(context, &runs, figures.next.as_deref()))
}

fn rank(state: &str) -> u8 {
    match state {
        "halted" => 3,
        "slow" => 2,
        "running" => 1,
        _ => 0,
    }
}

fn headline(runs: &[&Run]) -> Headline {
    let of = |state: &str| runs.iter().filter(|run| run.state == state).count() as u64;
    let cost: NanoUsd = runs.iter().map(|run| run.cost()).sum();
    let (halted, slowed) = (of("halted"), of("slow"));
    match (halted, slowed) {
        (0, 0) if runs.is_empty() => Headline::calm("No run is remembered."),
        (0, 0) => Headline::calm(format!(
            "{} and none of them repeats itself; {} so far.",
            counted(runs.len() as u64, "run"),
            dollars(cost)
        )),
        (0, slowed) => Headline::new(Tone::Warn, format!("{} slowed; {} so far.", are(slowed), dollars(cost))),
        (halted, 0) => {
            Headline::new(Tone::Bad, format!("{} halted; all runs cost {} so far.", are(halted), dollars(cost)))
        }
        (halted, slowed) => Headline::new(
            Tone::Bad,
            format!("{} halted, {slowed} slowed; all runs cost {} so far.", are(halted), dollars(cost)),
        ),
    }
}

fn are(count: u64) -> String {
    format!("{} {}", counted(count, "run"), if count == 1 { "is" } else { "are" })
}

fn table(context: &Context, runs: &[&Run], next: Option<&str>) -> Markup {
    if runs.is_empty() {
        let says = "Runs are found without headers, from what requests repeat of each other. Name one with x-weir-run:";
        return card("", "Runs", None, &empty(says, Some(&first_request(context, " -H 'x-weir-run: run_42'"))));
    }
    html! { section class="card" {
        table class="stack" {
            thead { tr {
                th scope="col" { "Run" } th scope="col" { "State" } th scope="col" class="drop-3" { "Tenant" } th scope="col" class="n" { "Requests" }
                th scope="col" class="n drop-2" { "Depth" } th scope="col" class="n" { "Tokens" } th scope="col" class="n" { "Cost" } th scope="col" class="n" { "Age" } th scope="col" { "Why" }
            } }
            tbody { @for run in runs { tr class="row" {
                th scope="row" class="strip-col" { a href=(href(run)) { (name(&run.run)) } }
                td { (run_state(&run.state)) }
                td class="strip-col drop-3" { (name(&run.tenant)) }
                td class="n" data-l="requests" { (Figure::count(run.requests)) @if run.in_flight > 0 { span class="soft" { " +" (run.in_flight) " under way" } } }
                td class="n drop-2" { (run.depth) }
                td class="n" data-l="tokens" { (Figure::count(run.input_tokens + run.output_tokens)) }
                td class="n" data-l="cost" { (cost(run)) }
                td class="n" data-l="age" { (age(run.age_s)) }
                td { span class="why" { (why(run)) } }
            } } }
        }
        @if let Some(next) = next { p class="pages" { a href=(context.params.with("after", next).href()) { "older ›" } } }
    } }
}

fn href(run: &Run) -> String {
    Params::at(&format!("/dashboard/runs/{}", segment(&run.run))).with("tenant", &run.tenant).href()
}

fn cost(run: &Run) -> Markup {
    html! {
        data value=(run.cost_usd) title={ "$" (run.cost_usd) } { (dollars_known(run.cost(), u64::from(run.cost_unknown))) }
        @if run.cost_unknown && run.cost() > NanoUsd::ZERO { span class="soft" title="of some of its calls the price is unknown" { " + unpriced" } }
    }
}

fn age(seconds: u64) -> String {
    millis(seconds.saturating_mul(1_000))
}

fn why(run: &Run) -> Markup {
    match &run.evidence {
        Some(evidence) => html! { (crate::words::cut(&plain(&evidence.words), 160)) },
        None => html! { span class="none" { "idle " (age(run.idle_s)) } },
    }
}

/// One run.
#[must_use]
pub fn run(context: &Context, run: &Run) -> Content {
    let mut content = Content::new(Page::Runs, run_headline(run));
    content.title = Some(run.run.clone());
    content.above = Some((Page::Runs.path().to_owned(), "Runs"));
    content.every = Some(1);
    content = content.region("run-tiles", tiles(context, run));
    if let Some(evidence) = &run.evidence {
        content = content.region("run-evidence", card("", "Why", None, &html! {
            p { (plain(&evidence.words)) }
            dl class="facts" {
                div { dt { "Detector" } dd { (plain(&evidence.detector)) } }
                @if let Some(tool) = &evidence.tool { div { dt { "Tool" } dd { (name(tool)) } } }
                div { dt { "Seen" } dd { (count(evidence.count)) @if evidence.of > 0 { " of " (count(evidence.of)) } } }
                div { dt { "Threshold" } dd { (count(evidence.threshold)) } }
                @if !evidence.hashes.is_empty() { div { dt { "What repeats, keyed hashes" } dd { @for hash in &evidence.hashes { code { "#" (crate::words::cut(&plain(hash), 12)) } " " } } } }
            }
        }));
    }
    if matches!(run.state.as_str(), "halted" | "slow") {
        content = content.region("run-release", release(context, run));
    }
    content.region(
        "run-tree",
        card("", "What belongs to it", None, &html! { div class="tree" { (branch(run, &run.run)) } }),
    )
}

fn run_headline(run: &Run) -> Headline {
    let so_far = format!(
        "{} in {} over {}",
        dollars_known(run.cost(), u64::from(run.cost_unknown)),
        counted(run.requests, "request"),
        age(run.age_s)
    );
    match run.state.as_str() {
        "halted" => {
            Headline::new(Tone::Bad, format!("Halted: its requests are refused until somebody releases it. {so_far}."))
        }
        "slow" => Headline::new(Tone::Warn, format!("Slowed: its requests go one by one. {so_far}.")),
        "released" => Headline::calm(format!("Released and going on. {so_far}.")),
        _ => Headline::calm(format!("Running. {so_far}.")),
    }
}

fn tiles(context: &Context, run: &Run) -> Markup {
    let requests = Params::at(Page::Requests.path()).with("run", &run.run).with("range", "30d").href();
    let unknown =
        if run.cost_unknown { vec![("of some calls".to_owned(), "price unknown".to_owned())] } else { Vec::new() };
    let _ = context;
    html! { div class="tiles" {
        div class="tile" { p class="what" { "state" } p class="big" { (run_state(&run.state)) } ul { li { span { "tenant" } span { (name(&run.tenant)) } } li { span { "found by" } span { (plain(&run.joined)) } } } }
        (tile(Some(&requests), "requests", Figure::count(run.requests), &[("retries by the SDK".into(), count(run.sdk_retries)), ("retries by Weir".into(), count(run.weir_retries))]))
        (tile(None, "cost", Figure::new(dollars_known(run.cost(), u64::from(run.cost_unknown)), run.cost_usd.clone()), &unknown))
        (tile(None, "tokens", Figure::count(run.input_tokens + run.output_tokens), &[("in".into(), short(run.input_tokens)), ("out".into(), short(run.output_tokens))]))
        (tile(None, "depth", run.depth, &[("conversations".into(), count(run.conversations)), ("tool calls".into(), count(run.tool_calls))]))
    } }
}

fn release(context: &Context, run: &Run) -> Markup {
    let action = format!("/dashboard/runs/{}/release", segment(&run.run));
    card(
        "",
        "Release",
        None,
        &html! {
            p class="soft" { "It goes on from where it stands, with what it may do from now on. What is left empty has no cap of its own." }
            form class="form" method="post" action=(action) {
                input type="hidden" name="tenant" value=(plain(&run.tenant));
                label { span { "It may cost, in dollars" } input name="max_cost" inputmode="decimal" placeholder="20.00"; }
                label { span { "Requests" } input name="max_requests" inputmode="numeric" placeholder="200"; }
                label { span { "For as long as" } input name="max_age" placeholder="4h"; }
                div { (button(context, "main", &format!("Release {}", crate::words::cut(&plain(&run.run), 24)))) }
            }
        },
    )
}

fn branch(run: &Run, here: &str) -> Markup {
    html! { ul { li {
        div class="line" {
            @if run.run == here { b { (name(&run.run)) } } @else { a href=(href(run)) { (name(&run.run)) } }
            (run_state(&run.state)) span class="small soft" { (counted(run.requests, "request")) } span class="small" { (cost(run)) }
        }
        @for conversation in &run.conversations_of_it { ul { li { div class="line" {
            span { (name(&conversation.run)) } (run_state(&conversation.state)) span class="small soft" { "conversation · " (counted(conversation.requests, "request")) } span class="small" { (cost(conversation)) }
        } } } }
        @for child in &run.children { (branch(child, here)) }
    } } }
}
