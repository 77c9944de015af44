//! What was asked of each deployment by the hour, with its minutes for as many hours as there is room: offered demand, since logs tell
//! what was refused, too.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_ledger::{Demand, DemandRow};
use weir_units::WallTime;

use crate::call::Call;

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;

/// Hours of deployments whose minutes are held.
const MOST_MINUTES: usize = 20_000;
/// Hours of deployments that are held at all.
const MOST_HOURS: usize = 200_000;
/// Minutes over which the time that a call took is spread.
const LONGEST: i64 = 30;
/// Of sixty minutes in order, the one that is their 95th percentile.
const P95: usize = 56;

/// A minute, in a small space.
#[derive(Clone, Copy, Debug, Default)]
struct Minute {
    requests: u32,
    input: u32,
    cached: u32,
    output: u32,
    busy: u32,
    throttled: u32,
}

/// An hour.
#[derive(Debug)]
enum Cell {
    Minutes(Box<[Minute; 60]>),
    /// The sum, the 95th percentile of the minutes and the fullest of them.
    Rolled(Box<[Demand; 3]>),
}

/// Hours, by time and deployment.
#[derive(Debug, Default)]
pub(super) struct Hours {
    cells: BTreeMap<(i64, usize), Cell>,
    with_minutes: usize,
    first: Option<WallTime>,
}

impl Hours {
    /// Adds a call.
    pub(super) fn add(&mut self, deployment: usize, at: WallTime, call: &Call<'_>) {
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        let usage = call.usage.unwrap_or_default();
        let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let one = Minute {
            requests: 1,
            input: small(usage.input.0),
            cached: small(usage.cached_input.0),
            output: small(usage.output.0),
            busy: 0,
            throttled: u32::from(call.is_throttled()),
        };
        self.put(deployment, at.0, one);
        let Some(ended) = call.ended else { return };
        let ended = ended.0.min(at.0.saturating_add(LONGEST * MINUTE));
        let mut from = at.0;
        while from < ended {
            let until = ((from.div_euclid(MINUTE) + 1) * MINUTE).min(ended);
            let busy = small(u64::try_from((until - from) / 1_000).unwrap_or(0));
            self.put(deployment, from, Minute { busy, ..Minute::default() });
            from = until;
        }
    }

    fn put(&mut self, deployment: usize, at: i64, more: Minute) {
        let key = (at.div_euclid(HOUR), deployment);
        if !self.cells.contains_key(&key) {
            self.make_room();
            self.cells.insert(key, Cell::Minutes(Box::new([Minute::default(); 60])));
            self.with_minutes += 1;
        }
        match self.cells.get_mut(&key) {
            Some(Cell::Minutes(minutes)) => {
                let place = usize::try_from(at.rem_euclid(HOUR) / MINUTE).unwrap_or_default();
                if let Some(minute) = minutes.get_mut(place) {
                    minute.requests = minute.requests.saturating_add(more.requests);
                    minute.input = minute.input.saturating_add(more.input);
                    minute.cached = minute.cached.saturating_add(more.cached);
                    minute.output = minute.output.saturating_add(more.output);
                    minute.busy = minute.busy.saturating_add(more.busy);
                    minute.throttled = minute.throttled.saturating_add(more.throttled);
                }
            }
            Some(Cell::Rolled(rolled)) => add(&mut rolled[0], &demand(&more)),
            None => {}
        }
    }

    /// Lets go of the minutes of the oldest hours, and of the oldest hours, where there are too many.
    fn make_room(&mut self) {
        if self.with_minutes >= MOST_MINUTES {
            let held = self.cells.iter_mut().filter(|(_, cell)| matches!(cell, Cell::Minutes(_)));
            for (_, cell) in held.take(MOST_MINUTES / 4) {
                if let Cell::Minutes(minutes) = cell {
                    *cell = Cell::Rolled(Box::new(rolled(minutes)));
                }
            }
            self.with_minutes -= MOST_MINUTES / 4;
        }
        if self.cells.len() >= MOST_HOURS
            && let Some((_, Cell::Minutes(_))) = self.cells.pop_first()
        {
            self.with_minutes -= 1;
        }
    }

    /// Lets go of what is before `begin`.
    pub(super) fn forget(&mut self, begin: i64) {
        let first = begin.div_euclid(HOUR);
        while self.cells.first_key_value().is_some_and(|((hour, _), _)| *hour < first) {
            if let Some((_, Cell::Minutes(_))) = self.cells.pop_first() {
                self.with_minutes -= 1;
            }
        }
        if self.first.is_some_and(|at| at.0 < begin) {
            self.first = self.cells.first_key_value().map(|((hour, _), _)| WallTime((hour * HOUR).max(begin)));
        }
    }

    /// When the first call was.
    pub(super) fn first(&self) -> Option<WallTime> {
        self.first
    }

    /// Rows of minutes, and rows of hours.
    pub(super) fn rows(&self, names: &[Arc<str>]) -> (Vec<DemandRow>, Vec<DemandRow>) {
        let (mut minutes, mut hours) = (Vec::new(), Vec::new());
        for ((hour, deployment), cell) in &self.cells {
            let Some(name) = names.get(*deployment) else { continue };
            let begin = hour * HOUR;
            let row = |at: i64, [sum, p95, peak]: [Demand; 3]| DemandRow {
                deployment: Arc::clone(name),
                at: WallTime(at),
                sum,
                p95,
                peak,
            };
            match cell {
                Cell::Minutes(held) => {
                    let parts = held.iter().zip(0_i64..).filter(|(part, _)| part.requests > 0 || part.busy > 0);
                    minutes.extend(parts.map(|(part, place)| row(begin + place * MINUTE, [demand(part); 3])));
                    hours.push(row(begin, rolled(held)));
                }
                Cell::Rolled(sums) => hours.push(row(begin, **sums)),
            }
        }
        (minutes, hours)
    }
}

fn demand(minute: &Minute) -> Demand {
    Demand {
        requests: minute.requests.into(),
        input: minute.input.into(),
        cached_input: minute.cached.into(),
        output: minute.output.into(),
        busy_ms: minute.busy.into(),
        throttled: minute.throttled.into(),
    }
}

fn add(sum: &mut Demand, more: &Demand) {
    sum.requests += more.requests;
    sum.input += more.input;
    sum.cached_input += more.cached_input;
    sum.output += more.output;
    sum.busy_ms += more.busy_ms;
    sum.throttled += more.throttled;
}

fn rolled(minutes: &[Minute; 60]) -> [Demand; 3] {
    let mut sum = Demand::default();
    minutes.iter().for_each(|minute| add(&mut sum, &demand(minute)));
    let nth = |place: usize| {
        let of = |part: fn(&Minute) -> u32| {
            let mut counts = minutes.each_ref().map(part);
            counts.sort_unstable();
            u64::from(counts[place])
        };
        Demand {
            requests: of(|minute| minute.requests),
            input: of(|minute| minute.input),
            cached_input: of(|minute| minute.cached),
            output: of(|minute| minute.output),
            busy_ms: of(|minute| minute.busy),
            throttled: of(|minute| minute.throttled),
        }
    };
    [sum, nth(P95), nth(59)]
}
