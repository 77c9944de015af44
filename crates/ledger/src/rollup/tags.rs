//! Counts of requests by tag.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::OTHER;
use crate::filter::Filter;
use crate::seen::Seen;
use crate::series::{Adding, SeriesBy, Tally};

/// Tags, each a name and a value, that one roll-up has, before values become [`OTHER`].
const MOST_TAGS: usize = 1_000;

/// A roll-up by tag.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TagCells {
    pub(crate) cells: BTreeMap<(Arc<str>, Arc<str>), Tally>,
    /// Some values became [`OTHER`].
    pub(crate) folded: bool,
}

impl TagCells {
    /// Counts a request that has ended.
    pub(crate) fn add(&mut self, seen: &Seen) {
        for tag in &seen.tags {
            self.cell(tag).add(seen);
        }
    }

    /// Adds what `other` has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.folded |= other.folded;
        for (tag, tally) in &other.cells {
            self.cell(tag).merge(tally);
        }
    }

    fn cell(&mut self, tag: &(Arc<str>, Arc<str>)) -> &mut Tally {
        let mut tag = tag.clone();
        if self.cells.len() >= MOST_TAGS && !self.cells.contains_key(&tag) {
            self.folded = true;
            tag.1 = OTHER.into();
            if self.cells.len() >= 2 * MOST_TAGS {
                tag.0 = OTHER.into();
            }
        }
        self.cells.entry(tag).or_default()
    }

    /// Adds to a bucket the requests with one tag, or those of each value of one.
    pub(crate) fn add_to(&self, adding: &mut Adding<'_>, bucket: usize, filter: &Filter) {
        if let Some((name, value)) = &filter.tag {
            if let Some(tally) = self.cells.get(&(Arc::from(name.as_str()), Arc::from(value.as_str()))) {
                adding.all(bucket).merge(tally);
            }
            return;
        }
        let Some(SeriesBy::Tag(wanted)) = adding.by().cloned() else { return };
        for ((_, value), tally) in self.cells.iter().filter(|((name, _), _)| **name == *wanted) {
            adding.of(bucket, Some(value.to_string())).merge(tally);
        }
    }
}

/// Whether roll-ups by tag have what is asked for: the requests with one tag, all told alike; or all requests, told apart by a tag.
pub(crate) fn answers(filter: &Filter, by: Option<&SeriesBy>) -> bool {
    let rest = Filter { tag: None, since: None, until: None, ..filter.clone() } == Filter::default();
    rest && match by {
        None => filter.tag.is_some(),
        Some(SeriesBy::Tag(_)) => filter.tag.is_none(),
        Some(_) => false,
    }
}
