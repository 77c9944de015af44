//! Readiness: the seven questions that tell whether LLM capacity is owned, held and proved, each with evidence and a grade.

mod evidence;
mod failover;
mod grade;
mod owning;
mod peaks;
mod traffic;
pub mod words;

#[cfg(test)]
mod tests;

pub use evidence::{
    AgentRoute, Errors, Evidence, Gap, Known, Outage, OwnerSetup, Peak, RouteAvailability, RouteSetup, Secondary,
    Setup, TokenSpend, provider,
};
pub use failover::{EXERCISED, MOST_LOST};
pub use grade::{Answer, FEWEST_REQUESTS, Grade, QUESTIONS, Readiness, grade};
pub use peaks::peaks;
pub use traffic::{FEW_429, FULL, MOST_429, MOST_RETRIES};
