//! What was used of a limit: in the last minute, and in the busiest minute of the last hour.
//!
//! The last minute slides by the second; the peak is the highest that it reached in each minute, kept for sixty of them, so that a
//! spike of a minute stays visible for an hour.

use weir_units::Moment;

const SECOND: u64 = 1_000_000_000;
const SLOTS: usize = 60;

#[derive(Clone, Debug)]
pub(crate) struct Meter {
    seconds: [i64; SLOTS],
    second: u64,
    sum: i64,
    minutes: [i64; SLOTS],
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self { seconds: [0; SLOTS], second: 0, sum: 0, minutes: [0; SLOTS] }
    }

    /// Counts `amount` as used now; what comes back is counted below zero.
    pub(crate) fn add(&mut self, now: Moment, amount: i64) {
        self.roll(now);
        self.seconds[self.second as usize % SLOTS] += amount;
        self.sum += amount;
        let minute = &mut self.minutes[(self.second / 60) as usize % SLOTS];
        *minute = (*minute).max(self.sum);
    }

    pub(crate) fn last_minute(&self, now: Moment) -> u64 {
        let mut copy = self.clone();
        copy.roll(now);
        u64::try_from(copy.sum).unwrap_or(0)
    }

    pub(crate) fn peak_of_hour(&self, now: Moment) -> u64 {
        let mut copy = self.clone();
        copy.roll(now);
        u64::try_from(copy.minutes.iter().copied().max().unwrap_or(0)).unwrap_or(0)
    }

    fn roll(&mut self, now: Moment) {
        let second = now.0 / SECOND;
        if second <= self.second {
            return;
        }
        for passed in (self.second + 1..=second).take(SLOTS) {
            let slot = &mut self.seconds[passed as usize % SLOTS];
            self.sum -= *slot;
            *slot = 0;
        }
        if second - self.second >= SLOTS as u64 {
            (self.seconds, self.sum) = ([0; SLOTS], 0);
        }
        for passed in (self.second / 60 + 1..=second / 60).take(SLOTS) {
            // What is still within the last minute belongs to the new minute as well.
            self.minutes[passed as usize % SLOTS] = 0;
        }
        self.second = second;
        let minute = &mut self.minutes[(second / 60) as usize % SLOTS];
        *minute = (*minute).max(self.sum);
    }
}

/// The most that were under way at once, in each of the last sixty minutes.
#[derive(Clone, Debug)]
pub(crate) struct HighWater {
    minutes: [u32; SLOTS],
    minute: u64,
}

impl HighWater {
    pub(crate) fn new() -> Self {
        Self { minutes: [0; SLOTS], minute: 0 }
    }

    pub(crate) fn note(&mut self, now: Moment, under_way: u32) {
        let minute = now.0 / (60 * SECOND);
        if minute > self.minute {
            for passed in (self.minute + 1..=minute).take(SLOTS) {
                self.minutes[passed as usize % SLOTS] = 0;
            }
            self.minute = minute;
        }
        let slot = &mut self.minutes[self.minute as usize % SLOTS];
        *slot = (*slot).max(under_way);
    }

    pub(crate) fn peak(&self, now: Moment) -> u32 {
        let minute = now.0 / (60 * SECOND);
        let fresh = |age: u64| age < SLOTS as u64;
        let aged = |slot: usize| {
            let back = (self.minute as usize + SLOTS - slot) % SLOTS;
            back as u64 + minute.saturating_sub(self.minute)
        };
        (0..SLOTS).filter(|slot| fresh(aged(*slot))).map(|slot| self.minutes[slot]).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment(seconds * SECOND)
    }

    #[test]
    fn the_last_minute_slides_and_the_peak_stays_for_an_hour() {
        let mut meter = Meter::new();
        meter.add(at(10), 100);
        meter.add(at(40), 50);
        assert_eq!(meter.last_minute(at(69)), 150);
        assert_eq!(meter.last_minute(at(70)), 50);
        assert_eq!(meter.last_minute(at(200)), 0);
        assert_eq!(meter.peak_of_hour(at(200)), 150);
        assert_eq!(meter.peak_of_hour(at(3_599)), 150);
        assert_eq!(meter.peak_of_hour(at(3_800)), 0);
        meter.add(at(4_000), 7);
        meter.add(at(4_000), -3);
        assert_eq!((meter.last_minute(at(4_000)), meter.peak_of_hour(at(4_000))), (4, 7));
    }

    #[test]
    fn high_water_is_kept_for_an_hour() {
        let mut high = HighWater::new();
        high.note(at(5), 9);
        high.note(at(100), 3);
        assert_eq!((high.peak(at(100)), high.peak(at(3_599)), high.peak(at(3_659))), (9, 9, 3));
        assert_eq!(high.peak(at(9_000)), 0);
    }
}
