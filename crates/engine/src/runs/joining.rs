//! Which run a request belongs to, and which conversation of it.
//!
//! What the client says comes first: the run's name, then the ids of conversation and session, then the response that it goes
//! on from. Else the history decides: the longest beginning that ends with an answer known here. Where a client compacts its
//! histories, or changes the system text, the last messages decide. A history without an answer in it is a new run, however
//! often others began alike: services send the same first turn for each of their users.

use std::sync::Arc;
use std::time::Duration;

use weir_units::{Mark, Moment};

use super::account::Account;
use super::admit::Runs;
use super::ask::{Joined, RunAsk, SessionKind};
use super::index::{Kind, key};
use super::lookup::{Lookup, Sure};
use super::path::Path;
use super::run::{Run, made_name};

/// For so long the same request is a retry.
pub(super) const RETRY_WITHIN: Duration = Duration::from_secs(60);
/// Names of runs are not longer.
const LONGEST_NAME: usize = 128;

/// Ids that a run has for itself, and ids that many may share.
pub(super) const OWN: [SessionKind; 2] = [SessionKind::Conversation, SessionKind::Session];
const SHARED: [SessionKind; 2] = [SessionKind::PromptCacheKey, SessionKind::Trace];

/// Where a request belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// To a conversation that goes on.
    Path(u32),
    /// To a branch from one of a conversation's answers.
    Branch { path: u32, tip: usize },
    /// To a conversation that begins in a run.
    InRun(u32),
    /// To a run that begins.
    New,
}

/// A conversation that was sent the same request before.
#[derive(Clone, Copy, Debug)]
struct Sent {
    path: u32,
    /// It was a short while ago; else the same is asked anew.
    is_retry: bool,
    /// It ended without an answer.
    has_failed: bool,
}

impl Runs {
    /// Where a request belongs, how that is known, and the marks of its history.
    pub(super) fn locate(&self, now: Moment, tenant: u32, ask: &RunAsk<'_>) -> (Found, Joined, Lookup) {
        let (within, hint, by) = self.within(tenant, ask);
        // Who names a session that is not known has none of the sessions that are.
        let apart = ask.ids.iter().any(|id| OWN.contains(&id.kind));
        let fits = |run: u32| match within {
            Some(within) => run == within,
            None => !(apart && self.store.run(run).is_some_and(|run| run.whole)),
        };
        let belongs = |path: &u32| self.store.path(*path).is_some_and(|path| path.tenant == tenant && fits(path.run));
        let named = by.unwrap_or(Joined::New);
        let known_as = |joined: Joined| by.unwrap_or(joined);
        let previous = self.previous(tenant, ask, &belongs);
        let base = match (previous, hint) {
            (Some((_, mark, _)), _) => mark,
            (None, Some(path)) if ask.stateful => self.last_mark(path),
            _ => ask.history.map(|history| history.root).unwrap_or_default(),
        };
        let lookup = ask.history.map(|history| Lookup::of(tenant, history, base)).unwrap_or_default();
        if by == Some(Joined::Named) && within.is_none() {
            return (Found::New, Joined::Named, lookup);
        }
        let has_answer = ask.stateful || ask.history.is_some_and(|history| history.turns > 0);
        let sent = self.sent_before(now, tenant, &lookup, *ask, &belongs);
        let as_sent = |sent: &Sent| {
            (Found::Path(sent.path), if sent.is_retry { Joined::Retried } else { known_as(Joined::Continued) })
        };
        if let Some((found, joined)) = sent.as_ref().filter(|sent| sent.has_failed || ask.sdk_retry > 0).map(as_sent) {
            return (found, joined, lookup);
        }
        let found = match previous {
            Some((found, _, kind)) => Some((found, Joined::Session(kind))),
            None if ask.stateful || !has_answer => None,
            None => self.by_beginning(tenant, ask, &lookup, &belongs).map(|found| {
                (found, if let Found::Branch { .. } = found { Joined::Forked } else { Joined::Continued })
            }),
        };
        // Of several conversations that are alike so far, one may be where another was a moment ago.
        if let Some((found @ Found::Path(_), joined)) = found {
            return (found, known_as(joined), lookup);
        }
        if let Some((found, joined)) = sent.as_ref().map(as_sent) {
            return (found, joined, lookup);
        }
        if let Some((found, joined)) = found {
            return (found, known_as(joined), lookup);
        }
        if let Some(found) = self.by_end(&lookup, &belongs).filter(|_| has_answer && !ask.stateful) {
            return (found, known_as(Joined::Inferred), lookup);
        }
        if let Some(path) = hint.filter(|_| ask.stateful || ask.history.is_none()) {
            return (Found::Path(path), named, lookup);
        }
        if let Some(run) = within {
            return (Found::InRun(run), named, lookup);
        }
        if by.is_none() {
            for kind in SHARED {
                if let Some(run) = self.run_with_id(tenant, ask, kind) {
                    return (Found::InRun(run), Joined::Session(kind), lookup);
                }
            }
        }
        (Found::New, named, lookup)
    }

