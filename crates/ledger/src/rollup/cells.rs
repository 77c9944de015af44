//! Counts of requests, by the combination of what they are filtered and told apart by.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::OTHER;
use crate::entry::Outcome;
use crate::filter::{Filter, is_error, model, provider, refused_by};
use crate::seen::Seen;
use crate::series::{Adding, SeriesBy, Tally};

/// Combinations that one roll-up has, before names of keys, tenants and routes become [`OTHER`].
pub(crate) const MOST_CELLS: usize = 2_000;

/// A combination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CellKey {
    pub(crate) tenant: Option<Arc<str>>,
    pub(crate) key: Option<Arc<str>>,
    pub(crate) route: Option<Arc<str>>,
    pub(crate) refused_by: Option<Arc<str>>,
    pub(crate) status: Option<u16>,
    pub(crate) outcome: u8,
    /// What was called, each once, in the order of the first calls.
    pub(crate) deployments: Vec<Arc<str>>,
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
        let outcome = OUTCOMES.iter().position(|outcome| *outcome == seen.outcome).unwrap_or(OUTCOMES.len() - 1);
        Self {
            tenant: seen.tenant.clone(),
            key: seen.key.clone(),
            route: seen.route.clone(),
            refused_by: seen.refused_by.clone(),
            status: seen.status,
            outcome: u8::try_from(outcome).unwrap_or_default(),
            deployments,
        }
    }

    fn outcome(&self) -> Outcome {
        OUTCOMES.get(usize::from(self.outcome)).copied().unwrap_or(Outcome::Lost)
    }
}

impl Cells {
    /// Counts a request that has ended.
    pub(crate) fn add(&mut self, seen: &Seen) {
        let key = CellKey::of(seen);
        let places: Vec<usize> = seen
            .calls
            .iter()
            .map(|call| key.deployments.iter().position(|name| *name == call.deployment).unwrap_or_default())
            .collect();
        let cell = self.cell(key);
        cell.requests.add_request(seen);
        for (call, place) in seen.calls.iter().zip(places) {
            // Of a folded cell there is one for all.
            let last = cell.calls.len().saturating_sub(1);
            if let Some(calls) = cell.calls.get_mut(place.min(last)) {
                calls.add_call(call);
            }
        }
    }

    /// Adds what `other` has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.folded |= other.folded;
        for (key, cell) in &other.cells {
            let own = self.cell(key.clone());
            own.requests.merge(&cell.requests);
            let last = own.calls.len().saturating_sub(1);
            for (place, calls) in cell.calls.iter().enumerate() {
                if let Some(own) = own.calls.get_mut(place.min(last)) {
                    own.merge_calls(calls);
                }
            }
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
                key.refused_by = key.refused_by.map(|by| if *by == *"weir" { by } else { OTHER.into() });
            }
        }
        let deployments = key.deployments.len();
        self.cells
            .entry(key)
            .or_insert_with(|| Cell { requests: Tally::default(), calls: vec![Tally::default(); deployments] })
    }

    /// Adds to a bucket what the filter holds.
    pub(crate) fn add_to(&self, adding: &mut Adding<'_>, bucket: usize, filter: &Filter) {
        for (key, cell) in self.cells.iter().filter(|(key, _)| holds(filter, key)) {
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
}

/// Whether the filter asks for nothing but what cells are told apart by.
pub(crate) fn answers(filter: &Filter) -> bool {
    let Filter { run, tag, min_cost, trace, upstream, content, .. } = filter;
    run.is_none() && tag.is_none() && min_cost.is_none() && trace.is_none() && upstream.is_none() && content.is_none()
}

fn holds(filter: &Filter, cell: &CellKey) -> bool {
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
fn groups(by: &SeriesBy, cell: &CellKey) -> Vec<(Option<String>, Vec<usize>)> {
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
