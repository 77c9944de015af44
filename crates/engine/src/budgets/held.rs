//! All budgets: which there are, what they tell, and what is to be put on record of them.

use std::collections::{BTreeMap, VecDeque};

use weir_units::{NanoUsd, WallTime};

use super::books::{Booking, Posting};
use super::estimate::Ratios;
use super::lease::{Lease, Recovered, ToRecord};
use super::pot::Pot;
use super::reserve::{BudgetHandle, BudgetRequest, Open, Part};
use super::settings::{BudgetId, BudgetSettings, BudgetsSettings, UnknownPrice};
use super::tell::{BudgetChange, BudgetView};

/// All budgets of a process.
///
/// At a start: [`Budgets::declare`] each, [`Budgets::recover`] what is on record of it, [`Budgets::adjust`] what is known
/// better. For a request [`Budgets::open`]; for each of its attempts [`Budgets::reserve`] before and [`Budgets::settle`]
/// after, whatever happened; at last [`Budgets::close`]. All along, whoever can write puts on record what
/// [`Budgets::poll_record`] hands out, in that order, and answers a slice with [`Budgets::lent`] or [`Budgets::not_lent`];
/// [`Budgets::expire`] is called when [`Budgets::next_expiry`] says so. At an end, once all is settled,
/// [`Budgets::hand_back`].
#[derive(Debug)]
pub struct Budgets {
    pub(crate) settings: BudgetsSettings,
    pub(crate) pots: Vec<(u32, Option<Pot>)>,
    by_id: BTreeMap<BudgetId, BudgetHandle>,
    free: Vec<u32>,
    /// Reservations by number, so that the oldest comes first.
    pub(crate) open: BTreeMap<u64, Open>,
    /// What was taken as spent and may still turn out.
    pub(crate) lapsed: BTreeMap<u64, Vec<Part>>,
    pub(crate) ratios: Ratios,
    pub(crate) requests: u64,
    pub(crate) reservations: u64,
    books: Outbox,
}

/// What waits to be taken.
#[derive(Debug)]
struct Outbox {
    leases: u64,
    to_record: VecDeque<ToRecord>,
    changes: Vec<BudgetChange>,
    postings: Option<Vec<Posting>>,
    next_posting: u64,
}

impl Budgets {
    /// No budgets yet.
    #[must_use]
    pub fn new(settings: BudgetsSettings) -> Self {
        let books = Outbox {
            leases: 0,
            to_record: VecDeque::new(),
            changes: Vec::new(),
            postings: settings.journal.then(Vec::new),
            next_posting: settings.first_posting,
        };
        Self {
            settings,
            pots: Vec::new(),
            by_id: BTreeMap::new(),
            free: Vec::new(),
            open: BTreeMap::new(),
            lapsed: BTreeMap::new(),
            ratios: Ratios::new(),
            requests: 0,
            reservations: 0,
            books,
        }
    }

    /// The budget `id`, made or set to other settings.
    ///
    /// What it has spent is kept; a period of another length begins with what the last one had spent, where that lies in it.
    pub fn declare(&mut self, wall: WallTime, id: &BudgetId, settings: BudgetSettings) -> BudgetHandle {
        if let Some(handle) = self.by_id.get(id).copied() {
            self.with(handle, |pot, books, all| {
                pot.turn(wall, &all.zone);
                if let Some(carried) = pot.set(settings, wall, &all.zone) {
                    books.post(pot, pot.span.start, carried);
                }
                books.lend(pot);
            });
            return handle;
        }
        let pot = Pot::new(id.clone(), settings, wall, &self.settings.zone);
        let index = self.free.pop().unwrap_or_else(|| {
            self.pots.push((0, None));
            u32::try_from(self.pots.len() - 1).unwrap_or(u32::MAX)
        });
        let (generation, place) = &mut self.pots[index as usize];
        *generation += 1;
        *place = Some(pot);
        let handle = BudgetHandle { index, generation: *generation };
        self.by_id.insert(id.clone(), handle);
        handle
    }

    /// From now on an unknown price leads to this.
    pub fn set_unknown_price(&mut self, unknown_price: UnknownPrice) {
        self.settings.unknown_price = unknown_price;
    }

    /// Forgets a budget and what it has spent, as when a run is over.
    pub fn remove(&mut self, handle: BudgetHandle) {
        if let Some((generation, place)) = self.pots.get_mut(handle.index as usize)
            && *generation == handle.generation
            && let Some(pot) = place.take()
        {
            self.by_id.remove(&pot.id);
            self.free.push(handle.index);
        }
    }

    /// The budget of such a name, if there is one.
    #[must_use]
    pub fn find(&self, id: &BudgetId) -> Option<BudgetHandle> {
        self.by_id.get(id).copied()
    }

    /// Takes over what is on record of a budget, before it is used: what was lent and is not known to be spent is taken as
    /// spent, until an [`Budgets::adjust`] says better. For a soft budget `lent` is what the ledger knows as spent.
    pub fn recover(&mut self, wall: WallTime, handle: BudgetHandle, found: &Recovered) {
        self.with(handle, |pot, books, all| {
            pot.turn(wall, &all.zone);
            if let Some(booking) = pot.recover(found, wall, &all.zone) {
                books.post(pot, pot.span.start, booking);
            }
            pot.recovered();
            books.warn(pot);
            books.lend(pot);
        });
    }

    /// Books what turned out of what was taken as spent: `presumed` of it goes, `actual` is spent in its place.
    ///
    /// It belongs to the period that began at `period`; where that one's books are closed nothing but the posting is left.
    pub fn adjust(&mut self, handle: BudgetHandle, period: WallTime, presumed: NanoUsd, actual: NanoUsd) {
        self.with(handle, |pot, books, _| {
            books.post(pot, period, Booking::Adjust { presumed, actual });
            books.warn(pot);
            books.lend(pot);
        });
    }