    /// The run that the client says, a conversation of it where it says that as well, and how it says it. The run is none
    /// where it is new.
    fn within(&self, tenant: u32, ask: &RunAsk<'_>) -> (Option<u32>, Option<u32>, Option<Joined>) {
        if let Some(name) = ask.run.and_then(named) {
            let found = self.resolve(tenant, name);
            return match found {
                Some((run, path)) => (Some(run), path.or_else(|| self.latest(run)), Some(Joined::Named)),
                None => (None, None, Some(Joined::Named)),
            };
        }
        for kind in OWN {
            if let Some(path) = self.with_id(tenant, ask, kind) {
                let run = self.store.path(path).map(|path| path.run);
                return (run, Some(path), Some(Joined::Session(kind)));
            }
        }
        (None, None, None)
    }

    /// The run of such a name; or, behind `~`, the number of one of its conversations.
    pub(super) fn resolve(&self, tenant: u32, name: &str) -> Option<(u32, Option<u32>)> {
        if let Some(run) = self.store.named(tenant, name) {
            return Some((run, None));
        }
        let (name, number) = name.rsplit_once('~')?;
        let run = self.store.named(tenant, name)?;
        Some((run, Some(self.store.numbered(run, number.parse().ok()?)?)))
    }

    /// The conversation of a run that was used last.
    fn latest(&self, run: u32) -> Option<u32> {
        // Among many the last that began is near enough.
        self.store.paths_of(run).next_back()
    }

    fn with_id(&self, tenant: u32, ask: &RunAsk<'_>, kind: SessionKind) -> Option<u32> {
        let id = ask.ids.iter().find(|id| id.kind == kind)?;
        self.store.index.first(key(Kind::Id(kind), tenant, id.mark))
    }

    fn run_with_id(&self, tenant: u32, ask: &RunAsk<'_>, kind: SessionKind) -> Option<u32> {
        Some(self.store.path(self.with_id(tenant, ask, kind)?)?.run)
    }

    fn last_mark(&self, path: u32) -> Mark {
        self.store.path(path).and_then(|path| path.tips.last()).map(|tip| tip.mark).unwrap_or_default()
    }

    /// The conversation that the named response belongs to, and the mark of the history up to it.
    fn previous(
        &self,
        tenant: u32,
        ask: &RunAsk<'_>,
        belongs: &impl Fn(&u32) -> bool,
    ) -> Option<(Found, Mark, SessionKind)> {
        let kind = SessionKind::PreviousResponse;
        let id = ask.ids.iter().find(|id| id.kind == kind)?;
        let response = key(Kind::Id(kind), tenant, id.mark);
        let place = self.store.index.all(response).find(belongs)?;
        let path = self.store.path(place)?;
        let tip = path.tips.iter().position(|tip| tip.response == response)?;
        let found = if path.is_at_tip(tip) { Found::Path(place) } else { Found::Branch { path: place, tip } };
        Some((found, path.tips[tip].mark, kind))
    }

