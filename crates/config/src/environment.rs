//! What a config takes from around it: environment variables and files.
//!
//! A trait, so that tests state their whole world and no test depends on the machine's.

use std::io;
use std::path::Path;

/// Where variables and files are looked up.
pub trait Environment {
    /// The variable's value; `None` where it is not set or not Unicode.
    fn var(&self, name: &str) -> Option<String>;

    /// The file's text.
    ///
    /// # Errors
    /// As the file system says, also where the text is not UTF-8.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// Whether a secret that is not set is a fault.
    fn needs_secrets(&self) -> bool {
        true
    }
}

/// The process's own variables and file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }
}

/// Another's variables and files, for whoever reads a configuration and serves nothing: a secret that is not set there is
/// [`Secret::unset`](crate::Secret::unset), and no fault.
#[derive(Clone, Copy)]
pub struct WithoutSecrets<'e>(pub &'e dyn Environment);

impl Environment for WithoutSecrets<'_> {
    fn var(&self, name: &str) -> Option<String> {
        self.0.var(name)
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        self.0.read(path)
    }

    fn needs_secrets(&self) -> bool {
        false
    }
}
