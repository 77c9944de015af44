//! What stands between clients and providers, as the simulation sees it; and the simplest there is, which stands in no way.
//!
//! The questions are those that Weir's engine is asked, so that the engine is put behind this trait without a change. The
//! one that sends everything at once is the base line of reports: what clients would get if they called the provider.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use weir_units::{DeploymentId, Dimension, Moment, Tokens, Usage};

use crate::bucket::Gauge;
use crate::provider::RejectionKind;
use crate::scenario::{Scenario, Strategy};
use crate::workload::Request;

/// One request's time in a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// What a gateway does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It sends it to a deployment, by its place in [`World::deployments`].
    Send(usize),
    /// It waits until then, and asks again.
    Wait(Moment),
    /// It waits for capacity, until [`Gateway::pump`] names it.
    Queue {
        /// How long it thinks that this will take, if it says so.
        predicted: Option<Duration>,
        /// How long it will not take in nine of ten cases, if it says so.
        within: Option<Duration>,
        /// When it has to be asked again at the latest, named or not.
        until: Option<Moment>,
    },
    /// It refuses it.
    GiveUp(Refusal),
}

/// What a client is told when there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// How long to wait before it is asked again.
    pub retry_after: Option<Duration>,
    /// Who says no.
    pub by: RefusedBy,
}

/// Who says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedBy {
    /// The gateway: the call was never sent, or it ran out of time.
    Weir,
    /// A provider, whose refusal was the last word.
    Provider,
}

/// What headers tell of limits, in the order of [`Dimension::ALL`].
pub type Told = [Option<Gauge>; Dimension::ALL.len()];

/// How one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// Which deployment it was sent to.
    pub deployment: usize,
    /// What came back.
    pub end: AnswerEnd,
    /// What the headers told of limits, by dimension.
    pub told: Told,
}

/// What came back of one attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AnswerEnd {
    /// A whole answer.
    Whole(Usage),
    /// An error status before any content.
    Status {
        /// The status.
        status: u16,
        /// Its reason.
        kind: RejectionKind,
        /// What it says to wait.
        retry_after: Option<Duration>,
    },
    /// The connection was reset before any header.
    Reset,
    /// Nothing came within the time for the first byte.
    Silence,
    /// It broke off after content had begun.
    Broken(Usage),
    /// The client went away.
    Left(Usage),
}

/// What a gateway knows of the world from the start.
#[derive(Clone, Debug)]
pub struct World {
    /// All deployments of all routes, each once.
    pub deployments: Vec<DeploymentId>,
    /// The deployments of each workload's route, by their places.
    pub routes: Vec<Vec<usize>>,
    /// The strategy of each workload's route.
    pub strategies: Vec<Strategy>,
    /// Each deployment's provider, by its place among the scenario's.
    pub providers: Vec<usize>,
}

impl World {
    /// What a scenario's routes come to. A route that is not written is looked for by its provider, as Weir does.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        let mut world =
            Self { deployments: Vec::new(), routes: Vec::new(), strategies: Vec::new(), providers: Vec::new() };
        for workload in &scenario.workloads {
            let routes = &scenario.gateway.routes;
            let route = routes.get(&workload.route);
            let named = workload.route.split_once('/').filter(|(name, _)| scenario.providers.contains_key(*name));
            let (deployments, strategy) = match (route, named, routes.get("*")) {
                (Some(route), ..) | (None, None, Some(route)) => (route.deployments.clone(), route.strategy),
                (None, Some((name, model)), _) => (vec![DeploymentId::new(name, model)], Strategy::Failover),
                (None, None, None) => (Vec::new(), Strategy::Failover),
            };
            let places = deployments.into_iter().filter_map(|deployment| world.place(scenario, deployment)).collect();
            world.routes.push(places);
            world.strategies.push(strategy);
        }
        world
    }

    fn place(&mut self, scenario: &Scenario, deployment: DeploymentId) -> Option<usize> {
        if let Some(place) = self.deployments.iter().position(|known| *known == deployment) {
            return Some(place);
        }
        let names: Vec<&Arc<str>> = scenario.providers.keys().collect();
        let provider = names.iter().position(|name| **name == deployment.provider)?;
        self.deployments.push(deployment);
        self.providers.push(provider);
        Some(self.deployments.len() - 1)
    }
}

/// What decides.
pub trait Gateway {
    /// A request came: what is done with it first.
    fn begin(&mut self, now: Moment, call: CallId, request: &Request) -> Step;

    /// What is done next: a wait is over, [`pump`](Self::pump) named the call, or an attempt was reported that is no answer.
    fn next(&mut self, now: Moment, call: CallId) -> Step;

    /// The first content of an attempt arrived, and before it the headers with what they tell of limits, by dimension.
    fn content(&mut self, now: Moment, call: CallId, told: &Told);

    /// So many output tokens of the attempt under way have come by now; told about once a second.
    fn produced(&mut self, now: Moment, call: CallId, output: Tokens);

    /// An attempt ended.
    fn report(&mut self, now: Moment, call: CallId, answer: &Answer);

    /// The call is over, whatever happened; also when its client left.
    fn end(&mut self, now: Moment, call: CallId);

    /// The queued calls for which there is something to do now, in the order in which they are to be asked.
    fn pump(&mut self, now: Moment) -> Vec<CallId>;

    /// When [`pump`](Self::pump) has to be asked at the latest, if nothing else happens before.
    fn next_deadline(&self) -> Option<Moment>;
}

/// Sends every request at once to the first deployment of its route, and passes on whatever comes back.
#[derive(Debug)]
pub struct PassThrough {
    routes: Vec<Vec<usize>>,
    refused: BTreeMap<CallId, Refusal>,
}

impl PassThrough {
    /// A gateway that stands in no way.
    #[must_use]
    pub fn new(world: &World) -> Self {
        Self { routes: world.routes.clone(), refused: BTreeMap::new() }
    }
}

impl Gateway for PassThrough {
    fn begin(&mut self, _now: Moment, _call: CallId, request: &Request) -> Step {
        match self.routes.get(request.workload).and_then(|route| route.first()) {
            Some(first) => Step::Send(*first),
            None => Step::GiveUp(Refusal { status: 404, retry_after: None, by: RefusedBy::Weir }),
        }
    }

    fn next(&mut self, _now: Moment, call: CallId) -> Step {
        let unknown = Refusal { status: 502, retry_after: None, by: RefusedBy::Provider };
        Step::GiveUp(self.refused.remove(&call).unwrap_or(unknown))
    }

    fn content(&mut self, _now: Moment, _call: CallId, _told: &Told) {}

    fn produced(&mut self, _now: Moment, _call: CallId, _output: Tokens) {}

    fn report(&mut self, _now: Moment, call: CallId, answer: &Answer) {
        let (status, retry_after) = match answer.end {
            AnswerEnd::Status { status, retry_after, .. } => (status, retry_after),
            AnswerEnd::Reset => (502, None),
            AnswerEnd::Silence => (504, None),
            AnswerEnd::Whole(_) | AnswerEnd::Broken(_) | AnswerEnd::Left(_) => return,
        };
        self.refused.insert(call, Refusal { status, retry_after, by: RefusedBy::Provider });
    }

    fn end(&mut self, _now: Moment, call: CallId) {
        self.refused.remove(&call);
    }

    fn pump(&mut self, _now: Moment) -> Vec<CallId> {
        Vec::new()
    }

    fn next_deadline(&self) -> Option<Moment> {
        None
    }
}
