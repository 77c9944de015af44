//! Whether a load fits the limits: formulas first, with a simulation as their proof.
//!
//! A [`Site`] is what there is: routes, deployments, limits and prices. A [`Load`] is what is to come. A [`Prover`] plays the one
//! against the other in invented time, and is believed where formulas say otherwise.

mod load;
mod proof;
mod site;

pub use load::{Arrivals, Load, Recorded, Service, Sizes};
pub use proof::{Drill, DrillRequest, DrillRoute, OutageProof, Proof, Prover, Trial, TrialLimit};
pub use site::{Deployment, Site, SiteRoute};
