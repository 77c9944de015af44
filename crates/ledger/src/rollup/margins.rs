//! Counts of requests by one thing at a time, for hours and days: what most series ask for, at the cost of that alone.
//!
//! A long time has more combinations of names than a roll-up tells apart, and each costs time to read. Of each name by itself there
//! are few.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::OTHER;
use super::cells::{Cell, CellKey, Cells, groups};
use super::code::{read_tally, write_tally};
use crate::pack::{Pack, Unpack};
use crate::series::{SeriesBy, Tally};

/// The form that this version writes.
const FORM: u64 = 1;

/// Names of one kind that one roll-up has, before they become [`OTHER`].
const MOST: usize = 4_000;

/// What is told apart, in the order in which it is kept.
const KINDS: [SeriesBy; 8] = [
    SeriesBy::Deployment,
    SeriesBy::Provider,
    SeriesBy::Model,
    SeriesBy::Route,
    SeriesBy::Key,
    SeriesBy::Tenant,
    SeriesBy::Status,
    SeriesBy::Outcome,
];

type Names = BTreeMap<Option<Arc<str>>, Tally>;

/// A roll-up.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Margins {
    all: Tally,
    by: [Names; KINDS.len()],
    /// Some names became [`OTHER`].
    pub(crate) folded: bool,
}

/// A roll-up as it is read for one question.
pub(crate) struct Margin {
    pub(crate) folded: bool,
    pub(crate) all: Tally,
    pub(crate) names: Vec<(Option<String>, Tally)>,
}

/// The place of what a series tells apart; none if it is not kept.
pub(crate) fn kind(by: &SeriesBy) -> Option<usize> {
    KINDS.iter().position(|kind| kind == by)
}

impl Margins {
    /// Adds a roll-up by combinations.
    pub(crate) fn add(&mut self, cells: &Cells) {
        self.folded |= cells.folded;
        cells.cells.iter().for_each(|(key, cell)| self.add_cell(key, cell));
    }

    /// Adds what was counted of a combination.
    pub(crate) fn add_cell(&mut self, key: &CellKey, cell: &Cell) {
        self.all.merge(&cell.requests);
        cell.calls.iter().for_each(|calls| self.all.merge_calls(calls));
        for (place, by) in KINDS.iter().enumerate() {
            for (name, calls) in groups(by, key) {
                let tally = self.tally(place, name.map(Arc::from));
                tally.merge(&cell.requests);
                calls.iter().for_each(|place| tally.merge_calls(&cell.calls[*place]));
            }
        }
    }

    /// Adds what `other` has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.folded |= other.folded;
        self.all.merge(&other.all);
        for (place, names) in other.by.iter().enumerate() {
            for (name, tally) in names {
                self.tally(place, name.clone()).merge(tally);
            }
        }
    }

    fn tally(&mut self, place: usize, name: Option<Arc<str>>) -> &mut Tally {
        let names = &mut self.by[place];
        let full = names.len() >= MOST && !names.contains_key(&name);
        self.folded |= full;
        names.entry(if full { Some(OTHER.into()) } else { name }).or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.requests.requests == 0
    }

    /// Each kind of name is preceded by how long it is, so that the others are passed over.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut pack = Pack::default();
        pack.number(FORM);
        pack.number(u64::from(self.folded));
        write_tally(&mut pack, &self.all);
        for names in &self.by {
            let mut kind = Pack::default();
            kind.number(names.len() as u64);
            for (name, tally) in names {
                kind.number(u64::from(name.is_some()));
                if let Some(name) = name {
                    kind.text(name);
                }
                write_tally(&mut kind, tally);
            }
            pack.number(kind.0.len() as u64);
            pack.0.extend_from_slice(&kind.0);
        }
        pack.0
    }

    /// None if the bytes make no sense.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut margins = Self::default();
        for place in 0..KINDS.len() {
            let margin = read(bytes, Some(place))?;
            (margins.folded, margins.all) = (margin.folded, margin.all);
            margins.by[place] = margin.names.into_iter().map(|(name, tally)| (name.map(Arc::from), tally)).collect();
        }
        Some(margins)
    }
}

/// Reads the names of one kind, or of none; none if the bytes make no sense.
pub(crate) fn read(bytes: &[u8], kind: Option<usize>) -> Option<Margin> {
    let mut bytes = Unpack(bytes);
    if bytes.number()? != FORM {
        return None;
    }
    let mut margin = Margin { folded: bytes.number()? != 0, all: read_tally(&mut bytes)?, names: Vec::new() };
    for place in 0..kind.map_or(0, |kind| kind + 1) {
        let length = bytes.count()?;
        let (section, rest) = bytes.0.split_at_checked(length)?;
        bytes = Unpack(rest);
        if Some(place) != kind {
            continue;
        }
        let mut section = Unpack(section);
        let count = section.count()?;
        for _ in 0..count {
            let name = match section.number()? {
                0 => None,
                _ => Some(section.text()?.to_owned()),
            };
            margin.names.push((name, read_tally(&mut section)?));
        }
    }
    Some(margin)
}
