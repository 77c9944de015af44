//! Reads one input from its first byte to its last, and tells what was in it: calls, and what could not be read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::call::{Call, Format};
use crate::entry::likeness;
use crate::formats::{Decoder, Mapping, Verdict};
use crate::json::{Paths, Slot};
use crate::source::{Packing, Record, Records, unpack};
use crate::tally::{Recent, hash};

/// The longest record, if nothing else is said: 16 MiB.
const LONGEST: usize = 16 << 20;

/// Records between two words of progress.
const EVERY: u64 = 512;

/// The names under which fields are looked for.
#[derive(Debug, Default)]
pub struct Names {
    paths: Paths,
    /// The user's words for fields.
    mapped: Vec<(String, Slot)>,
}

/// Why a mapping cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// It is not of the form `name=column`.
    #[error("`{0}` is no mapping: write at=time,status=code,model=model,input-tokens=in")]
    Form(String),
    /// There is no such field.
    #[error("`{0}` is no field: {names} are", names = Mapping::NAMES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "))]
    Field(String),
}

impl Names {
    /// The usual names, and those that a text like `at=time,status=code` gives to fields; a path into JSON has `/` or `.` between its
    /// names.
    ///
    /// # Errors
    /// If it is no such text, or names a field that there is not.
    pub fn mapped(text: &str) -> Result<Self, MapError> {
        let mut names = Self::default();
        for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
            let (field, column) = pair.split_once('=').ok_or_else(|| MapError::Form(pair.to_owned()))?;
            let (field, column) = (field.trim(), column.trim());
            let slot = Mapping::slot(field).ok_or_else(|| MapError::Field(field.to_owned()))?;
            if column.is_empty() {
                return Err(MapError::Form(pair.to_owned()));
            }
            names.paths.map(column, slot);
            names.mapped.push((column.to_owned(), slot));
        }
        Ok(names)
    }
}

/// How an input is read.
#[derive(Clone, Copy, Debug)]
pub struct Options<'n> {
    /// The names of fields.
    pub names: &'n Names,
    /// The longest record; what is longer is damaged, and never held in memory.
    pub longest: usize,
}

impl<'n> Options<'n> {
    /// As usual: records of up to 16 MiB.
    #[must_use]
    pub fn new(names: &'n Names) -> Self {
        Self { names, longest: LONGEST }
    }
}

/// A record that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where it begins, in lines counted from 1.
    pub line: u64,
    /// Why.
    pub why: String,
}

/// What was in an input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Lines, or elements of an array, or rows.
    pub records: u64,
    /// Bytes once unpacked.
    pub bytes: u64,
    /// Model calls.
    pub calls: u64,
    /// Calls by what wrote them down.
    pub formats: BTreeMap<Format, u64>,
    /// Records of something else than a model's call.
    pub elsewhere: u64,
    /// Records of no known form.
    pub unknown: u64,
    /// Where the first of those is.
    pub first_unknown: Option<u64>,
    /// Records that could not be read.
    pub damaged: u64,
    /// The first of those.
    pub examples: Vec<Damage>,
    /// Records that were read though some of their bytes are no UTF-8.
    pub mended: u64,
    /// Names that were mapped to fields, and at which no record had anything.
    pub nowhere: Vec<String>,
    /// Why reading ended before the end, if it did: a damaged or cut archive.
    pub cut: Option<String>,
}

impl Report {
    /// The examples that are kept.
    const EXAMPLES: usize = 3;

    fn damage(&mut self, line: u64, why: String) {
        self.damaged += 1;
        if self.examples.len() < Self::EXAMPLES {
            self.examples.push(Damage { line, why });
        }
    }

    /// Adds what was in another input.
    pub fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.bytes += other.bytes;
        self.calls += other.calls;
        for (format, count) in &other.formats {
            *self.formats.entry(*format).or_default() += count;
        }
        self.elsewhere += other.elsewhere;
        self.unknown += other.unknown;
        self.first_unknown = self.first_unknown.or(other.first_unknown);
        self.damaged += other.damaged;
        self.examples.extend(other.examples.iter().take(Self::EXAMPLES.saturating_sub(self.examples.len())).cloned());
        self.mended += other.mended;
        self.cut = self.cut.take().or_else(|| other.cut.clone());
    }
}

/// How far reading is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Bytes of the input as it is packed.
    pub taken: u64,
    /// Records so far.
    pub records: u64,
}

