//! Scenarios as text, and the figures that targets speak of.

use std::path::Path;
use std::time::Duration;

use weir_sim::{Gateway, Outcome, Record, RecordEnd, Scenario, Weir, World, run};
use weir_units::{Dimension, Moment};

/// A run and what it was of.
pub(crate) struct Played {
    pub(crate) scenario: Scenario,
    pub(crate) outcome: Outcome,
}

pub(crate) fn scenario(text: &str) -> Scenario {
    Scenario::read(text, Path::new("scenario.toml"), &|_| Err("no files here".to_owned()))
        .unwrap_or_else(|faults| panic!("{faults:#?}"))
}

pub(crate) fn play(text: &str) -> Played {
    let scenario = scenario(text);
    let world = World::of(&scenario);
    play_with(&scenario, &world, |number| Weir::new(&scenario, &world, number))
}

pub(crate) fn play_with<G: Gateway>(scenario: &Scenario, world: &World, gateway: impl FnMut(usize) -> G) -> Played {
    let outcome = run(scenario, world, gateway);
    Played { scenario: scenario.clone(), outcome }
}

pub(crate) fn minutes(n: u64) -> Moment {
    Moment::ZERO + Duration::from_secs(60 * n)
}

impl Played {
    pub(crate) fn attempts(&self) -> u64 {
        self.outcome.records.iter().map(|record| u64::from(record.attempts)).sum()
    }

    pub(crate) fn refused(&self) -> u64 {
        self.outcome.records.iter().map(|record| u64::from(record.refused_429)).sum()
    }

    /// What was charged of a limit between two moments, as a share of what its rate came to.
    pub(crate) fn used(&self, dimension: Dimension, from: Moment, to: Moment) -> f64 {
        let at = |moment| self.outcome.samples.iter().rfind(|sample| sample.at <= moment).unwrap();
        let (first, last) = (at(from), at(to));
        let charged = |sample: &weir_sim::Sample| sample.providers[0].charged[dimension.index()];
        let limit = last.providers[0].limits.get(dimension).unwrap() as f64;
        (charged(last) - charged(first)) as f64 / (limit * last.at.since(first.at).as_secs_f64() / 60.0)
    }

    /// The same for the limit that is used most.
    pub(crate) fn binding(&self, from: Moment, to: Moment) -> f64 {
        let limits = self.outcome.samples[0].providers[0].limits;
        limits.iter().map(|(dimension, _)| self.used(dimension, from, to)).fold(0.0, f64::max)
    }

    /// The records of a workload, by its name.
    pub(crate) fn of(&self, name: &str) -> Vec<&Record> {
        let place = self.scenario.workloads.iter().position(|workload| &*workload.name == name).unwrap();
        self.outcome.records.iter().filter(|record| record.workload as usize == place).collect()
    }

    pub(crate) fn all(&self) -> Vec<&Record> {
        self.outcome.records.iter().collect()
    }
}

pub(crate) fn answered<'r>(records: &[&'r Record]) -> Vec<&'r Record> {
    records.iter().copied().filter(|record| record.end == RecordEnd::Answered).collect()
}

/// The value that `percent` of all do not exceed.
pub(crate) fn percentile(mut values: Vec<Duration>, percent: usize) -> Duration {
    values.sort_unstable();
    values.get((values.len() * percent).div_ceil(100).max(1) - 1).copied().unwrap_or_default()
}
