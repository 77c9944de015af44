//! Which requests of a span have which value, as the database keeps it.
//!
//! Values are known by their hashes of 64 bits. What is found by them is looked at once more where it is listed; a count may be
//! wrong by a collision, whose chance is one in many millions of millions for each value.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use twox_hash::XxHash3_64;
use weir_units::{NanoUsd, RequestId};

use crate::filter::{ANY_WASTE, Filter, StatusFilter, is_error, model, provider};
use crate::seen::Seen;
use crate::series::WASTE;

/// What requests are looked for by. The numbers are the database's, and stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Key,
    Tenant,
    Route,
    Deployment,
    Provider,
    Model,
    /// Also each hundred, and that it is an error.
    Status,
    Outcome,
    /// Also that it was a provider, whichever.
    RefusedBy,
    Run,
    Tag,
    Trace,
    Upstream,
    Content,
    /// Also that there was any.
    Waste,
}

const KINDS: [Kind; 15] = [
    Kind::Key,
    Kind::Tenant,
    Kind::Route,
    Kind::Deployment,
    Kind::Provider,
    Kind::Model,
    Kind::Status,
    Kind::Outcome,
    Kind::RefusedBy,
    Kind::Run,
    Kind::Tag,
    Kind::Trace,
    Kind::Upstream,
    Kind::Content,
    Kind::Waste,
];

/// The numbers, in the database, of what is not looked for by a value: ids, and what requests cost.
pub(crate) const IDS: i64 = 0;
pub(crate) const COSTS: i64 = 1;

impl Kind {
    pub(crate) fn number(self) -> i64 {
        10 + self as i64
    }
}

/// The cost of a request that is not known.
const UNKNOWN: i64 = -1;

/// A hash that is its own hash.
#[derive(Default)]
pub(crate) struct Plain(u64);

impl Hasher for Plain {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = XxHash3_64::oneshot(bytes);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

type Lists = HashMap<u64, Vec<u32>, BuildHasherDefault<Plain>>;

/// The requests of a span, by the order of their ids.
#[derive(Default)]
pub(crate) struct Postings {
    pub(crate) ids: Vec<u128>,
    costs: Vec<i64>,
    lists: [Lists; KINDS.len()],
}

impl Postings {
    /// Puts all in the order of ids, after requests were added in any.
    pub(crate) fn sort(&mut self) {
        if self.ids.is_sorted() {
            return;
        }
        let mut order: Vec<usize> = (0..self.ids.len()).collect();
        order.sort_unstable_by_key(|place| self.ids[*place]);
        let mut places = vec![0; order.len()];
        for (new, old) in (0..).zip(&order) {
            places[*old] = new;
        }
        self.ids = order.iter().map(|place| self.ids[*place]).collect();
        self.costs = order.iter().map(|place| self.costs[*place]).collect();
        for list in self.lists.iter_mut().flat_map(HashMap::values_mut) {
            list.iter_mut().for_each(|place| *place = places[*place as usize]);
            list.sort_unstable();
        }
    }

    /// Adds a request that has ended.
    pub(crate) fn push(&mut self, seen: &Seen) {
        let place = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
        self.ids.push(seen.id.0);
        self.costs.push(seen.cost.map_or(UNKNOWN, |cost| cost.0));
        values(seen, |kind, value| {
            let list = self.lists[kind as usize].entry(value).or_default();
            // Two calls may have the same.
            if list.last() != Some(&place) {
                list.push(place);
            }
        });
    }

    /// All of both, in the order of ids; no request may be in both.
    pub(crate) fn merge(self, other: Self) -> Self {
        let (mut ids, mut costs) = (Vec::new(), Vec::new());
        let (mut own, mut others) = (Vec::new(), Vec::new());
        let (mut a, mut b) = (0, 0);
        while a < self.ids.len() || b < other.ids.len() {
            let place = u32::try_from(ids.len()).unwrap_or(u32::MAX);
            let first = b == other.ids.len() || (a < self.ids.len() && self.ids[a] < other.ids[b]);
            let (from, at, places) = if first { (&self, &mut a, &mut own) } else { (&other, &mut b, &mut others) };
            ids.push(from.ids[*at]);
            costs.push(from.costs[*at]);
            places.push(place);
            *at += 1;
        }
        let mut lists: [Lists; KINDS.len()] = Default::default();
        for (from, places) in [(self.lists, own), (other.lists, others)] {
            for (sum, part) in lists.iter_mut().zip(from) {
                for (value, list) in part {
                    sum.entry(value).or_default().extend(list.into_iter().map(|place| places[place as usize]));
                }
            }
        }
        lists.iter_mut().flat_map(HashMap::values_mut).for_each(|list| list.sort_unstable());
        Self { ids, costs, lists }
    }

