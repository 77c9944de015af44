//! A call's place in line: going at once where there is room, waiting where that is in time, and going elsewhere where not.

use std::time::Duration;

use weir_units::{Dimension, Moment};

use super::predict::{Forecast, Newcomer};
use super::{Line, State, Ticket};
use crate::ask::{Priority, Queued, SendReason, Step};
use crate::call::Call;
use crate::deployment::Deployment;
use crate::engine::Engine;
use crate::limits::{Hold, PoolId, Room, whole_seconds};
use crate::memory::Handle;

/// Nobody waits longer, whatever was asked.
const LONGEST: Duration = Duration::from_secs(1_800);

/// No one is told to come back for more than two minutes of what others were promised.
const MOST_PROMISED: u64 = 120_000_000_000;

/// A call's place in line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) id: u64,
    pub(crate) lane: usize,
    why: SendReason,
    paid: i64,
}

/// No capacity in time at a deployment: when it is worth asking again, and what is in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Full {
    pub(crate) retry_after: Duration,
    /// How long it would have taken.
    pub(crate) wait: Duration,
    /// How long it takes of the limit by itself.
    own: Duration,
    line: PoolId,
    pub(crate) pool: PoolId,
    pub(crate) binding: Dimension,
}

impl Engine {
    /// Sends to a deployment, or waits for its limits; none where that would take too long.
    pub(crate) fn go(&mut self, now: Moment, call: &mut Call, lane: usize, why: SendReason, paid: i64) -> Option<Step> {
        // Its provider has refused this call once, and refuses others still: who is not busy is asked instead.
        let gate = self.gate_of(now, call.lanes[lane].deployment);
        if call.lanes[lane].attempts > 0 && gate > now && self.another_eligible(now, call, lane) {
            let wait = gate.since(now);
            let pool = PoolId::Model(call.ask.candidates[lane].deployment.clone());
            let binding = Dimension::RequestsPerMinute;
            let full = Full {
                retry_after: whole_seconds(wait),
                wait,
                own: Duration::ZERO,
                line: self.line_of(call, lane),
                pool,
                binding,
            };
            call.note_full(lane, full);
            return None;
        }
        let pools = self.deployments.get(call.lanes[lane].deployment).map_or([None; 3], |state| state.pools);
        let binds = pools.iter().flatten().any(|handle| self.pools.get(*handle).is_some_and(|pool| pool.binds()));
        if !binds {
            let hold = self.count_only(now, call, lane, &pools);
            return Some(Step::Send(self.send(now, call, lane, why, paid, hold)));
        }
        let cost = self.cost(call, lane);
        let (priority, charge) = (call.ask.priority, call.ask.candidates[lane].charge);
        let id = self.line_of(call, lane);
        let empty = self.queue.lines.get(&id).is_none_or(|line| line.waiting() == 0);
        if empty && self.room(now, &pools, &cost, priority) == Room::Now {
            let hold = self.hold(now, &pools, &cost, charge, priority);
            return Some(Step::Send(self.send(now, call, lane, why, paid, Some(hold))));
        }
        let mut line = self.queue.lines.remove(&id).unwrap_or_else(|| Box::new(Line::new(now)));
        let step = self.line_up(now, call, lane, why, paid, &mut line, id.clone());
        self.queue.lines.insert(id, line);
        step
    }

