//! `weir spend`: what was spent, by key, model, run and more, as the running gateway adds it up, or from the ledger's file.

mod table;

use std::process::ExitCode;

use clap::Args;
use weir_gateway::{AskFault, Operator};
use weir_ledger::{SpendBy, SpendQuery};

use crate::ledger::Place;
use crate::serve::runtime;
use crate::server::{Server, encoded, millis};
use crate::terminal::{UNREACHABLE, USAGE, fail, print};
use crate::top::not_understood;
use crate::{Common, reading, when};

#[derive(Args)]
#[command(
    after_help = "Spend is known by key, tenant, model, deployment, provider, route, run, day (UTC) and outcome. Model, deployment and provider are\n\
what was called, failed attempts too. What is unknown stands beside a sum, and is never zero in it. The gateway is asked; where none\n\
answers, and --url names no other, the ledger of the configuration is read. The admin key is taken from WEIR_ADMIN_KEY. Without a\n\
terminal, a record a line is printed, with exact dollars.\n\n\
Exit codes: 0 done · 2 wrong usage, or the admin key is refused · 4 neither gateway nor ledger can be reached, or it takes too long"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: Server,
    /// What is told apart, with commas between
    #[arg(long, value_name = "A,B", default_value = "key,model")]
    by: String,
    /// How far back
    #[arg(long, value_name = "SPAN", default_value = "7d")]
    since: String,
    /// Only what this tenant spent
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// The dearest so many, at most 1,000; the others are one sum
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    top: u32,
    /// Read this ledger, its file or url, and ask no gateway
    #[arg(long, value_name = "FILE")]
    ledger: Option<String>,
}

/// Prints the sums.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    let by = match SpendBy::list(&arguments.by) {
        Ok(by) => by,
        Err(why) => return fail(USAGE, why),
    };
    let now = when::now();
    let since = match reading::zone(common).map(|zone| when::since(&arguments.since, &zone, now)) {
        Ok(Ok(since)) => since,
        Ok(Err(why)) => return fail(USAGE, format_args!("--since: {why}")),
        Err(code) => return code,
    };
    let query = SpendQuery { by, since, until: now, tenant: arguments.tenant.clone(), top: arguments.top };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(UNREACHABLE, format_args!("the runtime cannot start: {error}")),
    };
    let answer = match &arguments.ledger {
        Some(named) => match Place::named(named) {
            Ok(place) => runtime.block_on(read(&place, &query)).map_err(|why| fail(UNREACHABLE, why)),
            Err(why) => Err(fail(USAGE, why)),
        },
        None => runtime.block_on(arguments.server.ask_or_read(
            common,
            "sums",
            async |operator| ask_gateway(operator, arguments, &query).await,
            async |place| read(place, &query).await,
        )),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(code) => return code,
    };
    if common.json {
        print(answer.trim_end());
        return ExitCode::SUCCESS;
    }
    match table::Spend::read(&answer) {
        Ok(spend) => table::show(&spend),
        Err(error) => {
            return fail(UNREACHABLE, format_args!("the answer is not understood ({error}): is it another version's?"));
        }
    }
    ExitCode::SUCCESS
}

async fn ask_gateway(operator: &Operator, arguments: &Arguments, query: &SpendQuery) -> Result<String, AskFault> {
    let mut path =
        format!("/admin/v1/spend?by={}&since={}&top={}", encoded(&arguments.by), millis(query.since), arguments.top);
    if let Some(tenant) = &arguments.tenant {
        path.push_str(&format!("&tenant={}", encoded(tenant)));
    }
    let answer = operator.ask(&path).await?;
    // Whatever answers there may be something else.
    serde_json::from_slice::<serde_json::Value>(&answer).map_err(|error| not_understood(operator, &error))?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Adds up what a ledger holds, however long that takes.
async fn read(place: &Place, query: &SpendQuery) -> Result<String, String> {
    let reader = place.open().await?;
    let spend = reader.spend(query, None).await.map_err(|error| error.to_string())?;
    Ok(spend.to_json(query).to_string())
}
