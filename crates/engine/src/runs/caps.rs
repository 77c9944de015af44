//! The caps of a run: the only guards that hold whatever the run does.
//!
//! With a cap on dollars, what is under way counts as well. As soon as it could pass the cap, if each request were as dear
//! as the run's dearest, the next one waits until it is settled. So a run spends at most its cap and one request.

use weir_units::{Moment, NanoUsd, Tokens};

use super::account::Account;
use super::evidence::{Detector, Evidence};
use super::settings::Guards;

impl Account {
    /// The cap that so many more requests, one or none, would pass.
    pub(super) fn over(&self, now: Moment, more: u32, guards: &Guards) -> Option<Evidence> {
        let base = self.base.as_deref();
        let (cap, from) = match base.and_then(|base| base.caps.max_requests) {
            Some(cap) => (Some(cap), 0),
            None => (guards.max_requests, base.map_or(0, |base| base.requests)),
        };
        let made = self.requests.saturating_sub(from);
        if let Some(cap) = cap.filter(|cap| made.saturating_add(more) > *cap) {
            return Some(Evidence::new(Detector::MaxRequests, made.into(), cap.into()));
        }
        let (cap, from) = match base.and_then(|base| base.caps.max_age) {
            Some(cap) => (Some(cap), self.started),
            None => (guards.max_age, base.map_or(self.started, |base| base.at)),
        };
        let age = now.since(from);
        if let Some(cap) = cap.filter(|cap| age > *cap) {
            return Some(Evidence::new(Detector::MaxAge, age.as_secs(), cap.as_secs()));
        }
        self.is_spent(guards.max_cost)
    }

    /// The cap on dollars, if it is spent.
    pub(super) fn is_spent(&self, max_cost: Option<NanoUsd>) -> Option<Evidence> {
        let (spent, cap) = self.spent_of(max_cost)?;
        (spent >= cap.0).then(|| Evidence::new(Detector::MaxCost, count(spent), count(cap.0)))
    }

    /// Whether the cap on dollars leaves no room beside what is under way.
    pub(super) fn is_crowded(&self, max_cost: Option<NanoUsd>) -> Option<Evidence> {
        let (spent, cap) = self.spent_of(max_cost)?;
        let full = self.in_flight > 0 && (!self.is_priced() || spent.saturating_add(self.held) >= cap.0);
        full.then(|| Evidence::new(Detector::MaxCost, count(spent), count(cap.0)))
    }

    /// What counts against the cap on dollars, and the cap.
    fn spent_of(&self, max_cost: Option<NanoUsd>) -> Option<(i64, NanoUsd)> {
        let base = self.base.as_deref();
        match base.and_then(|base| base.caps.max_cost) {
            Some(cap) => Some((self.cost, cap)),
            None => Some((self.cost.saturating_sub(base.map_or(0, |base| base.cost)), max_cost?)),
        }
    }

    /// The cap on the growth of the context, if so much input passes it.
    pub(super) fn outgrown(&self, input: Tokens, guards: &Guards) -> Option<Evidence> {
        let (first, cap) = (self.first_input?, guards.max_context_growth?);
        let growth = input.0.saturating_sub(first.0);
        (growth > cap.0).then(|| Evidence::new(Detector::MaxContextGrowth, growth, cap.0))
    }
}

fn count(amount: i64) -> u64 {
    u64::try_from(amount).unwrap_or(0)
}

/// The cap on depth, if it is passed.
pub(super) fn too_deep(depth: u32, guards: &Guards) -> Option<Evidence> {
    let cap = guards.max_depth?;
    (depth > cap).then(|| Evidence::new(Detector::MaxDepth, depth.into(), cap.into()))
}
