//! `weir providers compare`: a route's deployments beside each other, for what it really sends.

use std::process::ExitCode;

use clap::Args;
use weir_capacity::plan::{Compared, RouteSends, compare, figure, percent};
use weir_ledger::{DemandQuery, DemandStep};

use crate::ledger::Place;
use crate::serve::runtime;
use crate::terminal::{UNKNOWN, UNREACHABLE, USAGE, aligned, bold, fail, numbers, print, shown};
use crate::{Common, reading, when};

#[derive(Args)]
#[command(
    after_help = "Speed is of streams. Headroom is what the peak minute (19 of 20) of the busiest hour left of the fullest limit, whichever route asked.\n\
A whole answer is one that neither broke off nor ended at its bound on output; its cost is that of all calls for each of those.\n\n\
Exit codes: 0 done · 2 wrong usage, or the configuration cannot be read · 3 nothing was asked of the route · 4 the ledger cannot be read"
)]
pub(crate) struct Arguments {
    /// The route; all of them together without it
    #[arg(long, value_name = "ROUTE")]
    route: Option<String>,
    /// How far back
    #[arg(long, value_name = "SPAN", default_value = "30d")]
    since: String,
    /// As if it were this time
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Read this ledger, its file or url
    #[arg(long, value_name = "FILE")]
    ledger: Option<String>,
}

/// Prints the comparison.
pub(super) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    let config = match reading::sound_config(common) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let now = when::now();
    let now = match arguments.at.as_deref().map(|at| when::moment(at, &config.zone, now)).transpose() {
        Ok(at) => at.unwrap_or(now),
        Err(why) => return fail(USAGE, format_args!("--at: {why}")),
    };
    let from = match when::since(&arguments.since, &config.zone, now) {
        Ok(from) => from,
        Err(why) => return fail(USAGE, format_args!("--since: {why}")),
    };
    if let Some(route) =
        arguments.route.as_deref().filter(|route| config.resolve(route, weir_wire::Dialect::OpenAi).is_none())
    {
        let near = weir_config::nearest(route, config.routes.keys().map(AsRef::as_ref));
        let hint = near.map_or(String::new(), |near| format!(": did you mean `{near}`?"));
        return fail(USAGE, format_args!("no route is named `{}`{hint}", weir_config::shown(route)));
    }
    let place = match Place::of(common, arguments.ledger.as_deref()) {
        Ok(place) => place,
        Err(code) => return code,
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(UNREACHABLE, format_args!("the runtime cannot start: {error}")),
    };
    let read = runtime.block_on(async {
        let reader = place.open().await?;
        let figures = reader.figures(from, now).await.map_err(|error| error.to_string())?;
        let query = DemandQuery { from, until: now, step: DemandStep::Hour };
        let rows = reader.demand(&query).await.map_err(|error| error.to_string())?;
        Ok::<_, String>((figures, rows))
    });
    let (figures, rows) = match read {
        Ok(read) => read,
        Err(why) => return fail(UNREACHABLE, why),
    };
    let route = arguments.route.as_deref();
    let site = weir_gateway::site_for(&config, route.into_iter());
    let compared = compare(&site, route, &figures, &rows);
    if compared.deployments.iter().all(|of| of.calls == 0) {
        let whose = route.map_or(String::new(), |route| format!(" of `{}`", weir_config::shown(route)));
        return fail(
            UNKNOWN,
            format_args!("nothing was asked{whose} from {from} to {now}: there is nothing to compare"),
        );
    }
    if common.json {
        print(serde_json::json!(compared));
    } else {
        let how = if when::span(&arguments.since).is_ok() { "in" } else { "since" };
        show(&compared, &format!("{how} {}", weir_wire::shown(&arguments.since)));
    }
    ExitCode::SUCCESS
}

fn show(compared: &RouteSends, since: &str) {
    let of = compared
        .route
        .as_deref()
        .map_or_else(|| "all routes".to_owned(), |route| format!("route {}", weir_config::shown(route)));
    let tokens = format!("{} tokens in and {} out on average", figure(compared.input), figure(compared.output));
    print(bold(&shown(&format!("{of}: {tokens}, {} {since}", numbers::counted(compared.answers, "answer")))));
    let head = [
        "deployment",
        "calls",
        "first token",
        "p95",
        "tok/s",
        "answered",
        "429s",
        "headroom",
        "a whole answer",
        "by price",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(compared.deployments.iter().map(row));
    aligned(&rows, 1).iter().for_each(|line| print(shown(line)));
    for one in compared.deployments.iter().filter(|one| one.headroom.is_some()) {
        let binding = one.binding.as_deref().unwrap_or_default();
        print(shown(&format!("  {}: the fullest limit is {binding}", weir_config::shown(&one.deployment))));
    }
}

fn row(one: &Compared) -> Vec<String> {
    let or = |text: Option<String>| text.unwrap_or_else(|| "—".to_owned());
    let headroom = |share: f64| if share < 0.0 { format!("-{}", percent(-share)) } else { percent(share) };
    vec![
        weir_config::shown(&one.deployment),
        numbers::count(one.calls),
        or(one.first_content_p50_ms.map(numbers::millis)),
        or(one.first_content_p95_ms.map(numbers::millis)),
        or(one.tokens_per_second.map(|rate| format!("{rate:.0}"))),
        or(one.availability.map(availability)),
        or(one.share_429.map(percent)),
        or(one.headroom.map(headroom)),
        or(one.cost_per_complete.map(numbers::dollars)),
        or(one.cost_by_price.map(numbers::dollars)),
    ]
}

/// Rounded down, as availability is.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a million")]
fn availability(share: f64) -> String {
    numbers::availability((share * 1e6).floor().max(0.0) as u64, 1_000_000)
}
