//! Spend: what was paid, and for whom.

use maud::{Markup, html};
use weir_units::NanoUsd;
use weir_units::numbers::{count, dollars, share, short};

use super::overview::over_time;
use super::parts::{card, empty, tile};
use crate::chart::{self, Line, Shape, paint};
use crate::figures::{Counts, Part, Series};
use crate::frame::{Content, Context, Page};
use crate::params::Params;
use crate::words::headline::Headline;
use crate::words::{Figure, change, counted, cut, dollars_known, plain};

/// What spend can be told apart by.
const BY: [(&str, &str); 5] =
    [("key", "Key"), ("model", "Model"), ("tenant", "Tenant"), ("route", "Route"), ("provider", "Provider")];
/// How many are told apart; the rest is "other".
const APART: usize = 7;

/// What the page is made of.
#[derive(Clone, Debug, Default)]
pub struct SpendFigures {
    /// The range, apart by what was asked for.
    pub range: Series,
    /// The same a week before.
    pub before: Series,
}

/// What spend is told apart by: one of those that are known, or `tag:` and the name of a tag.
#[must_use]
pub fn apart(params: &Params) -> String {
    let by = params.get("by").map(str::trim).filter(|by| !by.is_empty()).unwrap_or("key");
    let known = by.starts_with("tag:") || BY.iter().any(|(value, _)| *value == by);
    if known { by.to_owned() } else { format!("tag:{by}") }
}

/// The form that asks for a tag.
fn by_tag(context: &Context, by: &str) -> Markup {
    let tag = by.strip_prefix("tag:");
    let kept = |name: &str| matches!(name, "range" | "from" | "to");
    html! { form method="get" action=(context.params.path()) class="filters by-tag" {
        @for (name, value) in context.params.pairs().filter(|(name, _)| kept(name)) { input type="hidden" name=(name) value=(value); }
        label { span class="hide" { "Name of a tag" } input name="by" value=[tag] placeholder="tag, as team" required autocomplete="off" size="12"; }
        button aria-pressed=[tag.is_some().then_some("true")] { "By tag" }
    } }
}

/// The page.
#[must_use]
pub fn spend(context: &Context, figures: &SpendFigures) -> Content {
    let by = &*apart(&context.params);
    let total = &figures.range.all.total;
    let mut content = Content::new(Page::Spend, headline(figures));
    content.every = Some(60);
    content = content.region("by", html! { div class="filters" { span class="soft" { "By" } @for (value, label) in BY {
        a class="button" href=(context.params.with("by", value).href()) aria-current=[(value == by).then_some("true")] { (label) }
    } (by_tag(context, by)) } });
    if total.requests == 0 {
        return content.region("empty", card("", "Nothing was spent in this range", None, &empty("A price makes tokens into dollars. The catalogue knows the usual models; what it does not know is unknown, not free, until you say:", Some("[providers.openai.models.\"my-model\"]\nprice = { input = 1.75, output = 14.0 }   # dollars per million tokens"))));
    }
    content = content.region("spend-tiles", tiles(figures));
    content = content.region("spend-chart", html! { section class="card" { (chart(context, figures)) } });
    content.region("spend-table", table(context, figures, by))
}

fn headline(figures: &SpendFigures) -> Headline {
    let (total, before) = (&figures.range.all.total, &figures.before.all.total);
    let known = dollars_known(total.cost(), total.unpriced);
    let unpriced = if total.unpriced > 0 { format!(" + {} unpriced", count(total.unpriced)) } else { String::new() };
    let nano = |amount: NanoUsd| u64::try_from(amount.0).unwrap_or(0);
    let against = change(nano(total.cost()), nano(before.cost()))
        .map_or(String::new(), |change| format!(", {change} against the week before"));
    let parts = dearest(&figures.range);
    let most = match parts.first() {
        Some(Part { name: Some(name), total, .. }) if total.cost() > NanoUsd::ZERO && parts.len() > 1 => {
            format!("; {} for {}", dollars(total.cost()), cut(&plain(name), 40))
        }
        _ => String::new(),
    };
    Headline::calm(format!("{known}{unpriced} for {}{against}{most}.", counted(total.requests, "request")))
}

fn tiles(figures: &SpendFigures) -> Markup {
    let (total, before) = (&figures.range.all.total, &figures.before.all.total);
    let wasted = total.wasted_cost();
    let part = |amount: NanoUsd| u64::try_from(amount.0).unwrap_or(0);
    let mut beside = Vec::new();
    if total.unpriced > 0 {
        beside.push(("unpriced".to_owned(), counted(total.unpriced, "request")));
    }
    if before.requests > 0 {
        beside.push(("last week".to_owned(), dollars_known(before.cost(), before.unpriced)));
    }
    let each =
        (total.requests > 0).then(|| NanoUsd(total.cost().0 / i64::try_from(total.requests).unwrap_or(i64::MAX)));
    html! { div class="tiles" {
        (tile(None, "spend", Figure::new(dollars_known(total.cost(), total.unpriced), total.cost().to_string()), &beside))
        (tile(Some("/dashboard/waste"), "of which waste", Figure::new(dollars(wasted), wasted.to_string()), &[("of the spend".to_owned(), share(part(wasted), part(total.cost())))]))
        (tile(None, "tokens", Figure::count(total.calls.tokens()), &[("in".into(), short(total.calls.input)), ("of which cached".into(), share(total.calls.cached_input, total.calls.input)), ("out".into(), short(total.calls.output))]))
        (tile(None, "a request, on average", each.map_or_else(|| "—".to_owned(), dollars), &[("requests".into(), count(total.requests))]))
    } }
}

