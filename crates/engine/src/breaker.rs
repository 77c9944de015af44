//! When to stop calling a deployment that keeps failing, and when to try it again.
//!
//! Only faults of the *deployment* count. A 400 says something of the request. A 429 is the limiter's business: it asks
//! for a slower pace, and a breaker that opened on it would turn slower into nothing. The adaptive throttle of the SRE
//! book is left out: the table of what an answer leads to has no row for it.
//!
//! A share of failures judges busy models and a row of failures quiet ones. The row grows with the rate, because five in
//! a row are common at 50 requests a second with one call in five failing. After an outage three probes pass one at a
//! time: with half of the calls still failing, one probe would close wrongly every other time, three one time in eight
//! (docs/policy.md).

use std::time::Duration;

use weir_units::Moment;

use crate::change::{BreakerState, Change, Scope};
use crate::ewma::Quantile;
use crate::random::Stream;
use crate::settings::BreakerSettings;
use crate::window::{Counts, ENOUGH, Window};

/// The short window, and the share of failures within it that opens (docs/policy.md, Breakers).
const SHORT: Duration = Duration::from_secs(5);
const SHORT_PPM: u32 = 800_000;
/// A row of failures must last this long at the breaker's own rate.
const ROW_SECONDS: u64 = 3;
/// A first content later than this, and than four times the usual, is slow; this share of slow ones opens.
const SLOW: Duration = Duration::from_secs(10);
const SLOW_PPM: u32 = 800_000;
/// Cooldowns begin to double after this much outage, up to this length.
const PATIENT_FOR: Duration = Duration::from_secs(300);
const LONGEST_COOLDOWN: Duration = Duration::from_secs(120);
/// A retry-after wins over the cooldown up to here; nobody may close a deployment for a day with one header.
const LONGEST_ADVICE: Duration = Duration::from_secs(600);
/// Good probes in a row before traffic returns, and the steps in which it does.
const PROBES: u8 = 3;
const RAMP_PPM: [u32; 4] = [100_000, 250_000, 500_000, 1_000_000];
const RAMP_STEP: Duration = Duration::from_secs(10);
/// A probe that never reports back does not wedge the breaker: another may go after this.
const PROBE_EXPIRES: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open { until: Moment },
    Probing { passed: u8, out_until: Option<Moment> },
    Ramping { since: Moment, step: Duration },
}

/// Whether a call may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It may.
    Pass,
    /// It may, as a probe.
    Probe,
    /// It may; while there is an alternative, only this share of calls should, in parts per million.
    Share(u32),
    /// It may not before `until`.
    Refuse { until: Moment },
}

/// What a call that passed owes an answer to.
///
/// It carries the era it was given in, so that a late answer cannot close a newer breaker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permit {
    era: u64,
    probe: Option<Moment>,
}

impl Permit {
    /// A permit of what was forgotten meanwhile; its answer counts nowhere.
    pub(crate) const LOST: Self = Self { era: u64::MAX, probe: None };

    pub(crate) fn is_probe(self) -> bool {
        self.probe.is_some()
    }
}

/// A move from one state to another, as seen from outside, and the rule that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) from: BreakerState,
    pub(crate) to: BreakerState,
    pub(crate) why: &'static str,
}

impl Moved {
    pub(crate) fn of(self, scope: Scope) -> Change {
        Change::Breaker { scope, from: self.from, to: self.to, why: self.why }
    }
}

