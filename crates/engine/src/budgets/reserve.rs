//! Reserve and settle: one reservation for each attempt, in all budgets of its request or in none.

use weir_units::{DeploymentId, Moment, NanoUsd, WallTime};

use super::books::Booking;
use super::estimate::{Bill, Estimate};
use super::held::{Budgets, pot_of};
use super::pot::{Answer, Pot};
use super::settings::{BudgetMode, UnknownPrice};
use super::tell::{BudgetChange, BudgetRefusal, BudgetWait, RefusedFor, WaitFor};
use crate::memory::Handle;

/// Reservations that were taken as spent and may still turn out; the oldest are forgotten and stay spent.
const LAPSED: usize = 10_000;

/// A budget; one that was removed is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetHandle {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// A request and its budgets, which all its attempts share.
#[derive(Debug)]
#[must_use = "it is closed when the request ends"]
pub struct BudgetRequest {
    number: u64,
    pub(crate) budgets: Vec<BudgetHandle>,
}

impl BudgetRequest {
    /// Its budgets, from the widest to the narrowest.
    #[must_use]
    pub fn budgets(&self) -> &[BudgetHandle] {
        &self.budgets
    }
}

/// What is held back for one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[must_use = "it is settled when the attempt ends"]
pub struct Reservation(u64);

/// What budgets say to an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserve {
    /// It may be made.
    Held(Reservation),
    /// Not yet. A hedge does not wait: it may be its own request that it would wait for.
    Wait(BudgetWait),
    /// It may not.
    Refused(BudgetRefusal),
}

#[derive(Debug)]
pub(crate) struct Open {
    parts: Vec<Part>,
    worst: NanoUsd,
    learns: Option<Handle>,
    expires_at: Moment,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    budget: BudgetHandle,
    period: WallTime,
    amount: NanoUsd,
}

impl Budgets {
    /// Begins a request that all of `budgets` pay for. One that is named twice pays once.
    pub fn open(&mut self, budgets: &[BudgetHandle]) -> BudgetRequest {
        self.requests += 1;
        let mut known: Vec<BudgetHandle> = budgets.to_vec();
        known.retain(|handle| pot_of(&mut self.pots, *handle).is_some());
        let pots = &self.pots;
        let id = |handle: &BudgetHandle| pots[handle.index as usize].1.as_ref().map(|pot| &pot.id);
        known.sort_by(|one, other| id(one).cmp(&id(other)));
        known.dedup();
        BudgetRequest { number: self.requests, budgets: known }
    }

    /// What the first of its budgets says that is spent: whatever costs anything would be refused, so nothing need be done
    /// for the request before.
    pub fn exhausted(&mut self, wall: WallTime, request: &BudgetRequest) -> Option<BudgetRefusal> {
        let zone = &self.settings.zone;
        let spent = request.budgets.iter().find_map(|handle| {
            let pot = pot_of(&mut self.pots, *handle)?;
            pot.turn(wall, zone);
            (pot.books.counted() >= pot.settings.limit).then(|| (*handle, refusal(pot, NanoUsd::ZERO)))
        });
        let (by, refusal) = spent?;
        match self.refuse(request, by, refusal) {
            Reserve::Refused(refusal) => Some(refusal),
            Reserve::Held(_) | Reserve::Wait(_) => None,
        }
    }

    /// Holds back what an attempt may cost, in all budgets of its request or in none.
    ///
    /// It belongs to the periods that `wall` lies in, whenever it ends. `deployment` is whose ratio of actual cost to worst
    /// case counts for soft budgets.
    pub fn reserve(
        &mut self,
        now: Moment,
        wall: WallTime,
        request: &BudgetRequest,
        deployment: &DeploymentId,
        estimate: Estimate,
    ) -> Reserve {
        let (worst, likely) = match (estimate, self.settings.unknown_price) {
            (Estimate::Known { worst, likely }, _) => (worst.max(NanoUsd::ZERO), likely.max(NanoUsd::ZERO)),
            (Estimate::Unknown, UnknownPrice::WorstCase(stated)) => (stated, stated),
            (Estimate::Unknown, UnknownPrice::Refuse) => match self.first_refusal(wall, request) {
                Some(refusal) => return Reserve::Refused(refusal),
                None => (NanoUsd::ZERO, NanoUsd::ZERO),
            },
        };
        let learns = self.has_soft(request).then(|| self.ratios.of(deployment));
        let careful = learns.map_or(worst, |of| self.ratios.careful(of, worst, likely));
        let mut parts = Vec::with_capacity(request.budgets.len());
        let mut wait = None;
        for handle in &request.budgets {
            let Some(pot) = pot_of(&mut self.pots, *handle) else { continue };
            pot.turn(wall, &self.settings.zone);
            let answer = pot.ask(worst, careful);
            pot.wait(request.number, if let Answer::Unlent(need) = answer { Some(need) } else { None });
            let mut not_yet = |what, needed| {
                wait.get_or_insert_with(|| BudgetWait { what, or: refusal(pot, needed) });
            };
            match answer {
                Answer::Fits(amount) => parts.push(Part { budget: *handle, period: pot.span.start, amount }),
                Answer::Busy => not_yet(WaitFor::Settling, worst.max(careful)),
                Answer::Unlent(needed) => not_yet(WaitFor::Lending, needed),
                Answer::Spent(needed) => {
                    let refusal = refusal(pot, needed);
                    return self.refuse(request, *handle, refusal);
                }
            }
        }
        if let Some(wait) = wait {
            request.budgets.iter().for_each(|handle| self.top_up(*handle));
            return Reserve::Wait(wait);
        }
        self.hold(now, parts, worst, learns)
    }

