//! What was paid for and served nobody, and the cheapest remedies first.
