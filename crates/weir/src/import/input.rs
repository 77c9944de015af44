//! Log files as arguments: opened, read one after the other, and what was in them told.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use weir_logs::{Call, Names, Options, Progress, Report, read};
use weir_units::numbers::count;

use super::progress::{Bar, size};
use crate::terminal::{say, shown};

/// How log files are read.
#[derive(Args, Clone)]
pub(crate) struct Reading {
    /// Which column or path holds which field, where names are not well known: at=time,status=code,model=model,input-tokens=in,…
    #[arg(long, value_name = "FIELD=NAME,…")]
    map: Option<String>,
    /// The longest line that is read; a longer one counts as damaged
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = bytes)]
    longest_line: usize,
}

/// A size: `16MiB`, `1MB`, or a number of bytes.
fn bytes(text: &str) -> Result<usize, String> {
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "kb" => 1_000,
        "mb" => 1_000_000,
        _ => return Err("write a size like 16MiB".to_owned()),
    };
    let size = number.parse::<usize>().ok().and_then(|number| number.checked_mul(unit));
    size.filter(|size| (1_024..=1 << 30).contains(size)).ok_or_else(|| "from 1KiB to 1024MiB".to_owned())
}

/// What was in the files, one by one.
pub(crate) type Told = Vec<(PathBuf, Report)>;

/// Reads the files; `-` is standard input.
///
/// # Errors
/// A sentence, if the mapping is wrong or a file cannot be opened; then nothing was read.
pub(crate) fn read_all(files: &[PathBuf], how: &Reading, mut sink: impl FnMut(Call<'_>)) -> Result<Told, String> {
    let names = match &how.map {
        Some(text) => Names::mapped(text).map_err(|error| format!("--map: {error}"))?,
        None => Names::default(),
    };
    let mut total = Some(0);
    let files = once(files);
    for path in &files {
        let length = length(path).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
        total = total.zip(length).map(|(sum, length)| sum + length);
    }
    let options = Options { longest: how.longest_line, ..Options::new(&names) };
    let mut bar = Bar::new(total);
    let (mut told, mut before) = (Vec::new(), 0);
    for path in &files {
        let mut progress = |far: Progress| {
            bar.at(before + far.taken);
            true
        };
        let report = if is_stdin(path) {
            read(io::stdin(), options, &mut sink, &mut progress)
        } else {
            File::open(path).and_then(|file| read(file, options, &mut sink, &mut progress))
        };
        let report = report.map_err(|error| {
            bar.end();
            format!("`{}` cannot be read: {error}", path.display())
        })?;
        before += length(path).ok().flatten().unwrap_or(0);
        told.push((path.clone(), report));
    }
    bar.end();
    Ok(told)
}

/// The files without those that are named again, which would count twice.
fn once(files: &[PathBuf]) -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    let mut kept = Vec::new();
    for path in files {
        if seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
            kept.push(path.clone());
        } else {
            say(shown(&format!("{} is named twice, and read once", weir_wire::shown(&path.display().to_string()))));
        }
    }
    kept
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// How many bytes a file has, if it is one that can be opened and is no pipe.
fn length(path: &Path) -> io::Result<Option<u64>> {
    if is_stdin(path) {
        return Ok(None);
    }
    let known = File::open(path)?.metadata()?;
    if known.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder: name the files in it"));
    }
    Ok(known.is_file().then_some(known.len()))
}

/// Of more files than this only those are told one by one in which something is wrong.
const FEW: usize = 20;
/// So many of these.
const WRONG: usize = 10;

