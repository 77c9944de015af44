//! When a limit on the rate is reached: the share of drawn futures that reach it by a date, not a line drawn on.

use weir_units::WallTime;

use super::history::WEEK;
use super::outcome::Forecast;
use super::paths::DRAWN;

/// How much of an hour's demand its 95th-percentile minute has, by slot of the week. Limits hold by the minute, forecasts by the hour.
#[derive(Clone, Debug, PartialEq)]
pub struct Peaks(Vec<f64>);

impl Peaks {
    /// The history is of busy minutes already, or of calls in flight: hour and minute are one.
    #[must_use]
    pub fn same() -> Self {
        Self(vec![1.0; WEEK])
    }

    /// The history is of sums of hours, whose 95th-percentile minute is so many times their mean minute.
    #[must_use]
    pub fn of_hours(burst: f64) -> Self {
        Self(vec![burst.clamp(0.0, 1e6) / 60.0; WEEK])
    }

    /// The same with a ratio for each slot of the week, of which each rests on a few hours only. So a slot takes the median of its hour and
    /// the hours beside it on all days of its kind: otherwise the busiest slot would be the luckiest.
    #[must_use]
    pub fn by_slot(bursts: &[Option<f64>]) -> Self {
        let known = |slot: usize| bursts.get(slot).copied().flatten().filter(|b| b.is_finite() && *b > 0.0);
        let all: Vec<f64> = (0..WEEK).filter_map(known).collect();
        let usual = super::stats::median(&all).unwrap_or(1.0);
        let of = |slot: usize| {
            let days = if slot < 5 * 24 { 0..5 } else { 5..7 };
            let near = days.flat_map(|day| [23, 0, 1].map(|beside| day * 24 + (slot + beside) % 24));
            super::stats::median(&near.filter_map(known).collect::<Vec<_>>()).unwrap_or(usual).min(1e6) / 60.0
        };
        Self((0..WEEK).map(of).collect())
    }

    /// The busy minute's share of an hour in this slot of the week.
    #[must_use]
    pub fn share(&self, slot: usize) -> f64 {
        self.0.get(slot).copied().unwrap_or(1.0)
    }
}

/// When a limit is reached, told by futures that were drawn.
///
/// A limit is *reached* when the busiest hour of an ordinary day has a busy minute at it: from then on, that happens day after day. It is
/// *touched* when any hour does, also by chance, which is earlier.
#[derive(Clone, Debug, PartialEq)]
pub struct Exhaustion {
    /// Until when was looked.
    pub until: WallTime,
    /// The share of futures in which the limit is reached by then.
    pub probability: f64,
    /// By when one future in ten has reached it. `None`: not before `until`.
    pub p10: Option<WallTime>,
    /// By when half of the futures have.
    pub p50: Option<WallTime>,
    /// By when nine of ten have.
    pub p90: Option<WallTime>,
    /// By when half of the futures have touched it.
    pub touched: Option<WallTime>,
    /// Whether demand evidently grows, or has lately stepped up.
    pub growing: bool,
    /// When each future reaches it, ascending; those that do not are left out.
    reached_at: Vec<WallTime>,
    /// When each future first touches it, ascending.
    touched_at: Vec<WallTime>,
}

impl Exhaustion {
    /// The share of futures that have reached the limit by then.
    #[must_use]
    pub fn reached_by(&self, at: WallTime) -> f64 {
        share_by(&self.reached_at, at)
    }

    /// The share of futures that have touched it by then.
    #[must_use]
    pub fn touched_by(&self, at: WallTime) -> f64 {
        share_by(&self.touched_at, at)
    }
}

/// The share of all futures that is not after a time.
fn share_by(ascending: &[WallTime], at: WallTime) -> f64 {
    ascending.partition_point(|t| *t <= at) as f64 / DRAWN as f64
}

/// The time by which a share of all futures is there.
pub(crate) fn nth(ascending: &[WallTime], share: f64) -> Option<WallTime> {
    let place = (share * DRAWN as f64).ceil() as usize;
    ascending.get(place.saturating_sub(1)).copied()
}

/// When demand reaches `limit` in its busy minutes within the next `days`, at most 90.
///
/// `None` if that cannot be told: the model is [`Model::Daily`](super::Model::Daily), which knows nothing of weeks, or the limit is no number above zero.
#[must_use]
pub fn exhaustion(forecast: &Forecast, peaks: &Peaks, limit: f64, days: u32, seed: u64) -> Option<Exhaustion> {
    let futures = &forecast.futures;
    if !(futures.weekly && limit.is_finite() && limit > 0.0) {
        return None;
    }
    let hours = (days.max(1) as usize * 24).min(futures.logs.len());
    // What an hour's logarithm must reach.
    let bars: Vec<f64> = futures.slots[..hours]
        .iter()
        .map(|slot| match peaks.share(slot.of_week()) {
            share if share > 0.0 => libm::log(limit / share + futures.offset),
            _ => f64::INFINITY,
        })
        .collect();
    let first =
        |path: &[f64]| path.iter().zip(&bars).position(|(value, bar)| value >= bar).map(|hour| futures.at(hour));
    let (mut reached_at, mut touched_at) = (Vec::new(), Vec::new());
    futures.draw(hours, seed, |ordinary, drawn| {
        reached_at.extend(first(ordinary));
        touched_at.extend(first(drawn));
    });
    reached_at.sort_unstable();
    touched_at.sort_unstable();
    Some(Exhaustion {
        until: futures.at(hours),
        probability: reached_at.len() as f64 / DRAWN as f64,
        p10: nth(&reached_at, 0.10),
        p50: nth(&reached_at, 0.50),
        p90: nth(&reached_at, 0.90),
        touched: nth(&touched_at, 0.50),
        growing: futures.growing,
        reached_at,
        touched_at,
    })
}
