//! Sums by the day of UTC, so that those before the window can be let go of.

use std::collections::BTreeMap;

use weir_capacity::waste::{By, Kind, Lost, WasteFigures};
use weir_units::{NanoUsd, WallTime};

const DAY: i64 = 86_400_000_000;

/// Names of one sort and day that are told apart in waste.
const MOST_NAMES: usize = 500;

/// A name that stands for all that are too many.
const OTHER: &str = "(other)";

/// The sums of a day.
#[derive(Clone, Debug, Default)]
pub(super) struct Day {
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) throttled: u64,
    pub(super) tokens: u64,
    pub(super) cost: NanoUsd,
    pub(super) priced: u64,
    pub(super) unpriced: u64,
    pub(super) retries: u64,
    pub(super) retry_tokens: u64,
    pub(super) retry_cost: NanoUsd,
    lost: BTreeMap<Kind, Lost>,
    names: [BTreeMap<Option<String>, BTreeMap<Kind, Lost>>; 3],
}

impl Day {
    /// Adds what was wasted of a call of this route, key and run.
    pub(super) fn lose(&mut self, kind: Kind, who: [Option<String>; 3], lost: &Lost) {
        self.lost.entry(kind).or_default().add(lost);
        for (names, name) in self.names.iter_mut().zip(who) {
            let known = names.len() < MOST_NAMES || names.contains_key(&name);
            let name = if known { name } else { Some(OTHER.to_owned()) };
            names.entry(name).or_default().entry(kind).or_default().add(lost);
        }
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.throttled += other.throttled;
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.cost += other.cost;
        self.priced += other.priced;
        self.unpriced += other.unpriced;
        self.retries += other.retries;
        self.retry_tokens = self.retry_tokens.saturating_add(other.retry_tokens);
        self.retry_cost += other.retry_cost;
    }
}

/// All days, and what has no time.
#[derive(Debug, Default)]
pub(super) struct Days {
    days: BTreeMap<i64, Day>,
    undated: Day,
}

impl Days {
    /// The sums of a time's day.
    pub(super) fn day(&mut self, at: Option<WallTime>) -> &mut Day {
        match at {
            Some(at) => self.days.entry(at.0.div_euclid(DAY)).or_default(),
            None => &mut self.undated,
        }
    }

    /// Lets go of the days before this one's.
    pub(super) fn forget(&mut self, begin: i64) {
        let first = begin.div_euclid(DAY);
        while self.days.first_key_value().is_some_and(|(day, _)| *day < first) {
            self.days.pop_first();
        }
    }

    /// All of them together, without what was wasted.
    pub(super) fn total(&self) -> Day {
        let mut total = Day::default();
        self.days.values().chain([&self.undated]).for_each(|day| total.add(day));
        total
    }

    /// Puts what was wasted into the figures of a report.
    pub(super) fn fill(&self, figures: &mut WasteFigures) {
        for day in self.days.values().chain([&self.undated]) {
            for (kind, lost) in &day.lost {
                figures.lost_of_all(*kind, lost);
            }
            for (by, names) in [By::Route, By::Key, By::Run].into_iter().zip(&day.names) {
                for (name, kinds) in names {
                    for (kind, lost) in kinds {
                        figures.lost_by(by, name.as_deref(), *kind, lost);
                    }
                }
            }
        }
    }
}