    /// A conversation that was sent the very same last.
    fn sent_before(
        &self,
        now: Moment,
        tenant: u32,
        lookup: &Lookup,
        RunAsk { sdk_retry, stateful, .. }: RunAsk<'_>,
        belongs: &impl Fn(&u32) -> bool,
    ) -> Option<Sent> {
        let full = key(Kind::Full, tenant, lookup.full?);
        let sent = |place: u32| {
            let path = self.store.path(place)?;
            let is_open = path.open > 0;
            // What services put before each question, answers among it, is no conversation that goes on.
            let goes_on = || path.tips.iter().any(|tip| lookup.beginnings.contains(&tip.mark));
            if !(sdk_retry > 0 || stateful || goes_on()) {
                return None;
            }
            let has_failed = !is_open && !path.last.is_answered;
            let is_recent = now.since(path.last.at) <= RETRY_WITHIN || (is_open && sdk_retry > 0);
            let is_retry = is_recent && !path.last.is_void;
            // Who failed a short while ago comes first, who was answered last.
            let rank = u8::from(is_open) + 2 * u8::from(path.last.is_answered) + 4 * u8::from(!is_retry);
            (is_retry || has_failed).then_some((rank, Sent { path: place, is_retry, has_failed }))
        };
        // When a provider fails, many who are alike fail.
        self.store.index.many(full).filter(belongs).filter_map(sent).min_by_key(|(rank, _)| *rank).map(|(_, sent)| sent)
    }

    /// The longest beginning that is known; of several that are alike, one that shares an id with the request, and that was
    /// answered first: agents alike take about as long for their next request.
    fn by_beginning(
        &self,
        tenant: u32,
        ask: &RunAsk<'_>,
        lookup: &Lookup,
        belongs: &impl Fn(&u32) -> bool,
    ) -> Option<Found> {
        let shares = |run: u32| SHARED.iter().any(|kind| self.run_with_id(tenant, ask, *kind) == Some(run));
        lookup.beginnings.iter().find_map(|mark| {
            let places = self.store.index.all(key(Kind::Tip, tenant, *mark)).filter(belongs);
            let found = places.filter_map(|place| {
                let path = self.store.path(place)?;
                let tip = path.tips.iter().rposition(|tip| tip.mark == *mark)?;
                Some(if path.is_at_tip(tip) {
                    ((false, !shares(path.run), path.account.ended()), Found::Path(place))
                } else {
                    ((true, true, Moment::ZERO), Found::Branch { path: place, tip })
                })
            });
            found.min_by_key(|(order, _)| *order).map(|(_, found)| found)
        })
    }

    /// The conversation whose last messages these are.
    fn by_end(&self, lookup: &Lookup, belongs: &impl Fn(&u32) -> bool) -> Option<Found> {
        lookup.ends.iter().find_map(|(key, sure)| {
            let mut places = self.store.index.all(*key).filter(belongs);
            let place = places.next()?;
            let path = self.store.path(place)?;
            let tip = path.tips.len().checked_sub(1)?;
            let at_tip = path.is_at_tip(tip);
            if *sure == Sure::Hardly && (!at_tip || places.next().is_some()) {
                return None;
            }
            Some(if at_tip { Found::Path(place) } else { Found::Branch { path: place, tip } })
        })
    }

    /// Makes what was found: the conversation that the request belongs to, and whether it has just begun.
    pub(super) fn place(
        &mut self,
        now: Moment,
        tenant: u32,
        ask: &RunAsk<'_>,
        (found, joined): (Found, Joined),
    ) -> (u32, bool) {
        if let Found::Path(_) | Found::Branch { .. } | Found::InRun(_) = found {
            self.adopt(now, tenant, ask);
        }
        match found {
            Found::Path(path) => return (path, false),
            Found::Branch { path, tip } => {
                if self.is_in_halted_loop(path, tip) {
                    return (path, false);
                }
                if let Some(branch) = self.branch(path, tip, joined) {
                    return (self.store.add_path(now, branch), true);
                }
            }
            Found::InRun(run) => {
                if let Some(path) = self.in_run(now, run, joined) {
                    return (self.store.add_path(now, path), true);
                }
            }
            Found::New => {}
        }
        let run = self.begin_run(now, tenant, ask, joined);
        let depth = self.store.run(run).map_or(0, |run| run.depth);
        let place = self.store.add_path(now, Path::new(run, tenant, 1, depth, joined, Account::new(now)));
        (place, true)
    }

