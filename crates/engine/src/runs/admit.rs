//! A request comes: its run is found, what it brings is taken in, and it is judged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use weir_units::{Mark, Moment, Tokens};

use super::ask::{Admission, Joined, RunAsk, RunTicket, SessionKind};
use super::evidence::Evidence;
use super::exchange::{Exchange, Lead, LedBy};
use super::firsts::Firsts;
use super::index::{Kind, key};
use super::joining::OWN;
use super::lookup::Lookup;
use super::path::{IDS, Last, Path};
use super::run::fold;
use super::settings::RunsSettings;
use super::store::Store;

/// For so long providers keep a prompt in their cache, at the least that they promise: Anthropic's five minutes.
const CACHED: Duration = Duration::from_secs(300);

/// All runs of a process.
///
/// For each request [`Runs::admit`] once and [`Runs::settle`] once, whatever became of it; between them, where it was told
/// to wait, [`Runs::resume`] until it is told something else. After each call, [`Runs::take_woken`] names who else may
/// resume, and [`Runs::take_changes`] what to tell. [`Runs::expire`] is called when [`Runs::next_expiry`] says so.
#[derive(Debug)]
pub struct Runs {
    pub(super) settings: RunsSettings,
    pub(super) store: Store,
    pub(super) firsts: Firsts,
    /// First requests that became runs while they were under way: their serials, and their conversations.
    pub(super) promoted: BTreeMap<u64, (u32, u64)>,
    pub(super) tickets: u64,
    pub(super) woken: Vec<u64>,
    pub(super) changes: Vec<RunChange>,
}

/// One thing about a run that a person will want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunChange {
    /// A detector has seen something.
    Warned {
        /// Whose run it is.
        tenant: Arc<str>,
        /// What was seen.
        evidence: Evidence,
    },
    /// Its requests go one by one, with growing gaps.
    Slowed {
        /// Whose run it is.
        tenant: Arc<str>,
        /// Why.
        evidence: Evidence,
    },
    /// Its requests are refused until it is released.
    Halted {
        /// Whose run it is.
        tenant: Arc<str>,
        /// Why.
        evidence: Evidence,
    },
    /// It goes on.
    Released {
        /// Whose run it is.
        tenant: Arc<str>,
        /// The run, or the conversation of it.
        run: Arc<str>,
    },
}

impl Runs {
    /// No runs yet.
    #[must_use]
    pub fn new(settings: RunsSettings) -> Self {
        let (store, woken, changes) = (Store::default(), Vec::new(), Vec::new());
        let (firsts, promoted) = (Firsts::default(), BTreeMap::new());
        let mut runs = Self { settings, store, firsts, promoted, tickets: 0, woken, changes };
        runs.keep_firsts();
        runs
    }

    /// Finds a request's run and says whether it may go. The ticket owes one [`Runs::settle`], also when it may not.
    pub fn admit(&mut self, now: Moment, ask: &RunAsk<'_>) -> Admission {
        let tenant = self.store.tenant(ask.tenant);
        self.store.expire(now, self.settings.ttl, tenant);
        self.expire_firsts(now);
        if let Some(begun) = self.begin_first(now, tenant, ask) {
            return begun;
        }
        self.reveal(now, tenant, ask);
        let (found, joined, lookup) = self.locate(now, tenant, ask);
        if let Some(refused) = self.refuse_beginning(now, ask, found, joined) {
            return refused;
        }
        let (place, is_new) = self.place(now, tenant, ask, (found, joined));
        self.store.touch(now, place);
        let is_retry = joined == Joined::Retried;
        if !is_retry {
            self.follow(tenant, place, is_new, ask);
        }
        let before = self.before(now, place, !is_new && !is_retry);
        let stale = self.store.path(place).filter(|_| !is_new).map_or(Tokens(0), |path| path.inputs.stale());
        let mut ticket = self.take_in(now, tenant, place, is_new, ask, &lookup, is_retry);
        let verdict = self.judge(now, ask, &mut ticket, is_retry);
        self.store.weigh(place);
        self.make_room(now);
        let (run, parent) = self.names(place);
        Admission { run, parent, joined, before, stale, verdict, ticket }
    }

