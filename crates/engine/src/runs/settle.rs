//! A request is over: what it cost is booked, its answer is remembered, and whoever waited for it may go.

use weir_units::{Addition, Mark, Moment, NanoUsd};

use super::admit::Runs;
use super::ask::{RunOutcome, RunSettled, RunTicket, SessionKind};
use super::index::{Kind, key};
use super::ladder::acting;
use super::lookup::end;
use super::path::{TEXTS, Tip};
use super::run::fold;

impl Runs {
    /// Books what became of a request; exactly once for each admission.
    pub fn settle(&mut self, now: Moment, ticket: RunTicket, settled: &RunSettled<'_>) {
        let ticket = match ticket.first {
            Some(serial) => match self.end_first(now, ticket, serial, settled) {
                Some(ticket) => ticket,
                None => return,
            },
            None => ticket,
        };
        self.woken.retain(|id| *id != ticket.id);
        if self.store.same(ticket.path, ticket.serial).is_none() {
            return;
        }
        let place = ticket.path;
        let Some((run, path)) = self.store.both(place) else { return };
        path.open = path.open.saturating_sub(1);
        acting(run, path).leave_lane(ticket.id);
        let answered = settled.outcome == RunOutcome::Answered;
        let was_sent = settled.attempts > 0 || answered;
        if answered {
            path.last_input = settled.usage.input;
            path.inputs.add(settled.usage.input);
        }
        for account in [&mut run.account, &mut path.account] {
            if let Some(held) = ticket.held {
                account.end(now, held);
            }
            if ticket.counted && !was_sent {
                account.requests = account.requests.saturating_sub(1);
            }
            account.book(settled, ticket.input);
        }
        if was_sent {
            let useful = answered && settled.addition.is_none_or(|addition| addition.useful);
            if let Some((pace, id, others)) = self.store.pace(place) {
                let cost = settled.cost.unwrap_or(NanoUsd::ZERO);
                pace.add(now, id, cost, (settled.attempts.max(1), useful), others);
            }
        }
        self.remember_last(now, &ticket, answered, was_sent);
        if let (true, Some(addition)) = (answered, settled.addition) {
            self.remember_answer(&ticket, addition, settled.response_id);
        }
        self.store.weigh(place);
        self.wake(place);
        self.make_room(now);
    }

    /// Whether the conversation's last request is answered, so that the same one is known for what it is.
    fn remember_last(&mut self, now: Moment, ticket: &RunTicket, answered: bool, was_sent: bool) {
        let Some((path, index)) = self.store.indexed(ticket.path) else { return };
        if ticket.full.is_none_or(|full| key(Kind::Full, path.tenant, full) != path.last.key) {
            return;
        }
        if answered {
            path.last.is_answered = true;
            index.pass(path.last.key, ticket.path);
        } else if was_sent {
            path.last.at = now;
        } else if ticket.counted {
            path.last.is_void = true;
        }
    }

    fn remember_answer(&mut self, ticket: &RunTicket, addition: &Addition, response_id: Option<Mark>) {
        let place = ticket.path;
        let Some((path, index)) = self.store.indexed(place) else { return };
        let tenant = path.tenant;
        if let Some(full) = ticket.full {
            let response = response_id.map_or(0, |id| key(Kind::Id(SessionKind::PreviousResponse), tenant, id));
            let (requests, cost) = (path.account.requests, path.account.cost);
            let messages = ticket.messages.saturating_add(1);
            let tip = Tip { mark: full.then(addition.message), response, messages, requests, cost };
            index.insert(tip.key(tenant), place);
            if response != 0 {
                index.insert(response, place);
            }
            if let Some(old) = path.add_tip(tip) {
                // Two answers may be the same.
                if path.tips.iter().all(|tip| tip.mark != old.mark) {
                    index.remove(old.key(tenant), place);
                }
                if old.response != 0 {
                    index.remove(old.response, place);
                }
            }
        }
        if path.end != 0 {
            index.remove(path.end, place);
        }
        path.end = 0;
        let last = [ticket.last[0], ticket.last[1], addition.message];
        let from = 3_usize.saturating_sub(ticket.messages as usize + 1);
        if !ticket.stateful
            && let Some((key, _)) = last.get(from..).and_then(|last| end(tenant, last))
        {
            path.end = key;
            index.insert(key, place);
        }
        for key in std::mem::take(&mut path.produced) {
            index.remove(key, place);
        }
        let texts = addition.produced.iter().take(TEXTS).map(|text| key(Kind::Produced, tenant, *text));
        path.produced.extend(texts.chain(ticket.fresh_trace.map(|trace| key(Kind::Traced, tenant, trace))));
        path.produced.shrink_to_fit();
        for key in &path.produced {
            self.firsts.unmark(*key);
            index.replace(*key, place);
        }
        // Without what changes at each answer, if there is anything else.
        let answered = match addition.produced.as_slice() {
            [] => addition.actions.iter().fold(Mark(0), |all, action| all.then(action.what)),
            texts => fold(texts),
        };
        if let Some(exchange) = &mut path.exchange {
            exchange.say(answered);
        }
        if ticket.stateful {
            path.tail.get_or_insert_default().add(addition);
        }
    }
}
