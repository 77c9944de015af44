//! Demand as the database keeps it: by the minute in which requests arrived, and by the hour.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::offered::{Offered, offered};
use super::{Demand, LONGEST};
use crate::pack::{Pack, Unpack};
use crate::rollup::OTHER;
use crate::seen::Seen;

/// The form that this version writes.
const FORM: u64 = 1;

/// Deployments that one minute tells apart, before they become [`OTHER`]: clients may name models.
const MOST: usize = 500;

/// What the requests that arrived in a minute asked of a deployment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MinuteCell {
    /// All but how long calls took.
    pub(crate) demand: Demand,
    /// Milliseconds of calls in this minute and in those after it.
    pub(crate) busy: Vec<u64>,
}

/// What the requests that arrived in a minute asked of each deployment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MinuteCells(pub(crate) BTreeMap<Arc<str>, MinuteCell>);

/// A deployment's hour: the sum, the 95th percentile of its minutes, the fullest of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct HourCell {
    pub(crate) sum: Demand,
    pub(crate) p95: Demand,
    pub(crate) peak: Demand,
}

pub(crate) type HourCells = BTreeMap<Arc<str>, HourCell>;

impl Demand {
    /// Adds what `other` asks.
    pub fn add(&mut self, other: &Self) {
        self.merge(other, u64::saturating_add);
    }

    /// Takes the larger of each count.
    pub(crate) fn widen(&mut self, other: &Self) {
        self.merge(other, u64::max);
    }

    fn merge(&mut self, other: &Self, by: fn(u64, u64) -> u64) {
        for (own, other) in self.values_mut().into_iter().zip(other.values()) {
            *own = by(*own, other);
        }
    }

    fn values(&self) -> [u64; 6] {
        [self.requests, self.input, self.cached_input, self.output, self.busy_ms, self.throttled]
    }

    fn values_mut(&mut self) -> [&mut u64; 6] {
        [
            &mut self.requests,
            &mut self.input,
            &mut self.cached_input,
            &mut self.output,
            &mut self.busy_ms,
            &mut self.throttled,
        ]
    }

    fn write(&self, pack: &mut Pack) {
        self.values().iter().for_each(|count| pack.number(*count));
    }

    fn read(bytes: &mut Unpack<'_>) -> Option<Self> {
        let mut demand = Self::default();
        for count in demand.values_mut() {
            *count = bytes.number()?;
        }
        Some(demand)
    }
}

impl MinuteCells {
    /// Counts a request that has ended.
    pub(crate) fn add(&mut self, seen: &Seen) {
        for Offered { deployment, demand, busy } in offered(seen) {
            self.add_to(deployment, &demand, &busy);
        }
    }

    /// Adds what `other` has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (deployment, cell) in &other.0 {
            self.add_to(Arc::clone(deployment), &cell.demand, &cell.busy);
        }
    }

    fn add_to(&mut self, mut deployment: Arc<str>, demand: &Demand, busy: &[u64]) {
        if self.0.len() >= MOST && !self.0.contains_key(&deployment) {
            deployment = OTHER.into();
        }
        let own = self.0.entry(deployment).or_default();
        own.demand.add(demand);
        if own.busy.len() < busy.len() {
            own.busy.resize(busy.len(), 0);
        }
        own.busy.iter_mut().zip(busy).for_each(|(own, ms)| *own = own.saturating_add(*ms));
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut pack = Pack::default();
        pack.number(FORM);
        pack.number(self.0.len() as u64);
        for (deployment, cell) in &self.0 {
            pack.text(deployment);
            cell.demand.write(&mut pack);
            pack.number(cell.busy.len() as u64);
            cell.busy.iter().for_each(|ms| pack.number(*ms));
        }
        pack.0
    }

    /// None if the bytes make no sense.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut cells = BTreeMap::new();
        each(bytes, |deployment, demand, busy| {
            cells.insert(Arc::from(deployment), MinuteCell { demand, busy: busy.to_vec() });
        })?;
        Some(Self(cells))
    }
}

/// Tells each deployment of a minute as it is kept; none if the bytes make no sense.
pub(crate) fn each(bytes: &[u8], mut tell: impl FnMut(&str, Demand, &[u64])) -> Option<()> {
    let mut bytes = Unpack(bytes);
    if bytes.number()? != FORM {
        return None;
    }
    let mut busy = Vec::new();
    for _ in 0..bytes.count()? {
        let deployment = bytes.text()?;
        let demand = Demand::read(&mut bytes)?;
        busy.clear();
        for _ in 0..bytes.count()? {
            busy.push(bytes.number()?);
        }
        tell(deployment, demand, &busy);
    }
    Some(())
}

pub(crate) fn encode_hours(cells: &HourCells) -> Vec<u8> {
    let mut pack = Pack::default();
    pack.number(FORM);
    pack.number(cells.len() as u64);
    for (deployment, cell) in cells {
        pack.text(deployment);
        [cell.sum, cell.p95, cell.peak].iter().for_each(|demand| demand.write(&mut pack));
    }
    pack.0
}

/// None if the bytes make no sense.
pub(crate) fn decode_hours(bytes: &[u8]) -> Option<HourCells> {
    let mut bytes = Unpack(bytes);
    if bytes.number()? != FORM {
        return None;
    }
    let mut cells = BTreeMap::new();
    for _ in 0..bytes.count()? {
        let deployment = bytes.text()?.into();
        let mut demand = || Demand::read(&mut bytes);
        cells.insert(deployment, HourCell { sum: demand()?, p95: demand()?, peak: demand()? });
    }
    Some(cells)
}

/// Minutes in which nothing was asked.
const EMPTY: [Demand; 60] =
    [Demand { requests: 0, input: 0, cached_input: 0, output: 0, busy_ms: 0, throttled: 0 }; 60];

/// An hour, out of the minutes by when requests arrived: those of the hour, and of the one before it, whose calls may still run.
pub(crate) fn hour_of(minutes: &BTreeMap<i64, MinuteCells>, hour: i64) -> HourCells {
    let mut of: BTreeMap<&Arc<str>, [Demand; 60]> = BTreeMap::new();
    let first = hour * 60;
    for (minute, cells) in minutes.range(first - LONGEST..first + 60) {
        let place = |at: i64| usize::try_from(at - first).ok().filter(|place| *place < 60);
        for (deployment, cell) in &cells.0 {
            if let Some(place) = place(*minute) {
                of.entry(deployment).or_insert(EMPTY)[place].add(&cell.demand);
            }
            for (ms, at) in cell.busy.iter().zip(*minute..) {
                if let (1.., Some(place)) = (*ms, place(at)) {
                    of.entry(deployment).or_insert(EMPTY)[place].busy_ms += ms;
                }
            }
        }
    }
    of.into_iter().map(|(deployment, minutes)| (Arc::clone(deployment), of_minutes(minutes))).collect()
}

/// Of the 60 minutes in order of each count, the 57th is the 95th percentile.
const P95: usize = 56;

fn of_minutes(minutes: [Demand; 60]) -> HourCell {
    let mut hour = HourCell::default();
    minutes.iter().for_each(|minute| hour.sum.add(minute));
    let mut columns = [[0_u64; 60]; 6];
    for (place, minute) in minutes.iter().enumerate() {
        for (column, count) in columns.iter_mut().zip(minute.values()) {
            column[place] = count;
        }
    }
    for ((column, p95), peak) in columns.iter_mut().zip(hour.p95.values_mut()).zip(hour.peak.values_mut()) {
        column.sort_unstable();
        (*p95, *peak) = (column[P95], column[59]);
    }
    hour
}
