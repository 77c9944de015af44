//! `weir import logs`: what other tools logged, as records of the ledger.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use weir_config::ProcessEnvironment;
use weir_ledger::{Entry, Imported, Importer, Options, Postgres, StoreError};
use weir_logs::{Call, Entries};
use weir_units::WallTime;
use weir_units::numbers::count;

use super::input::{Reading, as_json, read_all, tell};
use crate::Common;
use crate::ledger::Place;
use crate::serve::{read_config, runtime};
use crate::terminal::{UNKNOWN, UNREACHABLE, USAGE, fail, print, say};

/// Records that are written at once.
const GROUP: usize = 8_192;

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

/// Takes calls in, and writes them in groups.
struct Intake {
    runtime: tokio::runtime::Runtime,
    /// None where nothing is written.
    importer: Option<Importer>,
    entries: Entries,
    waiting: Vec<Waiting>,
    imported: Imported,
    without_time: u64,
    /// The times of the first call and of the last.
    span: Option<(WallTime, WallTime)>,
    /// Why nothing can be written any more.
    trouble: Option<String>,
}

impl Intake {
    fn take(&mut self, call: Call<'_>) {
        let Some(entry) = self.entries.entry(&call) else {
            self.without_time += 1;
            return;
        };
        let at = entry.started_at;
        self.span = Some(self.span.map_or((at, at), |(first, last)| (at.min(first), at.max(last))));
        self.waiting.push(match call.record {
            Some(record) => Waiting::Record(record.into()),
            None => Waiting::Entry(Box::new(entry)),
        });
        if self.waiting.len() >= GROUP {
            self.write();
        }
    }

    /// Writes what waits.
    fn write(&mut self) {
        let (mut group, mut records) = (Vec::with_capacity(self.waiting.len()), Vec::new());
        for one in self.waiting.drain(..) {
            match one {
                Waiting::Entry(entry) => group.push(*entry),
                Waiting::Record(record) => records.push(record),
            }
        }
        let Some(importer) = self.importer.as_mut().filter(|_| self.trouble.is_none()) else {
            self.imported.added += (group.len() + records.len()) as u64;
            return;
        };
        let written = self.runtime.block_on(async {
            let of_calls = importer.add(group).await?;
            let (of_records, _) = importer.add_records(&records).await?;
            Ok::<_, StoreError>([of_calls, of_records])
        });
        match written {
            Ok(both) => {
                for written in both {
                    self.imported.added += written.added;
                    self.imported.known += written.known;
                    self.imported.gone += written.gone;
                }
            }
            Err(error) => self.trouble = Some(error.to_string()),
        }
    }

    /// Writes the rest, and closes the ledger.
    fn finish(&mut self) -> Result<(), String> {
        self.write();
        if let Some(importer) = self.importer.take() {
            let closed = self.runtime.block_on(importer.close()).map_err(|error| error.to_string());
            self.trouble = self.trouble.take().or(closed.err());
        }
        match self.trouble.take() {
            Some(why) => Err(format!("{why}; import the same files again, nothing is doubled")),
            None => Ok(()),
        }
    }
}

/// Imports the files.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    let mut intake = match intake(common, arguments) {
        Ok(intake) => intake,
        Err((code, why)) => return fail(code, why),
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
fn intake(common: &Common, arguments: &Arguments) -> Result<Intake, (u8, String)> {
    let options = options(common, arguments.ledger.as_deref()).map_err(|why| (USAGE, why))?;
    let runtime = runtime().map_err(|error| (UNREACHABLE, format!("the runtime cannot start: {error}")))?;
    let mut importer = None;
    if !arguments.dry_run {
        let opened = runtime.block_on(Importer::open(&options)).map_err(|error| (UNREACHABLE, error.to_string()))?;
        importer = Some(opened);
    }
    Ok(Intake {
        runtime,
        importer,
        entries: Entries::default(),
        waiting: Vec::with_capacity(GROUP),
        imported: Imported::default(),
        without_time: 0,
        span: None,
        trouble: None,
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
fn options(common: &Common, named: Option<&str>) -> Result<Options, String> {
    let config = read_config(common.config.as_deref(), &ProcessEnvironment).config;
    let place = match named {
        Some(named) => Place::named(named)?,
        None => Place::of(common, None)?,
    };
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
