//! Letting those go who fit, in their order.

use std::time::Duration;

use weir_units::{Dimension, Moment};

use super::{Line, Queue, State, Ticket, work};
use crate::call::Call;
use crate::engine::Engine;
use crate::limits::{Cost, Room};
use crate::memory::Handle;
use crate::tape::Question;

/// How often, and how long, smaller requests may go before one that does not fit.
const BYPASSES: u32 = 8;
const BYPASSED_FOR_NANOS: u64 = 2_000_000_000;
/// How long what was granted is kept for who does not come for it.
const UNCLAIMED: Duration = Duration::from_secs(10);
/// How much later than a gate opens others are let go than who was refused, who asks again by itself when it opens.
const AFTER_REFUSED: Duration = Duration::from_millis(10);
/// How many requests that do not fit are looked at per deployment before the rest are taken not to fit either.
const LOOKS: usize = 8;

/// What one pass through a queue has found out.
#[derive(Default)]
struct Pass {
    /// Deployments of which nobody fits any more, and how many of each did not.
    shut: Vec<(Handle, usize)>,
    /// Limits that are saved up for somebody.
    saved: Vec<(Handle, Dimension)>,
    /// Who did not fit, and what was in the way.
    passed: Vec<Passed>,
    next_try: Option<Moment>,
}

/// Somebody whose turn it is, and who does not fit.
struct Passed {
    id: u64,
    deployment: Handle,
    pool: Handle,
    binding: Dimension,
    /// What keeps it is what is reserved for others, who must not be held up for it.
    reserve: bool,
    place: usize,
    /// What its class and its tenant will have been served once it went.
    class_after: u64,
    tenant_after: u64,
}

/// Whose turn is looked at.
#[derive(Clone, Copy)]
struct Turn {
    id: u64,
    place: usize,
    class_served: u64,
    tenant_served: u64,
}

impl Passed {
    /// Whether a smaller request may go before it: one that does not need what it waits for, or whose turn would be next once
    /// it had gone. Else who asks for little would get more than its share, one small request after the other.
    fn lets_by(&self, turn: Turn, ticket: &Ticket) -> bool {
        let needs = ticket.pools.contains(&Some(self.pool)) && ticket.cost.get(self.binding) > 0;
        let reserved = self.reserve && ticket.priority != crate::Priority::Batch;
        !needs
            || reserved
            || if turn.place == self.place {
                turn.tenant_served < self.tenant_after
            } else {
                turn.class_served < self.class_after
            }
    }
}

impl Pass {
    fn looks(&mut self, deployment: Handle) -> &mut usize {
        let place = self.shut.iter().position(|(known, _)| *known == deployment).unwrap_or_else(|| {
            self.shut.push((deployment, 0));
            self.shut.len() - 1
        });
        &mut self.shut[place].1
    }
}

