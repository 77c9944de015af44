//! Figures over time, in so many pieces that a drawing stays small.

use std::time::Duration;

use weir_units::Moment;

use crate::record::Sample;

const MINUTE: Duration = Duration::from_secs(60);
/// Most points of a line.
const MOST: u128 = 240;

/// A run's time, cut into even pieces.
pub(super) struct Buckets {
    length: Duration,
    count: usize,
}

impl Buckets {
    pub(super) fn over(duration: Duration) -> Self {
        let steps = [1, 2, 5, 10, 30, 60, 120, 300, 900, 3_600, 21_600, 86_400];
        let step = steps.into_iter().find(|step| duration.as_secs().div_ceil(*step) <= MOST as u64);
        let length = Duration::from_secs(step.unwrap_or(7 * 86_400));
        let count = duration.as_nanos().div_ceil(length.as_nanos()).clamp(1, 10_000);
        Self { length, count: usize::try_from(count).unwrap_or(1) }
    }

    /// The highest of each piece, so that no peak is lost.
    pub(super) fn highest(&self, points: impl Iterator<Item = (Moment, i64)>) -> Vec<Option<i64>> {
        self.fold(points, i64::max)
    }

    /// The lowest of each piece.
    pub(super) fn lowest(&self, points: impl Iterator<Item = (Moment, i64)>) -> Vec<Option<i64>> {
        self.fold(points, i64::min)
    }

    /// What so many percent of each piece's spans do not exceed, in milliseconds.
    pub(super) fn ranked(&self, spans: &[(Moment, Duration)], percent: usize) -> Vec<Option<i64>> {
        let mut pieces: Vec<Vec<Duration>> = vec![Vec::new(); self.count];
        for (at, span) in spans {
            if let Some(piece) = pieces.get_mut(self.place(*at)) {
                piece.push(*span);
            }
        }
        let rank = |mut piece: Vec<Duration>| {
            piece.sort_unstable();
            let place = (piece.len() * percent).div_ceil(100).max(1) - 1;
            piece.get(place).map(|span| i64::try_from(span.as_millis()).unwrap_or(i64::MAX))
        };
        pieces.into_iter().map(rank).collect()
    }

    fn fold(&self, points: impl Iterator<Item = (Moment, i64)>, pick: fn(i64, i64) -> i64) -> Vec<Option<i64>> {
        let mut folded: Vec<Option<i64>> = vec![None; self.count];
        for (at, value) in points {
            if let Some(place) = folded.get_mut(self.place(at)) {
                *place = Some(place.map_or(value, |other| pick(other, value)));
            }
        }
        folded
    }

    fn place(&self, at: Moment) -> usize {
        usize::try_from(at.since(Moment::ZERO).as_nanos() / self.length.as_nanos()).unwrap_or(usize::MAX)
    }
}

/// By how much a count has grown in the minute before the sample `at`.
pub(super) fn last_minute(samples: &[Sample], at: usize, count: impl Fn(usize) -> i64) -> i64 {
    let begin = samples[at].at - MINUTE;
    let from = samples[..at].partition_point(|sample| sample.at < begin);
    (count(at) - count(from)).max(0)
}
