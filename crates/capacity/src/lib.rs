//! The desk of whoever owns the capacity: headroom, forecasts, plans, readiness and waste, as pure functions of figures.

pub mod desk;
pub mod forecast;
pub mod outage;
pub mod plan;
pub mod readiness;
pub mod report;
pub mod waste;
