//! The file of slices: a first line that says what it is, then one line for each batch, with a checksum before it.
//!
//! A batch is synced before anybody is told of it. What a crash tears is therefore a last line that nobody relies on, and
//! it is passed over. A line that makes no sense and has good ones behind it was told of: then the file is not believed.
//! Each start, and each time that the file has grown well beyond what it says, it is written anew beside itself and
//! renamed, so a crash finds either.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use twox_hash::XxHash64;
use weir_units::NanoUsd;

use super::{BudgetName, Slice, SliceBalance, SliceError, SliceRecord};
use crate::lock::{Lock, LockError, beside};

/// What the first line begins with; the version follows.
const KIND: &str = "weir budgets ";
const VERSION: u32 = 1;
/// The file is not written anew below so many bytes.
const SMALL: u64 = 64 << 10;
/// Nor while it has fewer than so many times the bytes that it would have.
const GROWN: u64 = 8;

/// The record, open for writing by this process alone.
#[derive(Debug)]
pub(super) struct SliceFile {
    path: PathBuf,
    /// None after a write that failed: the file may end in anything, and is written anew before it is used again.
    file: Option<File>,
    length: u64,
    /// Its length when it was last written anew.
    fresh: u64,
    balances: BTreeMap<BudgetName, SliceBalance>,
    _lock: Lock,
}

impl SliceFile {
    pub(super) fn open(path: &Path) -> Result<Self, SliceError> {
        let failed = |source| SliceError::Io { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let lock = Lock::take(path).map_err(|error| match error {
            LockError::Taken(holder) => SliceError::Served { path: path.to_owned(), holder },
            LockError::Io(source) => failed(source),
        })?;
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        let balances = read(path, &bytes)?;
        let mut file = Self { path: path.to_owned(), file: None, length: 0, fresh: 0, balances, _lock: lock };
        file.renew(&[]).map_err(failed)?;
        Ok(file)
    }

    pub(super) fn balances(&self) -> Vec<SliceBalance> {
        self.balances.values().cloned().collect()
    }

    /// Puts records on the disk, all or none.
    pub(super) fn append(&mut self, records: &[SliceRecord]) -> io::Result<()> {
        let grown = self.length >= SMALL.max(self.fresh.saturating_mul(GROWN));
        match self.file.take().filter(|_| !grown) {
            Some(mut file) => {
                let line = line(&records)?;
                file.write_all(&line)?;
                file.sync_data()?;
                self.length += line.len() as u64;
                self.file = Some(file);
            }
            None => self.renew(records)?,
        }
        records.iter().for_each(|record| add(&mut self.balances, record));
        Ok(())
    }

    /// Writes what is known, and `records`, into a new file, and puts that in the place of the old one.
    fn renew(&mut self, records: &[SliceRecord]) -> io::Result<()> {
        let new = beside(&self.path, ".new");
        let mut bytes = format!("{KIND}{VERSION}\n").into_bytes();
        for balance in self.balances.values() {
            let SliceBalance { budget, period, lent, spent } = balance.clone();
            bytes.extend(line(&[SliceRecord::Lend(Slice { budget, period, amount: lent, spent })])?);
        }
        if !records.is_empty() {
            bytes.extend(line(&records)?);
        }
        let mut file = File::create(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        sync_folder(&self.path)?;
        (self.length, self.fresh) = (bytes.len() as u64, bytes.len() as u64);
        self.file = Some(file);
        Ok(())
    }
}

/// A rename is on the disk when its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn line(records: &impl serde::Serialize) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(records)?;
    let mut line = format!("{:016x} ", XxHash64::oneshot(0, &json)).into_bytes();
    line.extend(json);
    line.push(b'\n');
    Ok(line)
}

/// What a line says, if it is whole.
fn records(line: &[u8]) -> Option<Vec<SliceRecord>> {
    let (checksum, json) = line.split_at_checked(17)?;
    let checksum = std::str::from_utf8(checksum).ok()?.strip_suffix(' ')?;
    (u64::from_str_radix(checksum, 16).ok()? == XxHash64::oneshot(0, json)).then_some(())?;
    serde_json::from_slice(json).ok()
}

fn read(path: &Path, bytes: &[u8]) -> Result<BTreeMap<BudgetName, SliceBalance>, SliceError> {
    let mut balances = BTreeMap::new();
    let head = format!("{KIND}{VERSION}\n");
    if head.as_bytes().starts_with(bytes) {
        return Ok(balances);
    }
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let version = lines.next().and_then(|first| std::str::from_utf8(first).ok()?.strip_prefix(KIND)?.parse().ok());
    match version {
        Some(VERSION) => {}
        Some(found) if found > VERSION => {
            return Err(SliceError::Newer { path: path.to_owned(), found, known: VERSION });
        }
        _ => return Err(SliceError::NoRecord { path: path.to_owned() }),
    }
    let mut torn = None;
    for (line, number) in lines.zip(2..) {
        match (records(line), torn) {
            (Some(_), Some(line)) => return Err(SliceError::Damaged { path: path.to_owned(), line }),
            (Some(records), None) => records.iter().for_each(|record| add(&mut balances, record)),
            (None, None) if !line.is_empty() => torn = Some(number),
            (None, _) => {}
        }
    }
    if let Some(line) = torn {
        tracing::warn!(line, "the last line of the budgets' record is not whole and is passed over");
    }
    Ok(balances)
}

fn add(balances: &mut BTreeMap<BudgetName, SliceBalance>, record: &SliceRecord) {
    let (slice, lends) = match record {
        SliceRecord::Lend(slice) => (slice, true),
        SliceRecord::TakeBack(slice) => (slice, false),
        SliceRecord::Forget(budget) => {
            balances.remove(budget);
            return;
        }
    };
    let Slice { budget, period, amount, spent } = slice.clone();
    let new = SliceBalance { budget: budget.clone(), period, lent: NanoUsd::ZERO, spent };
    let balance = balances.entry(budget).or_insert_with(|| new.clone());
    // Who lends for another period has closed the one before.
    if balance.period != period {
        *balance = new;
    }
    balance.spent = spent;
    balance.lent = match lends {
        true => balance.lent + amount,
        false => balance.lent.saturating_sub(amount).max(spent),
    };
}

#[cfg(test)]
mod tests {
    use weir_units::WallTime;

