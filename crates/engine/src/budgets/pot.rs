//! One budget: its period, its books, and the slices of it that are on record.
//!
//! A strict budget that lends durably spends only what is on record as lent, so a kill at any moment finds at least as
//! much on record as was spent. The next slice is asked for while the last one still has half of itself left. Slices
//! shrink with what is left; once one would not hold a request, exactly what the next request needs is lent. What comes
//! back from attempts that turned out cheap is taken off the record again, so that a kill strands a slice or two.

use std::collections::BTreeMap;

use weir_units::{NanoUsd, WallTime};

use super::books::{Booking, Books};
use super::lease::{Lease, Recovered};
use super::period::{Span, Zone};
use super::settings::{BudgetId, BudgetMode, BudgetSettings, Lending};

/// A slice is at most so great a part of what is left.
const SLICES: i64 = 100;
/// Parts per million in one.
const WHOLE: i128 = 1_000_000;

/// What a budget says to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It takes so much.
    Fits(NanoUsd),
    /// There may be room once attempts under way are settled.
    Busy,
    /// There is room once a slice is on record that holds so much more.
    Unlent(NanoUsd),
    /// There is no room for so much, and nothing that could make some.
    Spent(NanoUsd),
}

#[derive(Debug)]
pub(crate) struct Pot {
    pub(crate) id: BudgetId,
    pub(crate) settings: BudgetSettings,
    pub(crate) span: Span,
    pub(crate) books: Books,
    /// Books of periods that are over and have attempts under way.
    past: Vec<(WallTime, Books)>,
    /// How many of the warnings are done with, in this period.
    warned: usize,
    pub(crate) told_spent: bool,
    /// The slice that is being put on record.
    pending: Option<Lease>,
    /// What requests in line need, by request.
    waiting: BTreeMap<u64, NanoUsd>,
    /// The sum of that.
    needed: NanoUsd,
    /// What the last attempt took.
    usual: NanoUsd,
}

impl Pot {
    pub(crate) fn new(id: BudgetId, settings: BudgetSettings, wall: WallTime, zone: &Zone) -> Self {
        let span = settings.period.at(wall, zone);
        Self {
            id,
            settings: in_order(settings),
            span,
            books: Books::default(),
            past: Vec::new(),
            warned: 0,
            told_spent: false,
            pending: None,
            waiting: BTreeMap::new(),
            needed: NanoUsd::ZERO,
            usual: NanoUsd::ZERO,
        }
    }

    /// Takes over other settings; returns what is to be booked. Another period begins with what this one has spent.
    pub(crate) fn set(&mut self, settings: BudgetSettings, wall: WallTime, zone: &Zone) -> Option<Booking> {
        let same = settings.period == self.settings.period;
        self.settings = in_order(settings);
        self.warned = self.passed(self.books.spent);
        self.told_spent = false;
        let mut carried = None;
        if !same {
            let span = self.settings.period.at(wall, zone);
            if span.start == self.span.start {
                self.span = span;
                return None;
            }
            let spent = if self.span.start >= span.start { self.books.counted() } else { NanoUsd::ZERO };
            self.begin(span);
            carried = (spent > NanoUsd::ZERO).then_some(Booking::Adjust { presumed: NanoUsd::ZERO, actual: spent });
        }
        carried
    }

    /// Begins the period that `wall` lies in, if that is a later one: a clock that is set back opens no period again.
    #[inline]
    pub(crate) fn turn(&mut self, wall: WallTime, zone: &Zone) {
        if self.span.end.is_some_and(|end| wall >= end) {
            let span = self.settings.period.at(wall, zone);
            if span.start > self.span.start {
                self.begin(span);
            }
        }
    }

    fn begin(&mut self, span: Span) {
        if self.books.reserved > NanoUsd::ZERO {
            self.past.push((self.span.start, self.books));
        }
        self.span = span;
        self.books = Books::default();
        self.warned = 0;
        self.told_spent = false;
        self.pending = None;
    }

    /// Takes over what is on record; returns what is to be booked in the period that is then current, if anything is.
    pub(crate) fn recover(&mut self, found: &Recovered, wall: WallTime, zone: &Zone) -> Option<Booking> {
        let spent = found.spent.max(NanoUsd::ZERO);
        let presumed = found.lent.saturating_sub(spent).max(NanoUsd::ZERO);
        let span = self.settings.period.at(found.period, zone);
        if span.start == found.period {
            if span.start < self.span.start {
                return None;
            }
            self.begin(span);
            return Some(Booking::Recover { spent, presumed });
        }
        // The zone or the period was set to another: what may reach into the current period counts in it.
        let lasts = span.end.map_or(i64::MAX, |end| end.0.saturating_sub(span.start.0));
        let carried = Booking::Adjust { presumed: NanoUsd::ZERO, actual: spent + presumed };
        (found.period.0.saturating_add(lasts) > wall.0).then_some(carried)
    }

    /// After a recovery, what is known to be spent has been reported by the process that spent it.
    pub(crate) fn recovered(&mut self) {
        self.warned = self.passed(self.books.spent);
    }

