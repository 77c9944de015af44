//! A pool as pages, headers and the choice among deployments see it: what is used of each limit, and what is left.

use std::time::Duration;

use weir_units::{Dimension, Moment, WallTime};

use super::{PER_DAY, PER_MINUTE, Pool};
use crate::limits::bucket::Bucket;
use crate::limits::day::Today;

/// One limit of a pool, as headers and pages show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gauge {
    /// What it limits.
    pub dimension: Dimension,
    /// The limit in force.
    pub limit: u64,
    /// What the config declares.
    pub declared: Option<u64>,
    /// What the provider states.
    pub stated: Option<u64>,
    /// Used in the last minute, today, or right now, by dimension.
    pub used: u64,
    /// The most that was used in any minute of the last hour; today's use for a daily limit.
    pub peak: u64,
    /// What may be sent at once.
    pub remaining: u64,
    /// How long until all of it is there again.
    pub reset: Duration,
}

impl Pool {
    /// How busy it is: the share of its tightest limit that the last minute used, in parts per million.
    pub(crate) fn use_ppm(&self, now: Moment) -> u64 {
        Dimension::ALL.into_iter().map(|dimension| self.use_of(now, dimension)).max().unwrap_or(0)
    }

    /// The share of one limit that is used, in parts per million; none where there is no such limit.
    pub(crate) fn use_of(&self, now: Moment, dimension: Dimension) -> u64 {
        let Some(limit) = self.limit(dimension) else { return 0 };
        let ppm = u128::from(self.used(now, dimension)) * 1_000_000 / u128::from(limit.max(1));
        u64::try_from(ppm).unwrap_or(u64::MAX)
    }

    fn used(&self, now: Moment, dimension: Dimension) -> u64 {
        if let Some(place) = PER_MINUTE.iter().position(|d| *d == dimension) {
            return self.minutes[place].as_ref().map_or(0, |minute| minute.meter.last_minute(now));
        }
        match PER_DAY.iter().position(|d| *d == dimension) {
            Some(place) => self.days[place].used(),
            None => u64::from(self.under_way.count()),
        }
    }

    /// Every limit as pages show it. Looking changes nothing.
    pub(crate) fn gauges(&self, now: Moment, wall: WallTime) -> Vec<Gauge> {
        Dimension::ALL.into_iter().filter_map(|dimension| self.gauge(now, wall, dimension)).collect()
    }

    fn gauge(&self, now: Moment, wall: WallTime, dimension: Dimension) -> Option<Gauge> {
        let limit = self.limit(dimension)?;
        let used = self.used(now, dimension);
        let mut gauge = Gauge {
            dimension,
            limit,
            declared: self.declared.get(dimension),
            stated: self.stated.get(dimension),
            used,
            peak: used,
            remaining: limit.saturating_sub(used),
            reset: Duration::ZERO,
        };
        if let Some(place) = PER_MINUTE.iter().position(|d| *d == dimension) {
            let flow = self.flow(now, place, dimension);
            let minute = self.minutes[place].as_ref();
            let mut bucket = minute.map_or_else(|| Bucket::full(flow, now), |minute| minute.bucket);
            bucket.refill(flow, now);
            gauge.peak = minute.map_or(0, |minute| minute.meter.peak_of_hour(now));
            gauge.remaining = u64::try_from(bucket.level() / 1_000_000).unwrap_or(0);
            gauge.reset = flow.time_for(flow.most().saturating_sub(bucket.level()));
        } else if let Some(place) = PER_DAY.iter().position(|d| *d == dimension) {
            let today = Today::at(wall, self.day_start);
            let mut count = self.days[place];
            count.turn(&today);
            (gauge.used, gauge.peak, gauge.reset) = (count.used(), count.used(), today.left);
            gauge.remaining = limit.saturating_sub(gauge.used);
        } else {
            gauge.peak = self.high_water.as_ref().map_or(0, |high| u64::from(high.peak(now)));
        }
        Some(gauge)
    }
}
