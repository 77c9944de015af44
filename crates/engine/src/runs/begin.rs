//! First requests: taken in with little ado, and made a run of when anything comes of them.
//!
//! What is done here twice is what [`Runs::admit`] and [`Runs::settle`] do for a request that begins a run and is held by
//! nothing. When a first request becomes a run, it is told to these as it happened.

use std::sync::Arc;

use weir_units::{Action, Addition, History, Mark, Moment, Tokens};

use super::account::Account;
use super::admit::Runs;
use super::ask::{Admission, Joined, RunAsk, RunOutcome, RunSettled, RunTicket, SessionKind, Verdict};
use super::firsts::{END, End, First, PRODUCED, RESPONSE, SLOT_BYTES, TIP};
use super::index::{Kind, key};
use super::joining::{RETRY_WITHIN, new_run};
use super::lookup::{Lookup, end};
use super::path::{Last, Path};
use super::run::{draw_of, made_name};
use super::settings::RunsSettings;

impl Runs {
    /// Takes in a first request that nobody named, that repeats nothing, and that no guard holds; none if it is not one.
    pub(super) fn begin_first(&mut self, now: Moment, tenant: u32, ask: &RunAsk<'_>) -> Option<Admission> {
        let history = ask.history.filter(|history| history.turns == 0)?;
        let named =
            ask.run.is_some() || ask.parent.is_some() || !ask.ids.is_empty() || ask.stateful || ask.sdk_retry > 0;
        let held = ask.guards.max_requests == Some(0) || ask.guards.max_cost.is_some_and(|cost| cost.0 <= 0);
        if named || held || self.firsts.most() == 0 || self.heard(tenant, history) {
            return None;
        }
        // One that is under way is not forgotten.
        if let Some(outgoing) = self.firsts.outgoing()
            && self.firsts.get(outgoing).is_some_and(|first| first.end.is_none())
        {
            self.promote(outgoing);
        }
        self.tickets += 1;
        let full = history.messages.iter().copied().fold(history.root, Mark::then);
        let last = match history.messages.as_slice() {
            [.., a, b] => [*a, *b],
            [b] => [Mark::default(), *b],
            [] => [Mark::default(); 2],
        };
        let messages = u32::try_from(history.messages.len()).unwrap_or(u32::MAX);
        let (draw, ticket, input) = (ask.draw, self.tickets, ask.input);
        let first = First { serial: 0, tenant, at: now, draw, ticket, input, full, last, messages, end: None };
        let ticket = first.ticket(u32::MAX, 0);
        let serial = self.firsts.add(first, key(Kind::Full, tenant, full));
        self.make_room(now);
        Some(Admission {
            run: made_name(ask.draw),
            parent: None,
            joined: Joined::New,
            before: Tokens(0),
            stale: Tokens(0),
            verdict: Verdict::Go,
            ticket: RunTicket { first: Some(serial), ..ticket },
        })
    }

    /// Remembers as many first requests as the settings say; if these have changed, all that were there become runs.
    pub(super) fn keep_firsts(&mut self) {
        let RunsSettings { max_firsts, max_runs, max_bytes, .. } = self.settings;
        let fit = usize::try_from(max_bytes / 4 / SLOT_BYTES).unwrap_or(usize::MAX);
        for first in self.firsts.keep(max_firsts.min(max_runs / 2).min(fit)) {
            self.make_run(first);
        }
    }

    /// Forgets runs until all fits.
    pub(super) fn make_room(&mut self, now: Moment) {
        let (held, bytes) = (self.firsts.len(), self.firsts.bytes());
        let RunsSettings { max_runs, max_bytes, .. } = self.settings;
        self.store.make_room(now, max_runs.saturating_sub(held), max_bytes.saturating_sub(bytes));
    }

    /// Whether it brings a text that another conversation is known to have said.
    fn heard(&self, tenant: u32, history: &History) -> bool {
        history.received.iter().any(|text| {
            let key = key(Kind::Produced, tenant, *text);
            self.firsts.with(key).next().is_some() || self.store.index.first(key).is_some()
        })
    }

    /// Books how a first request ended. Where it is a run by now, the ticket of that.
    pub(super) fn end_first(
        &mut self,
        now: Moment,
        ticket: RunTicket,
        serial: u64,
        settled: &RunSettled<'_>,
    ) -> Option<RunTicket> {
        if let Some((path, serial)) = self.promoted.remove(&serial) {
            let held = ticket.held.or(Some(0));
            return Some(RunTicket { path, serial, held, first: None, ..ticket });
        }
        let first = self.firsts.get_mut(serial)?;
        let (tenant, full, messages) = (first.tenant, first.full, first.messages as usize);
        let ended = End::of(now, settled);
        let said = ended.said.clone().filter(|_| settled.outcome == RunOutcome::Answered);
        first.end = Some(ended);
        if let (Some(cost), Some(others)) = (settled.cost, self.store.neighbours(tenant)) {
            others.paid_first(now, serial, cost);
        }
        let said = said?;
        self.firsts.mark(serial, TIP, key(Kind::Tip, tenant, full.then(said.message)));
        if let Some(id) = settled.response_id {
            self.firsts.mark(serial, RESPONSE, key(Kind::Id(SessionKind::PreviousResponse), tenant, id));
        }
        let last = [ticket.last[0], ticket.last[1], said.message];
        if let Some((end, _)) = last.get(2_usize.saturating_sub(messages)..).and_then(|last| end(tenant, last)) {
            self.firsts.mark(serial, END, end);
        }
        for (text, place) in said.produced().iter().zip(PRODUCED..) {
            let key = key(Kind::Produced, tenant, *text);
            self.firsts.unmark(key);
            while let Some(other) = self.store.index.first(key) {
                self.store.index.remove(key, other);
            }
            self.firsts.mark(serial, place, key);
        }
        None
    }