    /// Gets in line: goes at once where it is its turn, stays where its turn comes in time.
    #[expect(clippy::too_many_arguments, reason = "the line is taken out of the engine while it is worked on")]
    fn line_up(
        &mut self,
        now: Moment,
        call: &mut Call,
        lane: usize,
        why: SendReason,
        paid: i64,
        line: &mut Line,
        id: PoolId,
    ) -> Option<Step> {
        self.reclaim(now);
        self.expire(now, line);
        let ticket = self.ticket(now, call, lane, why, id);
        let new = Newcomer { pools: ticket.pools, tenant: ticket.tenant, class: ticket.class, cost: ticket.cost };
        let forecast = self.forecast(now, Some(line), &new);
        let number = self.queue.next_ticket;
        self.queue.next_ticket += 1;
        if !self.make_room(line, &ticket) {
            let full = self.full(now, line, &ticket, &forecast);
            call.note_full(lane, full);
            return None;
        }
        let late = self.is_late(now, call, lane, line, &ticket, &forecast);
        let calibration = &line.classes[ticket.priority as usize].calibration;
        let ticket = Ticket {
            reckoned: nanos(forecast.wait),
            predicted: nanos(calibration.usual(forecast.wait)),
            within: nanos(calibration.careful(forecast.wait)),
            waits_for: (forecast.pool, forecast.binding),
            ..ticket
        };
        self.queue.bytes += ticket.bytes;
        self.queue.waiting += 1;
        line.enter(number, &ticket);
        self.queue.tickets.insert(number, Box::new(ticket));
        // Nobody fitted before `next_try`, and nothing has changed but this one.
        match (self.try_at(now, forecast.room), line.next_try) {
            (Some(at), Some(next)) if next > now => line.next_try = Some(next.min(at)),
            _ => self.dispatch(now, line),
        }
        let place = Place { id: number, lane, why, paid };
        let granted = self.queue.tickets.get(&number).is_some_and(|ticket| matches!(ticket.state, State::Granted(_)));
        if granted
            && let Some(ticket) = self.queue.tickets.remove(&number)
            && let State::Granted(hold) = ticket.state
        {
            self.queue.woken.retain(|id| *id != number);
            self.queue.granted.remove(&(now, number));
            return Some(Step::Send(self.send(now, call, lane, why, paid, Some(*hold))));
        }
        if late {
            let ticket = self.queue.tickets.remove(&number)?;
            line.leave(number, &ticket);
            self.unqueue(ticket.bytes);
            let full = self.full(now, line, &ticket, &forecast);
            call.note_full(lane, full);
            return None;
        }
        call.place = Some(place);
        self.queued(call, lane, &forecast).map(Step::Queue)
    }

    /// What a call that has a place in line does next; none where the wait is over without what it was for.
    pub(crate) fn in_line(&mut self, now: Moment, call: &mut Call, place: Place) -> Option<Step> {
        if let Some(ticket) = self.queue.tickets.get(&place.id)
            && matches!(ticket.state, State::Waiting)
        {
            if now < ticket.until {
                let queued = Queued {
                    candidate: place.lane,
                    until: ticket.until,
                    ahead: 0,
                    predicted: Duration::from_nanos(ticket.predicted),
                    within: Duration::from_nanos(ticket.within),
                    pool: self.pool_of(ticket),
                    binding: ticket.waits_for.1,
                };
                return Some(Step::Queue(queued));
            }
            self.let_go(now);
        }
        call.place = None;
        let ticket = self.queue.tickets.remove(&place.id)?;
        self.queue.woken.retain(|id| *id != place.id);
        self.queue.granted.remove(&(ticket.order, place.id));
        if let State::Granted(hold) = ticket.state {
            return Some(Step::Send(self.send(now, call, place.lane, place.why, place.paid, Some(*hold))));
        }
        let full = Full {
            retry_after: whole_seconds(Duration::from_nanos(ticket.predicted)),
            wait: Duration::from_nanos(ticket.predicted),
            own: Duration::ZERO,
            line: ticket.line.clone(),
            pool: self.pool_of(&ticket),
            binding: ticket.waits_for.1,
        };
        call.note_full(place.lane, full);
        call.lanes[place.lane].full = true;
        self.give_back(call, place.lane, place.paid);
        None
    }

