//! Providers: each deployment's breaker, its measured uptime by day, what its errors are, its limits and what changed them.

use maud::{Markup, html};
use weir_units::WallTime;
use weir_units::numbers::{availability, millis, share};

use super::parts::{breaker, card, empty, fault};
use crate::chart::{self, Block, Day};
use crate::figures::{Event, Headroom, Live, Measured, Series, Uptime};
use crate::frame::{Content, Context, Page};
use crate::params::Params;
use crate::words::headline::{Headline, Tone, first};
use crate::words::{Figure, counted, cut, name, plain};

/// What the page is made of.
#[derive(Clone, Debug)]
pub struct ProvidersFigures {
    /// The last minutes.
    pub live: Live,
    /// Limits now.
    pub headroom: Headroom,
    /// The range by deployment.
    pub range: Result<Series, String>,
    /// Measured availability, and ninety days of it by day.
    pub uptime: Result<Uptime, String>,
    /// What happened to breakers, credentials, models and limits in the range, the newest first.
    pub facts: Vec<Event>,
}

/// The page.
#[must_use]
pub fn providers(context: &Context, figures: &ProvidersFigures) -> Content {
    let nothing = Series::default();
    let (range, again) = (figures.range.as_ref().unwrap_or(&nothing), context.params.href());
    let mut content = Content::new(Page::Providers, headline(figures));
    content.every = Some(1);
    let mut names: Vec<&str> = figures.live.deployments.iter().map(|d| d.deployment.as_str()).collect();
    let past = range.rows.iter().filter_map(|part| part.name.as_deref());
    names.extend(past.filter(|past| !figures.live.deployments.iter().any(|d| d.deployment == *past)));
    if names.is_empty() {
        let example = "[providers.openai]\nkind = \"openai\"\napi-key = { env = \"OPENAI_API_KEY\" }";
        return content.region(
            "empty",
            card(
                "",
                "No deployment was called yet",
                None,
                &empty("A provider is three lines of weir.toml:", Some(example)),
            ),
        );
    }
    content = content.region("now", now(context, figures, range, &names));
    if let Err(why) = &figures.range {
        content = content.region("range-fault", fault("The range cannot be counted", why, &again));
    }
    content = content.region(
        "uptime",
        match &figures.uptime {
            Ok(measured) => uptime(context, measured),
            Err(why) => fault("The last 90 days cannot be counted", why, &again),
        },
    );
    content.region(
        "mix",
        html! { div class="cols" {
            section class="card span-6" { (mix(context, range, &names)) }
            section class="card span-6" { (changed(context, figures)) }
        } },
    )
}

fn headline(figures: &ProvidersFigures) -> Headline {
    let find = |test: fn(&&crate::figures::Deployment) -> bool| figures.live.deployments.iter().find(test);
    let open = |deployment: &crate::figures::Deployment| match &deployment.open_until {
        Some(until) => format!(" until {}", until.get(11..16).unwrap_or_default()),
        None => String::new(),
    };
    let many = figures.live.deployments.len() as u64;
    first([
        find(|d| d.benched.is_some()).map(|d| {
            let class = d.benched.as_deref().unwrap_or_default().replace('_', " ");
            Headline::new(Tone::Bad, format!("{} is not called: its provider answers {class}.", plain(&d.deployment)))
        }),
        find(|d| d.breaker == "open").map(|d| {
            Headline::new(
                Tone::Warn,
                format!("{} is not called{}: its breaker is open.", plain(&d.deployment), open(d)),
            )
        }),
        find(|d| d.breaker == "half-open").map(|d| {
            Headline::new(
                Tone::Warn,
                format!("{} is half-open: a few calls try whether it works again.", plain(&d.deployment)),
            )
        }),
        (many > 0).then(|| {
            Headline::calm(if many == 1 {
                "The one deployment is in service.".to_owned()
            } else {
                format!("All {} are in service.", counted(many, "deployment"))
            })
        }),
        Some(Headline::calm("No deployment was called yet.")),
    ])
}

