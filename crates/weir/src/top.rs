//! `weir top`: what the gateway does right now, on one screen that redraws itself; or once, in plain lines.

mod aside;
mod failures;
mod frame;
mod help;
mod limits;
mod line;
pub(crate) mod plain;
mod screen;
pub(crate) mod snapshot;
mod watch;
pub(crate) mod words;

use std::process::ExitCode;

use clap::Args;
use weir_gateway::{AskFault, Operator};

use crate::Common;
use crate::server::{Server, no_answer};
use crate::terminal::{moves, print};
use snapshot::Snapshot;

#[derive(Args)]
#[command(
    after_help = "The admin key is taken from WEIR_ADMIN_KEY. Without a terminal, or with --once, one frame is printed: a record a line.\n\
Agent runs are listed by `weir runs`.\n\n\
Exit codes: 0 done · 2 wrong usage, or the admin key is refused · 4 the gateway cannot be reached · 130 interrupted"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: Server,
    /// Print one frame as plain lines, and leave
    #[arg(long)]
    once: bool,
}

/// Shows the gateway until somebody leaves.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    let (operator, runtime) = match arguments.server.open() {
        Ok(both) => both,
        Err(code) => return code,
    };
    let (text, snapshot) = match runtime.block_on(ask(&operator)) {
        Ok(answer) => answer,
        Err(fault) => return no_answer(&fault),
    };
    if common.json {
        print(text.trim_end());
    } else if arguments.once || !moves() {
        print(plain::lines(&snapshot, operator.authority()).join("\n"));
    } else {
        let code = watch::watch(&runtime, operator, snapshot);
        // A question under way is not waited for.
        runtime.shutdown_background();
        return code;
    }
    ExitCode::SUCCESS
}

/// Asks once: the answer as it came, and as it was understood.
async fn ask(operator: &Operator) -> Result<(String, Snapshot), AskFault> {
    let answer = operator.ask("/admin/v1/live").await?;
    let snapshot = Snapshot::read(&answer).map_err(|e| not_understood(operator, &e))?;
    Ok((String::from_utf8_lossy(&answer).into_owned(), snapshot))
}

/// What answers there is no Weir, or another version of it.
pub(crate) fn not_understood(operator: &Operator, error: &serde_json::Error) -> AskFault {
    let (server, own) = (operator.authority(), env!("CARGO_PKG_VERSION"));
    AskFault::Unreachable(format!(
        "{server} answers what weir {own} does not understand ({error}): is it another version?"
    ))
}

#[cfg(test)]
mod tests;
