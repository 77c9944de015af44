//! Spend and waste: what was paid, for whom, and what of it served nobody.

use maud::{Markup, html};
use weir_units::NanoUsd;
use weir_units::numbers::{count, dollars, share, short};

use super::parts::{card, empty, tile};
use crate::chart::{self, Line, Shape, TimeChart, paint};
use crate::figures::{Apart, Counts, Series};
use crate::frame::{Content, Context, Page};
use crate::params::Params;
use crate::words::headline::Headline;
use crate::words::{Figure, change, counted, cut, dollars_known, name, plain};

/// What spend can be told apart by.
const BY: [(&str, &str); 6] = [
    ("key", "Key"),
    ("model", "Model"),
    ("tenant", "Tenant"),
    ("route", "Route"),
    ("provider", "Provider"),
    ("tag", "Tag"),
];
/// How many are told apart; the rest is "other".
const APART: usize = 7;

/// What the page is made of.
#[derive(Clone, Debug, Default)]
pub struct SpendFigures {
    /// The range, by what was asked for.
    pub apart: Apart,
    /// The same a week before, all together.
    pub before: Series,
    /// The same a week before, for each of the parts.
    pub parts_before: Vec<(Option<String>, Counts)>,
    /// What of it is waste, by reason, over the range.
    pub waste: Vec<WasteRow>,
}

/// What was spent in vain for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WasteRow {
    /// The reason, as facts have it: `failed_attempt`.
    pub why: String,
    /// How often.
    pub times: u64,
    /// Tokens in and out.
    pub tokens: u64,
    /// Dollars, as far as they are known.
    pub cost: NanoUsd,
    /// How often that is unknown.
    pub cost_unknown: u64,
}

/// The page.
#[must_use]
pub fn spend(context: &Context, figures: &SpendFigures) -> Content {
    let by = context.params.get("by").unwrap_or("key");
    let total = &figures.apart.whole.total;
    let mut content = Content::new(Page::Spend, headline(figures));
    content.every = Some(60);
    content = content.region("by", html! { div class="filters" { span class="soft" { "By" } @for (value, label) in BY {
        a class="button" href=(context.params.with("by", value).href()) aria-current=[(value == by).then_some("true")] { (label) }
    } } });
    if total.requests == 0 {
        return content.region("empty", card("", "Nothing was spent in this range", None, &empty("A price makes tokens into dollars. The catalogue knows the usual models; what it does not know is unknown, not free, until you say:", Some("[providers.openai.models.\"my-model\"]\nprice = { input = 1.75, output = 14.0 }   # dollars per million tokens"))));
    }
    content = content.region("spend-tiles", tiles(figures));
    content = content.region("spend-chart", html! { section class="card" { (chart(context, figures)) } });
    content.region("spend-table", table(context, figures, by))
}

fn headline(figures: &SpendFigures) -> Headline {
    let (total, before) = (&figures.apart.whole.total, &figures.before.total);
    let known = dollars_known(total.cost, total.cost_unknown);
    let unpriced =
        if total.cost_unknown > 0 { format!(" + {} unpriced", count(total.cost_unknown)) } else { String::new() };
    let nano = |amount: NanoUsd| u64::try_from(amount.0).unwrap_or(0);
    let against = change(nano(total.cost), nano(before.cost))
        .map_or(String::new(), |change| format!(", {change} against the week before"));
    let largest =
        figures.apart.parts.first().and_then(|(name, series)| name.as_ref().map(|name| (name, series.total.cost)));
    let most = match largest {
        Some((name, cost)) if cost > NanoUsd::ZERO && figures.apart.parts.len() > 1 => {
            format!("; {} for {}", dollars(cost), cut(&plain(name), 40))
        }
        _ => String::new(),
    };
    Headline::calm(format!("{known}{unpriced} for {}{against}{most}.", counted(total.requests, "request")))
}

fn tiles(figures: &SpendFigures) -> Markup {
    let (total, before) = (&figures.apart.whole.total, &figures.before.total);
    let wasted: NanoUsd = figures.waste.iter().map(|row| row.cost).sum();
    let part = |amount: NanoUsd| u64::try_from(amount.0).unwrap_or(0);
    let mut beside = Vec::new();
    if total.cost_unknown > 0 {
        beside.push(("unpriced".to_owned(), counted(total.cost_unknown, "request")));
    }
    if before.requests > 0 {
        beside.push(("last week".to_owned(), dollars_known(before.cost, before.cost_unknown)));
    }
    let each = (total.requests > 0).then(|| NanoUsd(total.cost.0 / i64::try_from(total.requests).unwrap_or(i64::MAX)));
    html! { div class="tiles" {
        (tile(None, "spend", Figure::new(dollars_known(total.cost, total.cost_unknown), total.cost.to_string()), &beside))
        (tile(Some("/dashboard/waste"), "of which waste", Figure::new(dollars(wasted), wasted.to_string()), &[("of the spend".to_owned(), share(part(wasted), part(total.cost)))]))
        (tile(None, "tokens", Figure::count(total.tokens()), &[("in".into(), short(total.input)), ("of which cached".into(), share(total.cached_input, total.input)), ("out".into(), short(total.output))]))
        (tile(None, "a request, on average", each.map_or_else(|| "—".to_owned(), dollars), &[("requests".into(), count(total.requests))]))
    } }
}