    /// What branches off a halted conversation after its loop began is the loop again.
    fn is_in_halted_loop(&self, path: u32, tip: usize) -> bool {
        let Some(path) = self.store.path(path) else { return false };
        let (Some(halted), Some(tip)) = (&path.account.halted, path.tips.get(tip)) else { return false };
        tip.messages > halted.since.saturating_add(1)
    }

    fn branch(&mut self, place: u32, tip: usize, joined: Joined) -> Option<Path> {
        let (run, path) = self.store.both(place)?;
        let tip = path.tips.get(tip)?;
        let account = path.account.branch(tip.requests, tip.cost);
        let mut branch = Path::new(path.run, path.tenant, run.next_number, path.depth + 1, joined, account);
        branch.branch_of = path.number;
        branch.forgiven = path.forgiven;
        run.next_number += 1;
        Some(branch)
    }

    fn in_run(&mut self, now: Moment, place: u32, joined: Joined) -> Option<Path> {
        let run = self.store.run_mut(place)?;
        let path = Path::new(place, run.tenant, run.next_number, run.depth, joined, Account::new(now));
        run.next_number += 1;
        Some(path)
    }

    fn begin_run(&mut self, now: Moment, tenant: u32, ask: &RunAsk<'_>, joined: Joined) -> u32 {
        let parent = ask.parent.and_then(named).filter(|parent| ask.run != Some(*parent));
        let parent = parent.map(|name| self.parent(now, tenant, name));
        let name = ask.run.and_then(named).map_or_else(|| self.new_name(tenant, ask.draw), Arc::from);
        let whole = joined == Joined::Named || ask.ids.iter().any(|id| OWN.contains(&id.kind));
        let depth = parent.as_ref().map_or(0, |(_, depth)| depth + 1);
        self.store.add_run(new_run(now, tenant, name, parent.map(|(name, _)| name), depth, whole))
    }

    /// A run that was known only as somebody's parent says who started it.
    fn adopt(&mut self, now: Moment, tenant: u32, ask: &RunAsk<'_>) {
        let (Some(name), Some(parent)) = (ask.run.and_then(named), ask.parent.and_then(named)) else { return };
        let Some(run) = self.store.named(tenant, name) else { return };
        let is_open = self.store.run(run).is_some_and(|run| run.parent.is_none() && run.account.requests == 0);
        if name == parent || !is_open {
            return;
        }
        let (parent, depth) = self.parent(now, tenant, parent);
        if let Some(run) = self.store.run_mut(run) {
            run.parent = Some(parent);
            run.depth = depth + 1;
        }
    }

    /// The run that is named as a parent, and how deep it is. One that has made no request itself yet begins with that.
    fn parent(&mut self, now: Moment, tenant: u32, name: &str) -> (Arc<str>, u32) {
        if let Some((run, path)) = self.resolve(tenant, name) {
            let depth = path.and_then(|path| self.store.path(path)).map(|path| path.depth);
            let run = self.store.run(run);
            let name = run.filter(|run| *run.name == *name).map_or_else(|| Arc::from(name), |run| run.name.clone());
            return (name, depth.or(run.map(|run| run.depth)).unwrap_or(0));
        }
        let name: Arc<str> = name.into();
        let run = self.store.add_run(new_run(now, tenant, name.clone(), None, 0, true));
        self.store.add_path(now, Path::new(run, tenant, 1, 0, Joined::Named, Account::new(now)));
        (name, 0)
    }

    fn new_name(&self, tenant: u32, mut draw: u128) -> Arc<str> {
        loop {
            let name = made_name(draw);
            if self.store.named(tenant, &name).is_none() {
                return name;
            }
            draw = draw.wrapping_add(1);
        }
    }
}

pub(super) fn new_run(
    now: Moment,
    tenant: u32,
    name: Arc<str>,
    parent: Option<Arc<str>>,
    depth: u32,
    whole: bool,
) -> Run {
    let account = Account::new(now);
    Run { tenant, name, parent, depth, whole, account, next_number: 2, weight: 0, forgiven: 0 }
}

/// A name that a client gave, unless it is empty or too long.
fn named(name: &str) -> Option<&str> {
    (!name.is_empty() && name.len() <= LONGEST_NAME).then_some(name)
}
