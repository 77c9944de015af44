//! What is counted of runs in one minute or hour, and as bytes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use weir_units::NanoUsd;

use crate::pack::{Pack, Unpack};
use crate::rollup::part;
use crate::seen::Seen;
use crate::series::{Tally, WASTE, Wasted};
use crate::spend::Sums;

/// The form that this version writes.
const FORM: u64 = 1;

/// Runs that one roll-up has. Of more than that it has none.
const MOST: usize = 30_000;

/// The most runs of a minute that are counted one by one: 68 new ones a second. A minute with more keeps none, and is added up from its
/// requests: counting them would cost each request too much.
const MOST_OF_MINUTE: usize = 4_096;

/// A run, and who it was of; what is of no run is told apart by that alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RunKey {
    run: Option<Arc<str>>,
    tenant: Option<Arc<str>>,
    key: Option<Arc<str>>,
    route: Option<Arc<str>>,
}

/// What was counted of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RunCell {
    pub(crate) sums: Sums,
    pub(crate) wasted: [Wasted; WASTE.len()],
}

/// The same in less room, of which a roll-up in the making has thousands: few runs wasted anything.
#[derive(Clone, Debug, Default, PartialEq)]
struct Kept {
    sums: Sums,
    wasted: Option<Box<[Wasted; WASTE.len()]>>,
}

impl Kept {
    fn add(&mut self, sums: &Sums, wasted: &[Wasted; WASTE.len()]) {
        self.sums.merge(sums);
        if wasted.iter().any(|wasted| wasted.times > 0) {
            let own = self.wasted.get_or_insert_default();
            own.iter_mut().zip(wasted).for_each(|(sum, part)| sum.merge(part));
        }
    }

    fn cell(&self) -> RunCell {
        RunCell { sums: self.sums, wasted: self.wasted.as_deref().copied().unwrap_or_default() }
    }
}

/// A roll-up.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RunCells {
    cells: HashMap<RunKey, Kept>,
    /// There were too many.
    folded: bool,
}

/// A run as it is read.
pub(crate) struct RunSums<'a> {
    pub(crate) run: Option<&'a str>,
    pub(crate) tenant: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
    pub(crate) route: Option<&'a str>,
    pub(crate) counted: Counted<'a>,
}

/// What was counted of it: of most runs less is asked than that.
pub(crate) enum Counted<'a> {
    Bytes(&'a [u8]),
    Cell(Box<RunCell>),
}

impl Counted<'_> {
    /// All of it. What makes no sense is nothing.
    pub(crate) fn cell(&self) -> RunCell {
        match self {
            Self::Bytes(bytes) => read_cell(&mut Unpack(bytes)).unwrap_or_default(),
            Self::Cell(cell) => **cell,
        }
    }

    /// The sums alone.
    pub(crate) fn sums(&self) -> Sums {
        match self {
            Self::Bytes(bytes) => read_sums(&mut Unpack(bytes)).map(|(sums, _)| sums).unwrap_or_default(),
            Self::Cell(cell) => cell.sums,
        }
    }

    /// Tells what was wasted, and of which reason.
    pub(crate) fn wasted(&self, mut each: impl FnMut(usize, &Wasted)) {
        match self {
            Self::Bytes(bytes) => {
                let mut bytes = Unpack(bytes);
                if read_sums(&mut bytes).is_some_and(|(_, wasted)| wasted) {
                    let _ = read_wasted(&mut bytes, each);
                }
            }
            Self::Cell(cell) => {
                let wasted = cell.wasted.iter().enumerate().filter(|(_, wasted)| wasted.times > 0);
                wasted.for_each(|(why, wasted)| each(why, wasted));
            }
        }
    }
}

part!(RunCells, |runs| runs.cells.is_empty() && !runs.folded);

impl RunCell {
    /// What a request that has ended counts.
    pub(crate) fn of(seen: &Seen) -> Self {
        let mut tally = Tally::default();
        seen.calls.iter().for_each(|call| tally.add_call(call));
        let mut sums = Sums { requests: 1, unknown: u64::from(seen.cost.is_none()), ..Sums::default() };
        sums.add_calls(&tally);
        Self { sums, wasted: tally.wasted }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.sums.merge(&other.sums);
        self.wasted.iter_mut().zip(&other.wasted).for_each(|(sum, part)| sum.merge(part));
    }
}

impl<'a> RunSums<'a> {
    /// A request that has ended, by itself.
    pub(crate) fn of(seen: &'a Seen) -> Self {
        Self {
            run: seen.run.as_deref(),
            tenant: seen.tenant.as_deref(),
            key: seen.key.as_deref(),
            route: seen.route.as_deref(),
            counted: Counted::Cell(Box::new(RunCell::of(seen))),
        }
    }
}

impl RunCells {
    /// There are too many, wherever they are: nothing is counted.
    pub(crate) fn too_many() -> Self {
        Self { folded: true, ..Self::default() }
    }

