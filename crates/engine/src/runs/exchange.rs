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
struct Said {
    heard: Mark,
    answered: Mark,
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

/// What was said along the conversations that led to one, and what that was told last.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    said: Vec<Said>,
    heard: Mark,
    by: LedBy,
    /// The answer to what was heard is in `said` already.
    is_answered: bool,
    /// Who led it, by place and serial number.
    pub(super) led_by: Option<(u32, u64)>,
}

impl Exchange {
    /// A conversation that nobody leads yet, and that others may be led by.
    pub(super) fn begun(heard: Mark) -> Self {
        Self { said: Vec::new(), heard, by: LedBy::Trace, is_answered: false, led_by: None }
    }

    /// A conversation that is led by another, whose exchange this is if it has one.
    pub(super) fn led(lead: &Lead, leader: Option<&Self>, serial: u64) -> Self {
        let said = leader.map(|leader| &leader.said[leader.said.len().saturating_sub(SAID - 1)..]);
        let (said, led_by) = (said.unwrap_or_default().to_vec(), Some((lead.path, serial)));
        Self { said, heard: lead.heard, by: lead.by, is_answered: false, led_by }
    }

    /// Answers what was heard.
    pub(super) fn say(&mut self, answered: Mark) {
        // Until the next is heard, what is said last is the answer.
        if self.is_answered {
            self.said.pop();
        }
        self.is_answered = true;
        self.said.push(Said { heard: self.heard, answered });
    }

    /// Whether what was said goes round, now that the last is heard.
    pub(super) fn goes_round(&self, guards: &Guards) -> Option<(Level, Evidence)> {
        if self.is_answered {
            return None;
        }
        let (said, last) = (&self.said, self.said.len());
        let told = |at: usize| said.get(at).map_or(self.heard, |said| said.heard);
        // What the newest is answered with is not known yet.
        let same = |a: usize, b: usize| told(a) == told(b) && (a == last || b == last || said[a] == said[b]);
        for period in 1..=LONGEST_PERIOD {
            // What begins in a trace again and again with one text may be one worker after the other.
            if period == 1 && self.by == LedBy::Trace {
                continue;
            }
            let count = repeats(last + 1, period, &same);
            let (threshold, rungs) = if period == 1 { (guards.identical_actions, 2) } else { (guards.ping_pongs, 1) };
            let level = Level::of(count, threshold, rungs);
            if level > Level::Go {
                let marks = (0..period).filter_map(|back| last.checked_sub(back)).map(told).collect();
                let evidence = Evidence::new(Detector::PingPong, count.into(), threshold.into());
                let period = u32::try_from(period).unwrap_or(u32::MAX);
                return Some((level, Evidence { period, marks, ..evidence }));
            }
        }
        None
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_of::<Self>() + 32 + self.said.capacity() * size_of::<Said>()
    }
}
