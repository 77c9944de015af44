//! `weir import logs`: what other tools logged, as records of the ledger.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use clap::Args;
use serde_json::json;
use tokio::runtime::Runtime;
use weir_ledger::{Entry, Imported, Importer, Options, Postgres, StoreError};
use weir_logs::{Call, InOrder};
use weir_units::WallTime;
use weir_units::numbers::count;

use super::input::{Reading, as_json, read_all, tell};
use crate::ledger::Place;
use crate::serve::runtime;
use crate::terminal::{UNKNOWN, UNREACHABLE, USAGE, fail, print, say};
use crate::{Common, reading};

/// Records that are written at once.
const GROUP: usize = 8_192;

/// Groups that may wait to be written.
const AHEAD: usize = 1;

#[derive(Args)]
#[command(
    after_help = "What is read is told by its content: logs of LiteLLM, exports of Langfuse and Helicone, debug logs of OpenAI's and Anthropic's SDKs,\n\
access logs of nginx, ALB and Envoy, spans of OpenTelemetry, Weir's own exports, other JSON and CSV; gzip and zstd as well. `-` is\n\
standard input. Records get the tag `source`. A gateway may serve the ledger meanwhile. docs/guide/import.md has an example of each.\n\n\
Exit codes: 0 imported · 2 wrong usage, or a file cannot be read · 3 no model's call was found · 4 the ledger cannot be written"
)]
pub(crate) struct Arguments {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    /// Read and tell, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// The ledger's file or url, if it is not the configuration's
    #[arg(long, value_name = "FILE")]
    ledger: Option<String>,
}

/// What is to be written.
enum Waiting {
    /// A record that was made of a call.
    Entry(Box<Entry>),
    /// A record that Weir wrote.
    Record(String),
}

/// Takes calls in, and hands them on in groups; while one is written the next is read.
struct Intake {
    /// None where nothing is written.
    writer: Option<Writer>,
    order: InOrder,
    waiting: Vec<Waiting>,
    imported: Imported,
    without_time: u64,
    /// The times of the first call and of the last.
    span: Option<(WallTime, WallTime)>,
}

/// The thread that writes.
struct Writer {
    groups: SyncSender<Vec<Waiting>>,
    /// What it has written, and why it could not go on, if so.
    thread: JoinHandle<(Imported, Option<String>)>,
}

impl Intake {
    fn take(&mut self, mut call: Call<'_>) {
        let Some(at) = call.at else {
            self.without_time += 1;
            return;
        };
        self.span = Some(self.span.map_or((at, at), |(first, last)| (at.min(first), at.max(last))));
        if let Some(record) = call.record.take() {
            // It stays as it is.
            self.waiting.push(Waiting::Record(record.into()));
        } else {
            let waiting = &mut self.waiting;
            self.order.take(&call, &mut |entry| waiting.push(Waiting::Entry(Box::new(entry))));
        }
        self.hand_on(GROUP);
    }

    /// Hands on what waits, if that is so many at least.
    fn hand_on(&mut self, least: usize) {
        while self.waiting.len() >= least.max(1) {
            let rest = self.waiting.split_off(self.waiting.len().min(GROUP));
            let group = std::mem::replace(&mut self.waiting, rest);
            match &self.writer {
                // Where it has ended, it says why in the end.
                Some(writer) => drop(writer.groups.send(group)),
                None => self.imported.added += group.len() as u64,
            }
        }
    }

    /// Has the rest written, and the ledger closed.
    fn finish(&mut self) -> Result<(), String> {
        let waiting = &mut self.waiting;
        self.order.finish(&mut |entry| waiting.push(Waiting::Entry(Box::new(entry))));
        self.hand_on(1);
        let Some(Writer { groups, thread }) = self.writer.take() else { return Ok(()) };
        drop(groups);
        let (imported, trouble) = thread.join().map_err(|_| "the import broke off".to_owned())?;
        self.imported = imported;
        match trouble {
            Some(why) => Err(format!("{why}; import the same files again, nothing is doubled")),
            None => Ok(()),
        }
    }
}

/// Writes groups until there are no more, and closes the ledger.
fn write_all(runtime: &Runtime, mut importer: Importer, groups: &Receiver<Vec<Waiting>>) -> (Imported, Option<String>) {
    let mut imported = Imported::default();
    let mut trouble = None;
    for group in groups {
        match runtime.block_on(write(&mut importer, group)) {
            Ok(both) => {
                for written in both {
                    imported.added += written.added;
                    imported.known += written.known;
                    imported.gone += written.gone;
                }
            }
            Err(error) => {
                trouble = Some(error.to_string());
                break;
            }
        }
    }
    let closed = runtime.block_on(importer.close()).map_err(|error| error.to_string());
    (imported, trouble.or(closed.err()))
}

