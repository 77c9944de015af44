//! Futures that are drawn: what is expected, and days of what went otherwise.

/// What futures are drawn from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Futures;
