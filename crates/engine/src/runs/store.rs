//! All runs and their conversations: where they are, in which order they were used, and what they take.
//!
//! A client can begin runs without end, so the least recently used conversation falls out, of the tenant that has most of
//! them: one tenant's flood costs no other its memory. A run goes with its last conversation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use weir_units::Moment;

use super::index::{ENTRY_BYTES, Index};
use super::path::Path;
use super::run::Run;
use super::velocity::{Neighbours, Pace};

const NONE: u32 = u32::MAX;

/// What a run and a conversation take beside their own size: places, names, and what the allocator adds.
const RUN_BYTES: u64 = size_of::<Run>() as u64 + 16 + 12 + 40 + 22;
const PATH_BYTES: u64 = size_of::<Path>() as u64 + 16 + 12;

#[derive(Debug, Default)]
pub(super) struct Store {
    tenants: Vec<Tenant>,
    by_tenant: BTreeMap<Arc<str>, u32>,
    runs: Vec<Option<Box<Run>>>,
    free_runs: Vec<u32>,
    paths: Vec<Option<Box<Path>>>,
    free_paths: Vec<u32>,
    /// The conversations of each run: run, number, place.
    members: BTreeSet<(u32, u32, u32)>,
    pub(super) index: Index,
    serial: u64,
    runs_bytes: u64,
    paths_bytes: u64,
}

#[derive(Debug)]
pub(super) struct Tenant {
    pub(super) name: Arc<str>,
    by_name: BTreeMap<Arc<str>, u32>,
    oldest: u32,
    newest: u32,
    paths: usize,
    neighbours: Neighbours,
}

impl Store {
    /// The number of a tenant. Tenants come from the config, so they are not forgotten.
    pub(super) fn tenant(&mut self, name: &Arc<str>) -> u32 {
        if let Some(tenant) = self.by_tenant.get(name) {
            return *tenant;
        }
        let tenant = u32::try_from(self.tenants.len()).unwrap_or(NONE);
        self.tenants.push(Tenant {
            name: name.clone(),
            by_name: BTreeMap::new(),
            oldest: NONE,
            newest: NONE,
            paths: 0,
            neighbours: Neighbours::default(),
        });
        self.by_tenant.insert(name.clone(), tenant);
        tenant
    }

    pub(super) fn known_tenant(&self, name: &str) -> Option<u32> {
        self.by_tenant.get(name).copied()
    }

    pub(super) fn tenant_of(&self, tenant: u32) -> Option<&Tenant> {
        self.tenants.get(tenant as usize)
    }

    /// The pace of what is slowed as one, whose it is, and the paces of its tenant's others.
    pub(super) fn pace(&mut self, path: u32) -> Option<(&mut Pace, u64, &mut Neighbours)> {
        let path = self.paths.get_mut(path as usize)?.as_deref_mut()?;
        let run = self.runs.get_mut(path.run as usize)?.as_deref_mut()?;
        let neighbours = &mut self.tenants.get_mut(run.tenant as usize)?.neighbours;
        let (account, id) = if run.whole {
            (&mut run.account, u64::from(path.run) | 1 << 63)
        } else {
            (&mut path.account, path.serial)
        };
        Some((account.pace.get_or_insert_default(), id, neighbours))
    }

    /// How a tenant's runs spend.
    pub(super) fn neighbours(&mut self, tenant: u32) -> Option<&mut Neighbours> {
        Some(&mut self.tenants.get_mut(tenant as usize)?.neighbours)
    }

    pub(super) fn named(&self, tenant: u32, name: &str) -> Option<u32> {
        self.tenant_of(tenant)?.by_name.get(name).copied()
    }

