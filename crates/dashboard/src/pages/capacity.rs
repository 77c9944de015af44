//! Capacity: which ceiling is reached when, what can be done about it by which day, and what happens without each provider.

use maud::{Markup, html};
use weir_capacity::desk::{BudgetView, CeilingView, ChoiceView, Desk, ModelView, Urgency, deadline};
use weir_units::numbers::{dollars, short};
use weir_units::{NanoUsd, WallTime};

use super::parts::{Mood, card, empty, percent, pill};
use crate::chart::{Coming, FullChart};
use crate::frame::{Content, Context, Page};
use crate::words::headline::{Headline, Tone};
use crate::words::{counted, cut, name, plain};

/// The page.
#[must_use]
pub fn capacity(context: &Context, desk: &Desk) -> Content {
    let (urgency, words) = desk.headline(&context.clock.zone);
    let tone = match urgency {
        Urgency::Calm => Tone::Calm,
        Urgency::Look => Tone::Warn,
        Urgency::Decide => Tone::Bad,
    };
    let mut content = Content::new(Page::Capacity, Headline::new(tone, plain(&words)));
    content.every = Some(60);
    let wanted = context.params.get("limit");
    let chosen = desk.ceilings.iter().find(|view| Some(view.name.as_str()) == wanted).or_else(|| desk.ceilings.first());
    let Some(chosen) = chosen else {
        let says = "Nothing is declared, and no provider has stated a limit yet. What an account has is declared so:";
        let example = "[providers.openai]\nlimits = { requests-per-minute = 500, input-tokens-per-minute = 200_000 }\ntier = \"3\"\ncontact = \"account team\"";
        return content.region("empty", card("", "No limit is known", None, &empty(says, Some(example))));
    };
    content = content
        .region("chart", html! { section class="card" { (chart(context, chosen)) (model(chosen.model.as_ref())) } });
    content = content.region("options", options(context, desk, chosen));
    if desk.ceilings.len() > 1 {
        content = content.region("ceilings", ceilings(context, desk, chosen));
    }
    content = content.region("failover", failover(desk));
    if !desk.budgets.is_empty() {
        content = content.region("budgets", budgets(context, desk));
    }
    content
}

fn rate(view: &CeilingView) -> String {
    let number = short(view.limit);
    match view.per.as_str() {
        "day" => format!("{number}/day"),
        "at_once" => format!("{number} at once"),
        _ => format!("{number}/min"),
    }
}

fn unknown(why: &str) -> Markup {
    html! { span class="none" title=(cut(&plain(why), 200)) { "—" } }
}

fn chart(context: &Context, view: &CeilingView) -> Markup {
    let say = |value: f64| short(value.round().clamp(0.0, 9e18) as u64);
    let past: Vec<(WallTime, f64)> = view.past.iter().map(|one| (one.at, one.amount)).collect();
    // A month of what was stands beside a month of what will be.
    let past = &past[past.len().saturating_sub(31)..];
    let ahead: Vec<Coming> = view
        .ahead
        .iter()
        .map(|one| Coming { at: one.at, levels: [one.p05, one.p25, one.p50, one.p75, one.p95] })
        .collect();
    let found = view.exhaustion.unwrap_or_default();
    let launches: Vec<(WallTime, f64)> = view.launches.iter().map(|one| (one.at, one.factor)).collect();
    let limit_says = format!("limit {}", rate(view));
    let says = format!("{}, the busiest hour of each day, against a limit of {}", plain(&view.name), rate(view));
    let title = cut(&plain(&view.name), 60);
    let drawn = FullChart {
        title: &title,
        says: &says,
        past,
        ahead: &ahead,
        limit: view.limit as f64,
        limit_says: &limit_says,
        dates: [found.p10, found.p50, found.p90],
        launches: &launches,
        say,
    };
    html! {
        @if view.past.is_empty() && ahead.is_empty() {
            h2 { (title) }
            p class="soft" { (plain(view.no_forecast.as_deref().unwrap_or("nothing has been asked for yet"))) "." }
        } @else {
            (drawn.render(&context.clock))
            @if let Some(why) = &view.no_forecast { p class="soft" { (plain(why)) ". Headroom needs none." } }
        }
        @for one in &view.launches { p class="small soft" {
            "Since " (context.clock.day(one.at)) " " (format!("{:.0}", one.factor * 100.0)) "\u{202f}% of what was asked for before: a launch, it seems."
        } }
    }
}