/// Says what was read, and what could not be.
pub(crate) fn tell(told: &Told) {
    if told.len() <= FEW {
        return each(told.iter());
    }
    let mut all = Report::default();
    told.iter().for_each(|(_, report)| all.add(report));
    let lines = format!("read {} lines ({})", count(all.records), size(all.bytes));
    say(format_args!("{} files: {}", count(told.len() as u64), found(&all)));
    say(format_args!("  {lines}, {} damaged, {} of no known form", count(all.damaged), count(all.unknown)));
    let wrong =
        |report: &Report| report.damaged > 0 || report.cut.is_some() || (report.calls == 0 && report.unknown > 0);
    let wrong: Vec<_> = told.iter().filter(|(_, report)| wrong(report)).collect();
    each(wrong.iter().copied().take(WRONG));
    if let Some(more) = wrong.len().checked_sub(WRONG).filter(|more| *more > 0) {
        say(format_args!("and {} files more in which something is wrong; --json lists all", count(more as u64)));
    }
}

/// `1,204 calls in LiteLLM spend logs, 3 calls in JSON`
fn found(report: &Report) -> String {
    let of = |(format, calls): (&weir_logs::Format, &u64)| {
        let noun = if *calls == 1 { "call" } else { "calls" };
        format!("{} {noun} in {}", count(*calls), format.title())
    };
    let formats: Vec<String> = report.formats.iter().map(of).collect();
    if formats.is_empty() { "no model's call".to_owned() } else { formats.join(", ") }
}

/// Says it of each.
fn each<'t>(told: impl Iterator<Item = &'t (PathBuf, Report)>) {
    for (path, report) in told {
        say(shown(&format!("{}: {}", weir_wire::shown(&path.display().to_string()), found(report))));
        let lines = if report.records == 1 { "line" } else { "lines" };
        say(shown(&format!("  read {} {lines} ({}){}", count(report.records), size(report.bytes), damage(report))));
        for example in &report.examples {
            say(format_args!("  line {}: {}", count(example.line), example.why));
        }
        if report.elsewhere > 0 {
            say(format_args!("  {} of something else than a model's call", count(report.elsewhere)));
        }
        if let Some(first) = report.first_unknown {
            let few = format!("{} of no known form, first at line {}", count(report.unknown), count(first));
            say(format_args!("  {few}"));
        }
        if report.mended > 0 {
            say(format_args!("  {} had bytes that are no UTF-8 and were read without these", count(report.mended)));
        }
        if !report.nowhere.is_empty() && report.records > 0 {
            let names: Vec<String> =
                report.nowhere.iter().map(|name| format!("`{}`", weir_wire::shown(name))).collect();
            say(shown(&format!("  --map: nothing was at {}", names.join(", "))));
        }
        if let Some(why) = &report.cut {
            say(format_args!("  reading ended early: {why}"));
        }
        if report.calls == 0 && report.unknown > 0 {
            say("  hint  name the columns or paths: --map at=time,status=code,model=model,input-tokens=in");
        }
    }
}

/// `, 1,204 damaged (0.003 %, first at line 88,213)`
fn damage(report: &Report) -> String {
    let Some(first) = report.examples.first() else { return ", none damaged".to_owned() };
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    let share = report.damaged as f64 / report.records.max(1) as f64 * 100.0;
    let share = if share < 0.1 { format!("{share:.3}") } else { format!("{share:.1}") };
    format!(", {} damaged ({share} %, first at line {})", count(report.damaged), count(first.line))
}

/// The same for programs.
pub(crate) fn as_json(told: &Told) -> Value {
    let of = |(path, report): &(PathBuf, Report)| {
        let formats: serde_json::Map<String, Value> =
            report.formats.iter().map(|(format, calls)| (format.title().to_owned(), json!(calls))).collect();
        json!({
            "file": path.display().to_string(),
            "formats": formats,
            "calls": report.calls,
            "lines": report.records,
            "bytes": report.bytes,
            "damaged": report.damaged,
            "first_damaged_line": report.examples.first().map(|example| example.line),
            "examples": report.examples.iter().map(|one| json!({"line": one.line, "why": one.why})).collect::<Vec<_>>(),
            "elsewhere": report.elsewhere,
            "unknown": report.unknown,
            "first_unknown_line": report.first_unknown,
            "mended": report.mended,
            "nowhere": report.nowhere,
            "cut": report.cut,
        })
    };
    told.iter().map(of).collect()
}