fn now(context: &Context, figures: &ProvidersFigures, range: &Series, names: &[&str]) -> Markup {
    let says = context.range.as_ref().map_or_else(String::new, |range| range.ends(&context.clock));
    card(
        "",
        "Deployments",
        Some(html! { span class="soft" { (says) } }),
        &html! {
            table class="stack" {
                thead { tr { th scope="col" { "Deployment" } th scope="col" { "Breaker" } th scope="col" class="strip-col drop-2" { "Breaker over the range" } th scope="col" class="n" { "Attempts" } th scope="col" class="n" { "Answered" } th scope="col" class="n" { "Failed" } th scope="col" class="n" { "429" } th scope="col" class="n" { "First token p95" } th scope="col" class="n drop-3" { "Now" } } }
                tbody { @for deployment in names {
                    @let live = figures.live.deployments.iter().find(|d| d.deployment == **deployment);
                    @let total = range.part(deployment).map(|part| part.total.clone()).unwrap_or_default();
                @let calls = &total.calls;
                    tr class="row" {
                        th scope="row" { a href=(context.params.to(Page::Requests.path(), &["range", "from", "to"]).with("deployment", deployment).href()) { (name(deployment)) } }
                        td { @match live { Some(live) => (breaker(&live.breaker, live.benched.as_deref())), None => span class="none" { "—" } } }
                        td class="strip-col drop-2" { (strip(context, figures, deployment)) }
                        td class="n" data-l="attempts" { (Figure::count(calls.attempts)) }
                        td class="n" data-l="answered" { (availability(calls.good(), calls.attempts)) }
                        td class="n" data-l="failed" { (share(calls.other_faults(), calls.attempts)) }
                        td class="n" data-l="429" { (share(calls.status_429, calls.attempts)) }
                        td class="n" data-l="p95" { @match live.and_then(|live| live.first_token_p95_ms).or(total.first_content_ms.and_then(|times| times.p95)) { Some(ms) => (millis(ms)), None => span class="none" title="no stream in the last minutes" { "—" } } }
                        td class="n drop-3" { @if let Some(live) = live { (format!("{:.1}", live.attempts_per_second)) "/s, " (live.in_flight) " open" } }
                    }
                } }
            }
        },
    )
}

/// The breaker's states over the range, from the facts that changed it.
fn strip(context: &Context, figures: &ProvidersFigures, deployment: &str) -> Markup {
    let Some(range) = &context.range else { return html! {} };
    let until = range.until.0.min(context.clock.now.0);
    let whole = (range.until.0 - range.since.0).max(1) as f64;
    let provider = deployment.split('/').next().unwrap_or_default();
    let concerns = |scope: &str| scope == deployment || scope == provider;
    let mut changes: Vec<(i64, &str, String)> = figures
        .facts
        .iter()
        .filter(|fact| fact.fact == "BreakerChanged" && fact.text("scope").is_some_and(concerns))
        .filter_map(|fact| Some((context.clock.read_utc(&fact.at)?.0, fact.text("to")?, fact.words())))
        .collect();
    changes.sort_by_key(|(at, ..)| *at);
    let ends: Vec<i64> = changes.iter().skip(1).map(|(at, ..)| *at).chain([until]).collect();
    let blocks: Vec<Block> = changes
        .iter()
        .zip(ends)
        .filter(|((_, to, _), _)| *to != "closed")
        .map(|((at, to, words), end)| Block {
            from: ((at - range.since.0) as f64 / whole).clamp(0.0, 1.0),
            to: ((end - range.since.0) as f64 / whole).clamp(0.0, 1.0),
            open: *to == "open",
            says: format!("{} {}", context.clock.moment(WallTime(*at)), plain(words)),
        })
        .collect();
    let opened = blocks.iter().filter(|block| block.open).count();
    chart::strip(&blocks, &format!("The breaker opened {opened} times in this range"))
}

/// When a day begins, as an address has it.
fn date(context: &Context, at: WallTime) -> String {
    let exact = context.clock.exact(at);
    match exact.split_once('T') {
        Some((date, time)) if time.starts_with("00:00:00") => date.to_owned(),
        _ => exact,
    }
}

/// With more deployments than this, fewer days of each are drawn; and of so many, days are drawn at all.
const MANY: usize = 4;
const FEW_DAYS: usize = 30;
const MOST_DRAWN: usize = 12;

