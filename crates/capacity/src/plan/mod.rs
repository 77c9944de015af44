//! Whether a load fits the limits: formulas first, with a simulation as their proof.
//!
//! A [`Site`] is what there is: routes, deployments, limits and prices. A [`Load`] is what is to come. [`assess`] puts the one
//! on the other by formula; a [`Prover`] plays the same in invented time, and is believed where the two differ.

mod assess;
mod compare;
mod cost;
mod demand;
mod form;
mod history;
mod hosting;
mod load;
mod proof;
mod share;
mod site;
mod verdict;
mod wait;
mod words;

pub use assess::{Assessment, Existing, LimitNeed, Missing, Without, assess};
pub use compare::{Compared, RouteSends, compare};
pub use cost::{Calendar, Money, monthly};
pub use demand::{Demand, Request, demand_of};
pub use form::{Form, Kind};
pub use history::{existing, recorded, service_of, traced};
pub use hosting::{Hosting, SelfHosted, break_even};
pub use load::{Arrivals, Load, Recorded, Service, Sizes};
pub use proof::{Drill, DrillRequest, DrillRoute, OutageProof, Proof, Prover, Trial, TrialLimit};
pub use share::split;
pub use site::{Deployment, Site, SiteRoute, Tells};
pub use verdict::{Basis, Plan, Question, Verdict, conclude};
pub use wait::{Crowd, Stream, Waits, erlang_c, slots_wait, stream_wait, users_wait};
pub use weir_units::numbers::percent;
pub use words::{duration, figure, wait};
