//! Stage *queue*: waiting for capacity. The engine decides who waits, for how long and whose turn it is; here the tasks of
//! those who wait sleep until they are named.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use weir_engine::Queued;
use weir_units::Moment;

use crate::clock::wall;
use crate::state::Shared;

/// How often the engine is told the calendar's time when nothing else happens, and runs are looked through.
const CALENDAR: Duration = Duration::from_secs(10);

/// The tasks that wait for capacity, by their tickets.
#[derive(Default)]
pub(crate) struct Waiters {
    waiting: Mutex<BTreeMap<u64, Arc<Notify>>>,
    /// Somebody got in line, so something may be due sooner.
    sooner: Notify,
}

impl Waiters {
    /// A place to sleep, for a ticket that the engine has just given out. It must be asked for while the engine is still locked,
    /// else the call could be named before it listens.
    pub(crate) fn register(&self, ticket: u64) -> Arc<Notify> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let place = Arc::clone(waiting.entry(ticket).or_default());
        drop(waiting);
        self.sooner.notify_one();
        place
    }

    /// Wakes those who have something to hear.
    pub(crate) fn wake(&self, tickets: &[u64]) {
        if tickets.is_empty() {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for ticket in tickets {
            if let Some(place) = waiting.remove(ticket) {
                place.notify_one();
            }
        }
    }

    /// Wakes all, to be told that nobody waits here any more.
    pub(crate) fn wake_all(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((_, place)) = waiting.pop_first() {
            place.notify_one();
        }
    }

    /// How many sleep.
    pub(crate) fn count(&self) -> usize {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn forget(&self, ticket: u64) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&ticket);
    }
}

/// A task's sleep in line. A client that leaves drops it, and its place with it.
pub(crate) struct Sleeping {
    shared: Arc<Shared>,
    ticket: u64,
    place: Arc<Notify>,
    until: Moment,
}

impl Sleeping {
    pub(crate) fn new(shared: &Arc<Shared>, ticket: u64, queued: &Queued) -> Self {
        let place = shared.waiters.register(ticket);
        Self { shared: Arc::clone(shared), ticket, place, until: queued.until }
    }

    /// Sleeps until there is something to hear, or the time is over.
    pub(crate) async fn wait(self) {
        tokio::select! {
            () = self.place.notified() => {}
            () = tokio::time::sleep_until(self.shared.clock.instant(self.until)) => {}
        }
    }
}

impl Drop for Sleeping {
    fn drop(&mut self) {
        self.shared.waiters.forget(self.ticket);
    }
}

/// Lets those go whose turn comes with time, and runs be forgotten that nobody uses, for as long as the process serves.
pub(crate) async fn pump(shared: Arc<Shared>) {
    let mut forget_at = shared.clock.now();
    loop {
        let now = shared.clock.now();
        let due = shared.decide(|engine| {
            engine.calendar(now, wall());
            engine.pump(now);
            engine.next_deadline()
        });
        if now >= forget_at {
            shared.runs.decide(&shared, |runs| runs.expire(now));
            forget_at = now + CALENDAR;
        }
        let soon = now + CALENDAR;
        tokio::select! {
            () = tokio::time::sleep_until(shared.clock.instant(due.map_or(soon, |due| due.min(soon)))) => {}
            () = shared.waiters.sooner.notified() => {}
        }
    }
}
