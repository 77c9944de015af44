//! What runs look like from outside: one, many in pages, and a run with all that belongs to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use weir_units::{Moment, NanoUsd, Tokens};

use super::account::Account;
use super::admit::Runs;
use super::ask::Joined;
use super::evidence::{Evidence, Level};
use super::firsts::{End, First};
use super::path::Path;
use super::run::{Run, made_name};

/// At most so many runs are looked at for a page, and so many views are in a tree.
const LOOKED_AT: usize = 20_000;
const IN_TREE: usize = 1_000;

/// What state a run is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunState {
    /// Nothing is held against it.
    Running,
    /// It was halted, and released since.
    Released,
    /// Its requests go one by one.
    Slow,
    /// Its requests are refused.
    Halted,
}

impl RunState {
    /// The name on screens.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Released => "released",
            Self::Slow => "slow",
            Self::Halted => "halted",
        }
    }
}

/// A run, or one conversation of it, as seen from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunView {
    /// Whose it is.
    pub tenant: Arc<str>,
    /// Its name; for a conversation, with `~` and its number.
    pub run: Arc<str>,
    /// Who started it, or what it branched off.
    pub parent: Option<Arc<str>>,
    /// How it was found when it began.
    pub joined: Joined,
    /// Its state; of a run, the worst of its conversations.
    pub state: RunState,
    /// What put it into that state.
    pub evidence: Option<Evidence>,
    /// How many conversations are remembered of it.
    pub conversations: usize,
    /// Requests, without retries by the client's SDK.
    pub requests: u32,
    /// How many requests are under way.
    pub in_flight: u32,
    /// How many runs and branches lie before it; of a run, before its deepest conversation.
    pub depth: u32,
    /// Input tokens.
    pub input: Tokens,
    /// Output tokens.
    pub output: Tokens,
    /// What is known to be spent.
    pub cost: NanoUsd,
    /// Some of what it costs is not known.
    pub some_cost_unknown: bool,
    /// How long ago it began.
    pub age: Duration,
    /// How long ago its last request came.
    pub idle: Duration,
    /// Tools called.
    pub tool_calls: u32,
    /// Retries by the client's SDK.
    pub sdk_retries: u32,
    /// Retries by Weir.
    pub weir_retries: u32,
}

/// Which runs are listed.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunsFilter<'a> {
    /// One tenant's.
    pub tenant: Option<&'a str>,
    /// In one state.
    pub state: Option<RunState>,
    /// Those after this tenant and run, which the last page ended with.
    pub after: Option<(&'a str, &'a str)>,
}

/// A page of runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunsPage {
    /// The runs, by tenant and name. There may be fewer than were asked for, and still more to come.
    pub runs: Vec<RunView>,
    /// The tenant and the run to go on after, as the filter's `after`, unless this was the last page.
    pub next: Option<(Arc<str>, Arc<str>)>,
}

/// A run with its conversations and the runs that it started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunTree {
    /// The run.
    pub run: RunView,
    /// Its conversations, where there is more than one.
    pub conversations: Vec<RunView>,
    /// The runs that name it as their parent.
    pub children: Vec<RunTree>,
}

/// How much is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunsSize {
    /// Runs.
    pub runs: usize,
    /// Conversations of all of them.
    pub conversations: usize,
    /// About how many bytes.
    pub bytes: u64,
}

impl Runs {
    /// A tenant's run of that name, or the conversation of it.
    #[must_use]
    pub fn find(&self, now: Moment, tenant: &str, run: &str) -> Option<RunView> {
        let tenant = self.store.known_tenant(tenant)?;
        match self.resolve(tenant, run) {
            Some((_, Some(path))) => self.path_view(now, path),
            Some((run, None)) => self.run_view(now, run),
            None => self.first_view(now, self.first_named(tenant, run)?),
        }
    }

