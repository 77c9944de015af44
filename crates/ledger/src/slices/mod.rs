//! Slices of strict budgets on record: what was lent may be spent, so it is on a disk before it is.
//!
//! The record is a file of its own beside the database and not a table in it: a slice must survive a loss of power, which
//! the database's commits need not, and must not wait behind them. [`Slices`] is the way to it: a thread puts down all
//! that has come in at once and syncs once, so that nobody's request touches a disk.

mod file;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use weir_units::{NanoUsd, WallTime};

use file::SliceFile;

/// A budget, by what it is for and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BudgetName {
    /// `config` for those of the config, whosever they are; else what it is for, such as `run`.
    pub scope: Arc<str>,
    /// Its name, unique in its scope.
    pub name: Arc<str>,
}

/// Some of a budget's money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// Whose.
    #[serde(flatten)]
    pub budget: BudgetName,
    /// The start of the period that it is lent for.
    pub period: WallTime,
    /// How much.
    pub amount: NanoUsd,
    /// What of the period's money is known to be spent.
    pub spent: NanoUsd,
}

/// What happens to slices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SliceRecord {
    /// It may be spent once this is on record.
    Lend(Slice),
    /// It is not spent and will not be.
    TakeBack(Slice),
    /// The budget is no more.
    Forget(BudgetName),
}

/// What is on record of a budget: of the last period that something was lent for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceBalance {
    /// Whose.
    #[serde(flatten)]
    pub budget: BudgetName,
    /// The start of the period.
    pub period: WallTime,
    /// What was lent and not taken back: no less than what was spent, wherever the process was killed.
    pub lent: NanoUsd,
    /// What of that is known to be spent.
    pub spent: NanoUsd,
}

/// Why the record cannot be opened, or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SliceError {
    /// Another process lends from it.
    #[error(
        "open the budgets' record `{}`: another weir process{} writes to it; stop that one or set another `url` in [ledger]",
        path.display(), holder.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    Served {
        /// The file.
        path: PathBuf,
        /// The process id of the other, if it could be read.
        holder: Option<u32>,
    },
    /// A newer version of Weir has written it.
    #[error(
        "open the budgets' record `{}`: it is of version {found}, and this weir knows no later one than {known}; run the \
         weir that wrote it, or a newer one",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest that this version knows.
        known: u32,
    },
    /// It is something else.
    #[error("open the budgets' record `{}`: the file is no record of weir's budgets", path.display())]
    NoRecord {
        /// The file.
        path: PathBuf,
    },
    /// Something in the middle of it was changed.
    #[error(
        "open the budgets' record `{}`: line {line} is damaged, and what it said of money spent is lost; restore the file \
         from a copy, or move it away: then strict budgets begin anew with what the ledger knows",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first line that makes no sense.
        line: usize,
    },
    /// The file or its folder cannot be used.
    #[error("use the budgets' record `{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The way to the record. Cheap to clone; the record is closed when the last is gone.
#[derive(Clone, Debug)]
pub struct Slices {
    asks: Sender<Ask>,
    path: PathBuf,
}

#[derive(Debug)]
enum Ask {
    Put(Vec<SliceRecord>, oneshot::Sender<Result<(), Arc<io::Error>>>),
    Close(Sender<()>),
}

impl Slices {
    /// Opens the record at `path`, made if there is none, and says what is on it. It blocks: it is for a start.
    ///
    /// # Errors
    /// When the file is not ours to write, or not a record that this version understands. Nothing is changed then.
    pub fn open(path: &Path) -> Result<(Self, Vec<SliceBalance>), SliceError> {
        let file = SliceFile::open(path)?;
        let balances = file.balances();
        let (asks, asked) = channel();
        thread::Builder::new()
            .name("weir-slices".to_owned())
            .spawn(move || serve(file, &asked))
            .map_err(|source| SliceError::Io { path: path.to_owned(), source })?;
        Ok((Self { asks, path: path.to_owned() }, balances))
    }

    /// Puts records down, in this order, all or none; returns when they are on the disk itself.
    ///
    /// The order of two calls is the order of the calls, not of their ends.
    ///
    /// # Errors
    /// When they could not be written. They may be on record all the same, so a slice of them is not to be spent, and
    /// what was to be taken back is not to be counted on.
    pub fn put(&self, records: Vec<SliceRecord>) -> impl Future<Output = Result<(), SliceError>> + Send + use<> {
        let (done, answer) = oneshot::channel();
        // Sent now and not when first polled, so that the order of calls is kept.
        let sent = self.asks.send(Ask::Put(records, done));
        let path = self.path.clone();
        async move {
            let gone = || Arc::new(io::Error::other("the thread that writes it has ended"));
            let written = match sent {
                Ok(()) => answer.await.unwrap_or_else(|_| Err(gone())),
                Err(_) => Err(gone()),
            };
            written.map_err(|source| SliceError::Io { path, source: io::Error::new(source.kind(), source) })
        }
    }

    /// Closes the record for all handles, once what was asked before is done. It blocks: it is for an end.
    pub fn close(self) {
        let (done, closed) = channel();
        if self.asks.send(Ask::Close(done)).is_ok() {
            // Nothing is sent: the thread drops its end when it is done.
            let _ = closed.recv();
        }
    }
}

/// Puts down what comes in, until nobody is left to ask or the record is closed.
fn serve(mut file: SliceFile, asked: &Receiver<Ask>) {
    while let Ok(first) = asked.recv() {
        let (mut records, mut waiting, mut closing) = (Vec::new(), Vec::new(), None);
        let mut next = Some(first);
        while let Some(ask) = next {
            match ask {
                Ask::Put(more, done) => {
                    records.extend(more);
                    waiting.push(done);
                }
                Ask::Close(done) => {
                    closing = Some(done);
                    break;
                }
            }
            next = asked.try_recv().ok();
        }
        if !waiting.is_empty() {
            let written = file.append(&records).map_err(Arc::new);
            if let Err(error) = &written {
                tracing::error!(%error, "slices of budgets cannot be put on record; strict budgets wait until they can");
            }
            for done in waiting {
                let _ = done.send(written.clone());
            }
        }
        if closing.is_some() {
            // The lock goes before the answer.
            return drop(file);
        }
    }
}
