//! What is known of one deployment: its breaker, bench and budget, how soon and how well it answers, how busy it is.

use std::sync::Arc;
use std::time::Duration;

use weir_units::{FaultClass, Moment};

use crate::bench::Bench;
use crate::breaker::Breaker;
use crate::budget::Budget;
use crate::ewma::{Quantile, blend, decay_ppm};
use crate::in_flight::InFlight;
use crate::limits::{Outputs, PoolId};
use crate::memory::Handle;

/// Estimates decay over about twenty samples, between these bounds (docs/policy.md, Balance).
const SHORTEST_TAU: Duration = Duration::from_secs(10);
const LONGEST_TAU: Duration = Duration::from_secs(60);
/// How quickly an old latency is forgotten while nothing is measured, towards what its peers show.
const IDLE_TAU: Duration = Duration::from_secs(10);
/// How quickly an old failure is forgotten (docs/policy.md, Balance).
const SUCCESS_TAU: Duration = Duration::from_secs(60);
/// Three refusals in a row, from two tenants, are needed before a bare 403 is taken for the deployment's own.
#[derive(Debug, Default)]
struct Forbidden {
    row: u32,
    first: Option<Arc<str>>,
    two_tenants: bool,
}

#[derive(Debug)]
pub(crate) struct Deployment {
    pub(crate) breaker: Breaker,
    pub(crate) bench: Option<Bench>,
    pub(crate) budget: Budget,
    pub(crate) declared: bool,
    /// It once answered well, so it exists.
    pub(crate) proven: bool,
    /// The pools that its calls take from, the innermost first, once they are found.
    pub(crate) pools: [Option<Handle>; 3],
    /// The queue that it waits in.
    pub(crate) line: Option<PoolId>,
    pub(crate) assigned: bool,
    pub(crate) outputs: Outputs,
    forbidden: Forbidden,
    in_flight: InFlight,
    load_p84: Quantile,
    ttft: Option<u64>,
    ttft_p50: Quantile,
    measured_at: Moment,
    drifted_at: Moment,
    gap: Duration,
    success: u64,
    judged_at: Moment,
}

impl Deployment {
    pub(crate) fn new() -> Self {
        Self {
            breaker: Breaker::new(),
            bench: None,
            budget: Budget::new(),
            declared: false,
            proven: false,
            pools: [None; 3],
            line: None,
            assigned: false,
            outputs: Outputs::default(),
            forbidden: Forbidden::default(),
            in_flight: InFlight::default(),
            load_p84: Quantile::new(840_000),
            ttft: None,
            ttft_p50: Quantile::new(500_000),
            measured_at: Moment::ZERO,
            drifted_at: Moment::ZERO,
            gap: SHORTEST_TAU,
            success: 1_000_000,
            judged_at: Moment::ZERO,
        }
    }

    /// An attempt begins; what is returned is owed to [`ended`](Self::ended).
    pub(crate) fn began(&mut self, now: Moment) -> u64 {
        self.in_flight.begin(now)
    }

    pub(crate) fn ended(&mut self, now: Moment, began: u64) {
        self.in_flight.end(now, began);
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.count()
    }

    /// Notes how busy it is, and says how busy it mostly is at most: the 0.84-quantile, in thousandths of a call.
    pub(crate) fn observe_load(&mut self) -> u64 {
        self.load_p84.add(u64::from(self.in_flight()) * 1_000);
        self.load_p84.estimate().unwrap_or(0)
    }

    /// The first content came `after` the attempt was sent: the estimate rises at once and sinks slowly.
    pub(crate) fn measured(&mut self, now: Moment, after: Duration) {
        let sample = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        self.ttft_p50.add(sample);
        let elapsed = now.since(self.measured_at);
        self.gap = (self.gap * 7 + elapsed.min(LONGEST_TAU)) / 8;
        self.measured_at = now;
        self.drifted_at = now;
        let tau = (self.gap * 20).clamp(SHORTEST_TAU, LONGEST_TAU);
        self.ttft = Some(match self.ttft {
            Some(before) if sample < before => blend(before, sample, decay_ppm(elapsed, tau)),
            _ => sample,
        });
    }

    /// The estimated time to the first content in nanoseconds, drifting to `usual` while nothing is measured.
    ///
    /// Drifting to zero instead would make whoever is idle look best.
    pub(crate) fn ttft(&mut self, now: Moment, usual: u64) -> u64 {
        let Some(ttft) = self.ttft else { return usual };
        let elapsed = now.since(self.drifted_at);
        // Shorter steps would be lost in rounding.
        if elapsed < Duration::from_millis(10) {
            return ttft;
        }
        let drifted = blend(ttft, usual, decay_ppm(elapsed, IDLE_TAU));
        self.drifted_at = now;
        self.ttft = Some(drifted);
        drifted
    }

    pub(crate) fn measured_ttft(&self) -> Option<u64> {
        self.ttft
    }

    /// The median time to the first content; zero while nothing is known.
    pub(crate) fn ttft_p50(&self) -> Duration {
        Duration::from_nanos(self.ttft_p50.estimate().unwrap_or(0))
    }

    /// An answer counted as good or as a fault: a third of the estimate goes at each fault, so that a deployment that
    /// fails fast has lost its share before it could attract more, and a sixteenth of what is missing returns at each success.
    pub(crate) fn judged(&mut self, now: Moment, good: bool) {
        let success = self.success_ppm(now);
        self.success = if good { success + (1_000_000 - success) / 16 } else { success - success / 3 };
        self.judged_at = now;
    }

    /// The recent share of successes in parts per million; what is long ago is forgotten.
    pub(crate) fn success_ppm(&self, now: Moment) -> u64 {
        if self.success == 1_000_000 {
            return self.success;
        }
        blend(self.success, 1_000_000, decay_ppm(now.since(self.judged_at), SUCCESS_TAU))
    }

    /// A bare 403 for `tenant`; whether it is one too many.
    pub(crate) fn forbade(&mut self, tenant: &Arc<str>) -> bool {
        let forbidden = &mut self.forbidden;
        forbidden.row = forbidden.row.saturating_add(1);
        match &forbidden.first {
            None => forbidden.first = Some(Arc::clone(tenant)),
            Some(first) => forbidden.two_tenants |= first != tenant,
        }
        forbidden.row >= 3 && forbidden.two_tenants
    }

    /// The model was refused: it goes to the bench. When that is news, until when.
    pub(crate) fn benched(&mut self, now: Moment, class: FaultClass) -> Option<Moment> {
        let (bench, new) = Bench::again(self.bench, now, class);
        self.bench = Some(bench);
        new.then_some(bench.until)
    }

    /// It answered well; whether that took it off the bench.
    pub(crate) fn answered(&mut self) -> bool {
        if self.forbidden.row > 0 {
            self.forbidden = Forbidden::default();
        }
        self.bench.take().is_some()
    }
}
