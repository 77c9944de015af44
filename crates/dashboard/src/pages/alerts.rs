//! Alerts: what is open, who took it on, who was told; what was, silences, and where alerts go.

use maud::{Markup, html};
use weir_units::numbers::millis;

use super::parts::{Mood, button, card, empty, pill};
use crate::figures::{Alert, Alerts};
use crate::frame::{Content, Context, Page};
use crate::params::segment;
use crate::words::headline::{Headline, Tone};
use crate::words::{count, counted, cut, name, plain};

/// The page.
#[must_use]
pub fn alerts(context: &Context, figures: &Alerts) -> Content {
    let mut content = Content::new(Page::Alerts, headline(context, figures));
    content.every = Some(1);
    let (open, ended): (Vec<&Alert>, Vec<&Alert>) = figures.alerts.iter().partition(|alert| alert.is_open());
    if !open.is_empty() {
        content =
            content.region("open", html! { div class="cardlist" { @for alert in &open { (one(context, alert)) } } });
    }
    content = content.region("ended", history(context, &ended));
    content.region(
        "desk",
        html! { div class="cols" {
            section class="card span-6" { (silences(context, figures)) }
            section class="card span-6" { (notifiers(context, figures)) }
        } },
    )
}

/// One alert, as a link in a message leads to it.
#[must_use]
pub fn alert(context: &Context, alert: &Alert) -> Content {
    let mut content = Content::new(Page::Alerts, said(context, alert));
    content.title = Some(alert.id.clone());
    content.above = Some((Page::Alerts.path().to_owned(), "Alerts"));
    content.every = Some(1);
    content.region("alert", one(context, alert))
}

fn tone(alert: &Alert) -> Tone {
    match (alert.is_open(), alert.is_grave(), alert.severity.as_str()) {
        (true, true, _) => Tone::Bad,
        (true, false, "warning") => Tone::Warn,
        _ => Tone::Calm,
    }
}

fn said(context: &Context, alert: &Alert) -> Headline {
    let subject = plain(&alert.subject);
    match &alert.closed {
        Some(closed) => {
            Headline::calm(format!("Over after {}: {subject}", millis(closed.lasted_s.saturating_mul(1_000))))
        }
        None => {
            let since = context
                .clock
                .read_utc(&alert.since)
                .map_or(String::new(), |at| format!(" ({})", context.clock.ago(at)));
            Headline::new(tone(alert), format!("{subject}{since}"))
        }
    }
}

fn headline(context: &Context, figures: &Alerts) -> Headline {
    let open: Vec<&Alert> = figures.alerts.iter().filter(|alert| alert.is_open()).collect();
    let waiting: Vec<&&Alert> = open.iter().filter(|alert| alert.state == "open").collect();
    match (open.len() as u64, waiting.first()) {
        (0, _) => {
            let last = figures.alerts.first().and_then(|alert| alert.closed.as_ref());
            let last = last.and_then(|closed| context.clock.read_utc(&closed.at));
            Headline::calm(format!(
                "Nothing is wrong.{}",
                last.map_or(String::new(), |at| format!(" The last alert ended {}.", context.clock.moment(at)))
            ))
        }
        (many, None) => Headline::calm(format!("{} open, each taken on or silenced.", counted(many, "alert"))),
        (1, Some(only)) => Headline::new(
            if only.is_grave() { Tone::Bad } else { Tone::Warn },
            format!("Nobody has taken it on: {}", plain(&only.subject)),
        ),
        (many, Some(first)) => {
            let grave = waiting.iter().any(|alert| alert.is_grave());
            let words = format!(
                "{} open, {} of them not acknowledged: {}",
                counted(many, "alert"),
                waiting.len(),
                plain(&first.subject)
            );
            Headline::new(if grave { Tone::Bad } else { Tone::Warn }, words)
        }
    }
}

/// The alerts that are open, in short, for the Overview.
pub(super) fn in_short(context: &Context, open: &[Alert]) -> Markup {
    card(
        "",
        "Open alerts",
        Some(html! { a href=(Page::Alerts.path()) { "All" } }),
        &html! { table class="stack" {
            thead class="hide" { tr { th scope="col" { "Alert" } th scope="col" { "State" } th scope="col" { "Since" } } }
            tbody { @for alert in open.iter().take(5) { tr class="row" {
                th scope="row" { a href={ "/dashboard/alerts/" (segment(&alert.id)) } { (cut(&plain(&alert.subject), 110)) } }
                td { (pill(mood(alert), &alert.state)) }
                td class="n" { (context.clock.time_of(Some(&alert.since))) }
            } } }
        } },
    )
}

fn mood(alert: &Alert) -> Mood {
    match (alert.state.as_str(), alert.severity.as_str()) {
        ("closed" | "silenced", _) | (_, "info") => Mood::Idle,
        (_, "critical" | "error") => Mood::Bad,
        _ => Mood::Warn,
    }
}

