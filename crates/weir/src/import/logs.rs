//! `weir import logs`: what other tools logged, as records of the ledger.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use weir_config::ProcessEnvironment;
use weir_ledger::{Entry, Imported, Importer, Options, Postgres, StoreError};
use weir_logs::{Call, Entries};
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

/// What became of calls.
#[derive(Default)]
struct Done {
    imported: Imported,
    without_time: u64,
    first: Option<String>,
    last: Option<String>,
}

/// Imports the files.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> ExitCode {
    let options = match options(common, arguments.ledger.as_deref()) {
        Ok(options) => options,
        Err(why) => return fail(USAGE, why),
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(UNREACHABLE, format_args!("the runtime cannot start: {error}")),
    };
    let mut importer = None;
    if !arguments.dry_run {
        match runtime.block_on(Importer::open(&options)) {
            Ok(opened) => importer = Some(opened),
            Err(error) => return fail(UNREACHABLE, error),
        }
    }
    let (mut entries, mut waiting, mut done) = (Entries::default(), Vec::with_capacity(GROUP), Done::default());
    let (mut span, mut trouble) = (None, None);
    let mut write = |waiting: &mut Vec<Waiting>, done: &mut Done| {
        let (mut group, mut records) = (Vec::with_capacity(GROUP), Vec::new());
        for one in waiting.drain(..) {
            match one {
                Waiting::Entry(entry) => group.push(*entry),
                Waiting::Record(record) => records.push(record),
            }
        }
        let Some(importer) = &mut importer else {
            done.imported.added += (group.len() + records.len()) as u64;
            return Ok(());
        };
        let written = runtime.block_on(async {
            let of_calls = importer.add(group).await?;
            let (of_records, _) = importer.add_records(&records).await?;
            Ok::<_, StoreError>([of_calls, of_records])
        });
        for written in written.map_err(|error| error.to_string())? {
            done.imported.added += written.added;
            done.imported.known += written.known;
            done.imported.gone += written.gone;
        }
        Ok(())
    };
    let told = read_all(&arguments.files, &arguments.reading, |call: Call<'_>| {
        let Some(entry) = entries.entry(&call) else {
            done.without_time += 1;
            return;
        };
        let at = entry.started_at;
        span = Some(span.map_or((at, at), |(first, last)| (at.min(first), at.max(last))));
        waiting.push(match call.record {
            Some(record) => Waiting::Record(record.into()),
            None => Waiting::Entry(Box::new(entry)),
        });
        if waiting.len() >= GROUP && trouble.is_none() {
            trouble = write(&mut waiting, &mut done).err();
        } else if trouble.is_some() {
            waiting.clear();
        }
    });
    let told = match told {
        Ok(told) => told,
        Err(why) => return fail(USAGE, why),
    };
    let last: Result<(), String> = write(&mut waiting, &mut done);
    if let Some(importer) = importer {
        let _ = runtime.block_on(importer.close());
    }
    if let Some(why) = trouble.or(last.err()) {
        return fail(UNREACHABLE, format_args!("{why}; import the same files again, nothing is doubled"));
    }
    (done.first, done.last) = span.map(|(first, last)| (first.to_string(), last.to_string())).unzip();
    if common.json {
        let Imported { added, known, gone } = done.imported;
        print(
            json!({"dry_run": arguments.dry_run, "added": added, "known": known, "gone": gone, "without_time": done.without_time,
            "first": done.first, "last": done.last, "files": as_json(&told)}),
        );
    } else {
        tell(&told);
        summary(&done, arguments.dry_run);
    }
    let calls: u64 = told.iter().map(|(_, report)| report.calls).sum();
    if calls == 0 { ExitCode::from(UNKNOWN) } else { ExitCode::SUCCESS }
}

fn summary(done: &Done, dry_run: bool) {
    let Imported { added, known, gone } = done.imported;
    let verb = if dry_run { "would import" } else { "imported" };
    let mut text = format!("{verb} {} calls", count(added));
    if let (Some(first), Some(last)) = (&done.first, &done.last) {
        text.push_str(&format!(" from {first} to {last}"));
    }
    if known > 0 {
        text.push_str(&format!(", {} were there already", count(known)));
    }
    if gone > 0 {
        text.push_str(&format!(", {} are of days whose detail is deleted and were left out", count(gone)));
    }
    if done.without_time > 0 {
        text.push_str(&format!(", {} have no time and were left out", count(done.without_time)));
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
