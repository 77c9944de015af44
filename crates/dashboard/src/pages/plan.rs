//! Plan: will this load fit? The form is the address, the answer is one sentence, and the proof comes while one reads.

use maud::{Markup, html};
use weir_capacity::plan::{Basis, Form, Kind, LimitNeed, Plan, Without, duration, figure, percent};
use weir_units::format_duration;
use weir_units::numbers::{about_dollars, count, short};

use super::parts::{Mood, card, empty, pill};
use crate::frame::{Content, Context, Page};
use crate::words::headline::{Headline, Tone};
use crate::words::{cut, name, plain};

/// What the page is made of.
#[derive(Clone, Debug, Default)]
pub struct PlanFigures {
    /// What is asked.
    pub form: Form,
    /// What of the address was not understood, or why there is no plan.
    pub wrong: Option<String>,
    /// The routes that there are.
    pub routes: Vec<String>,
    /// The plan, if there is one.
    pub plan: Option<Plan>,
    /// What was taken for given, a sentence each.
    pub given: Vec<String>,
    /// How far the simulation is, where there is none yet: a sentence.
    pub proving: Option<String>,
}

/// The page.
#[must_use]
pub fn plan(context: &Context, figures: &PlanFigures) -> Content {
    let mut content = Content::new(Page::Plan, headline(figures));
    content.every = Some(if figures.proving.is_some() { 1 } else { 60 });
    content = content.region("plan-form", card("", "What is to come", None, &form(context, figures)));
    let Some(plan) = &figures.plan else {
        return content;
    };
    if !plan.formula.missing.is_empty() || !plan.cost.unpriced.is_empty() {
        content = content.region("plan-missing", missing(plan));
    }
    if !plan.formula.limits.is_empty() {
        content = content.region("plan-limits", limits(plan));
    }
    content = content.region("plan-waits", waits(plan, figures));
    content = content.region("plan-failover", failover(plan));
    content.region("plan-cost", cost(plan, figures))
}

fn headline(figures: &PlanFigures) -> Headline {
    match (&figures.plan, &figures.wrong) {
        (Some(plan), _) => {
            let tone = match plan.verdict {
                weir_capacity::plan::Verdict::Fits => Tone::Calm,
                _ => Tone::Warn,
            };
            let says = plan.headline();
            let mut letters = says.chars();
            let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
            Headline::new(tone, cut(&plain(&format!("{first}{}.", letters.as_str())), 140))
        }
        (None, Some(wrong)) => Headline::new(Tone::Warn, cut(&plain(&format!("No plan: {wrong}.")), 140)),
        (None, None) => Headline::calm("Say what is to come."),
    }
}

fn form(context: &Context, figures: &PlanFigures) -> Markup {
    let form = &figures.form;
    let said = |name: &str, usual: String| context.params.get(name).map_or(usual, str::to_owned);
    let users = form.users().map_or(String::new(), |users| users.to_string());
    let think = form.users().map_or(String::new(), |_| format_duration(form.think()));
    let (like, times) = match &form.kind {
        Kind::Like(like) => (like.clone(), form.times.to_string()),
        _ => (String::new(), String::new()),
    };
    let route = form.route.clone().unwrap_or_default();
    let fields: [(&str, &str, String, &str); 13] = [
        ("users", "Users at once", said("users", users), "500"),
        ("think", "From an answer to the next request", said("think", think), "30s"),
        ("input-tokens", "Tokens in", said("input-tokens", form.input.to_string()), "3000"),
        ("output-tokens", "Tokens out", said("output-tokens", form.output.to_string()), "500"),
        ("latency", "An answer takes", said("latency", String::new()), "measured, else assumed"),
        ("deadline", "May wait", said("deadline", format_duration(form.deadline)), "20s"),
        ("hours", "Hours a day", said("hours", form.calendar.hours.to_string()), "4"),
        ("days", "Days a month", said("days", form.calendar.days.to_string()), "22"),
        ("like", "Or: as this route is asked now", said("like", like), "a route"),
        ("times", "So many times", said("times", times), "3"),
        ("gpu-hour", "An hour of your own GPU, $", said("gpu-hour", String::new()), "2.50"),
        ("gpu-tokens-per-second", "Tokens/s that it serves", said("gpu-tokens-per-second", String::new()), "1500"),
        ("gpus", "How many GPUs", said("gpus", String::new()), "as the peak takes"),
    ];
    html! {
        @if let (Some(wrong), true) = (&figures.wrong, figures.plan.is_some()) { p class="why" role="status" { (cut(&plain(wrong), 300)) } }
        form class="form" method="get" action=(context.params.path()) {
            label { span { "Route" } select name="route" {
                option value="" selected[route.is_empty()] { "the only one" }
                @for known in &figures.routes { option value=(known) selected[*known == route] { (cut(&plain(known), 48)) } }
                @if !route.is_empty() && !figures.routes.contains(&route) { option value=(route) selected { (cut(&plain(&route), 48)) } }
            } }
            @for (parameter, label, value, hint) in &fields {
                label { span { (label) } input name=(parameter) value=(value) placeholder=(hint) autocomplete="off"; }
            }
            button { "Work it out" }
        }
    }
}

fn missing(plan: &Plan) -> Markup {
    let all: Vec<_> = plan.formula.missing.iter().chain(&plan.cost.unpriced).collect();
    let lines: Vec<&str> = all.iter().map(|missing| missing.declare.as_str()).collect();
    let what: Vec<String> = all.iter().map(|missing| format!("the {} of {}", missing.what, missing.of)).collect();
    card(
        "",
        "Not known",
        None,
        &empty(
            &format!("It takes {} to know whether it fits and what it costs. In weir.toml:", what.join(", ")),
            Some(&lines.join("\n")),
        ),
    )
}