    /// Runs by tenant and name, at most `limit`.
    #[must_use]
    pub fn list(&self, now: Moment, filter: &RunsFilter<'_>, limit: usize) -> RunsPage {
        let (from, after) = filter.after.unwrap_or((filter.tenant.unwrap_or_default(), ""));
        let mut runs = Vec::new();
        let mut looked_at = 0;
        for tenant in self.store.tenants_from(from) {
            let Some(name) = self.store.tenant_of(tenant).map(|tenant| &tenant.name) else { continue };
            if filter.tenant.is_some_and(|wanted| *wanted != **name) {
                continue;
            }
            let after = Some(after).filter(|after| **name == *from && !after.is_empty());
            let mut firsts = self.firsts_by_name(tenant, after).into_iter().peekable();
            let mut others =
                self.store.by_name(tenant, after).filter_map(|place| self.store.run(place).zip(Some(place))).peekable();
            loop {
                let first = match (firsts.peek(), others.peek()) {
                    (Some((first, _)), Some((run, _))) => **first < *run.name,
                    (first, None) => first.is_some(),
                    (None, Some(_)) => false,
                };
                let next = if first {
                    firsts.next().map(|(name, first)| (name, self.first_view(now, first)))
                } else {
                    others.next().map(|(run, place)| (run.name.clone(), self.run_view(now, place)))
                };
                let Some((run, view)) = next else { break };
                looked_at += 1;
                runs.extend(view.filter(|view| filter.state.is_none_or(|state| state == view.state)));
                if runs.len() >= limit || looked_at >= LOOKED_AT {
                    return RunsPage { runs, next: Some((name.clone(), run)) };
                }
            }
        }
        RunsPage { runs, next: None }
    }

    /// A tenant's run with all that belongs to it, as far as a thousand views go.
    #[must_use]
    pub fn tree(&self, now: Moment, tenant: &str, run: &str) -> Option<RunTree> {
        let tenant = self.store.known_tenant(tenant)?;
        let Some((root, _)) = self.resolve(tenant, run) else {
            let run = self.first_view(now, self.first_named(tenant, run)?)?;
            return Some(RunTree { run, conversations: Vec::new(), children: Vec::new() });
        };
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for child in self.store.by_name(tenant, None) {
            let parent = self.store.run(child).and_then(|run| run.parent.as_ref());
            if let Some((parent, _)) = parent.and_then(|parent| self.resolve(tenant, parent)) {
                children.entry(parent).or_default().push(child);
            }
        }
        let mut room = IN_TREE;
        self.subtree(now, root, &mut children, &mut room)
    }

    /// How much is remembered.
    #[must_use]
    pub fn size(&self) -> RunsSize {
        let (conversations, runs) = self.store.size();
        let firsts = self.firsts.len();
        RunsSize {
            runs: runs + firsts,
            conversations: conversations + firsts,
            bytes: self.store.bytes() + self.firsts.bytes(),
        }
    }

    /// A tenant's first requests by the names of their runs, from the first one after `after`.
    fn firsts_by_name(&self, tenant: u32, after: Option<&str>) -> Vec<(Arc<str>, &First)> {
        let of_tenant = self.firsts.iter().filter(|first| first.tenant == tenant);
        let named = of_tenant.map(|first| (made_name(first.draw), first));
        let mut firsts: Vec<_> = named.filter(|(name, _)| after.is_none_or(|after| **name > *after)).collect();
        firsts.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        firsts
    }

    /// A first request, as the run that it would be.
    fn first_view(&self, now: Moment, first: &First) -> Option<RunView> {
        let end = first.end.as_ref();
        Some(RunView {
            tenant: self.store.tenant_of(first.tenant)?.name.clone(),
            run: made_name(first.draw),
            parent: None,
            joined: Joined::New,
            state: RunState::Running,
            evidence: None,
            conversations: 1,
            requests: u32::from(end.is_none_or(End::was_sent)),
            in_flight: u32::from(end.is_none()),
            depth: 0,
            input: end.map_or(Tokens(0), |end| end.input),
            output: end.map_or(Tokens(0), |end| end.output),
            cost: end.and_then(|end| end.cost).map_or(NanoUsd::ZERO, |cost| cost.max(NanoUsd::ZERO)),
            some_cost_unknown: end.is_some_and(|end| end.cost.is_none() && end.attempts > 0),
            age: now.since(first.at),
            idle: now.since(first.at),
            tool_calls: end.and_then(|end| end.said.as_ref()).map_or(0, |said| said.calls),
            sdk_retries: 0,
            weir_retries: end.map_or(0, |end| end.attempts.saturating_sub(1)),
        })
    }