    /// The numbers of all that the database keeps of a span.
    pub(crate) fn numbers() -> impl Iterator<Item = i64> {
        [IDS, COSTS].into_iter().chain(KINDS.iter().map(|kind| kind.number()))
    }

    /// What the database keeps, each with its number.
    pub(crate) fn blobs(&self) -> Vec<(i64, Vec<u8>)> {
        let ids = self.ids.iter().flat_map(|id| id.to_be_bytes()).collect();
        let costs = self.costs.iter().flat_map(|cost| cost.to_le_bytes()).collect();
        let lists = KINDS.iter().zip(&self.lists).filter(|(_, lists)| !lists.is_empty());
        let mut blobs = vec![(IDS, ids), (COSTS, costs)];
        blobs.extend(lists.map(|(kind, lists)| (kind.number(), write(lists, self.ids.len()))));
        blobs
    }

    /// Out of what the database keeps; none if that makes no sense.
    pub(crate) fn read(blobs: &[(i64, Vec<u8>)]) -> Option<Self> {
        let mut postings = Self::default();
        for (number, blob) in blobs {
            match *number {
                IDS => postings.ids = read_ids(blob),
                COSTS => postings.costs = read_costs(blob),
                number => {
                    let kind = KINDS.iter().position(|kind| kind.number() == number)?;
                    postings.lists[kind] = read(blob)?.map(|(value, list)| (value, list.collect())).collect();
                }
            }
        }
        (postings.ids.len() == postings.costs.len()).then_some(postings)
    }
}

pub(crate) fn read_ids(blob: &[u8]) -> Vec<u128> {
    blob.as_chunks().0.iter().map(|id| u128::from_be_bytes(*id)).collect()
}

fn read_costs(blob: &[u8]) -> Vec<i64> {
    blob.as_chunks().0.iter().map(|cost| i64::from_le_bytes(*cost)).collect()
}

/// The places of what is known to have cost so much or more.
pub(crate) fn dear(blob: &[u8], least: NanoUsd) -> Vec<u32> {
    let costs = blob.as_chunks().0.iter().map(|cost| i64::from_le_bytes(*cost));
    (0..).zip(costs).filter(|(_, cost)| *cost != UNKNOWN && *cost >= least.0).map(|(place, _)| place).collect()
}

/// Values in order, each with where its places end; then all places, in two bytes each where that is enough.
fn write(lists: &Lists, rows: usize) -> Vec<u8> {
    let mut values: Vec<(&u64, &Vec<u32>)> = lists.iter().collect();
    values.sort_unstable();
    let wide = rows > usize::from(u16::MAX) + 1;
    let mut blob = vec![u8::from(wide)];
    blob.extend_from_slice(&u32::try_from(values.len()).unwrap_or(u32::MAX).to_le_bytes());
    let mut end = 0_u32;
    for (value, list) in &values {
        end += u32::try_from(list.len()).unwrap_or(u32::MAX);
        blob.extend_from_slice(&value.to_le_bytes());
        blob.extend_from_slice(&end.to_le_bytes());
    }
    for place in values.iter().flat_map(|(_, list)| list.iter()) {
        let bytes = place.to_le_bytes();
        blob.extend_from_slice(if wide { &bytes } else { &bytes[..2] });
    }
    blob
}

/// Whether places have four bytes, the values, the places.
type Parts<'a> = (bool, &'a [[u8; 12]], &'a [u8]);

/// The parts of a blob: its values with where their places end, and the places.
fn parts(blob: &[u8]) -> Option<Parts<'_>> {
    let (wide, rest) = blob.split_first()?;
    let (count, rest) = rest.split_first_chunk()?;
    let (values, places) = rest.split_at_checked(12 * usize::try_from(u32::from_le_bytes(*count)).ok()?)?;
    Some((*wide == 1, values.as_chunks().0, places))
}

fn value_of(entry: &[u8; 12]) -> (u64, usize) {
    let (value, end) = entry.split_at(8);
    let value = value.try_into().map_or(0, u64::from_le_bytes);
    (value, end.try_into().map_or(0, u32::from_le_bytes) as usize)
}

fn list_of(wide: bool, places: &[u8], from: usize, to: usize) -> impl Iterator<Item = u32> + '_ {
    let width = if wide { 4 } else { 2 };
    let bytes = places.get(from * width..to * width).unwrap_or_default();
    bytes.chunks_exact(width).map(|place| place.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}