fn limits(plan: &Plan) -> Markup {
    let mood = |limit: &LimitNeed| if limit.fits() { (Mood::Ok, "enough") } else { (Mood::Warn, "too little") };
    card(
        "",
        "Limits",
        Some(html! { span class="soft" { "peak: what 19 of 20 minutes stay below" } }),
        &html! {
            table class="stack" {
                thead { tr { th scope="col" { "Limit" } th scope="col" class="n" { "Needs" } th scope="col" class="n drop-3" { "Asked already" } th scope="col" class="n" { "Has" } th scope="col" class="n" { "Use" } th scope="col" class="n" aria-sort="descending" { "Peak use" } th scope="col" class="n" { "Would do" } th scope="col" { "" span class="hide" { "Enough" } } } }
                tbody { @for limit in &plan.formula.limits { tr {
                    th scope="row" { (name(&limit.name())) @if limit.binds { " " span class="soft" { "binds" } } }
                    td class="n" data-l="needs" { data value=(limit.needs) { (figure(limit.needs)) } }
                    td class="n drop-3" data-l="asked already" { (figure(limit.existing)) }
                    td class="n" data-l="has" { data value=(limit.has) { (short(limit.has)) } }
                    td class="n" data-l="use" { (percent(limit.mean_use)) }
                    td class="n" data-l="peak use" { (percent(limit.peak_use)) }
                    td class="n" data-l="would do" { (short(limit.would_do)) }
                    td { (pill(mood(limit).0, mood(limit).1)) }
                } } }
            }
        },
    )
}

fn waits(plan: &Plan, figures: &PlanFigures) -> Markup {
    let deadline = duration(plan.deadline_s);
    let p95 = |seconds: Option<f64>| seconds.map_or_else(|| "without end".to_owned(), duration);
    card(
        "",
        "Who waits",
        None,
        &html! {
            table class="stack" {
                thead { tr { th scope="col" { "By" } th scope="col" class="n" { "Wait at all" } th scope="col" class="n" { "Wait over " (deadline) } th scope="col" class="n" { "19 of 20 wait up to" } th scope="col" class="n" { "429s" } } }
                tbody {
                    @if let Some(proof) = &plan.proof { tr {
                        th scope="row" { "Simulation" " " span class="soft" { (duration(proof.minutes * 60.0)) ", seed " (proof.seed) ", " (count(proof.requests)) " requests" } }
                        td class="n" data-l="wait at all" { (percent(proof.p_wait)) }
                        td class="n" data-l="wait too long" { (percent(proof.p_late)) }
                        td class="n" data-l="19 of 20" { (duration(proof.wait_p95_s)) }
                        td class="n" data-l="429s" { (percent(proof.refused_429)) }
                    } }
                    tr {
                        th scope="row" { "Formula" }
                        td class="n" data-l="wait at all" { (percent(plan.formula.p_wait)) }
                        td class="n" data-l="wait too long" { (percent(plan.formula.p_late)) }
                        td class="n" data-l="19 of 20" { (p95(plan.formula.wait_p95_s)) }
                        td class="n" data-l="429s" { span class="none" { "—" } }
                    }
                }
            }
            @if let Some(proving) = &figures.proving { p role="status" { (proving) } }
            @if plan.differs && plan.basis == Basis::Simulation { p { "The two differ: the simulation is believed." } }
            @if let Some(fits) = plan.fits_at() { p { "Fits at " (fits) "." } }
        },
    )
}

fn failover(plan: &Plan) -> Markup {
    let says = |without: &Without| match (without.fits, &without.binds) {
        (Some(true), Some(binds)) => {
            (Mood::Ok, "fits", format!("{} at {} in the peak minute", binds.name(), percent(binds.peak_use)))
        }
        (Some(true), None) => (Mood::Ok, "fits", String::new()),
        (Some(false), _) if !without.stranded.is_empty() => {
            (Mood::Warn, "nobody is left", format!("for {}", without.stranded.join(", ")))
        }
        (Some(false), binds) => {
            let why = binds
                .as_ref()
                .map_or(String::new(), |binds| format!("{} at {}", binds.name(), percent(binds.peak_use)));
            (Mood::Warn, "does not fit", why)
        }
        (None, _) => (Mood::Idle, "not known", "a limit is not declared".to_owned()),
    };
    card(
        "",
        "Without a provider",
        None,
        &html! {
            table class="stack" {
                thead { tr { th scope="col" { "Without" } th scope="col" { "The load" } th scope="col" { "Fullest limit" } } }
                tbody { @for without in &plan.failover { @let (mood, word, why) = says(without); tr {
                    th scope="row" { (name(&without.provider)) }
                    td { (pill(mood, word)) }
                    td { (cut(&plain(&why), 200)) }
                } } }
            }
        },
    )
}

fn cost(plan: &Plan, figures: &PlanFigures) -> Markup {
    let month =
        plan.cost.usd.map_or_else(|| "— (a price is not known)".to_owned(), |usd| format!("≈ {}", about_dollars(usd)));
    card(
        "",
        "Cost",
        None,
        &html! {
            p { (month) " a month at " (plan.cost.calendar.hours) " h on " (plan.cost.calendar.days) " days: " (short(plan.cost.requests)) " requests, " (short(plan.cost.input_tokens)) " tokens in, " (short(plan.cost.output_tokens)) " out." }
            @if let Some(own) = &plan.self_hosted { p { "On machines of your own: " (own.sentence()) "." } }
            @for given in &figures.given { p class="soft" { (cut(&plain(given), 300)) } }
        },
    )
}
