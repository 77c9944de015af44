//! What will be asked for, with bands, and when it reaches a ceiling.
