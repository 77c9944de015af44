//! Guards on agent runs as one table sets them: what it is silent about is as the wider table has it.

use std::collections::BTreeSet;
use std::time::Duration;

use weir_engine::{Guards, Loops};
use weir_units::{NanoUsd, Tokens};

/// The guards that a route or a key sets for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is what the guard of its name is set to")]
pub struct GuardsPart {
    pub loops: Option<Loops>,
    pub exempt_tools: Option<BTreeSet<Box<str>>>,
    pub identical_actions: Option<u32>,
    pub cycles: Option<u32>,
    pub repeated_errors: Option<u32>,
    pub no_progress_steps: Option<u32>,
    pub no_progress_distinct_ppm: Option<u32>,
    pub no_progress_quiet: Option<u32>,
    pub similar_texts: Option<u32>,
    pub similar_texts_distance: Option<u32>,
    pub ping_pongs: Option<u32>,
    pub velocity_deviations: Option<u32>,
    pub velocity_floor: Option<NanoUsd>,
    pub attempts_per_answer: Option<u32>,
    pub attempts_least: Option<u32>,
    pub max_cost: Option<NanoUsd>,
    pub max_requests: Option<u32>,
    pub max_age: Option<Duration>,
    pub max_depth: Option<u32>,
    pub max_context_growth: Option<Tokens>,
}

impl GuardsPart {
    /// Whether it sets nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These guards where they are set, else the wider ones.
    #[must_use]
    pub fn over(&self, wider: &Guards) -> Guards {
        let mut guards = wider.clone();
        let own = self.clone();
        set(&mut guards.loops, own.loops);
        set(&mut guards.exempt_tools, own.exempt_tools);
        set(&mut guards.identical_actions, own.identical_actions);
        set(&mut guards.cycles, own.cycles);
        set(&mut guards.repeated_errors, own.repeated_errors);
        set(&mut guards.no_progress_steps, own.no_progress_steps);
        set(&mut guards.no_progress_distinct_ppm, own.no_progress_distinct_ppm);
        set(&mut guards.no_progress_quiet, own.no_progress_quiet);
        set(&mut guards.similar_texts, own.similar_texts);
        set(&mut guards.similar_texts_distance, own.similar_texts_distance);
        set(&mut guards.ping_pongs, own.ping_pongs);
        set(&mut guards.velocity_deviations, own.velocity_deviations);
        set(&mut guards.velocity_floor, own.velocity_floor);
        set(&mut guards.attempts_per_answer, own.attempts_per_answer);
        set(&mut guards.attempts_least, own.attempts_least);
        guards.max_cost = own.max_cost.or(guards.max_cost);
        guards.max_requests = own.max_requests.or(guards.max_requests);
        guards.max_age = own.max_age.or(guards.max_age);
        guards.max_depth = own.max_depth.or(guards.max_depth);
        guards.max_context_growth = own.max_context_growth.or(guards.max_context_growth);
        guards
    }
}

fn set<T>(guard: &mut T, own: Option<T>) {
    if let Some(own) = own {
        *guard = own;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_key_does_not_say_is_as_its_route_says_and_then_as_all_runs() {
        let all = Guards { max_requests: Some(200), ..Guards::default() };
        let route = GuardsPart { loops: Some(Loops::Warn), max_requests: Some(50), ..GuardsPart::default() };
        let key = GuardsPart { max_requests: Some(10), no_progress_steps: Some(31), ..GuardsPart::default() };
        assert!(!route.is_empty() && GuardsPart::default().is_empty());
        let guards = key.over(&route.over(&all));
        assert_eq!((guards.loops, guards.max_requests, guards.cycles), (Loops::Warn, Some(10), 4));
        assert_eq!((guards.no_progress_steps, guards.no_progress_quiet), (31, 10));
        assert_eq!(GuardsPart::default().over(&all), all);
    }
}
