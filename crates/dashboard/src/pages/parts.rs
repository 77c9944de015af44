//! What pages have in common: states as shape, word and colour; cards; what is said where there is nothing.

use maud::{Markup, Render, html};

use crate::figures::{Pool, Record};
use crate::frame::Context;
use crate::words::{cut, plain};

/// How a state is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Ok,
    Info,
    Warn,
    Bad,
    Idle,
}

impl Mood {
    fn class(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Idle => "idle",
        }
    }

    /// Shapes differ, so that who sees no colours sees the state.
    fn shape(self) -> &'static str {
        match self {
            Self::Ok => "●",
            Self::Info => "◐",
            Self::Warn => "▲",
            Self::Bad => "■",
            Self::Idle => "○",
        }
    }
}

/// A state: shape, word and colour.
pub(super) fn pill(mood: Mood, word: &str) -> Markup {
    html! { span class={ "pill " (mood.class()) } { i aria-hidden="true" { (mood.shape()) } (cut(&plain(word), 48)) } }
}

/// A breaker's state, or what else keeps calls from a deployment.
pub(super) fn breaker(state: &str, benched: Option<&str>) -> Markup {
    match (benched, state) {
        (Some(class), _) => pill(Mood::Bad, &format!("benched: {}", class.replace('_', " "))),
        (None, "closed") => pill(Mood::Ok, "closed"),
        (None, "half-open") => pill(Mood::Info, "half-open"),
        (None, "open") => pill(Mood::Bad, "open"),
        (None, other) => pill(Mood::Idle, other),
    }
}

/// A run's state.
pub(super) fn run_state(state: &str) -> Markup {
    let mood = match state {
        "running" => Mood::Ok,
        "released" => Mood::Info,
        "slow" => Mood::Warn,
        "halted" => Mood::Bad,
        _ => Mood::Idle,
    };
    pill(mood, if state == "slow" { "slowed" } else { state })
}

/// How a request ended, in a word: `429 provider`, `200 in 2 tries`.
pub(super) fn result(record: &Record) -> Markup {
    let status = record.status.map(|status| status.to_string()).unwrap_or_default();
    let tries = record.attempts.len();
    let by = |by: Option<&str>| match by {
        Some("weir") => "by Weir".to_owned(),
        Some(provider) => format!("by {provider}"),
        None => String::new(),
    };
    match record.outcome.as_str() {
        "answered" if !record.degraded.is_empty() => pill(Mood::Warn, &format!("{status} degraded")),
        "answered" if tries > 1 => pill(Mood::Ok, &format!("{status} in {tries} tries")),
        "answered" => pill(Mood::Ok, &status),
        "refused" | "failed" => {
            // What Weir absorbs is amber elsewhere; here somebody got no answer.
            let mood = if record.status.is_some_and(|status| (400..500).contains(&status) && status != 429) {
                Mood::Warn
            } else {
                Mood::Bad
            };
            pill(mood, format!("{status} {}", by(record.refused_by.as_deref())).trim())
        }
        "cancelled" => pill(Mood::Idle, "client left"),
        "open" => pill(Mood::Info, "running"),
        "lost" => pill(Mood::Bad, "lost"),
        other => pill(Mood::Idle, other),
    }
}

/// A card with a title.
pub(super) fn card(class: &str, title: &str, aside: Option<Markup>, body: &Markup) -> Markup {
    html! {
        section class={ "card " (class) } {
            header { h2 { (title) } @if let Some(aside) = aside { div { (aside) } } }
            (body)
        }
    }
}

/// A tile: what it is, its figure, and what stands beside it.
pub(super) fn tile(href: Option<&str>, what: &str, big: impl Render, beside: &[(String, String)]) -> Markup {
    let inner = html! {
        p class="what" { (what) }
        p class="big" { (big) }
        @if !beside.is_empty() { ul { @for (label, figure) in beside { li { span { (label) } span { (figure) } } } } }
    };
    match href {
        Some(href) => html! { a class="tile" href=(href) { (inner) } },
        None => html! { div class="tile" { (inner) } },
    }
}

/// What is said where there is nothing: what would be here, and what to do for it.
pub(super) fn empty(says: &str, example: Option<&str>) -> Markup {
    html! {
        div class="empty" {
            p { (says) }
            @if let Some(example) = example {
                pre { code { (example) } }
            }
        }
    }
}

/// The command that makes a first request here.
pub(super) fn first_request(context: &Context, headers: &str) -> String {
    let key = if context.asks_for_keys { " -H \"authorization: Bearer $KEY\"" } else { "" };
    format!(
        "curl {}/v1/chat/completions -H 'content-type: application/json'{key}{headers} \\\n  -d '{{\"model\":\"{}\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}'",
        context.address,
        plain(&context.model).replace(['\'', '"', '\\'], "")
    )
}

/// A button that changes something; who may not sees it, and which role may.
pub(super) fn button(context: &Context, class: &str, says: &str) -> Markup {
    if context.viewer.may_write {
        return html! { button class=(class) { (says) } };
    }
    html! { button class=(class) disabled title="needs role operator" { (says) } " " span class="soft small" { "needs role operator" } }
}

/// A part of a page that could not be made: what failed and what to do.
#[must_use]
pub fn fault(what: &str, why: &str, again: &str) -> Markup {
    html! {
        section class="card fault" {
            h2 { (what) }
            p { (cut(&plain(why), 400)) }
            p { a href=(again) { "Try again" } }
        }
    }
}

/// What is said of an address where there is nothing.
#[must_use]
pub fn not_found(what: &str) -> Markup {
    html! { p class="lead" { (cut(&plain(what), 200)) } p { a href="/dashboard" { "Overview" } } }
}

/// How a pool is called: its kind where that is not plain from its name.
pub(super) fn pool_name(pool: &Pool) -> String {
    match pool.kind.as_str() {
        "key" => format!("key {}", pool.pool),
        _ => pool.pool.clone(),
    }
}

/// A share of a limit in whole percent, also beyond a hundred; what is far too much is cut short.
pub(super) fn percent(share: f64) -> String {
    weir_units::numbers::whole_percent(share)
}