    /// Whether these bytes are of too many.
    pub(crate) fn are_too_many(bytes: &[u8]) -> bool {
        let mut bytes = Unpack(bytes);
        bytes.number() == Some(FORM) && bytes.number() == Some(1)
    }

    /// Counts a request that has ended.
    pub(crate) fn add(&mut self, seen: &Seen) {
        if self.folded {
            return;
        }
        let (run, tenant) = (seen.run.clone(), seen.tenant.clone());
        let key = RunKey { run, tenant, key: seen.key.clone(), route: seen.route.clone() };
        let cell = RunCell::of(seen);
        self.count(key, &cell.sums, &cell.wasted, MOST_OF_MINUTE);
    }

    /// Adds what `other` has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        if other.folded {
            self.fold();
        }
        let nothing = [Wasted::default(); WASTE.len()];
        for (key, kept) in &other.cells {
            self.count(key.clone(), &kept.sums, kept.wasted.as_deref().unwrap_or(&nothing), MOST);
        }
    }

    fn cell(&mut self, key: RunKey, cell: &RunCell) {
        self.count(key, &cell.sums, &cell.wasted, MOST);
    }

    fn count(&mut self, key: RunKey, sums: &Sums, wasted: &[Wasted; WASTE.len()], most: usize) {
        if self.folded {
            return;
        }
        if self.cells.len() >= most && !self.cells.contains_key(&key) {
            return self.fold();
        }
        self.cells.entry(key).or_default().add(sums, wasted);
    }

    fn fold(&mut self) {
        self.folded = true;
        self.cells.clear();
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let (mut names, mut cells) = (Names::default(), Pack::default());
        let mut sorted: Vec<_> = self.cells.iter().collect();
        sorted.sort_unstable_by_key(|(key, _)| *key);
        for (key, kept) in sorted {
            cells.number(key.run.as_ref().map_or(0, |run| run.len() as u64 + 1));
            cells.0.extend_from_slice(key.run.as_deref().unwrap_or_default().as_bytes());
            for name in [&key.tenant, &key.key, &key.route] {
                cells.number(names.place(name.as_ref()));
            }
            // How long it is comes first, so that it can be passed over.
            let mut own = Pack::default();
            write(&mut own, &kept.cell());
            cells.number(own.0.len() as u64);
            cells.0.extend_from_slice(&own.0);
        }
        let mut all = Pack::default();
        all.number(FORM);
        all.number(u64::from(self.folded));
        all.number(names.list.len() as u64);
        names.list.iter().for_each(|name| all.text(name));
        all.number(self.cells.len() as u64);
        all.0.extend_from_slice(&cells.0);
        all.0
    }

    /// None if the bytes make no sense.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut runs = Self::default();
        let own = |name: Option<&str>| name.map(Arc::from);
        let mut whole = true;
        runs.folded = !read(bytes, &mut |of| {
            let key = RunKey { run: own(of.run), tenant: own(of.tenant), key: own(of.key), route: own(of.route) };
            let cell = match &of.counted {
                Counted::Bytes(bytes) => read_cell(&mut Unpack(bytes)),
                Counted::Cell(cell) => Some(**cell),
            };
            whole &= cell.is_some();
            runs.cell(key, &cell.unwrap_or_default());
        })?;
        whole.then_some(runs)
    }
}

/// Goes through the runs of a roll-up; false if there were too many. None if the bytes make no sense.
pub(crate) fn read(bytes: &[u8], each: &mut impl FnMut(&RunSums<'_>)) -> Option<bool> {
    let mut bytes = Unpack(bytes);
    if bytes.number()? != FORM {
        return None;
    }
    let folded = bytes.number()? != 0;
    let names: Vec<&str> = (0..bytes.count()?).map(|_| bytes.text()).collect::<Option<_>>()?;
    for _ in 0..bytes.count()? {
        let run = match bytes.count()? {
            0 => None,
            length => {
                let (text, rest) = bytes.0.split_at_checked(length - 1)?;
                bytes = Unpack(rest);
                Some(std::str::from_utf8(text).ok()?)
            }
        };
        let mut name = || match bytes.number()? {
            0 => Some(None),
            place => names.get(usize::try_from(place - 1).ok()?).map(|name| Some(*name)),
        };
        let (tenant, key, route) = (name()?, name()?, name()?);
        let length = bytes.count()?;
        let (cell, rest) = bytes.0.split_at_checked(length)?;
        bytes = Unpack(rest);
        each(&RunSums { run, tenant, key, route, counted: Counted::Bytes(cell) });
    }
    Some(!folded)
}

/// Most numbers are zero: a bit each says which are not.
fn write(pack: &mut Pack, cell: &RunCell) {
    let mut cell = *cell;
    let numbers = numbers(&mut cell.sums).map(|number| *number);
    let money = [cell.sums.cost, cell.sums.estimated].map(|money| money.0.cast_unsigned());
    let all: Vec<u64> = numbers.into_iter().chain(money).collect();
    let set = all.iter().rev().fold(0, |set, number| set << 1 | u64::from(*number > 0));
    let wasted = || cell.wasted.iter().enumerate().filter(|(_, wasted)| wasted.times > 0);
    pack.number(set << 1 | u64::from(wasted().next().is_some()));
    all.iter().filter(|number| **number > 0).for_each(|number| pack.number(*number));
    if wasted().next().is_some() {
        pack.number(wasted().count() as u64);
    }
    for (why, wasted) in wasted() {
        for number in [why as u64, wasted.times, wasted.tokens, wasted.cost.0.cast_unsigned(), wasted.unpriced] {
            pack.number(number);
        }
    }
}

fn read_cell(bytes: &mut Unpack<'_>) -> Option<RunCell> {
    let (sums, has_wasted) = read_sums(bytes)?;
    let mut cell = RunCell { sums, ..RunCell::default() };
    if has_wasted {
        read_wasted(bytes, |why, wasted| cell.wasted[why] = *wasted)?;
    }
    Some(cell)
}

/// The sums, and whether something wasted follows.
fn read_sums(bytes: &mut Unpack<'_>) -> Option<(Sums, bool)> {
    let mut sums = Sums::default();
    let first = bytes.number()?;
    let mut set = first >> 1;
    let mut next = |bytes: &mut Unpack<'_>| {
        let is_set = set & 1 == 1;
        set >>= 1;
        if is_set { bytes.number() } else { Some(0) }
    };
    for number in numbers(&mut sums) {
        *number = next(bytes)?;
    }
    sums.cost = NanoUsd(next(bytes)?.cast_signed());
    sums.estimated = NanoUsd(next(bytes)?.cast_signed());
    Some((sums, first & 1 == 1))
}

