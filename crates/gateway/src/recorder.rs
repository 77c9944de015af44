//! Writes the engine's tape to a file, beside everything else: a thread takes what was decided, and the hot path hands it over
//! without waiting. A tape with gaps could not be replayed, so one that cannot be kept up with ends, and says so.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use weir_engine::Entry;

/// How many decisions may wait to be written.
const WAITING: usize = 65_536;

pub(crate) struct Recorder {
    entries: SyncSender<Vec<Entry>>,
    ended: AtomicBool,
}

impl Recorder {
    /// Begins a tape at `path`, which must not exist.
    pub(crate) fn start(path: &Path) -> io::Result<Self> {
        let file = File::options().write(true).create_new(true).open(path)?;
        let (entries, waiting) = sync_channel(WAITING);
        std::thread::Builder::new().name("recorder".to_owned()).spawn(move || {
            if let Err(error) = write(file, &waiting) {
                tracing::error!("the tape cannot be written any more: {error}");
            }
        })?;
        Ok(Self { entries, ended: AtomicBool::new(false) })
    }

    /// Hands over what was decided. In order, if it is called while the engine is locked.
    pub(crate) fn take(&self, entries: Vec<Entry>) {
        if entries.is_empty() || self.ended.load(Ordering::Relaxed) {
            return;
        }
        if self.entries.try_send(entries).is_err() {
            self.ended.store(true, Ordering::Relaxed);
            tracing::error!("the tape ends here: decisions came faster than they could be written");
        }
    }
}

fn write(file: File, waiting: &Receiver<Vec<Entry>>) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    while let Ok(entries) = waiting.recv() {
        for entries in std::iter::once(entries).chain(waiting.try_iter()) {
            for entry in entries {
                serde_json::to_writer(&mut file, &entry)?;
                file.write_all(b"\n")?;
            }
        }
        file.flush()?;
    }
    file.flush()
}
