//! What other tools wrote down of model calls, read line by line as records of ours.
