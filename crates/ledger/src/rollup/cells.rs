//! Counts of requests, by the combination of what they are filtered and told apart by.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use twox_hash::XxHash3_64;

use super::OTHER;
use crate::entry::Outcome;
use crate::filter::{Filter, is_error, model, provider, refused_by};
use crate::index::Plain;
use crate::seen::Seen;
use crate::series::{Adding, SeriesBy, Tally};

/// Combinations that one roll-up has, before names of keys, tenants and routes become [`OTHER`].
pub(crate) const MOST_CELLS: usize = 2_000;

/// A combination.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CellKey {
    pub(crate) tenant: Option<Arc<str>>,
    pub(crate) key: Option<Arc<str>>,
    pub(crate) route: Option<Arc<str>>,
    pub(crate) refused_by: Option<Arc<str>>,
    pub(crate) status: Option<u16>,
    pub(crate) outcome: u8,
    /// What was called, each once, in the order of the first calls.
    pub(crate) deployments: Vec<Arc<str>>,
    /// Of which of them the cost of a call is unknown: a bit each.
    pub(crate) unpriced: u32,
}

/// What was counted of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cell {
    /// Of the requests, without their calls.
    pub(crate) requests: Tally,
    /// Of the calls to each of the deployments.
    pub(crate) calls: Vec<Tally>,
}

/// A roll-up.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cells {
    pub(crate) cells: BTreeMap<CellKey, Cell>,
    /// Some names became [`OTHER`].
    pub(crate) folded: bool,
}

/// The outcomes by their numbers in a roll-up.
pub(crate) const OUTCOMES: [Outcome; 5] =
    [Outcome::Answered, Outcome::Refused, Outcome::Failed, Outcome::Cancelled, Outcome::Lost];

impl CellKey {
    fn of(seen: &Seen) -> Self {
        let mut deployments: Vec<Arc<str>> = Vec::new();
        for call in &seen.calls {
            if !deployments.contains(&call.deployment) {
                deployments.push(Arc::clone(&call.deployment));
            }
        }
        Self {
            tenant: seen.tenant.clone(),
            key: seen.key.clone(),
            route: seen.route.clone(),
            refused_by: seen.refused_by.clone(),
            status: seen.status,
            outcome: number(seen.outcome),
            unpriced: unpriced(seen, &deployments),
            deployments,
        }
    }

    /// Whether a request is of this combination.
    fn is_of(&self, seen: &Seen) -> bool {
        let mut known = 0;
        for call in &seen.calls {
            if self.deployments.iter().take(known).any(|name| *name == call.deployment) {
                continue;
            }
            if self.deployments.get(known) != Some(&call.deployment) {
                return false;
            }
            known += 1;
        }
        known == self.deployments.len()
            && self.outcome == number(seen.outcome)
            && self.status == seen.status
            && self.key == seen.key
            && self.route == seen.route
            && self.tenant == seen.tenant
            && self.refused_by == seen.refused_by
            && self.unpriced == unpriced(seen, &self.deployments)
    }

    pub(crate) fn outcome(&self) -> Outcome {
        OUTCOMES.get(usize::from(self.outcome)).copied().unwrap_or(Outcome::Lost)
    }
}

fn number(outcome: Outcome) -> u8 {
    let place = OUTCOMES.iter().position(|known| *known == outcome);
    u8::try_from(place.unwrap_or(OUTCOMES.len() - 1)).unwrap_or_default()
}

fn unpriced(seen: &Seen, deployments: &[Arc<str>]) -> u32 {
    let places = seen.calls.iter().filter(|call| call.cost.is_none());
    let places = places.filter_map(|call| deployments.iter().position(|name| *name == call.deployment));
    places.fold(0, |set, place| set | 1 << place.min(31))
}

/// A roll-up in the making: a combination that is known is found by its hash, and costs no allocation.
#[derive(Default)]
pub(crate) struct Counting {
    places: HashMap<u64, usize, BuildHasherDefault<Plain>>,
    list: Vec<(CellKey, Cell)>,
}

impl Counting {
    /// Counts a request that has ended.
    pub(crate) fn add(&mut self, seen: &Seen) {
        let hash = hash(seen);
        let place = self.places.get(&hash).copied().filter(|place| self.list[*place].0.is_of(seen));
        let place = place.unwrap_or_else(|| {
            let known = self.list.iter().position(|(key, _)| key.is_of(seen));
            let place = known.unwrap_or_else(|| {
                let key = CellKey::of(seen);
                let calls = vec![Tally::default(); key.deployments.len()];
                self.list.push((key, Cell { requests: Tally::default(), calls }));
                self.list.len() - 1
            });
            self.places.insert(hash, place);
            place
        });
        let (key, cell) = &mut self.list[place];
        cell.requests.add_request(seen);
        for call in &seen.calls {
            if let Some(place) = key.deployments.iter().position(|name| *name == call.deployment) {
                cell.calls[place].add_call(call);
            }
        }
    }

    /// What was counted, by combination.
    pub(crate) fn list(&self) -> &[(CellKey, Cell)] {
        &self.list
    }

    /// The roll-up.
    pub(crate) fn done(self) -> Cells {
        let mut cells = Cells::default();
        for (key, cell) in self.list {
            cells.add(key, &cell);
        }
        cells
    }
}

fn hash(seen: &Seen) -> u64 {
    let name = |hash: u64, name: Option<&Arc<str>>| match name {
        Some(name) => XxHash3_64::oneshot_with_seed(hash, name.as_bytes()),
        None => hash.rotate_left(7),
    };
    let mut hash = u64::from(seen.status.unwrap_or(0)) << 8 | u64::from(number(seen.outcome));
    for of in [&seen.key, &seen.tenant, &seen.route, &seen.refused_by] {
        hash = name(hash, of.as_ref());
    }
    seen.calls.iter().fold(hash, |hash, call| name(hash ^ u64::from(call.cost.is_none()), Some(&call.deployment)))
}