fn one(context: &Context, alert: &Alert) -> Markup {
    let address = format!("/dashboard/alerts/{}", segment(&alert.id));
    html! { article class="card" aria-label=(plain(&alert.subject)) {
        header {
            h2 { a href=(address) { (cut(&plain(&alert.subject), 120)) } }
            (pill(mood(alert), &alert.state))
            div class="soft" { "since " (context.clock.time_of(Some(&alert.since))) }
        }
        @for line in &alert.evidence { p class="small" { (cut(&plain(line), 300)) } }
        @if !alert.what_to_do.is_empty() { p class="small" { b { "Do: " } (cut(&plain(&alert.what_to_do), 300)) } }
        @if let Some(owner) = &alert.owner { p class="small soft" { "Owner: " (name(owner)) @if let Some(by) = &alert.decide_by { " · by " (plain(by)) } @if let Some(contact) = &alert.contact { " · " (cut(&plain(contact), 120)) } } }
        p class="small soft" {
            @if alert.told.is_empty() { "nobody was told" } @else { "told: " (cut(&plain(&alert.told.join(", ")), 120)) }
            @if alert.escalated > 0 { " · escalated " (count(alert.escalated)) " times" }
            @if let Some(by) = &alert.acknowledged { " · taken on by " (name(&by.by)) " " (context.clock.time_of(Some(&by.at))) }
            @if let Some(silence) = &alert.silenced { " · silenced by " (name(&silence.by)) " until " (context.clock.time_of(Some(&silence.until))) ": " (cut(&plain(&silence.why), 120)) }
            @if let Some(closed) = &alert.closed { " · " (cut(&plain(&closed.words), 160)) }
        }
        @if alert.is_open() { div class="actions" {
            @if alert.acknowledged.is_none() { form method="post" action={ (address) "/acknowledge" } { (button(context, "main", "Acknowledge")) } }
            @if alert.silenced.is_some() {
                form method="post" action={ (address) "/unsilence" } { (button(context, "", "End the silence")) }
            } @else {
                details class="menu" { summary { "Silence" } form class="sheet" method="post" action={ (address) "/silence" } {
                    label { span { "For how long" } select name="for" { @for span in ["30m", "2h", "8h", "24h", "7d"] { option { (span) } } } }
                    label { span { "Why" } input name="why" required autocomplete="off"; }
                    (button(context, "", "Silence it"))
                } }
            }
            code { (plain(&alert.command)) }
        } }
    } }
}

fn history(context: &Context, ended: &[&Alert]) -> Markup {
    card(
        "",
        "What was",
        None,
        &html! {
            @if ended.is_empty() { (empty("No alert has ended. Each stays here with when it began, how long it lasted and its peak.", None)) }
            @else { table class="stack" {
                thead { tr { th scope="col" { "Alert" } th scope="col" { "Since" } th scope="col" class="n" { "Lasted" } th scope="col" { "How it ended" } } }
                tbody { @for alert in ended.iter().take(50) { tr class="row" {
                    th scope="row" { a href={ "/dashboard/alerts/" (segment(&alert.id)) } { (cut(&plain(&alert.subject), 90)) } }
                    td { (context.clock.time_of(Some(&alert.since))) }
                    td class="n" { @if let Some(closed) = &alert.closed { (millis(closed.lasted_s.saturating_mul(1_000))) } }
                    td { span class="why" { @if let Some(closed) = &alert.closed { (cut(&plain(&closed.words), 140)) } } }
                } } }
            } }
        },
    )
}

fn silences(context: &Context, figures: &Alerts) -> Markup {
    html! {
        header { h2 { "Silences" } }
        @if figures.silences.is_empty() && figures.silenced_rules.is_empty() { p class="soft small" { "None. A silence has a reason and an end." } }
        div class="log" { @for silence in &figures.silences {
            span { "until " (context.clock.time_of(Some(&silence.until))) }
            span { (plain(&silence.rule)) " of " (name(&silence.about)) ", by " (name(&silence.by)) ": " (cut(&plain(&silence.why), 140)) }
        } }
        @if !figures.silenced_rules.is_empty() { p class="small" { "By weir.toml, for good: " (plain(&figures.silenced_rules.join(", "))) } }
    }
}

fn notifiers(context: &Context, figures: &Alerts) -> Markup {
    html! {
            header { h2 { "Where alerts go" } }
            @if figures.notifiers.is_empty() {
                (empty("Nowhere yet. These lines tell a Slack channel:", Some("[notifiers.ops-slack]\nkind = \"slack\"\nurl  = { env = \"SLACK_WEBHOOK_URL\" }\n\n[owner]\nnotify = [\"ops-slack\"]")))
            }
    @for notifier in &figures.notifiers { div class="actions" {
                span { (name(&notifier.name)) " " span class="soft" { (plain(&notifier.kind)) } }
                @match &notifier.failing_since {
                    Some(since) => { (pill(Mood::Bad, "failing")) span class="small" { "since " (context.clock.time_of(Some(since))) ": " (cut(&plain(notifier.why.as_deref().unwrap_or("—")), 120)) } }
                    None => @if let Some(at) = &notifier.delivered_at { span class="small soft" { "delivered " (context.clock.time_of(Some(at))) } }
                }
                @if notifier.waiting > 0 { span class="small" { (count(notifier.waiting)) " waiting" } }
                form method="post" action={ "/dashboard/notifiers/" (segment(&notifier.name)) "/test" } { (button(context, "", "Send a test")) }
            } }
        }
}
