//! A journey's part in its run: it joins, waits for its turn where the run is slowed, and leaves when it is known how it ended.

use weir_ledger::{Fact, Outcome, Stage};
use weir_units::Moment;

use super::{Journey, millis};
use crate::accept::Accepted;
use crate::runs::{InRun, Stopped};
use crate::state::Live;

impl Journey {
    /// It belongs to a run.
    pub(crate) fn joins(&mut self, run: Option<Box<InRun>>) {
        if let Some(fact) = run.as_ref().and_then(|run| run.fact()) {
            self.note(Stage::Admit, fact);
        }
        self.run = run;
    }

    /// Waits until it is its turn within a run that is slowed.
    pub(crate) async fn turn(&mut self, live: &Live, accepted: &Accepted, give_up: Moment) -> Result<(), Box<Stopped>> {
        let Some(run) = self.run.as_deref_mut().filter(|run| run.is_slowed()) else { return Ok(()) };
        let began = self.shared.clock.now();
        let turned = Box::pin(run.turn(live, accepted, give_up)).await;
        let span = self.shared.clock.now().since(began);
        self.waited += span;
        self.note(Stage::Admit, Fact::Waited { why: "slowed run", for_ms: millis(span) });
        turned
    }

    /// Its run is told how it ended.
    pub(crate) fn leave_run(&mut self, outcome: Outcome) {
        if let (Some(run), Some(entry)) = (self.run.take(), &self.entry) {
            for fact in run.settle(outcome, entry) {
                self.note(Stage::Settle, fact);
            }
        }
    }

    /// Its place in its run, if it has one.
    pub(crate) fn run(&mut self) -> Option<&mut InRun> {
        self.run.as_deref_mut()
    }
}
