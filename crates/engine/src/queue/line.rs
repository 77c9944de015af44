//! One queue: its classes, their tenants, and who of each comes next.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use weir_units::{Dimension, Moment};

use super::calibration::Calibration;
use super::{Ticket, class_weight, work};
use crate::ask::Priority;
use crate::limits::Cost;
use crate::memory::Handle;

/// How many tenants that wait for nothing keep their counters.
const REMEMBERED: usize = 256;

/// Requests that wait for limits which hang together.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) classes: [Class; 3],
    /// When something changes by time alone: a request ages, or its time is over.
    pub(crate) ages: BTreeSet<(Moment, u64)>,
    pub(crate) ends: BTreeSet<(Moment, u64)>,
    /// When the next one may fit.
    pub(crate) next_try: Option<Moment>,
    /// Work that was sent away and told when to come back, in nanoseconds of the limit that was in its way.
    pub(crate) promised: u64,
    pub(crate) promised_at: Moment,
}

/// One class of a queue.
#[derive(Debug, Default)]
pub(crate) struct Class {
    /// Work served by the class's weight.
    pub(crate) served: u64,
    pub(crate) tenants: BTreeMap<Handle, Tenant>,
    /// Tenants that wait, the least served first.
    pub(crate) order: BTreeSet<(u64, Handle)>,
    pub(crate) waiting: usize,
    /// How much they hold meanwhile.
    pub(crate) bytes: u64,
    pub(crate) sum: Sum,
    pub(crate) calibration: Calibration,
}

/// One tenant of a class.
#[derive(Debug, Default)]
pub(crate) struct Tenant {
    /// Tokens served by the tenant's weight, as far as it counts.
    pub(crate) served: u64,
    pub(crate) lanes: BTreeMap<Handle, Waiting>,
    pub(crate) waiting: usize,
}

/// What waits for one deployment.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    pub(crate) order: BTreeSet<(Moment, u64)>,
    pub(crate) sum: Sum,
}

/// What all that waits comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) work: u64,
    pub(crate) cost: [u64; 7],
}

impl Sum {
    pub(crate) fn add(&mut self, cost: &Cost) {
        self.work = self.work.saturating_add(work(cost));
        for (sum, dimension) in self.cost.iter_mut().zip(Dimension::ALL) {
            *sum = sum.saturating_add(cost.get(dimension));
        }
    }

    fn take(&mut self, cost: &Cost) {
        self.work = self.work.saturating_sub(work(cost));
        for (sum, dimension) in self.cost.iter_mut().zip(Dimension::ALL) {
            *sum = sum.saturating_sub(cost.get(dimension));
        }
    }

    /// The part of it that `work` is of all its work.
    pub(crate) fn part(&self, work: u64) -> Self {
        if work >= self.work {
            return *self;
        }
        let share =
            |n: u64| u64::try_from(u128::from(n) * u128::from(work) / u128::from(self.work.max(1))).unwrap_or(n);
        Self { work, cost: self.cost.map(share) }
    }

    pub(crate) fn join(&mut self, other: &Self) {
        self.work = self.work.saturating_add(other.work);
        for (sum, more) in self.cost.iter_mut().zip(other.cost) {
            *sum = sum.saturating_add(more);
        }
    }
}

/// A queue as pages show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueView {
    /// Requests that wait, by class: interactive, standard, batch.
    pub waiting: [usize; 3],
    /// How long the oldest of them has waited.
    pub oldest: Duration,
}