impl Cells {
    /// Adds what was counted of a combination.
    fn add(&mut self, key: CellKey, cell: &Cell) {
        let own = self.cell(key);
        own.requests.merge(&cell.requests);
        // Of a folded cell there is one for all.
        let last = own.calls.len().saturating_sub(1);
        for (place, calls) in cell.calls.iter().enumerate() {
            if let Some(own) = own.calls.get_mut(place.min(last)) {
                own.merge_calls(calls);
            }
        }
    }

    /// Adds what `other` has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.folded |= other.folded;
        for (key, cell) in &other.cells {
            self.add(key.clone(), cell);
        }
    }

    /// The cell of a combination, or what stands for it past the bound.
    fn cell(&mut self, mut key: CellKey) -> &mut Cell {
        if self.cells.len() >= MOST_CELLS && !self.cells.contains_key(&key) {
            self.folded = true;
            let other = || Some(Arc::from(OTHER));
            (key.tenant, key.key, key.route) = (other(), other(), other());
            if self.cells.len() >= 2 * MOST_CELLS && !self.cells.contains_key(&key) {
                key.deployments.truncate(1);
                key.deployments.iter_mut().for_each(|name| *name = OTHER.into());
                key.unpriced = u32::from(key.unpriced != 0);
                key.refused_by = key.refused_by.map(|by| if *by == *"weir" { by } else { OTHER.into() });
            }
        }
        let deployments = key.deployments.len();
        self.cells
            .entry(key)
            .or_insert_with(|| Cell { requests: Tally::default(), calls: vec![Tally::default(); deployments] })
    }
}

/// Adds to a bucket what the filter holds.
pub(crate) fn add_to(cells: &[(CellKey, Cell)], adding: &mut Adding<'_>, bucket: usize, filter: &Filter) {
    for (key, cell) in cells.iter().filter(|(key, _)| holds(filter, key)) {
        let all = adding.all(bucket);
        all.merge(&cell.requests);
        cell.calls.iter().for_each(|calls| all.merge_calls(calls));
        let Some(by) = adding.by() else { continue };
        for (name, places) in groups(by, key) {
            let tally = adding.of(bucket, name);
            tally.merge(&cell.requests);
            places.iter().for_each(|place| tally.merge_calls(&cell.calls[*place]));
        }
    }
}

/// Whether the filter asks for nothing but what cells are told apart by.
pub(crate) fn answers(filter: &Filter) -> bool {
    let Filter { run, tag, min_cost, trace, upstream, content, waste, .. } = filter;
    run.is_none()
        && tag.is_none()
        && min_cost.is_none()
        && trace.is_none()
        && upstream.is_none()
        && content.is_none()
        && waste.is_none()
}

/// Whether the filter holds the requests of a combination.
pub(super) fn holds(filter: &Filter, cell: &CellKey) -> bool {
    let is = |wanted: Option<&String>, name: Option<&str>| wanted.is_none_or(|wanted| name == Some(wanted));
    let called = |wanted: Option<&String>, of: fn(&str) -> &str| {
        wanted.is_none_or(|wanted| cell.deployments.iter().any(|name| of(name) == wanted))
    };
    is(filter.key.as_ref(), cell.key.as_deref())
        && is(filter.tenant.as_ref(), cell.tenant.as_deref())
        && is(filter.route.as_ref(), cell.route.as_deref())
        && filter.status.is_none_or(|wanted| cell.status.is_some_and(|status| wanted.holds(status)))
        && (!filter.errors || is_error(cell.outcome()))
        && filter.outcome.is_none_or(|outcome| cell.outcome() == outcome)
        && filter.refused_by.as_ref().is_none_or(|by| refused_by(by, cell.refused_by.as_deref()))
        && called(filter.deployment.as_ref(), |name| name)
        && called(filter.provider.as_ref(), provider)
        && called(filter.model.as_ref(), model)
}

/// The names that a cell counts for, each with the places of its deployments there.
pub(super) fn groups(by: &SeriesBy, cell: &CellKey) -> Vec<(Option<String>, Vec<usize>)> {
    let own = |name: &Option<Arc<str>>| name.as_deref().map(str::to_owned);
    let name = match by {
        SeriesBy::Deployment => return by_call(cell, |name| name),
        SeriesBy::Provider => return by_call(cell, provider),
        SeriesBy::Model => return by_call(cell, model),
        SeriesBy::Route => own(&cell.route),
        SeriesBy::Key => own(&cell.key),
        SeriesBy::Tenant => own(&cell.tenant),
        SeriesBy::Status => cell.status.map(|status| format!("{}xx", status / 100)),
        SeriesBy::Outcome => Some(cell.outcome().name().to_owned()),
        // Roll-ups by tag tell these apart.
        SeriesBy::Tag(_) => None,
    };
    vec![(name, (0..cell.deployments.len()).collect())]
}

fn by_call(cell: &CellKey, of: fn(&str) -> &str) -> Vec<(Option<String>, Vec<usize>)> {
    let mut groups: Vec<(Option<String>, Vec<usize>)> = Vec::new();
    for (place, name) in cell.deployments.iter().enumerate() {
        let name = if **name == *OTHER { OTHER } else { of(name) };
        match groups.iter_mut().find(|(known, _)| known.as_deref() == Some(name)) {
            Some((_, places)) => places.push(place),
            None => groups.push((Some(name.to_owned()), vec![place])),
        }
    }
    if groups.is_empty() {
        groups.push((None, Vec::new()));
    }
    groups
}