/// The parts, the dearest first.
fn dearest(series: &Series) -> Vec<&Part> {
    let mut parts: Vec<&Part> = series.rows.iter().collect();
    parts.sort_by_key(|part| (std::cmp::Reverse(part.total.cost()), std::cmp::Reverse(part.total.requests)));
    parts
}

fn chart(context: &Context, figures: &SpendFigures) -> Markup {
    let usd = |counts: &Counts| counts.cost().0 as f64 / 1e9;
    let all = &figures.range.all;
    let mut lines: Vec<Line> = Vec::new();
    for (place, part) in dearest(&figures.range).into_iter().take(APART).enumerate() {
        let label = part.name.as_deref().map_or_else(|| "none".to_owned(), |name| cut(&plain(name), 28));
        let values = part.buckets.iter().map(|counts| Some(usd(counts))).collect();
        lines.push(Line { label, paint: paint(place), dashed: false, values });
    }
    let told = |at: usize| -> f64 { lines.iter().filter_map(|line| line.values.get(at).copied().flatten()).sum() };
    let rest = all.buckets.iter().enumerate().map(|(at, counts)| Some((usd(counts) - told(at)).max(0.0)));
    let rest: Vec<Option<f64>> = rest.collect();
    if rest.iter().flatten().any(|rest| *rest > 1e-9) {
        lines.push(Line { label: "other".to_owned(), paint: "var(--s8)", dashed: false, values: rest });
    }
    let says = format!("Spend over time: {} in all", dollars(all.total.cost()));
    let say = |value: f64| dollars(NanoUsd((value * 1e9).round() as i64));
    let mut chart = over_time(&figures.range, "Spend", &says, Shape::Columns, lines, say, None);
    let before = &figures.before.all;
    chart.outline = (before.total.requests > 0 && before.buckets.len() == all.buckets.len()).then(|| Line {
        label: "last week".to_owned(),
        paint: "var(--ink-3)",
        dashed: true,
        values: before.buckets.iter().map(|counts| Some(usd(counts))).collect(),
    });
    chart.unknown = all.buckets.iter().map(|counts| counts.unpriced).collect();
    chart.render(&context.clock)
}

fn table(context: &Context, figures: &SpendFigures, by: &str) -> Markup {
    let nano = |amount: NanoUsd| u64::try_from(amount.0).unwrap_or(0);
    let parts = dearest(&figures.range);
    let most = parts.iter().map(|part| part.total.cost().0).max().unwrap_or(0).max(1) as f64;
    let before = |part: &Part| figures.before.rows.iter().find(|b| b.name == part.name).map(|b| b.total.cost());
    let label = BY.into_iter().find(|(value, _)| *value == by).map_or("Tag", |(_, label)| label);
    html! { section class="card" {
        table class="stack" {
            thead { tr { th scope="col" { (label) } th scope="col" class="n" { "Requests" } th scope="col" class="n" { "Tokens in" } th scope="col" class="n drop-3" { "Cached" } th scope="col" class="n" { "Tokens out" } th scope="col" class="n" aria-sort="descending" { "Cost" } th scope="col" class="n drop-2" { "Of which waste" } th scope="col" class="n" { "Unpriced" } th scope="col" class="n drop-2" { "Δ week" } } }
            tbody { @for (place, part) in parts.iter().enumerate() {
                @let total = &part.total;
                tr class="row" {
                    th scope="row" {
                        @match &part.name {
                            Some(name) => a href=(requests_of(context, by, name)) { (crate::words::name(name)) },
                            None => span class="soft" { "none" },
                        }
                        (chart::share(total.cost().0 as f64 / most, paint(place)))
                    }
                    td class="n" data-l="requests" { (count(total.requests)) }
                    td class="n" data-l="in" { (Figure::count(total.calls.input)) }
                    td class="n drop-3" { (share(total.calls.cached_input, total.calls.input)) }
                    td class="n" data-l="out" { (Figure::count(total.calls.output)) }
                    td class="n" data-l="cost" { (Figure::new(dollars_known(total.cost(), total.unpriced), total.cost().to_string())) }
                    td class="n drop-2" { (dollars(total.wasted_cost())) }
                    td class="n" data-l="unpriced" { (count(total.unpriced)) }
                    td class="n drop-2" { (before(part).and_then(|before| change(nano(total.cost()), nano(before))).unwrap_or_else(|| "—".into())) }
                }
            } }
        }
        @if let Some(rest) = &figures.range.rest { p class="pages soft" { "and " (counted(rest.names, "more name")) " with " (dollars_known(rest.total.cost(), rest.total.unpriced)) } }
    } }
}

fn requests_of(context: &Context, by: &str, value: &str) -> String {
    let filter = context.params.to(Page::Requests.path(), &["range", "from", "to"]);
    match by.strip_prefix("tag:") {
        Some(tag) => filter.with("tag", &format!("{tag}={value}")).href(),
        None => filter.with(by, value).href(),
    }
}
