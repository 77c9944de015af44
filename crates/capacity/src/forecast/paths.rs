//! Futures that are drawn: what is expected, days of what went otherwise, and doubt about the trend.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use weir_units::WallTime;

use super::backtest::Block;
use super::history::{Running, Slot, hours_after};

/// How many futures are drawn.
pub(crate) const DRAWN: usize = 500;
/// Days over which a level wanders; then it has gone as far as levels go.
pub(crate) const WANDERS: usize = 21;
/// Blocks of weekends that are enough to draw weekends from.
const ENOUGH: usize = 4;

/// Demand far above what is usual, since a few hours, such as a batch job's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Surge {
    /// For how many hours.
    pub(crate) hours: f64,
    /// How much more an hour.
    pub(crate) extra: f64,
}

/// What futures are drawn from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Futures {
    /// What decides all draws, with the seed of each question.
    pub(crate) seed: u64,
    /// When the first hour begins.
    pub(crate) start: WallTime,
    /// The hours to come.
    pub(crate) slots: Vec<Slot>,
    /// The logarithm of each hour's median, offset included, growth left out.
    pub(crate) logs: Vec<f64>,
    /// What was added before logarithms were taken.
    pub(crate) offset: f64,
    /// The logarithm of growth a day, if levels grow by a share.
    pub(crate) slope: f64,
    /// Its standard error.
    pub(crate) doubt: f64,
    /// The growth a day as a share of the last day, if levels grow by an amount.
    pub(crate) linear: f64,
    /// How likely it is that they grow by an amount.
    pub(crate) by_amount: f64,
    /// How far the level wanders in a day, as a standard deviation of its logarithm.
    pub(crate) wander: f64,
    /// How unsure the present level is, as a standard deviation of its logarithm.
    pub(crate) unsure: f64,
    /// Days that went otherwise.
    pub(crate) blocks: Vec<Block>,
    /// The hour that is not over.
    pub(crate) running: Option<Running>,
    /// What has just begun to come on top.
    pub(crate) surge: Option<Surge>,
    /// Demand evidently grows, or has just stepped up.
    pub(crate) growing: bool,
    /// Weeks are known, so that dates can be told.
    pub(crate) weekly: bool,
}

impl Futures {
    /// When an hour to come begins.
    pub(crate) fn at(&self, hour: usize) -> WallTime {
        hours_after(self.start, hour)
    }

    /// How much of the first hour has passed, 0 to 1.
    pub(crate) fn passed(&self) -> f64 {
        self.running.map_or(0.0, |r| (r.passed.as_secs_f64() / 3600.0).clamp(0.0, 1.0))
    }

    fn dice(&self, seed: u64, stream: u64) -> Dice {
        let mut generator = ChaCha8Rng::seed_from_u64(self.seed ^ seed.rotate_left(32));
        generator.set_stream(stream);
        Dice(generator)
    }

    /// Draws the demand of so many hours; of the first one only what is to come of it.
    pub(crate) fn demand(&self, hours: usize, seed: u64, mut told: impl FnMut(&[f64])) {
        let mut dice = self.dice(seed, 1);
        let passed = self.passed();
        self.draw(hours, seed, |_, drawn| {
            let mut demand: Vec<f64> =
                drawn.iter().map(|log| (libm::exp(log.min(60.0)) - self.offset).max(0.0)).collect();
            if let Some(surge) = self.surge {
                // Half of all things last longer again than they have lasted (Gott 1993).
                let more = surge.hours * (1.0 / (1.0 - dice.unit()) - 1.0) + passed;
                for (hour, value) in demand.iter_mut().enumerate().take_while(|(hour, _)| (*hour as f64) < more) {
                    *value += surge.extra * (more - hour as f64).min(1.0);
                }
            }
            if let (Some(first), Some(running)) = (demand.first_mut(), self.running) {
                // The rest of the hour goes on as it began, the more of it has been seen; a surge is in that already.
                let pace = if passed > 0.0 && running.sum.is_finite() { running.sum.max(0.0) / passed } else { *first };
                *first = (pace * passed + *first * (1.0 - passed)) * (1.0 - passed);
            }
            told(&demand);
        });
    }

    /// Draws all futures of so many hours. Each is told hour by hour as logarithms, offset included: as ordinary days would be, and as the
    /// days are that were drawn.
    pub(crate) fn draw(&self, hours: usize, seed: u64, mut told: impl FnMut(&[f64], &[f64])) {
        let hours = hours.min(self.logs.len());
        let mut dice = self.dice(seed, 0);
        let split = |weekend: bool| -> Vec<&Block> { self.blocks.iter().filter(|b| b.weekend == weekend).collect() };
        let (weekdays, weekends) = (split(false), split(true));
        let all: Vec<&Block> = self.blocks.iter().collect();
        let (mut ordinary, mut path) = (vec![0.0; hours], vec![0.0; hours]);
        for _ in 0..DRAWN {
            let by_amount = dice.unit() < self.by_amount;
            let bent = dice.normal() * self.doubt;
            let unsure = dice.normal() * self.unsure;
            let away = dice.normal() * self.wander;
            let mut wandered = 0.0;
            for (day, span) in path.chunks_mut(24).enumerate() {
                if day > 0 && day <= WANDERS {
                    wandered += dice.normal() * self.wander;
                }
                let away_by = libm::sqrt(day.min(WANDERS) as f64);
                let first = day * 24;
                let weekend = self.slots[(first + 12).min(self.slots.len() - 1)].is_weekend();
                let own = if weekend { &weekends } else { &weekdays };
                let from = if own.len() >= ENOUGH { own } else { &all };
                let block = (!from.is_empty()).then(|| from[dice.below(from.len())]);
                let grown = |days: usize| {
                    if by_amount {
                        libm::log((1.0 + (self.linear + bent) * days as f64).max(0.01))
                    } else {
                        (self.slope + bent) * days as f64
                    }
                };
                let (begin, end) = (grown(day), grown(day + 1));
                for (index, value) in span.iter_mut().enumerate() {
                    let grown = begin + (end - begin) * index as f64 / 24.0;
                    let other = block.map_or(0.0, |b| b.errors[index]);
                    let level = self.logs[first + index] + grown;
                    ordinary[first + index] = level + unsure + away * away_by;
                    *value = level + wandered + other;
                }
            }
            told(&ordinary, &path);
        }
    }
}

/// Chance from a seed.
struct Dice(ChaCha8Rng);

impl Dice {
    /// A number in [0, 1).
    fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number below a bound, which is not 0.
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.0.next_u64()) * bound as u128) >> 64) as usize
    }

    /// A number from the normal distribution (Box and Muller 1958).
    fn normal(&mut self) -> f64 {
        let (a, b) = (1.0 - self.unit(), self.unit());
        libm::sqrt(-2.0 * libm::log(a)) * libm::cos(std::f64::consts::TAU * b)
    }
}