impl Engine {
    /// When [`pump`](Self::pump) has something to do next, if nothing happens before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        if self.queue.tickets.is_empty() {
            return None;
        }
        let of = |line: &Line| {
            let first = |set: &std::collections::BTreeSet<(Moment, u64)>| set.first().map(|(at, _)| *at);
            [line.next_try, first(&line.ages), first(&line.ends)].into_iter().flatten().min()
        };
        let unclaimed = self.queue.granted.first().map(|(at, _)| *at + UNCLAIMED);
        let due = self.queue.lines.values().filter(|line| line.waiting() > 0).filter_map(of).min()?;
        Some(unclaimed.map_or(due, |unclaimed| due.min(unclaimed)))
    }

    /// Lets everybody go who fits now, ages those whose time it is, and gives up on those whose time is over.
    ///
    /// Whoever has something to hear of it is named by [`take_woken`](Self::take_woken).
    pub fn pump(&mut self, now: Moment) {
        if self.queue.tickets.is_empty() {
            return;
        }
        self.let_go(now);
        self.put(now, |_| Question::Pump, &());
    }

    pub(crate) fn let_go(&mut self, now: Moment) {
        if self.queue.tickets.is_empty() {
            return;
        }
        self.reclaim(now);
        let busy: Vec<_> =
            self.queue.lines.iter().filter(|(_, line)| line.waiting() > 0).map(|(id, _)| id.clone()).collect();
        for id in busy {
            let Some(mut line) = self.queue.lines.remove(&id) else { continue };
            self.expire(now, &mut line);
            self.age(now, &mut line);
            self.dispatch(now, &mut line);
            self.queue.lines.insert(id, line);
        }
    }

    /// The tickets of those who wait for something that has come: each should ask [`next`](Self::next) again.
    pub fn take_woken(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.queue.woken)
    }

    /// Whether somebody should be woken.
    #[must_use]
    pub fn has_woken(&self) -> bool {
        !self.queue.woken.is_empty()
    }

    /// These pools' provider refuses: who could go elsewhere does not wait for it much longer.
    pub(crate) fn hurry(&mut self, now: Moment, closed: &[Handle]) {
        let end = now + self.settings.retry.patience;
        let Queue { lines, tickets, .. } = &mut self.queue;
        for (id, ticket) in tickets.iter_mut() {
            let waits = matches!(ticket.state, State::Waiting) && ticket.alternative && ticket.until > end;
            if waits && ticket.pools.iter().flatten().any(|pool| closed.contains(pool)) {
                let Some(line) = lines.get_mut(&ticket.line) else { continue };
                line.ends.remove(&(ticket.until, *id));
                ticket.until = end;
                line.ends.insert((end, *id));
            }
        }
    }

    /// One fewer waits.
    pub(super) fn unqueue(&mut self, bytes: u64) {
        self.queue.waiting = self.queue.waiting.saturating_sub(1);
        self.queue.bytes = self.queue.bytes.saturating_sub(bytes);
    }

    /// Takes back what was granted to those who never came for it.
    pub(super) fn reclaim(&mut self, now: Moment) {
        while let Some(&(at, id)) = self.queue.granted.first().filter(|(at, _)| now.since(*at) >= UNCLAIMED) {
            self.queue.granted.remove(&(at, id));
            if let Some(Ticket { state: State::Granted(hold), .. }) = self.queue.tickets.remove(&id) {
                self.settle_hold(now, &hold, None);
            }
        }
    }

    pub(super) fn expire(&mut self, now: Moment, line: &mut Line) {
        while let Some(&(until, id)) = line.ends.first().filter(|(until, _)| *until <= now) {
            if let Some(ticket) = self.queue.tickets.get(&id) {
                let waited = u64::try_from(until.since(ticket.since).as_nanos()).unwrap_or(u64::MAX);
                line.classes[ticket.priority as usize].calibration.add_more_than(waited, ticket.reckoned);
            }
            self.remove(line, id, State::Expired);
        }
    }

    /// Ends a wait without what it was for.
    pub(super) fn remove(&mut self, line: &mut Line, id: u64, state: State) {
        let Some(ticket) = self.queue.tickets.get_mut(&id) else { return };
        line.leave(id, ticket);
        // It may have been in the way of those behind it.
        line.next_try = Some(Moment::ZERO);
        ticket.state = state;
        let bytes = ticket.bytes;
        self.unqueue(bytes);
        self.queue.woken.push(id);
    }

    /// After half of its time a request counts in the next class up, and in the one above after another quarter.
    fn age(&mut self, now: Moment, line: &mut Line) {
        while let Some(&(at, id)) = line.ages.first().filter(|(at, _)| *at <= now) {
            let Some(ticket) = self.queue.tickets.get_mut(&id) else {
                line.ages.remove(&(at, id));
                continue;
            };
            line.leave(id, ticket);
            ticket.class = ticket.class.above();
            let quarter = ticket.until.since(ticket.since) / 4;
            let top = ticket.class == crate::Priority::Interactive;
            ticket.ages_at = if top { Moment(u64::MAX) } else { at + quarter.max(Duration::from_millis(1)) };
            line.enter(id, ticket);
        }
    }

    /// Lets requests go as long as one fits.
    pub(super) fn dispatch(&mut self, now: Moment, line: &mut Line) {
        loop {
            let mut pass = Pass::default();
            let found = self.find(now, line, &mut pass);
            line.next_try = pass.next_try;
            let Some(id) = found else { return };
            self.grant(now, line, id);
            let Some(deployment) = self.queue.tickets.get(&id).map(|ticket| ticket.deployment) else { return };
            for passed in pass.passed.iter().filter(|passed| passed.deployment == deployment) {
                if let Some(ticket) = self.queue.tickets.get_mut(&passed.id) {
                    ticket.bypassed += 1;
                }
            }
        }
    }

    /// The first in the order of service that fits.
    fn find(&mut self, now: Moment, line: &Line, pass: &mut Pass) -> Option<u64> {
        for (place, class) in line.due() {
            for (_, handle) in &class.order {
                let Some(tenant) = class.tenants.get(handle) else { continue };
                for (deployment, waiting) in &tenant.lanes {
                    if *pass.looks(*deployment) >= LOOKS {
                        continue;
                    }
                    let Some(&(_, id)) = waiting.order.first() else { continue };
                    let turn = Turn { id, place, class_served: class.served, tenant_served: tenant.served };
                    if self.fits(now, turn, pass) {
                        return Some(id);
                    }
                }
                if !pass.shut.is_empty()
                    && pass.shut.iter().all(|(_, looks)| *looks >= LOOKS)
                    && class.order.len() > LOOKS
                {
                    break;
                }
            }
        }
        None
    }

    /// When it is worth looking again whether there is room. A gate that opens lets who was refused go first.
    pub(super) fn try_at(&self, now: Moment, room: Room) -> Option<Moment> {
        let Room::Later { at: Some(at), pool, .. } = room else { return None };
        let gate = self.pools.get(pool).and_then(|pool| pool.gate(now));
        Some(if gate.is_some_and(|(until, _)| until == at) { at + AFTER_REFUSED } else { at })
    }

    fn fits(&mut self, now: Moment, turn: Turn, pass: &mut Pass) -> bool {
        let id = turn.id;
        let Some(ticket) = self.queue.tickets.get(&id) else { return false };
        if !pass.passed.iter().all(|passed| passed.lets_by(turn, ticket)) {
            *pass.looks(ticket.deployment) += 1;
            return false;
        }
        let work = i128::from(work(&ticket.cost));
        let class_after = super::line::moved(turn.class_served, super::line::class_share(ticket.class, work));
        let tenant_after = super::line::moved(turn.tenant_served, super::line::tenant_share(ticket.weight, work));
        let (pools, cost, priority, deployment) = (ticket.pools, ticket.cost, ticket.priority, ticket.deployment);
        let saved = pass.saved.iter().any(|(pool, dimension)| pools.contains(&Some(*pool)) && cost.get(*dimension) > 0);
        if saved {
            *pass.looks(deployment) += 1;
            return false;
        }
        let room = self.room(now, &pools, &cost, priority);
        let Room::Later { mut pool, mut binding, .. } = room else { return true };
        let at = self.try_at(now, room);
        let mut reserve = false;
        if priority == crate::Priority::Batch {
            match self.room(now, &pools, &cost, crate::Priority::Standard) {
                Room::Now => reserve = true,
                Room::Later { pool: of, binding: by, .. } => (pool, binding) = (of, by),
            }
        }
        pass.next_try = match (pass.next_try, at) {
            (Some(known), Some(at)) => Some(known.min(at)),
            (known, at) => known.or(at),
        };
        *pass.looks(deployment) += 1;
        let place = turn.place;
        pass.passed.push(Passed { id, deployment, pool, binding, reserve, place, class_after, tenant_after });
        if let Some(ticket) = self.queue.tickets.get_mut(&id) {
            let since = *ticket.blocked_since.get_or_insert(now);
            let waited = now.since(since).as_nanos() >= u128::from(BYPASSED_FOR_NANOS);
            // Work that only may not use what is reserved for others must not hold those others up.
            if !reserve && (ticket.bypassed >= BYPASSES || waited) {
                pass.saved.push((pool, binding));
            }
        }
        false
    }

    /// What a request was charged when it went is corrected by what it came to.
    pub(crate) fn serve_rest(&mut self, call: &Call, lane: usize, charged: &Cost, used: &Cost) {
        if self.queue.waiting == 0 {
            return;
        }
        let Some(id) = self.deployments.get(call.lanes[lane].deployment).and_then(|state| state.line.clone()) else {
            return;
        };
        let weight = self.settings.limits.weights.get(&call.ask.tenant).copied().unwrap_or(1);
        let more = i128::from(work(used)) - i128::from(work(charged));
        if let Some(line) = self.queue.lines.get_mut(&id) {
            line.serve(call.ask.priority, call.tenant, weight, more);
        }
    }

    /// Takes what a request needs, and lets it go.
    fn grant(&mut self, now: Moment, line: &mut Line, id: u64) {
        let Some(ticket) = self.queue.tickets.get(&id).cloned() else { return };
        let hold = self.hold(now, &ticket.pools, &ticket.cost, ticket.charge, ticket.priority);
        line.leave(id, &ticket);
        line.serve(ticket.class, ticket.tenant, ticket.weight, i128::from(work(&ticket.cost)));
        self.unqueue(ticket.bytes);
        let waited = u64::try_from(now.since(ticket.since).as_nanos()).unwrap_or(u64::MAX);
        line.classes[ticket.priority as usize].calibration.add(waited, ticket.reckoned);
        self.queue.granted.insert((now, id));
        if let Some(ticket) = self.queue.tickets.get_mut(&id) {
            ticket.order = now;
            ticket.state = State::Granted(Box::new(hold));
        }
        self.queue.woken.push(id);
    }
}
