//! Reaching a gateway that runs: its address from the command line, the admin key from the environment, where `ps` does not
//! show it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tokio::runtime::Runtime;
use weir_gateway::{AskFault, Operator};
use weir_units::WallTime;

use crate::ledger::Place;
use crate::serve::runtime;
use crate::terminal::{NO, UNREACHABLE, USAGE, fail, say};
use crate::{Common, reading};

/// The variable that holds the admin key.
const ADMIN_KEY: &str = "WEIR_ADMIN_KEY";
/// Where a gateway listens that was told nothing else.
const DEFAULT_URL: &str = "http://127.0.0.1:4141";

#[derive(Args, Clone)]
pub(crate) struct Server {
    /// Where the gateway's admin API is: its `listen`, or `admin-listen` where that is set
    #[arg(long, value_name = "URL", default_value = DEFAULT_URL, global = true)]
    url: String,
    /// Certificates to trust beside those of the platform
    #[arg(long, value_name = "FILE", global = true)]
    ca_file: Option<PathBuf>,
}

impl Server {
    /// Prepares to ask it.
    pub(crate) fn operator(&self) -> Result<Operator, AskFault> {
        let key = std::env::var(ADMIN_KEY).ok().filter(|key| !key.is_empty());
        Operator::new(&self.url, key.as_deref(), self.ca_file.as_deref())
    }

    /// Prepares to ask it, and what asks; if either cannot be, why is said.
    pub(crate) fn open(&self) -> Result<(Operator, Runtime), ExitCode> {
        let operator = self.operator().map_err(|fault| no_answer(&fault))?;
        let runtime =
            runtime().map_err(|error| fail(UNREACHABLE, format_args!("the runtime cannot start: {error}")))?;
        Ok((operator, runtime))
    }

    /// Asks the gateway; where none answers at the usual address, reads the configuration's ledger.
    pub(crate) async fn ask_or_read<T>(
        &self,
        common: &Common,
        what: &str,
        ask: impl AsyncFnOnce(&Operator) -> Result<T, AskFault>,
        read: impl AsyncFnOnce(&Place) -> Result<T, String>,
    ) -> Result<T, ExitCode> {
        let asked = match self.operator() {
            Ok(operator) => ask(&operator).await,
            Err(fault) => Err(fault),
        };
        match asked {
            Ok(answer) => Ok(answer),
            Err(fault) => {
                let place = self.ledger_instead(common, &fault, what)?;
                read(&place).await.map_err(|why| fail(UNREACHABLE, why))
            }
        }
    }

    /// The configuration's ledger in the place of a gateway that gave no answer, where nobody said which gateway; else why there is none.
    pub(crate) fn ledger_instead(&self, common: &Common, fault: &AskFault, what: &str) -> Result<Place, ExitCode> {
        let configured = || {
            let config = reading::config(common).filter(reading::is_there)?;
            Place::configured(&config).ok()
        };
        match (fault, self.is_default().then(configured).flatten()) {
            (AskFault::Unreachable(why), Some(place)) => {
                say(format_args!("{why}; these are the {what} of {place}"));
                Ok(place)
            }
            _ => Err(no_answer(fault)),
        }
    }

    /// Whether nobody said where it is.
    pub(crate) fn is_default(&self) -> bool {
        self.url == DEFAULT_URL
    }
}

/// A text as a part of a path or query: every byte that could mean something else there is written in hexadecimal.
pub(crate) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Says why there is no answer and what to do, and leaves with the code for it.
pub(crate) fn no_answer(fault: &AskFault) -> ExitCode {
    let (code, hint) = match fault {
        AskFault::Given(_) => (USAGE, None),
        AskFault::Unreachable(_) => (UNREACHABLE, Some("is `weir serve` running there? `--url` names another address")),
        AskFault::Refused(status, _) if status.as_u16() == 401 => {
            (USAGE, Some("put the server's `admin-key` into the environment as WEIR_ADMIN_KEY"))
        }
        AskFault::Refused(status, _) if status.as_u16() == 403 => {
            (NO, Some("WEIR_ADMIN_KEY is the key of somebody whose role is another: `[admins]` says who may what"))
        }
        AskFault::Refused(status, _) if status.as_u16() == 404 => {
            (UNREACHABLE, Some("with `admin-listen`, `--url` is that address; an older Weir has no such page"))
        }
        AskFault::Refused(..) => (UNREACHABLE, None),
    };
    let code = fail(code, fault);
    if let Some(hint) = hint {
        say(format_args!("  hint  {hint}"));
    }
    code
}

/// A time as it is asked for. So few milliseconds would be taken for seconds, and of 1973 and before there is nothing.
pub(crate) fn millis(at: WallTime) -> i64 {
    const LEAST: i64 = 100_000_000_000;
    Some(at.millis()).filter(|millis| *millis >= LEAST).unwrap_or(0)
}
