//! Times spread over fixed buckets, so that the percentiles of any range come from the histograms of its parts.
//!
//! Up to 15 ms each millisecond has a bucket; from there on each doubling is cut into 16. A percentile is the middle of
//! its bucket, so it is at most 1/32 (3.2 %) away from the true one.

use crate::pack::{Pack, Unpack};

/// How many buckets a doubling is cut into, as a power of two.
const CUT: u32 = 4;

/// Longer times fall into the last bucket: 2^36 ms, two years.
const LONGEST: u64 = (1 << 36) - 1;

/// How often each span of time was seen, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Buckets that are not empty, in order, each with its count.
    buckets: Vec<(u16, u64)>,
}

impl Histogram {
    /// Counts a time.
    pub fn add(&mut self, ms: u64) {
        self.add_to(bucket(ms), 1);
    }

    fn add_to(&mut self, bucket: u16, count: u64) {
        match self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(place) => self.buckets[place].1 += count,
            Err(place) => self.buckets.insert(place, (bucket, count)),
        }
    }

    /// Counts all that `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        if self.buckets.is_empty() {
            self.buckets.clone_from(&other.buckets);
            return;
        }
        for (bucket, count) in &other.buckets {
            self.add_to(*bucket, *count);
        }
    }

    /// Takes out what `other` has counted, which must be a part of it.
    pub(crate) fn take_out(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            if let Ok(place) = self.buckets.binary_search_by_key(bucket, |(bucket, _)| *bucket) {
                self.buckets[place].1 = self.buckets[place].1.saturating_sub(*count);
            }
        }
        self.buckets.retain(|(_, count)| *count > 0);
    }

    /// How many times were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    /// The time that `share` of all do not exceed, in milliseconds; none if there are none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let count = self.count();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count is a count")]
        let rank = ((count as f64 * share.clamp(0.0, 1.0)).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0;
        let found = self.buckets.iter().find(|(_, count)| {
            seen += count;
            seen >= rank
        });
        found.map(|(bucket, _)| {
            let (low, width) = bounds(*bucket);
            low + width / 2
        })
    }

    /// The buckets that are not empty: each one's lowest time, its width (both in milliseconds) and its count.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        self.buckets.iter().map(|(bucket, count)| {
            let (low, width) = bounds(*bucket);
            (low, width, *count)
        })
    }

    pub(crate) fn write(&self, pack: &mut Pack) {
        pack.number(self.buckets.len() as u64);
        let mut before = 0;
        for (bucket, count) in &self.buckets {
            pack.number(u64::from(bucket - before));
            pack.number(*count);
            before = *bucket;
        }
    }

    /// None if the bytes make no sense.
    pub(crate) fn read(bytes: &mut Unpack<'_>) -> Option<Self> {
        let count = bytes.count()?;
        let (mut before, mut buckets) = (0_u16, Vec::with_capacity(count));
        for _ in 0..count {
            before = before.checked_add(u16::try_from(bytes.number()?).ok()?)?;
            buckets.push((before, bytes.number()?));
        }
        Some(Self { buckets })
    }
}

fn bucket(ms: u64) -> u16 {
    let ms = ms.min(LONGEST);
    let doublings = (64 - ms.leading_zeros()).saturating_sub(CUT + 1);
    let place = u64::from(doublings) * (1 << CUT) + (ms >> doublings);
    u16::try_from(place).unwrap_or(u16::MAX)
}

/// The lowest time of a bucket, and how many milliseconds it holds.
fn bounds(bucket: u16) -> (u64, u64) {
    let doublings = (u64::from(bucket) >> CUT).saturating_sub(1);
    let place = u64::from(bucket) - (doublings << CUT);
    (place << doublings, 1 << doublings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_in_its_bucket_and_a_bucket_is_narrow() {
        let times = (0..5_000).chain((0..36).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1]));
        for ms in times.filter(|ms| *ms <= LONGEST) {
            let (low, width) = bounds(bucket(ms));
            assert!(low <= ms && ms < low + width, "{ms} in {low}+{width}");
            assert!(width == 1 || width * 16 <= low, "{ms}: {low}+{width}");
        }
        assert_eq!(bucket(u64::MAX), bucket(LONGEST));
    }

    #[test]
    fn percentiles_of_merged_parts_are_those_of_the_whole_and_near_the_true_ones() {
        let times: Vec<u64> = (0..10_000_u64).map(|n| n * n % 90_001).collect();
        let (mut whole, mut merged) = (Histogram::default(), Histogram::default());
        times.iter().for_each(|ms| whole.add(*ms));
        for part in times.chunks(777) {
            let mut one = Histogram::default();
            part.iter().for_each(|ms| one.add(*ms));
            merged.merge(&one);
        }
        assert_eq!(merged, whole);
        let mut sorted = times.clone();
        sorted.sort_unstable();
        for (share, rank) in [(0.5, 4_999), (0.95, 9_499), (0.99, 9_899), (1.0, 9_999), (0.0, 0)] {
            let (told, real) = (whole.quantile(share).unwrap(), sorted[rank]);
            assert!(told.abs_diff(real) * 32 <= real.max(1), "{share}: {told} for {real}");
        }
        assert_eq!(Histogram::default().quantile(0.5), None);
    }
}