    /// What is to be put on record next, in this order. Nothing waits for it on the way of a request.
    pub fn poll_record(&mut self) -> Option<ToRecord> {
        self.books.to_record.pop_front()
    }

    /// A slice is on record, and on a disk that survives a loss of power: from now on it is spent.
    pub fn lent(&mut self, lease: &Lease) {
        let Some(handle) = self.find(&lease.budget) else { return };
        self.with(handle, |pot, books, _| {
            if pot.arrived(lease) {
                books.post(pot, lease.period, Booking::Lend(lease.amount));
                books.lend(pot);
            }
        });
    }

    /// A slice could not be put on record. Another is asked for when the next request needs one.
    pub fn not_lent(&mut self, lease: &Lease) {
        let Some(handle) = self.find(&lease.budget) else { return };
        self.with(handle, |pot, _, _| {
            pot.arrived(lease);
        });
    }

    /// Hands back what is lent and not used, so that a clean end strands nothing. Poll for it until nothing comes.
    pub fn hand_back(&mut self) {
        for (_, pot) in &mut self.pots {
            let Some(pot) = pot else { continue };
            self.books.take_back(pot, Pot::hand_back);
        }
    }

    /// The first budget of a request that is low, for which a cheaper deployment is wanted.
    pub fn low(&mut self, wall: WallTime, request: &BudgetRequest) -> Option<BudgetId> {
        let zone = &self.settings.zone;
        request.budgets.iter().find_map(|handle| {
            let pot = pot_of(&mut self.pots, *handle)?;
            pot.turn(wall, zone);
            pot.is_low().then(|| pot.id.clone())
        })
    }

    /// A budget's figures.
    pub fn view(&mut self, wall: WallTime, handle: BudgetHandle) -> Option<BudgetView> {
        let pot = pot_of(&mut self.pots, handle)?;
        pot.turn(wall, &self.settings.zone);
        Some(BudgetView::of(pot))
    }

    /// All budgets' figures, from the widest to the narrowest, by name.
    pub fn views(&mut self, wall: WallTime) -> Vec<BudgetView> {
        let handles: Vec<BudgetHandle> = self.by_id.values().copied().collect();
        handles.into_iter().filter_map(|handle| self.view(wall, handle)).collect()
    }

    /// What changed since the last time.
    pub fn take_changes(&mut self) -> Vec<BudgetChange> {
        std::mem::take(&mut self.books.changes)
    }

    /// What was booked since the last time; nothing unless a journal is kept.
    pub fn take_postings(&mut self) -> Vec<Posting> {
        self.books.postings.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Books something in a budget, and does what follows from it: warnings, the next slice.
    #[inline]
    pub(crate) fn book(&mut self, handle: BudgetHandle, period: WallTime, booking: Booking) {
        if let Some(pot) = pot_of(&mut self.pots, handle) {
            self.books.post(pot, period, booking);
            self.books.warn(pot);
            self.books.lend(pot);
        }
    }

    /// Asks for the next slice of a budget, if it needs one.
    pub(crate) fn top_up(&mut self, handle: BudgetHandle) {
        if let Some(pot) = pot_of(&mut self.pots, handle) {
            self.books.lend(pot);
        }
    }

    pub(crate) fn tell(&mut self, change: BudgetChange) {
        self.books.changes.push(change);
    }

    fn with(&mut self, handle: BudgetHandle, act: impl FnOnce(&mut Pot, &mut Outbox, &BudgetsSettings)) {
        if let Some(pot) = pot_of(&mut self.pots, handle) {
            act(pot, &mut self.books, &self.settings);
        }
    }
}

#[inline]
pub(crate) fn pot_of(pots: &mut [(u32, Option<Pot>)], handle: BudgetHandle) -> Option<&mut Pot> {
    let (generation, pot) = pots.get_mut(handle.index as usize)?;
    pot.as_mut().filter(|_| *generation == handle.generation)
}

impl Outbox {
    #[inline]
    fn post(&mut self, pot: &mut Pot, period: WallTime, booking: Booking) {
        pot.book(period, booking);
        if let Some(postings) = &mut self.postings {
            postings.push(Posting { number: self.next_posting, budget: pot.id.clone(), period, booking });
            self.next_posting += 1;
        }
    }

    #[inline]
    fn warn(&mut self, pot: &mut Pot) {
        while let Some(at_ppm) = pot.warning() {
            self.changes.push(BudgetChange::Warned {
                budget: pot.id.clone(),
                period: pot.span.start,
                at_ppm,
                spent: pot.books.counted(),
                limit: pot.settings.limit,
                resets_at: pot.span.end,
            });
        }
    }

    #[inline]
    fn lend(&mut self, pot: &mut Pot) {
        if let Some(lease) = pot.lend(self.leases + 1) {
            self.leases += 1;
            self.to_record.push_back(ToRecord::Lend(lease));
        }
        self.take_back(pot, Pot::take_back);
    }

    #[inline]
    fn take_back(&mut self, pot: &mut Pot, which: impl Fn(&Pot, u64) -> Option<Lease>) {
        if let Some(lease) = which(pot, self.leases + 1) {
            self.leases += 1;
            // It is off the books before it is off the record, so the record never shows less than what may be spent.
            self.post(pot, lease.period, Booking::TakeBack(lease.amount));
            self.to_record.push_back(ToRecord::TakeBack(lease));
        }
    }
}
