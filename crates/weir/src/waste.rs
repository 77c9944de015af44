//! `weir waste`: what was paid for and served nobody, by kind, and the cheapest remedies first. Read from the ledger itself, so that
//! it works with no gateway running.

mod table;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use weir_capacity::waste::{By, WasteReport};
use weir_gateway::waste_figures;
use weir_units::WallTime;

use crate::Common;
use crate::ledger::Place;
use crate::reading;
use crate::serve::runtime;
use crate::terminal::{UNKNOWN, UNREACHABLE, USAGE, draw, fail, numbers, print};
use crate::when;

/// When the first word of progress is said, and how often from then on.
const FIRST_WORD: Duration = Duration::from_millis(300);
const NEXT_WORD: Duration = Duration::from_millis(500);

#[derive(Args)]
#[command(
    after_help = "Kinds are ranked by what they are worth in a year for a day of work on their remedy: small is a setting (1 day), medium a change of a\n\
program (5 days), large one of how it works (20 days). A year's worth is scaled from the time since the first request of the range.\n\
A token that was wasted for two reasons counts for the first of them. Without a terminal, a record a line is printed, with exact dollars.\n\
The requests behind a figure: weir export --where waste=KIND\n\n\
Exit codes: 0 done · 2 wrong usage, or the configuration cannot be read · 3 nothing was asked in that time · 4 the ledger cannot be read"
)]
pub(crate) struct Arguments {
    /// How far back
    #[arg(long, value_name = "SPAN", default_value = "7d")]
    since: String,
    /// Who is told apart
    #[arg(long, value_name = "NAME", value_parser = ["route", "key", "run"], default_value = "key")]
    by: String,
    /// As of then, and not of now: 2026-11-18T14:47:03Z, "2026-11-18 14:47", or a span before now
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// So many of them, those who lost the most; the others are one sum
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    top: u32,
    /// The ledger's file or url, if it is not the configuration's
    #[arg(long, value_name = "FILE")]
    ledger: Option<String>,
}

/// Prints the report.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    let zone = match reading::zone(common) {
        Ok(zone) => zone,
        Err(code) => return code,
    };
    let now = when::now();
    let until = match arguments.at.as_deref().map(|at| when::moment(at, &zone, now)).transpose() {
        Ok(until) => until.unwrap_or(now),
        Err(why) => return fail(USAGE, format_args!("--at: {why}")),
    };
    let since = match when::since(&arguments.since, &zone, until) {
        Ok(since) => since,
        Err(why) => return fail(USAGE, format_args!("--since: {why}")),
    };
    let place = match Place::of(common, arguments.ledger.as_deref()) {
        Ok(place) => place,
        Err(code) => return code,
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(UNREACHABLE, format_args!("the runtime cannot start: {error}")),
    };
    let by = By::from_name(&arguments.by).unwrap_or_default();
    let report = match runtime.block_on(read(&place, since, until)) {
        Ok(figures) => WasteReport::of(&figures, by, arguments.top as usize),
        Err(why) => return fail(UNREACHABLE, why),
    };
    if common.json {
        match serde_json::to_string(&report) {
            Ok(text) => print(text),
            Err(error) => return fail(UNREACHABLE, error),
        }
    } else {
        table::show(&report);
    }
    if report.requests == 0 { ExitCode::from(UNKNOWN) } else { ExitCode::SUCCESS }
}

async fn read(place: &Place, since: WallTime, until: WallTime) -> Result<weir_capacity::waste::WasteFigures, String> {
    let reader = place.open().await?;
    let mut next = Instant::now() + FIRST_WORD;
    let mut shown = false;
    let figures = waste_figures(&reader, (since, until), None, |count| {
        if Instant::now() >= next && std::io::stderr().is_terminal() {
            draw(format_args!("\r{} of which something was wasted", numbers::counted(count, "request")));
            (shown, next) = (true, Instant::now() + NEXT_WORD);
        }
        true
    })
    .await
    .map_err(|error| error.to_string());
    if shown {
        draw("\r\x1b[K");
    }
    reader.close().await;
    figures
}
