//! Readiness: the seven questions that tell whether LLM capacity is owned, held and proved, each with evidence and a grade.

mod evidence;

pub use evidence::{
    AgentRoute, Errors, Evidence, Gap, Known, Outage, OwnerSetup, Peak, RouteAvailability, RouteSetup, Secondary, Setup,
    TokenSpend, provider,
};
