//! Plans: what a configuration has to offer a load, and who proves by simulation whether it is enough.

mod site;

use std::sync::{Arc, OnceLock};

use weir_capacity::plan::Prover;

pub use site::{only_route, site, site_for};

/// What plans are made with.
#[derive(Default)]
pub(crate) struct Planning {
    prover: OnceLock<Arc<dyn Prover>>,
}

impl Planning {
    /// Who plays loads in invented time, if somebody does.
    pub(crate) fn prover(&self) -> Option<Arc<dyn Prover>> {
        self.prover.get().cloned()
    }

    /// Says who does. It is said once.
    pub(crate) fn prove_with(&self, prover: Arc<dyn Prover>) {
        let _ = self.prover.set(prover);
    }
}
