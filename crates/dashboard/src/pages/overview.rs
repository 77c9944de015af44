//! Overview: what users got, why not, how full the limits are, what it cost.

use maud::{Markup, html};
use weir_units::numbers::{availability, dollars, millis, share, short};
use weir_units::{NanoUsd, WallTime};

use super::limits::tightest;
use super::parts::{breaker, card, empty, fault, first_request, pool_name, tile};
use crate::chart::{self, Line, Shape, TimeChart};
use crate::figures::{Alert, Counts, Failure, Live, Pool, Quantiles, Run, Series};
use crate::frame::{Content, Context, Page};
use crate::params::Params;
use crate::words::headline::{Headline, Tone, first};
use crate::words::{Figure, counted, dollars_known, name, permille, plain};

/// The most buckets in which requests are shown by their results.
const BUCKETS: usize = 120;

/// What the page is made of. What could not be read is an error's words.
#[derive(Clone, Debug)]
pub struct OverviewFigures {
    /// The last minutes.
    pub live: Live,
    /// The range, apart by provider.
    pub series: Result<Series, String>,
    /// The same seven days before.
    pub before: Option<Counts>,
    /// Runs that are halted.
    pub halted: Vec<Run>,
    /// Alerts that are open, the most urgent first.
    pub alerts: Vec<Alert>,
}

/// The page.
#[must_use]
pub fn overview(context: &Context, figures: &OverviewFigures) -> Content {
    let mut content = Content::new(Page::Overview, headline(context, figures));
    content.every = Some(1);
    let series = match &figures.series {
        Ok(series) => series,
        Err(why) => {
            return content
                .region("tiles", fault("The ledger cannot be read", why, &context.params.href()))
                .region("limits", limits(&figures.live.pools));
        }
    };
    if series.all.total.requests == 0 && figures.live.requests == 0 {
        content = content.region(
            "empty",
            card(
                "",
                "No request in this range",
                None,
                &empty(
                    "Send one, and this page shows within a second what became of it:",
                    Some(&first_request(context, "")),
                ),
            ),
        );
    }
    content = content.region("tiles", tiles(context, figures, series));
    if !figures.alerts.is_empty() {
        content = content.region("alerts", super::alerts::in_short(context, &figures.alerts));
    }
    content = content.region(
        "charts",
        html! { div class="cols" {
            div class="card span-7" { (results(context, series, Shape::Areas)) }
            div class="card span-5" { (limits(&figures.live.pools)) }
            div class="card span-7" { (latency(context, series)) }
            div class="card span-5" { (providers(context, figures)) }
        } },
    );
    content.region(
        "lists",
        html! { div class="cols" {
            section class="card span-7" { (failures(context, &figures.live.failures)) }
            section class="card span-5" { (facts(context, &figures.live)) }
        } },
    )
}

fn headline(context: &Context, figures: &OverviewFigures) -> Headline {
    let total = figures.series.as_ref().map(|series| series.all.total.clone()).unwrap_or_default();
    let answered = availability(total.answered, total.stayed());
    let keep = |page: Page| context.params.to(page.path(), &["range", "from", "to"]);
    let queued = figures.live.ledger_queued;
    let lost = permille(total.unanswered(), total.stayed()).filter(|lost| *lost >= 5);
    let tight = tightest(&figures.live.pools);
    first([
        (queued > 10_000).then(|| {
            let facts = counted(queued, "fact");
            Headline::new(Tone::Bad, format!("The ledger is behind: {facts} wait to be written. Serving goes on."))
        }),
        lost.map(|_| {
            let (failed, of) = (counted(total.unanswered(), "request"), short(total.stayed()));
            Headline::new(Tone::Bad, format!("Users saw {answered} answered: {failed} of {of} failed."))
                .to(keep(Page::Requests).with("errors", "true").href(), "See them")
        }),
        of_providers(figures, &total, &answered).map(|headline| headline.to(keep(Page::Providers).href(), "Providers")),
        tight.filter(|(_, limit)| limit.peak_permille() >= 800).map(|(pool, limit)| {
            let (pool, words, peak) = (pool_name(pool), limit.words(), share(limit.peak, limit.limit));
            let words = format!("Users saw {answered} answered; {pool} {words} peak at {peak} of {}.", limit.rate());
            Headline::new(Tone::Warn, words).to("/dashboard/limits", "Limits")
        }),
        figures.alerts.iter().find(|alert| alert.rule == "ceiling-ahead").map(|alert| {
            Headline::new(Tone::Warn, format!("{}.", plain(&alert.subject)))
                .to("/dashboard/capacity", "See the options")
        }),
        figures.halted.first().map(|run| {
            let cost = dollars_known(run.cost(), u64::from(run.cost_unknown));
            let words = format!("Run {} is halted after {cost}. Users saw {answered} answered.", plain(&run.run));
            Headline::new(Tone::Warn, words).to("/dashboard/runs?state=halted", "Runs")
        }),
        (total.requests > 0).then(|| {
            let peak =
                tight.map_or(String::new(), |(_, limit)| format!(", peak use {}", share(limit.peak, limit.limit)));
            let requests = counted(total.stayed(), "request");
            Headline::calm(format!("All calm: {answered} of {requests} answered{peak}."))
        }),
        Some(Headline::calm("No request yet.")),
    ])
}

