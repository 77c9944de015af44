//! Overview: what users got, why not, how full the limits are, what it cost.

use maud::{Markup, html};
use weir_units::NanoUsd;
use weir_units::numbers::{availability, dollars, millis, share, short};

use super::limits::tightest;
use super::parts::{breaker, card, empty, fault, first_request, pool_name, tile};
use crate::chart::{self, Line, Shape, TimeChart};
use crate::figures::{Apart, Counts, Failure, Live, Pool, Run, Series};
use crate::frame::{Content, Context, Page};
use crate::params::Params;
use crate::words::headline::{Headline, Tone, first};
use crate::words::{Figure, counted, dollars_known, name, permille, plain};

/// What the page is made of. What could not be read is an error's words.
#[derive(Clone, Debug)]
pub struct OverviewFigures {
    /// The last minutes.
    pub live: Live,
    /// The range.
    pub series: Result<Series, String>,
    /// The same seven days before.
    pub before: Option<Counts>,
    /// The range by provider, of attempts.
    pub providers: Apart,
    /// Runs that are halted.
    pub halted: Vec<Run>,
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
    if series.total.requests == 0 && figures.live.requests == 0 {
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
    content = content.region(
        "charts",
        html! { div class="cols" {
            div class="card span-7" { (results(context, series)) }
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
    let total = figures.series.as_ref().map(|series| series.total.clone()).unwrap_or_default();
    let keep = |page: Page| context.params.to(page.path(), &["range", "from", "to"]);
    let sick = figures.live.deployments.iter().find(|d| d.breaker == "open" || d.benched.is_some());
    let probing = figures.live.deployments.iter().find(|d| d.breaker == "half-open");
    let users = permille(total.failed(), total.stayed()).filter(|_| total.failed() > 0);
    let answered = || availability(total.answered, total.stayed());
    let tight = tightest(&figures.live.pools);
    first([
        (figures.live.ledger_queued > 10_000).then(|| {
            Headline::new(
                Tone::Bad,
                format!(
                    "The ledger is behind: {} wait to be written. Serving goes on.",
                    counted(figures.live.ledger_queued, "fact")
                ),
            )
        }),
        users.filter(|lost| *lost >= 5).map(|_| {
            let href = keep(Page::Requests).with("errors", "true").href();
            Headline::new(
                Tone::Bad,
                format!(
                    "Users saw {} answered: {} of {} failed.",
                    answered(),
                    counted(total.failed(), "request"),
                    short(total.stayed())
                ),
            )
            .to(href, "See them")
        }),
        sick.map(|sick| {
            let what = if sick.benched.is_some() {
                "is not called: its provider refused"
            } else {
                "is not called: its breaker is open"
            };
            Headline::new(Tone::Warn, format!("{} {what}. Users saw {} answered.", plain(&sick.deployment), answered()))
                .to(keep(Page::Providers).href(), "Providers")
        }),
        figures.halted.first().map(|run| {
            let cost = dollars_known(run.cost(), u64::from(run.cost_unknown));
            Headline::new(
                Tone::Bad,
                format!("Run {} is halted after {cost}. Users saw {} answered.", plain(&run.run), answered()),
            )
            .to("/dashboard/runs?state=halted", "Runs")
        }),
        permille(total.attempts_throttled, total.attempts).filter(|share| *share >= 10).map(|_| {
            let words = format!(
                "Users saw {} answered. Providers throttle: {} of attempts were 429s.",
                answered(),
                share(total.attempts_throttled, total.attempts)
            );
            Headline::new(Tone::Warn, words).to(keep(Page::Providers).href(), "Providers")
        }),
        tight.filter(|(_, limit)| limit.peak_permille() >= 800).map(|(pool, limit)| {
            let words = format!(
                "Users saw {} answered; {} {} peak at {} of {}.",
                answered(),
                pool_name(pool),
                limit.words(),
                share(limit.peak, limit.limit),
                limit.rate()
            );
            Headline::new(Tone::Warn, words).to("/dashboard/limits", "Limits")
        }),
        probing.map(|d| {
            Headline::new(
                Tone::Warn,
                format!("{} is half-open: it is tried again. Users saw {} answered.", plain(&d.deployment), answered()),
            )
        }),
        (total.requests > 0).then(|| {
            let peak =
                tight.map_or(String::new(), |(_, limit)| format!(", peak use {}", share(limit.peak, limit.limit)));
            Headline::calm(format!(
                "All calm: {} of {} answered{peak}.",
                answered(),
                counted(total.stayed(), "request")
            ))
        }),
        Some(Headline::calm("No request yet.")),
    ])
}

fn tiles(context: &Context, figures: &OverviewFigures, series: &Series) -> Markup {
    let total = &series.total;
    let before = figures.before.as_ref().filter(|before| before.requests > 0);
    let keep = |page: Page| context.params.to(page.path(), &["range", "from", "to"]);
    let requests = keep(Page::Requests);
    let last_week = |figure: Option<String>| {
        before.map_or_else(Vec::new, |_| vec![("last week".to_owned(), figure.unwrap_or_else(|| "—".into()))])
    };
    let mut availability_of: Vec<(String, String)> = figures
        .providers
        .parts
        .iter()
        .filter_map(|(provider, series)| {
            let (asked, failed) =
                (series.total.attempts, series.total.attempts_failed + series.total.attempts_throttled);
            provider.as_ref().filter(|_| asked > 0).map(|provider| {
                (crate::words::cut(&plain(provider), 18), availability(asked - failed.min(asked), asked))
            })
        })
        .take(3)
        .collect();
    availability_of.extend(last_week(before.map(|before| availability(before.answered, before.stayed()))));
    let mut throttled = vec![("of requests".to_owned(), share(total.throttled_by_provider, total.stayed()))];
    throttled.extend(last_week(before.map(|before| share(before.attempts_throttled, before.attempts))));
    let ms = |value: Option<u64>| value.map_or_else(|| "—".to_owned(), millis);
    // Whole answers have no first token: then the whole time is what was waited for.
    let (times, of) = if total.first_content.p50.is_some() {
        (total.first_content, "first token, p95")
    } else {
        (total.duration, "answer, p95")
    };
    let mut requests_of = vec![("tokens".to_owned(), short(total.tokens()))];
    requests_of.extend(last_week(before.map(|before| short(before.requests))));
    let mut spend_of = Vec::new();
    if total.cost_unknown > 0 {
        spend_of.push(("unpriced".to_owned(), counted(total.cost_unknown, "request")));
    }
    if total.estimated > NanoUsd::ZERO {
        spend_of.push(("estimated".to_owned(), dollars(total.estimated)));
    }
    spend_of.extend(last_week(before.map(|before| dollars_known(before.cost, before.cost_unknown))));
    html! { div class="tiles" {
        (tile(Some(&requests.href()), "answered, as users saw it", Figure::new(availability(total.answered, total.stayed()), format!("{}/{}", total.answered, total.stayed())), &availability_of))
        (tile(Some(&keep(Page::Providers).href()), "429 share of attempts", Figure::new(share(total.attempts_throttled, total.attempts), format!("{}/{}", total.attempts_throttled, total.attempts)), &throttled))
        (tile(Some(&requests.href()), of, Figure::new(ms(times.p95), times.p95.map_or(String::new(), |p95| p95.to_string())), &[("p50".into(), ms(times.p50)), ("p99".into(), ms(times.p99))]))
        (tile(Some(&requests.href()), "requests", Figure::count(total.requests), &requests_of))
        (tile(Some(&keep(Page::Spend).href()), "spend", Figure::new(dollars_known(total.cost, total.cost_unknown), total.cost.to_string()), &spend_of))
    } }
}

/// What users got, by bucket.
pub(super) fn results(context: &Context, series: &Series) -> Markup {
    let per = |counts: &Counts, of: fn(&Counts) -> u64| Some(of(counts) as f64);
    let line = |label: &str, paint: &'static str, of: fn(&Counts) -> u64| Line {
        label: label.to_owned(),
        paint,
        dashed: false,
        values: series.buckets.iter().map(|(_, counts)| per(counts, of)).collect(),
    };
    let mut lines = vec![
        line("answered", "var(--s1)", |counts| counts.answered),
        line("other 4xx", "var(--s8)", |counts| counts.client_errors),
        line("provider's 429", "var(--warn-mark)", |counts| counts.throttled_by_provider),
        line("refused by Weir", "var(--s3)", |counts| counts.refused_by_weir),
        line("5xx", "var(--bad-mark)", |counts| counts.server_errors),
    ];
    lines.retain(|line| line.label == "answered" || line.values.iter().flatten().any(|value| *value > 0.0));
    let starts: Vec<_> = series.buckets.iter().map(|(at, _)| *at).collect();
    let links = starts.iter().map(|at| bucket_link(context, *at, series)).collect();
    let says = format!(
        "Requests over time by result: {} answered of {}",
        short(series.total.answered),
        short(series.total.requests)
    );
    TimeChart {
        title: "Requests by result",
        says: &says,
        shape: Shape::Areas,
        starts: &starts,
        until: series.until,
        every: series.every,
        lines,
        outline: None,
        say: |value| short(value as u64),
        links: Some(links),
    }
    .render(&context.clock)
}

/// The requests of one bucket.
fn bucket_link(context: &Context, at: weir_units::WallTime, series: &Series) -> String {
    let until = at + series.every;
    let filters = context.params.without("range").without("from").without("to").without("before");
    let keep: Vec<&str> = super::requests::FIELDS.iter().map(|(name, ..)| *name).collect();
    filters
        .to(Page::Requests.path(), &keep)
        .with("from", &context.clock.exact(at))
        .with("to", &context.clock.exact(until))
        .href()
}

pub(super) fn latency(context: &Context, series: &Series) -> Markup {
    let streamed = series.total.first_content.p50.is_some();
    let title = if streamed { "Time to the first token" } else { "Time to the answer" };
    let of = |pick: fn(&crate::figures::Quantiles) -> Option<u64>| -> Vec<Option<f64>> {
        series
            .buckets
            .iter()
            .map(|(_, c)| pick(if streamed { &c.first_content } else { &c.duration }).map(|ms| ms as f64))
            .collect()
    };
    let line = |label: &str, dashed, values| Line { label: label.to_owned(), paint: "var(--s1)", dashed, values };
    let lines = vec![
        line("p50", false, of(|q| q.p50)),
        Line { paint: "var(--s4)", ..line("p95", false, of(|q| q.p95)) },
        Line { paint: "var(--s5)", ..line("p99", true, of(|q| q.p99)) },
    ];
    let starts: Vec<_> = series.buckets.iter().map(|(at, _)| *at).collect();
    let says = format!(
        "{title}: half within {}",
        series.total.first_content.p50.or(series.total.duration.p50).map_or_else(|| "—".into(), millis)
    );
    TimeChart {
        title,
        says: &says,
        shape: Shape::Lines,
        starts: &starts,
        until: series.until,
        every: series.every,
        lines,
        outline: None,
        say: |value| millis(value as u64),
        links: None,
    }
    .render(&context.clock)
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
        div class="bars" { @for (pool, limit) in all.iter().take(6) { div class="gauge-row" {
            span class="small" { (name(&pool_name(pool))) " " span class="soft" { (limit.words()) } }
            span class="n small" { (share(limit.peak.max(limit.used), limit.limit)) span class="soft" { " of " (limit.rate()) } }
            (chart::headroom(limit.used, limit.peak, limit.limit, &format!("{} now, peak {} of {}", share(limit.used, limit.limit), share(limit.peak, limit.limit), limit.rate())))
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
