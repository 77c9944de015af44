//! `weir export`: the requests of a ledger as JSON Lines or CSV, one after the other, so that memory stays the same for any number.

mod csv;
#[cfg(feature = "parquet")]
mod parquet;
mod record;

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use weir_engine::Zone;
use weir_ledger::{Filter, Query, Reader};

use crate::ledger::Place;
use crate::serve::runtime;
use crate::server::Server;
use crate::terminal::{UNREACHABLE, USAGE, draw, fail, say};
use crate::{Common, reading, when};

/// Requests that are read at once.
const PAGE: u32 = 1_000;
/// When the first word of progress is said, and how often from then on.
const FIRST_WORD: Duration = Duration::from_millis(300);
const NEXT_WORD: Duration = Duration::from_millis(500);

#[derive(Args)]
#[command(
    after_help = "The newest request comes first. JSON Lines are the records as `weir trace --json` shows them; CSV has a row for each, and a quote (')\n\
before what a spreadsheet would take for a formula. The ledger may be served meanwhile; it is read directly. The export is put into\n\
the audit log first: by the gateway that serves the ledger (`--url`, with an operator's key in WEIR_ADMIN_KEY), or by this command where none does.\n\
Where it cannot be, that is said, and the export is made all the same.\n\n\
Exit codes: 0 done · 2 wrong usage · 4 the ledger cannot be read, or the file not be written"
)]
pub(crate) struct Arguments {
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// Only what arrived then or later: a duration before now (7d), or 2026-11-18T14:47:03Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only what arrived before
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only what has this: key=…, tenant=…, route=…, deployment=…, provider=…, model=…, status=5xx, errors=true, refused-by=…,
    /// outcome=…, run=…, tag=NAME=VALUE, cost=0.25, trace=…, upstream=…; may be given more than once
    #[arg(long = "where", value_name = "NAME=VALUE")]
    filters: Vec<String>,
    /// The file to write; without it, standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
    /// The ledger's file or url, if it is not the configuration's
    #[arg(long, value_name = "FILE")]
    ledger: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Jsonl,
    Csv,
    /// Where weir is built with `--features parquet`
    Parquet,
}

/// Writes the requests.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    let filter = match reading::zone(common).map(|zone| filter(arguments, &zone)) {
        Ok(Ok(filter)) => filter,
        Ok(Err(why)) => return fail(USAGE, why),
        Err(code) => return code,
    };
    if arguments.format == Format::Parquet {
        if !cfg!(feature = "parquet") {
            let why = "--format: this weir is built without Parquet; build it with `--features parquet`, or write csv";
            return fail(USAGE, why);
        }
        if arguments.out.is_none() && io::stdout().is_terminal() {
            return fail(USAGE, "--format: Parquet is no text for a terminal; name a file with --out");
        }
    }
    let place = match Place::of(common, arguments.ledger.as_deref()) {
        Ok(place) => place,
        Err(code) => return code,
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(UNREACHABLE, format_args!("the runtime cannot start: {error}")),
    };
    let done = runtime.block_on(async {
        let reader = place.open().await?;
        if let Err(why) = record::on_record(&place, &arguments.server, arguments).await {
            say(format_args!("this export is not in the audit log: {why}"));
        }
        match &arguments.out {
            Some(path) => to_file(&reader, filter, arguments.format, path).await,
            None => {
                let mut out = BufWriter::new(io::stdout());
                write(&reader, filter, arguments.format, &mut out).await
            }
        }
    });
    match done {
        Ok(_) => ExitCode::SUCCESS,
        Err(why) => fail(UNREACHABLE, why),
    }
}

/// What is asked for.
fn filter(arguments: &Arguments, zone: &Zone) -> Result<Filter, String> {
    let now = when::now();
    let time = |name: &str, text: &Option<String>| {
        let read = |text: &String| when::moment(text, zone, now).map_err(|why| format!("--{name}: {why}"));
        text.as_ref().map(read).transpose()
    };
    let (since, until) = (time("since", &arguments.since)?, time("until", &arguments.until)?);
    let mut filter = Filter { since, until, ..Filter::default() };
    for pair in &arguments.filters {
        let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
        let shown = format!("--where {name}");
        match filter.set(name, text, now) {
            Ok(true) => {}
            Ok(false) => return Err(format!("{shown}: there is no such filter: {} are", Filter::NAMES.join(", "))),
            Err(expected) => return Err(format!("{shown}: `{text}` is not what it takes: {expected}")),
        }
    }
    Ok(filter)
}

/// The file appears once it is whole.
async fn to_file(reader: &Reader, filter: Filter, format: Format, path: &Path) -> Result<u64, String> {
    let failed = |error: io::Error| format!("write `{}`: {error}", path.display());
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let mut out = BufWriter::new(File::create(&part).map_err(failed)?);
    let written = write(reader, filter, format, &mut out).await;
    drop(out);
    match written {
        Ok(count) => {
            fs::rename(&part, path).map_err(failed)?;
            say(format_args!("{count} requests in {}", path.display()));
            Ok(count)
        }
        Err(error) => {
            let _ = fs::remove_file(&part);
            Err(error)
        }
    }
}

/// Writes page after page; returns how many requests that were.
async fn write(reader: &Reader, filter: Filter, format: Format, out: &mut (impl Write + Send)) -> Result<u64, String> {
    let mut query = Query { filter, limit: PAGE, before: None };
    let mut progress = Progress { count: 0, next: Instant::now() + FIRST_WORD, shown: false };
    #[cfg(feature = "parquet")]
    if format == Format::Parquet {
        let mut file = parquet::Parquet::begin(out)?;
        loop {
            let page = reader.requests(&query).await.map_err(|error| error.to_string())?;
            page.iter().try_for_each(|record| file.row(record))?;
            progress.more(page.len());
            query.before = page.last().and_then(|record| csv::id(record));
            if page.len() < PAGE as usize || query.before.is_none() {
                file.end()?;
                progress.end();
                return Ok(progress.count);
            }
        }
    }
    let ended = |done: io::Result<()>| match done {
        Ok(()) => Ok(true),
        // Whoever reads has enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(format!("write: {error}")),
    };
    let mut text = String::new();
    if format == Format::Csv {
        csv::header(&mut text);
    }
    loop {
        let page = reader.requests(&query).await.map_err(|error| error.to_string())?;
        for record in &page {
            match format {
                Format::Jsonl => text.push_str(record),
                Format::Csv => csv::row(&mut text, record).map_err(|error| format!("a record is damaged: {error}"))?,
                // It is written in columns, above.
                Format::Parquet => {}
            }
            text.push('\n');
        }
        if !ended(out.write_all(text.as_bytes()))? {
            return Ok(progress.count);
        }
        text.clear();
        progress.more(page.len());
        query.before = page.last().and_then(|record| csv::id(record));
        if page.len() < PAGE as usize || query.before.is_none() {
            ended(out.flush())?;
            progress.end();
            return Ok(progress.count);
        }
    }
}

/// Says on a terminal how far it is.
struct Progress {
    count: u64,
    next: Instant,
    shown: bool,
}

impl Progress {
    fn more(&mut self, count: usize) {
        self.count += count as u64;
        if Instant::now() >= self.next && io::stderr().is_terminal() {
            draw(format_args!("\r{} requests", self.count));
            (self.shown, self.next) = (true, Instant::now() + NEXT_WORD);
        }
    }

    fn end(&self) {
        if self.shown {
            draw("\r\x1b[K");
        }
    }
}
