//! Tests of runs: how requests join them, what counts as a loop, what is done about it, and that agents that behave go on.

mod anything;
mod benign;
mod caps;
mod detectors;
mod exchange;
mod joining;
mod ladder;
mod loops;
mod memory;
mod model;
mod stale;
mod world;