    /// A tenant's runs by name, from the first one after `after`.
    pub(super) fn by_name(&self, tenant: u32, after: Option<&str>) -> impl Iterator<Item = u32> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        let tenant = self.tenant_of(tenant);
        tenant
            .into_iter()
            .flat_map(move |tenant| tenant.by_name.range::<str, _>((from, Unbounded)))
            .map(|(_, run)| *run)
    }

    /// Tenants by name, from the one `from`.
    pub(super) fn tenants_from(&self, from: &str) -> impl Iterator<Item = u32> {
        use std::ops::Bound::{Included, Unbounded};
        self.by_tenant.range::<str, _>((Included(from), Unbounded)).map(|(_, tenant)| *tenant)
    }

    pub(super) fn run(&self, run: u32) -> Option<&Run> {
        self.runs.get(run as usize)?.as_deref()
    }

    pub(super) fn run_mut(&mut self, run: u32) -> Option<&mut Run> {
        self.runs.get_mut(run as usize)?.as_deref_mut()
    }

    pub(super) fn path(&self, path: u32) -> Option<&Path> {
        self.paths.get(path as usize)?.as_deref()
    }

    pub(super) fn path_mut(&mut self, path: u32) -> Option<&mut Path> {
        self.paths.get_mut(path as usize)?.as_deref_mut()
    }

    /// A conversation, and the index.
    pub(super) fn indexed(&mut self, path: u32) -> Option<(&mut Path, &mut Index)> {
        Some((self.paths.get_mut(path as usize)?.as_deref_mut()?, &mut self.index))
    }

    /// A conversation and its run.
    pub(super) fn both(&mut self, path: u32) -> Option<(&mut Run, &mut Path)> {
        let path = self.paths.get_mut(path as usize)?.as_deref_mut()?;
        let run = self.runs.get_mut(path.run as usize)?.as_deref_mut()?;
        Some((run, path))
    }

    /// A conversation, unless another has its place by now.
    pub(super) fn same(&self, path: u32, serial: u64) -> Option<&Path> {
        self.path(path).filter(|path| path.serial == serial)
    }

    /// The conversations of a run, by number.
    pub(super) fn paths_of(&self, run: u32) -> impl DoubleEndedIterator<Item = u32> {
        self.members.range((run, 0, 0)..=(run, NONE, NONE)).map(|(_, _, path)| *path)
    }

    pub(super) fn numbered(&self, run: u32, number: u32) -> Option<u32> {
        self.members.range((run, number, 0)..=(run, number, NONE)).next().map(|(_, _, path)| *path)
    }

    pub(super) fn add_run(&mut self, run: Run) -> u32 {
        let (tenant, name) = (run.tenant, run.name.clone());
        self.runs_bytes += RUN_BYTES;
        let place = put(&mut self.runs, &mut self.free_runs, run);
        if let Some(tenant) = self.tenants.get_mut(tenant as usize) {
            tenant.by_name.insert(name, place);
        }
        place
    }

    pub(super) fn add_path(&mut self, now: Moment, mut path: Path) -> u32 {
        self.serial += 1;
        path.serial = self.serial;
        path.used = now;
        let (run, number, tenant) = (path.run, path.number, path.tenant);
        self.paths_bytes += PATH_BYTES;
        let place = put(&mut self.paths, &mut self.free_paths, path);
        self.members.insert((run, number, place));
        self.link(tenant, place);
        place
    }

    /// A conversation was used: it is the last to be forgotten.
    pub(super) fn touch(&mut self, now: Moment, path: u32) {
        let Some(tenant) = self.path(path).map(|path| path.tenant) else { return };
        self.unlink(tenant, path);
        self.link(tenant, path);
        if let Some(path) = self.path_mut(path) {
            path.used = now;
        }
    }

    /// Reckons anew what a conversation and its run take.
    pub(super) fn weigh(&mut self, place: u32) {
        let Some((run, path)) = self.both(place) else { return };
        let weigh = |bytes: usize, weight: &mut u32| {
            let new = u32::try_from(bytes).unwrap_or(u32::MAX);
            (u64::from(new), u64::from(std::mem::replace(weight, new)))
        };
        let (run, path) = (weigh(run.heap_bytes(), &mut run.weight), weigh(path.heap_bytes(), &mut path.weight));
        self.runs_bytes = (self.runs_bytes + run.0).saturating_sub(run.1);
        self.paths_bytes = (self.paths_bytes + path.0).saturating_sub(path.1);
    }

    /// Forgets what has not been used for `ttl`.
    pub(super) fn expire(&mut self, now: Moment, ttl: Duration, tenant: u32) {
        while let Some(oldest) = self.tenant_of(tenant).map(|tenant| tenant.oldest)
            && self.path(oldest).is_some_and(|path| now.since(path.used) >= ttl)
        {
            self.forget(now, oldest);
        }
    }

    pub(super) fn tenants(&self) -> u32 {
        u32::try_from(self.tenants.len()).unwrap_or(NONE)
    }

    /// When the one that was not used for longest was used last.
    pub(super) fn least_recent_use(&self) -> Option<Moment> {
        self.tenants.iter().filter_map(|tenant| Some(self.path(tenant.oldest)?.used)).min()
    }

    /// Forgets until all fits, except what has a request that is not settled, and what was used last.
    pub(super) fn make_room(&mut self, now: Moment, runs: usize, bytes: u64) {
        for _ in 0..self.members.len() {
            if self.size().0 <= runs && self.bytes() <= bytes {
                return;
            }
            let most = self.tenants.iter().max_by_key(|tenant| tenant.paths);
            let Some(oldest) = most.filter(|tenant| tenant.paths > 1).map(|tenant| tenant.oldest) else { return };
            self.forget(now, oldest);
        }
    }

    /// Forgets a conversation, or says that it is still used.
    fn forget(&mut self, now: Moment, place: u32) {
        if self.path(place).is_some_and(|path| path.open > 0) {
            self.touch(now, place);
        } else {
            self.remove(place);
        }
    }

    /// How many conversations there are, and how many runs.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.members.len(), self.runs.len() - self.free_runs.len())
    }

    /// About what all takes.
    pub(super) fn bytes(&self) -> u64 {
        self.runs_bytes + self.paths_bytes + (self.index.len() + self.members.len()) as u64 * ENTRY_BYTES
    }

    fn remove(&mut self, place: u32) {
        let Some(tenant) = self.path(place).map(|path| path.tenant) else { return };
        self.unlink(tenant, place);
        let Some(path) = self.paths.get_mut(place as usize).and_then(Option::take) else { return };
        self.free_paths.push(place);
        self.paths_bytes = self.paths_bytes.saturating_sub(PATH_BYTES + u64::from(path.weight));
        let tips = path.tips.iter().flat_map(|tip| [tip.key(tenant), tip.response]);
        let keys =
            tips.chain([path.last.key, path.end]).chain(path.ids.iter().copied()).chain(path.produced.iter().copied());
        for key in keys.filter(|key| *key != 0) {
            self.index.remove(key, place);
        }
        self.members.remove(&(path.run, path.number, place));
        if self.paths_of(path.run).next().is_none()
            && let Some(run) = self.runs.get_mut(path.run as usize).and_then(Option::take)
        {
            self.free_runs.push(path.run);
            self.runs_bytes = self.runs_bytes.saturating_sub(RUN_BYTES + u64::from(run.weight));
            if let Some(tenant) = self.tenants.get_mut(run.tenant as usize) {
                tenant.by_name.remove(&run.name);
            }
        }
    }

    fn link(&mut self, tenant: u32, place: u32) {
        let Some(tenant) = self.tenants.get_mut(tenant as usize) else { return };
        tenant.paths += 1;
        let before = std::mem::replace(&mut tenant.newest, place);
        if before == NONE {
            tenant.oldest = place;
        }
        if let Some(path) = self.path_mut(before) {
            path.newer = place;
        }
        if let Some(path) = self.path_mut(place) {
            (path.older, path.newer) = (before, NONE);
        }
    }

    fn unlink(&mut self, tenant: u32, place: u32) {
        let Some((older, newer)) = self.path(place).map(|path| (path.older, path.newer)) else { return };
        if let Some(tenant) = self.tenants.get_mut(tenant as usize) {
            tenant.paths -= 1;
            if older == NONE {
                tenant.oldest = newer;
            }
            if newer == NONE {
                tenant.newest = older;
            }
        }
        if let Some(path) = self.path_mut(older) {
            path.newer = newer;
        }
        if let Some(path) = self.path_mut(newer) {
            path.older = older;
        }
    }
}

fn put<T>(places: &mut Vec<Option<Box<T>>>, free: &mut Vec<u32>, value: T) -> u32 {
    let value = Some(Box::new(value));
    if let Some(place) = free.pop() {
        places[place as usize] = value;
        return place;
    }
    places.push(value);
    u32::try_from(places.len() - 1).unwrap_or(NONE)
}