    /// Gives up a call's place in line, whatever it is waiting for, and what was granted to it meanwhile.
    pub(crate) fn leave_line(&mut self, now: Moment, call: &mut Call) {
        let Some(place) = call.place.take() else { return };
        self.give_back(call, place.lane, place.paid);
        let Some(ticket) = self.queue.tickets.remove(&place.id) else { return };
        self.queue.woken.retain(|id| *id != place.id);
        match ticket.state {
            State::Granted(hold) => {
                self.queue.granted.remove(&(ticket.order, place.id));
                self.settle_hold(now, &hold, None);
                self.let_go(now);
            }
            State::Waiting => {
                self.unqueue(ticket.bytes);
                if let Some(line) = self.queue.lines.get_mut(&ticket.line) {
                    line.leave(place.id, &ticket);
                }
                // Whoever stood behind one that was waited for may fit now.
                if ticket.blocked_since.is_some() {
                    self.let_go(now);
                }
            }
            State::Expired | State::Shed => {}
        }
    }

    /// Nothing limits this deployment; calls are counted where somebody looks at the counts.
    fn count_only(&mut self, now: Moment, call: &Call, lane: usize, pools: &[Option<Handle>; 3]) -> Option<Hold> {
        if pools.iter().all(Option::is_none) {
            return None;
        }
        let cost = self.cost(call, lane);
        Some(self.hold(now, pools, &cost, call.ask.candidates[lane].charge, call.ask.priority))
    }

    fn ticket(&self, now: Moment, call: &Call, lane: usize, why: SendReason, line: PoolId) -> Ticket {
        let state = self.deployments.get(call.lanes[lane].deployment);
        let alternative = self.another_eligible(now, call, lane);
        let mut until = call.wait_until().max(now).min(now + LONGEST);
        if alternative && self.gate_of(now, call.lanes[lane].deployment) > now {
            until = until.min(now + self.settings.retry.patience);
        }
        let weight = self.settings.limits.weights.get(&call.ask.tenant).copied().unwrap_or(1);
        // Who was sent away by the provider although it was its turn comes before all others of its tenant.
        let order = if why == SendReason::Retry { Moment(0) } else { until };
        let since = call.since.unwrap_or(now);
        let top = call.ask.priority == Priority::Interactive;
        Ticket {
            line,
            deployment: call.lanes[lane].deployment,
            pools: state.map_or([None; 3], |state| state.pools),
            tenant: call.tenant,
            weight,
            priority: call.ask.priority,
            class: call.ask.priority,
            cost: self.cost(call, lane),
            charge: call.ask.candidates[lane].charge,
            bytes: call.ask.bytes,
            order,
            since,
            until,
            alternative,
            ages_at: if top { Moment(u64::MAX) } else { since + until.since(since) / 2 },
            reckoned: 0,
            predicted: 0,
            within: 0,
            waits_for: (None, Dimension::RequestsPerMinute),
            bypassed: 0,
            blocked_since: None,
            state: State::Waiting,
        }
    }

    /// Whether its turn will probably come too late.
    fn is_late(
        &self,
        now: Moment,
        call: &Call,
        lane: usize,
        line: &Line,
        ticket: &Ticket,
        forecast: &Forecast,
    ) -> bool {
        let usual = self.deployments.get(call.lanes[lane].deployment).map_or(Duration::ZERO, Deployment::ttft_p50);
        let wait = line.classes[ticket.priority as usize].calibration.sure(forecast.wait);
        // What waits by `max-wait` is answered after it; what has a deadline is answered before it.
        now + wait >= ticket.until || call.ask.deadline.is_some_and(|deadline| now + wait + usual > deadline)
    }