fn options(context: &Context, desk: &Desk, view: &CeilingView) -> Markup {
    let by = view.decide_by.map(|by| html! { "decide by " (deadline(by, context.clock.now, &context.clock.zone)) });
    let whom = html! {
        @if let Some(tier) = &view.tier { "tier " (name(tier)) " · " }
        @if let Some(contact) = &view.contact { (name(contact)) " · " }
        @if let Some(url) = &view.upgrade_url { (name(url)) " · " }
        @match &desk.owner { Some(owner) => { "owner: " (name(owner)) }, None => "no owner is named" }
    };
    let title = format!("What can be done about {}", cut(&plain(&view.name), 60));
    card(
        "",
        &title,
        by,
        &html! {
            @if view.options.is_empty() { p class="soft" { "Nothing is asked for here, so nothing need be done." } }
            @else { table class="stack" {
                thead { tr { th scope="col" { "Option" } th scope="col" class="n" { "Headroom" } th scope="col" class="n" { "Then used" } th scope="col" class="n" { "Cost a month" } th scope="col" class="n" { "Takes" } th scope="col" class="n" { "By" } } }
                tbody { @for option in &view.options { tr {
                    th scope="row" { (cut(&plain(&option.what), 160)) @if let Some(note) = &option.note { " " span class="why" { (plain(note)) } } }
                    td class="n" data-l="headroom" { (format!("{:+.0}", option.gain * 100.0)) "\u{202f}pp" }
                    td class="n" data-l="then used" { (percent(option.share_after)) }
                    td class="n" data-l="cost a month" { (cost(option)) }
                    td class="n" data-l="takes" { (option.lead_s / 86_400) "\u{202f}d" }
                    td class="n" data-l="by" { (by_when(context, option.by)) }
                } } }
            } }
            @for unknown in &view.unknown_options { p class="small soft" { "Not counted: " (cut(&plain(unknown), 200)) "." } }
            p class="small soft" { (whom) }
        },
    )
}

fn cost(option: &ChoiceView) -> Markup {
    match option.cost_per_month_usd {
        None => unknown("a price that it takes is unknown"),
        Some(NanoUsd::ZERO) => html! { "$0" },
        Some(cost) => {
            let sign = if cost < NanoUsd::ZERO { "−" } else { "+" };
            html! { data value=(cost) { (sign) (dollars(NanoUsd(cost.0.saturating_abs()))) } }
        }
    }
}

fn by_when(context: &Context, by: Option<WallTime>) -> String {
    match by {
        None => "any day".to_owned(),
        Some(by) if by <= context.clock.now => "now".to_owned(),
        Some(by) => context.clock.day(by),
    }
}