fn uptime(context: &Context, uptime: &Uptime) -> Markup {
    let spans = |spans: &[Measured]| {
        html! {
            span class="n small pairs" { @for (days, span) in uptime.days.iter().zip(spans) {
                span class="pair" { span class="soft" { (days) " d " } (availability(span.answered, span.asked)) " " }
            } }
        }
    };
    let edges = uptime.daily.edges();
    // A page stays small however many deployments there are.
    let most = if uptime.deployments.len() > MANY { FEW_DAYS } else { uptime.daily.users.len() };
    let drawn: Vec<&str> = uptime.deployments.iter().take(MOST_DRAWN).map(|one| one.name.as_str()).collect();
    let days = |days: &[Measured], deployment: Option<&str>| -> Vec<Day> {
        let requests = Params::at(Page::Requests.path());
        let requests = deployment.map_or(requests.clone(), |deployment| requests.with("deployment", deployment));
        let day = |(day, edge): (&Measured, &[WallTime])| Day {
            label: context.clock.date(edge[0]),
            asked: day.asked,
            answered: day.answered,
            href: requests.with("from", &date(context, edge[0])).with("to", &date(context, edge[1])).href(),
        };
        let all: Vec<Day> = days.iter().zip(edges.windows(2)).map(day).collect();
        all.into_iter().skip(days.len().saturating_sub(most)).collect()
    };
    card(
        "",
        "Measured uptime by day",
        Some(
            html! { span class="soft" { "answered of what was asked, not minutes; 429s and refusals of requests count neither way" } },
        ),
        &html! {
            div class="cardlist" {
                div {
                    div class="gauge-row" { span { "What users saw" } (spans(&uptime.users)) }
                    (chart::days(&days(&uptime.daily.users, None), "What users saw by day"))
                }
                @for provider in &uptime.providers {
                    @let own: Vec<_> = uptime.deployments.iter().filter(|one| one.name.split('/').next() == Some(&provider.name)).collect();
                    @if own.len() > 1 { div class="gauge-row" { span { (name(&provider.name)) span class="soft" { ", all" } } (spans(&provider.spans)) } }
                    @for one in own { div {
                        div class="gauge-row" { span { (name(&one.name)) } (spans(&one.spans)) }
                        @if let Some(daily) = uptime.daily.deployments.iter().find(|daily| daily.name == one.name && drawn.contains(&daily.name.as_str())) {
                            (chart::days(&days(&daily.spans, Some(&one.name)), &format!("Uptime of {} by day", plain(&one.name))))
                        }
                    } }
                }
            }
        },
    )
}

fn mix(context: &Context, range: &Series, names: &[&str]) -> Markup {
    html! {
        header class="line" { h2 { "What went wrong" } span class="soft small" { "of attempts in the range" } }
        div class="bars" { @for deployment in names { @if let Some(series) = range.part(deployment) {
            @let calls = &series.total.calls;
            @let bad = calls.failed;
            div class="gauge-row" {
                span class="small" { (name(deployment)) }
                span class="n small" { @if bad == 0 { span class="soft" { "nothing" } } @else { (share(calls.status_429, calls.attempts)) " 429, " (share(calls.other_faults(), calls.attempts)) " other" } }
                svg class="hbar" width="100%" height="8" role="img" aria-label={ (share(bad, calls.attempts)) " of its attempts were not answered" } {
                    rect width="100%" height="8" rx="2" fill="var(--sunken)" {}
                    rect width=(format!("{:.2}%", ratio(bad, calls.attempts))) height="8" rx="2" fill="var(--bad-mark)" {}
                    rect width=(format!("{:.2}%", ratio(calls.status_429, calls.attempts))) height="8" rx="2" fill="var(--warn-mark)" {}
                }
            }
        } } }
        @let whole = &range.all.total;
        @if whole.unanswered() > 0 { p class="small" { "Requests not answered: refused by a provider " (whole.refused_by_provider) " · by Weir " (whole.refused_by_weir) ". "
            a href=(context.params.to(Page::Requests.path(), &["range", "from", "to"]).with("errors", "true").href()) { "See them" } } }
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

fn changed(context: &Context, figures: &ProvidersFigures) -> Markup {
    html! {
        header class="line" { h2 { "What changed" } span class="soft small" { "breakers, credentials, models, limits" } }
        @if figures.facts.is_empty() { p class="soft small" { "Nothing in this range." } }
        div class="log" { @for fact in figures.facts.iter().take(20) {
            (context.clock.time_of(Some(&fact.at))) span { (cut(&plain(&fact.words()), 220)) }
        } }
        @let stated: Vec<_> = figures.headroom.pools.iter().flat_map(|pool| pool.limits.iter().filter(|limit| limit.stated.is_some()).map(move |limit| (pool, limit))).collect();
        @if !stated.is_empty() { h3 { "Limits that providers state" } ul class="small" { @for (pool, limit) in stated.iter().take(12) { li {
            (name(&pool.pool)) " " span class="soft" { (limit.words()) ": " } (weir_units::numbers::short(limit.stated.unwrap_or(0)))
            @if let Some(declared) = limit.declared { span class="soft" { ", declared " (weir_units::numbers::short(declared)) @if Some(declared) != limit.stated { ": they differ" } } }
        } } } }
    }
}
