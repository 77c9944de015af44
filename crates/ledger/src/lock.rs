//! One serving process a file: the lock beside the database.
//!
//! SQLite would let two processes write in turns, but each would close the other's open requests as lost when it starts.
//! The lock is the operating system's, so it ends with the process however that ends.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Held as long as this process may write.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Why the lock is not ours.
#[derive(Debug)]
pub(crate) enum LockError {
    /// Another process has it; its process id, if it could be read.
    Taken(Option<u32>),
    /// The lock file cannot be used.
    Io(io::Error),
}

impl Lock {
    /// Takes the lock of the database at `database`, without waiting.
    pub(crate) fn take(database: &Path) -> Result<Self, LockError> {
        let path = beside(database, ".lock");
        let mut file =
            File::options().create(true).truncate(false).read(true).write(true).open(path).map_err(LockError::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let holder = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(LockError::Taken(holder));
            }
            Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
        }
        file.set_len(0).map_err(LockError::Io)?;
        file.rewind().map_err(LockError::Io)?;
        writeln!(file, "{}", std::process::id()).map_err(LockError::Io)?;
        Ok(Self { _file: file })
    }
}

/// The path of a file that belongs to the database: its own path with `suffix` added.
pub(crate) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(suffix);
    PathBuf::from(name)
}
