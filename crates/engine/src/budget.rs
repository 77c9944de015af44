//! How much repeating may cost: a share of what first attempts cost, per deployment and per tenant.
//!
//! Costs are estimated tokens, not calls: one repeated prompt of 200,000 tokens weighs as much as a hundred small ones.
//! The bucket starts full, so that the first requests of a fresh process may repeat; and a withdrawal is allowed while
//! anything is left and may go below zero, so that no call is too large to ever repeat (docs/policy.md).

use weir_units::Moment;

use crate::ewma::Quantile;

const SECOND: u64 = 1_000_000_000;
/// Levels are in millionths of a token, so that a tenth of a token is not lost.
const MICRO: i64 = 1_000_000;
/// The bucket holds this many seconds of deposits (docs/policy.md, Retries).
const SPAN: usize = 10;
/// … and at least this many median requests.
const FLOOR: i64 = 3;

/// One bucket.
#[derive(Debug)]
pub(crate) struct Budget {
    level: i64,
    started: bool,
    median: Quantile,
    /// Deposits by second, over the last [`SPAN`] seconds.
    deposits: [i64; SPAN],
    newest: u64,
    trickled_at: Moment,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self {
            level: 0,
            started: false,
            median: Quantile::new(500_000),
            deposits: [0; SPAN],
            newest: 0,
            trickled_at: Moment::ZERO,
        }
    }

    /// A first attempt that costs `cost`: pays in `share_ppm` of it.
    pub(crate) fn deposit(&mut self, now: Moment, cost: u64, share_ppm: u32) {
        self.median.add(cost.max(1));
        if !self.started {
            self.started = true;
            self.trickled_at = now;
            self.newest = now.0 / SECOND;
            self.level = self.median() * FLOOR;
        }
        self.refresh(now);
        let amount = micro(cost, share_ppm);
        let place = &mut self.deposits[self.newest as usize % SPAN];
        *place = place.saturating_add(amount);
        self.level = self.level.saturating_add(amount).min(self.capacity());
    }

    /// Whether a repeat may be paid for.
    pub(crate) fn has_any(&mut self, now: Moment) -> bool {
        self.refresh(now);
        !self.started || self.level > 0
    }

    /// Pays `share_ppm` of `cost`; what that is in the bucket's unit, for [`refund`](Self::refund).
    pub(crate) fn withdraw(&mut self, cost: u64, share_ppm: u32) -> i64 {
        let amount = micro(cost, share_ppm);
        // A debt is bounded, so that one bad minute is not paid for all day.
        self.level = self.level.saturating_sub(amount).max(-self.capacity().max(amount));
        amount
    }

    /// A repeat succeeded: half of what it paid comes back.
    pub(crate) fn refund(&mut self, paid: i64) {
        self.level = self.level.saturating_add(paid / 2).min(self.capacity());
    }

    /// What was paid for a repeat that is not made comes back whole.
    pub(crate) fn give_back(&mut self, paid: i64) {
        self.level = self.level.saturating_add(paid).min(self.capacity());
    }

    fn median(&self) -> i64 {
        i64::try_from(self.median.estimate().unwrap_or(1)).unwrap_or(i64::MAX / MICRO / 4).min(i64::MAX / MICRO / 4)
            * MICRO
    }

    fn capacity(&self) -> i64 {
        self.deposits.iter().fold(0_i64, |sum, d| sum.saturating_add(*d)).max(self.median() * FLOOR)
    }

    /// Forgets deposits that are too old, and pays in the trickle of one median request per second.
    fn refresh(&mut self, now: Moment) {
        let second = now.0 / SECOND;
        if !self.started || second < self.newest {
            return;
        }
        for passed in self.newest + 1..=second.min(self.newest + SPAN as u64) {
            self.deposits[passed as usize % SPAN] = 0;
        }
        self.newest = second;
        let elapsed = now.since(self.trickled_at).as_millis();
        if elapsed >= 100 {
            let trickle = i128::from(self.median()) * elapsed.min(600_000) as i128 / 1_000;
            let capacity = self.capacity();
            self.level = self.level.saturating_add(i64::try_from(trickle).unwrap_or(capacity)).min(capacity);
            self.trickled_at = now;
        }
    }
}

fn micro(cost: u64, share_ppm: u32) -> i64 {
    i64::try_from(u128::from(cost) * u128::from(share_ppm)).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENTH: u32 = 100_000;
    const WHOLE: u32 = 1_000_000;

    fn at(millis: u64) -> Moment {
        Moment(millis * 1_000_000)
    }

    #[test]
    fn it_starts_full_may_be_overdrawn_once_and_trickles_back() {
        let mut budget = Budget::new();
        budget.deposit(at(0), 1_000, TENTH);
        for _ in 0..3 {
            assert!(budget.has_any(at(0)));
            budget.withdraw(1_000, WHOLE);
        }
        assert!(!budget.has_any(at(0)));
        assert!(!budget.has_any(at(90)));
        assert!(budget.has_any(at(1_000)), "one median request per second");
        budget.withdraw(1_000_000, WHOLE);
        assert!(!budget.has_any(at(100_000)), "the debt of a large repeat is paid off first");
    }

    #[test]
    fn half_of_a_good_repeat_comes_back() {
        let mut budget = Budget::new();
        budget.deposit(at(0), 1_000, TENTH);
        let mut repeats = 0;
        while budget.has_any(at(0)) {
            let paid = budget.withdraw(1_000, WHOLE);
            budget.refund(paid);
            repeats += 1;
        }
        assert!((6..=7).contains(&repeats), "{repeats}");
    }

    /// 0.10 for the deposits, a trickle and one full bucket.
    #[test]
    fn repeats_never_cost_more_than_a_tenth_a_trickle_and_one_bucket() {
        let mut budget = Budget::new();
        let (mut first, mut repeated) = (0, 0);
        for millis in (0..60_000).step_by(10) {
            budget.deposit(at(millis), 1_000, TENTH);
            first += 1;
            while budget.has_any(at(millis)) {
                budget.withdraw(1_000, WHOLE);
                repeated += 1;
            }
        }
        assert!(repeated * 100 <= first * 13 && repeated * 100 >= first * 9, "{repeated} of {first}");
    }
}