/// Writes a group.
async fn write(importer: &mut Importer, group: Vec<Waiting>) -> Result<[Imported; 2], StoreError> {
    let (mut entries, mut records) = (Vec::new(), Vec::new());
    for one in group {
        match one {
            Waiting::Entry(entry) => entries.push(*entry),
            Waiting::Record(record) => records.push(record),
        }
    }
    let of_calls = importer.add(entries).await?;
    let (of_records, _) = importer.add_records(&records).await?;
    Ok([of_calls, of_records])
}

/// Imports the files.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    let mut intake = match intake(common, arguments) {
        Ok(intake) => intake,
        Err(code) => return code,
    };
    let told = match read_all(&arguments.files, &arguments.reading, |call| intake.take(call)) {
        Ok(told) => told,
        Err(why) => return fail(USAGE, why),
    };
    if let Err(why) = intake.finish() {
        return fail(UNREACHABLE, why);
    }
    if common.json {
        let Imported { added, known, gone } = intake.imported;
        let (first, last) = intake.span.map(|(first, last)| (first.to_string(), last.to_string())).unzip();
        print(json!({"dry_run": arguments.dry_run, "added": added, "known": known, "gone": gone,
            "without_time": intake.without_time, "first": first, "last": last, "files": as_json(&told)}));
    } else {
        tell(&told);
        summary(&intake, arguments.dry_run);
    }
    let calls: u64 = told.iter().map(|(_, report)| report.calls).sum();
    if calls == 0 { ExitCode::from(UNKNOWN) } else { ExitCode::SUCCESS }
}

/// The ledger, opened.
fn intake(common: &Common, arguments: &Arguments) -> Result<Intake, ExitCode> {
    let options = options(common, arguments.ledger.as_deref())?;
    let mut writer = None;
    if !arguments.dry_run {
        let runtime =
            runtime().map_err(|error| fail(UNREACHABLE, format_args!("the runtime cannot start: {error}")))?;
        let importer = runtime.block_on(Importer::open(&options)).map_err(|error| fail(UNREACHABLE, error))?;
        let (groups, coming) = sync_channel(AHEAD);
        let thread = std::thread::spawn(move || write_all(&runtime, importer, &coming));
        writer = Some(Writer { groups, thread });
    }
    Ok(Intake {
        writer,
        order: InOrder::default(),
        waiting: Vec::with_capacity(GROUP),
        imported: Imported::default(),
        without_time: 0,
        span: None,
    })
}

fn summary(intake: &Intake, dry_run: bool) {
    let Imported { added, known, gone } = intake.imported;
    let verb = if dry_run { "would import" } else { "imported" };
    let mut text = format!("{verb} {} calls", count(added));
    if let Some((first, last)) = intake.span {
        text.push_str(&format!(" from {first} to {last}"));
    }
    if known > 0 {
        text.push_str(&format!(", {} were there already", count(known)));
    }
    if gone > 0 {
        text.push_str(&format!(", {} are of days whose detail is deleted and were left out", count(gone)));
    }
    if intake.without_time > 0 {
        text.push_str(&format!(", {} have no time and were left out", count(intake.without_time)));
    }
    say(text);
}

/// The ledger that is written to.
fn options(common: &Common, named: Option<&str>) -> Result<Options, ExitCode> {
    // Where a ledger is named, there need be no configuration; but one that is named, too, must be sound.
    let config = match named {
        Some(_) => reading::named_config(common)?.or_else(|| reading::config(common)),
        None => Some(reading::sound_config(common)?),
    };
    let place = match (named, &config) {
        (None, Some(config)) => Place::configured(config),
        (named, _) => Place::named(named.unwrap_or_default()),
    };
    let place = place.map_err(|why| fail(USAGE, why))?;
    let mut options = match place {
        Place::File(path) => Options::new(path),
        Place::Postgres(postgres) => with_postgres(&config, postgres),
    };
    if let Some(config) = &config {
        options.retention = config.ledger.retention;
    }
    Ok(options)
}

fn with_postgres(config: &Option<weir_config::Config>, postgres: Postgres) -> Options {
    let path = config.as_ref().map_or_else(|| "weir.db".into(), |config| config.ledger.path.clone());
    Options { postgres: Some(postgres), ..Options::new(path) }
}