    /// The input of the request that this one goes on from, if that has ended a short time ago.
    fn before(&self, now: Moment, place: u32, goes_on: bool) -> Tokens {
        let path = self.store.path(place).filter(|_| goes_on);
        let recent = |path: &&Path| path.open == 0 && now.since(path.account.ended()) <= CACHED;
        path.filter(recent).map_or(Tokens(0), |path| path.last_input)
    }

    /// Other bounds from now on.
    pub fn configure(&mut self, now: Moment, settings: RunsSettings) {
        self.settings = settings;
        self.keep_firsts();
        self.make_room(now);
    }

    /// Tickets of requests that wait, and may go or be refused now: their callers ask with [`Runs::resume`].
    pub fn take_woken(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.woken)
    }

    /// What happened since the last time.
    pub fn take_changes(&mut self) -> Vec<RunChange> {
        std::mem::take(&mut self.changes)
    }

    /// Forgets what has not been used for long.
    pub fn expire(&mut self, now: Moment) {
        for tenant in 0..self.store.tenants() {
            self.store.expire(now, self.settings.ttl, tenant);
        }
        self.expire_firsts(now);
    }

    /// When [`Runs::expire`] will have something to do.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Moment> {
        let first = self.firsts.iter().next().map(|first| first.at);
        self.store.least_recent_use().into_iter().chain(first).min().map(|used| used + self.settings.ttl)
    }

    /// The name of a conversation, and what it branched off or who started it.
    pub(super) fn names(&self, place: u32) -> (Arc<str>, Option<Arc<str>>) {
        let Some(path) = self.store.path(place) else { return (Arc::from(""), None) };
        let Some(run) = self.store.run(path.run) else { return (Arc::from(""), None) };
        let numbered = |number: u32| match number {
            1 => run.name.clone(),
            number => format!("{}~{number}", run.name).into(),
        };
        let parent = if path.branch_of == 0 { run.parent.clone() } else { Some(numbered(path.branch_of)) };
        (numbered(path.number), parent)
    }

    /// Takes over what was said along the conversation that leads this one, if any does.
    fn follow(&mut self, tenant: u32, place: u32, is_new: bool, ask: &RunAsk<'_>) {
        let Some(history) = ask.history else { return };
        let trace = ask.ids.iter().find(|id| id.kind == SessionKind::Trace).map(|id| id.mark);
        let begins = history.turns == 0 && !ask.stateful;
        let by_text = || {
            let known = |mark: &Mark| {
                let path = self.store.index.first(key(Kind::Produced, tenant, *mark))?;
                (path != place).then_some(Lead { path, heard: *mark, by: LedBy::Text })
            };
            history.received.iter().find_map(known)
        };
        let whole = || fold(&history.received);
        let by_parent = || {
            let (run, path) = self.resolve(tenant, ask.parent.filter(|_| is_new)?)?;
            let path = path.or_else(|| self.store.paths_of(run).next_back()).filter(|path| *path != place)?;
            Some(Lead { path, heard: whole(), by: LedBy::Parent })
        };
        let by_trace = || {
            let path = self.store.index.first(key(Kind::Traced, tenant, trace.filter(|_| begins)?))?;
            (path != place).then(|| Lead { path, heard: whole(), by: LedBy::Trace })
        };
        let Some(lead) = by_text().or_else(by_parent).or_else(by_trace) else {
            if begins
                && trace.is_some()
                && let Some(path) = self.store.path_mut(place)
            {
                path.exchange = Some(Box::new(Exchange::begun(whole())));
            }
            return;
        };
        let Some(leader) = self.store.path(lead.path) else { return };
        let exchange = Exchange::led(&lead, leader.exchange.as_deref(), leader.serial);
        let depth = leader.depth;
        let Some((run, path)) = self.store.both(place) else { return };
        path.exchange = Some(Box::new(exchange));
        if is_new && path.number == 1 && lead.by == LedBy::Text && run.parent.is_none() {
            path.depth = depth + 1;
            run.depth = depth + 1;
        }
    }

    /// Takes in what a request brings: its ids, its marks, the results of the last answer.
    #[expect(clippy::too_many_arguments, reason = "all of it is the request's, found in different places")]
    fn take_in(
        &mut self,
        now: Moment,
        tenant: u32,
        place: u32,
        is_new: bool,
        ask: &RunAsk<'_>,
        lookup: &Lookup,
        is_retry: bool,
    ) -> RunTicket {
        self.tickets += 1;
        let trace = ask.ids.iter().find(|id| id.kind == SessionKind::Trace).map(|id| id.mark);
        let begins = ask.history.is_some_and(|history| history.turns == 0) && !ask.stateful;
        let mut ticket = RunTicket {
            id: self.tickets,
            path: place,
            input: ask.input,
            full: lookup.full,
            stateful: ask.stateful,
            fresh_trace: trace.filter(|_| begins),
            ..RunTicket::of_nothing()
        };
        self.take_ids(tenant, place, ask);
        let Some((path, index)) = self.store.indexed(place) else { return ticket };
        ticket.serial = path.serial;
        path.open += 1;
        if let Some(history) = ask.history {
            let messages = u32::try_from(history.messages.len()).unwrap_or(u32::MAX);
            let before = path.tips.last().filter(|_| ask.stateful).map_or(0, |tip| tip.messages);
            ticket.messages = before.saturating_add(messages);
            if let [.., a, b] = history.messages.as_slice() {
                ticket.last = [*a, *b];
            } else if let [b] = history.messages.as_slice() {
                ticket.last[1] = *b;
            }
            // While it is halted its client may try one thing and another.
            path.seen = if path.account.halted.is_some() { path.seen.max(messages) } else { messages };
            // A compacted history has fewer messages than there were: what it begins with counts from now on.
            path.forgiven = path.forgiven.min(messages);
            if ask.stateful {
                path.tail.get_or_insert_default().answer(history);
            }
        }
        if !is_retry {
            if let Some(tip) = path.tips.last() {
                index.pass(tip.key(tenant), place);
            }
            let new = lookup.full.map_or(0, |full| key(Kind::Full, tenant, full));
            let old = std::mem::replace(&mut path.last, Last { key: new, at: now, ..Last::default() });
            if old.key != 0 {
                index.remove(old.key, place);
            }
            if new != 0 {
                index.insert(new, place);
            }
        }
        if is_new
            && let Some((run, path)) = self.store.both(place)
            && run.whole
            && path.branch_of == 0
        {
            path.forgiven = path.forgiven.max(path.seen.min(run.forgiven));
        }
        ticket
    }

    /// From now on these ids lead to this conversation's run. Ids that services share among conversations lead to no run
    /// that is capped and halted as a whole.
    fn take_ids(&mut self, tenant: u32, place: u32, ask: &RunAsk<'_>) {
        let Some((run, whole)) =
            self.store.path(place).and_then(|path| Some((path.run, self.store.run(path.run)?.whole)))
        else {
            return;
        };
        for id in ask.ids {
            let key = key(Kind::Id(id.kind), tenant, id.mark);
            let other = self.store.index.first(key).and_then(|path| self.store.path(path)).map(|path| path.run);
            let fits = OWN.contains(&id.kind) == whole && id.kind != SessionKind::PreviousResponse;
            if !fits || other.is_some_and(|other| other != run) {
                continue;
            }
            let Some((path, index)) = self.store.indexed(place) else { return };
            if path.ids.len() < IDS && !path.ids.contains(&key) {
                path.ids.push(key);
                index.insert(key, place);
            }
        }
    }
}
