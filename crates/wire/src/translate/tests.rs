//! Translation, told as tables.
