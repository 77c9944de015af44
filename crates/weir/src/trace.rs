//! `weir trace`: what happened to one request, when, and why; found by any id that somebody has, or by when it was.

mod find;
pub(crate) mod list;
mod timeline;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;
use weir_engine::Zone;
use weir_gateway::AskFault;

use crate::serve::runtime;
use crate::server::{Server, no_answer};
use crate::terminal::{NO, UNREACHABLE, USAGE, fail, moves, print, say};
use crate::when::around;
use crate::{Common, reading};

pub(crate) use find::{Filters, Source, Trouble};
pub(crate) use timeline::at_millis;

#[derive(Args)]
#[command(
    after_help = "Times are on the clocks of [server] timezone; UTC, without a configuration. The ledger of the configuration is read; with --url,\n\
a gateway is asked, with the admin key in WEIR_ADMIN_KEY. If several requests fit, they are listed, and --show picks one.\n\n\
Exit codes: 0 done · 1 no request fits · 2 wrong usage · 4 neither ledger nor gateway can be reached"
)]
pub(crate) struct Arguments {
    /// A request's id, as `x-weir-request` gave it; the id that its provider gave it, or its trace's; `last` is the newest one
    request: Option<String>,
    /// When it was: "2026-11-18 14:47", or 14:47 today; the nearest ones are listed
    #[arg(long, value_name = "TIME", conflicts_with = "request")]
    at: Option<String>,
    #[command(flatten)]
    which: Which,
    /// Of several, show this one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    show: Option<u32>,
    /// How many are listed
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    top: u32,
    /// The ledger's file, if it is not the configuration's
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    ledger: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
}

/// Which requests are meant.
#[derive(Args, Default)]
pub(crate) struct Which {
    /// Only those of this key
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Only those of this tenant
    #[arg(long, value_name = "TENANT")]
    pub(crate) tenant: Option<String>,
    /// Only those of this route
    #[arg(long, value_name = "ROUTE")]
    pub(crate) route: Option<String>,
    /// Only those of this run
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Only those that ended with this status: 503, or 4xx or 5xx
    #[arg(long, value_name = "STATUS")]
    pub(crate) status: Option<String>,
    /// Only those whose client got an error, or nothing whole
    #[arg(long)]
    pub(crate) errors: bool,
}

impl Which {
    /// The filters by name.
    pub(crate) fn filters(&self) -> Filters {
        let texts = [
            ("key", &self.key),
            ("tenant", &self.tenant),
            ("route", &self.route),
            ("run", &self.run),
            ("status", &self.status),
        ];
        let mut filters: Filters = texts.into_iter().filter_map(|(name, text)| Some((name, text.clone()?))).collect();
        if self.errors {
            filters.push(("errors", "true".to_owned()));
        }
        filters
    }
}

/// What was found.
struct Found {
    records: Vec<Value>,
    /// They lie around the time that was meant, and not in it.
    near: bool,
    place: String,
    zone: Zone,
}

/// Shows one request, or lists those that fit.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    if arguments.request.is_none() && arguments.at.is_none() && arguments.which.filters().is_empty() {
        return fail(USAGE, "say which request: its id, `last`, --at TIME, or a filter such as --errors");
    }
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(UNREACHABLE, format_args!("the runtime cannot start: {error}")),
    };
    let found = match runtime.block_on(find(common, arguments)) {
        Ok(Ok(found)) => found,
        Ok(Err(why)) => return fail(USAGE, why),
        Err(Trouble::Gateway(AskFault::Refused(status, why))) if status.as_u16() == 400 => return fail(USAGE, why),
        Err(Trouble::Gateway(fault)) => return no_answer(&fault),
        Err(Trouble::Ledger(why)) => return fail(UNREACHABLE, why),
    };
    let Found { mut records, near, place, zone } = found;
    if records.is_empty() {
        return nothing(arguments, &place);
    }
    if let Some(number) = arguments.show {
        let index = number as usize - 1;
        if index >= records.len() {
            return fail(NO, format_args!("there are {} that fit, and no number {number}", records.len()));
        }
        records = vec![records.swap_remove(index)];
    }
    match records.as_slice() {
        [only] if common.json => print(only),
        [only] => print(timeline::timeline(only, &zone)),
        several if common.json => several.iter().for_each(print),
        several if !moves() => several.iter().for_each(|record| print(list::line(record))),
        several => {
            print(list::numbered(several, &zone).join("\n"));
            say(
                "several fit: --show N shows one, and so does its id; --key, --route, --status, --run and --errors tell them apart",
            );
        }
    }
    if near {
        say("nothing was at that very time; these are the nearest");
    }
    ExitCode::SUCCESS
}

fn nothing(arguments: &Arguments, place: &str) -> ExitCode {
    let asked = arguments.request.as_deref().map(weir_wire::shown);
    let code = match &asked {
        Some(id) => fail(NO, format_args!("the ledger has no request `{id}`")),
        None => fail(NO, "the ledger has no request that fits"),
    };
    let hint = match asked {
        Some(_) => "`weir trace last` shows the newest one; detail is kept as long as `[ledger] retention` says",
        None => "leave a filter out; detail is kept as long as `[ledger] retention` says",
    };
    say(format_args!("  where  {place}   hint  {hint}"));
    code
}

/// Looks where it was said, for what was said; what was said may be wrong.
async fn find(common: &Common, arguments: &Arguments) -> Result<Result<Found, String>, Trouble> {
    let config = reading::config(common);
    let zone = config.as_ref().map_or(Zone::UTC, |config| config.zone.clone());
    let meant = match arguments.at.as_deref().map(|at| around(at, &zone, crate::when::now())).transpose() {
        Ok(meant) => meant,
        Err(why) => return Ok(Err(why)),
    };
    let (source, place) = match (&arguments.ledger, config) {
        (Some(path), _) => ledger(reading::file(path).await)?,
        (None, Some(config)) if arguments.server.is_default() => ledger(reading::ledger(&config).await)?,
        (None, None) if arguments.server.is_default() => {
            return Ok(Err("the configuration cannot be read: `weir check` says why".to_owned()));
        }
        _ => {
            let operator = arguments.server.operator()?;
            let place = operator.authority().to_owned();
            (Source::Gateway(Box::new(operator)), place)
        }
    };
    let (filters, top) = (arguments.which.filters(), arguments.top);
    let (records, exact) = match (&arguments.request, meant) {
        (Some(id), _) => (source.by_id(id, top).await?, true),
        (None, Some(meant)) => source.around(&filters, meant, top).await?,
        (None, None) => (source.requests(&filters, top).await?, true),
    };
    Ok(Ok(Found { near: !exact && !records.is_empty(), records, place, zone }))
}

fn ledger(opened: Result<(weir_ledger::Reader, String), String>) -> Result<(Source, String), Trouble> {
    opened.map(|(reader, place)| (Source::Ledger(reader), place)).map_err(Trouble::Ledger)
}
