//! Keys & budgets: who may call, who pays and how far that goes; the forms that make, rotate and revoke a key.

use maud::{Markup, html};
use weir_units::NanoUsd;
use weir_units::numbers::dollars;

use super::parts::{Mood, button, card, empty, pill};
use crate::chart;
use crate::figures::{Budget, Budgets, Key, Keys};
use crate::frame::{Content, Context, Page};
use crate::params::{Params, segment};
use crate::words::headline::{Headline, Tone, first};
use crate::words::{counted, name, plain};

/// The page.
#[must_use]
pub fn keys(context: &Context, keys: &Keys, budgets: &Budgets) -> Content {
    let mut content = Content::new(Page::Keys, headline(context, keys, budgets));
    content.every = Some(2);
    content = content.region("budgets", all_budgets(context, budgets));
    content = content.region("keys", all_keys(context, keys, budgets));
    content.region("new-key", form(context))
}

fn headline(context: &Context, keys: &Keys, budgets: &Budgets) -> Headline {
    let valid = keys.keys.iter().filter(|key| key.state == "valid").count() as u64;
    let fullest = budgets.budgets.iter().max_by_key(|budget| thousandths(budget));
    let resets = |budget: &Budget| {
        let at = budget.resets_at.as_deref().and_then(|at| context.clock.read_utc(at));
        at.map_or(String::new(), |at| format!(" until {}", context.clock.day(at)))
    };
    first([
        fullest.filter(|budget| budget.left() <= NanoUsd::ZERO).map(|budget| {
            Headline::new(
                Tone::Bad,
                format!(
                    "Budget {} is spent: {} of {}{}.",
                    plain(&budget.budget),
                    dollars(budget.counted()),
                    dollars(budget.limit()),
                    resets(budget)
                ),
            )
        }),
        fullest.map(|budget| {
            let tone = if thousandths(budget) >= 800 { Tone::Warn } else { Tone::Calm };
            let left = NanoUsd(budget.left().0.max(0));
            Headline::new(
                tone,
                format!(
                    "Budget {} has {} left of {}{}.",
                    plain(&budget.budget),
                    dollars(left),
                    dollars(budget.limit()),
                    resets(budget)
                ),
            )
        }),
        (!keys.keys_are_asked_for)
            .then(|| Headline::calm("Every program on this machine may call Weir: there are no keys.")),
        Some(Headline::calm(format!("{} may call; no budget limits what they spend.", counted(valid, "key")))),
    ])
}

fn thousandths(budget: &Budget) -> u64 {
    let part = |amount: NanoUsd| u64::try_from(amount.0).unwrap_or(0);
    crate::words::permille(part(budget.counted()), part(budget.limit())).unwrap_or(0)
}

fn all_budgets(context: &Context, budgets: &Budgets) -> Markup {
    if budgets.budgets.is_empty() {
        let says = "No budget is declared. A budget is a ceiling in dollars over a period, for keys, tenants or a tag; Weir holds it before it sends:";
        let example =
            "[budgets.team-a]\nlimit  = \"500.00\"\nperiod = \"month\"\n\n[tenants.team-a]\nbudgets = [\"team-a\"]";
        return card("", "Budgets", None, &empty(says, Some(example)));
    }
    card(
        "",
        "Budgets",
        Some(html! { span class="soft" { "solid: spent · light: held back for calls under way" } }),
        &html! {
            table class="stack" {
                thead { tr { th scope="col" { "Budget" } th scope="col" { "Use" } th scope="col" class="n" { "Spent" } th scope="col" class="n" { "Held" } th scope="col" class="n" { "Left" } th scope="col" class="n" { "Limit" } th scope="col" class="drop-3" { "Pays for" } th scope="col" { "Begins anew" } } }
                tbody { @for budget in &budgets.budgets { tr {
                    th scope="row" { (name(&budget.budget)) " " span class="soft" { (plain(&budget.mode)) } }
                    td class="wide-bar" { (chart::part(budget.counted().0, budget.held().0, budget.limit().0, &format!("{} of {} spent", dollars(budget.counted()), dollars(budget.limit())))) }
                    td class="n" data-l="spent" { (amount(budget.counted())) }
                    td class="n" data-l="held" { (amount(budget.held())) }
                    td class="n" data-l="left" { (amount(budget.left())) }
                    td class="n" data-l="limit" { (amount(budget.limit())) "/" (plain(&budget.period)) }
                    td class="drop-3" { span class="why" { (pays_for(budget)) @if let Some(route) = &budget.when_low { ", when low route " (name(route)) } } }
                    td { @match &budget.resets_at { Some(at) => (context.clock.time_of(Some(at))), None => span class="none" { "never" } } }
                } } }
            }
        },
    )
}

