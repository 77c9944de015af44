//! The spill file: where rows wait while the database, or the way to it, cannot take them.
//!
//! A thread of its own appends to it, since a caller must not wait for a disk and the runtime must not either. What was
//! spilled is taken back by renaming the file, so that appending goes on in a new one, and is deleted once it is
//! committed. A crash in between only means that rows are written twice, which is harmless.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use tokio::sync::oneshot;

use crate::ledger::{Message, State};
use crate::lock::beside;
use crate::row::Row;

/// Messages that may be on their way to the file: past this the disk hangs, and keeping more would fill the memory.
const OVERFLOW: usize = 65_536;

/// Bytes after which a batch is written even if more is waiting.
const BATCH: usize = 1 << 20;

/// What the thread is asked.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Keep what the writer's queue had no room for.
    Overflow(Message),
    /// Keep rows that the database refused; the reply comes when they are in the file, or counted as lost.
    Rows(Vec<Row>, oneshot::Sender<()>),
    /// Hand over the file, if there is one.
    Take(oneshot::Sender<io::Result<Option<Taken>>>),
}

/// The way to the thread.
#[derive(Clone, Debug)]
pub(crate) struct Spill {
    asks: Sender<Ask>,
}

impl Spill {
    /// Starts the thread for the database at `database`. It ends when nobody can ask it any more.
    pub(crate) fn start(database: &Path, state: Arc<State>) -> io::Result<Self> {
        let (asks, asked) = channel();
        let keeper = Keeper { file: beside(database, ".spill"), taken: beside(database, ".spill.reading"), state };
        thread::Builder::new().name("weir-spill".to_owned()).spawn(move || keeper.run(&asked))?;
        Ok(Self { asks })
    }

    /// Keeps a message that the queue had no room for.
    pub(crate) fn overflow(&self, state: &State, message: Message) {
        if state.overflow.fetch_add(1, Ordering::Relaxed) >= OVERFLOW {
            state.overflow.fetch_sub(1, Ordering::Relaxed);
            state.loses(1, &"the disk does not keep up");
            return;
        }
        self.ask(Ask::Overflow(message));
    }

    pub(crate) fn ask(&self, ask: Ask) {
        // The thread lives as long as this sender does.
        let _ = self.asks.send(ask);
    }
}

struct Keeper {
    file: PathBuf,
    taken: PathBuf,
    state: Arc<State>,
}

impl Keeper {
    fn run(&self, asked: &Receiver<Ask>) {
        let mut lines = Vec::new();
        while let Ok(first) = asked.recv() {
            let mut count = 0;
            let mut kept = Vec::new();
            let mut next = Some(first);
            while let Some(ask) = next {
                match ask {
                    Ask::Overflow(message) => {
                        self.state.overflow.fetch_sub(1, Ordering::Relaxed);
                        count += self.add(&mut lines, Row::of(message).as_ref());
                    }
                    Ask::Rows(rows, done) => {
                        count += rows.iter().map(|row| self.add(&mut lines, Some(row))).sum::<u64>();
                        kept.push(done);
                    }
                    Ask::Take(reply) => {
                        self.append(&mut lines, std::mem::take(&mut count));
                        let taken = take(&self.file, &self.taken);
                        if matches!(taken, Ok(None)) {
                            // Nothing waits, whatever was counted: somebody may have deleted the file.
                            self.state.spilled.store(0, Ordering::Relaxed);
                        }
                        let _ = reply.send(taken);
                    }
                }
                next = if lines.len() < BATCH { asked.try_recv().ok() } else { None };
            }
            self.append(&mut lines, count);
            for done in kept {
                let _ = done.send(());
            }
            if count > 0 {
                self.state.hurry.notify_one();
            }
        }
    }

    /// Adds a row to the batch; returns how many rows that were.
    fn add(&self, lines: &mut Vec<u8>, row: Option<&Row>) -> u64 {
        let start = lines.len();
        match row.map(|row| serde_json::to_writer(&mut *lines, row)) {
            None => 0,
            Some(Ok(())) => {
                lines.push(b'\n');
                1
            }
            Some(Err(error)) => {
                lines.truncate(start);
                self.state.loses(1, &error);
                0
            }
        }
    }

    fn append(&self, lines: &mut Vec<u8>, count: u64) {
        if lines.is_empty() {
            return;
        }
        match append(&self.file, lines) {
            Ok(()) => {
                self.state.spilled.fetch_add(count, Ordering::Relaxed);
            }
            Err(error) => self.state.loses(count, &error),
        }
        lines.clear();
        lines.shrink_to(BATCH);
    }
}

/// Appends whole lines, or nothing: half a line would spoil the one that follows it.
fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
    let mut file = File::options().create(true).append(true).open(path)?;
    let before = file.metadata()?.len();
    file.write_all(lines).inspect_err(|_| {
        if let Err(error) = file.set_len(before) {
            tracing::error!(%error, "the ledger's spill file ends in half a line");
        }
    })
}

/// Sets the file aside for reading. What an earlier process had set aside comes first.
pub(crate) fn take(file: &Path, taken: &Path) -> io::Result<Option<Taken>> {
    if !taken.try_exists()? {
        match fs::rename(file, taken) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    let reader = BufReader::new(File::open(taken)?);
    Ok(Some(Taken { path: taken.to_owned(), reader }))
}

/// A spill file that is being read back.
#[derive(Debug)]
pub(crate) struct Taken {
    path: PathBuf,
    reader: BufReader<File>,
}

impl Taken {
    /// The next rows, at most `limit`, and how many lines that were; none are left when there was no line. A line that is
    /// not whole, as a crash leaves one, is passed over.
    pub(crate) fn rows(&mut self, limit: usize) -> io::Result<(Vec<Row>, u64)> {
        let (mut rows, mut lines) = (Vec::new(), 0);
        let mut line = Vec::new();
        while rows.len() < limit {
            line.clear();
            if self.reader.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            lines += 1;
            match serde_json::from_slice(&line) {
                Ok(row) => rows.push(row),
                Err(error) => {
                    tracing::warn!(%error, "a line of the ledger's spill file makes no sense and is passed over")
                }
            }
        }
        Ok((rows, lines))
    }

    /// Deletes the file, whose rows are committed.
    pub(crate) fn done(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}