/// What is the matter with a provider, if something is.
fn of_providers(figures: &OverviewFigures, total: &Counts, answered: &str) -> Option<Headline> {
    let deployments = &figures.live.deployments;
    let throttled = permille(total.calls.status_429, total.calls.attempts).filter(|share| *share >= 10);
    let words = if let Some(sick) = deployments.iter().find(|d| d.benched.is_some()) {
        format!("{} is not called: its provider refused. Users saw {answered} answered.", plain(&sick.deployment))
    } else if let Some(open) = deployments.iter().find(|d| d.breaker == "open") {
        format!("{} is not called: its breaker is open. Users saw {answered} answered.", plain(&open.deployment))
    } else if let Some(trying) = deployments.iter().find(|d| d.breaker == "half-open") {
        format!("{} is half-open: it is tried again. Users saw {answered} answered.", plain(&trying.deployment))
    } else {
        throttled?;
        let part = share(total.calls.status_429, total.calls.attempts);
        format!("Users saw {answered} answered. Providers throttle: {part} of attempts were 429s.")
    };
    Some(Headline::new(Tone::Warn, words))
}

fn tiles(context: &Context, figures: &OverviewFigures, series: &Series) -> Markup {
    let total = &series.all.total;
    let before = figures.before.as_ref().filter(|before| before.requests > 0);
    let keep = |page: Page| context.params.to(page.path(), &["range", "from", "to"]);
    let requests = keep(Page::Requests);
    let last_week = |figure: Option<String>| {
        before.map_or_else(Vec::new, |_| vec![("last week".to_owned(), figure.unwrap_or_else(|| "—".into()))])
    };
    let of_providers = series.rows.iter().filter(|part| part.total.calls.attempts > 0);
    let mut availability_of: Vec<(String, String)> = of_providers
        .filter_map(|part| {
            let calls = &part.total.calls;
            Some((crate::words::cut(&plain(part.name.as_deref()?), 18), availability(calls.good(), calls.attempts)))
        })
        .take(3)
        .collect();
    availability_of.extend(last_week(before.map(|before| availability(before.answered, before.stayed()))));
    let mut throttled = vec![("of requests".to_owned(), share(total.status_429_by_provider, total.stayed()))];
    throttled.extend(last_week(before.map(|before| share(before.calls.status_429, before.calls.attempts))));
    let ms = |value: Option<u64>| value.map_or_else(|| "—".to_owned(), millis);
    // Whole answers have no first token: then the whole time is what was waited for.
    let (times, of) = match (total.first_content_ms, total.duration_ms) {
        (Some(first), _) => (first, "first token, p95"),
        // Whole answers have no first token: then the whole time is what was waited for.
        (None, whole) => (whole.unwrap_or_default(), "answer, p95"),
    };
    let mut requests_of = vec![("tokens".to_owned(), short(total.calls.tokens()))];
    requests_of.extend(last_week(before.map(|before| short(before.requests))));
    let mut spend_of = Vec::new();
    if total.unpriced > 0 {
        spend_of.push(("unpriced".to_owned(), counted(total.unpriced, "request")));
    }
    if total.estimated() > NanoUsd::ZERO {
        spend_of.push(("estimated".to_owned(), dollars(total.estimated())));
    }
    spend_of.extend(last_week(before.map(|before| dollars_known(before.cost(), before.unpriced))));
    html! { div class="tiles" {
        (tile(Some(&requests.href()), "answered, as users saw it", Figure::new(availability(total.answered, total.stayed()), format!("{}/{}", total.answered, total.stayed())), &availability_of))
        (tile(Some(&keep(Page::Providers).href()), "429 share of attempts", Figure::new(share(total.calls.status_429, total.calls.attempts), format!("{}/{}", total.calls.status_429, total.calls.attempts)), &throttled))
        (tile(Some(&requests.href()), of, Figure::new(ms(times.p95), times.p95.map_or(String::new(), |p95| p95.to_string())), &[("p50".into(), ms(times.p50)), ("p99".into(), ms(times.p99))]))
        (tile(Some(&requests.href()), "requests", Figure::count(total.requests), &requests_of))
        (tile(Some(&keep(Page::Spend).href()), "spend", Figure::new(dollars_known(total.cost(), total.unpriced), total.cost().to_string()), &spend_of))
    } }
}