fn amount(amount: NanoUsd) -> Markup {
    let sign = if amount < NanoUsd::ZERO { "−" } else { "" };
    html! { data value=(amount) title={ "$" (amount) } { (sign) (dollars(amount)) } }
}

fn pays_for(budget: &Budget) -> Markup {
    let of = |noun: &str, names: &[String]| match names {
        [] => None,
        [one] => Some(format!("{noun} {one}")),
        several => Some(format!("{noun}s {}", several.join(", "))),
    };
    let parts =
        [of("tenant", &budget.tenants), of("key", &budget.keys), budget.tag.as_ref().map(|tag| format!("tag {tag}"))];
    let words = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    html! { (crate::words::cut(&plain(if words.is_empty() { "nobody: name it at a key, a tenant or a tag" } else { &words }), 120)) }
}

fn all_keys(context: &Context, keys: &Keys, budgets: &Budgets) -> Markup {
    if keys.keys.is_empty() {
        return card(
            "",
            "Keys",
            None,
            &empty(
                "Everyone on this machine may call Weir: there are no keys. With the first key, every client needs one.",
                Some("weir keys new checkout-bot --tenant team-a"),
            ),
        );
    }
    card(
        "",
        "Keys",
        Some(html! { span class="soft" { (counted(keys.keys.len() as u64, "key")) } }),
        &html! {
            table class="stack" {
                thead { tr { th scope="col" { "Key" } th scope="col" { "State" } th scope="col" { "Tenant" } th scope="col" class="drop-3" { "Routes" } th scope="col" class="drop-2" { "Priority" } th scope="col" { "What binds it" } th scope="col" { "Change" } } }
                tbody { @for key in &keys.keys { tr {
                    th scope="row" { a href=(Params::at(Page::Requests.path()).with("key", &key.name).href()) { (name(&key.name)) } " " @if key.source == "config" { span class="soft small" { "weir.toml" } } }
                    td { (state(context, key)) }
                    td data-l="tenant" { (name(&key.tenant)) }
                    td class="drop-3" { @match &key.routes { Some(routes) => (crate::words::cut(&plain(&routes.join(", ")), 60)), None => span class="soft" { "all" } } }
                    td class="drop-2" { (plain(key.priority.as_deref().unwrap_or("—"))) }
                    td data-l="binds" { (binds(key, budgets)) }
                    td { (changes(context, key)) }
                } } }
            }
        },
    )
}

fn state(context: &Context, key: &Key) -> Markup {
    match key.state.as_str() {
        "valid" => html! {
            (pill(Mood::Ok, "valid"))
            @if let Some(at) = &key.expires_at { span class="why" { "until " (context.clock.time_of(Some(at))) } }
            @if let Some(at) = &key.former_until { span class="why" { "former secret until " (context.clock.time_of(Some(at))) } }
        },
        "revoked" => {
            html! { (pill(Mood::Idle, "revoked")) span class="why" { (context.clock.time_of(key.revoked_at.as_deref())) } }
        }
        "expired" => {
            html! { (pill(Mood::Idle, "expired")) span class="why" { (context.clock.time_of(key.expires_at.as_deref())) } }
        }
        other => {
            html! { (pill(Mood::Bad, other)) @if let Some(why) = &key.why { span class="why" { (crate::words::cut(&plain(why), 160)) } } }
        }
    }
}

