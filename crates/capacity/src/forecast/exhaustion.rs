//! When a limit on the rate is reached: the share of drawn futures that reach it by a date, not a line drawn on.

use weir_units::WallTime;

use super::history::WEEK;
use super::outcome::Forecast;
use super::paths::DRAWN;

/// On so many days of seven a limit is reached before that is more than noise.
const LASTING: usize = 3;

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

    /// The same with a ratio for each slot of the week; slots that are missing or make no sense have the median of the others.
    #[must_use]
    pub fn by_slot(bursts: &[Option<f64>]) -> Self {
        let known: Vec<f64> = bursts.iter().flatten().copied().filter(|b| b.is_finite() && *b > 0.0).collect();
        let usual = super::stats::median(&known).unwrap_or(1.0);
        let of = |slot: usize| bursts.get(slot).copied().flatten().filter(|b| b.is_finite() && *b > 0.0);
        Self((0..WEEK).map(|slot| of(slot).unwrap_or(usual).min(1e6) / 60.0).collect())
    }

    /// The busy minute's share of an hour in this slot of the week.
    #[must_use]
    pub fn share(&self, slot: usize) -> f64 {
        self.0.get(slot).copied().unwrap_or(1.0)
    }
}

/// When a limit is reached, told by futures that were drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Exhaustion {
    /// Until when was looked.
    pub until: WallTime,
    /// The share of futures in which a busy minute reaches the limit by then.
    pub probability: f64,
    /// By when one future in ten has reached it. `None`: not before `until`.
    pub p10: Option<WallTime>,
    /// By when half of the futures have.
    pub p50: Option<WallTime>,
    /// By when nine of ten have.
    pub p90: Option<WallTime>,
    /// Whether demand evidently grows, or has lately stepped up.
    pub growing: bool,
    /// When each future first reaches it, ascending; those that do not are left out.
    pub(crate) first: Vec<WallTime>,
    /// When each future begins to reach it on three days of seven, ascending.
    pub(crate) lasting: Vec<WallTime>,
    /// How many futures were drawn.
    pub(crate) drawn: usize,
}

impl Exhaustion {
    /// The share of futures that have reached the limit by then.
    #[must_use]
    pub fn by(&self, at: WallTime) -> f64 {
        share_by(&self.first, at, self.drawn)
    }

    /// The share of futures that by then have begun to reach it again and again: on three days of seven.
    #[must_use]
    pub fn lasting_by(&self, at: WallTime) -> f64 {
        share_by(&self.lasting, at, self.drawn)
    }
}

/// The share of `drawn` that is not after a time.
fn share_by(ascending: &[WallTime], at: WallTime, drawn: usize) -> f64 {
    if drawn == 0 { 0.0 } else { ascending.partition_point(|t| *t <= at) as f64 / drawn as f64 }
}

/// When demand reaches `limit` in its busy minutes within the next `days`.
///
/// Not with the model [`Model::Daily`](super::Model::Daily), which knows nothing of weeks: then the answer is `None`.
#[must_use]
pub fn exhaustion(forecast: &Forecast, peaks: &Peaks, limit: f64, days: u32, seed: u64) -> Option<Exhaustion> {
    let futures = &forecast.futures;
    if !futures.weekly || !(limit.is_finite() && limit > 0.0) {
        return None;
    }
    let hours = (days as usize * 24).clamp(24, futures.logs.len().max(24));
    // What an hour's logarithm must reach.
    let bars: Vec<f64> = (0..hours.min(futures.logs.len()))
        .map(|hour| {
            let share = peaks.share(futures.slots[hour].of_week());
            if share > 0.0 { libm::log(limit / share + futures.offset) } else { f64::INFINITY }
        })
        .collect();
    let (mut first, mut lasting) = (Vec::new(), Vec::new());
    futures.draw(hours, seed, |path| {
        let mut full: Vec<Option<usize>> = Vec::with_capacity(path.len() / 24 + 1);
        for (day, span) in path.chunks(24).enumerate() {
            let bars = &bars[day * 24..day * 24 + span.len()];
            full.push(span.iter().zip(bars).position(|(value, bar)| value >= bar).map(|index| day * 24 + index));
        }
        first.extend(full.iter().flatten().next().map(|hour| futures.at(*hour)));
        let again = |day: &usize| full[*day..(day + 7).min(full.len())].iter().flatten().count() >= LASTING;
        let begins = (0..full.len()).find(|day| full[*day].is_some() && again(day));
        lasting.extend(begins.and_then(|day| full[day]).map(|hour| futures.at(hour)));
    });
    first.sort_unstable();
    lasting.sort_unstable();
    let nth = |q: f64| first.get(((q * DRAWN as f64).ceil() as usize).saturating_sub(1)).copied();
    Some(Exhaustion {
        until: futures.at(hours),
        probability: first.len() as f64 / DRAWN as f64,
        p10: nth(0.10),
        p50: nth(0.50),
        p90: nth(0.90),
        growing: futures.growing,
        first,
        lasting,
        drawn: DRAWN,
    })
}