/// Reads `input`, packed or not; each call goes to `sink`, and how far it is to `progress`, which ends the reading when it says false.
///
/// # Errors
/// When the input cannot be read at all; what goes wrong later is in the report.
pub fn read(
    input: impl Read + Send + 'static,
    options: Options<'_>,
    mut sink: impl FnMut(Call<'_>),
    mut progress: impl FnMut(Progress) -> bool,
) -> io::Result<Report> {
    let unpacked = unpack(input)?;
    let taken = unpacked.taken;
    let bytes = AtomicU64::new(0);
    let counted = Counted { input: unpacked.reader, bytes: &bytes };
    let mut records = Records::new(counted, options.longest);
    let mut decoder = Decoder::new(&options.names.paths, !options.names.mapped.is_empty(), options.longest);
    let mut sorted = Sorted::default();
    let (mut calls, mut formats) = (0_u64, BTreeMap::new());
    let mut alike: Recent<u32> = Recent::default();
    let mut told = |mut call: Call<'_>| {
        calls += 1;
        if call.id.is_none() && call.at.is_some() {
            let parts = likeness(&call);
            let seen = alike.entry(hash(&parts.iter().map(String::as_str).collect::<Vec<_>>()));
            call.nth = *seen;
            *seen = seen.saturating_add(1);
        }
        *formats.entry(call.format).or_insert(0) += 1;
        sink(call);
    };
    while let Some(record) = records.next() {
        let verdict = match record {
            Record::Whole(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                let lossy = matches!(text, Cow::Owned(_));
                let read = decoder.record(&text, &mut told);
                sorted.report.mended += u64::from(lossy && matches!(read, Verdict::Read(_)));
                match read {
                    Verdict::Unknown | Verdict::Stray if lossy => Verdict::Damaged("bytes that are no text".to_owned()),
                    read => read,
                }
            }
            Record::TooLong(length) => {
                Verdict::Damaged(format!("it is longer than {} bytes ({length})", options.longest))
            }
            Record::Broken(_) => Verdict::Damaged("it ends in its midst".to_owned()),
            Record::Cut(why) => {
                sorted.report.cut = Some(match unpacked.packing {
                    Packing::Plain | Packing::Other(_) => why,
                    Packing::Gzip => format!("the gzip archive is damaged or was cut ({why})"),
                    Packing::Zstd => format!("the zstd archive is damaged or was cut ({why})"),
                });
                continue;
            }
        };
        sorted.take(verdict, records.begin());
        let far = Progress { taken: taken.load(Ordering::Relaxed), records: sorted.report.records };
        if sorted.report.records.is_multiple_of(EVERY) && !progress(far) {
            break;
        }
    }
    if let Some(Verdict::Damaged(why)) = decoder.finish(&mut told) {
        sorted.report.damage(records.begin(), why);
    }
    let mut report = sorted.done(formats);
    let nowhere = options.names.mapped.iter().filter(|(_, slot)| decoder.mapped() & 1 << (*slot as u8) == 0);
    report.nowhere = nowhere.map(|(name, _)| name.clone()).collect();
    if let Packing::Other(what) = unpacked.packing {
        report.cut = Some(format!("it is {what}"));
    }
    report.calls = calls;
    report.bytes = bytes.load(Ordering::Relaxed);
    Ok(report)
}

/// What became of records so far.
#[derive(Default)]
struct Sorted {
    report: Report,
    /// Texts of no known form, and where the first of them are.
    strays: u64,
    first_strays: Vec<u64>,
}

impl Sorted {
    fn take(&mut self, verdict: Verdict, line: u64) {
        self.report.records += 1;
        match verdict {
            Verdict::Elsewhere(_) => self.report.elsewhere += 1,
            Verdict::Unknown => {
                self.report.unknown += 1;
                self.report.first_unknown = self.report.first_unknown.or(Some(line));
            }
            Verdict::Stray => {
                self.strays += 1;
                if self.first_strays.len() < Report::EXAMPLES {
                    self.first_strays.push(line);
                }
            }
            Verdict::Damaged(why) => self.report.damage(line, why),
            Verdict::Read(_) | Verdict::Part => {}
        }
    }

    /// The report, once it is known what the calls were read from.
    fn done(self, formats: BTreeMap<Format, u64>) -> Report {
        let mut report = self.report;
        // Where every line is a record, a text that is none is a damaged one, also before the first that was read.
        if formats.keys().any(|format| format.is_strict()) {
            report.damaged += self.strays;
            let why = "no record of this log";
            report.examples.extend(self.first_strays.into_iter().map(|line| Damage { line, why: why.to_owned() }));
            report.examples.sort_by_key(|damage| damage.line);
            report.examples.truncate(Report::EXAMPLES);
        } else {
            report.unknown += self.strays;
            report.first_unknown = report.first_unknown.or(self.first_strays.first().copied());
        }
        report.formats = formats;
        report
    }
}

/// Counts what is read.
struct Counted<'b, R> {
    input: R,
    bytes: &'b AtomicU64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(into)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
