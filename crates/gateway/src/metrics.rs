//! `/metrics`: what was counted since the start, in the Prometheus text format; and the same as OpenTelemetry metrics.
//!
//! Everything is counted from ledger entries as they settle, in one place, so the metrics and the ledger cannot disagree.
//! Labels are bounded: deployments that are declared or once answered, routes and keys of the config; the rest is `other`.

mod ahead;
mod alerts;
mod budgets;
mod counters;
mod limits;
mod named;
mod otlp;
mod page;
mod sizes;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use weir_capacity::desk::Desk;
use weir_engine::{BudgetView, DeploymentView, Detector, PoolView, RunsSize};
use weir_ledger::{Behind, Entry, Fact};
use weir_units::Moment;

use crate::alerts::Figures;
use crate::pulse::Pulse;
use crate::reply::{Cause, WEIR};

use counters::Counters;

/// What can happen to an agent run.
const RUN_CHANGES: [&str; 3] = ["warned", "slowed", "halted"];

/// What the page shows beside the counters.
pub(crate) struct Seen<'a> {
    pub(crate) deployments: &'a [DeploymentView],
    pub(crate) pools: &'a [PoolView],
    pub(crate) budgets: &'a [BudgetView],
    pub(crate) alerts: &'a Figures,
    pub(crate) desk: Option<&'a Desk>,
    pub(crate) now: Moment,
    pub(crate) behind: &'a Behind,
    pub(crate) in_flight: usize,
    pub(crate) buffered: usize,
    pub(crate) runs: RunsSize,
    /// Requests whose content was kept, and those that were to be captured and found no room.
    pub(crate) captured: (u64, u64),
    pub(crate) telemetry: &'a Exported,
    /// The file was read again, and what it says is not in force.
    pub(crate) reload_refused: bool,
}

/// What became of telemetry.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Exported {
    pub(crate) spans: u64,
    pub(crate) requests: u64,
    pub(crate) unsampled: u64,
    pub(crate) dropped: u64,
    pub(crate) rejected: u64,
    pub(crate) waiting: usize,
    pub(crate) failing: bool,
}

/// Names of the config that have labels of their own.
pub(crate) struct Declared {
    /// Each `provider/model`.
    pub(crate) deployments: Vec<Arc<str>>,
    pub(crate) routes: Vec<Arc<str>>,
    pub(crate) keys: Vec<Arc<str>>,
}

/// What was counted.
#[derive(Default)]
pub(crate) struct Metrics(Mutex<Counted>);

#[derive(Default)]
struct Counted {
    counters: Counters,
    pulse: Pulse,
}

impl Metrics {
    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the names that the configuration declares. Those of the one before keep their labels.
    pub(crate) fn declare(&self, declared: &Declared) {
        let counters = &mut self.lock().counters;
        declared.deployments.iter().for_each(|deployment| counters.declare(deployment));
        for route in &declared.routes {
            counters.routes.know(route);
        }
        for key in &declared.keys {
            counters.keys.know(key);
        }
        // What alerts wait for has counters before it happens, so that its first time is a rise and not a beginning.
        for cause in [Cause::BudgetExhausted, Cause::CapacityExhausted, Cause::RateLimited, Cause::RunHalted] {
            counters.refused.entry((Arc::from(WEIR), Arc::from(cause.code()))).or_default();
        }
        for detector in Detector::ALL {
            for change in RUN_CHANGES {
                counters.run_changes.entry((change, detector.name())).or_default();
            }
        }
    }

    /// Counts a request that has ended, at `now`.
    pub(crate) fn count(&self, entry: &Entry, took: Duration, now: Moment) {
        let Counted { counters, pulse } = &mut *self.lock();
        pulse.request(now, entry);
        counters.request(entry, took, |label, attempt, first| {
            // One that the client did not wait for says nothing of the deployment.
            if attempt.class.is_some() || attempt.status.is_some() {
                pulse.attempt(now, label, attempt, first);
            }
        });
    }

    /// Counts what happened to an agent run.
    pub(crate) fn run_changed(&self, fact: &Fact) {
        let [warned, slowed, halted] = RUN_CHANGES;
        let change = match fact {
            Fact::RunWarned(evidence) => (warned, evidence.detector),
            Fact::RunSlowed(evidence) => (slowed, evidence.detector),
            Fact::RunHalted(evidence) => (halted, evidence.detector),
            _ => return,
        };
        *self.lock().counters.run_changes.entry(change).or_default() += 1;
    }

    /// Reads the last minutes, with a way to tell which deployments have names of their own.
    pub(crate) fn read_pulse<T>(&self, read: impl FnOnce(&Pulse, &dyn Fn(&str) -> bool) -> T) -> T {
        let Counted { counters, pulse } = &*self.lock();
        read(pulse, &|deployment| counters.deployments.knows(deployment))
    }

    /// The counters as they are now: a copy, so that no request waits while they are written out.
    fn counters(&self) -> Counters {
        self.lock().counters.clone()
    }

    /// Reads how many calls of each deployment came to what, since the start.
    pub(crate) fn read_attempts(&self, mut each: impl FnMut(&str, &'static str, u64)) {
        for (deployment, of) in self.lock().counters.deployments.iter() {
            of.attempts.iter().for_each(|(class, count)| each(deployment, class, *count));
        }
    }

    /// The page.
    pub(crate) fn page(&self, seen: &Seen) -> String {
        let counters = self.counters();
        let mut page = String::with_capacity(32 * 1024);
        counters.write(&mut page);
        let knows = |deployment: &str| counters.deployments.knows(deployment);
        state::deployments(&mut page, seen, knows);
        limits::write(&mut page, seen.pools, seen.now, knows);
        ahead::write(&mut page, seen.desk, knows);
        budgets::write(&mut page, seen.budgets);
        alerts::write(&mut page, seen.alerts);
        state::captured(&mut page, seen.captured);
        state::process(&mut page, seen);
        state::telemetry(&mut page, seen.telemetry);
        page
    }
}
