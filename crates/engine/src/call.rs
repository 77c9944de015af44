//! One call on its way down the ladder: what was asked, what was tried, what is under way.

use std::time::Duration;

use weir_units::{Dimension, FaultClass, Moment, Tokens, Usage};

use crate::ask::{Ask, GiveUp, WaitReason};
use crate::breaker::Permit;
use crate::limits::{Hold, KeyHold, PoolId};
use crate::memory::Handle;
use crate::queue::{Full, Place};

/// The state of one call, held by its caller between the engine's answers.
///
/// One that is dropped without [`Engine::end`](crate::Engine::end) wedges nothing: what it held expires.
#[derive(Debug)]
pub struct Call {
    /// Which call of its engine it is, from 1.
    pub(crate) number: u64,
    pub(crate) ask: Ask,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) tenant: Handle,
    pub(crate) attempts: u32,
    pub(crate) flight: Option<Flight>,
    pub(crate) fault: Option<Fault>,
    pub(crate) wait: Option<Waiting>,
    /// What the client is told if nothing helps.
    pub(crate) said: Option<(FaultClass, Option<Duration>)>,
    pub(crate) done: Option<GiveUp>,
    /// Content began and broke off: nothing but one splice may follow.
    pub(crate) cut: bool,
    pub(crate) spliced: bool,
    pub(crate) too_small: Option<TooSmall>,
    /// Its place in line.
    pub(crate) place: Option<Place>,
    /// When it first got in line.
    pub(crate) since: Option<Moment>,
    /// Why no deployment had capacity in time.
    pub(crate) full: Option<Full>,
    /// Deployments that were passed over for want of capacity, and not told of yet.
    pub(crate) passed_over: Vec<PassedOver>,
    /// What it took of its key's limits.
    pub(crate) key_hold: Option<KeyHold>,
}

impl Call {
    /// What was asked.
    #[must_use]
    pub fn ask(&self) -> &Ask {
        &self.ask
    }

    /// What [`Engine::take_woken`](crate::Engine::take_woken) calls it while it waits in line.
    #[must_use]
    pub fn ticket(&self) -> Option<u64> {
        self.place.map(|place| place.id)
    }

    /// Notes why a deployment has no capacity in time; of several, what will be over first counts.
    pub(crate) fn note_full(&mut self, lane: usize, full: Full) {
        self.passed_over.push(PassedOver {
            candidate: lane,
            pool: full.pool.clone(),
            binding: full.binding,
            wait: full.wait,
        });
        if self.full.as_ref().is_none_or(|known| full.retry_after < known.retry_after) {
            self.full = Some(full);
        }
    }

    /// When it stops waiting for capacity.
    pub(crate) fn wait_until(&self) -> Moment {
        let forever = Moment(u64::MAX);
        self.ask.wait_until.unwrap_or(forever).min(self.ask.deadline.unwrap_or(forever))
    }

    /// The deployments that were passed over for want of capacity since the last time this was asked.
    pub fn take_passed_over(&mut self) -> Vec<PassedOver> {
        std::mem::take(&mut self.passed_over)
    }

    /// Whether limits are kept to for the attempt under way.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.flight.is_some_and(|flight| flight.hold.is_some())
    }

    /// How many attempts were made so far.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether a candidate's window is known to be larger than the one that did not do.
    pub(crate) fn fits(&self, candidate: usize) -> bool {
        let Some(too_small) = self.too_small else { return true };
        self.ask.candidates[candidate].window.is_some_and(|window| match too_small {
            TooSmall::Known(tokens) => window > tokens,
            TooSmall::Unknown => window > self.ask.input,
        })
    }

    /// Notes what the client is told if nothing helps.
    pub(crate) fn say(&mut self, class: FaultClass, retry_after: Option<Duration>) {
        if self.said.is_none() || !(self.cut || crate::ladder::is_ours(class)) {
            self.said = Some((class, retry_after));
        }
    }
}

/// A deployment that had no capacity in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// The index into [`Ask::candidates`].
    pub candidate: usize,
    /// Whose limit was in the way.
    pub pool: PoolId,
    /// Which limit.
    pub binding: Dimension,
    /// How long it would have taken.
    pub wait: Duration,
}

/// A candidate, as this call sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lane {
    pub(crate) deployment: Handle,
    pub(crate) host: Handle,
    pub(crate) attempts: u32,
    /// Ruled out for the rest of the call.
    pub(crate) out: bool,
    /// It has no capacity in time.
    pub(crate) full: bool,
    /// Its provider refused for want of capacity, for longer than is waited in place; the others come first.
    pub(crate) limited: bool,
    /// Whether this call was drawn for a ramping breaker's share; drawn once per call.
    pub(crate) drawn: Option<bool>,
}

/// The largest window that was not large enough.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TooSmall {
    Known(Tokens),
    /// It is smaller than the input, as far as that is known.
    Unknown,
}

/// An attempt under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flight {
    pub(crate) lane: usize,
    pub(crate) permit: Permit,
    pub(crate) host_permit: Permit,
    pub(crate) began: u64,
    pub(crate) paid: i64,
    pub(crate) content: bool,
    pub(crate) hold: Option<Hold>,
    /// Its headers left too little of a limit for one like it.
    pub(crate) is_spent: bool,
    /// What it used, where its provider has said so.
    pub(crate) used: Option<Usage>,
}

/// A fault that `next` has yet to act on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) lane: usize,
    pub(crate) class: FaultClass,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) probe: bool,
}

/// A repeat that waits for its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) lane: usize,
    pub(crate) until: Moment,
    pub(crate) why: WaitReason,
    pub(crate) class: FaultClass,
    pub(crate) paid: i64,
}