fn read_wasted(bytes: &mut Unpack<'_>, mut each: impl FnMut(usize, &Wasted)) -> Option<()> {
    for _ in 0..bytes.count()? {
        let why = usize::try_from(bytes.number()?).ok().filter(|why| *why < WASTE.len())?;
        let (times, tokens) = (bytes.number()?, bytes.number()?);
        let (cost, unpriced) = (NanoUsd(bytes.number()?.cast_signed()), bytes.number()?);
        each(why, &Wasted { times, tokens, cost, unpriced });
    }
    Some(())
}

/// The sums that are no money, in the order in which they are kept.
fn numbers(sums: &mut Sums) -> [&mut u64; 8] {
    let Sums { requests, attempts, unknown, input, cached_input, output, reasoning, unreported, .. } = sums;
    [requests, attempts, unknown, input, cached_input, output, reasoning, unreported]
}

/// Names, each written once; a name's place is counted from one, and zero is none.
#[derive(Default)]
struct Names {
    places: BTreeMap<Arc<str>, u64>,
    list: Vec<Arc<str>>,
}

impl Names {
    fn place(&mut self, name: Option<&Arc<str>>) -> u64 {
        let Some(name) = name else { return 0 };
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        self.list.push(Arc::clone(name));
        let place = self.list.len() as u64;
        self.places.insert(Arc::clone(name), place);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(count: usize) -> RunCells {
        let mut runs = RunCells::default();
        for n in 0..count {
            let name = |text: &str| (n % 3 > 0).then(|| Arc::from(format!("{text} {}", n % 5)));
            let key =
                RunKey {
                    run: Some(format!("run {n} né").into()), tenant: name("t"), key: name("k"), route: name("r")
                };
            let mut cell = RunCell::default();
            cell.sums.requests = n as u64;
            cell.sums.cost = NanoUsd(-5);
            cell.sums.unreported = u64::from(n == 3);
            if n % 2 == 1 {
                cell.wasted[n % WASTE.len()] = Wasted { times: 1, tokens: 300, cost: NanoUsd(7), unpriced: 0 };
            }
            runs.cell(key, &cell);
        }
        runs.cell(RunKey::default(), &RunCell::default());
        runs
    }

    #[test]
    fn what_is_written_is_read_and_bytes_that_are_cut_are_none() {
        let runs = runs(40);
        let bytes = runs.encode();
        assert_eq!(RunCells::decode(&bytes).as_ref(), Some(&runs));
        for length in 0..bytes.len() {
            assert_eq!(RunCells::decode(&bytes[..length]), None, "{length}");
        }
    }

    #[test]
    fn of_too_many_runs_none_is_kept_and_that_is_said() {
        let mut runs = runs(MOST - 1);
        assert!(!runs.folded && runs.cells.len() == MOST);
        runs.merge(&runs.clone());
        assert!(!runs.folded, "the same ones are no more");
        let mut one = RunCells::default();
        one.cell(RunKey { run: Some("one more".into()), ..RunKey::default() }, &RunCell::default());
        runs.merge(&one);
        assert!(runs.folded && runs.cells.is_empty());
        assert!(RunCells::are_too_many(&runs.encode()) && !RunCells::are_too_many(&one.encode()));
        assert_eq!(runs, RunCells::too_many());
        assert_eq!(RunCells::decode(&runs.encode()), Some(runs.clone()));
        one.merge(&runs);
        assert_eq!(one, runs);
    }
}
