//! `weir runs`: the agent runs that a gateway remembers, one of them as a tree, and the way to let a halted one go on.

mod list;
mod tree;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};
use weir_gateway::AskFault;

use crate::Common;
use crate::server::{Server, encoded, no_answer};
use crate::terminal::{NO, USAGE, fail, print, say};

const PATH: &str = "/admin/v1/runs";
/// Runs in a page, and the most pages that are read for a list.
const PAGE: usize = 1_000;
const PAGES: usize = 200;

#[derive(Args)]
#[command(
    after_help = "Without a command, runs are listed: halted ones first, then slowed ones, then those that were active last. The admin key is\n\
taken from WEIR_ADMIN_KEY.\n\n\
Exit codes: 0 done · 1 the gateway says no: there is no such run, or nothing to release · 2 wrong usage, or the admin key is\n\
refused · 4 the gateway cannot be reached"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: Server,
    /// Runs of this tenant alone
    #[arg(long, value_name = "TENANT", global = true)]
    tenant: Option<String>,
    /// Runs in this state alone: running, slow, halted, released
    #[arg(long, value_name = "STATE", value_parser = ["running", "slow", "halted", "released"])]
    state: Option<String>,
    /// How many are shown
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    top: u64,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Show a run as a tree: its conversations, and the runs that it started
    Show {
        /// The run
        run: String,
    },
    /// Let a halted run go on; what led to the halt is forgiven
    Release {
        /// The run
        run: String,
        /// The dollars that it may come to, those spent before included
        #[arg(long, value_name = "DOLLARS")]
        max_cost: Option<String>,
        /// The requests that it may come to, those made before included
        #[arg(long, value_name = "N")]
        max_requests: Option<u32>,
        /// The age that it may come to: 6h
        #[arg(long, value_name = "SPAN")]
        max_age: Option<String>,
    },
}

/// Does what was asked.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    let (operator, runtime) = match arguments.server.open() {
        Ok(both) => both,
        Err(code) => return code,
    };
    let tenant = arguments.tenant.as_deref();
    let asked = runtime.block_on(async {
        match &arguments.action {
            None => list_all(&operator, tenant, arguments.state.as_deref()).await,
            Some(Action::Show { run }) => {
                let query = tenant.map(|tenant| format!("?tenant={}", encoded(tenant))).unwrap_or_default();
                read(&operator.ask(&format!("{PATH}/{}{query}", encoded(run))).await?)
            }
            Some(Action::Release { run, max_cost, max_requests, max_age }) => {
                let body =
                    json!({ "tenant": tenant, "max_cost": max_cost, "max_requests": max_requests, "max_age": max_age });
                let path = format!("{PATH}/{}/release", encoded(run));
                read(&operator.send(Method::POST, &path, Some(body.to_string())).await?)
            }
        }
    });
    let answer = match asked {
        Ok(answer) => answer,
        Err(AskFault::Refused(status, why)) if arguments.action.is_some() && matches!(status.as_u16(), 404 | 409) => {
            return fail(NO, why);
        }
        Err(AskFault::Refused(status, why)) if status.as_u16() == 400 => return fail(USAGE, why),
        Err(fault) => return no_answer(&fault),
    };
    if common.json {
        print(answer);
        return ExitCode::SUCCESS;
    }
    match &arguments.action {
        None => list::show(&answer, usize::try_from(arguments.top).unwrap_or(usize::MAX)),
        Some(Action::Show { .. }) => tree::show(&answer),
        Some(Action::Release { .. }) => {
            let told = |member: &str| weir_wire::shown(answer[member].as_str().unwrap_or("-"));
            say(format_args!(
                "run `{}` of tenant `{}` goes on; it has cost ${} so far",
                told("run"),
                told("tenant"),
                told("cost_usd")
            ));
        }
    }
    ExitCode::SUCCESS
}

/// All pages of the list, as one.
async fn list_all(
    operator: &weir_gateway::Operator,
    tenant: Option<&str>,
    state: Option<&str>,
) -> Result<Value, AskFault> {
    let mut filter = format!("?limit={PAGE}");
    for (name, text) in [("tenant", tenant), ("state", state)] {
        if let Some(text) = text {
            filter.push_str(&format!("&{name}={}", encoded(text)));
        }
    }
    let mut whole = read(&operator.ask(&format!("{PATH}{filter}")).await?)?;
    for _ in 1..PAGES {
        let Some(next) = whole["next"].as_str() else { break };
        let mut page = read(&operator.ask(&format!("{PATH}{filter}&after={}", encoded(next))).await?)?;
        whole["next"] = page["next"].take();
        if let (Some(all), Some(more)) = (whole["runs"].as_array_mut(), page["runs"].as_array_mut()) {
            all.append(more);
        }
    }
    Ok(whole)
}

fn read(answer: &[u8]) -> Result<Value, AskFault> {
    serde_json::from_slice(answer)
        .map_err(|error| AskFault::Unreachable(format!("what answers is no gateway: {error}")))
}
