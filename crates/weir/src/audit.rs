//! `weir audit`: who did what at the admin interface, and whether anybody has changed the log of it.

mod show;
mod source;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use weir_engine::Zone;
use weir_gateway::AskFault;
use weir_ledger::{AuditChain, AuditHead, AuditQuery, AuditRecord};

use crate::audit::source::{Source, Trouble};
use crate::serve::runtime;
use crate::server::{Server, no_answer};
use crate::terminal::{NO, UNREACHABLE, USAGE, fail, print, say};
use crate::{Common, reading, when};

/// Rows that one question asks for.
const PAGE: u32 = 5_000;

#[derive(Args)]
#[command(
    after_help = "The gateway is asked, which takes an auditor's key or root's in WEIR_ADMIN_KEY, and puts the reading on record. Where none answers,\n\
and --url names no other, the ledger of the configuration is read.\n\n\
Exit codes: 0 done, or the log is whole · 1 the log was changed, or the head is not in it · 2 wrong usage, or the key is refused ·\n\
4 neither gateway nor ledger can be reached"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: Server,
    /// Read this ledger's file, and ask no gateway
    #[arg(long, value_name = "FILE", global = true)]
    ledger: Option<PathBuf>,
    #[command(flatten)]
    filter: Filter,
    /// Print comma-separated values
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Args)]
struct Filter {
    /// Only what this person did; `system` is Weir itself
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// Only this action, like key.revoke; `key.` is all that begin with it
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only what was done to this
    #[arg(long, value_name = "NAME")]
    what: Option<String>,
    /// How far back: 7d, or from a time on
    #[arg(long, value_name = "SPAN")]
    since: Option<String>,
    /// Up to so long ago, 1d, or up to a time
    #[arg(long, value_name = "SPAN")]
    until: Option<String>,
    /// The newest so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    top: u32,
}

#[derive(Subcommand)]
enum Action {
    /// Check that no row was changed, taken out or put elsewhere
    Verify {
        /// A head that was told at some time, with a report, an alert or `weir audit head`: it must still be in the log
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
    },
    /// Print the newest row's sequence and hash, to be kept where nobody can change it
    Head,
}

/// Does what was asked.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    let zone = match reading::zone(common) {
        Ok(zone) => zone,
        Err(code) => return code,
    };
    let query = match query(&arguments.filter, &zone) {
        Ok(query) => query,
        Err(why) => return fail(USAGE, why),
    };
    if let Some(Action::Verify { head: Some(head) }) = &arguments.action
        && (head.len() != 64 || !head.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        return fail(USAGE, "`--head` takes 64 hexadecimal digits, as `weir audit head` prints them last");
    }
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(UNREACHABLE, format_args!("the runtime cannot start: {error}")),
    };
    let done = runtime.block_on(async {
        let source = Source::open(common, &arguments.server, arguments.ledger.as_deref()).await?;
        match &arguments.action {
            None => list(&source, query, arguments.filter.top, Form::of(common.json, arguments.csv)).await,
            Some(Action::Verify { head }) => verify(&source, head.as_deref()).await,
            Some(Action::Head) => {
                let AuditHead { sequence, hash } = source.head().await?;
                print(format_args!("{sequence} {hash}"));
                Ok(ExitCode::SUCCESS)
            }
        }
    });
    done.unwrap_or_else(|trouble| match trouble {
        Trouble::Gateway(AskFault::Refused(status, why)) if status.as_u16() == 400 => fail(USAGE, why),
        Trouble::Gateway(fault) => no_answer(&fault),
        Trouble::Ledger(why) => fail(UNREACHABLE, why),
    })
}

/// How rows are printed.
#[derive(Clone, Copy)]
enum Form {
    People,
    Json,
    Csv,
}

impl Form {
    fn of(json: bool, csv: bool) -> Self {
        match (json, csv) {
            (true, _) => Self::Json,
            (_, true) => Self::Csv,
            _ => Self::People,
        }
    }
}

fn query(filter: &Filter, zone: &Zone) -> Result<AuditQuery, String> {
    let now = when::now();
    let time = |span: &Option<String>, name: &str| {
        let read = |text: &String| when::moment(text, zone, now).map_err(|why| format!("--{name}: {why}"));
        span.as_ref().map(read).transpose()
    };
    Ok(AuditQuery {
        who: filter.who.clone(),
        action: filter.action.clone(),
        what: filter.what.clone(),
        since: time(&filter.since, "since")?,
        until: time(&filter.until, "until")?,
        ..AuditQuery::default()
    })
}

/// Prints rows, the newest first, page by page.
async fn list(source: &Source, mut query: AuditQuery, top: u32, form: Form) -> Result<ExitCode, Trouble> {
    let mut left = top;
    if matches!(form, Form::Csv) {
        print(show::CSV_HEAD);
    }
    let mut rows = Vec::new();
    while left > 0 {
        query.limit = left.min(PAGE);
        let page = source.rows(&query).await?;
        let whole = page.len() == query.limit as usize;
        left -= u32::try_from(page.len()).unwrap_or(left);
        query.before = page.last().map(|row| row.sequence);
        match form {
            // Widths are those of all rows.
            Form::People => rows.extend(page),
            Form::Json => page.iter().for_each(|row| print(row.to_json())),
            Form::Csv => page.iter().for_each(|row| print(show::csv(row))),
        }
        if !whole {
            break;
        }
    }
    if matches!(form, Form::People) {
        show::show(&rows);
    }
    Ok(ExitCode::SUCCESS)
}

/// Checks the chain up to what was its head when it was first asked.
async fn verify(source: &Source, told: Option<&str>) -> Result<ExitCode, Trouble> {
    let head = source.head().await?;
    let mut chain = told.map_or_else(AuditChain::default, AuditChain::seeking);
    let mut query = AuditQuery { oldest_first: true, limit: PAGE, ..AuditQuery::default() };
    loop {
        let page: Vec<AuditRecord> = source.rows(&query).await?;
        let end = page.len() < PAGE as usize;
        for row in page {
            if let Err(broken) = chain.check(&row) {
                let right = chain.head();
                let code = fail(NO, format_args!("the audit log was changed: {broken}"));
                say(format_args!("  where  {}   right up to row {}, {}", source.place(), right.sequence, right.hash));
                return Ok(code);
            }
            query.after = Some(row.sequence);
        }
        if end || chain.head().sequence >= head.sequence {
            break;
        }
    }
    if chain.head().sequence < head.sequence {
        let (sequence, own) = (head.sequence, chain.head().sequence);
        let why = format!("the audit log was cut: the gateway wrote {sequence} rows, and it ends with row {own}");
        return Ok(fail(NO, why));
    }
    if let Some(told) = told
        && chain.found().is_none()
    {
        let code = fail(NO, format_args!("the audit log was cut or written anew: no row has the hash {told}"));
        say(format_args!("  where  {}   what is there is a chain that is whole, and another one", source.place()));
        return Ok(code);
    }
    let found = chain.found().map(|row| format!("; the head that was told is row {row}")).unwrap_or_default();
    let AuditHead { sequence, hash } = chain.head();
    print(format_args!("whole: {sequence} rows, the newest has the hash {hash}{found}"));
    Ok(ExitCode::SUCCESS)
}