    fn subtree(
        &self,
        now: Moment,
        run: u32,
        children: &mut BTreeMap<u32, Vec<u32>>,
        room: &mut usize,
    ) -> Option<RunTree> {
        *room = room.checked_sub(1)?;
        let view = self.run_view(now, run)?;
        let paths = self.store.paths_of(run).take(if view.conversations > 1 { *room } else { 0 });
        let conversations: Vec<RunView> = paths.filter_map(|path| self.path_view(now, path)).collect();
        *room -= conversations.len();
        // Each run has one parent, and is taken out once, so that a ring ends.
        let own = children.remove(&run).unwrap_or_default();
        let children = own.into_iter().filter_map(|child| self.subtree(now, child, children, room)).collect();
        Some(RunTree { run: view, conversations, children })
    }

    fn run_view(&self, now: Moment, place: u32) -> Option<RunView> {
        let run = self.store.run(place)?;
        let paths = || self.store.paths_of(place).filter_map(|path| self.store.path(path));
        let worst = paths().max_by_key(|path| (state_of(run, path), std::cmp::Reverse(path.number)))?;
        let evidence = halted_for(run, worst);
        let view = RunView {
            run: run.name.clone(),
            parent: run.parent.clone(),
            joined: paths().next()?.joined,
            state: state_of(run, worst),
            evidence,
            conversations: paths().count(),
            depth: paths().map(|path| path.depth).max()?,
            idle: now.since(paths().map(|path| path.used).max()?),
            ..self.view_of(now, run, &run.account)?
        };
        Some(view)
    }

    fn path_view(&self, now: Moment, place: u32) -> Option<RunView> {
        let path = self.store.path(place)?;
        let run = self.store.run(path.run)?;
        let (name, parent) = self.names(place);
        Some(RunView {
            run: name,
            parent,
            joined: path.joined,
            state: state_of(run, path),
            evidence: halted_for(run, path),
            depth: path.depth,
            idle: now.since(path.used),
            ..self.view_of(now, run, &path.account)?
        })
    }

    /// What a run and a conversation have in common.
    fn view_of(&self, now: Moment, run: &Run, account: &Account) -> Option<RunView> {
        Some(RunView {
            tenant: self.store.tenant_of(run.tenant)?.name.clone(),
            run: run.name.clone(),
            parent: None,
            joined: Joined::New,
            state: RunState::Running,
            evidence: None,
            conversations: 1,
            requests: account.requests,
            in_flight: account.in_flight,
            depth: 0,
            input: account.input,
            output: account.output,
            cost: NanoUsd(account.cost),
            some_cost_unknown: account.some_cost_unknown,
            age: now.since(account.started),
            idle: Duration::ZERO,
            tool_calls: account.tool_calls,
            sdk_retries: account.sdk_retries,
            weir_retries: account.weir_retries,
        })
    }
}

/// The state of a conversation.
pub(super) fn state_of(run: &Run, path: &Path) -> RunState {
    if run.account.halted.is_some() || path.account.halted.is_some() {
        RunState::Halted
    } else if path.told == Level::Slow {
        RunState::Slow
    } else if run.account.base.is_some() || path.account.base.is_some() {
        RunState::Released
    } else {
        RunState::Running
    }
}

fn halted_for(run: &Run, path: &Path) -> Option<Evidence> {
    let halted = run.account.halted.as_ref().or(path.account.halted.as_ref())?;
    Some(halted.evidence.clone())
}