/// What users got, by bucket.
pub(super) fn results(context: &Context, series: &Series, shape: Shape) -> Markup {
    let series = &series.coarse(BUCKETS);
    let line = |label: &str, paint: &'static str, of: fn(&Counts) -> u64| Line {
        label: label.to_owned(),
        paint,
        dashed: false,
        values: series.all.buckets.iter().map(|counts| Some(of(counts) as f64)).collect(),
    };
    let mut lines = vec![
        line("answered", "var(--s1)", |counts| counts.answered),
        line("client left", "var(--s8)", |counts| counts.cancelled),
        line("other 4xx", "var(--s2)", |counts| counts.status_4xx),
        line("429 by Weir", "var(--s3)", |counts| counts.status_429_by_weir),
        line("429 by a provider", "var(--warn-mark)", |counts| counts.status_429_by_provider),
        line("5xx, broken", "var(--bad-mark)", |counts| counts.status_5xx + counts.broken + counts.lost),
    ];
    lines.retain(|line| line.label == "answered" || line.values.iter().flatten().any(|value| *value > 0.0));
    let edges = series.edges();
    let links = edges.windows(2).map(|pair| bucket_link(context, pair[0], pair[1])).collect();
    let total = &series.all.total;
    let says = format!("Requests over time by result: {} answered of {}", short(total.answered), short(total.requests));
    over_time(series, "Requests by result", &says, shape, lines, |value| short(value as u64), Some(links))
        .render(&context.clock)
}

/// A chart over the buckets of a series.
pub(super) fn over_time<'a>(
    series: &Series,
    title: &'a str,
    says: &'a str,
    shape: Shape,
    lines: Vec<Line>,
    say: fn(f64) -> String,
    links: Option<Vec<String>>,
) -> TimeChart<'a> {
    let mut starts = series.edges();
    let until = starts.pop().unwrap_or_default();
    TimeChart {
        title,
        says,
        shape,
        starts,
        until,
        every: series.every(),
        lines,
        outline: None,
        unknown: Vec::new(),
        counts: links.is_some(),
        say,
        links,
    }
}

/// The requests of one bucket.
fn bucket_link(context: &Context, from: WallTime, to: WallTime) -> String {
    let keep: Vec<&str> = super::requests::FIELDS.iter().map(|(name, ..)| *name).collect();
    let filters = context.params.to(Page::Requests.path(), &keep);
    filters.with("from", &context.clock.exact(from)).with("to", &context.clock.exact(to)).href()
}

pub(super) fn latency(context: &Context, series: &Series) -> Markup {
    let streamed = series.all.total.first_content_ms.is_some();
    let title = if streamed { "Time to the first token" } else { "Time to the answer" };
    let times = |counts: &Counts| if streamed { counts.first_content_ms } else { counts.duration_ms };
    let line = |label: &str, paint: &'static str, dashed: bool, pick: fn(&Quantiles) -> Option<u64>| Line {
        label: label.to_owned(),
        paint,
        dashed,
        values: series.all.buckets.iter().map(|c| times(c).as_ref().and_then(pick).map(|ms| ms as f64)).collect(),
    };
    let lines = vec![
        line("p50", "var(--s1)", false, |times| times.p50),
        line("p95", "var(--s4)", false, |times| times.p95),
        line("p99", "var(--s5)", true, |times| times.p99),
    ];
    let half = times(&series.all.total).and_then(|times| times.p50).map_or_else(|| "—".into(), millis);
    let says = format!("{title}: half within {half}");
    over_time(series, title, &says, Shape::Lines, lines, |value| millis(value as u64), None).render(&context.clock)
}

