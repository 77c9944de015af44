//! Which conversation a mark belongs to: one ordered set for all kinds of marks, small since there are millions.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use weir_units::Mark;

use super::ask::SessionKind;

/// What a mark stands for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A history up to an answer.
    Tip,
    /// The last messages up to an answer.
    End,
    /// A whole request.
    Full,
    /// A text that was said, and that another conversation may be sent.
    Produced,
    /// The trace in which a conversation ended last.
    Traced,
    /// An id that clients send.
    Id(SessionKind),
}

/// The key of a mark in the index, which no two tenants share.
pub(super) fn key(kind: Kind, tenant: u32, mark: Mark) -> u64 {
    let kind = match kind {
        Kind::Tip => 0,
        Kind::End => 1,
        Kind::Full => 2,
        Kind::Produced => 3,
        Kind::Traced => 4,
        Kind::Id(kind) => 5 + kind as u64,
    };
    Mark(u64::from(tenant) << 8 | kind).then(mark).0
}

/// A key and whose it is, in halves, so that it takes twelve bytes and not sixteen. The upper half of all places is for what
/// its conversation has gone on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    high: u32,
    low: u32,
    place: u32,
}

const PASSED: u32 = 1 << 31;

impl Known {
    fn new(key: u64, place: u32) -> Self {
        Self { high: (key >> 32) as u32, low: key as u32, place }
    }

    fn key(self) -> u64 {
        u64::from(self.high) << 32 | u64::from(self.low)
    }
}

impl Ord for Known {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key()).then(self.place.cmp(&other.place))
    }
}

impl PartialOrd for Known {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Debug, Default)]
pub(super) struct Index {
    known: BTreeSet<Known>,
}

/// What an entry takes in a B-tree that was filled in random order: two thirds of its leaves are used.
pub(super) const ENTRY_BYTES: u64 = 22;

impl Index {
    pub(super) fn insert(&mut self, key: u64, path: u32) {
        self.known.insert(Known::new(key, path));
    }

    /// Makes `path` the only one with this key.
    pub(super) fn replace(&mut self, key: u64, path: u32) {
        while let Some(other) = self.first(key).filter(|other| *other != path) {
            self.remove(key, other);
        }
        self.insert(key, path);
    }

    pub(super) fn remove(&mut self, key: u64, path: u32) {
        if !self.known.remove(&Known::new(key, path)) {
            self.known.remove(&Known::new(key, path | PASSED));
        }
    }

    /// From now on others with the same key come first.
    pub(super) fn pass(&mut self, key: u64, path: u32) {
        if self.known.remove(&Known::new(key, path)) {
            self.known.insert(Known::new(key, path | PASSED));
        }
    }

    /// Who has this key: at most a few, those first that have not gone on from it.
    pub(super) fn all(&self, key: u64) -> impl Iterator<Item = u32> {
        self.each(key).take(16)
    }

    /// Who has this key, also where these are many.
    pub(super) fn many(&self, key: u64) -> impl Iterator<Item = u32> {
        self.each(key).take(256)
    }

    pub(super) fn first(&self, key: u64) -> Option<u32> {
        self.each(key).next()
    }

    fn each(&self, key: u64) -> impl Iterator<Item = u32> {
        self.known.range(Known::new(key, 0)..=Known::new(key, u32::MAX)).map(|known| known.place & !PASSED)
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}
