//! The proof of a plan: the same load against the same limits in invented time, decided by the engine that serves.

mod drill;
mod reckon;
mod town;
mod trial;

use weir_capacity::plan::{Drill, OutageProof, Proof, Prover, Trial};

/// Who proves plans: the simulator.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Simulator;

impl Prover for Simulator {
    fn plan(&self, trial: &Trial, progress: &mut dyn FnMut(f64)) -> Result<Proof, String> {
        trial::play(trial, progress)
    }

    fn outage(&self, drill: &Drill, progress: &mut dyn FnMut(f64)) -> Result<OutageProof, String> {
        drill::play(drill, progress)
    }
}

#[cfg(test)]
mod tests;