impl Admission {
    /// What is left when two breakers have a say.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Refuse { until: a }, Self::Refuse { until: b }) => Self::Refuse { until: a.max(b) },
            (refuse @ Self::Refuse { .. }, _) | (_, refuse @ Self::Refuse { .. }) => refuse,
            (Self::Probe, _) | (_, Self::Probe) => Self::Probe,
            (Self::Share(a), Self::Share(b)) => Self::Share(a.min(b)),
            (share @ Self::Share(_), Self::Pass) | (Self::Pass, share @ Self::Share(_)) => share,
            (Self::Pass, Self::Pass) => Self::Pass,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Breaker {
    state: State,
    era: u64,
    window: Window,
    row: u32,
    /// When the outage began, and how often the cooldown was doubled in it.
    outage: Option<(Moment, u32)>,
    usual_p95: Quantile,
}

impl Breaker {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Closed,
            era: 0,
            window: Window::default(),
            row: 0,
            outage: None,
            usual_p95: Quantile::new(950_000),
        }
    }

    /// Whether a call may pass at `now`.
    pub(crate) fn admission(&self, now: Moment) -> Admission {
        match self.state {
            State::Closed => Admission::Pass,
            State::Open { until } if now < until => Admission::Refuse { until },
            State::Probing { out_until: Some(until), .. } if now < until => {
                // Its probe is out; when it will be back is unknown, and soon is likelier than the expiry.
                Admission::Refuse { until: (now + Duration::from_secs(1)).min(until) }
            }
            State::Open { .. } | State::Probing { .. } => Admission::Probe,
            State::Ramping { since, step } => match ramp_share(since, step, now) {
                Some(share) if share < 1_000_000 => Admission::Share(share),
                _ => Admission::Pass,
            },
        }
    }

    /// Whether it is neither open nor on trial.
    pub(crate) fn is_closed(&self, now: Moment) -> bool {
        self.state_at(now) == BreakerState::Closed
    }

    /// Lets a call pass; one that [`admission`](Self::admission) refused must not ask.
    pub(crate) fn pass(&mut self, now: Moment) -> (Permit, Option<Moved>) {
        let moved = self.advance(now);
        let from = self.seen();
        let passed = match self.state {
            State::Closed | State::Ramping { .. } => return (Permit { era: self.era, probe: None }, moved),
            State::Open { .. } => 0,
            State::Probing { passed, .. } => passed,
        };
        let until = now + PROBE_EXPIRES;
        self.state = State::Probing { passed, out_until: Some(until) };
        (Permit { era: self.era, probe: Some(until) }, self.moved(from, "the cooldown is over").or(moved))
    }

    /// Closes a breaker whose ramp is over.
    pub(crate) fn advance(&mut self, now: Moment) -> Option<Moved> {
        let State::Ramping { since, step } = self.state else { return None };
        if ramp_share(since, step, now).is_some() {
            return None;
        }
        let from = self.seen();
        self.state = State::Closed;
        self.outage = None;
        self.moved(from, "the ramp ended without a fault")
    }

    /// The call answered, its first content `after` it was sent.
    pub(crate) fn succeeded(
        &mut self,
        now: Moment,
        permit: Permit,
        after: Option<Duration>,
        settings: &BreakerSettings,
        jitter: &mut Stream,
    ) -> Option<Moved> {
        if permit.era != self.era {
            return None;
        }
        let slow = after.is_some_and(|after| self.is_slow(after));
        self.window.record(now, Counts { ok: 1, slow: u32::from(slow), failed: 0 });
        self.row = 0;
        if slow {
            return self.judge_slow(now, settings, jitter);
        }
        let State::Probing { passed, out_until } = self.state else { return None };
        let out_until = out_until.filter(|until| permit.probe != Some(*until));
        let from = self.seen();
        self.state = if passed + 1 < PROBES {
            State::Probing { passed: passed + 1, out_until }
        } else {
            // Who rests a deployment for less than a step wants it back sooner, too.
            State::Ramping { since: now, step: RAMP_STEP.min(settings.cooldown) }
        };
        self.moved(from, "probes passed")
    }

    /// The call failed in a way that counts; `advice` is the provider's retry-after.
    pub(crate) fn failed(
        &mut self,
        now: Moment,
        permit: Permit,
        advice: Option<Duration>,
        settings: &BreakerSettings,
        jitter: &mut Stream,
    ) -> Option<Moved> {
        if permit.era != self.era {
            return None;
        }
        let closed = self.advance(now);
        self.window.record(now, Counts { failed: 1, ..Counts::default() });
        self.row = self.row.saturating_add(1);
        let why = match self.state {
            State::Open { .. } => None,
            State::Probing { .. } => Some("a probe failed"),
            State::Ramping { .. } => Some("a call failed during the ramp"),
            State::Closed => self.fault_rule(now, settings),
        };
        match why {
            Some(why) => self.open(now, advice, why, settings, jitter),
            None => closed,
        }
    }

    /// The call ended in a way that says nothing of the deployment: a probe is free again.
    pub(crate) fn released(&mut self, permit: Permit) {
        if permit.era == self.era
            && let State::Probing { passed, out_until } = self.state
            && out_until.is_some()
            && out_until == permit.probe
        {
            self.state = State::Probing { passed, out_until: None };
        }
    }

    /// The state as seen from outside, and until when it is open.
    pub(crate) fn view(&self, now: Moment) -> (BreakerState, Option<Moment>) {
        let until = match self.state {
            State::Open { until } => Some(until),
            _ => None,
        };
        (self.state_at(now), until)
    }

    fn state_at(&self, now: Moment) -> BreakerState {
        match self.state {
            State::Ramping { since, step } if ramp_share(since, step, now).is_none() => BreakerState::Closed,
            _ => self.seen(),
        }
    }

    fn seen(&self) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::Probing { .. } | State::Ramping { .. } => BreakerState::HalfOpen,
        }
    }

    fn moved(&self, from: BreakerState, why: &'static str) -> Option<Moved> {
        let to = self.seen();
        (from != to).then_some(Moved { from, to, why })
    }

    /// The rule by which faults open a closed breaker, if one does.
    fn fault_rule(&self, now: Moment, settings: &BreakerSettings) -> Option<&'static str> {
        let recent = self.window.last(now, settings.window);
        let row_needed = u64::from(recent.total()) * ROW_SECONDS / settings.window.as_secs().max(1);
        if u64::from(self.row) >= row_needed.max(u64::from(settings.consecutive_failures)) {
            return Some("faults in a row");
        }
        let short = self.window.last(now, SHORT);
        if over(short.failed, short, settings.failure_rate_ppm.max(SHORT_PPM)) {
            return Some("nearly all calls of the last seconds failed");
        }
        let whole = self.window.last_enough(now, settings.window);
        over(whole.failed, whole, settings.failure_rate_ppm).then_some("too many calls failed")
    }

    fn is_slow(&mut self, after: Duration) -> bool {
        let nanos = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        let usual = self.usual_p95.estimate().unwrap_or(0);
        let slow = after > SLOW && nanos > usual.saturating_mul(4);
        // What is slow moves the baseline a little: a model that became slow for good is not broken for ever.
        if slow {
            self.usual_p95.add_doubtful(nanos);
        } else {
            self.usual_p95.add(nanos);
        }
        slow
    }

    fn judge_slow(&mut self, now: Moment, settings: &BreakerSettings, jitter: &mut Stream) -> Option<Moved> {
        let closed = self.advance(now);
        let why = match self.state {
            State::Open { .. } => None,
            State::Probing { .. } => Some("a probe was slow"),
            State::Ramping { .. } | State::Closed => {
                let whole = self.window.last_enough(now, settings.window);
                over(whole.slow, whole, settings.failure_rate_ppm.max(SLOW_PPM))
                    .then_some("nearly all answers are slow")
            }
        };
        match why {
            Some(why) => self.open(now, None, why, settings, jitter),
            None => closed,
        }
    }

    fn open(
        &mut self,
        now: Moment,
        advice: Option<Duration>,
        why: &'static str,
        settings: &BreakerSettings,
        jitter: &mut Stream,
    ) -> Option<Moved> {
        let from = self.seen();
        let (since, mut doublings) = self.outage.unwrap_or((now, 0));
        if now.since(since) >= PATIENT_FOR {
            doublings = (doublings + 1).min(16);
        }
        self.outage = Some((since, doublings));
        let longest = LONGEST_COOLDOWN.max(settings.cooldown);
        let cooldown = jitter.about(settings.cooldown.saturating_mul(1 << doublings).min(longest));
        let span = cooldown.max(advice.unwrap_or(Duration::ZERO).min(LONGEST_ADVICE));
        self.state = State::Open { until: now + span };
        self.era += 1;
        self.row = 0;
        self.window.clear();
        self.moved(from, why)
    }
}

/// The share of calls that a ramp lets pass; `None` when it is over.
fn ramp_share(since: Moment, step: Duration, now: Moment) -> Option<u32> {
    let steps = now.since(since).as_nanos().checked_div(step.as_nanos()).unwrap_or(u128::MAX);
    RAMP_PPM.get(usize::try_from(steps).unwrap_or(usize::MAX)).copied()
}

fn over(part: u32, of: Counts, ppm: u32) -> bool {
    of.total() >= ENOUGH && u64::from(part) * 1_000_000 >= u64::from(of.total()) * u64::from(ppm)
}