fn chart(context: &Context, figures: &SpendFigures) -> Markup {
    let whole = &figures.apart.whole;
    let starts: Vec<_> = whole.buckets.iter().map(|(at, _)| *at).collect();
    let usd = |counts: &Counts| counts.cost.0 as f64 / 1e9;
    let mut lines: Vec<Line> = Vec::new();
    for (place, (part, series)) in figures.apart.parts.iter().take(APART).enumerate() {
        let label = part.as_deref().map_or_else(|| "none".to_owned(), |part| cut(&plain(part), 28));
        lines.push(Line {
            label,
            paint: paint(place),
            dashed: false,
            values: series.buckets.iter().map(|(_, counts)| Some(usd(counts))).collect(),
        });
    }
    let rest: Vec<Option<f64>> = whole
        .buckets
        .iter()
        .enumerate()
        .map(|(at, (_, counts))| {
            let told: f64 = lines.iter().filter_map(|line| line.values.get(at).copied().flatten()).sum();
            Some((usd(counts) - told).max(0.0)).filter(|rest| *rest > 1e-9).or(Some(0.0))
        })
        .collect();
    if rest.iter().flatten().any(|rest| *rest > 0.0) {
        lines.push(Line { label: "other".to_owned(), paint: "var(--s8)", dashed: false, values: rest });
    }
    let outline = (figures.before.total.requests > 0 && figures.before.buckets.len() == starts.len()).then(|| Line {
        label: "last week".to_owned(),
        paint: "var(--ink-3)",
        dashed: true,
        values: figures.before.buckets.iter().map(|(_, counts)| Some(usd(counts))).collect(),
    });
    let says = format!("Spend over time: {} in all", dollars(whole.total.cost));
    TimeChart {
        title: "Spend",
        says: &says,
        shape: Shape::Columns,
        starts: &starts,
        until: whole.until,
        every: whole.every,
        lines,
        outline,
        say: |value| dollars(NanoUsd((value * 1e9).round() as i64)),
        links: None,
    }
    .render(&context.clock)
}

fn table(context: &Context, figures: &SpendFigures, by: &str) -> Markup {
    let nano = |amount: NanoUsd| u64::try_from(amount.0).unwrap_or(0);
    let most = figures.apart.parts.iter().map(|(_, series)| series.total.cost.0).max().unwrap_or(0).max(1) as f64;
    let before = |part: &Option<String>| {
        figures.parts_before.iter().find(|(name, _)| name == part).map(|(_, counts)| counts.cost)
    };
    let label = BY.into_iter().find(|(value, _)| *value == by).map_or("", |(_, label)| label);
    html! { section class="card" {
        table class="stack" {
            thead { tr { th scope="col" { (label) } th scope="col" class="n" { "Requests" } th scope="col" class="n" { "Tokens in" } th scope="col" class="n drop-3" { "Cached" } th scope="col" class="n" { "Tokens out" } th scope="col" class="n" aria-sort="descending" { "Cost" } th scope="col" class="n" { "Unpriced" } th scope="col" class="n drop-2" { "Δ week" } } }
            tbody { @for (place, (part, series)) in figures.apart.parts.iter().enumerate() {
                @let total = &series.total;
                tr class="row" {
                    th scope="row" {
                        @match part {
                            Some(part) => a href=(requests_of(context, by, part)) { (name(part)) },
                            None => span class="soft" { "none" },
                        }
                        (chart::share(total.cost.0 as f64 / most, paint(place)))
                    }
                    td class="n" data-l="requests" { (count(total.requests)) }
                    td class="n" data-l="in" { (Figure::count(total.input)) }
                    td class="n drop-3" { (share(total.cached_input, total.input)) }
                    td class="n" data-l="out" { (Figure::count(total.output)) }
                    td class="n" data-l="cost" { (Figure::new(dollars_known(total.cost, total.cost_unknown), total.cost.to_string())) }
                    td class="n" data-l="unpriced" { (count(total.cost_unknown)) }
                    td class="n drop-2" { (before(part).and_then(|before| change(nano(total.cost), nano(before))).unwrap_or_else(|| "—".into())) }
                }
            } }
        }
    } }
}

