//! Plans: what a configuration has to offer a load, and who proves by simulation whether it is enough.

mod answer;
mod prepare;
mod site;
mod stated;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use weir_capacity::plan::{Proof, Prover, Trial};

pub(crate) use answer::{PlanAnswer, ProofState, Unanswered, answer, serve};
pub use prepare::{Assumed, Prepared, Unprepared, prepare};
pub use site::{only_route, site, site_for};

/// Proofs that are remembered.
const KEPT: usize = 32;

/// What plans are made with. One load is simulated at a time, off whatever serves; its proof is kept for whoever asks again.
#[derive(Default)]
pub(crate) struct Planning {
    prover: OnceLock<Arc<dyn Prover>>,
    proofs: Arc<Mutex<Proofs>>,
}

#[derive(Default)]
struct Proofs {
    done: VecDeque<(String, Result<Proof, String>)>,
    running: Option<(String, Arc<AtomicU64>)>,
}

/// How far a proof is.
pub(crate) enum Progress {
    /// Here it is.
    Done(Result<Proof, String>),
    /// So many thousandths are done.
    Running(u64),
    /// Another is made first.
    Waiting,
    /// Nobody simulates here.
    Nobody,
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

    /// The proof of a trial, if it was made; else it is begun, unless another is being made.
    fn proof(&self, trial: Trial) -> Progress {
        let key = format!("{trial:?}");
        let mut proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, proof)) = proofs.done.iter().find(|(known, _)| *known == key) {
            return Progress::Done(proof.clone());
        }
        if let Some((running, thousandths)) = &proofs.running {
            return if *running == key {
                Progress::Running(thousandths.load(Ordering::Relaxed))
            } else {
                Progress::Waiting
            };
        }
        let Some(prover) = self.prover() else { return Progress::Nobody };
        let thousandths = Arc::new(AtomicU64::new(0));
        proofs.running = Some((key.clone(), Arc::clone(&thousandths)));
        let all = Arc::clone(&self.proofs);
        tokio::task::spawn_blocking(move || {
            // Whatever becomes of it, the next one may be begun.
            let turn = Turn(all);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a thousand")]
            let proof = prover.plan(&trial, &mut |share| thousandths.store((share * 1e3) as u64, Ordering::Relaxed));
            let mut proofs = turn.0.lock().unwrap_or_else(PoisonError::into_inner);
            proofs.done.truncate(KEPT - 1);
            proofs.done.push_front((key, proof));
        });
        Progress::Running(0)
    }
}

/// The one proof that is being made; the next may be begun once this is dropped.
struct Turn(Arc<Mutex<Proofs>>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).running = None;
    }
}