impl Line {
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            classes: Default::default(),
            ages: BTreeSet::new(),
            ends: BTreeSet::new(),
            next_try: None,
            promised: 0,
            promised_at: now,
        }
    }

    pub(crate) fn view(&self, now: Moment, tickets: &BTreeMap<u64, Box<Ticket>>) -> QueueView {
        let waiting = [0, 1, 2].map(|place| self.classes[place].waiting);
        let ids = self.ends.iter().map(|(_, id)| id);
        let oldest = ids.filter_map(|id| tickets.get(id)).map(|ticket| now.since(ticket.since)).max();
        QueueView { waiting, oldest: oldest.unwrap_or_default() }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.classes.iter().map(|class| class.waiting).sum()
    }

    /// Puts a request in line. Nobody brings credit from before: who comes back is set level with the least served.
    pub(crate) fn enter(&mut self, id: u64, ticket: &Ticket) {
        let floor = self.classes.iter().filter(|class| class.waiting > 0).map(|class| class.served).min();
        let class = &mut self.classes[ticket.class as usize];
        if class.waiting == 0 {
            class.served = class.served.max(floor.unwrap_or(0));
        }
        class.waiting += 1;
        class.bytes += ticket.bytes;
        class.sum.add(&ticket.cost);
        let least = class.order.first().map(|(served, _)| *served);
        let tenant = class.tenants.entry(ticket.tenant).or_default();
        if tenant.waiting == 0 {
            tenant.served = tenant.served.max(least.unwrap_or(0));
            class.order.insert((tenant.served, ticket.tenant));
        }
        tenant.waiting += 1;
        let lane = tenant.lanes.entry(ticket.deployment).or_default();
        lane.order.insert((ticket.order, id));
        lane.sum.add(&ticket.cost);
        self.ages.insert((ticket.ages_at, id));
        self.ends.insert((ticket.until, id));
    }

    /// Somebody has left who was waited for: whoever stood behind may fit now, and the next try is due at once.
    pub(crate) fn look_again(&mut self, left: &Ticket) {
        if left.blocked_since.is_some() && self.waiting() > 0 {
            self.next_try = Some(Moment::ZERO);
        }
    }

    /// Takes a request out of line.
    pub(crate) fn leave(&mut self, id: u64, ticket: &Ticket) {
        let class = &mut self.classes[ticket.class as usize];
        if let Some(tenant) = class.tenants.get_mut(&ticket.tenant)
            && let Some(lane) = tenant.lanes.get_mut(&ticket.deployment)
            && lane.order.remove(&(ticket.order, id))
        {
            lane.sum.take(&ticket.cost);
            if lane.order.is_empty() {
                tenant.lanes.remove(&ticket.deployment);
            }
            tenant.waiting -= 1;
            class.waiting -= 1;
            class.bytes = class.bytes.saturating_sub(ticket.bytes);
            class.sum.take(&ticket.cost);
            if tenant.waiting == 0 {
                class.order.remove(&(tenant.served, ticket.tenant));
                class.forget();
            }
        }
        self.ages.remove(&(ticket.ages_at, id));
        self.ends.remove(&(ticket.until, id));
    }

    /// Counts work as served to a tenant and its class; less than none where it turned out to be less.
    pub(crate) fn serve(&mut self, ticket_class: Priority, tenant: Handle, weight: u32, work: i128) {
        let class = &mut self.classes[ticket_class as usize];
        class.served = moved(class.served, class_share(ticket_class, work));
        let Some(known) = class.tenants.get_mut(&tenant) else { return };
        let before = known.served;
        known.served = moved(before, tenant_share(weight, work));
        if known.waiting > 0 {
            class.order.remove(&(before, tenant));
            class.order.insert((known.served, tenant));
        }
    }

    /// Classes with someone in line, by their places, the one that is due first.
    pub(crate) fn due(&self) -> impl Iterator<Item = (usize, &Class)> {
        let mut places: [usize; 3] = [0, 1, 2];
        places.sort_by_key(|place| (self.classes[*place].served, *place));
        places.into_iter().map(|place| (place, &self.classes[place])).filter(|(_, class)| class.waiting > 0)
    }

    /// What is left of the work that was sent away and is expected back.
    pub(crate) fn promised(&mut self, now: Moment) -> u64 {
        let elapsed = u64::try_from(now.since(self.promised_at).as_nanos()).unwrap_or(u64::MAX);
        self.promised = self.promised.saturating_sub(elapsed);
        self.promised_at = now;
        self.promised
    }
}

impl Class {
    /// Drops counters that say no more than what a newcomer starts with, once there are many.
    fn forget(&mut self) {
        if self.tenants.len() - self.order.len() <= REMEMBERED {
            return;
        }
        let least = self.order.first().map_or(u64::MAX, |(served, _)| *served);
        self.tenants.retain(|_, tenant| tenant.waiting > 0 || tenant.served > least);
        if self.tenants.len() - self.order.len() > REMEMBERED {
            self.tenants.retain(|_, tenant| tenant.waiting > 0);
        }
    }
}

/// What work counts for a class that is served it.
pub(crate) fn class_share(class: Priority, work: i128) -> i128 {
    work * 16 / i128::from(class_weight(class))
}

/// What work counts for a tenant that is served it.
pub(crate) fn tenant_share(weight: u32, work: i128) -> i128 {
    work * 16 / i128::from(weight.clamp(1, 256))
}

pub(crate) fn moved(from: u64, by: i128) -> u64 {
    u64::try_from((i128::from(from) + by).max(0)).unwrap_or(u64::MAX)
}