fn ceilings(context: &Context, desk: &Desk, chosen: &CeilingView) -> Markup {
    let no_forecast = |view: &CeilingView| view.no_forecast.clone().unwrap_or_else(|| "no forecast yet".to_owned());
    card(
        "",
        "Every limit, the most pressing first",
        None,
        &html! { table class="stack" {
            thead { tr { th scope="col" { "Limit" } th scope="col" class="n" { "In force" } th scope="col" class="n" { "Now" } th scope="col" class="n" { "Peak, 7 d" } th scope="col" class="n" { "Busiest to come" } th scope="col" class="n" { "Headroom" } th scope="col" class="n" { "Full by" } th scope="col" class="n drop-2" { "Decide by" } } }
            tbody { @for view in &desk.ceilings { tr class="row" {
                th scope="row" {
                    a href=(context.params.with("limit", &view.name).href()) aria-current=[(view.name == chosen.name).then_some("true")] { (name(&view.name)) }
                    @if view.binds && desk.ceilings.iter().filter(|one| one.pool == view.pool).count() > 1 { " " span class="soft small" { "binds" } }
                    @if view.alarms { " " (pill(Mood::Warn, "decide")) }
                }
                td class="n" data-l="limit" { (rate(view)) }
                td class="n" data-l="now" { (percent(view.now.share)) }
                td class="n" data-l="peak" { @match view.peak { Some(peak) => (percent(peak.share)), None => (unknown("nothing was asked for in seven days")) } }
                td class="n" data-l="to come" { @match view.busiest { Some(busiest) => (percent(busiest.share)), None => (unknown(&no_forecast(view))) } }
                td class="n" data-l="headroom" { @if desk.since.is_some() { (percent(view.headroom())) } @else { (unknown("nothing has been asked for yet")) } }
                td class="n" data-l="full by" { @match view.exhaustion.and_then(|found| found.p10) { Some(first) => (context.clock.day(first)), None => (unknown("not within 90 days, or there is no forecast")) } }
                td class="n drop-2" { @match view.decide_by { Some(by) => (context.clock.day(by)), None => (unknown("nothing to decide")) } }
            } } }
        } p class="small soft" { "Full by: one chance in ten that it is reached by then. Headroom is what the fullest hour leaves." } },
    )
}

fn failover(desk: &Desk) -> Markup {
    card(
        "",
        "Without one provider",
        None,
        &html! {
            @if desk.failover.is_empty() { p class="soft" { "Nothing was sent to a provider in the last seven days." } }
            ul class="plain" { @for one in &desk.failover { li {
                @match one.holds { Some(true) => (pill(Mood::Ok, "holds")), Some(false) => (pill(Mood::Warn, "does not hold")), None => (pill(Mood::Idle, "unknown")) }
                " " (cut(&plain(&one.words), 240))
            } } }
        },
    )
}

fn budgets(context: &Context, desk: &Desk) -> Markup {
    card(
        "",
        "Budgets to the end of their period",
        None,
        &html! { table class="stack" {
            thead { tr { th scope="col" { "Budget" } th scope="col" class="n" { "Spent" } th scope="col" class="n" { "Limit" } th scope="col" class="n" { "Expected" } th scope="col" class="n" { "Used up by" } th scope="col" class="n" { "How likely" } } }
            tbody { @for one in &desk.budgets { tr {
                th scope="row" { (name(&one.name)) @if one.unpriced > 0 { " " span class="why" { (counted(one.unpriced, "unpriced request")) " not in it" } } }
                td class="n" data-l="spent" { data value=(one.spent_usd) { (dollars(one.spent_usd)) } }
                td class="n" data-l="limit" { (dollars(one.limit_usd)) " a " (one.period) }
                (expected(context, one))
            } } }
        } },
    )
}

fn expected(context: &Context, one: &BudgetView) -> Markup {
    let why = one.no_forecast.as_deref().unwrap_or("no forecast yet");
    let amount = |dollars: f64| self::dollars(NanoUsd((dollars * 1e9).clamp(0.0, 9e18) as i64));
    html! {
        td class="n" data-l="expected" { @match &one.period_end { Some(end) => (amount(end.at_end[1])), None => (unknown(why)) } }
        td class="n" data-l="used up" { @match one.period_end.and_then(|end| end.p10) { Some(first) => (context.clock.moment(first)), None => (unknown("it lasts, or there is no forecast")) } }
        td class="n" data-l="likely" { @match &one.period_end { Some(end) => (percent(end.probability)), None => (unknown(why)) } }
    }
}

fn model(model: Option<&ModelView>) -> Markup {
    let Some(model) = model else { return html! {} };
    html! { p class="small soft" {
        "Model: " (model.words)
        @match (model.nights, model.coverage90) {
            (Some(nights), Some(held)) => {
                ", back-tested: the 90\u{202f}% band held " (percent(held)) " of the hours of " (counted(u64::from(nights), "night"))
                @if let Some(error) = model.error { ", off by " (percent(error)) " on average" }
            }
            _ => ", with too little history to test it on",
        }
        "."
        @if let Some(growth) = model.growth_per_day { " Demand grows by " (format!("{:+.1}", growth * 100.0)) "\u{202f}% a day." }
    } }
}
