//! What conversations say to each other: agents that ask one another over and over, each time in a conversation of its own.
//!
//! A conversation is led by another one if it is sent a text that the other produced, if the other's run is named as its
//! parent, or if it begins in a trace in which the other ended last. It carries on what was said along that way. Those that
//! are led by the same one do not see each other, so workers with the same prompt are no loop.

use weir_units::Mark;

use super::detectors::{LONGEST_PERIOD, repeats};
use super::evidence::{Detector, Evidence, Level};
use super::settings::Guards;

/// How much of what was said is carried on.
pub(super) const SAID: usize = 48;

/// What one conversation was told, and what it answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) heard: Mark,
    pub(super) answered: Mark,
}

/// How a conversation is led by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LedBy {
    Text,
    Parent,
    Trace,
}

/// A conversation that leads another, and what it tells it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lead {
    pub(super) path: u32,
    pub(super) heard: Mark,
    pub(super) by: LedBy,
}

/// Whether what was said goes round, now that `heard` is said.
pub(super) fn goes_round(said: &[Said], heard: Mark, by: LedBy, guards: &Guards) -> Option<(Level, Evidence)> {
    let last = said.len();
    let told = |at: usize| said.get(at).map_or(heard, |said| said.heard);
    // What the newest is answered with is not known yet.
    let same = |a: usize, b: usize| told(a) == told(b) && (a == last || b == last || said[a] == said[b]);
    for period in 1..=LONGEST_PERIOD {
        // What begins in a trace again and again with one text may be one worker after the other.
        if period == 1 && by == LedBy::Trace {
            continue;
        }
        let count = repeats(last + 1, period, &same);
        let (threshold, rungs) = if period == 1 { (guards.identical_actions, 2) } else { (guards.ping_pongs, 1) };
        let level = Level::of(count, threshold, rungs);
        if level > Level::Go {
            let marks = (0..period.min(6)).filter_map(|back| last.checked_sub(back)).map(told).collect();
            let evidence = Evidence::new(Detector::PingPong, count.into(), threshold.into());
            let period = u32::try_from(period).unwrap_or(u32::MAX);
            return Some((level, Evidence { period, marks, ..evidence }));
        }
        if count > 1 {
            // The smallest period counts.
            return None;
        }
    }
    None
}
