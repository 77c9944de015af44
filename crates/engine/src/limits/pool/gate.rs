//! What holds a pool's requests back after its provider refused one: a gate, and a trial where no rate is known.

use std::time::Duration;

use weir_units::{Dimension, Moment};

/// A trial that has come this far is passed.
const PASSED: u32 = 64;
/// How long an answer in a trial is waited for.
const TRIAL: Duration = Duration::from_secs(60);

/// Closed by refusals, opened by time.
#[derive(Debug, Default)]
pub(super) struct Gate {
    until: Option<(Moment, Dimension)>,
    trial: Option<Trial>,
    /// How often it was closed, to tell whose trial an answer belongs to.
    number: u32,
}

/// What follows a gate where no rate is known: one request first, then twice as many for each that is answered.
#[derive(Clone, Copy, Debug)]
struct Trial {
    allowed: u32,
    out: u32,
    /// When the last of them went: one that is never heard of again must not hold the others up for good.
    went: Moment,
}

impl Gate {
    /// Whether it was ever closed.
    pub(super) fn is_known(&self) -> bool {
        self.until.is_some() || self.trial.is_some()
    }

    /// Nobody passes before `until`, because of this; those that follow are a trial where nothing else paces them.
    pub(super) fn close(&mut self, until: Moment, binding: Dimension, with_trial: bool) {
        if self.until.is_none_or(|(before, _)| before < until) {
            self.until = Some((until, binding));
        }
        self.number = self.number.wrapping_add(1);
        self.trial = with_trial.then_some(Trial { allowed: 1, out: 0, went: Moment::ZERO });
    }

    /// When it opens, if it is closed.
    pub(super) fn closed(&self, now: Moment) -> Option<(Moment, Dimension)> {
        self.until.filter(|(until, _)| *until > now)
    }

    /// Until when the trial lets nobody else go, unless one of those under way ends.
    pub(super) fn trial_is_full(&self, now: Moment) -> Option<Moment> {
        let trial = self.trial.filter(|trial| trial.out >= trial.allowed)?;
        Some(trial.went + TRIAL).filter(|over| now < *over)
    }

    /// One goes; what is returned is owed to [`ended`](Self::ended).
    pub(super) fn went(&mut self, now: Moment) -> Option<u32> {
        let trial = self.trial.as_mut()?;
        trial.out += 1;
        trial.went = now;
        Some(self.number)
    }

    /// One that went in the trial of this number has ended; what used nothing was refused, or never sent.
    pub(super) fn ended(&mut self, number: Option<u32>, used: bool) {
        if number == Some(self.number)
            && let Some(trial) = &mut self.trial
        {
            trial.out = trial.out.saturating_sub(1);
            if used {
                trial.allowed = trial.allowed.saturating_mul(2);
            }
            self.trial = self.trial.filter(|trial| trial.allowed < PASSED);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment(seconds * 1_000_000_000)
    }

    #[test]
    fn it_opens_at_the_latest_time_that_it_was_closed_for() {
        let mut gate = Gate::default();
        assert!(!gate.is_known());
        gate.close(at(10), Dimension::RequestsPerMinute, false);
        gate.close(at(5), Dimension::TokensPerMinute, false);
        assert_eq!(gate.closed(at(9)), Some((at(10), Dimension::RequestsPerMinute)));
        assert_eq!(gate.closed(at(10)), None);
        assert_eq!(gate.went(at(10)), None, "no trial");
    }

    #[test]
    fn a_trial_doubles_with_each_answer_and_ends_at_sixty_four() {
        let mut gate = Gate::default();
        gate.close(at(1), Dimension::RequestsPerMinute, true);
        for allowed in [1, 2, 4, 8, 16, 32] {
            let went: Vec<_> = (0..allowed).map(|_| gate.went(at(2))).collect();
            assert_eq!(gate.trial_is_full(at(2)), Some(at(62)), "{allowed} may go");
            assert_eq!(gate.trial_is_full(at(62)), None, "those that are never heard of are given up");
            went[1..].iter().for_each(|number| gate.ended(*number, false));
            gate.ended(went[0], true);
        }
        assert_eq!(gate.went(at(3)), None, "it is passed");
    }

    #[test]
    fn an_answer_to_what_went_before_the_gate_closed_again_is_no_part_of_the_new_trial() {
        let mut gate = Gate::default();
        gate.close(at(1), Dimension::RequestsPerMinute, true);
        let early = gate.went(at(1));
        gate.close(at(2), Dimension::RequestsPerMinute, true);
        gate.went(at(3));
        gate.ended(early, true);
        assert_eq!(gate.trial_is_full(at(3)), Some(at(63)));
    }
}
