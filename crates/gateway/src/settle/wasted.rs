//! What of a journey was paid for and served nobody, found when an attempt is over.

use weir_ledger::Stage;
use weir_units::{Moment, Tokens};

use super::Journey;
use crate::bill::Cost;
use crate::state::Shared;
use crate::waste::Waste;

impl Journey {
    /// Why the whole of an answered call was wasted, if it was: the first reason that holds.
    pub(super) fn wasted_whole(&self, shared: &Shared, now: Moment) -> Option<Waste> {
        let again = self.content.and_then(|content| shared.answered.note(now, content));
        let round = || self.run.as_ref().is_some_and(|run| run.goes_round()).then_some(Waste::Loop);
        let cut = || self.truncated.then_some(Waste::Truncated);
        again.or_else(round).or_else(cut)
    }

    /// The parts of an answered call that were wasted, no token in two of them.
    pub(super) fn wasted_parts(&self, shared: &Shared) -> [(Waste, Option<Cost>); 3] {
        let bill = self.bill.as_ref();
        let (before, stale) = self.run.as_ref().map_or((Tokens(0), Tokens(0)), |run| (run.before, run.stale));
        let missed = bill.and_then(|bill| bill.missed_cache(before));
        let stale = bill.and_then(|bill| bill.stale(stale, missed.is_some()));
        let live = shared.live.load();
        // A short question has no beginning that is worth a cache.
        let dear = bill.zip(live.cheapest.as_ref()).and_then(|(bill, cheapest)| bill.oversized(cheapest));
        let dear = dear.filter(|_| missed.is_none() && stale.is_none());
        [(Waste::CacheMiss, missed), (Waste::StaleContext, stale), (Waste::OversizedModel, dear)]
    }

    /// The room of a limit on tokens that the attempt in hand holds for nothing.
    pub(super) fn room_for_nothing(&self, shared: &Shared) -> Option<Cost> {
        let call = self.call.as_ref().filter(|call| shared.counts_tokens() && call.is_limited())?;
        self.bill.as_ref()?.held_for_nothing(call.ask().max_output)
    }

    /// Writes down that so much was wasted, if anything was.
    pub(super) fn wasted(&mut self, waste: Waste, cost: Option<&Cost>) {
        if let Some(fact) = cost.and_then(|cost| waste.of(cost)) {
            self.note(Stage::Settle, fact);
        }
    }
}
