//! `cargo xtask tidy`: every house rule over the whole tree, all faults at once.

use std::path::Path;
use std::process::ExitCode;

use crate::{arrows, links, say, source, tree};

/// Checks the tree below `root`.
pub(crate) fn run(root: &Path) -> ExitCode {
    let read = tree::files(root).map_err(|e| format!("the tree cannot be read: {e}"));
    let (files, metadata) = match (read, arrows::metadata(root)) {
        (Ok(files), Ok(metadata)) => (files, metadata),
        (Err(why), _) | (_, Err(why)) => {
            say(std::io::stderr(), format_args!("error: {why}"));
            return ExitCode::from(2);
        }
    };
    let mut faults = arrows::check(&metadata, &root.to_string_lossy(), &files);
    faults.extend(source::check(&files));
    faults.extend(links::check(&files, |path| root.join(path).exists()));
    faults.sort();
    for fault in &faults {
        say(std::io::stderr(), fault);
    }
    if faults.is_empty() {
        say(std::io::stdout(), format_args!("tidy: {} files keep the house rules", files.len()));
        return ExitCode::SUCCESS;
    }
    say(std::io::stderr(), format_args!("tidy: {} faults", faults.len()));
    ExitCode::FAILURE
}
