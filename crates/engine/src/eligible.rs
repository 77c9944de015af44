//! What only the caller can know of a candidate: whether the request can be said to it at all.
//!
//! That is found out when a candidate's turn comes, since it takes reading the whole request, and most are answered by the
//! first. So a candidate may be ruled out late, also while another one's attempt is under way.

use weir_units::Moment;

use crate::call::Call;
use crate::engine::Engine;
use crate::tape::Question;

impl Engine {
    /// This candidate cannot be asked: it is not eligible for the rest of the call, and nothing is held against it.
    ///
    /// If its attempt was handed out, it counts as never made.
    pub fn rule_out(&mut self, now: Moment, call: &mut Call, candidate: usize) {
        if call.flight.as_ref().is_some_and(|flight| flight.lane == candidate) {
            self.unmake(now, call);
        }
        call.lanes[candidate].out = true;
        self.let_go(now);
        let number = call.number;
        self.put(now, |_| Question::RuleOut { call: number, candidate }, &());
    }

    /// The attempt that was handed out is not made yet: it counts as never made, and what it holds is others' meanwhile.
    pub fn set_aside(&mut self, now: Moment, call: &mut Call) {
        self.unmake(now, call);
        self.let_go(now);
        let number = call.number;
        self.put(now, |_| Question::SetAside { call: number }, &());
    }

    fn unmake(&mut self, now: Moment, call: &mut Call) {
        let Some(flight) = call.flight.as_mut() else { return };
        let lane = flight.lane;
        if let Some(hold) = flight.hold.take() {
            self.settle_hold(now, &hold, None);
        }
        self.abandon(now, call);
        call.attempts = call.attempts.saturating_sub(1);
        call.lanes[lane].attempts = call.lanes[lane].attempts.saturating_sub(1);
    }

    /// Whether another deployment than the one whose attempt is under way could take over now.
    #[must_use]
    pub fn could_fail_over(&self, now: Moment, call: &Call) -> bool {
        call.flight.as_ref().is_some_and(|flight| self.another_eligible(now, call, flight.lane))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weir_units::{DeploymentId, Tokens};

    use super::*;
    use crate::{Ask, Candidate, GiveUp, Settings, Step, Strategy};

    #[test]
    fn a_candidate_that_cannot_be_asked_is_no_alternative_and_no_attempt() {
        let candidate = |name: &str| Candidate {
            deployment: DeploymentId::new(name, "m"),
            host: Arc::from(name),
            window: None,
            charge: crate::ChargeModel::METERED,
            input: Tokens(1),
        };
        let mut engine = Engine::new(Settings::default(), 1);
        let ask = Ask {
            candidates: vec![candidate("a"), candidate("b")],
            strategy: Strategy::Failover,
            tenant: Arc::from("t"),
            cost: 1,
            input: Tokens(1),
            max_output: None,
            bytes: 0,
            priority: crate::Priority::Interactive,
            deadline: None,
            wait_until: None,
            repeatable: true,
            pinned: false,
        };
        let mut call = engine.begin(Moment::ZERO, ask);
        let Step::Send(first) = engine.next(Moment::ZERO, &mut call) else { panic!("nothing was sent") };
        engine.set_aside(Moment::ZERO, &mut call);
        assert_eq!((call.attempts(), engine.view(Moment::ZERO)[0].in_flight), (0, 0));
        assert_eq!(engine.next(Moment::ZERO, &mut call), Step::Send(first), "it is made after all");
        assert!(engine.could_fail_over(Moment::ZERO, &call));
        engine.rule_out(Moment::ZERO, &mut call, 1);
        assert!(!engine.could_fail_over(Moment::ZERO, &call));
        engine.rule_out(Moment::ZERO, &mut call, first.candidate);
        assert_eq!(call.attempts(), 0);
        assert!(matches!(engine.next(Moment::ZERO, &mut call), Step::GiveUp(GiveUp::NoDeployment { .. })));
        engine.end(Moment::ZERO, call);
    }
}
