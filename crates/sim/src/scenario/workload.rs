//! `[[workloads]]`: who sends what, and when.

use std::sync::Arc;
use std::time::Duration;

use weir_units::{Moment, Tokens};

use super::section::Section;
use crate::workload::{ClientRetry, Distribution, MaxTokens, Pattern, Priority, Trace, Workload};

type Open<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// The highest rate that is taken, in requests a second.
const MOST_RATE: f64 = 1e6;

pub(super) fn read(section: &Section<'_>, number: usize, open: Open<'_>) -> Workload {
    let moment = |key| section.span(key).map(|span| Moment::ZERO + span);
    let usual = ClientRetry::default();
    let tokens = |median, most| Distribution::Lognormal { median: Tokens(median), sigma: 1.0, most: Tokens(most) };
    let workload = Workload {
        name: section.text("name").map_or_else(|| format!("workload {}", number + 1).into(), Arc::from),
        tenant: section.text("tenant").unwrap_or("default").into(),
        key: section.text("key").map(Arc::from),
        priority: match section.choice("priority", &["interactive", "standard", "batch"]) {
            Some("batch") => Priority::Batch,
            Some("standard") => Priority::Standard,
            _ => Priority::Interactive,
        },
        route: section.text("route").map_or_else(|| absent(section, "route").into(), Arc::from),
        deadline: section.span_from("deadline", Duration::from_millis(1)),
        pattern: pattern(section, open),
        from: moment("from").unwrap_or_default(),
        until: moment("until"),
        input: distribution(section, "input-tokens").unwrap_or(tokens(1_000, 100_000)),
        output: distribution(section, "output-tokens").unwrap_or(tokens(200, 8_000)),
        cached_ppm: section.ppm("cached-share", 1.0).unwrap_or(0),
        max_tokens: max_tokens(section),
        estimate_error_ppm: section.ppm("estimate-error", 1.0).unwrap_or(50_000),
        retry: ClientRetry {
            retries: section.whole("retries", 0).map_or(usual.retries, |n| u32::try_from(n).unwrap_or(u32::MAX)),
            obeys_retry_after: section.flag("obeys-retry-after").unwrap_or(usual.obeys_retry_after),
            patience: section.span("patience"),
        },
    };
    section.finish();
    workload
}

fn absent(section: &Section<'_>, key: &str) -> &'static str {
    section.fault(key, "is missing", None);
    ""
}

fn pattern(section: &Section<'_>, open: Open<'_>) -> Pattern {
    let Some(arrivals) = section.table("arrivals") else {
        let hint = "write `arrivals = { kind = \"poisson\", rate = 5.0 }`".to_owned();
        section.fault("arrivals", "is missing or no table", Some(hint));
        return Pattern::Poisson { rate: 0.0 };
    };
    let needed = |key| {
        arrivals.number(key, 0.0, MOST_RATE).unwrap_or_else(|| {
            if !arrivals.has(key) {
                arrivals.fault(key, "is missing", Some("it is in requests a second".to_owned()));
            }
            0.0
        })
    };
    let span = |key, usual| arrivals.span_from(key, Duration::from_millis(1)).unwrap_or(Duration::from_secs(usual));
    let kinds = ["constant", "poisson", "bursts", "daily", "trace", "clients"];
    let pattern = match arrivals.choice("kind", &kinds).unwrap_or("poisson") {
        "constant" => Pattern::Constant { rate: needed("rate") },
        "bursts" => Pattern::Bursts {
            rate: needed("rate"),
            on: span("on", 10),
            quiet_rate: arrivals.number("quiet-rate", 0.0, MOST_RATE).unwrap_or(0.0),
            off: span("off", 50),
        },
        "daily" => Pattern::Daily {
            rate: needed("rate"),
            swing: arrivals.number("swing", 0.0, 1.0).unwrap_or(0.8),
            peak: arrivals.span("peak").unwrap_or(Duration::from_secs(14 * 3_600)),
        },
        "trace" => Pattern::Trace {
            trace: trace(&arrivals, open),
            speed: arrivals.number("speed", 1e-6, 1e6).unwrap_or(1.0),
            times: arrivals.number("times", 0.0, 1e4).unwrap_or(1.0),
            repeat: arrivals.flag("repeat").unwrap_or(false),
        },
        "clients" => Pattern::Clients {
            clients: arrivals.whole("clients", 1).map_or(1, |n| u32::try_from(n).unwrap_or(u32::MAX)),
            think: arrivals.span("think").unwrap_or(Duration::from_secs(30)),
        },
        _ => Pattern::Poisson { rate: needed("rate") },
    };
    arrivals.finish();
    pattern
}

fn trace(arrivals: &Section<'_>, open: Open<'_>) -> Arc<Trace> {
    let Some(file) = arrivals.text("file") else {
        arrivals.fault("file", "is missing", Some("name a CSV, relative to the scenario".to_owned()));
        return Arc::default();
    };
    let shown = weir_config::shown(file);
    let read = open(file).map_err(|why| format!("`{shown}` cannot be read: {why}"));
    match read.and_then(|text| Trace::parse(&text).map_err(|error| format!("`{shown}`, {error}"))) {
        Ok(trace) => Arc::new(trace),
        Err(why) => {
            arrivals.fault("file", &format!("is no trace: {why}"), None);
            Arc::default()
        }
    }
}

/// A number, or a table that says how they are spread.
fn distribution(section: &Section<'_>, key: &'static str) -> Option<Distribution> {
    let Some(table) = section.table(key) else {
        return section.has(key).then(|| section.whole(key, 1)).flatten().map(|n| Distribution::Fixed(Tokens(n)));
    };
    let needed = |key| {
        table.whole(key, 1).map_or_else(
            || {
                if !table.has(key) {
                    table.fault(key, "is missing", Some("it is in tokens".to_owned()));
                }
                Tokens(1)
            },
            Tokens,
        )
    };
    let distribution = match table.choice("kind", &["fixed", "uniform", "lognormal"]).unwrap_or("lognormal") {
        "fixed" => Distribution::Fixed(needed("tokens")),
        "uniform" => {
            let (least, most) = (needed("least"), needed("most"));
            if most < least {
                table.fault("most", "is less than `least`", None);
            }
            Distribution::Uniform { least, most }
        }
        _ => Distribution::Lognormal {
            median: needed("median"),
            sigma: table.number("sigma", 0.0, 5.0).unwrap_or(1.0),
            most: Tokens(table.whole("most", 1).unwrap_or(1_000_000)),
        },
    };
    table.finish();
    Some(distribution)
}

fn max_tokens(section: &Section<'_>) -> MaxTokens {
    if !section.has("max-tokens") {
        // Asked for all the same, so that it is a known key.
        let _ = section.text("max-tokens");
        return MaxTokens::Unset;
    }
    if section.is_text("max-tokens") {
        return match section.choice("max-tokens", &["unset", "exact"]) {
            Some("exact") => MaxTokens::Exact,
            _ => MaxTokens::Unset,
        };
    }
    section.whole("max-tokens", 1).map_or(MaxTokens::Unset, |most| MaxTokens::Fixed(Tokens(most)))
}
