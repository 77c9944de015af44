//! Counts over time: what happened per minute, hour or day, told apart by one thing.

mod edges;
mod histogram;
mod json;
mod tally;

use std::collections::BTreeMap;

use weir_units::WallTime;

pub use edges::{Step, edges};
pub use histogram::Histogram;
pub(crate) use tally::waste_of;
pub use tally::{Calls, Requests, Tally, WASTE, Wasted};

use crate::entry::Outcome;
use crate::filter::{self, Filter};
use crate::seen::Seen;

/// The most buckets that one series has.
pub const MOST_BUCKETS: usize = 1_500;

/// What a series tells apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeriesBy {
    /// What was called, `provider/model`.
    Deployment,
    /// The provider that was called.
    Provider,
    /// The model that was called, by its provider's name for it.
    Model,
    /// The route.
    Route,
    /// The name of the client's key.
    Key,
    /// Who the key belongs to.
    Tenant,
    /// The hundred of the status: `2xx`.
    Status,
    /// How requests ended.
    Outcome,
    /// The values of the tag of this name.
    Tag(String),
}

impl SeriesBy {
    /// Reads `deployment`, `provider`, `model`, `route`, `key`, `tenant`, `status`, `outcome` or `tag:NAME`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "deployment" => Self::Deployment,
            "provider" => Self::Provider,
            "model" => Self::Model,
            "route" => Self::Route,
            "key" => Self::Key,
            "tenant" => Self::Tenant,
            "status" => Self::Status,
            "outcome" => Self::Outcome,
            _ => Self::Tag(text.strip_prefix("tag:").filter(|name| !name.is_empty())?.to_owned()),
        })
    }
}

/// What is to be counted. The time is that of `edges`; what the filter says of time is not asked.
#[derive(Clone, Debug)]
pub struct SeriesQuery {
    /// Which requests.
    pub filter: Filter,
    /// Where buckets begin, in order, and where the last ends; [`edges`] makes them. Two at least.
    pub edges: Vec<WallTime>,
    /// What is told apart.
    pub by: Option<SeriesBy>,
    /// So many names, those with the most requests, are told one by one, and the others as one.
    pub top: usize,
}

/// Counts over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// Where buckets begin, and where the last ends.
    pub edges: Vec<WallTime>,
    /// One for each name that is told apart, the most requests first. A request that called two deployments is in both of
    /// their rows, with the calls that each got.
    pub rows: Vec<SeriesRow>,
    /// How many names more there are, and their counts together.
    pub rest: (usize, SeriesRow),
    /// All requests, each once.
    pub all: SeriesRow,
}

/// The counts of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesRow {
    /// The name; none for requests that have none.
    pub name: Option<String>,
    /// For each bucket.
    pub buckets: Vec<Tally>,
    /// Of all buckets together.
    pub total: Tally,
}

/// Adds up, bucket by bucket.
pub(crate) struct Adding<'q> {
    query: &'q SeriesQuery,
    rows: BTreeMap<Option<String>, Vec<Tally>>,
    all: Vec<Tally>,
}

impl<'q> Adding<'q> {
    pub(crate) fn new(query: &'q SeriesQuery) -> Self {
        Self { query, rows: BTreeMap::new(), all: vec![Tally::default(); query.edges.len().saturating_sub(1)] }
    }

    /// The bucket of a time, if it is in one.
    pub(crate) fn bucket(&self, at: WallTime) -> Option<usize> {
        let after = self.query.edges.partition_point(|edge| *edge <= at);
        after.checked_sub(1).filter(|bucket| *bucket < self.all.len())
    }

    /// Counts a request that the filter holds, if it has ended.
    pub(crate) fn add(&mut self, seen: &Seen) {
        if seen.outcome == Outcome::Open {
            return;
        }
        let Some(bucket) = self.bucket(seen.started_at) else { return };
        self.all[bucket].add(seen);
        let Some(by) = &self.query.by else { return };
        for (name, calls) in groups(by, seen) {
            let tally = self.of(bucket, name);
            tally.add_request(seen);
            calls.iter().for_each(|place| tally.add_call(&seen.calls[*place]));
        }
    }

    /// The counts of all requests of a bucket.
    pub(crate) fn all(&mut self, bucket: usize) -> &mut Tally {
        &mut self.all[bucket]
    }

    /// What is told apart.
    pub(crate) fn by(&self) -> Option<&'q SeriesBy> {
        self.query.by.as_ref()
    }

    /// The counts of a name in a bucket.
    pub(crate) fn of(&mut self, bucket: usize, name: Option<String>) -> &mut Tally {
        let buckets = self.all.len();
        &mut self.rows.entry(name).or_insert_with(|| vec![Tally::default(); buckets])[bucket]
    }

    pub(crate) fn done(self) -> Series {
        let buckets = self.all.len();
        let row = |name: Option<String>, buckets: Vec<Tally>| {
            let mut total = Tally::default();
            buckets.iter().for_each(|bucket| total.merge(bucket));
            SeriesRow { name, buckets, total }
        };
        let mut rows: Vec<SeriesRow> = self.rows.into_iter().map(|(name, buckets)| row(name, buckets)).collect();
        rows.sort_by(|a, b| {
            b.total.requests.requests.cmp(&a.total.requests.requests).then_with(|| a.name.cmp(&b.name))
        });
        let others = rows.split_off(self.query.top.min(rows.len()));
        let mut rest = vec![Tally::default(); buckets];
        for other in &others {
            rest.iter_mut().zip(&other.buckets).for_each(|(sum, part)| sum.merge(part));
        }
        Series {
            edges: self.query.edges.clone(),
            rows,
            rest: (others.len(), row(None, rest)),
            all: row(None, self.all),
        }
    }
}

/// The names that a request counts for, each with the places of its calls there.
fn groups(by: &SeriesBy, seen: &Seen) -> Vec<(Option<String>, Vec<usize>)> {
    let own = |name: &Option<std::sync::Arc<str>>| name.as_deref().map(str::to_owned);
    let name = match by {
        SeriesBy::Deployment => return by_call(seen, |name| name),
        SeriesBy::Provider => return by_call(seen, filter::provider),
        SeriesBy::Model => return by_call(seen, filter::model),
        SeriesBy::Route => own(&seen.route),
        SeriesBy::Key => own(&seen.key),
        SeriesBy::Tenant => own(&seen.tenant),
        SeriesBy::Status => seen.status.map(|status| format!("{}xx", status / 100)),
        SeriesBy::Outcome => Some(seen.outcome.name().to_owned()),
        SeriesBy::Tag(tag) => {
            seen.tags.iter().find(|(name, _)| **name == **tag).map(|(_, value)| value.as_ref().to_owned())
        }
    };
    vec![(name, (0..seen.calls.len()).collect())]
}

fn by_call(seen: &Seen, of: fn(&str) -> &str) -> Vec<(Option<String>, Vec<usize>)> {
    let mut groups: Vec<(Option<String>, Vec<usize>)> = Vec::new();
    for (place, call) in seen.calls.iter().enumerate() {
        let name = of(&call.deployment);
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