    fn hold(&mut self, now: Moment, parts: Vec<Part>, worst: NanoUsd, learns: Option<Handle>) -> Reserve {
        for part in &parts {
            self.book(part.budget, part.period, Booking::Reserve(part.amount));
        }
        self.reservations += 1;
        let expires_at = now + self.settings.expire_after;
        self.open.insert(self.reservations, Open { parts, worst, learns, expires_at });
        Reserve::Held(Reservation(self.reservations))
    }

    /// Replaces what was held back for an attempt by what it cost.
    ///
    /// An attempt that expired, or whose cost was unknown, may be settled once more when it turns out.
    pub fn settle(&mut self, reservation: Reservation, bill: Bill) {
        let Some(open) = self.open.remove(&reservation.0) else { return self.turned_out(reservation, bill) };
        if let (Some(of), Bill::Cost(actual)) = (open.learns, bill) {
            self.ratios.learn(of, open.worst, actual);
        }
        for part in &open.parts {
            let booking = match bill {
                Bill::Unbilled => Booking::Settle { held: part.amount, actual: NanoUsd::ZERO },
                Bill::Cost(actual) => Booking::Settle { held: part.amount, actual: actual.max(NanoUsd::ZERO) },
                Bill::AsHeld => Booking::Settle { held: part.amount, actual: part.amount },
                Bill::Unknown => Booking::Expire(part.amount),
            };
            self.book(part.budget, part.period, booking);
        }
        if bill == Bill::Unknown {
            self.lapse(reservation.0, open.parts);
        }
    }

    fn turned_out(&mut self, reservation: Reservation, bill: Bill) {
        if bill == Bill::Unknown {
            return;
        }
        for part in self.lapsed.remove(&reservation.0).unwrap_or_default() {
            let actual = match bill {
                Bill::Cost(actual) => actual.max(NanoUsd::ZERO),
                Bill::AsHeld => part.amount,
                Bill::Unbilled | Bill::Unknown => NanoUsd::ZERO,
            };
            self.book(part.budget, part.period, Booking::Adjust { presumed: part.amount, actual });
        }
    }

    /// The request has ended: it needs nothing more. What is held back for its attempts stays until they are settled.
    pub fn close(&mut self, request: BudgetRequest) {
        for handle in &request.budgets {
            if let Some(pot) = pot_of(&mut self.pots, *handle) {
                pot.wait(request.number, None);
            }
        }
    }

    /// Takes reservations as spent that nobody has settled for too long: a provider may bill what nobody waits for.
    pub fn expire(&mut self, now: Moment) {
        while let Some(oldest) = self.open.first_entry().filter(|oldest| oldest.get().expires_at <= now) {
            let (number, open) = oldest.remove_entry();
            for part in &open.parts {
                self.book(part.budget, part.period, Booking::Expire(part.amount));
            }
            self.lapse(number, open.parts);
        }
    }

    /// When the next reservation expires, if nobody settles it.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Moment> {
        self.open.first_key_value().map(|(_, open)| open.expires_at)
    }

    fn lapse(&mut self, number: u64, parts: Vec<Part>) {
        self.lapsed.insert(number, parts);
        if self.lapsed.len() > LAPSED {
            self.lapsed.pop_first();
        }
    }

    fn has_soft(&mut self, request: &BudgetRequest) -> bool {
        let pots = &mut self.pots;
        request
            .budgets
            .iter()
            .any(|handle| pot_of(pots, *handle).is_some_and(|pot| pot.settings.mode == BudgetMode::Soft))
    }

    /// What the first of its budgets says to a request whose price nobody knows.
    fn first_refusal(&mut self, wall: WallTime, request: &BudgetRequest) -> Option<BudgetRefusal> {
        request.budgets.iter().find_map(|handle| {
            let pot = pot_of(&mut self.pots, *handle)?;
            pot.turn(wall, &self.settings.zone);
            Some(BudgetRefusal::of(pot, RefusedFor::UnknownPrice, NanoUsd::ZERO))
        })
    }

    /// Says no for good, and tells of it once in a period.
    fn refuse(&mut self, request: &BudgetRequest, by: BudgetHandle, refusal: BudgetRefusal) -> Reserve {
        let mut is_first = false;
        for handle in &request.budgets {
            if let Some(pot) = pot_of(&mut self.pots, *handle) {
                pot.wait(request.number, None);
                is_first |= *handle == by && !std::mem::replace(&mut pot.told_spent, true);
            }
        }
        if is_first {
            self.tell(BudgetChange::Refused(refusal.clone()));
        }
        Reserve::Refused(refusal)
    }
}

fn refusal(pot: &Pot, needed: NanoUsd) -> BudgetRefusal {
    let spent = pot.books.counted() >= pot.settings.limit;
    BudgetRefusal::of(pot, if spent { RefusedFor::Spent } else { RefusedFor::TooLittleLeft }, needed)
}
