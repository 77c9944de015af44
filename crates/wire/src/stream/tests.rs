//! Streams by the official documents, each cut and broken wherever it can be.
