//! Outage arithmetic: how much of a route is answered over a year, from how often its providers are out and what moves then.
//!
//! A closed form says what to expect, and simulated years say how far from it a single one may be. Figures and their sources are in
//! docs/guide/readiness.md.

mod form;
mod year;

#[cfg(test)]
mod tests;

pub use form::{COMMON_CAUSE, COVERAGE, Outages, Provider, UNKNOWN_AVAILABILITY, shrunk};
pub use year::{Years, simulate};
