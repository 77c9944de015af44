//! `weir providers`: how available each provider and deployment was, beside what users saw through Weir.

mod compare;
mod uptime;

use std::process::ExitCode;

use clap::Args;
use weir_units::WallTime;

use crate::ledger::Place;
use crate::serve::runtime;
use crate::server::Server;
use crate::terminal::{UNKNOWN, UNREACHABLE, USAGE, fail, print};
use crate::{Common, reading, when};
use uptime::Answer;

#[derive(Args)]
#[command(
    after_help = "A call counts against its provider if that was at fault: no connection, 5xx, silence, a cut answer. 429s, other 4xx and calls whose\n\
client left count neither way. Users are answered when their status is below 400. Breakers are the running gateway's; where none answers,\n\
and --url names no other, the ledger of the configuration is read. The admin key is taken from WEIR_ADMIN_KEY. Without a terminal, a\n\
record a line is printed.\n\n\
Exit codes: 0 done · 2 wrong usage, or the admin key is refused · 3 nothing was asked for yet · 4 neither gateway nor ledger can be reached"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    server: Server,
    /// Read this ledger, its file or url, and ask no gateway
    #[arg(long, value_name = "FILE")]
    ledger: Option<String>,
    /// Measure the time before this minute, from a ledger: "2026-11-18 14:47"
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

#[derive(clap::Subcommand)]
enum What {
    /// Set a route's deployments beside each other: speed, availability, 429s, headroom, and what a whole answer costs
    Compare(compare::Arguments),
}

/// Prints the table.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    if let Some(What::Compare(arguments)) = &arguments.what {
        return compare::run(common, arguments);
    }
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(UNREACHABLE, format_args!("the runtime cannot start: {error}")),
    };
    let at = match (arguments.at.as_deref(), reading::zone(common)) {
        (_, Err(code)) => return code,
        (at, Ok(zone)) => at.map(|text| when::moment(text, &zone, when::now())).transpose(),
    };
    let at = match at {
        Ok(at) => at,
        Err(why) => return fail(USAGE, format_args!("--at: {why}")),
    };
    let answer = if arguments.ledger.is_some() || at.is_some() {
        match Place::of(common, arguments.ledger.as_deref()) {
            Ok(place) => {
                runtime.block_on(read(&place, at.unwrap_or_else(when::now))).map_err(|why| fail(UNREACHABLE, why))
            }
            Err(code) => Err(code),
        }
    } else {
        runtime.block_on(arguments.server.ask_or_read(
            common,
            "figures",
            async |operator| Answer::ask(operator).await,
            async |place| read(place, when::now()).await,
        ))
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(code) => return code,
    };
    if common.json {
        print(answer.json());
        return ExitCode::SUCCESS;
    }
    if !answer.show() {
        return fail(UNKNOWN, "nothing was asked of any provider yet: there is nothing to measure");
    }
    ExitCode::SUCCESS
}

async fn read(place: &Place, at: WallTime) -> Result<Answer, String> {
    let reader = place.open().await?;
    let uptime = reader.uptime(at).await.map_err(|error| error.to_string())?;
    Ok(Answer::of(uptime.to_json(at), None))
}
