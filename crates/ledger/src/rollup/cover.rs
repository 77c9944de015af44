//! Which roll-ups make up a time, and of which of its ends the requests themselves must be counted.

use std::collections::{BTreeSet, VecDeque};

use weir_units::WallTime;

use super::Grain;

/// Dirty minutes of an hour that are asked for one by one.
const MOST_DIRTY: usize = 4;

/// Roll-ups that are read at once.
const BATCH: usize = 64;

/// A part of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A roll-up, by what it starts at.
    Roll(Grain, i64),
    /// Requests that arrived at one time or later, and before another.
    Rows(i64, i64),
}

/// The pieces of `from..to`, in order: the longest roll-ups that fit in and in which no minute is dirty (its requests are not
/// all counted yet), no longer than `longest`.
pub(crate) fn cover(from: i64, to: i64, longest: Grain, dirty: &BTreeSet<i64>) -> Vec<Piece> {
    let minute = Grain::Minute.length();
    let clean = |start: i64, length: i64| dirty.range(start / minute..(start + length) / minute).next().is_none();
    let mut pieces: Vec<Piece> = Vec::new();
    let mut at = from;
    while at < to {
        let fits = |grain: &&Grain| {
            let length = grain.length();
            **grain <= longest && grain.begin(at) == at && to - at >= length && clean(at, length)
        };
        // Of an hour with many dirty minutes, all requests are read: that is less than asking for each.
        let hour = Grain::Hour.length();
        let many = Grain::Hour.begin(at) == at
            && to - at >= hour
            && dirty.range(at / minute..(at + hour) / minute).count() > MOST_DIRTY;
        if !many && let Some(grain) = Grain::ALL.iter().rev().find(fits) {
            pieces.push(Piece::Roll(*grain, at));
            at += grain.length();
            continue;
        }
        let length = if many { hour } else { minute };
        let end = to.min(Grain::Minute.begin(at) + length);
        match pieces.last_mut() {
            Some(Piece::Rows(_, until)) if *until == at => *until = end,
            _ => pieces.push(Piece::Rows(at, end)),
        }
        at = end;
    }
    pieces
}

/// The pieces of a time with buckets between each two `edges`, in order, each with the place of its bucket.
pub(crate) struct Pieces(VecDeque<(usize, Piece)>);

impl Pieces {
    pub(crate) fn of(edges: &[WallTime], longest: Grain, dirty: &BTreeSet<i64>) -> Self {
        let buckets = edges.windows(2).enumerate();
        let pieces = |(bucket, edges): (usize, &[WallTime])| {
            cover(edges[0].0, edges[1].0, longest, dirty).into_iter().map(move |piece| (bucket, piece))
        };
        Self(buckets.flat_map(pieces).collect())
    }

    pub(crate) fn next(&mut self) -> Option<(usize, Piece)> {
        self.0.pop_front()
    }

    /// The roll-up that was next, with those that follow it without a gap, as far as they are read at once.
    pub(crate) fn run(&mut self, bucket: usize, grain: Grain, start: i64) -> Vec<(usize, i64)> {
        let mut run = vec![(bucket, start)];
        while let Some((bucket, Piece::Roll(next, start))) = self.0.front().copied()
            && next == grain
            && run.len() < BATCH
            && start == run[run.len() - 1].1 + grain.length()
        {
            run.push((bucket, start));
            self.0.pop_front();
        }
        run
    }

    /// These come next, in their order.
    pub(crate) fn put_first(&mut self, pieces: Vec<(usize, Piece)>) {
        pieces.into_iter().rev().for_each(|piece| self.0.push_front(piece));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;

    #[test]
    fn a_time_is_made_of_the_longest_roll_ups_and_its_ends_of_requests() {
        let none = BTreeSet::new();
        assert_eq!(cover(0, DAY, Grain::Day, &none), [Piece::Roll(Grain::Day, 0)]);
        let rolls =
            |grain, from: i64, count: i64, length: i64| (0..count).map(move |n| Piece::Roll(grain, from + n * length));
        let india: Vec<Piece> = rolls(Grain::Minute, 30 * MINUTE, 30, MINUTE)
            .chain(rolls(Grain::Hour, HOUR, 23, HOUR))
            .chain(rolls(Grain::Minute, DAY, 30, MINUTE))
            .collect();
        assert_eq!(cover(30 * MINUTE, DAY + 30 * MINUTE, Grain::Day, &none), india, "a day of +5:30");
        let odd = cover(7, 2 * MINUTE + 9, Grain::Day, &none);
        assert_eq!(
            odd,
            [Piece::Rows(7, MINUTE), Piece::Roll(Grain::Minute, MINUTE), Piece::Rows(2 * MINUTE, 2 * MINUTE + 9)]
        );
        let dirty = BTreeSet::from([61, 62]);
        let hours: Vec<Piece> =
            [Piece::Roll(Grain::Hour, 0), Piece::Roll(Grain::Minute, HOUR), Piece::Rows(61 * MINUTE, 63 * MINUTE)]
                .into_iter()
                .chain(rolls(Grain::Minute, 63 * MINUTE, 57, MINUTE))
                .collect();
        assert_eq!(cover(0, 2 * HOUR, Grain::Day, &dirty), hours);
    }
}
