//! Holding back what an attempt may cost, before it is sent: at once, after a wait, or not at all.

use std::time::Duration;

use weir_engine::{BudgetWait, Estimate, Reserve, Send, WaitFor};
use weir_ledger::Stage;
use weir_units::Moment;

use super::worst::NOTHING;
use super::{Paying, refuse, worst};
use crate::calling::Calling;
use crate::changes;
use crate::reply::{Cause, Refusal, shutting_down};
use crate::route::Target;
use crate::settle::Journey;

/// How long a cut answer may stand still for want of money.
const MIDWAY: Duration = Duration::from_secs(1);

/// What budgets say to an attempt.
pub(crate) enum Payment {
    /// It is paid for, or nobody need pay.
    Held,
    /// It was waited for, so that the engine must be asked anew who is to be called.
    Waited,
    /// Nobody pays for this deployment.
    Refused(Refusal),
}

impl Calling {
    /// Holds back what an attempt may cost. Where that takes a wait, the attempt is set aside meanwhile, so that its capacity is
    /// others'.
    pub(crate) async fn pay(&mut self, journey: &mut Journey, send: &Send) -> Payment {
        let Some(paying) = journey.paying() else { return Payment::Held };
        let target = &self.routed.targets[send.candidate];
        let estimate = self.reckon(paying, send.candidate);
        if estimate == NOTHING {
            paying.give_back();
            return Payment::Held;
        }
        match paying.reserve(send.candidate, &target.deployment, estimate) {
            Reserve::Held(_) => Payment::Held,
            Reserve::Refused(refusal) => {
                journey.note(Stage::Call, changes::too_dear(&target.name, &refusal));
                Payment::Refused(refuse(&refusal))
            }
            Reserve::Wait(wait) => {
                let began = self.shared.clock.now();
                self.shared.decide(|engine| engine.set_aside(began, journey.call()));
                let refused = match journey.paying() {
                    // In a box, like all that is rare: every request's task is as large as what may happen to it.
                    Some(paying) => Box::pin(self.wait_to_pay(paying, send, estimate, wait, self.pays_until())).await,
                    None => None,
                };
                journey.waited_for_budget(self.shared.clock.now().since(began));
                match refused {
                    None => Payment::Waited,
                    Some(refusal) => Payment::Refused(refusal),
                }
            }
        }
    }

    /// Holds back what taking over a cut answer may cost, if that can be done at once or as soon as a slice is on record: a
    /// client waits in the middle of its answer.
    pub(crate) async fn pay_midway(&self, journey: &mut Journey, send: &Send) -> bool {
        let Some(paying) = journey.paying() else { return true };
        let estimate = self.reckon(paying, send.candidate);
        if estimate == NOTHING {
            return true;
        }
        let deployment = &self.routed.targets[send.candidate].deployment;
        match paying.reserve(send.candidate, deployment, estimate) {
            Reserve::Held(_) => true,
            Reserve::Refused(_) => false,
            Reserve::Wait(wait) => {
                let until = self.shared.clock.now() + MIDWAY;
                Box::pin(self.wait_to_pay(paying, send, estimate, wait, until)).await.is_none()
            }
        }
    }

    fn reckon(&self, paying: &Paying, candidate: usize) -> Estimate {
        let limit = self.output_limit(candidate);
        worst::estimate(&self.routed.targets[candidate], &self.accepted, limit, paying.strict)
    }

    /// Waits until the attempt is paid for; returns why it is not.
    async fn wait_to_pay(
        &self,
        paying: &mut Paying,
        send: &Send,
        estimate: Estimate,
        mut wait: BudgetWait,
        until: Moment,
    ) -> Option<Refusal> {
        let target = &self.routed.targets[send.candidate];
        let until = self.shared.clock.instant(until);
        loop {
            let Some(budget) = paying.named(&wait.or.budget) else { return Some(refuse(&wait.or)) };
            // It listens before it asks, so that nothing that happens in between is missed.
            let changed = budget.changed.notified();
            match paying.reserve(send.candidate, &target.deployment, estimate) {
                Reserve::Held(_) => return None,
                Reserve::Refused(refusal) => return Some(refuse(&refusal)),
                Reserve::Wait(other) if other.or.budget != wait.or.budget => {
                    wait = other;
                    continue;
                }
                Reserve::Wait(same) => wait = same,
            }
            if self.shared.is_draining() {
                return Some(shutting_down());
            }
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(until) => return Some(late(target, &wait)),
            }
        }
    }

    /// How long it is waited for others to settle, or for a slice.
    fn pays_until(&self) -> Moment {
        let patience = self.accepted.arrived + self.live.config.max_wait;
        match self.accepted.deadline {
            Some(deadline) if self.accepted.firm => deadline,
            Some(deadline) => deadline.min(patience),
            None => patience,
        }
    }
}

/// The time to wait is over.
fn late(target: &Target, wait: &BudgetWait) -> Refusal {
    match wait.what {
        WaitFor::Settling => refuse(&wait.or),
        WaitFor::Lending => {
            let message = format!(
                "what `{}` may cost could not be put on record for budget \"{}\" in time: try again shortly, and see the \
                 gateway's log",
                target.name, wait.or.budget.name
            );
            Refusal::weir(Cause::CapacityExhausted, message).retry_after(Duration::from_secs(1))
        }
    }
}
