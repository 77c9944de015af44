//! Limits: how full each ceiling is, who waits for it, and when it is there again.

use maud::{Markup, html};
use weir_units::numbers::short;

use super::parts::{Mood, empty, percent, pill, pool_name};
use crate::chart;
use crate::figures::{Headroom, Limit, Pool};
use crate::frame::{Content, Context, Page};
use crate::words::headline::{Headline, Tone, first};
use crate::words::{counted, name, seconds, share};

/// The page.
#[must_use]
pub fn limits(context: &Context, figures: &Headroom) -> Content {
    let providers: Vec<&Pool> = figures.pools.iter().filter(|pool| pool.kind != "key").collect();
    let keys: Vec<&Pool> = figures.pools.iter().filter(|pool| pool.kind == "key").collect();
    let mut content = Content::new(Page::Limits, headline(&figures.pools));
    content.every = Some(1);
    content = content.region("limits", card(context, "Towards providers", &providers, true));
    if !keys.is_empty() {
        content = content.region("key-limits", card(context, "Of keys, for their own requests", &keys, false));
    }
    content
}

/// The limit that is fullest: it and its pool.
pub(super) fn tightest(pools: &[Pool]) -> Option<(&Pool, &Limit)> {
    let all = pools.iter().filter(|pool| pool.kind != "key");
    let all = all.flat_map(|pool| pool.limits.iter().map(move |limit| (pool, limit)));
    all.max_by_key(|(_, limit)| limit.peak_permille())
}

fn headline(pools: &[Pool]) -> Headline {
    let waits = pools.iter().filter(|pool| pool.queue.waiting.all() > 0).max_by_key(|pool| pool.queue.waiting.all());
    let tight = tightest(pools);
    first([
        waits.map(|pool| {
            let (count, oldest) = (pool.queue.waiting.all(), seconds(pool.queue.oldest_wait_s));
            let verb = if count == 1 { "waits" } else { "wait" };
            Headline::new(
                Tone::Warn,
                format!("{} {verb} for {}, the oldest for {oldest}.", counted(count, "request"), pool_name(pool)),
            )
        }),
        tight.filter(|(_, limit)| limit.peak_permille() >= 1_000).map(|(pool, limit)| {
            let words = format!(
                "{} {} are used up at their peak: {} of {}.",
                pool_name(pool),
                limit.words(),
                short(limit.peak),
                limit.rate()
            );
            Headline::new(Tone::Warn, words)
        }),
        tight.map(|(pool, limit)| {
            let left = 1_000_u64.saturating_sub(limit.peak_permille());
            let words = format!(
                "{} {} bind: {}\u{202f}% headroom at the peak minute.",
                pool_name(pool),
                limit.words(),
                left / 10
            );
            Headline::calm(words)
        }),
        Some(Headline::calm("No limit is known yet.")),
    ])
}

fn card(context: &Context, title: &str, pools: &[&Pool], teach: bool) -> Markup {
    html! {
        section class="card" {
            header { h2 { (title) } div class="soft" { "bar: last minute · tick: peak minute of the hour · dashed: busiest hour of the forecast · 100\u{202f}% = limit" } }
            @if pools.iter().all(|pool| pool.limits.is_empty()) && teach {
                (empty("Nothing is declared: Weir learns limits from what providers' headers and refusals say. A limit that is declared is a ceiling that Weir keeps to before it sends:",
                    Some("[providers.openai]\nlimits = { requests-per-minute = 500, input-tokens-per-minute = 200_000, concurrent-requests = 40 }")))
            }
            @if pools.iter().any(|pool| !pool.limits.is_empty()) { div role="table" aria-label=(title) {
                div class="limit head" role="row" {
                    span role="columnheader" { "Pool, limit" } span role="columnheader" { "Use" }
                    span role="columnheader" { "Last minute, peak" } span role="columnheader" class="n" { "Waiting" } span role="columnheader" class="n" { "Back in" }
                }
                @for (pool, limit, first) in fullest(pools) { (row(pool, limit, first)) }
            } }
            @for pool in pools { @if let Some(note) = note(context, pool) { p class="small soft" { (name(&pool_name(pool))) ": " (note) } } }
        }
    }
}

/// All limits, the fullest first, and whether each is the first of its pool, where who waits is told.
fn fullest<'a>(pools: &[&'a Pool]) -> Vec<(&'a Pool, &'a Limit, bool)> {
    let of = |pool: &&'a Pool| pool.limits.iter().map(|limit| (*pool, limit)).collect::<Vec<_>>();
    let mut all: Vec<(&Pool, &Limit)> = pools.iter().flat_map(of).collect();
    all.sort_by_key(|(_, limit)| std::cmp::Reverse(limit.peak_permille()));
    let mut told = Vec::new();
    all.into_iter()
        .map(|(pool, limit)| {
            let first = !told.contains(&(&pool.kind, &pool.pool));
            told.push((&pool.kind, &pool.pool));
            (pool, limit, first)
        })
        .collect()
}

fn row(pool: &Pool, limit: &Limit, first: bool) -> Markup {
    let waiting = pool.queue.waiting.all();
    let says = format!(
        "{} of {} used in the last minute, {} at the peak",
        share(limit.used, limit.limit),
        limit.rate(),
        share(limit.peak, limit.limit)
    );
    html! {
        div class="limit" role="row" {
            span role="rowheader" { (name(&pool_name(pool))) " " span class="soft" { (limit.words()) } }
            span role="cell" class="gauge" { (chart::headroom(limit.used, limit.peak, limit.limit, limit.forecast(), &says)) }
            span role="cell" class="small" {
                (share(limit.used, limit.limit)) ", peak " b { (share(limit.peak, limit.limit)) } span class="soft" { " of " (limit.rate()) }
                @if let Some(ahead) = limit.forecast() {
                    " " a href=(crate::params::Params::at(Page::Capacity.path()).with("limit", &format!("{} {}", pool.pool, limit.words())).href()) { "to come " (percent(ahead)) }
                }
                @if let (Some(declared), Some(stated)) = (limit.declared, limit.stated) { @if stated < declared {
                    " " (pill(Mood::Warn, &format!("declared {}, stated {}", short(declared), short(stated))))
                } }
            }
            span role="cell" class="n" {
                @if waiting > 0 && first { (waiting) ", " (seconds(pool.queue.oldest_wait_s)) } @else { span class="none" title="nobody waits" { "0" } }
            }
            span role="cell" class="n" {
                @match limit.reset_s { Some(reset) => (seconds(reset)), None => span class="none" title="places come back when a request ends" { "—" } }
            }
        }
    }
}

/// What else is to be said of a pool.
fn note(context: &Context, pool: &Pool) -> Option<Markup> {
    if let Some(until) = &pool.gate_until {
        return Some(html! { "a refusal closed it until " (context.clock.time_of(Some(until))) });
    }
    if pool.factor > 0.0 && pool.factor < 0.995 {
        return Some(
            html! { "since a refusal that nothing explains it keeps to " (format!("{:.0}", pool.factor * 100.0)) "\u{202f}% of its limits" },
        );
    }
    pool.assumed.as_ref().filter(|_| !pool.limits.is_empty()).map(|assumed| html! { (crate::words::plain(assumed)) })
}
