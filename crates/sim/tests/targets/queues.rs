//! Who waits, how long, and what is said of it.