    /// What it says to an attempt that costs `worst` at most and `careful` in all likelihood.
    #[inline]
    pub(crate) fn ask(&self, worst: NanoUsd, careful: NanoUsd) -> Answer {
        let (limit, books) = (self.settings.limit, &self.books);
        match self.settings.mode {
            BudgetMode::Strict => {
                if books.held() + worst > limit {
                    let alone = books.counted() + worst;
                    return if books.reserved > NanoUsd::ZERO && alone <= limit {
                        Answer::Busy
                    } else {
                        Answer::Spent(worst)
                    };
                }
                if self.is_durable() && books.held() + worst > books.lent {
                    return Answer::Unlent(worst);
                }
                Answer::Fits(worst)
            }
            BudgetMode::Soft if worst == NanoUsd::ZERO => Answer::Fits(worst),
            BudgetMode::Soft if books.counted() >= limit => Answer::Spent(careful),
            // One is always let in while there is money: no estimate locks out who spent nothing.
            BudgetMode::Soft if books.reserved > NanoUsd::ZERO && books.held() + careful > limit => Answer::Busy,
            BudgetMode::Soft => Answer::Fits(careful),
        }
    }

    /// Notes that a request needs so much, or nothing any more.
    #[inline]
    pub(crate) fn wait(&mut self, request: u64, need: Option<NanoUsd>) {
        match need {
            None if self.waiting.is_empty() => {}
            None => {
                let gone = self.waiting.remove(&request).unwrap_or_default();
                self.needed = self.needed.saturating_sub(gone);
            }
            Some(need) => {
                let before = self.waiting.insert(request, need).unwrap_or_default();
                self.needed = self.needed.saturating_sub(before) + need;
            }
        }
    }

    /// Books a change of the period that began at `start`; false if its books are closed.
    #[inline]
    pub(crate) fn book(&mut self, start: WallTime, booking: Booking) -> bool {
        if start == self.span.start {
            self.books.book(booking);
            if let Booking::Reserve(amount) = booking {
                self.usual = amount;
            }
            return true;
        }
        let Some(at) = self.past.iter().position(|(known, _)| *known == start) else { return false };
        self.past[at].1.book(booking);
        if self.past[at].1.reserved == NanoUsd::ZERO {
            self.past.swap_remove(at);
        }
        true
    }

    /// The next warning that is due.
    #[inline]
    pub(crate) fn warning(&mut self) -> Option<u32> {
        let due = self.settings.warn_at_ppm.get(self.warned).copied()?;
        self.is_past(self.books.counted(), due).then(|| {
            self.warned += 1;
            due
        })
    }

    /// Whether so much is spent that a cheaper deployment is wanted.
    pub(crate) fn is_low(&self) -> bool {
        self.settings.low_at_ppm.is_some_and(|at| self.is_past(self.books.counted(), at))
    }

    fn is_past(&self, spent: NanoUsd, ppm: u32) -> bool {
        i128::from(spent.0) * WHOLE >= i128::from(self.settings.limit.0) * i128::from(ppm)
    }

    fn passed(&self, spent: NanoUsd) -> usize {
        self.settings.warn_at_ppm.iter().take_while(|ppm| self.is_past(spent, **ppm)).count()
    }

    pub(crate) fn is_durable(&self) -> bool {
        self.settings.mode == BudgetMode::Strict && self.settings.lending == Lending::Durable
    }

    /// The slice to put on record next, if one is needed and none is on its way.
    #[inline]
    pub(crate) fn lend(&mut self, id: u64) -> Option<Lease> {
        if !self.is_durable() || self.pending.is_some() {
            return None;
        }
        let (at_hand, slice) = (self.at_hand(), self.slice());
        let low = at_hand < slice / 2 && slice >= self.usual.0.max(1);
        if self.waiting.is_empty() && !low && at_hand >= 0 {
            return None;
        }
        // Whoever came first gets what it needs; a slice serves the others, or those who come after a slice that is low.
        let short = self.waiting.values().next().map_or(0, |need| need.0.saturating_sub(at_hand));
        let lendable = self.settings.limit.saturating_sub(self.books.lent).0.max(0);
        let amount = if low || short > 0 { slice.max(short).min(lendable) } else { 0 };
        // What was billed beyond what had been held back is lent after the fact, whatever the limit says.
        let amount = NanoUsd(amount.max(at_hand.saturating_neg()));
        (amount > NanoUsd::ZERO).then(|| {
            let lease = self.lease(id, amount);
            self.pending = Some(lease.clone());
            lease
        })
    }

    /// What is not lent any more, since attempts turned out cheaper than what had been held back and lent for them: a kill
    /// would strand it.
    #[inline]
    pub(crate) fn take_back(&self, id: u64) -> Option<Lease> {
        let keep = self.slice().max(self.usual.0);
        let idle = self.at_hand().saturating_sub(self.needed.0).saturating_sub(keep);
        (idle > keep && self.is_durable()).then(|| self.lease(id, NanoUsd(idle)))
    }

    /// What is lent and neither spent nor held back; below zero when more was billed than lent.
    fn at_hand(&self) -> i64 {
        self.books.lent.saturating_sub(self.books.held()).0
    }

    fn slice(&self) -> i64 {
        self.settings.limit.saturating_sub(self.books.held()).0.max(0) / SLICES
    }

    /// The slice on its way is on record, or is not and will not be; false if it is none of this budget's.
    pub(crate) fn arrived(&mut self, lease: &Lease) -> bool {
        self.pending.take_if(|pending| *pending == *lease).is_some()
    }

    /// All that was lent and is not needed: none of it is spent from here on.
    pub(crate) fn hand_back(&self, id: u64) -> Option<Lease> {
        (self.is_durable() && self.at_hand() > 0).then(|| self.lease(id, NanoUsd(self.at_hand())))
    }

    fn lease(&self, id: u64, amount: NanoUsd) -> Lease {
        Lease { budget: self.id.clone(), period: self.span.start, id, amount, spent: self.books.spent }
    }
}

fn in_order(mut settings: BudgetSettings) -> BudgetSettings {
    settings.warn_at_ppm.sort_unstable();
    settings.warn_at_ppm.dedup();
    settings
}