    /// Why a deployment has no capacity in time, and when it will.
    fn full(&mut self, now: Moment, line: &Line, ticket: &Ticket, forecast: &Forecast) -> Full {
        let slack = ticket.until.since(now);
        let own = forecast
            .pool
            .and_then(|handle| self.pools.get(handle))
            .map_or(Duration::ZERO, |pool| pool.time_of(now, forecast.binding, ticket.cost.get(forecast.binding)));
        let wait = line.classes[ticket.priority as usize].calibration.careful(forecast.wait);
        let pool = forecast.pool.and_then(|handle| self.pools.key(handle)).cloned();
        Full {
            retry_after: whole_seconds(wait.saturating_sub(slack)),
            wait: forecast.wait,
            own,
            line: ticket.line.clone(),
            pool: pool.unwrap_or_else(|| ticket.line.clone()),
            binding: forecast.binding,
        }
    }

    /// When a call that is sent away should come back. Who was told a time takes a turn then, so the next one is told a later one:
    /// else all would come back at once, and most be sent away again.
    pub(crate) fn promise(&mut self, now: Moment, full: &Full) -> Duration {
        let Some(line) = self.queue.lines.get_mut(&full.line) else { return full.retry_after };
        let promised = Duration::from_nanos(line.promised(now));
        line.promised = line.promised.saturating_add(nanos(full.own)).min(MOST_PROMISED);
        whole_seconds(full.retry_after + promised)
    }

    fn queued(&self, call: &Call, lane: usize, forecast: &Forecast) -> Option<Queued> {
        let place = call.place?;
        let ticket = self.queue.tickets.get(&place.id)?;
        Some(Queued {
            candidate: lane,
            until: ticket.until,
            ahead: forecast.ahead,
            predicted: Duration::from_nanos(ticket.predicted),
            within: Duration::from_nanos(ticket.within),
            pool: self.pool_of(ticket),
            binding: forecast.binding,
        })
    }

    /// Whose limit a request waits for.
    fn pool_of(&self, ticket: &Ticket) -> PoolId {
        let pool = ticket.waits_for.0.and_then(|handle| self.pools.key(handle));
        pool.unwrap_or(&ticket.line).clone()
    }

    /// Makes room in the queues' bounds for one more, by sending those who are less urgent away; false where that is not enough,
    /// and then nobody is sent away in vain.
    fn make_room(&mut self, line: &mut Line, new: &Ticket) -> bool {
        let queue = &self.settings.queue;
        let (most, most_bytes) = (queue.max_requests, queue.max_bytes);
        let no_more_urgent = Priority::ALL.into_iter().filter(|class| *class >= new.priority);
        let theirs = no_more_urgent.map(|class| line.classes[class as usize].bytes).sum();
        if self.queue.bytes.saturating_sub(theirs).saturating_add(new.bytes) > most_bytes {
            return false;
        }
        while self.queue.waiting >= most || self.queue.bytes.saturating_add(new.bytes) > most_bytes {
            let Some(victim) = line.least_urgent(new) else { return false };
            self.remove(line, victim, State::Shed);
        }
        true
    }

    fn line_of(&self, call: &Call, lane: usize) -> PoolId {
        self.deployments
            .get(call.lanes[lane].deployment)
            .and_then(|state| state.line.clone())
            .unwrap_or_else(|| PoolId::Model(call.ask.candidates[lane].deployment.clone()))
    }
}

impl Line {
    /// Whom to send away for a newcomer: the newest of the tenant that has most in line, in the least urgent class that is not
    /// more urgent than the newcomer's.
    fn least_urgent(&self, new: &Ticket) -> Option<u64> {
        for class in Priority::ALL.into_iter().rev() {
            if class < new.priority {
                return None;
            }
            let line_class = &self.classes[class as usize];
            let most = line_class.tenants.iter().filter(|(_, t)| t.waiting > 0).max_by_key(|(h, t)| (t.waiting, **h));
            let Some((handle, tenant)) = most else { continue };
            if class == new.priority {
                let own = line_class.tenants.get(&new.tenant).map_or(0, |tenant| tenant.waiting);
                if *handle == new.tenant || tenant.waiting <= own + 1 {
                    return None;
                }
            }
            return tenant.lanes.values().filter_map(|waiting| waiting.order.last()).max().map(|(_, id)| *id);
        }
        None
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
