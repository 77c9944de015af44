//! Roll-ups as bytes. The first byte is the version of the form.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_units::NanoUsd;

use super::cells::{Cell, CellKey, Cells, holds};
use super::tags::TagCells;
use crate::filter::Filter;
use crate::pack::{Pack, Unpack};
use crate::series::{Calls, Histogram, Requests, Tally, WASTE, Wasted};

/// The form that this version writes.
const FORM: u64 = 1;

impl Cells {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut names = Names::default();
        let mut cells = Pack::default();
        for (key, cell) in &self.cells {
            for name in [&key.tenant, &key.key, &key.route, &key.refused_by] {
                cells.number(name.as_ref().map_or(0, |name| names.place(name) + 1));
            }
            cells.number(u64::from(key.status.unwrap_or(0)));
            cells.number(u64::from(key.outcome));
            cells.number(key.deployments.len() as u64);
            key.deployments.iter().for_each(|name| cells.number(names.place(name)));
            cells.number(u64::from(key.unpriced));
            write_requests(&mut cells, &cell.requests);
            cell.calls.iter().for_each(|calls| write_calls(&mut cells, calls));
        }
        names.before(self.folded, self.cells.len(), cells)
    }

    /// None if the bytes make no sense.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (folded, cells) = Self::list(bytes, &Filter::default())?;
        Some(Self { cells: cells.into_iter().collect(), folded })
    }

    /// The combinations that `filter` holds and their cells, and whether some names became others.
    pub(crate) fn list(bytes: &[u8], filter: &Filter) -> Option<(bool, Vec<(CellKey, Cell)>)> {
        let mut bytes = Unpack(bytes);
        let (folded, names) = read_names(&mut bytes)?;
        let name = |place: u64| names.get(usize::try_from(place).ok()?).cloned();
        let count = bytes.count()?;
        let mut cells = Vec::new();
        // One that is passed over costs no allocation.
        let mut key = CellKey::default();
        for _ in 0..count {
            let mut some = || match bytes.number()? {
                0 => Some(None),
                place => Some(Some(name(place - 1)?)),
            };
            (key.tenant, key.key, key.route, key.refused_by) = (some()?, some()?, some()?, some()?);
            key.status = u16::try_from(bytes.number()?).ok().filter(|status| *status > 0);
            key.outcome = u8::try_from(bytes.number()?).ok()?;
            key.deployments.clear();
            for _ in 0..bytes.count()? {
                key.deployments.push(name(bytes.number()?)?);
            }
            key.unpriced = u32::try_from(bytes.number()?).ok()?;
            if !holds(filter, &key) {
                pass_requests(&mut bytes)?;
                key.deployments.iter().try_for_each(|_| pass_calls(&mut bytes))?;
                continue;
            }
            let requests = read_requests(&mut bytes)?;
            let calls = key.deployments.iter().map(|_| read_calls(&mut bytes)).collect::<Option<_>>()?;
            cells.push((std::mem::take(&mut key), Cell { requests, calls }));
        }
        Some((folded, cells))
    }
}

impl TagCells {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut names = Names::default();
        let mut cells = Pack::default();
        for ((name, value), tally) in &self.cells {
            cells.number(names.place(name));
            cells.number(names.place(value));
            write_tally(&mut cells, tally);
        }
        names.before(self.folded, self.cells.len(), cells)
    }

    /// None if the bytes make no sense.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut bytes = Unpack(bytes);
        let (folded, names) = read_names(&mut bytes)?;
        let name = |place: u64| names.get(usize::try_from(place).ok()?).cloned();
        let mut cells = BTreeMap::new();
        for _ in 0..bytes.count()? {
            let tag = (name(bytes.number()?)?, name(bytes.number()?)?);
            cells.insert(tag, read_tally(&mut bytes)?);
        }
        Some(Self { cells, folded })
    }
}

/// Names, each written once.
#[derive(Default)]
struct Names {
    places: BTreeMap<Arc<str>, u64>,
    list: Vec<Arc<str>>,
}

impl Names {
    fn place(&mut self, name: &Arc<str>) -> u64 {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let place = self.list.len() as u64;
        self.places.insert(Arc::clone(name), place);
        self.list.push(Arc::clone(name));
        place
    }

    fn before(self, folded: bool, count: usize, cells: Pack) -> Vec<u8> {
        let mut all = Pack::default();
        all.number(FORM);
        all.number(u64::from(folded));
        all.number(self.list.len() as u64);
        self.list.iter().for_each(|name| all.text(name));
        all.number(count as u64);
        all.0.extend_from_slice(&cells.0);
        all.0
    }
}

