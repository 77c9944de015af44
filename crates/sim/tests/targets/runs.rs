//! Runs as such.
