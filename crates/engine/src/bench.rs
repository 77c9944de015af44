//! What sits at the end of every order because its credential or its model was refused.
//!
//! A bench is not a breaker: what is benched is still tried when nothing else is left, since a 401 costs nothing and a
//! fault of one request must never turn the next one away. When the bench is over one call tries it in its old place.

use std::time::Duration;

use weir_units::{FaultClass, Moment};

/// The first bench, and the longest after doubling while it keeps failing.
const FIRST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(600);
/// A try that never reports back frees its place after this, as a breaker's probe does.
const TRY_EXPIRES: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Bench {
    pub(crate) class: FaultClass,
    pub(crate) until: Moment,
    span: Duration,
    trying_until: Option<Moment>,
}

impl Bench {
    /// Another refusal of what `before` says about: the bench that holds from here on, and whether it is a new one.
    pub(crate) fn again(before: Option<Self>, now: Moment, class: FaultClass) -> (Self, bool) {
        match before {
            Some(bench) if now < bench.until => (bench, false),
            before => {
                let span = before.map_or(FIRST, |bench| (bench.span * 2).min(LONGEST));
                (Self { class, until: now + span, span, trying_until: None }, true)
            }
        }
    }

    /// Whether a call at `now` finds it at the end of the order.
    pub(crate) fn holds(&self, now: Moment) -> bool {
        now < self.until || self.trying_until.is_some_and(|until| now < until)
    }

    /// A call takes the one try, if it is due.
    pub(crate) fn try_out(&mut self, now: Moment) {
        if !self.holds(now) {
            self.trying_until = Some(now + TRY_EXPIRES);
        }
    }

    /// The try ended without saying anything of the credential or the model.
    pub(crate) fn try_over(&mut self) {
        self.trying_until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Moment {
        Moment(second * 1_000_000_000)
    }

    #[test]
    fn a_bench_doubles_only_when_its_try_fails() {
        let class = FaultClass::Unauthorized;
        let (bench, new) = Bench::again(None, at(0), class);
        assert!(new && bench.until == at(60) && bench.holds(at(59)) && !bench.holds(at(60)));
        let (bench, new) = Bench::again(Some(bench), at(30), class);
        assert!(!new && bench.until == at(60), "calls that had nothing else left do not lengthen it");
        let mut now = 60;
        let mut bench = bench;
        for span in [120, 240, 480, 600, 600] {
            bench.try_out(at(now));
            assert!(bench.holds(at(now)), "one try at a time");
            bench = Bench::again(Some(bench), at(now), class).0;
            assert_eq!(bench.until, at(now + span));
            now += span;
        }
        bench.try_out(at(now));
        assert!(!bench.holds(at(now + 30)), "a lost try does not hold the place for ever");
    }
}