    use super::*;

    fn slice(name: &str, period: i64, amount: i64) -> Slice {
        let budget = BudgetName { scope: "key".into(), name: name.into() };
        Slice { budget, period: WallTime(period), amount: NanoUsd(amount), spent: NanoUsd(0) }
    }

    fn lend(amount: i64) -> SliceRecord {
        SliceRecord::Lend(slice("a", 1, amount))
    }

    /// What may be spent of each budget.
    type Spendable = BTreeMap<(String, i64), i64>;

    fn count(spendable: &mut Spendable, batch: &[SliceRecord], lends: bool) {
        for record in batch {
            let (slice, amount) = match record {
                SliceRecord::Lend(slice) if lends => (slice, slice.amount.0),
                SliceRecord::TakeBack(slice) if !lends => (slice, -slice.amount.0),
                _ => continue,
            };
            *spendable.entry((slice.budget.name.to_string(), slice.period.0)).or_default() += amount;
        }
    }

    #[test]
    fn cut_at_every_byte_the_record_holds_all_that_may_have_been_spent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weir.db.budgets");
        let mut file = SliceFile::open(&path).unwrap();
        let batches = [
            vec![lend(100)],
            vec![SliceRecord::Lend(slice("b", 1, 40)), lend(50)],
            vec![SliceRecord::TakeBack(slice("a", 1, 30))],
            vec![lend(10), SliceRecord::TakeBack(slice("b", 1, 5))],
            vec![SliceRecord::Lend(slice("a", 2, 5))],
        ];
        // From which length of the file on so much may be spent: a slice once it is told of, what is taken back not from
        // the moment that it is asked for.
        let mut spendable = Spendable::new();
        let mut told = Vec::new();
        for batch in batches {
            count(&mut spendable, &batch, false);
            told.push((file.length, spendable.clone()));
            file.append(&batch).unwrap();
            count(&mut spendable, &batch, true);
        }
        told.push((file.length, spendable));
        drop(file);
        let whole = fs::read(&path).unwrap();
        let first_line = whole.iter().position(|byte| *byte == b'\n').unwrap();
        assert_eq!(whole.len() as u64, told.last().unwrap().0);
        for cut in 0..=whole.len() {
            for tail in [&b""[..], b"\0\0\0\0", b"0123456789abcdef [\n"] {
                let mut torn = whole[..cut].to_vec();
                torn.extend(tail);
                if cut <= first_line && !tail.is_empty() {
                    continue;
                }
                let mut found = read(&path, &torn).unwrap();
                if cut % 16 == 0 {
                    fs::write(&path, &torn).unwrap();
                    found = SliceFile::open(&path).unwrap().balances;
                    assert_eq!(SliceFile::open(&path).unwrap().balances, found, "what a start makes of it stays");
                }
                let (_, least) = told.iter().rev().find(|(length, _)| *length <= cut as u64).unwrap_or(&told[0]);
                for ((name, period), spendable) in least {
                    let balance = found.values().find(|balance| *balance.budget.name == **name);
                    let is_over = balance.is_some_and(|balance| balance.period.0 > *period);
                    let lent = balance.map_or(0, |balance| balance.lent.0);
                    assert!(is_over || lent >= *spendable, "{name}: {lent} of {spendable} when cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn after_a_write_that_failed_the_file_is_written_anew_with_what_was_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weir.db.budgets");
        let mut file = SliceFile::open(&path).unwrap();
        file.append(&[lend(5)]).unwrap();
        file.file = Some(File::open(&path).unwrap());
        assert!(file.append(&[lend(9)]).is_err(), "it is open for reading only");
        assert_eq!(file.balances()[0].lent, NanoUsd(5));
        file.append(&[lend(2)]).unwrap();
        file.append(&[lend(1)]).unwrap();
        drop(file);
        assert_eq!(SliceFile::open(&path).unwrap().balances()[0].lent, NanoUsd(8));
    }

    #[test]
    fn a_file_that_grew_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weir.db.budgets");
        let mut file = SliceFile::open(&path).unwrap();
        let batch: Vec<SliceRecord> = (0..100).map(|_| lend(1)).collect();
        for _ in 0..50 {
            file.append(&batch).unwrap();
            assert!(fs::metadata(&path).unwrap().len() <= SMALL + 20_000);
        }
        assert_eq!(file.balances()[0].lent, NanoUsd(5_000));
        drop(file);
        assert_eq!(SliceFile::open(&path).unwrap().balances()[0].lent, NanoUsd(5_000));
        assert!(fs::metadata(&path).unwrap().len() < 1_000);
    }
}