/// The budget that has least left of those that pay for the key, its tenant's among them.
fn binds(key: &Key, budgets: &Budgets) -> Markup {
    let named = |budget: &&Budget| {
        budget.tenants.contains(&key.tenant)
            || budget.keys.contains(&key.name)
            || key.budgets.as_ref().is_some_and(|names| names.contains(&budget.budget))
    };
    match budgets.budgets.iter().filter(named).min_by_key(|budget| budget.left()) {
        Some(budget) => html! { (name(&budget.budget)) ": " (amount(NanoUsd(budget.left().0.max(0)))) " left" },
        None => html! { span class="soft" { "no budget" } },
    }
}

fn changes(context: &Context, key: &Key) -> Markup {
    if key.source == "config" {
        return html! { span class="soft small" { "in weir.toml" } };
    }
    if key.state != "valid" && key.state != "shut-out" {
        return html! {};
    }
    let action = |what: &str| format!("/dashboard/keys/{}/{what}", segment(&key.name));
    html! { details class="menu" {
        summary aria-label={ "Change key " (plain(&key.name)) } { "Change" }
        div class="sheet" {
            form method="post" action=(action("rotate")) {
                label { span { "The former secret works on for" } input name="grace" value="24h"; }
                (button(context, "", "Rotate: a new secret"))
            }
            form method="post" action=(action("revoke")) {
                label { span { "To shut it out for good, write its name: " b { (plain(&key.name)) } } input name="name" autocomplete="off" required; }
                (button(context, "danger", "Revoke"))
            }
        }
    } }
}

fn form(context: &Context) -> Markup {
    card(
        "",
        "New key",
        None,
        &html! {
            form class="form" method="post" action="/dashboard/keys/new" {
                label { span { "Name" } input name="name" required placeholder="checkout-bot" autocomplete="off"; }
                label { span { "Tenant" } input name="tenant" placeholder="default" autocomplete="off"; }
                label { span { "Routes, with commas; empty is all" } input name="routes" autocomplete="off"; }
                label { span { "Budgets, with commas" } input name="budgets" autocomplete="off"; }
                label { span { "Highest priority" } select name="priority" { option { "interactive" } option { "standard" } option { "batch" } } }
                label { span { "Expires after" } input name="expires" placeholder="never, or 30d"; }
                div { (button(context, "main", "Make the key")) }
            }
        },
    )
}

/// A key that was just made or given a new secret: shown once.
#[must_use]
pub fn new_key(context: &Context, key: &Key) -> Content {
    let headline = Headline::calm(format!("Key {} is ready. Its secret is shown this once.", plain(&key.name)));
    let mut content = Content::new(Page::Keys, headline);
    content.title = Some(key.name.clone());
    content.above = Some((Page::Keys.path().to_owned(), "Keys & budgets"));
    let secret = key.key.clone().unwrap_or_default();
    let curl = format!(
        "curl {}/v1/chat/completions -H 'content-type: application/json' \\\n  -H 'authorization: Bearer {secret}' \\\n  -d '{{\"model\":\"{}\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}'",
        context.address,
        plain(&context.model).replace(['\'', '"', '\\'], "")
    );
    content.region("secret", card("", "Secret", None, &html! {
        div class="empty" {
            pre { code id="secret" { (secret) } }
            p class="actions" { button type="button" data-copy=(secret) { "Copy" } a class="button" href="/dashboard/keys" { "I have kept it" } }
            p { "Try it:" }
            pre { code { (curl) } }
            @if key.keyless_ended { p { b { "From now on every client needs a key: " } "until now none was asked for." } }
        }
    }))
}