/// The fullest limits.
fn limits(pools: &[Pool]) -> Markup {
    let mut all: Vec<_> = pools
        .iter()
        .filter(|pool| pool.kind != "key")
        .flat_map(|pool| pool.limits.iter().map(move |limit| (pool, limit)))
        .collect();
    all.sort_by_key(|(_, limit)| std::cmp::Reverse(limit.peak_permille()));
    html! {
        header class="line" { h2 { a href="/dashboard/limits" { "Headroom" } } }
        @if all.is_empty() { p class="soft small" { "No limit is declared or stated yet." } }
        div class="bars" { @for (pool, limit) in all.iter().take(5) { div class="gauge-row" {
            span class="small" { (name(&pool_name(pool))) " " span class="soft" { (limit.words()) } }
            span class="n small" { (share(limit.peak.max(limit.used), limit.limit)) span class="soft" { " of " (limit.rate()) } }
            (chart::headroom(limit.used, limit.peak, limit.limit, limit.forecast(), &format!("{} now, peak {} of {}", share(limit.used, limit.limit), share(limit.peak, limit.limit), limit.rate())))
        } } }
    }
}

fn providers(context: &Context, figures: &OverviewFigures) -> Markup {
    let window = figures.live.window_s / 60;
    html! {
        header class="line" { h2 { a href=(context.params.to(Page::Providers.path(), &["range", "from", "to"]).href()) { "Deployments" } } span class="soft small" { "last " (window) " min" } }
        @if figures.live.deployments.is_empty() { p class="soft small" { "None was called yet." } }
        @else { table {
            thead { tr { th scope="col" { "Deployment" } th scope="col" { "Breaker" } th scope="col" class="n" { "Failed" } th scope="col" class="n" { "429" } } }
            tbody { @for d in figures.live.deployments.iter().take(8) { tr {
                th scope="row" { (name(&d.deployment)) }
                td { (breaker(&d.breaker, d.benched.as_deref())) }
                td class="n" { (share(d.failed, d.attempts)) }
                td class="n" { (share(d.throttled, d.attempts)) }
            } } }
        } }
    }
}

fn failures(context: &Context, failures: &[Failure]) -> Markup {
    let all = context.params.to(Page::Requests.path(), &["range", "from", "to"]).with("errors", "true").href();
    html! {
        header class="line" { h2 { "Latest failures" } a class="small" href=(all) { "All of the range" } }
        @if failures.is_empty() { p class="soft small" { "None since the start." } }
        @else { table class="stack" {
            thead { tr { th scope="col" { "Time" } th scope="col" { "Result" } th scope="col" { "Route" } th scope="col" class="drop-3" { "Key" } th scope="col" { "Why" } } }
            tbody { @for failure in failures.iter().take(8) { tr class="row" {
                th scope="row" { a href=(Params::at(&format!("/dashboard/requests/{}", crate::params::segment(&failure.id))).href()) { (context.clock.time_of(Some(&failure.at))) } }
                td { (super::parts::pill(super::parts::Mood::Bad, &failure.status.map_or_else(|| "broken".to_owned(), |status| status.to_string()))) }
                td data-l="route" { @match &failure.route { Some(route) => (name(route)), None => span class="none" { "—" } } }
                td class="drop-3" { @match &failure.key { Some(key) => (name(key)), None => span class="none" { "—" } } }
                td { span class="why" { (plain(failure.code.as_deref().unwrap_or("—")).replace('_', " ")) @if let Some(by) = &failure.refused_by { ", refused by " (name(if by == "weir" { "Weir" } else { by })) } } }
            } } }
        } }
    }
}

fn facts(context: &Context, live: &Live) -> Markup {
    html! {
        header class="line" { h2 { "What happened last" } span class="soft small" { "up " (millis(live.uptime_s.saturating_mul(1_000))) } }
        @if live.facts.is_empty() { p class="soft small" { "Nothing but requests." } }
        div class="log" { @for fact in live.facts.iter().take(10) {
            (context.clock.time_of(Some(&fact.at))) span { (crate::words::cut(&plain(&fact.words), 180)) }
        } }
    }
}
