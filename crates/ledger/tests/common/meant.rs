//! What filters and names mean, said once more and simply: each request is looked at by itself.

use weir_ledger::{Entry, Fact, Filter, Outcome, SeriesBy, StatusFilter, Tally};
use weir_units::{NanoUsd, WallTime};

/// A filter, and what it means.
pub(crate) type Meant = (Filter, Box<dyn Fn(&Entry) -> bool>);

/// Filters of all kinds; those of a time are of what lies between `since` and `until`.
pub(crate) fn filters(entries: &[Entry], since: WallTime, until: WallTime) -> Vec<Meant> {
    let any = Filter::default;
    let some = entries.iter().find(|e| e.trace.is_some() && !e.attempts.is_empty()).unwrap();
    let (trace, run) = (some.trace.unwrap().trace_id, entries.iter().find_map(|e| e.run.clone()).unwrap());
    let upstream = entries.iter().flat_map(|e| &e.attempts).find_map(|a| a.upstream_id.clone()).unwrap();
    let content = entries.iter().find_map(|e| e.content).unwrap();
    let own = |text: &str| Some(text.to_owned());
    let calls = |of: fn(&str) -> bool| move |e: &Entry| e.attempts.iter().any(|a| of(&a.deployment));
    let (run_name, upstream_id) = (run.to_string(), upstream.to_string());
    vec![
        (any(), Box::new(|_| true)),
        (Filter { key: own("key-3"), ..any() }, Box::new(|e| e.key.as_deref() == Some("key-3"))),
        (
            Filter { tenant: own("tenant-1"), route: own("fast"), ..any() },
            Box::new(|e| e.tenant.as_deref() == Some("tenant-1") && e.route.as_deref() == Some("fast")),
        ),
        (Filter { deployment: own("azure/gpt-5.2"), ..any() }, Box::new(calls(|d| d == "azure/gpt-5.2"))),
        (Filter { provider: own("together"), ..any() }, Box::new(calls(|d| d.starts_with("together/")))),
        (
            Filter { model: own("gpt-5.2"), errors: true, ..any() },
            Box::new(move |e| {
                calls(|d| d.ends_with("/gpt-5.2"))(e)
                    && matches!(e.outcome, Outcome::Failed | Outcome::Lost | Outcome::Refused)
            }),
        ),
        (Filter { status: Some(StatusFilter::Exact(429)), ..any() }, Box::new(|e| e.status == Some(429))),
        (Filter { status: Some(StatusFilter::Class(5)), ..any() }, Box::new(|e| e.status.is_some_and(|s| s >= 500))),
        (
            Filter { errors: true, ..any() },
            Box::new(|e| matches!(e.outcome, Outcome::Failed | Outcome::Lost | Outcome::Refused)),
        ),
        (Filter { refused_by: own("weir"), ..any() }, Box::new(|e| e.refused_by.as_deref() == Some("weir"))),
        (
            Filter { refused_by: own("provider"), ..any() },
            Box::new(|e| e.refused_by.as_deref().is_some_and(|by| by != "weir")),
        ),
        (Filter { refused_by: own("openai"), ..any() }, Box::new(|e| e.refused_by.as_deref() == Some("openai"))),
        (Filter { outcome: Some(Outcome::Cancelled), ..any() }, Box::new(|e| e.outcome == Outcome::Cancelled)),
        (Filter { run: Some(run_name), ..any() }, Box::new(move |e| e.run.as_ref() == Some(&run))),
        (
            Filter { tag: Some(("team".into(), "ads".into())), ..any() },
            Box::new(|e| e.tags.iter().any(|(n, v)| (&**n, &**v) == ("team", "ads"))),
        ),
        (
            Filter { tag: Some(("team".into(), "ads".into())), tenant: own("tenant-2"), ..any() },
            Box::new(|e| {
                e.tenant.as_deref() == Some("tenant-2") && e.tags.iter().any(|(n, v)| (&**n, &**v) == ("team", "ads"))
            }),
        ),
        (
            Filter { min_cost: Some(NanoUsd(60_000_000)), ..any() },
            Box::new(|e| e.cost_usd.is_some_and(|c| c.0 >= 60_000_000)),
        ),
        (Filter { trace: Some(trace), ..any() }, Box::new(move |e| e.trace.is_some_and(|t| t.trace_id == trace))),
        (
            Filter { upstream: Some(upstream_id), ..any() },
            Box::new(move |e| e.attempts.iter().any(|a| a.upstream_id.as_ref() == Some(&upstream))),
        ),
        (Filter { content: Some(content), ..any() }, Box::new(move |e| e.content == Some(content))),
        (
            Filter { since: Some(since), until: Some(until), key: own("key-1"), ..any() },
            Box::new(move |e| e.started_at >= since && e.started_at < until && e.key.as_deref() == Some("key-1")),
        ),
        (Filter { waste: own("any"), ..any() }, Box::new(|e| wasted(e, |_| true))),
        (Filter { waste: own("loop"), ..any() }, Box::new(|e| wasted(e, |why| why == "loop"))),
        (
            Filter { waste: own("other"), key: own("key-1"), ..any() },
            Box::new(|e| e.key.as_deref() == Some("key-1") && wasted(e, |why| why == "a new reason")),
        ),
        (Filter { key: own("nobody's"), ..any() }, Box::new(|_| false)),
    ]
}

/// Whether something of it was told as wasted for such a reason.
fn wasted(entry: &Entry, is: fn(&str) -> bool) -> bool {
    entry.events.iter().any(|event| matches!(event.fact, Fact::Wasted { why, .. } if is(why)))
}

