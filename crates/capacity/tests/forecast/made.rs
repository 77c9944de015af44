//! Histories that are made: a day's and a week's shape, a trend, launches, noise that lasts, counts of few.

use weir_capacity::forecast::{History, Sample};
use weir_units::WallTime;

/// A Monday: 2026-11-02.
pub(crate) const MONDAY: WallTime = WallTime(1_793_577_600_000_000);

/// How levels grow.
#[derive(Clone, Copy)]
pub(crate) enum Trend {
    /// By this share of the day before.
    Share(f64),
    /// By this share of the first day.
    Amount(f64),
}

/// What a history is like.
#[derive(Clone)]
pub(crate) struct Made {
    /// The busiest hour of the first day.
    pub(crate) busiest: f64,
    pub(crate) trend: Trend,
    /// The noise of single hours, how much of it lasts to the next hour, and the noise of whole days.
    pub(crate) noise: (f64, f64, f64),
    /// The day of a launch, and what demand is multiplied by.
    pub(crate) launches: Vec<(usize, f64)>,
    /// Whole counts, which vary the more the fewer they are.
    pub(crate) counts: bool,
}

impl Default for Made {
    fn default() -> Self {
        Self {
            busiest: 1_000.0,
            trend: Trend::Share(0.0),
            noise: (0.05, 0.0, 0.0),
            launches: Vec::new(),
            counts: false,
        }
    }
}

impl Made {
    /// What is expected of an hour.
    pub(crate) fn expected(&self, hour: usize) -> f64 {
        let (day, of_day) = (hour as f64 / 24.0, (hour % 24) as f64);
        let shape = 0.5 - 0.5 * ((of_day - 2.0) / 24.0 * std::f64::consts::TAU).cos();
        let week = if (hour / 24) % 7 >= 5 { 0.45 } else { 1.0 };
        let grown = match self.trend {
            Trend::Share(share) => (1.0 + share).powf(day),
            Trend::Amount(amount) => 1.0 + amount * day,
        };
        let launched: f64 = self.launches.iter().filter(|(from, _)| hour / 24 >= *from).map(|(_, by)| by).product();
        self.busiest * (0.35 + 0.65 * shape.powf(1.5)) * week * grown * launched
    }

    /// The busiest that an hour is expected to be before a day.
    pub(crate) fn highest_before(&self, day: usize) -> f64 {
        (0..day * 24).map(|hour| self.expected(hour)).fold(0.0, f64::max)
    }

    /// The hours of so many days, by a seed.
    pub(crate) fn hours(&self, days: usize, seed: u64) -> Vec<f64> {
        let mut dice = Dice(seed);
        let (size, lasting, of_day) = self.noise;
        let (mut noise, mut day) = (0.0, 0.0);
        let hours = (0..days * 24).map(|hour| {
            if hour % 24 == 0 {
                day = of_day * dice.normal();
            }
            noise = lasting * noise + (1.0 - lasting * lasting).sqrt() * size * dice.normal();
            let mean = self.expected(hour) * (noise + day - 0.5 * (size * size + of_day * of_day)).exp();
            if self.counts { dice.count(mean) } else { mean }
        });
        hours.collect()
    }
}

/// Hours as a history that begins on a Monday.
pub(crate) fn history(hours: &[f64]) -> History {
    History::new(MONDAY, hours.iter().map(|value| Sample::Known(*value)).collect())
}

/// Chance from a seed (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let (a, b) = (1.0 - self.unit(), self.unit());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }

    fn count(&mut self, mean: f64) -> f64 {
        if mean > 50.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0);
        }
        let (least, mut product, mut count) = ((-mean).exp(), self.unit(), 0.0);
        while product > least {
            product *= self.unit();
            count += 1.0;
        }
        count
    }
}
