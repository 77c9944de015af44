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

/// What futures are drawn from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Futures {
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
    /// Days that went otherwise.
    pub(crate) blocks: Vec<Block>,
    /// The hour that is not over.
    pub(crate) running: Option<Running>,
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

    /// Draws all futures of so many hours; each is told hour by hour as logarithms, offset included.
    pub(crate) fn draw(&self, hours: usize, seed: u64, mut told: impl FnMut(&[f64])) {
        let hours = hours.min(self.logs.len());
        let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
        let split = |weekend: bool| -> Vec<&Block> { self.blocks.iter().filter(|b| b.weekend == weekend).collect() };
        let (weekdays, weekends) = (split(false), split(true));
        let all: Vec<&Block> = self.blocks.iter().collect();
        let mut path = vec![0.0; hours];
        for _ in 0..DRAWN {
            let by_amount = dice.unit() < self.by_amount;
            let bent = dice.normal() * self.doubt;
            let mut wandered = 0.0;
            for (day, span) in path.chunks_mut(24).enumerate() {
                if day > 0 && day <= WANDERS {
                    wandered += dice.normal() * self.wander;
                }
                let first = day * 24;
                let weekend = self.slots[(first + 12).min(self.slots.len() - 1)].is_weekend();
                let own = if weekend { &weekends } else { &weekdays };
                let from = if own.len() >= ENOUGH { own } else { &all };
                let block = (!from.is_empty()).then(|| from[dice.below(from.len())]);
                for (index, value) in span.iter_mut().enumerate() {
                    let ahead = (first + index) as f64 / 24.0;
                    let grown = if by_amount {
                        libm::log((1.0 + (self.linear + bent) * ahead).max(0.01))
                    } else {
                        (self.slope + bent) * ahead
                    };
                    let other = block.map_or(0.0, |b| b.errors[index]);
                    *value = self.logs[first + index] + grown + wandered + other;
                }
            }
            told(&path);
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