fn requests_of(context: &Context, by: &str, value: &str) -> String {
    let filter = context.params.to(Page::Requests.path(), &["range", "from", "to"]);
    match by {
        "model" => filter.with("model", value).href(),
        _ => filter.with(by, value).href(),
    }
}

/// What each reason is called, what it counts and what could be done about it.
const REASONS: [(&str, &str, &str); 6] = [
    ("failed_attempt", "Attempts that led to no answer", "A call failed after its provider had begun to work."),
    ("abandoned", "Answers that nobody waited for", "The client left before the end: look at its timeout."),
    (
        "client_retry",
        "Asked again by the client's SDK",
        "What had been answered was asked once more: set the SDK's retries to 0 behind Weir.",
    ),
    ("duplicate", "The same, asked twice", "The same content within a short time: cache it, or ask once."),
    ("truncated", "Answers cut at their limit", "max_tokens ended them: raise it, or ask for less."),
    (
        "cache_miss",
        "Beginnings not read from the cache",
        "A stable beginning came without cache hits: keep it byte by byte the same.",
    ),
];

/// The waste page.
#[must_use]
pub fn waste(rows: &[WasteRow], total: &Counts, days: u64) -> Content {
    let mut rows: Vec<&WasteRow> = rows.iter().filter(|row| row.times > 0).collect();
    rows.sort_by_key(|row| (std::cmp::Reverse(row.cost), std::cmp::Reverse(row.tokens)));
    let wasted: NanoUsd = rows.iter().map(|row| row.cost).sum();
    let nano = |amount: NanoUsd| u64::try_from(amount.0).unwrap_or(0);
    let worth = |amount: NanoUsd| {
        NanoUsd(i64::try_from(i128::from(amount.0) * 365 / i128::from(days.max(1))).unwrap_or(i64::MAX))
    };
    let headline = match rows.first() {
        None => Headline::calm(format!(
            "Nothing was wasted in this range: {} looked at.",
            counted(total.attempts, "attempt")
        )),
        Some(first) => Headline::calm(format!(
            "{} of {} ({}) bought nothing; {} first.",
            dollars(wasted),
            dollars_known(total.cost, total.cost_unknown),
            share(nano(wasted), nano(total.cost)),
            said(&first.why).to_lowercase()
        )),
    };
    let mut content = Content::new(Page::Waste, headline);
    content.every = Some(60);
    if rows.is_empty() {
        return content.region(
            "empty",
            card(
                "",
                "What is looked for",
                None,
                &html! { dl class="log" { @for (_, what, how) in REASONS { dt { (what) } dd { (how) } } } },
            ),
        );
    }
    let most = rows.iter().map(|row| row.cost.0).max().unwrap_or(0).max(1) as f64;
    content.region("waste", html! { section class="card" { table class="stack" {
        thead { tr { th scope="col" { "Kind" } th scope="col" class="n" aria-sort="descending" { "Cost" } th scope="col" class="n" { "Unpriced" } th scope="col" class="n" { "Tokens" } th scope="col" class="n" { "Times" } th scope="col" class="n" { "Worth a year" } th scope="col" { "What it is, and what helps" } } }
        tbody { @for row in rows { tr {
            th scope="row" { (said(&row.why)) (chart::share(row.cost.0 as f64 / most, "var(--warn-mark)")) }
            td class="n" data-l="cost" { (Figure::new(dollars_known(row.cost, row.cost_unknown), row.cost.to_string())) }
            td class="n" data-l="unpriced" { (count(row.cost_unknown)) }
            td class="n" data-l="tokens" { (Figure::count(row.tokens)) }
            td class="n" data-l="times" { (count(row.times)) }
            td class="n" data-l="a year" { "≈\u{202f}" (dollars(worth(row.cost))) }
            td { span class="why" { (REASONS.iter().find(|(why, ..)| *why == row.why).map_or("", |(_, _, how)| how)) } }
        } } }
    } p class="pages soft" { "What is unpriced is wasted too, and its dollars are unknown. " a href=(Params::at(Page::Spend.path()).href()) { "Spend" } } } })
}

fn said(why: &str) -> String {
    REASONS
        .iter()
        .find(|(known, ..)| *known == why)
        .map_or_else(|| plain(why).replace('_', " "), |(_, what, _)| (*what).to_owned())
}
