//! The installation's secret: what hashes in facts are keyed with, so that nobody can tell from them what was said.
//!
//! It lies beside the database and not in it: whoever gets a copy of the ledger gets hashes that cannot be tried out.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::lock::beside;

/// Reads the secret of the ledger at `database`; where there is none yet, `fresh` becomes it.
///
/// # Errors
/// When the file beside the database can be neither read nor made, or does not hold 32 bytes.
pub fn installation_secret(database: &Path, fresh: [u8; 32]) -> io::Result<[u8; 32]> {
    let path = beside(database, ".secret");
    match File::options().write(true).create_new(true).mode(0o600).open(&path) {
        Ok(mut file) => {
            file.write_all(&fresh)?;
            file.sync_all()?;
            Ok(fresh)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let mut secret = [0; 32];
            let mut file = File::open(&path)?;
            file.read_exact(&mut secret).or_else(|_| torn(&path, &mut secret, fresh))?;
            Ok(secret)
        }
        Err(error) => Err(error),
    }
}

/// The process that made it died before it had written it: nothing was keyed with it yet.
fn torn(path: &Path, secret: &mut [u8; 32], fresh: [u8; 32]) -> io::Result<()> {
    tracing::warn!(path = %path.display(), "the installation's secret was not whole, and is made anew");
    fs::write(path, fresh)?;
    *secret = fresh;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_first_secret_stays_and_nobody_else_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("weir.db");
        assert_eq!(installation_secret(&database, [7; 32]).unwrap(), [7; 32]);
        assert_eq!(installation_secret(&database, [8; 32]).unwrap(), [7; 32]);
        let file = folder.path().join("weir.db.secret");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&file, [1; 5]).unwrap();
        assert_eq!(installation_secret(&database, [9; 32]).unwrap(), [9; 32]);
        assert_eq!(installation_secret(&database, [7; 32]).unwrap(), [9; 32]);
        assert!(installation_secret(Path::new("/nowhere/at/all/weir.db"), [0; 32]).is_err());
    }
}
