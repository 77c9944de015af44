//! The proof by simulation: what is asked of it, and what it says. Who makes it is handed in, as the simulator is no part
//! of what serves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use weir_units::{DeploymentId, Dimension};

use super::load::{Load, Service};
use super::site::Site;

/// A load played against a site in invented time.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What there is.
    pub site: Site,
    /// What comes, besides what is there already.
    pub loads: Vec<Load>,
    /// What is there already, as loads.
    pub existing: Vec<Load>,
    /// What all chance is drawn from.
    pub seed: u64,
    /// How long is looked at, after a time to warm up. A run with very many requests is cut short.
    pub span: Duration,
}

/// What a trial came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proof {
    /// What all chance was drawn from.
    pub seed: u64,
    /// How many minutes were looked at.
    pub minutes: f64,
    /// Requests of the load that ended or were refused in that time.
    pub requests: u64,
    /// Of those, the ones with a whole answer.
    pub answered: u64,
    /// The share that waited for capacity at all.
    pub p_wait: f64,
    /// The share that waited longer than its deadline, or was refused for want of capacity.
    pub p_late: f64,
    /// 19 of 20 waited no longer, in seconds; who was refused waited as long as the longest.
    pub wait_p95_s: f64,
    /// Attempts that a provider refused with 429, as a share of all.
    pub refused_429: f64,
    /// How full each limit was, existing traffic included.
    pub limits: Vec<TrialLimit>,
}

/// How full one limit was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrialLimit {
    /// Whose.
    pub pool: String,
    /// What it counts.
    #[serde(serialize_with = "super::words::name")]
    pub dimension: Dimension,
    /// The limit.
    pub limit: u64,
    /// What was used in a minute on average; of concurrent requests, at a time; of a day, in a day at that rate.
    pub mean: f64,
    /// What 19 of 20 minutes stayed below.
    pub peak: f64,
    /// The most in any minute.
    pub most: f64,
}

/// Past traffic, with one provider gone for a while.
#[derive(Clone, Debug)]
pub struct Drill {
    /// What there is.
    pub site: Site,
    /// What was asked, by time; at most so much is played as fits the bound of a run.
    pub requests: Vec<DrillRequest>,
    /// The routes that requests name by their place.
    pub routes: Vec<Arc<str>>,
    /// How long answers take at each deployment; [`Service::ASSUMED`] where it is not said.
    pub services: BTreeMap<DeploymentId, Service>,
    /// The provider that goes.
    pub down: Arc<str>,
    /// For how long; two hours in the question that teams ask.
    pub lasts: Duration,
    /// When it goes, in the requests' time; none is where they are densest.
    pub from: Option<Duration>,
    /// What all chance is drawn from.
    pub seed: u64,
}

/// A request that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrillRequest {
    /// When, from the beginning of what is played.
    pub at: Duration,
    /// Its route, by its place in [`Drill::routes`].
    pub route: usize,
    /// Input tokens.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
}

/// What came of a drill.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutageProof {
    /// What all chance was drawn from.
    pub seed: u64,
    /// The provider that was gone.
    pub down: String,
    /// When it went, in seconds of the requests' time.
    pub from_s: f64,
    /// For how many seconds of it traffic was played.
    pub seconds: f64,
    /// What it meant for each route that was asked in that time.
    pub routes: Vec<DrillRoute>,
}

/// What an outage meant for a route.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DrillRoute {
    /// Which.
    pub route: String,
    /// Requests that came while the provider was gone.
    pub requests: u64,
    /// Of those, the ones without a whole answer.
    pub failed: u64,
    /// 19 of 20 waited no longer for capacity, in seconds.
    pub wait_p95_s: f64,
    /// Who answered how many.
    pub served_by: BTreeMap<String, u64>,
}

impl DrillRoute {
    /// The share without an answer; none if nothing was asked.
    #[must_use]
    pub fn failed_share(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.failed as f64 / self.requests as f64)
    }
}

/// Plays loads in invented time. It takes seconds, so it is called off whatever serves.
pub trait Prover: Send + Sync {
    /// Plays a trial; `progress` is told from time to time which share of it is done.
    ///
    /// # Errors
    /// A sentence, if it cannot be played.
    fn plan(&self, trial: &Trial, progress: &mut dyn FnMut(f64)) -> Result<Proof, String>;

    /// Plays past traffic with a provider gone.
    ///
    /// # Errors
    /// A sentence, if it cannot be played.
    fn outage(&self, drill: &Drill, progress: &mut dyn FnMut(f64)) -> Result<OutageProof, String>;
}
