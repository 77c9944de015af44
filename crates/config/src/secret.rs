//! A credential in memory: usable, and never shown.
//!
//! Config values are printed in tests, panics and debug logs. A type whose `Debug` has nothing to show is the one place
//! where that cannot leak.

use std::fmt;
use std::sync::Arc;

/// A credential. `Debug` prints `[secret]`; there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Keeps `text` as a secret.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Stands for a secret that is not set where nobody needs it; an empty one is never read.
    #[must_use]
    pub fn unset() -> Self {
        Self::new("")
    }

    /// Whether it is one, and does not only stand for one.
    #[must_use]
    pub fn is_set(&self) -> bool {
        !self.0.is_empty()
    }

    /// The credential itself, for the one place that sends or compares it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_it() {
        assert_eq!(format!("{:?}", Secret::new("sk-live")), "[secret]");
    }
}