    /// Makes runs of the first requests that this one may belong to.
    pub(super) fn reveal(&mut self, now: Moment, tenant: u32, ask: &RunAsk<'_>) {
        if self.firsts.len() == 0 {
            return;
        }
        for name in [ask.run, ask.parent].into_iter().flatten() {
            self.reveal_named(tenant, name);
        }
        let previous = ask.ids.iter().find(|id| id.kind == SessionKind::PreviousResponse);
        if let Some(id) = previous {
            self.promote_best(key(Kind::Id(SessionKind::PreviousResponse), tenant, id.mark), |first| first.serial);
        }
        let Some(history) = ask.history else { return };
        for text in &history.received {
            self.promote_best(key(Kind::Produced, tenant, *text), |first| first.serial);
        }
        if ask.stateful {
            return;
        }
        let lookup = Lookup::of(tenant, history, history.root);
        if let Some(full) = lookup.full.filter(|_| ask.sdk_retry > 0) {
            self.promote_best(key(Kind::Full, tenant, full), |first| {
                let answered = first.end.as_ref().is_some_and(|end| end.outcome == RunOutcome::Answered);
                let sent = first.end.as_ref().is_none_or(End::was_sent);
                let recent = first.end.is_none() || now.since(first.at) <= RETRY_WITHIN;
                (u8::from(first.end.is_none()) + 2 * u8::from(answered) + 4 * u8::from(!(recent && sent)), first.serial)
            });
        }
        for mark in &lookup.beginnings {
            let tip = key(Kind::Tip, tenant, *mark);
            // Agents alike take about as long for their next request: the one that was answered first.
            let revealed = self.promote_best(tip, |first| first.end.as_ref().map(|end| end.at));
            if revealed || self.store.index.first(tip).is_some() {
                return;
            }
        }
        for (end, _) in &lookup.ends {
            // Two are as good as many: an end that many have says nothing.
            let revealed = self.promote_best(*end, |first| first.serial);
            if self.promote_best(*end, |first| first.serial) || revealed || self.store.index.first(*end).is_some() {
                return;
            }
        }
    }

    /// Makes a run of the first request of that name, if there is one.
    pub(super) fn reveal_named(&mut self, tenant: u32, name: &str) {
        if self.store.named(tenant, name).is_none()
            && let Some(serial) = self.first_named(tenant, name).map(|first| first.serial)
        {
            self.promote(serial);
        }
    }

    /// The first request whose run would have that name.
    pub(super) fn first_named(&self, tenant: u32, name: &str) -> Option<&First> {
        let draw = draw_of(name.split('~').next()?)?;
        self.firsts.iter().find(|first| first.tenant == tenant && draw_of(&made_name(first.draw)) == Some(draw))
    }

    /// Makes a run of the first request with this mark for which `rank` is lowest; whether there is one.
    fn promote_best<R: Ord>(&mut self, key: u64, rank: impl Fn(&First) -> R) -> bool {
        let best =
            self.firsts.with(key).take(self.firsts.most()).min_by_key(|first| rank(first)).map(|first| first.serial);
        best.inspect(|serial| self.promote(*serial)).is_some()
    }

    fn promote(&mut self, serial: u64) {
        if let Some(first) = self.firsts.take(serial) {
            self.make_run(first);
        }
    }

    /// Makes a run of a first request, as if it had been one from the beginning.
    fn make_run(&mut self, first: First) {
        let name: Arc<str> = made_name(first.draw);
        let run = self.store.add_run(new_run(first.at, first.tenant, name, None, 0, false));
        let path = Path::new(run, first.tenant, 1, 0, Joined::New, Account::new(first.at));
        let place = self.store.add_path(first.at, path);
        if let Some(others) = self.store.neighbours(first.tenant) {
            others.forget_first(first.serial);
        }
        let full = key(Kind::Full, first.tenant, first.full);
        let Some((path, index)) = self.store.indexed(place) else { return };
        let mut ticket = first.ticket(place, path.serial);
        path.open = 1;
        path.seen = first.messages;
        path.last = Last { key: full, at: first.at, ..Last::default() };
        index.insert(full, place);
        if let Some((run, path)) = self.store.both(place) {
            for account in [&mut run.account, &mut path.account] {
                account.first_input = Some(first.input);
                account.requests = 1;
            }
        }
        self.begin(&mut ticket);
        let Some(end) = &first.end else {
            self.promoted.insert(first.serial, (place, ticket.serial));
            return;
        };
        let addition = end.said.as_ref().map(|said| {
            let call = Action { message: 0, tool: Some(0), what: Mark::default(), result: None, error: None };
            let actions = vec![call; said.calls as usize];
            let produced = said.produced().to_vec();
            Addition { message: said.message, actions, tools: Vec::new(), produced, useful: said.useful }
        });
        let settled = RunSettled {
            outcome: end.outcome,
            addition: addition.as_ref(),
            attempts: end.attempts,
            usage: end.usage(),
            cost: end.cost,
            response_id: end.response_id,
        };
        self.settle(end.at, ticket, &settled);
    }

    /// Forgets the first requests that came longer ago than runs are remembered.
    pub(super) fn expire_firsts(&mut self, now: Moment) {
        while let Some(first) = self.firsts.oldest().filter(|first| now.since(first.at) >= self.settings.ttl) {
            let (serial, open) = (first.serial, first.end.is_none());
            if open {
                self.promote(serial);
            } else {
                self.firsts.take(serial);
            }
        }
    }
}