fn read_names(bytes: &mut Unpack<'_>) -> Option<(bool, Vec<Arc<str>>)> {
    if bytes.number()? != FORM {
        return None;
    }
    let folded = bytes.number()? != 0;
    let names = (0..bytes.count()?).map(|_| bytes.text().map(Arc::from)).collect::<Option<_>>()?;
    Some((folded, names))
}

/// Of requests, and of their calls.
pub(super) fn write_tally(pack: &mut Pack, tally: &Tally) {
    write_requests(pack, tally);
    write_calls(pack, tally);
}

pub(super) fn read_tally(bytes: &mut Unpack<'_>) -> Option<Tally> {
    let mut tally = read_requests(bytes)?;
    tally.merge_calls(&read_calls(bytes)?);
    Some(tally)
}

fn write_requests(pack: &mut Pack, tally: &Tally) {
    write_counts(pack, &tally.requests.values());
    for times in [&tally.duration, &tally.first_content, &tally.queue_wait] {
        times.write(pack);
    }
}

fn read_requests(bytes: &mut Unpack<'_>) -> Option<Tally> {
    let mut requests = Requests::default();
    read_counts(bytes, &mut requests.values_mut())?;
    let mut times = || Histogram::read(bytes);
    let (duration, first_content, queue_wait) = (times()?, times()?, times()?);
    Some(Tally { requests, duration, first_content, queue_wait, ..Tally::default() })
}

/// Goes on behind what [`read_requests`] reads.
fn pass_requests(bytes: &mut Unpack<'_>) -> Option<()> {
    pass_counts(bytes)?;
    for _ in 0..3 {
        let buckets = bytes.count()?;
        (0..2 * buckets).try_for_each(|_| bytes.pass())?;
    }
    Some(())
}

/// Goes on behind what [`read_calls`] reads.
fn pass_calls(bytes: &mut Unpack<'_>) -> Option<()> {
    pass_counts(bytes)?;
    bytes.pass()?;
    bytes.pass()?;
    let wasted = bytes.count()?;
    (0..5 * wasted).try_for_each(|_| bytes.pass())
}

fn pass_counts(bytes: &mut Unpack<'_>) -> Option<()> {
    let set = bytes.number()?;
    (0..set.count_ones()).try_for_each(|_| bytes.pass())
}

fn write_calls(pack: &mut Pack, tally: &Tally) {
    write_counts(pack, &tally.calls.values());
    pack.number(tally.cost.0.cast_unsigned());
    pack.number(tally.estimated.0.cast_unsigned());
    let wasted = || tally.wasted.iter().enumerate().filter(|(_, wasted)| wasted.times > 0);
    pack.number(wasted().count() as u64);
    for (why, wasted) in wasted() {
        let cost = wasted.cost.0.cast_unsigned();
        for number in [why as u64, wasted.times, wasted.tokens, cost, wasted.unpriced] {
            pack.number(number);
        }
    }
}

fn read_calls(bytes: &mut Unpack<'_>) -> Option<Tally> {
    let mut calls = Calls::default();
    read_counts(bytes, &mut calls.values_mut())?;
    let money = |number: u64| NanoUsd(number.cast_signed());
    let (cost, estimated) = (money(bytes.number()?), money(bytes.number()?));
    let mut wasted = [Wasted::default(); WASTE.len()];
    for _ in 0..bytes.count()? {
        let sum = wasted.get_mut(usize::try_from(bytes.number()?).ok()?)?;
        sum.times = bytes.number()?;
        sum.tokens = bytes.number()?;
        sum.cost = money(bytes.number()?);
        sum.unpriced = bytes.number()?;
    }
    Some(Tally { calls, cost, estimated, wasted, ..Tally::default() })
}

/// Most counts are zero: a bit each says which are not.
fn write_counts(pack: &mut Pack, counts: &[u64]) {
    let set = counts.iter().rev().fold(0, |set, count| set << 1 | u64::from(*count > 0));
    pack.number(set);
    counts.iter().filter(|count| **count > 0).for_each(|count| pack.number(*count));
}

fn read_counts(bytes: &mut Unpack<'_>, counts: &mut [&mut u64]) -> Option<()> {
    let set = bytes.number()?;
    for (place, count) in counts.iter_mut().enumerate() {
        if set >> place & 1 == 1 {
            **count = bytes.number()?;
        }
    }
    Some(())
}