fn read(blob: &[u8]) -> Option<impl Iterator<Item = (u64, impl Iterator<Item = u32> + '_)> + '_> {
    let (wide, values, places) = parts(blob)?;
    let mut from = 0;
    Some(values.iter().map(move |entry| {
        let (value, end) = value_of(entry);
        let start = std::mem::replace(&mut from, end);
        (value, list_of(wide, places, start, end))
    }))
}

/// The places of a value in a blob.
pub(crate) fn find(blob: &[u8], value: u64) -> Vec<u32> {
    let Some((wide, values, places)) = parts(blob) else { return Vec::new() };
    let Ok(place) = values.binary_search_by_key(&value, |entry| value_of(entry).0) else { return Vec::new() };
    let start = place.checked_sub(1).map_or(0, |before| value_of(&values[before]).1);
    list_of(wide, places, start, value_of(&values[place]).1).collect()
}

fn text(text: &str) -> u64 {
    XxHash3_64::oneshot(text.as_bytes())
}

fn pair(name: &str, value: &str) -> u64 {
    XxHash3_64::oneshot_with_seed(text(name), value.as_bytes())
}

/// What no name is, since names have no such bytes.
const ERROR: &str = "\0error";
const ANY_PROVIDER: &str = "\0provider";

fn class(class: u8) -> u64 {
    text(["\x000xx", "\x001xx", "\x002xx", "\x003xx", "\x004xx", "\x005xx"].get(usize::from(class)).unwrap_or(&""))
}

/// The values of a request.
fn values(seen: &Seen, mut each: impl FnMut(Kind, u64)) {
    for (kind, name) in
        [(Kind::Key, &seen.key), (Kind::Tenant, &seen.tenant), (Kind::Route, &seen.route), (Kind::Run, &seen.run)]
    {
        if let Some(name) = name {
            each(kind, text(name));
        }
    }
    if let Some(status) = seen.status {
        each(Kind::Status, u64::from(status));
        each(Kind::Status, class(u8::try_from(status / 100).unwrap_or(0)));
    }
    each(Kind::Outcome, text(seen.outcome.name()));
    if is_error(seen.outcome) {
        each(Kind::Outcome, text(ERROR));
    }
    if let Some(by) = &seen.refused_by {
        each(Kind::RefusedBy, text(by));
        if **by != *"weir" {
            each(Kind::RefusedBy, text(ANY_PROVIDER));
        }
    }
    for call in &seen.calls {
        each(Kind::Deployment, text(&call.deployment));
        each(Kind::Provider, text(provider(&call.deployment)));
        each(Kind::Model, text(model(&call.deployment)));
        if let Some(id) = &call.upstream {
            each(Kind::Upstream, text(id));
        }
        for waste in &call.wasted {
            each(Kind::Waste, text(WASTE[waste.why]));
            each(Kind::Waste, text(ANY_WASTE));
        }
    }
    for (name, value) in &seen.tags {
        each(Kind::Tag, pair(name, value));
    }
    if let Some(trace) = seen.trace {
        each(Kind::Trace, XxHash3_64::oneshot(&trace.to_be_bytes()));
    }
    if let Some(content) = seen.content {
        each(Kind::Content, content);
    }
}

/// What a filter looks for: of each kind, the value that a request must have.
pub(crate) fn wanted(filter: &Filter) -> Vec<(Kind, u64)> {
    let mut wanted = Vec::new();
    for (kind, name) in [
        (Kind::Key, &filter.key),
        (Kind::Tenant, &filter.tenant),
        (Kind::Route, &filter.route),
        (Kind::Deployment, &filter.deployment),
        (Kind::Provider, &filter.provider),
        (Kind::Model, &filter.model),
        (Kind::Run, &filter.run),
        (Kind::Upstream, &filter.upstream),
    ] {
        wanted.extend(name.as_ref().map(|name| (kind, text(name))));
    }
    wanted.extend(
        filter.refused_by.as_ref().map(|by| (Kind::RefusedBy, text(if by == "provider" { ANY_PROVIDER } else { by }))),
    );
    wanted.extend(filter.status.map(|status| match status {
        StatusFilter::Exact(status) => (Kind::Status, u64::from(status)),
        StatusFilter::Class(hundred) => (Kind::Status, class(hundred)),
    }));
    wanted.extend(filter.errors.then(|| (Kind::Outcome, text(ERROR))));
    wanted.extend(filter.outcome.map(|outcome| (Kind::Outcome, text(outcome.name()))));
    wanted.extend(filter.tag.as_ref().map(|(name, value)| (Kind::Tag, pair(name, value))));
    wanted.extend(filter.trace.map(|trace| (Kind::Trace, XxHash3_64::oneshot(&trace.to_be_bytes()))));
    wanted.extend(filter.content.map(|content| (Kind::Content, content)));
    wanted.extend(filter.waste.as_ref().map(|why| (Kind::Waste, text(why))));
    // What few have comes first, so that the rest is read of fewer spans.
    wanted.sort_by_key(|(kind, _)| std::cmp::Reverse(*kind));
    wanted
}

/// The minute of an id, since 1970.
pub(crate) fn minute(id: u128) -> i64 {
    RequestId(id).millis() / 60_000
}