/// What a series tells apart, and the names that a request counts for.
pub(crate) type Named = (SeriesBy, Box<dyn Fn(&Entry) -> Vec<String>>);

/// All that a series can tell apart.
pub(crate) fn names() -> Vec<Named> {
    fn calls(entry: &Entry, of: fn(&str) -> String) -> Vec<String> {
        entry.attempts.iter().map(|a| of(&a.deployment)).collect()
    }
    fn own(name: &Option<std::sync::Arc<str>>) -> Vec<String> {
        vec![name.as_deref().unwrap_or_default().to_owned()]
    }
    vec![
        (SeriesBy::Deployment, Box::new(|e| calls(e, str::to_owned))),
        (SeriesBy::Provider, Box::new(|e| calls(e, |d| d.split_once('/').unwrap().0.to_owned()))),
        (SeriesBy::Model, Box::new(|e| calls(e, |d| d.split_once('/').unwrap().1.to_owned()))),
        (SeriesBy::Route, Box::new(|e| own(&e.route))),
        (SeriesBy::Key, Box::new(|e| own(&e.key))),
        (SeriesBy::Tenant, Box::new(|e| own(&e.tenant))),
        (SeriesBy::Status, Box::new(|e| vec![e.status.map(|s| format!("{}xx", s / 100)).unwrap_or_default()])),
        (SeriesBy::Outcome, Box::new(|e| vec![e.outcome.name().to_owned()])),
        (
            SeriesBy::Tag("team".into()),
            Box::new(|e| own(&e.tags.iter().find(|(n, _)| &**n == "team").map(|(_, v)| v.clone()))),
        ),
    ]
}

/// Whether the counts are those of the entries.
pub(crate) fn check(tally: &Tally, rows: &[&Entry], filter: &Filter) {
    let count = |of: &dyn Fn(&Entry) -> bool| rows.iter().filter(|e| of(e)).count() as u64;
    let outcome = |outcome| count(&|e| e.outcome == outcome);
    let of = &tally.requests;
    let weir = |e: &Entry| e.refused_by.as_deref() == Some("weir");
    for (what, told, real) in [
        ("requests", of.requests, rows.len() as u64),
        ("answered", of.answered, outcome(Outcome::Answered)),
        ("refused", of.refused, outcome(Outcome::Refused)),
        ("failed", of.failed, outcome(Outcome::Failed)),
        ("cancelled", of.cancelled, outcome(Outcome::Cancelled)),
        ("lost", of.lost, outcome(Outcome::Lost)),
        ("by weir", of.refused_by_weir, count(&weir)),
        ("by provider", of.refused_by_provider, count(&|e| e.refused_by.is_some() && !weir(e))),
        ("429 by weir", of.status_429_by_weir, count(&|e| e.status == Some(429) && weir(e))),
        ("429 by provider", of.status_429_by_provider, count(&|e| e.status == Some(429) && !weir(e))),
        ("4xx", of.status_4xx, count(&|e| e.status.is_some_and(|s| (400..499).contains(&s) && s != 429))),
        ("5xx", of.status_5xx, count(&|e| e.status.is_some_and(|s| s >= 500))),
        ("broken", of.broken, count(&|e| e.outcome == Outcome::Failed && e.status == Some(200))),
        ("unpriced", of.unpriced, count(&|e| e.cost_usd.is_none())),
        ("queued", of.queued, count(&|e| e.queued_ms > 0)),
        ("queued_ms", of.queued_ms, rows.iter().map(|e| e.queued_ms).sum()),
        ("durations", tally.duration.count(), outcome(Outcome::Answered)),
        ("first contents", tally.first_content.count(), count(&|e| e.stream && e.first_content_ms.is_some())),
        ("repeats", of.retries + of.failovers, rows.iter().map(|e| e.attempts.len().saturating_sub(1) as u64).sum()),
    ] {
        assert_eq!(told, real, "{what} of {filter:?}");
    }
    let calls = || rows.iter().flat_map(|e| &e.attempts);
    let usages = || calls().filter_map(|a| a.usage);
    assert_eq!(tally.calls.attempts, calls().count() as u64);
    assert_eq!(tally.calls.failed, calls().filter(|a| a.class.is_some()).count() as u64);
    assert_eq!(tally.calls.status_429, calls().filter(|a| a.status == Some(429)).count() as u64);
    assert_eq!(tally.calls.input, usages().map(|u| u.input.0).sum::<u64>());
    assert_eq!(tally.calls.output, usages().map(|u| u.output.0).sum::<u64>());
    assert_eq!(tally.cost, calls().filter_map(|a| a.cost_usd).sum::<NanoUsd>());
    let estimated = calls().filter(|a| a.cost_estimated).filter_map(|a| a.cost_usd).sum::<NanoUsd>();
    assert_eq!(tally.estimated, estimated);
    let wasted = rows.iter().flat_map(|e| &e.events).filter(|e| matches!(e.fact, Fact::Wasted { .. })).count() as u64;
    assert_eq!(tally.wasted.iter().map(|w| w.times).sum::<u64>(), wasted);
}

/// What was written of it when it came.
pub(crate) fn intent_of(entry: &Entry) -> weir_ledger::Intent {
    weir_ledger::Intent {
        id: entry.id,
        run: entry.run.clone(),
        key: entry.key.clone(),
        tenant: entry.tenant.clone(),
        tags: entry.tags.clone(),
        route: "smart".into(),
        model: "smart".into(),
        dialect: "openai",
        endpoint: "/v1/chat/completions",
        stream: false,
        trace: entry.trace,
        sdk_retry: None,
        started_at: entry.started_at,
    }
}
